// SPDX-License-Identifier: Apache-2.0
// A real enrolment server on loopback, with what reached it.

import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { openDb } from '../../adapters/sqlite.js';
import { formatClaimCode } from '../../protocol/enrol.js';
import { openAttempts } from '../../provisioning/authority/attempts.js';
import { type Claims, claimTables, openClaims } from '../../provisioning/authority/claims.js';
import type { EnrolDeps, NewDevice } from '../../provisioning/authority/enrol.js';
import { answerEnrol } from '../../provisioning/authority/http.js';
import { aFleet, localEndpoints, silent, type TestFleet } from './edges-fleet.js';

export interface EnrolServer {
  readonly fleet: TestFleet;
  readonly claims: Claims;
  readonly port: number;
  readonly added: NewDevice[];
  /** Bodies of POST /v1/enrol that reached the server. */
  readonly bodies: string[];
  code(order?: { count?: number; expiresMs?: number }): Promise<string>;
}

export async function anEnrolServer(
  t: ExecutionContext,
  changed: Partial<EnrolDeps> & { certificate?: { cert: string; key: string } } = {},
): Promise<EnrolServer> {
  const fleet = await aFleet(t);
  const { db } = await openDb(join(fleet.dir, 'fleet.db'), [claimTables]);
  t.teardown(() => db.close());
  const claims = openClaims(db);
  const added: NewDevice[] = [];
  const bodies: string[] = [];
  const deps: EnrolDeps = {
    authority: fleet.authority,
    claims,
    attempts: openAttempts(),
    trust: { tenant: 'acme', epoch: 0, release: [], assignment: [] },
    endpoints: localEndpoints,
    isAdmitted: () => true,
    renewed: async () => undefined,
    addDevice: async (device) => {
      added.push(device);
      return device.name ?? `dev-${device.keyHash.slice(0, 8)}`;
    },
    ...changed,
  };
  const server = createServer(
    changed.certificate ?? fleet.authority.server,
    (request, response) => {
      request.on('data', (chunk: Buffer) => bodies.push(String(chunk)));
      request.pause();
      void answerEnrol(request, response, deps, silent, silent).then((isAnswered) => {
        if (!isAnswered) response.writeHead(404).end();
      });
    },
  );
  const port = await listen(t, server);
  return {
    fleet,
    claims,
    port,
    added,
    bodies,
    code: async ({ count = 1, expiresMs = 60_000 } = {}) => {
      const { secret } = await claims.create({ count, expiresMs });
      return formatClaimCode({ host: '127.0.0.1', port, secret, pin: fleet.authority.pin });
    },
  };
}

export async function listen(t: ExecutionContext, server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

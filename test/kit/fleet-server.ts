// SPDX-License-Identifier: Apache-2.0
// A whole fleet server in this process, on loopback and in a temp folder, and the operator's client for it.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { openLog } from '../../adapters/log.js';
import { type Client, openClient } from '../../fleet/cli/client.js';
import { fleetPlaces } from '../../fleet/config.js';
import { readReleaseKey } from '../../fleet/operator.js';
import { readCompose } from '../../fleet/release/compose.js';
import { makeRelease } from '../../fleet/release/release.js';
import { type Served, serve } from '../../fleet/serve.js';
import { signEnvelope } from '../../images/sign/envelope.js';
import type { ApiNewClaim, ApiRelease, ApiRollout } from '../../protocol/api.js';
import { payloadTypes } from '../../protocol/envelope.js';

export interface TestFleet {
  readonly root: string;
  readonly client: Client;
  served(): Served;
  /** Ends the server and starts it anew on the same ports: the broker comes back empty. */
  restart(): Promise<void>;
}

export async function tempFolder(t: ExecutionContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'wherry-fleet-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

export async function aFleet(t: ExecutionContext): Promise<TestFleet> {
  const root = await tempFolder(t);
  const log = openLog('test', 'silent');
  const start = (httpsPort: number, mqttPort: number): Promise<Served> =>
    serve({ root, listen: '127.0.0.1', httpsPort, mqttPort, names: [], tenant: 'main', log });
  let served = await start(0, 0);
  t.teardown(() => served.close());
  const client = await openClient(root);
  t.teardown(() => client.close());
  return {
    root,
    client,
    served: () => served,
    restart: async () => {
      const { httpsPort, mqttPort } = served;
      await served.close();
      served = await start(httpsPort, mqttPort);
    },
  };
}

export async function aClaim({ client }: TestFleet, count = 1): Promise<string> {
  const body = { uses: count, expiresMs: 60_000 };
  const [claim] = await client.post<ApiNewClaim[]>('/v1/claims', body);
  return claim?.code ?? '';
}

/** Signed with the operator's key and uploaded; the image is a made-up digest. */
export async function aRelease(
  { root, client }: TestFleet,
  version: string,
  counter: number,
): Promise<ApiRelease> {
  const { envelope } = await signedRelease(root, version, counter);
  return client.post<ApiRelease>('/v1/releases', { envelope });
}

export async function signedRelease(
  root: string,
  version: string,
  counter: number,
): Promise<{ envelope: ReturnType<typeof signEnvelope> }> {
  const compose = readCompose('services: {web: {image: web}}', 'compose.yaml');
  const naming = { app: 'shop', version, counter, createdAt: '2026-01-01T00:00:00Z' };
  const { bytes } = await makeRelease(compose, naming, async () => ({
    reference: 'localhost/web',
    digest: `sha256:${'5'.repeat(64)}`,
  }));
  const key = await readReleaseKey(fleetPlaces(root).operator);
  return { envelope: signEnvelope(payloadTypes.release, bytes, key) };
}

export function startRollout(
  { client }: TestFleet,
  release: ApiRelease,
  changed: object = {},
): Promise<ApiRollout> {
  return client.post<ApiRollout>('/v1/rollouts', {
    release: release.digest,
    waves: ['1'],
    selector: {},
    bakeMs: 50,
    deadlineMs: 10_000,
    ...changed,
  });
}

/** Asks until `is` holds; fails after 8 s. */
export async function until<T>(ask: () => Promise<T> | T, is: (value: T) => boolean): Promise<T> {
  const endAt = performance.now() + 8000;
  for (;;) {
    const value = await ask();
    if (is(value)) return value;
    if (performance.now() > endAt) throw new Error(`it stays ${JSON.stringify(value)}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

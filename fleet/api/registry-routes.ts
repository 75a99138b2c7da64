// SPDX-License-Identifier: Apache-2.0
// The part of the operators' API that is about registries: logins of outside ones, sealed for the devices; users,
// audit log and garbage collection of the embedded one. A password of a login never comes in clear.

import { instantOf } from '../../adapters/clock.js';
import { sealKeyOf, unseal } from '../../images/sign/seal.js';
import { CodedError } from '../../protocol/error.js';
import {
  type ApiAudit,
  type ApiLogin,
  gcRequest,
  loginRequest,
  logoutRequest,
  userRequest,
} from '../../protocol/registry-api.js';
import { fleetSealDevice, registrySecret, sealContext } from '../../protocol/sealed.js';
import { auditLinesMax } from '../registry/audit.js';
import type { Registry } from '../registry/registry.js';
import { listSecrets, putSecret, removeSecret } from '../sealed/secrets.js';
import { addEvent } from '../store/events.js';
import type { Asked, Desk, Route } from './routes.js';

export interface RegistryDesk {
  /** undefined = images are kept elsewhere. */
  readonly embedded: Registry | undefined;
  /** X25519, PEM: what operators seal to. */
  readonly sealKey: string;
  /** The secrets changed: every device is sent its own. */
  sealed(): Promise<void>;
}

const gcUnusedMs = 3_600_000;

/** @throws REGISTRY_USER */
function embeddedOf({ registry }: Desk): Registry {
  if (registry.embedded !== undefined) return registry.embedded;
  throw new CodedError('REGISTRY_USER', 'this fleet server has no registry of its own');
}

function note(desk: Desk, { actor }: Asked, action: string, reference: string): void {
  const nothing = { repository: null, digest: null, status: null, address: '' };
  const at = instantOf(desk.clock.now());
  desk.registry.embedded?.audit.note({
    at,
    who: `operator:${actor}`,
    action,
    reference,
    ...nothing,
  });
}

const logins: Route[] = [
  {
    method: 'GET',
    path: /^\/v1\/registry\/seal-key$/,
    run: async ({ registry, tenant }) => ({
      status: 200,
      body: { tenant, publicKey: sealKeyOf(registry.sealKey) },
    }),
  },
  {
    method: 'GET',
    path: /^\/v1\/registry\/logins$/,
    run: async ({ db }) => {
      const secrets = (await listSecrets(db)).filter(({ name }) => name.startsWith('registry/'));
      const body = secrets.map(
        ({ name, about, changedBy, changedAt }): ApiLogin => ({
          host: name.slice('registry/'.length),
          username: about,
          changedBy,
          changedAt: instantOf(changedAt),
        }),
      );
      return { status: 200, body };
    },
  },
  {
    method: 'POST',
    path: /^\/v1\/registry\/logins$/,
    run: async (desk, asked) => {
      const { host, username, sealed } = loginRequest(asked.body, 'body');
      const name = registrySecret(host);
      const place = { tenant: desk.tenant, device: fleetSealDevice, name, version: 0 };
      unseal(sealed, desk.registry.sealKey, sealContext(place)); // what cannot be opened is refused now
      const now = desk.clock.now();
      await desk.db.transaction(async (tx) => {
        await putSecret(tx, { name, sealed, about: username, changedBy: asked.actor }, now);
        const message = `${host} as ${username} by ${asked.actor}`;
        await addEvent(tx, { type: 'registry-login', message, at: instantOf(now) });
      });
      await changed(desk, asked, 'login', host);
      return { status: 200, body: { host, username } };
    },
  },
  {
    method: 'POST',
    path: /^\/v1\/registry\/logout$/,
    run: async (desk, asked) => {
      const { host } = logoutRequest(asked.body, 'body');
      const now = desk.clock.now();
      await desk.db.transaction(async (tx) => {
        await removeSecret(tx, registrySecret(host), asked.actor, now);
        const message = `${host} by ${asked.actor}`;
        await addEvent(tx, { type: 'registry-logout', message, at: instantOf(now) });
      });
      await changed(desk, asked, 'logout', host);
      return { status: 200, body: { host } };
    },
  },
];

async function changed(desk: Desk, asked: Asked, action: string, host: string): Promise<void> {
  note(desk, asked, action, host);
  await desk.registry.sealed();
}

const users: Route[] = [
  {
    method: 'GET',
    path: /^\/v1\/registry\/users$/,
    run: async (desk) => ({ status: 200, body: embeddedOf(desk).access.list }),
  },
  {
    method: 'POST',
    path: /^\/v1\/registry\/users$/,
    isSecret: true,
    run: async (desk, asked) => {
      const { name, kind, password, grants } = userRequest(asked.body, 'body');
      await embeddedOf(desk).access.put(name, { kind, password, grants });
      note(desk, asked, 'user', name);
      return { status: 200, body: { name, kind, grants } };
    },
  },
  {
    method: 'POST',
    path: /^\/v1\/registry\/users\/([^/]+)\/remove$/,
    run: async (desk, asked) => {
      const [name = ''] = asked.path;
      await embeddedOf(desk).access.remove(name);
      note(desk, asked, 'user', `${name} removed`);
      return { status: 200, body: { name } };
    },
  },
];

const care: Route[] = [
  {
    method: 'POST',
    path: /^\/v1\/registry\/gc$/,
    run: async (desk, { body, actor }) => {
      const { unusedMs = gcUnusedMs } = gcRequest(body, 'body');
      const swept = await embeddedOf(desk).prune({ unusedMs, who: `operator:${actor}` });
      return { status: 200, body: swept };
    },
  },
  {
    method: 'GET',
    path: /^\/v1\/registry\/audit$/,
    run: async (desk, { query }) => {
      const text = query.get('limit') ?? '100';
      if (!/^\d{1,4}$/.test(text) || Number(text) > auditLinesMax) {
        throw new CodedError('SHAPE_BAD', `limit: must be a whole number up to ${auditLinesMax}`);
      }
      const body: ApiAudit[] = await embeddedOf(desk).audit.read(Number(text));
      return { status: 200, body };
    },
  },
];

export const registryRoutes: readonly Route[] = [...logins, ...users, ...care];

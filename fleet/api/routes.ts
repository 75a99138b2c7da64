// SPDX-License-Identifier: Apache-2.0
// The operators' API as a table: method, path, what it does. Every body passes a check of protocol/api.ts.

import { type Clock, instantOf } from '../../adapters/clock.js';
import type { Db } from '../../adapters/sqlite.js';
import {
  type ApiNewClaim,
  claimRequest,
  labelsRequest,
  releaseRequest,
  rolloutRequest,
} from '../../protocol/api.js';
import { formatClaimCode } from '../../protocol/enrol.js';
import { CodedError } from '../../protocol/error.js';
import { deviceId } from '../../protocol/name.js';
import type { TrustedKey } from '../../protocol/trust.js';
import type { Claims } from '../../provisioning/authority/claims.js';
import { type Order, startRollout, steerRollout } from '../apply/start.js';
import { bounds } from '../config.js';
import { relabel, revoke } from '../devices/change.js';
import { acceptRelease } from '../release/accept.js';
import { listDevices, matches, needDevice } from '../store/devices.js';
import { addEvent, listEvents } from '../store/events.js';
import { addRelease, listReleases, needRelease } from '../store/releases.js';
import { activeRollouts, listRollouts, needRollout } from '../store/rollouts.js';
import type { Answer } from './exchange.js';
import { type RegistryDesk, registryRoutes } from './registry-routes.js';
import { variableRoutes } from './variable-routes.js';
import { deviceView, releaseView, rolloutView } from './views.js';

export interface Desk {
  readonly db: Db;
  readonly clock: Clock;
  readonly tenant: string;
  readonly claims: Claims;
  readonly releaseKeys: readonly TrustedKey[];
  readonly registry: RegistryDesk;
  /** Where claim codes lead to. */
  endpoint(): { readonly host: string; readonly port: number; readonly pin: string };
  isLinked(): boolean;
  /** Something changed that the loop must look at. */
  look(): void;
  /** The device is out: its connections and its desired go. */
  revoked(device: string): void;
}

export interface Asked {
  readonly actor: string;
  /** Of the path's variables, decoded. */
  readonly path: readonly string[];
  readonly query: URLSearchParams;
  readonly body: unknown;
}

export interface Route {
  readonly method: 'GET' | 'POST';
  /** Each group is one variable. */
  readonly path: RegExp;
  /** The answer holds a secret: it is not kept for a repeated Idempotency-Key. */
  readonly isSecret?: true;
  run(desk: Desk, asked: Asked): Promise<Answer>;
}

const ok = (body: unknown): Answer => ({ status: 200, body });
const created = (body: unknown): Answer => ({ status: 201, body });

const status: Route = {
  method: 'GET',
  path: /^\/v1\/status$/,
  run: async ({ db, tenant, isLinked }) => {
    const counts = await db.get<{ devices: number; releases: number }>(
      `SELECT (SELECT count(*) FROM devices WHERE revokedAt IS NULL) AS devices,
         (SELECT count(*) FROM releases) AS releases`,
    );
    const active = await activeRollouts(db);
    const rolloutsRunning = active.filter(({ state }) => state === 'running').length;
    return ok({ tenant, linked: isLinked(), ...counts, rolloutsRunning });
  },
};

const claims: Route[] = [
  {
    method: 'POST',
    path: /^\/v1\/claims$/,
    isSecret: true,
    run: async (desk, { body }) => {
      const { count = 1, uses = 1, expiresMs, labels = {} } = claimRequest(body, 'body');
      const made: ApiNewClaim[] = [];
      while (made.length < count) {
        const claim = await desk.claims.create({ count: uses, expiresMs, labels });
        const { id, secret, expiresAt } = claim;
        made.push({ id, code: formatClaimCode({ ...desk.endpoint(), secret }), expiresAt });
      }
      return created(made);
    },
  },
  {
    method: 'GET',
    path: /^\/v1\/claims$/,
    run: async (desk) => ok(await desk.claims.list()),
  },
  {
    method: 'POST',
    path: /^\/v1\/claims\/([^/]+)\/revoke$/,
    run: async (desk, { path }) => {
      const [id = ''] = path;
      if (await desk.claims.revoke(id)) return ok({ id });
      throw new CodedError('CLAIM_UNKNOWN', `there is no open claim ${id}`, { claim: id });
    },
  },
];

const devices: Route[] = [
  {
    method: 'GET',
    path: /^\/v1\/devices$/,
    run: async ({ db }, { query }) => {
      const page = { after: query.get('after') ?? '', limit: limitOf(query, 200) };
      const selector = selectorOf(query);
      const all = await db.transaction(async (tx) => {
        const found = await listDevices(tx, page);
        return Promise.all(found.map((device) => deviceView(tx, device)));
      });
      const last = all.length === page.limit ? (all.at(-1)?.device ?? null) : null;
      return ok({ devices: all.filter(({ labels }) => matches(labels, selector)), next: last });
    },
  },
  {
    method: 'GET',
    path: /^\/v1\/devices\/([^/]+)$/,
    run: async ({ db }, { path }) => {
      const device = deviceId(path[0], 'device');
      return db.transaction(async (tx) => ok(await deviceView(tx, await needDevice(tx, device))));
    },
  },
  {
    method: 'POST',
    path: /^\/v1\/devices\/([^/]+)\/labels$/,
    run: async ({ db, clock, look }, { path, body, actor }) => {
      const { labels } = labelsRequest(body, 'body');
      const device = deviceId(path[0], 'device');
      const after = await relabel(db, device, labels, actor, clock.now());
      look();
      return ok({ device, labels: after });
    },
  },
  {
    method: 'POST',
    path: /^\/v1\/devices\/([^/]+)\/revoke$/,
    run: async (desk, { path, actor }) => {
      const device = deviceId(path[0], 'device');
      await revoke(desk.db, device, actor, desk.clock.now());
      desk.revoked(device);
      return ok({ device });
    },
  },
];

const releases: Route[] = [
  {
    method: 'POST',
    path: /^\/v1\/releases$/,
    run: async ({ db, clock, releaseKeys }, { body, actor }) => {
      const accepted = acceptRelease(releaseRequest(body, 'body').envelope, releaseKeys);
      const { digest, app, version } = accepted;
      const now = clock.now();
      const isNew = await db.transaction(async (tx) => {
        if (!(await addRelease(tx, accepted, now))) return false;
        const message = `${app}:${version} by ${actor}`;
        await addEvent(tx, { type: 'released', release: digest, message, at: instantOf(now) });
        return true;
      });
      const view = releaseView(await needRelease(db, digest));
      return isNew ? created(view) : ok(view);
    },
  },
  {
    method: 'GET',
    path: /^\/v1\/releases$/,
    run: async ({ db }, { query }) =>
      ok((await listReleases(db, query.get('app'), limitOf(query, 100))).map(releaseView)),
  },
  {
    method: 'GET',
    path: /^\/v1\/releases\/([^/]+)$/,
    run: async ({ db }, { path }) => {
      const stored = await needRelease(db, path[0] ?? '');
      return ok({ ...releaseView(stored), envelope: JSON.parse(stored.envelope) });
    },
  },
];

const rollouts: Route[] = [
  {
    method: 'POST',
    path: /^\/v1\/rollouts$/,
    run: async (desk, { body, actor }) => {
      const request = rolloutRequest(body, 'body');
      const now = desk.clock.now();
      const view = await desk.db.transaction(async (tx) => {
        const id = await startRollout(tx, request, actor, now);
        return rolloutView(tx, await needRollout(tx, id), now, true);
      });
      desk.look();
      return created(view);
    },
  },
  {
    method: 'GET',
    path: /^\/v1\/rollouts$/,
    run: ({ db, clock }, { query }) =>
      db.transaction(async (tx) => {
        const found = await listRollouts(tx, limitOf(query, 50));
        return ok(await Promise.all(found.map((one) => rolloutView(tx, one, clock.now(), false))));
      }),
  },
  {
    method: 'GET',
    path: /^\/v1\/rollouts\/([^/]+)$/,
    run: ({ db, clock }, { path }) =>
      db.transaction(async (tx) =>
        ok(await rolloutView(tx, await needRollout(tx, path[0] ?? ''), clock.now(), true)),
      ),
  },
  {
    method: 'POST',
    path: /^\/v1\/rollouts\/([^/]+)\/(pause|resume|abort)$/,
    run: async (desk, { path, actor }) => {
      const [id = '', order] = path;
      const now = desk.clock.now();
      const view = await desk.db.transaction(async (tx) => {
        await steerRollout(tx, id, order as Order, actor, now);
        return rolloutView(tx, await needRollout(tx, id), now, true);
      });
      desk.look();
      return ok(view);
    },
  },
];

const events: Route = {
  method: 'GET',
  path: /^\/v1\/events$/,
  run: async ({ db }, { query }) => {
    const after = query.get('after');
    return ok(
      await listEvents(db, {
        device: query.get('device'),
        type: query.get('type'),
        after: after === null ? null : wholeOf(after, 'after', Number.MAX_SAFE_INTEGER),
        limit: limitOf(query, 100),
      }),
    );
  },
};

export const routes: readonly Route[] = [
  status,
  ...claims,
  ...devices,
  ...variableRoutes,
  ...releases,
  ...rollouts,
  ...registryRoutes,
  events,
];

function limitOf(query: URLSearchParams, normal: number): number {
  const text = query.get('limit');
  return text === null ? normal : Math.max(1, wholeOf(text, 'limit', bounds.listMax));
}

function wholeOf(text: string, name: string, max: number): number {
  const value = Number(text);
  if (/^\d{1,16}$/.test(text) && value <= max) return value;
  throw new CodedError('SHAPE_BAD', `${name}: must be a whole number up to ${max}`);
}

/** label=k=v, more than once. */
function selectorOf(query: URLSearchParams): Record<string, string> {
  return Object.fromEntries(
    query.getAll('label').map((pair) => {
      const at = pair.indexOf('=');
      return at < 0 ? [pair, ''] : [pair.slice(0, at), pair.slice(at + 1)];
    }),
  );
}

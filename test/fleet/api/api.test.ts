// SPDX-License-Identifier: Apache-2.0
// The HTTP API of a real server: who may ask what, and what comes back.

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { type HttpRequest, openHttp, readBody, type TlsIdentity } from '../../../adapters/http.js';
import { fleetPlaces } from '../../../fleet/config.js';
import { signEnvelope } from '../../../images/sign/envelope.js';
import { makeKey } from '../../../images/sign/key.js';
import type { ApiDevice, ApiRelease, ApiRollout } from '../../../protocol/api.js';
import { payloadTypes } from '../../../protocol/envelope.js';
import { codeOf } from '../../../protocol/error.js';
import { openAuthority } from '../../../provisioning/authority/authority.js';
import { enrolDevice } from '../../../provisioning/device/enrol.js';
import { loadIdentity } from '../../../provisioning/device/identity.js';
import { joinDevice } from '../../kit/fleet-device.js';
import {
  aClaim,
  aFleet,
  aRelease,
  signedRelease,
  startRollout,
  type TestFleet,
  tempFolder,
} from '../../kit/fleet-server.js';

interface Answer {
  readonly status: number;
  readonly code: string | undefined;
  readonly body: Record<string, unknown>;
}

type Ask = (path: string, body?: string, headers?: Record<string, string>) => Promise<Answer>;

/** Asks as whoever `tls` says, with nothing but the authority checked otherwise. */
async function asking(t: ExecutionContext, fleet: TestFleet, tls: TlsIdentity = {}): Promise<Ask> {
  const ca = await readFile(join(fleetPlaces(fleet.root).operator, 'ca.crt'), 'utf8');
  const http = openHttp({ tls: { ca, ...tls } });
  t.teardown(() => http.close());
  return async (path, body, headers = {}) => {
    const request: HttpRequest = {
      method: body === undefined ? 'GET' : 'POST',
      url: new URL(path, `https://127.0.0.1:${fleet.served().httpsPort}`),
      headers,
      ...(body === undefined ? {} : { body: Buffer.from(body) }),
    };
    const response = await http.request(request);
    const bytes = await readBody(response, 1024 * 1024);
    const parsed = JSON.parse(String(bytes)) as Record<string, unknown>;
    return { status: response.status, code: parsed['code'] as string | undefined, body: parsed };
  };
}

const forbidden = [403, 'API_IDENTITY'];

test('without a certificate there is health and enrolment, and nothing else', async (t) => {
  const fleet = await aFleet(t);
  const ask = await asking(t, fleet);
  t.deepEqual(await ask('/healthz'), { status: 200, code: undefined, body: { status: 'ok' } });
  for (const path of ['/v1/devices', '/v1/claims', '/v1/status', '/v1/nothing', '/']) {
    const { status, code } = await ask(path);
    t.deepEqual([status, code], forbidden, path);
  }
  const { status, code } = await ask('/v1/claims', '{"expiresMs": 1000}');
  t.deepEqual([status, code], forbidden);
  t.is((await ask('/v1/enrol', '{}')).code, 'SHAPE_BAD');
  t.is((await ask('/v2/')).status, 401);
});

test('attack: a device’s certificate, and an operator’s of another authority, are no operators here', async (t) => {
  const fleet = await aFleet(t);
  const configDir = await tempFolder(t);
  await enrolDevice({ configDir, code: await aClaim(fleet), name: 'a' });
  const identity = await loadIdentity(configDir);
  const device = await asking(t, fleet, { cert: identity?.cert ?? '', key: identity?.key ?? '' });
  const first = await device('/v1/devices');
  t.deepEqual([first.status, first.code], forbidden);
  t.is((await device('/v2/')).status, 200);

  const other = await openAuthority(await tempFolder(t), { tenant: 'main', names: [] });
  const stranger = await asking(t, fleet, await other.issueOperator('admin'));
  const second = await stranger('/v1/devices');
  t.deepEqual([second.status, second.code], forbidden);
  t.is((await stranger('/v2/')).status, 401);

  await fleet.client.post('/v1/devices/a/revoke');
  t.is((await device('/v2/')).status, 401, 'a revoked device pulls nothing');
});

test('bad requests get a code, and the server goes on', async (t) => {
  const fleet = await aFleet(t);
  const ask = await asking(t, fleet, fleet.client.operator.tls);
  const cases: ReadonlyArray<readonly [string, string | undefined, number, string]> = [
    ['/v1/nothing', undefined, 404, 'API_UNKNOWN'],
    ['/v1/devices/%zz', undefined, 404, 'API_UNKNOWN'],
    ['/v1/devices/A..B', undefined, 400, 'SHAPE_BAD'],
    ['/v1/devices/none', undefined, 404, 'DEVICE_UNKNOWN'],
    ['/v1/rollouts/none', undefined, 404, 'ROLLOUT_UNKNOWN'],
    ['/v1/releases/a:b', undefined, 404, 'RELEASE_UNKNOWN'],
    ['/v1/events?limit=1e9', undefined, 400, 'SHAPE_BAD'],
    ['/v1/claims', '{', 400, 'JSON_BAD'],
    ['/v1/claims', '{"expiresMs": 1000, "expiresMs": 2000}', 400, 'JSON_BAD'],
    ['/v1/claims', '{"expiresMs": "soon"}', 400, 'SHAPE_BAD'],
    ['/v1/claims', '{"expiresMs": 1000, "extra": 1}', 400, 'SHAPE_BAD'],
    ['/v1/releases', `{"a": "${'x'.repeat(600_000)}"}`, 413, 'API_LARGE'],
    ['/v1/claims/none/revoke', '{}', 404, 'CLAIM_UNKNOWN'],
  ];
  for (const [path, body, status, code] of cases) {
    const answer = await ask(path, body);
    t.deepEqual([answer.status, answer.code], [status, code], `${path} ${body?.slice(0, 50)}`);
  }
  t.is((await ask('/v1/status')).status, 200);
});

test('a release counts only if our release key signed it, and its counter grows', async (t) => {
  const fleet = await aFleet(t);
  const { envelope } = await signedRelease(fleet.root, 'v1', 1);
  const bytes = Buffer.from(envelope.payload, 'base64');
  const foreign = signEnvelope(payloadTypes.release, bytes, makeKey().privateKey);
  const post = (document: object): Promise<ApiRelease> =>
    fleet.client.post<ApiRelease>('/v1/releases', { envelope: document });
  t.is(codeOf(await t.throwsAsync(post(foreign))), 'SIGN_UNTRUSTED');
  t.is(codeOf(await t.throwsAsync(post({ ...envelope, signatures: [] }))), 'SIGN_UNSIGNED');
  const payload = Buffer.from(bytes.toString().replace('"v1"', '"v9"')).toString('base64');
  t.is(codeOf(await t.throwsAsync(post({ ...envelope, payload }))), 'SIGN_INVALID');
  t.deepEqual(await fleet.client.get('/v1/releases'), []);

  const made = await post(envelope);
  t.deepEqual(await post(envelope), made, 'the same again changes nothing');
  t.is(codeOf(await t.throwsAsync(aRelease(fleet, 'v2', 1))), 'RELEASE_COUNTER');
  t.is(codeOf(await t.throwsAsync(aRelease(fleet, 'v1', 2))), 'RELEASE_EXISTS');
  const { app, version, workloads } = await fleet.client.get<ApiRelease>('/v1/releases/shop:v1');
  t.deepEqual([app, version, workloads.map(({ name }) => name)], ['shop', 'v1', ['web']]);
});

test('a repeated Idempotency-Key gets the answer of then; under another request it is refused', async (t) => {
  const fleet = await aFleet(t);
  await joinDevice(t, await aClaim(fleet), 'a', 'mute');
  const release = await aRelease(fleet, 'v1', 1);
  const ask = await asking(t, fleet, fleet.client.operator.tls);
  const wanted = { release: release.digest, waves: [], selector: {}, bakeMs: 0, deadlineMs: 9000 };
  const start = (changed: object = {}): Promise<Answer> =>
    ask('/v1/rollouts', JSON.stringify({ ...wanted, ...changed }), { 'idempotency-key': 'k1' });
  const [one, two] = await Promise.all([start(), start()]);
  t.is(one?.status, 201);
  t.deepEqual(two, one);
  t.is((await fleet.client.get<ApiRollout[]>('/v1/rollouts')).length, 1);
  const other = await start({ bakeMs: 1 });
  t.deepEqual([other.status, other.code], [422, 'API_REPEATED']);
});

test('labels are set and removed, select devices and wear the claim’s', async (t) => {
  const fleet = await aFleet(t);
  const code = await aClaim(fleet, 3);
  for (const name of ['a', 'b', 'c']) {
    await enrolDevice({ configDir: await tempFolder(t), code, name });
  }
  const { client } = fleet;
  await client.post('/v1/devices/b/labels', { labels: { site: 'x', tmp: '1' } });
  await client.post('/v1/devices/b/labels', { labels: { tmp: null, 'io.wherry/ring': '2' } });
  const names = async (query: string): Promise<string[]> =>
    (await client.get<{ devices: ApiDevice[] }>(`/v1/devices?${query}`)).devices.map(
      ({ device }) => device,
    );
  t.deepEqual((await client.get<ApiDevice>('/v1/devices/b')).labels, {
    site: 'x',
    'io.wherry/ring': '2',
  });
  t.deepEqual(await names(''), ['a', 'b', 'c']);
  t.deepEqual(await names('label=site%3Dx'), ['b']);
  t.deepEqual(await names('limit=1&after=a'), ['b']);
  const release = await aRelease(fleet, 'v1', 1);
  const rollout = await startRollout(fleet, release, { selector: { site: 'x' } });
  t.deepEqual(
    rollout.devices?.map(({ device }) => device),
    ['b'],
  );
  const nobody = startRollout(fleet, release, { selector: { site: 'y' } });
  t.is(codeOf(await t.throwsAsync(nobody)), 'ROLLOUT_EMPTY');
  const shrinking = startRollout(fleet, release, { waves: ['3', '2'] });
  t.is(codeOf(await t.throwsAsync(shrinking)), 'ROLLOUT_PLAN');
});

test('a rollout is paused, resumed and aborted, each only from where it can be', async (t) => {
  const fleet = await aFleet(t);
  await joinDevice(t, await aClaim(fleet), 'a', 'mute');
  const { id } = await startRollout(fleet, await aRelease(fleet, 'v1', 1));
  const say = async (order: string): Promise<string> => {
    try {
      return (await fleet.client.post<ApiRollout>(`/v1/rollouts/${id}/${order}`)).state;
    } catch (error) {
      return codeOf(error);
    }
  };
  t.is(await say('resume'), 'ROLLOUT_STATE');
  t.is(await say('pause'), 'paused');
  t.is(await say('pause'), 'ROLLOUT_STATE');
  t.is(await say('resume'), 'running');
  t.is(await say('abort'), 'aborted');
  t.is(await say('resume'), 'ROLLOUT_STATE');
  t.is(await say('abort'), 'ROLLOUT_STATE');
});

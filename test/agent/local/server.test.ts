// SPDX-License-Identifier: Apache-2.0
// The local socket over a real socket, and `wherry` as a program of its own against it.

import { appendFileSync, chmodSync, existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { createServer, request } from 'node:http';
import { createServer as createNetServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { systemClock } from '../../../adapters/clock.js';
import { type Finished, run, start } from '../../../adapters/exec.js';
import { type Places, placesOf } from '../../../adapters/places.js';
import { serveLocal } from '../../../agent/local/server.js';
import type { LoopView } from '../../../agent/local/types.js';
import { layoutOf } from '../../../agent/run/layout.js';
import { openRun } from '../../../agent/run/run.js';
import { CodedError } from '../../../protocol/error.js';
import type { LocalStatus } from '../../../protocol/local.js';
import type { Digest } from '../../../protocol/name.js';
import {
  aDevice,
  aMadeContainer,
  aWorkload,
  digestOf,
  silent,
  tempFolder,
} from '../../kit/box-container.js';

const program = fileURLToPath(new URL('../../../agent/local/main.js', import.meta.url));
const release = digestOf('release');

const status: LocalStatus = {
  agent: '0.1.0',
  device: 'dev-1',
  tenant: 'acme',
  linked: true,
  epoch: 1,
  generation: 4,
  release: { digest: release, app: 'shop', version: 'v2' },
  good: null,
  failed: { release: digestOf('bad'), code: 'GATE_UNHEALTHY', message: 'web is unhealthy' },
  step: null,
  conditions: [{ type: 'Converged', status: 'True', since: '2026-01-31T12:00:00Z' }],
};

interface Served {
  readonly places: Places;
  readonly cleared: Digest[];
  readonly pulls: string[];
}

async function served(t: ExecutionContext): Promise<Served> {
  const { places, store } = await aDevice(t);
  const cleared: Digest[] = [];
  const pulls: string[] = [];
  const view: LoopView = {
    status: async () => status,
    why: async () => ({
      summary: 'release v3 failed its gate',
      events: [
        { at: '2026-01-31T12:00:00Z', type: 'failed', code: 'GATE_UNHEALTHY', message: 'web' },
      ],
    }),
    pull: async (reference, { onProgress }) => {
      pulls.push(reference);
      if (reference.includes('none')) throw new CodedError('BUG', 'no such image', { reference });
      onProgress?.({ bytesDone: 50, bytesTotal: 100 });
      return { digest: digestOf('image'), reference, bytesFetched: 60, imageBytes: 100 };
    },
    clear: async (digest) => {
      cleared.push(digest);
    },
  };
  const box = await openRun({ places, store, log: silent, clock: systemClock });
  await store.verdicts.fail(digestOf('bad'), 'GATE_UNHEALTHY', 'web is unhealthy');
  const server = await serveLocal({ places, store, run: box, view, log: silent });
  t.teardown(() => server.close());
  return { places, cleared, pulls };
}

async function wherry(places: Places, ...args: string[]): Promise<Finished> {
  return run(
    process.execPath,
    [program, ...args.slice(0, 1), '--root', places.root, ...args.slice(1)],
    {
      timeoutMs: 20_000,
    },
  );
}

async function ask(
  places: Places,
  method: string,
  path: string,
  body?: string,
): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const sent = request({ socketPath: places.socket, method, path }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

test('The socket is for root and its group, and gone after the close', async (t) => {
  const { places, store } = await aDevice(t);
  const box = await openRun({ places, store, log: silent, clock: systemClock });
  const parts = { places, store, run: box, view: {} as LoopView, log: silent };
  const server = await serveLocal(parts);
  t.is(statSync(places.socket).mode & 0o777, 0o660);
  await t.throwsAsync(serveLocal(parts), { code: 'LOCAL_TAKEN' });
  t.is((await ask(places, 'GET', '/v1/containers')).text, '[]');
  await server.close();
  t.false(existsSync(places.socket));
});

test('A socket that a killed agent left behind is replaced', async (t) => {
  const { places, store } = await aDevice(t);
  mkdirSync(places.runtime, { recursive: true });
  const left = createNetServer();
  await new Promise<void>((resolve) => left.listen(places.socket, resolve));
  // The file stays when the listener is closed by the kernel alone, as after SIGKILL.
  const child = await run(process.execPath, [
    '-e',
    `require('net').createServer().listen(${JSON.stringify(`${places.socket}2`)},()=>process.kill(process.pid,'SIGKILL'))`,
  ]);
  t.is(child.code, 137);
  await new Promise((resolve) => left.close(resolve));
  const stale: Places = { ...places, socket: `${places.socket}2` };
  t.true(existsSync(stale.socket));
  const box = await openRun({ places, store, log: silent, clock: systemClock });
  const server = await serveLocal({
    places: stale,
    store,
    run: box,
    view: {} as LoopView,
    log: silent,
  });
  t.is((await ask(stale, 'GET', '/v1/containers')).status, 200);
  await server.close();
});

test('A root too long for a socket is refused with what to do', async (t) => {
  const places = placesOf(`/tmp/${'x'.repeat(100)}`);
  const parts = { places, log: silent } as unknown as Parameters<typeof serveLocal>[0];
  const error = await t.throwsAsync(serveLocal(parts), { code: 'CONFIG_BAD' });
  t.regex(error?.message ?? '', /shorter --root/);
});

test('Errors come as code, message and facts with a fitting status', async (t) => {
  const { places } = await served(t);
  const cases: ReadonlyArray<[string, string, string | undefined, number, string]> = [
    ['GET', '/v1/nothing', undefined, 400, 'LOCAL_REQUEST'],
    ['POST', '/v1/status', undefined, 400, 'LOCAL_REQUEST'],
    ['GET', '/v1/logs?workload=none', undefined, 404, 'RUN_ABSENT'],
    ['POST', '/v1/pull', '{', 400, 'JSON_BAD'],
    ['POST', '/v1/pull', '{"reference":1}', 400, 'SHAPE_BAD'],
    ['POST', '/v1/pull', '{"reference":"a","more":1}', 400, 'SHAPE_BAD'],
    ['POST', '/v1/pull', `{"reference":"${'x'.repeat(20_000)}"}`, 400, 'LOCAL_REQUEST'],
    ['POST', '/v1/clear', '{"release":"abcdef"}', 400, 'LOCAL_REQUEST'],
  ];
  for (const [method, path, body, code, word] of cases) {
    const answer = await ask(places, method, path, body);
    t.is(answer.status, code, path);
    t.is(JSON.parse(answer.text).code, word, path);
  }
  await aMadeContainer(places);
  const tail = await ask(places, 'GET', '/v1/logs?workload=web&tail=-1');
  t.is(JSON.parse(tail.text).code, 'LOCAL_REQUEST');
});

test('wherry status, why and ps show what the agent says', async (t) => {
  const { places } = await served(t);
  const ports = [{ published: 8080, target: 80, protocol: 'tcp' as const }];
  const id = await aMadeContainer(places, { workload: aWorkload({ ports }) });
  const said = await wherry(places, 'status');
  t.is(said.code, 0, said.stderr);
  t.regex(said.stdout, /Release: +shop v2/);
  t.regex(said.stdout, /Failed: .*GATE_UNHEALTHY: web is unhealthy/);
  t.deepEqual(JSON.parse((await wherry(places, 'status', '--json')).stdout), status);
  t.regex(
    (await wherry(places, 'why')).stdout,
    /release v3 failed its gate\n +2026.*GATE_UNHEALTHY: web/,
  );
  const all = (await wherry(places, 'ps', '-a')).stdout.split('\n');
  t.regex(all[0] ?? '', /^CONTAINER +WORKLOAD +IMAGE +STATUS +PORTS$/);
  t.regex(
    all[1] ?? '',
    new RegExp(`^${id} +web +registry.example:5000/web:v1 +Created +0.0.0.0:8080->80/tcp$`),
  );
  t.is((await wherry(places, 'ps')).stdout.trim().split('\n').length, 1);
  t.is(JSON.parse((await wherry(places, 'ps', '-a', '--json')).stdout)[0].workload, 'web');
});

test('wherry pull shows progress and the result, and an error of the agent as it is', async (t) => {
  const { places, pulls } = await served(t);
  const done = await wherry(places, 'pull', 'registry.example/web:v1');
  t.is(done.code, 0, done.stderr);
  t.regex(done.stderr, /registry\.example\/web:v1 50 % 50 B \/ 100 B/);
  t.true(done.stdout.includes(digestOf('image')));
  t.deepEqual(pulls, ['registry.example/web:v1']);
  const failed = await wherry(places, 'pull', 'none');
  t.is(failed.code, 1);
  t.regex(failed.stderr, /no such image/);
});

test('wherry clear takes the beginning of a digest that failed here', async (t) => {
  const { places, cleared } = await served(t);
  const done = await wherry(places, 'clear', digestOf('bad').slice(7, 19));
  t.is(done.code, 0, done.stderr);
  t.deepEqual(cleared, [digestOf('bad')]);
  t.is((await wherry(places, 'clear', 'abc')).code, 1);
});

test('wherry images lists what the store holds and whether it is used', async (t) => {
  const { places } = await served(t);
  const shown = await wherry(places, 'images');
  t.regex(shown.stdout, /^IMAGE +DIGEST +LAYERS +SIZE +IN USE/);
});

test('wherry logs prints streams apart, with times and tail, as the agent reads them', async (t) => {
  const { places } = await served(t);
  const id = await aMadeContainer(places);
  const log = join(layoutOf(join(places.state, 'containers', id)).logs, 'current.log');
  writeFileSync(
    log,
    '2026-01-31T12:00:00.000000001Z stdout F one\n2026-01-31T12:00:01.000000001Z stderr F two\n',
  );
  const all = await wherry(places, 'logs', 'web');
  t.deepEqual([all.stdout, all.stderr], ['one\n', 'two\n']);
  t.is((await wherry(places, 'logs', '--tail', '1', 'web')).stdout, '');
  t.is((await wherry(places, 'logs', '-t', id)).stdout, '2026-01-31T12:00:00.000000001Z one\n');
  const none = await wherry(places, 'logs', 'nothing');
  t.is(none.code, 1);
  t.regex(none.stderr, /RUN_ABSENT/);
});

test('wherry logs -f shows what comes, and ends when the agent closes', async (t) => {
  const { places, store } = await aDevice(t);
  const box = await openRun({ places, store, log: silent, clock: systemClock });
  const server = await serveLocal({ places, store, run: box, view: {} as LoopView, log: silent });
  const id = await aMadeContainer(places);
  const log = join(layoutOf(join(places.state, 'containers', id)).logs, 'current.log');
  writeFileSync(log, '2026-01-31T12:00:00.000000001Z stdout F one\n');
  const child = start(process.execPath, [program, 'logs', '-f', '--root', places.root, 'web']);
  t.teardown(() => child.kill('SIGKILL'));
  let shown = '';
  for await (const chunk of child.stdout as AsyncIterable<Buffer>) {
    shown += chunk.toString('utf8');
    if (shown === 'one\n') appendFileSync(log, '2026-01-31T12:00:01.0Z stdout F two\n');
    if (shown === 'one\ntwo\n') break;
  }
  await server.close();
  await child.ended;
  t.is(shown, 'one\ntwo\n');
});

test('Without the agent ps and logs read the files, and the others say that it is away and what to do', async (t) => {
  const places = placesOf(tempFolder(t));
  const id = await aMadeContainer(places);
  const log = join(layoutOf(join(places.state, 'containers', id)).logs, 'current.log');
  writeFileSync(log, '2026-01-31T12:00:00.000000001Z stdout F one\n');
  t.regex((await wherry(places, 'ps', '-a')).stdout, /web +registry/);
  t.is((await wherry(places, 'logs', 'web')).stdout, 'one\n');
  t.regex((await wherry(places, 'stats')).stdout, /^CONTAINER +WORKLOAD +CPU %/);
  for (const verb of ['status', 'images', 'why']) {
    const away = await wherry(places, verb);
    t.is(away.code, 1);
    t.regex(away.stderr, /AGENT_AWAY.*wherryd\.sock.*\n.*Start wherryd/);
  }
});

test('exec takes everything behind the workload as the command, and refuses what does not run', async (t) => {
  const places = placesOf(tempFolder(t));
  await aMadeContainer(places);
  const away = await wherry(places, 'exec', '-it', '-u', 'www', 'web', 'ls', '-l', '--help');
  t.is(away.code, 1);
  t.regex(away.stderr, /RUN_ABSENT: workload 'web' does not run/);
  t.is((await wherry(places, 'exec', 'web')).code, 2);
  t.regex((await wherry(places, 'exec', '--help')).stdout, /WORKLOAD CMD\.\.\./);
});

test('An agent that hangs up in the middle of an answer is an error and not a silence', async (t) => {
  const places = placesOf(tempFolder(t));
  mkdirSync(places.runtime, { recursive: true });
  const server = createServer((_request, response) => {
    response.writeHead(200);
    response.write('{"progress":');
    setTimeout(() => response.destroy(), 20);
  });
  await new Promise<void>((resolve) => server.listen(places.socket, resolve));
  t.teardown(() => server.close());
  chmodSync(places.socket, 0o660);
  t.not((await wherry(places, 'pull', 'x')).code, 0);
  t.not((await wherry(places, 'status')).code, 0);
});

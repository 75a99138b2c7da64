// SPDX-License-Identifier: Apache-2.0
// wherry-keep's logs with real containers: CRI lines, parts, rotation, a rate bound, a full disk.
// runs: host, lab

import { readdirSync, statSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { run } from '../../adapters/exec.js';
import { aKept } from '../kit/keep-run.js';
import { needsBeside } from '../kit/needs.js';
import { slowness } from '../kit/slowness.js';

const rooted = needsBeside(['root', 'busybox']);

rooted('Lines keep their stream and order, empty and unended ones too', async (t) => {
  const script = String.raw`printf 'one\n\ntwo \r\n'; printf 'bad \377 byte\n'; printf last`;
  const kept = await aKept(t, { args: ['sh', '-c', script] });
  await kept.start();
  await kept.until('exited', ({ state }) => state === 'exited');
  t.deepEqual(
    kept.lines().map(([stream, tag, text]) => `${stream} ${tag} ${text}`),
    ['stdout F one', 'stdout F ', 'stdout F two \r', 'stdout F bad \uFFFD byte', 'stdout F last'],
  );
});

rooted('A line beyond 16 KiB is written in parts that join to it', async (t) => {
  const kept = await aKept(t, { args: ['sh', '-c', 'seq -s . 1 9000; echo next'] });
  await kept.start();
  await kept.until('exited', ({ state }) => state === 'exited');
  const lines = kept.lines();
  const tags = lines.map(([, tag]) => tag).join('');
  t.is(tags, 'PPFF');
  t.is(lines[0]?.[2].length, 16_384);
  const whole = Array.from({ length: 9000 }, (_, index) => index + 1).join('.');
  const joined = lines.slice(0, 3).map(([, , text]) => text);
  t.is(joined.join(''), whole);
  t.is(lines[3]?.[2], 'next');
});

rooted('What a running container says is in the file within a second', async (t) => {
  const kept = await aKept(t, {
    args: ['sh', '-c', 'echo now; exec sleep 100'],
    plan: { stop: { signal: 'SIGKILL', graceMs: 1000 } },
  });
  await kept.start();
  await kept.until('running and heard', () => kept.lines().length === 1);
  t.is(kept.status()?.state, 'running');
});

rooted('Files are rotated at their size, the oldest go, and no line is torn', async (t) => {
  const kept = await aKept(t, {
    args: ['seq', '1', '3000'],
    plan: { log: { dir: '/replaced', fileBytesMax: 16_384, fileCountMax: 4 } },
  });
  const log = { ...kept.plan.log, dir: join(kept.folder, 'log') };
  writeFileSync(kept.planPath, JSON.stringify({ ...kept.plan, log }));
  await kept.start();
  await kept.until('exited', ({ state }) => state === 'exited');
  const files = readdirSync(log.dir).sort();
  t.deepEqual(files, ['current.log', 'current.log.1', 'current.log.2', 'current.log.3']);
  for (const file of files) t.true(statSync(join(log.dir, file)).size <= 16_384, file);
  const numbers = kept.lines(log).map(([, , text]) => Number(text));
  t.is(numbers.at(-1), 3000);
  const first = numbers[0] ?? 0;
  t.deepEqual(
    numbers,
    Array.from({ length: 3001 - first }, (_, index) => first + index),
  );
});

rooted(
  'Too many lines at once are dropped and counted, and the container is not held up',
  async (t) => {
    if (slowness > 1) {
      t.log('an emulated device cannot write more than the keeper takes');
      t.pass();
      return;
    }
    const script =
      'yes 0123456789012345678901234567890123456789 | head -n 400000; echo done >/tmp/d';
    const kept = await aKept(t, { args: ['sh', '-c', `${script}; sleep 1; echo end`] });
    await kept.start();
    await kept.until('exited', ({ state }) => state === 'exited');
    const lines = kept.lines();
    const notices = lines.filter(([, , text]) => text.startsWith('wherry-keep: '));
    const dropped = notices.map(([, , text]) => Number(/ (\d+) lines dropped/.exec(text)?.[1]));
    t.true(notices.length >= 1);
    t.true(dropped.reduce((sum, count) => sum + count, 0) > 20_000);
    t.is(lines.at(-1)?.[2], 'end');
  },
);

rooted('A full log disk drops whole lines, says how many, and the container runs on', async (t) => {
  const script = 'seq 1 4000; cat /tmp/go; echo after; sleep 0.5; echo last';
  const kept = await aKept(t, { args: ['sh', '-c', script] });
  const fifo = join(kept.folder, 'bundle/rootfs/tmp/go');
  const dir = join(kept.folder, 'log');
  await mkdir(dir);
  await run('mkfifo', [fifo]);
  const mounted = await run('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', dir]);
  t.is(mounted.code, 0, mounted.stderr);
  t.teardown(async () => {
    await run('umount', ['-l', dir]);
  });
  await kept.start();
  await kept.until('running', ({ state }) => state === 'running');
  await kept.until('disk full', () => statSync(join(dir, 'current.log')).size > 60_000);
  await sleep(700); // the last batch, of which nothing fits
  const full = kept.lines().map(([, , text]) => Number(text));
  t.deepEqual(
    full,
    full.map((_, index) => index + 1),
    'whole lines, in order',
  );
  // Room again, as when somebody clears the disk; the program goes on.
  await run('mount', ['-o', 'remount,size=1m', dir]);
  writeFileSync(fifo, '');
  const status = await kept.until('exited', ({ state }) => state === 'exited');
  t.is(status.exit?.code, 0);
  const texts = kept.lines().map(([, , text]) => text);
  const notice = texts.find((text) => text.startsWith('wherry-keep: ')) ?? '';
  const dropped = Number(/^wherry-keep: (\d+) lines dropped: the disk was full$/.exec(notice)?.[1]);
  t.is(dropped, 4000 - full.length, notice);
  t.true(texts.includes('after') && texts.includes('last'));
});

// SPDX-License-Identifier: Apache-2.0
// What an unpacking process may still do, seen from outside; and the errors of the machine it runs on.
// runs: host, lab

import { spawn, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { nativeProgram } from '../../adapters/places.js';
import { digestOf, tempDir } from '../kit/layer-run.js';
import { tarOf } from '../kit/layer-tar.js';
import { needsBeside } from '../kit/needs.js';

const rooted = needsBeside(['root']);

const tar = tarOf([{ name: 'f', content: Buffer.alloc(3 << 20, 'x') }]);
const unpackArgs = ['unpack', '--diff-id', digestOf(tar)];

rooted(
  'While it unpacks it has seven capabilities, a filter, no new privileges and no descriptor of its parent.',
  async (t) => {
    const dir = tempDir(t);
    const root = join(dir, 'root');
    const child = spawn(
      nativeProgram('wherry-layer'),
      [...unpackArgs, '--headers', join(dir, 'h'), root],
      {
        stdio: ['pipe', 'pipe', 'pipe', 'pipe', 'pipe'],
      },
    );
    const ended = new Promise<number>((resolve) =>
      child.once('close', (code) => resolve(code ?? -1)),
    );
    child.stdin?.write(tar.subarray(0, 100_000));
    const status = await until(() => {
      const text = readFileSync(`/proc/${child.pid}/status`, 'utf8');
      return /^NoNewPrivs:\s+1$/m.test(text) && /^Seccomp:\s+2$/m.test(text) ? text : undefined;
    });
    // CHOWN DAC_OVERRIDE FOWNER FSETID SYS_ADMIN MKNOD SETFCAP
    t.is(/^CapEff:\s+(\w+)$/m.exec(status)?.[1], '000000008820001b');
    t.is(/^CapBnd:\s+(\w+)$/m.exec(status)?.[1], '000000008820001b');
    const targets = readdirSync(`/proc/${child.pid}/fd`)
      .filter((fd) => Number(fd) > 2)
      .map((fd) => readlinkSync(`/proc/${child.pid}/fd/${fd}`));
    t.deepEqual(
      targets.filter((target) => !target.startsWith(dir)),
      [],
    );
    child.stdin?.end(tar.subarray(100_000));
    t.is(await ended, 0);
  },
);

async function until<T>(look: () => T | undefined): Promise<T> {
  for (let i = 0; i < 200; i += 1) {
    const seen = look();
    if (seen !== undefined) return seen;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error('it did not come to pass in 4 s');
}

rooted(
  '--progress writes the count of compressed bytes to descriptor 3, the last one at the end.',
  async (t) => {
    const root = join(tempDir(t), 'root');
    const child = spawn(nativeProgram('wherry-layer'), [...unpackArgs, '--progress', root], {
      stdio: ['pipe', 'ignore', 'ignore', 'pipe'],
    });
    let text = '';
    child.stdio[3]?.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    const ended = new Promise<number>((resolve) =>
      child.once('close', (code) => resolve(code ?? -1)),
    );
    child.stdin?.end(tar);
    t.is(await ended, 0);
    const counts = text.trim().split('\n').map(Number);
    t.is(counts.at(-1), tar.length);
    t.deepEqual(
      [...counts].sort((a, b) => a - b),
      counts,
    );
  },
);

function codeOf(stderr: Buffer): string {
  return (JSON.parse(stderr.toString()) as { code: string }).code;
}

rooted('A full disk is NO_SPACE.', (t) => {
  const dir = tempDir(t);
  const script = `mount -t tmpfs -o size=1m none ${dir} && exec "$0" "$@"`;
  const args = [
    '-m',
    'sh',
    '-c',
    script,
    nativeProgram('wherry-layer'),
    ...unpackArgs,
    join(dir, 'root'),
  ];
  const run = spawnSync('unshare', args, { input: tar });
  t.is(codeOf(run.stderr), 'NO_SPACE');
});

rooted('An ordinary user is told that it takes root.', (t) => {
  const dir = tempDir(t);
  const script = `chmod 777 ${dir}; cp "$0" ${dir}/layer; exec setpriv --reuid 65534 --regid 65534 --clear-groups ${dir}/layer "$@"`;
  const run = spawnSync(
    'sh',
    ['-c', script, nativeProgram('wherry-layer'), ...unpackArgs, join(dir, 'root')],
    { input: tar },
  );
  t.is(codeOf(run.stderr), 'NOT_ROOT', run.stderr.toString());
});

// SPDX-License-Identifier: Apache-2.0
// The process section of config.json: Docker's rules for what runs, with which environment and rights.

import test from 'ava';
import { capabilities, capabilitiesOf } from '../../../agent/run/capabilities.js';
import { parseHost } from '../../../agent/run/host.js';
import { argsOf, envOf, processOf } from '../../../agent/run/spec-process.js';
import type { User } from '../../../agent/run/user.js';
import { defaultCapabilities } from '../../../protocol/capability.js';
import { anImageConfig, aWorkload } from '../../kit/box-container.js';

const root: User = { uid: 0, gid: 0, additionalGids: [], home: '/root' };
const host = {
  capabilities: [...defaultCapabilities, 'CAP_SYS_ADMIN'],
  nofileMax: 4096,
  limits: { nofile: 4096, core: Infinity, memlock: 65_536 },
  oomScoreAdj: -900,
};

type Words = readonly string[] | undefined;
const matrix: ReadonlyArray<{
  image: [Words, Words];
  workload: [Words, Words];
  args: readonly string[] | 'RUN_COMMAND';
}> = [
  { image: [['e'], ['c']], workload: [undefined, undefined], args: ['e', 'c'] },
  { image: [[], ['c', '1']], workload: [undefined, undefined], args: ['c', '1'] },
  { image: [['e'], ['c']], workload: [undefined, ['x']], args: ['e', 'x'] },
  { image: [['e'], ['c']], workload: [undefined, []], args: ['e'] },
  { image: [['e'], ['c']], workload: [['E'], undefined], args: ['E'] },
  { image: [['e'], ['c']], workload: [['E'], ['x']], args: ['E', 'x'] },
  { image: [['e'], ['c']], workload: [[], ['x']], args: ['x'] },
  { image: [['e'], ['c']], workload: [[], undefined], args: 'RUN_COMMAND' },
  { image: [[], []], workload: [undefined, undefined], args: 'RUN_COMMAND' },
  { image: [[], ['c']], workload: [undefined, ['x']], args: ['x'] },
];

for (const { image, workload, args } of matrix) {
  test(`An image ${JSON.stringify(image)} with ${JSON.stringify(workload)} of the workload runs ${JSON.stringify(args)}`, (t) => {
    const [entrypoint, command] = workload;
    const make = (): string[] =>
      argsOf(
        {
          name: 'web',
          ...(entrypoint === undefined ? {} : { entrypoint: [...entrypoint] }),
          ...(command === undefined ? {} : { command: [...command] }),
        },
        { entrypoint: image[0] ?? [], cmd: image[1] ?? [] },
      );
    if (args === 'RUN_COMMAND') t.throws(make, { code: 'RUN_COMMAND' });
    else t.deepEqual(make(), [...args]);
  });
}

test('The environment is the default, then the image, then the workload, and the last word of a name wins', (t) => {
  const env = envOf(
    { name: 'web', environment: { A: 'workload', EMPTY: '' } },
    { env: ['A=image', 'B=image', 'PATH=/opt', 'NOVALUE', '=x', 'C=a=b'] },
    { home: '/root' },
  );
  t.deepEqual(env, [
    'PATH=/opt',
    'HOSTNAME=web',
    'HOME=/root',
    'A=workload',
    'B=image',
    'C=a=b',
    'EMPTY=',
  ]);
});

test('An image without PATH gets the default one', (t) => {
  const [path] = envOf({ name: 'web' }, { env: [] }, { home: '/' });
  t.is(path, 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin');
});

test('The default rights are the fourteen that Docker gives, and nothing is inheritable or ambient', (t) => {
  const process = processOf(aWorkload(), anImageConfig(), root, host);
  t.is(process.capabilities.bounding.length, 14);
  t.deepEqual([...process.capabilities.bounding].sort(), [...defaultCapabilities].sort());
  t.deepEqual(process.capabilities.effective, process.capabilities.bounding);
  t.deepEqual(process.capabilities.inheritable, []);
  t.deepEqual(process.capabilities.ambient, []);
  t.false(process.noNewPrivileges);
});

test('An ordinary user has no effective capability', (t) => {
  const user = { uid: 1000, gid: 1000, additionalGids: [44], home: '/home/u' };
  const process = processOf(aWorkload(), anImageConfig(), user, host);
  t.deepEqual(process.capabilities.effective, []);
  t.deepEqual(process.capabilities.permitted, []);
  t.is(process.capabilities.bounding.length, 14);
  t.deepEqual(process.user, { uid: 1000, gid: 1000, umask: 0o022, additionalGids: [44] });
});

test('Capabilities are added and dropped, ALL included, and a named one that the device lacks stays asked for', (t) => {
  const available = ['CAP_CHOWN', 'CAP_KILL', 'CAP_SYS_ADMIN'];
  t.deepEqual(capabilities({ capDrop: ['ALL'] }, available), []);
  t.deepEqual(capabilities({ capDrop: ['ALL'], capAdd: ['CAP_KILL'] }, available), ['CAP_KILL']);
  t.deepEqual(capabilities({ capDrop: ['ALL'], capAdd: ['CAP_SYS_TIME'] }, available), [
    'CAP_SYS_TIME',
  ]);
  t.false(capabilities({ capDrop: ['CAP_MKNOD'] }, available).includes('CAP_MKNOD'));
  t.true(capabilities({ capAdd: ['CAP_NET_ADMIN'] }, available).includes('CAP_NET_ADMIN'));
  const all = capabilities({ capAdd: ['ALL'], capDrop: ['CAP_SYS_ADMIN'] }, available);
  t.false(all.includes('CAP_SYS_ADMIN'));
  t.deepEqual(capabilities({ privileged: true }, available), available);
});

test('The open-files limit is never above our own hard limit and oom_score_adj never below ours', (t) => {
  const low = processOf(aWorkload(), anImageConfig(), root, {
    ...host,
    nofileMax: 512,
    limits: { nofile: 512 },
  });
  t.deepEqual(low.rlimits, [{ type: 'RLIMIT_NOFILE', soft: 512, hard: 512 }]);
  const high = processOf(aWorkload(), anImageConfig(), root, {
    ...host,
    nofileMax: 1_048_576,
    limits: { nofile: 1_048_576 },
  });
  t.deepEqual(high.rlimits, [{ type: 'RLIMIT_NOFILE', soft: 1024, hard: 524_288 }]);
  t.is(processOf(aWorkload(), anImageConfig(), root, host).oomScoreAdj, 0);
  t.is(
    processOf(aWorkload(), anImageConfig(), root, { ...host, oomScoreAdj: 500 }).oomScoreAdj,
    500,
  );
});

test('The working folder is the workload’s, else the image’s, else the root, and always absolute', (t) => {
  const cwd = (own: string | undefined, image: string | undefined): string =>
    processOf(
      aWorkload(own === undefined ? {} : { workingDir: own }),
      anImageConfig(image === undefined ? {} : { workingDir: image }),
      root,
      host,
    ).cwd;
  t.is(cwd('/own', '/image'), '/own');
  t.is(cwd(undefined, '/image'), '/image');
  t.is(cwd(undefined, 'image'), '/image');
  t.is(cwd(undefined, ''), '/');
  t.is(cwd(undefined, undefined), '/');
});

test('What the process itself may do is read from /proc', (t) => {
  const facts = parseHost(
    'Name:\tnode\nCapPrm:\t000001fffeffffff\nCapBnd:\t000001fffeffffff\n',
    'Limit                     Soft Limit           Hard Limit           Units     \nMax open files            1024                 20000                files     \n',
    '0\n',
  );
  t.is(facts.nofileMax, 20_000);
  t.is(facts.capabilities.length, 40);
  t.false(facts.capabilities.includes('CAP_SYS_RESOURCE'));
  t.deepEqual(capabilitiesOf('0000000000000021'), ['CAP_CHOWN', 'CAP_KILL']);
});

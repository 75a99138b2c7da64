// SPDX-License-Identifier: Apache-2.0
// The native suite on real cgroup v2 and Debian's kernel 6.1, inside emulated boards: the runtime and the keeper on
// arm64 always; the unpacker, 128 MB, 32-bit programs on the 64-bit kernel and on their own in the full lab.
// runs: host (it starts the device)

import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import type { LabResult } from '../kit/lab-ava.js';
import { labTests, nativeSuite, resultsIn } from '../kit/lab-native.js';
import { isFull, labTest } from '../kit/lab-needs.js';
import { buildDevice } from './device/build.js';
import { openDevice } from './device/device.js';
import { makeDisk } from './device/disk.js';

interface Run {
  readonly arch: 'arm64' | 'armhf';
  /** Whose programs: those of that machine. */
  readonly machine: 'aarch64' | 'armv7l';
  readonly memoryMb: number;
  readonly files: RegExp;
}

const quick = /^(run|keep)/;
const all = /./;
const suiteMsMax = 1_500_000;
const dataMb = 512;

labTest('on arm64 with 256 MB containers run within limits that bite', (t) =>
  suite(t, { arch: 'arm64', machine: 'aarch64', memoryMb: 256, files: quick }),
);

labTest(
  'on arm64 with 128 MB containers run and layers are unpacked',
  (t) => suite(t, { arch: 'arm64', machine: 'aarch64', memoryMb: 128, files: all }),
  isFull,
);

labTest(
  'the 32-bit programs do the same on an arm64 kernel',
  (t) => suite(t, { arch: 'arm64', machine: 'armv7l', memoryMb: 256, files: all }),
  isFull,
);

async function suite(t: ExecutionContext, run: Run): Promise<void> {
  t.timeout(suiteMsMax);
  const { stdout, stderr, code } = await inDevice(t, run);
  const results = resultsIn(stdout);
  t.deepEqual(results.filter(({ ok }) => !ok).map(failureText), []);
  t.is(code, 0, stderr.slice(-2000));
  const passed = results.filter(({ log }) => log.length === 0);
  t.true(passed.length >= 40, `only ${passed.length} tests ran to their end`);
  t.log(`${results.length} tests, of them ${results.length - passed.length} with a remark`);
  for (const { title, log } of results.filter((each) => each.log.length > 0)) {
    t.log(`${title}: ${log.join(' ')}`);
  }
}

async function inDevice(t: ExecutionContext, run: Run) {
  const files = labTests('native').filter((name) => run.files.test(name));
  const share = await nativeSuite(t, run.machine, files);
  const image = join(share, 'data.img');
  await makeDisk(image, dataMb);
  copyFileSync(await busyboxFor(run), join(share, 'busybox'));
  const { arch, memoryMb } = run;
  const device = await openDevice({ arch, memoryMb, cpus: 2, share, data: { image } });
  t.teardown(() => device.stop());
  t.log(`booted in ${device.bootMs} ms`);
  const prepare =
    'mkdir -p /data/tmp /usr/lib/wherry && cp /lab/share/bin/* /usr/lib/wherry/ && cp /lab/share/busybox /usr/bin/busybox.new && mv /usr/bin/busybox.new /usr/bin/busybox';
  await device.must(prepare);
  const line =
    'WHERRY_TEST_SLOWNESS=4 WHERRY_NATIVE=/usr/lib/wherry TMPDIR=/data/tmp exec node /lab/share/suite.mjs';
  const answer = await device.run(line, { timeoutMs: suiteMsMax });
  const left = await device.must("find /sys/fs/cgroup -name 'wherry*'; ls /data/tmp");
  t.is(left, '', 'no group and no folder is left');
  return answer;
}

/** What runs in the containers is of the same side as the programs. */
async function busyboxFor({ machine }: Run): Promise<string> {
  const arch = machine === 'aarch64' ? 'arm64' : 'armhf';
  return (await buildDevice(arch, () => undefined)).busybox;
}

function failureText({ file, title, error }: LabResult): string {
  return `${file}: ${title}: ${error ?? ''}`;
}

// SPDX-License-Identifier: Apache-2.0
// The lab itself: what a power cut takes with it and what not, a flash disk that loses unflushed sectors, a cable that
// is pulled, a network that is slow. A lab that forgives would prove nothing.
// runs: host (it starts the device)

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { labTest } from '../kit/lab-needs.js';
import { type Device, openDevice } from './device/device.js';
import { makeDisk } from './device/disk.js';
import { openFlashDisk } from './device/flash-disk.js';

function folderOf(t: ExecutionContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'wf-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

const flashBlocks = 512;

labTest('a power cut loses what was not flushed to the flash disk, and only that', async (t) => {
  t.timeout(300_000);
  const folder = folderOf(t);
  const image = join(folder, 'flash.img');
  const socket = join(folder, 's');
  await makeDisk(image, 64);
  const flash = await openFlashDisk({ image, socket, seed: 7 });
  t.teardown(() => flash.close());
  const device = await openDevice({ data: { nbdSocket: socket } });
  t.teardown(() => device.cut());
  await device.must('echo kept >/data/synced; fsync /data/synced; sync');
  const direct = `dd if=/dev/urandom of=/data/raw bs=1k count=${flashBlocks} conv=fsync 2>/dev/null; sync`;
  await device.must(direct);
  // Over the same blocks, past the page cache: in the disk's cache, and nobody asks for a flush.
  await device.must(
    `tr '\\0' x </dev/zero | head -c ${flashBlocks * 1024} >/tmp/x && dd if=/tmp/x of=/data/raw bs=4k conv=notrunc oflag=direct`,
  );
  await device.cut();
  await untilCut(() => flash.stats.cutCount);
  t.true(flash.stats.lostSectorCount > 0, JSON.stringify(flash.stats));
  t.true(flash.stats.keptSectorCount > 0, JSON.stringify(flash.stats));
  t.true(flash.stats.flushCount > 0);

  const again = await openDevice({ data: { nbdSocket: socket } });
  t.teardown(() => again.cut());
  t.is((await again.must('cat /data/synced')).trim(), 'kept');
  const kept = Number(await again.must('tr -d -c x </data/raw | wc -c'));
  t.true(kept > 0 && kept < flashBlocks * 1024, `${kept} of ${flashBlocks * 1024} bytes`);
  await again.stop();
});

labTest('a cable that is pulled has no carrier, and a shaped network is slow', async (t) => {
  t.timeout(300_000);
  const device = await openDevice({ arch: 'arm64', memoryMb: 128 });
  t.teardown(() => device.stop());
  t.is(await carrierOf(device), '1');
  await device.link(false);
  t.is(await carrierOf(device), '0');
  await device.link(true);
  t.is(await carrierOf(device), '1');
  const fast = await roundTripMs(device);
  await device.must('net-shape delay 300ms');
  const slow = await roundTripMs(device);
  t.true(slow > fast + 500, `${fast} ms, then ${slow} ms`);
});

async function carrierOf(device: Device): Promise<string> {
  return (await device.must('cat /sys/class/net/eth0/carrier')).trim();
}

/** Of a ping to the gateway, which QEMU answers. */
async function roundTripMs(device: Device): Promise<number> {
  const said = await device.must('ping -c 2 -W 5 10.0.2.2');
  return Number(/time=([\d.]+) ms\n[\s\S]*time=([\d.]+) ms/.exec(said)?.[2]);
}

async function untilCut(count: () => number): Promise<void> {
  for (let round = 0; round < 200 && count() === 0; round += 1) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

// Question: does an agent that starts on a disk without a byte left stay up, say why, and go on once there is room?

import { renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { needs } from '../kit/needs.js';
import { runIn } from '../kit/world/program.js';
import { openStage } from '../kit/world/site.js';

const fault = needs(['root', 'nft', 'ip']);

fault(
  'an agent that starts on a full disk leaves what runs alone, and goes on when there is room',
  async (t) => {
    const stage = await openStage(t, 'dfull', ['a']);
    const [device] = stage.devices as [(typeof stage.devices)[0]];
    await stage.release({ version: 'v1' });
    t.is((await stage.rollout('v1')).code, 0);
    await device.stop();
    const state = join(device.root, 'var/lib/wherry');
    renameSync(state, `${state}.before`);
    await sh(
      `mkdir ${state} && mount -t tmpfs -o size=24m w-full ${state} && cp -a ${state}.before/. ${state}/`,
    );
    t.teardown(() => runIn(undefined, ['umount', '-l', state]));
    await runIn(undefined, ['dd', 'if=/dev/zero', `of=${state}/fill`, 'bs=4096']);
    await device.start().catch(() => undefined); // it may say NO_SPACE and end: systemd would start it again
    await new Promise((resolve) => setTimeout(resolve, 3000));
    t.is(await stage.answer(device), 'hello from v1');
    t.regex(device.output(), /NO_SPACE/);
    t.notRegex(device.output(), /"code":"BUG"|^\s+at /m, 'no stack, no bug');
    await device.stop();
    rmSync(join(state, 'fill'));
    await device.start();
    await stage.release({ version: 'v2' });
    t.is((await stage.rollout('v2')).code, 0);
    await stage.answers(device, 'hello from v2');
  },
);

async function sh(script: string): Promise<void> {
  const { code, stderr } = await runIn(undefined, ['sh', '-c', script]);
  if (code !== 0) throw new Error(stderr);
}

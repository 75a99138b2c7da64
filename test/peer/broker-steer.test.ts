// A device is read and steered with mosquitto's own tools and nothing of the fleet server but its signatures.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LocalStatus } from '../../protocol/local.js';
import { desiredTopic, releaseTopic, upTopic } from '../../protocol/topic.js';
import { needs } from '../kit/needs.js';
import { configure, openWith } from '../kit/world/broker-story.js';
import { mosquittoTool, type Who } from '../kit/world/mosquitto.js';
import { until } from '../kit/world/program.js';

const peer = needs(['root', 'nft', 'ip', 'mosquitto', 'mosquitto_sub', 'mosquitto_pub']);

interface Said {
  readonly release: string | null;
  readonly conditions: ReadonlyArray<{ type: string; status: string }>;
}

peer(
  'with the fleet server off, mosquitto_pub brings a device a release, and mosquitto_sub shows it',
  async (t) => {
    const { stage, devices } = await openWith(t, 'steer', 'mosquitto', ['a']);
    const [device] = devices;
    const { fleet, site, root } = stage.world;
    await stage.release({ version: 'v1' });
    t.is((await stage.rollout('v1')).code, 0);
    const inspected = JSON.parse((await fleet.cli(['release', 'inspect', 'web:v1'])).stdout) as {
      document: { counter: number };
    };
    await fleet.stop();
    await configure(device, { mqtt: { plain: true } });

    const at = (name: string): string => join(root, name);
    const next = { ...inspected.document, version: 'v2', counter: inspected.document.counter + 1 };
    writeFileSync(at('v2.json'), JSON.stringify(next));
    const release = await fleet.cli(['sign', 'release', at('v2.json')]);
    writeFileSync(at('v2.signed'), release.stdout);
    const hex = /rel\/([0-9a-f]{64})/.exec(release.stderr)?.[1] ?? '';
    const assignment = await fleet.cli([
      ...['sign', 'assignment', '--device', 'a', '--release', `@${at('v2.signed')}`],
    ]);
    writeFileSync(at('a.signed'), assignment.stdout);
    t.regex(assignment.stderr, new RegExp(desiredTopic('main', 'a')));

    const operator: Who = {
      ...{ netns: site.netns, root: fleet.root, kind: 'operator', name: 'operator.admin' },
    };
    const publish = async (topic: string, file: string): Promise<void> => {
      const sent = await mosquittoTool(operator, 'pub', ['-r', '-q', '1', '-t', topic, '-f', file]);
      t.is(sent.code, 0, sent.stderr);
    };
    await publish(releaseTopic('main', hex), at('v2.signed'));
    await publish(desiredTopic('main', 'a'), at('a.signed'));

    const topic = upTopic('main', 'a', 'reported');
    const said = await until('the device reports the release', 60_000, async () => {
      const heard = await mosquittoTool(operator, 'sub', ['-t', topic, '-C', '1', '-W', '5']);
      if (heard.code !== 0) return undefined;
      const reported = JSON.parse(heard.stdout) as Said;
      return reported.release === `sha256:${hex}` ? reported : undefined;
    });
    t.is(said.release, `sha256:${hex}`);
    await until('it is good', 30_000, async () => {
      const { good } = await device.json<LocalStatus>(['status']);
      return good?.digest === `sha256:${hex}` ? true : undefined;
    });
    t.is(await stage.answer(device), 'hello from v1', 'the same image under a new release');

    await fleet.start();
    await until('the server knows what it did not send', 60_000, async () => {
      const [known] = await fleet.json<Array<{ reported: Said | null }>>(['device', 'ls']);
      return known?.reported?.release === `sha256:${hex}` ? true : undefined;
    });
  },
);

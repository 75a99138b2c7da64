// SPDX-License-Identifier: Apache-2.0
// `wherry-fleet rollout`: starts, follows and steers rollouts.

import { setTimeout as delay } from 'node:timers/promises';
import type { Command, Parsed } from '../../adapters/command.js';
import { jsonText, print, progress, show, table } from '../../adapters/terminal.js';
import type { ApiRelease, ApiRollout } from '../../protocol/api.js';
import { CodedError } from '../../protocol/error.js';
import { type Client, withClient } from './client.js';
import { releasePath } from './release.js';
import { durationOf, labelsOf, rootOf } from './words.js';

const pollMs = 250;
/** A server that restarts is waited for so long. */
const awayMs = 60_000;

const start: Command = {
  name: 'rollout start',
  args: 'RELEASE',
  about: 'Bring a release (APP:VERSION or digest) to devices, wave by wave',
  options: {
    canary: { type: 'string', value: 'N', about: 'Devices of the first wave' },
    wave: {
      type: 'string',
      multiple: true,
      value: 'SIZE',
      about: 'A further wave, cumulative: a count or 25%; the rest comes last',
    },
    selector: {
      type: 'string',
      multiple: true,
      value: 'K=V',
      about: 'Only devices with the label',
    },
    bake: {
      type: 'string',
      value: 'TIME',
      default: '10s',
      about: 'How long a wave must stay good',
    },
    deadline: {
      type: 'string',
      value: 'TIME',
      default: '10m',
      about: 'A device silent longer has failed',
    },
    'in-flight': { type: 'string', value: 'N', about: 'Devices that change at one time' },
    'no-catch-up': { type: 'boolean', about: 'Do not give it to devices that come later' },
    wait: { type: 'boolean', about: 'Follow it; status 1 where it does not succeed' },
  },
  run: async (parsed) =>
    withClient(rootOf(parsed), async (client) => {
      const release = await client.get<ApiRelease>(releasePath(parsed.args[0] ?? ''));
      const rollout = await client.post<ApiRollout>('/v1/rollouts', requestOf(parsed, release));
      if (!parsed.flag('wait')) {
        print(parsed.flag('json') ? jsonText(rollout) : rollout.id);
        return 0;
      }
      return follow(client, rollout, parsed.flag('json'));
    }),
};

function requestOf(parsed: Parsed, release: ApiRelease): object {
  const canary = parsed.integer('canary', { min: 1, max: 1_000_000 });
  const inFlightMax = parsed.integer('in-flight', { min: 1, max: 100_000 });
  return {
    release: release.digest,
    waves: [...(canary === undefined ? [] : [String(canary)]), ...parsed.list('wave')],
    selector: labelsOf(parsed.list('selector'), 'selector'),
    bakeMs: durationOf(parsed, 'bake'),
    deadlineMs: durationOf(parsed, 'deadline'),
    ...(inFlightMax === undefined ? {} : { inFlightMax }),
    ...(parsed.flag('no-catch-up') ? { catchUp: false } : {}),
  };
}

/** Until it is over or paused: 0 when it succeeded. */
async function follow(client: Client, first: ApiRollout, json: boolean): Promise<number> {
  const bar = progress();
  let rollout = first;
  let seenAt = performance.now();
  while (rollout.state === 'running') {
    draw(bar, rollout);
    await delay(pollMs);
    try {
      rollout = await client.get<ApiRollout>(pathOf(first.id));
      seenAt = performance.now();
    } catch (error) {
      const isAway = error instanceof CodedError && error.code === 'API_AWAY';
      if (!isAway || performance.now() - seenAt > awayMs) throw error;
    }
  }
  draw(bar, rollout);
  bar.end();
  print(json ? jsonText(rollout) : outcomeText(rollout));
  return rollout.state === 'succeeded' ? 0 : 1;
}

function draw(bar: ReturnType<typeof progress>, rollout: ApiRollout): void {
  const { devices = [], waves } = rollout;
  const good = devices.filter(({ outcome }) => outcome === 'good').length;
  const open = waves.findIndex(({ state }) => state !== 'passed');
  const at = open < 0 ? waves.length - 1 : open;
  const text = `${good}/${devices.length} good, wave ${at} ${waves[at]?.state ?? ''}`;
  bar.update(`${rollout.app}:${rollout.version}`, good, devices.length, text);
}

function outcomeText(rollout: ApiRollout): string {
  const head = `rollout ${rollout.id} ${rollout.state}`;
  if (rollout.code === null) return rollout.message === null ? head : `${head}: ${rollout.message}`;
  return `${head}: ${rollout.code}: ${rollout.message ?? ''}`;
}

const list: Command = {
  name: 'rollout ls',
  about: 'List rollouts, newest first',
  run: async (parsed) => {
    const rollouts = await withClient(rootOf(parsed), (client) =>
      client.get<ApiRollout[]>('/v1/rollouts?limit=200'),
    );
    const heads = ['ROLLOUT', 'RELEASE', 'STATE', 'GOOD', 'FAILED', 'WAVES', 'REASON'];
    show(rollouts, parsed.flag('json'), heads, (rollout) => [
      rollout.id,
      `${rollout.app}:${rollout.version}`,
      rollout.state,
      `${sum(rollout, 'good')}/${sum(rollout, 'devices')}`,
      sum(rollout, 'failed'),
      rollout.waves.map(({ state }) => state).join(','),
      rollout.code ?? '-',
    ]);
    return 0;
  },
};

function sum(rollout: ApiRollout, what: 'good' | 'failed' | 'devices'): number {
  return rollout.waves.reduce((total, wave) => total + wave[what], 0);
}

const status: Command = {
  name: 'rollout status',
  args: 'ROLLOUT',
  about: 'Show a rollout with its waves and devices',
  run: async (parsed) => {
    const rollout = await withClient(rootOf(parsed), (client) =>
      client.get<ApiRollout>(pathOf(parsed.args[0] ?? '')),
    );
    print(parsed.flag('json') ? jsonText(rollout) : statusText(rollout));
    return 0;
  },
};

function statusText(rollout: ApiRollout): string {
  const waves = rollout.waves.map((wave) => [
    wave.wave,
    wave.state,
    wave.devices,
    wave.good,
    wave.failed,
    wave.waiting,
    wave.excluded,
  ]);
  const devices = (rollout.devices ?? []).map((device) => [
    device.device,
    device.wave,
    device.outcome,
    device.phase ?? '-',
    device.code ?? '-',
    device.message ?? '',
  ]);
  return [
    outcomeText(rollout),
    `release ${rollout.app}:${rollout.version} ${rollout.release}`,
    '',
    table(['WAVE', 'STATE', 'DEVICES', 'GOOD', 'FAILED', 'WAITING', 'EXCLUDED'], waves),
    '',
    table(['DEVICE', 'WAVE', 'OUTCOME', 'PHASE', 'CODE', 'MESSAGE'], devices),
  ].join('\n');
}

function steer(order: 'pause' | 'resume' | 'abort', about: string): Command {
  return {
    name: `rollout ${order}`,
    args: 'ROLLOUT',
    about,
    run: async (parsed) => {
      const rollout = await withClient(rootOf(parsed), (client) =>
        client.post<ApiRollout>(`${pathOf(parsed.args[0] ?? '')}/${order}`),
      );
      print(parsed.flag('json') ? jsonText(rollout) : outcomeText(rollout));
      return 0;
    },
  };
}

function pathOf(id: string): string {
  return `/v1/rollouts/${encodeURIComponent(id)}`;
}

export const rolloutCommands: readonly Command[] = [
  start,
  list,
  status,
  steer('pause', 'Assign no further devices; those that began go on'),
  steer('resume', 'Go on; deadlines begin anew'),
  steer('abort', 'End it for good; devices keep what they have'),
];

// SPDX-License-Identifier: Apache-2.0
// `wherry-fleet device`: the devices, what they shall run and what they say.

import type { Command, Parsed } from '../../adapters/command.js';
import { agoText, jsonText, print, show } from '../../adapters/terminal.js';
import type { ApiDevice } from '../../protocol/api.js';
import { CodedError } from '../../protocol/error.js';
import { type Client, withClient } from './client.js';
import { labelsOf, labelsText, rootOf, shortDigest } from './words.js';

const list: Command = {
  name: 'device ls',
  about: 'List devices',
  options: {
    selector: { type: 'string', multiple: true, value: 'K=V', about: 'Only those with the label' },
  },
  run: async (parsed) => {
    const query = parsed.list('selector').map((pair) => `label=${encodeURIComponent(pair)}`);
    const devices = await withClient(rootOf(parsed), (client) => all(client, query));
    const heads = ['DEVICE', 'STATUS', 'STATE', 'DESIRED', 'RUNS', 'GOOD', 'SEEN', 'LABELS'];
    show(devices, parsed.flag('json'), heads, (device) => [
      device.device,
      statusOf(device),
      stateOf(device),
      nameOf(device),
      shortDigest(device.reported?.release ?? null),
      shortDigest(device.reported?.good ?? null),
      seenText(device),
      labelsText(device.labels),
    ]);
    return 0;
  },
};

async function all(client: Client, query: readonly string[]): Promise<ApiDevice[]> {
  const devices: ApiDevice[] = [];
  for (let after: string | null = ''; after !== null; ) {
    const path = `/v1/devices?${[...query, `after=${after}`].join('&')}`;
    const page: { devices: ApiDevice[]; next: string | null } = await client.get(path);
    devices.push(...page.devices);
    after = page.next;
  }
  return devices;
}

function statusOf(device: ApiDevice): string {
  if (device.revokedAt !== null) return 'revoked';
  return device.online ? 'online' : 'offline';
}

/** How far it is from what it shall run. */
function stateOf(device: ApiDevice): string {
  const { reported } = device;
  if (reported === null) return 'silent';
  const converged = reported.conditions.find(({ type }) => type === 'Converged');
  if (reported.failed !== undefined && converged?.status !== 'True') {
    return `failed (${reported.failed.code})`;
  }
  if (converged?.status === 'True') return 'converged';
  return converged?.code ?? reported.step ?? 'converging';
}

function nameOf({ desired }: ApiDevice): string {
  if (desired === null) return '-';
  return desired.app === null ? 'nothing' : `${desired.app}:${desired.version}`;
}

function seenText(device: ApiDevice): string {
  if (device.seenAt === null) return 'never';
  return `${agoText(Date.now() - Date.parse(device.seenAt))} ago`;
}

const inspect: Command = {
  name: 'device inspect',
  args: 'DEVICE...',
  about: 'Show all that is known of devices, as JSON',
  run: async (parsed) => {
    const devices = await withClient(rootOf(parsed), (client) =>
      Promise.all(parsed.args.map((device) => client.get<ApiDevice>(pathOf(device)))),
    );
    print(jsonText(devices));
    return 0;
  },
};

const label: Command = {
  name: 'device label',
  args: 'DEVICE LABEL...',
  about: 'Set labels (KEY=VALUE) or remove them (KEY-)',
  run: async (parsed) => {
    const [device = '', ...words] = parsed.args;
    const labels = Object.fromEntries(words.map(pairWord));
    const after = await withClient(rootOf(parsed), (client) =>
      client.post<{ labels: Record<string, string> }>(`${pathOf(device)}/labels`, { labels }),
    );
    print(parsed.flag('json') ? jsonText(after) : labelsText(after.labels));
    return 0;
  },
};

function pairWord(word: string): [string, string | null] {
  const at = word.indexOf('=');
  if (at > 0) return [word.slice(0, at), word.slice(at + 1)];
  if (at < 0 && word.length > 1 && word.endsWith('-')) return [word.slice(0, -1), null];
  throw new CodedError('USAGE', `give KEY=VALUE or KEY-, not '${word}'`);
}

const revoke: Command = {
  name: 'device revoke',
  args: 'DEVICE...',
  about: 'Shut devices out for good; what they run goes on',
  run: async (parsed: Parsed) => {
    await withClient(rootOf(parsed), async (client) => {
      for (const device of parsed.args) {
        await client.post(`${pathOf(device)}/revoke`);
        print(device);
      }
    });
    return 0;
  },
};

function pathOf(device: string): string {
  return `/v1/devices/${encodeURIComponent(device)}`;
}

const set: Command = {
  name: 'device set',
  args: '[DEVICE] KEY=VALUE...',
  about: 'Set variables (DEVICE KEY=VALUE...) or remove them (KEY-), of one device or by labels',
  options: {
    selector: { type: 'string', multiple: true, value: 'K=V', about: 'Of all with the label' },
    all: { type: 'boolean', about: 'Of all devices' },
  },
  run: async (parsed) => {
    const pairs = parsed.list('selector');
    const isMany = pairs.length > 0 || parsed.flag('all');
    const [device = '', ...rest] = parsed.args;
    const words = isMany ? parsed.args : rest;
    if (words.length === 0) throw new CodedError('USAGE', 'give variables as KEY=VALUE or KEY-');
    const scope = isMany ? { selector: labelsOf(pairs, 'selector') } : { device };
    const variables = Object.fromEntries(words.map(pairWord));
    await withClient(rootOf(parsed), (client) =>
      client.post('/v1/variables', { ...scope, variables }),
    );
    return 0;
  },
};

interface ApiVariable {
  readonly scope: { readonly device?: string; readonly selector?: Record<string, string> };
  readonly name: string;
  readonly value: string;
}

const variables: Command = {
  name: 'device variables',
  args: '[DEVICE]',
  about: 'Show what is set and where, or what one device gets',
  run: async (parsed) => {
    const [device] = parsed.args;
    const rows = await withClient(rootOf(parsed), (client) =>
      device === undefined ? setRows(client) : deviceRows(client, device),
    );
    show(rows, parsed.flag('json'), ['WHERE', 'VARIABLE', 'VALUE'], (row) => [
      row.where,
      row.name,
      row.value,
    ]);
    return 0;
  },
};

interface VariableRow {
  readonly where: string;
  readonly name: string;
  readonly value: string;
}

async function setRows(client: Client): Promise<VariableRow[]> {
  const found = await client.get<{ variables: ApiVariable[] }>('/v1/variables');
  return found.variables.map(({ scope, name, value }) => {
    const labels = Object.entries(scope.selector ?? {}).map(([key, one]) => `${key}=${one}`);
    return { where: scope.device ?? (labels.join(',') || 'all devices'), name, value };
  });
}

async function deviceRows(client: Client, device: string): Promise<VariableRow[]> {
  const path = `${pathOf(device)}/variables`;
  const found = await client.get<{ variables: Record<string, string> }>(path);
  return Object.entries(found.variables).map(([name, value]) => ({ where: device, name, value }));
}

export const deviceCommands: readonly Command[] = [list, inspect, label, set, variables, revoke];

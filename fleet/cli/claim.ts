// SPDX-License-Identifier: Apache-2.0
// `wherry-fleet claim`: codes by which devices enrol.

import type { Command } from '../../adapters/command.js';
import { jsonText, print, show } from '../../adapters/terminal.js';
import type { ApiClaim, ApiNewClaim } from '../../protocol/api.js';
import { withClient } from './client.js';
import { durationOf, labelsOf, labelsText, rootOf } from './words.js';

const hourMs = 3_600_000;

const create: Command = {
  name: 'claim create',
  about: 'Make claim codes; they are shown once',
  options: {
    count: { type: 'string', value: 'N', default: '1', about: 'How many codes' },
    uses: { type: 'string', value: 'N', default: '1', about: 'Devices that may enrol by each' },
    expires: { type: 'string', value: 'TIME', default: '1h', about: 'How long it is good' },
    label: { type: 'string', multiple: true, value: 'K=V', about: 'Label of the devices' },
  },
  run: async (parsed) => {
    const count = parsed.integer('count', { min: 1, max: 1000 }) ?? 1;
    const uses = parsed.integer('uses', { min: 1, max: 100_000 }) ?? 1;
    const expiresMs = durationOf(parsed, 'expires') ?? hourMs;
    const labels = labelsOf(parsed.list('label'), 'label');
    const claims = await withClient(rootOf(parsed), (client) =>
      client.post<ApiNewClaim[]>('/v1/claims', { count, uses, expiresMs, labels }),
    );
    const codes = claims.map(({ code }) => code).join('\n');
    print(parsed.flag('json') ? jsonText(claims) : codes);
    return 0;
  },
};

const list: Command = {
  name: 'claim ls',
  about: 'List claims; their codes are not kept',
  run: async (parsed) => {
    const claims = await withClient(rootOf(parsed), (client) =>
      client.get<ApiClaim[]>('/v1/claims'),
    );
    const heads = ['CLAIM', 'STATE', 'USED', 'EXPIRES', 'LABELS', 'DEVICES'];
    show(claims, parsed.flag('json'), heads, (claim) => [
      claim.id,
      claim.state,
      `${claim.count}/${claim.countMax}`,
      claim.expiresAt,
      labelsText(claim.labels),
      claim.devices.join(',') || '-',
    ]);
    return 0;
  },
};

const revoke: Command = {
  name: 'claim revoke',
  args: 'CLAIM...',
  about: 'Make claims useless; devices that came by them stay',
  run: async (parsed) => {
    await withClient(rootOf(parsed), async (client) => {
      for (const claim of parsed.args) {
        await client.post(`/v1/claims/${encodeURIComponent(claim)}/revoke`);
        print(claim);
      }
    });
    return 0;
  },
};

export const claimCommands: readonly Command[] = [create, list, revoke];

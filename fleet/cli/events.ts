// SPDX-License-Identifier: Apache-2.0
// `wherry-fleet events`: what devices told and what the fleet did.

import type { Command } from '../../adapters/command.js';
import { show } from '../../adapters/terminal.js';
import type { ApiEvent } from '../../protocol/api.js';
import { withClient } from './client.js';
import { rootOf, shortDigest } from './words.js';

export const eventsCommand: Command = {
  name: 'events',
  about: 'Show what happened, newest last',
  options: {
    device: { type: 'string', value: 'DEVICE', about: 'Only of this device' },
    type: { type: 'string', value: 'TYPE', about: 'Only of this type: good, failed, pulled…' },
    tail: { type: 'string', value: 'N', default: '100', about: 'How many' },
  },
  run: async (parsed) => {
    const limit = parsed.integer('tail', { min: 1, max: 1000 }) ?? 100;
    const device = parsed.text('device');
    const type = parsed.text('type');
    const query = new URLSearchParams({
      limit: String(limit),
      ...(device === undefined ? {} : { device }),
      ...(type === undefined ? {} : { type }),
    });
    const events = await withClient(rootOf(parsed), (client) =>
      client.get<ApiEvent[]>(`/v1/events?${query}`),
    );
    const heads = ['AT', 'WHO', 'TYPE', 'RELEASE', 'CODE', 'MESSAGE'];
    show(events, parsed.flag('json'), heads, (event) => [
      event.at,
      event.device ?? event.rollout ?? '-',
      event.type,
      shortDigest(event.release),
      event.code ?? '-',
      event.message ?? '',
    ]);
    return 0;
  },
};

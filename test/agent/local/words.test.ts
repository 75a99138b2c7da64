// SPDX-License-Identifier: Apache-2.0
// The words that a person reads: states and sizes.

import test from 'ava';
import { localContainer, pick, portText, statusText } from '../../../agent/local/container.js';
import { memoryText } from '../../../agent/local/print.js';
import type { MadeContainer } from '../../../agent/run/types.js';
import type { LocalContainer } from '../../../protocol/local.js';
import { aWorkload, digestOf } from '../../kit/box-container.js';

const now = Date.parse('2026-01-31T12:05:00Z');
const made: MadeContainer = {
  id: 'web-1',
  spec: digestOf('s'),
  release: digestOf('r'),
  image: digestOf('i'),
  workload: aWorkload(),
  address: '10.88.0.5',
};
const shown = (changed: Partial<LocalContainer>): string =>
  statusText({ ...localContainer(made), ...changed }, now);
const startedAt = '2026-01-31T12:00:00Z';
const exit = { code: 1, oomKilled: false, at: startedAt };

test('States read as Docker’s do', (t) => {
  t.is(shown({ state: 'running', startedAt }), 'Up 5 minutes');
  t.is(shown({ state: 'running', startedAt, health: 'healthy' }), 'Up 5 minutes (healthy)');
  t.is(
    shown({ state: 'running', startedAt, health: 'starting' }),
    'Up 5 minutes (health: starting)',
  );
  t.is(shown({ state: 'exited', exit }), 'Exited (1) 5 minutes ago');
  t.is(shown({ state: 'restarting', exit }), 'Restarting (1) 5 minutes ago');
  t.is(
    shown({ state: 'exited', exit: { ...exit, code: 137, oomKilled: true } }),
    'Exited (137, out of memory) 5 minutes ago',
  );
  t.is(shown({}), 'Created');
  t.is(shown({ state: 'running', startedAt: '2026-01-31T13:00:00Z' }), 'Up less than a second');
});

test('Ports and memory read as Docker’s do', (t) => {
  t.is(portText({ published: 8080, target: 80, protocol: 'tcp' }), '0.0.0.0:8080->80/tcp');
  t.is(
    portText({ hostIp: '127.0.0.1', published: 53, target: 53, protocol: 'udp' }),
    '127.0.0.1:53->53/udp',
  );
  t.is(memoryText(48 * 1024 * 1024), '48MiB');
  t.is(memoryText(1_500_000), '1.431MiB');
  t.is(memoryText(512), '512B');
});

test('Of two containers of a workload the running one is meant', (t) => {
  const status = {
    id: 'web-2',
    keeperPid: 1,
    state: 'running',
    pid: 1,
    startedAt,
    restartCount: 0,
    health: 'none',
  } as const;
  const running = { ...made, id: 'web-2', status };
  t.is(pick([made, running], 'web').id, 'web-2');
  t.is(pick([running, made], 'web-1').id, 'web-1');
  t.throws(() => pick([made], 'db'), { code: 'RUN_ABSENT' });
});

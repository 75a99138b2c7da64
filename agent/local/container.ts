// SPDX-License-Identifier: Apache-2.0
// A container as a person sees it: the wire form of the local socket, and Docker's words for it. Pure.

import { agoText } from '../../adapters/terminal.js';
import { CodedError } from '../../protocol/error.js';
import type { LocalContainer } from '../../protocol/local.js';
import type { Port } from '../../protocol/network.js';
import type { MadeContainer } from '../run/types.js';

export function localContainer(made: MadeContainer): LocalContainer {
  const { status, workload } = made;
  return {
    container: made.id,
    workload: workload.name,
    image: workload.image.reference,
    imageDigest: made.image,
    state: status?.state ?? 'created',
    health: status?.health ?? 'none',
    restartCount: status?.restartCount ?? 0,
    pid: status?.pid ?? 0,
    startedAt: status?.startedAt ?? null,
    ports: (workload.ports ?? []).map(portText),
    address: made.address,
    exit:
      status?.exit === undefined
        ? null
        : { code: status.exit.code, oomKilled: status.exit.oomKilled, at: status.exit.at },
  };
}

export function portText(port: Port): string {
  return `${port.hostIp ?? '0.0.0.0'}:${port.published}->${port.target}/${port.protocol}`;
}

/** What `ps` shows without -a. */
export function isUp(container: Pick<LocalContainer, 'state'>): boolean {
  return ['starting', 'running', 'restarting', 'stopping'].includes(container.state);
}

/** `Up 5 minutes (healthy)`, `Exited (1) 2 hours ago`. */
export function statusText(container: LocalContainer, now: number): string {
  const since = (at: string | null): string =>
    at === null ? 'less than a second' : agoText(Math.max(0, now - Date.parse(at)));
  const { exit } = container;
  const oom = exit?.oomKilled === true ? ', out of memory' : '';
  switch (container.state) {
    case 'running':
      return `Up ${since(container.startedAt)}${healthText(container.health)}`;
    case 'exited':
      return exit === null ? 'Exited' : `Exited (${exit.code}${oom}) ${since(exit.at)} ago`;
    case 'restarting':
      return exit === null ? 'Restarting' : `Restarting (${exit.code}${oom}) ${since(exit.at)} ago`;
    default:
      return container.state.charAt(0).toUpperCase() + container.state.slice(1);
  }
}

function healthText(health: string): string {
  if (health === 'none') return '';
  return health === 'starting' ? ' (health: starting)' : ` (${health})`;
}

/**
 * The container that a person means by a workload's name or a container's id: the running one, else the one
 * that ran last. @throws RUN_ABSENT
 */
export function pick<T extends MadeContainer>(all: readonly T[], wanted: string): T {
  const mine = all.filter((one) => one.workload.name === wanted || one.id === wanted);
  const rank = (one: MadeContainer): number =>
    one.status === undefined ? 0 : isUp(one.status) ? 2 : 1;
  const best = mine.sort((a, b) => rank(b) - rank(a))[0];
  if (best !== undefined) return best;
  throw new CodedError('RUN_ABSENT', `there is no workload or container '${wanted}'`, {
    workload: wanted,
  });
}

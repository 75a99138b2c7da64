// SPDX-License-Identifier: Apache-2.0
// The tables of `wherry`: columns and words as Docker's users know them. Pure but for `show`, which prints.

import { bytesText, jsonText, print, show } from '../../adapters/terminal.js';
import type {
  LocalContainer,
  LocalImage,
  LocalStats,
  LocalStatus,
  LocalWhy,
} from '../../protocol/local.js';
import { statusText } from './container.js';

const eventCount = 20;

export function showContainers(
  containers: readonly LocalContainer[],
  json: boolean,
  now: number,
): void {
  show(containers, json, ['CONTAINER', 'WORKLOAD', 'IMAGE', 'STATUS', 'PORTS'], (one) => [
    one.container,
    one.workload,
    one.image,
    statusText(one, now),
    one.ports.join(', '),
  ]);
}

export function showStats(stats: readonly LocalStats[], json: boolean): void {
  const heads = ['CONTAINER', 'WORKLOAD', 'CPU %', 'MEM USAGE / LIMIT', 'MEM %', 'PIDS'];
  show(stats, json, heads, (one) => [
    one.container,
    one.workload,
    `${one.cpuPercent.toFixed(2)}%${one.cpuMaxMillis === null ? '' : ` of ${one.cpuMaxMillis / 10}%`}`,
    `${memoryText(one.memoryBytes)} / ${one.memoryMaxBytes === null ? 'none' : memoryText(one.memoryMaxBytes)}`,
    one.memoryMaxBytes === null
      ? '--'
      : `${((100 * one.memoryBytes) / one.memoryMaxBytes).toFixed(2)}%`,
    one.pidsMax === null ? one.pids : `${one.pids} / ${one.pidsMax}`,
  ]);
}

/** Memory is counted in powers of two: a limit of 48m is shown as 48MiB. */
export function memoryText(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${Number(value.toPrecision(4))}${units[unit]}`;
}

export function showImages(images: readonly LocalImage[], json: boolean): void {
  show(images, json, ['IMAGE', 'DIGEST', 'LAYERS', 'SIZE', 'IN USE'], (one) => [
    one.reference,
    one.digest.slice(0, 'sha256:'.length + 12),
    one.layers,
    bytesText(one.unpackedBytes),
    one.inUse ? 'yes' : 'no',
  ]);
}

export function showStatus(status: LocalStatus, json: boolean): void {
  if (json) {
    print(jsonText(status));
    return;
  }
  const release = (one: LocalStatus['release']): string =>
    one === null ? 'none' : `${one.app} ${one.version} (${short(one.digest)})`;
  const rows: ReadonlyArray<readonly [string, string]> = [
    ['Agent', status.agent],
    ['Device', status.device === null ? 'not enrolled' : `${status.tenant}/${status.device}`],
    ['Linked', status.linked ? 'yes' : 'no'],
    ['Assignment', `epoch ${status.epoch}, generation ${status.generation}`],
    ['Release', release(status.release)],
    ['Last good', release(status.good)],
    ['Step', status.step ?? 'none'],
  ];
  const width = Math.max(...rows.map(([name]) => name.length)) + 1;
  for (const [name, value] of rows) print(`${`${name}:`.padEnd(width)} ${value}`);
  if (status.failed !== null && status.failed !== undefined) {
    const { release: digest, code, message } = status.failed;
    print(`${'Failed:'.padEnd(width)} ${short(digest)} ${code}: ${message}`);
  }
  for (const { type, status: is, code, message } of status.conditions) {
    const why = [code, message].filter((word) => word !== undefined).join(': ');
    print(`${`${type}:`.padEnd(width)} ${is}${why === '' ? '' : ` (${why})`}`);
  }
}

function short(digest: string): string {
  return digest.replace(/^sha256:/, '').slice(0, 12);
}

export function showWhy(why: LocalWhy, json: boolean): void {
  if (json) {
    print(jsonText(why));
    return;
  }
  print(why.summary);
  for (const event of why.events.slice(0, eventCount)) {
    print(
      `  ${event.at}  ${event.type}  ${event.code === null ? '' : `${event.code}: `}${event.message}`,
    );
  }
}

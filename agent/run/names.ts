// SPDX-License-Identifier: Apache-2.0
// /etc/hosts, /etc/hostname and /etc/resolv.conf of a container. They are bind-mounted, so they are written in
// place (a rename would leave the old file mounted) and made anew at each start: they need not be durable.

import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, readFile, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errnoOf, fileError } from '../../adapters/durable.js';
import type { Dns } from '../../protocol/network.js';
import type { Workload } from '../../protocol/release.js';
import type { Layout } from './layout.js';
import { hostnameOf } from './spec.js';

const resolvBytesMax = 64 * 1024;
/** systemd-resolved's own file: the servers behind its loopback stub. */
const resolvFiles = ['/etc/resolv.conf', '/run/systemd/resolve/resolv.conf'];

export interface Named {
  readonly id: string;
  readonly name: string;
  readonly release: string;
  readonly address: string | null;
  /** Runs, or is being started. */
  readonly running: boolean;
  readonly createdAt: string;
  /** Other names that neighbours may use. */
  readonly aliases?: readonly string[];
}

/**
 * The name and address of every workload that `self` may call: those of its release, and running ones of an
 * earlier release that were not touched since. Of two containers of one workload the running one, then the
 * one of the same release, then the newer is meant.
 */
export function peersOf(self: Named, all: readonly Named[]): Map<string, string> {
  const rank = (one: Named): string =>
    `${one.running ? 1 : 0}${one.release === self.release ? 1 : 0}${one.createdAt}`;
  const best = new Map<string, Named>();
  for (const one of all) {
    if (one.name === self.name || !(one.running || one.release === self.release)) continue;
    const other = best.get(one.name);
    if (other === undefined || rank(one) > rank(other)) best.set(one.name, one);
  }
  best.set(self.name, self);
  const named = [...best.values()].flatMap(
    (one): Array<[string, string]> => (one.address === null ? [] : [[one.name, one.address]]),
  );
  const called = [...best.values()].flatMap(({ address, aliases = [] }) =>
    address === null ? [] : aliases.map((alias): [string, string] => [alias, address]),
  );
  // A workload's own name wins over what another one calls itself.
  return new Map([...new Map([...called, ...named])].sort(([a], [b]) => (a < b ? -1 : 1)));
}

export function hostsText(peers: ReadonlyMap<string, string>): string {
  const lines = ['127.0.0.1\tlocalhost', '::1\tlocalhost ip6-localhost ip6-loopback'];
  for (const [name, address] of peers) lines.push(`${address}\t${name}`);
  return `${lines.join('\n')}\n`;
}

/** The device's own servers without loopback ones, which a container cannot reach. */
export function resolvText(host: string): string {
  const lines = host.split('\n').filter((line) => {
    const [key, value = ''] = line.trim().split(/\s+/);
    if (key === 'nameserver') return !value.startsWith('127.') && value !== '::1';
    return key === 'search' || key === 'options' || key === 'domain';
  });
  return lines.length === 0 ? '' : `${lines.join('\n')}\n`;
}

export async function hostResolv(files: readonly string[] = resolvFiles): Promise<string> {
  for (const path of files) {
    const text = resolvText((await textIfThere(path)).slice(0, resolvBytesMax));
    if (/^\s*nameserver/m.test(text)) return text;
  }
  return '';
}

async function textIfThere(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (['ENOENT', 'EACCES', 'ENOTDIR'].includes(errnoOf(error) ?? '')) return '';
    throw error;
  }
}

export interface Texts {
  readonly hosts: string;
  readonly hostname: string;
  readonly resolv: string;
}

/** What a workload's three files say. `gateway`: the device, as the workload's network sees it. */
export function textsOf(
  workload: Workload,
  own: { readonly address: string | null; readonly peers: ReadonlyMap<string, string> },
  device: { readonly gateway: string; readonly hosts: string; readonly resolv: string },
): Texts {
  const isOnDevice = workload.networkMode === 'host';
  const extra = (workload.extraHosts ?? []).map(({ name, address }) => {
    const gateway = isOnDevice ? '127.0.0.1' : device.gateway;
    return `${address === 'host-gateway' ? gateway : address}\t${name}\n`;
  });
  const hosts = isOnDevice ? device.hosts : hostsText(own.peers) + ownLine(workload, own.address);
  return {
    hosts: hosts + extra.join(''),
    hostname: `${hostnameOf(workload)}\n`,
    resolv: resolvWith(workload.dns, device.resolv),
  };
}

/** The host name where it is another one than the workload's. */
function ownLine(workload: Workload, address: string | null): string {
  const { hostname = workload.name, domainname } = workload;
  if (address === null || (hostname === workload.name && domainname === undefined)) return '';
  const full = domainname === undefined ? '' : `${hostname}.${domainname} `;
  return `${address}\t${full}${hostname}\n`;
}

function resolvWith(dns: Dns | undefined, device: string): string {
  if (dns === undefined) return device;
  const given = {
    nameserver: dns.servers?.map((server) => `nameserver ${server}`),
    search: dns.search?.length === 0 ? [] : dns.search && [`search ${dns.search.join(' ')}`],
    options: dns.options?.length === 0 ? [] : dns.options && [`options ${dns.options.join(' ')}`],
  };
  const kept = device.split('\n').filter((line) => {
    const key = line.trim().split(/\s+/)[0] ?? '';
    return (
      key !== '' && given[(key === 'domain' ? 'search' : key) as keyof typeof given] === undefined
    );
  });
  const lines = [...Object.values(given).flatMap((some) => some ?? []), ...kept];
  return lines.length === 0 ? '' : `${lines.join('\n')}\n`;
}

/** The device's own /etc/hosts, for workloads in its network. */
export async function deviceHosts(): Promise<string> {
  const text = (await textIfThere('/etc/hosts')).slice(0, resolvBytesMax);
  return text === '' || text.endsWith('\n') ? text : `${text}\n`;
}

export async function writeNames(layout: Layout, texts: Texts): Promise<void> {
  await mkdir(dirname(layout.hosts), { recursive: true });
  await writeInPlace(layout.hosts, texts.hosts);
  await writeInPlace(layout.hostname, texts.hostname);
  await writeInPlace(layout.resolv, texts.resolv);
}

/**
 * Same inode, no write where nothing changed (flash wears). The container may write the file: never more than
 * `text`'s length of it is read, and what is no file any more is made anew. What it takes of the disk is
 * bounded as the container's writable layer is, by the same file system, and given back here. @throws NO_SPACE
 */
export async function writeInPlace(path: string, text: string): Promise<void> {
  try {
    const file = (await openPlain(path)) ?? (await openAnew(path));
    try {
      if (text !== '' && (await holds(file, Buffer.from(text)))) return;
      await file.chmod(0o644); // whatever our umask: everybody in the container reads it
      await file.truncate(0);
      await file.writeFile(text);
    } finally {
      await file.close();
    }
  } catch (error) {
    throw fileError(error, path);
  }
}

/** Neither a link nor a pipe leads or holds us anywhere. */
const plainly = constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK;

async function openPlain(path: string): Promise<FileHandle | undefined> {
  const file = await open(path, plainly, 0o644).catch((error: unknown) => {
    if (['ELOOP', 'EISDIR', 'ENXIO'].includes(errnoOf(error) ?? '')) return undefined;
    throw error;
  });
  if (file === undefined || (await file.stat()).isFile()) return file;
  await file.close();
  return undefined;
}

async function openAnew(path: string): Promise<FileHandle> {
  await rm(path, { recursive: true, force: true });
  return open(path, plainly | constants.O_EXCL, 0o644);
}

async function holds(file: FileHandle, wanted: Buffer): Promise<boolean> {
  if ((await file.stat()).size !== wanted.length) return false;
  const { buffer, bytesRead } = await file.read(Buffer.alloc(wanted.length), 0, wanted.length, 0);
  return bytesRead === wanted.length && buffer.equals(wanted);
}

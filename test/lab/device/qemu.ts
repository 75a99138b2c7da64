// SPDX-License-Identifier: Apache-2.0
// The command line of QEMU for one device. Pure: options and paths in, words out.

import { join } from 'node:path';
import type { Built } from './build.js';
import { type Arch, machines } from './machine.js';

export interface Forward {
  /** Port on the host's (or the namespace's) 127.0.0.1. */
  readonly host: number;
  readonly guest: number;
}

export interface DeviceOptions {
  readonly arch?: Arch;
  /** Default 256. The generic kernel takes about 45 of it; below 64 it does not boot. */
  readonly memoryMb?: number;
  readonly cpus?: number;
  readonly name?: string;
  /** An ext4 image (`makeDisk`), or the socket of a flash disk; on /data, survives a power cut. */
  readonly data?: { readonly image: string } | { readonly nbdSocket: string };
  /** A folder of the host, read and write, on /lab/share. */
  readonly share?: string;
  readonly forwards?: readonly Forward[];
  /** netem's words for both directions, from the start: 'delay 150ms loss 2%'. */
  readonly shape?: string;
  /** MiB of compressed swap. */
  readonly zramMb?: number;
  /** Network namespace in which QEMU runs: what it can reach, the device can. */
  readonly netns?: string;
  /** The clock at the start, as 2001-02-03T04:05:06. */
  readonly clock?: string;
  /** The console is this terminal, with a shell on it. */
  readonly shell?: boolean;
}

/** Files of one running device, below a folder of its own. */
export interface DeviceFiles {
  readonly control: string;
  readonly consoleLog: string;
  readonly monitor: string;
  readonly port: string;
}

export function filesIn(folder: string): DeviceFiles {
  return {
    control: join(folder, 'ctl'),
    consoleLog: join(folder, 'console.log'),
    monitor: join(folder, 'monitor'),
    port: join(folder, 'port'),
  };
}

export function qemuLine(options: DeviceOptions, built: Built, files: DeviceFiles): string[] {
  const machine = machines[options.arch ?? 'arm64'];
  return [
    ...(options.netns === undefined ? [] : ['nsenter', `--net=/run/netns/${options.netns}`]),
    machine.qemu,
    ...machine.board,
    ...['-accel', 'tcg,thread=multi', '-smp', String(options.cpus ?? 1)],
    ...['-m', String(options.memoryMb ?? 256), '-display', 'none', '-no-reboot'],
    ...['-kernel', built.kernel, '-initrd', built.initrd, '-append', kernelWords(options)],
    ...(options.shell === true
      ? ['-serial', 'mon:stdio']
      : ['-serial', `file:${files.consoleLog}`]),
    ...['-monitor', `unix:${files.monitor},server=on,wait=off`],
    ...['-netdev', `user,id=net0${forwardWords(options.forwards ?? [])}`],
    ...['-device', 'virtio-net-pci,netdev=net0,romfile='],
    ...['-device', 'virtio-rng-pci', '-device', 'virtio-serial-pci'],
    ...['-chardev', `socket,id=lab,path=${files.port},server=on,wait=off`],
    ...['-device', 'virtserialport,chardev=lab,name=lab'],
    ...disk('root', built.root, 'snapshot=on'),
    ...dataDisk(options),
    ...share('ctl', files.control),
    ...(options.share === undefined ? [] : share('share', options.share)),
    ...(options.clock === undefined ? [] : ['-rtc', `base=${options.clock}`]),
  ];
}

function kernelWords(options: DeviceOptions): string {
  const { console } = machines[options.arch ?? 'arm64'];
  const words = [
    `console=${console} quiet loglevel=4 panic=-1 lab.console=${console}`,
    `lab.name=${options.name ?? 'device'}`,
    ...(options.share === undefined ? [] : ['lab.share=yes']),
    ...(options.shape === undefined ? [] : [`lab.shape=${options.shape.replaceAll(' ', ',')}`]),
    ...(options.zramMb === undefined ? [] : [`lab.zram=${options.zramMb}`]),
    ...(options.shell === true ? ['lab.shell=yes'] : []),
  ];
  return words.join(' ');
}

function forwardWords(forwards: readonly Forward[]): string {
  return forwards.map(({ host, guest }) => `,hostfwd=tcp:127.0.0.1:${host}-:${guest}`).join('');
}

function disk(id: string, file: string, how: string): string[] {
  return [
    ...['-drive', `if=none,id=${id},file=${file},format=raw,${how}`],
    ...['-device', `virtio-blk-pci,drive=${id},serial=${id}`],
  ];
}

function dataDisk({ data }: DeviceOptions): string[] {
  if (data === undefined) return [];
  if ('nbdSocket' in data) return disk('data', `nbd:unix:${data.nbdSocket}`, 'cache=writeback');
  // What the device was told is written is with the host's kernel when QEMU is killed.
  return disk('data', data.image, 'cache=writethrough');
}

function share(id: string, path: string): string[] {
  return [
    ...['-fsdev', `local,id=${id},path=${path},security_model=none,multidevs=remap`],
    ...['-device', `virtio-9p-pci,fsdev=${id},mount_tag=${id}`],
  ];
}

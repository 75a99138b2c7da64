// SPDX-License-Identifier: Apache-2.0
// What the emulated devices are made of, as tables: the board that QEMU plays, Debian's packages, the kernel's
// modules. The boards are near small ones: a Raspberry Pi 3's cores for arm64, a 32-bit v7 with LPAE for armhf.

import { homedir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';

export type Arch = 'arm64' | 'armhf';

export interface Machine {
  /** As `uname -m` says it: the folder of build/. */
  readonly machine: 'aarch64' | 'armv7l';
  readonly qemu: string;
  readonly board: readonly string[];
  readonly console: string;
  /** Debian's meta package of the generic kernel: the cloud kernels have no 9p. */
  readonly kernel: string;
}

export const machines: Readonly<Record<Arch, Machine>> = {
  arm64: {
    machine: 'aarch64',
    qemu: 'qemu-system-aarch64',
    board: ['-M', 'virt', '-cpu', 'cortex-a53'],
    console: 'ttyAMA0',
    kernel: 'linux-image-arm64',
  },
  armhf: {
    machine: 'armv7l',
    qemu: 'qemu-system-arm',
    board: ['-M', 'virt', '-cpu', 'cortex-a15'],
    console: 'ttyAMA0',
    kernel: 'linux-image-armmp-lpae',
  },
};

export const guestPackages = [
  'busybox-static',
  'ca-certificates',
  'dash',
  'e2fsprogs',
  'iproute2',
  'kmod',
  'libatomic1',
  'libc6',
  'libstdc++6',
  'mount',
  'nftables',
  'tar',
  'util-linux',
  'zstd',
];

/** Modules of the initrd, with what they need. */
export const bootModules = ['virtio_pci', 'virtio_blk', 'ext4', 'virtio_console'];

/** What ext4 and nftables load by name and modules.dep does not say. */
export const softModules = ['crc32c_generic', 'libcrc32c'];

/** Folders and files below kernel/ whose modules the device keeps; * stands for anything. */
export const rootModules =
  `drivers/virtio/* drivers/net/virtio_net* drivers/net/net_failover* net/core/failover*
 net/9p/* fs/9p/* fs/netfs/* fs/fscache/* fs/overlayfs/* fs/fuse/* fs/ext4/* fs/jbd2/* fs/nls/* fs/mbcache* fs/nfs/*
 lib/* crypto/* drivers/block/zram/* drivers/block/loop* drivers/block/nbd* mm/* drivers/md/* drivers/net/veth*
 drivers/net/ifb* drivers/net/tun* drivers/net/dummy* drivers/net/macvlan* net/bridge/* net/bridge/netfilter/*
 net/802/* net/llc/* net/8021q/* net/netfilter/* net/ipv4/* net/ipv4/netfilter/* net/ipv6/* net/ipv6/netfilter/*
 net/sched/* drivers/watchdog/softdog* drivers/char/hw_random/* drivers/rtc/rtc-pl031* arch/*/crypto/*`
    .split(/\s+/)
    .filter((word) => word !== '');

/** busybox's programs, where Debian's own is not in the root. */
export const applets =
  `[ awk base64 basename cat chmod chown chroot cmp cp cut date dd df diff dirname dmesg du echo
 env expr false find free fsync grep gunzip gzip halt head hexdump hostname id insmod kill less ln ls lsmod md5sum mkdir
 mkfifo mknod mktemp mv nc nice nohup nproc od pidof ping pkill poweroff printf ps pwd readlink realpath reboot reset rm
 rmdir rmmod sed seq setsid sha256sum sleep sort split stat strings stty sync tac tail tee test time timeout top touch tr
 true truncate tty udhcpc uname uniq unlink uptime usleep vi wc wget which whoami xargs xxd yes zcat`
    .split(/\s+/)
    .filter((word) => word !== '');

/** $WHERRY_LAB_CACHE, else wherry-lab in the user's cache folder; about 350 MB an architecture. */
export function labCache(): string {
  const own = process.env['WHERRY_LAB_CACHE'];
  if (own !== undefined && own !== '') return own;
  const cache = process.env['XDG_CACHE_HOME'];
  return join(
    cache !== undefined && cache !== '' ? cache : join(homedir(), '.cache'),
    'wherry-lab',
  );
}

export function isArch(word: string): word is Arch {
  return word in machines;
}

#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// `make lab-shell` and `make setup-lab`: builds the devices, or boots one and gives its console to this terminal. The
// data disk stays between two shells; Ctrl-A C is QEMU's monitor, where `set_link net0 off` pulls the cable.

import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { buildDevice } from './build.js';
import { openDevice } from './device.js';
import { makeDisk } from './disk.js';
import { isArch, labCache } from './machine.js';

const usage = `usage: main.js build [ARCH...]
       main.js shell [--arch ARCH] [--memory MB] [--cpus N] [--share DIR] [--data IMAGE] [--shape NETEM]
                     [--forward HOST:GUEST]...
ARCH is arm64 or armhf`;

const dataMb = 1024;

async function main(args: string[]): Promise<number> {
  const [verb, ...rest] = args;
  if (verb === 'build') return build(rest.length === 0 ? ['arm64'] : rest);
  if (verb === 'shell') return shell(rest);
  process.stderr.write(`${usage}\n`);
  return 2;
}

async function build(arches: readonly string[]): Promise<number> {
  for (const arch of arches) await buildDevice(archOf(arch), say);
  return 0;
}

async function shell(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      arch: { type: 'string', default: 'arm64' },
      memory: { type: 'string', default: '256' },
      cpus: { type: 'string', default: '2' },
      share: { type: 'string' },
      data: { type: 'string' },
      shape: { type: 'string' },
      forward: { type: 'string', multiple: true, default: [] },
    },
  });
  const arch = archOf(values.arch);
  const image = values.data ?? join(labCache(), `shell-${arch}.img`);
  await mkdir(labCache(), { recursive: true });
  if (!existsSync(image)) await makeDisk(image, dataMb);
  say(
    `lab: ${arch}, ${values.memory} MB; /data is ${image}; Ctrl-D powers off, Ctrl-A X pulls the plug`,
  );
  const device = await openDevice({
    arch,
    memoryMb: whole(values.memory, '--memory'),
    cpus: whole(values.cpus, '--cpus'),
    data: { image: resolve(image) },
    shell: true,
    ...(values.share === undefined ? {} : { share: resolve(values.share) }),
    ...(values.shape === undefined ? {} : { shape: values.shape }),
    forwards: values.forward.map((each) => {
      const [host, guest] = each.split(':');
      return { host: whole(host, '--forward'), guest: whole(guest, '--forward') };
    }),
  });
  await device.ended();
  await device.cut();
  return 0;
}

function archOf(word: string): 'arm64' | 'armhf' {
  if (isArch(word)) return word;
  throw new Error(`${word} is no architecture of the lab: arm64 or armhf`);
}

function whole(word: string | undefined, option: string): number {
  if (word !== undefined && /^[1-9]\d{0,5}$/.test(word)) return Number(word);
  throw new Error(`${option} takes whole numbers, not '${word ?? ''}'`);
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`lab: ${(error as Error).message}\n`);
  process.exitCode = 1;
}

// SPDX-License-Identifier: Apache-2.0
// The level of an x86-64 CPU from what Linux says, and which image of an index it gets.

import test from 'ava';
import { cpuPlatform, levelOf } from '../../../images/oci/cpu.js';
import type { Index } from '../../../images/oci/manifest.js';
import { mediaTypes } from '../../../images/oci/media.js';
import { hostPlatform, parsePlatform, pickManifest } from '../../../images/oci/platform.js';

const v2 = 'fpu pni ssse3 cx16 sse4_1 sse4_2 popcnt lahf_lm';
const v3 = `${v2} avx avx2 bmi1 bmi2 f16c fma abm movbe xsave`;

test('a level needs all of its features, and of the ones below', (t) => {
  const of = (flags: string): string | undefined =>
    levelOf(`processor\t: 0\nflags\t\t: ${flags}\nbugs\t\t: x\n`);
  t.is(of('fpu sse2'), undefined);
  t.is(of(v2), 'v2');
  t.is(of(v2.replace('popcnt', '')), undefined);
  t.is(of(v3), 'v3');
  t.is(of(v3.replace('cx16', '')), undefined);
  t.is(of(`${v3} avx512f avx512bw avx512cd avx512dq avx512vl`), 'v4');
  t.is(levelOf(''), undefined);
});

test('this machine is at least what its programs are built for', (t) => {
  t.is(cpuPlatform().architecture, hostPlatform().architecture);
});

test('of several variants the best that the device can run is taken', (t) => {
  const index = (...platforms: string[]): Index => ({
    kind: 'index',
    mediaType: mediaTypes.index,
    annotations: {},
    manifests: platforms.map((text, at) => ({
      mediaType: mediaTypes.manifest,
      digest: `sha256:${String(at).repeat(64)}`,
      size: at,
      platform: parsePlatform(text),
    })),
  });
  const rows: ReadonlyArray<readonly [string, readonly string[], number]> = [
    ['linux/amd64/v3', ['linux/amd64', 'linux/amd64/v2', 'linux/amd64/v3', 'linux/amd64/v4'], 2],
    ['linux/amd64/v2', ['linux/amd64', 'linux/amd64/v3', 'linux/amd64/v2'], 2],
    ['linux/amd64', ['linux/amd64/v2', 'linux/amd64'], 1],
    ['linux/arm/v7', ['linux/arm/v5', 'linux/arm/v7', 'linux/arm/v6', 'linux/arm64'], 1],
    ['linux/arm/v7', ['linux/arm/v5', 'linux/arm/v6', 'linux/arm/v8'], 1],
    ['linux/arm/v6', ['linux/arm/v7', 'linux/arm/v6', 'linux/arm/v5'], 1],
    ['linux/arm64', ['linux/arm64/v8', 'linux/arm/v7'], 0],
    ['linux/arm64', ['linux/arm64/v9', 'linux/arm64'], 1],
  ];
  for (const [device, images, at] of rows) {
    const found = pickManifest(index(...images), parsePlatform(device));
    t.is(found.size, at, `${device} of ${images.join(' ')}`);
  }
});

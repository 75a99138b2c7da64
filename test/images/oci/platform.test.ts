// SPDX-License-Identifier: Apache-2.0
// Which entry of an index a device takes.

import test from 'ava';
import type { Descriptor } from '../../../images/oci/descriptor.js';
import type { Index } from '../../../images/oci/manifest.js';
import { mediaTypes } from '../../../images/oci/media.js';
import {
  checkPlatform,
  formatPlatform,
  hostPlatform,
  parsePlatform,
  pickManifest,
} from '../../../images/oci/platform.js';
import { codeOf } from '../../../protocol/error.js';

function anIndex(
  platforms: ReadonlyArray<string | undefined>,
  changed: Partial<Descriptor> = {},
): Index {
  const manifests = platforms.map((text, at) => {
    const [os = '', architecture = '', variant] = (text ?? '').split('/');
    const platform = { os, architecture, ...(variant === undefined ? {} : { variant }) };
    return {
      mediaType: mediaTypes.manifest,
      digest: `sha256:${String(at).repeat(64)}` as const,
      size: 1,
      ...(text === undefined ? {} : { platform }),
      ...changed,
    };
  });
  return { kind: 'index', mediaType: mediaTypes.index, manifests, annotations: {} };
}

function picked(platforms: ReadonlyArray<string | undefined>, host: string): number | string {
  const index = anIndex(platforms);
  try {
    return index.manifests.indexOf(pickManifest(index, parsePlatform(host)));
  } catch (error) {
    return codeOf(error);
  }
}

test('the device takes the newest variant that it can run', (t) => {
  const arms = ['linux/amd64', 'linux/arm/v5', 'linux/arm/v7', 'linux/arm/v6', 'linux/arm64/v8'];
  t.is(picked(arms, 'linux/arm/v7'), 2);
  t.is(picked(arms, 'linux/arm/v6'), 3);
  t.is(picked(arms, 'linux/arm/v5'), 1);
  t.is(picked(arms, 'linux/arm/v8'), 2);
  t.is(picked(arms, 'linux/arm64'), 4);
  t.is(picked(arms, 'linux/amd64'), 0);
  t.is(picked(arms, 'linux/amd64/v3'), 0);
  t.is(picked(['linux/arm/v6', 'linux/arm64'], 'linux/arm/v7'), 0);
});

test('an architecture without a variant means its usual one', (t) => {
  t.is(picked(['linux/arm64'], 'linux/arm64/v8'), 0);
  t.is(picked(['linux/arm64/v8'], 'linux/arm64'), 0);
  t.is(picked(['linux/arm'], 'linux/arm/v7'), 0);
  t.is(picked(['linux/arm'], 'linux/arm/v6'), 'IMAGE_PLATFORM');
  t.is(picked(['linux/amd64/v3', 'linux/amd64/v2'], 'linux/amd64'), 'IMAGE_PLATFORM');
  t.is(picked(['linux/amd64', 'linux/amd64/v3', 'linux/amd64/v2'], 'linux/amd64/v2'), 2);
});

test('a 64-bit device never falls back to a 32-bit image, nor to another system', (t) => {
  t.is(picked(['linux/arm/v7'], 'linux/arm64'), 'IMAGE_PLATFORM');
  t.is(picked(['windows/amd64'], 'linux/amd64'), 'IMAGE_PLATFORM');
  t.is(picked([], 'linux/amd64'), 'IMAGE_PLATFORM');
});

test('attestations for unknown/unknown are skipped', (t) => {
  t.is(picked(['unknown/unknown', 'linux/arm64'], 'linux/arm64'), 1);
  t.is(picked(['unknown/unknown', undefined], 'linux/arm64'), 1);
  t.is(picked(['unknown/unknown'], 'linux/arm64'), 'IMAGE_PLATFORM');
});

test('the only entry is taken where it names no platform', (t) => {
  t.is(picked([undefined], 'linux/arm64'), 0);
  t.is(picked([undefined, undefined], 'linux/arm64'), 'IMAGE_PLATFORM');
});

test('an index inside an index is refused', (t) => {
  const index = anIndex(['linux/arm64'], { mediaType: mediaTypes.index });
  const error = t.throws(() => pickManifest(index, parsePlatform('linux/arm64')));
  t.is(codeOf(error), 'IMAGE_MEDIA');
});

test('other names of architectures are known, and wrong words refused', (t) => {
  t.is(formatPlatform(parsePlatform('linux/aarch64')), 'linux/arm64');
  t.is(formatPlatform(parsePlatform('linux/armhf')), 'linux/arm/v7');
  t.is(formatPlatform(parsePlatform('Linux/x86_64')), 'linux/amd64');
  for (const text of ['linux', 'linux/', 'a/b/c/d', 'linux/arm v7', '']) {
    t.is(codeOf(t.throws(() => parsePlatform(text))), 'USAGE');
  }
});

test('the platform of this process is one that it can run', (t) => {
  t.notThrows(() => checkPlatform(hostPlatform(), hostPlatform()));
  t.is(hostPlatform().os, 'linux');
  const error = t.throws(() => checkPlatform(parsePlatform('linux/s390x'), hostPlatform()));
  t.is(codeOf(error), 'IMAGE_PLATFORM');
});

// SPDX-License-Identifier: Apache-2.0
// Platforms: os/architecture[/variant], and which entry of an index fits one best. A variant fits if it is
// the device's own or an older one of the same architecture; the newest that fits wins. There is no falling
// from 64 to 32 bit: many 64-bit ARM cores cannot run it.

import { CodedError } from '../../protocol/error.js';
import type { Descriptor } from './descriptor.js';
import type { Index } from './manifest.js';
import { isIndexType, isManifestType } from './media.js';

export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
}

const architectures: Readonly<Record<string, readonly [string, string?]>> = {
  x64: ['amd64'],
  x86_64: ['amd64'],
  'x86-64': ['amd64'],
  ia32: ['386'],
  i386: ['386'],
  i686: ['386'],
  aarch64: ['arm64'],
  armhf: ['arm', 'v7'],
  armv7l: ['arm', 'v7'],
  armv6l: ['arm', 'v6'],
  armel: ['arm', 'v5'],
  ppc64: ['ppc64le'],
};

/** What an architecture without a variant means (OCI image-spec image-index.md §Platform Variants). */
const plainVariants: Readonly<Record<string, string>> = { arm: 'v7', arm64: 'v8', amd64: 'v1' };

/** Of this process. A 32-bit Node on a 64-bit kernel counts as 32 bit: that is what surely runs. */
export function hostPlatform(): Platform {
  const [architecture] = architectures[process.arch] ?? [process.arch];
  if (process.arch !== 'arm') return { os: process.platform, architecture: architecture ?? '' };
  const { arm_version: found } = process.config.variables as { arm_version?: string | number };
  const version = /^[5-8]$/.test(String(found)) ? found : 7; // some builds say "default"
  return { os: process.platform, architecture: 'arm', variant: `v${version}` };
}

/** Reads `linux/arm/v7`; `armhf`, `aarch64` and `x86_64` are known too. @throws USAGE */
export function parsePlatform(text: string): Platform {
  const parts = text.toLowerCase().split('/');
  const [os, named, variant] = parts;
  const isFine = parts.length <= 3 && parts.every((part) => /^[a-z0-9_.-]{1,32}$/.test(part));
  if (os === undefined || named === undefined || !isFine) {
    throw new CodedError(
      'USAGE',
      `a platform is OS/ARCH[/VARIANT] like linux/arm/v7, not '${text}'`,
    );
  }
  return plain({ os, architecture: named, ...(variant === undefined ? {} : { variant }) });
}

export function formatPlatform(platform: Platform): string {
  const { os, architecture, variant } = platform;
  return `${os}/${architecture}${variant === undefined ? '' : `/${variant}`}`;
}

function plain(platform: Platform): Platform {
  const [architecture, implied] = architectures[platform.architecture] ?? [platform.architecture];
  const variant = platform.variant ?? implied;
  return { os: platform.os, architecture, ...(variant === undefined ? {} : { variant }) };
}

/** 7 for v7; the architecture's usual one where none is given; NaN for words that are not v<number>. */
function rankOf(platform: Platform): number {
  const variant = platform.variant || plainVariants[platform.architecture];
  if (variant === undefined) return 0;
  return /^v[0-9]{1,2}$/.test(variant) ? Number(variant.slice(1)) : Number.NaN;
}

/** Whether a device of `host` runs what was built for `built`. */
export function fits(built: Platform, host: Platform): boolean {
  const a = plain(built);
  const b = plain(host);
  if (a.os !== b.os || a.architecture !== b.architecture) return false;
  return (a.variant ?? '') === (b.variant ?? '') || rankOf(a) <= rankOf(b);
}

/**
 * The manifest of an index that fits best. Attestations and other entries for `unknown/unknown` are skipped.
 * @throws IMAGE_PLATFORM naming what there is; IMAGE_MEDIA for an index inside an index
 */
export function pickManifest(index: Index, host: Platform): Descriptor {
  const images = index.manifests.filter((entry) => !isAttestation(entry));
  const only = images.length === 1 ? images[0] : undefined;
  const found = only !== undefined && only.platform === undefined ? only : bestOf(images, host);
  if (found === undefined) throw noneFits(images, host);
  if (!isManifestType(found.mediaType)) {
    const what = isIndexType(found.mediaType) ? 'an index inside an index' : found.mediaType;
    throw new CodedError('IMAGE_MEDIA', `the index has ${what}, which is not supported`, {
      digest: found.digest,
    });
  }
  return found;
}

function bestOf(images: readonly Descriptor[], host: Platform): Descriptor | undefined {
  let best: Descriptor | undefined;
  for (const entry of images) {
    if (entry.platform === undefined || !fits(entry.platform, host)) continue;
    if (best?.platform === undefined || rankOf(entry.platform) > rankOf(best.platform))
      best = entry;
  }
  return best;
}

export function isAttestation(entry: Descriptor): boolean {
  const isUnknown = entry.platform?.os === 'unknown' || entry.platform?.architecture === 'unknown';
  return isUnknown || entry.annotations?.['vnd.docker.reference.type'] === 'attestation-manifest';
}

function noneFits(images: readonly Descriptor[], host: Platform): CodedError {
  const platform = formatPlatform(host);
  const there = images
    .slice(0, 16)
    .map((entry) => (entry.platform === undefined ? 'unnamed' : formatPlatform(entry.platform)));
  const list = there.length === 0 ? 'none' : there.join(', ');
  return new CodedError('IMAGE_PLATFORM', `nothing for ${platform} in the index; it has ${list}`, {
    platform,
  });
}

/** @throws IMAGE_PLATFORM where the config says another platform than the device's */
export function checkPlatform(built: Platform, host: Platform): void {
  if (fits(built, host)) return;
  const [found, platform] = [formatPlatform(built), formatPlatform(host)];
  throw new CodedError('IMAGE_PLATFORM', `the image is for ${found}, the device is ${platform}`, {
    found,
    platform,
  });
}

// SPDX-License-Identifier: Apache-2.0
// A client of OCI registries: what it can do, in one place. It holds connections and tokens, so it has a
// lifetime: close() ends them. It keeps nothing on disk and knows nothing of platforms.

import { type Clock, systemClock } from '../../adapters/clock.js';
import type { Reference } from '../oci/reference.js';
import { type BlobOptions, type BlobWanted, fetchSmallBlob } from './blob.js';
import { type ConnectionOptions, openConnections } from './connections.js';
import { openExchange } from './exchange.js';
import { type FetchedManifest, fetchManifest, type RegistryContext } from './manifest.js';
import { type MirrorOptions, openMirrors } from './mirrors.js';
import { checkLogin, fetchTags, removeManifest } from './names.js';
import { type RetryRule, usualRetry } from './retry.js';
import { type CredentialSource, openTokens } from './tokens.js';
import {
  type PushedBlob,
  type PushOptions,
  type PushOutcome,
  pushBlob,
  pushManifest,
} from './upload.js';

export interface RegistryOptions extends ConnectionOptions {
  readonly credentials?: CredentialSource | undefined;
  /** `host[:port][/prefix]` in order, asked before the registry itself; never pushed to. */
  readonly mirrorsOf?: ((host: string) => readonly string[]) | undefined;
  readonly clock?: Clock;
  readonly retry?: Partial<RetryRule>;
}

export interface Registry {
  /** By digest where the reference has one, else by tag; checked. */
  manifest(reference: Reference, signal?: AbortSignal): Promise<FetchedManifest>;
  /** Resumes by itself; exactly `size` bytes, digest NOT checked. */
  blob(
    reference: Reference,
    blob: BlobWanted,
    options?: BlobOptions & MirrorOptions,
  ): AsyncGenerator<Buffer>;
  /** Whether another than the registry itself may answer for it. */
  isMirrored(reference: Reference): boolean;
  /** At most 4 MiB, checked. */
  smallBlob(reference: Reference, blob: BlobWanted, signal?: AbortSignal): Promise<Buffer>;
  pushBlob(reference: Reference, blob: PushedBlob, options?: PushOptions): Promise<PushOutcome>;
  pushManifest(
    reference: Reference,
    manifest: FetchedManifest,
    signal?: AbortSignal,
  ): Promise<void>;
  /** Of the registry itself. */
  tags(reference: Reference, signal?: AbortSignal): Promise<string[]>;
  /** By digest where the reference has one, else the tag. */
  remove(reference: Reference, signal?: AbortSignal): Promise<void>;
  /** Whether the registry lets us in. @throws REGISTRY_AUTH, REGISTRY_* */
  login(host: string, signal?: AbortSignal): Promise<void>;
  /** Heads and bodies received, TLS excluded. */
  bytesReceived(): number;
  close(): void;
}

export function openRegistry(options: RegistryOptions = {}): Registry {
  const clock = options.clock ?? systemClock;
  const connections = openConnections(options);
  const { credentials } = options;
  const tokens = openTokens({
    connections,
    clock,
    ...(credentials === undefined ? {} : { credentials }),
  });
  const context: RegistryContext = {
    exchange: openExchange(connections, tokens, clock.now),
    origin: connections.origin,
    rule: { ...usualRetry, ...options.retry },
    clock,
  };
  const mirrors = openMirrors(context, clock, options.mirrorsOf ?? (() => []));
  return {
    manifest: async (reference, signal) =>
      mirrors.first(reference, signal, (end, named) => fetchManifest(end, named, signal)),
    blob: (reference, blob, wanted = {}) => mirrors.blob(reference, blob, wanted),
    isMirrored: mirrors.isMirrored,
    smallBlob: async (reference, blob, signal) =>
      mirrors.first(reference, signal, (end, named) =>
        fetchSmallBlob(end, named, blob, signal === undefined ? {} : { signal }),
      ),
    tags: async (reference, signal) => fetchTags(context, reference, signal),
    remove: async (reference, signal) => removeManifest(context, reference, signal),
    login: async (host, signal) => checkLogin(context, host, signal),
    pushBlob: async (reference, blob, wanted) => pushBlob(context, reference, blob, wanted),
    pushManifest: async (reference, manifest, signal) =>
      pushManifest(context, reference, manifest, signal),
    bytesReceived: connections.bytesReceived,
    close: connections.close,
  };
}

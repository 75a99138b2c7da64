// SPDX-License-Identifier: Apache-2.0
// Reading through mirrors: each in its order, the registry itself last. A mirror that is away is left out for a
// while; one that cuts a blob is followed by the next from the same byte on. A mirror gets its own credentials
// and certificates, never the registry's, and is believed no more than any other: digests decide.

import type { Clock } from '../../adapters/clock.js';
import type { Code } from '../../protocol/codes.js';
import { CodedError, codeOf } from '../../protocol/error.js';
import type { Reference } from '../oci/reference.js';
import { type BlobOptions, type BlobWanted, fetchBlob } from './blob.js';
import type { RegistryContext } from './manifest.js';

export interface MirrorOptions {
  /** Only the registry itself: a mirror has given wrong bytes. */
  readonly direct?: boolean;
}

export interface Mirrors {
  isMirrored(reference: Reference): boolean;
  /** Runs `work` with each end in turn until one does it. */
  first<T>(
    reference: Reference,
    signal: AbortSignal | undefined,
    work: (context: RegistryContext, reference: Reference) => Promise<T>,
  ): Promise<T>;
  blob(
    reference: Reference,
    blob: BlobWanted,
    options: BlobOptions & MirrorOptions,
  ): AsyncGenerator<Buffer>;
}

/** A mirror is worth two attempts: there is another place to ask. */
const attemptCountMax = 2;
const pauseMs = 60_000;
/** Of these a mirror need not be asked again soon. */
const away: readonly Code[] = [
  'REGISTRY_UNREACHABLE',
  'REGISTRY_TIMEOUT',
  'REGISTRY_PROXY',
  'REGISTRY_FAILED',
  'REGISTRY_TLS',
  'REGISTRY_PLAIN',
  'REGISTRY_AUTH',
  'REGISTRY_DENIED',
  'REGISTRY_PROTOCOL',
];

interface End {
  readonly context: RegistryContext;
  readonly reference: Reference;
}

export function openMirrors(
  context: RegistryContext,
  clock: Clock,
  mirrorsOf: (host: string) => readonly string[],
): Mirrors {
  const pausedUntil = new Map<string, number>();
  const quick = { ...context, rule: { ...context.rule, attemptCountMax } };

  const endsOf = (reference: Reference, direct: boolean): readonly End[] => {
    const mirrors = direct ? [] : mirrorsOf(reference.host);
    const awake = mirrors
      .map((mirror) => mirrored(reference, mirror))
      .filter(({ host }) => (pausedUntil.get(host) ?? 0) <= clock.monotonicMs());
    return [...awake.map((one) => ({ context: quick, reference: one })), { context, reference }];
  };
  /** Throws where nobody is left to ask. */
  const failed = (error: unknown, end: End, isLast: boolean, signal?: AbortSignal): void => {
    if (isLast || signal?.aborted === true || !(error instanceof CodedError)) throw error;
    if (!away.includes(codeOf(error))) return;
    pausedUntil.set(end.reference.host, clock.monotonicMs() + pauseMs);
  };

  return {
    isMirrored: ({ host }) => mirrorsOf(host).length > 0,
    first: async (reference, signal, work) => {
      const ends = endsOf(reference, false);
      for (const [at, end] of ends.entries()) {
        try {
          return await work(end.context, end.reference);
        } catch (error) {
          failed(error, end, at === ends.length - 1, signal);
        }
      }
      throw new Error('the last end throws');
    },
    blob: async function* (reference, blob, { direct = false, from = 0, ...options }) {
      let offset = from;
      const ends = endsOf(reference, direct);
      for (const [at, end] of ends.entries()) {
        try {
          const wanted = { ...options, from: offset };
          for await (const chunk of fetchBlob(end.context, end.reference, blob, wanted)) {
            offset += chunk.length;
            yield chunk;
          }
          return;
        } catch (error) {
          failed(error, end, at === ends.length - 1, options.signal);
        }
      }
    },
  };
}

/** `host[:port][/prefix]` in place of the host. */
function mirrored(reference: Reference, mirror: string): Reference {
  const slash = mirror.indexOf('/');
  const [host, prefix] =
    slash < 0 ? [mirror, ''] : [mirror.slice(0, slash), `${mirror.slice(slash + 1)}/`];
  return { ...reference, host, repository: `${prefix}${reference.repository}` };
}

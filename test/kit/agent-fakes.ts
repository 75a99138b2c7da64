// SPDX-License-Identifier: Apache-2.0
// Run and pull as the loop sees them, small and in memory: the rooms beside it have their own tests against
// the real things. Containers behave as their image says.

import { setTimeout as delay } from 'node:timers/promises';
import type { Pull, PulledImage } from '../../agent/pull/types.js';
import type { MadeContainer, Run } from '../../agent/run/types.js';
import type { Store } from '../../agent/store/types.js';
import { CodedError } from '../../protocol/error.js';
import type { Digest } from '../../protocol/name.js';
import { aStatus, digestFor } from './agent-docs.js';
import { putImage } from './agent-store.js';

export type Conduct = 'well' | 'sick' | 'crashes' | 'cannot-start';

export interface FakeRun extends Run {
  readonly calls: string[];
  readonly conduct: Map<Digest, Conduct>;
  /** As after a reboot or a killed keeper; `silently`: nobody is told. */
  loseKeeper(id: string, silently?: 'silently'): void;
  running(): string[];
}

export function aRun(): FakeRun {
  const made = new Map<string, MadeContainer>();
  const watchers = new Set<(id: string) => void>();
  const calls: string[] = [];
  const conduct = new Map<Digest, Conduct>();
  const set = (id: string, status: MadeContainer['status'] | undefined): void => {
    const container = made.get(id);
    if (container === undefined) return;
    const { status: _old, ...rest } = container;
    made.set(id, status === undefined ? rest : { ...rest, status });
  };
  const change = (id: string, status: MadeContainer['status'] | undefined): void => {
    set(id, status);
    for (const changed of watchers) changed(id);
  };
  const live = (id: string, how: Conduct, checks: boolean): void => {
    if (made.get(id)?.status === undefined) return;
    const health = how === 'sick' ? 'unhealthy' : 'healthy';
    if (how === 'crashes') change(id, aStatus({ id, state: 'restarting', restartCount: 1 }));
    else if (checks) change(id, aStatus({ id, health }));
  };
  return {
    calls,
    conduct,
    create: async ({ id, spec, release, workload, image, config }) => {
      calls.push(`create ${workload.name} ${config.architecture}`);
      if (made.has(id)) return;
      made.set(id, { id, spec, release, image, workload, address: null });
    },
    start: async (id) => {
      const container = made.get(id);
      calls.push(`start ${container?.workload.name}`);
      if (container === undefined) throw new CodedError('BOX_ABSENT', `no container ${id}`);
      if (container.status !== undefined) return;
      const how = conduct.get(container.image) ?? 'well';
      if (how === 'cannot-start') {
        const error = { code: 'BOX_EXEC', message: 'no such program' };
        change(id, aStatus({ id, state: 'failed', error }));
        throw new CodedError('BOX_EXEC', 'no such program');
      }
      const checks = container.workload.healthcheck !== undefined;
      change(id, aStatus({ id, health: checks ? 'starting' : 'none' }));
      setTimeout(() => live(id, how, checks), 20).unref();
    },
    stop: async (id) => {
      calls.push(`stop ${made.get(id)?.workload.name}`);
      change(id, undefined);
    },
    remove: async (id) => {
      calls.push(`remove ${made.get(id)?.workload.name}`);
      made.delete(id);
    },
    list: async () => [...made.values()],
    stats: async () => [],
    logs: () => {
      throw new Error('nobody asks for logs here');
    },
    watch: (changed) => {
      watchers.add(changed);
      return () => watchers.delete(changed);
    },
    loseKeeper: (id, silently) => (silently ? set(id, undefined) : change(id, undefined)),
    running: () =>
      [...made.values()].filter(({ status }) => status !== undefined).map(({ id }) => id),
  };
}

export interface FakePull extends Pull {
  readonly calls: string[];
  /** Failures to come, first first. */
  readonly failures: CodedError[];
  /** Images that take until their pull is given up. */
  readonly endless: Set<Digest>;
  givenUp: number;
}

/** Images that are named as test/kit/agent-docs.ts does it: the digest of `name:tag`. */
export function aPull(store: Store): FakePull {
  const fake: FakePull = {
    calls: [],
    failures: [],
    endless: new Set(),
    givenUp: 0,
    image: async ({ reference, digest }, { signal, onProgress }) => {
      const name = reference.slice(reference.indexOf('/') + 1);
      fake.calls.push(name);
      onProgress?.({ image: digest, bytesDone: 1, bytesTotal: 2 });
      if (fake.endless.has(digest)) {
        await delay(60_000, undefined, { signal: signal as AbortSignal }).catch(() => {
          fake.givenUp += 1;
        });
        throw signal?.reason;
      }
      const failure = fake.failures.shift();
      if (failure !== undefined) throw failure;
      if (digestFor(name) !== digest) throw new CodedError('IMAGE_DIGEST', `not ${digest}`);
      await putImage(store, name, ['base', name]);
      return {
        digest,
        reference,
        manifest: digest,
        config: imageConfig,
        layers: [],
        bytesFetched: 10,
        imageBytes: 20,
      } satisfies PulledImage;
    },
  };
  return fake;
}

export const imageConfig = {
  architecture: 'amd64',
  os: 'linux',
  diffIds: [],
  env: [],
  entrypoint: [],
  cmd: [],
  volumes: [],
  labels: {},
} as const;

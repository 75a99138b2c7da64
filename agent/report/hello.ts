// SPDX-License-Identifier: Apache-2.0
// Hello: who speaks, in which boot, what it accepted last and which documents it lacks. The fleet answers
// when it has something newer.

import type { Assignment } from '../../protocol/assignment.js';
import type { Hello } from '../../protocol/device.js';
import type { Digest } from '../../protocol/name.js';

export interface HelloFacts {
  readonly bootId: string;
  readonly seq: number;
  readonly assignment: Assignment | undefined;
  readonly missing: readonly Digest[];
  readonly agent: string;
  readonly platform: Hello['platform'];
  readonly memoryBytes: number;
  readonly at: string;
}

export function helloOf(facts: HelloFacts): Hello {
  const { bootId, seq, assignment, missing, agent, platform, memoryBytes, at } = facts;
  return {
    bootId,
    seq,
    epoch: assignment?.epoch ?? 0,
    generation: assignment?.generation ?? 0,
    release: assignment?.release?.digest ?? null,
    missing: [...missing],
    agent,
    platform,
    memoryBytes,
    at,
  };
}

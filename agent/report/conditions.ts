// SPDX-License-Identifier: Apache-2.0
// The five conditions of a device: Converged, Linked, Gate, Pulled, Disk. True is well; False carries a code
// where there is one; Unknown is under way or never asked.

import type { Code } from '../../protocol/codes.js';
import type { Condition } from '../../protocol/device.js';
import type { Observed } from '../plan/observed.js';
import { describe, type Step } from '../plan/step.js';
import type { ReportFacts } from './reported.js';

type Word = Pick<Condition, 'status'> & { code?: string; message?: string };

export function conditionsOf(
  facts: Pick<ReportFacts, 'observed' | 'steps' | 'linked' | 'at'>,
  before: readonly Condition[],
): Condition[] {
  const { observed, steps, linked, at } = facts;
  const words: ReadonlyArray<[Condition['type'], Word]> = [
    ['Converged', converged(observed, steps)],
    ['Linked', linkedWord(linked)],
    ['Gate', gateWord(observed)],
    ['Pulled', pulledWord(observed, steps)],
    ['Disk', diskWord(observed)],
  ];
  return words.map(([type, word]) => {
    const last = before.find((one) => one.type === type);
    const isSame = last?.status === word.status && last.code === word.code;
    return { type, ...clipped(word), since: isSame ? last.since : at };
  });
}

function clipped(word: Word): Word {
  return word.message === undefined ? word : { ...word, message: word.message.slice(0, 1024) };
}

function linkedWord({ status, code, message }: ReportFacts['linked']): Word {
  return {
    status,
    ...(code === undefined ? {} : { code }),
    ...(message === undefined ? {} : { message }),
  };
}

function converged(observed: Observed, steps: readonly Step[]): Word {
  if (observed.desired === undefined) return { status: 'Unknown', message: 'nothing was asked' };
  const failed = failedWord(observed);
  if (failed !== undefined) return failed;
  const first = steps.find(({ kind }) => kind !== 'wait') ?? steps[0];
  const isThere = observed.trial === null && observed.good === observed.desired.release;
  if (first === undefined) return isThere ? { status: 'True' } : { status: 'False' };
  if (first.kind === 'wait') return { status: 'False', ...coded(first) };
  const isTidying = isThere && (first.kind === 'prune' || first.kind === 'remove');
  return isTidying ? { status: 'True' } : { status: 'False', message: describe(first) };
}

function failedWord(observed: Observed): Word | undefined {
  const failed = observed.failed.find(({ release }) => release === observed.desired?.release);
  return failed === undefined ? undefined : { status: 'False', ...coded(failed) };
}

function coded({ code, message }: { code: Code; message: string }): Omit<Word, 'status'> {
  return { code, message };
}

function gateWord(observed: Observed): Word {
  if (observed.trial !== null) {
    const code: Code = observed.trial.wellSinceMs === null ? 'GATE_PENDING' : 'GATE_BAKING';
    return { status: 'Unknown', code };
  }
  const failed = failedWord(observed);
  if (failed !== undefined) return failed;
  const isPassed = observed.good !== null && observed.good === observed.desired?.release;
  return { status: isPassed ? 'True' : 'Unknown' };
}

function pulledWord(observed: Observed, steps: readonly Step[]): Word {
  const held = observed.releases.find(({ digest }) => digest === observed.desired?.release);
  if (held === undefined) return { status: 'Unknown' };
  const has = new Set<string>(observed.images.map(({ digest }) => digest));
  const lacking = held.release.workloads.filter(({ image }) => !has.has(image.digest));
  if (lacking.length === 0) return { status: 'True' };
  const failed = observed.backoffs.find(({ subject }) =>
    lacking.some(({ image }) => image.digest === subject),
  );
  if (failed !== undefined) return { status: 'False', ...coded(failed) };
  const pull = steps.find(({ kind }) => kind === 'pull');
  return { status: 'Unknown', ...(pull === undefined ? {} : { message: describe(pull) }) };
}

function diskWord({ diskFreeBytes, diskLowBytes, isFloorLost }: Observed): Word {
  if (isFloorLost) {
    const message = 'what was accepted here before was lost with the damaged store';
    return { status: 'False', code: 'STORE_FORGOT', message };
  }
  if (diskFreeBytes >= diskLowBytes) return { status: 'True' };
  return {
    status: 'False',
    code: 'DISK_LOW',
    message: `${diskFreeBytes} bytes of the state's file system are free, ${diskLowBytes} are wanted`,
  };
}

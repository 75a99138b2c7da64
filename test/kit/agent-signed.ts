// SPDX-License-Identifier: Apache-2.0
// A fleet's keys, and documents signed with them: what a device that trusts this fleet accepts.

import { createHash } from 'node:crypto';
import type { Believer } from '../../agent/desired/assignment.js';
import { signEnvelope } from '../../images/sign/envelope.js';
import { makeKey } from '../../images/sign/key.js';
import type { Assignment } from '../../protocol/assignment.js';
import { type PayloadType, payloadTypes } from '../../protocol/envelope.js';
import type { Digest } from '../../protocol/name.js';
import type { Release } from '../../protocol/release.js';
import { anAssignment } from './agent-docs.js';

export interface Keys {
  readonly believer: Believer;
  readonly releaseKey: string;
  readonly assignmentKey: string;
  sign(payloadType: PayloadType, document: unknown, key: string): string;
  assignment(changed?: Partial<Assignment>): string;
  release(release: Release): { text: string; digest: Digest };
}

export function someKeys(epoch = 1): Keys {
  const releaseKey = makeKey();
  const assignmentKey = makeKey();
  const sign = (payloadType: PayloadType, document: unknown, key: string): string => {
    const text = typeof document === 'string' ? document : JSON.stringify(document);
    return JSON.stringify(signEnvelope(payloadType, Buffer.from(text), key));
  };
  return {
    believer: {
      tenant: 'acme',
      device: 'dev-1',
      trust: {
        tenant: 'acme',
        epoch,
        release: [releaseKey.trusted],
        assignment: [assignmentKey.trusted],
      },
    },
    releaseKey: releaseKey.privateKey,
    assignmentKey: assignmentKey.privateKey,
    sign,
    assignment: (changed = {}) =>
      sign(payloadTypes.assignment, anAssignment(changed), assignmentKey.privateKey),
    release: (release) => ({
      text: sign(payloadTypes.release, release, releaseKey.privateKey),
      digest: digestOfText(JSON.stringify(release)),
    }),
  };
}

function digestOfText(text: string): Digest {
  return `sha256:${createHash('sha256').update(text).digest('hex')}`;
}

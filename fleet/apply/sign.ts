// SPDX-License-Identifier: Apache-2.0
// Signs assignments with the server's online key. Who holds that key can only assign what the release key
// has signed.

import { instantOf } from '../../adapters/clock.js';
import { signEnvelope } from '../../images/sign/envelope.js';
import { type Assignment, assignment } from '../../protocol/assignment.js';
import { payloadTypes } from '../../protocol/envelope.js';

export interface Signing {
  readonly tenant: string;
  readonly epoch: number;
  /** Ed25519, PEM. */
  readonly key: string;
}

export interface Order {
  readonly device: string;
  readonly generation: number;
  readonly release: Assignment['release'];
  readonly rollout: string | null;
  /** Of the device. */
  readonly variables: Readonly<Record<string, string>>;
}

/** The envelope as text, ready for the broker. */
export function signAssignment(signing: Signing, order: Order, nowMs: number): string {
  const document: Assignment = {
    kind: 'assignment/v1',
    tenant: signing.tenant,
    device: order.device,
    epoch: signing.epoch,
    generation: order.generation,
    release: order.release,
    ...(order.rollout === null ? {} : { rollout: order.rollout }),
    ...(Object.keys(order.variables).length === 0 ? {} : { variables: { ...order.variables } }),
    issuedAt: instantOf(nowMs),
  };
  const bytes = Buffer.from(JSON.stringify(assignment(document, 'assignment')));
  return JSON.stringify(signEnvelope(payloadTypes.assignment, bytes, signing.key));
}

/** Those of an envelope of ours. */
export function carriedVariables(envelope: string): Record<string, string> {
  const { payload } = JSON.parse(envelope) as { payload: string };
  const document: unknown = JSON.parse(Buffer.from(payload, 'base64').toString('utf8'));
  return assignment(document, 'assignment').variables ?? {};
}

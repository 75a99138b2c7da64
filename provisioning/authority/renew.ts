// SPDX-License-Identifier: Apache-2.0
// Gives a device that shows its certificate a new one for a new key. Who it is stands in the certificate that TLS
// has checked; the request gives nothing but the key. It speaks no HTTP: http.ts does.

import { renewRequest } from '../../protocol/enrol.js';
import { CodedError } from '../../protocol/error.js';
import type { EnrolDeps } from './enrol.js';
import { hashOfKey, type Identity } from './identity.js';
import { readRequest } from './x509.js';

export interface Asker {
  readonly identity: Identity;
  /** Of its certificate. */
  readonly keyHash: string;
}

/** The device's id, once it may have a new certificate. @throws RENEW_REFUSED */
export function mayRenew(asker: Asker | undefined, deps: EnrolDeps): string {
  const identity = asker?.identity;
  if (identity?.kind !== 'device' || identity.tenant !== deps.authority.tenant) {
    throw new CodedError('RENEW_REFUSED', 'no certificate of a device of this fleet came');
  }
  const { device } = identity;
  if (deps.isAdmitted(device, asker?.keyHash ?? '')) return device;
  throw new CodedError('RENEW_REFUSED', `${device} is not in service`, { device });
}

/** PEM. The fleet knows the new key before it is given away. @throws RENEW_REFUSED, SHAPE_BAD, CSR_BAD */
export async function renew(
  request: unknown,
  asker: Asker | undefined,
  deps: EnrolDeps,
): Promise<{ certificate: string }> {
  const device = mayRenew(asker, deps);
  const { csr } = renewRequest(request, 'request');
  const { spki } = await readRequest(csr);
  const certificate = await deps.authority.issueDevice(csr, device);
  await deps.renewed(device, { asked: asker?.keyHash ?? '', fresh: hashOfKey(spki) });
  return { certificate };
}

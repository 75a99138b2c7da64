// SPDX-License-Identifier: Apache-2.0
// Who a client certificate says it is, once TLS has checked that our authority signed it. The kind stands in
// the subject's O; the CNs of operators and links hold a dot, which no device's CN can.

import { createHash, X509Certificate } from 'node:crypto';
import type { PeerCertificate } from 'node:tls';
import { idPattern, parseCommonName } from '../../protocol/name.js';

export const organisation = {
  authority: 'wherry authority',
  server: 'wherry server',
  device: 'wherry device',
  operator: 'wherry operator',
  link: 'wherry link',
} as const;

export type Identity =
  | { readonly kind: 'device'; readonly tenant: string; readonly device: string }
  | { readonly kind: 'operator'; readonly name: string }
  | { readonly kind: 'link'; readonly tenant: string };

const operatorPrefix = 'operator.';
const linkPrefix = 'link.';

/** Operators in name only: the fleet tries an outside broker as these two. */
export const probeNames = ['probe-a', 'probe-b'] as const;

export const operatorName = (name: string): string => operatorPrefix + name;
export const linkName = (tenant: string): string => linkPrefix + tenant;

/** SHA-256 of the certificate's public key (SPKI, DER), hex: what a device is known by beside its name. */
export function keyHashOf(cert: Pick<PeerCertificate, 'raw'>): string {
  return hashOfKey(new X509Certificate(cert.raw).publicKey.export({ type: 'spki', format: 'der' }));
}

export function hashOfKey(spki: Uint8Array): string {
  return createHash('sha256').update(spki).digest('hex');
}

/** Undefined for every certificate that is none of ours, and for an empty one. */
export function identityOf(cert: Partial<PeerCertificate> | undefined): Identity | undefined {
  const subject = cert?.subject as { O?: unknown; CN?: unknown } | undefined;
  const cn = subject?.CN;
  if (typeof cn !== 'string' || typeof subject?.O !== 'string') return undefined;
  switch (subject.O) {
    case organisation.device: {
      const parts = parseCommonName(cn);
      return parts === undefined ? undefined : { kind: 'device', ...parts };
    }
    case organisation.operator: {
      const name = cn.slice(operatorPrefix.length);
      return cn.startsWith(operatorPrefix) && name !== '' ? { kind: 'operator', name } : undefined;
    }
    case organisation.link: {
      const tenant = cn.slice(linkPrefix.length);
      return cn.startsWith(linkPrefix) && idPattern.test(tenant)
        ? { kind: 'link', tenant }
        : undefined;
    }
    default:
      return undefined;
  }
}

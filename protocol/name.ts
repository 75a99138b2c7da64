// SPDX-License-Identifier: Apache-2.0
// The forms of every name that crosses a process boundary.

import { type Check, string } from './check.js';

/** `sha256:` and 64 hex digits (OCI image-spec, descriptor §Digests); the only algorithm accepted. */
export type Digest = `sha256:${string}`;

const digestPattern = /^sha256:[0-9a-f]{64}$/;

export function isDigest(value: string): value is Digest {
  return digestPattern.test(value);
}

export const digest: Check<Digest> = string({
  pattern: digestPattern,
  lengthMax: 71,
  form: 'a digest like sha256:<64 hex digits>',
}) as Check<Digest>;

/** The 64 hex digits. */
export function hexOf(value: Digest): string {
  return value.slice('sha256:'.length);
}

/** First 12 hex digits, for people. */
export function shortOf(value: Digest): string {
  return value.slice('sha256:'.length, 'sha256:'.length + 12);
}

/** Device ids and tenants: no dot, slash, plus or hash, since brokers rewrite or refuse those. */
export const idPattern = /^[a-z0-9][a-z0-9-]{0,62}$/;
const idForm = 'lower-case letters, digits and dashes, at most 63, not starting with a dash';

/**
 * A tenant has no double dash and no dash at its end: the certificate's CN is `{tenant}--{device}` and must
 * split one way only.
 */
export const tenant: Check<string> = string({
  pattern: /^(?!.*--)[a-z0-9]([a-z0-9-]{0,29}[a-z0-9])?$/,
  form: 'lower-case letters, digits and single dashes, at most 31, no dash at either end',
});
export const deviceId: Check<string> = string({ pattern: idPattern, form: idForm });

/** Workloads, releases' apps, volumes: what Compose allows for a service, in lower case. */
export const workloadName: Check<string> = string({
  pattern: /^[a-z0-9][a-z0-9_.-]{0,62}$/,
  form: 'lower-case letters, digits, dot, underscore and dash, at most 63',
});

export const labelKey: Check<string> = string({
  pattern: /^[A-Za-z0-9][A-Za-z0-9_./-]{0,127}$/,
  form: 'letters, digits, dot, slash, underscore and dash, at most 128',
});

export function commonName(tenantName: string, device: string): string {
  return `${tenantName}--${device}`;
}

/** The device's tenant and id from a certificate's CN; undefined if it is not of that form. */
export function parseCommonName(cn: string): { tenant: string; device: string } | undefined {
  const at = cn.indexOf('--');
  if (at <= 0) return undefined;
  const parts = { tenant: cn.slice(0, at), device: cn.slice(at + 2) };
  return idPattern.test(parts.tenant) && idPattern.test(parts.device) ? parts : undefined;
}

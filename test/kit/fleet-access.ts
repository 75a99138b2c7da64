// SPDX-License-Identifier: Apache-2.0
// Users of the embedded registry in tests: one with rules, and requests in its name.

import type { Grant } from '../../protocol/registry-api.js';
import type { Ask, TestRegistry } from './edges-registry.js';

export const basic = (user: string, password: string): Record<string, string> => ({
  authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`,
});

/** Adds the user and gives requests in its name, without a certificate. */
export async function aUser(
  { registry, as }: TestRegistry,
  name: string,
  grants: Grant[],
  password = 'password-of-it',
): Promise<Ask> {
  await registry.access.put(name, { kind: 'user', grants, password });
  const ask = as({});
  return (method, path, options = {}) =>
    ask(method, path, { ...options, headers: { ...basic(name, password), ...options.headers } });
}

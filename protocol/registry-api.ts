// SPDX-License-Identifier: Apache-2.0
// The operators' API for registries under /v1/: logins of outside registries for the devices, users of the embedded
// one, its audit log and its garbage collection.

import { array, type Checked, integer, object, oneOf, optional, string } from './check.js';
import { sealedText } from './sealed.js';

/** As it stands in references: host[:port], lower case. */
export const registryHost = string({
  pattern: /^([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?|\[[0-9a-f:.]{2,45}\])(:\d{1,5})?$/,
  form: 'a registry like registry.example.com:5000, in lower case',
});

/** POST /v1/registry/logins: sealed to the server's key, so that no log of a request holds it. */
export const loginRequest = object({
  host: registryHost,
  username: string({ lengthMax: 256 }),
  sealed: sealedText,
});
export type LoginRequest = Checked<typeof loginRequest>;

/** POST /v1/registry/logout */
export const logoutRequest = object({ host: registryHost });

export const registryUserName = string({
  pattern: /^[A-Za-z0-9][A-Za-z0-9_.@-]{0,63}$/,
  form: 'letters, digits, dot, underscore, dash and at, at most 64',
});

const role = oneOf('pull', 'push', 'admin');
export type Role = 'pull' | 'push' | 'admin';

const repositoryPattern = string({
  pattern: /^(\*|[a-z0-9]+([._-]+[a-z0-9]+)*(\/[a-z0-9]+([._-]+[a-z0-9]+)*)*(\/\*)?)$/,
  lengthMax: 200,
  form: 'a repository, a prefix like team/* or *',
});
export const grants = array(object({ repository: repositoryPattern, role }), 64);
export type Grant = Checked<typeof grants>[number];

/** POST /v1/registry/users */
export const userRequest = object({
  name: registryUserName,
  /** `operator`: a rule for the holder of that certificate; it has no password. */
  kind: oneOf('user', 'operator'),
  password: optional(string({ pattern: /^.{8,1024}$/s, form: '8 to 1024 characters' })),
  grants,
});

/** POST /v1/registry/users/NAME/remove has no body; POST /v1/registry/gc: */
export const gcRequest = object({ unusedMs: optional(integer(0, 366 * 86_400_000)) });

export interface ApiLogin {
  readonly host: string;
  readonly username: string;
  readonly changedBy: string;
  readonly changedAt: string;
}

export interface ApiRegistryUser {
  readonly name: string;
  readonly kind: string;
  readonly grants: readonly Grant[];
}

export interface ApiAudit {
  readonly at: string;
  readonly who: string;
  readonly address: string;
  /** push, pull, delete, mount, upload, denied, gc, user, login */
  readonly action: string;
  readonly repository: string | null;
  readonly reference: string | null;
  readonly digest: string | null;
  readonly status: number | null;
}

export interface ApiSwept {
  readonly count: number;
  readonly bytes: number;
}

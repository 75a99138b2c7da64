// SPDX-License-Identifier: Apache-2.0
// Who may do what in the registry. A device may pull everything; an operator without a rule may everything; a user
// with a password, and an operator with a rule, may what the rules say. Passwords are kept as scrypt hashes
// (RFC 7914) in DIR/access.json, mode 0600; guesses are counted by address, and few are checked at a time.

import { createHmac, randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { readIfThere, writeDurable } from '../../adapters/durable.js';
import { type Checked, object, oneOf, optional, record, string } from '../../protocol/check.js';
import { CodedError, messageOf } from '../../protocol/error.js';
import { parseJson } from '../../protocol/json.js';
import { type Grant, grants, type Role, registryUserName } from '../../protocol/registry-api.js';
import type { Attempts } from '../../provisioning/authority/attempts.js';
import type { Identity } from '../../provisioning/authority/identity.js';
import { Refusal } from './types.js';

export interface Who {
  /** For the audit log: `device:web-1`, `operator:admin`, `user:ci`. */
  readonly name: string;
  readonly isDevice: boolean;
  may(repository: string, role: Role): boolean;
  /** Whether it may pull everything: blobs are shared, and others must be looked up in their repository. */
  readonly seesAll: boolean;
}

const rule = object({
  kind: oneOf('user', 'operator'),
  password: optional(string({ pattern: /^[0-9a-f]{32}\$[0-9a-f]{64}$/, form: 'SALT$HASH' })),
  grants,
});
type Rule = Checked<typeof rule>;
const file = object({ rules: record(registryUserName, rule, 1000) });

const ranks: Readonly<Record<Role, number>> = { pull: 1, push: 2, admin: 3 };
/** scrypt takes 16 MiB and some 50 ms each. */
const checksMax = 4;
const knownMax = 256;
const knownMs = 5 * 60_000;
const cost = { N: 16_384, r: 8, p: 1, maxmem: 64 * 1024 * 1024 };
const derive = promisify<string, Buffer, number, typeof cost, Buffer>(scrypt);

export class Access {
  readonly #path: string;
  readonly #attempts: Attempts;
  #rules: ReadonlyMap<string, Rule>;
  #turn: Promise<unknown> = Promise.resolve();
  /** Passwords that were right lately, by a hash that is worth nothing elsewhere. */
  readonly #known = new Map<string, number>();
  readonly #pepper = randomBytes(32);
  #checks = 0;

  private constructor(path: string, attempts: Attempts, rules: ReadonlyMap<string, Rule>) {
    this.#path = path;
    this.#attempts = attempts;
    this.#rules = rules;
  }

  /** @throws CONFIG_BAD */
  static async open(dir: string, attempts: Attempts): Promise<Access> {
    const path = join(dir, 'access.json');
    const text = await readIfThere(path);
    if (text === undefined) return new Access(path, attempts, new Map());
    try {
      const { rules } = file(parseJson(String(text), path, { bytesMax: 4 * 1024 * 1024 }), path);
      return new Access(path, attempts, new Map(Object.entries(rules)));
    } catch (error) {
      throw new CodedError('CONFIG_BAD', messageOf(error), { path }, { cause: error });
    }
  }

  get list(): ReadonlyArray<{ name: string; kind: Rule['kind']; grants: readonly Grant[] }> {
    return [...this.#rules]
      .map(([name, { kind, grants: given }]) => ({ name, kind, grants: given }))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Without a password the one that is there stays; a user needs one. @throws REGISTRY_USER, NO_SPACE */
  async put(
    name: string,
    wanted: { kind: Rule['kind']; grants: Grant[]; password?: string | undefined },
  ): Promise<void> {
    const { kind, password } = wanted;
    const hash = password === undefined ? undefined : await hashOf(password);
    await this.#change((rules) => {
      const kept = hash ?? rules.get(name)?.password;
      if (kind === 'user' && kept === undefined) throw wrongUser(`${name} needs a password`);
      return new Map(rules).set(name, {
        kind,
        grants: wanted.grants,
        ...(kind === 'user' && kept !== undefined ? { password: kept } : {}),
      });
    });
  }

  /** @throws REGISTRY_USER */
  async remove(name: string): Promise<void> {
    await this.#change((rules) => {
      const left = new Map(rules);
      if (!left.delete(name)) throw wrongUser(`there is no user or operator ${name}`);
      return left;
    });
  }

  /** By certificate, or by Basic credentials where they came. @throws Refusal */
  async who(
    identity: Identity | undefined,
    authorization: string | undefined,
    address: string,
  ): Promise<Who> {
    if (authorization !== undefined) return this.#byPassword(authorization, address);
    if (identity === undefined)
      throw unknown('a client certificate or a user of this fleet is needed');
    if (identity.kind === 'device') return reader(`device:${identity.device}`);
    if (identity.kind === 'link') return ruled('link', [{ repository: '*', role: 'admin' }]);
    const own = this.#rules.get(identity.name);
    const all: Grant[] = [{ repository: '*', role: 'admin' }];
    return ruled(`operator:${identity.name}`, own?.kind === 'operator' ? own.grants : all);
  }

  async #byPassword(authorization: string, address: string): Promise<Who> {
    const match = /^basic ([A-Za-z0-9+/=]{1,8192})$/i.exec(authorization);
    const pair = Buffer.from(match?.[1] ?? '', 'base64').toString('utf8');
    const colon = pair.indexOf(':');
    if (colon < 1) throw unknown('only Basic credentials are known here');
    const [name, password] = [pair.slice(0, colon), pair.slice(colon + 1)];
    if (!(await this.#isRight(name, password, address))) throw unknown('wrong user or password');
    return ruled(`user:${name}`, this.#rules.get(name)?.grants ?? []);
  }

  async #isRight(name: string, password: string, address: string): Promise<boolean> {
    const mark = createHmac('sha256', this.#pepper).update(`${name}\0${password}`).digest('hex');
    const until = this.#known.get(mark);
    if (until !== undefined && until > performance.now()) return true;
    this.#known.delete(mark);
    this.#checkAddress(address);
    if (this.#checks >= checksMax) {
      throw new Refusal(429, 'TOOMANYREQUESTS', 'too many logins at a time', {
        'retry-after': '1',
      });
    }
    this.#checks += 1;
    try {
      const kept = this.#rules.get(name)?.password;
      // An unknown name takes as long as a wrong password.
      const isSame = await matches(password, kept ?? `${'0'.repeat(32)}$${'0'.repeat(64)}`);
      if (!isSame || kept === undefined || this.#rules.get(name)?.password !== kept) {
        this.#attempts.failed(address);
        return false;
      }
    } finally {
      this.#checks -= 1;
    }
    if (this.#known.size >= knownMax) this.#known.clear();
    this.#known.set(mark, performance.now() + knownMs);
    return true;
  }

  #checkAddress(address: string): void {
    try {
      this.#attempts.check(address);
    } catch (error) {
      const text = `too many wrong logins from ${address}: ${messageOf(error)}`;
      throw new Refusal(429, 'TOOMANYREQUESTS', text, { 'retry-after': '600' });
    }
  }

  #change(edit: (rules: ReadonlyMap<string, Rule>) => ReadonlyMap<string, Rule>): Promise<void> {
    const done = this.#turn.then(async () => {
      const next = edit(this.#rules);
      const text = `${JSON.stringify({ rules: Object.fromEntries(next) }, null, 2)}\n`;
      await writeDurable(this.#path, text, { mode: 0o600 });
      this.#rules = next;
      this.#known.clear();
    });
    this.#turn = done.catch(() => undefined);
    return done;
  }
}

function ruled(name: string, given: readonly Grant[]): Who {
  const may = (repository: string, role: Role): boolean =>
    given.some((grant) => ranks[grant.role] >= ranks[role] && covers(grant.repository, repository));
  return {
    name,
    isDevice: false,
    may,
    seesAll: given.some(({ repository }) => repository === '*'),
  };
}

function reader(name: string): Who {
  return { name, isDevice: true, may: (_, role) => role === 'pull', seesAll: true };
}

/** `team/*` is everything below team; `*` everything. */
function covers(pattern: string, repository: string): boolean {
  if (pattern === '*') return true;
  return pattern.endsWith('/*')
    ? repository.startsWith(pattern.slice(0, -1))
    : pattern === repository;
}

function unknown(what: string): Refusal {
  const challenge = { 'www-authenticate': 'Basic realm="wherry registry", charset="UTF-8"' };
  return new Refusal(401, 'UNAUTHORIZED', what, challenge);
}

function wrongUser(what: string): CodedError {
  return new CodedError('REGISTRY_USER', what);
}

async function hashOf(password: string): Promise<string> {
  const salt = randomBytes(16);
  return `${salt.toString('hex')}$${(await derive(password, salt, 32, cost)).toString('hex')}`;
}

async function matches(password: string, kept: string): Promise<boolean> {
  const [salt = '', hash = ''] = kept.split('$');
  const found = await derive(password, Buffer.from(salt, 'hex'), 32, cost);
  return timingSafeEqual(found, Buffer.from(hash, 'hex'));
}

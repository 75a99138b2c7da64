// SPDX-License-Identifier: Apache-2.0
// Idempotency-Key: a request that came before gets the answer that it got then. Kept for a day; two at once
// wait for one. Failed requests are not kept: they changed nothing.

import { createHash } from 'node:crypto';
import type { Clock } from '../../adapters/clock.js';
import type { Db } from '../../adapters/sqlite.js';
import { CodedError } from '../../protocol/error.js';
import { bounds } from '../config.js';
import type { Answer } from './exchange.js';

export interface Repeatable {
  readonly actor: string;
  readonly key: string;
  /** Method, path and body: another request under the same key is refused. */
  readonly request: string;
}

export class Answers {
  readonly #db: Db;
  readonly #clock: Clock;
  readonly #going = new Map<string, Promise<Answer>>();

  constructor(db: Db, clock: Clock) {
    this.#db = db;
    this.#clock = clock;
  }

  /** @throws API_REPEATED, SHAPE_BAD and what `work` throws */
  async once(asked: Repeatable, work: () => Promise<Answer>): Promise<Answer> {
    if (!/^[A-Za-z0-9_-]{1,64}$/.test(asked.key)) {
      throw new CodedError('SHAPE_BAD', 'Idempotency-Key: must be letters, digits, _ and -');
    }
    const id = `${asked.actor} ${asked.key}`;
    for (let other = this.#going.get(id); other !== undefined; other = this.#going.get(id)) {
      await other.catch(() => undefined);
    }
    const going = this.#run(asked, work);
    this.#going.set(id, going);
    try {
      return await going;
    } finally {
      if (this.#going.get(id) === going) this.#going.delete(id);
    }
  }

  async #run(asked: Repeatable, work: () => Promise<Answer>): Promise<Answer> {
    const { actor, key } = asked;
    const request = createHash('sha256').update(asked.request).digest('hex');
    const before = await this.#db.get<{ request: string; status: number; body: string }>(
      'SELECT request, status, body FROM answers WHERE actor = ? AND key = ?',
      [actor, key],
    );
    if (before !== undefined && before.request !== request) {
      throw new CodedError('API_REPEATED', `the Idempotency-Key ${key} was another request's`, {
        key,
      });
    }
    if (before !== undefined) return { status: before.status, body: JSON.parse(before.body) };
    const answer = await work();
    const now = this.#clock.now();
    await this.#db.run('DELETE FROM answers WHERE at < ?', [now - bounds.answersMs]);
    await this.#db.run(
      'INSERT OR IGNORE INTO answers (actor, key, request, status, body, at) VALUES (?, ?, ?, ?, ?, ?)',
      [actor, key, request, answer.status, JSON.stringify(answer.body), now],
    );
    return answer;
  }
}

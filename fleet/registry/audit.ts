// SPDX-License-Identifier: Apache-2.0
// Who did what to the registry, one JSON line each, in DIR/audit.log; past 4 MiB it becomes audit.log.1, and the one
// before goes. Written in order, beside the answer: a line may be lost with the power, an answer never waits.

import { appendFile, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf, readIfThere } from '../../adapters/durable.js';
import { errorFacts, type Log } from '../../adapters/log.js';
import type { ApiAudit } from '../../protocol/registry-api.js';

const fileBytesMax = 4 * 1024 * 1024;
/** Lines that wait for the disk; more are counted and dropped. */
const waitingMax = 1000;
export const auditLinesMax = 1000;

export class Audit {
  readonly #path: string;
  readonly #log: Log;
  #turn: Promise<void> = Promise.resolve();
  #waiting = 0;
  #dropped = 0;
  #bytes: number | undefined;

  constructor(dir: string, log: Log) {
    this.#path = join(dir, 'audit.log');
    this.#log = log;
  }

  note(entry: ApiAudit): void {
    if (this.#waiting >= waitingMax) {
      this.#dropped += 1;
      return;
    }
    this.#waiting += 1;
    this.#turn = this.#turn.then(async () => {
      try {
        await this.#write(`${JSON.stringify(entry)}\n`);
      } catch (error) {
        this.#log.error(errorFacts(error), 'registry: the audit log cannot be written');
      }
      this.#waiting -= 1;
      if (this.#dropped > 0)
        this.#log.warn({ dropped: this.#dropped }, 'registry: audit lines lost');
      this.#dropped = 0;
    });
  }

  /** The newest last. */
  async read(limit: number): Promise<ApiAudit[]> {
    await this.#turn;
    const texts = await Promise.all(
      [`${this.#path}.1`, this.#path].map((path) => readIfThere(path)),
    );
    const lines = texts
      .flatMap((text) => String(text ?? '').split('\n'))
      .filter((line) => line !== '');
    return lines.slice(-Math.min(limit, auditLinesMax)).flatMap(lineOf);
  }

  async close(): Promise<void> {
    await this.#turn;
  }

  async #write(line: string): Promise<void> {
    this.#bytes ??= await sizeOf(this.#path);
    if (this.#bytes + line.length > fileBytesMax) {
      await rename(this.#path, `${this.#path}.1`);
      this.#bytes = 0;
    }
    await appendFile(this.#path, line, { mode: 0o600 });
    this.#bytes += Buffer.byteLength(line);
  }
}

/** A line that a power cut has torn is left out. */
function lineOf(line: string): ApiAudit[] {
  try {
    return [JSON.parse(line) as ApiAudit];
  } catch {
    return [];
  }
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return 0;
    throw error;
  }
}

// SPDX-License-Identifier: Apache-2.0
// What each path of the local socket answers. Lists and objects are one JSON body; logs and a pull's progress
// are lines of JSON, so that a reader sees them as they come.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { object, string } from '../../protocol/check.js';
import { CodedError } from '../../protocol/error.js';
import { parseJson } from '../../protocol/json.js';
import type { LocalImage } from '../../protocol/local.js';
import { type Digest, hexOf, isDigest } from '../../protocol/name.js';
import { localContainer, pick } from './container.js';
import type { LocalParts } from './server.js';

const bodyBytesMax = 16 * 1024;
const tailMax = 1_000_000;
/** Shorter prefixes of a digest are too easily a typing slip. */
const prefixMin = 6;

export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly url: URL;
  readonly signal: AbortSignal;
}

export type Route = (parts: LocalParts, exchange: Exchange) => Promise<void>;

/** @throws LOCAL_REQUEST */
export function routeOf(method: string, path: string): Route {
  const route = routes.get(`${method} ${path}`);
  if (route !== undefined) return route;
  throw new CodedError('LOCAL_REQUEST', `${method} ${path} is not known`);
}

const routes: ReadonlyMap<string, Route> = new Map<string, Route>([
  ['GET /v1/status', json(({ view }) => view.status())],
  ['GET /v1/why', json(({ view }) => view.why())],
  ['GET /v1/containers', json(async ({ run }) => (await run.list()).map(localContainer))],
  ['GET /v1/stats', json(({ run }) => run.stats())],
  ['GET /v1/images', json(images)],
  ['GET /v1/logs', logs],
  ['POST /v1/pull', pull],
  ['POST /v1/clear', clear],
]);

function json(value: (parts: LocalParts) => Promise<unknown>): Route {
  return async (parts, { response }) => {
    const body = JSON.stringify(await value(parts));
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(body);
  };
}

async function images({ store, run }: LocalParts): Promise<LocalImage[]> {
  const used = new Set((await run.list()).map((made) => made.image));
  return (await store.images.list()).map((image) => ({
    reference: image.reference,
    digest: image.digest,
    layers: image.diffIds.length,
    unpackedBytes: image.unpackedBytes,
    inUse: used.has(image.digest),
  }));
}

/** ?workload=NAME[&tail=N][&follow=1] */
async function logs({ run }: LocalParts, exchange: Exchange): Promise<void> {
  const query = exchange.url.searchParams;
  const made = pick(await run.list(), query.get('workload') ?? '');
  const tail = query.get('tail');
  if (tail !== null && !(/^\d{1,7}$/.test(tail) && Number(tail) <= tailMax)) {
    throw new CodedError('LOCAL_REQUEST', `tail must be a number from 0 to ${tailMax}`);
  }
  lineHead(exchange.response);
  const lines = run.logs(made.id, {
    follow: query.get('follow') === '1',
    signal: exchange.signal,
    ...(tail === null ? {} : { tail: Number(tail) }),
  });
  for await (const line of lines) await writeLine(exchange, line);
  exchange.response.end();
}

/** Body {reference}; lines {progress}, then {pulled} or {error}. */
async function pull({ view }: LocalParts, exchange: Exchange): Promise<void> {
  const body = object({ reference: string({ lengthMax: 512 }) })(await readBody(exchange), 'body');
  lineHead(exchange.response);
  const pulled = await view.pull(body.reference, {
    signal: exchange.signal,
    onProgress: (progress) => {
      // A reader that does not keep up misses steps of the bar, not the result.
      if (!exchange.response.writableNeedDrain) {
        exchange.response.write(`${JSON.stringify({ progress })}\n`);
      }
    },
  });
  await writeLine(exchange, { pulled });
  exchange.response.end();
}

/** Body {release}: a digest or the beginning of one that failed here. */
async function clear({ view, store }: LocalParts, exchange: Exchange): Promise<void> {
  const body = object({ release: string({ lengthMax: 128 }) })(await readBody(exchange), 'body');
  const failed = (await store.verdicts.failed()).map((one) => one.release);
  const release = releaseOf(body.release, failed);
  await view.clear(release);
  exchange.response.writeHead(200, { 'content-type': 'application/json' });
  exchange.response.end(JSON.stringify({ release }));
}

function releaseOf(wanted: string, failed: readonly Digest[]): Digest {
  if (isDigest(wanted)) return wanted;
  const hex = wanted.replace(/^sha256:/, '');
  const found =
    hex.length < prefixMin ? [] : failed.filter((digest) => hexOf(digest).startsWith(hex));
  const [release] = found;
  if (release !== undefined && found.length === 1) return release;
  const what = found.length > 1 ? 'more than one failed release is' : 'no failed release is';
  throw new CodedError(
    'LOCAL_REQUEST',
    `${what} '${wanted}'; \`wherry status\` names the last one`,
  );
}

function lineHead(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'application/x-ndjson' });
  response.flushHeaders();
}

/** Waits where the reader is slow: nothing piles up here. */
async function writeLine({ response, signal }: Exchange, value: object): Promise<void> {
  if (response.write(`${JSON.stringify(value)}\n`) || signal.aborted) return;
  await new Promise<void>((resolve) => {
    const end = (): void => {
      response.off('drain', end);
      signal.removeEventListener('abort', end);
      resolve();
    };
    response.once('drain', end);
    signal.addEventListener('abort', end, { once: true });
  });
}

/** @throws LOCAL_REQUEST, JSON_BAD */
async function readBody({ request }: Exchange): Promise<unknown> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > bodyBytesMax) {
      throw new CodedError('LOCAL_REQUEST', `the body is longer than ${bodyBytesMax} bytes`);
    }
    chunks.push(chunk);
  }
  return parseJson(Buffer.concat(chunks).toString('utf8'), 'body', { bytesMax: bodyBytesMax });
}

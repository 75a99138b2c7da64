// SPDX-License-Identifier: Apache-2.0
// The embedded registry: the OCI distribution API (v1.1) over image layouts on the disk. It speaks HTTP
// requests that an API server hands to it, with who sent them; it listens nowhere itself. Who may do what is
// access.ts's, what was done is in audit.log, what nothing names any more is removed now and then.
//
//   DIR/blobs/sha256/<hex>                     every blob and manifest, once
//   DIR/repositories/<name>/{oci-layout,index.json,blobs → ../../blobs}
//   DIR/uploads/                               what is on its way; emptied at start
//   DIR/access.json, DIR/audit.log             users and rules; who did what

import { readdir } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { instantOf } from '../../adapters/clock.js';
import { makeFolder } from '../../adapters/durable.js';
import { errorFacts, type Log } from '../../adapters/log.js';
import { CodedError, codeOf } from '../../protocol/error.js';
import type { Digest } from '../../protocol/name.js';
import type { ApiSwept } from '../../protocol/registry-api.js';
import { type Attempts, openAttempts } from '../../provisioning/authority/attempts.js';
import type { Identity } from '../../provisioning/authority/identity.js';
import { Access, type Who } from './access.js';
import { type Call, sendEmpty, sendJson, sendRefusal } from './answer.js';
import { Audit } from './audit.js';
import { continueUpload, endUpload, sendBlob, sendProgress, startUpload } from './blob-calls.js';
import { Blobs } from './blobs.js';
import { sendCatalog, sendReferrers, sendTags } from './list-calls.js';
import { putManifest, removeManifest, sendManifest } from './manifest-calls.js';
import { Own } from './own.js';
import { prune } from './prune.js';
import { nameOfFolder, Repository } from './repository.js';
import { actionOf, checkMethod, checkRight, isNoted } from './rights.js';
import { parseRoute, type Route } from './route.js';
import { defaultBounds, Refusal, type RegistryBounds } from './types.js';
import { Uploads } from './uploads.js';

export interface RegistryOptions {
  readonly dir: string;
  readonly log: Log;
  readonly bounds?: Partial<RegistryBounds>;
  readonly attempts?: Attempts;
}

export interface Registry {
  /** Answers a request under /v2/. Never throws; a failed answer ends the connection. */
  handle(
    request: IncomingMessage,
    response: ServerResponse,
    identity: Identity | undefined,
  ): Promise<void>;
  /** Removes blobs that no manifest names and nobody touched for `unusedMs`; gives what it removed. */
  prune(options: { unusedMs: number; who?: string }): Promise<ApiSwept>;
  readonly access: Access;
  readonly audit: Audit;
  close(): Promise<void>;
}

/** @throws STORE_CORRUPT, CONFIG_BAD, NO_SPACE */
export async function openRegistry(options: RegistryOptions): Promise<Registry> {
  const bounds = { ...defaultBounds, ...options.bounds };
  const blobs = new Blobs(options.dir);
  await makeFolder(blobs.folder);
  await makeFolder(join(options.dir, 'repositories'));
  const uploads = new Uploads(options.dir, blobs, bounds);
  await uploads.clean();
  const repositories = new Map<string, Repository>();
  for (const folder of await readdir(join(options.dir, 'repositories'))) {
    const name = nameOfFolder(folder);
    repositories.set(name, await Repository.open(options.dir, name, bounds));
  }
  const access = await Access.open(options.dir, options.attempts ?? openAttempts());
  return new Served({ options, bounds, blobs, uploads, repositories, access });
}

interface Parts {
  readonly options: RegistryOptions;
  readonly bounds: RegistryBounds;
  readonly blobs: Blobs;
  readonly uploads: Uploads;
  readonly repositories: Map<string, Repository>;
  readonly access: Access;
}

class Served implements Registry {
  readonly access: Access;
  readonly audit: Audit;
  readonly #dir: string;
  readonly #log: Log;
  readonly #bounds: RegistryBounds;
  readonly #blobs: Blobs;
  readonly #uploads: Uploads;
  readonly #repositories: Map<string, Repository>;
  readonly #own: Own;
  readonly #sweeper: NodeJS.Timeout;
  #soon: NodeJS.Timeout | undefined;
  #pruning: Promise<unknown> = Promise.resolve();

  constructor({ options, bounds, blobs, uploads, repositories, access }: Parts) {
    this.access = access;
    this.audit = new Audit(options.dir, options.log);
    this.#dir = options.dir;
    this.#log = options.log;
    this.#bounds = bounds;
    this.#blobs = blobs;
    this.#uploads = uploads;
    this.#repositories = repositories;
    this.#own = new Own(blobs);
    this.#sweeper = setInterval(() => void this.#sweep(), bounds.sweepMs);
    this.#sweeper.unref();
  }

  async handle(
    request: IncomingMessage,
    response: ServerResponse,
    identity: Identity | undefined,
  ): Promise<void> {
    const [path = '', search = ''] = (request.url ?? '').split('?', 2);
    response.setHeader('docker-distribution-api-version', 'registry/2.0');
    response.setTimeout(this.#bounds.stalledMs, () => response.destroy());
    let who: Who | undefined;
    let route: Route | undefined;
    const address = request.socket.remoteAddress ?? '';
    response.once('finish', () => this.#note(request, response, address, who, route));
    try {
      who = await this.access.who(identity, request.headers.authorization, address);
      route = parseRoute(path);
      if (route === undefined) throw new Refusal(404, 'UNSUPPORTED', 'there is no such end point');
      checkMethod(request.method ?? '', route);
      checkRight(request.method ?? '', route, who);
      await this.#answer({ request, response, query: new URLSearchParams(search), who }, route);
    } catch (error) {
      this.#fail({ request, response }, error);
    }
  }

  prune({ unusedMs, who = 'registry' }: { unusedMs: number; who?: string }): Promise<ApiSwept> {
    const work = async (): Promise<ApiSwept> => {
      const swept = await prune([...this.#repositories.values()], this.#blobs, unusedMs);
      if (swept.count > 0 || who !== 'registry') {
        const nothing = { repository: null, reference: null, digest: null, status: null };
        const at = instantOf(Date.now());
        this.audit.note({ at, who, address: '', action: 'gc', ...nothing });
        this.#log.info({ ...swept }, 'registry: blobs removed that no manifest named');
      }
      return swept;
    };
    const done = this.#pruning.then(work);
    this.#pruning = done.catch(() => undefined); // its own caller has its error
    return done;
  }

  async close(): Promise<void> {
    clearInterval(this.#sweeper);
    clearTimeout(this.#soon);
    await this.#pruning;
    await this.#uploads.close();
    await this.audit.close();
  }

  async #sweep(): Promise<void> {
    try {
      await this.prune({ unusedMs: this.#bounds.unusedMs });
    } catch (error) {
      this.#log.error(errorFacts(error), 'registry: garbage collection failed');
    }
  }

  /** After a delete: soon, and once for many. */
  #sweepSoon(): void {
    clearTimeout(this.#soon);
    this.#soon = setTimeout(() => void this.#sweep(), this.#bounds.sweepSoonMs);
    this.#soon.unref();
  }

  async #answer(call: Call, route: Route): Promise<void> {
    switch (route.at) {
      case 'base':
        return sendJson(call, 200, {});
      case 'catalog':
        return sendCatalog(call, this.#names(call.who));
      case 'tags':
        return sendTags(call, this.#repository(route.name));
      case 'referrers':
        return sendReferrers(call, this.#repository(route.name), route.digest, this.#blobs);
      case 'blob':
        return this.#blob(call, route);
      case 'manifest':
        return this.#manifest(call, route);
      case 'uploads':
        await startUpload(call, route.name, this.#blobs, this.#uploads, (digest, from) =>
          this.#mayMount(call.who, digest, from),
        );
        return this.#noteBlob(call, route.name);
      case 'upload':
        return this.#upload(call, route);
    }
  }

  async #blob(call: Call, route: Route & { at: 'blob' }): Promise<void> {
    const repository = this.#repository(route.name);
    const { digest } = route;
    if (!(await this.#isOwn(call.who, repository, digest))) {
      throw new Refusal(404, 'BLOB_UNKNOWN', `there is no blob ${digest} in ${route.name}`);
    }
    if (call.request.method === 'DELETE') return this.#removeBlob(call, digest, repository);
    return sendBlob(call, this.#blobs, digest);
  }

  /** What a manifest names stays: an image must not lose a layer. */
  async #removeBlob(call: Call, digest: Digest, repository: Repository): Promise<void> {
    if ((await this.#blobs.size(digest)) === undefined) {
      throw new Refusal(404, 'BLOB_UNKNOWN', `there is no blob ${digest}`);
    }
    for (const one of this.#repositories.values()) {
      if (!(await this.#own.names(one, digest))) continue;
      throw new Refusal(405, 'UNSUPPORTED', `a manifest of ${one.name} names the blob ${digest}`);
    }
    this.#own.forget(repository.name, digest);
    await this.#blobs.remove(digest);
    sendEmpty(call, 202, { 'docker-content-digest': digest });
  }

  async #manifest(call: Call, route: Route & { at: 'manifest' }): Promise<void> {
    const { method } = call.request;
    const { reference } = route;
    const repository = this.#repository(route.name);
    if (method === 'PUT') {
      this.#keep(repository);
      return putManifest(call, repository, reference, this.#blobs, this.#bounds, (digest) =>
        this.#isOwn(call.who, repository, digest),
      );
    }
    if (method !== 'DELETE') return sendManifest(call, repository, reference, this.#blobs);
    await removeManifest(call, repository, reference);
    this.#sweepSoon();
  }

  async #upload(call: Call, route: Route & { at: 'upload' }): Promise<void> {
    const { method } = call.request;
    const upload = this.#uploads.get(route.name, route.id);
    if (method === 'PATCH') return continueUpload(call, upload, this.#uploads);
    if (method === 'PUT') {
      await endUpload(call, upload, this.#uploads);
      return this.#noteBlob(call, route.name);
    }
    if (method === 'GET') return sendProgress(call, upload);
    await this.#uploads.drop(upload);
    return sendEmpty(call, 204);
  }

  #noteBlob(call: Call, name: string): void {
    const digest = call.response.getHeader('docker-content-digest');
    if (call.response.statusCode === 201) this.#own.note(name, digest as Digest);
  }

  async #isOwn(who: Who, repository: Repository, digest: Digest): Promise<boolean> {
    return who.seesAll || this.#own.has(repository, digest);
  }

  async #mayMount(who: Who, digest: Digest, from: string | null): Promise<boolean> {
    if (who.seesAll) return true;
    if (from === null || !who.may(from, 'pull')) return false;
    return this.#own.has(this.#repository(from), digest);
  }

  #names(who: Who): readonly string[] {
    return [...this.#repositories.values()]
      .filter((repository) => !repository.isEmpty && who.may(repository.name, 'pull'))
      .map((repository) => repository.name)
      .sort();
  }

  /** One that is not there yet is an empty one, which leaves no trace until something is put into it. */
  #repository(name: string): Repository {
    return this.#repositories.get(name) ?? Repository.empty(this.#dir, name, this.#bounds);
  }

  #keep(repository: Repository): void {
    if (this.#repositories.has(repository.name)) return;
    if (this.#repositories.size >= this.#bounds.repositoriesMax) {
      throw new Refusal(403, 'DENIED', 'the registry holds as many repositories as it may');
    }
    this.#repositories.set(repository.name, repository);
  }

  #note(
    request: IncomingMessage,
    response: ServerResponse,
    address: string,
    who: Who | undefined,
    route: Route | undefined,
  ): void {
    const { statusCode: status } = response;
    const isAuthorized = request.headers.authorization !== undefined;
    if (!isNoted(request.method ?? '', route, who, status, isAuthorized)) return;
    const digest = response.getHeader('docker-content-digest');
    this.audit.note({
      at: instantOf(Date.now()),
      who: who?.name ?? 'nobody',
      address,
      action: actionOf(request.method ?? '', route, status),
      repository: route !== undefined && 'name' in route ? route.name : null,
      reference: referenceOf(route),
      digest: typeof digest === 'string' ? digest : null,
      status,
    });
  }

  #fail(call: Pick<Call, 'request' | 'response'>, error: unknown): void {
    if (error instanceof Refusal) {
      sendRefusal(call, error);
      return;
    }
    if (call.request.destroyed || call.response.destroyed) {
      call.response.destroy(); // the client went away
      return;
    }
    this.#log.error({ path: call.request.url, ...errorFacts(error) }, 'registry: a request failed');
    const isFull = codeOf(error) === 'NO_SPACE' || isNoSpace(error);
    const refusal = isFull
      ? new Refusal(507, 'DENIED', 'the registry has no space left')
      : new Refusal(500, 'UNSUPPORTED', 'the registry failed; its log says why');
    sendRefusal(call, refusal);
  }
}

function isNoSpace(error: unknown): boolean {
  if (error instanceof CodedError) return false;
  return ['ENOSPC', 'EDQUOT'].includes(String((error as { code?: unknown }).code));
}

function referenceOf(route: Route | undefined): string | null {
  if (route?.at === 'blob') return route.digest;
  if (route?.at !== 'manifest') return null;
  return route.reference.kind === 'tag' ? route.reference.tag : route.reference.digest;
}

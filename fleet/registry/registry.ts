// SPDX-License-Identifier: Apache-2.0
// The embedded registry: the OCI distribution API (v1.1) over image layouts on the disk. It speaks HTTP
// requests that an API server hands to it, with who sent them; it listens nowhere itself. Devices pull,
// operators and the fleet push, nobody else gets an answer.
//
//   DIR/blobs/sha256/<hex>                     every blob and manifest, once
//   DIR/repositories/<name>/{oci-layout,index.json,blobs → ../../blobs}
//   DIR/uploads/                               what is on its way; emptied at start

import { readdir } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { makeFolder } from '../../adapters/durable.js';
import { errorFacts, type Log } from '../../adapters/log.js';
import { CodedError, codeOf } from '../../protocol/error.js';
import type { Identity } from '../../provisioning/authority/identity.js';
import { type Call, sendEmpty, sendJson, sendRefusal } from './answer.js';
import { continueUpload, endUpload, sendBlob, sendProgress, startUpload } from './blob-calls.js';
import { Blobs } from './blobs.js';
import { sendCatalog, sendReferrers, sendTags } from './list-calls.js';
import { putManifest, removeManifest, sendManifest } from './manifest-calls.js';
import { prune } from './prune.js';
import { nameOfFolder, Repository } from './repository.js';
import { parseRoute, type Route } from './route.js';
import { defaultBounds, Refusal, type RegistryBounds } from './types.js';
import { Uploads } from './uploads.js';

export interface RegistryOptions {
  readonly dir: string;
  readonly log: Log;
  readonly bounds?: Partial<RegistryBounds>;
}

export interface Registry {
  /** Answers a request under /v2/. Never throws; a failed answer ends the connection. */
  handle(
    request: IncomingMessage,
    response: ServerResponse,
    identity: Identity | undefined,
  ): Promise<void>;
  /** Removes blobs that no manifest names and nobody touched for `unusedMs`; gives what it removed. */
  prune(options: { unusedMs: number }): Promise<{ count: number; bytes: number }>;
  close(): Promise<void>;
}

/** @throws STORE_CORRUPT, NO_SPACE */
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
  return new Served(options, bounds, blobs, uploads, repositories);
}

class Served implements Registry {
  readonly #dir: string;
  readonly #log: Log;
  readonly #bounds: RegistryBounds;
  readonly #blobs: Blobs;
  readonly #uploads: Uploads;
  readonly #repositories: Map<string, Repository>;

  constructor(
    options: RegistryOptions,
    bounds: RegistryBounds,
    blobs: Blobs,
    uploads: Uploads,
    repositories: Map<string, Repository>,
  ) {
    this.#dir = options.dir;
    this.#log = options.log;
    this.#bounds = bounds;
    this.#blobs = blobs;
    this.#uploads = uploads;
    this.#repositories = repositories;
  }

  async handle(
    request: IncomingMessage,
    response: ServerResponse,
    identity: Identity | undefined,
  ): Promise<void> {
    const [path = '', search = ''] = (request.url ?? '').split('?', 2);
    const call = { request, response, query: new URLSearchParams(search) };
    response.setHeader('docker-distribution-api-version', 'registry/2.0');
    response.setTimeout(this.#bounds.stalledMs, () => response.destroy());
    try {
      checkRights(request.method ?? '', identity);
      const route = parseRoute(path);
      if (route === undefined) throw new Refusal(404, 'UNSUPPORTED', 'there is no such end point');
      await this.#answer(call, route);
    } catch (error) {
      this.#fail(call, error);
    }
  }

  prune({ unusedMs }: { unusedMs: number }): Promise<{ count: number; bytes: number }> {
    return prune([...this.#repositories.values()], this.#blobs, unusedMs);
  }

  close(): Promise<void> {
    return this.#uploads.close();
  }

  #answer(call: Call, route: Route): Promise<void> | void {
    const method = call.request.method ?? '';
    switch (route.at) {
      case 'base':
        return sendJson(call, 200, {});
      case 'catalog':
        only(method, ['GET', 'HEAD']);
        return sendCatalog(call, this.#names());
      case 'tags':
        only(method, ['GET', 'HEAD']);
        return sendTags(call, this.#repository(route.name));
      case 'referrers':
        only(method, ['GET', 'HEAD']);
        return sendReferrers(call, this.#repository(route.name), route.digest, this.#blobs);
      case 'blob':
        only(method, ['GET', 'HEAD']);
        return sendBlob(call, this.#blobs, route.digest);
      case 'manifest':
        return this.#manifest(call, method, route);
      case 'uploads':
        only(method, ['POST']);
        return startUpload(call, route.name, this.#blobs, this.#uploads);
      case 'upload':
        return this.#upload(call, method, route);
    }
  }

  #manifest(call: Call, method: string, route: Route & { at: 'manifest' }): Promise<void> {
    only(method, ['GET', 'HEAD', 'PUT', 'DELETE']);
    const { reference } = route;
    const repository = this.#repository(route.name);
    if (method === 'PUT') {
      this.#keep(repository);
      return putManifest(call, repository, reference, this.#blobs, this.#bounds);
    }
    if (method === 'DELETE') return removeManifest(call, repository, reference);
    return sendManifest(call, repository, reference, this.#blobs);
  }

  async #upload(call: Call, method: string, route: Route & { at: 'upload' }): Promise<void> {
    only(method, ['GET', 'PATCH', 'PUT', 'DELETE']);
    const upload = this.#uploads.get(route.name, route.id);
    if (method === 'PATCH') return continueUpload(call, upload, this.#uploads);
    if (method === 'PUT') return endUpload(call, upload, this.#uploads);
    if (method === 'GET') return sendProgress(call, upload);
    await this.#uploads.drop(upload);
    return sendEmpty(call, 204);
  }

  #names(): readonly string[] {
    return [...this.#repositories.values()]
      .filter((repository) => !repository.isEmpty)
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

  #fail(call: Call, error: unknown): void {
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

/** Devices read; operators and the fleet itself write. */
function checkRights(method: string, identity: Identity | undefined): void {
  if (identity === undefined) {
    throw new Refusal(401, 'UNAUTHORIZED', 'a client certificate of this fleet is needed');
  }
  if (identity.kind === 'device' && method !== 'GET' && method !== 'HEAD') {
    throw new Refusal(403, 'DENIED', 'a device may pull, not push');
  }
}

function only(method: string, allowed: readonly string[]): void {
  if (allowed.includes(method)) return;
  const allow = { allow: allowed.join(', ') };
  throw new Refusal(405, 'UNSUPPORTED', `${method} is not done here`, allow);
}

// SPDX-License-Identifier: Apache-2.0
// One repository: an OCI image layout (image-spec, image-layout.md) whose `blobs` is a link to the shared
// store, so that `skopeo inspect oci:DIR:TAG` reads it. Its index.json lists every manifest and tag.
//
// INVARIANT: changes wait their turn and are on the disk before they are seen; two pushes never lose one
// another's tag. The name's slashes are commas in the folder's name, which no repository name can hold.

import { mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf, readIfThere, writeDurable } from '../../adapters/durable.js';
import {
  array,
  type Checked,
  integer,
  object,
  optional,
  record,
  string,
} from '../../protocol/check.js';
import { CodedError, messageOf } from '../../protocol/error.js';
import { parseJson } from '../../protocol/json.js';
import { type Digest, digest } from '../../protocol/name.js';
import { type Descriptor, mediaTypes, Refusal, type RegistryBounds } from './types.js';

const refName = 'org.opencontainers.image.ref.name';
const subjectKey = 'io.wherry.subject';
const artifactKey = 'io.wherry.artifact-type';

export interface Entry extends Descriptor {
  /** The manifest that this one is about. */
  readonly subject?: Digest;
}

const indexFile = object(
  {
    manifests: array(
      object(
        {
          mediaType: string({ lengthMax: 255 }),
          digest,
          size: integer(0, Number.MAX_SAFE_INTEGER),
          annotations: optional(record(string({ lengthMax: 64 }), string({ lengthMax: 255 }), 8)),
        },
        { open: true },
      ),
      40_000,
    ),
  },
  { open: true },
);

interface Content {
  readonly manifests: ReadonlyMap<Digest, Entry>;
  readonly tags: ReadonlyMap<string, Digest>;
}

export class Repository {
  readonly name: string;
  readonly #folder: string;
  readonly #bounds: RegistryBounds;
  #content: Content = { manifests: new Map(), tags: new Map() };
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(folder: string, name: string, bounds: RegistryBounds) {
    this.name = name;
    this.#folder = folder;
    this.#bounds = bounds;
  }

  static empty(dir: string, name: string, bounds: RegistryBounds): Repository {
    return new Repository(join(dir, 'repositories', name.replaceAll('/', ',')), name, bounds);
  }

  /** @throws STORE_CORRUPT */
  static async open(dir: string, name: string, bounds: RegistryBounds): Promise<Repository> {
    const repository = Repository.empty(dir, name, bounds);
    const path = join(repository.#folder, 'index.json');
    const text = await readIfThere(path);
    if (text !== undefined) repository.#content = readContent(String(text), path);
    return repository;
  }

  /** Another object after each change. */
  get stamp(): object {
    return this.#content;
  }

  get isEmpty(): boolean {
    return this.#content.manifests.size === 0;
  }

  manifest(reference: { tag: string } | { digest: Digest }): Entry | undefined {
    const found = 'tag' in reference ? this.#content.tags.get(reference.tag) : reference.digest;
    return found === undefined ? undefined : this.#content.manifests.get(found);
  }

  get entries(): readonly Entry[] {
    return [...this.#content.manifests.values()];
  }

  /** In lexical order, as the specification wants them. */
  get tags(): readonly string[] {
    return [...this.#content.tags.keys()].sort();
  }

  put(entry: Entry, tag: string | undefined): Promise<void> {
    return this.#change((content) => {
      const manifests = new Map(content.manifests).set(entry.digest, entry);
      const tags = new Map(content.tags);
      if (tag !== undefined) tags.set(tag, entry.digest);
      if (manifests.size > this.#bounds.manifestsMax || tags.size > this.#bounds.tagsMax) {
        throw new Refusal(403, 'DENIED', `${this.name} holds as much as a repository may`);
      }
      return { manifests, tags };
    });
  }

  /** Removes the tag, or the manifest and all its tags. False = it was not there. */
  async remove(reference: { tag: string } | { digest: Digest }): Promise<boolean> {
    let wasThere = false;
    await this.#change((content) => {
      const manifests = new Map(content.manifests);
      const tags = new Map(content.tags);
      if ('tag' in reference) {
        wasThere = tags.delete(reference.tag);
      } else {
        wasThere = manifests.delete(reference.digest);
        for (const [tag, of] of tags) if (of === reference.digest) tags.delete(tag);
      }
      return { manifests, tags };
    });
    return wasThere;
  }

  #change(edit: (content: Content) => Content): Promise<void> {
    const done = this.#turn.then(async () => {
      const next = edit(this.#content);
      await this.#write(next);
      this.#content = next;
    });
    this.#turn = done.catch(() => undefined);
    return done;
  }

  async #write(content: Content): Promise<void> {
    await mkdir(this.#folder, { recursive: true });
    const layout = join(this.#folder, 'oci-layout');
    if ((await readIfThere(layout)) === undefined) {
      await symlink('../../blobs', join(this.#folder, 'blobs')).catch((error: unknown) => {
        if (errnoOf(error) !== 'EEXIST') throw error;
      });
      await writeDurable(layout, '{"imageLayoutVersion":"1.0.0"}\n');
    }
    await writeDurable(join(this.#folder, 'index.json'), writeContent(content));
  }
}

/** The folders' names back to repository names. */
export const nameOfFolder = (folder: string): string => folder.replaceAll(',', '/');

/** One descriptor a tag, and one without a name for a manifest that has no tag. */
function writeContent({ manifests, tags }: Content): string {
  const byDigest = new Map<Digest, string[]>();
  for (const [tag, of] of tags) byDigest.set(of, [...(byDigest.get(of) ?? []), tag]);
  const list = [...manifests.values()].flatMap((entry) => {
    const names: Array<string | undefined> = byDigest.get(entry.digest) ?? [undefined];
    return names.map((name) => descriptorOf(entry, name));
  });
  return `${JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.index, manifests: list })}\n`;
}

function descriptorOf(entry: Entry, name: string | undefined): object {
  const annotations = {
    ...(name === undefined ? {} : { [refName]: name }),
    ...(entry.subject === undefined ? {} : { [subjectKey]: entry.subject }),
    ...(entry.artifactType === undefined ? {} : { [artifactKey]: entry.artifactType }),
  };
  const { mediaType, digest: of, size } = entry;
  return {
    mediaType,
    digest: of,
    size,
    ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
  };
}

/** Of a file that we wrote ourselves. */
const indexBounds = { bytesMax: 64 * 1024 * 1024, valuesMax: 4_000_000 };

function readContent(text: string, path: string): Content {
  let file: Checked<typeof indexFile>;
  try {
    file = indexFile(parseJson(text, path, indexBounds), path);
  } catch (error) {
    const what = `${path}: ${messageOf(error)}`;
    throw new CodedError('STORE_CORRUPT', what, { path }, { cause: error });
  }
  const manifests = new Map<Digest, Entry>();
  const tags = new Map<string, Digest>();
  for (const item of file.manifests) {
    const tag = item.annotations?.[refName];
    const subject = item.annotations?.[subjectKey];
    const artifactType = item.annotations?.[artifactKey];
    manifests.set(item.digest, {
      mediaType: item.mediaType,
      digest: item.digest,
      size: item.size,
      ...(subject === undefined ? {} : { subject: digest(subject, path) }),
      ...(artifactType === undefined ? {} : { artifactType }),
    });
    if (tag !== undefined) tags.set(tag, item.digest);
  }
  return { manifests, tags };
}

// SPDX-License-Identifier: Apache-2.0
// What the store offers: the only way anything gets written under the state directory. Every call is durable
// when it resolves. Layers are stored once, by diffID, and shared between images.

import type { Assignment } from '../../protocol/assignment.js';
import type { Event, Reported } from '../../protocol/device.js';
import type { Envelope } from '../../protocol/envelope.js';
import type { Digest } from '../../protocol/name.js';
import type { Release } from '../../protocol/release.js';
import type { Backoff, Trial } from '../plan/observed.js';

/** Small content by digest: manifests, configs (≤ 4 MiB each). */
export interface Blobs {
  read(digest: Digest): Promise<Buffer | undefined>;
  /** @throws IMAGE_DIGEST if the bytes are not the digest's */
  write(digest: Digest, bytes: Uint8Array): Promise<void>;
}

/** A place for one layer while it is unpacked. */
export interface StagedLayer {
  /** Empty folder for the tree, on the same file system as its final place. */
  readonly dir: string;
  /** File for the tar headers that wherry-layer keeps for deltas. */
  readonly headers: string;
  /** Makes it the layer of its diffID, durably; afterwards dirOf() knows it. */
  commit(facts: { unpackedBytes: number }): Promise<string>;
  discard(): Promise<void>;
}

export interface Layers {
  /** The folder of a committed layer, or undefined. */
  dirOf(diffId: Digest): Promise<{ dir: string; unpackedBytes: number } | undefined>;
  stage(diffId: Digest): Promise<StagedLayer>;
}

export interface StoredImage {
  readonly digest: Digest;
  readonly reference: string;
  readonly manifest: Digest;
  readonly config: Digest;
  readonly diffIds: readonly Digest[];
  readonly unpackedBytes: number;
  readonly usedAt: number;
}

export interface Images {
  put(image: StoredImage): Promise<void>;
  get(digest: Digest): Promise<StoredImage | undefined>;
  list(): Promise<StoredImage[]>;
  /** Forgets the image and removes layers and blobs that no other image holds. */
  remove(digest: Digest): Promise<void>;
}

/** Folders of containers and volumes. */
export interface Folders {
  /** <state>/containers/<id>, made if absent. */
  container(id: string): Promise<string>;
  containers(): Promise<string[]>;
  removeContainer(id: string): Promise<void>;
  /** <state>/volumes/<name>, made if absent. */
  volume(name: string): Promise<string>;
}

/** An assignment, as far as the next one is measured by it. */
export interface Mark {
  readonly epoch: number;
  readonly generation: number;
  readonly release: Digest | null;
  /** Of all variables together; absent = it has none. */
  readonly variables?: Digest;
}

export interface Desired {
  /** The last accepted assignment. */
  assignment(): Promise<{ assignment: Assignment; envelope: Envelope } | undefined>;
  accept(assignment: Assignment, envelope: Envelope): Promise<void>;
  /** The highest that was ever accepted, also where the database has lost it; undefined = none. */
  floor(): Promise<Mark | undefined>;
  /** What was accepted here before is lost, and no release has become good since. */
  isFloorLost(): Promise<boolean>;
  release(digest: Digest): Promise<Release | undefined>;
  releases(): Promise<Array<{ digest: Digest; release: Release }>>;
  putRelease(digest: Digest, release: Release, envelope: Envelope): Promise<void>;
  removeRelease(digest: Digest): Promise<void>;
  /** Highest counter that a good release of the app had here; 0 where none was. */
  counterOf(app: string): Promise<number>;
}

/** What the gate has decided so far. An event given along becomes durable in the same transaction. */
export interface Verdicts {
  good(): Promise<Digest | null>;
  trial(): Promise<Trial | null>;
  /** The last `failedCountMax` ones, newest first. */
  failed(): Promise<Array<{ release: Digest; code: string; message: string; returned: boolean }>>;
  try(trial: Trial, event?: Event): Promise<void>;
  well(sinceMs: number | null, event?: Event): Promise<void>;
  commit(release: Digest, event?: Event): Promise<void>;
  fail(release: Digest, code: string, message: string, event?: Event): Promise<void>;
  /** The good release runs whole again after this one failed. */
  returned(release: Digest, event?: Event): Promise<void>;
  /** Nothing is good or on trial: the device was asked to run nothing, and does. */
  empty(event?: Event): Promise<void>;
  /** The operator's word: it may be tried again. */
  clear(release: Digest): Promise<void>;
}

/** Steps begun and ended, failures and their backoff. */
export interface Journal {
  begin(step: string, subject: string): Promise<number>;
  end(id: number, outcome: 'done' | 'failed', code?: string, message?: string): Promise<void>;
  /** Begun and not ended; before the first step of this agent: those that the last one ended inside. */
  begun(): Promise<Array<{ id: number; step: string; subject: string }>>;
  backoffs(): Promise<Backoff[]>;
  putBackoff(backoff: Backoff): Promise<void>;
  clearBackoff(subject: string): Promise<void>;
  clearBackoffs(): Promise<void>;
  recent(
    count: number,
  ): Promise<Array<{ at: string; type: string; code: string | null; message: string }>>;
}

/** Messages that must reach the fleet: bounded, oldest dropped first except transitions. */
export interface Outbox {
  /** `unsigned`: told by nobody whom the device trusts; it goes first where there is no room. */
  put(event: Event, how?: { unsigned: boolean }): Promise<void>;
  next(count: number): Promise<Array<{ id: number; event: Event }>>;
  done(id: number): Promise<void>;
  lastReported(): Promise<Reported | undefined>;
  putReported(reported: Reported): Promise<void>;
}

export interface Store {
  readonly blobs: Blobs;
  readonly layers: Layers;
  readonly images: Images;
  readonly folders: Folders;
  readonly desired: Desired;
  readonly verdicts: Verdicts;
  readonly journal: Journal;
  readonly outbox: Outbox;
  /** Of the kernel: the same for every process until the next boot. */
  readonly bootId: string;
  /** Grows with each call of this boot, over restarts of the agent too. */
  nextSeq(): Promise<number>;
  freeBytes(): Promise<number>;
  /** Removes layers that no image holds. Not while a pull goes on. Resolves with how many. */
  sweep(): Promise<number>;
  close(): Promise<void>;
}

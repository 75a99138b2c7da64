// SPDX-License-Identifier: Apache-2.0
// What the table says of one code.

/** When the same attempt may be made again; `changed` = only after a new desired. */
export type Retry = 'soon' | 'backoff' | 'changed' | 'never';

/** Who can mend it. A rollout gate counts `release` and `device`, never `network`. */
export type Blame = 'network' | 'device' | 'release' | 'operator' | 'bug';

export interface CodeEntry {
  readonly retry: Retry;
  readonly blame: Blame;
  /** What happened, one sentence. */
  readonly about: string;
  /** What a person does about it, one sentence. */
  readonly remedy: string;
}

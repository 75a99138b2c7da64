// SPDX-License-Identifier: Apache-2.0
// The store's tables, and how many rows each of them may have. Only ever appended to: see adapters/sqlite.ts.

import type { Migrations } from '../../adapters/sqlite.js';

export const journalCountMax = 1000;
export const historyCountMax = 500;
export const outboxCountMax = 1000;
export const failedCountMax = 32;
export const backoffCountMax = 256;

export const migrations: Migrations = [
  `CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE desired (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  epoch INTEGER NOT NULL,
  generation INTEGER NOT NULL,
  assignment TEXT NOT NULL,
  envelope TEXT NOT NULL
);
CREATE TABLE releases (digest TEXT PRIMARY KEY, body TEXT NOT NULL, envelope TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE counters (app TEXT PRIMARY KEY, counter INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE verdict (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  good TEXT,
  trial TEXT,
  switched_at_ms INTEGER,
  well_since_ms INTEGER,
  baseline TEXT
);
INSERT INTO verdict (id) VALUES (1);
CREATE TABLE failed (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  release TEXT NOT NULL UNIQUE,
  code TEXT NOT NULL,
  message TEXT NOT NULL,
  returned INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE layers (diff_id TEXT PRIMARY KEY, unpacked_bytes INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE images (
  digest TEXT PRIMARY KEY,
  reference TEXT NOT NULL,
  manifest TEXT NOT NULL,
  config TEXT NOT NULL,
  unpacked_bytes INTEGER NOT NULL,
  used_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE image_layers (
  image TEXT NOT NULL REFERENCES images (digest) ON DELETE CASCADE,
  place INTEGER NOT NULL,
  diff_id TEXT NOT NULL,
  PRIMARY KEY (image, place)
) WITHOUT ROWID;
CREATE INDEX image_layers_by_diff_id ON image_layers (diff_id);
CREATE TABLE journal (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  step TEXT NOT NULL,
  subject TEXT NOT NULL,
  began_at TEXT NOT NULL,
  ended_at TEXT,
  outcome TEXT,
  code TEXT,
  message TEXT
);
CREATE TABLE history (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  at TEXT NOT NULL,
  type TEXT NOT NULL,
  code TEXT,
  message TEXT NOT NULL
);
CREATE TABLE backoffs (
  subject TEXT PRIMARY KEY,
  code TEXT NOT NULL,
  message TEXT NOT NULL,
  attempts INTEGER NOT NULL,
  not_before_ms INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE outbox (id INTEGER PRIMARY KEY AUTOINCREMENT, is_transition INTEGER NOT NULL, event TEXT NOT NULL);
CREATE TABLE reported (id INTEGER PRIMARY KEY CHECK (id = 1), body TEXT NOT NULL);
`,
];

// SPDX-License-Identifier: Apache-2.0
// The tables of the fleet's database. Times are ms since 1970, documents are JSON text. Only ever appended to.

import { claimTables } from '../../provisioning/authority/claims.js';
import { secretTables } from '../sealed/secrets.js';
import { variableTables } from './variables.js';

const tables = `
CREATE TABLE devices (
  device TEXT PRIMARY KEY,
  labels TEXT NOT NULL,
  serial TEXT,
  keyHash TEXT NOT NULL UNIQUE,
  enrolledAt INTEGER NOT NULL,
  revokedAt INTEGER,
  seenAt INTEGER,
  online INTEGER NOT NULL DEFAULT 0,
  agent TEXT,
  platform TEXT,
  memoryBytes INTEGER,
  bootId TEXT,
  epoch INTEGER NOT NULL DEFAULT 0,
  generation INTEGER NOT NULL DEFAULT 0,
  release TEXT
);
CREATE TABLE boots (
  device TEXT NOT NULL REFERENCES devices(device),
  bootId TEXT NOT NULL,
  kind TEXT NOT NULL,
  seq INTEGER NOT NULL,
  firstAt INTEGER NOT NULL,
  PRIMARY KEY (device, bootId, kind)
);
CREATE TABLE reported (
  device TEXT PRIMARY KEY REFERENCES devices(device),
  document TEXT NOT NULL,
  receivedAt INTEGER NOT NULL
);
CREATE TABLE releases (
  digest TEXT PRIMARY KEY,
  app TEXT NOT NULL,
  version TEXT NOT NULL,
  counter INTEGER NOT NULL,
  keyid TEXT NOT NULL,
  envelope TEXT NOT NULL,
  createdAt TEXT NOT NULL,
  uploadedAt INTEGER NOT NULL,
  retained INTEGER NOT NULL DEFAULT 0,
  UNIQUE (app, version),
  UNIQUE (app, counter)
);
CREATE TABLE assignments (
  device TEXT NOT NULL REFERENCES devices(device),
  epoch INTEGER NOT NULL,
  generation INTEGER NOT NULL,
  release TEXT REFERENCES releases(digest),
  rollout TEXT,
  envelope TEXT NOT NULL,
  issuedAt INTEGER NOT NULL,
  PRIMARY KEY (device, epoch, generation)
);
CREATE TABLE rollouts (
  id TEXT PRIMARY KEY,
  release TEXT NOT NULL REFERENCES releases(digest),
  state TEXT NOT NULL,
  code TEXT,
  message TEXT,
  facts TEXT NOT NULL DEFAULT '{}',
  selector TEXT NOT NULL,
  seed TEXT NOT NULL,
  bakeMs INTEGER NOT NULL,
  deadlineMs INTEGER NOT NULL,
  inFlightMax INTEGER NOT NULL,
  resumedAt INTEGER,
  createdBy TEXT NOT NULL,
  createdAt INTEGER NOT NULL,
  updatedAt INTEGER NOT NULL
);
CREATE INDEX rollouts_state ON rollouts(state);
CREATE TABLE rollout_waves (
  rollout TEXT NOT NULL REFERENCES rollouts(id),
  wave INTEGER NOT NULL,
  openedAt INTEGER,
  passedAt INTEGER,
  PRIMARY KEY (rollout, wave)
);
CREATE TABLE rollout_devices (
  rollout TEXT NOT NULL REFERENCES rollouts(id),
  device TEXT NOT NULL REFERENCES devices(device),
  wave INTEGER NOT NULL,
  rank INTEGER NOT NULL,
  outcome TEXT NOT NULL DEFAULT 'waiting',
  phase TEXT,
  code TEXT,
  message TEXT,
  assignedAt INTEGER,
  epoch INTEGER,
  generation INTEGER,
  goodAt INTEGER,
  PRIMARY KEY (rollout, device)
);
CREATE INDEX rollout_devices_device ON rollout_devices(device);
CREATE TABLE events (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  device TEXT,
  rollout TEXT,
  type TEXT NOT NULL,
  generation INTEGER,
  release TEXT,
  code TEXT,
  message TEXT,
  counts TEXT NOT NULL DEFAULT '{}',
  at TEXT NOT NULL
);
CREATE INDEX events_device ON events(device, id);
CREATE TABLE answers (
  actor TEXT NOT NULL,
  key TEXT NOT NULL,
  request TEXT NOT NULL,
  status INTEGER NOT NULL,
  body TEXT NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (actor, key)
);
`;

/** What devices told is bounded for each of them, what the fleet did on its own. */
const toldEvents = `
ALTER TABLE events ADD COLUMN told INTEGER NOT NULL DEFAULT 0;
UPDATE events SET told = 1 WHERE device IS NOT NULL
  AND type NOT IN ('enrolled', 'labelled', 'revoked');
CREATE INDEX events_told ON events(device, id) WHERE told = 1;
CREATE INDEX events_own ON events(id) WHERE told = 0;
`;

const catchUp = 'ALTER TABLE rollouts ADD COLUMN catchUp INTEGER NOT NULL DEFAULT 1;';

/** After a renewal: the key that was asked with and the new one, in place of keyHash, which stays who it is. */
const renewedKeys = `
ALTER TABLE devices ADD COLUMN askedKey TEXT;
ALTER TABLE devices ADD COLUMN freshKey TEXT;
`;

export const migrations: readonly string[] = [
  tables,
  claimTables,
  toldEvents,
  catchUp,
  secretTables,
  variableTables,
  renewedKeys,
];

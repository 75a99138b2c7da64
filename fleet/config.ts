// SPDX-License-Identifier: Apache-2.0
// Where the fleet keeps what, and its bounds. Everything below one root.

import { join } from 'node:path';
import { placesOf } from '../adapters/places.js';

/** Raised only with the trust of all devices, after the online key was lost (docs/protocol.md). */
export const epoch = 1;

export interface FleetPlaces {
  readonly state: string;
  readonly database: string;
  /** roster.json: who may come, for `wherry-provision broker-config`. */
  readonly roster: string;
  readonly authority: string;
  readonly registry: string;
  /** The server's own: assignment.key, and release.json with the release keys that it trusts. */
  readonly keys: string;
  /** What an operator needs: ca.crt, client.cert, client.key, release-key.pem, endpoint.json. */
  readonly operator: string;
}

export function fleetPlaces(root: string): FleetPlaces {
  const places = placesOf(root, 'wherry-fleet');
  return {
    state: places.state,
    database: join(places.state, 'fleet.db'),
    authority: join(places.state, 'authority'),
    roster: join(places.state, 'roster.json'),
    registry: join(places.state, 'registry'),
    keys: join(places.state, 'keys'),
    operator: join(places.config, 'operator'),
  };
}

export const bounds = {
  /** Longest pause between two looks at the rollouts, in case a wake-up was lost. */
  lookMaxMs: 30_000,
  /** Shortest, so that many reports are looked at together. */
  lookMinMs: 20,
  /** Assignments of one transaction (0.4 s here): messages of devices wait that long at most. */
  assignCountMax: 200,
  /** Steps of one rollout in one look; more follow in the next. */
  roundCountMax: 256,
  /** Of /v1 requests. */
  bodyBytesMax: 512 * 1024,
  bodyMs: 15_000,
  connectionsMax: 4096,
  /** A layer may take long to upload; a stalled client may not hold a socket for ever. */
  requestMs: 3_600_000,
  headersMs: 15_000,
  /** Rows of one answer. */
  listMax: 1000,
  /** Answers kept for a repeated Idempotency-Key. */
  answersMs: 86_400_000,
  /** From SIGTERM to the end, whatever still goes on. */
  closeMs: 4000,
} as const;

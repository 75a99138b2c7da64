// SPDX-License-Identifier: Apache-2.0
// The agreement between the agent and wherry-keep: keep.json (what to keep, written by agent/run before
// the keeper starts) and status.json (what is, written whole and renamed by the keeper). The C side reads and
// writes the same fields: native/keep/plan.c and native/keep/status.c.

import {
  array,
  boolean,
  type Checked,
  instant,
  integer,
  nullable,
  object,
  oneOf,
  optional,
  string,
} from './check.js';
import { healthState } from './device.js';

const ms = integer(0, 7 * 86_400_000);
const path = string({ lengthMax: 1024 });

export const keepPlan = object({
  id: string({ pattern: /^[A-Za-z0-9_+.-]{1,128}$/ }),
  /** The OCI bundle's folder. */
  bundle: path,
  /** wherry-run's path and its --root. */
  runtime: path,
  runtimeRoot: path,
  /** Runtime folder of this container: keep.sock, status.json, keep.lock (tmpfs). */
  runDir: path,
  /** Durable folder: exits.jsonl, one line an exit, fsynced before anything else happens. */
  stateDir: path,
  /** current.log, current.log.1 (the next older) and so on: at most fileCountMax files, current.log among them. */
  log: object({ dir: path, fileBytesMax: integer(4096, 1024 ** 3), fileCountMax: integer(1, 100) }),
  restart: object({
    policy: oneOf('no', 'on-failure', 'always', 'unless-stopped'),
    /** on-failure only; 0 = without end. */
    retryCountMax: integer(0, 1_000_000),
    backoffMs: ms,
    backoffMaxMs: ms,
  }),
  stop: object({ signal: string({ pattern: /^SIG[A-Z0-9+-]{2,12}$/ }), graceMs: ms }),
  health: optional(
    object({
      test: array(string({ lengthMax: 32_768 }), 64),
      intervalMs: ms,
      timeoutMs: ms,
      retryCountMax: integer(1, 1000),
      startPeriodMs: ms,
      startIntervalMs: ms,
    }),
  ),
});
export type KeepPlan = Checked<typeof keepPlan>;

const exit = object({
  /** Exit code, or 128 + signal. */
  code: integer(0, 255),
  signal: optional(integer(1, 64)),
  oomKilled: boolean,
  at: instant,
});

export const keepStatus = object({
  id: string({ lengthMax: 128 }),
  keeperPid: integer(1, 2 ** 31),
  state: oneOf('created', 'starting', 'running', 'restarting', 'stopping', 'exited', 'failed'),
  /** Container init, 0 = none. */
  pid: integer(0, 2 ** 31),
  startedAt: nullable(instant),
  restartCount: integer(0, Number.MAX_SAFE_INTEGER),
  health: healthState,
  /** The last probe's output, first 256 bytes, and its exit code. */
  probe: optional(
    object({ code: integer(-1, 255), output: string({ lengthMax: 1024 }), at: instant }),
  ),
  exit: optional(exit),
  /** Why it is `failed`: wherry-run's error line. */
  error: optional(
    object({ code: string({ lengthMax: 64 }), message: string({ lengthMax: 1024 }) }),
  ),
});
export type KeepStatus = Checked<typeof keepStatus>;

/**
 * One line of JSON each way on <runDir>/keep.sock, one request a connection, at most 4096 bytes. The answer is
 * the status: of `status` at once, of `stop` when the container is gone, of `end` when the keeper is about to end.
 * After `stop` and `end` the keeper ends and leaves status.json behind. What is refused is answered with a
 * keepRefusal, which has no `id`. A container that exited for good keeps its keeper until `stop` or `end`.
 */
export const keepRequest = object({
  op: oneOf('status', 'stop', 'end'),
  /** stop only; absent = the plan's. */
  graceMs: optional(ms),
});
export type KeepRequest = Checked<typeof keepRequest>;

/** BOX_STATE: `end` while the container is not finished. BOX_SPEC: a request that is not understood. */
export const keepRefusal = object({
  error: object({ code: string({ lengthMax: 64 }), message: string({ lengthMax: 1024 }) }),
});
export type KeepRefusal = Checked<typeof keepRefusal>;

/** Annotations of the bundle that wherry-run acts on; everything else in config.json is the OCI standard. */
export const annotations = {
  /** Layer folders for the overlay, topmost first, joined by ':'. wherry-run mounts them in the container's namespace. */
  overlayLower: 'io.wherry.overlay.lower',
  overlayUpper: 'io.wherry.overlay.upper',
  overlayWork: 'io.wherry.overlay.work',
  /**
   * Host folders joined by ':'. The source of a bind mount below one is opened beneath it: a link that leads
   * out fails the mount. Of folders inside each other the outermost counts.
   */
  bindRoots: 'io.wherry.bind.roots',
  /** Name of the bridge, made if it is not there. Absent = no link. */
  netBridge: 'io.wherry.net.bridge',
  /** The bridge's own address: 10.88.0.1/24. */
  netGateway: 'io.wherry.net.gateway',
  /** The container's address: 10.88.0.5/24. */
  netAddress: 'io.wherry.net.address',
} as const;

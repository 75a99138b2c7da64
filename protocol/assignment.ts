// SPDX-License-Identifier: Apache-2.0
// An assignment says which release one device shall run. Small (≤ 1 KB signed,
// and up to 4 KiB of variables), retained on the device's
// desired topic, signed online. `(epoch, generation)` only ever grows; a stale one is refused.

import {
  type Checked,
  instant,
  integer,
  nullable,
  object,
  oneOf,
  optional,
  string,
} from './check.js';
import { deviceId, digest, tenant, workloadName } from './name.js';
import { variables } from './variable.js';

export const assignment = object({
  kind: oneOf('assignment/v1'),
  tenant,
  device: deviceId,
  epoch: integer(0, Number.MAX_SAFE_INTEGER),
  generation: integer(1, Number.MAX_SAFE_INTEGER),
  /** null = run nothing. */
  release: nullable(
    object({ digest, app: workloadName, counter: integer(1, Number.MAX_SAFE_INTEGER) }),
  ),
  rollout: optional(string({ lengthMax: 64 })),
  /** What this device's release is completed with; absent = none. */
  variables: optional(variables),
  issuedAt: instant,
  /** After this instant a device with a trusted clock no longer begins it; what runs is not touched. */
  notAfter: optional(instant),
});
export type Assignment = Checked<typeof assignment>;

// SPDX-License-Identifier: Apache-2.0
// container.json: what a container was made from, written once with its bundle. Its presence says that the
// bundle is whole. It does not say whether the container runs: that is the keeper's status.json.

import { readIfThere, writeDurable } from '../../adapters/durable.js';
import { array, type Checked, integer, nullable, object, string } from '../../protocol/check.js';
import { CodedError } from '../../protocol/error.js';
import { parseJson } from '../../protocol/json.js';
import { digest } from '../../protocol/name.js';
import { workload } from '../../protocol/release.js';
import { layoutOf } from './layout.js';

const recordBytesMax = 1024 * 1024;

const healthTest = array(string({ lengthMax: 32_768 }), 64);
const ms = integer(0, 7 * 86_400_000);

export const record = object({
  id: string({ pattern: /^[A-Za-z0-9_+.-]{1,128}$/ }),
  spec: digest,
  release: digest,
  image: digest,
  workload,
  /** Host address on the bridge, without the prefix. */
  address: nullable(string({ pattern: /^\d{1,3}(\.\d{1,3}){3}$/ })),
  stopSignal: string({ pattern: /^SIG[A-Z0-9+-]{2,12}$/ }),
  /** The probe after workload and image are merged; null = none. */
  health: nullable(
    object({
      test: healthTest,
      intervalMs: ms,
      timeoutMs: ms,
      retryCountMax: integer(1, 1000),
      startPeriodMs: ms,
      startIntervalMs: ms,
    }),
  ),
  createdAt: string({ lengthMax: 30 }),
});
export type ContainerRecord = Checked<typeof record>;

export async function writeRecord(folder: string, value: ContainerRecord): Promise<void> {
  await writeDurable(layoutOf(folder).record, `${JSON.stringify(value)}\n`);
}

/** Undefined where the bundle was never finished. @throws RUN_RECORD */
export async function readRecord(folder: string): Promise<ContainerRecord | undefined> {
  const path = layoutOf(folder).record;
  const bytes = await readIfThere(path);
  if (bytes === undefined) return undefined;
  try {
    return record(parseJson(bytes.toString('utf8'), path, { bytesMax: recordBytesMax }), 'record');
  } catch (error) {
    throw new CodedError('RUN_RECORD', `${path} is not a record`, { path }, { cause: error });
  }
}

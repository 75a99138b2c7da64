// SPDX-License-Identifier: Apache-2.0
// The configs of a release as files of one container: each use has a file of its own with its owner and mode,
// which the container sees read-only. A file in the container cannot change the release's.

import { chmod, chown } from 'node:fs/promises';
import { join } from 'node:path';
import { writeDurable } from '../../adapters/durable.js';
import { CodedError } from '../../protocol/error.js';
import type { Layout } from './layout.js';
import type { FileMount } from './spec-mounts.js';
import type { ContainerSpec } from './types.js';

const modeDefault = 0o444;

/** layout.configs is there and empty. @throws RUN_CONFIG, NO_SPACE */
export async function writeConfigs(
  layout: Pick<Layout, 'configs'>,
  spec: Pick<ContainerSpec, 'workload' | 'shared'>,
): Promise<FileMount[]> {
  const files: FileMount[] = [];
  for (const [at, use] of (spec.workload.configs ?? []).entries()) {
    const config = spec.shared?.configs.find(({ name }) => name === use.source);
    if (config === undefined) {
      const what = `workload ${spec.workload.name} uses the config ${use.source}, which its release has not`;
      throw new CodedError('RUN_CONFIG', what, { config: use.source });
    }
    const source = join(layout.configs, String(at));
    await writeDurable(source, config.content, { mode: 0o600 });
    await chown(source, use.uid ?? 0, use.gid ?? 0);
    await chmod(source, use.mode ?? modeDefault); // after chown, which takes setuid away
    files.push({ source, target: use.target });
  }
  return files;
}

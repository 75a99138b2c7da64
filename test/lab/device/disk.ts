// SPDX-License-Identifier: Apache-2.0
// Data disks of devices: ext4 images, empty or filled from a folder on the host.

import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { must } from './must.js';

/** Makes the image anew; `from`: a folder whose files it begins with, owned as they are there. */
export async function makeDisk(path: string, sizeMb: number, from?: string): Promise<void> {
  mkdirSync(dirname(path), { recursive: true });
  const filled = from === undefined ? [] : ['-d', from];
  await must('mke2fs', [
    ...['-q', '-F', '-t', 'ext4', '-m', '0', '-E', 'root_owner=0:0', ...filled],
    ...[path, `${sizeMb}M`],
  ]);
}

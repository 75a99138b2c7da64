// SPDX-License-Identifier: Apache-2.0
// The version of the programs: that of package.json, of the project or of the bundle that this file lies in.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectFolder } from './places.js';

export function programVersion(): string {
  const text = readFileSync(join(projectFolder(), 'package.json'), 'utf8');
  return String((JSON.parse(text) as { version?: unknown }).version ?? '0');
}

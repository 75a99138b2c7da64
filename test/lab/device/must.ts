// SPDX-License-Identifier: Apache-2.0
// Runs a program of the host that has to succeed; what it said is in the error where it does not.

import { run } from '../../../adapters/exec.js';

/** Its output; throws past `timeoutMs` (default ten minutes: a download) too. */
export async function must(
  program: string,
  args: readonly string[],
  options: { cwd?: string; timeoutMs?: number } = {},
): Promise<string> {
  const { timeoutMs = 600_000, ...rest } = options;
  const { code, stdout, stderr } = await run(program, args, { timeoutMs, ...rest });
  if (code === 0) return stdout;
  throw new Error(`${program} ${args.join(' ')} ended with ${code}:\n${stderr.slice(-2000)}`);
}

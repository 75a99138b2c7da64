// SPDX-License-Identifier: Apache-2.0
// Asks a program for its page of the manual and for its completion, and says where a system looks for them.

import { join } from 'node:path';
import { compiled, type Shipped } from './programs.js';
import { must } from './tree.js';

/** Where each shell looks for the completion of a program. */
export const completionPlaces: Readonly<Record<string, (name: string) => string>> = {
  bash: (name) => `usr/share/bash-completion/completions/${name}`,
  zsh: (name) => `usr/share/zsh/vendor-completions/_${name}`,
  fish: (name) => `usr/share/fish/vendor_completions.d/${name}.fish`,
};

/** @param env SOURCE_DATE_EPOCH dates the page */
export async function manOf(
  program: Shipped,
  env: Readonly<Record<string, string>> = {},
): Promise<string> {
  return ask(program, ['man'], env);
}

export async function completionFor(program: Shipped, shell: string): Promise<string> {
  return ask(program, ['completion', shell], {});
}

async function ask(
  { entry }: Shipped,
  words: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<string> {
  return must(process.execPath, [join(compiled, entry), ...words], env);
}

// SPDX-License-Identifier: Apache-2.0
// The release's variables: .env beside the Compose file or the files that were named, and single ones over them.

import { CodedError } from '../../protocol/error.js';
import { EnvFileError, parseEnvFile } from './env-file.js';

export interface NamedText {
  readonly file: string;
  readonly text: string;
}

/** Later files and `KEY=VALUE` words win. @throws COMPOSE_FILE, USAGE */
export function releaseVariables(
  files: readonly NamedText[],
  words: readonly string[],
): ReadonlyMap<string, string> {
  const all = new Map<string, string>();
  for (const { file, text } of files) {
    for (const [key, value] of textsIn(file, text, all)) all.set(key, value);
  }
  for (const word of words) {
    const [, key, value] = /^([A-Za-z_]\w*)=([\s\S]*)$/.exec(word) ?? [];
    if (key === undefined || value === undefined || key.startsWith('WHERRY_')) {
      throw new CodedError('USAGE', `--var takes NAME=VALUE, and no WHERRY_ name: '${word}'`);
    }
    all.set(key, value);
  }
  return all;
}

function textsIn(
  file: string,
  text: string,
  before: ReadonlyMap<string, string>,
): Array<[string, string]> {
  try {
    return parseEnvFile(text, (name) => before.get(name)).flatMap(({ key, value = [] }) => {
      const isText = value.every((part) => typeof part === 'string');
      if (!isText) throw new EnvFileError(`${key} needs a variable of a device`, 1);
      return [[key, value.join('')]];
    });
  } catch (error) {
    if (!(error instanceof EnvFileError)) throw error;
    throw new CodedError('COMPOSE_FILE', `${file}:${error.line}: ${error.message}`, { file });
  }
}

// SPDX-License-Identifier: Apache-2.0
// What a file system says, as a code: a full disk is NO_SPACE, a folder that we may not write to is
// IMAGE_LAYOUT with its name. Other errors stay what they are.

import { errnoOf, spaceError } from '../../adapters/durable.js';
import { CodedError } from '../../protocol/error.js';

const refusals: readonly string[] = ['EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'EISDIR', 'ENOENT'];

export function layoutError(error: unknown, dir: string): unknown {
  const errno = errnoOf(error);
  if (error instanceof CodedError || errno === undefined || !refusals.includes(errno)) {
    return spaceError(error, dir);
  }
  const message = `the layout ${dir} cannot be written: ${(error as Error).message}`;
  return new CodedError('IMAGE_LAYOUT', message, { dir, errno }, { cause: error });
}

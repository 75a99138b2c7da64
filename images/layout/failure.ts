// SPDX-License-Identifier: Apache-2.0
// What a file system says, as a code: a full disk is NO_SPACE, a folder that we may not write to is
// IMAGE_LAYOUT with its name. Other errors stay what they are.

import { errnoOf, fileError } from '../../adapters/durable.js';
import { CodedError } from '../../protocol/error.js';

const refusals: readonly string[] = ['EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'EISDIR', 'ENOENT'];

export function layoutError(error: unknown, dir: string): unknown {
  const origin = error instanceof CodedError && error.code === 'NOT_ROOT' ? error.cause : error;
  const errno = errnoOf(origin);
  if (origin instanceof CodedError || errno === undefined || !refusals.includes(errno)) {
    return fileError(error, dir);
  }
  const message = `the layout ${dir} cannot be written: ${(origin as Error).message}`;
  return new CodedError('IMAGE_LAYOUT', message, { dir, errno }, { cause: error });
}

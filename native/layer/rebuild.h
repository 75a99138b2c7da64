/* SPDX-License-Identifier: Apache-2.0
 * Makes the exact tar of a layer again, from its tree and its headers file. */
#ifndef WHERRY_LAYER_REBUILD_H
#define WHERRY_LAYER_REBUILD_H

#include "shared/error.h"

/* Writes the tar of the tree at `root` to `out`. A tree that was changed, or a broken headers file, is
 * ERR_DIGEST or ERR_STREAM, at the latest when the sum is compared with the diffID. */
int rebuild(int headers_fd, int root, int out, struct err *e);

#endif

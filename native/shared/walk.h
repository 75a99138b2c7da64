/* SPDX-License-Identifier: Apache-2.0
 * The fall-back of path_open_in for kernels before 5.6: resolves a path inside a root without openat2. */
#ifndef WHERRY_WALK_H
#define WHERRY_WALK_H

#include <stdbool.h>
#include <sys/types.h>

/* As path_open_in, or with `beneath` as path_open_beneath. A folder is entered by its descriptor, ".." goes
 * back to the descriptor that we came from, and links are read and resolved here, never by the kernel. */
int walk_open(int root, const char *path, int flags, mode_t mode, bool beneath);

#endif

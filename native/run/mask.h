/* SPDX-License-Identifier: Apache-2.0
 * Paths of the container that are hidden, or can only be read. */
#ifndef WHERRY_RUN_MASK_H
#define WHERRY_RUN_MASK_H

#include "shared/error.h"

/* A folder gets an empty read-only one on top, a file the null device. What is not there needs no mask. */
int mask_hide(int root, const char *path, struct err *e);
int mask_readonly(int root, const char *path, struct err *e);

#endif

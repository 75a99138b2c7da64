/* SPDX-License-Identifier: Apache-2.0
 * Names of entries: made relative and plain, or refused. */
#ifndef WHERRY_LAYER_NAME_H
#define WHERRY_LAYER_NAME_H

#include "shared/error.h"
#include <stdbool.h>
#include <stddef.h>

#define NAME_BYTES_MAX (PATH_MAX - 1) /* of a whole name, without the NUL */

/* Writes the name to out[PATH_MAX] without leading and trailing slashes, "." components and double slashes;
 * the root is "". ".." is ERR_ESCAPE, a NUL inside or more than NAME_BYTES_MAX is ERR_TAR. */
int name_plain(const char *raw, size_t length, char *out, struct err *e);
/* As it stands, for targets of symbolic links: bounds and NUL only. */
int name_exact(const char *raw, size_t length, char *out, struct err *e);
/* The part behind the last slash. */
const char *name_last(const char *path);

#endif

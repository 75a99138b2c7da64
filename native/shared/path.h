/* SPDX-License-Identifier: Apache-2.0
 * Paths inside a root that somebody else filled: every step resolved beneath the root's descriptor
 * (openat2 with RESOLVE_IN_ROOT or RESOLVE_BENEATH, and RESOLVE_NO_MAGICLINKS, with a checked fall-back), so
 * that a symbolic link cannot lead out. */
#ifndef WHERRY_PATH_H
#define WHERRY_PATH_H

#include "shared/error.h"
#include <stdbool.h>
#include <sys/types.h>

/* Opens `path` as seen from inside root (flags as open(2), O_CLOEXEC added). The descriptor, or -1 with errno
 * set. */
int path_open_in(int root, const char *path, int flags, mode_t mode);
/* Opens a relative path of the host's own below root. What would lead out (an absolute link, too many "..")
 * is EXDEV: inside root it would mean something else than it says. */
int path_open_beneath(int root, const char *path, int flags);
/* Makes the folder and its parents inside root; gives an O_PATH descriptor of the last, or -1 with *e filled.
 */
int path_mkdir_in(int root, const char *path, mode_t mode, enum err_code code, struct err *e);
/* As above for the parents, then an empty file. */
int path_mkfile_in(int root, const char *path, mode_t mode, enum err_code code, struct err *e);
/* [A-Za-z0-9_+.-]{1,max}, not "." or ".." */
bool path_is_id(const char *text, size_t max);
/* Makes an absolute host path's folders, like mkdir -p. */
int path_mkdirs(const char *path, mode_t mode, struct err *e);

#endif

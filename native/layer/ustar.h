/* SPDX-License-Identifier: Apache-2.0
 * Writes headers: POSIX ustar, with an extended header only where a name, a number or an attribute needs it.
 */
#ifndef WHERRY_LAYER_USTAR_H
#define WHERRY_LAYER_USTAR_H

#include "layer/pax.h"
#include "layer/squeeze.h"

struct ustar {
	char type; /* '0'…'6' */
	const char *path;
	bool slash;	    /* a folder: written with a slash behind */
	const char *target; /* "" for none */
	uint32_t mode, uid, gid, major, minor;
	int64_t mtime; /* whole seconds */
	uint64_t size;
	const struct xattr *xattrs;
	size_t xattr_count;
};

int ustar_header(struct squeeze *out, const struct ustar *entry, struct err *e);
/* Zero bytes up to the next block. */
int ustar_pad(struct squeeze *out, uint64_t content, struct err *e);
/* The two zero blocks. */
int ustar_end(struct squeeze *out, struct err *e);

#endif

/* SPDX-License-Identifier: Apache-2.0
 * POSIX extended headers (types x and g), with the keys that GNU tar, star and Go add. Read in place: what it
 * gives points into the record bytes, which it owns. Unknown keys are left out, as POSIX asks. */
#ifndef WHERRY_LAYER_PAX_H
#define WHERRY_LAYER_PAX_H

#include "layer/sparse.h"
#include <stdbool.h>

#define PAX_BYTES_MAX  ((size_t)1024 * 1024) /* of one extended header; Go's reader has the same bound */
#define PAX_XATTRS_MAX 256

struct pax_text {
	const char *text; /* NULL if absent */
	size_t length;
};

struct xattr {
	const char *name; /* NUL-terminated */
	const char *value;
	size_t length;
};

enum pax_number { PAX_SIZE, PAX_UID, PAX_GID, PAX_SPARSE_SIZE, PAX_MAJOR, PAX_MINOR, PAX_NUMBERS };

struct pax {
	char *bytes; /* owned */
	struct pax_text path, linkpath, sparse_name;
	bool has[PAX_NUMBERS];
	uint64_t number[PAX_NUMBERS];
	bool has_mtime;
	int64_t mtime;
	uint32_t mtime_ns;
	bool has_map; /* a map of format 0.0 or 0.1 is in `map` */
	struct sparse map;
	struct xattr xattrs[PAX_XATTRS_MAX];
	size_t xattr_count;
};

/* Takes `bytes` (malloced, with one byte of room behind `length`) and reads the records into an empty *pax.
 */
int pax_read(struct pax *pax, char *bytes, size_t length, struct err *e);
/* A global header may only set owners and times: anything that would rename or resize entries is ERR_TAR. */
int pax_check_global(const struct pax *pax, struct err *e);
void pax_clear(struct pax *pax);

#endif

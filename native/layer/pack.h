/* SPDX-License-Identifier: Apache-2.0
 * The verb pack: a tree becomes a layer. The same tree and settings give the same bytes: names in byte order,
 * times in whole seconds, no names of owners. The root itself is not in it, sockets are passed over. */
#ifndef WHERRY_LAYER_PACK_H
#define WHERRY_LAYER_PACK_H

#include "layer/squeeze.h"
#include <stdbool.h>

struct pack {
	const char *dir;
	bool root_owns; /* every owner becomes 0:0 */
	bool has_mtime; /* every time becomes mtime */
	int64_t mtime;
	uint64_t entries; /* given */
};

/* Writes to `out`, which stays the caller's to end. */
int pack(struct pack *p, struct squeeze *out, struct err *e);

#endif

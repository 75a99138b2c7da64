/* SPDX-License-Identifier: Apache-2.0
 * Where the bytes of a sparse file go: ascending, not overlapping, inside the file. A plain file is one
 * segment. */
#ifndef WHERRY_LAYER_SPARSE_H
#define WHERRY_LAYER_SPARSE_H

#include "shared/error.h"
#include <stddef.h>
#include <stdint.h>

#define SPARSE_SEGMENTS_MAX 262144u /* 4 MiB of map */

struct segment {
	uint64_t offset, length;
};

struct sparse {
	struct segment *segments; /* grows; owned */
	size_t count, room;
};

void sparse_clear(struct sparse *map);
void sparse_free(struct sparse *map);
/* ERR_LIMIT past SPARSE_SEGMENTS_MAX. */
int sparse_put(struct sparse *map, uint64_t offset, uint64_t length, struct err *e);
/* "offset,length,offset,length…" of GNU.sparse.map. */
int sparse_text(struct sparse *map, const char *text, struct err *e);
/* ERR_TAR unless the segments are in order, end within `size` and hold `stored` bytes in all. */
int sparse_check(const struct sparse *map, uint64_t size, uint64_t stored, struct err *e);

#endif

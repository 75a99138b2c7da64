/* SPDX-License-Identifier: Apache-2.0
 * See sparse.h. The map is checked as a whole before a byte is written. */
#include "layer/sparse.h"
#include "layer/number.h"

#include <stdlib.h>
#include <string.h>

void sparse_clear(struct sparse *map)
{
	map->count = 0;
}

void sparse_free(struct sparse *map)
{
	free(map->segments);
	memset(map, 0, sizeof(*map));
}

int sparse_put(struct sparse *map, uint64_t offset, uint64_t length, struct err *e)
{
	if (map->count == SPARSE_SEGMENTS_MAX)
		return err_set(e, ERR_LIMIT, 0, "a sparse file has more than %u segments",
			       SPARSE_SEGMENTS_MAX);
	if (map->count == map->room) {
		size_t room = map->room == 0 ? 32 : map->room * 2;
		struct segment *grown = realloc(map->segments, room * sizeof(*grown));
		if (grown == NULL)
			return err_set(e, ERR_MEMORY, 0, "map of a sparse file");
		map->segments = grown;
		map->room = room;
	}
	map->segments[map->count++] = (struct segment){offset, length};
	return 0;
}

int sparse_text(struct sparse *map, const char *text, struct err *e)
{
	sparse_clear(map);
	while (*text != '\0') {
		uint64_t pair[2];
		for (size_t i = 0; i < 2; i++) {
			size_t digits = strcspn(text, ",");
			if (!number_decimal(text, digits, &pair[i]))
				return err_set(e, ERR_TAR, 0, "GNU.sparse.map is not a list of numbers");
			text += digits;
			if (*text == ',')
				text++;
			else if (i == 0)
				return err_set(e, ERR_TAR, 0, "GNU.sparse.map has an odd count");
		}
		if (sparse_put(map, pair[0], pair[1], e) != 0)
			return -1;
	}
	return 0;
}

int sparse_check(const struct sparse *map, uint64_t size, uint64_t stored, struct err *e)
{
	uint64_t end = 0;
	uint64_t sum = 0;
	for (size_t i = 0; i < map->count; i++) {
		const struct segment *s = &map->segments[i];
		if (s->offset < end || s->offset > size || s->length > size - s->offset)
			return err_set(e, ERR_TAR, 0, "the map of a sparse file is not in order");
		end = s->offset + s->length;
		sum += s->length; /* ≤ size, since the segments do not overlap */
	}
	if (sum != stored)
		return err_set(e, ERR_TAR, 0, "a sparse file's map and its stored bytes differ");
	return 0;
}

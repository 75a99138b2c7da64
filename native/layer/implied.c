/* SPDX-License-Identifier: Apache-2.0
 * See implied.h. The marks are a sieve, not a set: a wrong hit writes a line that its reader ignores. */
#include "layer/implied.h"
#include "shared/fd.h"

#include <string.h>

void implied_open(struct implied *implied, int fd)
{
	memset(implied, 0, sizeof(*implied));
	implied->fd = fd;
}

/* FNV-1a, 32 bits. */
static uint32_t mark_of(const char *path)
{
	uint32_t hash = 2166136261u;
	for (; *path != '\0'; path++)
		hash = (hash ^ (uint8_t)*path) * 16777619u;
	return hash % IMPLIED_MARKS;
}

static int flush(struct implied *implied, struct err *e)
{
	if (fd_write_all(implied->fd, implied->bytes, implied->length, e) != 0)
		return -1;
	implied->length = 0;
	return 0;
}

static int put(struct implied *implied, char sign, const char *path, struct err *e)
{
	size_t length = strlen(path) + 2; /* the sign and the end */
	implied->total += length;
	if (implied->total > IMPLIED_BYTES_MAX)
		return err_set(e, ERR_LIMIT, 0, "more than %u bytes of folders that the layer does not bring",
			       IMPLIED_BYTES_MAX);
	if (implied->length + length > sizeof(implied->bytes) && flush(implied, e) != 0)
		return -1;
	implied->bytes[implied->length] = sign;
	memcpy(implied->bytes + implied->length + 1, path, length - 1);
	implied->length += length;
	return 0;
}

int implied_made(struct implied *implied, const char *path, struct err *e)
{
	uint32_t mark = mark_of(path);
	implied->marks[mark / 8] |= (uint8_t)(1u << (mark % 8));
	return put(implied, '+', path, e);
}

int implied_given(struct implied *implied, const char *path, struct err *e)
{
	uint32_t mark = mark_of(path);
	if ((implied->marks[mark / 8] & (1u << (mark % 8))) == 0)
		return 0;
	return put(implied, '-', path, e);
}

int implied_end(struct implied *implied, struct err *e)
{
	return flush(implied, e);
}

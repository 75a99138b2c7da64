/* SPDX-License-Identifier: Apache-2.0
 * See name.h. Bytes are bytes: no encoding is assumed. */
#include "layer/name.h"

#include <string.h>

static int bounds(const char *raw, size_t length, struct err *e)
{
	if (length > NAME_BYTES_MAX)
		return err_set(e, ERR_TAR, 0, "the name is longer than %d bytes", NAME_BYTES_MAX);
	if (memchr(raw, '\0', length) != NULL)
		return err_set(e, ERR_TAR, 0, "the name has a NUL inside");
	return 0;
}

int name_plain(const char *raw, size_t length, char *out, struct err *e)
{
	if (bounds(raw, length, e) != 0)
		return -1;
	size_t used = 0;
	size_t at = 0;
	while (at < length) {
		const char *slash = memchr(raw + at, '/', length - at);
		size_t part = slash == NULL ? length - at : (size_t)(slash - (raw + at));
		const char *text = raw + at;
		at += part + 1;
		if (part == 0 || (part == 1 && text[0] == '.'))
			continue;
		if (part == 2 && text[0] == '.' && text[1] == '.')
			return err_set(e, ERR_ESCAPE, 0, "the name leads upwards (..): %.*s",
				       length < 100 ? (int)length : 100, raw);
		if (part > NAME_MAX)
			return err_set(e, ERR_TAR, 0, "a part of the name is longer than %d bytes", NAME_MAX);
		if (used > 0)
			out[used++] = '/';
		memcpy(out + used, text, part);
		used += part;
	}
	out[used] = '\0';
	return 0;
}

int name_exact(const char *raw, size_t length, char *out, struct err *e)
{
	if (bounds(raw, length, e) != 0)
		return -1;
	memcpy(out, raw, length);
	out[length] = '\0';
	return 0;
}

const char *name_last(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash == NULL ? path : slash + 1;
}

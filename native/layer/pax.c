/* SPDX-License-Identifier: Apache-2.0
 * See pax.h. Records are "LENGTH KEY=VALUE\n", LENGTH counting itself (POSIX pax §Extended Header). */
#include "layer/pax.h"
#include "layer/number.h"

#include <stdlib.h>
#include <string.h>

#define XATTR_PREFIX "SCHILY.xattr."

static const struct {
	const char *key;
	enum pax_number number;
} numbers[] = {
    {"size", PAX_SIZE},
    {"uid", PAX_UID},
    {"gid", PAX_GID},
    {"GNU.sparse.size", PAX_SPARSE_SIZE},
    {"GNU.sparse.realsize", PAX_SPARSE_SIZE},
    {"GNU.sparse.major", PAX_MAJOR},
    {"GNU.sparse.minor", PAX_MINOR},
};

static int bad(const char *key, struct err *e)
{
	return err_set(e, ERR_TAR, 0, "extended header: bad value of %.60s", key);
}

/* An empty value takes the key back (POSIX: "any header block value is used"). */
static void put_text(struct pax_text *out, const char *value, size_t length)
{
	out->text = length == 0 ? NULL : value;
	out->length = length;
}

/* The map of format 0.0: pairs of records in order. */
static int put_pair(struct pax *pax, const char *key, const char *value, size_t length, struct err *e)
{
	uint64_t number;
	if (!number_decimal(value, length, &number))
		return bad(key, e);
	if (strcmp(key, "GNU.sparse.offset") == 0) {
		pax->has_map = true;
		return sparse_put(&pax->map, number, UINT64_MAX, e);
	}
	if (pax->map.count == 0 || pax->map.segments[pax->map.count - 1].length != UINT64_MAX)
		return bad(key, e);
	pax->map.segments[pax->map.count - 1].length = number;
	return 0;
}

static int put_xattr(struct pax *pax, const char *name, const char *value, size_t length, struct err *e)
{
	if (name[0] == '\0')
		return bad(XATTR_PREFIX, e);
	for (size_t i = 0; i < pax->xattr_count; i++) {
		if (strcmp(pax->xattrs[i].name, name) == 0) {
			pax->xattrs[i] = (struct xattr){name, value, length};
			return 0;
		}
	}
	if (pax->xattr_count == PAX_XATTRS_MAX)
		return err_set(e, ERR_LIMIT, 0, "more than %d extended attributes", PAX_XATTRS_MAX);
	pax->xattrs[pax->xattr_count++] = (struct xattr){name, value, length};
	return 0;
}

static int put_number(struct pax *pax, enum pax_number which, const char *key, const char *value,
		      size_t length, struct err *e)
{
	pax->has[which] = false;
	if (length == 0)
		return 0;
	if (!number_decimal(value, length, &pax->number[which]))
		return bad(key, e);
	pax->has[which] = true;
	return 0;
}

static int put(struct pax *pax, const char *key, const char *value, size_t length, struct err *e)
{
	if (strcmp(key, "path") == 0)
		put_text(&pax->path, value, length);
	else if (strcmp(key, "linkpath") == 0)
		put_text(&pax->linkpath, value, length);
	else if (strcmp(key, "GNU.sparse.name") == 0)
		put_text(&pax->sparse_name, value, length);
	else if (strncmp(key, XATTR_PREFIX, strlen(XATTR_PREFIX)) == 0)
		return put_xattr(pax, key + strlen(XATTR_PREFIX), value, length, e);
	else if (strcmp(key, "GNU.sparse.offset") == 0 || strcmp(key, "GNU.sparse.numbytes") == 0)
		return put_pair(pax, key, value, length, e);
	else if (strcmp(key, "GNU.sparse.map") == 0) {
		pax->has_map = true;
		return strlen(value) != length ? bad(key, e) : sparse_text(&pax->map, value, e);
	} else if (strcmp(key, "mtime") == 0) {
		pax->has_mtime = length > 0;
		if (length > 0 && !number_time(value, length, &pax->mtime, &pax->mtime_ns))
			return bad(key, e);
	} else {
		for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
			if (strcmp(key, numbers[i].key) == 0)
				return put_number(pax, numbers[i].number, key, value, length, e);
		}
	}
	return 0;
}

int pax_read(struct pax *pax, char *bytes, size_t length, struct err *e)
{
	pax->bytes = bytes;
	size_t at = 0;
	while (at < length) {
		size_t left = length - at;
		char *record = bytes + at;
		char *space = memchr(record, ' ', left < 20 ? left : 20);
		uint64_t whole;
		if (space == NULL || !number_decimal(record, (size_t)(space - record), &whole) ||
		    whole > left || whole < (uint64_t)(space - record) + 3 || record[whole - 1] != '\n')
			return err_set(e, ERR_TAR, 0, "extended header: broken record");
		char *key = space + 1;
		char *end = record + whole - 1;
		char *equals = memchr(key, '=', (size_t)(end - key));
		if (equals == NULL || equals == key || memchr(key, '\0', (size_t)(equals - key)) != NULL)
			return err_set(e, ERR_TAR, 0, "extended header: record without a key");
		*equals = '\0';
		*end = '\0';
		if (put(pax, key, equals + 1, (size_t)(end - equals - 1), e) != 0)
			return -1;
		at += (size_t)whole;
	}
	if (pax->map.count > 0 && pax->map.segments[pax->map.count - 1].length == UINT64_MAX)
		return bad("GNU.sparse.offset", e);
	return 0;
}

int pax_check_global(const struct pax *pax, struct err *e)
{
	bool renames = pax->path.text != NULL || pax->linkpath.text != NULL ||
		       pax->sparse_name.text != NULL || pax->has_map || pax->xattr_count > 0 ||
		       pax->has[PAX_SIZE] || pax->has[PAX_SPARSE_SIZE] || pax->has[PAX_MAJOR];
	if (renames)
		return err_set(e, ERR_TAR, 0, "a global extended header sets names or sizes");
	return 0;
}

void pax_clear(struct pax *pax)
{
	free(pax->bytes);
	sparse_free(&pax->map);
	memset(pax, 0, sizeof(*pax));
}

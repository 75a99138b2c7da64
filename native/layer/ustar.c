/* SPDX-License-Identifier: Apache-2.0
 * See ustar.h. Fields are zero-filled octal, owner names stay empty: nothing of the build host gets in. */
#include "layer/ustar.h"

#include "layer/tar.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct records {
	char *bytes;
	size_t length, room;
};

/* "LENGTH KEY=VALUE\n": the length counts its own digits. */
static int record(struct records *r, const char *key, const void *value, size_t length, struct err *e)
{
	size_t body = strlen(key) + length + 3; /* space, '=', newline */
	size_t total = body + 1;
	for (size_t digits = 1, power = 10; digits < 8; digits++, power *= 10) {
		total = body + digits;
		if (total < power)
			break;
	}
	if (r->length + total + 1 > r->room) {
		size_t room = (r->length + total + 1) * 2;
		char *grown = room > 4 * PAX_BYTES_MAX ? NULL : realloc(r->bytes, room);
		if (grown == NULL)
			return err_set(e, ERR_LIMIT, 0, "extended header too long");
		r->bytes = grown;
		r->room = room;
	}
	int head = snprintf(r->bytes + r->length, total, "%zu %s=", total, key);
	if (head < 0)
		return err_set(e, ERR_SYSTEM, 0, "extended header");
	memcpy(r->bytes + r->length + head, value, length);
	r->bytes[r->length + total - 1] = '\n';
	r->length += total;
	return 0;
}

static int record_number(struct records *r, const char *key, int64_t value, struct err *e)
{
	char text[24];
	int length = snprintf(text, sizeof(text), "%lld", (long long)value);
	return record(r, key, text, (size_t)length, e);
}

/* width - 1 octal digits and a NUL; false if it does not fit. */
static bool octal(uint8_t *field, size_t width, int64_t value)
{
	bool fits = value >= 0 && (uint64_t)value < (UINT64_C(1) << (3 * (width - 1)));
	uint64_t left = fits ? (uint64_t)value : 0;
	field[width - 1] = '\0';
	for (size_t i = width - 1; i > 0; i--, left >>= 3)
		field[i - 1] = (uint8_t)('0' + (left & 7));
	return fits;
}

/* Name and prefix fields; false if they cannot hold the path. */
static bool put_name(uint8_t *header, const char *path, bool slash)
{
	char whole[PATH_MAX + 1];
	size_t length = strlen(path);
	memcpy(whole, path, length);
	if (slash)
		whole[length++] = '/';
	if (length <= 100) {
		memcpy(header, whole, length);
		return true;
	}
	for (size_t cut = length - 2 < 155 ? length - 2 : 155; cut > 0; cut--) {
		if (whole[cut] != '/')
			continue;
		if (length - cut - 1 > 100)
			break;
		memcpy(header + 345, whole, cut);
		memcpy(header, whole + cut + 1, length - cut - 1);
		return true;
	}
	memcpy(header, whole, 100); /* for readers that know no extended headers */
	return false;
}

static void seal(uint8_t *header)
{
	memcpy(header + 257, "ustar\00000", 8);
	memset(header + 148, ' ', 8);
	int64_t sum = 0;
	for (size_t i = 0; i < TAR_BLOCK; i++)
		sum += header[i];
	(void)octal(header + 148, 7, sum); /* six digits, NUL, space */
}

int ustar_pad(struct squeeze *out, uint64_t content, struct err *e)
{
	static const uint8_t zero[TAR_BLOCK];
	size_t rest = (size_t)(content % TAR_BLOCK);
	return rest == 0 ? 0 : squeeze_put(out, zero, TAR_BLOCK - rest, e);
}

int ustar_end(struct squeeze *out, struct err *e)
{
	static const uint8_t zero[TAR_BLOCK + TAR_BLOCK];
	return squeeze_put(out, zero, sizeof(zero), e);
}

static int put_records(struct squeeze *out, const struct records *r, struct err *e)
{
	uint8_t header[TAR_BLOCK] = "pax";
	if (r->length > PAX_BYTES_MAX)
		return err_set(e, ERR_LIMIT, 0, "extended header too long");
	(void)octal(header + 100, 8, 0644);
	(void)octal(header + 108, 8, 0);
	(void)octal(header + 116, 8, 0);
	(void)octal(header + 124, 12, (int64_t)r->length);
	(void)octal(header + 136, 12, 0);
	header[156] = 'x';
	seal(header);
	if (squeeze_put(out, header, sizeof(header), e) != 0 || squeeze_put(out, r->bytes, r->length, e) != 0)
		return -1;
	return ustar_pad(out, r->length, e);
}

static int put_number(struct records *r, uint8_t *field, size_t width, const char *key, int64_t value,
		      struct err *e)
{
	return octal(field, width, value) ? 0 : record_number(r, key, value, e);
}

static int put_path(struct records *r, const struct ustar *entry, struct err *e)
{
	char whole[PATH_MAX + 2];
	int length = snprintf(whole, sizeof(whole), "%s%s", entry->path, entry->slash ? "/" : "");
	return record(r, "path", whole, (size_t)length, e);
}

static int fill(uint8_t *header, struct records *r, const struct ustar *entry, struct err *e)
{
	size_t target = strlen(entry->target);
	header[156] = (uint8_t)entry->type;
	(void)octal(header + 100, 8, entry->mode);
	if (!put_name(header, entry->path, entry->slash) && put_path(r, entry, e) != 0)
		return -1;
	memcpy(header + 157, entry->target, target < 100 ? target : 100);
	if (target > 100 && record(r, "linkpath", entry->target, target, e) != 0)
		return -1;
	if (put_number(r, header + 108, 8, "uid", entry->uid, e) != 0 ||
	    put_number(r, header + 116, 8, "gid", entry->gid, e) != 0 ||
	    put_number(r, header + 124, 12, "size", (int64_t)entry->size, e) != 0 ||
	    put_number(r, header + 136, 12, "mtime", entry->mtime, e) != 0)
		return -1;
	if (!octal(header + 329, 8, entry->major) || !octal(header + 337, 8, entry->minor))
		return err_set(e, ERR_TAR, 0, "device number out of range");
	for (size_t i = 0; i < entry->xattr_count; i++) {
		char key[16 + 256]; /* the kernel's XATTR_NAME_MAX is 255 */
		const struct xattr *x = &entry->xattrs[i];
		if (snprintf(key, sizeof(key), "SCHILY.xattr.%s", x->name) >= (int)sizeof(key) ||
		    record(r, key, x->value, x->length, e) != 0)
			return err_set(e, ERR_LIMIT, 0, "attribute %.60s", x->name);
	}
	return 0;
}

int ustar_header(struct squeeze *out, const struct ustar *entry, struct err *e)
{
	uint8_t header[TAR_BLOCK] = {0};
	struct records r = {NULL, 0, 0};
	int done = fill(header, &r, entry, e);
	if (done == 0 && r.length > 0)
		done = put_records(out, &r, e);
	seal(header);
	if (done == 0)
		done = squeeze_put(out, header, sizeof(header), e);
	free(r.bytes);
	return done;
}

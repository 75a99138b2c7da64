/* SPDX-License-Identifier: Apache-2.0
 * The meaning of a header: names, numbers, type and sparse map of one entry, from the block itself, GNU's
 * long names and the extended headers (these win, as in POSIX and Go). */
#include "layer/number.h"
#include "layer/tar.h"

#include <string.h>

enum dialect { DIALECT_V7, DIALECT_USTAR, DIALECT_STAR, DIALECT_GNU };

static enum dialect dialect_of(const uint8_t *header)
{
	if (memcmp(header + 257, "ustar\00000", 8) == 0)
		return memcmp(header + 508, "tar", 4) == 0 ? DIALECT_STAR : DIALECT_USTAR;
	return memcmp(header + 257, "ustar  ", 8) == 0 ? DIALECT_GNU : DIALECT_V7;
}

static size_t field_length(const uint8_t *field, size_t width)
{
	const uint8_t *end = memchr(field, '\0', width);
	return end == NULL ? width : (size_t)(end - field);
}

/* The name as written, cut to what fits; `out` has room for 257 bytes. */
static size_t header_name(const uint8_t *header, char *out)
{
	enum dialect dialect = dialect_of(header);
	size_t prefix = 0;
	if (dialect == DIALECT_USTAR)
		prefix = field_length(header + 345, 155);
	else if (dialect == DIALECT_STAR)
		prefix = field_length(header + 345, 131);
	memcpy(out, header + 345, prefix);
	if (prefix > 0)
		out[prefix++] = '/';
	size_t name = field_length(header, 100);
	memcpy(out + prefix, header, name);
	return prefix + name;
}

static int number(struct tar *tar, size_t at, size_t width, const char *what, int64_t min, int64_t max,
		  int64_t *out, struct err *e)
{
	if (!number_field(tar->header + at, width, out))
		return err_set(e, ERR_TAR, 0, "bad %s in the header", what);
	if (*out < min || *out > max)
		return err_set(e, ERR_TAR, 0, "%s out of range", what);
	return 0;
}

/* UINT32_MAX is no id: the kernel takes it for "leave as it is". */
static int owner(struct tar *tar, enum pax_number which, size_t at, const char *what, uint32_t *out,
		 struct err *e)
{
	int64_t value;
	if (tar->local.has[which])
		value = (int64_t)tar->local.number[which];
	else if (tar->global.has[which])
		value = (int64_t)tar->global.number[which];
	else if (number(tar, at, 8, what, INT64_MIN, INT64_MAX, &value, e) != 0)
		return -1;
	if (value < 0 || value >= UINT32_MAX)
		return err_set(e, ERR_TAR, 0, "%s out of range", what);
	*out = (uint32_t)value;
	return 0;
}

static int numbers(struct tar *tar, struct tar_entry *entry, struct err *e)
{
	int64_t value;
	if (number(tar, 100, 8, "mode", INT64_MIN, INT64_MAX, &value, e) != 0)
		return -1;
	entry->mode = (uint32_t)value & 07777;
	if (owner(tar, PAX_UID, 108, "uid", &entry->uid, e) != 0 ||
	    owner(tar, PAX_GID, 116, "gid", &entry->gid, e) != 0)
		return -1;
	const struct pax *times = tar->local.has_mtime ? &tar->local : &tar->global;
	entry->mtime = times->mtime;
	entry->mtime_ns = times->mtime_ns;
	if (!times->has_mtime) {
		entry->mtime_ns = 0;
		if (number(tar, 136, 12, "mtime", INT64_MIN, INT64_MAX, &entry->mtime, e) != 0)
			return -1;
	}
	entry->major = 0;
	entry->minor = 0;
	if (entry->type != TAR_CHAR && entry->type != TAR_BLOCK_DEVICE)
		return 0;
	if (number(tar, 329, 8, "device number", 0, 0xfff, &value, e) != 0)
		return -1;
	entry->major = (uint32_t)value;
	if (number(tar, 337, 8, "device number", 0, 0xfffff, &value, e) != 0)
		return -1;
	entry->minor = (uint32_t)value;
	return 0;
}

static int type_of(struct tar *tar, struct tar_entry *entry, bool slash, struct err *e)
{
	tar->type_is_old_sparse = tar->header[156] == 'S';
	switch (tar->header[156]) {
	case '\0':
	case '0':
	case '7':
		entry->type =
		    slash ? TAR_FOLDER : TAR_FILE; /* before POSIX a folder was a name with a slash */
		return 0;
	case 'S':
		entry->type = TAR_FILE;
		return 0;
	case '1':
		entry->type = TAR_LINK;
		return 0;
	case '2':
		entry->type = TAR_SYMLINK;
		return 0;
	case '3':
		entry->type = TAR_CHAR;
		return 0;
	case '4':
		entry->type = TAR_BLOCK_DEVICE;
		return 0;
	case '5':
		entry->type = TAR_FOLDER;
		return 0;
	case '6':
		entry->type = TAR_FIFO;
		return 0;
	default:
		return err_set(e, ERR_TAR, 0, "entry type 0x%02x is not of a layer", tar->header[156]);
	}
}

static int names(struct tar *tar, struct tar_entry *entry, bool *slash, struct err *e)
{
	char short_name[257];
	const struct pax *pax = &tar->local;
	struct pax_text name = {short_name, header_name(tar->header, short_name)};
	struct pax_text target = {(const char *)tar->header + 157, field_length(tar->header + 157, 100)};
	if (pax->path.text != NULL)
		name = pax->path;
	if (pax->linkpath.text != NULL)
		target = pax->linkpath;
	if (tar->long_name != NULL)
		name = (struct pax_text){tar->long_name, strlen(tar->long_name)};
	if (tar->long_target != NULL)
		target = (struct pax_text){tar->long_target, strlen(tar->long_target)};
	if (pax->sparse_name.text != NULL)
		name = pax->sparse_name;
	*slash = name.length > 0 && name.text[name.length - 1] == '/';
	if (name.length == 0)
		return err_set(e, ERR_TAR, 0, "an entry without a name");
	if (name_plain(name.text, name.length, entry->path, e) != 0)
		return -1;
	uint8_t type = tar->header[156];
	entry->target[0] = '\0';
	if (type != '1' && type != '2')
		return 0;
	if (target.length == 0)
		return err_set(e, ERR_TAR, 0, "a link without a target");
	return type == '1' ? name_plain(target.text, target.length, entry->target, e)
			   : name_exact(target.text, target.length, entry->target, e);
}

/* Old GNU: four segments in the header, 21 in each block that follows. */
static int old_sparse(struct tar *tar, struct tar_entry *entry, struct err *e)
{
	uint8_t block[TAR_BLOCK];
	const uint8_t *pairs = tar->header + 386;
	size_t count = 4;
	bool more = tar->header[482] != 0;
	int64_t size;
	if (number(tar, 483, 12, "size of a sparse file", 0, INT64_MAX, &size, e) != 0)
		return -1;
	entry->size = (uint64_t)size;
	for (;;) {
		for (size_t i = 0; i < count; i++, pairs += 24) {
			int64_t offset;
			int64_t length;
			if (pairs[0] == 0 && pairs[12] == 0)
				break;
			if (!number_field(pairs, 12, &offset) || !number_field(pairs + 12, 12, &length) ||
			    offset < 0 || length < 0)
				return err_set(e, ERR_TAR, 0, "bad map of a sparse file");
			if (sparse_put(&entry->map, (uint64_t)offset, (uint64_t)length, e) != 0)
				return -1;
		}
		if (!more)
			return 0;
		if (tar_take(tar, block, TAR_BLOCK, e) != 0)
			return -1;
		pairs = block;
		count = 21;
		more = block[504] != 0;
	}
}

/* Format 1.0: decimal lines at the start of the stored bytes, filled up to a block. */
static int map_number(struct tar *tar, uint8_t *block, size_t *at, uint64_t *number_out, struct err *e)
{
	char digits[20];
	size_t used = 0;
	for (;;) {
		if (*at == TAR_BLOCK) {
			if (tar->stored_left < TAR_BLOCK)
				return err_set(e, ERR_TAR, 0, "the map of a sparse file is cut short");
			if (tar_take(tar, block, TAR_BLOCK, e) != 0)
				return -1;
			tar->stored_left -= TAR_BLOCK;
			*at = 0;
		}
		char c = (char)block[(*at)++];
		if (c == '\n')
			break;
		if (used == sizeof(digits))
			return err_set(e, ERR_TAR, 0, "bad map of a sparse file");
		digits[used++] = c;
	}
	if (!number_decimal(digits, used, number_out))
		return err_set(e, ERR_TAR, 0, "bad map of a sparse file");
	return 0;
}

static int new_sparse(struct tar *tar, struct tar_entry *entry, struct err *e)
{
	uint8_t block[TAR_BLOCK] = {0};
	size_t at = TAR_BLOCK;
	uint64_t count = 0;
	if (map_number(tar, block, &at, &count, e) != 0)
		return -1;
	for (uint64_t i = 0; i < count; i++) { /* sparse_put has the bound */
		uint64_t offset;
		uint64_t length;
		if (map_number(tar, block, &at, &offset, e) != 0 ||
		    map_number(tar, block, &at, &length, e) != 0 ||
		    sparse_put(&entry->map, offset, length, e) != 0)
			return -1;
	}
	return 0;
}

static int content(struct tar *tar, struct tar_entry *entry, struct err *e)
{
	const struct pax *pax = &tar->local;
	int64_t stored;
	sparse_clear(&entry->map);
	entry->size = 0;
	if (number(tar, 124, 12, "size", 0, INT64_MAX, &stored, e) != 0)
		return -1;
	if (pax->has[PAX_SIZE])
		stored = (int64_t)pax->number[PAX_SIZE];
	if (entry->type == TAR_FOLDER && stored > 0 && tar->header[156] != '5')
		return err_set(e, ERR_TAR, 0, "a folder with content");
	if (entry->type != TAR_FILE)
		return 0; /* GNU tar and Go: the size of the other types is of no meaning */
	if ((uint64_t)stored > TAR_FILE_BYTES_MAX)
		return err_set(e, ERR_LIMIT, 0, "the file is larger than 64 GiB");
	tar->stored_left = (uint64_t)stored;
	tar->padding = (uint32_t)((TAR_BLOCK - (uint64_t)stored % TAR_BLOCK) % TAR_BLOCK);
	entry->size = (uint64_t)stored;
	bool is_new_sparse = pax->has[PAX_MAJOR] && pax->number[PAX_MAJOR] == 1;
	if (pax->has[PAX_SPARSE_SIZE])
		entry->size = pax->number[PAX_SPARSE_SIZE];
	if (tar->type_is_old_sparse) {
		if (old_sparse(tar, entry, e) != 0)
			return -1;
	} else if (is_new_sparse) {
		if (new_sparse(tar, entry, e) != 0)
			return -1;
	} else if (pax->has_map) {
		for (size_t i = 0; i < pax->map.count; i++) {
			const struct segment *s = &pax->map.segments[i];
			if (sparse_put(&entry->map, s->offset, s->length, e) != 0)
				return -1;
		}
	} else if (sparse_put(&entry->map, 0, (uint64_t)stored, e) != 0) {
		return -1;
	}
	if (entry->size > TAR_FILE_BYTES_MAX)
		return err_set(e, ERR_LIMIT, 0, "the sparse file is larger than 64 GiB");
	return sparse_check(&entry->map, entry->size, tar->stored_left, e);
}

int tar_make_entry(struct tar *tar, struct err *e)
{
	struct tar_entry *entry = &tar->entry;
	bool slash = false;
	entry->pax = &tar->local;
	if (names(tar, entry, &slash, e) != 0)
		return -1;
	if (type_of(tar, entry, slash, e) != 0 || numbers(tar, entry, e) != 0 || content(tar, entry, e) != 0)
		return err_add(e, "%.110s", entry->path);
	if (entry->path[0] == '\0' && entry->type != TAR_FOLDER)
		return err_set(e, ERR_TAR, 0, "the root is not a folder");
	return 0;
}

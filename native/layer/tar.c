/* SPDX-License-Identifier: Apache-2.0
 * The stream side of the tar reader: blocks, checksums, extended headers, content, the end. What a header
 * means is tar_entry.c's. */
#include "layer/tar.h"
#include "layer/number.h"

#include <stdlib.h>
#include <string.h>

static int refill(struct tar *tar, struct err *e)
{
	while (tar->left == 0 && !tar->ended) {
		if (tar->source.next(tar->source.self, &tar->at, &tar->left, e) != 0)
			return -1;
		tar->ended = tar->left == 0;
	}
	return 0;
}

static int kept(struct tar *tar, const uint8_t *bytes, size_t length, struct err *e)
{
	return tar->keep.raw == NULL ? 0 : tar->keep.raw(tar->keep.self, bytes, length, e);
}

/* Up to `length` bytes; fewer only at the end. */
static int take_some(struct tar *tar, uint8_t *out, size_t length, size_t *got, struct err *e)
{
	size_t used = 0;
	while (used < length) {
		if (refill(tar, e) != 0)
			return -1;
		if (tar->left == 0)
			break;
		size_t step = tar->left < length - used ? tar->left : length - used;
		memcpy(out + used, tar->at, step);
		tar->at += step;
		tar->left -= step;
		used += step;
	}
	*got = used;
	return kept(tar, out, used, e);
}

static int cut_short(struct err *e)
{
	return err_set(e, ERR_STREAM, 0, "the archive is cut short");
}

int tar_take(struct tar *tar, void *out, size_t length, struct err *e)
{
	size_t got = 0;
	if (take_some(tar, out, length, &got, e) != 0)
		return -1;
	return got < length ? cut_short(e) : 0;
}

int tar_content(struct tar *tar, const uint8_t **bytes, size_t *length, bool raw, struct err *e)
{
	*length = 0;
	if (tar->stored_left == 0)
		return 0;
	if (refill(tar, e) != 0)
		return -1;
	if (tar->left == 0)
		return cut_short(e);
	size_t step = tar->left < tar->stored_left ? tar->left : (size_t)tar->stored_left;
	*bytes = tar->at;
	*length = step;
	tar->at += step;
	tar->left -= step;
	tar->stored_left -= step;
	return raw ? kept(tar, *bytes, step, e) : 0;
}

/* Passes over what is left of the current entry, and over its padding. */
static int finish_content(struct tar *tar, struct err *e)
{
	while (tar->stored_left > 0) {
		const uint8_t *bytes;
		size_t length;
		if (tar_content(tar, &bytes, &length, true, e) != 0)
			return -1;
	}
	uint8_t padding[TAR_BLOCK];
	if (tar_take(tar, padding, tar->padding, e) != 0)
		return -1;
	tar->padding = 0;
	return 0;
}

static bool is_zero(const uint8_t *block)
{
	for (size_t i = 0; i < TAR_BLOCK; i++) {
		if (block[i] != 0)
			return false;
	}
	return true;
}

/* POSIX sums unsigned bytes; some old programs summed signed ones. */
static bool checksum_fits(const uint8_t *block)
{
	int64_t want;
	int64_t plain = 0;
	int64_t with_sign = 0;
	if (!number_field(block + 148, 8, &want))
		return false;
	for (size_t i = 0; i < TAR_BLOCK; i++) {
		uint8_t byte = i >= 148 && i < 156 ? ' ' : block[i];
		plain += byte;
		with_sign += (int8_t)byte;
	}
#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
	return true; /* libFuzzer would hardly ever get past the sum */
#endif
	return want == plain || want == with_sign;
}

/* Reads the body of a header-like entry whole, with a NUL behind it. */
static int take_body(struct tar *tar, uint64_t max, char **out, size_t *length, struct err *e)
{
	int64_t size;
	if (!number_field(tar->header + 124, 12, &size) || size < 0)
		return err_set(e, ERR_TAR, 0, "extended header: bad size");
	if ((uint64_t)size > max)
		return err_set(e, ERR_LIMIT, 0, "an extended header is longer than %llu bytes",
			       (unsigned long long)max);
	char *body = calloc(1, (size_t)size + 1);
	if (body == NULL)
		return err_set(e, ERR_MEMORY, 0, "extended header");
	tar->padding = (uint32_t)((TAR_BLOCK - (uint64_t)size % TAR_BLOCK) % TAR_BLOCK);
	if (tar_take(tar, body, (size_t)size, e) != 0 || finish_content(tar, e) != 0) {
		free(body);
		return -1;
	}
	*out = body;
	*length = (size_t)size;
	return 0;
}

static int take_pax(struct tar *tar, struct pax *into, struct err *e)
{
	char *body = NULL;
	size_t length = 0;
	if (take_body(tar, PAX_BYTES_MAX, &body, &length, e) != 0)
		return -1;
	pax_clear(into);
	return pax_read(into, body, length, e);
}

static int take_long(struct tar *tar, char **into, struct err *e)
{
	size_t length = 0;
	if (*into != NULL)
		return err_set(e, ERR_TAR, 0, "two long names for one entry");
	return take_body(tar, TAR_LONG_NAME_MAX, into, &length, e);
}

/* *done: the header belongs to the entry that follows. */
static int take_extension(struct tar *tar, bool *done, struct err *e)
{
	*done = true;
	switch (tar->header[156]) {
	case 'x':
		if (tar->has_local)
			return err_set(e, ERR_TAR, 0, "two extended headers for one entry");
		tar->has_local = true;
		return take_pax(tar, &tar->local, e);
	case 'g':
		return take_pax(tar, &tar->global, e) != 0 ? -1 : pax_check_global(&tar->global, e);
	case 'L':
		return take_long(tar, &tar->long_name, e);
	case 'K':
		return take_long(tar, &tar->long_target, e);
	default:
		*done = false;
		return 0;
	}
}

static void forget_extensions(struct tar *tar)
{
	free(tar->long_name);
	free(tar->long_target);
	tar->long_name = NULL;
	tar->long_target = NULL;
	if (tar->has_local)
		pax_clear(&tar->local);
	tar->has_local = false;
}

/* Behind the first zero block, or at an end without one. What follows the second one is kept and of no
 * meaning. */
static int take_end(struct tar *tar, size_t got, struct err *e)
{
	if (tar->has_local || tar->long_name != NULL || tar->long_target != NULL)
		return err_set(e, ERR_TAR, 0, "an extended header without an entry");
	tar->unmarked = got == 0;
	if (got == 0)
		return 0;
	if (take_some(tar, tar->header, TAR_BLOCK, &got, e) != 0)
		return -1;
	if (got == 0)
		return 0;
	if (got < TAR_BLOCK)
		return cut_short(e);
	if (!is_zero(tar->header))
		return err_set(e, ERR_TAR, 0, "a lone zero block inside the archive");
	for (;;) {
		if (refill(tar, e) != 0)
			return -1;
		if (tar->left == 0)
			return 0;
		if (kept(tar, tar->at, tar->left, e) != 0)
			return -1;
		tar->left = 0;
	}
}

static int next(struct tar *tar, const struct tar_entry **entry, struct err *e)
{
	if (finish_content(tar, e) != 0)
		return -1;
	forget_extensions(tar);
	for (;;) {
		size_t got = 0;
		bool extension = false;
		if (take_some(tar, tar->header, TAR_BLOCK, &got, e) != 0)
			return -1;
		if (got == 0 || (got == TAR_BLOCK && is_zero(tar->header))) {
			*entry = NULL;
			return take_end(tar, got, e);
		}
		if (got < TAR_BLOCK)
			return cut_short(e);
		if (!checksum_fits(tar->header))
			return err_set(e, ERR_TAR, 0, "header %llu: bad checksum, or not a tar archive",
				       (unsigned long long)tar->headers);
		if (++tar->headers > TAR_ENTRIES_MAX)
			return err_set(e, ERR_LIMIT, 0, "the layer has more than %u entries",
				       TAR_ENTRIES_MAX);
		if (take_extension(tar, &extension, e) != 0)
			return -1;
		if (extension)
			continue;
		if (tar_make_entry(tar, e) != 0)
			return -1;
		*entry = &tar->entry;
		return 0;
	}
}

int tar_next(struct tar *tar, const struct tar_entry **entry, struct err *e)
{
	if (next(tar, entry, e) == 0)
		return 0;
	return err_at(e, "tar header %llu", (unsigned long long)tar->headers);
}

void tar_close(struct tar *tar)
{
	forget_extensions(tar);
	pax_clear(&tar->global);
	pax_clear(&tar->local);
	sparse_free(&tar->entry.map);
}

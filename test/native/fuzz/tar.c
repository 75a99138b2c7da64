/* SPDX-License-Identifier: Apache-2.0
 * libFuzzer target: the tar reader, fed in uneven pieces, all content read, nothing written. What it must
 * hold besides the sanitizers: an error has a code, plain names stay plain, content and map agree, and all
 * bytes are accounted for. */
#include "layer/tar.h"

#include <stdlib.h>
#include <string.h>

struct feed {
	const uint8_t *at;
	size_t left, step;
};

static int next(void *self, const uint8_t **bytes, size_t *length, struct err *e)
{
	struct feed *feed = self;
	(void)e;
	size_t step = feed->left < feed->step ? feed->left : feed->step;
	feed->step = feed->step * 7 % 1021 + 1;
	*bytes = feed->at;
	*length = step;
	feed->at += step;
	feed->left -= step;
	return 0;
}

static int count(void *self, const uint8_t *bytes, size_t length, struct err *e)
{
	(void)bytes;
	(void)e;
	*(uint64_t *)self += length;
	return 0;
}

static void must(bool true_thing)
{
	if (!true_thing)
		abort();
}

static void check(const struct tar_entry *entry)
{
	size_t length = strlen(entry->path);
	must(length <= NAME_BYTES_MAX && entry->path[0] != '/' && strstr(entry->path, "//") == NULL);
	must(length == 0 || entry->path[length - 1] != '/');
	for (const char *part = entry->path; part != NULL; part = strchr(part, '/')) {
		part += *part == '/';
		must(strncmp(part, "../", 3) != 0 && strcmp(part, "..") != 0);
	}
	must(entry->type != TAR_LINK || (entry->target[0] != '/' && strncmp(entry->target, "../", 3) != 0));
	must(entry->size <= TAR_FILE_BYTES_MAX && entry->mode <= 07777 && entry->mtime_ns < 1000000000);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct feed feed = {data, size, 1};
	struct err e = {0};
	uint64_t kept = 0;
	uint64_t content = 0;
	struct tar *tar = calloc(1, sizeof(*tar));
	const struct tar_entry *entry = NULL;
	must(tar != NULL);
	tar->source = (struct tar_source){&feed, next};
	tar->keep = (struct tar_keep){&kept, count};
	int done;
	while ((done = tar_next(tar, &entry, &e)) == 0 && entry != NULL) {
		uint64_t stored = 0;
		const uint8_t *bytes;
		size_t length;
		check(entry);
		while ((done = tar_content(tar, &bytes, &length, false, &e)) == 0 && length > 0)
			stored += length;
		if (done != 0)
			break;
		must(sparse_check(&entry->map, entry->size, stored, &e) == 0);
		content += stored;
	}
	must(done == 0 ? kept + content == size : e.code != ERR_NONE && e.what[0] != '\0');
	tar_close(tar);
	free(tar);
	return 0;
}

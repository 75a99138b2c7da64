/* SPDX-License-Identifier: Apache-2.0
 * See pack_names.h. One buffer for all names of a folder, then a sorted list into it. */
#include "layer/pack_names.h"
#include "layer/tar.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void names_free(struct names *names)
{
	free(names->bytes);
	free(names->list);
}

static int by_bytes(const void *left, const void *right)
{
	return strcmp(*(char *const *)left, *(char *const *)right); /* strcmp compares as unsigned */
}

static int put_name(struct names *names, const char *name, struct err *e)
{
	size_t length = strlen(name) + 1;
	if (names->count == TAR_ENTRIES_MAX)
		return err_set(e, ERR_LIMIT, 0, "more than %u files in one folder", TAR_ENTRIES_MAX);
	if (names->room - names->used < length) {
		size_t room = names->room * 2 + 1024;
		char *grown = realloc(names->bytes, room);
		if (grown == NULL)
			return err_set(e, ERR_MEMORY, 0, "names of a folder");
		names->bytes = grown;
		names->room = room;
	}
	memcpy(names->bytes + names->used, name, length);
	names->used += length;
	names->count++;
	return 0;
}

static int sort_names(struct names *names, struct err *e)
{
	names->list = calloc(names->count + 1, sizeof(names->list[0]));
	if (names->list == NULL)
		return err_set(e, ERR_MEMORY, 0, "names of a folder");
	const char *at = names->bytes;
	for (size_t i = 0; i < names->count; i++, at += strlen(at) + 1)
		names->list[i] = at;
	if (names->count > 1)
		qsort(names->list, names->count, sizeof(names->list[0]), by_bytes);
	return 0;
}

int names_read(int parent, const char *name, struct names *names, struct err *e)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *folder = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *item;
	int done = 0;
	if (folder == NULL)
		return err_set(e, ERR_SYSTEM, errno, "folder");
	while (done == 0 && (errno = 0, item = readdir(folder)) != NULL) {
		if (strcmp(item->d_name, ".") != 0 && strcmp(item->d_name, "..") != 0)
			done = put_name(names, item->d_name, e);
	}
	if (done == 0 && errno != 0)
		done = err_set(e, ERR_SYSTEM, errno, "folder");
	closedir(folder);
	return done != 0 ? -1 : sort_names(names, e);
}

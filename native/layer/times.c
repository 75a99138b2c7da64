/* SPDX-License-Identifier: Apache-2.0
 * See times.h. Records are read back in the order in which they came. */
#include "layer/times.h"
#include "layer/name.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define NAME ".wherry-times" /* only for the moment between its making and its unlinking */

struct record {
	int64_t seconds;
	uint32_t ns;
	uint32_t path_length;
};

int times_open(struct times *times, int root, struct err *e)
{
	int fd = openat(root, NAME, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_set(e, ERR_SYSTEM, errno, "file for the times of folders");
	if (unlinkat(root, NAME, 0) != 0 || (times->file = fdopen(fd, "w+")) == NULL) {
		int saved = errno;
		close(fd);
		return err_set(e, ERR_SYSTEM, saved, "file for the times of folders");
	}
	return 0;
}

int times_put(struct times *times, const char *path, int64_t seconds, uint32_t ns, struct err *e)
{
	struct record record = {seconds, ns, (uint32_t)strlen(path)};
	if (fwrite(&record, sizeof(record), 1, times->file) != 1 ||
	    fwrite(path, 1, record.path_length, times->file) != record.path_length)
		return err_set(e, ERR_SYSTEM, errno, "times of folders");
	return 0;
}

static int apply_one(struct tree *tree, const char *path, const struct record *record, struct err *e)
{
	struct timespec both[2] = {{record->seconds, (long)record->ns}, {record->seconds, (long)record->ns}};
	struct err gone;
	struct stat st;
	int parent;
	if (path[0] == '\0')
		return futimens(tree->root, both) == 0 ? 0
						       : err_set(e, ERR_SYSTEM, errno, "times of the root");
	if (tree_parent(tree, path, false, &parent, &gone) != 0)
		return 0;
	const char *name = name_last(path);
	if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISDIR(st.st_mode))
		return 0;
	if (utimensat(parent, name, both, AT_SYMLINK_NOFOLLOW) != 0)
		return err_set(e, ERR_SYSTEM, errno, "times of %.100s", path);
	return 0;
}

int times_apply(struct times *times, struct tree *tree, struct err *e)
{
	struct record record;
	char path[PATH_MAX];
	if (fflush(times->file) != 0)
		return err_set(e, ERR_SYSTEM, errno, "times of folders");
	rewind(times->file);
	while (fread(&record, sizeof(record), 1, times->file) == 1) {
		if (record.path_length >= sizeof(path) ||
		    fread(path, 1, record.path_length, times->file) != record.path_length)
			return err_set(e, ERR_SYSTEM, EIO, "times of folders");
		path[record.path_length] = '\0';
		if (apply_one(tree, path, &record, e) != 0)
			return -1;
	}
	return ferror(times->file) ? err_set(e, ERR_SYSTEM, errno, "times of folders") : 0;
}

void times_close(struct times *times)
{
	if (times->file != NULL)
		(void)fclose(times->file);
	times->file = NULL;
}

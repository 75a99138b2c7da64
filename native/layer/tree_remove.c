/* SPDX-License-Identifier: Apache-2.0
 * Removing a folder with all that is in it, however deep: one open descriptor at a time (downwards by name
 * without following links, upwards by ".."), so that depth costs neither descriptors nor stack. */
#include "layer/name.h"
#include "layer/tree.h"
#include "shared/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* A file that is no folder; its bytes are offered to `lost` first. */
static int remove_file(struct tree *tree, int at, const char *name, mode_t mode, const char *path,
		       struct err *e)
{
	if (S_ISREG(mode) && tree->lost != NULL) {
		fd_auto int fd = openat(at, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0)
			return err_set(e, ERR_SYSTEM, errno, "%.100s", path);
		if (tree->lost(tree->self, path, fd, e) != 0)
			return -1;
	}
	if (unlinkat(at, name, 0) != 0)
		return err_set(e, ERR_SYSTEM, errno, "remove %.100s", path);
	return 0;
}

/* Removes the files of `folder` until it meets a folder, whose name is then added to `path`; *found is false
 * if nothing is left. */
static int sweep(struct tree *tree, DIR *folder, char *path, size_t *length, bool *found, struct err *e)
{
	struct dirent *item;
	*found = false;
	while ((errno = 0, item = readdir(folder)) != NULL) {
		struct stat st;
		size_t name = strlen(item->d_name);
		if (strcmp(item->d_name, ".") == 0 || strcmp(item->d_name, "..") == 0)
			continue;
		if (*length + 1 + name >= PATH_MAX)
			return err_set(e, ERR_SYSTEM, ENAMETOOLONG, "remove %.100s", path);
		path[*length] = '/';
		memcpy(path + *length + 1, item->d_name, name + 1);
		if (fstatat(dirfd(folder), item->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
			return err_set(e, ERR_SYSTEM, errno, "remove %.100s", path);
		if (S_ISDIR(st.st_mode)) {
			*length += 1 + name;
			*found = true;
			return 0;
		}
		if (remove_file(tree, dirfd(folder), item->d_name, st.st_mode, path, e) != 0)
			return -1;
		path[*length] = '\0';
	}
	return errno == 0 ? 0 : err_set(e, ERR_SYSTEM, errno, "remove %.100s", path);
}

/* `at` is the open folder `path`; what is in it goes, not itself. Consumes `at`. */
static int empty_folder(struct tree *tree, int at, char *path, struct err *e)
{
	size_t top = strlen(path);
	size_t length = top;
	for (;;) {
		bool found = false;
		DIR *folder = fdopendir(at);
		if (folder == NULL) {
			int saved = errno;
			close(at);
			return err_set(e, ERR_SYSTEM, saved, "remove %.100s", path);
		}
		if (sweep(tree, folder, path, &length, &found, e) != 0) {
			closedir(folder);
			return -1;
		}
		if (!found && length == top) {
			closedir(folder);
			return 0;
		}
		int next = openat(dirfd(folder), found ? name_last(path) : "..",
				  O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		int saved = errno;
		closedir(folder);
		if (next < 0)
			return err_set(e, ERR_SYSTEM, saved, "remove %.100s", path);
		at = next;
		if (!found) {
			if (unlinkat(at, name_last(path), AT_REMOVEDIR) != 0) {
				saved = errno;
				close(at);
				return err_set(e, ERR_SYSTEM, saved, "remove %.100s", path);
			}
			length -= 1 + strlen(name_last(path));
			path[length] = '\0';
		}
	}
}

int tree_remove(struct tree *tree, const char *path, struct err *e)
{
	int parent;
	struct stat st;
	if (tree_parent(tree, path, false, &parent, e) != 0)
		return -1;
	const char *name = name_last(path);
	if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return errno == ENOENT ? 0 : err_set(e, ERR_SYSTEM, errno, "remove %.100s", path);
	if (!S_ISDIR(st.st_mode))
		return remove_file(tree, parent, name, st.st_mode, path, e);
	char way[PATH_MAX];
	memcpy(way, path, strlen(path) + 1);
	int at = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (at < 0)
		return err_set(e, ERR_SYSTEM, errno, "remove %.100s", path);
	if (empty_folder(tree, at, way, e) != 0)
		return -1;
	if (unlinkat(parent, name, AT_REMOVEDIR) != 0)
		return err_set(e, ERR_SYSTEM, errno, "remove %.100s", path);
	return 0;
}

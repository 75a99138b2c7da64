/* SPDX-License-Identifier: Apache-2.0
 * Opening folders beneath the root: openat2 in one step where the kernel has it, else (and where something is
 * missing or in the way) one O_NOFOLLOW step per component. */
#include "layer/tree.h"
#include "layer/name.h"
#include "shared/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#define FOLDER_FLAGS (O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

void tree_start(struct tree *tree, int root)
{
	memset(tree, 0, sizeof(*tree));
	tree->root = root;
	tree->parent = -1;
}

void tree_forget(struct tree *tree)
{
	if (tree->parent >= 0)
		close(tree->parent);
	tree->parent = -1;
}

void tree_end(struct tree *tree)
{
	tree_forget(tree);
}

bool tree_is_whiteout(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && st->st_rdev == makedev(0, 0);
}

/* The folder is our working directory for the call: lsetxattr has no *at form before Linux 6.13, and a
 * descriptor opened with O_PATH takes no fsetxattr. */
int tree_set_xattr(int parent, const char *name, const char *key, const void *value, size_t length)
{
	if (fchdir(parent) != 0)
		return -1;
	return lsetxattr(name, key, value, length, 0);
}

int tree_make_opaque(int parent, const char *name, struct err *e)
{
	if (tree_set_xattr(parent, name, "trusted.overlay.opaque", "y", 1) != 0)
		return err_set(e, ERR_SYSTEM, errno, "trusted.overlay.opaque on %.100s", name);
	return 0;
}

static int open_fast(struct tree *tree, const char *folder)
{
	if (tree->no_openat2) {
		errno = ENOSYS;
		return -1;
	}
	struct open_how how = {.flags = FOLDER_FLAGS,
			       .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS |
					  RESOLVE_NO_XDEV};
	int fd = (int)syscall(SYS_openat2, tree->root, folder, &how, sizeof(how));
	if (fd < 0 && (errno == ENOSYS || errno == EPERM))
		tree->no_openat2 = true;
	return fd;
}

static int make_folder(struct tree *tree, int at, const char *name, const char *path, bool opaque,
		       struct err *e)
{
	if (mkdirat(at, name, 0755) != 0 || fchownat(at, name, 0, 0, AT_SYMLINK_NOFOLLOW) != 0 ||
	    fchmodat(at, name, 0755, 0) != 0)
		return err_set(e, ERR_SYSTEM, errno, "folder %.100s", path);
	if (opaque && tree_make_opaque(at, name, e) != 0)
		return -1;
	return tree->made == NULL ? 0 : tree->made(tree->self, path, opaque, e);
}

/* One component: a descriptor of it, or -1. `path` is the way to it, for messages. */
static int open_step(struct tree *tree, int at, const char *name, const char *path, bool make, struct err *e)
{
	struct stat st;
	int fd = openat(at, name, FOLDER_FLAGS);
	if (fd >= 0)
		return fd;
	if (errno != ENOENT && errno != ENOTDIR && errno != ELOOP)
		return err_set(e, ERR_SYSTEM, errno, "folder %.100s", path);
	bool is_there = fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
	if (is_there && S_ISLNK(st.st_mode))
		return err_set(e, ERR_ESCAPE, 0, "%.100s is a symbolic link, not a folder", path);
	bool whiteout = is_there && tree_is_whiteout(&st);
	if ((is_there && !whiteout) || !make)
		return err_set(e, ERR_TAR, 0, is_there ? "%.100s is not a folder" : "no folder %.100s", path);
	if (whiteout && unlinkat(at, name, 0) != 0)
		return err_set(e, ERR_SYSTEM, errno, "whiteout %.100s", path);
	if (make_folder(tree, at, name, path, whiteout, e) != 0)
		return -1;
	fd = openat(at, name, FOLDER_FLAGS);
	return fd >= 0 ? fd : err_set(e, ERR_SYSTEM, errno, "folder %.100s", path);
}

static int open_slowly(struct tree *tree, const char *folder, bool make, struct err *e)
{
	char path[PATH_MAX]; /* the way so far, NUL-terminated after each component */
	size_t length = strlen(folder);
	memcpy(path, folder, length + 1);
	int at = fcntl(tree->root, F_DUPFD_CLOEXEC, 3);
	if (at < 0)
		return err_set(e, ERR_SYSTEM, errno, "root");
	for (size_t start = 0; start < length;) {
		size_t part = strcspn(path + start, "/");
		char after = path[start + part];
		path[start + part] = '\0';
		int next = open_step(tree, at, path + start, path, make, e);
		close(at);
		if (next < 0)
			return -1;
		at = next;
		path[start + part] = after;
		start += part + 1;
	}
	return at;
}

int tree_parent(struct tree *tree, const char *path, bool make, int *parent, struct err *e)
{
	char folder[PATH_MAX];
	size_t length = (size_t)(name_last(path) - path);
	if (length > 0)
		length--; /* without the slash */
	memcpy(folder, path, length);
	folder[length] = '\0';
	if (tree->parent < 0 || strcmp(folder, tree->parent_path) != 0) {
		tree_forget(tree);
		int fd = length == 0 ? fcntl(tree->root, F_DUPFD_CLOEXEC, 3) : open_fast(tree, folder);
		if (fd < 0)
			fd = open_slowly(tree, folder, make, e);
		if (fd < 0)
			return -1;
		tree->parent = fd;
		memcpy(tree->parent_path, folder, length + 1);
	}
	*parent = tree->parent;
	return 0;
}

int tree_open_file(struct tree *tree, const char *path, struct err *e)
{
	int parent;
	struct stat st;
	if (tree_parent(tree, path, false, &parent, e) != 0)
		return -1;
	fd_auto int fd = openat(parent, name_last(path), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) != 0)
		return err_set(e, ERR_DIGEST, errno, "%.100s of the layer", path);
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERR_DIGEST, 0, "%.100s is not the layer's file any more", path);
	return fd_steal(&fd);
}

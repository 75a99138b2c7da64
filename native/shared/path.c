/* SPDX-License-Identifier: Apache-2.0
 * See path.h. With openat2 the kernel resolves; without it path_walk does, step by step, holding a descriptor
 * for each folder on the way, so that a renamed folder or a swapped link cannot lead out.
 * PATH_NO_OPENAT2 forces the walk: the tests run both. */
#include "shared/path.h"
#include "shared/fd.h"
#include "shared/walk.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_openat2
#define SYS_openat2 437 /* the same on every architecture */
#endif
#define AGAIN_MAX    64 /* openat2 gives EAGAIN while something is renamed or mounted */
#define DANGLING_MAX 16 /* links to folders that are still to be made */

static int open_kernel(int root, const char *path, int flags, mode_t mode, unsigned resolve)
{
#ifdef PATH_NO_OPENAT2
	(void)root, (void)path, (void)flags, (void)mode, (void)resolve;
	errno = ENOSYS;
	return -1;
#else
	struct open_how how;
	memset(&how, 0, sizeof(how));
	how.flags = (unsigned long long)(unsigned)flags;
	how.mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? (mode & 07777) : 0;
	if ((flags & O_CREAT) == 0 && (flags & O_TMPFILE) != O_TMPFILE)
		how.mode = 0; /* O_TMPFILE holds O_DIRECTORY's bit */
	how.resolve = resolve | RESOLVE_NO_MAGICLINKS;
	long fd = -1;
	for (int i = 0; i < AGAIN_MAX; i++) {
		fd = syscall(SYS_openat2, root, path, &how, sizeof(how));
		if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
			break;
	}
	return (int)fd;
#endif
}

static int open_by(int root, const char *path, int flags, mode_t mode, bool beneath)
{
	flags |= O_CLOEXEC;
	if (path[0] == '\0')
		path = "."; /* the root itself */
	int fd = open_kernel(root, path, flags, mode, beneath ? RESOLVE_BENEATH : RESOLVE_IN_ROOT);
	/* EPERM: an old seccomp profile around us that does not know openat2. */
	if (fd >= 0 || (errno != ENOSYS && errno != EPERM))
		return fd;
	return walk_open(root, path, flags, mode, beneath);
}

int path_open_in(int root, const char *path, int flags, mode_t mode)
{
	return open_by(root, path, flags, mode, false);
}

int path_open_beneath(int root, const char *path, int flags)
{
	return open_by(root, path, flags, 0, true);
}

/* The path up to its last name, and the name (NULL if there is none, as in "/"). Trailing slashes are
 * dropped. */
static int split(char *path, const char **folder, const char **name)
{
	size_t length = strlen(path);
	while (length > 0 && path[length - 1] == '/')
		path[--length] = '\0';
	char *slash = strrchr(path, '/');
	*name = slash == NULL ? path : slash + 1;
	*folder = slash == NULL ? "" : path;
	if (slash != NULL)
		*slash = '\0';
	return **name == '\0' ? -1 : 0;
}

enum kind { FOLDER, FILE_EMPTY };

static int make_in(int root, const char *path, mode_t mode, enum kind kind, int links);

/* The name exists, yet cannot be opened: a link to something that is still to be made (/var/run -> /run). */
static int make_behind_link(int root, int parent, const char *folder, const char *name, mode_t mode,
			    enum kind kind, int links)
{
	char target[PATH_MAX], whole[PATH_MAX];
	ssize_t length = readlinkat(parent, name, target, sizeof(target) - 1);
	if (length < 0)
		return -1;
	if (links >= DANGLING_MAX) {
		errno = ELOOP;
		return -1;
	}
	target[length] = '\0';
	int put = target[0] == '/' ? snprintf(whole, sizeof(whole), "%s", target)
				   : snprintf(whole, sizeof(whole), "%s/%s", folder, target);
	if (put < 0 || (size_t)put >= sizeof(whole)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return make_in(root, whole, mode, kind, links + 1);
}

static int make_one(int parent, const char *name, mode_t mode, enum kind kind)
{
	if (kind == FOLDER)
		return mkdirat(parent, name, mode);
	int fd = openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
	if (fd < 0)
		return -1;
	close(fd);
	return 0;
}

/* Folder by folder from the top; recursion is bounded by DANGLING_MAX, the walk by PATH_MAX. */
static int make_last(int root, const char *path, mode_t mode, enum kind kind, int links)
{
	char copy[PATH_MAX];
	const char *folder, *name;
	size_t length = strlen(path);
	if (length >= sizeof(copy)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(copy, path, length + 1);
	int flags = O_PATH | (kind == FOLDER ? O_DIRECTORY : 0);
	int fd = path_open_in(root, path, flags, 0);
	if (fd >= 0 || errno != ENOENT)
		return fd;
	if (split(copy, &folder, &name) < 0)
		return -1;
	fd_auto int parent = path_open_in(root, folder, O_PATH | O_DIRECTORY, 0);
	if (parent < 0)
		return -1;
	if (make_one(parent, name, mode, kind) != 0 && errno != EEXIST)
		return -1;
	fd = path_open_in(root, path, flags, 0);
	if (fd >= 0 || errno != ENOENT)
		return fd;
	return make_behind_link(root, parent, folder, name, mode, kind, links);
}

static int make_in(int root, const char *path, mode_t mode, enum kind kind, int links)
{
	char prefix[PATH_MAX];
	size_t length = strlen(path);
	if (length >= sizeof(prefix)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	for (size_t i = 1; i < length; i++) {
		if (path[i] != '/' || path[i - 1] == '/')
			continue;
		memcpy(prefix, path, i);
		prefix[i] = '\0';
		mode_t folder_mode = kind == FOLDER ? mode : 0755;
		fd_auto int made = make_last(root, prefix, folder_mode, FOLDER, links);
		if (made < 0)
			return -1;
	}
	return make_last(root, path, mode, kind, links);
}

int path_mkdir_in(int root, const char *path, mode_t mode, enum err_code code, struct err *e)
{
	int fd = make_in(root, path, mode, FOLDER, 0);
	return fd >= 0 ? fd : err_set(e, code, errno, "cannot make the folder %s in the root", path);
}

int path_mkfile_in(int root, const char *path, mode_t mode, enum err_code code, struct err *e)
{
	int fd = make_in(root, path, mode, FILE_EMPTY, 0);
	return fd >= 0 ? fd : err_set(e, code, errno, "cannot make the file %s in the root", path);
}

bool path_is_id(const char *text, size_t max)
{
	size_t length = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				     "0123456789_+.-");
	if (length == 0 || length > max || text[length] != '\0')
		return false;
	return strcmp(text, ".") != 0 && strcmp(text, "..") != 0;
}

int path_mkdirs(const char *path, mode_t mode, struct err *e)
{
	char prefix[PATH_MAX];
	size_t length = strlen(path);
	if (path[0] != '/' || length >= sizeof(prefix))
		return err_set(e, ERR_SYSTEM, path[0] != '/' ? EINVAL : ENAMETOOLONG, "%s", path);
	for (size_t i = 1; i <= length; i++) {
		if (path[i] != '/' && path[i] != '\0')
			continue;
		memcpy(prefix, path, i);
		prefix[i] = '\0';
		if (mkdir(prefix, mode) != 0 && errno != EEXIST && errno != EROFS)
			return err_set(e, ERR_SYSTEM, errno, "cannot make the folder %s", prefix);
	}
	struct stat st;
	if (stat(path, &st) != 0)
		return err_set(e, ERR_SYSTEM, errno, "cannot make the folder %s", path);
	if (!S_ISDIR(st.st_mode))
		return err_set(e, ERR_SYSTEM, ENOTDIR, "%s", path);
	return 0;
}

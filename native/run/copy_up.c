/* SPDX-License-Identifier: Apache-2.0
 * See copy_up.h. */
#include "run/copy_up.h"
#include "shared/fd.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#define STEP (1024 * 1024)

static int copy_folder(int from, int to, unsigned depth, struct err *e);

static int fail(const char *name, struct err *e)
{
	return err_set(e, ERR_MOUNT, errno, "tmpcopyup of %.80s", name);
}

static int copy_file(int from, int to, const char *name, const struct stat *st, struct err *e)
{
	fd_auto int in = openat(from, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	fd_auto int out = openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	ssize_t n;

	if (in < 0 || out < 0)
		return fail(name, e);
	while ((n = sendfile(out, in, NULL, STEP)) > 0)
		continue;
	/* The mode last: a change of owner takes set-user-id away. */
	if (n < 0 || fchown(out, st->st_uid, st->st_gid) != 0 || fchmod(out, st->st_mode & 07777) != 0)
		return fail(name, e);
	return 0;
}

static int copy_link(int from, int to, const char *name, const struct stat *st, struct err *e)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(from, name, target, sizeof(target) - 1);

	if (n < 0)
		return fail(name, e);
	target[n] = 0;
	if (symlinkat(target, to, name) != 0 ||
	    fchownat(to, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) != 0)
		return fail(name, e);
	return 0;
}

static int copy_child(int from, int to, const char *name, const struct stat *st, unsigned depth,
		      struct err *e)
{
	fd_auto int in = openat(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	fd_auto int out = -1;

	if (in < 0 || mkdirat(to, name, 0700) != 0)
		return fail(name, e);
	out = openat(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (out < 0 || copy_folder(in, out, depth + 1, e) != 0)
		return out < 0 ? fail(name, e) : -1;
	if (fchown(out, st->st_uid, st->st_gid) != 0 || fchmod(out, st->st_mode & 07777) != 0)
		return fail(name, e);
	return 0;
}

static int copy_one(int from, int to, const char *name, unsigned depth, struct err *e)
{
	struct stat st;

	if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return fail(name, e);
	if (S_ISREG(st.st_mode))
		return copy_file(from, to, name, &st, e);
	if (S_ISLNK(st.st_mode))
		return copy_link(from, to, name, &st, e);
	if (S_ISDIR(st.st_mode))
		return copy_child(from, to, name, &st, depth, e);
	return 0;
}

/* Recursion is bounded by COPY_UP_DEPTH_MAX. */
static int copy_folder(int from, int to, unsigned depth, struct err *e)
{
	int copy = openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *listing = copy >= 0 ? fdopendir(copy) : NULL;
	const struct dirent *entry;
	int rc = 0;

	if (listing == NULL) {
		if (copy >= 0)
			close(copy);
		return fail(".", e);
	}
	if (depth >= COPY_UP_DEPTH_MAX)
		rc = err_set(e, ERR_MOUNT, ELOOP, "tmpcopyup: deeper than %d folders", COPY_UP_DEPTH_MAX);
	while (rc == 0 && (entry = readdir(listing)) != NULL)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			rc = copy_one(from, to, entry->d_name, depth, e);
	closedir(listing);
	return rc;
}

int copy_up(int from, int to, struct err *e)
{
	return copy_folder(from, to, 0, e);
}

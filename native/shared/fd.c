/* SPDX-License-Identifier: Apache-2.0
 * See fd.h. Every error names the path that it is about. */
#include "shared/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define READ_STEP 4096u

void fd_close_auto(int *fd)
{
	if (*fd >= 0) {
		int saved = errno;
		close(*fd);
		errno = saved;
	}
	*fd = -1;
}

void free_auto_(void *pointer)
{
	void *memory;
	memcpy(&memory, pointer, sizeof(memory)); /* a char ** is not a void **: no aliasing */
	int saved = errno;
	free(memory);
	errno = saved;
}

int fd_steal(int *fd)
{
	int given = *fd;
	*fd = -1;
	return given;
}

/* One read at the end of *bytes, which grows as needed; 0 at the end of the file, else 1, -1 with errno. */
static int read_more(int fd, char **bytes, size_t *used, size_t *size, size_t max)
{
	if (*size - *used < 2) {
		size_t wanted = *size == 0 ? READ_STEP : *size * 2;
		if (wanted > max + 2)
			wanted = max + 2; /* one byte too many, to see that it is, and the NUL */
		char *grown = realloc(*bytes, wanted);
		if (grown == NULL)
			return -1;
		*bytes = grown;
		*size = wanted;
	}
	ssize_t got = read(fd, *bytes + *used, *size - *used - 1);
	if (got < 0)
		return errno == EINTR ? 1 : -1;
	*used += (size_t)got;
	return got > 0;
}

int fd_read_file(int dirfd, const char *path, size_t max, char **out, size_t *length, enum err_code code,
		 struct err *e)
{
	fd_auto int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return err_set(e, code, errno, "cannot open %s", path);
	free_auto char *bytes = NULL;
	size_t used = 0, size = 0;
	for (;;) {
		int more = read_more(fd, &bytes, &used, &size, max);
		if (more < 0)
			return err_set(e, errno == ENOMEM ? ERR_MEMORY : code, errno, "cannot read %s", path);
		if (used > max)
			return err_set(e, code, 0, "%s: longer than %zu bytes", path, max);
		if (more == 0)
			break;
	}
	bytes[used] = '\0';
	*out = bytes;
	bytes = NULL;
	if (length != NULL)
		*length = used;
	return 0;
}

int fd_write_all(int fd, const void *bytes, size_t length, struct err *e)
{
	const char *from = bytes;
	while (length > 0) {
		ssize_t done = write(fd, from, length);
		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return err_set(e, ERR_SYSTEM, errno, "cannot write %zu bytes", length);
		from += done;
		length -= (size_t)done;
	}
	return 0;
}

int fd_write_file(int dirfd, const char *path, const char *text, enum err_code code, struct err *e)
{
	fd_auto int fd = openat(dirfd, path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return err_set(e, code, errno, "cannot open %s", path);
	size_t length = strlen(text);
	ssize_t done;
	do {
		done = write(fd, text, length);
	} while (done < 0 && errno == EINTR);
	if (done < 0)
		return err_set(e, code, errno, "cannot write \"%.40s\" to %s", text, path);
	if ((size_t)done != length)
		return err_set(e, code, 0, "%s took %zd of %zu bytes", path, done, length);
	return 0;
}

static int sync_folder(int dirfd, const char *path, struct err *e)
{
	char folder[PATH_MAX];
	const char *slash = strrchr(path, '/');
	size_t length = slash == NULL ? 0 : (size_t)(slash - path);
	if (length >= sizeof(folder))
		return err_set(e, ERR_SYSTEM, ENAMETOOLONG, "%s", path);
	memcpy(folder, path, length);
	folder[length] = '\0';
	const char *name = slash == NULL ? "." : length == 0 ? "/" : folder;
	fd_auto int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) != 0)
		return err_set(e, ERR_SYSTEM, errno, "cannot sync the folder of %s", path);
	return 0;
}

static int write_beside(int dirfd, const char *beside, const void *bytes, size_t length, mode_t mode,
			bool durable, struct err *e)
{
	if (unlinkat(dirfd, beside, 0) != 0 && errno != ENOENT)
		return err_set(e, ERR_SYSTEM, errno, "cannot remove %s", beside);
	fd_auto int fd = openat(dirfd, beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
	if (fd < 0)
		return err_set(e, ERR_SYSTEM, errno, "cannot make %s", beside);
	if (fd_write_all(fd, bytes, length, e) < 0)
		return err_add(e, "%s", beside);
	if (durable && fsync(fd) != 0)
		return err_set(e, ERR_SYSTEM, errno, "cannot sync %s", beside);
	return 0;
}

int fd_replace_file(int dirfd, const char *path, const void *bytes, size_t length, mode_t mode, bool durable,
		    struct err *e)
{
	char beside[PATH_MAX];
	int put = snprintf(beside, sizeof(beside), "%s.new", path);
	if (put < 0 || (size_t)put >= sizeof(beside))
		return err_set(e, ERR_SYSTEM, ENAMETOOLONG, "%s", path);
	if (write_beside(dirfd, beside, bytes, length, mode, durable, e) < 0) {
		unlinkat(dirfd, beside, 0);
		return -1;
	}
	if (renameat(dirfd, beside, dirfd, path) != 0) {
		err_set(e, ERR_SYSTEM, errno, "cannot rename %s to %s", beside, path);
		unlinkat(dirfd, beside, 0);
		return -1;
	}
	return durable ? sync_folder(dirfd, path, e) : 0;
}

/* Kernels before 5.9. The listing's own descriptor is among those found, so it is left for last. */
static void close_listed(int first)
{
	DIR *listing = opendir("/proc/self/fd");
	if (listing == NULL) {
		for (int fd = first; fd < 1024; fd++)
			close(fd);
		return;
	}
	const struct dirent *entry;
	while ((entry = readdir(listing)) != NULL) {
		char *end;
		long fd = strtol(entry->d_name, &end, 10);
		if (*end == '\0' && fd >= first && fd != dirfd(listing))
			close((int)fd);
	}
	closedir(listing);
}

void fd_close_from(int first)
{
#ifdef SYS_close_range
	if (syscall(SYS_close_range, (unsigned)first, ~0U, 0U) == 0)
		return;
#endif
	close_listed(first);
}

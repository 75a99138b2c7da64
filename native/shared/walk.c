/* SPDX-License-Identifier: Apache-2.0
 * See walk.h. At most WALK_DEPTH_MAX folders are held open and WALK_LINKS_MAX links followed. */
#include "shared/walk.h"
#include "shared/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define WALK_DEPTH_MAX 128
#define WALK_LINKS_MAX 40 /* as the kernel */

struct walk {
	int folders[WALK_DEPTH_MAX]; /* folders[0] is the root: the caller's, never closed here */
	int depth;
	int links;
	bool beneath;	     /* a way out is EXDEV instead of the root once more */
	char rest[PATH_MAX]; /* what is still to be resolved */
};

static int fail(int error)
{
	errno = error;
	return -1;
}

static int here(const struct walk *w)
{
	return w->folders[w->depth];
}

static void go_up(struct walk *w, int depth)
{
	int saved = errno;
	for (; w->depth > depth; w->depth--)
		close(w->folders[w->depth]);
	errno = saved;
}

/* Takes the next name off the rest. False if there is none. *last: nothing follows but slashes. */
static bool next_name(struct walk *w, char name[NAME_MAX + 1], bool *last, bool *slash, int *error)
{
	const char *from = w->rest + strspn(w->rest, "/");
	size_t length = strcspn(from, "/");
	*error = 0;
	if (length == 0)
		return false;
	if (length > NAME_MAX) {
		*error = ENAMETOOLONG;
		return false;
	}
	memcpy(name, from, length);
	name[length] = '\0';
	const char *behind = from + length;
	*slash = *behind == '/';
	*last = behind[strspn(behind, "/")] == '\0';
	memmove(w->rest, behind, strlen(behind) + 1);
	return true;
}

/* Puts a link's target in front of the rest. */
static int follow(struct walk *w, int link)
{
	char target[PATH_MAX], rest[PATH_MAX];
	if (++w->links > WALK_LINKS_MAX)
		return fail(ELOOP);
	ssize_t length = readlinkat(link, "", target, sizeof(target) - 1);
	if (length <= 0)
		return length < 0 ? -1 : fail(ENOENT);
	target[length] = '\0';
	if (target[0] == '/' && w->beneath)
		return fail(EXDEV);
	int put = snprintf(rest, sizeof(rest), "%s%s", target, w->rest);
	if (put < 0 || (size_t)put >= sizeof(rest))
		return fail(ENAMETOOLONG);
	memcpy(w->rest, rest, (size_t)put + 1);
	if (target[0] == '/')
		go_up(w, 0);
	return 0;
}

static int enter(struct walk *w, int *folder)
{
	if (w->depth + 1 >= WALK_DEPTH_MAX)
		return fail(ENAMETOOLONG);
	w->folders[++w->depth] = fd_steal(folder);
	return 0;
}

/* One name that is neither "." nor "..": 1 = *out is the result, 0 = go on, -1 = errno. */
static int step(struct walk *w, const char *name, bool last, bool slash, int flags, mode_t mode, int *out)
{
	fd_auto int found = openat(here(w), name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	if (found < 0) {
		if (errno != ENOENT || !last || slash || (flags & O_CREAT) == 0)
			return -1;
	} else {
		if (fstat(found, &st) != 0)
			return -1;
		bool stay = last && !slash && (flags & O_NOFOLLOW) != 0;
		if (S_ISLNK(st.st_mode) && !stay)
			return follow(w, found);
		if (!last)
			return S_ISDIR(st.st_mode) ? enter(w, &found) : fail(ENOTDIR);
		if (slash && !S_ISDIR(st.st_mode))
			return fail(ENOTDIR);
	}
	/* O_NOFOLLOW: a link put here since we looked is an error, not a way out. */
	*out = openat(here(w), name, flags | O_NOFOLLOW, (flags & O_CREAT) != 0 ? mode : 0);
	return *out < 0 ? -1 : 1;
}

static int walk(struct walk *w, int flags, mode_t mode)
{
	char name[NAME_MAX + 1];
	bool last = false, slash = false;
	int error = 0, out = -1;
	while (next_name(w, name, &last, &slash, &error)) {
		if (strcmp(name, ".") == 0)
			continue;
		if (strcmp(name, "..") == 0) {
			if (w->depth == 0 && w->beneath)
				return fail(EXDEV);
			if (w->depth > 0)
				go_up(w, w->depth - 1);
			continue;
		}
		int done = step(w, name, last, slash, flags, mode, &out);
		if (done != 0)
			return done < 0 ? -1 : out;
	}
	if (error != 0)
		return fail(error);
	/* The path ended in "/", "." or "..": the folder that we stand in. */
	return openat(here(w), ".", flags & ~(O_CREAT | O_EXCL));
}

int walk_open(int root, const char *path, int flags, mode_t mode, bool beneath)
{
	struct walk w = {.folders = {root}, .depth = 0, .links = 0, .beneath = beneath};
	size_t length = strlen(path);
	if (length >= sizeof(w.rest))
		return fail(ENAMETOOLONG);
	if (path[0] == '/' && beneath)
		return fail(EXDEV);
	memcpy(w.rest, path, length + 1);
	int fd = walk(&w, flags | O_CLOEXEC, mode);
	go_up(&w, 0);
	return fd;
}

/* SPDX-License-Identifier: Apache-2.0
 * The end of a container's groups: signal, kill, wait, remove. A fork bomb is stopped by cgroup.kill, or by
 * freezing before killing, so that nothing new appears between looking and killing. */
#include "run/cgroup.h"
#include "run/proc.h"
#include "shared/fd.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* 4 million processes, the most that a kernel has, and 9 bytes each, rounded up. */
#define PROCS_BYTES_MAX (64u * 1024 * 1024)
#define DEPTH_MAX	32
#define PAUSE_MAX_US	20000

/* The group's folder in one tree, or -1. */
static int open_group(const struct cgroup_tree *tree, const char *path)
{
	char name[CGROUP_PATH_MAX + 300];
	int n = snprintf(name, sizeof(name), "%s%s", tree->mount, path);

	if (n < 0 || (size_t)n >= sizeof(name))
		return -1;
	return open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
}

/* Signals the processes of one folder; their number. Signal 0 only counts. */
static size_t signal_here(int dir, int signal)
{
	free_auto char *text = NULL;
	struct err ignored = {0};
	size_t count = 0;
	char *at, *end;

	if (fd_read_file(dir, "cgroup.procs", PROCS_BYTES_MAX, &text, NULL, ERR_CGROUP, &ignored) != 0)
		return 0;
	for (at = text;; at = end) {
		long pid = strtol(at, &end, 10);

		if (end == at)
			return count;
		count++;
		/* 0 is a process of another pid namespace: kill(0) would be ourselves. */
		if (signal != 0 && pid > 0)
			kill((pid_t)pid, signal);
	}
}

/* dir and all groups below; recursion bounded by DEPTH_MAX. remove: rmdir the children, deepest first. */
static size_t walk(int dir, int signal, bool remove, unsigned depth)
{
	int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *listing = copy >= 0 ? fdopendir(copy) : NULL;
	size_t count = remove ? 0 : signal_here(dir, signal);
	const struct dirent *entry;

	if (listing == NULL) {
		if (copy >= 0)
			close(copy);
		return count;
	}
	while (depth < DEPTH_MAX && (entry = readdir(listing)) != NULL) {
		fd_auto int child = -1;

		if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
			continue;
		child = openat(dir, entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		if (child < 0)
			continue;
		count += walk(child, signal, remove, depth + 1);
		if (remove && unlinkat(dir, entry->d_name, AT_REMOVEDIR) != 0)
			count++;
	}
	closedir(listing);
	return count;
}

static size_t walk_all(const struct cgroups *c, const char *path, int signal)
{
	size_t count = 0;

	for (size_t i = 0; i < c->count; i++) {
		fd_auto int dir = open_group(&c->trees[i], path);

		if (dir >= 0)
			count += walk(dir, signal, false, 0);
	}
	return count;
}

bool cgroup_has_processes(const struct cgroups *c, const char *path)
{
	return walk_all(c, path, 0) > 0;
}

/* Whether the caller is in the group or below it: then it is no container's. */
static int refuse_own(const char *path, struct err *e)
{
	free_auto char *text = NULL;
	char *save = NULL;
	size_t length = strlen(path);

	if (cgroup_check_path(path, e) != 0 ||
	    fd_read_file(AT_FDCWD, "/proc/self/cgroup", 65536, &text, NULL, ERR_CGROUP, e) != 0)
		return -1;
	for (char *l = strtok_r(text, "\n", &save); l != NULL; l = strtok_r(NULL, "\n", &save)) {
		const char *own = strchr(l, ':') != NULL ? strchr(strchr(l, ':') + 1, ':') : NULL;

		if (own != NULL && strncmp(own + 1, path, length) == 0 &&
		    (own[1 + length] == 0 || own[1 + length] == '/'))
			return err_set(e, ERR_CGROUP, EBUSY, "group %s holds this process", path);
	}
	return 0;
}

int cgroup_signal(const struct cgroups *c, const char *path, int signal, struct err *e)
{
	if (refuse_own(path, e) != 0)
		return -1;
	for (size_t i = 0; i < c->count; i++) {
		fd_auto int dir = open_group(&c->trees[i], path);

		/* Each process once: one tree with all of them is enough. */
		if (dir >= 0 && walk(dir, signal, false, 0) > 0)
			return 0;
	}
	return err_set(e, ERR_STATE, ESRCH, "container not running: no process in its group");
}

/* What stops a whole group at once; false if this machine has neither. */
static bool kill_at_once(const struct cgroups *c, const char *path)
{
	struct err ignored = {0};

	for (size_t i = 0; i < c->count; i++) {
		fd_auto int dir = c->trees[i].v2 ? open_group(&c->trees[i], path) : -1;

		if (dir >= 0 && fd_write_file(dir, "cgroup.kill", "1", ERR_CGROUP, &ignored) == 0)
			return true;
	}
	return false;
}

static void freeze(const struct cgroups *c, const char *path, const char *state)
{
	struct err ignored = {0};

	for (size_t i = 0; i < c->count; i++) {
		fd_auto int dir = -1;

		if (c->trees[i].v2 || !cgroup_tree_has(&c->trees[i], "freezer"))
			continue;
		dir = open_group(&c->trees[i], path);
		if (dir >= 0)
			fd_write_file(dir, "freezer.state", state, ERR_CGROUP, &ignored);
	}
}

static void kill_all(const struct cgroups *c, const char *path)
{
	bool at_once = kill_at_once(c, path);

	if (!at_once)
		freeze(c, path, "FROZEN");
	/* Also behind cgroup.kill: a v1 tree may hold a process that the v2 group does not. */
	walk_all(c, path, SIGKILL);
	/* Thawed in any case: somebody may have frozen them, and what is frozen does not die in v1. */
	freeze(c, path, "THAWED");
}

static bool remove_in(const struct cgroup_tree *tree, const char *path)
{
	char name[CGROUP_PATH_MAX + 300];
	int n = snprintf(name, sizeof(name), "%s%s", tree->mount, path);
	fd_auto int dir = open_group(tree, path);

	if (dir < 0 || n < 0)
		return true;
	walk(dir, 0, true, 0);
	return rmdir(name) == 0 || errno == ENOENT;
}

int cgroup_destroy(const struct cgroups *c, const char *path, struct err *e)
{
	int64_t end = proc_now_ms() + CGROUP_END_MS;
	useconds_t pause = 500;

	if (refuse_own(path, e) != 0)
		return -1;
	while (walk_all(c, path, 0) > 0) {
		if (proc_now_ms() > end)
			return err_set(e, ERR_CGROUP, EBUSY, "processes of %s do not end", path);
		kill_all(c, path);
		usleep(pause);
		pause = pause < PAUSE_MAX_US ? pause * 2 : pause;
	}
	for (;;) {
		bool done = true;

		for (size_t i = 0; i < c->count; i++)
			done = remove_in(&c->trees[i], path) && done;
		if (done)
			return 0;
		if (proc_now_ms() > end)
			return err_set(e, ERR_CGROUP, EBUSY, "remove group %s", path);
		kill_all(c, path);
		usleep(pause);
	}
}

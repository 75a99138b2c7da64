/* SPDX-License-Identifier: Apache-2.0
 * See namespace.h. */
#include "run/namespace.h"
#include "run/kernel.h"
#include "shared/fd.h"
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef CLONE_NEWCGROUP
#define CLONE_NEWCGROUP 0x02000000
#endif

static const struct {
	const char *file;
	int flag;
} kinds[NS_COUNT] = {
    [NS_PID] = {"/proc/self/ns/pid", CLONE_NEWPID},
    [NS_NET] = {"/proc/self/ns/net", CLONE_NEWNET},
    [NS_IPC] = {"/proc/self/ns/ipc", CLONE_NEWIPC},
    [NS_UTS] = {"/proc/self/ns/uts", CLONE_NEWUTS},
    [NS_MNT] = {"/proc/self/ns/mnt", CLONE_NEWNS},
    [NS_CGROUP] = {"/proc/self/ns/cgroup", CLONE_NEWCGROUP},
    [NS_USER] = {"/proc/self/ns/user", CLONE_NEWUSER},
};

static int join(const char *path, int kind, struct err *e)
{
	fd_auto int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return err_set(e, ERR_NS, errno, "namespace %s", path);
	if (setns(fd, kinds[kind].flag) != 0)
		return err_set(e, ERR_NS, errno, "join namespace %s", path);
	return 0;
}

int namespace_enter(const struct spec *s, struct namespace_home *home, struct err *e)
{
	for (int kind = 0; kind < NS_COUNT; kind++)
		home->fds[kind] = -1;
	for (int kind = NS_PID; kind <= NS_UTS; kind++) {
		if (s->join[kind] == NULL)
			continue;
		home->fds[kind] = open(kinds[kind].file, O_RDONLY | O_CLOEXEC);
		if (home->fds[kind] < 0)
			return err_set(e, ERR_NS, errno, "%s", kinds[kind].file);
		if (join(s->join[kind], kind, e) != 0)
			return -1;
	}
	return 0;
}

int namespace_leave(struct namespace_home *home, struct err *e)
{
	int rc = 0;

	for (int kind = NS_PID; kind <= NS_UTS; kind++) {
		if (home->fds[kind] < 0)
			continue;
		if (setns(home->fds[kind], kinds[kind].flag) != 0)
			rc = err_set(e, ERR_NS, errno, "go back to %s", kinds[kind].file);
		fd_close_auto(&home->fds[kind]);
	}
	return rc;
}

int namespace_clone(const struct spec *s, int cgroup, pid_t *out, struct err *e)
{
	/* The cgroup namespace comes later: its root is the group that the process is in at that time. */
	unsigned long flags = s->namespaces & ~(unsigned long)CLONE_NEWCGROUP;
	struct k_clone_args args;
	long pid = -1;

	if (cgroup >= 0) {
		memset(&args, 0, sizeof(args));
		args.flags = flags | K_CLONE_INTO_CGROUP;
		args.exit_signal = SIGCHLD;
		args.cgroup = (uint64_t)cgroup;
		pid = syscall(SYS_clone3, &args, sizeof(args));
	}
	/* No stack: the child goes on with a copy of ours, like fork. */
	if (pid < 0)
		pid = syscall(SYS_clone, flags | SIGCHLD, NULL, NULL, NULL, NULL);
	if (pid < 0)
		return err_set(e, ERR_NS, errno, "clone with namespaces %#lx", flags);
	*out = (pid_t)pid;
	return 0;
}

int namespace_inside(const struct spec *s, struct err *e)
{
	bool in_userns = (s->namespaces & CLONE_NEWUSER) != 0 || s->join[NS_USER] != NULL;

	if (s->join[NS_USER] != NULL && join(s->join[NS_USER], NS_USER, e) != 0)
		return -1;
	if (in_userns) {
		if (setgroups(0, NULL) != 0 && errno != EPERM)
			return err_set(e, ERR_NS, errno, "setgroups in the user namespace");
		if (setresgid(0, 0, 0) != 0 || setresuid(0, 0, 0) != 0)
			return err_set(e, ERR_NS, errno, "become root of the user namespace");
	}
	if (s->join[NS_MNT] != NULL && join(s->join[NS_MNT], NS_MNT, e) != 0)
		return -1;
	if (s->join[NS_CGROUP] != NULL && join(s->join[NS_CGROUP], NS_CGROUP, e) != 0)
		return -1;
	if ((s->namespaces & CLONE_NEWCGROUP) != 0 && unshare(CLONE_NEWCGROUP) != 0)
		return err_set(e, ERR_NS, errno, "new cgroup namespace");
	return 0;
}

static int write_map(pid_t pid, const char *file, const struct spec_map *map, size_t count, struct err *e)
{
	char name[48];
	size_t size = count * 36 + 1, used = 0;
	free_auto char *text = calloc(1, size);

	if (text == NULL)
		return err_set(e, ERR_MEMORY, errno, "%s", file);
	for (size_t i = 0; i < count; i++)
		used += (size_t)snprintf(text + used, size - used, "%u %u %u\n", map[i].inside,
					 map[i].outside, map[i].size);
	if (snprintf(name, sizeof(name), "/proc/%d/%s", pid, file) < 0)
		return err_set(e, ERR_NS, errno, "%s", file);
	return fd_write_file(AT_FDCWD, name, text, ERR_NS, e);
}

int namespace_map(const struct spec *s, pid_t pid, struct err *e)
{
	if ((s->namespaces & CLONE_NEWUSER) == 0)
		return 0;
	if (write_map(pid, "gid_map", s->gid_map, s->gid_map_count, e) != 0)
		return -1;
	return write_map(pid, "uid_map", s->uid_map, s->uid_map_count, e);
}

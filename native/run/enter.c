/* SPDX-License-Identifier: Apache-2.0
 * See enter.h. The runtime opens the namespaces of the container's init and looks whether it is still that
 * process; steps into its pid namespace, which only its children notice; clones. The child waits for GO (it
 * is in the groups then), joins the rest, and prepares itself as init did. It cannot be traced from inside
 * (not dumpable) and holds no folder of the host. */
#include "run/enter.h"
#include "run/cgroup.h"
#include "run/kernel.h"
#include "run/launch.h"
#include "run/proc.h"
#include "run/sync.h"
#include "run/tty.h"
#include "shared/fd.h"
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#ifndef CLONE_NEWCGROUP
#define CLONE_NEWCGROUP 0x02000000
#endif

/* In joining order: user first, which gives the rights over the others; mount last, which takes the paths
 * away. */
static const struct {
	const char *file;
	int flag;
} order[] = {
    {"user", CLONE_NEWUSER},	 {"ipc", CLONE_NEWIPC}, {"uts", CLONE_NEWUTS}, {"net", CLONE_NEWNET},
    {"cgroup", CLONE_NEWCGROUP}, {"mnt", CLONE_NEWNS},	{"pid", CLONE_NEWPID},
};
#define KINDS	 (sizeof(order) / sizeof(*order))
#define PID_KIND (KINDS - 1)

/* The container's namespace, or -1 in *fd if it is our own one. */
static int open_namespace(pid_t pid, const char *file, int *fd, struct err *e)
{
	char theirs[48], ours[48];
	struct stat a, b;

	*fd = -1;
	if (snprintf(theirs, sizeof(theirs), "/proc/%d/ns/%s", pid, file) < 0 ||
	    snprintf(ours, sizeof(ours), "/proc/self/ns/%s", file) < 0)
		return err_set(e, ERR_NS, errno, "%s", file);
	if (stat(theirs, &a) != 0 || stat(ours, &b) != 0)
		return errno == ENOENT ? 0 : err_set(e, ERR_NS, errno, "%s", theirs);
	if (a.st_dev == b.st_dev && a.st_ino == b.st_ino)
		return 0;
	*fd = open(theirs, O_RDONLY | O_CLOEXEC);
	return *fd >= 0 ? 0 : err_set(e, ERR_NS, errno, "%s", theirs);
}

static int join(int *fds, struct err *e)
{
	bool own_users = fds[0] >= 0;

	for (size_t i = 0; i < PID_KIND; i++) {
		if (fds[i] >= 0 && setns(fds[i], order[i].flag) != 0)
			return err_set(e, ERR_NS, errno, "join the %s namespace", order[i].file);
		fd_close_auto(&fds[i]);
	}
	fd_close_auto(&fds[PID_KIND]);
	if (!own_users)
		return 0;
	if ((setgroups(0, NULL) != 0 && errno != EPERM) || setresgid(0, 0, 0) != 0 || setresuid(0, 0, 0) != 0)
		return err_set(e, ERR_NS, errno, "become root of the user namespace");
	return 0;
}

static int take_terminal(const struct entering *in, int *to_runtime, struct err *e)
{
	fd_auto int root = -1;
	fd_auto int master = -1;
	fd_auto int slave = -1;

	if (!in->process->spec->terminal)
		return 0;
	root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0 || tty_open(root, in->process->spec, &master, &slave, e) != 0)
		return root < 0 ? err_set(e, ERR_SYSTEM, errno, "open /") : -1;
	if (in->console < 0)
		*to_runtime = fd_steal(&master);
	else if (tty_send(in->console, master, e) != 0)
		return -1;
	return tty_take(slave, e);
}

static int become(const struct entering *in, int sync, int *fds, struct err *e)
{
	int to_runtime = -1;

	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 || prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0)
		return err_set(e, ERR_SYSTEM, errno, "prctl");
	if (sync_wait(sync, SYNC_GO, NULL, NULL, e) != 0 || join(fds, e) != 0)
		return -1;
	setsid();
	close(in->box->dir);
	if (take_terminal(in, &to_runtime, e) != 0 || process_prepare(in->process, e) != 0)
		return -1;
	prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0);
	return sync_say(sync, SYNC_READY, 0, to_runtime, e);
}

static void be_process(const struct entering *in, int sync, int *fds) __attribute__((noreturn));

static void be_process(const struct entering *in, int sync, int *fds)
{
	struct err e = {0};

	sigprocmask(SIG_SETMASK, &in->signals, NULL);
	if (become(in, sync, fds, &e) == 0)
		process_execute(in->process, &e);
	sync_say_error(sync, &e);
	_exit(e.code == ERR_EXEC && e.sys == ENOENT ? 127 : 126);
}

static int lead(const struct entering *in, int sync, const char *pid_file, pid_t pid, int *master,
		struct err *e)
{
	const char *path = in->box->state.cgroup;
	struct cgroups groups;

	if (path != NULL && *path != 0 &&
	    (cgroup_find(&groups, e) != 0 || cgroup_join(&groups, path, pid, e) != 0))
		return -1;
	if (process_oom_score(pid, in->process->spec, e) != 0 || sync_say(sync, SYNC_GO, pid, -1, e) != 0 ||
	    sync_wait(sync, SYNC_READY, NULL, master, e) != 0 || launch_write_pid(pid_file, pid, e) != 0)
		return -1;
	return sync_wait_end(sync, e);
}

static int clone_child(const struct entering *in, int pair[2], int *fds, pid_t *out, struct err *e)
{
	pid_t pid;

	if (fds[PID_KIND] >= 0 && setns(fds[PID_KIND], CLONE_NEWPID) != 0)
		return err_set(e, ERR_NS, errno, "join the pid namespace");
	pid = fork();
	if (pid < 0)
		return err_set(e, ERR_SYSTEM, errno, "fork into the container");
	if (pid == 0) {
		close(pair[0]);
		be_process(in, pair[1], fds);
	}
	*out = pid;
	return 0;
}

int enter_container(struct entering *in, const char *pid_file, pid_t *pid, int *master, struct err *e)
{
	const struct state *s = &in->box->state;
	int fds[KINDS], pair[2] = {-1, -1}, rc = 0;

	for (size_t i = 0; i < KINDS; i++)
		fds[i] = -1;
	for (size_t i = 0; i < KINDS && rc == 0; i++)
		rc = open_namespace(s->pid, order[i].file, &fds[i], e);
	/* Only now: what we opened belongs to the process that the state names. */
	if (rc == 0 && !proc_is_alive(s->pid, s->start_time))
		rc = err_set(e, ERR_STATE, 0, "container not running");
	if (rc == 0)
		rc = sync_pair(pair, e);
	if (rc == 0)
		rc = clone_child(in, pair, fds, pid, e);
	for (size_t i = 0; i < KINDS; i++)
		fd_close_auto(&fds[i]);
	if (rc == 0) {
		fd_close_auto(&pair[1]);
		rc = lead(in, pair[0], pid_file, *pid, master, e);
		fd_close_auto(&pair[0]);
		if (rc != 0) {
			kill(*pid, SIGKILL);
			waitpid(*pid, NULL, 0);
		}
	}
	fd_close_auto(&pair[0]);
	fd_close_auto(&pair[1]);
	return rc;
}

/* SPDX-License-Identifier: Apache-2.0
 * wherry-keep PLAN.json: keeps one container. It holds the container's output, records its exits, restarts it
 * by policy and probes its health, whether the agent is there or not. Prints one JSON line on stderr if it
 * cannot. Order: lock first, so that a second keeper touches nothing. */
#include "keep/keeper.h"
#include "shared/fd.h"
#include "shared/path.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCK_NAME      "keep.lock"
#define LOCK_TRIES_MAX 8

static struct keeper keeper; /* some 150 KiB, of which only what is used is resident */

static const char usage[] = "Usage: wherry-keep PLAN.json\n"
			    "\n"
			    "Keeps one container as PLAN.json says: output to rotated logs, exit records,\n"
			    "restart policy, health checks. Started by wherryd; answers on keep.sock in the\n"
			    "plan's runDir. SIGTERM stops the container and ends the keeper.\n";

/* The lock's file may be the one that an ending keeper is about to remove: look again under the lock. */
static int take_lock(struct keeper *k, struct err *e)
{
	for (int i = 0; i < LOCK_TRIES_MAX; i++) {
		fd_auto int fd =
		    openat(k->run_dir, LOCK_NAME, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
		struct stat ours, named;
		if (fd < 0)
			return err_set(e, ERR_KEEP, errno, "cannot open %s/" LOCK_NAME, k->plan.run_dir);
		if (flock(fd, LOCK_EX | LOCK_NB) != 0)
			return err_set(e, ERR_KEEP, errno == EWOULDBLOCK ? 0 : errno,
				       "another keeper holds %s/" LOCK_NAME, k->plan.run_dir);
		if (fstat(fd, &ours) == 0 &&
		    fstatat(k->run_dir, LOCK_NAME, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
		    ours.st_ino == named.st_ino && ours.st_dev == named.st_dev) {
			k->lock = fd_steal(&fd);
			return 0;
		}
	}
	return err_set(e, ERR_KEEP, 0, "%s/" LOCK_NAME " changes all the time", k->plan.run_dir);
}

static int open_folder(const char *path, int *out, struct err *e)
{
	if (path_mkdirs(path, 0700, e) < 0)
		return -1;
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_set(e, ERR_KEEP, errno, "cannot open the folder %s", path);
	*out = fd;
	return 0;
}

/* No descriptor of the agent, no terminal, no folder of somebody else's mount. stderr stays: a file of the
 * agent. */
static int stand_alone(struct err *e)
{
	fd_close_from(STDERR_FILENO + 1);
	int nothing = open("/dev/null", O_RDWR);
	while (nothing >= 0 && nothing <= STDERR_FILENO && fcntl(STDERR_FILENO, F_GETFD) < 0)
		nothing = dup(nothing); /* somebody closed 0, 1 or 2 */
	if (nothing < 0 || dup2(nothing, STDIN_FILENO) < 0 || dup2(nothing, STDOUT_FILENO) < 0)
		return err_set(e, ERR_SYSTEM, errno, "cannot open /dev/null");
	if (nothing > STDERR_FILENO)
		close(nothing);
	(void)setsid(); /* fails where we lead a session already, which is as good */
	umask(0027);
	return 0;
}

static int set_up(struct keeper *k, struct err *e)
{
	sigset_t watched;
	sigemptyset(&watched);
	sigaddset(&watched, SIGCHLD);
	sigaddset(&watched, SIGTERM);
	sigaddset(&watched, SIGINT);
	if (sigprocmask(SIG_BLOCK, &watched, NULL) != 0 || prctl(PR_SET_CHILD_SUBREAPER, 1) != 0)
		return err_set(e, ERR_SYSTEM, errno, "cannot become a subreaper");
	k->signals = signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK);
	k->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (k->signals < 0 || k->epoll < 0)
		return err_set(e, ERR_SYSTEM, errno, "cannot watch signals");
	if (loop_watch(k, k->signals, WATCH_SIGNALS, 0, e) < 0)
		return -1;
	if (open_folder(k->plan.state_dir, &k->state_dir, e) < 0)
		return -1;
	if (log_open(&k->log, k->plan.log.dir, k->plan.log.file_bytes_max, k->plan.log.file_count_max, e) < 0)
		return -1;
	return socket_open(k, e);
}

static int keep(struct keeper *k, const char *plan_path, struct err *e)
{
	k->listener = k->oom.events = k->verb.out = k->health.child.out = -1;
	if (plan_load(&k->plan, plan_path, e) < 0)
		return err_at(e, "plan");
	if (open_folder(k->plan.run_dir, &k->run_dir, e) < 0 || take_lock(k, e) < 0)
		return err_at(e, "lock");
	if (chdir("/") != 0 || set_up(k, e) < 0) {
		unlinkat(k->run_dir, LOCK_NAME, 0);
		return err_at(e, "set up");
	}
	machine_begin(k);
	loop_run(k);
	return 0;
}

/* Nothing stays in runDir but status.json. The answers go out when all is free: who gets one may start the
 * next keeper at once. */
static void clean_up(struct keeper *k)
{
	log_close(&k->log);
	unlinkat(k->run_dir, "keep.sock", 0);
	unlinkat(k->run_dir, "init.pid", 0);
	unlinkat(k->run_dir, LOCK_NAME, 0);
	close(k->lock);
	socket_stopped(k);
	socket_close(k);
}

int main(int argc, char **argv)
{
	struct err e;
	if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0))
		return fputs(usage, stdout) == EOF || fflush(stdout) == EOF;
	if (argc != 2 || argv[1][0] == '-') {
		err_set(&e, ERR_USAGE, 0, "wherry-keep takes one argument, the plan: see --help");
		err_print_json(STDERR_FILENO, &e);
		return 2;
	}
	if (stand_alone(&e) < 0 || keep(&keeper, argv[1], &e) < 0) {
		err_print_json(STDERR_FILENO, &e);
		return 1;
	}
	clean_up(&keeper);
	plan_free(&keeper.plan);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0
 * See child.h. */
#include "keep/child.h"
#include "shared/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const environment[] = {
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    NULL,
};

/* execve wants char *const; it writes to none of them. */
static int exec(const char *const argv[])
{
	char *const *args, *const *env;
	const char *const *environ_ = environment;
	memcpy(&args, &argv, sizeof(args));
	memcpy(&env, &environ_, sizeof(env));
	return execve(argv[0], args, env);
}

static _Noreturn void become(const char *const argv[], int out, int err, pid_t keeper)
{
	struct err e;
	sigset_t none;
	sigemptyset(&none);
	int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (nothing < 0 || dup2(nothing, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0 ||
	    dup2(err, STDERR_FILENO) < 0)
		_exit(126);
	fd_close_from(STDERR_FILENO + 1);
	umask(0022);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != keeper)
		_exit(126);
	sigprocmask(SIG_SETMASK, &none, NULL);
	exec(argv);
	err_set(&e, ERR_SYSTEM, errno, "cannot execute %s", argv[0]);
	err_print_json(STDERR_FILENO, &e);
	_exit(127);
}

int child_spawn(struct child *child, const char *const argv[], int out, int err, struct err *e)
{
	int ends[2] = {-1, -1};
	bool own = out < 0 || err < 0;
	if (own && pipe2(ends, O_CLOEXEC) != 0)
		return err_set(e, ERR_SYSTEM, errno, "cannot make a pipe");
	fd_auto int read_end = ends[0];
	fd_auto int write_end = ends[1];
	/* Only our end: the write end stays blocking for the program. */
	if (own && fcntl(read_end, F_SETFL, O_NONBLOCK) != 0)
		return err_set(e, ERR_SYSTEM, errno, "cannot set up a pipe");
	pid_t keeper = getpid();
	pid_t pid = fork();
	if (pid < 0)
		return err_set(e, ERR_SYSTEM, errno, "cannot fork for %s", argv[0]);
	if (pid == 0)
		become(argv, own ? write_end : out, own ? write_end : err, keeper);
	child->pid = pid;
	child->out = fd_steal(&read_end);
	child->used = 0;
	return 0;
}

void child_take(struct child *child, const char *text, size_t length)
{
	size_t room = sizeof(child->text) - child->used;
	if (length > room && !child->first) {
		/* The last bytes count: the error record is the last line. */
		size_t keep = length >= sizeof(child->text) ? 0 : sizeof(child->text) - length;
		memmove(child->text, child->text + child->used - keep, keep);
		child->used = keep;
		room = sizeof(child->text) - keep;
		if (length > room) {
			text += length - room;
			length = room;
		}
	}
	if (length > room)
		length = room;
	memcpy(child->text + child->used, text, length);
	child->used += length;
}

bool child_read(struct child *child)
{
	char bytes[1024];
	ssize_t got = read(child->out, bytes, sizeof(bytes));
	if (got > 0)
		child_take(child, bytes, (size_t)got);
	return got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR));
}

void child_ended(struct child *child)
{
	child->pid = 0;
	if (child->out < 0)
		return;
	for (int i = 0; i < 128; i++) { /* a pipe holds 64 KiB */
		errno = 0;
		if (!child_read(child) || errno == EAGAIN)
			break;
	}
	close(child->out);
	child->out = -1;
}

static ino_t pid_namespace(const char *pid)
{
	char path[64];
	struct stat st;
	if (snprintf(path, sizeof(path), "/proc/%s/ns/pid", pid) < 0 || stat(path, &st) != 0)
		return 0;
	return st.st_ino;
}

/* The fourth field of /proc/PID/stat, behind the name, which may hold anything. */
static pid_t parent_of(const char *pid)
{
	char path[64];
	struct err ignored;
	free_auto char *text = NULL;
	if (snprintf(path, sizeof(path), "/proc/%s/stat", pid) < 0 ||
	    fd_read_file(AT_FDCWD, path, 4096, &text, NULL, ERR_SYSTEM, &ignored) < 0)
		return 0;
	const char *end = strrchr(text, ')');
	if (end == NULL || strlen(end) < 5)
		return 0;
	return (pid_t)strtol(end + 4, NULL, 10);
}

void child_kill_strays(pid_t init)
{
	char init_text[16];
	if (init <= 0 || snprintf(init_text, sizeof(init_text), "%d", init) < 0)
		return;
	ino_t space = pid_namespace(init_text);
	if (space == 0 || space == pid_namespace("self"))
		return;
	DIR *processes = opendir("/proc");
	if (processes == NULL)
		return;
	const struct dirent *entry;
	for (int i = 0; i < CHILD_STRAYS_MAX && (entry = readdir(processes)) != NULL; i++) {
		char *end;
		pid_t pid = (pid_t)strtol(entry->d_name, &end, 10);
		if (*end != '\0' || pid <= 0 || pid == init || parent_of(entry->d_name) != getpid())
			continue;
		/* Ours and not reaped: the pid cannot belong to anybody else. */
		if (pid_namespace(entry->d_name) == space)
			kill(pid, SIGKILL);
	}
	closedir(processes);
}

int child_code(int status)
{
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

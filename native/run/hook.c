/* SPDX-License-Identifier: Apache-2.0
 * See hook.h. The state is a file in memory, not a pipe: a hook that does not read it cannot hang us. A hook
 * has only the environment that config.json gives it, and no descriptor but 0, 1 and 2. */
#include "run/hook.h"
#include "run/proc.h"
#include "shared/fd.h"
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void child(const struct spec_hook *hook, int state) __attribute__((noreturn));

static void child(const struct spec_hook *hook, int state)
{
	static char *empty[] = {NULL};
	char *args[] = {(char *)(uintptr_t)hook->path, NULL};
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	umask(0022);
	setsid(); /* so that a timeout ends what it started as well */
	if (dup2(state, STDIN_FILENO) < 0)
		_exit(125);
	fd_close_from(3);
	execve(hook->path, hook->args && hook->args[0] ? (char **)(uintptr_t)hook->args : args,
	       hook->env ? (char **)(uintptr_t)hook->env : empty);
	_exit(errno == ENOENT ? 127 : 126);
}

static int wait_for(pid_t pid, const struct spec_hook *hook, struct err *e)
{
	int64_t end = proc_now_ms() + (int64_t)hook->timeout_s * 1000;
	useconds_t pause = 500;
	int status = 0;

	for (;;) {
		pid_t got = waitpid(pid, &status, WNOHANG);

		if (got == pid)
			break;
		if (got < 0 && errno != EINTR)
			return err_set(e, ERR_SYSTEM, errno, "wait for the hook");
		if (proc_now_ms() > end) {
			kill(-pid, SIGKILL);
			kill(pid, SIGKILL);
			waitpid(pid, &status, 0);
			return err_set(e, ERR_STATE, 0, "hook %s took longer than %u s", hook->path,
				       hook->timeout_s);
		}
		usleep(pause);
		pause = pause < 16000 ? pause * 2 : pause;
	}
	if (status == 0)
		return 0;
	return err_set(e, ERR_STATE, 0, "hook %s ended with %d", hook->path, proc_exit_status(status));
}

static int one(const struct spec_hook *hook, const char *state, struct err *e)
{
	fd_auto int fd = memfd_create("state", MFD_CLOEXEC);
	pid_t pid;

	if (fd < 0 || fd_write_all(fd, state, strlen(state), e) != 0 || lseek(fd, 0, SEEK_SET) != 0)
		return err_set(e, ERR_SYSTEM, errno, "state for the hook %s", hook->path);
	pid = fork();
	if (pid < 0)
		return err_set(e, ERR_SYSTEM, errno, "fork for the hook %s", hook->path);
	if (pid == 0)
		child(hook, fd);
	return wait_for(pid, hook, e);
}

int hook_run(const struct spec_hooks *hooks, const char *name, const struct box *b, enum status status,
	     pid_t pid, bool all, struct err *e)
{
	free_auto char *state = NULL;
	int rc = 0;

	if (hooks->count == 0)
		return 0;
	if (box_state_json(b, status, pid, &state, e) != 0)
		return -1;
	for (size_t i = 0; i < hooks->count; i++) {
		struct err why = {0};

		if (one(&hooks->items[i], state, &why) == 0)
			continue;
		if (rc == 0) {
			*e = why;
			rc = err_add(e, "%s", name);
		}
		if (!all)
			break;
	}
	return rc;
}

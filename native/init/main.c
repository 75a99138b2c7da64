/* SPDX-License-Identifier: Apache-2.0
 * wherry-init: process 1 of a container whose program is not made to be one. It starts the program in a
 * process group and session of its own, passes every signal on, reaps whatever ends, and ends as the program
 * ended: with its status, or with 128 + signal. It allocates nothing and opens nothing. */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXIT_USAGE     64
#define EXIT_NOT_FOUND 127
#define EXIT_NOT_RUN   126

static int fail(const char *what, int status)
{
	char line[256];
	int length = snprintf(line, sizeof(line), "wherry-init: %s: %s\n", what, strerror(errno));

	if (length > 0)
		(void)!write(STDERR_FILENO, line, strlen(line));
	return status;
}

/* Signals that a fault of our own raises stay as they are: they can not be waited for. */
static void all_signals(sigset_t *set)
{
	static const int own[] = {SIGFPE, SIGILL, SIGSEGV, SIGBUS, SIGABRT, SIGTRAP, SIGSYS};

	sigfillset(set);
	for (size_t i = 0; i < sizeof(own) / sizeof(*own); i++)
		sigdelset(set, own[i]);
}

static pid_t start(char **argv, const sigset_t *before)
{
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	if (setsid() < 0)
		_exit(fail("setsid", EXIT_NOT_RUN));
	if (isatty(STDIN_FILENO))
		(void)ioctl(STDIN_FILENO, TIOCSCTTY, 1);
	if (sigprocmask(SIG_SETMASK, before, NULL) != 0)
		_exit(fail("sigprocmask", EXIT_NOT_RUN));
	execvp(argv[0], argv);
	_exit(fail(argv[0], errno == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_RUN));
}

/* True where the program itself has ended; its status is then in *status. */
static bool reap(pid_t program, int *status)
{
	bool ended = false;

	for (;;) {
		int how = 0;
		pid_t pid = waitpid(-1, &how, WNOHANG);

		if (pid < 0 && errno == EINTR)
			continue;
		if (pid <= 0)
			return ended;
		if (pid != program)
			continue;
		*status = WIFSIGNALED(how) ? 128 + WTERMSIG(how) : WEXITSTATUS(how);
		ended = true;
	}
}

int main(int argc, char **argv)
{
	sigset_t set, before;
	int first = argc > 1 && strcmp(argv[1], "--") == 0 ? 2 : 1;
	int status = EXIT_NOT_RUN;
	pid_t program;

	if (argc <= first) {
		errno = EINVAL;
		return fail("usage: wherry-init -- PROGRAM [ARGUMENT...]", EXIT_USAGE);
	}
	all_signals(&set);
	if (sigprocmask(SIG_BLOCK, &set, &before) != 0)
		return fail("sigprocmask", EXIT_NOT_RUN);
	/* Outside a pid namespace of its own (exec, tests) orphans come to it too. */
	if (getpid() != 1)
		(void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	program = start(argv + first, &before);
	if (program < 0)
		return fail("fork", EXIT_NOT_RUN);
	for (;;) {
		int number = sigwaitinfo(&set, NULL);

		if (number < 0 && errno == EINTR)
			continue;
		if (number < 0)
			return fail("sigwaitinfo", EXIT_NOT_RUN);
		if (number == SIGCHLD) {
			if (reap(program, &status))
				return status;
		} else if (kill(program, number) != 0 && errno != ESRCH) {
			(void)fail("kill", 0);
		}
	}
}

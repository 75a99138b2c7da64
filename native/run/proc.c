/* SPDX-License-Identifier: Apache-2.0
 * See proc.h. */
#include "run/proc.h"
#include "run/kernel.h"
#include "shared/fd.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/wait.h>
#include <time.h>

bool proc_start_time(pid_t pid, uint64_t *out)
{
	char name[40];
	free_auto char *text = NULL;
	const char *at;
	struct err ignored = {0};

	if (pid <= 0 || snprintf(name, sizeof(name), "/proc/%d/stat", pid) < 0 ||
	    fd_read_file(AT_FDCWD, name, 4096, &text, NULL, ERR_SYSTEM, &ignored) != 0)
		return false;
	/* The second field is a name in brackets that may hold anything: count from its end. */
	at = strrchr(text, ')');
	if (at == NULL || at[1] != ' ' || at[2] == 'Z' || at[2] == 'X')
		return false;
	for (int field = 2; field < 22 && at != NULL; field++)
		at = strchr(at + 1, ' ');
	if (at == NULL)
		return false;
	*out = strtoull(at + 1, NULL, 10);
	return true;
}

bool proc_is_alive(pid_t pid, uint64_t start_time)
{
	uint64_t now = 0;

	return proc_start_time(pid, &now) && now == start_time;
}

int proc_signal(pid_t pid, uint64_t start_time, int signal, struct err *e)
{
	fd_auto int fd = pid > 0 ? k_pidfd_open(pid) : -1;

	/* Looked at after the pidfd is open: from then on it cannot be another process. */
	if (!proc_is_alive(pid, start_time))
		return err_set(e, ERR_STATE, 0, "container not running");
	if ((fd >= 0 ? k_pidfd_send_signal(fd, signal) : kill(pid, signal)) != 0)
		return errno == ESRCH ? err_set(e, ERR_STATE, 0, "container not running")
				      : err_set(e, ERR_SYSTEM, errno, "signal %d to process %d", signal, pid);
	return 0;
}

int64_t proc_now_ms(void)
{
	struct timespec t = {0, 0};

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

bool proc_wait_gone(pid_t pid, uint64_t start_time, int timeout_ms)
{
	int64_t end = proc_now_ms() + timeout_ms;
	useconds_t pause = 200;

	while (proc_is_alive(pid, start_time)) {
		if (proc_now_ms() > end)
			return false;
		usleep(pause);
		pause = pause < 20000 ? pause * 2 : pause;
	}
	return true;
}

int proc_signal_number(const char *text)
{
	static const struct {
		const char *name;
		int number;
	} table[] = {
	    {"HUP", SIGHUP},	   {"INT", SIGINT},	{"QUIT", SIGQUIT}, {"ILL", SIGILL},
	    {"TRAP", SIGTRAP},	   {"ABRT", SIGABRT},	{"IOT", SIGABRT},  {"BUS", SIGBUS},
	    {"FPE", SIGFPE},	   {"KILL", SIGKILL},	{"USR1", SIGUSR1}, {"SEGV", SIGSEGV},
	    {"USR2", SIGUSR2},	   {"PIPE", SIGPIPE},	{"ALRM", SIGALRM}, {"TERM", SIGTERM},
	    {"STKFLT", SIGSTKFLT}, {"CHLD", SIGCHLD},	{"CLD", SIGCHLD},  {"CONT", SIGCONT},
	    {"STOP", SIGSTOP},	   {"TSTP", SIGTSTP},	{"TTIN", SIGTTIN}, {"TTOU", SIGTTOU},
	    {"URG", SIGURG},	   {"XCPU", SIGXCPU},	{"XFSZ", SIGXFSZ}, {"VTALRM", SIGVTALRM},
	    {"PROF", SIGPROF},	   {"WINCH", SIGWINCH}, {"IO", SIGIO},	   {"POLL", SIGIO},
	    {"PWR", SIGPWR},	   {"SYS", SIGSYS},
	};
	char *end = NULL;
	long number;

	if (text[0] >= '0' && text[0] <= '9') {
		number = strtol(text, &end, 10);
		return *end == 0 && number >= 1 && number <= 64 ? (int)number : -1;
	}
	if (strncasecmp(text, "SIG", 3) == 0)
		text += 3;
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
		if (strcasecmp(table[i].name, text) == 0)
			return table[i].number;
	/* The kernel's 34..64, as the C libraries name them. */
	if (strncasecmp(text, "RTMIN", 5) == 0 || strncasecmp(text, "RTMAX", 5) == 0) {
		number = text[5] == 0 ? 0 : strtol(text + 5, &end, 10);
		number += strncasecmp(text, "RTMIN", 5) == 0 ? 34 : 64;
		return (end == NULL || *end == 0) && number >= 34 && number <= 64 ? (int)number : -1;
	}
	return -1;
}

int proc_exit_status(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

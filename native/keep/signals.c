/* SPDX-License-Identifier: Apache-2.0
 * See signals.h. SIGRTMIN is 34 as everywhere in images (glibc), not musl's 35. */
#include "keep/signals.h"

#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define REALTIME_MIN 34
#define REALTIME_MAX 64

static const struct {
	const char *name;
	int number;
} signals[] = {
    {"SIGHUP", SIGHUP},		{"SIGINT", SIGINT},	    {"SIGQUIT", SIGQUIT},     {"SIGILL", SIGILL},
    {"SIGTRAP", SIGTRAP},	{"SIGABRT", SIGABRT},	    {"SIGIOT", SIGABRT},      {"SIGBUS", SIGBUS},
    {"SIGFPE", SIGFPE},		{"SIGKILL", SIGKILL},	    {"SIGUSR1", SIGUSR1},     {"SIGSEGV", SIGSEGV},
    {"SIGUSR2", SIGUSR2},	{"SIGPIPE", SIGPIPE},	    {"SIGALRM", SIGALRM},     {"SIGTERM", SIGTERM},
    {"SIGCHLD", SIGCHLD},	{"SIGCONT", SIGCONT},	    {"SIGSTOP", SIGSTOP},     {"SIGTSTP", SIGTSTP},
    {"SIGTTIN", SIGTTIN},	{"SIGTTOU", SIGTTOU},	    {"SIGURG", SIGURG},	      {"SIGXCPU", SIGXCPU},
    {"SIGXFSZ", SIGXFSZ},	{"SIGPROF", SIGPROF},	    {"SIGVTALRM", SIGVTALRM}, {"SIGWINCH", SIGWINCH},
    {"SIGIO", SIGIO},		{"SIGPOLL", SIGIO},	    {"SIGPWR", SIGPWR},	      {"SIGSYS", SIGSYS},
    {"SIGRTMIN", REALTIME_MIN}, {"SIGRTMAX", REALTIME_MAX},
};

/* Behind SIGRTMIN or SIGRTMAX: +3 or -3, and nothing more. */
static int realtime(const char *rest, char sign, int base)
{
	if (rest[0] != sign || rest[1] < '0' || rest[1] > '9')
		return 0;
	char *end;
	long offset = strtol(rest + 1, &end, 10);
	if (*end != '\0' || offset > REALTIME_MAX - REALTIME_MIN)
		return 0;
	return sign == '+' ? base + (int)offset : base - (int)offset;
}

int signal_number(const char *name)
{
	for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++) {
		if (strcmp(signals[i].name, name) == 0)
			return signals[i].number;
	}
	if (strncmp(name, "SIGRTMIN", 8) == 0)
		return realtime(name + 8, '+', REALTIME_MIN);
	if (strncmp(name, "SIGRTMAX", 8) == 0)
		return realtime(name + 8, '-', REALTIME_MAX);
	return 0;
}

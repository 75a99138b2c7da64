/* SPDX-License-Identifier: Apache-2.0
 * See relay.h. One poll loop: signals, our stdin, the master. What comes is written whole before more is
 * read, so nothing piles up. */
#include "run/relay.h"
#include "run/proc.h"
#include "shared/fd.h"
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define CHUNK	 4096
#define DRAIN_MS 500 /* output still in the terminal when the process is gone */

static const int passed_on[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGCONT, SIGTSTP};

static void relay_set(sigset_t *set)
{
	sigemptyset(set);
	for (size_t i = 0; i < sizeof(passed_on) / sizeof(*passed_on); i++)
		sigaddset(set, passed_on[i]);
	sigaddset(set, SIGCHLD);
	sigaddset(set, SIGWINCH);
}

void relay_block(sigset_t *before)
{
	sigset_t set;

	relay_set(&set);
	sigprocmask(SIG_BLOCK, &set, before);
}

/* Our terminal's size and, while we carry bytes, its raw mode. */
struct screen {
	struct termios before;
	bool raw;
};

static void take_size(int master)
{
	struct winsize size;

	if (ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0)
		ioctl(master, TIOCSWINSZ, &size);
}

static void screen_open(struct screen *s, int master)
{
	struct termios raw;

	s->raw = master >= 0 && tcgetattr(STDIN_FILENO, &s->before) == 0;
	if (!s->raw)
		return;
	raw = s->before;
	cfmakeraw(&raw);
	tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	take_size(master);
}

static void screen_close(const struct screen *s)
{
	if (s->raw)
		tcsetattr(STDIN_FILENO, TCSANOW, &s->before);
}

/* False at the end of `from`. */
static bool carry(int from, int to)
{
	char bytes[CHUNK];
	struct err ignored = {0};
	ssize_t n = read(from, bytes, sizeof(bytes));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return true;
	return n > 0 && fd_write_all(to, bytes, (size_t)n, &ignored) == 0;
}

static void take_signal(int signals, pid_t pid, int master)
{
	struct signalfd_siginfo one;

	if (read(signals, &one, sizeof(one)) != (ssize_t)sizeof(one))
		return;
	if (one.ssi_signo == SIGWINCH && master >= 0)
		take_size(master);
	else if (one.ssi_signo != SIGCHLD && one.ssi_signo != SIGWINCH)
		kill(pid, (int)one.ssi_signo);
}

static void drain(int master)
{
	int64_t end = proc_now_ms() + DRAIN_MS;
	struct pollfd p = {master, POLLIN, 0};

	while (proc_now_ms() < end && poll(&p, 1, 20) > 0 && (p.revents & POLLIN) != 0)
		if (!carry(master, STDOUT_FILENO))
			return;
}

int relay_wait(pid_t pid, int master, int *status, struct err *e)
{
	struct screen screen;
	struct pollfd p[3] = {{.events = POLLIN},
			      {.fd = master, .events = POLLIN},
			      {.fd = master >= 0 ? STDIN_FILENO : -1, .events = POLLIN}};
	sigset_t set;
	fd_auto int signals = -1;
	int got = 0, raw = 0;

	relay_set(&set);
	signals = signalfd(-1, &set, SFD_CLOEXEC);
	if (signals < 0)
		return err_set(e, ERR_SYSTEM, errno, "signalfd");
	p[0].fd = signals;
	screen_open(&screen, master);
	/* The pause bounds a SIGCHLD that came before the signalfd. */
	while ((got = waitpid(pid, &raw, WNOHANG)) == 0) {
		if (poll(p, 3, 1000) <= 0)
			continue;
		if (p[0].revents != 0)
			take_signal(signals, pid, master);
		if (p[1].revents != 0 && !carry(master, STDOUT_FILENO))
			p[1].fd = -1;
		if (p[2].revents != 0 && !carry(STDIN_FILENO, master))
			p[2].fd = -1;
	}
	if (master >= 0)
		drain(master);
	screen_close(&screen);
	if (got < 0)
		return err_set(e, ERR_SYSTEM, errno, "wait for process %d", pid);
	*status = proc_exit_status(raw);
	return 0;
}

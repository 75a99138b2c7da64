/* SPDX-License-Identifier: Apache-2.0
 * The one loop: epoll over signals, pipes and the socket; timers are a table of deadlines that bounds the
 * wait. Everything is handled to its end before the next event; nothing here blocks but writes to the log's
 * disk. */
#include "keep/clock.h"
#include "keep/keeper.h"

#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define EVENTS_AT_ONCE 16
#define WAIT_MS_MAX    3600000

int loop_watch(struct keeper *k, int fd, enum watch kind, unsigned index, struct err *e)
{
	struct epoll_event event = {.events = EPOLLIN};
	event.data.u64 = (uint64_t)kind << 32 | index;
	if (epoll_ctl(k->epoll, EPOLL_CTL_ADD, fd, &event) != 0)
		return err_set(e, ERR_SYSTEM, errno, "cannot watch a descriptor");
	return 0;
}

void loop_unwatch(struct keeper *k, int fd)
{
	struct epoll_event unused = {0};
	(void)epoll_ctl(k->epoll, EPOLL_CTL_DEL, fd, &unused);
}

static void verb_ended(struct keeper *k, int status)
{
	/* What create wrote to the container's stderr is still in that pipe, and belongs to the verb. */
	if (k->state == ST_CREATING && k->log.streams[LOG_STDERR].fd >= 0) {
		int own = k->verb.out;
		k->verb.out = k->log.streams[LOG_STDERR].fd;
		for (int i = 0; i < 64; i++) {
			errno = 0;
			if (!child_read(&k->verb) || errno == EAGAIN)
				break;
		}
		k->verb.out = own;
	}
	k->timers[TIMER_VERB] = 0;
	child_ended(&k->verb);
	machine_event(k, child_code(status) == 0 ? EV_VERB_OK : EV_VERB_FAILED);
}

static void reap(struct keeper *k)
{
	int status;
	pid_t pid;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == k->verb.pid)
			verb_ended(k, status);
		else if (pid == k->health.child.pid)
			health_probed(k, status);
		else
			machine_orphan(k, pid, status);
	}
}

static void read_signals(struct keeper *k)
{
	struct signalfd_siginfo got;
	while (read(k->signals, &got, sizeof(got)) == (ssize_t)sizeof(got)) {
		if (got.ssi_signo == SIGCHLD)
			continue; /* one may stand for many: reap() looks for all */
		k->stop_wanted = true;
		k->grace_ms = k->plan.stop.grace_ms;
		machine_event(k, EV_STOP);
	}
	reap(k);
}

static void read_log(struct keeper *k, enum log_stream stream)
{
	int fd = k->log.streams[stream].fd;
	if (fd < 0)
		return;
	bool open = true;
	if (k->state == ST_CREATING && stream == LOG_STDERR) {
		/* The container has not run yet: these are the words of create. */
		int own = k->verb.out;
		k->verb.out = fd;
		open = child_read(&k->verb);
		k->verb.out = own;
	} else {
		open = log_read(&k->log, stream);
	}
	if (!open)
		loop_unwatch(k, fd); /* closed by log_detach, when init is gone */
}

static void read_child(struct keeper *k, struct child *child)
{
	if (child->out >= 0 && !child_read(child))
		loop_unwatch(k, child->out);
}

static void handle(struct keeper *k, const struct epoll_event *event)
{
	unsigned index = (unsigned)(event->data.u64 & 0xffffffff);
	switch ((enum watch)(event->data.u64 >> 32)) {
	case WATCH_SIGNALS:
		read_signals(k);
		break;
	case WATCH_LISTENER:
		socket_accept(k);
		break;
	case WATCH_CLIENT:
		socket_read(k, index);
		break;
	case WATCH_LOG:
		read_log(k, (enum log_stream)index);
		break;
	case WATCH_VERB:
		read_child(k, &k->verb);
		break;
	case WATCH_PROBE:
		read_child(k, &k->health.child);
		break;
	}
}

static void verb_limit(struct keeper *k)
{
	static const char late[] = "\nthe runtime took too long and was killed";
	if (k->verb.pid != 0) {
		child_take(&k->verb, late, sizeof(late) - 1);
		kill(k->verb.pid, SIGKILL); /* reap() sees it end */
	} else {
		machine_event(k, EV_VERB_FAILED); /* it could not be started */
	}
}

static void run_timers(struct keeper *k, int64_t now)
{
	for (int i = 0; i < TIMER_COUNT; i++) {
		if (k->timers[i] == 0 || k->timers[i] > now)
			continue;
		k->timers[i] = 0;
		switch ((enum timer)i) {
		case TIMER_PHASE:
			machine_event(k, EV_TIMER);
			break;
		case TIMER_VERB:
			verb_limit(k);
			break;
		case TIMER_PROBE:
			health_due(k);
			break;
		case TIMER_PROBE_LIMIT:
			health_limit(k);
			break;
		case TIMER_COUNT:
			break;
		}
	}
	if (k->log.flush_at != 0 && k->log.flush_at <= now)
		log_rest(&k->log);
}

static void sooner(int64_t *next, int64_t at)
{
	if (at != 0 && (*next == 0 || at < *next))
		*next = at;
}

static int wait_ms(struct keeper *k, int64_t now)
{
	int64_t next = socket_sweep(k, now);
	for (int i = 0; i < TIMER_COUNT; i++)
		sooner(&next, k->timers[i]);
	sooner(&next, k->log.flush_at);
	if (next == 0)
		return -1;
	int64_t wait = next - now;
	return wait <= 0 ? 0 : wait > WAIT_MS_MAX ? WAIT_MS_MAX : (int)wait;
}

void loop_run(struct keeper *k)
{
	struct epoll_event events[EVENTS_AT_ONCE];
	while (!k->finished) {
		status_write(k);
		int count = epoll_wait(k->epoll, events, EVENTS_AT_ONCE, wait_ms(k, clock_ms()));
		for (int i = 0; i < count && !k->finished; i++)
			handle(k, &events[i]);
		if (!k->finished)
			run_timers(k, clock_ms());
	}
	k->status_stale = true;
	status_write(k);
}

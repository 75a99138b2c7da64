/* SPDX-License-Identifier: Apache-2.0
 * The life cycle: a table of state × event. An action does one thing and names the next state.
 * INVARIANT: an exit is recorded on disk (exits_append) before the container is deleted or started anew.
 * Restarts are as Docker's: the pause doubles from backoffMs to backoffMaxMs and begins anew after a run of
 * 10 s; on-failure counts all restarts of this keeper; always and unless-stopped are the same to a keeper. */
#include "keep/clock.h"
#include "keep/keeper.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define RUN_GOOD_MS	 10000 /* a run this long begins the backoff anew */
#define BACKOFF_FLOOR_MS 10    /* a plan of 0 must not spin */
#define KILL_AGAIN_MS	 5000  /* a process in the kernel's hands dies late */
#define DELETE_AGAIN_MS	 500
#define DELETE_TRIES_MAX 5

typedef enum state (*action)(struct keeper *k);

/* A verb that cannot even be started has failed: the event is raised by the timer, not by recursion. */
static enum state run_verb(struct keeper *k, enum verb verb, enum state next)
{
	if (verb_start(k, verb) < 0)
		k->timers[TIMER_VERB] = 1; /* in the past: loop.c raises EV_VERB_FAILED */
	return next;
}

/* Also for an init that is gone while create or start still runs: init_gone is noted, and the verb's own end
 * decides what it means. */
static enum state stay(struct keeper *k)
{
	return k->state;
}

static enum state end(struct keeper *k)
{
	k->timers[TIMER_PHASE] = 0;
	return ST_ENDED;
}

static enum state create(struct keeper *k)
{
	if (k->stop_wanted)
		return end(k);
	k->timers[TIMER_PHASE] = 0;
	k->init = 0;
	k->init_gone = k->ran = k->start_failed = false;
	memset(k->orphans, 0, sizeof(k->orphans));
	return run_verb(k, VERB_CREATE, ST_CREATING);
}

static enum state restart(struct keeper *k)
{
	k->restart_count++;
	return create(k);
}

static enum state delete_it(struct keeper *k)
{
	k->timers[TIMER_PHASE] = 0;
	k->delete_tries++;
	return run_verb(k, VERB_DELETE, ST_DELETING);
}

/* A container of this id is there, left by a keeper that was killed. Its output is lost and its parent is
 * somebody else, so it is ended, never adopted. How it would have ended nobody knows: it is on record as
 * killed. */
static enum state clear(struct keeper *k)
{
	struct err e;
	struct exit_record killed = {.code = 128 + SIGKILL, .signal = SIGKILL, .at = clock_now()};
	killed.started_at = killed.at; /* not known any more */
	if (exits_append(k->state_dir, &killed, &e) < 0)
		err_print_json(STDERR_FILENO, &e);
	return run_verb(k, VERB_DELETE, ST_CLEARING);
}

static enum state clear_failed(struct keeper *k)
{
	verb_error(k);
	return create(k); /* if it is really still there, create says so, and the policy counts it */
}

/* Create or start failed, or its init is not ours: the record is the error, not an exit. */
static enum state give_up(struct keeper *k)
{
	k->start_failed = true;
	k->delete_tries = 0;
	return delete_it(k);
}

static enum state start_failed(struct keeper *k)
{
	verb_error(k);
	return give_up(k);
}

static bool take_orphan(struct keeper *k, pid_t pid)
{
	for (size_t i = 0; i < ORPHANS_MAX; i++) {
		if (k->orphans[i].pid != pid)
			continue;
		k->init_gone = true;
		k->init_status = k->orphans[i].status;
		return true;
	}
	return false;
}

/* Create is done: its init is our child by the subreaper, or was. */
static enum state adopt(struct keeper *k)
{
	struct err e;
	siginfo_t unused;
	pid_t pid = verb_read_pid(k, &e);
	if (pid > 0 && !take_orphan(k, pid) &&
	    waitid(P_PID, (id_t)pid, &unused, WEXITED | WNOHANG | WNOWAIT) != 0) {
		err_set(&e, ERR_KEEP, errno, "process %d of the container is not our child", pid);
		pid = -1;
	}
	if (pid < 0) {
		k->has_error = true;
		(void)snprintf(k->error_code, sizeof(k->error_code), "%s", err_word(e.code));
		(void)snprintf(k->error_text, sizeof(k->error_text), "%s", e.what);
		return give_up(k);
	}
	k->init = pid;
	if (k->stop_wanted) {
		k->delete_tries = 0;
		return delete_it(k);
	}
	oom_open(&k->oom, pid);
	return run_verb(k, VERB_START, ST_STARTING);
}

static enum state record_exit(struct keeper *k)
{
	struct err e;
	int status = k->init_status;
	log_detach(&k->log);
	k->exit = (struct exit_record){.code = child_code(status),
				       .signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0,
				       .at = clock_now(),
				       .started_at = k->started_at};
	k->exit.oom_killed = k->exit.code != 0 && oom_happened(&k->oom);
	k->has_exit = true;
	oom_close(&k->oom);
	if (exits_append(k->state_dir, &k->exit, &e) < 0)
		err_print_json(STDERR_FILENO, &e); /* a full disk: the container comes first */
	k->init = 0;
	verb_abandon(k); /* a kill that was still on its way */
	k->delete_tries = 0;
	return delete_it(k);
}

static enum state started(struct keeper *k)
{
	k->started_at = clock_now();
	k->started_ms = clock_ms();
	k->has_started = k->ran = true;
	k->has_error = false;
	if (k->init_gone)
		return record_exit(k); /* short-lived: its end came before start had returned */
	health_begin(k);
	if (!k->stop_wanted)
		return ST_RUNNING;
	kill(k->init, k->plan.stop.signal);
	k->timers[TIMER_PHASE] = clock_ms() + k->grace_ms;
	return ST_STOPPING;
}

static enum state ran_and_gone(struct keeper *k)
{
	health_end(k);
	return record_exit(k);
}

static enum state stop(struct keeper *k)
{
	health_end(k);
	kill(k->init, k->plan.stop.signal); /* our own child, not reaped: nobody else has the pid */
	k->timers[TIMER_PHASE] = clock_ms() + k->grace_ms;
	return ST_STOPPING;
}

/* A second stop may shorten the grace, never lengthen it. */
static enum state stop_sooner(struct keeper *k)
{
	int64_t until = clock_ms() + k->grace_ms;
	if (until < k->timers[TIMER_PHASE])
		k->timers[TIMER_PHASE] = until;
	return k->state;
}

static enum state kill_it(struct keeper *k)
{
	k->timers[TIMER_PHASE] = clock_ms() + KILL_AGAIN_MS;
	verb_abandon(k);
	return run_verb(k, VERB_KILL, ST_KILLING);
}

static enum state kill_failed(struct keeper *k)
{
	kill(k->init, SIGKILL); /* the runtime would not: init is our child, so this reaches it */
	return k->state;
}

bool machine_wants_restart(const struct keeper *k)
{
	const struct plan *p = &k->plan;
	if (k->stop_wanted)
		return false;
	switch (p->restart.policy) {
	case RESTART_NO:
		return false;
	case RESTART_ALWAYS:
	case RESTART_UNLESS_STOPPED:
		return true;
	case RESTART_ON_FAILURE:
		if (!k->start_failed && k->exit.code == 0)
			return false;
		return p->restart.retry_count_max == 0 || k->restart_count < p->restart.retry_count_max;
	}
	return false;
}

static enum state deleted(struct keeper *k)
{
	const struct plan *p = &k->plan;
	log_detach(&k->log);
	k->init = 0;
	if (!machine_wants_restart(k))
		return end(k);
	int64_t floor = p->restart.backoff_ms > BACKOFF_FLOOR_MS ? p->restart.backoff_ms : BACKOFF_FLOOR_MS;
	int64_t ceiling = p->restart.backoff_max_ms > floor ? p->restart.backoff_max_ms : floor;
	bool good = k->ran && clock_ms() - k->started_ms >= RUN_GOOD_MS;
	k->backoff_ms = k->backoff_ms == 0 || good ? floor : k->backoff_ms * 2;
	if (k->backoff_ms > ceiling)
		k->backoff_ms = ceiling;
	k->timers[TIMER_PHASE] = clock_ms() + k->backoff_ms;
	return ST_WAITING;
}

static enum state delete_failed(struct keeper *k)
{
	if (k->delete_tries < DELETE_TRIES_MAX) {
		k->timers[TIMER_PHASE] = clock_ms() + DELETE_AGAIN_MS;
		return k->state;
	}
	verb_error(k);
	k->start_failed = true; /* it must not be believed gone */
	return deleted(k);
}

/* The columns are the point: */
/* clang-format off */
static const action table[ST_COUNT][EV_COUNT] = {
	/*                VERB_OK  VERB_FAILED    INIT_GONE     TIMER      STOP        */
	[ST_LOOKING]  = { clear,   create,        stay,         stay,      stay        },
	[ST_CLEARING] = { create,  clear_failed,  stay,         stay,      stay        },
	[ST_CREATING] = { adopt,   start_failed,  stay,         stay,      stay        },
	[ST_STARTING] = { started, start_failed,  stay,         stay,      stay        },
	[ST_RUNNING]  = { stay,    stay,          ran_and_gone, stay,      stop        },
	[ST_STOPPING] = { stay,    stay,          ran_and_gone, kill_it,   stop_sooner },
	[ST_KILLING]  = { stay,    kill_failed,   ran_and_gone, kill_it,   stay        },
	[ST_DELETING] = { deleted, delete_failed, stay,         delete_it, stay        },
	[ST_WAITING]  = { stay,    stay,          stay,         restart,   end         },
	[ST_ENDED]    = { stay,    stay,          stay,         stay,      stay        },
};
/* clang-format on */

void machine_event(struct keeper *k, enum event event)
{
	k->state = table[k->state][event](k);
	k->status_stale = true;
	if (k->state == ST_ENDED && k->stop_wanted)
		k->finished = true;
}

void machine_orphan(struct keeper *k, pid_t pid, int status)
{
	if (pid == k->init) {
		k->init_gone = true;
		k->init_status = status;
		machine_event(k, EV_INIT_GONE);
		return;
	}
	k->orphans[k->orphan_next].pid = pid;
	k->orphans[k->orphan_next].status = status;
	k->orphan_next = (k->orphan_next + 1) % ORPHANS_MAX;
}

void machine_begin(struct keeper *k)
{
	k->health.state = k->plan.has_health ? HEALTH_STARTING : HEALTH_NONE;
	k->grace_ms = k->plan.stop.grace_ms;
	k->state = run_verb(k, VERB_STATE, ST_LOOKING);
	k->status_stale = true;
}

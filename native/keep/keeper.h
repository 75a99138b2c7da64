/* SPDX-License-Identifier: Apache-2.0
 * The keeper: one struct for one container, in static memory. Each part of it belongs to one file:
 * machine.c (life cycle), verb.c (the runtime's verbs), health.c, socket.c, status.c, loop.c. */
#ifndef WHERRY_KEEP_KEEPER_H
#define WHERRY_KEEP_KEEPER_H

#include "keep/child.h"
#include "keep/exits.h"
#include "keep/log.h"
#include "keep/oom.h"
#include "keep/plan.h"
#include <stdbool.h>
#include <stdint.h>

#define CLIENTS_MAX	  8
#define REQUEST_BYTES_MAX 4096u
#define ORPHANS_MAX	  8
#define PROBE_OUTPUT_MAX  256u

/* Life cycle; status.c maps it to the seven words of the protocol. */
enum state {
	ST_LOOKING,  /* is there a container of this id from a keeper that was killed? */
	ST_CLEARING, /* there was: it is killed and deleted, for we cannot be its parent */
	ST_CREATING,
	ST_STARTING,
	ST_RUNNING,
	ST_STOPPING, /* the stop signal was sent, the grace runs */
	ST_KILLING,
	ST_DELETING,
	ST_WAITING, /* for the backoff to pass */
	ST_ENDED,   /* for good; the keeper waits for `stop` or `end` */
	ST_COUNT
};

enum event {
	EV_VERB_OK,
	EV_VERB_FAILED, /* and its child's text says why */
	EV_INIT_GONE,
	EV_TIMER,
	EV_STOP,
	EV_COUNT
};

enum timer {
	TIMER_PHASE, /* the machine's own: grace, backoff, the next try */
	TIMER_VERB,
	TIMER_PROBE,	   /* the next probe is due */
	TIMER_PROBE_LIMIT, /* the one that runs has had its time */
	TIMER_COUNT
};

enum health { HEALTH_NONE, HEALTH_STARTING, HEALTH_HEALTHY, HEALTH_UNHEALTHY };

struct client {
	int fd;	    /* -1 = free */
	bool waits; /* for the stop to be done */
	int64_t until;
	size_t used;
	char request[REQUEST_BYTES_MAX];
};

struct keeper {
	struct plan plan;
	int run_dir, state_dir, lock;
	int epoll, signals, listener;

	enum state state;
	bool stop_wanted; /* by a client or a signal: no restart any more */
	bool finished;	  /* the loop shall end */
	bool status_stale;
	int64_t timers[TIMER_COUNT]; /* clock_ms, 0 = off */

	struct child verb;
	pid_t init; /* 0 = none */
	bool init_gone;
	int init_status; /* as waitpid gave it, once init_gone */
	struct {
		pid_t pid;
		int status;
	} orphans[ORPHANS_MAX]; /* reaped, not known: perhaps an init whose pid we have not read yet */
	size_t orphan_next;

	int64_t restart_count, started_ms, backoff_ms, grace_ms;
	int delete_tries;
	struct timespec started_at;
	bool has_started, has_exit, has_error, ran, start_failed;
	struct exit_record exit;
	char error_code[64], error_text[512];

	struct {
		enum health state;
		struct child child;
		bool timed_out, in_start, has_last;
		int64_t failures, start_ends;
		int last_code;
		struct timespec last_at;
		size_t last_used;
		char last_output[PROBE_OUTPUT_MAX];
	} health;

	struct oom oom;
	struct log log;
	struct client clients[CLIENTS_MAX];
};

/* What the loop watches: `kind` and an index in epoll's data. */
enum watch { WATCH_SIGNALS, WATCH_LISTENER, WATCH_CLIENT, WATCH_LOG, WATCH_VERB, WATCH_PROBE };
int loop_watch(struct keeper *k, int fd, enum watch kind, unsigned index, struct err *e);
void loop_unwatch(struct keeper *k, int fd);
void loop_run(struct keeper *k);

/* Takes an event through the table of states. */
void machine_event(struct keeper *k, enum event event);
/* A child of ours ended that is neither verb nor probe. */
void machine_orphan(struct keeper *k, pid_t pid, int status);
void machine_begin(struct keeper *k);
/* What the policy says to the exit, or the failed start, that just was. */
bool machine_wants_restart(const struct keeper *k);

/* Starts `runtime … verb …`; only one at a time. Failing to start one is a failed verb too (-1, text filled).
 */
enum verb { VERB_STATE, VERB_CREATE, VERB_START, VERB_KILL, VERB_DELETE };
int verb_start(struct keeper *k, enum verb verb);
/* Ends the one that runs: what it says does not matter any more. */
void verb_abandon(struct keeper *k);
/* Its error record, or its last words, into error_code and error_text. */
void verb_error(struct keeper *k);
/* The pid that create wrote, or -1. */
pid_t verb_read_pid(struct keeper *k, struct err *e);

void health_begin(struct keeper *k);
void health_end(struct keeper *k); /* the container is not running any more */
void health_due(struct keeper *k);
void health_limit(struct keeper *k);
void health_probed(struct keeper *k, int status);

int socket_open(struct keeper *k, struct err *e);
void socket_accept(struct keeper *k);
void socket_read(struct keeper *k, unsigned index);
/* Drops clients that are too slow; the next time to look, 0 = never. */
int64_t socket_sweep(struct keeper *k, int64_t now);
/* Answers everybody who waits for the stop. */
void socket_stopped(struct keeper *k);
void socket_close(struct keeper *k);

/* The status as JSON, malloced; NULL without memory. */
char *status_text(const struct keeper *k, size_t *length);
/* Replaces status.json if something changed. */
void status_write(struct keeper *k);

#endif

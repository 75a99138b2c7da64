/* SPDX-License-Identifier: Apache-2.0
 * status.json: what is, with exactly the fields of protocol/keeper.ts `keepStatus`, replaced whole on each
 * change. It lies on a tmpfs: no fsync. */
#include "keep/clock.h"
#include "keep/keeper.h"
#include "shared/fd.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *state_word(const struct keeper *k)
{
	switch (k->state) {
	case ST_LOOKING:
	case ST_CLEARING:
		return "created";
	case ST_CREATING:
	case ST_STARTING:
		return "starting";
	case ST_RUNNING:
		return "running";
	case ST_STOPPING:
	case ST_KILLING:
		return "stopping";
	case ST_DELETING:
		/* A failed start stays `starting` until it is cleared away: then its error is there too. */
		if (k->start_failed)
			return "starting";
		return machine_wants_restart(k) ? "restarting" : "stopping";
	case ST_WAITING:
		return k->start_failed ? "failed" : "restarting";
	case ST_ENDED:
		return k->start_failed && !k->stop_wanted ? "failed" : "exited";
	case ST_COUNT:
		break;
	}
	return "failed";
}

static void put_instant(struct json_out *o, const struct timespec *at)
{
	char text[CLOCK_TEXT_BYTES];
	clock_text(text, at);
	json_put_str(o, text);
}

static void put_exit(struct json_out *o, const struct exit_record *exit)
{
	json_key(o, "exit");
	json_open(o, '{');
	json_key(o, "code");
	json_put_i64(o, exit->code);
	if (exit->signal != 0) {
		json_key(o, "signal");
		json_put_i64(o, exit->signal);
	}
	json_key(o, "oomKilled");
	json_put_bool(o, exit->oom_killed);
	json_key(o, "at");
	put_instant(o, &exit->at);
	json_close(o, '}');
}

static void put_probe(struct json_out *o, const struct keeper *k)
{
	size_t length = k->health.last_used;
	json_key(o, "probe");
	json_open(o, '{');
	json_key(o, "code");
	json_put_i64(o, k->health.last_code);
	json_key(o, "output");
	json_put_strn(o, k->health.last_output, length);
	json_key(o, "at");
	put_instant(o, &k->health.last_at);
	json_close(o, '}');
}

static void put_error(struct json_out *o, const struct keeper *k)
{
	json_key(o, "error");
	json_open(o, '{');
	json_key(o, "code");
	json_put_str(o, k->error_code);
	json_key(o, "message");
	json_put_str(o, k->error_text);
	json_close(o, '}');
}

char *status_text(const struct keeper *k, size_t *length)
{
	static const char *const words[] = {"none", "starting", "healthy", "unhealthy"};
	struct json_out o = {0};
	struct err ignored;
	const char *state = state_word(k);
	json_open(&o, '{');
	json_key(&o, "id");
	json_put_str(&o, k->plan.id);
	json_key(&o, "keeperPid");
	json_put_i64(&o, getpid());
	json_key(&o, "state");
	json_put_str(&o, state);
	json_key(&o, "pid");
	json_put_i64(&o, k->init);
	json_key(&o, "startedAt");
	if (k->has_started)
		put_instant(&o, &k->started_at);
	else
		json_put_null(&o);
	json_key(&o, "restartCount");
	json_put_i64(&o, k->restart_count);
	json_key(&o, "health");
	json_put_str(&o, words[k->health.state]);
	if (k->health.has_last)
		put_probe(&o, k);
	if (k->has_exit)
		put_exit(&o, &k->exit);
	if (k->has_error && strcmp(state, "failed") == 0)
		put_error(&o, k);
	json_close(&o, '}');
	if (json_done(&o, &ignored) < 0)
		return NULL;
	*length = o.length;
	return o.bytes;
}

void status_write(struct keeper *k)
{
	size_t length = 0;
	struct err e;
	if (!k->status_stale)
		return;
	k->status_stale = false;
	free_auto char *text = status_text(k, &length);
	if (text != NULL && fd_replace_file(k->run_dir, "status.json", text, length, 0640, false, &e) < 0) {
		err_at(&e, "status");
		err_print_json(STDERR_FILENO, &e);
	}
}

/* SPDX-License-Identifier: Apache-2.0
 * Health as Compose means it: a test run inside the container, starting → healthy or unhealthy. Failures
 * within the start period do not count, a success ends it. An unhealthy container is reported, not restarted.
 * One probe at a time; the pause is counted from the end of the last one. */
#include "keep/clock.h"
#include "keep/keeper.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#define PAUSE_MS_MIN		  100	/* a plan of 1 ms must not spin */
#define INTERVAL_MS_DEFAULT	  30000 /* of 0, as Docker has it */
#define START_INTERVAL_MS_DEFAULT 5000
#define RUNTIME_WORDS		  7

static void set_state(struct keeper *k, enum health state)
{
	if (k->health.state != state)
		k->status_stale = true;
	k->health.state = state;
}

static void arm(struct keeper *k)
{
	bool in_start = k->health.in_start && clock_ms() < k->health.start_ends;
	int64_t pause = in_start ? k->plan.health.start_interval_ms : k->plan.health.interval_ms;
	if (pause == 0)
		pause = in_start ? START_INTERVAL_MS_DEFAULT : INTERVAL_MS_DEFAULT;
	k->timers[TIMER_PROBE] = clock_ms() + (pause < PAUSE_MS_MIN ? PAUSE_MS_MIN : pause);
}

void health_begin(struct keeper *k)
{
	if (!k->plan.has_health)
		return;
	k->health.failures = 0;
	k->health.in_start = k->plan.health.start_period_ms > 0;
	k->health.start_ends = clock_ms() + k->plan.health.start_period_ms;
	set_state(k, HEALTH_STARTING);
	arm(k);
}

/* The probe and what it left behind. Killing the verb alone would leave its program in the container. */
static void kill_probe(struct keeper *k)
{
	kill(k->health.child.pid, SIGKILL);
}

void health_end(struct keeper *k)
{
	k->timers[TIMER_PROBE] = k->timers[TIMER_PROBE_LIMIT] = 0;
	if (k->plan.has_health)
		set_state(k, HEALTH_STARTING); /* what is not running is neither well nor ill */
	if (k->health.child.pid != 0) {
		kill_probe(k);
		child_ended(&k->health.child); /* reaped as an orphan; its program dies with init */
	}
}

static void concluded(struct keeper *k, int code)
{
	k->health.last_code = code;
	k->health.last_at = clock_now();
	k->health.last_used =
	    k->health.child.used < PROBE_OUTPUT_MAX ? k->health.child.used : PROBE_OUTPUT_MAX;
	memcpy(k->health.last_output, k->health.child.text, k->health.last_used);
	k->health.has_last = k->status_stale = true;
	if (code == 0) {
		k->health.failures = 0;
		k->health.in_start = false;
		set_state(k, HEALTH_HEALTHY);
	} else if (!k->health.in_start || clock_ms() >= k->health.start_ends) {
		k->health.in_start = false;
		if (++k->health.failures >= k->plan.health.retry_count_max)
			set_state(k, HEALTH_UNHEALTHY);
	}
	arm(k);
}

void health_due(struct keeper *k)
{
	const struct plan *p = &k->plan;
	const char *words[RUNTIME_WORDS + PLAN_TEST_MAX + 1] = {
	    p->runtime, "--root", p->runtime_root, "--log-format", "json", "exec", p->id};
	struct err e;
	k->timers[TIMER_PROBE] = 0;
	k->health.timed_out = false;
	k->health.child.first = true;
	k->health.child.used = 0;
	k->health.child.out = -1;
	for (size_t i = 0; i < p->health.test_count; i++)
		words[RUNTIME_WORDS + i] = p->health.test[i];
	if (child_spawn(&k->health.child, words, -1, -1, &e) < 0 ||
	    loop_watch(k, k->health.child.out, WATCH_PROBE, 0, &e) < 0) {
		child_take(&k->health.child, e.what, strlen(e.what));
		concluded(k, -1);
		return;
	}
	int64_t limit = p->health.timeout_ms == 0 ? INTERVAL_MS_DEFAULT : p->health.timeout_ms;
	k->timers[TIMER_PROBE_LIMIT] = clock_ms() + limit;
}

void health_limit(struct keeper *k)
{
	k->timers[TIMER_PROBE_LIMIT] = 0;
	k->health.timed_out = true;
	kill_probe(k);
}

void health_probed(struct keeper *k, int status)
{
	static const char past[] = "killed: it took longer than its timeout\n";
	child_ended(&k->health.child);
	k->timers[TIMER_PROBE_LIMIT] = 0;
	if (!k->health.timed_out) {
		concluded(k, child_code(status));
		return;
	}
	/* The verb is dead, so its program is our child now and can be found. */
	child_kill_strays(k->init);
	child_take(&k->health.child, past, sizeof(past) - 1);
	concluded(k, -1);
}

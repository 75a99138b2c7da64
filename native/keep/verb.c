/* SPDX-License-Identifier: Apache-2.0
 * Running the runtime's verbs, and reading what they say when they fail. Every verb has a time limit; past it
 * it is killed, which the machine sees as a failed verb. */
#include "keep/clock.h"
#include "keep/keeper.h"
#include "shared/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PID_FILE  "init.pid"
#define WORDS_MAX 12

static const struct {
	const char *name;
	int64_t limit_ms;
} verbs[] = {
    [VERB_STATE] = {"state", 10000}, [VERB_CREATE] = {"create", 60000}, /* mounts on slow flash */
    [VERB_START] = {"start", 30000}, [VERB_KILL] = {"kill", 10000},	[VERB_DELETE] = {"delete", 30000},
};

/* The container's stdout and stderr: it gets the write ends through create, we read. */
static int open_stdio(struct keeper *k, int ends[2], struct err *e)
{
	for (int i = 0; i < LOG_STREAMS; i++) {
		int both[2];
		if (pipe2(both, O_CLOEXEC) != 0)
			return err_set(e, ERR_SYSTEM, errno, "cannot make a pipe");
		ends[i] = both[1];
		log_attach(&k->log, (enum log_stream)i, both[0]);
		if (fcntl(both[0], F_SETFL, O_NONBLOCK) != 0)
			return err_set(e, ERR_SYSTEM, errno, "cannot set up a pipe");
		if (loop_watch(k, both[0], WATCH_LOG, (unsigned)i, e) < 0)
			return -1;
	}
	return 0;
}

static int spawn(struct keeper *k, enum verb verb, struct err *e)
{
	const struct plan *p = &k->plan;
	const char *words[WORDS_MAX + 1] = {p->runtime,	    "--root", p->runtime_root,
					    "--log-format", "json",   verbs[verb].name};
	char pid_file[1024 + 16];
	size_t used = 6;
	if (verb == VERB_CREATE) {
		int put = snprintf(pid_file, sizeof(pid_file), "%s/" PID_FILE, p->run_dir);
		if (put < 0 || (size_t)put >= sizeof(pid_file))
			return err_set(e, ERR_SPEC, 0, "runDir: too long");
		words[used++] = "--bundle";
		words[used++] = p->bundle;
		words[used++] = "--pid-file";
		words[used++] = pid_file;
	}
	if (verb == VERB_DELETE)
		words[used++] = "--force";
	words[used++] = p->id;
	if (verb == VERB_KILL)
		words[used++] = "KILL";
	if (verb != VERB_CREATE)
		return child_spawn(&k->verb, words, -1, -1, e);
	int ends[2] = {-1, -1};
	int result = open_stdio(k, ends, e);
	if (result == 0)
		result = child_spawn(&k->verb, words, ends[0], ends[1], e);
	for (int i = 0; i < 2; i++)
		fd_close_auto(&ends[i]);
	return result;
}

int verb_start(struct keeper *k, enum verb verb)
{
	struct err e;
	k->verb.used = 0;
	k->verb.out = -1;
	if (verb == VERB_CREATE)
		unlinkat(k->run_dir, PID_FILE, 0);
	if (spawn(k, verb, &e) < 0 ||
	    (k->verb.out >= 0 && loop_watch(k, k->verb.out, WATCH_VERB, 0, &e) < 0)) {
		child_take(&k->verb, e.what, strlen(e.what));
		return -1;
	}
	k->timers[TIMER_VERB] = clock_ms() + verbs[verb].limit_ms;
	return 0;
}

void verb_abandon(struct keeper *k)
{
	k->timers[TIMER_VERB] = 0;
	if (k->verb.pid == 0)
		return;
	kill(k->verb.pid, SIGKILL); /* reaped as an orphan */
	child_ended(&k->verb);
}

static void set_error(struct keeper *k, const char *code, const char *text)
{
	k->has_error = true;
	if (snprintf(k->error_code, sizeof(k->error_code), "%s", code) < 0)
		k->error_code[0] = '\0';
	if (snprintf(k->error_text, sizeof(k->error_text), "%s", text) < 0)
		k->error_text[0] = '\0';
}

/* {"level":"error","code":"BOX_…","msg":"…"}; other runtimes have no code. */
static bool take_record(struct keeper *k, const char *line, size_t length)
{
	struct err ignored;
	json_auto struct json_doc doc = {0};
	if (length == 0 || line[0] != '{' || json_parse(&doc, line, length, &ignored) < 0)
		return false;
	const char *level = "", *text = NULL, *code = "BOX_FAILED";
	if (json_str(doc.root, "level", &level, &ignored) < 0 ||
	    json_str(doc.root, "msg", &text, &ignored) < 0 || json_str(doc.root, "code", &code, &ignored) < 0)
		return false;
	if (text == NULL || (strcmp(level, "error") != 0 && strcmp(level, "fatal") != 0))
		return false;
	set_error(k, code, text);
	return true;
}

void verb_error(struct keeper *k)
{
	char text[CHILD_TEXT_MAX + 1];
	size_t length = k->verb.used;
	memcpy(text, k->verb.text, length);
	while (length > 0 && text[length - 1] == '\n')
		length--;
	text[length] = '\0';
	size_t end = length;
	while (end > 0) {
		const char *before = memrchr(text, '\n', end);
		size_t from = before == NULL ? 0 : (size_t)(before - text) + 1;
		if (take_record(k, text + from, end - from))
			return;
		end = from == 0 ? 0 : from - 1;
	}
	set_error(k, "BOX_FAILED", length > 0 ? text : "the runtime ended without saying why");
}

pid_t verb_read_pid(struct keeper *k, struct err *e)
{
	free_auto char *text = NULL;
	if (fd_read_file(k->run_dir, PID_FILE, 32, &text, NULL, ERR_KEEP, e) < 0)
		return -1;
	long pid = strtol(text, NULL, 10);
	if (pid <= 1 || pid > INT32_MAX)
		return err_set(e, ERR_KEEP, 0, PID_FILE " holds no pid");
	return (pid_t)pid;
}

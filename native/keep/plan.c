/* SPDX-License-Identifier: Apache-2.0
 * See plan.h. */
#include "keep/plan.h"
#include "keep/signals.h"
#include "shared/fd.h"
#include "shared/path.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#define MS_MAX	      (7 * INT64_C(86400000))
#define TEXT_MAX      1024
#define TEST_TEXT_MAX 32768

/* A field that the agent means and the keeper ignores is how limits get lost. */
static int refuse_unknown(const struct json *object, const char *const *known, struct err *e)
{
	for (const struct json *m = object->child; m != NULL; m = m->next) {
		size_t i = 0;
		while (known[i] != NULL && strcmp(known[i], m->key) != 0)
			i++;
		if (known[i] == NULL)
			return err_set(e, ERR_SPEC, 0, "%.64s: is not a known field", m->key);
	}
	return 0;
}

static int need_text(const struct json *object, const char *key, const char **out, struct err *e)
{
	const char *text = NULL;
	if (json_str(object, key, &text, e) < 0)
		return -1;
	if (text == NULL || text[0] == '\0')
		return err_set(e, ERR_SPEC, 0, "%s: must be there", key);
	if (strlen(text) > TEXT_MAX)
		return err_set(e, ERR_SPEC, 0, "%s: must have at most %d bytes", key, TEXT_MAX);
	*out = text;
	return 0;
}

static int need_path(const struct json *object, const char *key, const char **out, struct err *e)
{
	const char *text = NULL;
	if (need_text(object, key, &text, e) < 0)
		return -1;
	if (text == NULL || text[0] != '/')
		return err_set(e, ERR_SPEC, 0, "%s: must be an absolute path", key);
	*out = text;
	return 0;
}

static int need_number(const struct json *object, const char *key, int64_t min, int64_t max, int64_t *out,
		       struct err *e)
{
	int64_t value = -1;
	if (json_i64(object, key, min, max, &value, e) < 0)
		return -1;
	if (value < 0)
		return err_set(e, ERR_SPEC, 0, "%s: must be there", key);
	*out = value;
	return 0;
}

static int need_object(const struct json *object, const char *key, const char *const *known,
		       const struct json **out, struct err *e)
{
	const struct json *found = NULL;
	if (json_object(object, key, &found, e) < 0)
		return -1;
	if (found == NULL)
		return err_set(e, ERR_SPEC, 0, "%s: must be there", key);
	if (refuse_unknown(found, known, e) < 0)
		return err_add(e, "%s", key);
	*out = found;
	return 0;
}

static int read_log(struct plan *p, const struct json *root, struct err *e)
{
	static const char *const known[] = {"dir", "fileBytesMax", "fileCountMax", NULL};
	const struct json *log = NULL;
	if (need_object(root, "log", known, &log, e) < 0)
		return -1;
	if (need_path(log, "dir", &p->log.dir, e) < 0 ||
	    need_number(log, "fileBytesMax", 4096, INT64_C(1) << 30, &p->log.file_bytes_max, e) < 0 ||
	    need_number(log, "fileCountMax", 1, 100, &p->log.file_count_max, e) < 0)
		return err_add(e, "log");
	return 0;
}

static int read_policy(struct plan *p, const struct json *restart, struct err *e)
{
	static const char *const words[] = {"no", "on-failure", "always", "unless-stopped"};
	const char *word = NULL;
	if (need_text(restart, "policy", &word, e) < 0)
		return -1;
	for (size_t i = 0; word != NULL && i < sizeof(words) / sizeof(*words); i++) {
		if (strcmp(words[i], word) == 0) {
			p->restart.policy = (enum restart_policy)i;
			return 0;
		}
	}
	return err_set(e, ERR_SPEC, 0, "policy: must be no, on-failure, always or unless-stopped");
}

static int read_restart(struct plan *p, const struct json *root, struct err *e)
{
	static const char *const known[] = {"policy", "retryCountMax", "backoffMs", "backoffMaxMs", NULL};
	const struct json *restart = NULL;
	if (need_object(root, "restart", known, &restart, e) < 0)
		return -1;
	if (read_policy(p, restart, e) < 0 ||
	    need_number(restart, "retryCountMax", 0, 1000000, &p->restart.retry_count_max, e) < 0 ||
	    need_number(restart, "backoffMs", 0, MS_MAX, &p->restart.backoff_ms, e) < 0 ||
	    need_number(restart, "backoffMaxMs", 0, MS_MAX, &p->restart.backoff_max_ms, e) < 0)
		return err_add(e, "restart");
	return 0;
}

static int read_stop(struct plan *p, const struct json *root, struct err *e)
{
	static const char *const known[] = {"signal", "graceMs", NULL};
	const struct json *stop = NULL;
	const char *name = NULL;
	if (need_object(root, "stop", known, &stop, e) < 0)
		return -1;
	if (need_text(stop, "signal", &name, e) < 0 ||
	    need_number(stop, "graceMs", 0, MS_MAX, &p->stop.grace_ms, e) < 0)
		return err_add(e, "stop");
	p->stop.signal = signal_number(name);
	if (p->stop.signal == 0)
		return err_set(e, ERR_SPEC, 0, "stop: signal: %.32s is no signal", name);
	return 0;
}

static int read_test(struct plan *p, const struct json *health, struct err *e)
{
	if (json_strings(health, "test", &p->health.test, &p->health.test_count, e) < 0)
		return -1;
	if (p->health.test_count < 1 || p->health.test_count > PLAN_TEST_MAX)
		return err_set(e, ERR_SPEC, 0, "test: must have 1 to %d words", PLAN_TEST_MAX);
	for (size_t i = 0; i < p->health.test_count; i++) {
		if (strlen(p->health.test[i]) > TEST_TEXT_MAX)
			return err_set(e, ERR_SPEC, 0, "test: a word is longer than %d bytes", TEST_TEXT_MAX);
	}
	return 0;
}

static int read_health(struct plan *p, const struct json *root, struct err *e)
{
	static const char *const known[] = {"test",	     "intervalMs",	"timeoutMs", "retryCountMax",
					    "startPeriodMs", "startIntervalMs", NULL};
	const struct json *health = NULL;
	if (json_get(root, "health") == NULL)
		return 0;
	if (need_object(root, "health", known, &health, e) < 0)
		return -1;
	if (read_test(p, health, e) < 0 ||
	    need_number(health, "intervalMs", 0, MS_MAX, &p->health.interval_ms, e) < 0 ||
	    need_number(health, "timeoutMs", 0, MS_MAX, &p->health.timeout_ms, e) < 0 ||
	    need_number(health, "retryCountMax", 1, 1000, &p->health.retry_count_max, e) < 0 ||
	    need_number(health, "startPeriodMs", 0, MS_MAX, &p->health.start_period_ms, e) < 0 ||
	    need_number(health, "startIntervalMs", 0, MS_MAX, &p->health.start_interval_ms, e) < 0)
		return err_add(e, "health");
	p->has_health = true;
	return 0;
}

static int read_root(struct plan *p, const struct json *root, struct err *e)
{
	static const char *const known[] = {"id",  "bundle",  "runtime", "runtimeRoot", "runDir", "stateDir",
					    "log", "restart", "stop",	 "health",	NULL};
	if (root->type != JSON_OBJECT)
		return err_set(e, ERR_SPEC, 0, "must be an object");
	if (refuse_unknown(root, known, e) < 0 || need_text(root, "id", &p->id, e) < 0)
		return -1;
	if (!path_is_id(p->id, 128))
		return err_set(e, ERR_SPEC, 0, "id: must be 1 to 128 of letters, digits and _+.-");
	if (need_path(root, "bundle", &p->bundle, e) < 0 || need_path(root, "runtime", &p->runtime, e) < 0 ||
	    need_path(root, "runtimeRoot", &p->runtime_root, e) < 0 ||
	    need_path(root, "runDir", &p->run_dir, e) < 0 ||
	    need_path(root, "stateDir", &p->state_dir, e) < 0)
		return -1;
	if (read_log(p, root, e) < 0 || read_restart(p, root, e) < 0 || read_stop(p, root, e) < 0)
		return -1;
	return read_health(p, root, e);
}

int plan_load(struct plan *plan, const char *path, struct err *e)
{
	free_auto char *text = NULL;
	size_t length = 0;
	struct plan read = {0};
	if (fd_read_file(AT_FDCWD, path, PLAN_BYTES_MAX, &text, &length, ERR_SPEC, e) < 0)
		return -1;
	if (json_parse(&read.doc, text, length, e) < 0)
		return err_add(e, "keep.json");
	if (read_root(&read, read.doc.root, e) < 0) {
		plan_free(&read);
		return err_add(e, "keep.json");
	}
	*plan = read;
	return 0;
}

void plan_free(struct plan *plan)
{
	free(plan->health.test);
	json_free(&plan->doc);
	*plan = (struct plan){0};
}

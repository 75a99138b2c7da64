/* SPDX-License-Identifier: Apache-2.0
 * keep.json: what to keep. The fields and bounds are those of protocol/keeper.ts `keepPlan`; any other field
 * is refused. The texts point into the document, which the plan owns. */
#ifndef WHERRY_KEEP_PLAN_H
#define WHERRY_KEEP_PLAN_H

#include "shared/error.h"
#include "shared/json.h"
#include <stdbool.h>
#include <stdint.h>

#define PLAN_BYTES_MAX ((size_t)JSON_BYTES_MAX)
#define PLAN_TEST_MAX  64

enum restart_policy { RESTART_NO, RESTART_ON_FAILURE, RESTART_ALWAYS, RESTART_UNLESS_STOPPED };

struct plan {
	const char *id, *bundle, *runtime, *runtime_root, *run_dir, *state_dir;
	struct {
		const char *dir;
		int64_t file_bytes_max, file_count_max;
	} log;
	struct {
		enum restart_policy policy;
		int64_t retry_count_max, backoff_ms, backoff_max_ms;
	} restart;
	struct {
		int signal;
		int64_t grace_ms;
	} stop;
	bool has_health;
	struct {
		const char **test; /* NULL-terminated */
		size_t test_count;
		int64_t interval_ms, timeout_ms, retry_count_max, start_period_ms, start_interval_ms;
	} health;
	struct json_doc doc;
};

/* ERR_SPEC names the field, as in "keep.json: log: fileBytesMax: must be …". */
int plan_load(struct plan *plan, const char *path, struct err *e);
void plan_free(struct plan *plan);

#endif

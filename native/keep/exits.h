/* SPDX-License-Identifier: Apache-2.0
 * exits.jsonl: one line for each end of the container, on disk before anything else happens. */
#ifndef WHERRY_KEEP_EXITS_H
#define WHERRY_KEEP_EXITS_H

#include "shared/error.h"
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#define EXITS_BYTES_MAX INT64_C(131072) /* some 1000 exits; then the older half goes */

struct exit_record {
	int code;   /* 0..255, 128 + signal */
	int signal; /* 0 = none */
	bool oom_killed;
	struct timespec at, started_at;
};

/* Appends {"code":137,"signal":9,"oomKilled":true,"at":"…Z","startedAt":"…Z"}\n and syncs it. */
int exits_append(int state_dir, const struct exit_record *record, struct err *e);

#endif

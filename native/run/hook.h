/* SPDX-License-Identifier: Apache-2.0
 * Hooks of config.json: programs that run at their point of the life cycle, with the state on stdin. */
#ifndef WHERRY_RUN_HOOK_H
#define WHERRY_RUN_HOOK_H

#include "run/spec.h"
#include "run/state_file.h"
#include "shared/error.h"

/* Runs them in order, each bounded by its timeout. all: go on after one that fails, and give the first
 * failure. */
int hook_run(const struct spec_hooks *hooks, const char *name, const struct box *b, enum status status,
	     pid_t pid, bool all, struct err *e);

#endif

/* SPDX-License-Identifier: Apache-2.0
 * What every verb gets and gives: the options before the verb, its own words, and the exit status. A verb
 * returns 0, or -1 with *e filled; main.c alone prints and exits. */
#ifndef WHERRY_RUN_VERB_H
#define WHERRY_RUN_VERB_H

#include "shared/error.h"
#include <stdbool.h>

#define VERSION	     "0.1.0"
#define OCI_VERSION  "1.2.0"
#define ROOT_DEFAULT "/run/wherry/runtime"

struct globals {
	const char *root; /* the folder of all state folders, absolute */
	bool debug;
};

typedef int verb_fn(const struct globals *g, int argc, char **argv, int *status, struct err *e);

verb_fn verb_create, verb_start, verb_state, verb_kill, verb_delete, verb_exec, verb_run, verb_list,
    verb_features;

/* Prints what went wrong beside a verb that goes on. In main.c, as all printing. */
void warn(const struct err *e);

#endif

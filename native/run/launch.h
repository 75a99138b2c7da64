/* SPDX-License-Identifier: Apache-2.0
 * The runtime's side of making a container, shared by create and run; and its end, shared by delete, run and
 * a create that fails. */
#ifndef WHERRY_RUN_LAUNCH_H
#define WHERRY_RUN_LAUNCH_H

#include "run/args.h"
#include "run/spec.h"
#include "run/state_file.h"
#include "run/verb.h"
#include "shared/error.h"
#include <stdbool.h>

struct launch_options {
	const char *bundle, *config, *pid_file, *console_socket, *preserve;
	bool no_pivot, no_new_keyring;
	bool foreground; /* the runtime waits, and relays a terminal that has no console socket */
};

struct launched {
	struct spec spec;
	struct box box;
	pid_t pid;
	int master; /* the terminal to relay, or -1 */
};

/* Makes the container up to `created`. When it fails, nothing is left. */
int launch_create(struct launched *l, const struct globals *g, const char *id, const struct launch_options *o,
		  struct err *e);
/* created → running. The box is locked by the caller. */
int launch_start(struct box *b, const struct spec *s, struct err *e);
/* Kills what runs, takes away groups, link and state, and runs the poststop hooks; s may be NULL. */
int launch_destroy(struct box *b, const struct spec *s, struct err *e);
/* Reads the copy of config.json in the state folder. */
int launch_reload(const struct box *b, struct spec *s, struct err *e);
/* The rows of create and run that they share: LAUNCH_OPTIONS of them at most. */
#define LAUNCH_OPTIONS 8
size_t launch_options(struct args_option *rows, struct launch_options *o);
int launch_write_pid(const char *file, pid_t pid, struct err *e);

#endif

/* SPDX-License-Identifier: Apache-2.0
 * The first process of a container, from its birth in the new namespaces to the program of config.json. */
#ifndef WHERRY_RUN_INIT_H
#define WHERRY_RUN_INIT_H

#include "run/op.h"
#include "run/process.h"
#include <signal.h>

struct init {
	struct op_context context;
	const struct op_list *ops;
	struct process process;
	sigset_t signals; /* the mask to restore */
	int runtime_end;  /* the runtime's end of the socket pair: not ours, closed first */
	int fifo;	  /* exec.fifo, open for reading and writing */
	int error;	  /* exec.error */
	int console;	  /* console socket, or -1: then the master goes to the runtime */
};

void init_main(struct init *i) __attribute__((noreturn));

#endif

/* SPDX-License-Identifier: Apache-2.0
 * The process dance of exec: a new process in the namespaces and groups of a container that is there. */
#ifndef WHERRY_RUN_ENTER_H
#define WHERRY_RUN_ENTER_H

#include "run/process.h"
#include "run/state_file.h"
#include "shared/error.h"
#include <signal.h>

struct entering {
	const struct box *box;
	struct process *process;
	int console;	  /* console socket, or -1 */
	sigset_t signals; /* the mask that the process shall have */
};

/* Returns when the program executes: its pid (our child), and its terminal's master if there is no console
 * socket. */
int enter_container(struct entering *in, const char *pid_file, pid_t *pid, int *master, struct err *e);

#endif

/* SPDX-License-Identifier: Apache-2.0
 * The foreground of run and exec: signals go on to the container's process, its terminal is carried to ours,
 * its exit status becomes ours. */
#ifndef WHERRY_RUN_RELAY_H
#define WHERRY_RUN_RELAY_H

#include "shared/error.h"
#include <signal.h>
#include <sys/types.h>

/* Holds the signals back, before the process is made; *before is what it must restore itself. */
void relay_block(sigset_t *before);
/* Until `pid` (a child) ends. master: its terminal, or -1. */
int relay_wait(pid_t pid, int master, int *status, struct err *e);

#endif

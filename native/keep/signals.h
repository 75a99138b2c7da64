/* SPDX-License-Identifier: Apache-2.0
 * Names of signals, as images and Compose files write them. */
#ifndef WHERRY_KEEP_SIGNALS_H
#define WHERRY_KEEP_SIGNALS_H

/* SIGTERM, SIGUSR1, SIGRTMIN+3, SIGRTMAX-1, …; 0 if it is none. */
int signal_number(const char *name);

#endif

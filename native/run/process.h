/* SPDX-License-Identifier: Apache-2.0
 * The last stretch of a process on its way into a container, the same for init and exec: from root in the new
 * namespaces to the program of config.json. */
#ifndef WHERRY_RUN_PROCESS_H
#define WHERRY_RUN_PROCESS_H

#include "run/seccomp.h"
#include "run/spec.h"
#include "shared/error.h"

#define PROCESS_PRESERVE_MAX 1024

struct process {
	const struct spec_process *spec;
	const struct seccomp_filter *filter;
	long personality;    /* -1 = as it is */
	unsigned preserve;   /* descriptors 3 … 3+preserve-1 stay open */
	const char *keyring; /* name of the new session keyring, NULL = keep the caller's */
	char program[4096];  /* found by process_prepare */
};

/* Everything but the execution. Nothing after it may need a right or a name of the host. */
int process_prepare(struct process *p, struct err *e);
/* Executes; returns only if that failed. */
int process_execute(const struct process *p, struct err *e);
/* oom_score_adj of another process, through the host's /proc. */
int process_oom_score(pid_t pid, const struct spec_process *spec, struct err *e);
/* --preserve-fds: the descriptors must be there; closes the others from 3 on. */
int process_check_fds(unsigned preserve, struct err *e);

#endif

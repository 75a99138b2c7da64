/* SPDX-License-Identifier: Apache-2.0
 * A program that we start and that ends: a verb of the runtime, a probe. It has no descriptors but three, an
 * empty signal mask, a small environment, and dies with us. */
#ifndef WHERRY_KEEP_CHILD_H
#define WHERRY_KEEP_CHILD_H

#include "shared/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define CHILD_TEXT_MAX	 2048u
#define CHILD_STRAYS_MAX 4096 /* processes looked at when a probe is cleared away */

struct child {
	pid_t pid;  /* 0 = none */
	int out;    /* read end of its output, nonblocking; -1 = none, or given away */
	bool first; /* keep the first CHILD_TEXT_MAX bytes of its output; else the last */
	size_t used;
	char text[CHILD_TEXT_MAX];
};

/* argv[0] is the path. out and err are descriptors for its stdout and stderr; -1: both go to child->out. */
int child_spawn(struct child *child, const char *const argv[], int out, int err, struct err *e);
/* Keeps text as the child's output, as far as there is room. */
void child_take(struct child *child, const char *text, size_t length);
/* Reads what is there; false at the end of the pipe. */
bool child_read(struct child *child);
/* It was reaped: reads the rest, closes the pipe, forgets the pid. The text stays. */
void child_ended(struct child *child);
/* Kills the children of ours that share the pid namespace of `init` and are not init itself: what a killed
 * probe left behind. Does nothing where that namespace is our own. */
void child_kill_strays(pid_t init);
/* 0..255 as a shell has it: 128 + signal where one ended it. */
int child_code(int status);

#endif

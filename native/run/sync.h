/* SPDX-License-Identifier: Apache-2.0
 * The words that the runtime and the process in its new namespaces say to each other, on one socket pair. In
 * order, for create:
 *
 *   runtime → init   GO       you are in your groups, your users are mapped; value = your pid as the host
 * sees it init → runtime   MOUNTED  the root stands, pivot_root is still to come runtime → init   HOOKED
 * prestart and createRuntime hooks have run, the link is there init → runtime   READY    nothing is left but
 * to execute; with the terminal's master, if the runtime relays it
 *
 * and for exec: GO, then READY. ERROR instead of any word of init ends the talk, and so does silence: an end
 * of file says that the other one is gone. */
#ifndef WHERRY_RUN_SYNC_H
#define WHERRY_RUN_SYNC_H

#include "shared/error.h"
#include <stdint.h>

#define SYNC_TIMEOUT_S 900 /* hooks may take their time; a dead mount must not hang us for ever */

enum sync_word { SYNC_GO = 1, SYNC_MOUNTED, SYNC_HOOKED, SYNC_READY, SYNC_ERROR };

int sync_pair(int pair[2], struct err *e);
/* fd: a descriptor to hand over, or -1. */
int sync_say(int socket, enum sync_word word, int64_t value, int fd, struct err *e);
int sync_say_error(int socket, const struct err *what);
/* Waits for exactly that word. value and fd may be NULL; *fd is -1 if none came. */
int sync_wait(int socket, enum sync_word word, int64_t *value, int *fd, struct err *e);
/* After READY of exec: 0 when the other end closed by executing, -1 with what it says instead. */
int sync_wait_end(int socket, struct err *e);

#endif

/* SPDX-License-Identifier: Apache-2.0
 * The terminal of a container: a pseudo terminal of the container's own devpts, whose master goes out. */
#ifndef WHERRY_RUN_TTY_H
#define WHERRY_RUN_TTY_H

#include "run/spec.h"
#include "shared/error.h"

/* Connects to a --console-socket (path of any length). The descriptor, or -1. */
int tty_connect(const char *path, struct err *e);
/* Sends the master over a console socket. */
int tty_send(int socket, int master, struct err *e);
/* Opens a pair in /dev/pts beneath root, owned by the process's user, sized as config.json says. */
int tty_open(int root, const struct spec_process *p, int *master, int *slave, struct err *e);
/* Binds the slave to /dev/console beneath root, by descriptor (CVE-2025-52565). Before pivot_root. */
int tty_console(int root, int slave, struct err *e);
/* The slave becomes the controlling terminal and 0, 1, 2; the caller leads a session. */
int tty_take(int slave, struct err *e);

#endif

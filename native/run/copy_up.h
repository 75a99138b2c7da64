/* SPDX-License-Identifier: Apache-2.0
 * The mount option tmpcopyup: a new tmpfs begins with what the image has at its place. */
#ifndef WHERRY_RUN_COPY_UP_H
#define WHERRY_RUN_COPY_UP_H

#include "shared/error.h"

#define COPY_UP_DEPTH_MAX 64

/* Copies what is in the folder `from` into the folder `to`: files, folders and links with owner and mode.
 * Sockets, devices and pipes stay behind. Works by descriptor and follows no link. The tmpfs's own size is
 * the bound. */
int copy_up(int from, int to, struct err *e);

#endif

/* SPDX-License-Identifier: Apache-2.0
 * The link of a container: a veth pair between a bridge of the runtime's own network namespace and eth0 of
 * the container, by netlink. IPv4. No packet filter rules: those are the agent's. */
#ifndef WHERRY_RUN_NET_H
#define WHERRY_RUN_NET_H

#include "run/spec.h"
#include "shared/error.h"
#include <sys/types.h>

#define NET_NAME_MAX 16 /* IFNAMSIZ */

/* The host end's name: from the state root and the id, so that it is found again without a note. */
void net_host_name(const char *root, const char *id, char out[NET_NAME_MAX]);
/* Checks names and addresses; makes nothing. */
int net_check(const struct spec_link *link, struct err *e);
/* Bridge (if absent), pair, address, default route. `pid`: a process in the container's network namespace. */
int net_connect(const struct spec_link *link, const char *host_name, pid_t pid, struct err *e);
/* Removes the host end (and with it the other); nothing there is fine. */
int net_disconnect(const char *host_name, struct err *e);
/* `lo` of the caller's network namespace. */
int net_loopback(struct err *e);

#endif

/* SPDX-License-Identifier: Apache-2.0
 * Namespaces: which are joined, which are made, and in which order. */
#ifndef WHERRY_RUN_NAMESPACE_H
#define WHERRY_RUN_NAMESPACE_H

#include "run/spec.h"
#include "shared/error.h"

struct namespace_home {
	int fds[NS_COUNT]; /* the runtime's own, to go back to; -1 = did not leave */
};

/* The runtime itself steps into the namespaces that are joined by path, so that its child is born there. This
 * must come before a new user namespace takes the right away. */
int namespace_enter(const struct spec *s, struct namespace_home *home, struct err *e);
/* Back home; must not fail, or the runtime would work in the wrong network. */
int namespace_leave(struct namespace_home *home, struct err *e);
/* A child in the new namespaces: its pid to the runtime, 0 to the child. cgroup: a v2 group to be born in, or
 * -1. */
int namespace_clone(const struct spec *s, int cgroup, pid_t *out, struct err *e);
/* What the child does itself: user and mount namespaces by path, root in a user namespace, the cgroup
 * namespace. */
int namespace_inside(const struct spec *s, struct err *e);
/* Writes uid_map and gid_map of the child. */
int namespace_map(const struct spec *s, pid_t pid, struct err *e);

#endif

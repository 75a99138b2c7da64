/* SPDX-License-Identifier: Apache-2.0
 * What init does to its world, as a list: compiled from config.json before anything is made, then walked in
 * order. Reading the list is reading what a container is. */
#ifndef WHERRY_RUN_OP_H
#define WHERRY_RUN_OP_H

#include "run/cgroup.h"
#include "run/spec.h"
#include "run/state_file.h"
#include "shared/error.h"

enum op_kind {
	DO_LOOPBACK,	  /* lo up */
	DO_HOSTNAME,	  /* text */
	DO_DOMAINNAME,	  /* text */
	DO_SYSCTL,	  /* text = value; name */
	DO_CUT_MOUNTS,	  /* no mount of ours comes up on the host */
	DO_ROOT,	  /* overlay or bind; from here on there is a root descriptor */
	DO_MOUNT,	  /* mount */
	DO_CGROUP_MOUNT,  /* mount */
	DO_DEVICE,	  /* device */
	DO_LINKS,	  /* /dev/fd and its like */
	DO_TERMINAL,	  /* pseudo terminal and /dev/console */
	DO_CWD,		  /* text */
	DO_RUNTIME_HOOKS, /* tell the runtime, wait for its hooks and the link */
	DO_CONTAINER_HOOKS,
	DO_MASK,     /* text */
	DO_READONLY, /* text */
	DO_ENTER,    /* pivot_root: the host is gone */
};

struct op {
	enum op_kind kind;
	const char *name, *text; /* name: for errors, and of a sysctl */
	const struct spec_mount *mount;
	const struct spec_device *device;
};

struct op_list {
	struct op *items;
	size_t count;
};

/* What walking needs and changes. */
struct op_context {
	const struct spec *spec;
	const struct box *box;
	const struct cgroups *cgroups;
	const char *cgroup;
	bool no_pivot;
	int sync, root, master, slave;
	pid_t host_pid; /* of init, as the runtime sees it */
};

int op_compile(struct op_list *list, const struct spec *s, struct err *e);
int op_walk(const struct op_list *list, struct op_context *c, struct err *e);

#endif

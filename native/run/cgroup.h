/* SPDX-License-Identifier: Apache-2.0
 * The cgroups of a container, found by looking: v1 hierarchies, a v2 one, or both (limits in v1, the leaf in
 * v2 for cgroup.kill and pressure). A limit that is asked for and cannot be set is BOX_CGROUP, never skipped.
 */
#ifndef WHERRY_RUN_CGROUP_H
#define WHERRY_RUN_CGROUP_H

#include "run/spec.h"
#include "shared/error.h"
#include <stdbool.h>
#include <sys/types.h>

#define CGROUP_TREES_MAX 24
#define CGROUP_PATH_MAX	 1024

struct cgroup_tree {
	char mount[256];
	char controllers[256]; /* ",cpu,cpuacct,": of v1 those of the tree, of v2 those at its root */
	bool v2;
};

struct cgroups {
	struct cgroup_tree trees[CGROUP_TREES_MAX];
	size_t count;
	bool has_v1; /* some v1 tree has controllers: then limits are v1's */
};

/* cgroup_find.c */
int cgroup_find(struct cgroups *c, struct err *e);
bool cgroup_tree_has(const struct cgroup_tree *tree, const char *controller);
/* cgroupsPath (or NULL) of container `id` as the path beneath each tree, with one '/' in front. */
int cgroup_path(const char *asked, const char *id, char out[CGROUP_PATH_MAX], struct err *e);
/* Absolute, below the root, without '.', '..' or empty steps. */
int cgroup_check_path(const char *path, struct err *e);

/* cgroup.c */
/* Makes the groups and sets the limits. */
int cgroup_make(const struct cgroups *c, const char *path, const struct spec_resources *r, struct err *e);
/* Puts a process into all groups of `path` that exist. */
int cgroup_join(const struct cgroups *c, const char *path, pid_t pid, struct err *e);
/* The v2 group's descriptor for CLONE_INTO_CGROUP, or -1. */
int cgroup_open_v2(const struct cgroups *c, const char *path);

/* cgroup_end.c */
/* Sends a signal to every process of the groups. */
int cgroup_signal(const struct cgroups *c, const char *path, int signal, struct err *e);
/* INVARIANT of signal and destroy: the path is checked again, and groups that hold the caller itself are
 * never touched: a wrong path in a state file must not become the end of the machine. Kills what is left,
 * waits for it, and removes the groups, deepest first. Bounded by CGROUP_END_MS. */
int cgroup_destroy(const struct cgroups *c, const char *path, struct err *e);
/* A group with processes before we make it is somebody else's; below it counts too. */
bool cgroup_has_processes(const struct cgroups *c, const char *path);
#define CGROUP_END_MS 10000

/* cgroup_v1.c, cgroup_v2.c, cgroup_devices.c; dir is the group's folder */
int cgroup_v1_limits(const struct cgroup_tree *tree, int dir, const struct spec_resources *r, struct err *e);
int cgroup_v1_missing(const struct cgroups *c, const struct spec_resources *r, struct err *e);
/* A cpuset group of v1 takes no process before it has its parent's cpus and mems. */
int cgroup_v1_inherit_cpuset(int parent, int dir, struct err *e);
/* Hands the controllers that `r` needs down to the children of dir. */
int cgroup_v2_enable(int dir, const struct spec_resources *r, struct err *e);
int cgroup_v2_limits(int dir, const struct spec_resources *r, struct err *e);
int cgroup_v2_devices(int dir, const struct spec_resources *r, struct err *e);

/* cgroup_mount.c: an entry of type cgroup; own_ns: a cgroup namespace was made. */
int cgroup_mount(const struct cgroups *c, const char *path, int root, const struct spec_mount *m, bool own_ns,
		 struct err *e);

/* Writes a number to a file of the group; LIMIT_UNSET writes nothing, -1 writes `endless`. */
int cgroup_write(int dir, const char *file, int64_t value, const char *endless, struct err *e);

#endif

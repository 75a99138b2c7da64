/* SPDX-License-Identifier: Apache-2.0
 * config.json, checked and turned into plain C. Everything that can be known to be wrong before the first
 * thing is made is found here, as ERR_SPEC with the field's name. A verb lives for one container: what is
 * allocated here lives until the process ends. Unknown fields are ignored, as the runtime specification asks.
 */
#ifndef WHERRY_RUN_SPEC_H
#define WHERRY_RUN_SPEC_H

#include "shared/error.h"
#include "shared/json.h"
#include <linux/filter.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#define SPEC_ITEMS_MAX	    4096 /* mounts, devices, hooks, rules, maps … of one config.json */
#define SPEC_HOOK_TIMEOUT_S 60	 /* where a hook names none: nothing of ours waits for ever */

enum ns_kind { NS_PID, NS_NET, NS_IPC, NS_UTS, NS_MNT, NS_CGROUP, NS_USER, NS_COUNT };

struct spec_map {
	uint32_t inside, outside, size;
};

struct spec_mount {
	const char *destination, *type, *source, *data; /* data: the options that are the file system's own */
	const char *bound;   /* bind: the folder above source that no link may lead out of, or NULL */
	size_t bound_length; /* of its text, without slashes at the end */
	unsigned long set, clear, propagation; /* MS_* */
	uint64_t set_below, clear_below;       /* MOUNT_ATTR_*, recursively: rro and the like */
	bool bind, below, copy_up;	       /* below: rbind */
};

struct spec_device {
	const char *path;
	mode_t type; /* S_IFCHR, S_IFBLK, S_IFIFO */
	unsigned major, minor;
	mode_t mode;
	uid_t uid;
	gid_t gid;
};

enum { DEVICE_MKNOD = 1, DEVICE_READ = 2, DEVICE_WRITE = 4 };

struct spec_rule {
	bool allow;
	char type;	      /* a b c */
	int64_t major, minor; /* -1 = all */
	unsigned access;
};

struct spec_hook {
	const char *path, **args, **env;
	unsigned timeout_s;
};

enum hook_kind {
	HOOK_PRESTART,
	HOOK_CREATE_RUNTIME,
	HOOK_CREATE_CONTAINER,
	HOOK_START_CONTAINER,
	HOOK_POSTSTART,
	HOOK_POSTSTOP,
	HOOK_COUNT,
};

struct spec_hooks {
	struct spec_hook *items;
	size_t count;
};

struct spec_rlimit {
	const char *name;
	int resource;
	struct rlimit limit;
};

enum cap_set { CAPS_BOUNDING, CAPS_EFFECTIVE, CAPS_INHERITABLE, CAPS_PERMITTED, CAPS_AMBIENT, CAPS_COUNT };

struct spec_process {
	bool terminal, no_new_privs, has_oom_score, has_umask;
	unsigned short rows, columns;
	uid_t uid;
	gid_t gid, *groups;
	size_t group_count;
	mode_t umask;
	const char **args, **env, *cwd;
	uint64_t caps[CAPS_COUNT];
	struct spec_rlimit *rlimits;
	size_t rlimit_count;
	int oom_score;
};

#define LIMIT_UNSET INT64_MIN

struct spec_resources {
	int64_t memory, reservation, swap;	    /* bytes, -1 = without limit */
	int64_t quota, period, burst, shares, idle; /* µs; shares as in v1 */
	int64_t rt_runtime, rt_period;
	int64_t pids;
	int64_t io_weight;
	const char *cpus, *mems;
	struct spec_rule *rules;
	size_t rule_count;
	const struct json *unified;
};

struct spec_overlay {
	const char **lower, *upper, *work; /* lower: topmost first; NULL = no overlay */
	size_t lower_count;
};

struct spec_link {
	const char *bridge, *gateway, *address; /* bridge NULL = no link */
};

struct spec {
	struct json_doc doc;
	const char *text; /* config.json as it was read */
	size_t text_length;
	const char *oci_version, *bundle, *root, *hostname, *domainname, *cgroups_path;
	bool root_readonly;
	struct spec_overlay overlay;
	struct spec_link link;
	const struct json *annotations, *sysctl, *seccomp; /* seccomp: seccomp.c reads it */
	struct spec_process process;
	struct spec_mount *mounts;
	size_t mount_count;
	struct spec_device *devices;
	size_t device_count;
	struct spec_hooks hooks[HOOK_COUNT];
	unsigned long namespaces; /* CLONE_NEW* to make */
	const char *join[NS_COUNT];
	struct spec_map *uid_map, *gid_map;
	size_t uid_map_count, gid_map_count;
	const char **masked, **readonly;
	unsigned long root_propagation;
	struct spec_resources resources;
	long personality; /* -1 = as it is */
};

/* Reads `file` (config.json's path) of a bundle; `bundle` is absolute. */
int spec_load(struct spec *s, const char *bundle, const char *file, struct err *e);
/* process of config.json, or the whole document of exec --process. */
int spec_process(struct spec_process *p, const struct json *process, struct err *e);
int spec_linux(struct spec *s, const struct json *linux_, struct err *e);
int spec_mounts(struct spec *s, const struct json *list, struct err *e);
/* roots: absolute folders joined by ':'. Gives each bind mount below one of them its bound. */
int spec_bounds(struct spec *s, const char *roots, struct err *e);
int spec_resources(struct spec_resources *r, const struct json *resources, struct err *e);
int spec_hooks(struct spec *s, const struct json *hooks, struct err *e);
/* Overlay, link and bounds of our own annotations (protocol/keeper.ts). */
int spec_annotations(struct spec *s, struct err *e);
/* rprivate, slave …: MS_* of a propagation's name, 0 if it is none. */
unsigned long spec_propagation(const char *name);
/* calloc of `count` items that ends in ERR_MEMORY, or ERR_SPEC beyond SPEC_ITEMS_MAX. */
void *spec_items(size_t count, size_t size, const char *what, struct err *e);
/* A text member that must be there. */
int spec_need(const struct json *object, const char *key, const char **out, struct err *e);

#endif

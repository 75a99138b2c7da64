/* SPDX-License-Identifier: Apache-2.0
 * Limits in the trees of cgroup v1. */
#include "run/cgroup.h"
#include "shared/fd.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int memory(int dir, const struct spec_resources *r, struct err *e)
{
	/* The limit first: memory+swap may never be below it. */
	if (cgroup_write(dir, "memory.limit_in_bytes", r->memory, "-1", e) != 0 ||
	    cgroup_write(dir, "memory.memsw.limit_in_bytes", r->swap, "-1", e) != 0)
		return -1;
	return cgroup_write(dir, "memory.soft_limit_in_bytes", r->reservation, "-1", e);
}

static int cpu(int dir, const struct spec_resources *r, struct err *e)
{
	if (cgroup_write(dir, "cpu.shares", r->shares, "0", e) != 0 ||
	    cgroup_write(dir, "cpu.cfs_period_us", r->period, "0", e) != 0 ||
	    cgroup_write(dir, "cpu.cfs_quota_us", r->quota, "-1", e) != 0 ||
	    cgroup_write(dir, "cpu.cfs_burst_us", r->burst, "0", e) != 0 ||
	    cgroup_write(dir, "cpu.rt_period_us", r->rt_period, "0", e) != 0 ||
	    cgroup_write(dir, "cpu.rt_runtime_us", r->rt_runtime, "-1", e) != 0)
		return -1;
	return cgroup_write(dir, "cpu.idle", r->idle, "0", e);
}

static int cpuset(int dir, const struct spec_resources *r, struct err *e)
{
	if (r->cpus != NULL && fd_write_file(dir, "cpuset.cpus", r->cpus, ERR_CGROUP, e) != 0)
		return -1;
	return r->mems == NULL ? 0 : fd_write_file(dir, "cpuset.mems", r->mems, ERR_CGROUP, e);
}

static void number(char *out, size_t size, int64_t value)
{
	int n = value < 0 ? snprintf(out, size, "*") : snprintf(out, size, "%lld", (long long)value);

	if (n < 0)
		out[0] = 0;
}

static int one_rule(int dir, const struct spec_rule *rule, char type, struct err *e)
{
	char text[64], major[24], minor[24];
	int n;

	number(major, sizeof(major), rule->major);
	number(minor, sizeof(minor), rule->minor);
	n = snprintf(text, sizeof(text), "%c %s:%s %s%s%s", type, major, minor,
		     rule->access & DEVICE_READ ? "r" : "", rule->access & DEVICE_WRITE ? "w" : "",
		     rule->access & DEVICE_MKNOD ? "m" : "");
	if (n < 0)
		return err_set(e, ERR_CGROUP, errno, "device rule");
	return fd_write_file(dir, rule->allow ? "devices.allow" : "devices.deny", text, ERR_CGROUP, e);
}

static int devices(int dir, const struct spec_resources *r, struct err *e)
{
	for (size_t i = 0; i < r->rule_count; i++) {
		const struct spec_rule *rule = &r->rules[i];

		/* "a" takes neither numbers nor access: only the whole of it can be said at once. */
		if (rule->type != 'a') {
			if (one_rule(dir, rule, rule->type, e) != 0)
				return -1;
		} else if (rule->major < 0 && rule->minor < 0 && rule->access == 7) {
			if (fd_write_file(dir, rule->allow ? "devices.allow" : "devices.deny", "a",
					  ERR_CGROUP, e) != 0)
				return -1;
		} else if (one_rule(dir, rule, 'b', e) != 0 || one_rule(dir, rule, 'c', e) != 0) {
			return -1;
		}
	}
	return 0;
}

static int block(int dir, const struct spec_resources *r, struct err *e)
{
	const char *file = faccessat(dir, "blkio.weight", F_OK, 0) == 0 ? "blkio.weight" : "blkio.bfq.weight";

	return cgroup_write(dir, file, r->io_weight, "0", e);
}

int cgroup_v1_limits(const struct cgroup_tree *tree, int dir, const struct spec_resources *r, struct err *e)
{
	if ((cgroup_tree_has(tree, "memory") && memory(dir, r, e) != 0) ||
	    (cgroup_tree_has(tree, "cpu") && cpu(dir, r, e) != 0) ||
	    (cgroup_tree_has(tree, "cpuset") && cpuset(dir, r, e) != 0) ||
	    (cgroup_tree_has(tree, "devices") && devices(dir, r, e) != 0) ||
	    (cgroup_tree_has(tree, "blkio") && block(dir, r, e) != 0))
		return -1;
	if (!cgroup_tree_has(tree, "pids"))
		return 0;
	return cgroup_write(dir, "pids.max", r->pids == 0 ? -1 : r->pids, "max", e);
}

int cgroup_v1_missing(const struct cgroups *c, const struct spec_resources *r, struct err *e)
{
	const struct {
		const char *controller;
		bool asked;
	} needs[] = {
	    {"memory", r->memory != LIMIT_UNSET || r->swap != LIMIT_UNSET || r->reservation != LIMIT_UNSET},
	    {"cpu", r->shares != LIMIT_UNSET || r->quota != LIMIT_UNSET || r->period != LIMIT_UNSET ||
			r->idle != LIMIT_UNSET},
	    {"cpuset", r->cpus != NULL || r->mems != NULL},
	    {"pids", r->pids > 0},
	    {"devices", r->rule_count > 0},
	    {"blkio", r->io_weight != LIMIT_UNSET},
	};

	if (r->unified != NULL && r->unified->length > 0)
		return err_set(e, ERR_CGROUP, 0, "resources.unified needs pure cgroup v2");
	for (size_t i = 0; i < sizeof(needs) / sizeof(*needs); i++) {
		bool found = !needs[i].asked;

		for (size_t t = 0; t < c->count && !found; t++)
			found = !c->trees[t].v2 && cgroup_tree_has(&c->trees[t], needs[i].controller);
		if (!found)
			return err_set(e, ERR_CGROUP, 0,
				       "a limit needs the controller %s, which this kernel does not offer",
				       needs[i].controller);
	}
	return 0;
}

int cgroup_v1_inherit_cpuset(int parent, int dir, struct err *e)
{
	static const char *const files[] = {"cpuset.cpus", "cpuset.mems"};

	for (size_t i = 0; i < 2; i++) {
		free_auto char *own = NULL;
		free_auto char *above = NULL;
		size_t length = 0;

		if (fd_read_file(dir, files[i], 4096, &own, &length, ERR_CGROUP, e) != 0)
			return -1;
		if (length > 1)
			continue;
		if (fd_read_file(parent, files[i], 4096, &above, NULL, ERR_CGROUP, e) != 0 ||
		    fd_write_file(dir, files[i], above, ERR_CGROUP, e) != 0)
			return -1;
	}
	return 0;
}

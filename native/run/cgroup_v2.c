/* SPDX-License-Identifier: Apache-2.0
 * Limits in a pure cgroup v2 tree. The values of config.json are v1's and are translated. */
#include "run/cgroup.h"
#include "shared/fd.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char *const controllers[] = {"cpu", "cpuset", "io", "memory", "pids"};

static bool is_asked(const char *controller, const struct spec_resources *r)
{
	size_t length = strlen(controller);

	for (const struct json *u = r->unified ? r->unified->child : NULL; u; u = u->next)
		if (strncmp(u->key, controller, length) == 0 && u->key[length] == '.')
			return true;
	if (strcmp(controller, "memory") == 0)
		return r->memory != LIMIT_UNSET || r->swap != LIMIT_UNSET || r->reservation != LIMIT_UNSET;
	if (strcmp(controller, "cpu") == 0)
		return r->shares != LIMIT_UNSET || r->quota != LIMIT_UNSET || r->period != LIMIT_UNSET ||
		       r->idle != LIMIT_UNSET || r->burst != LIMIT_UNSET;
	if (strcmp(controller, "cpuset") == 0)
		return r->cpus != NULL || r->mems != NULL;
	if (strcmp(controller, "io") == 0)
		return r->io_weight != LIMIT_UNSET;
	return r->pids > 0;
}

static bool has_word(const char *list, const char *word)
{
	size_t length = strlen(word);

	for (const char *at = strstr(list, word); at != NULL; at = strstr(at + 1, word))
		if ((at == list || at[-1] == ' ') &&
		    (at[length] == ' ' || at[length] == '\n' || at[length] == 0))
			return true;
	return false;
}

int cgroup_v2_enable(int dir, const struct spec_resources *r, struct err *e)
{
	free_auto char *offered = NULL;
	free_auto char *enabled = NULL;

	if (fd_read_file(dir, "cgroup.controllers", 4096, &offered, NULL, ERR_CGROUP, e) != 0 ||
	    fd_read_file(dir, "cgroup.subtree_control", 4096, &enabled, NULL, ERR_CGROUP, e) != 0)
		return -1;
	for (size_t i = 0; i < sizeof(controllers) / sizeof(*controllers); i++) {
		const char *name = controllers[i];
		bool asked = is_asked(name, r), wanted = asked || strcmp(name, "cpuset") != 0;
		char text[32];
		struct err why = {0};

		if (!wanted || has_word(enabled, name))
			continue;
		if (!has_word(offered, name)) {
			if (asked)
				return err_set(e, ERR_CGROUP, 0,
					       "a limit needs the controller %s, which is not offered here",
					       name);
			continue;
		}
		if (snprintf(text, sizeof(text), "+%s", name) < 0)
			continue;
		/* Without a limit a controller only counts: then it may be missing (a parent with processes).
		 */
		if (fd_write_file(dir, "cgroup.subtree_control", text, ERR_CGROUP, &why) != 0 && asked) {
			*e = why;
			return err_add(e, "controller %s", name);
		}
	}
	return 0;
}

static int cpu(int dir, const struct spec_resources *r, struct err *e)
{
	char text[64];
	int64_t shares = r->shares, quota = r->quota;
	int n;

	if (shares != LIMIT_UNSET) {
		if (shares < 2)
			shares = 2;
		shares = 1 + (shares - 2) * 9999 / 262142;
	}
	if (cgroup_write(dir, "cpu.weight", shares, "1", e) != 0)
		return -1;
	if (quota != LIMIT_UNSET || r->period != LIMIT_UNSET) {
		int64_t period = r->period == LIMIT_UNSET ? 100000 : r->period;

		n = quota == LIMIT_UNSET || quota < 0
			? snprintf(text, sizeof(text), "max %" PRId64, period)
			: snprintf(text, sizeof(text), "%" PRId64 " %" PRId64, quota, period);
		if (n < 0 || fd_write_file(dir, "cpu.max", text, ERR_CGROUP, e) != 0)
			return -1;
	}
	if (cgroup_write(dir, "cpu.max.burst", r->burst, "0", e) != 0)
		return -1;
	return cgroup_write(dir, "cpu.idle", r->idle, "0", e);
}

static int memory(int dir, const struct spec_resources *r, struct err *e)
{
	int64_t swap = r->swap;

	/* config.json counts memory and swap together, v2 swap alone. */
	if (swap > 0) {
		if (r->memory == LIMIT_UNSET || r->memory < 0)
			return err_set(e, ERR_SPEC, 0, "memory.swap needs memory.limit");
		swap -= r->memory;
	}
	if (cgroup_write(dir, "memory.max", r->memory, "max", e) != 0 ||
	    cgroup_write(dir, "memory.low", r->reservation, "max", e) != 0)
		return -1;
	return cgroup_write(dir, "memory.swap.max", swap, "max", e);
}

int cgroup_v2_limits(int dir, const struct spec_resources *r, struct err *e)
{
	int64_t weight = r->io_weight;

	if (r->rt_runtime != LIMIT_UNSET || r->rt_period != LIMIT_UNSET)
		return err_set(e, ERR_CGROUP, 0, "cpu.realtimeRuntime needs cgroup v1");
	if (weight != LIMIT_UNSET)
		weight = weight <= 10 ? 1 : 1 + (weight - 10) * 9999 / 990;
	if (weight > 10000)
		weight = 10000;
	if (memory(dir, r, e) != 0 || cpu(dir, r, e) != 0 ||
	    cgroup_write(dir, "pids.max", r->pids == 0 ? -1 : r->pids, "max", e) != 0 ||
	    cgroup_write(dir, "io.weight", weight, "1", e) != 0)
		return -1;
	if (r->cpus != NULL && fd_write_file(dir, "cpuset.cpus", r->cpus, ERR_CGROUP, e) != 0)
		return -1;
	if (r->mems != NULL && fd_write_file(dir, "cpuset.mems", r->mems, ERR_CGROUP, e) != 0)
		return -1;
	for (const struct json *u = r->unified ? r->unified->child : NULL; u; u = u->next)
		if (fd_write_file(dir, u->key, u->text, ERR_CGROUP, e) != 0)
			return err_add(e, "unified");
	return 0;
}

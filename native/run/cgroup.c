/* SPDX-License-Identifier: Apache-2.0
 * Making and joining the groups of a container, tree by tree. */
#include "run/cgroup.h"
#include "shared/fd.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int cgroup_write(int dir, const char *file, int64_t value, const char *endless, struct err *e)
{
	char text[32];
	int n;

	if (value == LIMIT_UNSET)
		return 0;
	n = value < 0 ? snprintf(text, sizeof(text), "%s", endless)
		      : snprintf(text, sizeof(text), "%" PRId64, value);
	if (n < 0)
		return err_set(e, ERR_CGROUP, errno, "%s", file);
	return fd_write_file(dir, file, text, ERR_CGROUP, e);
}

/* Trees in which every container has a group, so that it can be counted, frozen and killed; the others only
 * on demand: joining a group waits for the whole machine under load. */
static bool is_wanted(const struct cgroup_tree *tree, const struct spec_resources *r)
{
	static const char *const always[] = {"memory", "cpu", "cpuacct", "pids", "devices", "freezer"};

	if (tree->v2)
		return true;
	for (size_t i = 0; i < sizeof(always) / sizeof(*always); i++)
		if (cgroup_tree_has(tree, always[i]))
			return true;
	if (cgroup_tree_has(tree, "cpuset"))
		return r->cpus != NULL || r->mems != NULL;
	return cgroup_tree_has(tree, "blkio") && r->io_weight != LIMIT_UNSET;
}

/* From one folder into the next, made if absent. */
static int step_down(const struct cgroups *c, const struct cgroup_tree *tree, int *dir, const char *name,
		     const struct spec_resources *r, struct err *e)
{
	fd_auto int above = fd_steal(dir);

	if (tree->v2 && !c->has_v1 && cgroup_v2_enable(above, r, e) != 0)
		return -1;
	if (mkdirat(above, name, 0755) != 0 && errno != EEXIST)
		return err_set(e, ERR_CGROUP, errno, "make group %s in %s", name, tree->mount);
	*dir = openat(above, name, O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (*dir < 0)
		return err_set(e, ERR_CGROUP, errno, "open group %s in %s", name, tree->mount);
	if (!tree->v2 && cgroup_tree_has(tree, "cpuset"))
		return cgroup_v1_inherit_cpuset(above, *dir, e);
	return 0;
}

static int make_in(const struct cgroups *c, const struct cgroup_tree *tree, const char *path,
		   const struct spec_resources *r, struct err *e)
{
	char copy[CGROUP_PATH_MAX], *save = NULL;
	fd_auto int dir = open(tree->mount, O_DIRECTORY | O_CLOEXEC);

	if (dir < 0)
		return err_set(e, ERR_CGROUP, errno, "open %s", tree->mount);
	memcpy(copy, path, strlen(path) + 1);
	for (char *name = strtok_r(copy, "/", &save); name; name = strtok_r(NULL, "/", &save))
		if (step_down(c, tree, &dir, name, r, e) != 0)
			return -1;
	if (!tree->v2)
		return cgroup_v1_limits(tree, dir, r, e);
	if (c->has_v1)
		return 0; /* hybrid: the limits are v1's */
	return cgroup_v2_limits(dir, r, e) != 0 ? -1 : cgroup_v2_devices(dir, r, e);
}

int cgroup_make(const struct cgroups *c, const char *path, const struct spec_resources *r, struct err *e)
{
	if (c->has_v1 && cgroup_v1_missing(c, r, e) != 0)
		return -1;
	for (size_t i = 0; i < c->count; i++)
		if (is_wanted(&c->trees[i], r) && make_in(c, &c->trees[i], path, r, e) != 0)
			return err_add(e, "cgroup");
	return 0;
}

int cgroup_join(const struct cgroups *c, const char *path, pid_t pid, struct err *e)
{
	size_t joined = 0;

	for (size_t i = 0; i < c->count; i++) {
		char name[CGROUP_PATH_MAX + 300];
		int n = snprintf(name, sizeof(name), "%s%s/cgroup.procs", c->trees[i].mount, path);

		if (n < 0 || (size_t)n >= sizeof(name))
			return err_set(e, ERR_CGROUP, ENAMETOOLONG, "group %s", path);
		if (access(name, F_OK) != 0)
			continue;
		if (cgroup_write(AT_FDCWD, name, pid, "", e) != 0)
			return -1;
		joined++;
	}
	return joined > 0 ? 0 : err_set(e, ERR_CGROUP, ENOENT, "group %s is in no tree", path);
}

int cgroup_open_v2(const struct cgroups *c, const char *path)
{
	for (size_t i = 0; i < c->count; i++) {
		char name[CGROUP_PATH_MAX + 300];
		int n = snprintf(name, sizeof(name), "%s%s", c->trees[i].mount, path);

		if (c->trees[i].v2 && n > 0 && (size_t)n < sizeof(name))
			return open(name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	}
	return -1;
}

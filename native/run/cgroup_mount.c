/* SPDX-License-Identifier: Apache-2.0
 * A mount of type cgroup: the container sees its own groups. v2: the file system itself, or the group's
 * folder bound; v1 and hybrid: a folder of trees, as on the host. */
#include "run/cgroup.h"
#include "run/mount.h"
#include "shared/fd.h"
#include "shared/path.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#define ALWAYS (MS_NOSUID | MS_NODEV | MS_NOEXEC)

static int bind_group(const struct cgroup_tree *tree, const char *path, int root, const char *at, int target,
		      unsigned long flags, struct err *e)
{
	char name[CGROUP_PATH_MAX + 300];
	int n = snprintf(name, sizeof(name), "%s%s", tree->mount, path);
	fd_auto int source = n > 0 ? open(name, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
	fd_auto int mounted = -1;

	if (source < 0)
		return err_set(e, ERR_MOUNT, errno, "group %s in %s", path, tree->mount);
	if (mount_bind(source, true, target, root, at, &mounted, e) != 0)
		return -1;
	return mount_flags(mounted, flags | ALWAYS, 0, at, e);
}

static int one_tree(const struct cgroup_tree *tree, const char *path, int root, const char *at,
		    unsigned long flags, bool own_ns, struct err *e)
{
	fd_auto int target = path_mkdir_in(root, at, 0755, ERR_MOUNT, e);
	char to[MOUNT_FD_PATH], data[256];
	size_t length = strlen(tree->controllers);

	if (target < 0)
		return -1;
	if (!own_ns)
		return bind_group(tree, path, root, at, target, flags, e);
	/* ",cpu,cpuacct," → "cpu,cpuacct" */
	if (length < 3 || length - 2 >= sizeof(data))
		return err_set(e, ERR_MOUNT, 0, "%s has no controllers", tree->mount);
	memcpy(data, tree->controllers + 1, length - 2);
	data[length - 2] = 0;
	if (mount("cgroup", mount_fd_path(target, to), tree->v2 ? "cgroup2" : "cgroup", flags | ALWAYS,
		  tree->v2 ? NULL : data) != 0)
		return err_set(e, ERR_MOUNT, errno, "cgroup tree %s", at);
	return 0;
}

static bool is_joined(const struct cgroup_tree *tree, const char *path)
{
	char name[CGROUP_PATH_MAX + 300];
	int n = snprintf(name, sizeof(name), "%s%s", tree->mount, path);

	return n > 0 && (size_t)n < sizeof(name) && access(name, F_OK) == 0;
}

/* Only trees in which the container has a group: of the others it would see the host's. */
static int all_trees(const struct cgroups *c, const char *path, int root, const struct spec_mount *m,
		     bool own_ns, struct err *e)
{
	for (size_t i = 0; i < c->count; i++) {
		char at[512];
		const char *name = strrchr(c->trees[i].mount, '/');
		int n = snprintf(at, sizeof(at), "%s%s", m->destination, name ? name : "/unified");

		if (!is_joined(&c->trees[i], path))
			continue;
		if (n < 0 || (size_t)n >= sizeof(at))
			return err_set(e, ERR_MOUNT, ENAMETOOLONG, "%s", m->destination);
		if (one_tree(&c->trees[i], path, root, at, m->set & MS_RDONLY, own_ns && !c->trees[i].v2,
			     e) != 0)
			return -1;
	}
	return 0;
}

int cgroup_mount(const struct cgroups *c, const char *path, int root, const struct spec_mount *m, bool own_ns,
		 struct err *e)
{
	fd_auto int target = path_mkdir_in(root, m->destination, 0755, ERR_MOUNT, e);
	fd_auto int top = -1;
	char to[MOUNT_FD_PATH];

	if (target < 0)
		return -1;
	if (!c->has_v1) {
		if (own_ns && mount("cgroup", mount_fd_path(target, to), "cgroup2",
				    (m->set & MS_RDONLY) | ALWAYS, NULL) == 0)
			return 0;
		return bind_group(&c->trees[0], path, root, m->destination, target, m->set & MS_RDONLY, e);
	}
	if (mount("tmpfs", mount_fd_path(target, to), "tmpfs", ALWAYS, "mode=755,size=64k") != 0)
		return err_set(e, ERR_MOUNT, errno, "%s", m->destination);
	if (all_trees(c, path, root, m, own_ns, e) != 0)
		return -1;
	if ((m->set & MS_RDONLY) == 0)
		return 0;
	top = path_open_in(root, m->destination, O_PATH | O_CLOEXEC, 0);
	if (top < 0)
		return err_set(e, ERR_MOUNT, errno, "%s", m->destination);
	return mount_flags(top, MS_RDONLY, 0, m->destination, e);
}

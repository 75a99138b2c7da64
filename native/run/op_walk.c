/* SPDX-License-Identifier: Apache-2.0
 * Walks the list: one switch over a closed set, each case one call into the file of its subject. */
#include "run/device.h"
#include "run/hook.h"
#include "run/mask.h"
#include "run/mount.h"
#include "run/net.h"
#include "run/op.h"
#include "run/rootfs.h"
#include "run/sync.h"
#include "run/tty.h"
#include "shared/fd.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef CLONE_NEWCGROUP
#define CLONE_NEWCGROUP 0x02000000
#endif

/* Through the host's /proc, which is still there: a /proc of the image could be anything (CVE-2019-19921). */
static int write_sysctl(const char *name, const char *value, struct err *e)
{
	char path[512];
	size_t at = sizeof("/proc/sys/") - 1;
	int n = snprintf(path, sizeof(path), "/proc/sys/%s", name);

	if (n < 0 || (size_t)n >= sizeof(path))
		return err_set(e, ERR_SPEC, ENAMETOOLONG, "sysctl %s", name);
	/* A name may be written with dots or, as for an interface with a dot in its name, with slashes. */
	for (char *c = path + at; strchr(name, '/') == NULL && *c != 0; c++)
		if (*c == '.')
			*c = '/';
	return fd_write_file(AT_FDCWD, path, value, ERR_SYSTEM, e);
}

static int runtime_hooks(const struct op_context *c, struct err *e)
{
	if (sync_say(c->sync, SYNC_MOUNTED, 0, -1, e) != 0)
		return -1;
	return sync_wait(c->sync, SYNC_HOOKED, NULL, NULL, e);
}

static int terminal(struct op_context *c, struct err *e)
{
	if (tty_open(c->root, &c->spec->process, &c->master, &c->slave, e) != 0)
		return -1;
	return tty_console(c->root, c->slave, e);
}

static int one(const struct op *op, struct op_context *c, struct err *e)
{
	bool own_cgroups = (c->spec->namespaces & CLONE_NEWCGROUP) != 0;

	switch (op->kind) {
	case DO_LOOPBACK:
		return net_loopback(e);
	case DO_HOSTNAME:
		return sethostname(op->text, strlen(op->text)) == 0
			   ? 0
			   : err_set(e, ERR_SPEC, errno, "hostname '%.64s'", op->text);
	case DO_DOMAINNAME:
		return setdomainname(op->text, strlen(op->text)) == 0
			   ? 0
			   : err_set(e, ERR_SPEC, errno, "domainname '%.64s'", op->text);
	case DO_SYSCTL:
		return write_sysctl(op->name, op->text, e);
	case DO_CUT_MOUNTS:
		return rootfs_propagation(c->spec, e);
	case DO_ROOT:
		return rootfs_mount(c->spec, &c->root, e);
	case DO_MOUNT:
		return mount_apply(c->root, op->mount, e);
	case DO_CGROUP_MOUNT:
		return cgroup_mount(c->cgroups, c->cgroup, c->root, op->mount, own_cgroups, e);
	case DO_DEVICE:
		return device_make(c->root, op->device, e);
	case DO_LINKS:
		return device_links(c->root, e);
	case DO_TERMINAL:
		return terminal(c, e);
	case DO_CWD:
		return rootfs_cwd(c->root, op->text, e);
	case DO_RUNTIME_HOOKS:
		return runtime_hooks(c, e);
	case DO_CONTAINER_HOOKS:
		return hook_run(&c->spec->hooks[HOOK_CREATE_CONTAINER], op->name, c->box, STATUS_CREATING,
				c->host_pid, false, e);
	case DO_MASK:
		return mask_hide(c->root, op->text, e);
	case DO_READONLY:
		return mask_readonly(c->root, op->text, e);
	case DO_ENTER:
		return rootfs_enter(c->spec, c->root, c->no_pivot, e);
	}
	return err_set(e, ERR_SYSTEM, 0, "operation %d", (int)op->kind);
}

static const char *const words[] = {
    [DO_LOOPBACK] = "loopback",	  [DO_HOSTNAME] = "hostname",	      [DO_DOMAINNAME] = "domainname",
    [DO_SYSCTL] = "sysctl",	  [DO_CUT_MOUNTS] = "mounts",	      [DO_ROOT] = "root",
    [DO_MOUNT] = "mount",	  [DO_CGROUP_MOUNT] = "mount cgroup", [DO_DEVICE] = "device",
    [DO_LINKS] = "links",	  [DO_TERMINAL] = "terminal",	      [DO_CWD] = "cwd",
    [DO_RUNTIME_HOOKS] = "hooks", [DO_CONTAINER_HOOKS] = "hooks",     [DO_MASK] = "mask",
    [DO_READONLY] = "read-only",  [DO_ENTER] = "pivot_root",
};

int op_walk(const struct op_list *list, struct op_context *c, struct err *e)
{
	mode_t mask = umask(0);

	for (size_t i = 0; i < list->count; i++) {
		const struct op *op = &list->items[i];

		if (one(op, c, e) != 0)
			return err_at(e, "init: %s %.40s", words[op->kind], op->name);
	}
	umask(mask);
	return 0;
}

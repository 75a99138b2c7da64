/* SPDX-License-Identifier: Apache-2.0
 * config.json → the list of operations. The order is the whole content: what needs the host's /proc and
 * folders is before DO_ENTER, what may hide a destination is after the mounts. */
#include "run/device.h"
#include "run/op.h"
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#define FIXED_OPS_MAX 24

static struct op *add(struct op_list *list, enum op_kind kind, const char *name)
{
	struct op *op = &list->items[list->count++];

	op->kind = kind;
	op->name = name;
	op->text = name;
	return op;
}

static void add_texts(struct op_list *list, enum op_kind kind, const char **texts)
{
	for (; texts != NULL && *texts != NULL; texts++)
		add(list, kind, *texts);
}

static void add_devices(struct op_list *list, const struct spec *s)
{
	if (device_dev_is_bound(s))
		return;
	for (size_t i = 0; i < device_default_count; i++)
		add(list, DO_DEVICE, device_defaults[i].path)->device = &device_defaults[i];
	for (size_t i = 0; i < s->device_count; i++)
		add(list, DO_DEVICE, s->devices[i].path)->device = &s->devices[i];
	add(list, DO_LINKS, "/dev");
}

static void add_names(struct op_list *list, const struct spec *s)
{
	if ((s->namespaces & CLONE_NEWNET) != 0)
		add(list, DO_LOOPBACK, "lo");
	if (s->hostname != NULL)
		add(list, DO_HOSTNAME, s->hostname);
	if (s->domainname != NULL)
		add(list, DO_DOMAINNAME, s->domainname);
	for (const struct json *one = s->sysctl ? s->sysctl->child : NULL; one; one = one->next)
		add(list, DO_SYSCTL, one->key)->text = one->text;
}

static size_t length_of(const char **texts)
{
	size_t count = 0;

	while (texts != NULL && texts[count] != NULL)
		count++;
	return count;
}

int op_compile(struct op_list *list, const struct spec *s, struct err *e)
{
	size_t most = FIXED_OPS_MAX + s->mount_count + s->device_count + device_default_count +
		      (s->sysctl ? s->sysctl->length : 0) + length_of(s->masked) + length_of(s->readonly);

	*list = (struct op_list){calloc(most, sizeof(*list->items)), 0};
	if (list->items == NULL)
		return err_set(e, ERR_MEMORY, errno, "operations");
	add_names(list, s);
	add(list, DO_CUT_MOUNTS, "/");
	add(list, DO_ROOT, s->root);
	for (size_t i = 0; i < s->mount_count; i++) {
		const struct spec_mount *m = &s->mounts[i];
		bool is_cgroup =
		    !m->bind && (strcmp(m->type, "cgroup") == 0 || strcmp(m->type, "cgroup2") == 0);

		add(list, is_cgroup ? DO_CGROUP_MOUNT : DO_MOUNT, m->destination)->mount = m;
	}
	add_devices(list, s);
	if (s->process.terminal)
		add(list, DO_TERMINAL, "/dev/console");
	add(list, DO_CWD, s->process.cwd);
	add(list, DO_RUNTIME_HOOKS, "createRuntime");
	if (s->hooks[HOOK_CREATE_CONTAINER].count > 0)
		add(list, DO_CONTAINER_HOOKS, "createContainer");
	add_texts(list, DO_MASK, s->masked);
	add_texts(list, DO_READONLY, s->readonly);
	add(list, DO_ENTER, "/");
	return 0;
}

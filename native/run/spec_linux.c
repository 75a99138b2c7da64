/* SPDX-License-Identifier: Apache-2.0
 * linux of config.json: namespaces, maps, devices, paths; resources are in spec_resources.c. */
#include "run/spec.h"
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#ifndef CLONE_NEWCGROUP
#define CLONE_NEWCGROUP 0x02000000
#endif

static const struct {
	const char *name;
	unsigned long flag;
} kinds[NS_COUNT] = {
    [NS_PID] = {"pid", CLONE_NEWPID},	 [NS_NET] = {"network", CLONE_NEWNET},
    [NS_IPC] = {"ipc", CLONE_NEWIPC},	 [NS_UTS] = {"uts", CLONE_NEWUTS},
    [NS_MNT] = {"mount", CLONE_NEWNS},	 [NS_CGROUP] = {"cgroup", CLONE_NEWCGROUP},
    [NS_USER] = {"user", CLONE_NEWUSER},
};

static int namespaces(struct spec *s, const struct json *list, struct err *e)
{
	unsigned seen = 0;

	for (const struct json *item = list ? list->child : NULL; item; item = item->next) {
		const char *type = NULL, *path = NULL;
		int kind = 0;

		if (spec_need(item, "type", &type, e) != 0 || json_str(item, "path", &path, e) != 0)
			return err_add(e, "namespaces");
		while (kind < NS_COUNT && strcmp(kinds[kind].name, type) != 0)
			kind++;
		if (kind == NS_COUNT)
			return err_set(e, ERR_NS, 0, "namespace '%s' is not supported", type);
		if ((seen & 1u << kind) != 0)
			return err_set(e, ERR_SPEC, 0, "namespace '%s' twice", type);
		seen |= 1u << kind;
		if (path != NULL && *path != 0) {
			if (path[0] != '/')
				return err_set(e, ERR_SPEC, 0, "namespace path '%s' is not absolute", path);
			s->join[kind] = path;
		} else {
			s->namespaces |= kinds[kind].flag;
		}
	}
	if ((seen & 1u << NS_MNT) == 0)
		return err_set(e, ERR_SPEC, 0, "namespaces: a mount namespace is needed");
	return 0;
}

static int maps(const struct json *linux_, const char *key, struct spec_map **out, size_t *count,
		struct err *e)
{
	const struct json *list = NULL;

	if (json_array(linux_, key, &list, e) != 0)
		return -1;
	if (list == NULL)
		return 0;
	if (list->length > 340) /* the kernel's own bound */
		return err_set(e, ERR_SPEC, 0, "%s: more than 340 lines", key);
	*out = spec_items(list->length, sizeof(**out), key, e);
	if (*out == NULL)
		return -1;
	for (const struct json *item = list->child; item != NULL; item = item->next) {
		uint64_t inside = 0, outside = 0, size = 0;

		if (json_u64(item, "containerID", UINT32_MAX, &inside, e) != 0 ||
		    json_u64(item, "hostID", UINT32_MAX, &outside, e) != 0 ||
		    json_u64(item, "size", UINT32_MAX, &size, e) != 0)
			return err_add(e, "%s", key);
		(*out)[(*count)++] = (struct spec_map){(uint32_t)inside, (uint32_t)outside, (uint32_t)size};
	}
	return 0;
}

static int one_device(struct spec_device *d, const struct json *item, struct err *e)
{
	const char *type = NULL;
	uint64_t major = 0, minor = 0, mode = 0666, uid = 0, gid = 0;

	if (spec_need(item, "path", &d->path, e) != 0 || spec_need(item, "type", &type, e) != 0 ||
	    json_u64(item, "major", UINT32_MAX, &major, e) != 0 ||
	    json_u64(item, "minor", UINT32_MAX, &minor, e) != 0 ||
	    json_u64(item, "fileMode", UINT32_MAX, &mode, e) != 0 ||
	    json_u64(item, "uid", UINT32_MAX - 1, &uid, e) != 0 ||
	    json_u64(item, "gid", UINT32_MAX - 1, &gid, e) != 0)
		return -1;
	if (type[1] != 0 || strchr("cubp", type[0]) == NULL)
		return err_set(e, ERR_SPEC, 0, "type '%s'", type);
	d->type = type[0] == 'b' ? S_IFBLK : type[0] == 'p' ? S_IFIFO : S_IFCHR;
	d->major = (unsigned)major;
	d->minor = (unsigned)minor;
	d->mode = (mode_t)mode & 07777;
	d->uid = (uid_t)uid;
	d->gid = (gid_t)gid;
	return 0;
}

static int devices(struct spec *s, const struct json *list, struct err *e)
{
	if (list == NULL)
		return 0;
	s->devices = spec_items(list->length, sizeof(*s->devices), "devices", e);
	if (s->devices == NULL)
		return -1;
	for (const struct json *item = list->child; item != NULL; item = item->next)
		if (one_device(&s->devices[s->device_count++], item, e) != 0)
			return err_add(e, "devices[%zu]", s->device_count - 1);
	return 0;
}

/* Only what belongs to a namespace of the container's own may be set: the rest is the host's. */
static bool sysctl_is_ours(const struct spec *s, const char *key)
{
	static const char *const ipc[] = {"kernel.msgmax", "kernel.msgmnb",	     "kernel.msgmni",
					  "kernel.sem",	   "kernel.shmall",	     "kernel.shmmax",
					  "kernel.shmmni", "kernel.shm_rmid_forced", "kernel.auto_msgmni"};
	bool own_ipc = (s->namespaces & CLONE_NEWIPC) != 0 || s->join[NS_IPC] != NULL;
	bool own_net = (s->namespaces & CLONE_NEWNET) != 0 || s->join[NS_NET] != NULL;
	bool own_uts = (s->namespaces & CLONE_NEWUTS) != 0 || s->join[NS_UTS] != NULL;

	for (size_t i = 0; i < sizeof(ipc) / sizeof(*ipc); i++)
		if (strcmp(key, ipc[i]) == 0)
			return own_ipc;
	if (strncmp(key, "fs.mqueue.", 10) == 0)
		return own_ipc;
	if (strncmp(key, "net.", 4) == 0)
		return own_net;
	return own_uts && strcmp(key, "kernel.domainname") == 0;
}

static int sysctls(struct spec *s, struct err *e)
{
	const struct json *all = s->sysctl;

	for (const struct json *one = all ? all->child : NULL; one != NULL; one = one->next) {
		if (one->type != JSON_STRING)
			return err_set(e, ERR_SPEC, 0, "sysctl %s is not a text", one->key);
		if (strstr(one->key, "..") != NULL || !sysctl_is_ours(s, one->key))
			return err_set(e, ERR_SPEC, 0, "sysctl %s is not of a namespace of the container",
				       one->key);
	}
	return 0;
}

static int paths(const struct json *linux_, const char *key, const char ***out, struct err *e)
{
	if (json_strings(linux_, key, out, NULL, e) != 0)
		return -1;
	for (const char **one = *out; one != NULL && *one != NULL; one++)
		if (**one != '/')
			return err_set(e, ERR_SPEC, 0, "%s: '%s' is not absolute", key, *one);
	return 0;
}

static int propagation(struct spec *s, const struct json *linux_, struct err *e)
{
	const char *name = NULL;

	s->root_propagation = MS_SLAVE | MS_REC;
	if (json_str(linux_, "rootfsPropagation", &name, e) != 0)
		return -1;
	if (name == NULL || *name == 0)
		return 0;
	s->root_propagation = spec_propagation(name) | MS_REC;
	if (s->root_propagation == MS_REC)
		return err_set(e, ERR_SPEC, 0, "rootfsPropagation '%s'", name);
	return 0;
}

static int personality(struct spec *s, const struct json *object, struct err *e)
{
	const char *domain = NULL;

	if (json_str(object, "domain", &domain, e) != 0)
		return -1;
	if (domain == NULL)
		return 0;
	if (strcmp(domain, "LINUX") != 0 && strcmp(domain, "LINUX32") != 0)
		return err_set(e, ERR_SPEC, 0, "personality '%s'", domain);
	s->personality = strcmp(domain, "LINUX32") == 0 ? 8 : 0; /* PER_LINUX32, PER_LINUX */
	return 0;
}

static int refused(const struct json *linux_, struct err *e)
{
	static const char *const names[] = {"intelRdt", "timeOffsets", "memoryPolicy", "netDevices"};
	const char *label = NULL;

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		const struct json *one = json_get(linux_, names[i]);

		if (one != NULL && one->type != JSON_NULL && one->length > 0)
			return err_set(e, ERR_SPEC, 0, "%s is not supported", names[i]);
	}
	if (json_str(linux_, "mountLabel", &label, e) != 0)
		return -1;
	if (label != NULL && *label != 0)
		return err_set(e, ERR_SPEC, 0, "mountLabel is not supported");
	return 0;
}

int spec_linux(struct spec *s, const struct json *linux_, struct err *e)
{
	const struct json *ns = NULL, *resources = NULL, *devs = NULL, *person = NULL;

	if (json_array(linux_, "namespaces", &ns, e) != 0 ||
	    json_object(linux_, "resources", &resources, e) != 0 ||
	    json_array(linux_, "devices", &devs, e) != 0 ||
	    json_object(linux_, "sysctl", &s->sysctl, e) != 0 ||
	    json_object(linux_, "seccomp", &s->seccomp, e) != 0 ||
	    json_object(linux_, "personality", &person, e) != 0 ||
	    json_str(linux_, "cgroupsPath", &s->cgroups_path, e) != 0 || refused(linux_, e) != 0 ||
	    namespaces(s, ns, e) != 0 ||
	    maps(linux_, "uidMappings", &s->uid_map, &s->uid_map_count, e) != 0 ||
	    maps(linux_, "gidMappings", &s->gid_map, &s->gid_map_count, e) != 0 ||
	    spec_resources(&s->resources, resources, e) != 0 || devices(s, devs, e) != 0 ||
	    sysctls(s, e) != 0 || paths(linux_, "maskedPaths", &s->masked, e) != 0 ||
	    paths(linux_, "readonlyPaths", &s->readonly, e) != 0 || personality(s, person, e) != 0 ||
	    propagation(s, linux_, e) != 0)
		return -1;
	if ((s->namespaces & CLONE_NEWUSER) != 0 && (s->uid_map_count == 0 || s->gid_map_count == 0))
		return err_set(e, ERR_SPEC, 0, "a user namespace needs uidMappings and gidMappings");
	return 0;
}

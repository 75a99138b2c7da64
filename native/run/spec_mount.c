/* SPDX-License-Identifier: Apache-2.0
 * mounts of config.json: option names become flags; what is left is the file system's own. */
#include "run/kernel.h"
#include "run/spec.h"
#include "shared/fd.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

#ifndef MS_NOSYMFOLLOW
#define MS_NOSYMFOLLOW 256
#endif

static const struct flag {
	const char *name;
	unsigned long set, clear;
} flags[] = {
    {"defaults", 0, 0},
    {"ro", MS_RDONLY, 0},
    {"rw", 0, MS_RDONLY},
    {"nosuid", MS_NOSUID, 0},
    {"suid", 0, MS_NOSUID},
    {"nodev", MS_NODEV, 0},
    {"dev", 0, MS_NODEV},
    {"noexec", MS_NOEXEC, 0},
    {"exec", 0, MS_NOEXEC},
    {"sync", MS_SYNCHRONOUS, 0},
    {"async", 0, MS_SYNCHRONOUS},
    {"dirsync", MS_DIRSYNC, 0},
    {"mand", MS_MANDLOCK, 0},
    {"nomand", 0, MS_MANDLOCK},
    {"noatime", MS_NOATIME, 0},
    {"atime", 0, MS_NOATIME},
    {"nodiratime", MS_NODIRATIME, 0},
    {"diratime", 0, MS_NODIRATIME},
    {"relatime", MS_RELATIME, 0},
    {"norelatime", 0, MS_RELATIME},
    {"strictatime", MS_STRICTATIME, 0},
    {"nostrictatime", 0, MS_STRICTATIME},
    {"silent", MS_SILENT, 0},
    {"loud", 0, MS_SILENT},
    {"iversion", MS_I_VERSION, 0},
    {"noiversion", 0, MS_I_VERSION},
    {"nosymfollow", MS_NOSYMFOLLOW, 0},
    {"symfollow", 0, MS_NOSYMFOLLOW},
    {"bind", MS_BIND, 0},
    {"rbind", MS_BIND | MS_REC, 0},
    {"remount", MS_REMOUNT, 0},
};

static const struct below {
	const char *name;
	uint64_t set, clear;
} belows[] = {
    {"rro", K_MOUNT_ATTR_RDONLY, 0},
    {"rrw", 0, K_MOUNT_ATTR_RDONLY},
    {"rnosuid", K_MOUNT_ATTR_NOSUID, 0},
    {"rsuid", 0, K_MOUNT_ATTR_NOSUID},
    {"rnodev", K_MOUNT_ATTR_NODEV, 0},
    {"rdev", 0, K_MOUNT_ATTR_NODEV},
    {"rnoexec", K_MOUNT_ATTR_NOEXEC, 0},
    {"rexec", 0, K_MOUNT_ATTR_NOEXEC},
    {"rnodiratime", K_MOUNT_ATTR_NODIRATIME, 0},
    {"rdiratime", 0, K_MOUNT_ATTR_NODIRATIME},
    {"rnoatime", K_MOUNT_ATTR_NOATIME, K_MOUNT_ATTR_ATIME},
    {"rrelatime", 0, K_MOUNT_ATTR_ATIME},
    {"rstrictatime", K_MOUNT_ATTR_STRICTATIME, K_MOUNT_ATTR_ATIME},
    {"rnosymfollow", K_MOUNT_ATTR_NOSYMFOLLOW, 0},
    {"rsymfollow", 0, K_MOUNT_ATTR_NOSYMFOLLOW},
};

unsigned long spec_propagation(const char *name)
{
	static const struct flag kinds[] = {
	    {"private", MS_PRIVATE, 0},	      {"rprivate", MS_PRIVATE | MS_REC, 0},
	    {"slave", MS_SLAVE, 0},	      {"rslave", MS_SLAVE | MS_REC, 0},
	    {"shared", MS_SHARED, 0},	      {"rshared", MS_SHARED | MS_REC, 0},
	    {"unbindable", MS_UNBINDABLE, 0}, {"runbindable", MS_UNBINDABLE | MS_REC, 0},
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (strcmp(kinds[i].name, name) == 0)
			return kinds[i].set;
	return 0;
}

/* Whether `name` is one of the options that we know; if so it is taken in. */
static bool known(struct spec_mount *m, const char *name)
{
	unsigned long kind = spec_propagation(name);

	if (kind != 0) {
		m->propagation = kind;
		return true;
	}
	for (size_t i = 0; i < sizeof(flags) / sizeof(*flags); i++)
		if (strcmp(flags[i].name, name) == 0) {
			m->set = (m->set & ~flags[i].clear) | flags[i].set;
			m->clear = (m->clear & ~flags[i].set) | flags[i].clear;
			return true;
		}
	for (size_t i = 0; i < sizeof(belows) / sizeof(*belows); i++)
		if (strcmp(belows[i].name, name) == 0) {
			m->set_below = (m->set_below & ~belows[i].clear) | belows[i].set;
			m->clear_below = (m->clear_below & ~belows[i].set) | belows[i].clear;
			return true;
		}
	return false;
}

static int options(struct spec_mount *m, const char **list, size_t count, struct err *e)
{
	size_t room = 1, used = 0, i;
	char *data;

	for (i = 0; i < count; i++)
		room += strlen(list[i]) + 1;
	data = calloc(1, room);
	if (data == NULL)
		return err_set(e, ERR_MEMORY, errno, "options");
	for (i = 0; i < count; i++) {
		if (strcmp(list[i], "idmap") == 0 || strcmp(list[i], "ridmap") == 0)
			break;
		if (strcmp(list[i], "tmpcopyup") == 0) {
			m->copy_up = true;
			continue;
		}
		if (known(m, list[i]))
			continue;
		used += (size_t)snprintf(data + used, room - used, "%s%s", used ? "," : "", list[i]);
	}
	if (i < count) {
		free(data);
		return err_set(e, ERR_SPEC, 0, "option %s is not supported", list[i]);
	}
	m->data = data;
	return 0;
}

static int one(struct spec_mount *m, const char *bundle, const struct json *item, struct err *e)
{
	free_auto const char **list = NULL;
	size_t count = 0;
	char *whole = NULL;

	if (spec_need(item, "destination", &m->destination, e) != 0 ||
	    json_str(item, "type", &m->type, e) != 0 || json_str(item, "source", &m->source, e) != 0 ||
	    json_strings(item, "options", &list, &count, e) != 0)
		return -1;
	if (json_get(item, "uidMappings") != NULL || json_get(item, "gidMappings") != NULL)
		return err_set(e, ERR_SPEC, 0, "mappings of a mount are not supported");
	if (options(m, list, count, e) != 0)
		return -1;
	m->bind = (m->set & MS_BIND) != 0 || (m->type != NULL && strcmp(m->type, "bind") == 0);
	m->below = (m->set & MS_REC) != 0;
	m->set &= ~(unsigned long)(MS_BIND | MS_REC);
	if (m->copy_up && (m->bind || m->type == NULL || strcmp(m->type, "tmpfs") != 0))
		return err_set(e, ERR_SPEC, 0, "%s: tmpcopyup is for tmpfs", m->destination);
	if (!m->bind)
		return m->type != NULL && *m->type != 0
			   ? 0
			   : err_set(e, ERR_SPEC, 0, "%s has no type", m->destination);
	if (m->source == NULL || *m->source == 0)
		return err_set(e, ERR_SPEC, 0, "%s has no source", m->destination);
	if (*m->data != 0)
		return err_set(e, ERR_SPEC, 0, "%s: unknown option '%s' of a bind mount", m->destination,
			       m->data);
	if (m->source[0] == '/')
		return 0;
	if (asprintf(&whole, "%s/%s", bundle, m->source) < 0)
		return err_set(e, ERR_MEMORY, errno, "source");
	m->source = whole;
	return 0;
}

int spec_mounts(struct spec *s, const struct json *list, struct err *e)
{
	if (list == NULL)
		return 0;
	s->mounts = spec_items(list->length, sizeof(*s->mounts), "mounts", e);
	if (s->mounts == NULL)
		return -1;
	for (const struct json *item = list->child; item != NULL; item = item->next)
		if (one(&s->mounts[s->mount_count++], s->bundle, item, e) != 0)
			return err_add(e, "mounts[%zu]", s->mount_count - 1);
	return 0;
}

/* Whether `path` lies below the folder `root`, by its text. */
static bool is_below(const char *path, const char *root, size_t length)
{
	return strncmp(path, root, length) == 0 && path[length] == '/';
}

/* Of roots inside each other the outermost counts: who may write there could make the inner one a link. */
int spec_bounds(struct spec *s, const char *roots, struct err *e)
{
	char *copy = strdup(roots), *save = NULL;

	if (copy == NULL)
		return err_set(e, ERR_MEMORY, errno, "bind.roots");
	for (char *root = strtok_r(copy, ":", &save); root; root = strtok_r(NULL, ":", &save)) {
		size_t length = strlen(root);

		if (root[0] != '/')
			return err_set(e, ERR_SPEC, 0, "io.wherry.bind.roots: '%s' is not absolute", root);
		while (length > 0 && root[length - 1] == '/')
			root[--length] = 0;
		for (size_t i = 0; length > 0 && i < s->mount_count; i++) {
			struct spec_mount *m = &s->mounts[i];

			if (!m->bind || !is_below(m->source, root, length) ||
			    (m->bound != NULL && m->bound_length <= length))
				continue;
			m->bound = root;
			m->bound_length = length;
		}
	}
	return 0;
}

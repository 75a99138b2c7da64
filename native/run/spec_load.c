/* SPDX-License-Identifier: Apache-2.0
 * config.json's top level, hooks, and our own annotations; the rest is in the other spec_ files. */
#include "run/spec.h"
#include "shared/fd.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#define LAYERS_MAX 500 /* overlayfs itself takes no more */

void *spec_items(size_t count, size_t size, const char *what, struct err *e)
{
	void *items;

	if (count > SPEC_ITEMS_MAX) {
		err_set(e, ERR_SPEC, 0, "%s: more than %d items", what, SPEC_ITEMS_MAX);
		return NULL;
	}
	items = calloc(count + 1, size);
	if (items == NULL)
		err_set(e, ERR_MEMORY, errno, "%s", what);
	return items;
}

int spec_need(const struct json *object, const char *key, const char **out, struct err *e)
{
	*out = NULL;
	if (json_str(object, key, out, e) != 0)
		return -1;
	if (*out == NULL || **out == 0)
		return err_set(e, ERR_SPEC, 0, "%s is missing", key);
	return 0;
}

static int one_hook(struct spec_hook *hook, const struct json *item, struct err *e)
{
	uint64_t timeout = SPEC_HOOK_TIMEOUT_S;

	if (spec_need(item, "path", &hook->path, e) != 0 ||
	    json_strings(item, "args", &hook->args, NULL, e) != 0 ||
	    json_strings(item, "env", &hook->env, NULL, e) != 0 ||
	    json_u64(item, "timeout", 86400, &timeout, e) != 0)
		return -1;
	if (hook->path[0] != '/')
		return err_set(e, ERR_SPEC, 0, "path '%s' is not absolute", hook->path);
	if (json_get(item, "timeout") != NULL && timeout == 0)
		return err_set(e, ERR_SPEC, 0, "timeout must be greater than zero");
	hook->timeout_s = (unsigned)timeout;
	return 0;
}

int spec_hooks(struct spec *s, const struct json *hooks, struct err *e)
{
	static const char *const names[HOOK_COUNT] = {
	    "prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop",
	};

	for (int kind = 0; kind < HOOK_COUNT; kind++) {
		const struct json *list = NULL;
		struct spec_hooks *to = &s->hooks[kind];

		if (json_array(hooks, names[kind], &list, e) != 0)
			return err_add(e, "hooks");
		if (list == NULL)
			continue;
		to->items = spec_items(list->length, sizeof(*to->items), names[kind], e);
		if (to->items == NULL)
			return -1;
		for (const struct json *item = list->child; item != NULL; item = item->next)
			if (one_hook(&to->items[to->count++], item, e) != 0)
				return err_add(e, "hooks.%s[%zu]", names[kind], to->count - 1);
	}
	return 0;
}

static int overlay(struct spec_overlay *o, const char *lower, struct err *e)
{
	char *copy = strdup(lower), *save = NULL;

	if (copy == NULL)
		return err_set(e, ERR_MEMORY, errno, "overlay");
	o->lower = spec_items(LAYERS_MAX, sizeof(*o->lower), "overlay", e);
	if (o->lower == NULL) {
		free(copy);
		return -1;
	}
	for (char *one = strtok_r(copy, ":", &save); one; one = strtok_r(NULL, ":", &save)) {
		if (one[0] != '/')
			return err_set(e, ERR_SPEC, 0, "layer '%s' is not absolute", one);
		if (o->lower_count == LAYERS_MAX)
			return err_set(e, ERR_SPEC, 0, "more than %d layers", LAYERS_MAX);
		o->lower[o->lower_count++] = one;
	}
	if (o->lower_count == 0)
		return err_set(e, ERR_SPEC, 0, "io.wherry.overlay.lower is empty");
	if ((o->upper == NULL) != (o->work == NULL))
		return err_set(e, ERR_SPEC, 0, "overlay.upper and overlay.work go together");
	return 0;
}

int spec_annotations(struct spec *s, struct err *e)
{
	const struct json *a = s->annotations;
	const char *lower = NULL, *roots = NULL;

	for (const struct json *one = a ? a->child : NULL; one != NULL; one = one->next)
		if (one->type != JSON_STRING)
			return err_set(e, ERR_SPEC, 0, "annotations.%s is not a text", one->key);
	if (json_str(a, "io.wherry.overlay.lower", &lower, e) != 0 ||
	    json_str(a, "io.wherry.overlay.upper", &s->overlay.upper, e) != 0 ||
	    json_str(a, "io.wherry.overlay.work", &s->overlay.work, e) != 0 ||
	    json_str(a, "io.wherry.bind.roots", &roots, e) != 0 ||
	    json_str(a, "io.wherry.net.bridge", &s->link.bridge, e) != 0 ||
	    json_str(a, "io.wherry.net.gateway", &s->link.gateway, e) != 0 ||
	    json_str(a, "io.wherry.net.address", &s->link.address, e) != 0)
		return -1;
	if (lower != NULL && overlay(&s->overlay, lower, e) != 0)
		return err_add(e, "annotations");
	if (roots != NULL && spec_bounds(s, roots, e) != 0)
		return err_add(e, "annotations");
	if (s->link.bridge == NULL)
		return 0;
	if (s->link.gateway == NULL || s->link.address == NULL)
		return err_set(e, ERR_SPEC, 0, "io.wherry.net.bridge needs gateway and address");
	if ((s->namespaces & CLONE_NEWNET) == 0)
		return err_set(e, ERR_SPEC, 0, "io.wherry.net.bridge needs a new network namespace");
	return 0;
}

static int root(struct spec *s, const struct json *object, struct err *e)
{
	const char *path = NULL;
	char *whole = NULL;

	if (object == NULL && s->overlay.lower == NULL)
		return err_set(e, ERR_SPEC, 0, "root is missing");
	if (json_str(object, "path", &path, e) != 0 ||
	    json_bool(object, "readonly", &s->root_readonly, e) != 0)
		return err_add(e, "root");
	if (path == NULL || *path == 0)
		path = "rootfs";
	if (path[0] == '/') {
		s->root = path;
		return 0;
	}
	if (asprintf(&whole, "%s/%s", s->bundle, path) < 0)
		return err_set(e, ERR_MEMORY, errno, "root");
	s->root = whole;
	return 0;
}

static int version(struct spec *s, struct err *e)
{
	if (spec_need(s->doc.root, "ociVersion", &s->oci_version, e) != 0)
		return -1;
	if (strncmp(s->oci_version, "1.", 2) != 0)
		return err_set(e, ERR_SPEC, 0, "ociVersion %.20s is not 1.x", s->oci_version);
	return 0;
}

static int top(struct spec *s, struct err *e)
{
	const struct json *d = s->doc.root, *process = NULL, *linux_ = NULL, *mounts = NULL;
	const struct json *hooks = NULL, *root_ = NULL;

	if (d->type != JSON_OBJECT)
		return err_set(e, ERR_SPEC, 0, "is not an object");
	if (version(s, e) != 0 || json_object(d, "process", &process, e) != 0 ||
	    json_object(d, "linux", &linux_, e) != 0 || json_array(d, "mounts", &mounts, e) != 0 ||
	    json_object(d, "hooks", &hooks, e) != 0 || json_object(d, "root", &root_, e) != 0 ||
	    json_object(d, "annotations", &s->annotations, e) != 0 ||
	    json_str(d, "hostname", &s->hostname, e) != 0 ||
	    json_str(d, "domainname", &s->domainname, e) != 0)
		return -1;
	if (process == NULL)
		return err_set(e, ERR_SPEC, 0, "process is missing");
	if (json_get(d, "vm") != NULL || json_get(d, "windows") != NULL)
		return err_set(e, ERR_SPEC, 0, "is not for Linux containers");
	if (spec_process(&s->process, process, e) != 0)
		return err_add(e, "process");
	if (spec_linux(s, linux_, e) != 0)
		return err_add(e, "linux");
	if (spec_mounts(s, mounts, e) != 0 || spec_hooks(s, hooks, e) != 0 || spec_annotations(s, e) != 0)
		return -1;
	if (s->hostname != NULL && (s->namespaces & CLONE_NEWUTS) == 0 && s->join[NS_UTS] == NULL)
		return err_set(e, ERR_SPEC, 0, "hostname needs a uts namespace");
	return root(s, root_, e);
}

int spec_load(struct spec *s, const char *bundle, const char *file, struct err *e)
{
	char *text = NULL;
	int rc;

	*s = (struct spec){.bundle = bundle, .personality = -1};
	if (fd_read_file(AT_FDCWD, file, JSON_BYTES_MAX, &text, &s->text_length, ERR_SPEC, e) != 0)
		return -1;
	s->text = text;
	rc = json_parse(&s->doc, text, s->text_length, e);
	if (rc == 0)
		rc = top(s, e);
	return rc == 0 ? 0 : err_add(e, "%s", file);
}

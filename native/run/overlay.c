/* SPDX-License-Identifier: Apache-2.0
 * See overlay.h. Layer by layer through fsconfig "lowerdir+" (kernel 6.7); else one text of at most a page
 * for mount(2), made short by working from the folder that all layers share. */
#include "run/overlay.h"
#include "run/kernel.h"
#include "run/mount.h"
#include "shared/fd.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>

#define OPTIONS_MAX   4096 /* a page: the kernel takes no more */
#define FSCONFIG_TEXT 255  /* the kernel's bound for one value */

/* 0 done; 1 this kernel cannot do it in this way. */
static int by_layers(const struct spec_overlay *o, const char *target, bool in_userns, struct err *e)
{
	fd_auto int fs = -1;
	fd_auto int mounted = -1;
	fd_auto int to = -1;

	for (size_t i = 0; i < o->lower_count; i++)
		if (strlen(o->lower[i]) > FSCONFIG_TEXT)
			return 1;
	if (o->upper != NULL && (strlen(o->upper) > FSCONFIG_TEXT || strlen(o->work) > FSCONFIG_TEXT))
		return 1;
	fs = k_fsopen("overlay");
	if (fs < 0)
		return 1;
	/* Before 6.5 the kernel only collects words here and looks at them at the end: then it takes any. */
	if (k_fsconfig(fs, K_FSCONFIG_STRING, "no-such-option", "") == 0)
		return 1;
	for (size_t i = 0; i < o->lower_count; i++)
		if (k_fsconfig(fs, K_FSCONFIG_STRING, "lowerdir+", o->lower[i]) != 0) {
			if (i == 0 && errno == EINVAL)
				return 1;
			return err_set(e, ERR_ROOTFS, errno, "layer %s", o->lower[i]);
		}
	if (o->upper != NULL) {
		if (k_fsconfig(fs, K_FSCONFIG_STRING, "upperdir", o->upper) != 0)
			return err_set(e, ERR_ROOTFS, errno, "upper folder %s", o->upper);
		if (k_fsconfig(fs, K_FSCONFIG_STRING, "workdir", o->work) != 0)
			return err_set(e, ERR_ROOTFS, errno, "work folder %s", o->work);
	}
	if (in_userns && k_fsconfig(fs, K_FSCONFIG_FLAG, "userxattr", NULL) != 0)
		return err_set(e, ERR_ROOTFS, errno, "overlay option userxattr");
	if (k_fsconfig(fs, K_FSCONFIG_CREATE, NULL, NULL) != 0)
		return err_set(e, ERR_ROOTFS, errno, "overlay of %zu layers", o->lower_count);
	mounted = k_fsmount(fs);
	to = open(target, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (mounted < 0 || to < 0 || k_move_mount(mounted, to) != 0)
		return err_set(e, ERR_ROOTFS, errno, "attach the overlay to %s", target);
	return 0;
}

/* Length of the folder (with its '/') in which all layers, upper and work lie. */
static size_t shared_folder(const struct spec_overlay *o)
{
	size_t length = 0;

	for (size_t at = 0; o->lower[0][at] != 0; at++) {
		char c = o->lower[0][at];

		for (size_t i = 1; i < o->lower_count; i++)
			if (o->lower[i][at] != c)
				return length;
		if (o->upper != NULL && (o->upper[at] != c || o->work[at] != c))
			return length;
		if (c == '/')
			length = at + 1;
	}
	return length;
}

struct text {
	char bytes[OPTIONS_MAX];
	size_t used;
	bool full;
};

static void put(struct text *t, const char *text, bool escape)
{
	for (; *text != 0; text++) {
		if (t->used + 2 >= sizeof(t->bytes)) {
			t->full = true;
			return;
		}
		if (escape && (*text == '\\' || *text == ',' || *text == ':'))
			t->bytes[t->used++] = '\\';
		t->bytes[t->used++] = *text;
	}
	t->bytes[t->used] = 0;
}

static void put_path(struct text *t, const char *path, size_t skip)
{
	put(t, path[skip] != 0 ? path + skip : ".", true);
}

/* mount(2) does not say which folder it means. */
static int name_missing(const struct spec_overlay *o, int why, struct err *e)
{
	for (size_t i = 0; i < o->lower_count; i++)
		if (access(o->lower[i], F_OK) != 0)
			return err_set(e, ERR_ROOTFS, why, "layer %s", o->lower[i]);
	return err_set(e, ERR_ROOTFS, why, "overlay of %zu layers", o->lower_count);
}

/* Linear: where we stand is changed for the time of one mount(2), and put back by descriptor. */
static int by_text(const struct spec_overlay *o, const char *target, bool in_userns, struct err *e)
{
	fd_auto int here = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	size_t skip = shared_folder(o);
	char folder[OPTIONS_MAX], to_name[MOUNT_FD_PATH];
	struct text t = {.used = 0};
	fd_auto int to = open(target, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int rc, why;

	if (here < 0 || to < 0)
		return err_set(e, ERR_ROOTFS, errno, "open %s", target);
	put(&t, in_userns ? "userxattr,lowerdir=" : "lowerdir=", false);
	for (size_t i = 0; i < o->lower_count; i++) {
		put(&t, i > 0 ? ":" : "", false);
		put_path(&t, o->lower[i], skip);
	}
	if (o->upper != NULL) {
		put(&t, ",upperdir=", false);
		put_path(&t, o->upper, skip);
		put(&t, ",workdir=", false);
		put_path(&t, o->work, skip);
	}
	if (t.full || skip >= sizeof(folder))
		return err_set(e, ERR_ROOTFS, E2BIG,
			       "the names of %zu layers do not fit one mount(2); kernel 6.7 takes them",
			       o->lower_count);
	memcpy(folder, o->lower[0], skip);
	folder[skip] = 0;
	if (chdir(folder) != 0)
		return err_set(e, ERR_ROOTFS, errno, "enter %s", folder);
	rc = mount("overlay", mount_fd_path(to, to_name), "overlay", 0, t.bytes);
	why = errno;
	if (fchdir(here) != 0)
		return err_set(e, ERR_ROOTFS, errno, "go back from %s", folder);
	return rc == 0 ? 0 : name_missing(o, why, e);
}

/* overlayfs wants two layers or an upper one: a single one is bound, read-only. */
static int single(const char *layer, const char *target, struct err *e)
{
	if (mount(layer, target, NULL, MS_BIND, NULL) != 0 ||
	    mount(NULL, target, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL) != 0)
		return err_set(e, ERR_ROOTFS, errno, "bind layer %s", layer);
	return 0;
}

int overlay_mount(const struct spec_overlay *o, const char *target, bool in_userns, struct err *e)
{
	int rc;

	if (o->lower_count == 1 && o->upper == NULL)
		return single(o->lower[0], target, e);
	rc = by_layers(o, target, in_userns, e);
	return rc <= 0 ? rc : by_text(o, target, in_userns, e);
}

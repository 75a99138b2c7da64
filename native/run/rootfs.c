/* SPDX-License-Identifier: Apache-2.0
 * See rootfs.h. */
#include "run/rootfs.h"
#include "run/kernel.h"
#include "run/mount.h"
#include "run/overlay.h"
#include "shared/fd.h"
#include "shared/path.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

int rootfs_propagation(const struct spec *s, struct err *e)
{
	/* Not shared, even if the container's root shall be: pivot_root refuses a shared parent, and a mount
	 * of ours must not come up on the host. */
	unsigned long kind = s->root_propagation & (MS_PRIVATE | MS_UNBINDABLE) ? MS_PRIVATE : MS_SLAVE;

	if (mount(NULL, "/", NULL, kind | MS_REC, NULL) != 0)
		return err_set(e, ERR_MOUNT, errno, "cut the mounts off from the host's");
	return 0;
}

int rootfs_mount(const struct spec *s, int *root, struct err *e)
{
	bool in_userns = (s->namespaces & CLONE_NEWUSER) != 0 || s->join[NS_USER] != NULL;
	int rc;

	if (mkdir(s->root, 0755) != 0 && errno != EEXIST)
		return err_set(e, ERR_ROOTFS, errno, "root %s", s->root);
	if (s->overlay.lower != NULL) {
		rc = overlay_mount(&s->overlay, s->root, in_userns, e);
		if (rc != 0)
			return rc;
	} else if (mount(s->root, s->root, NULL, MS_BIND | MS_REC, NULL) != 0) {
		return err_set(e, ERR_ROOTFS, errno, "root %s", s->root);
	}
	*root = open(s->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (*root < 0)
		return err_set(e, ERR_ROOTFS, errno, "open %s", s->root);
	return 0;
}

int rootfs_cwd(int root, const char *cwd, struct err *e)
{
	fd_auto int fd = path_open_in(root, cwd, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);

	if (fd >= 0)
		return 0;
	/* Anything else (a link through /proc, a file) is chdir's to refuse, inside. */
	if (errno != ENOENT)
		return 0;
	fd = path_mkdir_in(root, cwd, 0755, ERR_ROOTFS, e);
	return fd >= 0 ? 0 : err_add(e, "cwd");
}

static int pivot(struct err *e)
{
	/* The new root goes on top of the old one, which then is taken off from below it. */
	if (k_pivot_root(".", ".") != 0)
		return err_set(e, ERR_ROOTFS, errno, "pivot_root");
	if (umount2(".", MNT_DETACH) != 0)
		return err_set(e, ERR_ROOTFS, errno, "take off the host's root");
	return 0;
}

static int move_and_chroot(const char *path, struct err *e)
{
	if (mount(path, "/", NULL, MS_MOVE, NULL) != 0)
		return err_set(e, ERR_ROOTFS, errno, "move the root");
	if (chroot(".") != 0)
		return err_set(e, ERR_ROOTFS, errno, "chroot");
	return 0;
}

int rootfs_enter(const struct spec *s, int root, bool no_pivot, struct err *e)
{
	char name[MOUNT_FD_PATH];
	unsigned long shared = s->root_propagation & (MS_SHARED | MS_UNBINDABLE);

	if (s->root_readonly && mount_flags(root, MS_RDONLY, 0, "the root", e) != 0)
		return -1;
	if (fchdir(root) != 0)
		return err_set(e, ERR_ROOTFS, errno, "enter the root");
	if ((no_pivot ? move_and_chroot(mount_fd_path(root, name), e) : pivot(e)) != 0)
		return -1;
	if (chdir("/") != 0)
		return err_set(e, ERR_ROOTFS, errno, "chdir to the root");
	if (shared != 0 && mount(NULL, "/", NULL, shared | MS_REC, NULL) != 0)
		return err_set(e, ERR_MOUNT, errno, "rootfsPropagation");
	return 0;
}

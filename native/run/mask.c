/* SPDX-License-Identifier: Apache-2.0
 * See mask.h. CVE-2025-31133: the null device is the host's, looked at by its numbers, never the container's.
 */
#include "run/mask.h"
#include "run/mount.h"
#include "shared/fd.h"
#include "shared/path.h"
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

static bool is_absent(int error)
{
	return error == ENOENT || error == ENOTDIR || error == EACCES || error == ELOOP;
}

static int hide_file(int root, int target, const char *path, struct err *e)
{
	fd_auto int null = open("/dev/null", O_PATH | O_CLOEXEC);
	fd_auto int mounted = -1;
	struct stat st;

	if (null < 0 || fstat(null, &st) != 0)
		return err_set(e, ERR_MOUNT, errno, "/dev/null of the host");
	if (!S_ISCHR(st.st_mode) || st.st_rdev != makedev(1, 3))
		return err_set(e, ERR_MOUNT, 0, "/dev/null of the host is not the null device");
	return mount_bind(null, false, target, root, path, &mounted, e);
}

int mask_hide(int root, const char *path, struct err *e)
{
	fd_auto int target = path_open_in(root, path, O_PATH | O_CLOEXEC, 0);
	char name[MOUNT_FD_PATH];
	struct stat st;

	if (target < 0)
		return is_absent(errno) ? 0 : err_set(e, ERR_MOUNT, errno, "mask %s", path);
	if (fstat(target, &st) != 0)
		return err_set(e, ERR_MOUNT, errno, "mask %s", path);
	if (!S_ISDIR(st.st_mode))
		return hide_file(root, target, path, e);
	if (mount("tmpfs", mount_fd_path(target, name), "tmpfs", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC,
		  "size=0k,nr_inodes=1,mode=755") != 0)
		return err_set(e, ERR_MOUNT, errno, "mask %s", path);
	return 0;
}

int mask_readonly(int root, const char *path, struct err *e)
{
	fd_auto int target = path_open_in(root, path, O_PATH | O_CLOEXEC, 0);
	fd_auto int mounted = -1;

	if (target < 0)
		return is_absent(errno) ? 0 : err_set(e, ERR_MOUNT, errno, "read-only %s", path);
	if (mount_bind(target, true, target, root, path, &mounted, e) != 0)
		return -1;
	return mount_flags(mounted, MS_RDONLY, 0, path, e);
}

/* SPDX-License-Identifier: Apache-2.0
 * See mount.h. open_tree and move_mount where the kernel has them (5.2), mount(2) on /proc/self/fd else;
 * mount_setattr (5.12), remount else. The kernel is asked by trying. */
#include "run/mount.h"
#include "run/copy_up.h"
#include "run/kernel.h"
#include "shared/fd.h"
#include "shared/path.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>

#define MS_NOSYMFOLLOW_ 256ul

const char *mount_fd_path(int fd, char out[MOUNT_FD_PATH])
{
	if (snprintf(out, MOUNT_FD_PATH, "/proc/self/fd/%d", fd) < 0)
		out[0] = 0;
	return out;
}

static bool is_missing(int error)
{
	return error == ENOSYS || error == EPERM || error == EINVAL;
}

int mount_bind(int source, bool below, int target, int root, const char *path, int *out, struct err *e)
{
	char from[MOUNT_FD_PATH], to[MOUNT_FD_PATH];
	struct stat a, b;
	fd_auto int tree = k_open_tree(source, "",
				       K_OPEN_TREE_CLONE | K_OPEN_TREE_CLOEXEC | K_AT_EMPTY_PATH |
					   (below ? K_AT_RECURSIVE : 0));

	if (tree >= 0 && k_move_mount(tree, target) == 0) {
		*out = fd_steal(&tree);
		return 0;
	}
	if (!is_missing(errno))
		return err_set(e, ERR_MOUNT, errno, "bind to %s", path);
	if (mount(mount_fd_path(source, from), mount_fd_path(target, to), NULL,
		  MS_BIND | (below ? MS_REC : 0), NULL) != 0)
		return err_set(e, ERR_MOUNT, errno, "bind to %s", path);
	/* The name again, now that something is mounted there; it must be what was mounted. */
	*out = path_open_in(root, path, O_PATH | O_CLOEXEC, 0);
	if (*out < 0 || fstat(*out, &a) != 0 || fstat(source, &b) != 0)
		return err_set(e, ERR_MOUNT, errno, "open %s after the bind", path);
	if (a.st_dev != b.st_dev || a.st_ino != b.st_ino)
		return err_set(e, ERR_MOUNT, EXDEV, "%s changed while it was mounted", path);
	return 0;
}

static uint64_t attr_of(unsigned long flags)
{
	return (flags & MS_RDONLY ? K_MOUNT_ATTR_RDONLY : 0) | (flags & MS_NOSUID ? K_MOUNT_ATTR_NOSUID : 0) |
	       (flags & MS_NODEV ? K_MOUNT_ATTR_NODEV : 0) | (flags & MS_NOEXEC ? K_MOUNT_ATTR_NOEXEC : 0) |
	       (flags & MS_NODIRATIME ? K_MOUNT_ATTR_NODIRATIME : 0) |
	       (flags & MS_NOSYMFOLLOW_ ? K_MOUNT_ATTR_NOSYMFOLLOW : 0);
}

/* The flags that a mount has now: a remount that forgets one would drop it, or fail in a user namespace. */
static unsigned long flags_now(int fd)
{
	struct statvfs now;
	unsigned long flags = 0;

	if (fstatvfs(fd, &now) != 0)
		return 0;
	flags |= now.f_flag & ST_RDONLY ? MS_RDONLY : 0;
	flags |= now.f_flag & ST_NOSUID ? MS_NOSUID : 0;
	flags |= now.f_flag & ST_NODEV ? MS_NODEV : 0;
	flags |= now.f_flag & ST_NOEXEC ? MS_NOEXEC : 0;
	flags |= now.f_flag & ST_NOATIME ? MS_NOATIME : 0;
	flags |= now.f_flag & ST_NODIRATIME ? MS_NODIRATIME : 0;
	flags |= now.f_flag & ST_RELATIME ? MS_RELATIME : 0;
	return flags;
}

int mount_flags(int fd, unsigned long set, unsigned long clear, const char *what, struct err *e)
{
	struct k_mount_attr attr = {.set = attr_of(set), .clear = attr_of(clear)};
	char to[MOUNT_FD_PATH];

	if (set & (MS_NOATIME | MS_STRICTATIME | MS_RELATIME)) {
		attr.clear |= K_MOUNT_ATTR_ATIME;
		attr.set |= set & MS_NOATIME ? K_MOUNT_ATTR_NOATIME : 0;
		attr.set |= set & MS_STRICTATIME ? K_MOUNT_ATTR_STRICTATIME : 0;
	}
	if (attr.set == 0 && attr.clear == 0)
		return 0;
	if (k_mount_setattr(fd, K_AT_EMPTY_PATH, &attr) == 0)
		return 0;
	if (errno != ENOSYS)
		return err_set(e, ERR_MOUNT, errno, "flags of %s", what);
	if (mount(NULL, mount_fd_path(fd, to), NULL, MS_REMOUNT | MS_BIND | ((flags_now(fd) & ~clear) | set),
		  NULL) != 0)
		return err_set(e, ERR_MOUNT, errno, "flags of %s", what);
	return 0;
}

/* rro and the like have no older form: to skip them would leave a volume writable. */
static int flags_below(int fd, const struct spec_mount *m, struct err *e)
{
	struct k_mount_attr attr = {.set = m->set_below, .clear = m->clear_below};

	if (attr.set == 0 && attr.clear == 0)
		return 0;
	if (k_mount_setattr(fd, K_AT_EMPTY_PATH | K_AT_RECURSIVE, &attr) != 0)
		return err_set(e, ERR_MOUNT, errno, "recursive flags of %s", m->destination);
	return 0;
}

static int propagate(int fd, const struct spec_mount *m, struct err *e)
{
	char to[MOUNT_FD_PATH];

	if (m->propagation != 0 && mount(NULL, mount_fd_path(fd, to), NULL, m->propagation, NULL) != 0)
		return err_set(e, ERR_MOUNT, errno, "propagation of %s", m->destination);
	return 0;
}

/* A container that may write below the bound could have left a link there: it leads nowhere but beneath it.
 * The bound itself is the operator's word and opened as it is. */
static int open_source(const struct spec_mount *m)
{
	fd_auto int bound = -1;
	const char *below;

	if (m->bound == NULL)
		return open(m->source, O_PATH | O_CLOEXEC);
	below = m->source + m->bound_length;
	below += strspn(below, "/");
	bound = open(m->bound, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return bound < 0 ? -1 : path_open_beneath(bound, below, O_PATH | O_CLOEXEC);
}

static int bind(int root, const struct spec_mount *m, struct err *e)
{
	fd_auto int source = open_source(m);
	fd_auto int target = -1;
	fd_auto int mounted = -1;
	struct stat st;

	if (source < 0 && errno == EXDEV && m->bound != NULL)
		return err_set(e, ERR_MOUNT, 0, "source %.70s of %.40s leads out of %.50s", m->source,
			       m->destination, m->bound);
	if (source < 0 || fstat(source, &st) != 0)
		return err_set(e, ERR_MOUNT, errno, "source %s of %s", m->source, m->destination);
	target = S_ISDIR(st.st_mode) ? path_mkdir_in(root, m->destination, 0755, ERR_MOUNT, e)
				     : path_mkfile_in(root, m->destination, 0644, ERR_MOUNT, e);
	if (target < 0)
		return -1;
	if (mount_bind(source, m->below, target, root, m->destination, &mounted, e) != 0 ||
	    mount_flags(mounted, m->set, m->clear, m->destination, e) != 0 || flags_below(mounted, m, e) != 0)
		return -1;
	return propagate(mounted, m, e);
}

/* CVE-2019-19921: programs trust /proc and /sys by name; behind a link, or half masked, they are not theirs.
 */
static int check_real(int root, const struct spec_mount *m, struct err *e)
{
	bool is_proc = strcmp(m->type, "proc") == 0, is_sysfs = strcmp(m->type, "sysfs") == 0;
	const char *name = is_proc ? "/proc" : "/sys";
	struct stat st;
	const char *end = strrchr(m->destination, '/');

	if ((!is_proc && !is_sysfs) || end == NULL || strcmp(m->destination, name) != 0)
		return 0;
	if (fstatat(root, name + 1, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return errno == ENOENT ? 0 : err_set(e, ERR_MOUNT, errno, "%s", name);
	if (!S_ISDIR(st.st_mode))
		return err_set(e, ERR_MOUNT, ENOTDIR, "%s of the image is not a folder", name);
	return 0;
}

static int file_system(int root, const struct spec_mount *m, struct err *e)
{
	const char *source = m->source != NULL ? m->source : m->type;
	const char *data = *m->data != 0 ? m->data : NULL;
	fd_auto int target = -1;
	fd_auto int mounted = -1;
	char to[MOUNT_FD_PATH];
	/* What is copied in comes before a mount is read-only. */
	unsigned long late = m->copy_up ? MS_RDONLY : 0;

	if (check_real(root, m, e) != 0)
		return -1;
	target = path_mkdir_in(root, m->destination, 0755, ERR_MOUNT, e);
	if (target < 0)
		return -1;
	if (mount(source, mount_fd_path(target, to), m->type, m->set & ~(late | MS_REMOUNT), data) != 0)
		return err_set(e, ERR_MOUNT, errno, "%s on %s (options '%.60s')", m->type, m->destination,
			       m->data);
	if (m->propagation == 0 && m->set_below == 0 && m->clear_below == 0 && !m->copy_up)
		return 0;
	mounted = path_open_in(root, m->destination, O_PATH | O_CLOEXEC, 0);
	if (mounted < 0)
		return err_set(e, ERR_MOUNT, errno, "open %s", m->destination);
	/* `target` is the image's folder, now below the new mount. */
	if (m->copy_up && (copy_up(target, mounted, e) != 0 ||
			   mount_flags(mounted, m->set & late, 0, m->destination, e) != 0))
		return -1;
	return flags_below(mounted, m, e) != 0 ? -1 : propagate(mounted, m, e);
}

int mount_apply(int root, const struct spec_mount *m, struct err *e)
{
	return m->bind ? bind(root, m, e) : file_system(root, m, e);
}

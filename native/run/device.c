/* SPDX-License-Identifier: Apache-2.0
 * See device.h. */
#include "run/device.h"
#include "run/mount.h"
#include "shared/fd.h"
#include "shared/path.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

const struct spec_device device_defaults[] = {
    {"/dev/null", S_IFCHR, 1, 3, 0666, 0, 0},	 {"/dev/zero", S_IFCHR, 1, 5, 0666, 0, 0},
    {"/dev/full", S_IFCHR, 1, 7, 0666, 0, 0},	 {"/dev/random", S_IFCHR, 1, 8, 0666, 0, 0},
    {"/dev/urandom", S_IFCHR, 1, 9, 0666, 0, 0}, {"/dev/tty", S_IFCHR, 5, 0, 0666, 0, 0},
};
const size_t device_default_count = sizeof(device_defaults) / sizeof(*device_defaults);

bool device_dev_is_bound(const struct spec *s)
{
	for (size_t i = 0; i < s->mount_count; i++)
		if (s->mounts[i].bind && (strcmp(s->mounts[i].destination, "/dev") == 0 ||
					  strcmp(s->mounts[i].destination, "/dev/") == 0))
			return true;
	return false;
}

/* The folder of `path` inside root, made if absent, and the last name. */
static int folder_of(int root, const char *path, const char **name, struct err *e)
{
	char folder[PATH_MAX];
	const char *slash = strrchr(path, '/');
	size_t length;

	if (path[0] != '/' || slash == NULL || slash[1] == 0 || strcmp(slash, "/..") == 0 ||
	    strcmp(slash, "/.") == 0)
		return err_set(e, ERR_SPEC, 0, "device path '%s'", path);
	length = slash == path ? 1 : (size_t)(slash - path);
	if (length >= sizeof(folder))
		return err_set(e, ERR_SPEC, ENAMETOOLONG, "device path");
	memcpy(folder, path, length);
	folder[length] = 0;
	*name = slash + 1;
	return path_mkdir_in(root, folder, 0755, ERR_MOUNT, e);
}

static int bind_host(int root, const struct spec_device *d, struct err *e)
{
	fd_auto int host = open(d->path, O_PATH | O_CLOEXEC);
	fd_auto int target = -1;
	fd_auto int mounted = -1;
	struct stat st;

	if (host < 0 || fstat(host, &st) != 0)
		return err_set(e, ERR_MOUNT, errno, "device %s of the host", d->path);
	if ((st.st_mode & S_IFMT) != d->type || st.st_rdev != makedev(d->major, d->minor))
		return err_set(e, ERR_MOUNT, 0, "%s of the host is another device", d->path);
	target = path_mkfile_in(root, d->path, 0666, ERR_MOUNT, e);
	if (target < 0)
		return -1;
	return mount_bind(host, false, target, root, d->path, &mounted, e);
}

static bool is_right(const struct stat *st, const struct spec_device *d)
{
	return (st->st_mode & S_IFMT) == d->type &&
	       (d->type == S_IFIFO || st->st_rdev == makedev(d->major, d->minor));
}

int device_make(int root, const struct spec_device *d, struct err *e)
{
	const char *name = NULL;
	fd_auto int folder = folder_of(root, d->path, &name, e);
	struct stat st;

	if (folder < 0 || name == NULL)
		return -1;
	if (fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		if (is_right(&st, d))
			return 0;
		if (unlinkat(folder, name, 0) != 0)
			return err_set(e, ERR_MOUNT, errno, "replace %s", d->path);
	}
	if (mknodat(folder, name, d->type | d->mode, makedev(d->major, d->minor)) != 0) {
		if (errno == EPERM)
			return bind_host(root, d, e);
		return err_set(e, ERR_MOUNT, errno, "make the device %s", d->path);
	}
	/* umask is 0 here, so the mode is right; the owner is not followed through a link. */
	if ((d->uid != 0 || d->gid != 0) && fchownat(folder, name, d->uid, d->gid, AT_SYMLINK_NOFOLLOW) != 0)
		return err_set(e, ERR_MOUNT, errno, "owner of %s", d->path);
	return 0;
}

int device_links(int root, struct err *e)
{
	static const char *const links[][2] = {
	    {"/proc/self/fd", "fd"},	   {"/proc/self/fd/0", "stdin"}, {"/proc/self/fd/1", "stdout"},
	    {"/proc/self/fd/2", "stderr"}, {"pts/ptmx", "ptmx"},
	};
	fd_auto int dev = path_mkdir_in(root, "/dev", 0755, ERR_MOUNT, e);

	if (dev < 0)
		return -1;
	for (size_t i = 0; i < sizeof(links) / sizeof(*links); i++) {
		if (strcmp(links[i][1], "ptmx") == 0) {
			struct stat st;

			/* Only a /dev with its own devpts: another ptmx would be the host's terminals. */
			if (fstatat(dev, "pts/ptmx", &st, AT_SYMLINK_NOFOLLOW) != 0)
				continue;
			if (unlinkat(dev, "ptmx", 0) != 0 && errno != ENOENT)
				return err_set(e, ERR_MOUNT, errno, "replace /dev/ptmx");
		}
		if (symlinkat(links[i][0], dev, links[i][1]) != 0 && errno != EEXIST)
			return err_set(e, ERR_MOUNT, errno, "link /dev/%s", links[i][1]);
	}
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0
 * Owner, mode, extended attributes and time of what an entry made. The order matters: chown clears setuid and
 * file capabilities, so mode and attributes come after it. */
#include "layer/apply.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static bool starts(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* Labels of the host's own security modules, which no image can know. */
static bool is_of_host(const char *key)
{
	return strcmp(key, "security.selinux") == 0 || strcmp(key, "security.ima") == 0 ||
	       strcmp(key, "security.evm") == 0 || starts(key, "security.SMACK64") ||
	       strcmp(key, "security.apparmor") == 0;
}

static int set_xattrs(struct apply *a, const struct tar_entry *entry, int parent, const char *name,
		      struct err *e)
{
	for (size_t i = 0; i < entry->pax->xattr_count; i++) {
		const struct xattr *x = &entry->pax->xattrs[i];
		if (is_of_host(x->name))
			continue;
		/* It would steer overlayfs itself: redirects and metacopies lead out of the layer. */
		if (starts(x->name, "trusted.overlay."))
			return err_set(e, ERR_ESCAPE, 0, "attribute %.60s", x->name);
		if (tree_set_xattr(parent, name, x->name, x->value, x->length) == 0)
			continue;
		bool is_user = starts(x->name, "user.");
		if (is_user && (errno == ENOTSUP || errno == EPERM)) {
			a->skipped_xattrs++; /* user.* has no place on symbolic links and on some file systems
					      */
			continue;
		}
		return err_set(e, ERR_SYSTEM, errno, "attribute %.60s", x->name);
	}
	return 0;
}

int apply_meta(struct apply *a, const struct tar_entry *entry, int parent, const char *name, int fd,
	       struct err *e)
{
	struct timespec both[2] = {{entry->mtime, (long)entry->mtime_ns},
				   {entry->mtime, (long)entry->mtime_ns}};
	struct stat st;
	/* A look is cheaper than a change that changes nothing: each of those goes through the journal. */
	if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return err_set(e, ERR_SYSTEM, errno, "look");
	bool owned = st.st_uid == entry->uid && st.st_gid == entry->gid;
	if (!owned && fchownat(parent, name, entry->uid, entry->gid, AT_SYMLINK_NOFOLLOW) != 0)
		return err_set(e, errno == EPERM ? ERR_ROOT : ERR_SYSTEM, errno, "owner");
	/* Not a link: it was made by us a moment ago, in a folder that is ours alone. */
	bool has_mode = entry->type == TAR_SYMLINK || (owned && (st.st_mode & 07777) == entry->mode);
	if (!has_mode && (fd >= 0 ? fchmod(fd, entry->mode) : fchmodat(parent, name, entry->mode, 0)) != 0)
		return err_set(e, ERR_SYSTEM, errno, "mode");
	if (set_xattrs(a, entry, parent, name, e) != 0)
		return -1;
	if (entry->type == TAR_FOLDER)
		return times_put(&a->times, entry->path, entry->mtime, entry->mtime_ns, e);
	if (utimensat(parent, name, both, AT_SYMLINK_NOFOLLOW) != 0)
		return err_set(e, ERR_SYSTEM, errno, "time");
	return 0;
}

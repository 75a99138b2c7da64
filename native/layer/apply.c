/* SPDX-License-Identifier: Apache-2.0
 * Entry by entry into the tree. What is in the place of an entry goes first; a folder stays if the entry is a
 * folder. All files are opened O_EXCL in a folder that tree.c opened. */
#include "layer/apply.h"

#include "shared/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define WHITEOUT	".wh."
#define WHITEOUT_META	".wh..wh." /* marks of aufs; all but the opaque one are of no meaning */
#define WHITEOUT_OPAQUE ".wh..wh..opq"

static int on_lost(void *self, const char *path, int fd, struct err *e)
{
	struct apply *a = self;
	return headers_lost(a->headers, path, fd, a->unpacked_bytes, e);
}

static int on_made(void *self, const char *path, bool opaque, struct err *e)
{
	struct apply *a = self;
	/* One in the place of a whiteout is new: nothing below has to do with it. */
	if (a->implied != NULL && !opaque && implied_made(a->implied, path, e) != 0)
		return -1;
	return times_put(&a->times, path, 0, 0, e);
}

int apply_start(struct apply *a, int root, struct tar *tar, struct headers *headers, struct err *e)
{
	memset(a, 0, sizeof(*a));
	tree_start(&a->tree, root);
	a->tree.self = a;
	a->tree.lost = headers == NULL ? NULL : on_lost;
	a->tree.made = on_made;
	a->tar = tar;
	a->headers = headers;
	/* What a container sees where the layer says nothing of its root. */
	if (fchown(root, 0, 0) != 0)
		return err_set(e, errno == EPERM ? ERR_ROOT : ERR_SYSTEM, errno, "owner of the root");
	if (fchmod(root, 0755) != 0)
		return err_set(e, ERR_SYSTEM, errno, "mode of the root");
	return times_open(&a->times, root, e);
}

/* Makes room for the entry. *stays: the folder that is there is kept. *whiteout: a whiteout was there. */
static int make_room(struct apply *a, const char *path, bool is_folder, bool *stays, bool *whiteout,
		     int *parent, struct err *e)
{
	struct stat st;
	const char *name = name_last(path);
	*stays = false;
	*whiteout = false;
	if (tree_parent(&a->tree, path, true, parent, e) != 0)
		return -1;
	if (fstatat(*parent, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return errno == ENOENT ? 0 : err_set(e, ERR_SYSTEM, errno, "the place of the entry");
	*whiteout = tree_is_whiteout(&st);
	*stays = is_folder && S_ISDIR(st.st_mode);
	return *stays ? 0 : tree_remove(&a->tree, path, e);
}

static int write_at(int fd, const uint8_t *bytes, size_t length, uint64_t at, struct err *e)
{
	while (length > 0) {
		ssize_t put = pwrite(fd, bytes, length, (off_t)at);
		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return err_set(e, errno == EFBIG ? ERR_LIMIT : ERR_SYSTEM, errno, "write");
		bytes += put;
		length -= (size_t)put;
		at += (uint64_t)put;
	}
	return 0;
}

/* The stored bytes to their segments; what lies between them stays a hole. */
static int write_content(struct apply *a, const struct tar_entry *entry, int fd, struct err *e)
{
	const uint8_t *bytes = NULL;
	size_t length = 0;
	uint64_t end = 0;
	for (size_t i = 0; i < entry->map.count; i++) {
		struct segment s = entry->map.segments[i];
		if (s.length > 0)
			end = s.offset + s.length;
		if (a->headers != NULL &&
		    headers_content(a->headers, entry->path, s.offset, s.length, e) != 0)
			return -1;
		while (s.length > 0) {
			if (length == 0 && tar_content(a->tar, &bytes, &length, false, e) != 0)
				return -1;
			size_t step = length < s.length ? length : (size_t)s.length;
			if (step == 0) /* sparse_check has made the sums equal */
				return err_set(e, ERR_TAR, 0, "content and map differ");
			if (write_at(fd, bytes, step, s.offset, e) != 0)
				return -1;
			a->unpacked_bytes += step;
			bytes += step;
			length -= step;
			s.offset += step;
			s.length -= step;
		}
	}
	if (end < entry->size && ftruncate(fd, (off_t)entry->size) != 0)
		return err_set(e, ERR_SYSTEM, errno, "size");
	return 0;
}

static int put_file(struct apply *a, const struct tar_entry *entry, int parent, struct err *e)
{
	const char *name = name_last(entry->path);
	fd_auto int fd =
	    openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, entry->mode & 0777);
	if (fd < 0)
		return err_set(e, ERR_SYSTEM, errno, "file");
	if (write_content(a, entry, fd, e) != 0)
		return -1;
	return apply_meta(a, entry, parent, name, fd, e);
}

/* The target must be a file of this layer that stands already: POSIX archives name it before its links. */
static int put_link(struct apply *a, const struct tar_entry *entry, struct err *e)
{
	int parent;
	struct stat st;
	bool stays;
	bool whiteout;
	if (strcmp(entry->path, entry->target) == 0)
		return 0;
	if (entry->target[0] == '\0')
		return err_set(e, ERR_TAR, 0, "a hard link to the root");
	if (make_room(a, entry->path, false, &stays, &whiteout, &parent, e) != 0)
		return -1;
	fd_auto int to = fcntl(parent, F_DUPFD_CLOEXEC, 3);
	if (to < 0)
		return err_set(e, ERR_SYSTEM, errno, "hard link");
	if (tree_parent(&a->tree, entry->target, false, &parent, e) != 0)
		return err_add(e, "target of the hard link");
	const char *target = name_last(entry->target);
	if (fstatat(parent, target, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return err_set(e, ERR_TAR, errno == ENOENT ? 0 : errno,
			       "hard link to %.60s, which is not in this layer", entry->target);
	if (S_ISDIR(st.st_mode) || tree_is_whiteout(&st))
		return err_set(e, ERR_TAR, 0, "hard link to %.60s, which is no file", entry->target);
	if (linkat(parent, target, to, name_last(entry->path), 0) != 0)
		return err_set(e, errno == EMLINK ? ERR_LIMIT : ERR_SYSTEM, errno, "hard link");
	return 0;
}

static int put_folder(struct apply *a, const struct tar_entry *entry, struct err *e)
{
	int parent;
	bool stays;
	bool whiteout;
	if (entry->path[0] == '\0')
		return apply_meta(a, entry, a->tree.root, ".", -1, e);
	if (a->implied != NULL && implied_given(a->implied, entry->path, e) != 0)
		return -1;
	if (make_room(a, entry->path, true, &stays, &whiteout, &parent, e) != 0)
		return -1;
	const char *name = name_last(entry->path);
	if (!stays && mkdirat(parent, name, 0700) != 0)
		return err_set(e, ERR_SYSTEM, errno, "folder");
	/* The whiteout hid the lower folder: what this layer puts in its stead must hide it too. */
	if (whiteout && tree_make_opaque(parent, name, e) != 0)
		return -1;
	return apply_meta(a, entry, parent, name, -1, e);
}

static int put_node(struct apply *a, const struct tar_entry *entry, int parent, struct err *e)
{
	const char *name = name_last(entry->path);
	dev_t device = makedev(entry->major, entry->minor);
	mode_t kind = entry->type == TAR_CHAR ? S_IFCHR : entry->type == TAR_FIFO ? S_IFIFO : S_IFBLK;
	int made = entry->type == TAR_SYMLINK
		       ? symlinkat(entry->target, parent, name)
		       : mknodat(parent, name, kind | 0600, kind == S_IFIFO ? 0 : device);
	if (made != 0)
		return err_set(e, errno == EPERM ? ERR_ROOT : ERR_SYSTEM, errno, "make the entry");
	return apply_meta(a, entry, parent, name, -1, e);
}

/* image-spec layer.md §Whiteouts: it hides what lower layers have; what this layer has, stays. */
static int put_whiteout(struct apply *a, const struct tar_entry *entry, const char *name, struct err *e)
{
	int parent;
	struct stat st;
	if (name[0] == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return err_set(e, ERR_ESCAPE, 0, "a whiteout of no name of a file");
	if (tree_parent(&a->tree, entry->path, true, &parent, e) != 0)
		return -1;
	if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return S_ISDIR(st.st_mode) ? tree_make_opaque(parent, name, e) : 0;
	if (errno != ENOENT)
		return err_set(e, ERR_SYSTEM, errno, "whiteout");
	if (mknodat(parent, name, S_IFCHR | 0600, makedev(0, 0)) != 0)
		return err_set(e, errno == EPERM ? ERR_ROOT : ERR_SYSTEM, errno, "whiteout");
	return 0;
}

static int put(struct apply *a, const struct tar_entry *entry, struct err *e)
{
	int parent;
	bool stays;
	bool whiteout;
	const char *name = name_last(entry->path);
	if (strcmp(name, WHITEOUT_OPAQUE) == 0)
		return tree_parent(&a->tree, entry->path, true, &parent, e) != 0
			   ? -1
			   : tree_make_opaque(parent, ".", e);
	if (strncmp(name, WHITEOUT_META, strlen(WHITEOUT_META)) == 0 ||
	    strncmp(entry->path, WHITEOUT_META, strlen(WHITEOUT_META)) == 0)
		return 0;
	if (strncmp(name, WHITEOUT, strlen(WHITEOUT)) == 0)
		return put_whiteout(a, entry, name + strlen(WHITEOUT), e);
	if (entry->type == TAR_FOLDER)
		return put_folder(a, entry, e);
	if (entry->type == TAR_LINK)
		return put_link(a, entry, e);
	if (make_room(a, entry->path, false, &stays, &whiteout, &parent, e) != 0)
		return -1;
	return entry->type == TAR_FILE ? put_file(a, entry, parent, e) : put_node(a, entry, parent, e);
}

int apply_entry(struct apply *a, const struct tar_entry *entry, struct err *e)
{
	a->entries++;
	if (put(a, entry, e) == 0)
		return 0;
	(void)err_at(e, "unpack");
	return err_add(e, "%.100s", entry->path[0] == '\0' ? "./" : entry->path);
}

int apply_end(struct apply *a, struct err *e)
{
	if (a->implied != NULL && implied_end(a->implied, e) != 0)
		return -1;
	return times_apply(&a->times, &a->tree, e);
}

void apply_close(struct apply *a)
{
	times_close(&a->times);
	tree_end(&a->tree);
}

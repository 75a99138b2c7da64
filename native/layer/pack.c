/* SPDX-License-Identifier: Apache-2.0
 * Walks the tree, folder by folder, names sorted by their bytes; only the names of the open folders are held,
 * and the first name of every file that has more than one. No symbolic link is followed. */
#include "layer/pack.h"
#include "layer/name.h"
#include "layer/pack_attr.h"
#include "layer/pack_names.h"
#include "layer/tar.h"
#include "layer/tree.h"
#include "layer/ustar.h"
#include "shared/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define COPY_BYTES ((size_t)128 * 1024)
/* Their buffers must not lie in the frames of the recursion. */
#define NOT_INLINED __attribute__((noinline))

struct linked {
	dev_t device;
	ino_t inode;
	char *path;
	struct linked *next;
};

struct walk {
	struct pack *pack;
	struct squeeze *out;
	struct tree tree;
	struct attrs attrs;
	void *links; /* a tsearch tree of struct linked, which hang at first_link */
	struct linked *first_link;
	char path[PATH_MAX];
	uint8_t buffer[COPY_BYTES];
};

static int by_inode(const void *left, const void *right)
{
	const struct linked *a = left;
	const struct linked *b = right;
	if (a->device != b->device)
		return a->device < b->device ? -1 : 1;
	return a->inode < b->inode ? -1 : a->inode > b->inode;
}

static void keep_node(void *node)
{
	(void)node; /* free_links has it */
}

static void free_links(struct walk *w)
{
	tdestroy(w->links, keep_node);
	while (w->first_link != NULL) {
		struct linked *next = w->first_link->next;
		free(w->first_link->path);
		free(w->first_link);
		w->first_link = next;
	}
}

/* *first: the name under which the file is in the layer already, or NULL. */
static int find_link(struct walk *w, const struct stat *st, const char **first, struct err *e)
{
	*first = NULL;
	if (st->st_nlink < 2)
		return 0;
	struct linked probe = {st->st_dev, st->st_ino, NULL, NULL};
	struct linked **found = tfind(&probe, &w->links, by_inode);
	if (found != NULL) {
		*first = (*found)->path;
		return 0;
	}
	struct linked *mine = calloc(1, sizeof(*mine));
	if (mine == NULL)
		return err_set(e, ERR_MEMORY, 0, "hard links");
	*mine = (struct linked){st->st_dev, st->st_ino, strdup(w->path), w->first_link};
	w->first_link = mine;
	if (mine->path == NULL || tsearch(mine, &w->links, by_inode) == NULL)
		return err_set(e, ERR_MEMORY, 0, "hard links");
	return 0;
}

static int put_content(struct walk *w, int parent, const char *name, uint64_t size, struct err *e)
{
	fd_auto int fd = openat(parent, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return err_set(e, ERR_SYSTEM, errno, "open");
	for (uint64_t left = size; left > 0;) {
		ssize_t got = read(fd, w->buffer, left < COPY_BYTES ? (size_t)left : COPY_BYTES);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return err_set(e, ERR_SYSTEM, got < 0 ? errno : 0,
				       "the file shrank while it was read");
		if (squeeze_put(w->out, w->buffer, (size_t)got, e) != 0)
			return -1;
		left -= (uint64_t)got;
	}
	return ustar_pad(w->out, size, e);
}

/* An empty file that marks something removed: path is that of its folder and the name behind it. */
NOT_INLINED static int put_mark(struct walk *w, const struct ustar *like, const char *folder,
				const char *name, struct err *e)
{
	char path[PATH_MAX + NAME_MAX];
	struct ustar mark = *like;
	size_t length = strlen(folder);
	if (length + strlen(name) + 6 > NAME_BYTES_MAX)
		return err_set(e, ERR_TAR, 0, "the name is too long for a whiteout");
	memcpy(path, folder, length);
	if (length > 0)
		path[length++] = '/';
	memcpy(path + length, ".wh.", 4);
	memcpy(path + length + 4, name, strlen(name) + 1);
	mark.type = '0';
	mark.path = path;
	mark.slash = false;
	/* What the mark's own node says is chance: overlayfs may share one for all. */
	mark.mode = 0;
	mark.uid = 0;
	mark.gid = 0;
	mark.mtime = w->pack->mtime;
	mark.size = 0;
	mark.major = 0;
	mark.minor = 0;
	mark.xattr_count = 0;
	w->pack->entries++;
	return ustar_header(w->out, &mark, e);
}

NOT_INLINED static int put_whiteout(struct walk *w, const struct ustar *like, struct err *e)
{
	char folder[PATH_MAX];
	const char *name = name_last(w->path);
	size_t length = (size_t)(name - w->path);
	memcpy(folder, w->path, length);
	folder[length > 0 ? length - 1 : 0] = '\0';
	return put_mark(w, like, folder, name, e);
}

NOT_INLINED static int put_entry(struct walk *w, int parent, const char *name, const struct stat *st,
				 struct ustar *entry, struct err *e)
{
	char target[PATH_MAX];
	const char *first = NULL;
	if (!S_ISDIR(st->st_mode) && find_link(w, st, &first, e) != 0)
		return -1;
	if (first != NULL) {
		entry->type = '1';
		entry->target = first;
		entry->xattr_count = 0;
	} else if (S_ISLNK(st->st_mode)) {
		ssize_t length = readlinkat(parent, name, target, sizeof(target) - 1);
		if (length < 0)
			return err_set(e, ERR_SYSTEM, errno, "symbolic link");
		target[length] = '\0';
		entry->type = '2';
		entry->mode = 0777;
		entry->target = target;
	} else if (S_ISREG(st->st_mode)) {
		entry->type = '0';
		entry->size = (uint64_t)st->st_size;
	} else if (S_ISDIR(st->st_mode)) {
		entry->type = '5';
		entry->slash = true;
	} else if (S_ISFIFO(st->st_mode)) {
		entry->type = '6';
	} else {
		entry->type = S_ISCHR(st->st_mode) ? '3' : '4';
		entry->major = (uint32_t)major(st->st_rdev);
		entry->minor = (uint32_t)minor(st->st_rdev);
	}
	w->pack->entries++;
	int done = ustar_header(w->out, entry, e);
	entry->target = ""; /* it may have been in this frame */
	return done == 0 && entry->type == '0' ? put_content(w, parent, name, entry->size, e) : done;
}

static int walk_folder(struct walk *w, struct err *e);

/* w->path is the entry's. */
static int walk_one(struct walk *w, const char *name, struct err *e)
{
	int parent;
	struct stat st;
	if (tree_parent(&w->tree, w->path, false, &parent, e) != 0)
		return -1;
	if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return err_set(e, ERR_SYSTEM, errno, "stat");
	if (S_ISSOCK(st.st_mode))
		return 0;
	if (w->pack->entries >= TAR_ENTRIES_MAX)
		return err_set(e, ERR_LIMIT, 0, "more than %u entries", TAR_ENTRIES_MAX);
	bool owned = w->pack->root_owns;
	struct ustar entry = {.path = w->path,
			      .target = "",
			      .mode = st.st_mode & 07777,
			      .uid = owned ? 0 : st.st_uid,
			      .gid = owned ? 0 : st.st_gid,
			      .mtime = w->pack->has_mtime ? w->pack->mtime : st.st_mtim.tv_sec};
	if (tree_is_whiteout(&st))
		return put_whiteout(w, &entry, e);
	if (strncmp(name, ".wh.", 4) == 0)
		return err_set(e, ERR_TAR, 0, "a name that begins with .wh. would be a whiteout");
	if (attrs_read(&w->attrs, parent, name, e) != 0)
		return -1;
	entry.xattrs = w->attrs.list;
	entry.xattr_count = w->attrs.count;
	bool opaque = w->attrs.opaque;
	if (put_entry(w, parent, name, &st, &entry, e) != 0)
		return -1;
	if (!S_ISDIR(st.st_mode))
		return 0;
	if (opaque && put_mark(w, &entry, w->path, ".wh..opq", e) != 0)
		return -1;
	return walk_folder(w, e);
}

/* The folder at w->path; "" is the root. Recursion is as deep as a path has components, at most PATH_MAX / 2.
 */
static int walk_folder(struct walk *w, struct err *e)
{
	int parent = w->tree.root;
	size_t length = strlen(w->path);
	struct names names = {NULL, 0, 0, NULL, 0};
	int done = length == 0 ? 0 : tree_parent(&w->tree, w->path, false, &parent, e);
	if (done == 0)
		done = names_read(parent, length == 0 ? "." : name_last(w->path), &names, e);
	for (size_t i = 0; done == 0 && i < names.count; i++) {
		size_t part = strlen(names.list[i]);
		size_t start = length == 0 ? 0 : length + 1;
		if (start + part > NAME_BYTES_MAX) {
			done = err_set(e, ERR_TAR, 0, "a path is longer than %d bytes", NAME_BYTES_MAX);
			break;
		}
		if (length > 0)
			w->path[length] = '/';
		memcpy(w->path + start, names.list[i], part + 1);
		done = walk_one(w, names.list[i], e);
		if (done != 0 && e->where[0] == '\0') {
			(void)err_at(e, "pack");
			(void)err_add(e, "%.100s", w->path);
		}
		w->path[length] = '\0';
	}
	names_free(&names);
	return done;
}

int pack(struct pack *p, struct squeeze *out, struct err *e)
{
	fd_auto int root = open(p->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return err_set(e, ERR_SYSTEM, errno, "folder %.100s", p->dir);
	struct walk *w = calloc(1, sizeof(*w));
	if (w == NULL)
		return err_set(e, ERR_MEMORY, 0, "pack");
	w->pack = p;
	w->out = out;
	tree_start(&w->tree, root);
	int done = walk_folder(w, e) != 0 || ustar_end(out, e) != 0 ? -1 : 0;
	tree_end(&w->tree);
	attrs_free(&w->attrs);
	free_links(w);
	free(w);
	return done;
}

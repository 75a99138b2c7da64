/* SPDX-License-Identifier: Apache-2.0
 * The tree that a layer is unpacked to. Every path is opened beneath the root's descriptor without following
 * any symbolic link, whoever made it: INVARIANT: nothing is written outside the root. The tree belongs to
 * this program alone while it runs. */
#ifndef WHERRY_LAYER_TREE_H
#define WHERRY_LAYER_TREE_H

#include "shared/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

struct tree {
	int root;   /* borrowed */
	int parent; /* the folder that was opened last */
	char parent_path[PATH_MAX];
	bool no_openat2; /* Linux < 5.6, or a filter in the way */
	void *self;	 /* for the two calls below; each may be NULL */
	int (*lost)(void *self, const char *path, int fd, struct err *e); /* a regular file is about to go */
	/* A folder was made for want of an entry; opaque: in the place of a whiteout. */
	int (*made)(void *self, const char *path, bool opaque, struct err *e);
};

void tree_start(struct tree *tree, int root);
void tree_end(struct tree *tree);
/* The folder of `path` (which is not ""), borrowed until the next call here. `make`: missing ones are made
 * (0755, root), a whiteout in the way becomes an opaque folder. A symbolic link in the way is ERR_ESCAPE,
 * another file ERR_TAR. */
int tree_parent(struct tree *tree, const char *path, bool make, int *parent, struct err *e);
/* The regular file at `path` for reading, or -1. */
int tree_open_file(struct tree *tree, const char *path, struct err *e);
/* Removes what is at `path`, with all that is in it; absence is no error. */
int tree_remove(struct tree *tree, const char *path, struct err *e);
/* Forgets the folder that was opened last: it may be about to go. */
void tree_forget(struct tree *tree);
/* Character device 0:0, overlayfs's mark of a removed file. */
bool tree_is_whiteout(const struct stat *st);
/* trusted.overlay.opaque=y on the folder. */
int tree_make_opaque(int parent, const char *name, struct err *e);
/* Sets an attribute of parent/name itself, also of a symbolic link. errno is left for the caller. */
int tree_set_xattr(int parent, const char *name, const char *key, const void *value, size_t length);

#endif

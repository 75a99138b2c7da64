/* SPDX-License-Identifier: Apache-2.0
 * Puts one entry of a layer into the tree, in overlayfs's form: ".wh.NAME" becomes a character device 0:0,
 * ".wh..wh..opq" an attribute of its folder. The last entry of a name wins. */
#ifndef WHERRY_LAYER_APPLY_H
#define WHERRY_LAYER_APPLY_H

#include "layer/headers.h"
#include "layer/implied.h"
#include "layer/tar.h"
#include "layer/times.h"
#include "layer/tree.h"

struct apply {
	struct tree tree;
	struct times times;
	struct tar *tar;
	struct headers *headers; /* or NULL */
	struct implied *implied; /* or NULL; set after apply_start() */
	uint64_t entries;
	uint64_t unpacked_bytes; /* stored content, written to files */
	uint64_t skipped_xattrs; /* that the file system cannot hold (user.* only) */
};

/* `root` is an open empty folder. */
int apply_start(struct apply *a, int root, struct tar *tar, struct headers *headers, struct err *e);
/* Reads the entry's content from the tar reader and writes all. Errors name the entry. */
int apply_entry(struct apply *a, const struct tar_entry *entry, struct err *e);
/* The folders' times; nothing may be put into the tree afterwards. */
int apply_end(struct apply *a, struct err *e);
void apply_close(struct apply *a);

/* Within the room (apply_meta.c): owner, mode, attributes and time of parent/name. `fd` is the file or -1. */
int apply_meta(struct apply *a, const struct tar_entry *entry, int parent, const char *name, int fd,
	       struct err *e);

#endif

/* SPDX-License-Identifier: Apache-2.0
 * Reads a tar archive from a source of bytes: ustar, V7, GNU (long names, base-256, old sparse) and POSIX
 * (pax, sparse 0.0, 0.1, 1.0). Gives one entry after the other with plain, relative names; holds one entry's
 * headers. Every byte that is not stored file content goes to `keep`, in order. It writes nothing itself. */
#ifndef WHERRY_LAYER_TAR_H
#define WHERRY_LAYER_TAR_H

#include "layer/name.h"
#include "layer/pax.h"
#include "layer/sparse.h"

#define TAR_BLOCK	   512u
#define TAR_ENTRIES_MAX	   1000000u		  /* headers of any kind, in one layer */
#define TAR_FILE_BYTES_MAX (UINT64_C(64) << 30)	  /* 64 GiB */
#define TAR_LONG_NAME_MAX  (PATH_MAX + TAR_BLOCK) /* of GNU's L and K bodies */

enum tar_type { TAR_FILE, TAR_LINK, TAR_SYMLINK, TAR_CHAR, TAR_BLOCK_DEVICE, TAR_FOLDER, TAR_FIFO };

struct tar_entry {
	enum tar_type type;
	char path[PATH_MAX];   /* plain and relative; "" is the root */
	char target[PATH_MAX]; /* of a hard link: plain and relative; of a symbolic link: as written */
	uint32_t mode, uid, gid, major, minor;
	int64_t mtime;
	uint32_t mtime_ns;
	uint64_t size;	       /* of a file: with its holes */
	struct sparse map;     /* where the stored bytes go; one segment for an ordinary file */
	const struct pax *pax; /* its xattrs */
};

struct tar_source {
	void *self;
	/* As stream_next. */
	int (*next)(void *self, const uint8_t **bytes, size_t *length, struct err *e);
};

struct tar_keep {
	void *self;
	int (*raw)(void *self, const uint8_t *bytes, size_t length, struct err *e);
};

struct tar {
	struct tar_source source;
	struct tar_keep keep; /* .raw may be NULL */
	uint64_t headers;     /* read so far */
	bool unmarked;	      /* the archive ended without its two zero blocks */
	/* private */
	const uint8_t *at;
	size_t left;
	bool ended;
	uint64_t stored_left; /* content of the current entry not yet read */
	uint32_t padding;
	bool type_is_old_sparse, has_local;
	char *long_name, *long_target;
	struct pax global, local;
	struct tar_entry entry;
	uint8_t header[TAR_BLOCK];
};

/* The next entry, or NULL at the end of the stream (all of it is read then). The entry lives until the next
 * call. Content that was not read is passed over and kept as raw bytes. Errors name the entry. */
int tar_next(struct tar *tar, const struct tar_entry **entry, struct err *e);
/* The next stored bytes of the entry; *length is 0 at its end. `raw`: keep gets them too. */
int tar_content(struct tar *tar, const uint8_t **bytes, size_t *length, bool raw, struct err *e);
void tar_close(struct tar *tar);

/* Within the room (tar.c, tar_entry.c): */
/* Exactly `length` bytes, kept; a shorter rest is ERR_STREAM. */
int tar_take(struct tar *tar, void *out, size_t length, struct err *e);
/* Fills tar->entry from tar->header, the long names and the extended headers. */
int tar_make_entry(struct tar *tar, struct err *e);

#endif

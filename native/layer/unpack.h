/* SPDX-License-Identifier: Apache-2.0
 * The verb unpack: a compressed layer on a descriptor becomes a tree. Success means: the bytes are those of
 * the digests, and the tree and the headers file are on the disk. On failure the folder may hold a part; the
 * caller throws it away. */
#ifndef WHERRY_LAYER_UNPACK_H
#define WHERRY_LAYER_UNPACK_H

#include "layer/sha256.h"
#include "shared/error.h"
#include <stdbool.h>

struct unpack {
	/* wanted */
	const char *diff_id;
	const char *blob;      /* digest of the compressed bytes, or NULL */
	uint64_t blob_bytes;   /* their count, or UINT64_MAX */
	uint64_t unpacked_max; /* of the uncompressed stream, or UINT64_MAX */
	int window_log;	       /* log2 of the largest zstd window */
	const char *headers;   /* path of the headers file, made here, or NULL */
	const char *implied;   /* path of the file with implied folders, made here, or NULL */
	const char *dir;       /* made if absent; must be empty */
	int progress_fd;       /* or -1 */
	/* given */
	char got_diff_id[SHA256_DIGEST_TEXT], got_blob[SHA256_DIGEST_TEXT];
	uint64_t got_blob_bytes, tar_bytes, entries, unpacked_bytes, skipped_xattrs;
	unsigned hardened;
};

int unpack(struct unpack *u, int in, struct err *e);

#endif

/* SPDX-License-Identifier: Apache-2.0
 * A compressed layer read from a descriptor, piece by piece: gzip (also many members), zstd (also many and
 * skippable frames) or plain, found by its first bytes. Both sides are hashed and counted.
 * Holds STREAM_IN_BYTES + STREAM_OUT_BYTES and the decompressor's window, never the layer.
 * It promises nothing about what is inside; a stream that ends too early or goes on behind its end is
 * ERR_STREAM. */
#ifndef WHERRY_LAYER_STREAM_H
#define WHERRY_LAYER_STREAM_H

#include "layer/sha256.h"
#include "shared/error.h"

#define STREAM_IN_BYTES	      ((size_t)64 * 1024)
#define STREAM_OUT_BYTES      ((size_t)128 * 1024)
#define STREAM_WINDOW_LOG_MIN 20		  /* 1 MiB */
#define STREAM_WINDOW_LOG_MAX 27		  /* 128 MiB, what the zstd program takes by default */
#define STREAM_TAR_BYTES_MAX  (UINT64_C(1) << 40) /* 1 TiB */

enum stream_kind { STREAM_PLAIN, STREAM_GZIP, STREAM_ZSTD };

struct stream {
	enum stream_kind kind;
	struct sha256 blob, tar;
	uint64_t blob_bytes, tar_bytes;
	uint64_t blob_max; /* more compressed bytes are ERR_DIGEST */
	uint64_t tar_max;  /* more uncompressed bytes are ERR_LIMIT with EFBIG */
	int window_log;	   /* a zstd window of more than 2^window_log bytes is ERR_LIMIT */
	int progress_fd;   /* gets a line of blob_bytes at most 5 times a second; -1 for none */
	struct stream_state *state;
};

struct stream_bounds {
	uint64_t blob_max, tar_max; /* UINT64_MAX: none but our own */
	int window_log;
};

/* Makes the stream and reads its first bytes. */
int stream_open(struct stream *s, int fd, const struct stream_bounds *bounds, int progress_fd, struct err *e);
/* The next uncompressed bytes, valid until the next call; *length is 0 at the very end. */
int stream_next(struct stream *s, const uint8_t **bytes, size_t *length, struct err *e);
void stream_close(struct stream *s);

#endif

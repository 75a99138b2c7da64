/* SPDX-License-Identifier: Apache-2.0
 * The headers file: everything of a layer's tar stream that is not in the unpacked tree, so that the exact
 * tar can be made again. The format is in docs/headers-format.md; this page is the writer and what both sides
 * share. INVARIANT: the file's magic is written last, behind an fsync: a file that has it is whole. */
#ifndef WHERRY_LAYER_HEADERS_H
#define WHERRY_LAYER_HEADERS_H

#include "layer/sha256.h"
#include "shared/error.h"

#define HEADERS_MAGIC	    "WHRYHDR1"
#define HEADERS_FIRST_BYTES 128 /* magic, lengths and diffID; see headers_first */
#define HEADERS_CHUNK_BYTES 33	/* head of a chunk */
#define HEADERS_WINDOW_LOG  19	/* 512 KiB: what a reader must hold */
#define HEADERS_RAW_MAX	    ((size_t)64 * 1024)
#define HEADERS_LOST_MAX    65536u /* replaced files; ordinary layers have none */

/* Chunks. Numbers are little-endian. */
#define HEADERS_RECORDS 'R' /* a zstd frame of records */
#define HEADERS_LOST	'L' /* a path, then a zstd frame: a file's bytes that a later entry replaced */
/* Records. */
#define HEADERS_RAW	1 /* u32 length, bytes: as they stand in the tar */
#define HEADERS_CONTENT 2 /* u16 path length, path, u64 offset, u64 length: bytes of a file in the tree */

struct headers_first {
	uint64_t tar_bytes, records;
	char diff_id[SHA256_DIGEST_TEXT];
};

struct headers_chunk {
	uint8_t type;
	uint64_t stored;      /* bytes behind the head, the path included */
	uint64_t path_length; /* 0 for records */
	uint64_t plain;	      /* bytes when decompressed */
	uint64_t reserved;
};

struct headers; /* the writer */

/* Writes to fd, a new regular file, which stays the caller's. */
int headers_open(struct headers **out, int fd, struct err *e);
int headers_raw(void *headers, const uint8_t *bytes, size_t length, struct err *e);
int headers_content(struct headers *h, const char *path, uint64_t offset, uint64_t length, struct err *e);
/* The file at `path`, open as fd, is about to go: its bytes are kept. More than content_max bytes in all
 * (what the layer has brought so far) is ERR_LIMIT: each byte can be replaced once, so more is an attack with
 * links. */
int headers_lost(struct headers *h, const char *path, int fd, uint64_t content_max, struct err *e);
/* Ends the file and makes it durable. */
int headers_end(struct headers *h, uint64_t tar_bytes, const char *diff_id, struct err *e);
void headers_close(struct headers *h);

void headers_put_u64(uint8_t *out, uint64_t value);
uint64_t headers_get_u64(const uint8_t *bytes);

#endif

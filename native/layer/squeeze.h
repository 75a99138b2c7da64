/* SPDX-License-Identifier: Apache-2.0
 * The way out of pack: bytes are hashed, compressed and written, both sides counted. The same bytes and
 * settings give the same output: one thread, no name and no time in gzip's header. */
#ifndef WHERRY_LAYER_SQUEEZE_H
#define WHERRY_LAYER_SQUEEZE_H

#include "layer/sha256.h"
#include "shared/error.h"

#define SQUEEZE_WINDOW_LOG_MAX 23 /* 8 MiB: what a reader must hold */
#define SQUEEZE_LEVEL_DEFAULT  0

enum squeeze_kind { SQUEEZE_NONE, SQUEEZE_GZIP, SQUEEZE_ZSTD };

struct squeeze {
	struct sha256 blob, tar;
	uint64_t blob_bytes, tar_bytes;
	struct squeeze_state *state;
};

/* level: SQUEEZE_LEVEL_DEFAULT, or 1–9 for gzip and 1–22 for zstd (else ERR_USAGE). */
int squeeze_open(struct squeeze *s, int fd, enum squeeze_kind kind, int level, struct err *e);
int squeeze_put(struct squeeze *s, const void *bytes, size_t length, struct err *e);
int squeeze_end(struct squeeze *s, struct err *e);
void squeeze_close(struct squeeze *s);

#endif

/* SPDX-License-Identifier: Apache-2.0
 * See squeeze.h. */
#include "layer/squeeze.h"
#include "shared/fd.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#define OUT_BYTES  ((size_t)128 * 1024)
#define GZIP_LEVEL 6
#define ZSTD_LEVEL 3

struct squeeze_state {
	int fd;
	enum squeeze_kind kind;
	z_stream gzip;
	ZSTD_CCtx *zstd;
	uint8_t out[OUT_BYTES];
};

static int open_zstd(struct squeeze_state *st, int level, struct err *e)
{
	/* zstd's own windows: 2^21 at level 3, 2^23 from 16 on, more from 20 on. */
	st->zstd = ZSTD_createCCtx();
	if (st->zstd == NULL ||
	    ZSTD_isError(ZSTD_CCtx_setParameter(st->zstd, ZSTD_c_compressionLevel, level)) ||
	    ZSTD_isError(ZSTD_CCtx_setParameter(st->zstd, ZSTD_c_checksumFlag, 1)) ||
	    (level > 15 &&
	     ZSTD_isError(ZSTD_CCtx_setParameter(st->zstd, ZSTD_c_windowLog, SQUEEZE_WINDOW_LOG_MAX))))
		return err_set(e, ERR_MEMORY, 0, "zstd compressor");
	return 0;
}

int squeeze_open(struct squeeze *s, int fd, enum squeeze_kind kind, int level, struct err *e)
{
	memset(s, 0, sizeof(*s));
	sha256_start(&s->blob);
	sha256_start(&s->tar);
	int level_max = kind == SQUEEZE_ZSTD ? 22 : kind == SQUEEZE_GZIP ? 9 : 0;
	if (level < 0 || level > level_max)
		return err_set(e, ERR_USAGE, 0, "--level is 1 to 9 for gzip and 1 to 22 for zstd");
	struct squeeze_state *st = calloc(1, sizeof(*st));
	if (st == NULL)
		return err_set(e, ERR_MEMORY, 0, "pack");
	st->fd = fd;
	st->kind = kind;
	s->state = st;
	if (kind == SQUEEZE_ZSTD)
		return open_zstd(st, level == SQUEEZE_LEVEL_DEFAULT ? ZSTD_LEVEL : level, e);
	if (kind == SQUEEZE_GZIP &&
	    deflateInit2(&st->gzip, level == SQUEEZE_LEVEL_DEFAULT ? GZIP_LEVEL : level, Z_DEFLATED, 15 + 16,
			 8, Z_DEFAULT_STRATEGY) != Z_OK)
		return err_set(e, ERR_MEMORY, 0, "gzip compressor");
	return 0;
}

static int emit(struct squeeze *s, const void *bytes, size_t length, struct err *e)
{
	if (length == 0)
		return 0;
	sha256_add(&s->blob, bytes, length);
	s->blob_bytes += length;
	return fd_write_all(s->state->fd, bytes, length, e) != 0 ? err_add(e, "blob") : 0;
}

static int put_gzip(struct squeeze *s, const void *bytes, size_t length, bool last, struct err *e)
{
	struct squeeze_state *st = s->state;
	st->gzip.next_in = (z_const Bytef *)bytes;
	st->gzip.avail_in = (uInt)length;
	int got;
	do {
		st->gzip.next_out = st->out;
		st->gzip.avail_out = sizeof(st->out);
		got = deflate(&st->gzip, last ? Z_FINISH : Z_NO_FLUSH);
		if (got == Z_STREAM_ERROR)
			return err_set(e, ERR_SYSTEM, 0, "gzip compressor");
		if (emit(s, st->out, sizeof(st->out) - st->gzip.avail_out, e) != 0)
			return -1;
	} while (last ? got != Z_STREAM_END : st->gzip.avail_out == 0);
	return 0;
}

static int put_zstd(struct squeeze *s, const void *bytes, size_t length, bool last, struct err *e)
{
	struct squeeze_state *st = s->state;
	ZSTD_inBuffer in = {bytes, length, 0};
	size_t left;
	do {
		ZSTD_outBuffer out = {st->out, sizeof(st->out), 0};
		left = ZSTD_compressStream2(st->zstd, &out, &in, last ? ZSTD_e_end : ZSTD_e_continue);
		if (ZSTD_isError(left))
			return err_set(e, ERR_MEMORY, 0, "zstd: %s", ZSTD_getErrorName(left));
		if (emit(s, st->out, out.pos, e) != 0)
			return -1;
	} while (last ? left != 0 : in.pos < in.size);
	return 0;
}

static int put(struct squeeze *s, const void *bytes, size_t length, bool last, struct err *e)
{
	switch (s->state->kind) {
	case SQUEEZE_NONE:
		return emit(s, bytes, length, e);
	case SQUEEZE_GZIP:
		return put_gzip(s, bytes, length, last, e);
	case SQUEEZE_ZSTD:
		return put_zstd(s, bytes, length, last, e);
	}
	return 0;
}

int squeeze_put(struct squeeze *s, const void *bytes, size_t length, struct err *e)
{
	sha256_add(&s->tar, bytes, length);
	s->tar_bytes += length;
	return put(s, bytes, length, false, e);
}

int squeeze_end(struct squeeze *s, struct err *e)
{
	return put(s, NULL, 0, true, e);
}

void squeeze_close(struct squeeze *s)
{
	if (s->state == NULL)
		return;
	if (s->state->kind == SQUEEZE_GZIP)
		(void)deflateEnd(&s->state->gzip);
	ZSTD_freeCCtx(s->state->zstd);
	free(s->state);
	s->state = NULL;
}

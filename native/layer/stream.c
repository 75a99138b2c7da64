/* SPDX-License-Identifier: Apache-2.0
 * Reading, finding the kind, decompressing and hashing of a layer's bytes. See stream.h for the bounds. */
#include "layer/stream.h"
#include "shared/fd.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#define PROGRESS_NS 200000000 /* 5 lines a second */

struct stream_state {
	int fd;
	bool in_ended;	  /* the descriptor has no more */
	bool inside;	  /* inside a gzip member or zstd frame: an end here is a truncation */
	bool out_waiting; /* the decompressor may hold more output without new input */
	uint8_t *in_at;
	size_t in_left;
	z_stream gzip;
	ZSTD_DCtx *zstd;
	struct timespec told;
	uint8_t in[STREAM_IN_BYTES];
	uint8_t out[STREAM_OUT_BYTES];
};

static void tell(struct stream *s, bool last)
{
	struct timespec now;
	if (s->progress_fd < 0 || clock_gettime(CLOCK_MONOTONIC, &now) != 0)
		return;
	struct timespec *told = &s->state->told;
	int64_t passed = (int64_t)(now.tv_sec - told->tv_sec) * 1000000000 + (now.tv_nsec - told->tv_nsec);
	if (!last && passed < PROGRESS_NS)
		return;
	*told = now;
	char line[32];
	int length = snprintf(line, sizeof(line), "%llu\n", (unsigned long long)s->blob_bytes);
	/* A reader that went away must not end the unpacking: SIGPIPE is ignored in main. */
	if (length > 0 && write(s->progress_fd, line, (size_t)length) < 0 && errno == EPIPE)
		s->progress_fd = -1;
}

/* Reads more behind what is left (at most STREAM_IN_BYTES in all). */
static int fill(struct stream *s, struct err *e)
{
	struct stream_state *st = s->state;
	if (st->in_left > 0 && st->in_at != st->in)
		memmove(st->in, st->in_at, st->in_left);
	st->in_at = st->in;
	ssize_t got;
	do {
		got = read(st->fd, st->in + st->in_left, sizeof(st->in) - st->in_left);
	} while (got < 0 && errno == EINTR);
	if (got < 0)
		return err_set(e, ERR_SYSTEM, errno, "read of the compressed layer");
	if (got == 0) {
		st->in_ended = true;
		tell(s, true);
		return 0;
	}
	sha256_add(&s->blob, st->in + st->in_left, (size_t)got);
	s->blob_bytes += (uint64_t)got;
	st->in_left += (size_t)got;
	if (s->blob_bytes > s->blob_max)
		return err_set(e, ERR_DIGEST, 0, "the blob is longer than its %llu bytes",
			       (unsigned long long)s->blob_max);
	tell(s, false);
	return 0;
}

static bool is_zstd(const uint8_t *p)
{
	bool frame = p[0] == 0x28 && p[1] == 0xb5 && p[2] == 0x2f && p[3] == 0xfd;
	bool skippable = (p[0] & 0xf0) == 0x50 && p[1] == 0x2a && p[2] == 0x4d && p[3] == 0x18;
	return frame || skippable;
}

static int find_kind(struct stream *s, struct err *e)
{
	struct stream_state *st = s->state;
	while (st->in_left < 4 && !st->in_ended) {
		if (fill(s, e) != 0)
			return -1;
	}
	if (st->in_left == 0)
		return err_set(e, ERR_STREAM, 0, "the stream is empty");
	if (st->in_left >= 2 && st->in[0] == 0x1f && st->in[1] == 0x8b) {
		s->kind = STREAM_GZIP;
		if (inflateInit2(&st->gzip, 15 + 16) != Z_OK)
			return err_set(e, ERR_MEMORY, 0, "gzip decompressor");
	} else if (st->in_left >= 4 && is_zstd(st->in)) {
		s->kind = STREAM_ZSTD;
		st->zstd = ZSTD_createDCtx();
		if (st->zstd == NULL ||
		    ZSTD_isError(ZSTD_DCtx_setParameter(st->zstd, ZSTD_d_windowLogMax, s->window_log)))
			return err_set(e, ERR_MEMORY, 0, "zstd decompressor");
	}
	return 0;
}

int stream_open(struct stream *s, int fd, const struct stream_bounds *bounds, int progress_fd, struct err *e)
{
	memset(s, 0, sizeof(*s));
	s->blob_max = bounds->blob_max;
	s->tar_max = bounds->tar_max < STREAM_TAR_BYTES_MAX ? bounds->tar_max : STREAM_TAR_BYTES_MAX;
	s->window_log = bounds->window_log;
	s->progress_fd = progress_fd;
	sha256_start(&s->blob);
	sha256_start(&s->tar);
	s->state = calloc(1, sizeof(*s->state));
	if (s->state == NULL)
		return err_set(e, ERR_MEMORY, 0, "stream buffers");
	s->state->fd = fd;
	s->state->in_at = s->state->in;
	return find_kind(s, e);
}

static int next_plain(struct stream *s, size_t *length)
{
	struct stream_state *st = s->state;
	size_t take = st->in_left < sizeof(st->out) ? st->in_left : sizeof(st->out);
	memcpy(st->out, st->in_at, take);
	st->in_at += take;
	st->in_left -= take;
	*length = take;
	return 0;
}

/* RFC 1952 §2.2: a gzip file is a series of members. */
static int next_gzip(struct stream *s, size_t *length, struct err *e)
{
	struct stream_state *st = s->state;
	st->gzip.next_in = st->in_at;
	st->gzip.avail_in = (uInt)st->in_left;
	st->gzip.next_out = st->out;
	st->gzip.avail_out = sizeof(st->out);
	st->inside = true;
	int got = inflate(&st->gzip, Z_NO_FLUSH);
	st->in_at = st->gzip.next_in;
	st->in_left = st->gzip.avail_in;
	*length = sizeof(st->out) - st->gzip.avail_out;
	st->out_waiting = st->gzip.avail_out == 0 && got != Z_STREAM_END;
	if (got == Z_STREAM_END) {
		st->inside = false;
		if (inflateReset(&st->gzip) != Z_OK)
			return err_set(e, ERR_STREAM, 0, "gzip: next member");
		return 0;
	}
	if (got == Z_MEM_ERROR)
		return err_set(e, ERR_MEMORY, 0, "gzip decompressor");
	if (got != Z_OK && got != Z_BUF_ERROR)
		return err_set(e, ERR_STREAM, 0, "gzip: %s at byte %llu",
			       st->gzip.msg != NULL ? st->gzip.msg : "broken stream",
			       (unsigned long long)(s->blob_bytes - st->in_left));
	return 0;
}

static int next_zstd(struct stream *s, size_t *length, struct err *e)
{
	struct stream_state *st = s->state;
	ZSTD_inBuffer in = {st->in_at, st->in_left, 0};
	ZSTD_outBuffer out = {st->out, sizeof(st->out), 0};
	size_t got = ZSTD_decompressStream(st->zstd, &out, &in);
	if (ZSTD_getErrorCode(got) == ZSTD_error_frameParameter_windowTooLarge)
		return err_set(
		    e, ERR_LIMIT, 0,
		    "the layer's zstd window is larger than the 2^%d bytes (%d MiB) that are allowed "
		    "here: compress it with zstd --long=%d or less, or with gzip",
		    s->window_log, 1 << (s->window_log - 20), s->window_log);
	if (ZSTD_isError(got)) {
		enum err_code code =
		    ZSTD_getErrorCode(got) == ZSTD_error_memory_allocation ? ERR_MEMORY : ERR_STREAM;
		return err_set(e, code, 0, "zstd: %s at byte %llu", ZSTD_getErrorName(got),
			       (unsigned long long)(s->blob_bytes - st->in_left));
	}
	st->in_at += in.pos;
	st->in_left -= in.pos;
	st->inside = got != 0;
	st->out_waiting = out.pos == out.size && got != 0;
	*length = out.pos;
	return 0;
}

static int step(struct stream *s, size_t *length, struct err *e)
{
	switch (s->kind) {
	case STREAM_PLAIN:
		return next_plain(s, length);
	case STREAM_GZIP:
		return next_gzip(s, length, e);
	case STREAM_ZSTD:
		return next_zstd(s, length, e);
	}
	return 0;
}

int stream_next(struct stream *s, const uint8_t **bytes, size_t *length, struct err *e)
{
	struct stream_state *st = s->state;
	*length = 0;
	while (*length == 0) {
		if (st->in_left == 0 && !st->in_ended && !st->out_waiting && fill(s, e) != 0)
			return -1;
		if (st->in_left == 0 && st->in_ended && !st->out_waiting) {
			if (st->inside)
				return err_set(e, ERR_STREAM, 0,
					       "the compressed stream is cut short at byte %llu",
					       (unsigned long long)s->blob_bytes);
			*bytes = st->out;
			return 0;
		}
		if (step(s, length, e) != 0)
			return -1;
	}
	s->tar_bytes += *length;
	if (s->tar_bytes > s->tar_max)
		return err_set(e, ERR_LIMIT, EFBIG, "the layer unpacks to more than %llu bytes",
			       (unsigned long long)s->tar_max);
	sha256_add(&s->tar, st->out, *length);
	*bytes = st->out;
	return 0;
}

void stream_close(struct stream *s)
{
	if (s->state == NULL)
		return;
	if (s->kind == STREAM_GZIP)
		(void)inflateEnd(&s->state->gzip);
	ZSTD_freeDCtx(s->state->zstd);
	free(s->state);
	s->state = NULL;
}

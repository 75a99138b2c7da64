/* SPDX-License-Identifier: Apache-2.0
 * The writer of the headers file: raw bytes gathered to HEADERS_RAW_MAX, compressed record by record. Holds a
 * small compressor (window of 2^HEADERS_WINDOW_LOG) and two buffers. */
#include "layer/headers.h"
#include "shared/fd.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#define LEVEL	  3
#define OUT_BYTES ((size_t)64 * 1024)

struct headers {
	int fd;
	ZSTD_CCtx *zstd;
	bool open;	 /* a records chunk is open */
	uint64_t at;	 /* of the open chunk's head */
	uint64_t stored; /* bytes of the open chunk so far */
	uint64_t plain;
	uint64_t records, lost_bytes, lost_count;
	size_t raw_used;
	uint8_t raw[HEADERS_RAW_MAX];
	uint8_t out[OUT_BYTES];
};

void headers_put_u64(uint8_t *out, uint64_t value)
{
	for (size_t i = 0; i < 8; i++)
		out[i] = (uint8_t)(value >> (8 * i));
}

uint64_t headers_get_u64(const uint8_t *bytes)
{
	uint64_t value = 0;
	for (size_t i = 0; i < 8; i++)
		value |= (uint64_t)bytes[i] << (8 * i);
	return value;
}

int headers_open(struct headers **out, int fd, struct err *e)
{
	struct headers *h = calloc(1, sizeof(*h));
	if (h == NULL)
		return err_set(e, ERR_MEMORY, 0, "headers file");
	h->fd = fd;
	h->zstd = ZSTD_createCCtx();
	if (h->zstd == NULL ||
	    ZSTD_isError(ZSTD_CCtx_setParameter(h->zstd, ZSTD_c_compressionLevel, LEVEL)) ||
	    ZSTD_isError(ZSTD_CCtx_setParameter(h->zstd, ZSTD_c_windowLog, HEADERS_WINDOW_LOG)) ||
	    ZSTD_isError(ZSTD_CCtx_setParameter(h->zstd, ZSTD_c_checksumFlag, 1))) {
		headers_close(h);
		return err_set(e, ERR_MEMORY, 0, "headers file: compressor");
	}
	static const uint8_t nothing[HEADERS_FIRST_BYTES];
	if (fd_write_all(fd, nothing, sizeof(nothing), e) != 0) {
		headers_close(h);
		return err_at(e, "headers file");
	}
	*out = h;
	return 0;
}

/* Compresses and writes; ZSTD_e_end finishes the frame. */
static int put(struct headers *h, const void *bytes, size_t length, ZSTD_EndDirective how, struct err *e)
{
	ZSTD_inBuffer in = {bytes, length, 0};
	size_t left;
	do {
		ZSTD_outBuffer out = {h->out, sizeof(h->out), 0};
		left = ZSTD_compressStream2(h->zstd, &out, &in, how);
		if (ZSTD_isError(left))
			return err_set(e, ERR_MEMORY, 0, "headers file: %s", ZSTD_getErrorName(left));
		if (out.pos > 0 && fd_write_all(h->fd, h->out, out.pos, e) != 0)
			return err_at(e, "headers file");
		h->stored += out.pos;
	} while (how == ZSTD_e_end ? left != 0 : in.pos < in.size);
	h->plain += length;
	return 0;
}

static int pwrite_all(int fd, const uint8_t *bytes, size_t length, uint64_t at, struct err *e)
{
	while (length > 0) {
		ssize_t put_bytes = pwrite(fd, bytes, length, (off_t)at);
		if (put_bytes < 0 && errno == EINTR)
			continue;
		if (put_bytes <= 0)
			return err_set(e, ERR_SYSTEM, errno, "headers file");
		bytes += put_bytes;
		length -= (size_t)put_bytes;
		at += (uint64_t)put_bytes;
	}
	return 0;
}

/* A chunk's head is written empty first and filled in when its lengths are known. */
static int chunk_open(struct headers *h, const char *path, struct err *e)
{
	uint8_t head[HEADERS_CHUNK_BYTES] = {0};
	off_t at = lseek(h->fd, 0, SEEK_CUR);
	if (at < 0)
		return err_set(e, ERR_SYSTEM, errno, "headers file");
	h->at = (uint64_t)at;
	h->stored = strlen(path);
	h->plain = 0;
	if (fd_write_all(h->fd, head, sizeof(head), e) != 0 ||
	    fd_write_all(h->fd, path, strlen(path), e) != 0)
		return err_at(e, "headers file");
	return 0;
}

static int chunk_end(struct headers *h, uint8_t type, const char *path, struct err *e)
{
	if (put(h, NULL, 0, ZSTD_e_end, e) != 0)
		return -1;
	uint8_t head[HEADERS_CHUNK_BYTES] = {type};
	headers_put_u64(head + 1, h->stored);
	headers_put_u64(head + 9, strlen(path));
	headers_put_u64(head + 17, h->plain);
	return pwrite_all(h->fd, head, sizeof(head), h->at, e);
}

static int record(struct headers *h, const void *head, size_t head_length, const void *body,
		  size_t body_length, struct err *e)
{
	if (!h->open && chunk_open(h, "", e) != 0)
		return -1;
	h->open = true;
	h->records++;
	return put(h, head, head_length, ZSTD_e_continue, e) != 0
		   ? -1
		   : put(h, body, body_length, ZSTD_e_continue, e);
}

static int flush_raw(struct headers *h, struct err *e)
{
	if (h->raw_used == 0)
		return 0;
	uint8_t head[5] = {HEADERS_RAW};
	for (size_t i = 0; i < 4; i++)
		head[1 + i] = (uint8_t)(h->raw_used >> (8 * i));
	size_t length = h->raw_used;
	h->raw_used = 0;
	return record(h, head, sizeof(head), h->raw, length, e);
}

int headers_raw(void *headers, const uint8_t *bytes, size_t length, struct err *e)
{
	struct headers *h = headers;
	while (length > 0) {
		size_t step = sizeof(h->raw) - h->raw_used < length ? sizeof(h->raw) - h->raw_used : length;
		memcpy(h->raw + h->raw_used, bytes, step);
		h->raw_used += step;
		bytes += step;
		length -= step;
		if (h->raw_used == sizeof(h->raw) && flush_raw(h, e) != 0)
			return -1;
	}
	return 0;
}

int headers_content(struct headers *h, const char *path, uint64_t offset, uint64_t length, struct err *e)
{
	if (length == 0)
		return 0;
	if (flush_raw(h, e) != 0)
		return -1;
	uint8_t numbers[16];
	size_t path_length = strlen(path); /* < PATH_MAX */
	uint8_t head[3] = {HEADERS_CONTENT, (uint8_t)path_length, (uint8_t)(path_length >> 8)};
	headers_put_u64(numbers, offset);
	headers_put_u64(numbers + 8, length);
	return record(h, head, sizeof(head), path, path_length, e) != 0
		   ? -1
		   : put(h, numbers, sizeof(numbers), ZSTD_e_continue, e);
}

static int end_records(struct headers *h, struct err *e)
{
	if (flush_raw(h, e) != 0)
		return -1;
	if (!h->open)
		return 0;
	h->open = false;
	return chunk_end(h, HEADERS_RECORDS, "", e);
}

int headers_lost(struct headers *h, const char *path, int fd, uint64_t content_max, struct err *e)
{
	struct stat st;
	if (fstat(fd, &st) != 0)
		return err_set(e, ERR_SYSTEM, errno, "headers file: replaced file");
	if (st.st_size == 0)
		return 0;
	h->lost_bytes += (uint64_t)st.st_size;
	h->lost_count++;
	if (h->lost_bytes > content_max || h->lost_count > HEADERS_LOST_MAX)
		return err_set(e, ERR_LIMIT, 0, "entries replace more files or bytes than the layer may");
	if (end_records(h, e) != 0 || chunk_open(h, path, e) != 0)
		return -1;
	for (;;) {
		ssize_t got = read(fd, h->raw, sizeof(h->raw)); /* free: end_records has flushed it */
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_set(e, ERR_SYSTEM, errno, "headers file: replaced file");
		if (got == 0)
			return chunk_end(h, HEADERS_LOST, path, e);
		if (put(h, h->raw, (size_t)got, ZSTD_e_continue, e) != 0)
			return -1;
	}
}

int headers_end(struct headers *h, uint64_t tar_bytes, const char *diff_id, struct err *e)
{
	if (end_records(h, e) != 0)
		return -1;
	uint8_t first[HEADERS_FIRST_BYTES] = HEADERS_MAGIC;
	headers_put_u64(first + 8, tar_bytes);
	headers_put_u64(first + 16, h->records);
	memcpy(first + 24, diff_id, strlen(diff_id));
	if (fsync(h->fd) != 0)
		return err_set(e, ERR_SYSTEM, errno, "headers file: fsync");
	if (pwrite_all(h->fd, first, sizeof(first), 0, e) != 0)
		return -1;
	if (fsync(h->fd) != 0)
		return err_set(e, ERR_SYSTEM, errno, "headers file: fsync");
	return 0;
}

void headers_close(struct headers *h)
{
	if (h == NULL)
		return;
	ZSTD_freeCCtx(h->zstd);
	free(h);
}

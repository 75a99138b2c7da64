/* SPDX-License-Identifier: Apache-2.0
 * Reads a headers file (docs/headers-format.md) in two passes: the heads of all chunks, to know which files
 * were replaced later, then the records in order. Every length is checked against the file before it is used.
 */
#include "layer/rebuild.h"
#include "layer/headers.h"
#include "layer/inflow.h"
#include "layer/name.h"
#include "layer/tree.h"
#include "shared/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct lost {
	uint64_t hash;	/* of its path */
	uint64_t chunk; /* its number: the content of earlier chunks is meant */
	uint64_t at;	/* of its path in the file */
	uint64_t path_length, stored;
};

struct rebuild {
	int fd, out;
	struct tree tree;
	struct headers_first first;
	struct lost *lost;
	size_t lost_count, lost_room;
	uint64_t chunk, file_bytes;
	struct sha256 sum;
	uint64_t written;
	char open_path[PATH_MAX]; /* the file that open_fd is */
	int open_fd;
	uint8_t buffer[HEADERS_RAW_MAX];
};

static int broken(struct err *e, const char *what)
{
	return err_set(e, ERR_STREAM, 0, "headers file: %s", what);
}

static int read_at(struct rebuild *r, void *out, size_t length, uint64_t at, struct err *e)
{
	uint8_t *to = out;
	while (length > 0) {
		ssize_t got = pread(r->fd, to, length, (off_t)at);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_set(e, ERR_SYSTEM, errno, "headers file");
		if (got == 0)
			return broken(e, "cut short");
		to += got;
		length -= (size_t)got;
		at += (uint64_t)got;
	}
	return 0;
}

static int put(struct rebuild *r, const uint8_t *bytes, size_t length, struct err *e)
{
	r->written += length;
	if (r->written > r->first.tar_bytes)
		return broken(e, "more bytes than the tar has");
	sha256_add(&r->sum, bytes, length);
	return fd_write_all(r->out, bytes, length, e);
}

static int read_first(struct rebuild *r, struct err *e)
{
	uint8_t first[HEADERS_FIRST_BYTES];
	struct stat st;
	if (fstat(r->fd, &st) != 0)
		return err_set(e, ERR_SYSTEM, errno, "headers file");
	r->file_bytes = (uint64_t)st.st_size;
	if (read_at(r, first, sizeof(first), 0, e) != 0)
		return -1;
	if (memcmp(first, HEADERS_MAGIC, 8) != 0)
		return broken(e, "no " HEADERS_MAGIC " at its start: not a headers file, or not a whole one");
	r->first.tar_bytes = headers_get_u64(first + 8);
	r->first.records = headers_get_u64(first + 16);
	memcpy(r->first.diff_id, first + 24, sizeof(r->first.diff_id) - 1);
	return sha256_is_digest(r->first.diff_id) ? 0 : broken(e, "bad diffID");
}

static int read_chunk(struct rebuild *r, uint64_t at, struct headers_chunk *chunk, struct err *e)
{
	uint8_t head[HEADERS_CHUNK_BYTES];
	if (read_at(r, head, sizeof(head), at, e) != 0)
		return -1;
	chunk->type = head[0];
	chunk->stored = headers_get_u64(head + 1);
	chunk->path_length = headers_get_u64(head + 9);
	chunk->plain = headers_get_u64(head + 17);
	if ((chunk->type != HEADERS_RECORDS && chunk->type != HEADERS_LOST) ||
	    chunk->stored > r->file_bytes - at - sizeof(head) || chunk->path_length > chunk->stored ||
	    chunk->path_length > NAME_BYTES_MAX)
		return broken(e, "bad chunk");
	return 0;
}

/* FNV-1a. */
static uint64_t hash_of(const char *text, size_t length)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);
	for (size_t i = 0; i < length; i++)
		hash = (hash ^ (uint8_t)text[i]) * UINT64_C(0x100000001b3);
	return hash;
}

static int by_hash_and_chunk(const void *left, const void *right)
{
	const struct lost *a = left;
	const struct lost *b = right;
	if (a->hash != b->hash)
		return a->hash < b->hash ? -1 : 1;
	return a->chunk < b->chunk ? -1 : a->chunk > b->chunk;
}

static int note_lost(struct rebuild *r, struct lost lost, struct err *e)
{
	char path[PATH_MAX];
	if (read_at(r, path, (size_t)lost.path_length, lost.at, e) != 0)
		return -1;
	lost.hash = hash_of(path, (size_t)lost.path_length);
	if (r->lost_count == r->lost_room) {
		size_t room = r->lost_room == 0 ? 16 : r->lost_room * 2;
		struct lost *grown =
		    room / 2 > HEADERS_LOST_MAX ? NULL : realloc(r->lost, room * sizeof(*grown));
		if (grown == NULL)
			return err_set(e, ERR_MEMORY, 0, "headers file: replaced files");
		r->lost = grown;
		r->lost_room = room;
	}
	r->lost[r->lost_count++] = lost;
	return 0;
}

/* First pass. */
static int scan(struct rebuild *r, struct err *e)
{
	uint64_t number = 0;
	for (uint64_t at = HEADERS_FIRST_BYTES; at < r->file_bytes; number++) {
		struct headers_chunk chunk = {0};
		if (read_chunk(r, at, &chunk, e) != 0)
			return -1;
		at += HEADERS_CHUNK_BYTES;
		struct lost lost = {0, number, at, chunk.path_length, chunk.stored};
		if (chunk.type == HEADERS_LOST && note_lost(r, lost, e) != 0)
			return -1;
		at += chunk.stored;
	}
	if (r->lost_count > 0)
		qsort(r->lost, r->lost_count, sizeof(r->lost[0]), by_hash_and_chunk);
	return 0;
}

/* The first chunk behind the current one that holds the lost bytes of `path`; NULL if the tree has them. */
static int find_lost(struct rebuild *r, const char *path, const struct lost **out, struct err *e)
{
	size_t length = strlen(path);
	struct lost want = {.hash = hash_of(path, length), .chunk = r->chunk};
	size_t low = 0;
	size_t high = r->lost_count;
	*out = NULL;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (by_hash_and_chunk(&r->lost[middle], &want) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < r->lost_count && r->lost[low].hash == want.hash; low++) {
		char name[PATH_MAX];
		if (r->lost[low].path_length != length)
			continue;
		if (read_at(r, name, length, r->lost[low].at, e) != 0)
			return -1;
		if (memcmp(name, path, length) == 0) {
			*out = &r->lost[low];
			return 0;
		}
	}
	return 0;
}

static int put_lost(struct rebuild *r, const struct lost *lost, uint64_t offset, uint64_t length,
		    struct err *e)
{
	struct inflow *flow = NULL;
	if (inflow_open(&flow, r->fd, lost->at + lost->path_length, lost->stored - lost->path_length, e) != 0)
		return -1;
	int done = inflow_skip(flow, offset, e);
	while (done == 0 && length > 0) {
		size_t step = length < sizeof(r->buffer) ? (size_t)length : sizeof(r->buffer);
		done = inflow_take(flow, r->buffer, step, e) != 0 ? -1 : put(r, r->buffer, step, e);
		length -= step;
	}
	inflow_close(flow);
	return done;
}

static int open_file(struct rebuild *r, const char *path, struct err *e)
{
	if (r->open_fd >= 0 && strcmp(r->open_path, path) == 0)
		return 0;
	fd_close_auto(&r->open_fd);
	r->open_fd = -1;
	r->open_fd = tree_open_file(&r->tree, path, e);
	if (r->open_fd < 0)
		return -1;
	memcpy(r->open_path, path, strlen(path) + 1);
	return 0;
}

static int put_content(struct rebuild *r, const char *path, uint64_t offset, uint64_t length, struct err *e)
{
	const struct lost *lost = NULL;
	if (find_lost(r, path, &lost, e) != 0)
		return -1;
	if (lost != NULL)
		return put_lost(r, lost, offset, length, e);
	if (open_file(r, path, e) != 0)
		return -1;
	while (length > 0) {
		size_t step = length < sizeof(r->buffer) ? (size_t)length : sizeof(r->buffer);
		ssize_t got = pread(r->open_fd, r->buffer, step, (off_t)offset);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_set(e, ERR_SYSTEM, errno, "%.100s", path);
		if (got == 0)
			return err_set(e, ERR_DIGEST, 0, "%.100s is shorter than the layer's", path);
		if (put(r, r->buffer, (size_t)got, e) != 0)
			return -1;
		offset += (uint64_t)got;
		length -= (uint64_t)got;
	}
	return 0;
}

static int put_raw(struct rebuild *r, struct inflow *flow, struct err *e)
{
	uint8_t size[4];
	if (inflow_take(flow, size, sizeof(size), e) != 0)
		return -1;
	uint32_t length =
	    (uint32_t)size[0] | (uint32_t)size[1] << 8 | (uint32_t)size[2] << 16 | (uint32_t)size[3] << 24;
	if (length > sizeof(r->buffer))
		return broken(e, "bad record");
	return inflow_take(flow, r->buffer, length, e) != 0 ? -1 : put(r, r->buffer, length, e);
}

static int put_reference(struct rebuild *r, struct inflow *flow, struct err *e)
{
	uint8_t size[2];
	uint8_t numbers[16];
	char raw[PATH_MAX];
	char path[PATH_MAX];
	if (inflow_take(flow, size, sizeof(size), e) != 0)
		return -1;
	size_t length = (size_t)size[0] | (size_t)size[1] << 8;
	if (length == 0 || length > NAME_BYTES_MAX)
		return broken(e, "bad record");
	if (inflow_take(flow, raw, length, e) != 0 || inflow_take(flow, numbers, sizeof(numbers), e) != 0 ||
	    name_plain(raw, length, path, e) != 0)
		return -1;
	uint64_t offset = headers_get_u64(numbers);
	uint64_t bytes = headers_get_u64(numbers + 8);
	if (offset > INT64_MAX || bytes > r->first.tar_bytes)
		return broken(e, "bad record");
	return put_content(r, path, offset, bytes, e);
}

static int put_records(struct rebuild *r, const struct headers_chunk *chunk, uint64_t at, struct err *e)
{
	struct inflow *flow = NULL;
	if (inflow_open(&flow, r->fd, at, chunk->stored, e) != 0)
		return -1;
	int done = 0;
	while (done == 0 && inflow_taken(flow) < chunk->plain) {
		uint8_t type;
		done = inflow_take(flow, &type, 1, e);
		if (done == 0 && type == HEADERS_RAW)
			done = put_raw(r, flow, e);
		else if (done == 0 && type == HEADERS_CONTENT)
			done = put_reference(r, flow, e);
		else if (done == 0)
			done = broken(e, "bad record");
	}
	inflow_close(flow);
	return done;
}

/* Second pass. */
static int replay(struct rebuild *r, struct err *e)
{
	for (uint64_t at = HEADERS_FIRST_BYTES; at < r->file_bytes; r->chunk++) {
		struct headers_chunk chunk = {0};
		if (read_chunk(r, at, &chunk, e) != 0)
			return -1;
		at += HEADERS_CHUNK_BYTES;
		if (chunk.type == HEADERS_RECORDS && put_records(r, &chunk, at, e) != 0)
			return -1;
		at += chunk.stored;
	}
	char sum[SHA256_DIGEST_TEXT];
	sha256_end_text(&r->sum, sum);
	if (r->written != r->first.tar_bytes || strcmp(sum, r->first.diff_id) != 0)
		return err_set(e, ERR_DIGEST, 0, "the tree is not that of %s: its tar is %s",
			       r->first.diff_id, sum);
	return 0;
}

int rebuild(int headers_fd, int root, int out, struct err *e)
{
	struct rebuild *r = calloc(1, sizeof(*r));
	if (r == NULL)
		return err_set(e, ERR_MEMORY, 0, "rebuild");
	r->fd = headers_fd;
	r->out = out;
	r->open_fd = -1;
	sha256_start(&r->sum);
	tree_start(&r->tree, root);
	int done = read_first(r, e) != 0 || scan(r, e) != 0 || replay(r, e) != 0 ? -1 : 0;
	fd_close_auto(&r->open_fd);
	tree_end(&r->tree);
	free(r->lost);
	free(r);
	return done;
}

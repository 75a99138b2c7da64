/* SPDX-License-Identifier: Apache-2.0
 * See unpack.h. Everything is opened first, then the process gives its rights away, then the first byte is
 * parsed. */
#include "layer/unpack.h"
#include "layer/apply.h"
#include "layer/harden.h"
#include "layer/stream.h"
#include "layer/tar.h"
#include "shared/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int next_bytes(void *self, const uint8_t **bytes, size_t *length, struct err *e)
{
	return stream_next(self, bytes, length, e);
}

static int open_root(const char *dir, struct err *e)
{
	if (mkdir(dir, 0755) != 0 && errno != EEXIST)
		return err_set(e, ERR_SYSTEM, errno, "folder %.100s", dir);
	fd_auto int root = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int list = root < 0 ? -1 : openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *folder = list < 0 ? NULL : fdopendir(list);
	if (folder == NULL)
		return err_set(e, ERR_SYSTEM, errno, "folder %.100s", dir);
	const struct dirent *item;
	bool empty = true;
	while ((item = readdir(folder)) != NULL)
		empty = empty && (strcmp(item->d_name, ".") == 0 || strcmp(item->d_name, "..") == 0);
	closedir(folder);
	if (!empty)
		return err_set(e, ERR_USAGE, 0, "folder %.100s is not empty", dir);
	return fd_steal(&root);
}

/* The digests are compared when the whole stream has been read, padding and all. */
static int check_digests(struct unpack *u, struct stream *stream, bool unmarked, struct err *e)
{
	sha256_end_text(&stream->tar, u->got_diff_id);
	sha256_end_text(&stream->blob, u->got_blob);
	u->got_blob_bytes = stream->blob_bytes;
	u->tar_bytes = stream->tar_bytes;
	if (u->blob_bytes != UINT64_MAX && stream->blob_bytes < u->blob_bytes)
		return err_set(e, ERR_STREAM, 0, "the blob ends after %llu of %llu bytes",
			       (unsigned long long)stream->blob_bytes, (unsigned long long)u->blob_bytes);
	if (u->blob != NULL && strcmp(u->blob, u->got_blob) != 0)
		return err_set(e, ERR_DIGEST, 0, "the blob is not %s but %s", u->blob, u->got_blob);
	if (strcmp(u->diff_id, u->got_diff_id) == 0)
		return 0;
	if (unmarked)
		return err_set(e, ERR_STREAM, 0, "the archive ends without its mark, after %llu bytes",
			       (unsigned long long)stream->tar_bytes);
	return err_set(e, ERR_DIGEST, 0, "the layer is not %s but %s", u->diff_id, u->got_diff_id);
}

static int run(struct unpack *u, struct stream *stream, struct tar *tar, struct apply *apply, int in,
	       int root, struct headers *headers, struct implied *implied, struct err *e)
{
	const struct tar_entry *entry = NULL;
	struct stream_bounds bounds = {u->blob_bytes, u->unpacked_max, u->window_log};
	if (apply_start(apply, root, tar, headers, e) != 0 ||
	    stream_open(stream, in, &bounds, u->progress_fd, e) != 0)
		return -1;
	apply->implied = implied;
	for (;;) {
		if (tar_next(tar, &entry, e) != 0)
			return -1;
		if (entry == NULL)
			break;
		if (apply_entry(apply, entry, e) != 0)
			return -1;
	}
	if (check_digests(u, stream, tar->unmarked, e) != 0 || apply_end(apply, e) != 0)
		return -1;
	u->entries = apply->entries;
	u->unpacked_bytes = apply->unpacked_bytes;
	u->skipped_xattrs = apply->skipped_xattrs;
	if (syncfs(root) != 0) /* one call for all files and folders */
		return err_set(e, ERR_SYSTEM, errno, "syncfs of %.100s", u->dir);
	return headers == NULL ? 0 : headers_end(headers, u->tar_bytes, u->got_diff_id, e);
}

int unpack(struct unpack *u, int in, struct err *e)
{
	struct headers *headers = NULL;
	struct stream stream = {.state = NULL};
	struct apply *apply = calloc(1, sizeof(*apply));
	struct tar *tar = calloc(1, sizeof(*tar));
	if (apply == NULL || tar == NULL) {
		free(apply);
		free(tar);
		return err_set(e, ERR_MEMORY, 0, "unpack");
	}
	apply->tree.parent = -1;
	fd_auto int root = open_root(u->dir, e);
	fd_auto int file = -1;
	fd_auto int list = -1;
	struct implied *implied = NULL;
	int done = root < 0 ? -1 : 0;
	if (done == 0 && u->headers != NULL) {
		file = open(u->headers, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
		done = file < 0 ? err_set(e, ERR_SYSTEM, errno, "headers file %.100s", u->headers)
				: headers_open(&headers, file, e);
	}
	if (done == 0 && u->implied != NULL) {
		list = open(u->implied, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
		implied = list < 0 ? NULL : malloc(sizeof(*implied));
		done = implied != NULL ? 0 : err_set(e, ERR_SYSTEM, errno, "file %.100s", u->implied);
		if (implied != NULL)
			implied_open(implied, list);
	}
	if (done == 0) {
		u->hardened = harden(root);
		tar->source = (struct tar_source){&stream, next_bytes};
		if (headers != NULL)
			tar->keep = (struct tar_keep){headers, headers_raw};
		done = run(u, &stream, tar, apply, in, root, headers, implied, e);
	}
	free(implied);
	headers_close(headers);
	stream_close(&stream);
	apply_close(apply);
	tar_close(tar);
	free(apply);
	free(tar);
	return done;
}

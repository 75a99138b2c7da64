/* SPDX-License-Identifier: Apache-2.0
 * wherry-layer: the verbs, what they print, and the one place that prints errors and exits. Results are one
 * JSON line on stdout (pack without --out: on descriptor 3), errors one JSON line on stderr and exit code 1.
 */
#include "layer/args.h"
#include "layer/name.h"
#include "layer/pack.h"
#include "layer/rebuild.h"
#include "layer/stream.h"
#include "layer/unpack.h"
#include "shared/fd.h"
#include "shared/json.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SIDE_FD 3 /* progress of unpack, summary of pack */

static const char help[] =
    "usage: wherry-layer VERB [OPTION…] [DIR]\n"
    "\n"
    "  unpack --diff-id DIGEST [--blob DIGEST] [--size N] [--unpacked-max N]\n"
    "         [--window-max LOG] [--headers FILE] [--implied FILE] [--progress] DIR\n"
    "                                              compressed layer on stdin to an empty folder\n"
    "  tar    --headers FILE DIR                   the layer's exact tar to stdout\n"
    "  pack   [--compression zstd|gzip|none] [--level N] [--mtime SECONDS]\n"
    "         [--owner keep|root] [--out FILE] DIR folder to a layer, on stdout or in FILE\n"
    "  digest                                      SHA-256 and count of stdin\n"
    "\n"
    "Results are one JSON line on stdout; pack without --out writes it to descriptor 3.\n"
    "Errors are one JSON line on stderr, exit code 1.\n";

static void put_count(struct json_out *o, const char *key, uint64_t value)
{
	json_key(o, key);
	json_put_i64(o, (int64_t)value);
}

static void put_text(struct json_out *o, const char *key, const char *text)
{
	json_key(o, key);
	json_put_str(o, text);
}

static int print_line(int fd, struct json_out *o, struct err *e)
{
	json_close(o, '}');
	if (json_done(o, e) != 0)
		return -1;
	int done =
	    fd_write_all(fd, o->bytes, o->length, e) != 0 || fd_write_all(fd, "\n", 1, e) != 0 ? -1 : 0;
	free(o->bytes);
	return done;
}

static int need(const void *value, const char *what, struct err *e)
{
	return value != NULL ? 0 : err_set(e, ERR_USAGE, 0, "%s is missing", what);
}

static int verb_unpack(const struct args *args, struct err *e)
{
	struct json_out o = {0};
	if (need(args->diff_id, "--diff-id", e) != 0 || need(args->dir, "the folder", e) != 0)
		return -1;
	bool side = args->progress && fcntl(SIDE_FD, F_GETFD) >= 0;
	fd_close_from(side ? SIDE_FD + 1 : SIDE_FD);
	struct unpack u = {.diff_id = args->diff_id,
			   .blob = args->blob,
			   .blob_bytes = args->size,
			   .unpacked_max = args->unpacked_max,
			   .window_log = args->window_log,
			   .headers = args->headers,
			   .implied = args->implied,
			   .dir = args->dir,
			   .progress_fd = side ? SIDE_FD : -1};
	if (unpack(&u, STDIN_FILENO, e) != 0)
		return -1;
	json_open(&o, '{');
	put_text(&o, "diffId", u.got_diff_id);
	put_text(&o, "blob", u.got_blob);
	put_count(&o, "blobBytes", u.got_blob_bytes);
	put_count(&o, "tarBytes", u.tar_bytes);
	put_count(&o, "entries", u.entries);
	put_count(&o, "unpackedBytes", u.unpacked_bytes);
	put_count(&o, "skippedXattrs", u.skipped_xattrs);
	return print_line(STDOUT_FILENO, &o, e);
}

static int verb_tar(const struct args *args, struct err *e)
{
	if (need(args->headers, "--headers", e) != 0 || need(args->dir, "the folder", e) != 0)
		return -1;
	fd_auto int headers = open(args->headers, O_RDONLY | O_CLOEXEC);
	if (headers < 0)
		return err_set(e, ERR_SYSTEM, errno, "headers file %.100s", args->headers);
	fd_auto int root = open(args->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return err_set(e, ERR_SYSTEM, errno, "folder %.100s", args->dir);
	return rebuild(headers, root, STDOUT_FILENO, e);
}

static enum squeeze_kind kind_of(const char *compression)
{
	if (compression == NULL || strcmp(compression, "zstd") == 0)
		return SQUEEZE_ZSTD;
	return strcmp(compression, "gzip") == 0 ? SQUEEZE_GZIP : SQUEEZE_NONE;
}

/* The folder that FILE is in. It is opened before the walk, which changes the working directory. */
static int open_folder_of(const char *path, struct err *e)
{
	char folder[PATH_MAX];
	const char *slash = strrchr(path, '/');
	size_t length = slash == NULL ? 0 : (size_t)(slash - path) + 1;
	if (length + NAME_MAX >= sizeof(folder))
		return err_set(e, ERR_SYSTEM, ENAMETOOLONG, "%.100s", path);
	memcpy(folder, path, length);
	folder[length] = '\0';
	int fd = open(length == 0 ? "." : folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd >= 0 ? fd : err_set(e, ERR_SYSTEM, errno, "folder of %.100s", path);
}

static int pack_to(const struct args *args, int fd, struct json_out *o, struct err *e)
{
	struct squeeze out = {.state = NULL};
	char digest[SHA256_DIGEST_TEXT];
	char diff_id[SHA256_DIGEST_TEXT];
	struct pack p = {.dir = args->dir,
			 .root_owns = args->owner != NULL && strcmp(args->owner, "root") == 0,
			 .has_mtime = args->has_mtime,
			 .mtime = args->mtime};
	int done = squeeze_open(&out, fd, kind_of(args->compression), args->level, e) != 0 ||
			   pack(&p, &out, e) != 0 || squeeze_end(&out, e) != 0
		       ? -1
		       : 0;
	squeeze_close(&out);
	if (done != 0)
		return -1;
	sha256_end_text(&out.blob, digest);
	sha256_end_text(&out.tar, diff_id);
	json_open(o, '{');
	put_text(o, "digest", digest);
	put_count(o, "size", out.blob_bytes);
	put_text(o, "diffId", diff_id);
	put_count(o, "tarBytes", out.tar_bytes);
	put_count(o, "entries", p.entries);
	return 0;
}

/* With --out: written beside, synced, renamed, the folder synced; then the summary is printed. */
static int pack_file(const struct args *args, struct err *e)
{
	char part[NAME_MAX + 1];
	struct json_out o = {0};
	const char *name = name_last(args->out);
	int length = snprintf(part, sizeof(part), "%s.part", name);
	if (name[0] == '\0' || length < 0 || (size_t)length >= sizeof(part))
		return err_set(e, ERR_USAGE, 0, "--out is no name of a file: %.80s", args->out);
	fd_auto int folder = open_folder_of(args->out, e);
	if (folder < 0)
		return -1;
	fd_auto int fd = openat(folder, part, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0)
		return err_set(e, ERR_SYSTEM, errno, "file %.100s", args->out);
	if (pack_to(args, fd, &o, e) != 0) {
		(void)unlinkat(folder, part, 0);
		return -1;
	}
	if (fsync(fd) != 0 || renameat(folder, part, folder, name) != 0 || fsync(folder) != 0) {
		int saved = errno;
		(void)unlinkat(folder, part, 0);
		return err_set(e, ERR_SYSTEM, saved, "file %.100s", args->out);
	}
	return print_line(STDOUT_FILENO, &o, e);
}

static int verb_pack(const struct args *args, struct err *e)
{
	struct json_out o = {0};
	if (need(args->dir, "the folder", e) != 0)
		return -1;
	if (args->out != NULL)
		return pack_file(args, e);
	bool side = fcntl(SIDE_FD, F_GETFD) >= 0; /* before anything of ours takes the number */
	if (pack_to(args, STDOUT_FILENO, &o, e) != 0)
		return -1;
	if (side)
		return print_line(SIDE_FD, &o, e);
	free(o.bytes);
	return 0;
}

static int verb_digest(struct err *e)
{
	struct json_out o = {0};
	struct sha256 sum;
	static uint8_t bytes[STREAM_IN_BYTES];
	char text[SHA256_DIGEST_TEXT];
	ssize_t got;
	sha256_start(&sum);
	while ((got = read(STDIN_FILENO, bytes, sizeof(bytes))) != 0) {
		if (got > 0)
			sha256_add(&sum, bytes, (size_t)got);
		else if (errno != EINTR)
			return err_set(e, ERR_SYSTEM, errno, "read");
	}
	uint64_t count = sum.length;
	sha256_end_text(&sum, text);
	json_open(&o, '{');
	put_text(&o, "digest", text);
	put_count(&o, "size", count);
	put_text(&o, "sha256", sha256_path_name());
	return print_line(STDOUT_FILENO, &o, e);
}

static int run(const struct args *args, struct err *e)
{
	if (strcmp(args->verb, "unpack") == 0)
		return verb_unpack(args, e);
	if (strcmp(args->verb, "tar") == 0)
		return verb_tar(args, e);
	if (strcmp(args->verb, "pack") == 0)
		return verb_pack(args, e);
	if (strcmp(args->verb, "digest") == 0)
		return verb_digest(e);
	return err_set(e, ERR_USAGE, 0, "unknown verb %.40s: unpack, tar, pack or digest", args->verb);
}

int main(int argc, char **argv)
{
	struct args args;
	struct err e = {0};
	(void)signal(SIGPIPE, SIG_IGN); /* a reader that went away is EPIPE, an ordinary error */
	(void)umask(0);
	if (args_read(&args, argc, argv, &e) == 0) {
		if (args.help)
			return fd_write_all(STDOUT_FILENO, help, sizeof(help) - 1, &e) == 0 ? 0 : 1;
		if (run(&args, &e) == 0)
			return 0;
	}
	err_print_json(STDERR_FILENO, &e);
	return 1;
}

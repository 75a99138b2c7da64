/* SPDX-License-Identifier: Apache-2.0
 * See log-file.h. No fsync: log lines may be lost with the power, and flash lives longer. */
#include "keep/log-file.h"
#include "keep/clock.h"
#include "shared/fd.h"
#include "shared/path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CURRENT	   "current.log"
#define NAME_BYTES 32

static void numbered(char out[NAME_BYTES], int64_t number)
{
	if (snprintf(out, NAME_BYTES, CURRENT ".%lld", (long long)number) < 0)
		out[0] = '\0';
}

static int open_current(struct log *log)
{
	struct stat st;
	fd_auto int file =
	    openat(log->dir, CURRENT, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0640);
	if (file < 0 || fstat(file, &st) != 0)
		return -1;
	if (!S_ISREG(st.st_mode)) {
		errno = EINVAL; /* a FIFO would make us wait */
		return -1;
	}
	log->file = fd_steal(&file);
	log->size = st.st_size;
	return 0;
}

/* The oldest goes, each becomes one older. Failing, the current file goes on to be written: bounded by
 * room(). */
static int rotate(struct log *log)
{
	char from[NAME_BYTES], to[NAME_BYTES];
	for (int64_t i = log->file_count_max - 1; i >= 1; i--) {
		numbered(to, i);
		if (i == 1)
			memcpy(from, CURRENT, sizeof(CURRENT));
		else
			numbered(from, i - 1);
		if (renameat(log->dir, from, log->dir, to) != 0 && errno != ENOENT)
			return -1;
	}
	if (log->file_count_max == 1 && unlinkat(log->dir, CURRENT, 0) != 0 && errno != ENOENT)
		return -1;
	close(log->file);
	log->file = -1;
	return open_current(log);
}

/* Bytes of `from` that are whole lines and fit into `room`; at least one line if the file is empty. */
static size_t fitting(const struct log *log, const char *from, size_t length)
{
	int64_t room = log->file_bytes_max - log->size;
	if (room >= (int64_t)length)
		return length;
	const char *end = room > 0 ? memrchr(from, '\n', (size_t)room) : NULL;
	if (end == NULL && log->size == 0)
		end = memchr(from, '\n', length);
	return end == NULL ? 0 : (size_t)(end - from) + 1;
}

/* The disk is full: of what was put only the whole lines stay. */
static size_t take_back(struct log *log, const char *from, size_t put)
{
	const char *end = memrchr(from, '\n', put);
	size_t kept = end == NULL ? 0 : (size_t)(end - from) + 1;
	if (kept < put && ftruncate(log->file, log->size + (int64_t)kept) != 0)
		(void)!write(log->file, "\n", 1);
	return kept;
}

/* Adds what is in the file as whole lines to *done. */
static int append(struct log *log, const char *from, size_t length, size_t *done)
{
	size_t put = 0;
	int result = 0;
	while (put < length && result == 0) {
		ssize_t got = write(log->file, from + put, length - put);
		if (got > 0)
			put += (size_t)got;
		else if (got == 0 || errno != EINTR)
			result = -1;
	}
	if (result < 0)
		put = take_back(log, from, put);
	log->size += (int64_t)put;
	*done += put;
	return result;
}

static int write_batch(struct log *log, size_t *done)
{
	if (log->file < 0 && open_current(log) < 0)
		return -1;
	while (*done < log->batch_used) {
		const char *from = log->batch + *done;
		size_t length = fitting(log, from, log->batch_used - *done);
		if (length == 0) {
			if (rotate(log) < 0)
				return -1;
			continue;
		}
		if (append(log, from, length, done) < 0)
			return -1;
	}
	return 0;
}

static uint64_t count_lines(const char *from, size_t length)
{
	uint64_t lines = 0;
	for (size_t i = 0; i < length; i++)
		lines += from[i] == '\n';
	return lines;
}

static void tell_dropped(struct log *log)
{
	char line[160], when[CLOCK_TEXT_BYTES];
	if (log->dropped_disk == 0)
		return;
	struct timespec now = clock_now();
	size_t done = 0;
	clock_text_ns(when, &now);
	int length =
	    snprintf(line, sizeof(line), "%s stderr F wherry-keep: %llu lines dropped: the disk was full\n",
		     when, (unsigned long long)log->dropped_disk);
	if (length > 0 && (size_t)length < sizeof(line) && log->file >= 0 &&
	    append(log, line, (size_t)length, &done) == 0)
		log->dropped_disk = 0;
}

int log_file_write(struct log *log)
{
	size_t done = 0;
	tell_dropped(log);
	int result = write_batch(log, &done);
	if (result < 0)
		log->dropped_disk += count_lines(log->batch + done, log->batch_used - done);
	log->batch_used = 0;
	return result;
}

int log_open(struct log *log, const char *dir, int64_t file_bytes_max, int64_t file_count_max, struct err *e)
{
	log->file = log->dir = -1;
	log->file_bytes_max = file_bytes_max;
	log->file_count_max = file_count_max;
	log->tokens = LOG_BURST_BYTES;
	log->filled_at = clock_ms();
	for (int i = 0; i < LOG_STREAMS; i++)
		log->streams[i].fd = -1;
	if (path_mkdirs(dir, 0750, e) < 0)
		return err_at(e, "log");
	log->dir = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (log->dir < 0)
		return err_set(e, ERR_KEEP, errno, "cannot open the log folder %s", dir);
	/* A full disk is no reason not to run: current.log is tried again with each batch. */
	if (open_current(log) < 0 && errno != ENOSPC && errno != EDQUOT)
		return err_set(e, ERR_KEEP, errno, "cannot open %s/" CURRENT, dir);
	return 0;
}

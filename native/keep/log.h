/* SPDX-License-Identifier: Apache-2.0
 * The container's stdout and stderr as CRI log lines in current.log, current.log.1, …:
 *     2026-11-24T23:20:58.123456789Z stdout F text
 * F ends a line, P is a part of one longer than LOG_LINE_MAX. Written in batches, to spare flash. A full disk
 * or too high a rate drops whole lines and counts them; a notice says how many. It never makes the container
 * wait. */
#ifndef WHERRY_KEEP_LOG_H
#define WHERRY_KEEP_LOG_H

#include "shared/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOG_LINE_MAX	16384u		 /* as containerd and CRI-O */
#define LOG_BATCH_BYTES 65536u		 /* written at once when full … */
#define LOG_FLUSH_MS	250		 /* … or this long after the first line in it */
#define LOG_RATE_BYTES	INT64_C(1048576) /* a second, in the long run */
#define LOG_BURST_BYTES INT64_C(8388608) /* at once */

enum log_stream { LOG_STDOUT, LOG_STDERR, LOG_STREAMS };

struct log {
	int dir, file;
	int64_t file_bytes_max, file_count_max;
	int64_t size;	  /* of current.log */
	int64_t flush_at; /* clock_ms, 0 = nothing waits */
	int64_t tokens, filled_at;
	uint64_t dropped_rate, dropped_disk; /* lines, since the last notice */
	size_t batch_used;
	struct {
		int fd; /* the pipe's read end, -1 = closed */
		size_t used;
		bool cut; /* a P was written: what follows belongs to the same line */
		char bytes[LOG_LINE_MAX];
	} streams[LOG_STREAMS];
	char batch[LOG_BATCH_BYTES];
};

/* Makes the folder and opens current.log in it. */
int log_open(struct log *log, const char *dir, int64_t file_bytes_max, int64_t file_count_max, struct err *e);
/* Takes a nonblocking read end. */
void log_attach(struct log *log, enum log_stream stream, int fd);
/* Reads what there is, at most once; false at the end of the pipe. */
bool log_read(struct log *log, enum log_stream stream);
/* The container is gone: reads what is left, ends unended lines, closes the pipes, writes all. */
void log_detach(struct log *log);
/* Writes what waits. */
void log_flush(struct log *log);
/* The flush after LOG_FLUSH_MS: writes what waits and gives the memory of the buffers back. */
void log_rest(struct log *log);
void log_close(struct log *log);

#endif

/* SPDX-License-Identifier: Apache-2.0
 * See log.h: from bytes of a pipe to lines in the batch, with the rate bound. log-file.c writes the batch. */
#include "keep/log.h"
#include "keep/clock.h"
#include "keep/log-file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define HEAD_MAX    ((size_t)64) /* time, stream, tag */
#define DRAIN_READS 128		 /* at the end: 2 MiB at most, a pipe holds 64 KiB */

static const char *const stream_names[] = {"stdout", "stderr"};

/* Tokens for one line, or false. Counted in bytes of the file. */
static bool take_tokens(struct log *log, size_t bytes)
{
	int64_t now = clock_ms();
	int64_t gained = now - log->filled_at;
	if (gained > 0) {
		int64_t seconds_full = LOG_BURST_BYTES / LOG_RATE_BYTES;
		int64_t ms = gained > seconds_full * 1000 ? seconds_full * 1000 : gained;
		log->tokens += ms * LOG_RATE_BYTES / 1000;
		log->filled_at = now;
	}
	if (log->tokens > LOG_BURST_BYTES)
		log->tokens = LOG_BURST_BYTES;
	if (log->tokens < (int64_t)bytes)
		return false;
	log->tokens -= (int64_t)bytes;
	return true;
}

static void add(struct log *log, const char *stream, char tag, const char *text, size_t length)
{
	if (log->batch_used + length + HEAD_MAX > sizeof(log->batch))
		log_flush(log);
	char when[CLOCK_TEXT_BYTES];
	struct timespec now = clock_now();
	clock_text_ns(when, &now);
	char *to = log->batch + log->batch_used;
	int head = snprintf(to, HEAD_MAX, "%s %s %c ", when, stream, tag);
	if (head < 0 || (size_t)head >= HEAD_MAX)
		return;
	memcpy(to + head, text, length);
	to[(size_t)head + length] = '\n';
	log->batch_used += (size_t)head + length + 1;
	if (log->flush_at == 0)
		log->flush_at = clock_ms() + LOG_FLUSH_MS;
}

static void add_notice(struct log *log, uint64_t *count, const char *why)
{
	char text[128];
	if (*count == 0)
		return;
	int length = snprintf(text, sizeof(text), "wherry-keep: %llu lines dropped: %s",
			      (unsigned long long)*count, why);
	*count = 0;
	if (length > 0 && (size_t)length < sizeof(text))
		add(log, "stderr", 'F', text, (size_t)length);
}

static void add_line(struct log *log, enum log_stream stream, char tag, const char *text, size_t length)
{
	if (!take_tokens(log, length + HEAD_MAX)) {
		log->dropped_rate++;
		if (log->flush_at == 0)
			log->flush_at = clock_ms() + LOG_FLUSH_MS; /* for the notice */
		return;
	}
	add_notice(log, &log->dropped_rate, "more than 1 MiB a second");
	add(log, stream_names[stream], tag, text, length);
}

/* Whole lines out of the stream's buffer into the batch; what is unended moves to its front. */
static void cut_lines(struct log *log, enum log_stream stream)
{
	char *bytes = log->streams[stream].bytes;
	size_t used = log->streams[stream].used, from = 0;
	const char *end;
	while ((end = memchr(bytes + from, '\n', used - from)) != NULL) {
		size_t length = (size_t)(end - (bytes + from));
		add_line(log, stream, 'F', bytes + from, length);
		log->streams[stream].cut = false;
		from += length + 1;
	}
	if (from == 0 && used == LOG_LINE_MAX) {
		add_line(log, stream, 'P', bytes, used);
		log->streams[stream].cut = true;
		from = used;
	}
	memmove(bytes, bytes + from, used - from);
	log->streams[stream].used = used - from;
}

void log_attach(struct log *log, enum log_stream stream, int fd)
{
	log->streams[stream].fd = fd;
	log->streams[stream].used = 0;
	log->streams[stream].cut = false;
}

bool log_read(struct log *log, enum log_stream stream)
{
	size_t used = log->streams[stream].used;
	ssize_t got = read(log->streams[stream].fd, log->streams[stream].bytes + used, LOG_LINE_MAX - used);
	if (got < 0)
		return errno == EAGAIN || errno == EINTR;
	if (got == 0)
		return false;
	log->streams[stream].used += (size_t)got;
	cut_lines(log, stream);
	return true;
}

static bool has_more(struct log *log, enum log_stream stream)
{
	errno = 0;
	return log_read(log, stream) && errno != EAGAIN;
}

void log_detach(struct log *log)
{
	for (int i = 0; i < LOG_STREAMS; i++) {
		enum log_stream stream = (enum log_stream)i;
		if (log->streams[i].fd < 0)
			continue;
		for (int reads = 0; reads < DRAIN_READS && has_more(log, stream); reads++)
			continue;
		if (log->streams[i].used > 0 || log->streams[i].cut)
			add_line(log, stream, 'F', log->streams[i].bytes, log->streams[i].used);
		close(log->streams[i].fd);
		log->streams[i].fd = -1;
		log->streams[i].used = 0;
	}
	log_flush(log);
}

void log_flush(struct log *log)
{
	log->flush_at = 0;
	if ((log->batch_used > 0 || log->dropped_disk > 0) && log_file_write(log) == 0)
		return;
	/* The disk was full and the batch is gone, or the batch was empty: is there something to tell? */
	if (log->batch_used == 0 && log->dropped_rate > 0 && take_tokens(log, HEAD_MAX * 2)) {
		add_notice(log, &log->dropped_rate, "more than 1 MiB a second");
		(void)log_file_write(log);
		log->flush_at = 0;
	}
}

/* Whole pages between the two, which hold nothing of worth. */
static void give_back(char *from, char *to)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t first = ((uintptr_t)from + page - 1) & ~(page - 1);
	uintptr_t end = (uintptr_t)to & ~(page - 1);
	if (first < end)
		(void)madvise(from + (first - (uintptr_t)from), end - first, MADV_DONTNEED);
}

void log_rest(struct log *log)
{
	log_flush(log);
	give_back(log->batch + log->batch_used, log->batch + sizeof(log->batch));
	for (int i = 0; i < LOG_STREAMS; i++) {
		char *bytes = log->streams[i].bytes;
		give_back(bytes + log->streams[i].used, bytes + LOG_LINE_MAX);
	}
}

void log_close(struct log *log)
{
	log_detach(log);
	if (log->file >= 0)
		close(log->file);
	if (log->dir >= 0)
		close(log->dir);
	log->file = log->dir = -1;
}

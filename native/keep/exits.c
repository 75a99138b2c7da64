/* SPDX-License-Identifier: Apache-2.0
 * See exits.h. A line torn by a power cut is ended by the next append; readers skip what is not JSON. */
#include "keep/exits.h"
#include "keep/clock.h"
#include "shared/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME	   "exits.jsonl"
#define LINE_BYTES ((size_t)256)

static int format(char line[LINE_BYTES], const struct exit_record *r)
{
	char at[CLOCK_TEXT_BYTES], started[CLOCK_TEXT_BYTES], signal[24] = "";
	clock_text(at, &r->at);
	clock_text(started, &r->started_at);
	if (r->signal != 0 && snprintf(signal, sizeof(signal), "\"signal\":%d,", r->signal) < 0)
		return -1;
	return snprintf(line, LINE_BYTES,
			"{\"code\":%d,%s\"oomKilled\":%s,\"at\":\"%s\",\"startedAt\":\"%s\"}\n", r->code,
			signal, r->oom_killed ? "true" : "false", at, started);
}

/* Keeps the newer half, whole lines. */
static int shorten(int state_dir, struct err *e)
{
	free_auto char *text = NULL;
	size_t length = 0;
	if (fd_read_file(state_dir, NAME, (size_t)EXITS_BYTES_MAX + 2U * LINE_BYTES, &text, &length, ERR_KEEP,
			 e) < 0)
		return unlinkat(state_dir, NAME, 0); /* far too long: not ours */
	const char *from = memchr(text + length / 2, '\n', length - length / 2);
	from = from == NULL ? text + length : from + 1;
	size_t kept = length - (size_t)(from - text);
	return fd_replace_file(state_dir, NAME, from, kept, 0640, true, e);
}

static int append(int file, off_t size, const char *line, size_t length, struct err *e)
{
	char last = '\n';
	if (size > 0 && pread(file, &last, 1, size - 1) == 1 && last != '\n' &&
	    fd_write_all(file, "\n", 1, e) < 0)
		return -1;
	if (fd_write_all(file, line, length, e) < 0) {
		if (ftruncate(file, size) != 0)
			return err_add(e, "and it cannot be cut back");
		return -1;
	}
	if (fdatasync(file) != 0)
		return err_set(e, ERR_KEEP, errno, "cannot sync " NAME);
	return 0;
}

int exits_append(int state_dir, const struct exit_record *record, struct err *e)
{
	char line[LINE_BYTES];
	struct stat st;
	int length = format(line, record);
	if (length < 0 || (size_t)length >= LINE_BYTES)
		return err_set(e, ERR_KEEP, 0, "cannot format an exit record");
	if (fstatat(state_dir, NAME, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_size > EXITS_BYTES_MAX &&
	    shorten(state_dir, e) < 0)
		return err_at(e, NAME);
	bool fresh = fstatat(state_dir, NAME, &st, AT_SYMLINK_NOFOLLOW) != 0;
	fd_auto int file =
	    openat(state_dir, NAME, O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0640);
	if (file < 0)
		return err_set(e, ERR_KEEP, errno, "cannot open " NAME);
	if (append(file, fresh ? 0 : st.st_size, line, (size_t)length, e) < 0)
		return err_at(e, NAME);
	/* A new file is on disk only once its folder's entry is. */
	if (fresh && fsync(state_dir) != 0)
		return err_set(e, ERR_KEEP, errno, "cannot sync the folder of " NAME);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0
 * Filling, prefixing and printing of struct err. No allocation; one write per printed error. */
#include "shared/error.h"
#include "shared/utf8.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Every byte of where and what may become six ("\u001f"), beside some 150 bytes of frame. */
#define ERR_LINE_MAX 2048

/* A person's line: cut text stays valid, control characters become spaces. */
static void tidy(char *text)
{
	for (size_t i = 0; text[i] != '\0'; i++) {
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
			text[i] = ' ';
	}
}

static void put_text(char *out, size_t size, const char *fmt, va_list args)
{
	if (vsnprintf(out, size, fmt, args) < 0)
		out[0] = '\0'; /* a longer text is cut, which is meant */
	tidy(out);
}

int err_set(struct err *e, enum err_code code, int sys, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	memset(e, 0, sizeof(*e));
	e->code = sys == ENOSPC || sys == EDQUOT ? ERR_NO_SPACE : code;
	e->sys = sys;
	put_text(e->what, sizeof(e->what), fmt, args);
	va_end(args);
	if (sys != 0) {
		size_t used = strlen(e->what);
		int put = snprintf(e->what + used, sizeof(e->what) - used, " (%s)", strerror(sys));
		if (put < 0)
			e->what[used] = '\0';
	}
	return -1;
}

int err_add(struct err *e, const char *fmt, ...)
{
	char context[sizeof(e->what)];
	va_list args;
	va_start(args, fmt);
	put_text(context, sizeof(context), fmt, args);
	va_end(args);
	size_t used = strlen(context);
	size_t room = sizeof(context) - used;
	if (snprintf(context + used, room, ": %s", e->what) < 0)
		return -1;
	memcpy(e->what, context, sizeof(context));
	return -1;
}

int err_at(struct err *e, const char *fmt, ...)
{
	if (e->where[0] != '\0')
		return -1;
	va_list args;
	va_start(args, fmt);
	put_text(e->where, sizeof(e->where), fmt, args);
	va_end(args);
	return -1;
}

const char *err_word(enum err_code code)
{
	switch (code) {
	case ERR_NONE:
		return "BUG";
	case ERR_USAGE:
		return "USAGE";
	case ERR_SYSTEM:
		return "BOX_SYSTEM";
	case ERR_NO_SPACE:
		return "NO_SPACE";
	case ERR_MEMORY:
		return "BOX_MEMORY";
	case ERR_ROOT:
		return "NOT_ROOT";
	case ERR_SPEC:
		return "BOX_SPEC";
	case ERR_ID:
		return "BOX_ID";
	case ERR_EXISTS:
		return "BOX_EXISTS";
	case ERR_ABSENT:
		return "BOX_ABSENT";
	case ERR_STATE:
		return "BOX_STATE";
	case ERR_NS:
		return "BOX_NAMESPACE";
	case ERR_MOUNT:
		return "BOX_MOUNT";
	case ERR_ROOTFS:
		return "BOX_ROOTFS";
	case ERR_CGROUP:
		return "BOX_CGROUP";
	case ERR_CAPS:
		return "BOX_CAPABILITY";
	case ERR_SECCOMP:
		return "BOX_SECCOMP";
	case ERR_RLIMIT:
		return "BOX_RLIMIT";
	case ERR_NET:
		return "BOX_NET";
	case ERR_EXEC:
		return "BOX_EXEC";
	case ERR_KEEP:
		return "BOX_KEEP";
	case ERR_TAR:
		return "LAYER_TAR";
	case ERR_ESCAPE:
		return "LAYER_ESCAPE";
	case ERR_STREAM:
		return "LAYER_STREAM";
	case ERR_DIGEST:
		return "LAYER_DIGEST";
	case ERR_LIMIT:
		return "LAYER_LIMIT";
	}
	return "BUG";
}

/* JSON string body of `text` at out+at; bytes that are no UTF-8 become '?'. The caller's buffer has room. */
static size_t escape(char *out, size_t at, const char *text)
{
	size_t length = strlen(text);
	for (size_t i = 0; i < length;) {
		size_t step = utf8_step(text + i, length - i);
		unsigned char byte = (unsigned char)text[i];
		if (step == 0) {
			out[at++] = '?';
			step = 1;
		} else if (byte == '"' || byte == '\\') {
			out[at++] = '\\';
			out[at++] = (char)byte;
		} else if (byte < 0x20) {
			out[at++] = ' ';
		} else {
			memcpy(out + at, text + i, step);
			at += step;
		}
		i += step;
	}
	out[at] = '\0';
	return at;
}

static void write_line(int fd, const char *line, size_t length)
{
	ssize_t done;
	do {
		done = write(fd, line, length);
	} while (done < 0 && errno == EINTR);
}

void err_print_json(int fd, const struct err *e)
{
	char line[ERR_LINE_MAX];
	char where[2 * sizeof(e->where)];
	char what[2 * sizeof(e->what)];
	char when[32] = "1970-01-01T00:00:00";
	struct timespec now = {0};
	struct tm utc;
	if (clock_gettime(CLOCK_REALTIME, &now) == 0 && gmtime_r(&now.tv_sec, &utc) != NULL)
		(void)strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &utc);
	escape(where, 0, e->where);
	escape(what, 0, e->what);
	int length = snprintf(line, sizeof(line),
			      "{\"level\":\"error\",\"time\":\"%s.%03ldZ\",\"code\":\"%s\","
			      "\"msg\":\"%s\",\"where\":\"%s\",\"errno\":%d}\n",
			      when, now.tv_nsec / 1000000, err_word(e->code), what, where, e->sys);
	if (length > 0 && (size_t)length < sizeof(line))
		write_line(fd, line, (size_t)length);
}

void err_print_text(const char *program, const struct err *e)
{
	char line[ERR_LINE_MAX];
	const char *colon = e->where[0] == '\0' ? "" : ": ";
	int length = snprintf(line, sizeof(line), "%s: %s: %s%s%s\n", program, err_word(e->code), e->where,
			      colon, e->what);
	if (length > 0 && (size_t)length < sizeof(line))
		write_line(STDERR_FILENO, line, (size_t)length);
}

/* SPDX-License-Identifier: Apache-2.0
 * See args.h. Each option belongs to the verbs that its line names; elsewhere it is refused. */
#include "layer/args.h"
#include "layer/number.h"
#include "layer/sha256.h"
#include "layer/stream.h"

#include <string.h>

enum option {
	DIFF_ID,
	BLOB,
	SIZE,
	UNPACKED_MAX,
	WINDOW_MAX,
	HEADERS,
	IMPLIED,
	PROGRESS,
	COMPRESSION,
	LEVEL,
	MTIME,
	OWNER,
	OUT
};

static const struct {
	const char *name;
	const char *verbs; /* with a space behind each */
	enum option option;
	bool flag;
} options[] = {
    {"--diff-id", "unpack ", DIFF_ID, false},
    {"--blob", "unpack ", BLOB, false},
    {"--size", "unpack ", SIZE, false},
    {"--unpacked-max", "unpack ", UNPACKED_MAX, false},
    {"--window-max", "unpack ", WINDOW_MAX, false},
    {"--headers", "unpack tar ", HEADERS, false},
    {"--implied", "unpack ", IMPLIED, false},
    {"--progress", "unpack ", PROGRESS, true},
    {"--compression", "pack ", COMPRESSION, false},
    {"--level", "pack ", LEVEL, false},
    {"--mtime", "pack ", MTIME, false},
    {"--owner", "pack ", OWNER, false},
    {"--out", "pack ", OUT, false},
};
#define OPTIONS (sizeof(options) / sizeof(options[0]))

static bool one_of(const char *value, const char *a, const char *b, const char *c)
{
	return strcmp(value, a) == 0 || strcmp(value, b) == 0 || (c != NULL && strcmp(value, c) == 0);
}

static bool count(const char *value, uint64_t *out)
{
	return number_decimal(value, strlen(value), out);
}

static bool take(struct args *args, enum option option, const char *value)
{
	uint64_t number = 0;
	uint32_t ns;
	switch (option) {
	case DIFF_ID:
		args->diff_id = value;
		return sha256_is_digest(value);
	case BLOB:
		args->blob = value;
		return sha256_is_digest(value);
	case SIZE:
		return count(value, &args->size);
	case UNPACKED_MAX:
		return count(value, &args->unpacked_max);
	case WINDOW_MAX:
		if (!count(value, &number) || number < STREAM_WINDOW_LOG_MIN ||
		    number > STREAM_WINDOW_LOG_MAX)
			return false;
		args->window_log = (int)number;
		return true;
	case HEADERS:
		args->headers = value;
		return true;
	case IMPLIED:
		args->implied = value;
		return true;
	case PROGRESS:
		args->progress = true;
		return true;
	case COMPRESSION:
		args->compression = value;
		return one_of(value, "zstd", "gzip", "none");
	case LEVEL:
		if (!count(value, &number) || number < 1 || number > 22)
			return false;
		args->level = (int)number;
		return true;
	case MTIME:
		args->has_mtime = true;
		return strchr(value, '.') == NULL && number_time(value, strlen(value), &args->mtime, &ns);
	case OWNER:
		args->owner = value;
		return one_of(value, "keep", "root", NULL);
	case OUT:
		args->out = value;
		return true;
	}
	return false;
}

/* "unpack" is in "unpack tar ". */
static bool is_of(const char *verb, const char *verbs)
{
	size_t length = strlen(verb);
	for (const char *at = verbs; *at != '\0'; at = strchr(at, ' ') + 1) {
		if (strncmp(at, verb, length) == 0 && at[length] == ' ')
			return true;
	}
	return false;
}

/* One option with its value, "--name value" or "--name=value"; *at stands on the last word used. */
static int read_option(struct args *args, int argc, char **argv, int *at, struct err *e)
{
	const char *word = argv[*at];
	size_t length = strcspn(word, "=");
	for (size_t i = 0; i < OPTIONS; i++) {
		if (strlen(options[i].name) != length || strncmp(options[i].name, word, length) != 0 ||
		    !is_of(args->verb, options[i].verbs))
			continue;
		const char *value = "";
		if (word[length] == '=' && !options[i].flag)
			value = word + length + 1;
		else if (word[length] == '=')
			return err_set(e, ERR_USAGE, 0, "%s takes no value", options[i].name);
		else if (!options[i].flag && *at + 1 < argc)
			value = argv[++*at];
		else if (!options[i].flag)
			return err_set(e, ERR_USAGE, 0, "%s needs a value", options[i].name);
		if (!take(args, options[i].option, value))
			return err_set(e, ERR_USAGE, 0, "%s: not a value for it: %.80s", options[i].name,
				       value);
		return 0;
	}
	return err_set(e, ERR_USAGE, 0, "%.80s is no option of %s", word, args->verb);
}

int args_read(struct args *args, int argc, char **argv, struct err *e)
{
	*args = (struct args){
	    .size = UINT64_MAX, .unpacked_max = UINT64_MAX, .window_log = STREAM_WINDOW_LOG_MAX};
	if (argc < 2)
		return err_set(e, ERR_USAGE, 0, "no verb: unpack, tar, pack or digest");
	args->verb = argv[1];
	bool plain = false; /* behind "--" */
	for (int at = 1; at < argc; at++) {
		const char *word = argv[at];
		args->help = args->help || strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
		if (args->help)
			return 0;
		if (at == 1)
			continue;
		if (!plain && strcmp(word, "--") == 0) {
			plain = true;
		} else if (!plain && word[0] == '-' && word[1] != '\0') {
			if (read_option(args, argc, argv, &at, e) != 0)
				return -1;
		} else if (args->dir != NULL) {
			return err_set(e, ERR_USAGE, 0, "one folder only: %.80s", word);
		} else {
			args->dir = word;
		}
	}
	return 0;
}

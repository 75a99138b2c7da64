/* SPDX-License-Identifier: Apache-2.0
 * See args.h. A list that is full, an unknown option, a missing value: ERR_USAGE. */
#include "run/args.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct args_option *find(const struct args_option *options, const char *name, size_t length,
				      char letter)
{
	for (const struct args_option *o = options; o->name != NULL; o++) {
		if (letter != 0 && o->letter == letter)
			return o;
		if (letter == 0 && strlen(o->name) == length && memcmp(o->name, name, length) == 0)
			return o;
	}
	return NULL;
}

static int give(const struct args_option *option, const char *value, struct err *e)
{
	if (option->text != NULL) {
		*option->text = value;
		return 0;
	}
	if (option->list->count == ARGS_LIST_MAX)
		return err_set(e, ERR_USAGE, 0, "--%s is given more than %d times", option->name,
			       ARGS_LIST_MAX);
	option->list->items[option->list->count++] = value;
	return 0;
}

static int parse_flag(const struct args_option *option, const char *value, struct err *e)
{
	if (value == NULL || strcmp(value, "true") == 0)
		*option->flag = true;
	else if (strcmp(value, "false") == 0)
		*option->flag = false;
	else
		return err_set(e, ERR_USAGE, 0, "--%s takes no value '%s'", option->name, value);
	return 0;
}

/* One option word; *used is 1, or 2 if the next word is its value. */
static int parse_option(const struct args_option *options, char *word, char *next, int *used, struct err *e)
{
	const struct args_option *option;
	const char *value = NULL;

	*used = 1;
	if (word[1] == '-') {
		const char *equals = strchr(word, '=');
		size_t length = equals ? (size_t)(equals - word) - 2 : strlen(word + 2);

		option = find(options, word + 2, length, 0);
		value = equals ? equals + 1 : NULL;
	} else {
		option = find(options, NULL, 0, word[1]);
		if (option != NULL && word[2] != 0) {
			if (option->flag != NULL)
				return err_set(e, ERR_USAGE, 0, "unknown option '%s'", word);
			value = word[2] == '=' ? word + 3 : word + 2;
		}
	}
	if (option == NULL)
		return err_set(e, ERR_USAGE, 0, "unknown option '%s'", word);
	if (option->flag != NULL)
		return parse_flag(option, value, e);
	if (value == NULL) {
		if (next == NULL)
			return err_set(e, ERR_USAGE, 0, "option '%s' misses its value", word);
		value = next;
		*used = 2;
	}
	return give(option, value, e);
}

void args_print_options(const struct args_option *options)
{
	for (const struct args_option *o = options; o->name != NULL; o++) {
		char left[64];
		int n = snprintf(left, sizeof(left), "--%s%s%s", o->name, o->value ? " " : "",
				 o->value ? o->value : "");

		if (n < 0)
			continue;
		if (o->letter != 0)
			printf("  -%c, %-26s %s\n", o->letter, left, o->about);
		else
			printf("      %-26s %s\n", left, o->about);
	}
}

int args_parse(const char *usage, const char *about, const struct args_option *options, enum args_order order,
	       int argc, char **argv, char ***words, int *count, bool *helped, struct err *e)
{
	int kept = 0, at = 1;

	*helped = false;
	*words = argv + 1;
	*count = 0;
	while (at < argc) {
		char *word = argv[at];
		int used = 1;

		if (strcmp(word, "--") == 0) {
			at++;
			break;
		}
		if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
			*helped = true;
			if (about == NULL)
				return 0;
			printf("Usage: wherry-run %s\n\n%s\n\nOptions:\n", usage, about);
			args_print_options(options);
			printf("  -h, %-26s %s\n", "--help", "Show this help");
			return 0;
		}
		if (word[0] != '-' || word[1] == 0) {
			if (order == ARGS_FIRST_WORD)
				break;
			(*words)[kept++] = word;
		} else if (parse_option(options, word, at + 1 < argc ? argv[at + 1] : NULL, &used, e) != 0) {
			return err_add(e, "wherry-run %s", usage);
		}
		at += used;
	}
	while (at < argc)
		(*words)[kept++] = argv[at++];
	(*words)[kept] = NULL;
	*count = kept;
	return 0;
}

int args_number(const char *name, const char *text, unsigned long max, unsigned long *out, struct err *e)
{
	char *end = NULL;
	unsigned long value;

	errno = 0;
	value = strtoul(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end != 0 || errno != 0 || value > max)
		return err_set(e, ERR_USAGE, 0, "%s takes a number from 0 to %lu, not '%s'", name, max, text);
	*out = value;
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0
 * A command line from a table of options: the same table parses and prints --help. Long options take their
 * value after '=' or as the next word; short ones as the next word or joined. */
#ifndef WHERRY_RUN_ARGS_H
#define WHERRY_RUN_ARGS_H

#include "shared/error.h"
#include <stdbool.h>
#include <stddef.h>

#define ARGS_LIST_MAX 256

struct args_list {
	const char *items[ARGS_LIST_MAX + 1];
	size_t count;
};

/* One row; exactly one of flag, text, list is set. value: its name in help, NULL for a flag. Ends with name
 * NULL. */
struct args_option {
	char letter; /* 0 = long only */
	const char *name, *value, *about;
	bool *flag;
	const char **text;
	struct args_list *list;
};

enum args_order {
	ARGS_MIXED,	 /* options may follow the words */
	ARGS_FIRST_WORD, /* the first word ends the options */
};

/* Parses argv[1..]; *words are the rest, in argv's own storage. --help sets *helped and prints to
 * stdout, unless about is NULL. */
int args_parse(const char *usage, const char *about, const struct args_option *options, enum args_order order,
	       int argc, char **argv, char ***words, int *count, bool *helped, struct err *e);
/* A whole decimal number without sign, 0..max. */
int args_number(const char *name, const char *text, unsigned long max, unsigned long *out, struct err *e);
/* Prints the rows of a table as help lines. */
void args_print_options(const struct args_option *options);

#endif

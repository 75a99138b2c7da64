/* SPDX-License-Identifier: Apache-2.0
 * The names in one folder, in the order of their bytes. */
#ifndef WHERRY_LAYER_PACK_NAMES_H
#define WHERRY_LAYER_PACK_NAMES_H

#include "shared/error.h"
#include <stddef.h>

struct names {
	char *bytes; /* all of them, a NUL behind each */
	size_t used, room;
	const char **list; /* sorted, into bytes */
	size_t count;
};

/* Of the folder `name` in `parent`, without "." and "..". ERR_LIMIT past TAR_ENTRIES_MAX. */
int names_read(int parent, const char *name, struct names *names, struct err *e);
void names_free(struct names *names);

#endif

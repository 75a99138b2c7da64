/* SPDX-License-Identifier: Apache-2.0
 * The command line of wherry-layer: one verb, its options, one folder. */
#ifndef WHERRY_LAYER_ARGS_H
#define WHERRY_LAYER_ARGS_H

#include "shared/error.h"
#include <stdbool.h>
#include <stdint.h>

struct args {
	const char *verb;
	const char *dir; /* or NULL */
	const char *diff_id, *blob, *headers, *implied, *compression, *owner, *out;
	uint64_t size, unpacked_max; /* UINT64_MAX if not given */
	int level;		     /* 0 if not given */
	int window_log;		     /* STREAM_WINDOW_LOG_MAX if not given */
	bool has_mtime, progress, help;
	int64_t mtime;
};

/* ERR_USAGE names the option. */
int args_read(struct args *args, int argc, char **argv, struct err *e);

#endif

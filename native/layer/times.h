/* SPDX-License-Identifier: Apache-2.0
 * The times of folders, kept aside until nothing more is put into them. They wait in a file without a name
 * inside the tree, not in memory: a layer may have a million folders. */
#ifndef WHERRY_LAYER_TIMES_H
#define WHERRY_LAYER_TIMES_H

#include "layer/tree.h"
#include <stdint.h>
#include <stdio.h>

struct times {
	FILE *file;
};

int times_open(struct times *times, int root, struct err *e);
int times_put(struct times *times, const char *path, int64_t seconds, uint32_t ns, struct err *e);
/* Sets them all, the last one of a path last. A folder that is gone since is passed over. */
int times_apply(struct times *times, struct tree *tree, struct err *e);
void times_close(struct times *times);

#endif

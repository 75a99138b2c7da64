/* SPDX-License-Identifier: Apache-2.0
 * The folders that a layer does not bring itself: it names what is in them, and they were made for that.
 * Their owner and mode are those of the layers below, which the caller knows. Written to a file as "+PATH\0"
 * when made and "-PATH\0" when an entry of the layer follows after all. */
#ifndef WHERRY_LAYER_IMPLIED_H
#define WHERRY_LAYER_IMPLIED_H

#include "shared/error.h"
#include <stddef.h>
#include <stdint.h>

#define IMPLIED_BYTES_MAX (16u * 1024 * 1024) /* of the file */
#define IMPLIED_MARKS	  65536u	      /* bits that say "perhaps made" */

struct implied {
	int fd;
	size_t length;	/* bytes that wait */
	uint64_t total; /* bytes in all */
	char bytes[16 * 1024];
	uint8_t marks[IMPLIED_MARKS / 8];
};

/* The file stays the caller's. */
void implied_open(struct implied *implied, int fd);
int implied_made(struct implied *implied, const char *path, struct err *e);
/* Costs nothing for a folder that was not made here. */
int implied_given(struct implied *implied, const char *path, struct err *e);
int implied_end(struct implied *implied, struct err *e);

#endif

/* SPDX-License-Identifier: Apache-2.0
 * Reads one zstd frame that lies somewhere in a file, by exact counts. The window is at most
 * 2^HEADERS_WINDOW_LOG. */
#ifndef WHERRY_LAYER_INFLOW_H
#define WHERRY_LAYER_INFLOW_H

#include "shared/error.h"
#include <stddef.h>
#include <stdint.h>

struct inflow;

int inflow_open(struct inflow **out, int fd, uint64_t at, uint64_t length, struct err *e);
/* Exactly `length` bytes; an earlier end is ERR_STREAM. */
int inflow_take(struct inflow *flow, void *out, size_t length, struct err *e);
int inflow_skip(struct inflow *flow, uint64_t length, struct err *e);
uint64_t inflow_taken(const struct inflow *flow);
void inflow_close(struct inflow *flow);

#endif

/* SPDX-License-Identifier: Apache-2.0
 * The files under the log: appending the batch, rotating, and what happens when the disk is full. */
#ifndef WHERRY_KEEP_LOG_FILE_H
#define WHERRY_KEEP_LOG_FILE_H

#include "keep/log.h"

/* Writes the batch and empties it, whatever happens. -1 if lines were dropped (and counted in dropped_disk).
 * A line is in the file as a whole or not at all. */
int log_file_write(struct log *log);

#endif

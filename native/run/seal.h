/* SPDX-License-Identifier: Apache-2.0
 * CVE-2019-5736: a container must never reach the file that this program runs from. */
#ifndef WHERRY_RUN_SEAL_H
#define WHERRY_RUN_SEAL_H

#include "shared/error.h"

/* Returns 0 when the program already runs from a sealed copy in memory; else makes one and executes it with
 * argv. Returns -1 if that cannot be done. Only verbs that enter a container pay for it (about 1 ms). */
int seal_self(char **argv, struct err *e);

#endif

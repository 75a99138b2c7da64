/* SPDX-License-Identifier: Apache-2.0
 * Resource limits (setrlimit) of config.json. */
#ifndef WHERRY_RUN_RLIMIT_H
#define WHERRY_RUN_RLIMIT_H

#include "run/spec.h"
#include "shared/error.h"

/* RLIMIT_NOFILE → its number, -1 if unknown. */
int rlimit_number(const char *name);
/* Sets them for the calling process. A limit that is there already is fine without CAP_SYS_RESOURCE. */
int rlimit_apply(const struct spec_process *p, struct err *e);

#endif

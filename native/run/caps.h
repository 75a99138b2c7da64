/* SPDX-License-Identifier: Apache-2.0
 * Capabilities and the change of user: the five sets of config.json, applied in the one order that works. */
#ifndef WHERRY_RUN_CAPS_H
#define WHERRY_RUN_CAPS_H

#include "run/spec.h"
#include "shared/error.h"

/* CAP_NET_RAW → 13; -1 if the name is unknown. */
int caps_number(const char *name);
const char *caps_name(int number);
/* Takes away from the bounding set what `p` does not list; needs CAP_SETPCAP, so before caps_user. */
int caps_bound(const struct spec_process *p, struct err *e);
/* Groups, gid, uid and umask of `p`; permitted capabilities are kept over the change. */
int caps_user(const struct spec_process *p, struct err *e);
/* Effective, permitted, inheritable and ambient sets, exactly as listed. */
int caps_set(const struct spec_process *p, struct err *e);

#endif

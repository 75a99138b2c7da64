/* SPDX-License-Identifier: Apache-2.0
 * The overlay that is the root of a container: layer folders stacked, topmost first. */
#ifndef WHERRY_RUN_OVERLAY_H
#define WHERRY_RUN_OVERLAY_H

#include "run/spec.h"
#include "shared/error.h"
#include <stdbool.h>

/* Mounts it on the folder `target` in the caller's mount namespace. Without an upper folder it is read-only.
 * in_userns: marks of the overlay go to user.* attributes. */
int overlay_mount(const struct spec_overlay *o, const char *target, bool in_userns, struct err *e);

#endif

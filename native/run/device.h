/* SPDX-License-Identifier: Apache-2.0
 * Device nodes and the links of /dev, made inside the root by descriptor. */
#ifndef WHERRY_RUN_DEVICE_H
#define WHERRY_RUN_DEVICE_H

#include "run/spec.h"
#include "shared/error.h"
#include <stdbool.h>
#include <stddef.h>

/* config-linux.md §Default Devices: null zero full random urandom tty. */
extern const struct spec_device device_defaults[];
extern const size_t device_default_count;

/* A node that is right already stays; another thing of that name is replaced. Where mknod is forbidden (a
 * user namespace) the host's node of the same path is bound. */
int device_make(int root, const struct spec_device *d, struct err *e);
/* /dev/fd, stdin, stdout, stderr, ptmx, core. */
int device_links(int root, struct err *e);
/* Whether config.json brings a /dev of its own by a bind mount: then it is left alone. */
bool device_dev_is_bound(const struct spec *s);

#endif

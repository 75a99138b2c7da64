/* SPDX-License-Identifier: Apache-2.0
 * The root of a container: made a mount of its own, and in the end the only thing that can be seen. */
#ifndef WHERRY_RUN_ROOTFS_H
#define WHERRY_RUN_ROOTFS_H

#include "run/spec.h"
#include "shared/error.h"

/* Cuts the mount namespace off from the host's, as far as config.json asks for. */
int rootfs_propagation(const struct spec *s, struct err *e);
/* Mounts the root (overlay, or root.path bound to itself) and gives its descriptor in *root. */
int rootfs_mount(const struct spec *s, int *root, struct err *e);
/* cwd of the process, made if it is missing. */
int rootfs_cwd(int root, const char *cwd, struct err *e);
/* From here on nothing outside can be reached by name. no_pivot: for a host that itself runs from initramfs.
 */
int rootfs_enter(const struct spec *s, int root, bool no_pivot, struct err *e);

#endif

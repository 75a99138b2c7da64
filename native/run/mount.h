/* SPDX-License-Identifier: Apache-2.0
 * Mounts inside the root of a container that is being made. Destinations are resolved beneath the root's
 * descriptor and mounted on by descriptor: a symbolic link in the image cannot lead a mount outside. The
 * host's /proc must still be the caller's /proc (before pivot_root). */
#ifndef WHERRY_RUN_MOUNT_H
#define WHERRY_RUN_MOUNT_H

#include "run/spec.h"
#include "shared/error.h"

#define MOUNT_FD_PATH 32 /* "/proc/self/fd/" and a number */

/* The name under which mount(2) reaches a descriptor. */
const char *mount_fd_path(int fd, char out[MOUNT_FD_PATH]);
/* One entry of config.json's mounts; not for type cgroup. */
int mount_apply(int root, const struct spec_mount *m, struct err *e);
/* Binds what `source` is (an O_PATH descriptor) onto `target`; gives a descriptor of the new mount in *out.
 * root and path: where target is, for kernels before 5.2. */
int mount_bind(int source, bool below, int target, int root, const char *path, int *out, struct err *e);
/* MS_RDONLY, MS_NOSUID … set and cleared on the mount of fd, which must be attached. */
int mount_flags(int fd, unsigned long set, unsigned long clear, const char *what, struct err *e);

#endif

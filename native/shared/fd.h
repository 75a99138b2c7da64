/* SPDX-License-Identifier: Apache-2.0
 * Descriptors and buffers that end with their scope, and whole reads and writes. All descriptors that this
 * file opens are close-on-exec. */
#ifndef WHERRY_FD_H
#define WHERRY_FD_H

#include "shared/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

void fd_close_auto(int *fd);
void free_auto_(void *pointer);
#define fd_auto	  __attribute__((cleanup(fd_close_auto)))
#define free_auto __attribute__((cleanup(free_auto_)))

/* Gives the descriptor to the caller and leaves -1 behind. */
int fd_steal(int *fd);
/* Reads a whole file into *out (malloced, NUL added), refusing more than max bytes with `code`. dirfd may be
 * AT_FDCWD. */
int fd_read_file(int dirfd, const char *path, size_t max, char **out, size_t *length, enum err_code code,
		 struct err *e);
/* Writes all bytes; EINTR and short writes are handled. */
int fd_write_all(int fd, const void *bytes, size_t length, struct err *e);
/* Writes `text` with one write(2), as cgroup and proc files need it. */
int fd_write_file(int dirfd, const char *path, const char *text, enum err_code code, struct err *e);
/* Writes path whole: beside, fsync (if durable), rename, fsync of the folder (if durable). */
int fd_replace_file(int dirfd, const char *path, const void *bytes, size_t length, mode_t mode, bool durable,
		    struct err *e);
/* Closes every descriptor from `first` on (close_range, with a fall-back). */
void fd_close_from(int first);

#endif

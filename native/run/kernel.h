/* SPDX-License-Identifier: Apache-2.0
 * System calls that the C library has no function for, and the few constants of their headers (which cannot
 * be included beside the library's own). Nothing is decided here: a call that the kernel lacks gives ENOSYS.
 */
#ifndef WHERRY_RUN_KERNEL_H
#define WHERRY_RUN_KERNEL_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

/* The numbers above 423 are the same on every machine. */
#ifndef SYS_open_tree
#define SYS_open_tree  428
#define SYS_move_mount 429
#define SYS_fsopen     430
#define SYS_fsconfig   431
#define SYS_fsmount    432
#endif
#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_clone3
#define SYS_clone3 435
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#ifndef SYS_mount_setattr
#define SYS_mount_setattr 442
#endif

#define K_AT_EMPTY_PATH		 0x1000
#define K_AT_RECURSIVE		 0x8000
#define K_OPEN_TREE_CLONE	 1u
#define K_OPEN_TREE_CLOEXEC	 02000000u
#define K_MOVE_F_EMPTY		 0x00000004u
#define K_MOVE_T_EMPTY		 0x00000040u
#define K_FSCONFIG_STRING	 1u
#define K_FSCONFIG_FLAG		 0u
#define K_FSCONFIG_CREATE	 6u
#define K_FSOPEN_CLOEXEC	 1u
#define K_CLOSE_RANGE_CLOEXEC	 4u
#define K_CLONE_INTO_CGROUP	 0x200000000ull
#define K_MOUNT_ATTR_RDONLY	 0x1ull
#define K_MOUNT_ATTR_NOSUID	 0x2ull
#define K_MOUNT_ATTR_NODEV	 0x4ull
#define K_MOUNT_ATTR_NOEXEC	 0x8ull
#define K_MOUNT_ATTR_ATIME	 0x70ull
#define K_MOUNT_ATTR_NOATIME	 0x10ull
#define K_MOUNT_ATTR_STRICTATIME 0x20ull
#define K_MOUNT_ATTR_NODIRATIME	 0x80ull
#define K_MOUNT_ATTR_NOSYMFOLLOW 0x200000ull

struct k_mount_attr {
	uint64_t set, clear, propagation, userns_fd;
};

struct k_clone_args {
	uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid,
	    set_tid_size, cgroup;
};

/* RUN_OLD_KERNEL: as on a kernel before 5.2, to test that everything works without them. */
#ifdef RUN_OLD_KERNEL
#define K_CALL(...) (errno = ENOSYS, -1)
#else
#define K_CALL(...) ((int)syscall(__VA_ARGS__))
#endif

static inline int k_open_tree(int dir, const char *path, unsigned flags)
{
	return K_CALL(SYS_open_tree, dir, path, flags);
}
static inline int k_move_mount(int from, int to)
{
	return K_CALL(SYS_move_mount, from, "", to, "", K_MOVE_F_EMPTY | K_MOVE_T_EMPTY);
}
static inline int k_mount_setattr(int dir, unsigned flags, const struct k_mount_attr *attr)
{
	return K_CALL(SYS_mount_setattr, dir, "", flags, attr, sizeof(*attr));
}
static inline int k_fsopen(const char *type)
{
	return K_CALL(SYS_fsopen, type, K_FSOPEN_CLOEXEC);
}
static inline int k_fsconfig(int fd, unsigned what, const char *key, const char *value)
{
	return K_CALL(SYS_fsconfig, fd, what, key, value, 0);
}
static inline int k_fsmount(int fd)
{
	return K_CALL(SYS_fsmount, fd, 1u, 0u);
}
static inline int k_pidfd_open(pid_t pid)
{
	return K_CALL(SYS_pidfd_open, pid, 0u);
}
static inline int k_pidfd_send_signal(int fd, int signal)
{
	return K_CALL(SYS_pidfd_send_signal, fd, signal, NULL, 0u);
}
static inline int k_close_range(unsigned first, unsigned last, unsigned flags)
{
	return K_CALL(SYS_close_range, first, last, flags);
}
static inline int k_pivot_root(const char *new_root, const char *put_old)
{
	return (int)syscall(SYS_pivot_root, new_root, put_old);
}

#endif

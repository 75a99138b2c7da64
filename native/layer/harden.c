/* SPDX-License-Identifier: Apache-2.0
 * See harden.h. The filter lets through the calls that musl and this program make while they unpack; any
 * other answers EPERM, which ends the unpacking with an ordinary error. */
#include "layer/harden.h"
#include "layer/tar.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Files of any owner and mode, device nodes, file capabilities and (SYS_ADMIN) trusted.* attributes. */
#define CAPS                                                                                                 \
	(1u << CAP_CHOWN | 1u << CAP_DAC_OVERRIDE | 1u << CAP_FOWNER | 1u << CAP_FSETID | 1u << CAP_MKNOD |  \
	 1u << CAP_SYS_ADMIN | 1u << CAP_SETFCAP)

static void drop_capabilities(void)
{
	struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct data[2] = {{0, 0, 0}, {0, 0, 0}};
	for (unsigned long cap = 0; cap <= CAP_LAST_CAP; cap++) {
		if (cap >= 32 || (CAPS & (1u << cap)) == 0)
			(void)prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
	}
	if (syscall(SYS_capget, &head, data) != 0)
		return;
	for (size_t i = 0; i < 2; i++) {
		uint32_t keep = i == 0 ? CAPS : 0;
		data[i].effective &= keep;
		data[i].permitted &= keep;
		data[i].inheritable = 0;
	}
	(void)syscall(SYS_capset, &head, data);
}

static void lower(struct rlimit *now, rlim_t value)
{
	if (now->rlim_max == RLIM_INFINITY || now->rlim_max > value)
		now->rlim_max = value;
	if (now->rlim_cur == RLIM_INFINITY || now->rlim_cur > now->rlim_max)
		now->rlim_cur = now->rlim_max;
}

static void limit(void)
{
	struct rlimit now;
	if (getrlimit(RLIMIT_FSIZE, &now) == 0) {
		lower(&now, TAR_FILE_BYTES_MAX);
		(void)setrlimit(RLIMIT_FSIZE, &now);
	}
	if (getrlimit(RLIMIT_CORE, &now) == 0) {
		lower(&now, 0);
		(void)setrlimit(RLIMIT_CORE, &now);
	}
}

/* Needs REFER (Landlock 2, Linux 5.19): without it no hard link between folders is allowed at all. */
static unsigned landlock(int root)
{
	long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	if (version < 2)
		return 0;
	uint64_t known = (LANDLOCK_ACCESS_FS_REFER << 1) - 1;
	struct landlock_ruleset_attr set = {.handled_access_fs = known};
	uint64_t unpack = known & ~(uint64_t)(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_MAKE_SOCK);
	struct landlock_path_beneath_attr rule = {.allowed_access = unpack, .parent_fd = root};
	int fd = (int)syscall(SYS_landlock_create_ruleset, &set, sizeof(set), 0);
	if (fd < 0)
		return 0;
	bool done = syscall(SYS_landlock_add_rule, fd, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0 &&
		    syscall(SYS_landlock_restrict_self, fd, 0) == 0;
	close(fd);
	return done ? HARDEN_LANDLOCK : 0;
}

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#elif defined(__arm__)
#define ARCH AUDIT_ARCH_ARM
#elif defined(__riscv) && __riscv_xlen == 64
#define ARCH AUDIT_ARCH_RISCV64
#endif

static const int calls[] = {
    SYS_read,
    SYS_readv,
    SYS_write,
    SYS_writev,
    SYS_pread64,
    SYS_pwrite64,
    SYS_lseek,
    SYS_openat,
    SYS_openat2,
    SYS_close,
    SYS_fcntl,
    SYS_mkdirat,
    SYS_mknodat,
    SYS_unlinkat,
    SYS_linkat,
    SYS_symlinkat,
    SYS_fchownat,
    SYS_fchown,
    SYS_fchmodat,
    SYS_fchmod,
    SYS_fchdir,
    SYS_lsetxattr,
    SYS_utimensat,
    SYS_ftruncate,
    SYS_fsync,
    SYS_syncfs,
    SYS_getdents64,
    SYS_munmap,
    SYS_mremap,
    SYS_mprotect,
    SYS_madvise,
    SYS_brk,
    SYS_exit,
    SYS_exit_group,
    SYS_rt_sigprocmask,
    SYS_rt_sigreturn,
    SYS_restart_syscall,
    SYS_getpid,
    SYS_ioctl,
#ifdef SYS_fstat
    SYS_fstat,
#endif
#ifdef SYS_newfstatat
    SYS_newfstatat,
#endif
#ifdef SYS_statx
    SYS_statx,
#endif
#ifdef SYS_chmod
    SYS_chmod,
#endif
#ifdef SYS_open
    SYS_open,
#endif
#ifdef SYS_unlink
    SYS_unlink,
    SYS_rmdir,
#endif
#ifdef SYS_mmap
    SYS_mmap,
#endif
#ifdef SYS_clock_gettime
    SYS_clock_gettime,
#endif
/* 32-bit forms */
#ifdef SYS_mmap2
    SYS_mmap2,
#endif
#ifdef SYS_fchown32
    SYS_fchown32,
#endif
#ifdef SYS_fcntl64
    SYS_fcntl64,
#endif
#ifdef SYS_fstat64
    SYS_fstat64,
    SYS_fstatat64,
    SYS_ftruncate64,
    SYS__llseek,
#endif
#ifdef SYS_clock_gettime32
    SYS_clock_gettime32,
#endif
#ifdef SYS_clock_gettime64
    SYS_clock_gettime64,
#endif
#ifdef SYS_utimensat_time64
    SYS_utimensat_time64,
#endif
};
#define CALLS (sizeof(calls) / sizeof(calls[0]))

static unsigned seccomp(void)
{
#ifdef ARCH
	struct sock_filter code[CALLS + 6];
	unsigned short n = 0;
	code[n++] =
	    (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch));
	code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0);
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < CALLS; i++) /* a hit jumps over the rest, to the last line */
		code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)calls[i],
							 (uint8_t)(CALLS - i), 0);
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 1 /* EPERM */);
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog program = {n, code};
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) == 0 ? HARDEN_SECCOMP : 0;
#else
	return 0;
#endif
}

unsigned harden(int root)
{
	(void)signal(SIGXFSZ, SIG_IGN); /* a file over the limit is EFBIG, not a death */
	limit();
	drop_capabilities();
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return 0; /* the two below need it */
	unsigned got = landlock(root);
	return got | seccomp();
}

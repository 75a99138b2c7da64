// SPDX-License-Identifier: Apache-2.0
// The default system-call policy as data: what an ordinary container may call, grouped by purpose, and what a
// capability or an architecture adds. In effect it is the policy that Docker's users know (io_uring is not
// allowed: too many ways out of a container have led through it). Names a kernel does not know do no harm.

/** Allowed for every container. */
export const allowed: readonly string[] = [
  // files: open, read, write, seek
  `open openat openat2 creat close close_range read readv pread64 preadv preadv2 write writev pwrite64 pwritev
    pwritev2 lseek _llseek sendfile sendfile64 splice tee vmsplice copy_file_range readahead fadvise64 fadvise64_64
    fallocate truncate truncate64 ftruncate ftruncate64 sync syncfs fsync fdatasync sync_file_range dup dup2 dup3
    fcntl fcntl64 flock ioctl cachestat`,
  // files: names and attributes
  `access faccessat faccessat2 stat stat64 lstat lstat64 fstat fstat64 fstatat64 newfstatat statx statfs statfs64
    fstatfs fstatfs64 chmod fchmod fchmodat fchmodat2 chown chown32 fchown fchown32 fchownat lchown lchown32 umask
    utime utimes utimensat utimensat_time64 futimesat link linkat symlink symlinkat readlink readlinkat rename
    renameat renameat2 unlink unlinkat mkdir mkdirat rmdir mknod mknodat getdents getdents64 getcwd chdir fchdir
    name_to_handle_at getxattr lgetxattr fgetxattr getxattrat setxattr lsetxattr fsetxattr setxattrat listxattr
    llistxattr flistxattr listxattrat removexattr lremovexattr fremovexattr removexattrat statmount listmount`,
  // memory
  `brk mmap mmap2 munmap mremap mprotect madvise mincore msync mlock mlock2 mlockall munlock munlockall mseal
    membarrier memfd_create memfd_secret remap_file_pages pkey_alloc pkey_free pkey_mprotect map_shadow_stack`,
  // processes and threads
  `fork vfork execve execveat exit exit_group wait4 waitid waitpid getpid getppid gettid getpgid getpgrp setpgid
    getsid setsid set_tid_address set_robust_list get_robust_list set_thread_area get_thread_area rseq
    restart_syscall prctl seccomp landlock_create_ruleset landlock_add_rule landlock_restrict_self pidfd_open
    pidfd_send_signal process_mrelease futex futex_time64 futex_waitv futex_wait futex_wake futex_requeue
    getpriority setpriority ioprio_get ioprio_set sched_yield sched_getaffinity sched_setaffinity sched_getattr
    sched_setattr sched_getparam sched_setparam sched_getscheduler sched_setscheduler sched_get_priority_max
    sched_get_priority_min sched_rr_get_interval sched_rr_get_interval_time64 getcpu getrlimit setrlimit ugetrlimit
    prlimit64 getrusage times process_vm_readv process_vm_writev ptrace lsm_get_self_attr lsm_list_modules`,
  // identity
  `getuid getuid32 geteuid geteuid32 getgid getgid32 getegid getegid32 getresuid getresuid32 getresgid getresgid32
    getgroups getgroups32 setuid setuid32 setgid setgid32 setreuid setreuid32 setregid setregid32 setresuid
    setresuid32 setresgid setresgid32 setfsuid setfsuid32 setfsgid setfsgid32 setgroups setgroups32 capget capset`,
  // signals
  `kill tkill tgkill rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend
    rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo sigaltstack sigprocmask sigreturn signalfd signalfd4
    pause alarm`,
  // time
  `time gettimeofday clock_gettime clock_gettime64 clock_getres clock_getres_time64 clock_nanosleep
    clock_nanosleep_time64 nanosleep adjtimex clock_adjtime clock_adjtime64 getitimer setitimer timer_create
    timer_delete timer_getoverrun timer_gettime timer_gettime64 timer_settime timer_settime64 timerfd_create
    timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64`,
  // waiting and events
  `poll ppoll ppoll_time64 select _newselect pselect6 pselect6_time64 epoll_create epoll_create1 epoll_ctl
    epoll_ctl_old epoll_wait epoll_wait_old epoll_pwait epoll_pwait2 eventfd eventfd2 inotify_init inotify_init1
    inotify_add_watch inotify_rm_watch fanotify_mark io_setup io_destroy io_submit io_cancel io_getevents
    io_pgetevents io_pgetevents_time64`,
  // sockets and pipes
  `pipe pipe2 socketpair socketcall bind connect listen accept accept4 shutdown getsockname getpeername
    getsockopt setsockopt send sendto sendmsg sendmmsg recv recvfrom recvmsg recvmmsg recvmmsg_time64`,
  // System V and POSIX IPC
  `ipc shmget shmat shmdt shmctl semget semop semctl semtimedop semtimedop_time64 msgget msgsnd msgrcv msgctl
    mq_open mq_unlink mq_notify mq_getsetattr mq_timedsend mq_timedsend_time64 mq_timedreceive
    mq_timedreceive_time64`,
  // the system
  `uname sysinfo getrandom`,
].flatMap((group) => group.split(/\s+/));

/** Allowed only with the capability. */
export const byCapability: Readonly<Record<string, readonly string[]>> = {
  CAP_DAC_READ_SEARCH: ['open_by_handle_at'],
  CAP_SYS_ADMIN: `bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie mount
    mount_setattr move_mount open_tree perf_event_open quotactl quotactl_fd setdomainname sethostname setns
    syslog umount umount2 unshare`.split(/\s+/),
  CAP_SYS_BOOT: ['reboot'],
  CAP_SYS_CHROOT: ['chroot'],
  CAP_SYS_MODULE: ['delete_module', 'finit_module', 'init_module'],
  CAP_SYS_PACCT: ['acct'],
  CAP_SYS_PTRACE: ['kcmp', 'pidfd_getfd', 'process_madvise'],
  CAP_SYS_RAWIO: ['ioperm', 'iopl'],
  CAP_SYS_TIME: ['clock_settime', 'clock_settime64', 'settimeofday', 'stime'],
  CAP_SYS_TTY_CONFIG: ['vhangup'],
  CAP_SYS_NICE: ['get_mempolicy', 'mbind', 'set_mempolicy', 'set_mempolicy_home_node'],
  CAP_SYSLOG: ['syslog'],
  CAP_BPF: ['bpf'],
  CAP_PERFMON: ['perf_event_open'],
};

const arm: readonly string[] = [
  'arm_fadvise64_64',
  'arm_sync_file_range',
  'sync_file_range2',
  'breakpoint',
  'cacheflush',
  'set_tls',
];

/** OCI image architecture → the runtime's name of it and the calls that only it has. */
export const byArchitecture: Readonly<
  Record<string, { readonly arch: string; readonly names: readonly string[] }>
> = {
  amd64: { arch: 'SCMP_ARCH_X86_64', names: ['arch_prctl', 'modify_ldt'] },
  '386': { arch: 'SCMP_ARCH_X86', names: ['modify_ldt'] },
  arm64: { arch: 'SCMP_ARCH_AARCH64', names: arm },
  arm: { arch: 'SCMP_ARCH_ARM', names: arm },
  riscv64: { arch: 'SCMP_ARCH_RISCV64', names: ['riscv_flush_icache'] },
};

/** personality(2) may set these and ask (0xffffffff): PER_LINUX, PER_LINUX32, with and without UNAME26. */
export const personalities: readonly number[] = [0, 0x0008, 0x20000, 0x20008, 0xffffffff];

/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET: clone(2) with any of them is refused. */
export const cloneNamespaceFlags = 0x7e020000;

/** AF_VSOCK leads to the hypervisor and past every firewall rule. */
export const familyVsock = 40;

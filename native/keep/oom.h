/* SPDX-License-Identifier: Apache-2.0
 * Has the kernel killed something in the container's cgroup for want of memory? Works for cgroup v1, v2 and
 * both together. The counter is opened while the container lives and read when it is gone, before its cgroup
 * is. */
#ifndef WHERRY_KEEP_OOM_H
#define WHERRY_KEEP_OOM_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct oom {
	int events; /* memory.oom_control or memory.events; -1 = none */
	int64_t before;
};

/* Finds the counter through /proc/PID/cgroup. Where there is none, nothing is ever counted. */
void oom_open(struct oom *oom, pid_t init);
/* True if something was killed since oom_open. */
bool oom_happened(const struct oom *oom);
void oom_close(struct oom *oom);

#endif

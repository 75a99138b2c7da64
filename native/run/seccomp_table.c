/* SPDX-License-Identifier: Apache-2.0
 * The numbers of the system calls, generated at build from the kernel's headers (native.mk). */
#include "run/seccomp.h"
#include <asm/unistd.h>
#include <linux/audit.h>

static const struct seccomp_name native_names[] = {
#include "syscalls.h"
};

#if defined(__x86_64__)
static const struct seccomp_name compat_names[] = {
#include "syscalls-compat.h"
};
#endif

#define ROWS(table) table, sizeof(table) / sizeof(*(table))

const struct seccomp_table seccomp_tables[] = {
#if defined(__x86_64__)
    {"SCMP_ARCH_X86_64", AUDIT_ARCH_X86_64, ROWS(native_names)},
    {"SCMP_ARCH_X86", AUDIT_ARCH_I386, ROWS(compat_names)},
#elif defined(__aarch64__)
    {"SCMP_ARCH_AARCH64", AUDIT_ARCH_AARCH64, ROWS(native_names)},
#elif defined(__arm__)
    {"SCMP_ARCH_ARM", AUDIT_ARCH_ARM, ROWS(native_names)},
#elif defined(__riscv) && __riscv_xlen == 64
    {"SCMP_ARCH_RISCV64", AUDIT_ARCH_RISCV64, ROWS(native_names)},
#else
#error "name the architecture here; the filter also expects little-endian arguments"
#endif
};
const size_t seccomp_table_count = sizeof(seccomp_tables) / sizeof(*seccomp_tables);

/* SPDX-License-Identifier: Apache-2.0
 * linux.seccomp becomes a BPF program of our own: no library, numbers sorted, found by halving. The machine's
 * own architecture is always filtered; a 32-bit one only where config.json lists it and its numbers are known
 * here; calls of every other are killed. */
#ifndef WHERRY_RUN_SECCOMP_H
#define WHERRY_RUN_SECCOMP_H

#include "shared/error.h"
#include "shared/json.h"
#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SECCOMP_CODE_MAX 4096 /* BPF_MAXINSNS: the kernel's own bound */

struct seccomp_filter {
	struct sock_filter *code;
	size_t count;
	unsigned flags;
};

/* One comparison of an argument; masked equality: (arg & value) == value_two. */
enum seccomp_operator { OP_EQ, OP_NE, OP_LT, OP_LE, OP_GE, OP_GT, OP_MASKED_EQ };
struct seccomp_compare {
	unsigned argument;
	enum seccomp_operator operator;
	uint64_t value, value_two;
};
#define SECCOMP_COMPARES_MAX 6
struct seccomp_rule {
	uint32_t action;
	struct seccomp_compare compares[SECCOMP_COMPARES_MAX];
	size_t count;
	struct seccomp_rule *next;
};
/* All rules of one system call: the conditional ones in their order, then the one without conditions. */
struct seccomp_call {
	uint32_t number;
	bool has_action;
	uint32_t action;
	struct seccomp_rule *rules;
};
struct seccomp_section {
	uint32_t architecture; /* AUDIT_ARCH_* */
	uint32_t newest;       /* the highest number of the table */
	bool has_x32;	       /* numbers with bit 30 are another ABI's: never allowed */
	struct seccomp_call *calls;
	size_t count;
};

struct seccomp_name {
	const char *name;
	unsigned number;
};
struct seccomp_table {
	const char *architecture; /* SCMP_ARCH_* */
	uint32_t audit;
	const struct seccomp_name *names; /* sorted by name */
	size_t count;
};
/* [0] is the machine's own. */
extern const struct seccomp_table seccomp_tables[];
extern const size_t seccomp_table_count;

/* Reads the rules and builds the program; *f is empty for seccomp absent. */
int seccomp_build(struct seccomp_filter *f, const struct json *seccomp, struct err *e);
/* The program from its sections. */
int seccomp_emit(struct seccomp_filter *f, const struct seccomp_section *sections, size_t count,
		 uint32_t default_action, struct err *e);
/* Filters the calling process from here on. */
int seccomp_load(const struct seccomp_filter *f, struct err *e);

#endif

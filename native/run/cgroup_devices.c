/* SPDX-License-Identifier: Apache-2.0
 * Device rules on cgroup v2: a BPF program on the group, the last rule that fits decides, as in v1. */
#include "run/cgroup.h"
#include "run/kernel.h"
#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>

#define STEPS_PER_RULE 8
#define STEPS_AROUND   10

struct code {
	struct bpf_insn *steps;
	size_t count;
};

static void put(struct code *c, uint8_t op, unsigned to, unsigned from, int16_t offset, int32_t value)
{
	struct bpf_insn step;

	memset(&step, 0, sizeof(step));
	step.code = op;
	step.dst_reg = to & 15u;
	step.src_reg = from & 15u;
	step.off = offset;
	step.imm = value;
	c->steps[c->count++] = step;
}

static void answer(struct code *c, bool allow)
{
	put(c, BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, allow);
	put(c, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

/* r2 type, r3 access, r4 major, r5 minor; jumps out of the rule are filled in at its end. */
static void rule(struct code *c, const struct spec_rule *r)
{
	size_t first = c->count;

	if (r->type != 'a')
		put(c, BPF_JMP | BPF_JNE | BPF_K, BPF_REG_2, 0, 0,
		    r->type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR);
	if (r->access != 7) {
		put(c, BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_1, BPF_REG_3, 0, 0);
		/* Allowed: all that is wanted is in the rule. Denied: any of it is. */
		put(c, BPF_ALU64 | BPF_AND | BPF_K, BPF_REG_1, 0, 0,
		    r->allow ? (int32_t)(7u & ~r->access) : (int32_t)r->access);
		put(c, BPF_JMP | (r->allow ? BPF_JNE : BPF_JEQ) | BPF_K, BPF_REG_1, 0, 0, 0);
	}
	if (r->major >= 0)
		put(c, BPF_JMP | BPF_JNE | BPF_K, BPF_REG_4, 0, 0, (int32_t)r->major);
	if (r->minor >= 0)
		put(c, BPF_JMP | BPF_JNE | BPF_K, BPF_REG_5, 0, 0, (int32_t)r->minor);
	answer(c, r->allow);
	for (size_t at = first; at + 2 < c->count; at++)
		if (BPF_CLASS(c->steps[at].code) == BPF_JMP)
			c->steps[at].off = (int16_t)(c->count - at - 1);
}

static bool is_for_all(const struct spec_rule *r)
{
	return r->type == 'a' && r->access == 7 && r->major < 0 && r->minor < 0;
}

static int load(const struct code *c, struct err *e)
{
	union bpf_attr attr;
	int fd;

	memset(&attr, 0, sizeof(attr));
	attr.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
	attr.insns = (uint64_t)(uintptr_t)c->steps;
	attr.insn_cnt = (uint32_t)c->count;
	attr.license = (uint64_t)(uintptr_t) "Apache-2.0";
	fd = (int)syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));
	return fd >= 0 ? fd : err_set(e, ERR_CGROUP, errno, "load the device rules (CONFIG_CGROUP_BPF)");
}

int cgroup_v2_devices(int dir, const struct spec_resources *r, struct err *e)
{
	struct code c = {NULL, 0};
	union bpf_attr attr;
	size_t at = r->rule_count;
	int program, rc;

	if (r->rule_count == 0)
		return 0;
	c.steps = calloc(r->rule_count * STEPS_PER_RULE + STEPS_AROUND, sizeof(*c.steps));
	if (c.steps == NULL)
		return err_set(e, ERR_MEMORY, errno, "device rules");
	put(&c, BPF_LDX | BPF_W | BPF_MEM, BPF_REG_2, BPF_REG_1, 0, 0);
	put(&c, BPF_LDX | BPF_W | BPF_MEM, BPF_REG_4, BPF_REG_1, 4, 0);
	put(&c, BPF_LDX | BPF_W | BPF_MEM, BPF_REG_5, BPF_REG_1, 8, 0);
	put(&c, BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_3, BPF_REG_2, 0, 0);
	put(&c, BPF_ALU64 | BPF_RSH | BPF_K, BPF_REG_3, 0, 0, 16);
	put(&c, BPF_ALU64 | BPF_AND | BPF_K, BPF_REG_2, 0, 0, 0xffff);
	/* A rule for everything ends the program: the kernel refuses steps that can never be reached. */
	while (at > 0 && !is_for_all(&r->rules[at - 1]))
		rule(&c, &r->rules[--at]);
	answer(&c, at == 0 || r->rules[at - 1].allow);
	program = load(&c, e);
	free(c.steps);
	if (program < 0)
		return -1;
	memset(&attr, 0, sizeof(attr));
	attr.target_fd = (uint32_t)dir;
	attr.attach_bpf_fd = (uint32_t)program;
	attr.attach_type = BPF_CGROUP_DEVICE;
	attr.attach_flags = BPF_F_ALLOW_MULTI;
	rc = (int)syscall(SYS_bpf, BPF_PROG_ATTACH, &attr, sizeof(attr));
	if (rc != 0)
		err_set(e, ERR_CGROUP, errno, "attach the device rules");
	close(program);
	return rc;
}

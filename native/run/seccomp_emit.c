/* SPDX-License-Identifier: Apache-2.0
 * Writes the BPF program. Each section (architecture) is a search tree over ranges of numbers whose answer is
 * the same; about log2(ranges) comparisons a call. Jumps of BPF reach 255 steps; a far one takes a jump
 * always. */
#include "run/seccomp.h"
#include <errno.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>

#define X32_BIT	      0x40000000u
#define OFFSET_NUMBER 0u
#define OFFSET_ARCH   4u
#define OFFSET_ARGS   16u
#define ERRNO_OF(n)   (SECCOMP_RET_ERRNO | (uint32_t)(n))

struct program {
	struct sock_filter *code;
	size_t count;
	bool full;
};

/* From `start` up to the next range's start. */
struct range {
	uint32_t start, action;
	const struct seccomp_call *conditional; /* NULL = action alone */
};

static void put(struct program *p, uint16_t code, uint32_t k, uint8_t jt, uint8_t jf)
{
	if (p->count == SECCOMP_CODE_MAX) {
		p->full = true;
		return;
	}
	p->code[p->count++] = (struct sock_filter){code, jt, jf, k};
}

static void put_load(struct program *p, uint32_t offset)
{
	put(p, BPF_LD | BPF_W | BPF_ABS, offset, 0, 0);
}

static void put_return(struct program *p, uint32_t action)
{
	put(p, BPF_RET | BPF_K, action, 0, 0);
}

/* 255 in a jump stands for "this rule does not match", until rule() knows how far that is. */
#define FAIL 255

#define JEQ (BPF_JMP | BPF_JEQ | BPF_K)
#define JGT (BPF_JMP | BPF_JGT | BPF_K)
#define JGE (BPF_JMP | BPF_JGE | BPF_K)

static void compare(struct program *p, const struct seccomp_compare *c)
{
	uint32_t low = OFFSET_ARGS + 8 * c->argument, high = low + 4;
	uint32_t v_low = (uint32_t)c->value, v_high = (uint32_t)(c->value >> 32);

	put_load(p, high);
	switch (c->operator) {
	case OP_EQ:
		put(p, JEQ, v_high, 0, FAIL);
		put_load(p, low);
		put(p, JEQ, v_low, 0, FAIL);
		break;
	case OP_NE:
		put(p, JEQ, v_high, 0, 2);
		put_load(p, low);
		put(p, JEQ, v_low, FAIL, 0);
		break;
	case OP_GT:
	case OP_GE:
		put(p, JGT, v_high, 3, 0);
		put(p, JEQ, v_high, 0, FAIL);
		put_load(p, low);
		put(p, c->operator== OP_GT ? JGT : JGE, v_low, 0, FAIL);
		break;
	case OP_LT:
	case OP_LE:
		put(p, JGT, v_high, FAIL, 0);
		put(p, JEQ, v_high, 0, 2);
		put_load(p, low);
		put(p, c->operator== OP_LT ? JGE : JGT, v_low, FAIL, 0);
		break;
	case OP_MASKED_EQ:
		put(p, BPF_ALU | BPF_AND | BPF_K, v_high, 0, 0);
		put(p, JEQ, (uint32_t)(c->value_two >> 32), 0, FAIL);
		put_load(p, low);
		put(p, BPF_ALU | BPF_AND | BPF_K, v_low, 0, 0);
		put(p, JEQ, (uint32_t)c->value_two, 0, FAIL);
		break;
	}
}

static void rule(struct program *p, const struct seccomp_rule *r)
{
	size_t first = p->count;

	for (size_t i = 0; i < r->count; i++)
		compare(p, &r->compares[i]);
	put_return(p, r->action);
	/* Six comparisons are at most 36 steps: every distance is far below FAIL. */
	for (size_t at = first; at < p->count; at++) {
		struct sock_filter *step = &p->code[at];
		uint8_t distance = (uint8_t)(p->count - at - 1);

		if (BPF_CLASS(step->code) != BPF_JMP)
			continue;
		if (step->jt == FAIL)
			step->jt = distance;
		if (step->jf == FAIL)
			step->jf = distance;
	}
}

static void leaf(struct program *p, const struct range *range)
{
	if (range->conditional != NULL)
		for (const struct seccomp_rule *r = range->conditional->rules; r; r = r->next)
			rule(p, r);
	put_return(p, range->action);
}

/* ranges[first..last]; recursion is as deep as the logarithm of their number. */
static void tree(struct program *p, const struct range *ranges, size_t first, size_t last)
{
	size_t middle = first + (last - first + 1) / 2, at = p->count, length;

	if (first == last) {
		leaf(p, &ranges[first]);
		return;
	}
	put(p, JGE, ranges[middle].start, 0, 0);
	tree(p, ranges, first, middle - 1);
	length = p->count - at - 1;
	if (p->full)
		return;
	if (length <= 255) {
		p->code[at].jt = (uint8_t)length;
	} else {
		/* jge: on to the jump always behind it; else over it, into the lower half. */
		if (p->count == SECCOMP_CODE_MAX) {
			p->full = true;
			return;
		}
		memmove(&p->code[at + 2], &p->code[at + 1], length * sizeof(*p->code));
		p->code[at + 1] = (struct sock_filter){BPF_JMP | BPF_JA, 0, 0, (uint32_t)length};
		p->code[at].jf = 1;
		p->count++;
	}
	tree(p, ranges, middle, last);
}

struct ranges {
	struct range *items;
	size_t count;
};

static void add_range(struct ranges *r, uint32_t start, uint32_t action,
		      const struct seccomp_call *conditional)
{
	struct range *last = r->count > 0 ? &r->items[r->count - 1] : NULL;

	if (last != NULL && conditional == NULL && last->conditional == NULL && last->action == action)
		return;
	r->items[r->count++] = (struct range){start, action, conditional};
}

static int section(struct program *p, const struct seccomp_section *s, uint32_t otherwise, struct err *e)
{
	struct ranges r = {calloc(2 * s->count + 3, sizeof(*r.items)), 0};
	uint32_t next = 0;

	if (r.items == NULL)
		return err_set(e, ERR_MEMORY, errno, "seccomp");
	for (size_t i = 0; i < s->count; i++) {
		const struct seccomp_call *call = &s->calls[i];

		if (call->number > next)
			add_range(&r, next, otherwise, NULL);
		add_range(&r, call->number, call->has_action ? call->action : otherwise,
			  call->rules != NULL ? call : NULL);
		next = call->number + 1;
	}
	if (next <= s->newest)
		add_range(&r, next, otherwise, NULL);
	/* A call newer than our table: "no such call" makes a C library fall back, EPERM makes it fail. */
	next = s->newest + 1;
	add_range(&r, next, otherwise == ERRNO_OF(EPERM) ? ERRNO_OF(ENOSYS) : otherwise, NULL);
	put_load(p, OFFSET_NUMBER);
	if (s->has_x32) {
		put(p, JGE, X32_BIT, 0, 1);
		put_return(p, ERRNO_OF(ENOSYS));
	}
	tree(p, r.items, 0, r.count - 1);
	free(r.items);
	return 0;
}

int seccomp_emit(struct seccomp_filter *f, const struct seccomp_section *sections, size_t count,
		 uint32_t default_action, struct err *e)
{
	struct program p = {calloc(SECCOMP_CODE_MAX, sizeof(*p.code)), 0, false};

	if (p.code == NULL)
		return err_set(e, ERR_MEMORY, errno, "seccomp");
	f->code = p.code;
	put_load(&p, OFFSET_ARCH);
	for (size_t i = 0; i < count && !p.full; i++) {
		size_t jump = p.count + 1;

		put(&p, JEQ, sections[i].architecture, 1, 0);
		put(&p, BPF_JMP | BPF_JA, 0, 0, 0);
		if (section(&p, &sections[i], default_action, e) != 0)
			return -1;
		if (jump < SECCOMP_CODE_MAX)
			p.code[jump].k = (uint32_t)(p.count - jump - 1);
	}
	put_return(&p, SECCOMP_RET_KILL_PROCESS);
	if (p.full)
		return err_set(e, ERR_SECCOMP, E2BIG, "the filter is longer than %d steps", SECCOMP_CODE_MAX);
	f->count = p.count;
	return 0;
}

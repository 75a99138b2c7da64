/* SPDX-License-Identifier: Apache-2.0
 * Reads linux.seccomp: names become numbers (unknown ones are skipped, as they cannot be called), actions
 * become values. Of several rules for one call the conditional ones are asked first, in their order. */
#include "run/seccomp.h"
#include "run/kernel.h"
#include "run/spec.h"
#include <errno.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>

#define SECTIONS_MAX 4

struct reader {
	const struct seccomp_table *table;
	struct seccomp_section section;
	uint32_t otherwise;
};

static int by_name(const void *key, const void *row)
{
	return strcmp(key, ((const struct seccomp_name *)row)->name);
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = ((const struct seccomp_call *)a)->number;
	uint32_t y = ((const struct seccomp_call *)b)->number;

	return x < y ? -1 : x > y;
}

static int action_of(const char *name, uint32_t error, uint32_t *out, struct err *e)
{
	static const struct {
		const char *name;
		uint32_t value;
		bool takes_errno;
	} table[] = {
	    {"SCMP_ACT_KILL", SECCOMP_RET_KILL_THREAD, false},
	    {"SCMP_ACT_KILL_THREAD", SECCOMP_RET_KILL_THREAD, false},
	    {"SCMP_ACT_KILL_PROCESS", SECCOMP_RET_KILL_PROCESS, false},
	    {"SCMP_ACT_TRAP", SECCOMP_RET_TRAP, false},
	    {"SCMP_ACT_ERRNO", SECCOMP_RET_ERRNO, true},
	    {"SCMP_ACT_TRACE", SECCOMP_RET_TRACE, true},
	    {"SCMP_ACT_LOG", SECCOMP_RET_LOG, false},
	    {"SCMP_ACT_ALLOW", SECCOMP_RET_ALLOW, false},
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
		if (strcmp(table[i].name, name) == 0) {
			*out = table[i].value | (table[i].takes_errno ? error : 0);
			return 0;
		}
	return err_set(e, ERR_SECCOMP, 0, "action %s is not supported", name);
}

static int read_compare(struct seccomp_compare *c, const struct json *item, struct err *e)
{
	static const char *const names[] = {
	    "SCMP_CMP_EQ", "SCMP_CMP_NE", "SCMP_CMP_LT",	"SCMP_CMP_LE",
	    "SCMP_CMP_GE", "SCMP_CMP_GT", "SCMP_CMP_MASKED_EQ",
	};
	const char *op = NULL;
	uint64_t index = 0;

	if (json_u64(item, "index", SECCOMP_COMPARES_MAX - 1, &index, e) != 0 ||
	    json_u64(item, "value", UINT64_MAX, &c->value, e) != 0 ||
	    json_u64(item, "valueTwo", UINT64_MAX, &c->value_two, e) != 0 ||
	    spec_need(item, "op", &op, e) != 0)
		return -1;
	c->argument = (unsigned)index;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strcmp(names[i], op) == 0) {
			c->operator=(enum seccomp_operator) i;
			return 0;
		}
	return err_set(e, ERR_SECCOMP, 0, "operator %s", op);
}

static int append(struct seccomp_rule **list, uint32_t action, const struct seccomp_compare *compares,
		  size_t count, struct err *e)
{
	struct seccomp_rule *rule = calloc(1, sizeof(*rule));

	if (rule == NULL)
		return err_set(e, ERR_MEMORY, errno, "seccomp");
	rule->action = action;
	rule->count = count;
	memcpy(rule->compares, compares, count * sizeof(*compares));
	while (*list != NULL)
		list = &(*list)->next;
	*list = rule;
	return 0;
}

/* All comparisons must hold; but where one argument is named twice, each stands for itself, as in other
 * runtimes (config-linux.md §Seccomp leaves it open, their profiles rely on it). */
static int add_rule(struct seccomp_call *call, uint32_t action, const struct seccomp_compare *all,
		    size_t count, struct err *e)
{
	unsigned seen = 0;
	bool twice = false;

	for (size_t i = 0; i < count; i++) {
		twice = twice || (seen & 1u << all[i].argument) != 0;
		seen |= 1u << all[i].argument;
	}
	if (!twice && count <= SECCOMP_COMPARES_MAX)
		return append(&call->rules, action, all, count, e);
	for (size_t i = 0; i < count; i++)
		if (append(&call->rules, action, &all[i], 1, e) != 0)
			return -1;
	return 0;
}

static struct seccomp_call *call_of(struct reader *r, uint32_t number)
{
	for (size_t i = 0; i < r->section.count; i++)
		if (r->section.calls[i].number == number)
			return &r->section.calls[i];
	r->section.calls[r->section.count].number = number;
	return &r->section.calls[r->section.count++];
}

static int add_names(struct reader *r, const struct json *group, uint32_t action,
		     const struct seccomp_compare *compares, size_t count, struct err *e)
{
	const struct json *names = NULL;

	if (json_array(group, "names", &names, e) != 0)
		return -1;
	if (names == NULL)
		return err_set(e, ERR_SPEC, 0, "names is missing");
	for (const struct json *one = names->child; one != NULL; one = one->next) {
		const struct seccomp_name *row;
		struct seccomp_call *call;

		if (one->type != JSON_STRING)
			return err_set(e, ERR_SPEC, 0, "names: not a text");
		row = bsearch(one->text, r->table->names, r->table->count, sizeof(*row), by_name);
		if (row == NULL)
			continue;
		call = call_of(r, row->number);
		if (count > 0) {
			if (add_rule(call, action, compares, count, e) != 0)
				return -1;
		} else if (!call->has_action) {
			call->has_action = true;
			call->action = action;
		}
	}
	return 0;
}

static int read_group(struct reader *r, const struct json *group, struct err *e)
{
	struct seccomp_compare compares[2 * SECCOMP_COMPARES_MAX];
	const struct json *args = NULL;
	const char *name = NULL;
	uint64_t error = EPERM;
	uint32_t action = 0;
	size_t count = 0;

	memset(compares, 0, sizeof(compares));
	if (spec_need(group, "action", &name, e) != 0 || json_u64(group, "errnoRet", 4095, &error, e) != 0 ||
	    json_array(group, "args", &args, e) != 0 || action_of(name, (uint32_t)error, &action, e) != 0)
		return -1;
	if (args != NULL && args->length > sizeof(compares) / sizeof(*compares))
		return err_set(e, ERR_SPEC, 0, "more than %zu args", sizeof(compares) / sizeof(*compares));
	for (const struct json *a = args ? args->child : NULL; a != NULL; a = a->next)
		if (read_compare(&compares[count++], a, e) != 0)
			return -1;
	return add_names(r, group, action, compares, count, e);
}

static int read_section(struct reader *r, const struct json *groups, struct err *e)
{
	size_t at = 0;

	r->section.calls = calloc(r->table->count + 1, sizeof(*r->section.calls));
	if (r->section.calls == NULL)
		return err_set(e, ERR_MEMORY, errno, "seccomp");
	for (size_t i = 0; i < r->table->count; i++)
		if (r->table->names[i].number > r->section.newest)
			r->section.newest = r->table->names[i].number;
	for (const struct json *g = groups ? groups->child : NULL; g != NULL; g = g->next, at++)
		if (read_group(r, g, e) != 0) {
			free(r->section.calls);
			return err_add(e, "syscalls[%zu]", at);
		}
	qsort(r->section.calls, r->section.count, sizeof(*r->section.calls), by_number);
	return 0;
}

static int read_flags(struct seccomp_filter *f, const struct json *seccomp, struct err *e)
{
	static const struct {
		const char *name;
		unsigned flag;
	} table[] = {
	    {"SECCOMP_FILTER_FLAG_TSYNC", 1},
	    {"SECCOMP_FILTER_FLAG_LOG", 2},
	    {"SECCOMP_FILTER_FLAG_SPEC_ALLOW", 4},
	};
	const char **list = NULL;
	size_t count = 0;

	if (json_strings(seccomp, "flags", &list, &count, e) != 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		size_t at = 0;

		while (at < 3 && strcmp(table[at].name, list[i]) != 0)
			at++;
		if (at == 3)
			return err_set(e, ERR_SECCOMP, 0, "flag %s is not supported", list[i]);
		f->flags |= table[at].flag;
	}
	return 0;
}

static bool is_listed(const char **list, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(list[i], name) == 0)
			return true;
	return false;
}

static int build(struct seccomp_filter *f, const struct json *seccomp, struct err *e)
{
	struct seccomp_section sections[SECTIONS_MAX];
	const struct json *groups = NULL;
	const char *name = NULL, *listener = NULL, **architectures = NULL;
	uint64_t error = EPERM;
	uint32_t otherwise = 0;
	size_t count = 0, made = 0;

	if (spec_need(seccomp, "defaultAction", &name, e) != 0 ||
	    json_u64(seccomp, "defaultErrnoRet", 4095, &error, e) != 0 ||
	    json_strings(seccomp, "architectures", &architectures, &count, e) != 0 ||
	    json_str(seccomp, "listenerPath", &listener, e) != 0 ||
	    json_array(seccomp, "syscalls", &groups, e) != 0 || read_flags(f, seccomp, e) != 0 ||
	    action_of(name, (uint32_t)error, &otherwise, e) != 0)
		return -1;
	if (listener != NULL && *listener != 0)
		return err_set(e, ERR_SECCOMP, 0, "listenerPath is not supported");
	for (size_t i = 0; i < seccomp_table_count && made < SECTIONS_MAX; i++) {
		struct reader r = {.table = &seccomp_tables[i], .otherwise = otherwise};

		if (i > 0 && !is_listed(architectures, count, r.table->architecture))
			continue;
		r.section.architecture = r.table->audit;
		r.section.has_x32 = strcmp(r.table->architecture, "SCMP_ARCH_X86_64") == 0;
		if (read_section(&r, groups, e) != 0)
			return -1;
		sections[made++] = r.section;
	}
	return seccomp_emit(f, sections, made, otherwise, e);
}

int seccomp_build(struct seccomp_filter *f, const struct json *seccomp, struct err *e)
{
	*f = (struct seccomp_filter){0};
	if (seccomp == NULL || seccomp->type == JSON_NULL)
		return 0;
	return build(f, seccomp, e) == 0 ? 0 : err_add(e, "linux.seccomp");
}

int seccomp_load(const struct seccomp_filter *f, struct err *e)
{
	struct sock_fprog program = {(unsigned short)f->count, f->code};

	if (f->count == 0)
		return 0;
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, f->flags, &program) != 0)
		return err_set(e, ERR_SECCOMP, errno, "load the filter of %zu steps", f->count);
	return 0;
}

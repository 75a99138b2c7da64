/* SPDX-License-Identifier: Apache-2.0
 * process of config.json: user, words, environment, capabilities, resource limits. */
#include "run/caps.h"
#include "run/rlimit.h"
#include "run/spec.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ID_MAX	   4294967294u /* the last one, -1, means "leave it" to the kernel */
#define GROUPS_MAX 65536u

static int user(struct spec_process *p, const struct json *object, struct err *e)
{
	const struct json *groups = NULL;
	uint64_t uid = 0, gid = 0, mask = 0;

	if (json_u64(object, "uid", ID_MAX, &uid, e) != 0 || json_u64(object, "gid", ID_MAX, &gid, e) != 0 ||
	    json_u64(object, "umask", 0777, &mask, e) != 0 ||
	    json_array(object, "additionalGids", &groups, e) != 0)
		return -1;
	p->uid = (uid_t)uid;
	p->gid = (gid_t)gid;
	p->has_umask = json_get(object, "umask") != NULL;
	p->umask = (mode_t)mask;
	if (groups == NULL)
		return 0;
	if (groups->length > GROUPS_MAX)
		return err_set(e, ERR_SPEC, 0, "additionalGids: more than %u", GROUPS_MAX);
	p->groups = calloc(groups->length + 1, sizeof(*p->groups));
	if (p->groups == NULL)
		return err_set(e, ERR_MEMORY, errno, "additionalGids");
	for (const struct json *g = groups->child; g != NULL; g = g->next) {
		char *end = NULL;
		unsigned long value;

		errno = 0;
		value = g->type == JSON_NUMBER ? strtoul(g->text, &end, 10) : 0;
		if (end == NULL || *end != 0 || g->text[0] == '-' || errno != 0 || value > ID_MAX)
			return err_set(e, ERR_SPEC, 0, "additionalGids: not a group id");
		p->groups[p->group_count++] = (gid_t)value;
	}
	return 0;
}

static int capabilities(struct spec_process *p, const struct json *object, struct err *e)
{
	static const char *const names[CAPS_COUNT] = {"bounding", "effective", "inheritable", "permitted",
						      "ambient"};

	for (int set = 0; set < CAPS_COUNT; set++) {
		const char **list = NULL;
		size_t count = 0;

		if (json_strings(object, names[set], &list, &count, e) != 0)
			return -1;
		for (size_t i = 0; i < count; i++) {
			int number = caps_number(list[i]);

			if (number < 0)
				return err_set(e, ERR_CAPS, 0, "%s: unknown capability '%s'", names[set],
					       list[i]);
			p->caps[set] |= 1ull << number;
		}
		free(list);
	}
	return 0;
}

static int rlimits(struct spec_process *p, const struct json *list, struct err *e)
{
	if (list == NULL)
		return 0;
	p->rlimits = spec_items(list->length, sizeof(*p->rlimits), "rlimits", e);
	if (p->rlimits == NULL)
		return -1;
	for (const struct json *item = list->child; item != NULL; item = item->next) {
		struct spec_rlimit *r = &p->rlimits[p->rlimit_count];
		uint64_t soft = 0, hard = 0;

		if (spec_need(item, "type", &r->name, e) != 0 ||
		    json_u64(item, "soft", UINT64_MAX, &soft, e) != 0 ||
		    json_u64(item, "hard", UINT64_MAX, &hard, e) != 0)
			return err_add(e, "rlimits[%zu]", p->rlimit_count);
		r->resource = rlimit_number(r->name);
		if (r->resource < 0)
			return err_set(e, ERR_SPEC, 0, "rlimits: unknown type '%s'", r->name);
		for (size_t i = 0; i < p->rlimit_count; i++)
			if (p->rlimits[i].resource == r->resource)
				return err_set(e, ERR_SPEC, 0, "rlimits: %s twice", r->name);
		if (soft > hard)
			return err_set(e, ERR_SPEC, 0, "rlimits: %s: soft above hard", r->name);
		r->limit.rlim_cur = soft;
		r->limit.rlim_max = hard;
		p->rlimit_count++;
	}
	return 0;
}

static int console(struct spec_process *p, const struct json *size, struct err *e)
{
	uint64_t rows = 0, columns = 0;

	if (json_u64(size, "height", 65535, &rows, e) != 0 ||
	    json_u64(size, "width", 65535, &columns, e) != 0)
		return -1;
	p->rows = (unsigned short)rows;
	p->columns = (unsigned short)columns;
	return 0;
}

/* What we do not do and would weaken the container if it were skipped in silence. */
static int refused(const struct json *process, struct err *e)
{
	static const char *const texts[] = {"apparmorProfile", "selinuxLabel"};
	static const char *const objects[] = {"scheduler", "ioPriority", "execCPUAffinity"};

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		const char *label = NULL;

		if (json_str(process, texts[i], &label, e) != 0)
			return -1;
		if (label != NULL && *label != 0 && strcmp(label, "unconfined") != 0)
			return err_set(e, ERR_SPEC, 0, "%s is not supported", texts[i]);
	}
	for (size_t i = 0; i < sizeof(objects) / sizeof(*objects); i++)
		if (json_get(process, objects[i]) != NULL && json_get(process, objects[i])->type != JSON_NULL)
			return err_set(e, ERR_SPEC, 0, "%s is not supported", objects[i]);
	return 0;
}

int spec_process(struct spec_process *p, const struct json *process, struct err *e)
{
	const struct json *user_ = NULL, *caps = NULL, *limits = NULL, *size = NULL;
	int64_t score = 0;

	if (json_bool(process, "terminal", &p->terminal, e) != 0 ||
	    json_bool(process, "noNewPrivileges", &p->no_new_privs, e) != 0 ||
	    json_object(process, "user", &user_, e) != 0 ||
	    json_object(process, "capabilities", &caps, e) != 0 ||
	    json_array(process, "rlimits", &limits, e) != 0 ||
	    json_object(process, "consoleSize", &size, e) != 0 ||
	    json_i64(process, "oomScoreAdj", -1000, 1000, &score, e) != 0 ||
	    json_strings(process, "args", &p->args, NULL, e) != 0 ||
	    json_strings(process, "env", &p->env, NULL, e) != 0 || spec_need(process, "cwd", &p->cwd, e) != 0)
		return -1;
	p->has_oom_score = json_get(process, "oomScoreAdj") != NULL;
	p->oom_score = (int)score;
	if (p->args == NULL || p->args[0] == NULL)
		return err_set(e, ERR_SPEC, 0, "args is missing or empty");
	if (p->cwd[0] != '/')
		return err_set(e, ERR_SPEC, 0, "cwd '%s' is not absolute", p->cwd);
	if (refused(process, e) != 0 || user(p, user_, e) != 0 || capabilities(p, caps, e) != 0 ||
	    rlimits(p, limits, e) != 0)
		return -1;
	return console(p, size, e);
}

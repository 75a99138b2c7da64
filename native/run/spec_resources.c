/* SPDX-License-Identifier: Apache-2.0
 * linux.resources of config.json. A limit that this runtime cannot set is refused, never skipped. */
#include "run/spec.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int memory(struct spec_resources *r, const struct json *m, struct err *e)
{
	return json_i64(m, "limit", -1, INT64_MAX, &r->memory, e) ||
	       json_i64(m, "reservation", -1, INT64_MAX, &r->reservation, e) ||
	       json_i64(m, "swap", -1, INT64_MAX, &r->swap, e);
}

static int cpu(struct spec_resources *r, const struct json *c, struct err *e)
{
	if (json_i64(c, "shares", 0, 262144, &r->shares, e) != 0 ||
	    json_i64(c, "quota", -1, INT64_MAX / 2, &r->quota, e) != 0 ||
	    json_i64(c, "period", 0, INT64_MAX / 2, &r->period, e) != 0 ||
	    json_i64(c, "burst", 0, INT64_MAX / 2, &r->burst, e) != 0 ||
	    json_i64(c, "idle", 0, 1, &r->idle, e) != 0 ||
	    json_i64(c, "realtimeRuntime", -1, INT64_MAX / 2, &r->rt_runtime, e) != 0 ||
	    json_i64(c, "realtimePeriod", 0, INT64_MAX / 2, &r->rt_period, e) != 0 ||
	    json_str(c, "cpus", &r->cpus, e) != 0 || json_str(c, "mems", &r->mems, e) != 0)
		return -1;
	if (r->shares == 0)
		r->shares = LIMIT_UNSET;
	if (r->quota == 0)
		r->quota = LIMIT_UNSET;
	if (r->period == 0)
		r->period = LIMIT_UNSET;
	if (r->cpus != NULL && *r->cpus == 0)
		r->cpus = NULL;
	if (r->mems != NULL && *r->mems == 0)
		r->mems = NULL;
	return 0;
}

static int one_rule(struct spec_rule *rule, const struct json *item, struct err *e)
{
	const char *type = "a", *access = "rwm";

	rule->major = rule->minor = -1;
	if (json_bool(item, "allow", &rule->allow, e) != 0 || json_str(item, "type", &type, e) != 0 ||
	    json_str(item, "access", &access, e) != 0 ||
	    json_i64(item, "major", -1, UINT32_MAX, &rule->major, e) != 0 ||
	    json_i64(item, "minor", -1, UINT32_MAX, &rule->minor, e) != 0)
		return -1;
	if (*type == 0)
		type = "a";
	if (type[1] != 0 || strchr("abcu", type[0]) == NULL)
		return err_set(e, ERR_SPEC, 0, "type '%s'", type);
	rule->type = type[0] == 'u' ? 'c' : type[0];
	for (const char *c = access; *c != 0; c++) {
		if (*c == 'r')
			rule->access |= DEVICE_READ;
		else if (*c == 'w')
			rule->access |= DEVICE_WRITE;
		else if (*c == 'm')
			rule->access |= DEVICE_MKNOD;
		else
			return err_set(e, ERR_SPEC, 0, "access '%s'", access);
	}
	if (rule->access == 0)
		rule->access = DEVICE_READ | DEVICE_WRITE | DEVICE_MKNOD;
	return 0;
}

/* Behind the rules of config.json: what every container must have (config-linux.md §Default Devices), and
 * mknod itself, which gives no access. */
static const struct spec_rule always[] = {
    {true, 'c', -1, -1, DEVICE_MKNOD},
    {true, 'b', -1, -1, DEVICE_MKNOD},
    {true, 'c', 1, 3, 7},
    {true, 'c', 1, 5, 7},
    {true, 'c', 1, 7, 7},
    {true, 'c', 1, 8, 7},
    {true, 'c', 1, 9, 7},
    {true, 'c', 5, 0, 7},
    {true, 'c', 5, 2, 7},
    {true, 'c', 136, -1, 7},
};

static int rules(struct spec_resources *r, const struct json *list, struct err *e)
{
	size_t more = sizeof(always) / sizeof(*always);

	if (list == NULL || list->length == 0)
		return 0;
	r->rules = spec_items(list->length + more, sizeof(*r->rules), "devices", e);
	if (r->rules == NULL)
		return -1;
	for (const struct json *item = list->child; item != NULL; item = item->next)
		if (one_rule(&r->rules[r->rule_count++], item, e) != 0)
			return err_add(e, "devices[%zu]", r->rule_count - 1);
	memcpy(&r->rules[r->rule_count], always, sizeof(always));
	r->rule_count += more;
	return 0;
}

static int block_io(struct spec_resources *r, const struct json *b, struct err *e)
{
	if (json_i64(b, "weight", 0, 10000, &r->io_weight, e) != 0)
		return -1;
	if (r->io_weight == 0)
		r->io_weight = LIMIT_UNSET;
	for (const struct json *item = b ? b->child : NULL; item != NULL; item = item->next)
		if (item->type == JSON_ARRAY && item->length > 0)
			return err_set(e, ERR_CGROUP, 0, "blockIO.%s is not supported", item->key);
	return 0;
}

static int refused(const struct json *resources, struct err *e)
{
	static const char *const names[] = {"hugepageLimits", "network", "rdma"};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		const struct json *one = json_get(resources, names[i]);

		if (one != NULL && one->type != JSON_NULL && one->length > 0)
			return err_set(e, ERR_CGROUP, 0, "resources.%s is not supported", names[i]);
	}
	return 0;
}

int spec_resources(struct spec_resources *r, const struct json *resources, struct err *e)
{
	const struct json *m = NULL, *c = NULL, *p = NULL, *d = NULL, *b = NULL;

	*r = (struct spec_resources){
	    .memory = LIMIT_UNSET,
	    .reservation = LIMIT_UNSET,
	    .swap = LIMIT_UNSET,
	    .quota = LIMIT_UNSET,
	    .period = LIMIT_UNSET,
	    .burst = LIMIT_UNSET,
	    .shares = LIMIT_UNSET,
	    .idle = LIMIT_UNSET,
	    .rt_runtime = LIMIT_UNSET,
	    .rt_period = LIMIT_UNSET,
	    .pids = LIMIT_UNSET,
	    .io_weight = LIMIT_UNSET,
	};
	if (json_object(resources, "memory", &m, e) != 0 || json_object(resources, "cpu", &c, e) != 0 ||
	    json_object(resources, "pids", &p, e) != 0 || json_array(resources, "devices", &d, e) != 0 ||
	    json_object(resources, "blockIO", &b, e) != 0 ||
	    json_object(resources, "unified", &r->unified, e) != 0 || refused(resources, e) != 0 ||
	    memory(r, m, e) != 0 || cpu(r, c, e) != 0 ||
	    json_i64(p, "limit", -1, INT64_MAX, &r->pids, e) != 0 || rules(r, d, e) != 0 ||
	    block_io(r, b, e) != 0)
		return -1;
	if (r->memory > 0 && r->swap > 0 && r->swap < r->memory)
		return err_set(e, ERR_SPEC, 0, "memory.swap (memory and swap) is below memory.limit");
	for (const struct json *u = r->unified ? r->unified->child : NULL; u; u = u->next)
		if (u->type != JSON_STRING || strchr(u->key, '/') != NULL ||
		    strncmp(u->key, "cgroup.", 7) == 0 || strchr(u->key, '.') == NULL)
			return err_set(e, ERR_SPEC, 0, "unified: '%s' is not a limit", u->key);
	return 0;
}

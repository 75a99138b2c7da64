/* SPDX-License-Identifier: Apache-2.0
 * See rlimit.h. */
#include "run/rlimit.h"
#include <errno.h>
#include <string.h>
#include <sys/resource.h>

static const struct {
	const char *name;
	int number;
} table[] = {
    {"RLIMIT_AS", RLIMIT_AS},
    {"RLIMIT_CORE", RLIMIT_CORE},
    {"RLIMIT_CPU", RLIMIT_CPU},
    {"RLIMIT_DATA", RLIMIT_DATA},
    {"RLIMIT_FSIZE", RLIMIT_FSIZE},
    {"RLIMIT_LOCKS", RLIMIT_LOCKS},
    {"RLIMIT_MEMLOCK", RLIMIT_MEMLOCK},
    {"RLIMIT_MSGQUEUE", RLIMIT_MSGQUEUE},
    {"RLIMIT_NICE", RLIMIT_NICE},
    {"RLIMIT_NOFILE", RLIMIT_NOFILE},
    {"RLIMIT_NPROC", RLIMIT_NPROC},
    {"RLIMIT_RSS", RLIMIT_RSS},
    {"RLIMIT_RTPRIO", RLIMIT_RTPRIO},
    {"RLIMIT_RTTIME", RLIMIT_RTTIME},
    {"RLIMIT_SIGPENDING", RLIMIT_SIGPENDING},
    {"RLIMIT_STACK", RLIMIT_STACK},
};

int rlimit_number(const char *name)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
		if (strcmp(table[i].name, name) == 0)
			return table[i].number;
	return -1;
}

int rlimit_apply(const struct spec_process *p, struct err *e)
{
	for (size_t i = 0; i < p->rlimit_count; i++) {
		const struct spec_rlimit *r = &p->rlimits[i];
		struct rlimit now;
		int why;

		if (setrlimit(r->resource, &r->limit) == 0)
			continue;
		why = errno;
		if (getrlimit(r->resource, &now) != 0)
			return err_set(e, ERR_RLIMIT, errno, "read %s", r->name);
		if (now.rlim_cur == r->limit.rlim_cur && now.rlim_max == r->limit.rlim_max)
			continue;
		return err_set(
		    e, ERR_RLIMIT, why,
		    "%s to %llu:%llu (it is %llu:%llu; raising the hard one needs CAP_SYS_RESOURCE)", r->name,
		    (unsigned long long)r->limit.rlim_cur, (unsigned long long)r->limit.rlim_max,
		    (unsigned long long)now.rlim_cur, (unsigned long long)now.rlim_max);
	}
	return 0;
}

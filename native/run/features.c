/* SPDX-License-Identifier: Apache-2.0
 * features: what this runtime knows, in the form of the runtime specification (features.md). */
#include "run/args.h"
#include "run/caps.h"
#include "run/seccomp.h"
#include "run/verb.h"
#include "shared/fd.h"
#include "shared/json.h"
#include <stdio.h>
#include <stdlib.h>

static void texts(struct json_out *o, const char *key, const char *const *list)
{
	json_key(o, key);
	json_open(o, '[');
	for (; *list != NULL; list++)
		json_put_str(o, *list);
	json_close(o, ']');
}

static void flag(struct json_out *o, const char *key, bool value)
{
	json_key(o, key);
	json_put_bool(o, value);
}

static void switched(struct json_out *o, const char *key, bool enabled)
{
	json_key(o, key);
	json_open(o, '{');
	flag(o, "enabled", enabled);
	json_close(o, '}');
}

static void capabilities(struct json_out *o)
{
	char name[40];

	json_key(o, "capabilities");
	json_open(o, '[');
	for (int i = 0; caps_name(i) != NULL; i++)
		if (snprintf(name, sizeof(name), "CAP_%s", caps_name(i)) > 0)
			json_put_str(o, name);
	json_close(o, ']');
}

static void seccomp(struct json_out *o)
{
	static const char *const actions[] = {
	    "SCMP_ACT_ALLOW",	     "SCMP_ACT_ERRNO",	     "SCMP_ACT_KILL",
	    "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_KILL_THREAD", "SCMP_ACT_LOG",
	    "SCMP_ACT_TRACE",	     "SCMP_ACT_TRAP",	     NULL};
	static const char *const operators[] = {"SCMP_CMP_EQ", "SCMP_CMP_GE", "SCMP_CMP_GT",
						"SCMP_CMP_LE", "SCMP_CMP_LT", "SCMP_CMP_MASKED_EQ",
						"SCMP_CMP_NE", NULL};
	static const char *const flags[] = {"SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
					    "SECCOMP_FILTER_FLAG_TSYNC", NULL};

	json_key(o, "seccomp");
	json_open(o, '{');
	flag(o, "enabled", true);
	texts(o, "actions", actions);
	texts(o, "operators", operators);
	json_key(o, "archs");
	json_open(o, '[');
	for (size_t i = 0; i < seccomp_table_count; i++)
		json_put_str(o, seccomp_tables[i].architecture);
	json_close(o, ']');
	texts(o, "knownFlags", flags);
	texts(o, "supportedFlags", flags);
	json_close(o, '}');
}

static void linux_(struct json_out *o)
{
	static const char *const namespaces[] = {"cgroup", "ipc",  "mount", "network",
						 "pid",	   "user", "uts",   NULL};

	json_key(o, "linux");
	json_open(o, '{');
	texts(o, "namespaces", namespaces);
	capabilities(o);
	json_key(o, "cgroup");
	json_open(o, '{');
	flag(o, "v1", true);
	flag(o, "v2", true);
	flag(o, "systemd", false);
	flag(o, "systemdUser", false);
	flag(o, "rdma", false);
	json_close(o, '}');
	seccomp(o);
	switched(o, "apparmor", false);
	switched(o, "selinux", false);
	switched(o, "intelRdt", false);
	json_close(o, '}');
}

int verb_features(const struct globals *g, int argc, char **argv, int *status, struct err *e)
{
	static const char *const hooks[] = {
	    "prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop", NULL};
	static const char *const options[] = {
	    "async",	     "atime",	    "bind",	   "defaults",	   "dev",      "diratime",
	    "dirsync",	     "exec",	    "iversion",	   "loud",	   "mand",     "noatime",
	    "nodev",	     "nodiratime",  "noexec",	   "noiversion",   "nomand",   "norelatime",
	    "nostrictatime", "nosuid",	    "nosymfollow", "private",	   "rbind",    "rdev",
	    "rdiratime",     "relatime",    "remount",	   "rexec",	   "rnoatime", "rnodev",
	    "rnodiratime",   "rnoexec",	    "rnosuid",	   "rnosymfollow", "ro",       "rprivate",
	    "rrelatime",     "rro",	    "rrw",	   "rshared",	   "rslave",   "rstrictatime",
	    "rsuid",	     "rsymfollow",  "runbindable", "rw",	   "shared",   "silent",
	    "slave",	     "strictatime", "suid",	   "symfollow",	   "sync",     "tmpcopyup",
	    "unbindable",    NULL};
	const struct args_option rows[] = {{0}};
	struct json_out o = {0};
	char **words;
	int count;
	bool helped;

	(void)g;
	if (args_parse("features", "Print what this runtime knows as JSON.", rows, ARGS_MIXED, argc, argv,
		       &words, &count, &helped, e) != 0)
		return -1;
	if (helped)
		return 0;
	if (count != 0)
		return err_set(e, ERR_USAGE, 0, "features takes no word");
	*status = 0;
	json_open(&o, '{');
	json_key(&o, "ociVersionMin");
	json_put_str(&o, "1.0.0");
	json_key(&o, "ociVersionMax");
	json_put_str(&o, OCI_VERSION);
	texts(&o, "hooks", hooks);
	texts(&o, "mountOptions", options);
	linux_(&o);
	json_close(&o, '}');
	if (json_done(&o, e) != 0)
		return -1;
	puts(o.bytes);
	free(o.bytes);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0
 * See caps.h. A capability that is asked for and that this process does not hold is an error when it is to be
 * effective or permitted; in the bounding set it is simply not there. */
#include "run/caps.h"
#include "run/kernel.h"
#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>

/* By number; capability.h of the kernel. */
static const char *const names[] = {
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
};
#define CAP_NUMBER_MAX ((int)(sizeof(names) / sizeof(*names)) - 1)

int caps_number(const char *name)
{
	if (strncmp(name, "CAP_", 4) != 0)
		return -1;
	for (int i = 0; i <= CAP_NUMBER_MAX; i++)
		if (strcmp(names[i], name + 4) == 0)
			return i;
	return -1;
}

const char *caps_name(int number)
{
	return number >= 0 && number <= CAP_NUMBER_MAX ? names[number] : NULL;
}

int caps_bound(const struct spec_process *p, struct err *e)
{
	for (int i = 0; i < 64; i++) {
		int has = prctl(PR_CAPBSET_READ, (unsigned long)i, 0, 0, 0);

		if (has < 0)
			break; /* beyond the last one that this kernel knows */
		if (has == 0 || (p->caps[CAPS_BOUNDING] & 1ull << i) != 0)
			continue;
		if (prctl(PR_CAPBSET_DROP, (unsigned long)i, 0, 0, 0) != 0)
			return err_set(e, ERR_CAPS, errno, "drop capability %d", i);
	}
	return 0;
}

int caps_user(const struct spec_process *p, struct err *e)
{
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0)
		return err_set(e, ERR_CAPS, errno, "keep capabilities over setuid");
	/* EPERM with no group to set: a user namespace that denies setgroups. */
	if (setgroups(p->group_count, p->groups) != 0 && !(errno == EPERM && p->group_count == 0))
		return err_set(e, ERR_CAPS, errno, "setgroups to %zu groups", p->group_count);
	if (setresgid(p->gid, p->gid, p->gid) != 0)
		return err_set(e, ERR_CAPS, errno, "setgid to %u", p->gid);
	if (setresuid(p->uid, p->uid, p->uid) != 0)
		return err_set(e, ERR_CAPS, errno, "setuid to %u", p->uid);
	umask(p->has_umask ? p->umask : 0022);
	return 0;
}

static int ambient(const struct spec_process *p, struct err *e)
{
	uint64_t possible;

	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0)
		return errno == EINVAL && p->caps[CAPS_AMBIENT] == 0
			   ? 0
			   : err_set(e, ERR_CAPS, errno, "clear the ambient capabilities");
	/* Only what is permitted and inheritable too can be ambient; bundles that list more are common, and
	 * the container has less than they say, never more. */
	possible = p->caps[CAPS_AMBIENT] & p->caps[CAPS_PERMITTED] & p->caps[CAPS_INHERITABLE];
	for (int i = 0; i <= CAP_NUMBER_MAX; i++)
		if ((possible & 1ull << i) != 0 &&
		    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, (unsigned long)i, 0, 0) != 0)
			return err_set(e, ERR_CAPS, errno, "ambient CAP_%s", names[i]);
	return 0;
}

/* What this process may have at most: asking for more would fail as a whole without a name. */
static int check_held(const struct spec_process *p, uint64_t held, struct err *e)
{
	uint64_t missing = (p->caps[CAPS_PERMITTED] | p->caps[CAPS_EFFECTIVE]) & ~held;

	for (int i = 0; i <= CAP_NUMBER_MAX; i++)
		if ((missing & 1ull << i) != 0)
			return err_set(e, ERR_CAPS, EPERM, "CAP_%s is not ours to give", names[i]);
	return 0;
}

int caps_set(const struct spec_process *p, struct err *e)
{
	struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct data[2] = {{0}};

	if (syscall(SYS_capget, &head, data) != 0)
		return err_set(e, ERR_CAPS, errno, "capget");
	if (check_held(p, data[0].permitted | (uint64_t)data[1].permitted << 32, e) != 0)
		return -1;
	for (int half = 0; half < 2; half++) {
		data[half].effective = (uint32_t)(p->caps[CAPS_EFFECTIVE] >> (32 * half));
		data[half].permitted = (uint32_t)(p->caps[CAPS_PERMITTED] >> (32 * half));
		data[half].inheritable = (uint32_t)(p->caps[CAPS_INHERITABLE] >> (32 * half));
	}
	head.version = _LINUX_CAPABILITY_VERSION_3;
	if (syscall(SYS_capset, &head, data) != 0)
		return err_set(e, ERR_CAPS, errno, "capset");
	return ambient(p, e);
}

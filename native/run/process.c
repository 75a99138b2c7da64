/* SPDX-License-Identifier: Apache-2.0
 * See process.h. The order is the content of this file: each step takes away what the next ones must not
 * need. */
#include "run/process.h"
#include "run/caps.h"
#include "run/kernel.h"
#include "run/rlimit.h"
#include "shared/fd.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_DEFAULT		    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define KEYCTL_JOIN_SESSION_KEYRING 1
#define CAP_SYS_ADMIN_BIT	    (1ull << 21)

static int new_keyring(const char *name, struct err *e)
{
	if (name == NULL || syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, name, 0, 0, 0) >= 0)
		return 0;
	/* No keys in this kernel, or forbidden around us: then there is no keyring to leak either. */
	return errno == ENOSYS || errno == EPERM || errno == EACCES
		   ? 0
		   : err_set(e, ERR_SYSTEM, errno, "session keyring");
}

/* CVE-2024-21626: a working directory outside the root would be a way out. */
static int enter_cwd(const char *cwd, bool *done, bool last, struct err *e)
{
	char here[PATH_MAX];
	long n;

	if (*done)
		return 0;
	if (chdir(cwd) != 0)
		return !last && (errno == EACCES || errno == EPERM)
			   ? 0
			   : err_set(e, ERR_SPEC, errno, "process.cwd %s", cwd);
	n = syscall(SYS_getcwd, here, sizeof(here));
	if (n < 1 || here[0] != '/')
		return err_set(e, ERR_SPEC, 0, "process.cwd %s is outside the container", cwd);
	*done = true;
	return 0;
}

static bool is_program(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) &&
	       faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) == 0;
}

static int find_program(struct process *p, struct err *e)
{
	const char *name = p->spec->args[0], *list = PATH_DEFAULT;
	struct stat st;

	if (strlen(name) >= sizeof(p->program) / 2)
		return err_set(e, ERR_EXEC, ENAMETOOLONG, "program");
	if (strchr(name, '/') != NULL) {
		memcpy(p->program, name, strlen(name) + 1);
		if (is_program(name))
			return 0;
		if (stat(name, &st) != 0)
			return err_set(e, ERR_EXEC, errno, "exec \"%s\"", name);
		return err_set(e, ERR_EXEC, EACCES, "exec \"%s\"", name);
	}
	for (const char **env = p->spec->env; env != NULL && *env != NULL; env++)
		if (strncmp(*env, "PATH=", 5) == 0)
			list = *env + 5;
	while (*name != 0) {
		size_t length = strcspn(list, ":");
		int n = snprintf(p->program, sizeof(p->program), "%.*s/%s", length > 0 ? (int)length : 1,
				 length > 0 ? list : ".", name);

		if (length < PATH_MAX && n > 0 && (size_t)n < sizeof(p->program) && is_program(p->program))
			return 0;
		if (list[length] == 0)
			break;
		list += length + 1;
	}
	return err_set(e, ERR_EXEC, ENOENT, "exec \"%s\": executable file not found in $PATH", name);
}

static int close_on_exec(unsigned first, struct err *e)
{
	if (k_close_range(first, ~0u, K_CLOSE_RANGE_CLOEXEC) == 0)
		return 0;
	/* Before 5.11. All that we opened ourselves has the flag: this is a second line. */
	for (unsigned fd = first; fd < 4096; fd++)
		if (fcntl((int)fd, F_SETFD, FD_CLOEXEC) != 0 && errno != EBADF)
			return err_set(e, ERR_SYSTEM, errno, "close descriptor %u", fd);
	return 0;
}

int process_prepare(struct process *p, struct err *e)
{
	const struct spec_process *s = p->spec;
	bool in_cwd = false;
	/* A filter can be loaded without rights only under no_new_privs; else it must come while we have
	 * them. */
	bool late = s->no_new_privs || (s->caps[CAPS_EFFECTIVE] & CAP_SYS_ADMIN_BIT) != 0;

	if (new_keyring(p->keyring, e) != 0)
		return -1;
	if (p->personality >= 0 && personality((unsigned long)p->personality) < 0)
		return err_set(e, ERR_SYSTEM, errno, "personality");
	if (rlimit_apply(s, e) != 0 || caps_bound(s, e) != 0 || enter_cwd(s->cwd, &in_cwd, false, e) != 0)
		return -1;
	if (!late && seccomp_load(p->filter, e) != 0)
		return -1;
	if (caps_user(s, e) != 0 || enter_cwd(s->cwd, &in_cwd, true, e) != 0 || caps_set(s, e) != 0)
		return -1;
	if (s->no_new_privs && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return err_set(e, ERR_SYSTEM, errno, "no_new_privs");
	if (find_program(p, e) != 0 || close_on_exec(3 + p->preserve, e) != 0)
		return -1;
	return late ? seccomp_load(p->filter, e) : 0;
}

int process_execute(const struct process *p, struct err *e)
{
	static const char *const none[] = {NULL};
	const char *const *env = p->spec->env != NULL ? p->spec->env : (const char *const *)none;

	execve(p->program, (char **)(uintptr_t)p->spec->args, (char **)(uintptr_t)env);
	return err_set(e, ERR_EXEC, errno, "exec \"%s\"%s", p->program,
		       errno == ENOEXEC ? " (built for another machine?)" : "");
}

int process_oom_score(pid_t pid, const struct spec_process *spec, struct err *e)
{
	char name[48], text[16];
	free_auto char *now = NULL;
	struct err ignored = {0};

	if (!spec->has_oom_score)
		return 0;
	if (snprintf(name, sizeof(name), "/proc/%d/oom_score_adj", pid) < 0 ||
	    snprintf(text, sizeof(text), "%d", spec->oom_score) < 0)
		return err_set(e, ERR_SYSTEM, errno, "oom_score_adj");
	if (fd_write_file(AT_FDCWD, name, text, ERR_SYSTEM, e) == 0)
		return 0;
	/* There already: fine without CAP_SYS_RESOURCE. */
	if (fd_read_file(AT_FDCWD, name, 64, &now, NULL, ERR_SYSTEM, &ignored) == 0 &&
	    strtol(now, NULL, 10) == spec->oom_score)
		return 0;
	return err_add(e, "oomScoreAdj");
}

int process_check_fds(unsigned preserve, struct err *e)
{
	for (unsigned i = 0; i < preserve; i++)
		if (fcntl((int)(3 + i), F_GETFD) < 0)
			return err_set(e, ERR_USAGE, errno, "--preserve-fds: descriptor %u", 3 + i);
		else if (fcntl((int)(3 + i), F_SETFD, 0) != 0)
			return err_set(e, ERR_SYSTEM, errno, "--preserve-fds: descriptor %u", 3 + i);
	fd_close_from((int)(3 + preserve));
	return 0;
}

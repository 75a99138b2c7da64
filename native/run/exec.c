/* SPDX-License-Identifier: Apache-2.0
 * exec: another process in a container, described by --process FILE, or by words and options on top of the
 * process of config.json. */
#include "run/args.h"
#include "run/caps.h"
#include "run/enter.h"
#include "run/launch.h"
#include "run/relay.h"
#include "run/tty.h"
#include "run/verb.h"
#include "shared/fd.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

struct exec_options {
	const char *process, *pid_file, *user, *cwd, *console_socket, *preserve;
	bool tty, detach, no_new_privs;
	struct args_list env, caps;
};

/* UID or UID:GID, whole decimal numbers. CVE-2026-30892: anything else is an error, never root. */
static int take_user(struct spec_process *p, const char *text, struct err *e)
{
	const char *colon = strchr(text, ':');
	char *uid_text = colon ? strndup(text, (size_t)(colon - text)) : strdup(text);
	unsigned long uid = 0, gid = p->gid;
	int rc;

	if (uid_text == NULL)
		return err_set(e, ERR_MEMORY, errno, "--user");
	rc = args_number("--user", uid_text, 4294967294ul, &uid, e);
	free(uid_text);
	if (rc != 0 || (colon != NULL && args_number("--user", colon + 1, 4294967294ul, &gid, e) != 0))
		return -1;
	p->uid = (uid_t)uid;
	p->gid = (gid_t)gid;
	p->group_count = 0;
	return 0;
}

/* The later one of a name stays. */
static int add_env(struct spec_process *p, const struct args_list *more, struct err *e)
{
	size_t old = 0, used = 0;
	const char **all;

	while (p->env != NULL && p->env[old] != NULL)
		old++;
	all = calloc(old + more->count + 1, sizeof(*all));
	if (all == NULL)
		return err_set(e, ERR_MEMORY, errno, "--env");
	for (size_t i = 0; i < old + more->count; i++) {
		const char *one = i < old ? p->env[i] : more->items[i - old];
		const char *equals = strchr(one, '=');
		size_t length, at = 0;

		if (equals == NULL || equals == one) {
			free(all);
			return err_set(e, ERR_USAGE, 0, "--env '%.40s' is not NAME=VALUE", one);
		}
		length = (size_t)(equals - one) + 1;
		while (at < used && strncmp(all[at], one, length) != 0)
			at++;
		all[at] = one;
		used += at == used;
	}
	p->env = all;
	return 0;
}

static int add_caps(struct spec_process *p, const struct args_list *caps, struct err *e)
{
	for (size_t i = 0; i < caps->count; i++) {
		int number = caps_number(caps->items[i]);

		if (number < 0)
			return err_set(e, ERR_USAGE, 0, "--cap: unknown capability '%.40s'", caps->items[i]);
		p->caps[CAPS_BOUNDING] |= 1ull << number;
		p->caps[CAPS_EFFECTIVE] |= 1ull << number;
		p->caps[CAPS_PERMITTED] |= 1ull << number;
	}
	return 0;
}

static int read_process(struct spec_process *p, const char *file, struct err *e)
{
	static struct json_doc doc; /* its texts live as long as we do */
	free_auto char *text = NULL;
	size_t length = 0;

	*p = (struct spec_process){0};
	if (fd_read_file(AT_FDCWD, file, JSON_BYTES_MAX, &text, &length, ERR_SPEC, e) != 0 ||
	    json_parse(&doc, text, length, e) != 0 || spec_process(p, doc.root, e) != 0)
		return err_add(e, "%s", file);
	return 0;
}

static int describe(struct spec_process *p, const struct exec_options *o, char **words, int count,
		    struct err *e)
{
	if (o->process != NULL) {
		if (read_process(p, o->process, e) != 0)
			return -1;
	} else {
		p->terminal = false;
		if (count < 2)
			return err_set(e, ERR_USAGE, 0, "exec takes a container id and a program");
	}
	if (count >= 2)
		p->args = (const char **)(uintptr_t)(words + 1);
	p->terminal = p->terminal || o->tty;
	p->no_new_privs = p->no_new_privs || o->no_new_privs;
	if (o->cwd != NULL)
		p->cwd = o->cwd;
	if (p->cwd[0] != '/')
		return err_set(e, ERR_USAGE, 0, "--cwd '%s' is not absolute", p->cwd);
	if (o->user != NULL && take_user(p, o->user, e) != 0)
		return -1;
	if (o->env.count > 0 && add_env(p, &o->env, e) != 0)
		return -1;
	return add_caps(p, &o->caps, e);
}

static int check_terminal(const struct spec_process *p, const struct exec_options *o, struct err *e)
{
	if (o->console_socket != NULL && !p->terminal)
		return err_set(e, ERR_USAGE, 0, "--console-socket without a terminal");
	if (p->terminal && o->detach && o->console_socket == NULL)
		return err_set(e, ERR_USAGE, 0, "--detach with a terminal needs --console-socket");
	return 0;
}

static int execute(const struct box *b, struct spec *s, const struct exec_options *o, int *status,
		   struct err *e)
{
	struct seccomp_filter filter;
	struct process process = {.spec = &s->process, .filter = &filter, .personality = s->personality};
	struct entering in = {.box = b, .process = &process, .console = -1};
	unsigned long preserve = 0;
	int master = -1, rc;
	pid_t pid = 0;

	if (o->preserve != NULL &&
	    args_number("--preserve-fds", o->preserve, PROCESS_PRESERVE_MAX, &preserve, e) != 0)
		return -1;
	process.preserve = (unsigned)preserve;
	if (seccomp_build(&filter, s->seccomp, e) != 0)
		return -1;
	if (o->console_socket != NULL) {
		in.console = tty_connect(o->console_socket, e);
		if (in.console < 0)
			return -1;
	}
	if (o->detach)
		sigprocmask(SIG_SETMASK, NULL, &in.signals);
	else
		relay_block(&in.signals);
	rc = enter_container(&in, o->pid_file, &pid, &master, e);
	fd_close_auto(&in.console);
	if (rc == 0 && !o->detach)
		rc = relay_wait(pid, master, status, e);
	fd_close_auto(&master);
	return rc;
}

/* Before anything of ours is open: what is from 3 on is the caller's. */
static int keep_descriptors(const struct exec_options *o, struct err *e)
{
	unsigned long preserve = 0;

	if (o->preserve != NULL &&
	    args_number("--preserve-fds", o->preserve, PROCESS_PRESERVE_MAX, &preserve, e) != 0)
		return -1;
	return process_check_fds((unsigned)preserve, e);
}

int verb_exec(const struct globals *g, int argc, char **argv, int *status, struct err *e)
{
	struct exec_options o = {0};
	const struct args_option rows[] = {
	    {'p', "process", "FILE", "Read the process from a JSON file", NULL, &o.process, NULL},
	    {'t', "tty", NULL, "Give it a terminal", &o.tty, NULL, NULL},
	    {'d', "detach", NULL, "Do not wait for its end", &o.detach, NULL, NULL},
	    {0, "pid-file", "FILE", "Write the process's number to FILE", NULL, &o.pid_file, NULL},
	    {'u', "user", "UID[:GID]", "User and group, as numbers", NULL, &o.user, NULL},
	    {'e', "env", "NAME=VALUE", "Set in the environment; may be repeated", NULL, NULL, &o.env},
	    {0, "cwd", "DIR", "Working directory in the container", NULL, &o.cwd, NULL},
	    {'c', "cap", "CAP_NAME", "Give a capability; may be repeated", NULL, NULL, &o.caps},
	    {0, "console-socket", "PATH", "Send the terminal to this socket", NULL, &o.console_socket, NULL},
	    {0, "preserve-fds", "N", "Leave N descriptors from 3 on open", NULL, &o.preserve, NULL},
	    {0, "no-new-privs", NULL, "No program may gain rights", &o.no_new_privs, NULL, NULL},
	    {0},
	};
	struct box b;
	struct spec s;
	enum status now;
	char **words;
	int count;
	bool helped;

	if (args_parse("exec [OPTIONS] ID PROGRAM [WORD...]", "Run another program in a container.", rows,
		       ARGS_FIRST_WORD, argc, argv, &words, &count, &helped, e) != 0)
		return -1;
	if (helped)
		return 0;
	if (count < 1)
		return err_set(e, ERR_USAGE, 0, "exec takes a container id");
	*status = 0;
	if (keep_descriptors(&o, e) != 0 || box_open(&b, g, words[0], e) != 0)
		return -1;
	now = box_status(&b);
	if (now != STATUS_RUNNING && now != STATUS_CREATED)
		return err_set(e, ERR_STATE, 0, "container not running: %s", status_word(now));
	if (launch_reload(&b, &s, e) != 0 || describe(&s.process, &o, words, count, e) != 0 ||
	    check_terminal(&s.process, &o, e) != 0)
		return -1;
	return execute(&b, &s, &o, status, e);
}

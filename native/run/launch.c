/* SPDX-License-Identifier: Apache-2.0
 * See launch.h. Order: check all, note the intent in the state folder, make groups, clone, let init work,
 * hooks, note `created`. The words between the two processes are in sync.h. */
#include "run/launch.h"
#include "run/hook.h"
#include "run/init.h"
#include "run/namespace.h"
#include "run/net.h"
#include "run/proc.h"
#include "run/relay.h"
#include "run/sync.h"
#include "run/tty.h"
#include "shared/fd.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* What is needed between the checks and `created`. */
struct making {
	struct launched *l;
	const struct launch_options *o;
	struct seccomp_filter filter;
	struct op_list ops;
	struct cgroups cgroups;
	char cgroup[CGROUP_PATH_MAX], link[NET_NAME_MAX], keyring[STATE_ID_MAX + 8], created[32];
	unsigned long preserve;
	int pair[2], fifo, error, console;
	sigset_t signals;
};

static int check_terminal(const struct spec *s, const struct launch_options *o, struct err *e)
{
	if (o->console_socket != NULL && !s->process.terminal)
		return err_set(e, ERR_USAGE, 0, "--console-socket without process.terminal");
	if (o->console_socket == NULL && s->process.terminal && !o->foreground)
		return err_set(e, ERR_USAGE, 0, "process.terminal needs --console-socket");
	return 0;
}

/* Everything that can be wrong with the words of others; makes nothing. */
static int check(struct making *m, const char *id, struct err *e)
{
	const struct launch_options *o = m->o;
	struct spec *s = &m->l->spec;
	char *bundle = realpath(o->bundle != NULL ? o->bundle : ".", NULL);
	free_auto char *config = NULL;

	if (o->preserve != NULL &&
	    args_number("--preserve-fds", o->preserve, PROCESS_PRESERVE_MAX, &m->preserve, e) != 0)
		return -1;
	if (process_check_fds((unsigned)m->preserve, e) != 0)
		return -1;
	if (bundle == NULL)
		return err_set(e, ERR_SPEC, errno, "bundle %s", o->bundle ? o->bundle : ".");
	if (o->config != NULL ? (config = strdup(o->config)) == NULL
			      : asprintf(&config, "%s/config.json", bundle) < 0)
		return err_set(e, ERR_MEMORY, errno, "config.json");
	if (spec_load(s, bundle, config, e) != 0 || check_terminal(s, o, e) != 0 ||
	    net_check(&s->link, e) != 0 || cgroup_path(s->cgroups_path, id, m->cgroup, e) != 0 ||
	    seccomp_build(&m->filter, s->seccomp, e) != 0 || op_compile(&m->ops, s, e) != 0 ||
	    cgroup_find(&m->cgroups, e) != 0)
		return -1;
	/* Before anything is noted: what the state names, a failure takes away again. */
	if (cgroup_has_processes(&m->cgroups, m->cgroup))
		return err_set(e, ERR_CGROUP, EEXIST, "group %s holds processes of others", m->cgroup);
	if (o->console_socket != NULL)
		m->console = tty_connect(o->console_socket, e);
	return o->console_socket != NULL && m->console < 0 ? -1 : 0;
}

/* The state folder tells of all that follows before any of it is there. */
static int note_intent(struct making *m, const char *id, struct err *e)
{
	struct launched *l = m->l;
	struct state *s = &l->box.state;
	struct timespec now = {0, 0};
	struct tm utc;

	clock_gettime(CLOCK_REALTIME, &now);
	if (gmtime_r(&now.tv_sec, &utc) == NULL ||
	    strftime(m->created, sizeof(m->created), "%Y-%m-%dT%H:%M:%SZ", &utc) == 0 ||
	    snprintf(m->keyring, sizeof(m->keyring), "_ses.%s", id) < 0)
		return err_set(e, ERR_SYSTEM, errno, "the time");
	if (l->spec.link.bridge != NULL)
		net_host_name(l->box.root, id, m->link);
	*s = (struct state){
	    .oci_version = l->spec.oci_version,
	    .bundle = l->spec.bundle,
	    .rootfs = l->spec.root,
	    .created = m->created,
	    .cgroup = m->cgroup,
	    .link = m->link,
	    .creating = true,
	    .annotations = l->spec.annotations,
	};
	if (fd_replace_file(l->box.dir, STATE_CONFIG, l->spec.text, l->spec.text_length, 0600, false, e) != 0)
		return -1;
	return box_save(&l->box, e);
}

static int open_ends(struct making *m, struct err *e)
{
	int dir = m->l->box.dir;

	if (mkfifoat(dir, STATE_FIFO, 0600) != 0)
		return err_set(e, ERR_SYSTEM, errno, "make " STATE_FIFO);
	m->fifo = openat(dir, STATE_FIFO, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	m->error = openat(dir, STATE_ERROR, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (m->fifo < 0 || m->error < 0)
		return err_set(e, ERR_SYSTEM, errno, "open " STATE_FIFO);
	return sync_pair(m->pair, e);
}

static void be_init(struct making *m) __attribute__((noreturn));

static void be_init(struct making *m)
{
	const struct spec *s = &m->l->spec;
	struct init i = {
	    .context = {.spec = s,
			.box = &m->l->box,
			.cgroups = &m->cgroups,
			.cgroup = m->cgroup,
			.no_pivot = m->o->no_pivot,
			.sync = m->pair[1],
			.root = -1,
			.master = -1,
			.slave = -1},
	    .ops = &m->ops,
	    .process = {.spec = &s->process,
			.filter = &m->filter,
			.personality = s->personality,
			.preserve = (unsigned)m->preserve,
			.keyring = m->o->no_new_keyring ? NULL : m->keyring},
	    .signals = m->signals,
	    .runtime_end = m->pair[0],
	    .fifo = m->fifo,
	    .error = m->error,
	    .console = m->console,
	};

	init_main(&i);
}

static int clone_init(struct making *m, struct err *e)
{
	struct launched *l = m->l;
	struct namespace_home home;
	fd_auto int group = m->cgroups.has_v1 ? -1 : cgroup_open_v2(&m->cgroups, m->cgroup);
	int rc = namespace_enter(&l->spec, &home, e);

	if (rc == 0)
		rc = namespace_clone(&l->spec, group, &l->pid, e);
	if (rc == 0 && l->pid == 0)
		be_init(m);
	if (namespace_leave(&home, e) != 0 || rc != 0)
		return -1;
	close(m->pair[1]);
	m->pair[1] = -1;
	if (!proc_start_time(l->pid, &l->box.state.start_time))
		return err_set(e, ERR_SYSTEM, ESRCH, "the container's first process is gone");
	l->box.state.pid = l->pid;
	return box_save(&l->box, e);
}

/* The dance with init: see sync.h. */
static int lead_init(struct making *m, struct err *e)
{
	struct launched *l = m->l;
	const struct spec *s = &l->spec;

	if (namespace_map(s, l->pid, e) != 0 || cgroup_join(&m->cgroups, m->cgroup, l->pid, e) != 0 ||
	    process_oom_score(l->pid, &s->process, e) != 0 ||
	    sync_say(m->pair[0], SYNC_GO, l->pid, -1, e) != 0)
		return -1;
	/* While init mounts, the link is made. */
	if (s->link.bridge != NULL && net_connect(&s->link, m->link, l->pid, e) != 0)
		return -1;
	if (sync_wait(m->pair[0], SYNC_MOUNTED, NULL, NULL, e) != 0)
		return -1;
	if (hook_run(&s->hooks[HOOK_PRESTART], "prestart", &l->box, STATUS_CREATING, l->pid, false, e) != 0 ||
	    hook_run(&s->hooks[HOOK_CREATE_RUNTIME], "createRuntime", &l->box, STATUS_CREATING, l->pid, false,
		     e) != 0)
		return -1;
	if (sync_say(m->pair[0], SYNC_HOOKED, 0, -1, e) != 0 ||
	    sync_wait(m->pair[0], SYNC_READY, NULL, &l->master, e) != 0)
		return -1;
	l->box.state.creating = false;
	return box_save(&l->box, e);
}

int launch_write_pid(const char *file, pid_t pid, struct err *e)
{
	char text[16];
	int n = snprintf(text, sizeof(text), "%d", pid);

	if (file == NULL)
		return 0;
	return n < 0 ? -1 : fd_replace_file(AT_FDCWD, file, text, (size_t)n, 0644, false, e);
}

static int make(struct making *m, const char *id, struct err *e)
{
	struct launched *l = m->l;

	if (note_intent(m, id, e) != 0 || cgroup_make(&m->cgroups, m->cgroup, &l->spec.resources, e) != 0 ||
	    open_ends(m, e) != 0 || clone_init(m, e) != 0 || lead_init(m, e) != 0)
		return -1;
	return launch_write_pid(m->o->pid_file, l->pid, e);
}

int launch_create(struct launched *l, const struct globals *g, const char *id, const struct launch_options *o,
		  struct err *e)
{
	/* l->box.state points into it, so it lives as long as the process does. */
	static struct making m;
	int rc;

	m = (struct making){.l = l, .o = o, .pair = {-1, -1}, .fifo = -1, .error = -1, .console = -1};
	*l = (struct launched){.master = -1, .box = {.dir = -1, .lock = -1}};
	if (check(&m, id, e) != 0 || box_make(&l->box, g, id, e) != 0)
		return -1;
	if (o->foreground)
		relay_block(&m.signals);
	else
		sigprocmask(SIG_SETMASK, NULL, &m.signals);
	rc = make(&m, id, e);
	/* Closed before the end of a failed one: init, if it waits for a word, sees that none will come. */
	fd_close_auto(&m.pair[0]);
	fd_close_auto(&m.pair[1]);
	fd_close_auto(&m.fifo);
	fd_close_auto(&m.error);
	fd_close_auto(&m.console);
	if (rc != 0) {
		struct err more = {0};

		fd_close_auto(&l->master);
		if (launch_destroy(&l->box, &l->spec, &more) != 0)
			warn(&more);
	}
	return rc;
}

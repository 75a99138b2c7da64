/* SPDX-License-Identifier: Apache-2.0
 * From `created` to `running`, and from anything to nothing; see launch.h. */
#include "run/cgroup.h"
#include "run/hook.h"
#include "run/launch.h"
#include "run/net.h"
#include "run/proc.h"
#include "shared/fd.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define START_MS 60000 /* beside the hooks' own time: one execve */
#define KILL_MS	 10000

int launch_reload(const struct box *b, struct spec *s, struct err *e)
{
	char file[4096];

	if (box_path(b, STATE_CONFIG, file, e) != 0)
		return -1;
	return spec_load(s, b->state.bundle != NULL ? b->state.bundle : "/", file, e);
}

/* What init said instead of executing. */
static int read_error(const struct box *b, struct err *e)
{
	fd_auto int fd = openat(b->dir, STATE_ERROR, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct err said;

	if (fd < 0 || read(fd, &said, sizeof(said)) != (ssize_t)sizeof(said))
		return 0;
	*e = said;
	return -1;
}

static int check_created(const struct box *b, struct err *e)
{
	enum status status = box_status(b);

	if (status == STATUS_CREATED)
		return 0;
	return err_set(e, ERR_STATE, 0, "cannot start a container in the state %s", status_word(status));
}

static int start_timeout(const struct spec *s)
{
	int64_t total = START_MS;

	for (size_t i = 0; i < s->hooks[HOOK_START_CONTAINER].count; i++)
		total += (int64_t)s->hooks[HOOK_START_CONTAINER].items[i].timeout_s * 1000;
	return total < 86400000 ? (int)total : 86400000;
}

int launch_start(struct box *b, const struct spec *s, struct err *e)
{
	struct pollfd p = {.events = 0};
	fd_auto int fifo = -1;

	if (check_created(b, e) != 0)
		return -1;
	fifo = openat(b->dir, STATE_FIFO, O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
	if (fifo < 0 && errno == ENXIO) {
		/* init has executed already: an earlier start was killed before it took the fifo away. */
		unlinkat(b->dir, STATE_FIFO, 0);
		return check_created(b, e);
	}
	if (fifo < 0 || write(fifo, "g", 1) != 1)
		return err_set(e, ERR_STATE, errno, "start");
	/* init holds the fifo close-on-exec: an error on our end says that it has executed, or is gone. */
	p.fd = fifo;
	if (poll(&p, 1, start_timeout(s)) == 0)
		return err_set(e, ERR_STATE, ETIMEDOUT, "the program was not executed");
	if (unlinkat(b->dir, STATE_FIFO, 0) != 0)
		return err_set(e, ERR_SYSTEM, errno, "remove " STATE_FIFO);
	if (read_error(b, e) != 0)
		return -1;
	if (hook_run(&s->hooks[HOOK_POSTSTART], "poststart", b, STATUS_RUNNING, b->state.pid, false, e) == 0)
		return 0;
	kill(b->state.pid, SIGKILL);
	return -1;
}

static void kill_init(const struct box *b)
{
	struct err ignored = {0};
	const struct state *s = &b->state;

	if (s->pid == 0)
		return;
	proc_signal(s->pid, s->start_time, SIGKILL, &ignored);
	/* If it is our own child (run, a create that failed) it stays a zombie until we look. */
	proc_wait_gone(s->pid, s->start_time, s->cgroup != NULL && *s->cgroup ? 50 : KILL_MS);
	waitpid(s->pid, NULL, WNOHANG);
}

int launch_destroy(struct box *b, const struct spec *s, struct err *e)
{
	struct cgroups groups;
	const struct state *state = &b->state;
	struct err hook = {0};

	/* A frozen group does not die of a signal: cgroup_destroy thaws it, so the wait here is short. */
	kill_init(b);
	if (state->cgroup != NULL && *state->cgroup != 0 &&
	    (cgroup_find(&groups, e) != 0 || cgroup_destroy(&groups, state->cgroup, e) != 0))
		return -1;
	if (state->pid != 0 && !proc_wait_gone(state->pid, state->start_time, KILL_MS))
		return err_set(e, ERR_STATE, EBUSY, "process %d does not end", state->pid);
	waitpid(state->pid, NULL, WNOHANG);
	if (state->link != NULL && net_disconnect(state->link, e) != 0)
		return -1;
	if (box_remove(b, e) != 0)
		return -1;
	if (s != NULL &&
	    hook_run(&s->hooks[HOOK_POSTSTOP], "poststop", b, STATUS_STOPPED, 0, true, &hook) != 0)
		warn(&hook);
	return 0;
}

size_t launch_options(struct args_option *rows, struct launch_options *o)
{
	const struct args_option all[] = {
	    {'b', "bundle", "DIR", "Folder of the bundle (default: here)", NULL, &o->bundle, NULL},
	    {'f', "config", "FILE", "Instead of config.json of the bundle", NULL, &o->config, NULL},
	    {0, "pid-file", "FILE", "Write the process's number to FILE", NULL, &o->pid_file, NULL},
	    {0, "console-socket", "PATH", "Send the terminal to this socket", NULL, &o->console_socket, NULL},
	    {0, "no-pivot", NULL, "Move the root instead of pivot_root (initramfs)", &o->no_pivot, NULL,
	     NULL},
	    {0, "no-new-keyring", NULL, "Keep the session keyring", &o->no_new_keyring, NULL, NULL},
	    {0, "preserve-fds", "N", "Leave N descriptors from 3 on open", NULL, &o->preserve, NULL},
	};

	memcpy(rows, all, sizeof(all));
	return sizeof(all) / sizeof(*all);
}

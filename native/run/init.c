/* SPDX-License-Identifier: Apache-2.0
 * See init.h. Who we are: a child of `wherry-run create` (or run), born by clone in the new pid, net, ipc,
 * uts, mount and user namespaces, with everything else still the host's. When create ends, we become a child
 * of the nearest subreaper above it: the keeper. Until READY the runtime's death is ours. */
#include "run/init.h"
#include "run/hook.h"
#include "run/namespace.h"
#include "run/sync.h"
#include "run/tty.h"
#include "shared/fd.h"
#include <errno.h>
#include <sys/prctl.h>
#include <unistd.h>

static int terminal(struct init *i, int *to_runtime, struct err *e)
{
	struct op_context *c = &i->context;

	if (c->slave < 0)
		return 0;
	if (i->console >= 0) {
		if (tty_send(i->console, c->master, e) != 0)
			return -1;
		fd_close_auto(&c->master);
	} else {
		*to_runtime = c->master;
	}
	if (tty_take(c->slave, e) != 0)
		return -1;
	fd_close_auto(&c->slave);
	return 0;
}

static int become(struct init *i, struct err *e)
{
	struct op_context *c = &i->context;
	int64_t pid = 0;
	int to_runtime = -1;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0)
		return err_set(e, ERR_SYSTEM, errno, "parent death signal");
	/* Now in our groups and with users mapped: what we allocate from here on is charged to the container.
	 */
	if (sync_wait(c->sync, SYNC_GO, &pid, NULL, e) != 0)
		return -1;
	c->host_pid = (pid_t)pid;
	if (namespace_inside(c->spec, e) != 0)
		return -1;
	setsid();
	/* Again: the change of user in a user namespace has cleared it. */
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (op_walk(i->ops, c, e) != 0)
		return -1;
	/* No folder of the host may stay open over process.cwd (CVE-2024-21626). */
	fd_close_auto(&c->root);
	close(c->box->dir);
	close(c->box->lock);
	if (terminal(i, &to_runtime, e) != 0 || process_prepare(&i->process, e) != 0)
		return -1;
	prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0);
	if (sync_say(c->sync, SYNC_READY, 0, to_runtime, e) != 0)
		return -1;
	if (to_runtime >= 0)
		fd_close_auto(&c->master);
	fd_close_auto(&c->sync);
	return 0;
}

/* `created`: blocked here until start writes its byte. We hold the other end too, so there is no end of file.
 */
static int wait_for_start(const struct init *i, struct err *e)
{
	char byte;
	ssize_t n;

	do {
		n = read(i->fifo, &byte, 1);
	} while (n < 0 && errno == EINTR);
	if (n != 1)
		return err_set(e, ERR_SYSTEM, errno, "wait for start");
	return hook_run(&i->context.spec->hooks[HOOK_START_CONTAINER], "startContainer", i->context.box,
			STATUS_CREATED, i->context.host_pid, false, e);
}

void init_main(struct init *i)
{
	struct err e = {0}, ignored = {0};

	fd_close_auto(&i->runtime_end);
	sigprocmask(SIG_SETMASK, &i->signals, NULL);
	if (become(i, &e) != 0) {
		sync_say_error(i->context.sync, &e);
		_exit(1);
	}
	/* From here on nobody listens on the socket: what start shall say goes through exec.error. */
	if (wait_for_start(i, &e) == 0)
		process_execute(&i->process, &e);
	fd_write_all(i->error, &e, sizeof(e), &ignored);
	_exit(e.code == ERR_EXEC && e.sys == ENOENT ? 127 : 126);
}

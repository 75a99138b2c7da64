/* SPDX-License-Identifier: Apache-2.0
 * run: create and start; in the foreground also wait, give the exit status, and delete. */
#include "run/args.h"
#include "run/launch.h"
#include "run/relay.h"
#include "run/verb.h"
#include "shared/fd.h"

#define LOCK_MS 30000 /* another verb is at its end: a delete takes up to 20 s */

static int foreground(struct launched *l, int *status, struct err *e)
{
	struct err end = {0};
	int rc = launch_start(&l->box, &l->spec, e);

	if (rc == 0) {
		/* While it runs, the others may work on it: exec, kill, delete --force. */
		fd_close_auto(&l->box.lock);
		rc = relay_wait(l->pid, l->master, status, e);
		fd_close_auto(&l->master);
		if (box_lock(&l->box, LOCK_MS, &end) != 0) {
			if (end.code != ERR_ABSENT)
				*e = end;
			return end.code == ERR_ABSENT ? rc : -1;
		}
	}
	fd_close_auto(&l->master);
	if (launch_destroy(&l->box, &l->spec, &end) != 0) {
		if (rc == 0)
			*e = end;
		return -1;
	}
	return rc;
}

static int detached(struct launched *l, struct err *e)
{
	struct err end = {0};

	if (launch_start(&l->box, &l->spec, e) == 0)
		return 0;
	if (launch_destroy(&l->box, &l->spec, &end) != 0)
		warn(&end);
	return -1;
}

int verb_run(const struct globals *g, int argc, char **argv, int *status, struct err *e)
{
	struct launch_options o = {0};
	struct args_option rows[LAUNCH_OPTIONS + 2] = {{0}};
	struct launched l;
	char **words;
	int count;
	bool helped, detach = false;
	size_t used = launch_options(rows, &o);

	rows[used] =
	    (struct args_option){'d', "detach", NULL, "Do not wait for the end", &detach, NULL, NULL};
	if (args_parse("run [OPTIONS] ID", "Create, start, wait for and delete a container.", rows,
		       ARGS_MIXED, argc, argv, &words, &count, &helped, e) != 0)
		return -1;
	if (helped)
		return 0;
	if (count != 1)
		return err_set(e, ERR_USAGE, 0, "run takes one container id");
	*status = 0;
	o.foreground = !detach;
	if (launch_create(&l, g, words[0], &o, e) != 0)
		return -1;
	return detach ? detached(&l, e) : foreground(&l, status, e);
}

/* SPDX-License-Identifier: Apache-2.0
 * delete: takes away what create made. A container that runs only goes with --force, which is also right for
 * one whose create was killed half-way, and for one that is not there. */
#include "run/args.h"
#include "run/launch.h"
#include "run/verb.h"

#define LOCK_MS 10000

static int check(const struct box *b, bool force, struct err *e)
{
	enum status status = box_status(b);

	if (force || status == STATUS_STOPPED || b->state.pid == 0)
		return 0;
	return err_set(e, ERR_STATE, 0, "cannot delete container \"%s\" that is not stopped: %s", b->id,
		       status_word(status));
}

int verb_delete(const struct globals *g, int argc, char **argv, int *status, struct err *e)
{
	bool force = false, helped;
	const struct args_option rows[] = {
	    {'f', "force", NULL, "Kill it first if it runs", &force, NULL, NULL}, {0}};
	struct box b;
	struct spec s;
	struct err why = {0};
	char **words;
	int count;

	if (args_parse("delete [OPTIONS] ID", "Delete a stopped container and what it holds.", rows,
		       ARGS_MIXED, argc, argv, &words, &count, &helped, e) != 0)
		return -1;
	if (helped)
		return 0;
	if (count != 1)
		return err_set(e, ERR_USAGE, 0, "delete takes one container id");
	*status = 0;
	if (box_open(&b, g, words[0], e) != 0)
		return force && e->code == ERR_ABSENT ? 0 : -1;
	if (box_lock(&b, force ? LOCK_MS : 0, e) != 0)
		return force && e->code == ERR_ABSENT ? 0 : -1;
	/* Again, now that nobody else changes it. */
	if (box_reload(&b, e) != 0 || check(&b, force, e) != 0)
		return -1;
	if (launch_reload(&b, &s, &why) != 0) {
		if (b.state.bundle != NULL)
			warn(&why);
		return launch_destroy(&b, NULL, e);
	}
	return launch_destroy(&b, &s, e);
}

/* SPDX-License-Identifier: Apache-2.0
 * create: everything but the execution of the program. */
#include "run/args.h"
#include "run/launch.h"
#include "run/verb.h"

int verb_create(const struct globals *g, int argc, char **argv, int *status, struct err *e)
{
	struct launch_options o = {0};
	struct args_option rows[LAUNCH_OPTIONS + 1] = {{0}};
	struct launched l;
	char **words;
	int count;
	bool helped;

	launch_options(rows, &o);
	if (args_parse("create [OPTIONS] ID", "Create a container from a bundle.", rows, ARGS_MIXED, argc,
		       argv, &words, &count, &helped, e) != 0)
		return -1;
	if (helped)
		return 0;
	if (count != 1)
		return err_set(e, ERR_USAGE, 0, "create takes one container id");
	*status = 0;
	return launch_create(&l, g, words[0], &o, e);
}

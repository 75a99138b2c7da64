/* SPDX-License-Identifier: Apache-2.0
 * start: the program of a created container runs. An error of its execution is given here. */
#include "run/args.h"
#include "run/launch.h"
#include "run/verb.h"

int verb_start(const struct globals *g, int argc, char **argv, int *status, struct err *e)
{
	const struct args_option rows[] = {{0}};
	struct box b;
	struct spec s;
	char **words;
	int count;
	bool helped;

	if (args_parse("start ID", "Start the program of a created container.", rows, ARGS_MIXED, argc, argv,
		       &words, &count, &helped, e) != 0)
		return -1;
	if (helped)
		return 0;
	if (count != 1)
		return err_set(e, ERR_USAGE, 0, "start takes one container id");
	*status = 0;
	if (box_open(&b, g, words[0], e) != 0 || box_lock(&b, 2000, e) != 0 || box_reload(&b, e) != 0 ||
	    launch_reload(&b, &s, e) != 0)
		return -1;
	return launch_start(&b, &s, e);
}

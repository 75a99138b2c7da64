/* SPDX-License-Identifier: Apache-2.0
 * state: what the runtime specification calls the state, as JSON on stdout. */
#include "run/args.h"
#include "run/state_file.h"
#include "run/verb.h"
#include "shared/fd.h"
#include <stdio.h>

int verb_state(const struct globals *g, int argc, char **argv, int *status, struct err *e)
{
	const struct args_option rows[] = {{0}};
	struct box b;
	free_auto char *text = NULL;
	char **words;
	int count;
	bool helped;

	if (args_parse("state ID", "Print the state of a container as JSON.", rows, ARGS_MIXED, argc, argv,
		       &words, &count, &helped, e) != 0)
		return -1;
	if (helped)
		return 0;
	if (count != 1)
		return err_set(e, ERR_USAGE, 0, "state takes one container id");
	*status = 0;
	if (box_open(&b, g, words[0], e) != 0 ||
	    box_state_json(&b, box_status(&b), b.state.pid, &text, e) != 0)
		return -1;
	puts(text);
	return 0;
}

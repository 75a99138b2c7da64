/* SPDX-License-Identifier: Apache-2.0
 * kill: a signal to the container's first process, or with --all to every process of its groups. */
#include "run/args.h"
#include "run/cgroup.h"
#include "run/proc.h"
#include "run/state_file.h"
#include "run/verb.h"
#include <signal.h>

int verb_kill(const struct globals *g, int argc, char **argv, int *status, struct err *e)
{
	bool all = false, helped;
	const struct args_option rows[] = {
	    {'a', "all", NULL, "Signal every process of the container", &all, NULL, NULL}, {0}};
	struct cgroups groups;
	struct box b;
	char **words;
	int count, signal = SIGTERM;

	if (args_parse("kill [OPTIONS] ID [SIGNAL]", "Send a signal to a container (default TERM).", rows,
		       ARGS_MIXED, argc, argv, &words, &count, &helped, e) != 0)
		return -1;
	if (helped)
		return 0;
	if (count < 1 || count > 2)
		return err_set(e, ERR_USAGE, 0, "kill takes a container id and a signal");
	if (count == 2)
		signal = proc_signal_number(words[1]);
	if (signal < 0)
		return err_set(e, ERR_USAGE, 0, "'%s' is not a signal", words[1]);
	*status = 0;
	if (box_open(&b, g, words[0], e) != 0)
		return -1;
	if (!all || b.state.cgroup == NULL || *b.state.cgroup == 0)
		return proc_signal(b.state.pid, b.state.start_time, signal, e);
	if (cgroup_find(&groups, e) != 0)
		return -1;
	return cgroup_signal(&groups, b.state.cgroup, signal, e);
}

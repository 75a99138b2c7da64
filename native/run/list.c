/* SPDX-License-Identifier: Apache-2.0
 * list: every container beneath --root, as a table, as JSON, or as ids alone. */
#include "run/args.h"
#include "run/state_file.h"
#include "run/verb.h"
#include "shared/fd.h"
#include "shared/path.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void print_row(const struct box *b)
{
	enum status status = box_status(b);

	printf("%-28s %-8d %-9s %-21s %s\n", b->id, status == STATUS_STOPPED ? 0 : (int)b->state.pid,
	       status_word(status), b->state.created != NULL ? b->state.created : "-",
	       b->state.bundle != NULL ? b->state.bundle : "-");
}

static int print_one(const struct box *b, const char *format, bool quiet, bool first, struct err *e)
{
	free_auto char *text = NULL;

	if (quiet) {
		puts(b->id);
		return 0;
	}
	if (strcmp(format, "json") != 0) {
		print_row(b);
		return 0;
	}
	if (box_state_json(b, box_status(b), b->state.pid, &text, e) != 0)
		return -1;
	printf("%s%s", first ? "" : ",", text);
	return 0;
}

static int print_all(const struct globals *g, const char *format, bool quiet, struct err *e)
{
	DIR *listing = opendir(g->root);
	const struct dirent *entry;
	bool first = true;
	int rc = 0;

	while (listing != NULL && rc == 0 && (entry = readdir(listing)) != NULL) {
		struct box b;
		struct err gone = {0};

		/* One that vanishes while we look is not an error, nor is a foreign file. */
		if (!path_is_id(entry->d_name, STATE_ID_MAX) || box_open(&b, g, entry->d_name, &gone) != 0)
			continue;
		rc = print_one(&b, format, quiet, first, e);
		first = false;
		fd_close_auto(&b.dir);
		json_free(&b.state.doc);
	}
	if (listing != NULL)
		closedir(listing);
	return rc;
}

int verb_list(const struct globals *g, int argc, char **argv, int *status, struct err *e)
{
	bool quiet = false, helped, json;
	const char *format = "table";
	const struct args_option rows[] = {
	    {'f', "format", "FORMAT", "table (default) or json", NULL, &format, NULL},
	    {'q', "quiet", NULL, "Print the ids alone", &quiet, NULL, NULL},
	    {0},
	};
	char **words;
	int count, rc;

	if (args_parse("list [OPTIONS]", "List the containers.", rows, ARGS_MIXED, argc, argv, &words, &count,
		       &helped, e) != 0)
		return -1;
	if (helped)
		return 0;
	json = strcmp(format, "json") == 0;
	if (count != 0 || (!json && strcmp(format, "table") != 0))
		return err_set(e, ERR_USAGE, 0, "list takes --format table or json");
	*status = 0;
	if (!quiet && json)
		putchar('[');
	else if (!quiet)
		printf("%-28s %-8s %-9s %-21s %s\n", "ID", "PID", "STATUS", "CREATED", "BUNDLE");
	rc = print_all(g, format, quiet, e);
	if (!quiet && json)
		puts("]");
	return rc;
}

/* SPDX-License-Identifier: Apache-2.0
 * wherry-run: the options before the verb, the table of verbs, and the one place that prints and exits.
 * Exit status: the verb's own; 2 for a wrong command line, 127 and 126 for a program that is not there or
 * cannot be executed, 1 for every other error. */
#include "run/args.h"
#include "run/seal.h"
#include "run/verb.h"
#include "shared/fd.h"
#include "shared/path.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct verb {
	const char *name;
	verb_fn *run;
	bool enters; /* makes or enters a container: sealed, and root only */
	const char *about;
} verbs[] = {
    {"create", verb_create, true, "Create a container from a bundle"},
    {"start", verb_start, false, "Start the program of a created container"},
    {"state", verb_state, false, "Print the state of a container as JSON"},
    {"kill", verb_kill, false, "Send a signal to a container"},
    {"delete", verb_delete, false, "Delete a stopped container and what it holds"},
    {"exec", verb_exec, true, "Run another program in a container"},
    {"run", verb_run, true, "Create, start, wait for and delete a container"},
    {"list", verb_list, false, "List the containers"},
    {"features", verb_features, false, "Print what this runtime knows as JSON"},
};

static const char *log_path, *log_format = "text", *root = ROOT_DEFAULT;
static bool want_debug, want_version;

static const struct args_option options[] = {
    {0, "root", "DIR", "Folder of the state (default " ROOT_DEFAULT ")", NULL, &root, NULL},
    {0, "log", "FILE", "Append errors to FILE as JSON lines", NULL, &log_path, NULL},
    {0, "log-format", "FORMAT", "text or json: errors on stderr where --log is absent", NULL, &log_format,
     NULL},
    {0, "debug", NULL, "Name the step of an error on stderr too", &want_debug, NULL, NULL},
    {'v', "version", NULL, "Print the version", &want_version, NULL, NULL},
    {0, NULL, NULL, NULL, NULL, NULL, NULL},
};

static void print_help(void)
{
	printf("Usage: wherry-run [OPTIONS] VERB [OPTIONS OF THE VERB] ID\n\n"
	       "The OCI runtime of Wherry.\n\nVerbs:\n");
	for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++)
		printf("  %-10s %s\n", verbs[i].name, verbs[i].about);
	printf("\nOptions:\n");
	args_print_options(options);
	printf("\nRun 'wherry-run VERB --help' for a verb's own options.\n");
}

void warn(const struct err *e)
{
	err_print_text("wherry-run: warning", e);
}

static int report(const struct err *e)
{
	fd_auto int fd = -1;

	if (log_path != NULL) {
		fd = open(log_path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
		if (fd >= 0)
			err_print_json(fd, e);
	}
	if (log_path == NULL && strcmp(log_format, "json") == 0)
		err_print_json(STDERR_FILENO, e);
	else
		err_print_text("wherry-run", e);
	if (want_debug && e->where[0] != 0)
		fprintf(stderr, "wherry-run: at: %s\n", e->where);
	if (e->code == ERR_USAGE)
		return 2;
	if (e->code == ERR_EXEC)
		return e->sys == ENOENT ? 127 : 126;
	return 1;
}

/* The descriptors 0, 1 and 2 exist from here on, so that no file of ours can become one of them. */
static void hold_stdio(void)
{
	struct stat st;

	for (int fd = 0; fd < 3; fd++)
		if (fstat(fd, &st) != 0 && open("/dev/null", O_RDWR) < 0)
			return;
}

static int run_verb(const struct verb *verb, int argc, char **argv, char **all, int *status, struct err *e)
{
	struct globals g = {.root = root, .debug = want_debug};

	if (root[0] != '/') {
		char *absolute = NULL, *here = getcwd(NULL, 0);

		if (here == NULL || asprintf(&absolute, "%s/%s", here, root) < 0)
			return err_set(e, ERR_SYSTEM, errno, "the working directory");
		free(here);
		g.root = absolute;
	}
	if (verb->enters) {
		if (geteuid() != 0)
			return err_set(e, ERR_ROOT, 0, "%s needs root", verb->name);
		for (int i = 1; i < argc; i++)
			if (strcmp(argv[i], "--help") == 0)
				return verb->run(&g, argc, argv, status, e);
		if (seal_self(all, e) != 0)
			return -1;
	}
	return verb->run(&g, argc, argv, status, e);
}

static int find_verb(const char *word, const struct verb **out, struct err *e)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++)
		if (strcmp(verbs[i].name, word) == 0) {
			*out = &verbs[i];
			return 0;
		}
	return err_set(e, ERR_USAGE, 0, "unknown verb '%s'; see wherry-run --help", word);
}

int main(int argc, char **argv)
{
	const struct verb *verb = NULL;
	struct err e = {0};
	/* args_parse moves words: the second execution of seal_self needs them as they came. */
	char **all = calloc((size_t)argc + 1, sizeof(*all));
	char **words;
	int count, status = 0;
	bool helped;

	hold_stdio();
	if (all == NULL)
		return 1;
	memcpy(all, argv, (size_t)argc * sizeof(*all));
	if (args_parse("[OPTIONS] VERB", NULL, options, ARGS_FIRST_WORD, argc, argv, &words, &count, &helped,
		       &e) != 0)
		return report(&e);
	if (helped) {
		print_help();
		return 0;
	}
	if (want_version) {
		printf("wherry-run version " VERSION "\nspec: " OCI_VERSION
		       "\n+SECCOMP +CGROUP_V1 +CGROUP_V2\n");
		return 0;
	}
	if (count == 0) {
		print_help();
		return 2;
	}
	if (find_verb(words[0], &verb, &e) != 0 || verb == NULL ||
	    run_verb(verb, count, words, all, &status, &e) != 0)
		return report(&e);
	return status;
}

/* SPDX-License-Identifier: Apache-2.0
 * Which cgroup trees this machine has, from /proc/self/mountinfo; and where a container's groups lie in them.
 */
#include "run/cgroup.h"
#include "shared/fd.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>

#define CGROUP_MAGIC  0x27e0ebul
#define CGROUP2_MAGIC 0x63677270ul
#define MOUNTINFO_MAX (4u * 1024 * 1024)

bool cgroup_tree_has(const struct cgroup_tree *tree, const char *controller)
{
	char word[64];
	int n = snprintf(word, sizeof(word), ",%s,", controller);

	return n > 0 && (size_t)n < sizeof(word) && strstr(tree->controllers, word) != NULL;
}

/* The super options of a v1 mount are its controllers among words like rw. */
static void add_words(struct cgroup_tree *tree, char *words, const char *separators)
{
	char *save = NULL;
	size_t used = 1;

	tree->controllers[0] = ',';
	tree->controllers[1] = 0;
	for (char *w = strtok_r(words, separators, &save); w; w = strtok_r(NULL, separators, &save)) {
		size_t length = strlen(w);

		if (strcmp(w, "rw") == 0 || strcmp(w, "ro") == 0 || strcmp(w, "xattr") == 0 ||
		    used + length + 2 > sizeof(tree->controllers))
			continue;
		memcpy(tree->controllers + used, w, length);
		tree->controllers[used + length] = ',';
		tree->controllers[used + length + 1] = 0;
		used += length + 1;
	}
}

/* A mount in the list may be hidden by a later one on the same path or above it. */
static bool is_there(const struct cgroup_tree *tree)
{
	struct statfs fs;

	return statfs(tree->mount, &fs) == 0 &&
	       (unsigned long)fs.f_type == (tree->v2 ? CGROUP2_MAGIC : CGROUP_MAGIC);
}

static bool is_twice(const struct cgroups *c, const struct cgroup_tree *tree)
{
	for (size_t i = 0; i < c->count; i++)
		if (c->trees[i].v2 == tree->v2 &&
		    (tree->v2 || strcmp(c->trees[i].controllers, tree->controllers) == 0))
			return true;
	return false;
}

static void add_v2_controllers(struct cgroup_tree *tree)
{
	char name[320];
	free_auto char *text = NULL;
	struct err ignored = {0};
	int n = snprintf(name, sizeof(name), "%s/cgroup.controllers", tree->mount);

	if (n > 0 && (size_t)n < sizeof(name) &&
	    fd_read_file(AT_FDCWD, name, 4096, &text, NULL, ERR_CGROUP, &ignored) == 0)
		add_words(tree, text, " \n");
}

/* "36 25 0:31 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory" */
static void line(struct cgroups *c, char *text)
{
	struct cgroup_tree tree = {.v2 = false};
	char *dash = strstr(text, " - "), *save = NULL, *word = text, *type, *super;
	char *mount_ = NULL, *root_ = NULL;

	if (dash == NULL || c->count == CGROUP_TREES_MAX)
		return;
	*dash = 0;
	word = strtok_r(text, " ", &save);
	for (int field = 0; word != NULL && field < 5; field++, word = strtok_r(NULL, " ", &save)) {
		if (field == 3)
			root_ = word;
		if (field == 4)
			mount_ = word;
	}
	type = strtok_r(dash + 3, " ", &save);
	super = strtok_r(NULL, " ", &save) != NULL ? strtok_r(NULL, " ", &save) : NULL;
	if (mount_ == NULL || root_ == NULL || type == NULL || super == NULL ||
	    strlen(mount_) >= sizeof(tree.mount) || strcmp(root_, "/") != 0)
		return;
	if (strcmp(type, "cgroup") != 0 && strcmp(type, "cgroup2") != 0)
		return;
	tree.v2 = type[6] == '2';
	memcpy(tree.mount, mount_, strlen(mount_) + 1);
	if (!is_there(&tree))
		return;
	if (tree.v2)
		add_v2_controllers(&tree);
	else
		add_words(&tree, super, ",");
	if (is_twice(c, &tree))
		return;
	if (!tree.v2 && strstr(tree.controllers, "name=") == NULL)
		c->has_v1 = true;
	c->trees[c->count++] = tree;
}

int cgroup_find(struct cgroups *c, struct err *e)
{
	free_auto char *text = NULL;
	char *save = NULL;

	*c = (struct cgroups){.count = 0};
	if (fd_read_file(AT_FDCWD, "/proc/self/mountinfo", MOUNTINFO_MAX, &text, NULL, ERR_CGROUP, e) != 0)
		return -1;
	for (char *l = strtok_r(text, "\n", &save); l != NULL; l = strtok_r(NULL, "\n", &save))
		line(c, l);
	if (c->count == 0)
		return err_set(e, ERR_CGROUP, 0, "no cgroup file system is mounted");
	return 0;
}

int cgroup_check_path(const char *path, struct err *e)
{
	if (path[0] != '/' || path[1] == 0 || strlen(path) >= CGROUP_PATH_MAX)
		return err_set(e, ERR_SPEC, 0, "cgroupsPath '%.80s' names no group", path);
	for (const char *slash = path; slash != NULL; slash = strchr(slash + 1, '/')) {
		size_t length = strcspn(slash + 1, "/");

		if (length == 0 || (length == 1 && slash[1] == '.') ||
		    (length == 2 && slash[1] == '.' && slash[2] == '.'))
			return err_set(e, ERR_SPEC, 0, "cgroupsPath '%.80s'", path);
	}
	return 0;
}

int cgroup_path(const char *asked, const char *id, char out[CGROUP_PATH_MAX], struct err *e)
{
	int n;

	if (asked == NULL || *asked == 0)
		n = snprintf(out, CGROUP_PATH_MAX, "/wherry-run-%s", id);
	else
		n = snprintf(out, CGROUP_PATH_MAX, "%s%s", asked[0] == '/' ? "" : "/", asked);
	if (n < 0 || n >= CGROUP_PATH_MAX)
		return err_set(e, ERR_SPEC, ENAMETOOLONG, "cgroupsPath");
	while (n > 1 && out[n - 1] == '/')
		out[--n] = 0;
	return cgroup_check_path(out, e);
}

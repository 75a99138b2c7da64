/* SPDX-License-Identifier: Apache-2.0
 * See oom.h. v1: memory.oom_control has "oom_kill N" (Linux 4.13); v2: memory.events has it too. */
#include "keep/oom.h"
#include "shared/fd.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CGROUP_TEXT_MAX 16384u

/* "4:memory:/path" or "4:cpu,memory:/path": the path, cut off at the line's end. */
static const char *path_of(char *line, const char *wanted)
{
	char *controllers = strchr(line, ':');
	char *path = controllers == NULL ? NULL : strchr(controllers + 1, ':');
	if (path == NULL)
		return NULL;
	*path++ = '\0';
	controllers++;
	if (wanted[0] == '\0')
		return controllers[0] == '\0' && line[0] == '0' ? path : NULL;
	char *rest;
	for (char *name = strtok_r(controllers, ",", &rest); name != NULL;
	     name = strtok_r(NULL, ",", &rest)) {
		if (strcmp(name, wanted) == 0)
			return path;
	}
	return NULL;
}

static int open_events(const char *mount, const char *path, const char *file)
{
	char whole[PATH_MAX];
	int put = snprintf(whole, sizeof(whole), "%s%s/%s", mount, path, file);
	if (put < 0 || (size_t)put >= sizeof(whole))
		return -1;
	return open(whole, O_RDONLY | O_CLOEXEC);
}

static int find(char *text, const char *wanted, const char *mount, const char *file)
{
	char *rest;
	for (char *line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
		const char *path = path_of(line, wanted);
		if (path != NULL && strstr(path, "/../") == NULL)
			return open_events(mount, path, file);
	}
	return -1;
}

static int64_t count(int events)
{
	char text[1024];
	ssize_t length = pread(events, text, sizeof(text) - 1, 0);
	if (length <= 0)
		return 0;
	text[length] = '\0';
	const char *at = strncmp(text, "oom_kill ", 9) == 0 ? text : strstr(text, "\noom_kill ");
	if (at == NULL)
		return 0;
	at = strchr(at, ' ');
	return at == NULL ? 0 : strtoll(at, NULL, 10);
}

void oom_open(struct oom *oom, pid_t init)
{
	static const char *const places[][3] = {
	    {"memory", "/sys/fs/cgroup/memory", "memory.oom_control"},
	    {"", "/sys/fs/cgroup", "memory.events"},
	    {"", "/sys/fs/cgroup/unified", "memory.events"},
	};
	char path[64];
	struct err ignored;
	oom_close(oom);
	if (snprintf(path, sizeof(path), "/proc/%d/cgroup", init) < 0)
		return;
	for (size_t i = 0; i < 3 && oom->events < 0; i++) {
		free_auto char *text = NULL; /* the search cuts it up: read anew each time */
		if (fd_read_file(AT_FDCWD, path, CGROUP_TEXT_MAX, &text, NULL, ERR_CGROUP, &ignored) < 0)
			return;
		oom->events = find(text, places[i][0], places[i][1], places[i][2]);
	}
	oom->before = oom->events < 0 ? 0 : count(oom->events);
}

bool oom_happened(const struct oom *oom)
{
	return oom->events >= 0 && count(oom->events) > oom->before;
}

void oom_close(struct oom *oom)
{
	if (oom->events >= 0)
		close(oom->events);
	oom->events = -1;
}

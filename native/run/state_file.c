/* SPDX-License-Identifier: Apache-2.0
 * See state_file.h. The folder lies on a tmpfs in general: nothing here waits for a disk. */
#include "run/state_file.h"
#include "run/proc.h"
#include "shared/fd.h"
#include "shared/path.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STATE_BYTES_MAX (4u * 1024 * 1024)

static int check_id(const char *id, struct err *e)
{
	if (!path_is_id(id, STATE_ID_MAX))
		return err_set(e, ERR_ID, 0, "container id '%.40s' (1 to %d of A-Za-z0-9_+.-)", id,
			       STATE_ID_MAX);
	return 0;
}

/* A folder that another user may write to could name any process and any group. */
static int check_owner(int dir, const char *what, struct err *e)
{
	struct stat st;

	if (fstat(dir, &st) != 0)
		return err_set(e, ERR_SYSTEM, errno, "%s", what);
	if (st.st_uid != geteuid() || (st.st_mode & 022) != 0)
		return err_set(e, ERR_SYSTEM, EPERM, "%s can be changed by another user", what);
	return 0;
}

static int open_root(const char *root, struct err *e)
{
	int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0 && check_owner(fd, root, e) != 0) {
		close(fd);
		return -1;
	}
	return fd >= 0 ? fd : err_set(e, ERR_SYSTEM, errno, "state folder %s", root);
}

int box_lock(struct box *b, int wait_ms, struct err *e)
{
	struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int64_t end = proc_now_ms() + wait_ms;

	/* A lock of fcntl, since a child must not inherit it: init outlives create. */
	b->lock = openat(b->dir, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (b->lock < 0)
		return err_set(e, errno == ENOENT ? ERR_ABSENT : ERR_SYSTEM, errno, "lock container %s",
			       b->id);
	while (fcntl(b->lock, F_SETLK, &whole) != 0) {
		if (errno != EAGAIN && errno != EACCES && errno != EINTR)
			return err_set(e, ERR_SYSTEM, errno, "lock container %s", b->id);
		if (proc_now_ms() > end)
			return err_set(e, ERR_STATE, EBUSY,
				       "container %s is being changed by another wherry-run", b->id);
		usleep(5000);
	}
	return 0;
}

int box_make(struct box *b, const struct globals *g, const char *id, struct err *e)
{
	fd_auto int root = -1;

	*b = (struct box){.root = g->root, .id = id, .dir = -1, .lock = -1};
	if (check_id(id, e) != 0 || path_mkdirs(g->root, 0700, e) != 0)
		return -1;
	root = open_root(g->root, e);
	if (root < 0)
		return -1;
	if (mkdirat(root, id, 0700) != 0)
		return errno == EEXIST ? err_set(e, ERR_EXISTS, 0, "container \"%s\" already exists", id)
				       : err_set(e, ERR_SYSTEM, errno, "make %s/%s", g->root, id);
	b->dir = openat(root, id, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (b->dir < 0)
		return err_set(e, ERR_SYSTEM, errno, "open %s/%s", g->root, id);
	return box_lock(b, 0, e);
}

int box_reload(struct box *b, struct err *e)
{
	struct state *s = &b->state;
	free_auto char *text = NULL;
	size_t length = 0;
	int64_t pid = 0;

	*s = (struct state){.creating = true};
	if (faccessat(b->dir, "state.json", F_OK, 0) != 0)
		return 0;
	if (fd_read_file(b->dir, "state.json", STATE_BYTES_MAX, &text, &length, ERR_SYSTEM, e) != 0 ||
	    json_parse(&s->doc, text, length, e) != 0 ||
	    json_str(s->doc.root, "ociVersion", &s->oci_version, e) != 0 ||
	    json_str(s->doc.root, "bundle", &s->bundle, e) != 0 ||
	    json_str(s->doc.root, "rootfs", &s->rootfs, e) != 0 ||
	    json_str(s->doc.root, "created", &s->created, e) != 0 ||
	    json_str(s->doc.root, "cgroup", &s->cgroup, e) != 0 ||
	    json_str(s->doc.root, "link", &s->link, e) != 0 ||
	    json_i64(s->doc.root, "pid", 0, INT32_MAX, &pid, e) != 0 ||
	    json_u64(s->doc.root, "startTime", UINT64_MAX, &s->start_time, e) != 0 ||
	    json_bool(s->doc.root, "creating", &s->creating, e) != 0 ||
	    json_object(s->doc.root, "annotations", &s->annotations, e) != 0)
		return err_add(e, "%s/%s/state.json", b->root, b->id);
	s->pid = (pid_t)pid;
	return 0;
}

int box_open(struct box *b, const struct globals *g, const char *id, struct err *e)
{
	fd_auto int root = -1;

	*b = (struct box){.root = g->root, .id = id, .dir = -1, .lock = -1};
	if (check_id(id, e) != 0)
		return -1;
	if (access(g->root, F_OK) == 0) {
		root = open_root(g->root, e);
		if (root < 0)
			return -1;
		b->dir = openat(root, id, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	}
	if (b->dir < 0)
		return err_set(e, ERR_ABSENT, 0, "container \"%s\" does not exist", id);
	if (check_owner(b->dir, id, e) != 0)
		return -1;
	return box_reload(b, e);
}

static void put_text(struct json_out *o, const char *key, const char *text)
{
	json_key(o, key);
	json_put_str(o, text != NULL ? text : "");
}

static void put_annotations(struct json_out *o, const struct json *annotations)
{
	json_key(o, "annotations");
	json_open(o, '{');
	for (const struct json *a = annotations ? annotations->child : NULL; a; a = a->next) {
		json_key(o, a->key);
		json_put_strn(o, a->text, a->length);
	}
	json_close(o, '}');
}

int box_save(struct box *b, struct err *e)
{
	const struct state *s = &b->state;
	struct json_out o = {0};
	char start[24];
	int rc;

	if (snprintf(start, sizeof(start), "%" PRIu64, s->start_time) < 0)
		return err_set(e, ERR_SYSTEM, errno, "state.json");
	json_open(&o, '{');
	put_text(&o, "ociVersion", s->oci_version);
	put_text(&o, "id", b->id);
	put_text(&o, "bundle", s->bundle);
	put_text(&o, "rootfs", s->rootfs);
	put_text(&o, "created", s->created);
	put_text(&o, "cgroup", s->cgroup);
	put_text(&o, "link", s->link);
	json_key(&o, "pid");
	json_put_i64(&o, s->pid);
	json_key(&o, "startTime");
	json_put_i64(&o, (int64_t)s->start_time);
	json_key(&o, "creating");
	json_put_bool(&o, s->creating);
	put_annotations(&o, s->annotations);
	json_close(&o, '}');
	rc = json_done(&o, e);
	if (rc == 0)
		rc = fd_replace_file(b->dir, "state.json", o.bytes, o.length, 0600, false, e);
	free(o.bytes);
	return rc;
}

int box_remove(struct box *b, struct err *e)
{
	int copy = openat(b->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *listing = copy >= 0 ? fdopendir(copy) : NULL;
	fd_auto int root = open_root(b->root, e);
	const struct dirent *entry;

	if (listing == NULL || root < 0) {
		if (listing != NULL)
			closedir(listing);
		else if (copy >= 0)
			close(copy);
		return err_set(e, ERR_SYSTEM, errno, "remove the state of %s", b->id);
	}
	while ((entry = readdir(listing)) != NULL)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			unlinkat(b->dir, entry->d_name, 0);
	closedir(listing);
	if (unlinkat(root, b->id, AT_REMOVEDIR) != 0 && errno != ENOENT)
		return err_set(e, ERR_SYSTEM, errno, "remove %s/%s", b->root, b->id);
	return 0;
}

int box_path(const struct box *b, const char *name, char out[4096], struct err *e)
{
	int n = snprintf(out, 4096, "%s/%s/%s", b->root, b->id, name);

	return n > 0 && n < 4096 ? 0 : err_set(e, ERR_SYSTEM, ENAMETOOLONG, "%s", name);
}

enum status box_status(const struct box *b)
{
	if (b->state.pid == 0)
		return b->state.creating ? STATUS_CREATING : STATUS_STOPPED;
	if (!proc_is_alive(b->state.pid, b->state.start_time))
		return STATUS_STOPPED;
	if (b->state.creating)
		return STATUS_CREATING;
	return faccessat(b->dir, STATE_FIFO, F_OK, AT_SYMLINK_NOFOLLOW) == 0 ? STATUS_CREATED
									     : STATUS_RUNNING;
}

const char *status_word(enum status status)
{
	static const char *const words[] = {"creating", "created", "running", "stopped"};

	return words[status];
}

int box_state_json(const struct box *b, enum status status, pid_t pid, char **out, struct err *e)
{
	const struct state *s = &b->state;
	struct json_out o = {0};

	json_open(&o, '{');
	put_text(&o, "ociVersion", s->oci_version);
	put_text(&o, "id", b->id);
	put_text(&o, "status", status_word(status));
	json_key(&o, "pid");
	json_put_i64(&o, status == STATUS_STOPPED ? 0 : pid);
	put_text(&o, "bundle", s->bundle);
	put_text(&o, "rootfs", s->rootfs);
	put_text(&o, "created", s->created);
	put_text(&o, "owner", "root");
	put_annotations(&o, s->annotations);
	json_close(&o, '}');
	if (json_done(&o, e) != 0) {
		free(o.bytes);
		return -1;
	}
	*out = o.bytes;
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0
 * keep.sock: one line of JSON in, one out, one request a connection. At most CLIENTS_MAX at once; who does
 * not send a whole request in time, or sends too much, is dropped. Only root can reach it. */
#include "keep/clock.h"
#include "keep/keeper.h"
#include "shared/fd.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define NAME	     "keep.sock"
#define REQUEST_MS   2000
#define GRACE_MS_MAX (7 * INT64_C(86400000))

int socket_open(struct keeper *k, struct err *e)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = NAME};
	for (int i = 0; i < CLIENTS_MAX; i++)
		k->clients[i].fd = -1;
	fd_auto int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_set(e, ERR_KEEP, errno, "cannot make a socket");
	/* A relative name, since a run folder's path may be longer than sun_path. We hold the lock: an old
	 * socket is nobody's. */
	if (fchdir(k->run_dir) != 0 || (unlink(NAME) != 0 && errno != ENOENT))
		return err_set(e, ERR_KEEP, errno, "cannot remove the old %s/" NAME, k->plan.run_dir);
	mode_t mask = umask(0177);
	int bound = bind(fd, (const struct sockaddr *)&address, sizeof(address));
	int error = errno;
	umask(mask);
	if (bound != 0 || listen(fd, CLIENTS_MAX) != 0)
		return err_set(e, ERR_KEEP, bound != 0 ? error : errno, "cannot bind %s/" NAME,
			       k->plan.run_dir);
	if (chdir("/") != 0 || loop_watch(k, fd, WATCH_LISTENER, 0, e) < 0)
		return err_set(e, ERR_KEEP, errno, "cannot watch %s/" NAME, k->plan.run_dir);
	k->listener = fd_steal(&fd);
	return 0;
}

static void drop(struct client *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	c->waits = false;
}

void socket_accept(struct keeper *k)
{
	struct err e;
	int fd = accept4(k->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0)
		return;
	for (unsigned i = 0; i < CLIENTS_MAX; i++) {
		struct client *c = &k->clients[i];
		if (c->fd >= 0)
			continue;
		if (loop_watch(k, fd, WATCH_CLIENT, i, &e) < 0)
			break;
		c->fd = fd;
		c->used = 0;
		c->waits = false;
		c->until = clock_ms() + REQUEST_MS;
		return;
	}
	close(fd); /* too many */
}

/* One answer fits the socket's buffer; who cannot take it at once is dropped. */
static void answer(struct client *c, const char *text, size_t length)
{
	struct iovec parts[2];
	static char newline = '\n';
	memcpy(&parts[0].iov_base, &text, sizeof(text));
	parts[0].iov_len = length;
	parts[1].iov_base = &newline;
	parts[1].iov_len = 1;
	struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
	(void)!sendmsg(c->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
	drop(c);
}

static void answer_status(struct keeper *k, struct client *c)
{
	size_t length = 0;
	free_auto char *text = status_text(k, &length);
	if (text == NULL)
		drop(c);
	else
		answer(c, text, length);
}

static void refuse(struct client *c, const struct err *e)
{
	struct json_out o = {0};
	struct err ignored;
	json_open(&o, '{');
	json_key(&o, "error");
	json_open(&o, '{');
	json_key(&o, "code");
	json_put_str(&o, err_word(e->code));
	json_key(&o, "message");
	json_put_str(&o, e->what);
	json_close(&o, '}');
	json_close(&o, '}');
	if (json_done(&o, &ignored) < 0) {
		drop(c);
		return;
	}
	answer(c, o.bytes, o.length);
	free(o.bytes);
}

static int read_request(const struct client *c, size_t length, const char **op, int64_t *grace_ms,
			struct json_doc *doc, struct err *e)
{
	if (json_parse(doc, c->request, length, e) < 0)
		return -1;
	if (doc->root->type != JSON_OBJECT)
		return err_set(e, ERR_SPEC, 0, "a request is an object");
	if (json_str(doc->root, "op", op, e) < 0)
		return -1;
	return json_i64(doc->root, "graceMs", 0, GRACE_MS_MAX, grace_ms, e);
}

static void serve(struct keeper *k, struct client *c, size_t length)
{
	struct err e;
	json_auto struct json_doc doc = {0};
	const char *op = "";
	int64_t grace_ms = k->plan.stop.grace_ms;
	if (read_request(c, length, &op, &grace_ms, &doc, &e) < 0) {
		refuse(c, &e);
	} else if (strcmp(op, "status") == 0) {
		answer_status(k, c);
	} else if (strcmp(op, "stop") == 0) {
		c->waits = true; /* answered by socket_stopped, however long it takes */
		k->stop_wanted = true;
		k->grace_ms = grace_ms;
		machine_event(k, EV_STOP);
	} else if (strcmp(op, "end") != 0) {
		err_set(&e, ERR_SPEC, 0, "op: must be status, stop or end");
		refuse(c, &e);
	} else if (k->state != ST_ENDED) {
		err_set(&e, ERR_STATE, 0, "the container is not finished: stop it first");
		refuse(c, &e);
	} else {
		c->waits = true;
		k->finished = true;
	}
}

void socket_read(struct keeper *k, unsigned index)
{
	struct client *c = &k->clients[index];
	if (c->fd < 0)
		return;
	if (c->waits) {
		drop(c); /* more bytes, or it went away: the stop goes on */
		return;
	}
	ssize_t got = read(c->fd, c->request + c->used, sizeof(c->request) - c->used);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0) {
		drop(c);
		return;
	}
	c->used += (size_t)got;
	const char *end = memchr(c->request, '\n', c->used);
	if (end != NULL)
		serve(k, c, (size_t)(end - c->request));
	else if (c->used == sizeof(c->request))
		drop(c);
}

int64_t socket_sweep(struct keeper *k, int64_t now)
{
	int64_t next = 0;
	for (int i = 0; i < CLIENTS_MAX; i++) {
		struct client *c = &k->clients[i];
		if (c->fd < 0 || c->waits)
			continue;
		if (c->until <= now)
			drop(c);
		else if (next == 0 || c->until < next)
			next = c->until;
	}
	return next;
}

void socket_stopped(struct keeper *k)
{
	for (int i = 0; i < CLIENTS_MAX; i++) {
		if (k->clients[i].fd >= 0 && k->clients[i].waits)
			answer_status(k, &k->clients[i]);
	}
}

void socket_close(struct keeper *k)
{
	for (int i = 0; i < CLIENTS_MAX; i++)
		drop(&k->clients[i]);
	if (k->listener >= 0)
		close(k->listener);
	k->listener = -1;
}

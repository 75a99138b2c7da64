/* SPDX-License-Identifier: Apache-2.0
 * See sync.h. SOCK_SEQPACKET keeps the words apart. */
#include "run/sync.h"
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

struct message {
	uint32_t word;
	int64_t value;
	struct err error;
};

union control {
	char bytes[CMSG_SPACE(sizeof(int))];
	struct cmsghdr align;
};

int sync_pair(int pair[2], struct err *e)
{
	struct timeval limit = {SYNC_TIMEOUT_S, 0};

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
		return err_set(e, ERR_SYSTEM, errno, "socketpair");
	for (int i = 0; i < 2; i++)
		setsockopt(pair[i], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	return 0;
}

static int say(int socket, const struct message *m, int fd)
{
	struct iovec part = {(void *)(uintptr_t)m, sizeof(*m)};
	struct msghdr head = {.msg_iov = &part, .msg_iovlen = 1};
	union control control;

	memset(&control, 0, sizeof(control));
	if (fd >= 0) {
		struct cmsghdr *c;

		head.msg_control = control.bytes;
		head.msg_controllen = sizeof(control.bytes);
		c = CMSG_FIRSTHDR(&head);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	}
	return sendmsg(socket, &head, MSG_NOSIGNAL) < 0 ? -1 : 0;
}

int sync_say(int socket, enum sync_word word, int64_t value, int fd, struct err *e)
{
	struct message m;

	memset(&m, 0, sizeof(m));
	m.word = word;
	m.value = value;
	return say(socket, &m, fd) == 0 ? 0 : err_set(e, ERR_SYSTEM, errno, "talk to the container");
}

int sync_say_error(int socket, const struct err *what)
{
	struct message m;

	memset(&m, 0, sizeof(m));
	m.word = SYNC_ERROR;
	m.error = *what;
	return say(socket, &m, -1);
}

int sync_wait(int socket, enum sync_word word, int64_t *value, int *fd, struct err *e)
{
	struct message m;
	struct iovec part = {&m, sizeof(m)};
	union control control;
	struct msghdr head = {.msg_iov = &part,
			      .msg_iovlen = 1,
			      .msg_control = control.bytes,
			      .msg_controllen = sizeof(control.bytes)};
	struct cmsghdr *c;
	ssize_t n;
	int got = -1;

	memset(&m, 0, sizeof(m));
	do {
		n = recvmsg(socket, &head, MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_set(e, ERR_SYSTEM, errno, "wait for the other process");
	c = CMSG_FIRSTHDR(&head);
	if (c != NULL && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
	    c->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(&got, CMSG_DATA(c), sizeof(got));
	if (fd != NULL)
		*fd = got;
	else if (got >= 0)
		close(got);
	if (n == 0)
		return err_set(e, ERR_SYSTEM, 0, "the process of the container ended while it was set up");
	if ((size_t)n != sizeof(m))
		return err_set(e, ERR_SYSTEM, EBADMSG, "talk to the container");
	if (m.word == SYNC_ERROR) {
		*e = m.error;
		return -1;
	}
	if (m.word != word)
		return err_set(e, ERR_SYSTEM, EBADMSG, "talk to the container: word %u", m.word);
	if (value != NULL)
		*value = m.value;
	return 0;
}

int sync_wait_end(int socket, struct err *e)
{
	struct message m;
	ssize_t n;

	memset(&m, 0, sizeof(m));
	do {
		n = recv(socket, &m, sizeof(m), 0);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_set(e, ERR_SYSTEM, errno, "wait for the other process");
	if ((size_t)n == sizeof(m) && m.word == SYNC_ERROR) {
		*e = m.error;
		return -1;
	}
	return n == 0 ? 0 : err_set(e, ERR_SYSTEM, EBADMSG, "talk to the container");
}

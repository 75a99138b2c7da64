/* SPDX-License-Identifier: Apache-2.0
 * See netlink.h. */
#include "run/netlink.h"
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#define ANSWER_SECONDS 10

int netlink_open(void)
{
	struct timeval limit = {ANSWER_SECONDS, 0};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	if (fd >= 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	return fd;
}

static void append(struct netlink *m, const void *data, size_t size)
{
	size_t padded = NLMSG_ALIGN(size);

	if (m->length + padded > sizeof(m->bytes)) {
		m->full = 1;
		return;
	}
	memset(m->bytes + m->length, 0, padded);
	if (size > 0)
		memcpy(m->bytes + m->length, data, size);
	m->length += padded;
}

void netlink_begin(struct netlink *m, uint16_t type, uint16_t flags, const void *head, size_t size)
{
	struct nlmsghdr h = {0};

	m->length = 0;
	m->full = 0;
	h.nlmsg_type = type;
	h.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags);
	append(m, &h, sizeof(h));
	append(m, head, size);
}

void netlink_put(struct netlink *m, uint16_t type, const void *data, size_t size)
{
	struct rtattr a = {(uint16_t)(sizeof(a) + size), type};

	append(m, &a, sizeof(a));
	append(m, data, size);
}

void netlink_put_text(struct netlink *m, uint16_t type, const char *text)
{
	netlink_put(m, type, text, strlen(text) + 1);
}

void netlink_put_u32(struct netlink *m, uint16_t type, uint32_t value)
{
	netlink_put(m, type, &value, sizeof(value));
}

size_t netlink_nest(struct netlink *m, uint16_t type)
{
	size_t start = m->length;

	netlink_put(m, type, NULL, 0);
	return start;
}

void netlink_close(struct netlink *m, size_t start)
{
	uint16_t length = (uint16_t)(m->length - start);

	if (!m->full)
		memcpy(m->bytes + start, &length, sizeof(length));
}

int netlink_ask(int fd, struct netlink *m)
{
	_Alignas(8) char answer[4096];
	struct nlmsghdr h;
	struct nlmsgerr result;
	uint32_t length = (uint32_t)m->length;
	ssize_t n;

	if (m->full)
		return -EMSGSIZE;
	memcpy(m->bytes, &length, sizeof(length));
	if (send(fd, m->bytes, m->length, 0) < 0)
		return -errno;
	n = recv(fd, answer, sizeof(answer), 0);
	if (n < 0)
		return -errno;
	if ((size_t)n < sizeof(h) + sizeof(result.error))
		return -EBADMSG;
	memcpy(&h, answer, sizeof(h));
	if (h.nlmsg_type != NLMSG_ERROR)
		return -EBADMSG;
	memcpy(&result.error, answer + NLMSG_HDRLEN, sizeof(result.error));
	return result.error;
}

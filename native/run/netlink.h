/* SPDX-License-Identifier: Apache-2.0
 * Messages of rtnetlink: built in a fixed buffer, sent, and their acknowledgement read. */
#ifndef WHERRY_RUN_NETLINK_H
#define WHERRY_RUN_NETLINK_H

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stddef.h>
#include <stdint.h>

#define NETLINK_MESSAGE_MAX 1024

struct netlink {
	_Alignas(8) char bytes[NETLINK_MESSAGE_MAX];
	size_t length;
	int full;
};

/* A socket of the calling thread's network namespace, or -1. It keeps that namespace. */
int netlink_open(void);
void netlink_begin(struct netlink *m, uint16_t type, uint16_t flags, const void *head, size_t size);
void netlink_put(struct netlink *m, uint16_t type, const void *data, size_t size);
void netlink_put_text(struct netlink *m, uint16_t type, const char *text);
void netlink_put_u32(struct netlink *m, uint16_t type, uint32_t value);
/* Attributes inside an attribute: netlink_close gets what netlink_nest gave. */
size_t netlink_nest(struct netlink *m, uint16_t type);
void netlink_close(struct netlink *m, size_t start);
/* 0, or the negative errno of the kernel's answer. */
int netlink_ask(int socket, struct netlink *m);

#endif

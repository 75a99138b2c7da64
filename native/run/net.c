/* SPDX-License-Identifier: Apache-2.0
 * See net.h. */
#include "run/net.h"
#include "run/netlink.h"
#include "shared/fd.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/if_link.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define PEER_NAME "eth0"

struct address {
	struct in_addr ip;
	unsigned char prefix;
};

void net_host_name(const char *root, const char *id, char out[NET_NAME_MAX])
{
	uint64_t hash = 14695981039346656037ull; /* FNV-1a */
	const char *parts[] = {root, "/", id};

	for (size_t i = 0; i < 3; i++)
		for (const char *c = parts[i]; *c != 0; c++)
			hash = (hash ^ (unsigned char)*c) * 1099511628211ull;
	if (snprintf(out, NET_NAME_MAX, "wv%012" PRIx64, (uint64_t)(hash & 0xffffffffffffull)) < 0)
		out[0] = 0;
}

static int parse_address(const char *name, const char *text, struct address *out, struct err *e)
{
	char ip[INET_ADDRSTRLEN];
	const char *slash = strchr(text, '/');
	size_t length = slash ? (size_t)(slash - text) : 0;
	char *end = NULL;
	unsigned long prefix = slash ? strtoul(slash + 1, &end, 10) : 0;

	if (slash == NULL || length >= sizeof(ip) || slash[1] < '0' || slash[1] > '9' || *end != 0 ||
	    prefix < 1 || prefix > 32)
		return err_set(e, ERR_SPEC, 0, "%s '%s' is not like 10.88.0.1/24", name, text);
	memcpy(ip, text, length);
	ip[length] = 0;
	if (inet_pton(AF_INET, ip, &out->ip) != 1)
		return err_set(e, ERR_SPEC, 0, "%s '%s' is not like 10.88.0.1/24", name, text);
	out->prefix = (unsigned char)prefix;
	return 0;
}

static int parse(const struct spec_link *link, struct address *gateway, struct address *own, struct err *e)
{
	size_t length = strlen(link->bridge);

	if (length == 0 || length >= NET_NAME_MAX || strpbrk(link->bridge, "/ \t\n:%") != NULL ||
	    link->bridge[0] == '.')
		return err_set(e, ERR_SPEC, 0, "io.wherry.net.bridge '%s'", link->bridge);
	if (parse_address("io.wherry.net.gateway", link->gateway, gateway, e) != 0)
		return -1;
	return parse_address("io.wherry.net.address", link->address, own, e);
}

int net_check(const struct spec_link *link, struct err *e)
{
	struct address gateway, own;

	return link->bridge == NULL ? 0 : parse(link, &gateway, &own, e);
}

static int fail(struct err *e, int answer, const char *what, const char *name)
{
	return err_set(e, ERR_NET, -answer, "%s %s", what, name);
}

static void begin_link(struct netlink *m, uint16_t type, uint16_t flags, int index, unsigned change)
{
	struct ifinfomsg head;

	memset(&head, 0, sizeof(head));
	head.ifi_index = index;
	head.ifi_flags = change;
	head.ifi_change = change;
	netlink_begin(m, type, flags, &head, sizeof(head));
}

static int set_up(int fd, unsigned index, const char *name, struct err *e)
{
	struct netlink m;
	int rc;

	begin_link(&m, RTM_NEWLINK, 0, (int)index, IFF_UP);
	rc = netlink_ask(fd, &m);
	return rc == 0 ? 0 : fail(e, rc, "set up", name);
}

static int add_address(int fd, unsigned index, const struct address *a, const char *name, struct err *e)
{
	struct ifaddrmsg head;
	struct netlink m;
	uint32_t mask = a->prefix == 32 ? 0 : htonl(0xffffffffu >> a->prefix);
	struct in_addr broadcast = {a->ip.s_addr | mask};
	int rc;

	memset(&head, 0, sizeof(head));
	head.ifa_family = AF_INET;
	head.ifa_prefixlen = a->prefix;
	head.ifa_index = index;
	netlink_begin(&m, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &head, sizeof(head));
	netlink_put(&m, IFA_LOCAL, &a->ip, sizeof(a->ip));
	netlink_put(&m, IFA_ADDRESS, &a->ip, sizeof(a->ip));
	if (a->prefix < 31)
		netlink_put(&m, IFA_BROADCAST, &broadcast, sizeof(broadcast));
	rc = netlink_ask(fd, &m);
	return rc == 0 || rc == -EEXIST ? 0 : fail(e, rc, "address of", name);
}

/* Forwarding for the container's packets, and published ports reachable by 127.0.0.1 of the device. */
static int set_sysctls(const char *bridge, struct err *e)
{
	char name[96];

	if (fd_write_file(AT_FDCWD, "/proc/sys/net/ipv4/ip_forward", "1", ERR_NET, e) != 0)
		return -1;
	if (snprintf(name, sizeof(name), "/proc/sys/net/ipv4/conf/%s/route_localnet", bridge) < 0)
		return err_set(e, ERR_NET, errno, "bridge %s", bridge);
	return fd_write_file(AT_FDCWD, name, "1", ERR_NET, e);
}

static int need_bridge(int fd, const char *name, const struct address *gateway, unsigned *index,
		       struct err *e)
{
	struct netlink m;
	size_t nest;
	int rc;

	begin_link(&m, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0, 0);
	netlink_put_text(&m, IFLA_IFNAME, name);
	nest = netlink_nest(&m, IFLA_LINKINFO);
	netlink_put_text(&m, IFLA_INFO_KIND, "bridge");
	netlink_close(&m, nest);
	rc = netlink_ask(fd, &m);
	if (rc != 0 && rc != -EEXIST)
		return fail(e, rc, "make bridge", name);
	*index = if_nametoindex(name);
	if (*index == 0)
		return err_set(e, ERR_NET, errno, "bridge %s", name);
	if (add_address(fd, *index, gateway, name, e) != 0 || set_up(fd, *index, name, e) != 0)
		return -1;
	return set_sysctls(name, e);
}

/* Both ends in one message: the other one appears in the container's namespace under its final name. */
static int make_pair(int fd, const char *host_name, unsigned bridge, int ns, struct err *e)
{
	struct ifinfomsg peer;
	struct netlink m;
	size_t info, data, end;
	int rc;

	memset(&peer, 0, sizeof(peer));
	begin_link(&m, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0, IFF_UP);
	netlink_put_text(&m, IFLA_IFNAME, host_name);
	netlink_put_u32(&m, IFLA_MASTER, bridge);
	info = netlink_nest(&m, IFLA_LINKINFO);
	netlink_put_text(&m, IFLA_INFO_KIND, "veth");
	data = netlink_nest(&m, IFLA_INFO_DATA);
	end = m.length;
	netlink_put(&m, VETH_INFO_PEER, &peer, sizeof(peer));
	netlink_put_text(&m, IFLA_IFNAME, PEER_NAME);
	netlink_put_u32(&m, IFLA_NET_NS_FD, (uint32_t)ns);
	netlink_close(&m, end);
	netlink_close(&m, data);
	netlink_close(&m, info);
	rc = netlink_ask(fd, &m);
	return rc == 0 ? 0 : fail(e, rc, "make link", host_name);
}

static int default_route(int fd, const struct address *gateway, struct err *e)
{
	struct rtmsg head;
	struct netlink m;
	int rc;

	memset(&head, 0, sizeof(head));
	head.rtm_family = AF_INET;
	head.rtm_table = RT_TABLE_MAIN;
	head.rtm_protocol = RTPROT_BOOT;
	head.rtm_scope = RT_SCOPE_UNIVERSE;
	head.rtm_type = RTN_UNICAST;
	netlink_begin(&m, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, &head, sizeof(head));
	netlink_put(&m, RTA_GATEWAY, &gateway->ip, sizeof(gateway->ip));
	rc = netlink_ask(fd, &m);
	return rc == 0 || rc == -EEXIST ? 0 : fail(e, rc, "default route by", "the gateway");
}

/* The container's end, through a socket that was opened in its namespace. We step in for that, and back. */
static int set_up_inside(int ns, const struct address *gateway, const struct address *own, struct err *e)
{
	fd_auto int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	fd_auto int fd = -1;
	unsigned index;

	if (home < 0 || setns(ns, CLONE_NEWNET) != 0)
		return err_set(e, ERR_NET, errno, "enter the container's network");
	fd = netlink_open();
	index = if_nametoindex(PEER_NAME);
	if (setns(home, CLONE_NEWNET) != 0)
		return err_set(e, ERR_NET, errno, "go back to the host's network");
	if (fd < 0 || index == 0)
		return err_set(e, ERR_NET, errno, PEER_NAME " of the container");
	if (add_address(fd, index, own, PEER_NAME, e) != 0 || set_up(fd, index, PEER_NAME, e) != 0)
		return -1;
	return default_route(fd, gateway, e);
}

int net_connect(const struct spec_link *link, const char *host_name, pid_t pid, struct err *e)
{
	char name[48];
	struct address gateway = {{0}, 0}, own = {{0}, 0};
	unsigned bridge = 0;
	fd_auto int fd = -1;
	fd_auto int ns = -1;

	if (parse(link, &gateway, &own, e) != 0)
		return -1;
	if (snprintf(name, sizeof(name), "/proc/%d/ns/net", pid) < 0)
		return err_set(e, ERR_NET, errno, "network of process %d", pid);
	ns = open(name, O_RDONLY | O_CLOEXEC);
	fd = netlink_open();
	if (fd < 0 || ns < 0)
		return err_set(e, ERR_NET, errno, "open netlink");
	if (need_bridge(fd, link->bridge, &gateway, &bridge, e) != 0 || net_disconnect(host_name, e) != 0 ||
	    make_pair(fd, host_name, bridge, ns, e) != 0)
		return -1;
	return set_up_inside(ns, &gateway, &own, e);
}

int net_disconnect(const char *host_name, struct err *e)
{
	fd_auto int fd = -1;
	struct netlink m;
	int rc;

	if (host_name[0] == 0 || if_nametoindex(host_name) == 0)
		return 0;
	fd = netlink_open();
	if (fd < 0)
		return err_set(e, ERR_NET, errno, "open netlink");
	begin_link(&m, RTM_DELLINK, 0, 0, 0);
	netlink_put_text(&m, IFLA_IFNAME, host_name);
	rc = netlink_ask(fd, &m);
	return rc == 0 || rc == -ENODEV ? 0 : fail(e, rc, "remove link", host_name);
}

int net_loopback(struct err *e)
{
	fd_auto int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request;

	memset(&request, 0, sizeof(request));
	memcpy(request.ifr_name, "lo", 3);
	if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &request) != 0)
		return err_set(e, ERR_NET, errno, "lo");
	request.ifr_flags = (short)(request.ifr_flags | IFF_UP);
	if (ioctl(fd, SIOCSIFFLAGS, &request) != 0)
		return err_set(e, ERR_NET, errno, "set up lo");
	return 0;
}

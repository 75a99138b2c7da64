/* SPDX-License-Identifier: Apache-2.0
 * See tty.h. */
#include "run/tty.h"
#include "run/mount.h"
#include "shared/fd.h"
#include "shared/path.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#ifndef TIOCGPTPEER
#define TIOCGPTPEER _IO('T', 0x41)
#endif

int tty_connect(const char *path, struct err *e)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	fd_auto int file = open(path, O_PATH | O_CLOEXEC);
	fd_auto int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	/* Through /proc: a socket's own path may be longer than the 107 bytes of an address. */
	if (file < 0 || fd < 0 ||
	    snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d", file) < 0 ||
	    connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
		return err_set(e, ERR_SYSTEM, errno, "console socket %s", path);
	return fd_steal(&fd);
}

int tty_send(int socket_, int master, struct err *e)
{
	char name[] = "/dev/ptmx";
	struct iovec part = {name, sizeof(name) - 1};
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	struct msghdr head = {.msg_iov = &part,
			      .msg_iovlen = 1,
			      .msg_control = control.bytes,
			      .msg_controllen = sizeof(control.bytes)};
	struct cmsghdr *c;

	memset(&control, 0, sizeof(control));
	c = CMSG_FIRSTHDR(&head);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &master, sizeof(master));
	/* MSG_DONTWAIT: a peer that does not read must not hang us; one message always fits. */
	if (sendmsg(socket_, &head, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		return err_set(e, ERR_SYSTEM, errno, "send the terminal to the console socket");
	return 0;
}

int tty_open(int root, const struct spec_process *p, int *master, int *slave, struct err *e)
{
	struct winsize size = {.ws_row = p->rows, .ws_col = p->columns};
	fd_auto int m = path_open_in(root, "/dev/pts/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC, 0);
	struct stat st;
	int unlock = 0, s;

	if (m < 0)
		return err_set(e, ERR_SYSTEM, errno, "terminal: /dev/pts/ptmx of the container");
	if (fstat(m, &st) != 0 || !S_ISCHR(st.st_mode) || st.st_rdev != makedev(5, 2))
		return err_set(e, ERR_SYSTEM, 0, "terminal: /dev/pts/ptmx is not a terminal multiplexer");
	if (ioctl(m, TIOCSPTLCK, &unlock) != 0)
		return err_set(e, ERR_SYSTEM, errno, "terminal: unlock");
	s = ioctl(m, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (s < 0)
		return err_set(e, ERR_SYSTEM, errno, "terminal: open the other end");
	if ((p->rows != 0 || p->columns != 0) && ioctl(m, TIOCSWINSZ, &size) != 0) {
		close(s);
		return err_set(e, ERR_SYSTEM, errno, "terminal: size");
	}
	if (fchown(s, p->uid, (gid_t)-1) != 0 && errno != EPERM) {
		close(s);
		return err_set(e, ERR_SYSTEM, errno, "terminal: owner");
	}
	*master = fd_steal(&m);
	*slave = s;
	return 0;
}

int tty_console(int root, int slave, struct err *e)
{
	char name[MOUNT_FD_PATH];
	fd_auto int target = path_mkfile_in(root, "/dev/console", 0620, ERR_MOUNT, e);
	fd_auto int source = -1;
	fd_auto int mounted = -1;

	if (target < 0)
		return -1;
	source = open(mount_fd_path(slave, name), O_PATH | O_CLOEXEC);
	if (source < 0)
		return err_set(e, ERR_MOUNT, errno, "/dev/console");
	return mount_bind(source, false, target, root, "/dev/console", &mounted, e);
}

int tty_take(int slave, struct err *e)
{
	if (ioctl(slave, TIOCSCTTY, 0) != 0)
		return err_set(e, ERR_SYSTEM, errno, "terminal: take control");
	for (int fd = 0; fd < 3; fd++)
		if (dup2(slave, fd) < 0)
			return err_set(e, ERR_SYSTEM, errno, "terminal: descriptor %d", fd);
	return 0;
}

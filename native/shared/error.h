/* SPDX-License-Identifier: Apache-2.0
 * The error of every native program: one struct on the caller's stack, no allocation, small enough for one
 * pipe write, so that a child in its new namespaces sends exactly what its parent prints.
 * Functions return 0, or -1 with *e filled; never both. Only main.c prints and exits. */
#ifndef WHERRY_ERROR_H
#define WHERRY_ERROR_H

#include <limits.h>

/* Pinned, grouped by tens. error.c maps each to the word that protocol/codes/box.ts and image.ts know. */
enum err_code {
	ERR_NONE = 0,
	ERR_USAGE = 1,
	ERR_SYSTEM = 2,	  /* BOX_SYSTEM: a system call failed that never should */
	ERR_NO_SPACE = 3, /* NO_SPACE */
	ERR_MEMORY = 4,	  /* BOX_MEMORY */
	ERR_ROOT = 5,	  /* NOT_ROOT */
	ERR_SPEC = 10,	  /* BOX_SPEC: config.json or keep.json is not acceptable */
	ERR_ID = 11,	  /* BOX_ID: bad container id */
	ERR_EXISTS = 12,  /* BOX_EXISTS */
	ERR_ABSENT = 13,  /* BOX_ABSENT: no such container */
	ERR_STATE = 14,	  /* BOX_STATE: not in the state that the verb needs */
	ERR_NS = 20,	  /* BOX_NAMESPACE */
	ERR_MOUNT = 30,	  /* BOX_MOUNT */
	ERR_ROOTFS = 31,  /* BOX_ROOTFS: overlay or pivot_root */
	ERR_CGROUP = 40,  /* BOX_CGROUP */
	ERR_CAPS = 50,	  /* BOX_CAPABILITY */
	ERR_SECCOMP = 51, /* BOX_SECCOMP */
	ERR_RLIMIT = 52,  /* BOX_RLIMIT */
	ERR_NET = 60,	  /* BOX_NET */
	ERR_EXEC = 70,	  /* BOX_EXEC: the program of the container cannot be executed */
	ERR_KEEP = 80,	  /* BOX_KEEP: the keeper cannot hold its lock, socket or log */
	ERR_TAR = 90,	  /* LAYER_TAR: not a tar archive that we accept */
	ERR_ESCAPE = 91,  /* LAYER_ESCAPE: an entry leads outside the root */
	ERR_STREAM = 92,  /* LAYER_STREAM: compressed stream broken, truncated or too large a window */
	ERR_DIGEST = 93,  /* LAYER_DIGEST: bytes are not those of the digest or diffID */
	ERR_LIMIT = 94,	  /* LAYER_LIMIT: a bound on sizes or counts was passed */
};

struct err {
	enum err_code code; /* why, for the machine */
	int sys;	    /* errno at the origin, 0 if none */
	char where[64];	    /* the step: "mount /proc" */
	char what[192];	    /* for a person, without a newline */
};
_Static_assert(sizeof(struct err) <= _POSIX_PIPE_BUF, "an error must fit one atomic pipe write");

/* Fills *e; `sys` is an errno or 0 and is spelled out behind the text. ENOSPC and EDQUOT turn any code into
 * ERR_NO_SPACE. Returns -1. */
int err_set(struct err *e, enum err_code code, int sys, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* Puts "context: " in front of what is there. Returns -1. */
int err_add(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Names the step, once: the innermost name stays. Returns -1. */
int err_at(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* BOX_MOUNT, LAYER_TAR, …: the word of the code. */
const char *err_word(enum err_code code);
/* One line on fd: {"level":"error","time":"…Z","code":"BOX_MOUNT","msg":"…","where":"…","errno":2}\n.
 * podman and containerd read level, msg and time; adapters/native.ts reads the rest. */
void err_print_json(int fd, const struct err *e);
/* One line on stderr for a person: "wherry-run: BOX_MOUNT: mount /proc: … (No such file or directory)". */
void err_print_text(const char *program, const struct err *e);

#endif

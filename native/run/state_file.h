/* SPDX-License-Identifier: Apache-2.0
 * The folder of one container, <root>/<id>/: state.json, config.json as it was at create, exec.fifo (there
 * until start), exec.error (what kept the program from running), lock. Written before the thing that it
 * describes is made, so that delete --force can clear away after a create that was killed half-way. */
#ifndef WHERRY_RUN_STATE_FILE_H
#define WHERRY_RUN_STATE_FILE_H

#include "run/verb.h"
#include "shared/error.h"
#include "shared/json.h"
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define STATE_ID_MAX 128
#define STATE_FIFO   "exec.fifo"
#define STATE_ERROR  "exec.error"
#define STATE_CONFIG "config.json"

enum status { STATUS_CREATING, STATUS_CREATED, STATUS_RUNNING, STATUS_STOPPED };

struct state {
	const char *oci_version, *bundle, *rootfs, *created, *cgroup, *link;
	pid_t pid; /* 0 = not yet there */
	uint64_t start_time;
	bool creating;
	const struct json *annotations;
	struct json_doc doc; /* holds the texts after state_load */
};

struct box {
	const char *root, *id;
	int dir, lock;
	struct state state;
};

/* Makes the folder, locked; ERR_EXISTS if it is there. */
int box_make(struct box *b, const struct globals *g, const char *id, struct err *e);
/* Opens it and reads state.json; ERR_ABSENT. A folder without state.json gives an empty, `creating` state. */
int box_open(struct box *b, const struct globals *g, const char *id, struct err *e);
/* One verb at a time changes a container; waits at most wait_ms, then ERR_STATE. Ends with the process. */
int box_lock(struct box *b, int wait_ms, struct err *e);
/* Reads state.json again, after the lock was got. */
int box_reload(struct box *b, struct err *e);
int box_save(struct box *b, struct err *e);
int box_remove(struct box *b, struct err *e);
/* <root>/<id>/name in out. */
int box_path(const struct box *b, const char *name, char out[4096], struct err *e);

/* Derived from the process (number and start time) and exec.fifo, never stored. */
enum status box_status(const struct box *b);
const char *status_word(enum status status);
/* The state of the runtime specification as JSON, malloced. */
int box_state_json(const struct box *b, enum status status, pid_t pid, char **out, struct err *e);

#endif

/* SPDX-License-Identifier: Apache-2.0
 * Processes by number and start time: the pair names one process, a number alone may be reused. */
#ifndef WHERRY_RUN_PROC_H
#define WHERRY_RUN_PROC_H

#include "shared/error.h"
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Field 22 of /proc/<pid>/stat; false if there is no such process, or it is a zombie. */
bool proc_start_time(pid_t pid, uint64_t *out);
bool proc_is_alive(pid_t pid, uint64_t start_time);
/* Sends a signal to exactly that process; ERR_STATE if it is gone. */
int proc_signal(pid_t pid, uint64_t start_time, int signal, struct err *e);
/* Milliseconds of a clock that never jumps. */
int64_t proc_now_ms(void);
/* Waits until it is gone (or a zombie); false after timeout_ms. */
bool proc_wait_gone(pid_t pid, uint64_t start_time, int timeout_ms);
/* SIGTERM, TERM or 15 → 15; -1 if it is no signal. */
int proc_signal_number(const char *text);
/* 128 + signal, or the exit code. */
int proc_exit_status(int status);

#endif

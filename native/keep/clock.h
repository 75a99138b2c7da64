/* SPDX-License-Identifier: Apache-2.0
 * Time, twice: milliseconds that only grow, for waiting; and instants of the wall clock, for people. */
#ifndef WHERRY_KEEP_CLOCK_H
#define WHERRY_KEEP_CLOCK_H

#include <stdint.h>
#include <time.h>

#define CLOCK_TEXT_BYTES 32

/* CLOCK_MONOTONIC in ms. */
int64_t clock_ms(void);
/* "2026-11-24T23:20:58.123Z", or with nine digits behind the point. */
void clock_text(char out[CLOCK_TEXT_BYTES], const struct timespec *at);
void clock_text_ns(char out[CLOCK_TEXT_BYTES], const struct timespec *at);
struct timespec clock_now(void);

#endif

/* SPDX-License-Identifier: Apache-2.0
 * See clock.h. The text of a second is kept, since a busy log asks for the same one thousands of times. */
#include "keep/clock.h"

#include <stdio.h>
#include <string.h>

int64_t clock_ms(void)
{
	struct timespec now = {0};
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

struct timespec clock_now(void)
{
	struct timespec now = {0};
	(void)clock_gettime(CLOCK_REALTIME, &now);
	return now;
}

static const char *second_text(time_t second)
{
	static char text[24] = "1970-01-01T00:00:00";
	static time_t known;
	struct tm utc;
	if (second != known && gmtime_r(&second, &utc) != NULL && utc.tm_year >= 0 && utc.tm_year < 8100 &&
	    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &utc) > 0)
		known = second;
	return text;
}

void clock_text(char out[CLOCK_TEXT_BYTES], const struct timespec *at)
{
	int size =
	    snprintf(out, CLOCK_TEXT_BYTES, "%s.%03ldZ", second_text(at->tv_sec), at->tv_nsec / 1000000);
	if (size < 0)
		out[0] = '\0';
}

void clock_text_ns(char out[CLOCK_TEXT_BYTES], const struct timespec *at)
{
	int size = snprintf(out, CLOCK_TEXT_BYTES, "%s.%09ldZ", second_text(at->tv_sec), at->tv_nsec);
	if (size < 0)
		out[0] = '\0';
}

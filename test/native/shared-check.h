/* SPDX-License-Identifier: Apache-2.0
 * The smallest frame for unit tests in C: CHECK prints file, line and condition, and main gives 1 if any
 * failed. */
#ifndef WHERRY_SHARED_CHECK_H
#define WHERRY_SHARED_CHECK_H

#include <stdio.h>
#include <string.h>

static int check_failed;

#define CHECK(condition)                                                                                     \
	do {                                                                                                 \
		if (!(condition)) {                                                                          \
			printf("%s:%d: %s\n", __FILE__, __LINE__, #condition);                               \
			check_failed = 1;                                                                    \
		}                                                                                            \
	} while (0)

#define CHECK_TEXT(got, wanted)                                                                              \
	do {                                                                                                 \
		const char *got_ = (got), *wanted_ = (wanted);                                               \
		if (got_ == NULL || strcmp(got_, wanted_) != 0) {                                            \
			printf("%s:%d: got <%s>, wanted <%s>\n", __FILE__, __LINE__,                         \
			       got_ == NULL ? "NULL" : got_, wanted_);                                       \
			check_failed = 1;                                                                    \
		}                                                                                            \
	} while (0)

#endif

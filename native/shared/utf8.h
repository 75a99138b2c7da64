/* SPDX-License-Identifier: Apache-2.0
 * One step through UTF-8 text that somebody else wrote: overlong forms, surrogates and code points beyond
 * U+10FFFF are not valid. */
#ifndef WHERRY_UTF8_H
#define WHERRY_UTF8_H

#include <stddef.h>

/* Bytes (1..4) of the valid sequence at `text`, or 0 if none begins there within `length`. */
size_t utf8_step(const char *text, size_t length);

#endif

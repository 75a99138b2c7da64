/* SPDX-License-Identifier: Apache-2.0
 * RFC 3629 §4, table of well-formed sequences. */
#include "shared/utf8.h"

#include <stdbool.h>

static bool is_tail(unsigned char byte, unsigned char low, unsigned char high)
{
	return byte >= low && byte <= high;
}

size_t utf8_step(const char *text, size_t length)
{
	const unsigned char *s = (const unsigned char *)text;
	if (length == 0)
		return 0;
	if (s[0] < 0x80)
		return 1;
	size_t need = s[0] >= 0xc2 && s[0] <= 0xdf ? 2 : (s[0] & 0xf0) == 0xe0 ? 3 : 4;
	if (need == 4 && (s[0] < 0xf0 || s[0] > 0xf4))
		return 0;
	if (length < need)
		return 0;
	/* The second byte carries the bounds: no overlong form, no surrogate, nothing past U+10FFFF. */
	unsigned char low = s[0] == 0xe0 ? 0xa0 : s[0] == 0xf0 ? 0x90 : 0x80;
	unsigned char high = s[0] == 0xed ? 0x9f : s[0] == 0xf4 ? 0x8f : 0xbf;
	if (!is_tail(s[1], low, high))
		return 0;
	for (size_t i = 2; i < need; i++) {
		if (!is_tail(s[i], 0x80, 0xbf))
			return 0;
	}
	return need;
}

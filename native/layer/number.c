/* SPDX-License-Identifier: Apache-2.0
 * See number.h. Nothing here reads beyond the width that it is given. */
#include "layer/number.h"

#define DIGITS_MAX 19 /* any 19 decimal digits fit 64 bits */

static bool base256(const uint8_t *field, size_t width, int64_t *out)
{
	bool negative = (field[0] & 0x40) != 0;
	uint64_t fill = negative ? 0xff : 0;
	uint64_t value = negative ? UINT64_MAX : 0;
	for (size_t i = 0; i < width; i++) {
		uint64_t byte = field[i];
		if (i == 0) /* the marker bit is not of the number */
			byte = negative ? byte | 0x80 : byte & 0x7f;
		if (i + 8 < width && byte != fill)
			return false;
		value = value << 8 | byte;
	}
	if (((value >> 63) != 0) != negative)
		return false;
	*out = (int64_t)value;
	return true;
}

bool number_field(const uint8_t *field, size_t width, int64_t *out)
{
	if ((field[0] & 0x80) != 0)
		return base256(field, width, out);
	size_t end = width;
	size_t at = 0;
	while (at < end && (field[at] == ' ' || field[at] == '\0'))
		at++;
	while (end > at && (field[end - 1] == ' ' || field[end - 1] == '\0'))
		end--;
	int64_t value = 0;
	for (; at < end; at++) { /* at most 12 octal digits: 36 bits */
		if (field[at] < '0' || field[at] > '7')
			return false;
		value = value << 3 | (field[at] - '0');
	}
	*out = value;
	return true;
}

bool number_decimal(const char *text, size_t length, uint64_t *out)
{
	if (length == 0 || length > DIGITS_MAX)
		return false;
	uint64_t value = 0;
	for (size_t i = 0; i < length; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		value = value * 10 + (uint64_t)(text[i] - '0');
	}
	if (value > INT64_MAX)
		return false;
	*out = value;
	return true;
}

bool number_time(const char *text, size_t length, int64_t *seconds, uint32_t *ns)
{
	bool negative = length > 0 && text[0] == '-';
	size_t at = negative ? 1 : 0;
	size_t point = at;
	while (point < length && text[point] != '.')
		point++;
	uint64_t whole;
	if (!number_decimal(text + at, point - at, &whole))
		return false;
	uint32_t fraction = 0;
	uint32_t unit = 100000000;
	for (size_t i = point + 1; i < length; i++, unit /= 10) { /* digits behind the ninth are cut */
		if (text[i] < '0' || text[i] > '9')
			return false;
		fraction += (uint32_t)(text[i] - '0') * unit;
	}
	*seconds = negative ? -(int64_t)whole : (int64_t)whole;
	*ns = fraction;
	if (negative && fraction > 0) {
		*seconds -= 1;
		*ns = 1000000000 - fraction;
	}
	return true;
}

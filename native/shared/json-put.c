/* SPDX-License-Identifier: Apache-2.0
 * The writer: a buffer that doubles. What is written is always valid JSON if brackets and keys are paired. */
#include "shared/json.h"
#include "shared/utf8.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_BYTES 256u

static void put(struct json_out *o, const char *bytes, size_t length)
{
	if (o->failed)
		return;
	if (o->size - o->length <= length) {
		size_t size = o->size == 0 ? FIRST_BYTES : o->size;
		while (size - o->length <= length)
			size *= 2;
		char *grown = realloc(o->bytes, size);
		if (grown == NULL) {
			o->failed = true;
			return;
		}
		o->bytes = grown;
		o->size = size;
	}
	memcpy(o->bytes + o->length, bytes, length);
	o->length += length;
	o->bytes[o->length] = '\0'; /* kept terminated: there is always room for it */
}

static void put_comma(struct json_out *o)
{
	if (o->comma)
		put(o, ",", 1);
	o->comma = true;
}

static void put_quoted(struct json_out *o, const char *text, size_t length)
{
	put(o, "\"", 1);
	for (size_t i = 0; i < length;) {
		size_t step = utf8_step(text + i, length - i);
		unsigned char byte = (unsigned char)text[i];
		char escaped[8];
		if (step == 0) {
			put(o, "\xef\xbf\xbd", 3);
			step = 1;
		} else if (byte == '"' || byte == '\\') {
			const char pair[2] = {'\\', (char)byte};
			put(o, pair, 2);
		} else if (byte < 0x20) {
			int size = snprintf(escaped, sizeof(escaped), "\\u%04x", byte);
			put(o, escaped, size > 0 ? (size_t)size : 0);
		} else {
			put(o, text + i, step);
		}
		i += step;
	}
	put(o, "\"", 1);
}

void json_open(struct json_out *o, char bracket)
{
	put_comma(o);
	put(o, &bracket, 1);
	o->comma = false;
}

void json_close(struct json_out *o, char bracket)
{
	put(o, &bracket, 1);
	o->comma = true;
}

void json_key(struct json_out *o, const char *key)
{
	put_comma(o);
	put_quoted(o, key, strlen(key));
	put(o, ":", 1);
	o->comma = false;
}

void json_put_strn(struct json_out *o, const char *text, size_t length)
{
	put_comma(o);
	put_quoted(o, text, length);
}

void json_put_str(struct json_out *o, const char *text)
{
	json_put_strn(o, text, strlen(text));
}

void json_put_i64(struct json_out *o, int64_t value)
{
	char digits[24];
	int size = snprintf(digits, sizeof(digits), "%" PRId64, value);
	put_comma(o);
	put(o, digits, size > 0 ? (size_t)size : 0);
}

void json_put_bool(struct json_out *o, bool value)
{
	put_comma(o);
	put(o, value ? "true" : "false", value ? 4 : 5);
}

void json_put_null(struct json_out *o)
{
	put_comma(o);
	put(o, "null", 4);
}

int json_done(struct json_out *o, struct err *e)
{
	if (!o->failed && o->bytes != NULL)
		return 0;
	free(o->bytes);
	*o = (struct json_out){0};
	return err_set(e, ERR_MEMORY, 0, "no memory to write JSON");
}

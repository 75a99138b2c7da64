/* SPDX-License-Identifier: Apache-2.0
 * Fuzz target for the JSON reader: whatever it accepts is written again and must be read to the same text.
 * Built with clang -fsanitize=fuzzer,address,undefined -Inative test/native/shared-fuzz.c
 * native/shared/{json,json-get,json-put,utf8,error}.c */
#include "shared/json.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_value(struct json_out *o, const struct json *value)
{
	switch (value->type) {
	case JSON_NULL:
		json_put_null(o);
		break;
	case JSON_BOOL:
		json_put_bool(o, value->boolean);
		break;
	case JSON_NUMBER:
	case JSON_STRING:
		json_put_strn(o, value->text, value->length);
		break;
	case JSON_ARRAY:
	case JSON_OBJECT:
		json_open(o, value->type == JSON_ARRAY ? '[' : '{');
		for (const struct json *m = value->child; m != NULL; m = m->next) {
			if (m->key != NULL)
				json_key(o, m->key);
			write_value(o, m);
		}
		json_close(o, value->type == JSON_ARRAY ? ']' : '}');
		break;
	}
}

static char *written(const struct json *root)
{
	struct json_out o = {0};
	struct err e;
	write_value(&o, root);
	if (json_done(&o, &e) < 0)
		abort();
	return o.bytes;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err e;
	json_auto struct json_doc first = {0}, second = {0};
	if (json_parse(&first, (const char *)data, size, &e) < 0)
		return 0;
	char *once = written(first.root);
	if (json_parse(&second, once, strlen(once), &e) < 0)
		abort();
	char *twice = written(second.root);
	if (strcmp(once, twice) != 0)
		abort();
	free(once);
	free(twice);
	return 0;
}

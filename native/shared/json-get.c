/* SPDX-License-Identifier: Apache-2.0
 * Typed reads of members. Every refusal names the key and what is allowed there. */
#include "shared/json.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

const struct json *json_get(const struct json *object, const char *key)
{
	if (object == NULL || object->type != JSON_OBJECT)
		return NULL;
	for (const struct json *m = object->child; m != NULL; m = m->next) {
		if (strcmp(m->key, key) == 0)
			return m;
	}
	return NULL;
}

/* The member, or NULL where it is absent or null. */
static const struct json *given(const struct json *object, const char *key)
{
	const struct json *m = json_get(object, key);
	return m == NULL || m->type == JSON_NULL ? NULL : m;
}

static int wrong(struct err *e, const char *key, const char *allowed)
{
	return err_set(e, ERR_SPEC, 0, "%s: must be %s", key, allowed);
}

int json_str(const struct json *object, const char *key, const char **out, struct err *e)
{
	const struct json *m = given(object, key);
	if (m == NULL)
		return 0;
	if (m->type != JSON_STRING)
		return wrong(e, key, "a string");
	*out = m->text;
	return 0;
}

int json_bool(const struct json *object, const char *key, bool *out, struct err *e)
{
	const struct json *m = given(object, key);
	if (m == NULL)
		return 0;
	if (m->type != JSON_BOOL)
		return wrong(e, key, "true or false");
	*out = m->boolean;
	return 0;
}

/* 2.0 and 1e3 are refused too: whole numbers are written whole. */
static bool is_whole(const struct json *m)
{
	return m->type == JSON_NUMBER && strpbrk(m->text, ".eE") == NULL;
}

int json_i64(const struct json *object, const char *key, int64_t min, int64_t max, int64_t *out,
	     struct err *e)
{
	const struct json *m = given(object, key);
	if (m == NULL)
		return 0;
	errno = 0;
	int64_t value = is_whole(m) ? strtoimax(m->text, NULL, 10) : 0;
	if (!is_whole(m) || errno != 0 || value < min || value > max)
		return err_set(e, ERR_SPEC, 0, "%s: must be a whole number from %" PRId64 " to %" PRId64, key,
			       min, max);
	*out = value;
	return 0;
}

int json_u64(const struct json *object, const char *key, uint64_t max, uint64_t *out, struct err *e)
{
	const struct json *m = given(object, key);
	if (m == NULL)
		return 0;
	errno = 0;
	bool fits = is_whole(m) && m->text[0] != '-';
	uint64_t value = fits ? strtoumax(m->text, NULL, 10) : 0;
	if (!fits || errno != 0 || value > max)
		return err_set(e, ERR_SPEC, 0, "%s: must be a whole number from 0 to %" PRIu64, key, max);
	*out = value;
	return 0;
}

int json_object(const struct json *object, const char *key, const struct json **out, struct err *e)
{
	const struct json *m = given(object, key);
	if (m != NULL && m->type != JSON_OBJECT)
		return wrong(e, key, "an object");
	*out = m;
	return 0;
}

int json_array(const struct json *object, const char *key, const struct json **out, struct err *e)
{
	const struct json *m = given(object, key);
	if (m != NULL && m->type != JSON_ARRAY)
		return wrong(e, key, "a list");
	*out = m;
	return 0;
}

int json_strings(const struct json *object, const char *key, const char ***out, size_t *count, struct err *e)
{
	const struct json *list = NULL;
	if (json_array(object, key, &list, e) < 0)
		return -1;
	if (list == NULL)
		return 0;
	const char **texts = calloc(list->length + 1, sizeof(*texts));
	if (texts == NULL)
		return err_set(e, ERR_MEMORY, 0, "no memory for %s", key);
	size_t used = 0;
	for (const struct json *item = list->child; item != NULL; item = item->next) {
		if (item->type != JSON_STRING) {
			free(texts);
			return wrong(e, key, "a list of strings");
		}
		texts[used++] = item->text;
	}
	*out = texts;
	if (count != NULL)
		*count = used;
	return 0;
}

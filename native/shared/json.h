/* SPDX-License-Identifier: Apache-2.0
 * JSON that somebody else wrote, read into a tree in one arena, and JSON of ours written into a buffer.
 * Refused: more than JSON_BYTES_MAX, more values than JSON_VALUES_MAX, nesting beyond JSON_DEPTH_MAX, invalid
 * UTF-8, NUL (\u0000) in strings, a key twice in one object, anything after the value. Unknown keys are the
 * caller's to ignore or refuse. */
#ifndef WHERRY_JSON_H
#define WHERRY_JSON_H

#include "shared/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JSON_BYTES_MAX	4194304u /* 4 MiB */
#define JSON_DEPTH_MAX	64
#define JSON_VALUES_MAX 262144u /* 16 MiB of tree at most */

enum json_type { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json {
	enum json_type type;
	bool boolean;
	const char *key;    /* in an object; NUL-terminated */
	const char *text;   /* a string's value (decoded, NUL-terminated), or a number as written */
	size_t length;	    /* of text; or the number of children */
	struct json *child; /* first child of an array or object */
	struct json *next;  /* next sibling */
};

struct json_doc {
	struct json *root;
	void *arena; /* owned; json_free */
};

/* Copies what it keeps: `text` may go after the call. Errors are ERR_SPEC with the line. */
int json_parse(struct json_doc *doc, const char *text, size_t length, struct err *e);
void json_free(struct json_doc *doc);
#define json_auto __attribute__((cleanup(json_free)))

/* The member, or NULL; NULL object gives NULL, so that lookups chain. */
const struct json *json_get(const struct json *object, const char *key);

/* Typed reads of a member. Absent or null: *out stays and 0 is returned. Wrong type or range: -1, ERR_SPEC
 * naming the key. */
int json_str(const struct json *object, const char *key, const char **out, struct err *e);
int json_bool(const struct json *object, const char *key, bool *out, struct err *e);
int json_i64(const struct json *object, const char *key, int64_t min, int64_t max, int64_t *out,
	     struct err *e);
int json_u64(const struct json *object, const char *key, uint64_t max, uint64_t *out, struct err *e);
/* The member if it is an object (array); NULL in *out if absent. */
int json_object(const struct json *object, const char *key, const struct json **out, struct err *e);
int json_array(const struct json *object, const char *key, const struct json **out, struct err *e);
/* An array of strings as a NULL-terminated, malloced vector pointing into the document; *out stays if absent.
 */
int json_strings(const struct json *object, const char *key, const char ***out, size_t *count, struct err *e);

/* Writing: a growing buffer; commas and escapes are its own business. Out of memory is remembered and
 * reported by json_done. */
struct json_out {
	char *bytes;
	size_t length, size;
	bool failed, comma;
};
void json_open(struct json_out *o, char bracket); /* '{' or '[' */
void json_close(struct json_out *o, char bracket);
void json_key(struct json_out *o, const char *key);
void json_put_str(struct json_out *o, const char *text); /* invalid UTF-8 bytes become U+FFFD */
void json_put_strn(struct json_out *o, const char *text, size_t length);
void json_put_i64(struct json_out *o, int64_t value);
void json_put_bool(struct json_out *o, bool value);
void json_put_null(struct json_out *o);
/* 0 if all was written; the bytes (NUL-terminated) are the caller's to free. */
int json_done(struct json_out *o, struct err *e);

#endif

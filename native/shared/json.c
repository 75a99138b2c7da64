/* SPDX-License-Identifier: Apache-2.0
 * The reader: RFC 8259, strict. Recursion is bounded by JSON_DEPTH_MAX; the arena is a chain of blocks, so
 * that nodes never move. Typed lookups are in json-get.c, the writer in json-put.c. */
#include "shared/json.h"
#include "shared/utf8.h"

#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES	(16u * 1024)
#define KEYS_LINEAR_MAX 32 /* beyond it, keys are compared sorted, once, when the object ends */

struct block {
	struct block *next;
	size_t used, size;
	_Alignas(16) char bytes[];
};

struct reader {
	const char *at, *end;
	unsigned line;
	size_t values;
	struct block *blocks;
	struct err *e;
};

static int refuse(struct reader *r, const char *what)
{
	return err_set(r->e, ERR_SPEC, 0, "line %u: %s", r->line, what);
}

static void *take(struct reader *r, size_t size, size_t align)
{
	struct block *b = r->blocks;
	size_t from = b == NULL ? 0 : (b->used + align - 1) & ~(align - 1);
	if (b == NULL || from > b->size || b->size - from < size) {
		size_t room = size > BLOCK_BYTES ? size : BLOCK_BYTES;
		struct block *fresh = malloc(sizeof(*fresh) + room);
		if (fresh == NULL) {
			err_set(r->e, ERR_MEMORY, 0, "no memory for a JSON document");
			return NULL;
		}
		*fresh = (struct block){.next = b, .used = 0, .size = room};
		r->blocks = b = fresh;
		from = 0;
	}
	b->used = from + size;
	return b->bytes + from;
}

static void skip_space(struct reader *r)
{
	for (; r->at < r->end; r->at++) {
		if (*r->at == '\n')
			r->line++;
		else if (*r->at != ' ' && *r->at != '\t' && *r->at != '\r')
			return;
	}
}

static bool next_is(struct reader *r, char c)
{
	if (r->at >= r->end || *r->at != c)
		return false;
	r->at++;
	return true;
}

static int read_hex4(struct reader *r, unsigned *out)
{
	unsigned value = 0;
	if (r->end - r->at < 4)
		return refuse(r, "a \\u escape is cut short");
	for (int i = 0; i < 4; i++) {
		char c = *r->at++;
		unsigned digit = c >= '0' && c <= '9'	? (unsigned)(c - '0')
				 : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10)
				 : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A' + 10)
							: 16u;
		if (digit > 15)
			return refuse(r, "a \\u escape needs four hex digits");
		value = value << 4 | digit;
	}
	*out = value;
	return 0;
}

static char *put_code_point(char *to, unsigned c)
{
	if (c < 0x80) {
		*to++ = (char)c;
	} else if (c < 0x800) {
		*to++ = (char)(0xc0 | c >> 6);
		*to++ = (char)(0x80 | (c & 0x3f));
	} else if (c < 0x10000) {
		*to++ = (char)(0xe0 | c >> 12);
		*to++ = (char)(0x80 | (c >> 6 & 0x3f));
		*to++ = (char)(0x80 | (c & 0x3f));
	} else {
		*to++ = (char)(0xf0 | c >> 18);
		*to++ = (char)(0x80 | (c >> 12 & 0x3f));
		*to++ = (char)(0x80 | (c >> 6 & 0x3f));
		*to++ = (char)(0x80 | (c & 0x3f));
	}
	return to;
}

/* Behind "\u". A pair of surrogates is one code point; a lone one is refused, and so is NUL. */
static int read_unicode(struct reader *r, char **to)
{
	unsigned high, low;
	if (read_hex4(r, &high) < 0)
		return -1;
	if (high == 0)
		return refuse(r, "\\u0000 is not allowed in a string");
	if (high >= 0xdc00 && high <= 0xdfff)
		return refuse(r, "a \\u escape is half a surrogate pair");
	if (high >= 0xd800 && high <= 0xdbff) {
		if (!next_is(r, '\\') || !next_is(r, 'u'))
			return refuse(r, "a \\u escape is half a surrogate pair");
		if (read_hex4(r, &low) < 0)
			return -1;
		if (low < 0xdc00 || low > 0xdfff)
			return refuse(r, "a \\u escape is half a surrogate pair");
		high = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
	}
	*to = put_code_point(*to, high);
	return 0;
}

static int read_escape(struct reader *r, char **to)
{
	static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
	if (next_is(r, 'u'))
		return read_unicode(r, to);
	const char *name = r->at < r->end && *r->at != '\0' ? strchr(names, *r->at) : NULL;
	if (name == NULL)
		return refuse(r, "an escape that JSON does not know");
	r->at++;
	*(*to)++ = values[name - names];
	return 0;
}

/* The bytes up to the closing quote bound what the decoded text needs: an escape is never shorter. */
static size_t raw_length(const struct reader *r)
{
	const char *p = r->at;
	while (p < r->end && *p != '"')
		p += *p == '\\' && p + 1 < r->end ? 2 : 1;
	return (size_t)(p - r->at);
}

/* Behind the opening quote. */
static int read_string(struct reader *r, const char **text, size_t *length)
{
	char *start = take(r, raw_length(r) + 1, 1);
	if (start == NULL)
		return -1;
	char *to = start;
	while (!next_is(r, '"')) {
		size_t step = r->at < r->end ? utf8_step(r->at, (size_t)(r->end - r->at)) : 1;
		if (r->at >= r->end)
			return refuse(r, "a string does not end");
		if (step == 0)
			return refuse(r, "invalid UTF-8 in a string");
		if ((unsigned char)*r->at < 0x20)
			return refuse(r, "a control character in a string");
		if (*r->at == '\\') {
			r->at++;
			if (read_escape(r, &to) < 0)
				return -1;
			continue;
		}
		memcpy(to, r->at, step);
		to += step;
		r->at += step;
	}
	*to = '\0';
	*text = start;
	*length = (size_t)(to - start);
	return 0;
}

static size_t skip_digits(struct reader *r)
{
	const char *from = r->at;
	while (r->at < r->end && *r->at >= '0' && *r->at <= '9')
		r->at++;
	return (size_t)(r->at - from);
}

static int read_number(struct reader *r, struct json *value)
{
	const char *from = r->at;
	(void)next_is(r, '-');
	bool zero = r->at < r->end && *r->at == '0';
	size_t digits = skip_digits(r);
	if (digits == 0 || (zero && digits > 1))
		return refuse(r, "not a JSON value");
	if (next_is(r, '.') && skip_digits(r) == 0)
		return refuse(r, "a number without digits behind its point");
	if (next_is(r, 'e') || next_is(r, 'E')) {
		if (!next_is(r, '+'))
			(void)next_is(r, '-');
		if (skip_digits(r) == 0)
			return refuse(r, "a number without digits in its exponent");
	}
	value->type = JSON_NUMBER;
	value->length = (size_t)(r->at - from);
	char *text = take(r, value->length + 1, 1);
	if (text == NULL)
		return -1;
	memcpy(text, from, value->length);
	text[value->length] = '\0';
	value->text = text;
	return 0;
}

static bool next_word(struct reader *r, const char *word)
{
	size_t length = strlen(word);
	if ((size_t)(r->end - r->at) < length || memcmp(r->at, word, length) != 0)
		return false;
	r->at += length;
	return true;
}

static int read_word(struct reader *r, struct json *value)
{
	if (next_word(r, "null")) {
		value->type = JSON_NULL;
		return 0;
	}
	value->type = JSON_BOOL;
	value->boolean = next_word(r, "true");
	if (value->boolean || next_word(r, "false"))
		return 0;
	return refuse(r, "not a JSON value");
}

static int twice(struct reader *r, const char *key)
{
	return err_set(r->e, ERR_SPEC, 0, "line %u: key \"%.64s\" twice in one object", r->line, key);
}

static int compare_keys(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Many keys: sorted, so that a hostile object costs n log n. */
static int check_many_keys(struct reader *r, const struct json *object)
{
	const char **keys = calloc(object->length, sizeof(*keys));
	if (keys == NULL)
		return err_set(r->e, ERR_MEMORY, 0, "no memory for a JSON document");
	size_t count = 0;
	for (const struct json *m = object->child; m != NULL; m = m->next)
		keys[count++] = m->key;
	qsort(keys, count, sizeof(*keys), compare_keys);
	int result = 0;
	for (size_t i = 1; i < count && result == 0; i++) {
		if (strcmp(keys[i - 1], keys[i]) == 0)
			result = twice(r, keys[i]);
	}
	free(keys);
	return result;
}

static int read_key(struct reader *r, const struct json *object, const char **key)
{
	size_t length;
	skip_space(r);
	if (!next_is(r, '"'))
		return refuse(r, "a key in double quotes is missing");
	if (read_string(r, key, &length) < 0)
		return -1;
	if (object->length < KEYS_LINEAR_MAX) {
		for (const struct json *m = object->child; m != NULL; m = m->next) {
			if (strcmp(m->key, *key) == 0)
				return twice(r, *key);
		}
	}
	skip_space(r);
	return next_is(r, ':') ? 0 : refuse(r, "a colon is missing behind a key");
}

static int read_value(struct reader *r, int depth, const char *key, struct json **out);

/* Behind the opening bracket; `close` is its partner. */
static int read_members(struct reader *r, int depth, struct json *parent, char close)
{
	struct json **link = &parent->child;
	skip_space(r);
	if (next_is(r, close))
		return 0;
	do {
		const char *key = NULL;
		if (parent->type == JSON_OBJECT && read_key(r, parent, &key) < 0)
			return -1;
		if (read_value(r, depth + 1, key, link) < 0)
			return -1;
		link = &(*link)->next;
		parent->length++;
		skip_space(r);
	} while (next_is(r, ','));
	if (!next_is(r, close))
		return refuse(r, close == '}' ? "a comma or } is missing" : "a comma or ] is missing");
	if (parent->type == JSON_OBJECT && parent->length > KEYS_LINEAR_MAX)
		return check_many_keys(r, parent);
	return 0;
}

static int read_value(struct reader *r, int depth, const char *key, struct json **out)
{
	if (depth > JSON_DEPTH_MAX)
		return refuse(r, "nested too deeply");
	if (++r->values > JSON_VALUES_MAX)
		return refuse(r, "too many values");
	struct json *value = take(r, sizeof(*value), _Alignof(struct json));
	if (value == NULL)
		return -1;
	*value = (struct json){.type = JSON_NULL, .key = key};
	skip_space(r);
	int result;
	if (r->at >= r->end) {
		result = refuse(r, "the document ends too early");
	} else if (next_is(r, '{')) {
		value->type = JSON_OBJECT;
		result = read_members(r, depth, value, '}');
	} else if (next_is(r, '[')) {
		value->type = JSON_ARRAY;
		result = read_members(r, depth, value, ']');
	} else if (next_is(r, '"')) {
		value->type = JSON_STRING;
		result = read_string(r, &value->text, &value->length);
	} else if (*r->at == '-' || (*r->at >= '0' && *r->at <= '9')) {
		result = read_number(r, value);
	} else {
		result = read_word(r, value);
	}
	*out = value;
	return result;
}

int json_parse(struct json_doc *doc, const char *text, size_t length, struct err *e)
{
	struct reader r = {.at = text, .end = text + length, .line = 1, .e = e};
	struct json *root = NULL;
	if (length > JSON_BYTES_MAX)
		return err_set(e, ERR_SPEC, 0, "longer than %u bytes", JSON_BYTES_MAX);
	int result = read_value(&r, 1, NULL, &root);
	skip_space(&r);
	if (result == 0 && r.at != r.end)
		result = refuse(&r, "something follows the document");
	struct json_doc read = {.root = root, .arena = r.blocks};
	if (result < 0) {
		json_free(&read);
		return -1;
	}
	*doc = read;
	return 0;
}

void json_free(struct json_doc *doc)
{
	struct block *b = doc->arena;
	while (b != NULL) {
		struct block *next = b->next;
		free(b);
		b = next;
	}
	*doc = (struct json_doc){0};
}

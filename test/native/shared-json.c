/* SPDX-License-Identifier: Apache-2.0
 * json.c, json-get.c, json-put.c: what is read, what is refused and with which words, what is written. */
#include "shared-check.h"
#include "shared/json.h"

#include <stdint.h>
#include <stdlib.h>

static struct err e;

static int parse(struct json_doc *doc, const char *text)
{
	/* A copy of exactly this length: a read past the end is seen by the sanitizer. */
	size_t length = strlen(text);
	char *copy = malloc(length == 0 ? 1 : length);
	memcpy(copy, text, length);
	int result = json_parse(doc, copy, length, &e);
	free(copy);
	return result;
}

static void refused(const char *text, const char *word)
{
	struct json_doc doc = {0};
	memset(&e, 0, sizeof(e));
	int result = parse(&doc, text);
	if (result == 0 || e.code != ERR_SPEC || strstr(e.what, word) == NULL) {
		printf("<%.60s> gave %d <%s>, wanted <%s>\n", text, result, e.what, word);
		check_failed = 1;
	}
	json_free(&doc);
}

static void test_read(void)
{
	json_auto struct json_doc doc = {0};
	CHECK(parse(&doc, " {\"a\": [1, -2.5e+3, true, null, \"x\\n\\u00e9\\ud83d\\ude00\"],\n"
			  "\"b\": {\"c\": {}}, \"\": \"\xc3\xa9\"} ") == 0);
	const struct json *a = json_get(doc.root, "a");
	CHECK(a != NULL && a->type == JSON_ARRAY && a->length == 5);
	CHECK_TEXT(a->child->text, "1");
	CHECK_TEXT(a->child->next->text, "-2.5e+3");
	CHECK(a->child->next->next->boolean);
	CHECK(a->child->next->next->next->type == JSON_NULL);
	CHECK_TEXT(a->child->next->next->next->next->text, "x\n\xc3\xa9\xf0\x9f\x98\x80");
	CHECK(json_get(json_get(doc.root, "b"), "c")->length == 0);
	CHECK_TEXT(json_get(doc.root, "")->text, "\xc3\xa9");
	CHECK(json_get(json_get(doc.root, "none"), "c") == NULL);
}

static void test_refused(void)
{
	static const char *const bad[][2] = {
	    {"", "too early"},
	    {"{", "key in double quotes"},
	    {"[1,]", "not a JSON value"},
	    {"[1 2]", "comma or ]"},
	    {"{\"a\" 1}", "colon"},
	    {"{\"a\":1,}", "key in double"},
	    {"1 2", "something follows"},
	    {"tru", "not a JSON value"},
	    {"01", "not a JSON"},
	    {"1.", "point"},
	    {"1e", "exponent"},
	    {"-", "not a JSON"},
	    {"\"a", "does not end"},
	    {"\"\\", "escape"},
	    {"\"\\u12", "cut short"},
	    {"\"\\u12g4\"", "hex"},
	    {"\"\\x\"", "escape"},
	    {"\"\\ud800\"", "surrogate"},
	    {"\"\\udc00\"", "surrogate"},
	    {"\"\\ud800\\u0041\"", "surrogate"},
	    {"\"a\\u0000b\"", "u0000"},
	    {"\"\xff\"", "UTF-8"},
	    {"\"\xc0\x80\"", "UTF-8"},
	    {"\"\xed\xa0\x80\"", "UTF-8"},
	    {"\"\xf4\x90\x80\x80\"", "UTF-8"},
	    {"\"\xe2\x82\"", "UTF-8"},
	    {"\"a\nb\"", "control"},
	    {"\n\n  }", "line 3"},
	    {"'a'", "not a JSON value"},
	    {"{\"a\":1,\n\"b\":2,\"\\u0061\":3}", "line 2: key \"a\" twice"},
	    {"[1]//", "something follows"},
	    {"NaN", "not a JSON value"},
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		refused(bad[i][0], bad[i][1]);
}

static void test_raw_nul(void)
{
	struct json_doc doc = {0};
	CHECK(json_parse(&doc, "\"a\0b\"", 5, &e) < 0 && strstr(e.what, "control") != NULL);
	CHECK(json_parse(&doc, "1\0", 2, &e) < 0);
	CHECK(json_parse(&doc, "\"\\\0\"", 4, &e) < 0);
}

static void test_bounds(void)
{
	char deep[2 * JSON_DEPTH_MAX + 3];
	memset(deep, '[', JSON_DEPTH_MAX);
	memset(deep + JSON_DEPTH_MAX, ']', JSON_DEPTH_MAX);
	deep[2 * JSON_DEPTH_MAX] = '\0';
	struct json_doc doc = {0};
	CHECK(parse(&doc, deep) == 0);
	json_free(&doc);
	memset(deep, '[', JSON_DEPTH_MAX + 1);
	memset(deep + JSON_DEPTH_MAX + 1, ']', JSON_DEPTH_MAX + 1);
	deep[2 * JSON_DEPTH_MAX + 2] = '\0';
	refused(deep, "too deeply");

	size_t size = JSON_BYTES_MAX + 2;
	char *big = malloc(size);
	memset(big, ' ', size);
	big[size - 1] = '\0';
	refused(big, "longer than");
	memset(big, '[', size - 2); /* 10k-deep and more */
	big[size - 2] = '\0';
	refused(big, "too deeply");
	for (size_t i = 0; i + 2 < size; i += 2)
		memcpy(big + i, i == 0 ? "[0" : ",0", 2);
	big[size - 2] = '\0';
	refused(big, "too many values");
	memset(big, '\\', size - 2); /* one long string of escapes that does not end */
	big[0] = '"';
	refused(big, "escape");
	free(big);
}

static void test_many_keys(void)
{
	enum { KEYS = 20000 };
	char *text = malloc(KEYS * 16 + 32);
	size_t used = 0;
	text[used++] = '{';
	for (int i = 0; i < KEYS; i++)
		used += (size_t)sprintf(text + used, "\"k%d\":%d,", i, i);
	strcpy(text + used, "\"last\":1}");
	struct json_doc doc = {0};
	CHECK(parse(&doc, text) == 0 && doc.root->length == KEYS + 1);
	json_free(&doc);
	strcpy(text + used, "\"k77\":1}");
	refused(text, "key \"k77\" twice");
	free(text);
}

static void test_typed(void)
{
	json_auto struct json_doc doc = {0};
	CHECK(parse(&doc, "{\"n\":-5,\"big\":18446744073709551615,\"huge\":99999999999999999999,"
			  "\"f\":1.0,\"s\":\"t\",\"z\":null,\"b\":true,\"l\":[\"a\",\"b\"],"
			  "\"m\":[\"a\",1],\"o\":{}}") == 0);
	int64_t i = 7;
	uint64_t u = 7;
	bool b = false;
	const char *s = "kept", **list = NULL;
	const struct json *sub = NULL;
	size_t count = 0;
	CHECK(json_i64(doc.root, "n", -5, 5, &i, &e) == 0 && i == -5);
	CHECK(json_i64(doc.root, "n", -4, 5, &i, &e) < 0 && e.code == ERR_SPEC);
	CHECK_TEXT(e.what, "n: must be a whole number from -4 to 5");
	CHECK(json_i64(doc.root, "huge", INT64_MIN, INT64_MAX, &i, &e) < 0 && i == -5);
	CHECK(json_i64(doc.root, "f", 0, 5, &i, &e) < 0);
	CHECK(json_i64(doc.root, "s", 0, 5, &i, &e) < 0);
	CHECK(json_i64(doc.root, "z", 0, 5, &i, &e) == 0 && i == -5);
	CHECK(json_u64(doc.root, "big", UINT64_MAX, &u, &e) == 0 && u == UINT64_MAX);
	CHECK(json_u64(doc.root, "n", UINT64_MAX, &u, &e) < 0);
	CHECK(json_u64(doc.root, "huge", UINT64_MAX, &u, &e) < 0);
	CHECK(json_str(doc.root, "z", &s, &e) == 0);
	CHECK_TEXT(s, "kept");
	CHECK(json_str(doc.root, "s", &s, &e) == 0);
	CHECK_TEXT(s, "t");
	CHECK(json_str(doc.root, "b", &s, &e) < 0);
	CHECK_TEXT(e.what, "b: must be a string");
	CHECK(json_bool(doc.root, "b", &b, &e) == 0 && b);
	CHECK(json_bool(doc.root, "s", &b, &e) < 0);
	CHECK(json_object(doc.root, "o", &sub, &e) == 0 && sub != NULL);
	CHECK(json_object(doc.root, "l", &sub, &e) < 0);
	CHECK(json_array(doc.root, "none", &sub, &e) == 0 && sub == NULL);
	CHECK(json_strings(doc.root, "l", &list, &count, &e) == 0 && count == 2 && list[2] == NULL);
	CHECK_TEXT(list[1], "b");
	free(list);
	CHECK(json_strings(doc.root, "m", &list, &count, &e) < 0);
	CHECK_TEXT(e.what, "m: must be a list of strings");
}

static void test_write(void)
{
	struct json_out o = {0};
	json_open(&o, '{');
	json_key(&o, "a");
	json_put_str(&o, "q\"\\\n\x01\xff\xc3\xa9");
	json_key(&o, "l");
	json_open(&o, '[');
	json_put_i64(&o, INT64_MIN);
	json_put_bool(&o, true);
	json_put_null(&o);
	json_open(&o, '{');
	json_close(&o, '}');
	json_close(&o, ']');
	json_key(&o, "n");
	json_put_strn(&o, "abc", 2);
	json_close(&o, '}');
	CHECK(json_done(&o, &e) == 0);
	CHECK_TEXT(o.bytes, "{\"a\":\"q\\\"\\\\\\u000a\\u0001\xef\xbf\xbd\xc3\xa9\","
			    "\"l\":[-9223372036854775808,true,null,{}],\"n\":\"ab\"}");
	json_auto struct json_doc doc = {0};
	CHECK(parse(&doc, o.bytes) == 0);
	free(o.bytes);
}

int main(void)
{
	test_read();
	test_refused();
	test_raw_nul();
	test_bounds();
	test_many_keys();
	test_typed();
	test_write();
	return check_failed;
}

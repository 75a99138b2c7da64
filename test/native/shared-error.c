/* SPDX-License-Identifier: Apache-2.0
 * error.c and fd.c: words, prefixes, cutting, the printed line, whole files. */
#include "shared-check.h"
#include "shared/error.h"
#include "shared/fd.h"
#include "shared/json.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void test_fill(void)
{
	struct err e;
	CHECK(err_set(&e, ERR_MOUNT, ENOENT, "cannot mount %s", "/proc") == -1);
	CHECK_TEXT(e.what, "cannot mount /proc (No such file or directory)");
	CHECK(e.code == ERR_MOUNT && e.sys == ENOENT && e.where[0] == '\0');
	CHECK(err_at(&e, "mount %s", "/proc") == -1 && err_at(&e, "later") == -1);
	CHECK_TEXT(e.where, "mount /proc");
	CHECK(err_add(&e, "container %s", "web") == -1);
	CHECK_TEXT(e.what, "container web: cannot mount /proc (No such file or directory)");
	err_set(&e, ERR_TAR, ENOSPC, "x");
	CHECK_TEXT(err_word(e.code), "NO_SPACE");
	err_set(&e, ERR_TAR, EDQUOT, "x");
	CHECK(e.code == ERR_NO_SPACE && e.sys == EDQUOT);
	err_set(&e, ERR_SPEC, 0, "two\nlines\t");
	CHECK_TEXT(e.what, "two lines ");
}

static void test_words(void)
{
	CHECK_TEXT(err_word(ERR_USAGE), "USAGE");
	CHECK_TEXT(err_word(ERR_ROOT), "NOT_ROOT");
	CHECK_TEXT(err_word(ERR_SYSTEM), "BOX_SYSTEM");
	CHECK_TEXT(err_word(ERR_NS), "BOX_NAMESPACE");
	CHECK_TEXT(err_word(ERR_CAPS), "BOX_CAPABILITY");
	CHECK_TEXT(err_word(ERR_KEEP), "BOX_KEEP");
	CHECK_TEXT(err_word(ERR_DIGEST), "LAYER_DIGEST");
	CHECK_TEXT(err_word((enum err_code)999), "BUG");
}

static void test_print(const struct err *e)
{
	int ends[2];
	CHECK(pipe(ends) == 0);
	err_print_json(ends[1], e);
	char line[4096];
	ssize_t length = read(ends[0], line, sizeof(line));
	close(ends[0]);
	close(ends[1]);
	CHECK(length > 0 && line[length - 1] == '\n');
	struct err bad;
	json_auto struct json_doc doc = {0};
	CHECK(json_parse(&doc, line, (size_t)length, &bad) == 0);
	const char *text = NULL;
	CHECK(json_str(doc.root, "level", &text, &bad) == 0);
	CHECK_TEXT(text, "error");
	CHECK(json_str(doc.root, "code", &text, &bad) == 0);
	CHECK_TEXT(text, err_word(e->code));
	CHECK(json_str(doc.root, "time", &text, &bad) == 0 && strlen(text) == 24);
	int64_t number = -1;
	CHECK(json_i64(doc.root, "errno", 0, 4096, &number, &bad) == 0 && number == e->sys);
}

static void test_long(void)
{
	char text[600];
	struct err e;
	memset(text, '"', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	err_set(&e, ERR_SPEC, EINVAL, "%s", text);
	CHECK(strlen(e.what) == sizeof(e.what) - 1);
	err_add(&e, "%s", text);
	err_at(&e, "%s", text);
	CHECK(strlen(e.where) == sizeof(e.where) - 1);
	test_print(&e);
	for (size_t i = 0; i + 3 < sizeof(text); i += 2)
		memcpy(text + i, "\xc3\xa9", 2); /* cut in the middle of a character */
	err_set(&e, ERR_SPEC, 0, "%s", text);
	test_print(&e);
}

static void test_files(const char *folder)
{
	struct err e;
	char *text = NULL;
	size_t length = 0;
	struct stat st;
	CHECK(chdir(folder) == 0);
	CHECK(fd_replace_file(AT_FDCWD, "a", "hello", 5, 0640, true, &e) == 0);
	CHECK(fd_replace_file(AT_FDCWD, "a", "hello2", 6, 0640, false, &e) == 0);
	CHECK(access("a.new", F_OK) != 0 && stat("a", &st) == 0 && (st.st_mode & 0777) == 0640);
	CHECK(fd_read_file(AT_FDCWD, "a", 6, &text, &length, ERR_SPEC, &e) == 0 && length == 6);
	CHECK_TEXT(text, "hello2");
	free(text);
	text = NULL;
	CHECK(fd_read_file(AT_FDCWD, "a", 5, &text, &length, ERR_SPEC, &e) < 0 && text == NULL);
	CHECK_TEXT(e.what, "a: longer than 5 bytes");
	CHECK(fd_read_file(AT_FDCWD, "none", 5, &text, &length, ERR_ABSENT, &e) < 0);
	CHECK(e.code == ERR_ABSENT && e.sys == ENOENT);
	CHECK(fd_read_file(AT_FDCWD, "/proc/self/status", 65536, &text, NULL, ERR_SPEC, &e) == 0);
	CHECK(text != NULL && strncmp(text, "Name:", 5) == 0);
	free(text);
	CHECK(fd_write_file(AT_FDCWD, "a", "x", ERR_CGROUP, &e) == 0);
	CHECK(fd_write_file(AT_FDCWD, "none", "x", ERR_CGROUP, &e) < 0 && e.code == ERR_CGROUP);
	CHECK(fd_replace_file(AT_FDCWD, "none/a", "x", 1, 0600, true, &e) < 0);
	/* A link planted under the temporary name is replaced, not followed. */
	CHECK(symlink("victim", "b.new") == 0);
	CHECK(fd_replace_file(AT_FDCWD, "b", "x", 1, 0600, false, &e) == 0);
	CHECK(access("victim", F_OK) != 0);
	int full = open("/dev/full", O_WRONLY);
	CHECK(fd_write_all(full, "x", 1, &e) < 0 && e.code == ERR_NO_SPACE);
	close(full);
}

static void test_close(void)
{
	int a = dup(1), b = dup(1);
	fd_close_from(a < b ? a : b);
	CHECK(fcntl(a, F_GETFD) < 0 && fcntl(b, F_GETFD) < 0 && fcntl(1, F_GETFD) >= 0);
	int c = dup(1);
	{
		fd_auto int held = c;
		fd_auto int given = dup(1);
		int kept = fd_steal(&given);
		CHECK(given == -1 && fcntl(kept, F_GETFD) >= 0 && held == c);
		close(kept);
	}
	CHECK(fcntl(c, F_GETFD) < 0);
}

int main(int argc, char **argv)
{
	test_fill();
	test_words();
	test_long();
	if (argc == 2)
		test_files(argv[1]);
	test_close();
	return check_failed;
}

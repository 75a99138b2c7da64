/* SPDX-License-Identifier: Apache-2.0
 * path.c and walk.c: nothing that a root holds leads out of it. Compiled twice: with openat2, and with
 * PATH_NO_OPENAT2, which must behave the same. argv[1] is an empty folder. */
#include "shared-check.h"
#include "shared/path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int root;
static struct err e;

static void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

static void reads(const char *path, const char *text)
{
	char got[64] = "";
	int fd = path_open_in(root, path, O_RDONLY, 0);
	if (fd < 0 || read(fd, got, sizeof(got) - 1) < 0 || strcmp(got, text) != 0) {
		printf("%s: errno %d, got <%s>, wanted <%s>\n", path, fd < 0 ? errno : 0, got, text);
		check_failed = 1;
	}
	if (fd >= 0)
		close(fd);
}

static void fails(const char *path, int flags, int error)
{
	int fd = path_open_in(root, path, flags, 0600);
	if (fd >= 0 || errno != error) {
		printf("%s: fd %d, errno %d, wanted %d\n", path, fd, errno, error);
		check_failed = 1;
	}
	if (fd >= 0)
		close(fd);
}

/* error 0: the path leads to a file with `text`. */
static void beneath(const char *path, const char *text, int error)
{
	char got[64] = "";
	int fd = path_open_beneath(root, path, O_RDONLY);
	int found = fd < 0 ? errno : 0;
	if (found != error || (fd >= 0 && (read(fd, got, sizeof(got) - 1) < 0 || strcmp(got, text) != 0))) {
		printf("beneath %s: errno %d, wanted %d, got <%s>\n", path, found, error, got);
		check_failed = 1;
	}
	if (fd >= 0)
		close(fd);
}

static void test_beneath(void)
{
	CHECK(symlink("../a/file", "root/a/near") == 0);
	beneath("secret", "inside", 0);
	beneath("folder/near", "file", 0);
	beneath("folder/../a/./file", "file", 0);
	beneath("absolute", "", EXDEV);
	beneath("a/up", "", EXDEV);
	beneath("..", "", EXDEV);
	beneath("a/../../secret", "", EXDEV);
	beneath("/secret", "", EXDEV);
	beneath("loop", "", ELOOP);
	beneath("none", "", ENOENT);
}

static void test_open(void)
{
	put("secret", "outside");
	put("root/secret", "inside");
	put("root/a/file", "file");
	CHECK(symlink("/secret", "root/absolute") == 0);
	CHECK(symlink("../../../../secret", "root/a/up") == 0);
	CHECK(symlink("a", "root/folder") == 0);
	CHECK(symlink("loop", "root/loop") == 0);
	CHECK(symlink("/proc/self/root/etc", "root/magic") == 0);
	reads("secret", "inside");
	reads("/secret", "inside");
	reads("../secret", "inside");
	reads("a/../../secret", "inside");
	reads("absolute", "inside");
	reads("a/up", "inside");
	reads("folder/file", "file");
	reads("folder/../a/./file", "file");
	fails("loop", O_RDONLY, ELOOP);
	fails("magic", O_RDONLY, ENOENT);
	fails("none", O_RDONLY, ENOENT);
	fails("secret/x", O_RDONLY, ENOTDIR);
	fails("secret/", O_RDONLY, ENOTDIR);
	fails("absolute", O_RDONLY | O_NOFOLLOW, ELOOP);
	int fd = path_open_in(root, "absolute", O_PATH | O_NOFOLLOW, 0);
	struct stat st;
	CHECK(fd >= 0 && fstat(fd, &st) == 0 && S_ISLNK(st.st_mode));
	CHECK((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
	close(fd);
	for (int i = 0; i < 4; i++) {
		static const char *const tops[] = {"", "/", "a/..", ".."};
		fd = path_open_in(root, tops[i], O_RDONLY | O_DIRECTORY, 0);
		struct stat top;
		CHECK(fd >= 0 && fstat(fd, &st) == 0 && fstat(root, &top) == 0);
		CHECK(st.st_ino == top.st_ino && st.st_dev == top.st_dev);
		close(fd);
	}
	CHECK(symlink("/new", "root/create") == 0);
	fd = path_open_in(root, "create", O_WRONLY | O_CREAT, 0640);
	CHECK(fd >= 0 && access("root/new", F_OK) == 0);
	close(fd);
	CHECK(access("/new", F_OK) != 0);
}

static void test_make(void)
{
	struct stat st;
	CHECK(symlink("../../out", "root/a/escape") == 0);
	CHECK(symlink("/made/by/link", "root/var") == 0);
	CHECK(symlink("/ring2", "root/ring1") == 0 && symlink("/ring1", "root/ring2") == 0);
	int fd = path_mkdir_in(root, "/x/y/z/", 0750, ERR_MOUNT, &e);
	CHECK(fd >= 0 && stat("root/x/y/z", &st) == 0 && (st.st_mode & 0777) == 0750);
	close(fd);
	fd = path_mkdir_in(root, "a/escape/deep", 0755, ERR_MOUNT, &e);
	CHECK(fd >= 0 && access("out", F_OK) != 0 && access("root/out/deep", F_OK) == 0);
	close(fd);
	fd = path_mkfile_in(root, "var/run/socket", 0600, ERR_MOUNT, &e);
	CHECK(fd >= 0 && stat("root/made/by/link/run/socket", &st) == 0 && S_ISREG(st.st_mode));
	close(fd);
	fd = path_mkfile_in(root, "secret", 0600, ERR_MOUNT, &e);
	CHECK(fd >= 0); /* what is there stays */
	close(fd);
	reads("secret", "inside");
	CHECK(path_mkdir_in(root, "secret/x", 0755, ERR_MOUNT, &e) < 0 && e.code == ERR_MOUNT);
	CHECK(path_mkdir_in(root, "ring1/x", 0755, ERR_MOUNT, &e) < 0 && e.sys == ELOOP);
	CHECK(path_mkdir_in(root, "secret", 0755, ERR_MOUNT, &e) < 0 && e.sys == ENOTDIR);
}

static void test_names(void)
{
	CHECK(path_is_id("web-1_a+b.c", 128) && path_is_id("...", 3));
	CHECK(!path_is_id("", 128) && !path_is_id(".", 128) && !path_is_id("..", 128));
	CHECK(!path_is_id("a/b", 128) && !path_is_id("a\n", 128) && !path_is_id("abcd", 3));
	CHECK(!path_is_id("\xc3\xa9", 128));
}

static void test_mkdirs(const char *folder)
{
	char path[4096], file[4096];
	CHECK(snprintf(path, sizeof(path), "%s/m/n/o", folder) > 0);
	CHECK(path_mkdirs(path, 0700, &e) == 0 && path_mkdirs(path, 0700, &e) == 0);
	CHECK(path_mkdirs("relative", 0700, &e) < 0);
	CHECK(snprintf(file, sizeof(file), "%s/secret/x", folder) > 0);
	CHECK(path_mkdirs(file, 0700, &e) < 0 && e.sys == ENOTDIR);
}

int main(int argc, char **argv)
{
	if (argc != 2 || chdir(argv[1]) != 0 || mkdir("root", 0755) != 0 || mkdir("root/a", 0755))
		return 2;
	root = open("root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	test_open();
	test_beneath();
	test_make();
	test_names();
	test_mkdirs(argv[1]);
	close(root);
	return check_failed;
}

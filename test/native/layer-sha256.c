/* SPDX-License-Identifier: Apache-2.0
 * NIST's vectors for SHA-256 (FIPS 180-4 examples and the CAVP short messages) on every path that this
 * machine has, whole and in pieces of all lengths. Prints the paths; the exit code is the count of failures.
 */
#include "layer/sha256.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *text; /* NULL: a million times 'a' */
	size_t length;
	const char *digest;
} vectors[] = {
    {"", 0, "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {"abc", 3, "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56,
     "sha256:248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    {"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrs"
     "t"
     "nopqrstu",
     112, "sha256:cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"},
    {"\xd3", 1, "sha256:28969cdfa74a12c82f3bad960b0b000aca2ac329deea5c2328ebc6f2ba9802c1"},
    {"\x11\xaf", 2, "sha256:5ca7133fa735326081558ac312c620eeca9970d1e70a4b95533d956f072d1f98"},
    {"\x74\xba\x25\x21", 4, "sha256:b16aa56be3880d18cd41e68384cf1ec8c17680c45a02b1575dc1518923ae8b0e"},
    {NULL, 1000000, "sha256:cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"},
};

static int check(const char *path, const uint8_t *bytes, size_t length, size_t step, const char *want)
{
	struct sha256 h;
	char got[SHA256_DIGEST_TEXT];
	sha256_start(&h);
	for (size_t at = 0; at < length; at += step)
		sha256_add(&h, bytes + at, length - at < step ? length - at : step);
	sha256_end_text(&h, got);
	if (strcmp(got, want) == 0)
		return 0;
	printf("%s: %zu bytes in steps of %zu: %s, not %s\n", path, length, step, got, want);
	return 1;
}

/* All lengths around the block borders agree with the plain path. */
static int compare(enum sha256_path path, const uint8_t *bytes)
{
	int failures = 0;
	for (size_t length = 0; length < 300; length++) {
		struct sha256 h;
		char want[SHA256_DIGEST_TEXT];
		(void)sha256_choose(SHA256_PLAIN);
		sha256_start(&h);
		sha256_add(&h, bytes, length);
		sha256_end_text(&h, want);
		(void)sha256_choose(path);
		failures += check(sha256_path_name(), bytes, length, 1 + length % 97, want);
	}
	return failures;
}

int main(void)
{
	static const size_t steps[] = {1, 3, 63, 64, 65, 128, 4096, 1000000};
	int failures = 0;
	uint8_t *million = malloc(1000000);
	if (million == NULL)
		return 1;
	memset(million, 'a', 1000000);
	for (int path = SHA256_PLAIN; path <= SHA256_ARMV8; path++) {
		if (!sha256_choose((enum sha256_path)path))
			continue;
		printf("%s\n", sha256_path_name());
		for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
			const uint8_t *bytes =
			    vectors[i].text == NULL ? million : (const uint8_t *)vectors[i].text;
			for (size_t s = 0; s < sizeof(steps) / sizeof(steps[0]); s++)
				failures += check(sha256_path_name(), bytes, vectors[i].length, steps[s],
						  vectors[i].digest);
		}
		failures += compare((enum sha256_path)path, million);
	}
	free(million);
	return failures > 100 ? 100 : failures;
}

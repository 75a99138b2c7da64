/* SPDX-License-Identifier: Apache-2.0
 * SHA-256 (FIPS 180-4) of a stream: with the CPU's own instructions where it has them, else in plain C.
 * No allocation; lengths up to 2^61 bytes. */
#ifndef WHERRY_LAYER_SHA256_H
#define WHERRY_LAYER_SHA256_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SHA256_BYTES	   32
#define SHA256_HEX	   65		    /* with the NUL */
#define SHA256_DIGEST_TEXT (7 + SHA256_HEX) /* "sha256:" and the hex, with the NUL */

struct sha256 {
	uint32_t state[8];
	uint64_t length;
	uint8_t block[64];
	size_t used;
};

enum sha256_path { SHA256_PLAIN, SHA256_X86, SHA256_ARMV8 };

void sha256_start(struct sha256 *h);
void sha256_add(struct sha256 *h, const void *bytes, size_t length);
void sha256_end(struct sha256 *h, uint8_t out[SHA256_BYTES]);
/* Ends the hash and writes "sha256:<64 hex>". */
void sha256_end_text(struct sha256 *h, char out[SHA256_DIGEST_TEXT]);
/* "sha256:" and 64 lower-case hex digits, and nothing else. */
bool sha256_is_digest(const char *text);
/* For tests: takes that path from now on; false where this machine has it not. */
bool sha256_choose(enum sha256_path path);
/* The path that is taken: "plain", "x86", "armv8". */
const char *sha256_path_name(void);

#endif

/* SPDX-License-Identifier: Apache-2.0
 * SHA-256: the plain rounds, and the choice of the fastest path that this CPU has, made once.
 * The two fast paths live in sha256_x86.c and sha256_arm.c. */
#include "layer/sha256.h"
#include "layer/sha256_paths.h"

#include <stdio.h>
#include <string.h>

const uint32_t sha256_constants[64] __attribute__((aligned(16))) = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static uint32_t turn(uint32_t x, unsigned n)
{
	return (x >> n) | (x << (32 - n));
}

static uint32_t load_be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void blocks_plain(uint32_t state[8], const uint8_t *bytes, size_t count)
{
	for (; count > 0; count--, bytes += 64) {
		uint32_t w[64];
		uint32_t s[8];
		memcpy(s, state, sizeof(s));
		for (size_t i = 0; i < 16; i++)
			w[i] = load_be32(bytes + 4 * i);
		for (size_t i = 16; i < 64; i++) {
			uint32_t a = w[i - 15];
			uint32_t b = w[i - 2];
			w[i] = w[i - 16] + (turn(a, 7) ^ turn(a, 18) ^ (a >> 3)) + w[i - 7] +
			       (turn(b, 17) ^ turn(b, 19) ^ (b >> 10));
		}
		for (size_t i = 0; i < 64; i++) {
			uint32_t t1 = s[7] + (turn(s[4], 6) ^ turn(s[4], 11) ^ turn(s[4], 25)) +
				      ((s[4] & s[5]) ^ (~s[4] & s[6])) + sha256_constants[i] + w[i];
			uint32_t t2 = (turn(s[0], 2) ^ turn(s[0], 13) ^ turn(s[0], 22)) +
				      ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));
			memmove(s + 1, s, 7 * sizeof(s[0]));
			s[4] += t1;
			s[0] = t1 + t2;
		}
		for (size_t i = 0; i < 8; i++)
			state[i] += s[i];
	}
}

static sha256_blocks *blocks;
static const char *path_name;

bool sha256_choose(enum sha256_path path)
{
	sha256_blocks *chosen = NULL;
	const char *name = "";
	switch (path) {
	case SHA256_PLAIN:
		chosen = blocks_plain;
		name = "plain";
		break;
	case SHA256_X86:
		chosen = sha256_blocks_x86();
		name = "x86";
		break;
	case SHA256_ARMV8:
		chosen = sha256_blocks_arm();
		name = "armv8";
		break;
	}
	if (chosen == NULL)
		return false;
	blocks = chosen;
	path_name = name;
	return true;
}

static void choose_once(void)
{
	if (blocks == NULL && !sha256_choose(SHA256_X86) && !sha256_choose(SHA256_ARMV8))
		(void)sha256_choose(SHA256_PLAIN);
}

const char *sha256_path_name(void)
{
	choose_once();
	return path_name;
}

void sha256_start(struct sha256 *h)
{
	static const uint32_t first[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
					  0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
	choose_once();
	memset(h, 0, sizeof(*h));
	memcpy(h->state, first, sizeof(first));
}

void sha256_add(struct sha256 *h, const void *bytes, size_t length)
{
	const uint8_t *p = bytes;
	h->length += length;
	if (h->used > 0) {
		size_t take = sizeof(h->block) - h->used < length ? sizeof(h->block) - h->used : length;
		memcpy(h->block + h->used, p, take);
		h->used += take;
		p += take;
		length -= take;
		if (h->used < sizeof(h->block))
			return;
		blocks(h->state, h->block, 1);
		h->used = 0;
	}
	if (length >= 64)
		blocks(h->state, p, length / 64);
	h->used = length % 64;
	if (h->used > 0)
		memcpy(h->block, p + (length - h->used), h->used);
}

void sha256_end(struct sha256 *h, uint8_t out[SHA256_BYTES])
{
	uint64_t bits = h->length * 8;
	uint8_t tail[72] = {0x80};
	size_t pad = (h->used < 56 ? 56 : 120) - h->used;
	for (size_t i = 0; i < 8; i++)
		tail[pad + i] = (uint8_t)(bits >> (56 - 8 * i));
	sha256_add(h, tail, pad + 8);
	for (size_t i = 0; i < SHA256_BYTES; i++)
		out[i] = (uint8_t)(h->state[i / 4] >> (24 - 8 * (i % 4)));
}

void sha256_end_text(struct sha256 *h, char out[SHA256_DIGEST_TEXT])
{
	static const char hex[] = "0123456789abcdef";
	uint8_t digest[SHA256_BYTES];
	sha256_end(h, digest);
	memcpy(out, "sha256:", 7);
	for (size_t i = 0; i < SHA256_BYTES; i++) {
		out[7 + 2 * i] = hex[digest[i] >> 4];
		out[8 + 2 * i] = hex[digest[i] & 15];
	}
	out[SHA256_DIGEST_TEXT - 1] = '\0';
}

bool sha256_is_digest(const char *text)
{
	return strncmp(text, "sha256:", 7) == 0 && strlen(text) == SHA256_DIGEST_TEXT - 1 &&
	       strspn(text + 7, "0123456789abcdef") == 64;
}

/* SPDX-License-Identifier: Apache-2.0
 * SHA-256 with the x86 SHA extensions, found at run time by CPUID. Elsewhere this file answers NULL. */
#include "layer/sha256_paths.h"

#if defined(__x86_64__)

#include <cpuid.h>
#include <immintrin.h>

static inline __m128i load(const void *p)
{
	return _mm_loadu_si128((const __m128i *)p);
}

__attribute__((target("sha,sse4.1,ssse3"))) static void blocks(uint32_t state[8], const uint8_t *bytes,
							       size_t count)
{
	const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0bLL, 0x0405060700010203LL);
	__m128i dcba = _mm_shuffle_epi32(load(state), 0xB1);
	__m128i cdgh = _mm_shuffle_epi32(load(state + 4), 0x1B);
	__m128i abef = _mm_alignr_epi8(dcba, cdgh, 8);
	cdgh = _mm_blend_epi16(cdgh, dcba, 0xF0);
	for (; count > 0; count--, bytes += 64) {
		__m128i m[4];
		__m128i abef_before = abef;
		__m128i cdgh_before = cdgh;
		for (int i = 0; i < 4; i++)
			m[i] = _mm_shuffle_epi8(load(bytes + 16 * i), swap);
#pragma GCC unroll 16
		for (int r = 0; r < 16; r++) {
			if (r >= 4) {
				__m128i w = _mm_sha256msg1_epu32(m[r & 3], m[(r + 1) & 3]);
				w = _mm_add_epi32(w, _mm_alignr_epi8(m[(r + 3) & 3], m[(r + 2) & 3], 4));
				m[r & 3] = _mm_sha256msg2_epu32(w, m[(r + 3) & 3]);
			}
			__m128i k = _mm_add_epi32(m[r & 3], load(sha256_constants + 4 * r));
			cdgh = _mm_sha256rnds2_epu32(cdgh, abef, k);
			abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(k, 0x0E));
		}
		abef = _mm_add_epi32(abef, abef_before);
		cdgh = _mm_add_epi32(cdgh, cdgh_before);
	}
	__m128i feba = _mm_shuffle_epi32(abef, 0x1B);
	__m128i dchg = _mm_shuffle_epi32(cdgh, 0xB1);
	_mm_storeu_si128((__m128i *)(void *)state, _mm_blend_epi16(feba, dchg, 0xF0));
	_mm_storeu_si128((__m128i *)(void *)(state + 4), _mm_alignr_epi8(dchg, feba, 8));
}

sha256_blocks *sha256_blocks_x86(void)
{
	unsigned a, b, c, d;
	if (__get_cpuid(1, &a, &b, &c, &d) == 0 || (c & bit_SSSE3) == 0 || (c & bit_SSE4_1) == 0)
		return NULL;
	if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0 || (b & bit_SHA) == 0)
		return NULL;
	return blocks;
}

#else

sha256_blocks *sha256_blocks_x86(void)
{
	return NULL;
}

#endif

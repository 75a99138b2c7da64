/* SPDX-License-Identifier: Apache-2.0
 * SHA-256 with the ARMv8 cryptography extension, found at run time by HWCAP. Elsewhere this file answers
 * NULL. */
#include "layer/sha256_paths.h"

/* gcc has the instructions per function; clang only where the whole build has them. */
#if defined(__aarch64__) && (!defined(__clang__) || defined(__ARM_FEATURE_SHA2))

#include <arm_neon.h>
#include <sys/auxv.h>

#if defined(__clang__)
#define WITH_CRYPTO
#else
#define WITH_CRYPTO __attribute__((target("+crypto")))
#endif
#define HWCAP_BIT_SHA2 (1UL << 6) /* HWCAP_SHA2 of asm/hwcap.h */

WITH_CRYPTO static void blocks(uint32_t state[8], const uint8_t *bytes, size_t count)
{
	uint32x4_t abcd = vld1q_u32(state);
	uint32x4_t efgh = vld1q_u32(state + 4);
	for (; count > 0; count--, bytes += 64) {
		uint32x4_t m[4];
		uint32x4_t abcd_before = abcd;
		uint32x4_t efgh_before = efgh;
		for (int i = 0; i < 4; i++)
			m[i] = vreinterpretq_u32_u8(vrev32q_u8(vld1q_u8(bytes + 16 * i)));
#pragma GCC unroll 16
		for (int r = 0; r < 16; r++) {
			uint32x4_t k = vaddq_u32(m[r & 3], vld1q_u32(sha256_constants + 4 * r));
			uint32x4_t before = abcd;
			if (r < 12)
				m[r & 3] = vsha256su1q_u32(vsha256su0q_u32(m[r & 3], m[(r + 1) & 3]),
							   m[(r + 2) & 3], m[(r + 3) & 3]);
			abcd = vsha256hq_u32(abcd, efgh, k);
			efgh = vsha256h2q_u32(efgh, before, k);
		}
		abcd = vaddq_u32(abcd, abcd_before);
		efgh = vaddq_u32(efgh, efgh_before);
	}
	vst1q_u32(state, abcd);
	vst1q_u32(state + 4, efgh);
}

sha256_blocks *sha256_blocks_arm(void)
{
	return (getauxval(AT_HWCAP) & HWCAP_BIT_SHA2) != 0 ? blocks : NULL;
}

#else

sha256_blocks *sha256_blocks_arm(void)
{
	return NULL;
}

#endif

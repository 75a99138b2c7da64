/* SPDX-License-Identifier: Apache-2.0
 * What the files of SHA-256 share: a path is a function over whole 64-byte blocks. */
#ifndef WHERRY_LAYER_SHA256_PATHS_H
#define WHERRY_LAYER_SHA256_PATHS_H

#include <stddef.h>
#include <stdint.h>

typedef void sha256_blocks(uint32_t state[8], const uint8_t *bytes, size_t count);

extern const uint32_t sha256_constants[64];

/* The fast path, or NULL where this CPU or this build has none. */
sha256_blocks *sha256_blocks_x86(void);
sha256_blocks *sha256_blocks_arm(void);

#endif

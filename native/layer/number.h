/* SPDX-License-Identifier: Apache-2.0
 * Numbers as tar writes them: octal or base-256 in header fields, decimals in extended headers.
 * All readers return false for anything else and leave *out alone. */
#ifndef WHERRY_LAYER_NUMBER_H
#define WHERRY_LAYER_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A header field: octal with spaces and NULs around it (empty is 0), or base-256 (GNU: high bit of the first
 * byte). */
bool number_field(const uint8_t *field, size_t width, int64_t *out);
/* Decimal digits, nothing else; `length` bytes of text. */
bool number_decimal(const char *text, size_t length, uint64_t *out);
/* Seconds since 1970 with an optional sign and fraction: "-1.5" is -2 s and 500,000,000 ns. */
bool number_time(const char *text, size_t length, int64_t *seconds, uint32_t *ns);

#endif

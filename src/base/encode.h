/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_ENCODE_H
#define BASE_ENCODE_H

/*
 * encode: bytes as text and back: hexadecimal, base64 (RFC 4648 §4 and §5), base62.
 *
 * Encoders write a NUL behind the text and return the length without it; the caller gives room for
 * ENCODE_…_MAX(n) bytes. Decoders are strict: every byte of the text must belong, nothing is
 * skipped, and there is one text per value (no stray bits in the last character); on failure
 * they return false and the output is untouched or, where said, wiped.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

#define ENCODE_HEX_MAX(n) ((n)*2 + 1)
#define ENCODE_BASE64_MAX(n) (((n) + 2) / 3 * 4 + 1)
/* Most bytes that `n` characters of base64 can hold. */
#define ENCODE_UNBASE64_MAX(n) (((n) + 3) / 4 * 3)

/* Lower case. */
size_t encode_hex(const void *bytes, size_t n, char *out);
/* Exactly `n` bytes from 2n digits of either case. */
bool encode_unhex(struct str text, void *out, size_t n);

/* Standard alphabet, padded. */
size_t encode_base64(const void *bytes, size_t n, char *out);
/* URL-safe alphabet, not padded. */
size_t encode_base64url(const void *bytes, size_t n, char *out);
/*
 * Either alphabet (not mixed), padded or not; padding, where there is any, must be complete. False
 * when the text is not base64 or holds more than `cap` bytes; then `out` has been wiped.
 */
bool encode_unbase64(struct str text, void *out, size_t cap, size_t *ret_n);

/* The 62 digits: 0-9, A-Z, a-z, in ASCII order. */
extern const char encode_base62_digits[62 + 1];
/* Exactly `width` digits, most significant first; `value` must fit. No NUL is written. */
void encode_base62(uint64_t value, char *out, size_t width);
/* `width` digits drawn evenly from `rng_bytes`, for names and keys. No NUL is written. */
void encode_base62_random(char *out, size_t width);
bool encode_is_base62(struct str text);

#endif

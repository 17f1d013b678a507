/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text forms of bytes. Written for clarity, not speed: what passes here is keys, ids and hashes.
 * Lookups go by comparison of ranges rather than by table, so that the time taken does not depend
 * on the bytes of a secret through the cache.
 */
#include "base/encode.h"

#include "base/mem.h"
#include "base/must.h"
#include "base/rng.h"

const char encode_base62_digits[62 + 1] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

size_t encode_hex(const void *bytes, size_t n, char *out)
{
    const unsigned char *p = bytes;
    for (size_t i = 0; i < n; i++) {
        unsigned hi = p[i] >> 4, lo = p[i] & 15u;
        out[2 * i] = (char)(hi < 10 ? '0' + hi : 'a' + hi - 10);
        out[2 * i + 1] = (char)(lo < 10 ? '0' + lo : 'a' + lo - 10);
    }
    out[2 * n] = '\0';
    return 2 * n;
}

/* The digit's value, or -1. */
static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool encode_unhex(struct str text, void *out, size_t n)
{
    unsigned char *to = out;
    if (text.n % 2 != 0 || text.n / 2 != n)
        return false;
    for (size_t i = 0; i < text.n; i++)
        if (hex_digit(text.p[i]) < 0)
            return false;
    for (size_t i = 0; i < n; i++)
        to[i] = (unsigned char)(hex_digit(text.p[2 * i]) << 4 | hex_digit(text.p[2 * i + 1]));
    return true;
}

static char base64_char(unsigned v, bool url)
{
    if (v < 26)
        return (char)('A' + v);
    if (v < 52)
        return (char)('a' + v - 26);
    if (v < 62)
        return (char)('0' + v - 52);
    if (v == 62)
        return url ? '-' : '+';
    return url ? '_' : '/';
}

/* Returns the number of characters without padding. */
static size_t base64_body(const unsigned char *p, size_t n, char *out, bool url)
{
    size_t o = 0, i = 0;
    for (; i + 3 <= n; i += 3) {
        unsigned v = (unsigned)p[i] << 16 | (unsigned)p[i + 1] << 8 | p[i + 2];
        out[o++] = base64_char(v >> 18, url);
        out[o++] = base64_char(v >> 12 & 63, url);
        out[o++] = base64_char(v >> 6 & 63, url);
        out[o++] = base64_char(v & 63, url);
    }
    if (i < n) {
        bool two = i + 1 < n;
        unsigned v = (unsigned)p[i] << 16 | (two ? (unsigned)p[i + 1] << 8 : 0);
        out[o++] = base64_char(v >> 18, url);
        out[o++] = base64_char(v >> 12 & 63, url);
        if (two)
            out[o++] = base64_char(v >> 6 & 63, url);
    }
    return o;
}

size_t encode_base64(const void *bytes, size_t n, char *out)
{
    size_t o = base64_body(bytes, n, out, false);
    while (o % 4 != 0)
        out[o++] = '=';
    out[o] = '\0';
    return o;
}

size_t encode_base64url(const void *bytes, size_t n, char *out)
{
    size_t o = base64_body(bytes, n, out, true);
    out[o] = '\0';
    return o;
}

/* The character's value, or -1. Notes in *seen which alphabet's own characters occurred. */
static int base64_value(char c, unsigned *seen)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+' || c == '/') {
        *seen |= 1;
        return c == '+' ? 62 : 63;
    }
    if (c == '-' || c == '_') {
        *seen |= 2;
        return c == '-' ? 62 : 63;
    }
    return -1;
}

/* Takes complete padding off; false when there is padding but not the right amount. */
static bool base64_unpad(struct str *text)
{
    size_t pad = 0;
    while (pad < 2 && pad < text->n && text->p[text->n - 1 - pad] == '=')
        pad++;
    if (pad > 0 && text->n % 4 != 0)
        return false;
    text->n -= pad;
    return pad == 0 || (4 - text->n % 4) % 4 == pad;
}

bool encode_unbase64(struct str text, void *out, size_t cap, size_t *ret_n)
{
    unsigned char *to = out;
    if (!base64_unpad(&text) || text.n % 4 == 1)
        return false;
    size_t n = text.n / 4 * 3 + (text.n % 4 ? text.n % 4 - 1 : 0);
    if (n > cap)
        return false;
    unsigned window = 0, bits = 0, seen = 0;
    size_t o = 0;
    for (size_t i = 0; i < text.n; i++) {
        int v = base64_value(text.p[i], &seen);
        if (v < 0) {
            mem_wipe(out, o);
            return false;
        }
        window = window << 6 | (unsigned)v;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            to[o++] = (unsigned char)(window >> bits);
            window &= (1u << bits) - 1;
        }
    }
    if (window != 0 || seen == 3) {
        mem_wipe(out, o);
        return false;
    }
    must(o == n);
    *ret_n = n;
    return true;
}

void encode_base62(uint64_t value, char *out, size_t width)
{
    for (size_t i = width; i > 0; i--) {
        out[i - 1] = encode_base62_digits[value % 62];
        value /= 62;
    }
    must(value == 0);
}

void encode_base62_random(char *out, size_t width)
{
    unsigned char pool[64];
    size_t done = 0;
    while (done < width) {
        rng_bytes(pool, sizeof pool);
        /* 248 = 4 × 62: bytes above would make the first digits more frequent. */
        for (size_t i = 0; i < sizeof pool && done < width; i++)
            if (pool[i] < 248)
                out[done++] = encode_base62_digits[pool[i] % 62];
    }
    mem_wipe(pool, sizeof pool);
}

bool encode_is_base62(struct str text)
{
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        bool digit = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        if (!digit)
            return false;
    }
    return true;
}

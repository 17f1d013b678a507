/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A block is classified into masks of 64 bits: quotes, backslashes, control characters, and the
 * characters that may stand alone behind a backslash. When each backslash is single and has such a
 * character behind it, and no quote is left, the block is passed. Everything else is for string_block,
 * which goes through the marks one by one and knows all forms.
 */
#include "base/json/wide.h"

#include "base/json/token.h"

wide_string_fn *wide_string, *wide_forms[2];
unsigned wide_form_count;

#if JSON_BYTES_SSE2 && defined(__x86_64__)

#include <immintrin.h>

#define AVX2 __attribute__((target("avx2,bmi")))
#define AVX512 __attribute__((target("avx512f,avx512bw,bmi")))

/* 64 bytes, and what string_block looks at behind them. */
#define BLOCK 64
#define BEHIND 6
#define PLAIN_BLOCKS 4 /* after so many without a backslash, more of them are expected */

struct marks {
    uint64_t quote, slash, control, simple;
};

/*
 * A bit for each upper half that one of `" / \ b f n r t` has, and for each lower half the bits of
 * the upper halves with which it makes one of them.
 */
#define UPPER 0, 0, 1, 0, 0, 2, 4, 8, 0, 0, 0, 0, 0, 0, 0, 0
#define LOWER 0, 0, 1 | 4 | 8, 0, 8, 0, 4, 0, 0, 0, 0, 0, 2, 0, 4, 1

AVX2 static inline __m256i load(const char *p)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)p);
}

AVX2 static inline uint64_t bits(__m256i true_bytes)
{
    return (uint32_t)_mm256_movemask_epi8(true_bytes);
}

AVX2 static inline __m256i is_control(__m256i v)
{
    return _mm256_cmpeq_epi8(_mm256_min_epu8(v, _mm256_set1_epi8(0x1f)), v);
}

AVX2 static inline uint64_t simple32(__m256i v)
{
    const __m256i upper = _mm256_setr_epi8(UPPER, UPPER), lower = _mm256_setr_epi8(LOWER, LOWER);
    const __m256i half = _mm256_set1_epi8(15);
    __m256i by_upper = _mm256_shuffle_epi8(upper, _mm256_and_si256(_mm256_srli_epi16(v, 4), half));
    __m256i by_lower = _mm256_shuffle_epi8(lower, _mm256_and_si256(v, half));
    __m256i none = _mm256_cmpeq_epi8(_mm256_and_si256(by_upper, by_lower), _mm256_setzero_si256());
    return bits(none) ^ UINT32_MAX;
}

AVX2 static inline struct marks classify(const char *p)
{
    const __m256i quote = _mm256_set1_epi8('"'), slash = _mm256_set1_epi8('\\');
    __m256i a = load(p), b = load(p + 32);
    return (struct marks){
        .quote = bits(_mm256_cmpeq_epi8(a, quote)) | bits(_mm256_cmpeq_epi8(b, quote)) << 32,
        .slash = bits(_mm256_cmpeq_epi8(a, slash)) | bits(_mm256_cmpeq_epi8(b, slash)) << 32,
        .control = bits(is_control(a)) | bits(is_control(b)) << 32,
        .simple = simple32(a) | simple32(b) << 32,
    };
}

AVX2 static inline __m256i is_special(const char *p)
{
    __m256i v = load(p);
    __m256i quote = _mm256_cmpeq_epi8(v, _mm256_set1_epi8('"')), slash = _mm256_cmpeq_epi8(v, _mm256_set1_epi8('\\'));
    return _mm256_or_si256(_mm256_or_si256(quote, slash), is_control(v));
}

/* Over blocks without any mark, two at a time. */
AVX2 static inline const char *plain_blocks(const char *p, const char *end)
{
    while (end - p >= 2 * BLOCK + BEHIND) {
        __m256i a = _mm256_or_si256(is_special(p), is_special(p + 32));
        __m256i b = _mm256_or_si256(is_special(p + 64), is_special(p + 96));
        if (bits(_mm256_or_si256(a, b)))
            break;
        p += 2 * BLOCK;
    }
    return p;
}

AVX512 static inline __m512i load512(const char *p)
{
    return _mm512_loadu_si512((const void *)p);
}

AVX512 static inline struct marks classify512(const char *p)
{
    const __m512i upper = _mm512_broadcast_i32x4(_mm_setr_epi8(UPPER));
    const __m512i lower = _mm512_broadcast_i32x4(_mm_setr_epi8(LOWER));
    const __m512i half = _mm512_set1_epi8(15);
    __m512i v = load512(p);
    __m512i by_upper = _mm512_shuffle_epi8(upper, _mm512_and_si512(_mm512_srli_epi16(v, 4), half));
    __m512i by_lower = _mm512_shuffle_epi8(lower, _mm512_and_si512(v, half));
    return (struct marks){
        .quote = _mm512_cmpeq_epi8_mask(v, _mm512_set1_epi8('"')),
        .slash = _mm512_cmpeq_epi8_mask(v, _mm512_set1_epi8('\\')),
        .control = _mm512_cmplt_epu8_mask(v, _mm512_set1_epi8(0x20)),
        .simple = _mm512_test_epi8_mask(by_upper, by_lower),
    };
}

AVX512 static inline uint64_t special512(const char *p)
{
    __m512i v = load512(p);
    return _mm512_cmpeq_epi8_mask(v, _mm512_set1_epi8('"')) | _mm512_cmpeq_epi8_mask(v, _mm512_set1_epi8('\\')) |
           _mm512_cmplt_epu8_mask(v, _mm512_set1_epi8(0x20));
}

AVX512 static inline const char *plain_blocks512(const char *p, const char *end)
{
    while (end - p >= 2 * BLOCK + BEHIND && !(special512(p) | special512(p + BLOCK)))
        p += 2 * BLOCK;
    return p;
}

/* The loop of both forms; inlined with their steps, which are made of their instructions. */
static inline __attribute__((always_inline)) const char *string_by(struct json_scan *s, const char **p, const char *end,
                                                                   struct marks (*look)(const char *p),
                                                                   const char *(*pass)(const char *p, const char *end))
{
    const char *at = *p;
    uint64_t carry = 0; /* 1: the block's first byte is escaped by the byte before it */
    unsigned plain = 0;
    while (end - at >= BLOCK + BEHIND) {
        struct marks m = look(at);
        uint64_t escaped = m.slash << 1 | carry;
        if ((m.quote & ~escaped) | m.control | (escaped & (m.slash | ~m.simple))) {
            if (carry & ~m.simple)
                return at - 1;
            *p = at;
            const char *stop = string_block(s, p, (m.quote | m.slash | m.control) & ~carry, BLOCK);
            if (stop)
                return stop;
            at = *p;
            carry = 0;
            continue;
        }
        s->flags = (uint8_t)(s->flags | (m.slash ? JSON_ESCAPED : 0));
        carry = m.slash >> 63;
        at += BLOCK;
        plain = m.slash ? 0 : plain + 1;
        if (plain >= PLAIN_BLOCKS) {
            at = pass(at, end);
            plain = 0;
        }
    }
    if (carry && !(meaning_of(*at) & SIMPLE))
        return at - 1;
    *p = at + carry;
    return NULL;
}

AVX2 static const char *string_avx2(struct json_scan *s, const char **p, const char *end)
{
    return string_by(s, p, end, classify, plain_blocks);
}

AVX512 static const char *string_avx512(struct json_scan *s, const char **p, const char *end)
{
    return string_by(s, p, end, classify512, plain_blocks512);
}

/* The first processors with 512 bits slow down by using them; those that know VBMI do not. */
__attribute__((constructor)) static void choose(void)
{
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vbmi"))
        wide_forms[wide_form_count++] = string_avx512;
    if (__builtin_cpu_supports("avx2"))
        wide_forms[wide_form_count++] = string_avx2;
    if (wide_form_count)
        wide_string = wide_forms[0];
}

#endif

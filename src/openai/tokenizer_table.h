/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OPENAI_TOKENIZER_TABLE_H
#define OPENAI_TOKENIZER_TABLE_H

/*
 * tokenizer_table: the read-only image that the tokenizer works on.
 *
 * tools/gen/tokenizer_pack.c writes it at build time and the linker embeds it under the name
 * tokenizer_data; nothing is parsed or copied at start-up, and pages never looked at never become
 * resident. This header is the whole contract between the two: layout and hash function.
 *
 * A vocabulary is a hash table of 64-byte buckets, one cache line each, of four slots. A token of
 * at most 12 bytes stands in its slot; a longer one is a fingerprint and a place in the vocabulary's
 * text. A token has a first and a second bucket. It stands in the first, unless that was full;
 * then it stands in the second and the first is marked as spilled. So a search looks at two cache
 * lines at most, mostly at one, also for what is not there, whatever the text. A direct table gives
 * the token of each pair of bytes, which is what merging begins with.
 *
 * Numbers are little-endian; offsets count bytes from the start of the image.
 */

#include <stdint.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the image is little-endian");

#define TOKENIZER_TABLE_MAGIC 0x6b6f7454u
#define TOKENIZER_TABLE_VERSION 1u

/* No token: of an absent pair or text. Above every id, and fits 18 bits. */
#define TOKENIZER_TABLE_NONE 0x3ffffu
#define TOKENIZER_TABLE_ID_BITS 18
#define TOKENIZER_TABLE_SLOTS 4
#define TOKENIZER_TABLE_INLINE_MAX 12
#define TOKENIZER_TABLE_TOKEN_MAX 128 /* bytes of the longest token of any vocabulary */

/* Slot: meta is 0 when empty, else id | length << 18 | spilled << 31 (spilled on the first slot only). */
#define TOKENIZER_TABLE_LEN_SHIFT TOKENIZER_TABLE_ID_BITS
#define TOKENIZER_TABLE_LEN_MASK (0xffu << TOKENIZER_TABLE_LEN_SHIFT)
#define TOKENIZER_TABLE_SPILLED (1u << 31)

struct tokenizer_slot {
    uint64_t lo;   /* up to 12: bytes 0-7, zero-padded; longer: offset in the text */
    uint32_t hi;   /* up to 12: bytes 8-11, zero-padded; longer: upper half of the hash */
    uint32_t meta; /* see above */
};

struct tokenizer_bucket {
    struct tokenizer_slot slot[TOKENIZER_TABLE_SLOTS];
};

_Static_assert(sizeof(struct tokenizer_bucket) == 64, "a bucket is a cache line");

enum tokenizer_table_name {
    TOKENIZER_TABLE_P50K, /* r50k is its part below id 50256 */
    TOKENIZER_TABLE_CL100K,
    TOKENIZER_TABLE_O200K,
    TOKENIZER_TABLE_COUNT
};

struct tokenizer_table {
    uint32_t bucket_off, bucket_count;
    uint32_t text_off, text_size;
    uint32_t pair_off; /* 65,536 ids (uint32), index first byte << 8 | second byte */
    uint32_t token_count;
};

/* What splitting needs to know of a character: its Unicode general category, and \s. */
enum tokenizer_class {
    TOKENIZER_CLASS_OTHER,
    TOKENIZER_CLASS_SPACE,   /* White_Space, but not the next */
    TOKENIZER_CLASS_NEWLINE, /* CR, LF */
    TOKENIZER_CLASS_NUMBER,  /* N */
    TOKENIZER_CLASS_UPPER,   /* Lu, Lt */
    TOKENIZER_CLASS_LOWER,   /* Ll */
    TOKENIZER_CLASS_LETTER,  /* Lm, Lo */
    TOKENIZER_CLASS_MARK,    /* M */
    TOKENIZER_CLASS_COUNT
};

#define TOKENIZER_TABLE_CODE_POINTS 0x110000u
#define TOKENIZER_TABLE_PAGE 256u

struct tokenizer_image {
    uint32_t magic, version, size;
    uint32_t page_index_off; /* one byte for 256 code points: the number of their page */
    uint32_t page_off;       /* pages of 256 classes, one byte each */
    struct tokenizer_table table[TOKENIZER_TABLE_COUNT];
};

static inline uint64_t tokenizer_table_fold(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Hash of a token of at most 12 bytes, given zero-padded. */
static inline uint64_t tokenizer_table_hash(uint64_t lo, uint32_t hi, uint32_t n)
{
    return tokenizer_table_fold(lo ^ 0x9e3779b97f4a7c15u, ((uint64_t)hi << 8 | n) ^ 0xd6e8feb86659fd93u);
}

/* Hash of a longer token. */
static inline uint64_t tokenizer_table_hash_long(const unsigned char *p, uint32_t n)
{
    uint64_t hash = n, word;
    for (uint32_t i = 0; i + 8 <= n; i += 8) {
        memcpy(&word, p + i, 8);
        hash = tokenizer_table_fold(hash ^ word, 0xa0761d6478bd642fu);
    }
    memcpy(&word, p + n - 8, 8); /* overlaps what was read already */
    return tokenizer_table_fold(hash ^ word, 0xe7037ed1a0b428dbu);
}

static inline uint32_t tokenizer_table_first(uint64_t hash, uint32_t bucket_count)
{
    return (uint32_t)(((hash & 0xffffffffu) * bucket_count) >> 32);
}

static inline uint32_t tokenizer_table_second(uint64_t hash, uint32_t bucket_count)
{
    return (uint32_t)(((hash >> 32) * bucket_count) >> 32);
}

#endif

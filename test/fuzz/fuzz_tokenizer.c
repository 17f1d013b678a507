/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes, every vocabulary: the tokens spell the text, counting agrees with encoding, and for
 * short texts each piece is encoded as the plain, quadratic definition says, with a vocabulary that
 * is read back from the image and sorted instead of hashed.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "openai/tokenizer.h"
#include "openai/tokenizer/image.h"
#include "openai/tokenizer/split.h"

#define TEXT_MAX 20000u
#define PLAIN_MAX 400u

struct spelling {
    unsigned char bytes[TOKENIZER_TABLE_TOKEN_MAX];
    uint32_t n, id;
};

struct vocab {
    struct spelling *sorted;
    const struct spelling **by_id;
    uint32_t count;
};

static struct vocab vocabs[TOKENIZER_TABLE_COUNT];

static int spelling_order(const void *a, const void *b)
{
    const struct spelling *x = a, *y = b;
    int order = memcmp(x->bytes, y->bytes, x->n < y->n ? x->n : y->n);
    return order ? order : (x->n > y->n) - (x->n < y->n);
}

static void vocab_read(struct vocab *v, const struct tokenizer_table *t)
{
    const struct tokenizer_bucket *b = (const void *)(tokenizer_data + t->bucket_off);
    v->sorted = calloc(t->token_count, sizeof *v->sorted);
    v->by_id = calloc(TOKENIZER_TABLE_NONE, sizeof *v->by_id);
    must(v->sorted && v->by_id);
    for (uint32_t i = 0; i < t->bucket_count * TOKENIZER_TABLE_SLOTS; i++) {
        const struct tokenizer_slot *slot = &b[i / TOKENIZER_TABLE_SLOTS].slot[i % TOKENIZER_TABLE_SLOTS];
        uint32_t n = (slot->meta & TOKENIZER_TABLE_LEN_MASK) >> TOKENIZER_TABLE_LEN_SHIFT;
        if (n == 0)
            continue;
        must(v->count < t->token_count);
        struct spelling *s = &v->sorted[v->count++];
        s->n = n;
        s->id = slot->meta & TOKENIZER_TABLE_NONE;
        if (n <= TOKENIZER_TABLE_INLINE_MAX) {
            memcpy(s->bytes, &slot->lo, 8);
            memcpy(s->bytes + 8, &slot->hi, 4);
        } else {
            memcpy(s->bytes, tokenizer_data + t->text_off + slot->lo, n);
        }
    }
    must(v->count == t->token_count);
    qsort(v->sorted, v->count, sizeof *v->sorted, spelling_order);
    for (uint32_t i = 0; i < v->count; i++)
        v->by_id[v->sorted[i].id] = &v->sorted[i];
}

static uint32_t lookup(const struct vocab *v, const unsigned char *p, size_t n, uint32_t id_end)
{
    struct spelling want = {.n = (uint32_t)n};
    if (n > TOKENIZER_TABLE_TOKEN_MAX)
        return TOKENIZER_TABLE_NONE;
    memcpy(want.bytes, p, n);
    const struct spelling *s = bsearch(&want, v->sorted, v->count, sizeof *v->sorted, spelling_order);
    return s && s->id < id_end ? s->id : TOKENIZER_TABLE_NONE;
}

/* Writes the ids of one piece of at most PLAIN_MAX bytes, merging as the definition says. */
static size_t plain(const struct vocab *v, const unsigned char *p, size_t n, uint32_t id_end, uint32_t *out)
{
    size_t from[PLAIN_MAX + 1], parts = n;
    for (size_t i = 0; i <= n; i++)
        from[i] = i;
    while (parts > 1 && lookup(v, p, n, id_end) == TOKENIZER_TABLE_NONE) {
        uint32_t best = TOKENIZER_TABLE_NONE;
        size_t at = 0;
        for (size_t i = 0; i + 1 < parts; i++) {
            uint32_t id = lookup(v, p + from[i], from[i + 2] - from[i], id_end);
            if (id < best) {
                best = id;
                at = i;
            }
        }
        if (best == TOKENIZER_TABLE_NONE)
            break;
        memmove(from + at + 1, from + at + 2, (parts - at - 1) * sizeof from[0]);
        parts--;
    }
    if (lookup(v, p, n, id_end) != TOKENIZER_TABLE_NONE) {
        parts = 1;
        from[1] = n;
    }
    for (size_t i = 0; i < parts; i++)
        out[i] = lookup(v, p + from[i], from[i + 1] - from[i], id_end);
    return parts;
}

static void check(enum tokenizer_encoding e, enum tokenizer_table_name table, enum tokenizer_rule rule, uint32_t id_end,
                  const uint8_t *p, size_t n)
{
    static uint32_t ids[TEXT_MAX], expected[PLAIN_MAX];
    struct str text = str_of((const char *)p, n);
    size_t count = tokenizer_encode(e, text, ids, TEXT_MAX), at = 0, done = 0;
    must(count <= n && (n == 0 || count > 0));
    must(tokenizer_count(e, text) == count);
    for (size_t i = 0; i < count; i++) {
        const struct spelling *s = vocabs[table].by_id[ids[i]];
        must(s && s->id < id_end && at + s->n <= n && memcmp(s->bytes, p + at, s->n) == 0);
        at += s->n;
    }
    must(at == n);
    for (at = 0; at < n && n <= PLAIN_MAX;) {
        size_t piece = tokenizer_split(rule, p + at, n - at);
        must(piece >= 1 && piece <= n - at);
        size_t tokens = plain(&vocabs[table], p + at, piece, id_end, expected);
        must(done + tokens <= count && memcmp(ids + done, expected, tokens * sizeof ids[0]) == 0);
        done += tokens;
        at += piece;
    }
    must(n > PLAIN_MAX || done == count);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    if (!vocabs[0].sorted)
        for (int i = 0; i < TOKENIZER_TABLE_COUNT; i++)
            vocab_read(&vocabs[i], &tokenizer_image()->table[i]);
    if (n < 1 || n > TEXT_MAX)
        return 0;
    /* The first byte chooses, so that one input costs one encoding. */
    switch (p[0] % 4) {
    case 0:
        check(TOKENIZER_R50K, TOKENIZER_TABLE_P50K, TOKENIZER_RULE_R50K, 50256, p + 1, n - 1);
        break;
    case 1:
        check(TOKENIZER_P50K, TOKENIZER_TABLE_P50K, TOKENIZER_RULE_R50K, 50281, p + 1, n - 1);
        break;
    case 2:
        check(TOKENIZER_CL100K, TOKENIZER_TABLE_CL100K, TOKENIZER_RULE_CL100K, 100256, p + 1, n - 1);
        break;
    default:
        check(TOKENIZER_O200K, TOKENIZER_TABLE_O200K, TOKENIZER_RULE_O200K, 199998, p + 1, n - 1);
        break;
    }
    (void)tokenizer_for_model(str_of((const char *)p, n));
    return 0;
}

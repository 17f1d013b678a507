/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Byte-pair encoding of one piece.
 *
 * A piece that is a token as a whole is that token; most words are. Otherwise the parts are at
 * first its single bytes, and the adjacent pair whose joined bytes are the token with the lowest
 * id is merged, the leftmost of equals, until no pair is a token.
 *
 * Finding the lowest: each part holds the key `id << 12 | position` of the pair it begins, so the
 * smallest key is the lowest and leftmost pair. Keys stand at the position of the part's first byte
 * and never move; minima of 16 keys, of 16 minima and so on make a shallow tree that a merge
 * updates in a few vector instructions. That is O(n log n) with a base of 16 and no branch to
 * mispredict.
 *
 * Pieces longer than a window are encoded window by window, which is exact because of this: if
 * each two neighbours of a sequence of tokens, taken alone, encode to themselves, the whole sequence
 * does (the first merge across a border of two tokens would happen in the text of just those two
 * as well). A window that begins where a token of the one before began, and whose own first token
 * is that same one, therefore continues it exactly. Where the first token differs, because of the
 * text that the earlier window could not see, the border is tried further back, and if it differs
 * there too (no text is known that does this) the border stays, which may cost a token.
 */
#include "openai/tokenizer/bpe.h"

#include <stdbool.h>

#include "base/must.h"
#include "openai/tokenizer/image.h"

#define NONE TOKENIZER_TABLE_NONE
#define FAN 16u

#define WINDOW_BITS 12
#define WINDOW_MAX (1u << WINDOW_BITS)
#define WINDOW_OVERLAP 512u
#define SMALL_MAX TOKENIZER_TABLE_TOKEN_MAX
#define KEY_NONE INT32_MAX

_Static_assert(TOKENIZER_TABLE_ID_BITS + WINDOW_BITS < 31, "a key is a positive int32");
_Static_assert(WINDOW_MAX == FAN * FAN * FAN, "three levels cover a window");

/*
 * The parts of at most one window. `next` and `prev` are good at positions where a part begins;
 * next[last part] is n. level[0] are the keys; each further one holds the minima of FAN below it,
 * and unused places are KEY_NONE. The arrays belong to the caller of merge.
 */
struct window {
    int32_t *level[3];
    uint16_t *next, *prev;
    unsigned top; /* the level of at most FAN entries */
    size_t n;     /* bytes */
    size_t parts; /* left after merging */
};

struct small_arrays {
    int32_t key[SMALL_MAX], min[FAN];
    uint16_t next[SMALL_MAX + 1], prev[SMALL_MAX + 1];
};

struct large_arrays {
    int32_t key[WINDOW_MAX], min[WINDOW_MAX / FAN], min_min[FAN];
    uint16_t next[WINDOW_MAX + 1], prev[WINDOW_MAX + 1];
};

struct tokenizer_vocab tokenizer_vocab_of(enum tokenizer_table_name name, uint32_t id_end)
{
    const struct tokenizer_image *image = tokenizer_image();
    must(image->magic == TOKENIZER_TABLE_MAGIC && image->version == TOKENIZER_TABLE_VERSION);
    const struct tokenizer_table *t = &image->table[name];
    return (struct tokenizer_vocab){
        .buckets = (const struct tokenizer_bucket *)(const void *)(tokenizer_data + t->bucket_off),
        .text = tokenizer_data + t->text_off,
        .pairs = (const uint32_t *)(const void *)(tokenizer_data + t->pair_off),
        .bucket_count = t->bucket_count,
        .id_end = id_end,
    };
}

static inline uint32_t id_or_none(const struct tokenizer_vocab *v, uint32_t id)
{
    return id < v->id_end ? id : NONE;
}

/* The id of a token of at most 12 bytes, or NONE. */
static inline uint32_t find_short(const struct tokenizer_vocab *v, const unsigned char *p, uint32_t n, size_t readable)
{
    uint64_t lo = 0;
    uint32_t hi = 0;
    if (readable >= TOKENIZER_TABLE_INLINE_MAX) {
        memcpy(&lo, p, 8);
        memcpy(&hi, p + 8, 4);
        lo = n < 8 ? lo & ~(UINT64_MAX << (8 * n)) : lo;
        hi = n < 12 ? (n > 8 ? hi & ~(UINT32_MAX << (8 * (n - 8))) : 0) : hi;
    } else {
        memcpy(&lo, p, n < 8 ? n : 8);
        if (n > 8)
            memcpy(&hi, p + 8, n - 8);
    }
    uint64_t hash = tokenizer_table_hash(lo, hi, n);
    const struct tokenizer_bucket *b = &v->buckets[tokenizer_table_first(hash, v->bucket_count)];
    for (int look = 0; look < 2; look++) {
        for (int i = 0; i < TOKENIZER_TABLE_SLOTS; i++) {
            const struct tokenizer_slot *s = &b->slot[i];
            if (s->lo == lo && s->hi == hi && (s->meta & TOKENIZER_TABLE_LEN_MASK) == n << TOKENIZER_TABLE_LEN_SHIFT)
                return id_or_none(v, s->meta & NONE);
        }
        if (!(b->slot[0].meta & TOKENIZER_TABLE_SPILLED))
            break;
        b = &v->buckets[tokenizer_table_second(hash, v->bucket_count)];
    }
    return NONE;
}

/* The same for 13 to 128 bytes. */
static uint32_t find_long(const struct tokenizer_vocab *v, const unsigned char *p, uint32_t n)
{
    uint64_t hash = tokenizer_table_hash_long(p, n);
    uint32_t hi = (uint32_t)(hash >> 32);
    const struct tokenizer_bucket *b = &v->buckets[tokenizer_table_first(hash, v->bucket_count)];
    for (int look = 0; look < 2; look++) {
        for (int i = 0; i < TOKENIZER_TABLE_SLOTS; i++) {
            const struct tokenizer_slot *s = &b->slot[i];
            if (s->hi == hi && (s->meta & TOKENIZER_TABLE_LEN_MASK) == n << TOKENIZER_TABLE_LEN_SHIFT &&
                memcmp(v->text + s->lo, p, n) == 0)
                return id_or_none(v, s->meta & NONE);
        }
        if (!(b->slot[0].meta & TOKENIZER_TABLE_SPILLED))
            break;
        b = &v->buckets[tokenizer_table_second(hash, v->bucket_count)];
    }
    return NONE;
}

/* The id of the token that is exactly these n ≥ 1 bytes, or NONE. */
static inline uint32_t find(const struct tokenizer_vocab *v, const unsigned char *p, size_t n, size_t readable)
{
    if (n <= TOKENIZER_TABLE_INLINE_MAX)
        return find_short(v, p, (uint32_t)n, readable);
    return n <= TOKENIZER_TABLE_TOKEN_MAX ? find_long(v, p, (uint32_t)n) : NONE;
}

static inline int32_t min_of(const int32_t *k)
{
    int32_t m[4] = {k[0], k[1], k[2], k[3]};
    for (size_t i = 4; i < FAN; i += 4)
        for (size_t j = 0; j < 4; j++)
            m[j] = k[i + j] < m[j] ? k[i + j] : m[j];
    int32_t a = m[0] < m[1] ? m[0] : m[1], b = m[2] < m[3] ? m[2] : m[3];
    return a < b ? a : b;
}

/* Brings the minima above the key at `at` up to date. */
static inline void raise(struct window *w, size_t at)
{
    for (unsigned level = 0; level < w->top; level++) {
        at /= FAN;
        int32_t m = min_of(w->level[level] + at * FAN);
        if (w->level[level + 1][at] == m)
            return;
        w->level[level + 1][at] = m;
    }
}

/* One part for each byte, and the keys of all pairs. */
static void window_fill(struct window *w, const struct tokenizer_vocab *v, const unsigned char *p, size_t n)
{
    size_t size = (n + FAN - 1) / FAN * FAN;
    w->n = n;
    w->top = n <= FAN ? 0 : n <= FAN * FAN ? 1 : 2;
    for (size_t i = 0; i + 1 < n; i++) {
        uint32_t id = id_or_none(v, v->pairs[p[i] << 8 | p[i + 1]]);
        w->level[0][i] = id == NONE ? KEY_NONE : (int32_t)(id << WINDOW_BITS | (uint32_t)i);
    }
    for (size_t i = n - 1; i < size; i++)
        w->level[0][i] = KEY_NONE;
    for (size_t i = 0; i <= n; i++) {
        w->next[i] = (uint16_t)(i + 1);
        w->prev[i] = (uint16_t)(i - 1);
    }
    for (unsigned level = 0; level < w->top; level++) {
        size_t count = size / FAN;
        size = (count + FAN - 1) / FAN * FAN;
        for (size_t i = 0; i < size; i++)
            w->level[level + 1][i] = i < count ? min_of(w->level[level] + i * FAN) : KEY_NONE;
    }
}

/* The key of the pair of parts that covers the bytes from `at` to `end`. */
static inline int32_t key_of(const struct tokenizer_vocab *v, const unsigned char *p, size_t at, size_t end,
                             size_t readable)
{
    uint32_t id = find(v, p + at, end - at, readable - at);
    return id == NONE ? KEY_NONE : (int32_t)(id << WINDOW_BITS | (uint32_t)at);
}

static void merge(struct window *w, const struct tokenizer_vocab *v, const unsigned char *p, size_t n, size_t readable)
{
    int32_t *key = w->level[0], best;
    must(n >= 1 && n <= WINDOW_MAX);
    window_fill(w, v, p, n);
    w->parts = n;
    while ((best = min_of(w->level[w->top])) != KEY_NONE) {
        size_t at = (size_t)best & (WINDOW_MAX - 1), gone = w->next[at], after = w->next[gone];
        w->next[at] = (uint16_t)after;
        w->prev[after] = (uint16_t)at;
        w->parts--;
        key[gone] = KEY_NONE;
        key[at] = after < n ? key_of(v, p, at, w->next[after], readable) : KEY_NONE;
        if (at > 0) {
            size_t before = w->prev[at];
            key[before] = key_of(v, p, before, after, readable);
            if (before / FAN != at / FAN)
                raise(w, before);
        }
        if (gone / FAN != at / FAN)
            raise(w, gone);
        raise(w, at);
    }
}

static void emit(struct tokenizer_sink *sink, uint32_t id)
{
    if (sink->count < sink->cap)
        sink->out[sink->count] = id;
    sink->count++;
}

/* Gives the tokens of the first `end` bytes of the window; a part must end there. */
static void emit_parts(const struct window *w, const struct tokenizer_vocab *v, const unsigned char *p, size_t end,
                       size_t readable, struct tokenizer_sink *sink)
{
    if (end == w->n && sink->count >= sink->cap) {
        sink->count += w->parts;
        return;
    }
    for (size_t at = 0; at < end; at = w->next[at])
        emit(sink, find(v, p + at, w->next[at] - at, readable - at));
}

static void bpe_small(const struct tokenizer_vocab *v, const unsigned char *p, size_t n, size_t readable,
                      struct tokenizer_sink *sink)
{
    struct small_arrays a;
    struct window w = {.level = {a.key, a.min, NULL}, .next = a.next, .prev = a.prev};
    merge(&w, v, p, n, readable);
    emit_parts(&w, v, p, n, readable, sink);
}

/* The last place at or before `limit` where a part begins. */
static size_t border(const struct window *w, size_t limit)
{
    size_t at = 0;
    while (w->next[at] <= limit)
        at = w->next[at];
    return at;
}

/*
 * Finds where the window `now` over the first WINDOW_MAX bytes at p shall end, and fills `ahead`
 * from there on, unless it would be the same as `now`: then *ret_same.
 */
static size_t window_ahead(const struct tokenizer_vocab *v, const unsigned char *p, size_t n, size_t readable,
                           const struct window *now, struct window *ahead, bool *ret_same)
{
    size_t cut = border(now, WINDOW_MAX - WINDOW_OVERLAP);
    for (int attempt = 0;; attempt++) {
        size_t left = n - cut;
        *ret_same = left >= WINDOW_MAX && memcmp(p, p + cut, WINDOW_MAX) == 0;
        if (!*ret_same)
            merge(ahead, v, p + cut, left < WINDOW_MAX ? left : WINDOW_MAX, readable - cut);
        const struct window *next = *ret_same ? now : ahead;
        if (attempt == 1 || next->next[0] == now->next[cut] - cut)
            return cut;
        cut = border(now, WINDOW_MAX / 2);
    }
}

/* Above SMALL_MAX bytes. Not inlined: its stack is used only when it is called. */
static __attribute__((noinline)) void bpe_large(const struct tokenizer_vocab *v, const unsigned char *p, size_t n,
                                                size_t readable, struct tokenizer_sink *sink)
{
    struct large_arrays a, b;
    struct window one = {.level = {a.key, a.min, a.min_min}, .next = a.next, .prev = a.prev};
    struct window two = {.level = {b.key, b.min, b.min_min}, .next = b.next, .prev = b.prev};
    struct window *now = &one, *ahead = &two;
    merge(now, v, p, n < WINDOW_MAX ? n : WINDOW_MAX, readable);
    while (n > WINDOW_MAX) {
        bool same;
        size_t cut = window_ahead(v, p, n, readable, now, ahead, &same);
        must(cut > 0 && cut < n);
        emit_parts(now, v, p, cut, readable, sink);
        p += cut;
        n -= cut;
        readable -= cut;
        if (!same) {
            struct window *swap = now;
            now = ahead;
            ahead = swap;
        }
    }
    emit_parts(now, v, p, n, readable, sink);
}

void tokenizer_bpe(const struct tokenizer_vocab *v, const unsigned char *p, size_t n, size_t readable,
                   struct tokenizer_sink *sink)
{
    must(n >= 1 && readable >= n);
    uint32_t id = find(v, p, n, readable);
    if (id != NONE)
        emit(sink, id);
    else if (n <= SMALL_MAX)
        bpe_small(v, p, n, readable, sink);
    else
        bpe_large(v, p, n, readable, sink);
}

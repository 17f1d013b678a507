/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes the image described in src/openai/tokenizer_table.h.
 *
 *   tokenizer_pack RANK_DIR CLASSES OUT
 *
 * RANK_DIR holds r50k_base.tiktoken, p50k_base.tiktoken, cl100k_base.tiktoken and
 * o200k_base.tiktoken: a line a token, base64 of its bytes, a space, its id. CLASSES has lines
 * "<class> <first> <last>", code points in decimal; see class_of_name for the classes.
 *
 * Every token is looked up again in the finished image before it is written. Equal inputs give
 * equal bytes. Called by tokenizer_data.sh; any doubt ends it with status 1 and no output.
 */
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "openai/tokenizer_table.h"

#define IMAGE_MAX (32u << 20)
#define TOKENS_MAX 200000u
#define R50K_TOKENS 50256u
#define LOAD_PERCENT 75u
#define SLOTS_MAX (TOKENS_MAX * 100u / LOAD_PERCENT + 2 * TOKENIZER_TABLE_SLOTS)
#define NOBODY UINT32_MAX

struct token {
    unsigned char bytes[TOKENIZER_TABLE_TOKEN_MAX];
    uint32_t n, id;
    uint64_t hash;
};

static struct token tokens[TOKENS_MAX];
static struct token r50k[R50K_TOKENS + 1];
static uint32_t owners[SLOTS_MAX]; /* slot → index in tokens */
static uint32_t late[TOKENS_MAX];
static _Alignas(64) unsigned char image[IMAGE_MAX];
static uint32_t image_size = sizeof(struct tokenizer_image);

__attribute__((format(printf, 1, 2))) static _Noreturn void fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("tokenizer_pack: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    exit(1);
}

static struct tokenizer_image *header(void)
{
    return (struct tokenizer_image *)(void *)image;
}

/* Room at the end of the image, aligned to a cache line and zeroed. */
static uint32_t reserve(uint32_t size)
{
    uint32_t at = (image_size + 63u) & ~63u;
    if (size > IMAGE_MAX - at)
        fail("the image is larger than %u bytes", IMAGE_MAX);
    image_size = at + size;
    return at;
}

static bool decimal(const char **at, uint32_t *ret_value)
{
    uint32_t value = 0;
    const char *p = *at;
    for (; *p >= '0' && *p <= '9' && value < 100000000u; p++)
        value = value * 10 + (uint32_t)(*p - '0');
    if (p == *at)
        return false;
    *at = p;
    *ret_value = value;
    return true;
}

static int base64_digit(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *hit = c ? strchr(digits, c) : NULL;
    return hit ? (int)(hit - digits) : -1;
}

/* The line is "<base64> <id>\n". */
static bool token_read(const char *line, struct token *t)
{
    uint32_t bits = 0, held = 0;
    memset(t, 0, sizeof *t);
    for (; base64_digit(*line) >= 0; line++) {
        bits = bits << 6 | (uint32_t)base64_digit(*line);
        held += 6;
        if (held < 8)
            continue;
        held -= 8;
        if (t->n == TOKENIZER_TABLE_TOKEN_MAX)
            return false;
        t->bytes[t->n++] = (unsigned char)(bits >> held);
    }
    while (*line == '=')
        line++;
    if (t->n == 0 || *line++ != ' ' || !decimal(&line, &t->id))
        return false;
    return *line == '\n' && t->id < TOKENIZER_TABLE_NONE;
}

static uint32_t ranks_read(const char *dir, const char *name, struct token *list, uint32_t count)
{
    char path[4096], line[512];
    if (snprintf(path, sizeof path, "%s/%s.tiktoken", dir, name) >= (int)sizeof path)
        fail("path too long");
    FILE *f = fopen(path, "re");
    if (!f)
        fail("cannot open %s", path);
    uint32_t n = 0, previous = 0;
    while (fgets(line, sizeof line, f)) {
        if (n == count || !token_read(line, &list[n]) || (n && list[n].id <= previous))
            fail("%s: line %u is not a token", path, n + 1);
        previous = list[n++].id;
    }
    if (ferror(f) || n == 0)
        fail("cannot read %s", path);
    fclose(f);
    return n;
}

static struct tokenizer_slot slot_of(struct token *t, uint32_t text_at)
{
    struct tokenizer_slot s = {.meta = t->id | t->n << TOKENIZER_TABLE_LEN_SHIFT};
    if (t->n <= TOKENIZER_TABLE_INLINE_MAX) {
        memcpy(&s.lo, t->bytes, 8); /* the array behind a token is zero */
        memcpy(&s.hi, t->bytes + 8, 4);
        t->hash = tokenizer_table_hash(s.lo, s.hi, t->n);
    } else {
        t->hash = tokenizer_table_hash_long(t->bytes, t->n);
        s.lo = text_at;
        s.hi = (uint32_t)(t->hash >> 32);
    }
    return s;
}

static bool put_if_room(uint32_t bucket, uint32_t token)
{
    for (uint32_t i = 0; i < TOKENIZER_TABLE_SLOTS; i++) {
        uint32_t *owner = &owners[bucket * TOKENIZER_TABLE_SLOTS + i];
        if (*owner == NOBODY) {
            *owner = token;
            return true;
        }
    }
    return false;
}

/* Places a token whose first bucket is full, moving others to their other bucket where it must. */
static void put_by_force(uint32_t token, uint32_t count)
{
    uint32_t into = tokenizer_table_second(tokens[token].hash, count);
    for (uint32_t step = 0; step < 10000; step++) {
        if (put_if_room(into, token))
            return;
        uint32_t *owner = &owners[into * TOKENIZER_TABLE_SLOTS + step % TOKENIZER_TABLE_SLOTS];
        uint32_t moved = *owner, first = tokenizer_table_first(tokens[moved].hash, count);
        *owner = token;
        token = moved;
        into = into == first ? tokenizer_table_second(tokens[moved].hash, count) : first;
    }
    fail("the table is too full");
}

/* Decides which slot each token gets; returns how many got one in their second bucket. */
static uint32_t place(uint32_t n, uint32_t count, struct tokenizer_bucket *buckets, const struct tokenizer_slot *slots)
{
    uint32_t late_count = 0, second_count = 0;
    for (uint32_t i = 0; i < count * TOKENIZER_TABLE_SLOTS; i++)
        owners[i] = NOBODY;
    for (uint32_t i = 0; i < n; i++)
        if (!put_if_room(tokenizer_table_first(tokens[i].hash, count), i))
            late[late_count++] = i;
    for (uint32_t i = 0; i < late_count; i++)
        put_by_force(late[i], count);
    for (uint32_t i = 0; i < count * TOKENIZER_TABLE_SLOTS; i++)
        if (owners[i] != NOBODY)
            buckets[i / TOKENIZER_TABLE_SLOTS].slot[i % TOKENIZER_TABLE_SLOTS] = slots[owners[i]];
    for (uint32_t i = 0; i < count * TOKENIZER_TABLE_SLOTS; i++) {
        if (owners[i] == NOBODY)
            continue;
        uint32_t first = tokenizer_table_first(tokens[owners[i]].hash, count);
        if (first == i / TOKENIZER_TABLE_SLOTS)
            continue;
        second_count++;
        buckets[first].slot[0].meta |= TOKENIZER_TABLE_SPILLED;
    }
    return second_count;
}

/* Ends the program when the token is not where a search would look. */
static void find(const struct tokenizer_bucket *buckets, uint32_t count, uint32_t token, struct tokenizer_slot slot)
{
    const struct tokenizer_bucket *b = &buckets[tokenizer_table_first(tokens[token].hash, count)];
    for (int look = 0; look < 2; look++) {
        for (int i = 0; i < TOKENIZER_TABLE_SLOTS; i++)
            if (b->slot[i].lo == slot.lo && b->slot[i].hi == slot.hi &&
                (b->slot[i].meta & ~TOKENIZER_TABLE_SPILLED) == slot.meta)
                return;
        if (!(b->slot[0].meta & TOKENIZER_TABLE_SPILLED))
            break;
        b = &buckets[tokenizer_table_second(tokens[token].hash, count)];
    }
    fail("token %u was lost", tokens[token].id);
}

static void pairs_write(uint32_t off, uint32_t n)
{
    uint32_t *pair = (uint32_t *)(void *)(image + off);
    bool single[256] = {false};
    for (uint32_t i = 0; i < 65536; i++)
        pair[i] = TOKENIZER_TABLE_NONE;
    for (uint32_t i = 0; i < n; i++) {
        if (tokens[i].n == 2)
            pair[tokens[i].bytes[0] << 8 | tokens[i].bytes[1]] = tokens[i].id;
        if (tokens[i].n == 1)
            single[tokens[i].bytes[0]] = true;
    }
    for (uint32_t i = 0; i < 256; i++)
        if (!single[i])
            fail("byte %u is no token", i);
}

static void table_write(const char *dir, const char *name, struct tokenizer_table *table)
{
    static struct tokenizer_slot slots[TOKENS_MAX];
    uint32_t n = ranks_read(dir, name, tokens, TOKENS_MAX), text_size = 0;
    for (uint32_t i = 0; i < n; i++) {
        slots[i] = slot_of(&tokens[i], text_size);
        text_size += tokens[i].n > TOKENIZER_TABLE_INLINE_MAX ? tokens[i].n : 0;
    }
    uint32_t count = n * 100u / (LOAD_PERCENT * TOKENIZER_TABLE_SLOTS) + 1;
    uint32_t bucket_off = reserve(count * (uint32_t)sizeof(struct tokenizer_bucket));
    uint32_t text_off = reserve(text_size), pair_off = reserve(65536 * 4);
    struct tokenizer_bucket *buckets = (struct tokenizer_bucket *)(void *)(image + bucket_off);
    uint32_t second = place(n, count, buckets, slots);
    for (uint32_t i = 0; i < n; i++) {
        find(buckets, count, i, slots[i]);
        if (tokens[i].n > TOKENIZER_TABLE_INLINE_MAX)
            memcpy(image + text_off + slots[i].lo, tokens[i].bytes, tokens[i].n);
    }
    pairs_write(pair_off, n);
    *table = (struct tokenizer_table){bucket_off, count, text_off, text_size, pair_off, n};
    printf("%s: %u tokens in %u buckets, %u not in their first\n", name, n, count, second);
}

/* r50k has no table of its own: it must be exactly the part of p50k below its size. */
static void r50k_check(const char *dir)
{
    uint32_t n = ranks_read(dir, "r50k_base", r50k, R50K_TOKENS + 1);
    ranks_read(dir, "p50k_base", tokens, TOKENS_MAX);
    if (n != R50K_TOKENS || memcmp(r50k, tokens, n * sizeof r50k[0]) != 0 || tokens[n].id < R50K_TOKENS)
        fail("r50k_base is not the first %u tokens of p50k_base", R50K_TOKENS);
}

static unsigned char class_of_name(const char *name, size_t n)
{
    static const char *const names[TOKENIZER_CLASS_COUNT] = {
        [TOKENIZER_CLASS_OTHER] = "",        [TOKENIZER_CLASS_SPACE] = "space", [TOKENIZER_CLASS_NEWLINE] = "newline",
        [TOKENIZER_CLASS_NUMBER] = "number", [TOKENIZER_CLASS_UPPER] = "upper", [TOKENIZER_CLASS_LOWER] = "lower",
        [TOKENIZER_CLASS_LETTER] = "letter", [TOKENIZER_CLASS_MARK] = "mark",
    };
    for (unsigned char i = 1; i < TOKENIZER_CLASS_COUNT; i++)
        if (strlen(names[i]) == n && memcmp(names[i], name, n) == 0)
            return i;
    fail("unknown character class %.*s", (int)n, name);
}

static unsigned char classes[TOKENIZER_TABLE_CODE_POINTS];

/* Later lines win, so that CR and LF may be cut out of the spaces. */
static void classes_read(const char *path)
{
    char line[256];
    FILE *f = fopen(path, "re");
    if (!f)
        fail("cannot open %s", path);
    while (fgets(line, sizeof line, f)) {
        const char *at = line + strcspn(line, " ");
        unsigned char class = class_of_name(line, (size_t)(at - line));
        uint32_t first, last;
        if (*at++ != ' ' || !decimal(&at, &first) || *at++ != ' ' || !decimal(&at, &last) || *at != '\n' ||
            last < first || last >= TOKENIZER_TABLE_CODE_POINTS)
            fail("%s: not a range: %s", path, line);
        memset(classes + first, class, last - first + 1);
    }
    if (ferror(f))
        fail("cannot read %s", path);
    fclose(f);
}

static void classes_write(void)
{
    uint32_t chunks = TOKENIZER_TABLE_CODE_POINTS / TOKENIZER_TABLE_PAGE, pages = 0;
    uint32_t index_off = reserve(chunks), page_off = reserve(0);
    for (uint32_t c = 0; c < chunks; c++) {
        const unsigned char *want = classes + c * TOKENIZER_TABLE_PAGE;
        uint32_t page = 0;
        while (page < pages && memcmp(image + page_off + page * TOKENIZER_TABLE_PAGE, want, TOKENIZER_TABLE_PAGE) != 0)
            page++;
        if (page == 256)
            fail("more than 256 kinds of pages of characters");
        if (page == pages) {
            memcpy(image + reserve(TOKENIZER_TABLE_PAGE), want, TOKENIZER_TABLE_PAGE);
            pages++;
        }
        image[index_off + c] = (unsigned char)page;
    }
    header()->page_index_off = index_off;
    header()->page_off = page_off;
    printf("characters: %u pages\n", pages);
}

int main(int argc, char **argv)
{
    static const char *const names[TOKENIZER_TABLE_COUNT] = {
        [TOKENIZER_TABLE_P50K] = "p50k_base",
        [TOKENIZER_TABLE_CL100K] = "cl100k_base",
        [TOKENIZER_TABLE_O200K] = "o200k_base",
    };
    if (argc != 4)
        fail("usage: tokenizer_pack RANK_DIR CLASSES OUT");
    classes_read(argv[2]);
    classes_write();
    r50k_check(argv[1]);
    for (int i = 0; i < TOKENIZER_TABLE_COUNT; i++)
        table_write(argv[1], names[i], &header()->table[i]);
    reserve(64); /* so that whole words may be read past the last table */
    header()->magic = TOKENIZER_TABLE_MAGIC;
    header()->version = TOKENIZER_TABLE_VERSION;
    header()->size = image_size;
    FILE *f = fopen(argv[3], "we");
    if (!f || fwrite(image, 1, image_size, f) != image_size || fclose(f) != 0)
        fail("cannot write %s", argv[3]);
    printf("image: %u bytes\n", image_size);
    return 0;
}

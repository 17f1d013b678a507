/* SPDX-License-Identifier: Apache-2.0 */
/* The cache is a table of hashes of prefixes, two places for each. */
#include "sim/model/tally.h"

#include <string.h>

#include "base/json_text.h"
#include "base/mem.h"
#include "sim/simid.h"

#define SEEN 65536
#define SCRATCH 65536
#define CACHE_MIN 1024
#define CACHE_STEP 128

struct tally {
    bool exact;
    uint64_t seen[SEEN];
};

struct tally *tally_new(bool exact)
{
    struct tally *t = mem_zalloc(sizeof *t);
    t->exact = exact;
    return t;
}

void tally_free(struct tally *t)
{
    mem_free(t);
}

void tally_forget(struct tally *t)
{
    memset(t->seen, 0, sizeof t->seen);
}

uint64_t tally_text(const struct tally *t, enum tokenizer_encoding e, struct str text)
{
    return t->exact ? tokenizer_count(e, text) : (text.n + 3) / 4;
}

uint64_t tally_escaped(const struct tally *t, enum tokenizer_encoding e, struct str raw)
{
    char small[4096];
    if (!t->exact || !raw.n || !memchr(raw.p, '\\', raw.n))
        return tally_text(t, e, raw);
    if (raw.n <= sizeof small)
        return tally_text(t, e, str_of(small, json_unescape(raw, small, sizeof small, NULL)));
    char *p = mem_alloc(raw.n);
    uint64_t n = tally_text(t, e, str_of(p, json_unescape(raw, p, raw.n, NULL)));
    mem_free(p);
    return n;
}

void tally_prompt_begin(struct tally_prompt *p, struct str model)
{
    *p = (struct tally_prompt){.hash = simid_hash(1, model)};
}

void tally_prompt_part(struct tally *t, struct tally_prompt *p, struct str text, uint64_t tokens)
{
    p->hash = simid_hash(p->hash, text);
    p->tokens += tokens;
    uint64_t *a = &t->seen[p->hash % SEEN], *b = &t->seen[(p->hash % SEEN) ^ 1];
    if (*a == p->hash || *b == p->hash) {
        p->cached = p->tokens;
    } else {
        *b = *a;
        *a = p->hash;
    }
}

void tally_prompt_end(struct tally_prompt *p)
{
    if (p->cached >= p->tokens)
        p->cached = p->tokens ? p->tokens - 1 : 0;
    p->cached = p->cached < CACHE_MIN ? 0 : p->cached / CACHE_STEP * CACHE_STEP;
}

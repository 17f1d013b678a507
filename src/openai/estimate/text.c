/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A full block is counted up to the last place where a cut changes no count, and the rest is moved
 * to its front. A block without such a place (no spaces, no lines) is counted whole, which may add
 * a token in 16 KB.
 */
#include "openai/estimate/text.h"

#include "base/json_text.h"
#include "base/must.h"

/* Room for one character at least, or the block counts as full. */
#define CHAR_MAX_BYTES 4

void estimate_text_init(struct estimate_text *t, enum tokenizer_encoding e)
{
    t->encoding = e;
    t->tok = 0;
    t->held = 0;
}

static void make_room(struct estimate_text *t)
{
    size_t cut = tokenizer_cut(str_of(t->block, t->held));
    if (cut == 0)
        cut = t->held;
    t->tok += tokenizer_count(t->encoding, str_of(t->block, cut));
    t->held -= cut;
    memmove(t->block, t->block + cut, t->held);
}

void estimate_text_add(struct estimate_text *t, struct str raw)
{
    while (raw.n > 0) {
        size_t used;
        if (t->held + CHAR_MAX_BYTES > sizeof t->block)
            make_room(t);
        t->held += json_unescape(raw, t->block + t->held, sizeof t->block - t->held, &used);
        must(t->held <= sizeof t->block && used <= raw.n);
        if (used == 0)
            break;
        raw = str_from(raw, used);
    }
}

uint64_t estimate_text_end(struct estimate_text *t)
{
    uint64_t tok = t->tok + tokenizer_count(t->encoding, str_of(t->block, t->held));
    t->tok = 0;
    t->held = 0;
    return tok;
}

uint64_t estimate_text_tok(struct estimate_text *t, struct str raw)
{
    must(t->held == 0 && t->tok == 0);
    if (str_find(raw, '\\') < 0)
        return tokenizer_count(t->encoding, raw);
    estimate_text_add(t, raw);
    return estimate_text_end(t);
}

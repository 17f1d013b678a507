/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The meter: the same facts whole and in pieces, parts that add up to their totals, and a hide
 * filter whose cut leaves JSON. Bytes: shape, wire, seed of the splits, then the answer.
 */
#include "base/buf.h"
#include "base/json_text.h"
#include "openai/usage_hide.h"
#include "openai/usage_meter.h"
#include "split.h"

static void on_text(void *arg, enum usage_text_kind kind, struct str text)
{
    struct buf *words = arg;
    must(kind < USAGE_TEXT_KIND_COUNT);
    must(text.n > 0);
    must(buf_add_str(&words[kind], text));
}

struct result {
    struct usage_meter m;
    struct usage usage, side;
    bool has_side;
    struct buf words[USAGE_TEXT_KIND_COUNT];
};

static void meter(struct result *r, const uint8_t *p, size_t n, uint64_t seed)
{
    struct split split;
    struct str piece;
    for (int i = 0; i < USAGE_TEXT_KIND_COUNT; i++)
        buf_init(&r->words[i], 1 << 24);
    enum usage_shape shape = (enum usage_shape)(p[0] % USAGE_SHAPE_COUNT);
    enum usage_wire wire = (enum usage_wire)(p[1] % 4);
    usage_meter_init(&r->m, shape, wire, on_text, r->words);
    r->m.cache_12h = (p[1] & 0x80) != 0;
    split_begin(&split, p + 3, n - 3, seed);
    while (split_next(&split, &piece)) {
        struct str line;
        bool messages = wire == USAGE_WIRE_MESSAGES;
        while (messages && str_find(piece, '\n') >= 0 && str_split(&piece, '\n', &line)) {
            usage_meter_feed(&r->m, line.p, line.n);
            usage_meter_message_end(&r->m);
        }
        usage_meter_feed(&r->m, piece.p, piece.n);
    }
    usage_meter_end(&r->m);
    usage_meter_get(&r->m, &r->usage);
    memset(&r->side, 0, sizeof(r->side));
    r->has_side = usage_meter_side(&r->m, &r->side);
    /* Not facts. */
    r->m.text_arg = NULL;
    memset(&r->m.scan, 0, sizeof(r->m.scan));
    memset(&r->m.sse, 0, sizeof(r->m.sse));
}

/* Figures of documents that never were whole are not facts either. */
static void forget_figures(struct usage_meter *m)
{
    memset(m->count, 0, sizeof(m->count));
}

/*
 * The text of a string that never ends is given as far as it came, in pieces of the splits' making,
 * and facts likewise: only whole documents are compared.
 */
static bool comparable(const struct result *r)
{
    return !r->m.malformed && !r->m.cut;
}

static void compare(struct result *a, struct result *b)
{
    must(a->m.malformed == b->m.malformed);
    must(a->m.cut == b->m.cut);
    must(memcmp(a->usage.quantity, b->usage.quantity, sizeof(a->usage.quantity)) == 0);
    must(a->usage.source == b->usage.source || !comparable(a));
    must(a->m.ends == b->m.ends || !comparable(a));
    must(a->has_side == b->has_side);
    must(memcmp(&a->side, &b->side, sizeof(a->side)) == 0);
    if (!comparable(a))
        return;
    forget_figures(&a->m);
    forget_figures(&b->m);
    must(memcmp(&a->m, &b->m, sizeof(a->m)) == 0);
    for (int i = 0; i < USAGE_TEXT_KIND_COUNT; i++)
        must(str_eq(buf_str(&a->words[i]), buf_str(&b->words[i])));
}

static void check_sums(const struct usage *u)
{
    const uint64_t *q = u->quantity;
    uint64_t in = q[METER_INPUT] + q[METER_CACHED] + q[METER_CACHE_WRITE] + q[METER_CACHE_WRITE_12H] +
                  q[METER_AUDIO_INPUT] + q[METER_AUDIO_CACHED] + q[METER_IMAGE_INPUT] + q[METER_IMAGE_CACHED];
    uint64_t out = q[METER_OUTPUT] + q[METER_AUDIO_OUTPUT] + q[METER_IMAGE_OUTPUT];
    bool full = u->input_total_tok >= JSON_COUNT_MAX || u->output_total_tok >= JSON_COUNT_MAX;
    must(full || u->source != USAGE_REPORTED || (in == u->input_total_tok && out == u->output_total_tok));
}

static void check_hide(struct str event)
{
    size_t at = 0, n = 0;
    if (usage_hide_event(event, &at, &n) != USAGE_HIDE_CUT)
        return;
    must(n > 0);
    must(at + n <= event.n);
    struct buf b;
    size_t again_at, again_n;
    buf_init(&b, 1 << 24);
    must(buf_add_str(&b, str_head(event, at)));
    must(buf_add_str(&b, str_from(event, at + n)));
    /* One cut is enough, and what is left is understood. */
    must(usage_hide_event(buf_str(&b), &again_at, &again_n) == USAGE_HIDE_PASS);
    buf_free(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    if (n < 3)
        return 0;
    static struct result whole, split;
    meter(&whole, p, n, 0);
    meter(&split, p, n, 1u + p[2]);
    compare(&whole, &split);
    check_sums(&whole.usage);
    check_hide(str_of((const char *)p + 3, n - 3));
    for (int i = 0; i < USAGE_TEXT_KIND_COUNT; i++) {
        buf_free(&whole.words[i]);
        buf_free(&split.words[i]);
    }
    return 0;
}

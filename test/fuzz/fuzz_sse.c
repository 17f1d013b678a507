/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Event streams: the parser finds the same events whole and in pieces; the framer passes every byte
 * once, and what it calls whole events parse to the same events. The first byte seeds the splits.
 */
#include "base/buf.h"
#include "openai/sse.h"
#include "split.h"

struct events {
    struct buf text;
};

static void parse_piece(struct sse_parse *s, struct str in, struct events *e)
{
    const char *end = in.p + in.n;
    struct str part;
    for (enum sse_item item; (item = sse_parse_next(s, &in, &part)) != SSE_NONE;) {
        must(in.p <= end);
        if (item == SSE_DATA)
            must(buf_add_str(&e->text, part));
        else
            must(buf_printf(&e->text, "\x01%.*s\x02", STR_ARG(sse_parse_name(s))));
    }
    must(in.n == 0);
}

static void parse_end(struct sse_parse *s, struct events *e)
{
    if (sse_parse_end(s))
        must(buf_printf(&e->text, "\x01%.*s\x03", STR_ARG(sse_parse_name(s))));
}

static void parse(struct events *e, const uint8_t *p, size_t n, uint64_t seed)
{
    struct sse_parse s;
    struct split split;
    struct str piece;
    buf_init(&e->text, 1 << 24);
    sse_parse_init(&s);
    split_begin(&split, p, n, seed);
    while (split_next(&split, &piece))
        parse_piece(&s, piece, e);
    parse_end(&s, e);
}

/* As a relay: holds what is not whole, parses what is passed on. */
static void relay(struct events *e, struct buf *passed, uint32_t *events, const uint8_t *p, size_t n, uint64_t seed)
{
    struct sse_parse s;
    struct sse_frame f;
    struct split split;
    struct str piece;
    struct buf held;
    buf_init(&held, 1 << 24);
    buf_init(&e->text, 1 << 24);
    sse_parse_init(&s);
    sse_frame_init(&f);
    split_begin(&split, p, n, seed);
    while (split_next(&split, &piece)) {
        must(buf_add_str(&held, piece));
        size_t whole = sse_frame_whole(&f, buf_str(&held), events);
        must(buf_add_str(passed, str_head(buf_str(&held), whole)));
        parse_piece(&s, str_head(buf_str(&held), whole), e);
        buf_take(&held, whole);
        if (buf_size(&held) > 100) {
            sse_frame_passed(&f, 50);
            must(buf_add_str(passed, str_head(buf_str(&held), 50)));
            parse_piece(&s, str_head(buf_str(&held), 50), e);
            buf_take(&held, 50);
        }
    }
    must(buf_add_str(passed, buf_str(&held)));
    parse_piece(&s, buf_str(&held), e);
    parse_end(&s, e);
    buf_free(&held);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    if (n == 0)
        return 0;
    struct events whole, split, framed;
    struct buf passed;
    uint32_t events = 0, again = 0;
    parse(&whole, p + 1, n - 1, 0);
    parse(&split, p + 1, n - 1, 1u + p[0]);
    must(str_eq(buf_str(&whole.text), buf_str(&split.text)));

    buf_init(&passed, 1 << 24);
    relay(&framed, &passed, &events, p + 1, n - 1, 1u + p[0]);
    must(str_eq(buf_str(&whole.text), buf_str(&framed.text)));
    must(str_eq(buf_str(&passed), str_of((const char *)p + 1, n - 1)));
    buf_free(&framed.text);
    buf_reset(&passed);
    relay(&framed, &passed, &again, p + 1, n - 1, 0);
    must(events == again);

    buf_free(&passed);
    buf_free(&whole.text);
    buf_free(&split.text);
    buf_free(&framed.text);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Event streams: every form of line end and field, each cut at every byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/must.h"
#include "openai/sse.h"

/* `events` is "name=data;" for each; '+' behind the last says that no empty line ended it. */
static const struct {
    const char *stream, *events;
    uint32_t frames; /* ends counted by sse_frame */
    int tail;        /* bytes behind the last whole event */
} rows[] = {
    {"", "", 0, 0},
    {"data: a\n\n", "=a;", 1, 0},
    {"data:a\n\n", "=a;", 1, 0},
    {"data:  a \n\n", "= a ;", 1, 0},
    {"data: a\r\n\r\n", "=a;", 1, 0},
    {"data: a\r\r", "=a;", 1, 0},
    {"data: a\r\n\n", "=a;", 1, 0},
    {"data: a\n\r\n", "=a;", 1, 0},
    {"data: a\r\n\rdata: b\n\n", "=a;=b;", 2, 0},
    {"data: a\n\ndata: b\n\n", "=a;=b;", 2, 0},
    {"event: x\ndata: a\n\n", "x=a;", 1, 0},
    {"data: a\nevent: x\n\n", "x=a;", 1, 0},
    {"event:x\nevent: y\ndata: a\n\n", "y=a;", 1, 0},
    {"event: x\n\ndata: a\n\n", "=a;", 2, 0},
    {"event: x\ndata: a\n\ndata: b\n\n", "x=a;=b;", 2, 0},
    {"event\ndata: a\n\n", "=a;", 1, 0},
    {"data: a\ndata: b\n\n", "=a\nb;", 1, 0},
    {"data: a\rdata: b\r\ndata: c\n\n", "=a\nb\nc;", 1, 0},
    {"data: a\ndata\ndata:\n\n", "=a\n\n;", 1, 0},
    {"data\n\n", "=;", 1, 0},
    {"data:\n\n", "=;", 1, 0},
    {"data: \n\n", "=;", 1, 0},
    {": comment\n\n", "", 1, 0},
    {":\n\ndata: a\n\n", "=a;", 2, 0},
    {": ping\ndata: a\n: pong\n\n", "=a;", 1, 0},
    {"id: 1\nretry: 5\ndata: a\n\n", "=a;", 1, 0},
    {"dat: x\ndataa: y\nDATA: z\n data: w\ne: v\nevents: u\ndata: a\n\n", "=a;", 1, 0},
    {"\n\n\n", "", 0, 0},
    {"\r\n\r\ndata: a\n\n", "=a;", 1, 0},
    {"\xef\xbb\xbf"
     "data: a\n\n",
     "=a;", 1, 0},
    {"\xef\xbb\xbf\xef\xbb\xbf"
     "data: a\n\ndata: b\n\n",
     "=b;", 2, 0},
    {"\xef\xbb"
     "data: a\n\ndata: b\n\n",
     "=b;", 2, 0},
    {"data: \xef\xbb\xbf"
     "a\n\n",
     "=\xef\xbb\xbf"
     "a;",
     1, 0},
    {"data: a", "=a;+", 0, 7},
    {"data: a\n", "=a;+", 0, 8},
    {"data: a\r", "=a;+", 0, 8},
    {"data: a\n\ndata: b", "=a;=b;+", 1, 7},
    {"event: x\ndata", "x=;+", 0, 13},
    {"event: x\n", "", 0, 9},
    {"da", "", 0, 2},
    {": c", "", 0, 3},
    {"data: {\"a\":\"b: c\"}\n\n", "={\"a\":\"b: c\"};", 1, 0},
    {"data: [DONE]\n\n", "=[DONE];", 1, 0},
    {"data: 0123456789012345678901234567890123456789\n\n", "=0123456789012345678901234567890123456789;", 1, 0},
    {"event: a.name.that.is.longer.than.forty.bytes.in.all\ndata: a\n\n", "a.name.that.is.longer.than.forty.bytes.i=a;",
     1, 0},
    {"data: a\n\n\n\ndata: b\n\n", "=a;=b;", 2, 0},
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

/* A copy of exactly that size, so that a sanitizer sees a read beyond it. */
static struct str tight(struct str s)
{
    char *p = mem_alloc(s.n ? s.n : 1);
    memcpy(p, s.p, s.n);
    return str_of(p, s.n);
}

static void parse(struct sse_parse *s, struct str piece, struct buf *data, struct buf *out)
{
    struct str in = tight(piece), part;
    char *from = (char *)(uintptr_t)in.p;
    for (enum sse_item item; (item = sse_parse_next(s, &in, &part)) != SSE_NONE;) {
        if (item == SSE_DATA) {
            must(buf_add_str(data, part));
            continue;
        }
        must(buf_printf(out, "%.*s=%.*s;", STR_ARG(sse_parse_name(s)), STR_ARG(buf_str(data))));
        buf_reset(data);
    }
    mem_free(from);
}

static void check_events(struct str stream, size_t first, size_t step, const char *events)
{
    struct sse_parse s;
    struct buf data, out;
    buf_init(&data, 4096);
    buf_init(&out, 4096);
    sse_parse_init(&s);
    parse(&s, str_head(stream, first), &data, &out);
    for (struct str rest = str_from(stream, first); rest.n > 0; rest = str_from(rest, step))
        parse(&s, str_head(rest, step), &data, &out);
    if (sse_parse_end(&s))
        must(buf_printf(&out, "%.*s=%.*s;+", STR_ARG(sse_parse_name(&s)), STR_ARG(buf_str(&data))));
    if (!str_eq(buf_str(&out), str_c(events))) {
        print_error("stream %.*s\ncut at %zu, then each %zu\ngot      %.*s\nexpected %s\n", STR_ARG(stream), first,
                    step, STR_ARG(buf_str(&out)), events);
        fail();
    }
    buf_free(&data);
    buf_free(&out);
}

static void events_do_not_depend_on_splits(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS; i++) {
        struct str stream = str_c(rows[i].stream);
        for (size_t first = 0; first <= stream.n; first++)
            for (size_t step = 1; step <= stream.n + 1; step += first % 3 ? 1 : stream.n + 1)
                check_events(stream, first, step, rows[i].events);
    }
}

/* Passes the stream through a relay that holds what is not whole; returns the number of ends. */
static uint32_t relay(struct str stream, size_t step, struct buf *passed, size_t *ret_held)
{
    struct sse_frame f;
    struct buf held;
    uint32_t events = 0;
    buf_init(&held, 4096);
    sse_frame_init(&f);
    for (; stream.n > 0; stream = str_from(stream, step)) {
        must(buf_add_str(&held, str_head(stream, step)));
        struct str copy = tight(buf_str(&held));
        size_t whole = sse_frame_whole(&f, copy, &events);
        mem_free((char *)(uintptr_t)copy.p);
        must(buf_add_str(passed, str_head(buf_str(&held), whole)));
        buf_take(&held, whole);
        /* Nothing new: nothing is whole. */
        assert_int_equal(sse_frame_whole(&f, buf_str(&held), &events), 0);
    }
    *ret_held = buf_size(&held);
    must(buf_add_str(passed, buf_str(&held)));
    buf_free(&held);
    return events;
}

static void frames_are_whole_events_and_lose_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS; i++) {
        struct str stream = str_c(rows[i].stream);
        for (size_t step = 1; step <= stream.n + 1; step++) {
            struct buf passed;
            buf_init(&passed, 4096);
            size_t held = 0;
            assert_int_equal(relay(stream, step, &passed, &held), rows[i].frames);
            assert_int_equal(held, rows[i].tail);
            assert_true(str_eq(buf_str(&passed), stream));
            buf_free(&passed);
        }
    }
}

static void each_frame_holds_one_event_when_they_come_singly(void **state)
{
    (void)state;
    struct sse_frame f;
    sse_frame_init(&f);
    assert_int_equal(sse_frame_whole(&f, STR("data: a\r\n\r"), NULL), 10);
    /* The LF of the CRLF that ended it comes with the next one. */
    assert_int_equal(sse_frame_whole(&f, STR("\n"), NULL), 1);
    assert_int_equal(sse_frame_whole(&f, STR("data: b\n"), NULL), 0);
    assert_int_equal(sse_frame_whole(&f, STR("data: b\n\n"), NULL), 9);
    assert_int_equal(sse_frame_whole(&f, STR("data: c\n\nda"), NULL), 9);
    assert_int_equal(sse_frame_whole(&f, STR("data: d\n\n"), NULL), 9);
}

static void a_frame_too_long_to_hold_can_be_passed_in_parts(void **state)
{
    (void)state;
    struct sse_frame f;
    uint32_t events = 0;
    sse_frame_init(&f);
    assert_int_equal(sse_frame_whole(&f, STR("data: 0123456789"), &events), 0);
    sse_frame_passed(&f, 16);
    assert_int_equal(sse_frame_whole(&f, STR("0123456789\n"), &events), 0);
    sse_frame_passed(&f, 11);
    assert_int_equal(sse_frame_whole(&f, STR("\ndata: b\n\n"), &events), 10);
    assert_int_equal(events, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_do_not_depend_on_splits),
        cmocka_unit_test(frames_are_whole_events_and_lose_nothing),
        cmocka_unit_test(each_frame_holds_one_event_when_they_come_singly),
        cmocka_unit_test(a_frame_too_long_to_hold_can_be_passed_in_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

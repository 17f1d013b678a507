/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The scanner against a file of valid and invalid documents, and everything it reports against
 * itself under every split: what is said of a document must not depend on how it arrives.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/json_scan.h"
#include "base/json_text.h"
#include "base/mem.h"
#include "base/must.h"
#include "base/str.h"

/* Ids are the places in this list, from 1. */
static const char *const names[] = {
    "",
    "a",
    "b",
    "c",
    "a.b",
    "a.b.c",
    "a[]",
    "a[].d",
    "a[][]",
    "[]",
    "[].a",
    "[][]",
    "usage.prompt_tokens",
    "{",
    "long_name_of_a_member",
};
#define NAMES (sizeof(names) / sizeof(names[0]))

static struct json_watch *watch;

static int make_watch(void **state)
{
    (void)state;
    struct json_path paths[NAMES];
    for (size_t i = 0; i < NAMES; i++)
        paths[i] = (struct json_path){names[i], (uint16_t)(i + 1)};
    watch = json_watch_new(paths, NAMES);
    return 0;
}

static int free_watch(void **state)
{
    (void)state;
    json_watch_free(watch);
    return 0;
}

/* --- Transcripts -------------------------------------------------------------------------------- */

struct transcript {
    struct buf text;
    bool inside; /* a string's first piece was written, its last not */
    size_t line; /* where the last report begins in the text */
    size_t pieces;
};

static void note(void *arg, const struct json_value *v)
{
    struct transcript *t = arg;
    static const char *const kinds[] = {"null", "false", "true", "number", "string", "{", "[", "}", "]"};
    assert_int_equal(t->inside, !(v->flags & JSON_FIRST) && v->kind != JSON_OBJECT_END && v->kind != JSON_ARRAY_END);
    if (!t->inside)
        t->line = buf_size(&t->text);
    if (!t->inside)
        must(buf_printf(&t->text, "%s %s @%d key %d%s: ", names[v->id - 1], kinds[v->kind], (int)v->start,
                        (int)v->key_start, v->flags & JSON_DUPLICATE ? " again" : ""));
    must(buf_add_str(&t->text, v->raw));
    t->pieces++;
    t->inside = !(v->flags & JSON_LAST) && v->kind == JSON_STRING;
    assert_int_equal(v->flags & JSON_LAST ? v->end > v->start : v->end == 0, 1);
    if (!t->inside)
        must(buf_printf(&t->text, " end %d%s%s%s\n", (int)v->end, v->flags & JSON_ESCAPED ? " escaped" : "",
                        v->flags & JSON_TRUNCATED ? " truncated" : "", v->flags & JSON_EMPTY ? " empty" : ""));
}

static void transcript_init(struct transcript *t)
{
    *t = (struct transcript){0};
    buf_init(&t->text, 1 << 24);
}

static void transcript_end(struct transcript *t, struct json_scan *s)
{
    static const char *const results[] = {"incomplete", "complete", "malformed"};
    enum json_status status = json_scan_end(s);
    assert_int_equal(status, json_scan_status(s));
    /* A string that never ended may have been reported up to any place, or not at all. */
    if (t->inside)
        buf_cut(&t->text, t->line);
    must(buf_printf(&t->text, "%s at %d", results[status], (int)json_scan_error_at(s)));
}

/* Feeds a copy of exactly the piece's size, so that a sanitizer sees a read beyond it. */
static void feed(struct json_scan *s, struct str piece)
{
    char *copy = mem_alloc(piece.n + 1);
    memcpy(copy, piece.p, piece.n);
    char *tight = mem_realloc(copy, piece.n ? piece.n : 1);
    json_scan_feed(s, tight, piece.n);
    mem_free(tight);
}

/* The document in pieces of `step` bytes, the first one of `first` bytes. */
static void transcribe(struct str doc, size_t first, size_t step, struct transcript *t)
{
    struct json_scan s;
    json_scan_init(&s, watch, note, t);
    feed(&s, str_head(doc, first));
    for (struct str rest = str_from(doc, first); rest.n > 0; rest = str_from(rest, step))
        feed(&s, str_head(rest, step));
    transcript_end(t, &s);
}

static void assert_same(const struct transcript *a, const struct transcript *b, struct str doc, size_t at)
{
    struct str x = buf_str(&a->text), y = buf_str(&b->text);
    if (str_eq(x, y))
        return;
    print_error("document %.*s\nsplit at %zu\nwhole:\n%.*s\nsplit:\n%.*s\n", STR_ARG(doc), at, STR_ARG(x), STR_ARG(y));
    fail();
}

static void check_splits(struct str doc)
{
    struct transcript whole;
    transcript_init(&whole);
    transcribe(doc, doc.n, 1, &whole);
    for (size_t at = 0; at <= doc.n; at++) {
        struct transcript split;
        transcript_init(&split);
        if (at == 0)
            transcribe(doc, 0, 1, &split);
        else if (at == doc.n)
            transcribe(doc, 0, 7, &split);
        else
            transcribe(doc, at, doc.n, &split);
        assert_same(&whole, &split, doc, at);
        buf_free(&split.text);
    }
    buf_free(&whole.text);
}

static void expect(const char *doc, const char *transcript)
{
    struct transcript t;
    transcript_init(&t);
    transcribe(str_c(doc), strlen(doc), 1, &t);
    must(buf_add_byte(&t.text, '\0'));
    assert_string_equal(buf_str(&t.text).p, transcript);
    buf_free(&t.text);
    check_splits(str_c(doc));
}

/* --- The file of cases -------------------------------------------------------------------------- */

/* Undoes the %XX of the file. */
static struct str decode(struct str text, struct buf *out)
{
    buf_reset(out);
    while (text.n > 0) {
        uint64_t code = (unsigned char)text.p[0];
        size_t n = 1;
        if (code == '%') {
            assert_true(str_hex_to_u64(str_head(str_from(text, 1), 2), &code));
            n = 3;
        }
        must(buf_add_byte(out, (char)code));
        text = str_from(text, n);
    }
    return buf_str(out);
}

static void for_each_case(void (*check)(struct str doc, bool valid))
{
    FILE *f = fopen("test/golden/json_cases.txt", "r");
    assert_non_null(f);
    char line[1024];
    size_t cases = 0;
    struct buf doc;
    buf_init(&doc, sizeof(line));
    while (fgets(line, sizeof(line), f)) {
        struct str text = str_c(line);
        if (line[0] == '#')
            continue;
        assert_true(str_ends(text, STR("|\n")));
        check(decode(str_head(str_from(text, 2), text.n - 4), &doc), line[0] == 'y');
        cases++;
    }
    fclose(f);
    buf_free(&doc);
    assert_true(cases >= 300);
}

static void check_verdict(struct str doc, bool valid)
{
    struct json_scan s;
    json_scan_init(&s, NULL, NULL, NULL);
    feed(&s, doc);
    if ((json_scan_end(&s) == JSON_COMPLETE) != valid) {
        print_error("wrong about %.*s\n", STR_ARG(doc));
        fail();
    }
}

static void check_case_splits(struct str doc, bool valid)
{
    (void)valid;
    check_splits(doc);
    /* The same inside a watched and an unwatched member. */
    struct buf b;
    buf_init(&b, 4096);
    must(buf_printf(&b, "{\"a\":%.*s,\"zzz\":%.*s}", STR_ARG(doc), STR_ARG(doc)));
    check_splits(buf_str(&b));
    buf_free(&b);
}

static void valid_is_told_from_invalid(void **state)
{
    (void)state;
    for_each_case(check_verdict);
}

static void reports_do_not_depend_on_splits(void **state)
{
    (void)state;
    for_each_case(check_case_splits);
}

/* --- Reports ------------------------------------------------------------------------------------ */

static void values_are_reported_with_their_places(void **state)
{
    (void)state;
    expect("{\"a\":{\"b\":{\"c\":1.5}},\"x\":{\"a\":2}, \"b\" : \"t\\\"\"}",
           " { @0 key 0: { end 0\n"
           "a { @5 key 1: { end 0\n"
           "a.b { @10 key 6: { end 0\n"
           "a.b.c number @15 key 11: 1.5 end 18\n"
           "a.b } @18 key 18: } end 19\n"
           "a } @19 key 19: } end 20\n"
           "b string @40 key 34: t\\\" end 45 escaped\n"
           " } @45 key 45: } end 46\n"
           "complete at 46");
}

static void elements_are_reported_one_by_one(void **state)
{
    (void)state;
    expect("{\"a\":[1,{\"d\":null},[true,[]],\"s\"]}", " { @0 key 0: { end 0\n"
                                                       "a [ @5 key 1: [ end 0\n"
                                                       "a[] number @6 key 6: 1 end 7\n"
                                                       "a[] { @8 key 8: { end 0\n"
                                                       "a[].d null @13 key 9: null end 17\n"
                                                       "a[] } @17 key 17: } end 18\n"
                                                       "a[] [ @19 key 19: [ end 0\n"
                                                       "a[][] true @20 key 20: true end 24\n"
                                                       "a[][] [ @25 key 25: [ end 0\n"
                                                       "a[][] ] @26 key 26: ] end 27 empty\n"
                                                       "a[] ] @27 key 27: ] end 28\n"
                                                       "a[] string @29 key 29: s end 32\n"
                                                       "a ] @32 key 32: ] end 33\n"
                                                       " } @33 key 33: } end 34\n"
                                                       "complete at 34");
}

static void a_document_may_be_an_array_or_a_scalar(void **state)
{
    (void)state;
    expect("[{\"a\":false},[0]]", " [ @0 key 0: [ end 0\n"
                                  "[] { @1 key 1: { end 0\n"
                                  "[].a false @6 key 2: false end 11\n"
                                  "[] } @11 key 11: } end 12\n"
                                  "[] [ @13 key 13: [ end 0\n"
                                  "[][] number @14 key 14: 0 end 15\n"
                                  "[] ] @15 key 15: ] end 16\n"
                                  " ] @16 key 16: ] end 17\n"
                                  "complete at 17");
    expect(" 12 ", " number @1 key 1: 12 end 3\ncomplete at 4");
    expect("12", " number @0 key 0: 12 end 2\ncomplete at 2");
    expect("\"x\"", " string @0 key 0: x end 3\ncomplete at 3");
    expect("-", "incomplete at 1");
}

static void names_are_compared_unescaped(void **state)
{
    (void)state;
    expect("{\"\\u0061\":1,\"\\u0061\\u002e\":2,\"\\u007b\":3}", " { @0 key 0: { end 0\n"
                                                                 "a number @10 key 1: 1 end 11\n"
                                                                 "{ number @38 key 29: 3 end 39\n"
                                                                 " } @39 key 39: } end 40\n"
                                                                 "complete at 40");
    expect("{\"\\u006c\\u006f\\u006e\\u0067\\u005f\\u006e\\u0061\\u006d\\u0065\\u005f\\u006f\\u0066_a_member\":1}",
           " { @0 key 0: { end 0\n"
           "long_name_of_a_member number @85 key 1: 1 end 86\n"
           " } @86 key 86: } end 87\n"
           "complete at 87");
    expect("{\"usa\\u0067e\":{\"prompt_token\\u0073\":7}}", " { @0 key 0: { end 0\n"
                                                            "usage.prompt_tokens number @36 key 15: 7 end 37\n"
                                                            " } @38 key 38: } end 39\n"
                                                            "complete at 39");
}

static void similar_names_are_not_taken(void **state)
{
    (void)state;
    static const char *const docs[] = {
        "{\"A\":1}",
        "{\"aa\":1}",
        "{\"\":1}",
        "{\"a\\u0000\":1}",
        "{\"\\u00e1\":1}",
        "{\"a \":1}",
        "{\"a.b\":1}",
        "{\"a[]\":1}",
        "{\"[]\":1}",
        "{\"\\\\u0061\":1}",
        "{\"\xc3\xa1\":1}",
        "{\"usage.prompt_tokens\":1}",
        "{\"long_name_of_b_member\":1}",
        "{\"\\ud83d\\ude00\":1}",
        "{\"\\n\":1}",
    };
    for (size_t i = 0; i < sizeof(docs) / sizeof(docs[0]); i++) {
        struct transcript t;
        transcript_init(&t);
        transcribe(str_c(docs[i]), 100, 1, &t);
        assert_int_equal(t.pieces, 2);
        buf_free(&t.text);
        check_splits(str_c(docs[i]));
    }
}

static void duplicates_are_marked_in_each_object(void **state)
{
    (void)state;
    expect("{\"b\":1,\"a\":{\"b\":1},\"b\":2,\"a\":{\"b\":2,\"\\u0062\":3}}", " { @0 key 0: { end 0\n"
                                                                              "b number @5 key 1: 1 end 6\n"
                                                                              "a { @11 key 7: { end 0\n"
                                                                              "a.b number @16 key 12: 1 end 17\n"
                                                                              "a } @17 key 17: } end 18\n"
                                                                              "b number @23 key 19 again: 2 end 24\n"
                                                                              "a { @29 key 25 again: { end 0\n"
                                                                              "a.b number @34 key 30: 2 end 35\n"
                                                                              "a.b number @45 key 36 again: 3 end 46\n"
                                                                              "a } @46 key 46: } end 47\n"
                                                                              " } @47 key 47: } end 48\n"
                                                                              "complete at 48");
    /* Each element is an object of its own. */
    expect("[{\"a\":1},{\"a\":2}]", " [ @0 key 0: [ end 0\n"
                                    "[] { @1 key 1: { end 0\n"
                                    "[].a number @6 key 2: 1 end 7\n"
                                    "[] } @7 key 7: } end 8\n"
                                    "[] { @9 key 9: { end 0\n"
                                    "[].a number @14 key 10: 2 end 15\n"
                                    "[] } @15 key 15: } end 16\n"
                                    " ] @16 key 16: ] end 17\n"
                                    "complete at 17");
}

static void what_was_complete_before_an_error_is_reported(void **state)
{
    (void)state;
    expect("{\"a\":1,\"b\":tru}", " { @0 key 0: { end 0\na number @5 key 1: 1 end 6\nmalformed at 14");
    expect("{\"a\":1,\"b\":\"x\n", " { @0 key 0: { end 0\na number @5 key 1: 1 end 6\nmalformed at 13");
    expect("{\"a\":01}", " { @0 key 0: { end 0\na number @5 key 1: 0 end 6\nmalformed at 6");
}

static void bytes_after_an_error_are_ignored(void **state)
{
    (void)state;
    struct json_scan s;
    json_scan_init(&s, NULL, NULL, NULL);
    assert_int_equal(json_scan_feed(&s, "[1}", 3), JSON_MALFORMED);
    assert_int_equal(json_scan_feed(&s, "]", 1), JSON_MALFORMED);
    assert_int_equal(json_scan_error_at(&s), 2);
    json_scan_reset(&s);
    assert_int_equal(json_scan_feed(&s, "[1]", 3), JSON_COMPLETE);
    assert_int_equal(json_scan_feed(&s, " \n", 2), JSON_COMPLETE);
    assert_int_equal(json_scan_feed(&s, "x", 1), JSON_MALFORMED);
}

/* 180 bytes. */
#define TEXT                                                                           \
    "the quick brown fox jumps over the lazy dog, who does not care at all and "       \
    "sleeps on until the sun is down and the fox has gone home to her young ones, as " \
    "foxes do in tales of that kind"

/* --- Long strings ------------------------------------------------------------------------------- */

/* Fails when a piece could not be unescaped by itself. */
static void unescape_piece(void *arg, const struct json_value *v)
{
    struct buf *out = arg;
    if (v->kind == JSON_STRING)
        must(json_unescape_buf(v->raw, out));
}

static void pieces_never_cut_an_escape(void **state)
{
    (void)state;
    static const char *const units[] = {"x",    "\\n",      "\\u00e9", "\\ud83d\\ude00", "\\ud83d", "\\ude00",
                                        "\\\\", "\xc3\xa9", "\\\""};
    struct buf doc, whole, split;
    buf_init(&doc, 4096);
    buf_init(&whole, 4096);
    buf_init(&split, 4096);
    for (unsigned seed = 1; seed < 300; seed++) {
        buf_reset(&doc);
        must(buf_add_str(&doc, STR("{\"a\":\"")));
        unsigned r = seed;
        for (unsigned i = 0; i < 20 + seed % 60; i++, r = r * 1103515245u + 12345u)
            must(buf_add_str(&doc, str_c(units[(r >> 16) % (sizeof(units) / sizeof(units[0]))])));
        must(buf_add_str(&doc, STR("\"}")));
        struct str text = buf_str(&doc);
        buf_reset(&whole);
        must(json_unescape_buf(str_head(str_from(text, 6), text.n - 8), &whole));
        for (size_t step = 1; step < 90; step++) {
            struct json_scan s;
            json_scan_init(&s, watch, unescape_piece, &split);
            buf_reset(&split);
            for (struct str rest = text; rest.n > 0; rest = str_from(rest, step))
                feed(&s, str_head(rest, step));
            assert_int_equal(json_scan_end(&s), JSON_COMPLETE);
            assert_true(str_eq(buf_str(&split), buf_str(&whole)));
        }
    }
    buf_free(&doc);
    buf_free(&whole);
    buf_free(&split);
}

/* Strings are walked in blocks of 16 and 64 bytes: an escape may stand anywhere in one, or across two. */
static void escapes_are_seen_at_every_place(void **state)
{
    (void)state;
    static const struct {
        const char *escape;
        int wrong; /* the byte of it that can not be there, -1: none */
    } rows[] = {{"\\n", -1},          {"\\\"", -1}, {"\\\\", -1},   {"\\u00e9", -1}, {"\\ud83d\\ude00", -1},
                {"\\\\\\\"\\\\", -1}, {"\\x", 1},   {"\\u00g9", 4}, {"\\u0_", 3},    {"\n", 0},
                {"\\\\\\z", 3},       {"\x1f", 0},  {"\\\t", 1}};
    char doc[400];
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        size_t n = strlen(rows[i].escape);
        for (size_t at = 0; at < 170; at++) {
            int size = snprintf(doc, sizeof(doc), "{\"a\":\"%.*s%s%.*s\"}", (int)at, TEXT, rows[i].escape, 170, TEXT);
            struct json_scan s;
            struct transcript t;
            transcript_init(&t);
            json_scan_init(&s, watch, note, &t);
            feed(&s, str_of(doc, (size_t)size));
            assert_int_equal(json_scan_end(&s), rows[i].wrong < 0 ? JSON_COMPLETE : JSON_MALFORMED);
            if (rows[i].wrong >= 0)
                assert_int_equal(json_scan_error_at(&s), 6 + at + (size_t)rows[i].wrong);
            else
                assert_true(str_search(buf_str(&t.text), str_of(doc + 6, at + n + 170)) > 0);
            buf_free(&t.text);
        }
    }
}

static void short_strings_come_in_one_piece(void **state)
{
    (void)state;
    for (size_t n = 0; n <= JSON_JOIN_MAX + 1; n++) {
        char doc[JSON_JOIN_MAX + 10];
        int size = snprintf(doc, sizeof(doc), "{\"a\":\"%0*d\"}", (int)n, 0);
        if (n == 0)
            size = snprintf(doc, sizeof(doc), "{\"a\":\"\"}");
        struct transcript t;
        transcript_init(&t);
        transcribe(str_of(doc, (size_t)size), 1, 1, &t);
        if (n <= JSON_JOIN_MAX)
            assert_int_equal(t.pieces, 3); /* the object's begin and end, the string */
        else
            assert_true(t.pieces > 3);
        buf_free(&t.text);
    }
}

static void a_long_string_costs_no_memory(void **state)
{
    (void)state;
    struct transcript t;
    transcript_init(&t);
    struct json_scan s;
    json_scan_init(&s, watch, note, &t);
    json_scan_feed(&s, "{\"a\":\"", 6);
    char block[1000];
    memset(block, 'A', sizeof(block));
    for (int i = 0; i < 1000; i++)
        json_scan_feed(&s, block, sizeof(block));
    assert_int_equal(json_scan_feed(&s, "\"}", 2), JSON_COMPLETE);
    /* A million bytes, all of them, and each block at once. */
    assert_in_range(buf_size(&t.text), 1000000, 1000200);
    assert_in_range(t.pieces, 1000, 1010);
    buf_free(&t.text);
}

static void long_numbers_are_marked_and_checked(void **state)
{
    (void)state;
    char doc[300];
    for (int n = JSON_JOIN_MAX - 2; n < JSON_JOIN_MAX + 3; n++) {
        int size = snprintf(doc, sizeof(doc), "{\"a\":1%0*d,\"b\":1}", n - 1, 0);
        check_splits(str_of(doc, (size_t)size));
        struct transcript t;
        transcript_init(&t);
        transcribe(str_of(doc, (size_t)size), 9, 1, &t);
        assert_int_equal(str_search(buf_str(&t.text), STR("truncated")) >= 0, n > JSON_JOIN_MAX);
        buf_free(&t.text);
    }
    int size = snprintf(doc, sizeof(doc), "{\"a\":1%0200dx}", 0);
    check_splits(str_of(doc, (size_t)size));
}

/* --- Depth -------------------------------------------------------------------------------------- */

/* The status of `depth` times `open`, then `middle`, then as many `close`. */
static enum json_status nested(size_t depth, const char *open, const char *middle, const char *close, size_t step)
{
    struct buf b;
    buf_init(&b, 1 << 20);
    for (size_t i = 0; i < depth; i++)
        must(buf_add_str(&b, str_c(open)));
    must(buf_add_str(&b, str_c(middle)));
    for (size_t i = 0; i < depth; i++)
        must(buf_add_str(&b, str_c(close)));
    struct json_scan s;
    json_scan_init(&s, NULL, NULL, NULL);
    for (struct str rest = buf_str(&b); rest.n > 0; rest = str_from(rest, step))
        feed(&s, str_head(rest, step));
    buf_free(&b);
    return json_scan_end(&s);
}

static void depth_is_bounded(void **state)
{
    (void)state;
    static const size_t steps[] = {1, 3, 100000};
    for (size_t i = 0; i < 3; i++) {
        size_t step = steps[i];
        assert_int_equal(nested(JSON_DEPTH_STRICT - 1, "[", "1", "]", step), JSON_COMPLETE);
        assert_int_equal(nested(JSON_DEPTH_STRICT, "[", "1", "]", step), JSON_COMPLETE);
        assert_int_equal(nested(JSON_DEPTH_STRICT + 1, "[", "1", "]", step), JSON_COMPLETE);
        assert_int_equal(nested(500, "{\"a\":", "\"]}\\\"\"", "}", step), JSON_COMPLETE);
        assert_int_equal(nested(500, "{\"a\":", "\"]}\n\"", "}", step), JSON_MALFORMED);
        assert_int_equal(nested(500, "[{\"\":", "1", "}]", step), JSON_COMPLETE);
        assert_int_equal(nested(JSON_DEPTH_STRICT, "[", "1", "}", step), JSON_MALFORMED);
        assert_int_equal(nested(JSON_DEPTH_MAX, "[", "", "]", step), JSON_COMPLETE);
        assert_int_equal(nested(JSON_DEPTH_MAX + 1, "[", "", "]", step), JSON_MALFORMED);
        assert_int_equal(nested(100000, "[", "", "", step), JSON_MALFORMED);
        assert_int_equal(nested(9000, "[", "", "", step), JSON_INCOMPLETE);
    }
}

static void values_behind_a_deep_one_are_seen(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 1 << 16);
    must(buf_add_str(&b, STR("{\"x\":")));
    for (int i = 0; i < 400; i++)
        must(buf_add_str(&b, STR("[{\"a\":\"[\",\"y\":")));
    must(buf_add_str(&b, STR("0")));
    for (int i = 0; i < 400; i++)
        must(buf_add_str(&b, STR("}]")));
    must(buf_add_str(&b, STR(",\"a\":5}")));
    struct transcript t;
    transcript_init(&t);
    transcribe(buf_str(&b), 1, 1, &t);
    assert_true(str_search(buf_str(&t.text), STR("a number @6411 key 6407: 5 end 6412\n")) > 0);
    assert_int_equal(t.pieces, 3);
    buf_free(&t.text);
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(valid_is_told_from_invalid),
        cmocka_unit_test(reports_do_not_depend_on_splits),
        cmocka_unit_test(values_are_reported_with_their_places),
        cmocka_unit_test(elements_are_reported_one_by_one),
        cmocka_unit_test(a_document_may_be_an_array_or_a_scalar),
        cmocka_unit_test(names_are_compared_unescaped),
        cmocka_unit_test(similar_names_are_not_taken),
        cmocka_unit_test(duplicates_are_marked_in_each_object),
        cmocka_unit_test(what_was_complete_before_an_error_is_reported),
        cmocka_unit_test(bytes_after_an_error_are_ignored),
        cmocka_unit_test(pieces_never_cut_an_escape),
        cmocka_unit_test(escapes_are_seen_at_every_place),
        cmocka_unit_test(short_strings_come_in_one_piece),
        cmocka_unit_test(a_long_string_costs_no_memory),
        cmocka_unit_test(long_numbers_are_marked_and_checked),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(values_behind_a_deep_one_are_seen),
    };
    return cmocka_run_group_tests(tests, make_watch, free_watch);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The scanner says the same of a document whole and in pieces. The first byte seeds the splits, the
 * rest is the document.
 */
#include "base/buf.h"
#include "base/json_scan.h"
#include "base/json_text.h"
#include "split.h"

static const struct json_path paths[] = {
    {"", 1},
    {"a", 2},
    {"b", 3},
    {"a.b", 4},
    {"a[]", 5},
    {"a[][]", 6},
    {"a[].b", 7},
    {"[]", 8},
    {"[].a", 9},
    {"model", 10},
    {"stream", 11},
    {"usage.prompt_tokens", 12},
    {"stream_options.include_usage", 13},
    {"choices[].delta.content", 14},
};

static struct json_watch *watch;

struct transcript {
    struct buf text;
    size_t line; /* where the last value begins */
    bool inside;
};

static void note(void *arg, const struct json_value *v)
{
    struct transcript *t = arg;
    if (!t->inside) {
        t->line = buf_size(&t->text);
        must(buf_printf(&t->text, "\n%d %d %d %llu %llu ", v->id, v->kind, v->flags & JSON_DUPLICATE,
                        (unsigned long long)v->start, (unsigned long long)v->key_start));
    }
    if (v->kind == JSON_STRING)
        must(json_unescape_buf(v->raw, &t->text));
    else
        must(buf_add_str(&t->text, v->raw));
    t->inside = v->kind == JSON_STRING && !(v->flags & JSON_LAST);
    if (!t->inside)
        must(buf_printf(&t->text, " %d %llu", v->flags & ~JSON_FIRST, (unsigned long long)v->end));
    uint64_t count;
    if (v->kind == JSON_NUMBER && json_to_count(v->raw, &count))
        must(count <= JSON_COUNT_MAX);
    must(json_code_points(v->raw) <= v->raw.n);
    json_string_eq(v->raw, STR("abc"));
}

static void transcribe(struct transcript *t, const uint8_t *p, size_t n, uint64_t seed)
{
    struct json_scan s;
    struct split split;
    struct str piece;
    buf_init(&t->text, 1 << 24);
    t->inside = false;
    json_scan_init(&s, watch, note, t);
    split_begin(&split, p, n, seed);
    while (split_next(&split, &piece))
        json_scan_feed(&s, piece.p, piece.n);
    enum json_status status = json_scan_end(&s);
    must(json_scan_error_at(&s) <= n);
    /* A string without an end is reported up to wherever the splits were. */
    must(!t->inside || status != JSON_COMPLETE);
    if (t->inside)
        buf_cut(&t->text, t->line);
    must(buf_printf(&t->text, "\n%d %llu", status, (unsigned long long)json_scan_error_at(&s)));
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    if (!watch)
        watch = json_watch_new(paths, sizeof(paths) / sizeof(paths[0]));
    if (n == 0)
        return 0;
    struct transcript whole, split;
    transcribe(&whole, p + 1, n - 1, 0);
    transcribe(&split, p + 1, n - 1, 1u + p[0]);
    must(str_eq(buf_str(&whole.text), buf_str(&split.text)));
    buf_free(&whole.text);
    buf_free(&split.text);
    return 0;
}

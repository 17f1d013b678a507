/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Long strings by wide blocks against the same strings by the other form: status, place of the fault,
 * escapes seen and the bytes reported must be the same, wherever a quote, an escape or a fault lies in
 * a block and wherever the chunks end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/json/wide.h"
#include "base/must.h"
#include "base/rng.h"

#define ROUNDS 20000
#define DOCUMENT_MAX 4096

static const struct json_path paths[] = {{"watched", 1}};
static struct json_watch *watch;

struct said {
    struct buf text;
    unsigned flags;
    enum json_status status;
    uint64_t at;
};

static void on_value(void *arg, const struct json_value *v)
{
    struct said *said = arg;
    said->flags |= v->flags & JSON_ESCAPED;
    must(buf_add_str(&said->text, v->raw));
}

static void scan(struct said *said, struct str document, size_t cut, wide_string_fn *form)
{
    struct json_scan s;
    wide_string = form;
    *said = (struct said){.flags = 0};
    buf_init(&said->text, DOCUMENT_MAX);
    json_scan_init(&s, watch, on_value, said);
    json_scan_feed(&s, document.p, cut);
    json_scan_feed(&s, document.p + cut, document.n - cut);
    said->status = json_scan_end(&s);
    said->at = json_scan_error_at(&s);
}

static void compare_form(struct str document, size_t cut, wide_string_fn *form)
{
    struct said a, b;
    scan(&a, document, cut, form);
    scan(&b, document, cut, NULL);
    if (a.status != b.status || a.at != b.at || a.flags != b.flags || !str_eq(buf_str(&a.text), buf_str(&b.text)))
        fail_msg("cut at %zu: status %d at %llu, not %d at %llu: %.*s", cut, a.status, (unsigned long long)a.at,
                 b.status, (unsigned long long)b.at, STR_ARG(document));
    buf_free(&a.text);
    buf_free(&b.text);
}

static void compare(struct str document, size_t cut)
{
    for (unsigned i = 0; i < wide_form_count; i++)
        compare_form(document, cut, wide_forms[i]);
}

static void a_mark_may_stand_anywhere_in_a_block(void **state)
{
    (void)state;
    static const char *const marks[] = {"\\n",       "\\\"",      "\\\\", "\\/",     "\\u00e9", "\\ud83d\\ude00",
                                        "\\\\\\\"",  "\\x",       "\\",   "\"",      "\n",      "\\u00g0",
                                        "\\n\\t\\r", "\\b\\f\\u", "\x7f", "\xc3\xa9"};
    char document[1024];
    for (size_t m = 0; m < sizeof marks / sizeof marks[0]; m++) {
        for (size_t at = 0; at < 330; at++) {
            struct str mark = str_c(marks[m]);
            size_t n = (size_t)snprintf(document, sizeof document, "{\"watched\":\"");
            memset(document + n, 'x', 500);
            memcpy(document + n + at, mark.p, mark.n);
            n += 500;
            memcpy(document + n, "\"}", 2);
            compare(str_of(document, n + 2), 0);
        }
    }
}

/* Prose with escapes of all kinds, now and then a bad one. */
static void add_random(struct buf *b, struct rng_seeded *rng, size_t n, bool faults)
{
    static const char *const good[] = {"\\n", "\\\"", "\\\\", "\\t", "\\u20ac", "\\ud83d\\ude00", "\\/"};
    static const char *const bad[] = {"\\x", "\n", "\\u12", "\\ud83dx", "\""};
    uint64_t rarity = 1 + rng_seeded_below(rng, 90);
    while (n--) {
        uint64_t dice = rng_seeded_below(rng, rarity * 8);
        const char *piece = "e";
        if (faults && rng_seeded_below(rng, 3000) == 0)
            piece = bad[rng_seeded_below(rng, sizeof bad / sizeof bad[0])];
        else if (dice < 7)
            piece = good[dice];
        must(buf_add_str(b, str_c(piece)));
    }
}

static void blocks_say_what_single_steps_say(void **state)
{
    (void)state;
    struct rng_seeded rng = {.state = 20260801};
    for (int i = 0; i < ROUNDS; i++) {
        struct buf b;
        buf_init(&b, 65536);
        must(buf_add_str(&b, i % 2 ? STR("{\"watched\":\"") : STR("{\"other\":\"")));
        add_random(&b, &rng, 100 + rng_seeded_below(&rng, 500), i % 3 == 0);
        must(buf_add_str(&b, STR("\",\"watched\":1}")));
        struct str document = buf_str(&b);
        compare(document, rng_seeded_below(&rng, document.n));
        buf_free(&b);
    }
}

static int prepare(void **state)
{
    (void)state;
    watch = json_watch_new(paths, 1);
    return 0;
}

static int finish(void **state)
{
    (void)state;
    json_watch_free(watch);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mark_may_stand_anywhere_in_a_block),
        cmocka_unit_test(blocks_say_what_single_steps_say),
    };
    return cmocka_run_group_tests(tests, prepare, finish);
}

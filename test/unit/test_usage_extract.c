/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers of every shape, from test/golden/usage_exchanges, and what the meter must say of each.
 * Every answer is fed whole, byte by byte, and cut at each byte; the result must be the same.
 *
 * A file holds cases of this form; "<<" and "==" stand alone on their lines:
 *
 *     case: name
 *     shape: CHAT          a row of USAGE_SHAPE_TABLE
 *     wire: SSE            JSON, SSE, MESSAGES (one message a line)
 *     cache: 12h           optional
 *     source reported      from here what is expected, as describe() below writes it
 *     …
 *     <<
 *     the bytes of the answer; a "\" at a line's end takes the line break away
 *     ==
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/must.h"
#include "openai/usage_meter.h"

#define FOLDER "test/golden/usage_exchanges"

static const char *const shapes[] = {
#define X(name, what) #name,
    USAGE_SHAPE_TABLE(X)
#undef X
};

struct exchange {
    char name[80];
    enum usage_shape shape;
    enum usage_wire wire;
    bool cache_12h;
    struct buf expected, body;
};

/* --- Feeding -------------------------------------------------------------------------------------- */

struct words {
    struct buf text[USAGE_TEXT_KIND_COUNT];
};

static void on_text(void *arg, enum usage_text_kind kind, struct str text)
{
    struct words *w = arg;
    assert_true(text.n > 0);
    must(buf_add_str(&w->text[kind], text));
}

static void words_init(struct words *w)
{
    for (int i = 0; i < USAGE_TEXT_KIND_COUNT; i++)
        buf_init(&w->text[i], 1 << 20);
}

static void words_free(struct words *w)
{
    for (int i = 0; i < USAGE_TEXT_KIND_COUNT; i++)
        buf_free(&w->text[i]);
}

static void feed_split(struct usage_meter *m, struct str bytes, size_t first, size_t step)
{
    usage_meter_feed(m, bytes.p, str_head(bytes, first).n);
    for (struct str rest = str_from(bytes, first); rest.n > 0; rest = str_from(rest, step))
        usage_meter_feed(m, rest.p, str_head(rest, step).n);
}

static void meter(const struct exchange *x, size_t first, size_t step, struct usage_meter *m, struct words *w)
{
    usage_meter_init(m, x->shape, x->wire, on_text, w);
    m->cache_12h = x->cache_12h;
    struct str body = buf_str(&x->body), line;
    if (x->wire != USAGE_WIRE_MESSAGES) {
        feed_split(m, body, first, step);
    } else {
        while (str_split(&body, '\n', &line)) {
            feed_split(m, line, first, step);
            usage_meter_message_end(m);
        }
    }
    usage_meter_end(m);
}

/* --- Describing ----------------------------------------------------------------------------------- */

static void describe_usage(struct buf *b, const struct usage *u, const char *before)
{
    must(buf_printf(b, "%ssource %s\n", before, usage_source_text(u->source)));
    for (unsigned i = 0; i < METER_COUNT; i++)
        if (u->quantity[i])
            must(buf_printf(b, "%s%s %llu\n", before, meter_info((enum meter)i)->text,
                            (unsigned long long)u->quantity[i]));
    if (u->input_total_tok || u->output_total_tok)
        must(buf_printf(b, "%stotals %llu %llu\n", before, (unsigned long long)u->input_total_tok,
                        (unsigned long long)u->output_total_tok));
    if (u->reasoning_tok)
        must(buf_printf(b, "%sreasoning %llu\n", before, (unsigned long long)u->reasoning_tok));
    if (u->prediction_accepted_tok || u->prediction_rejected_tok)
        must(buf_printf(b, "%sprediction %llu %llu\n", before, (unsigned long long)u->prediction_accepted_tok,
                        (unsigned long long)u->prediction_rejected_tok));
    if (u->inconsistent)
        must(buf_printf(b, "%sinconsistent\n", before));
}

static void describe_fact(struct buf *b, const char *name, const char *value)
{
    if (value[0])
        must(buf_printf(b, "%s %s\n", name, value));
}

static void describe_flags(struct buf *b, const struct usage_meter *m)
{
    static const char *const ends[] = {"done", "completed", "incomplete", "failed", "error"};
    for (unsigned i = 0; i < 5; i++)
        if (m->ends >> i & 1)
            must(buf_printf(b, "end %s\n", ends[i]));
    if (m->malformed)
        must(buf_printf(b, "malformed\n"));
    if (m->cut)
        must(buf_printf(b, "cut\n"));
    if (m->bad_number)
        must(buf_printf(b, "bad number\n"));
    if (m->items)
        must(buf_printf(b, "items %u\n", m->items));
}

static void describe(struct buf *b, const struct usage_meter *m, const struct words *w)
{
    static const char *const kinds[] = {"content", "reasoning", "tool", "refusal", "transcript"};
    struct usage u;
    usage_meter_get(m, &u);
    describe_usage(b, &u, "");
    describe_fact(b, "tier", u.service_tier);
    describe_fact(b, "quality", u.quality);
    describe_fact(b, "size", u.size);
    if (usage_meter_side(m, &u))
        describe_usage(b, &u, "side ");
    describe_fact(b, "side model", m->side_model);
    describe_fact(b, "model", m->model);
    describe_fact(b, "id", m->id);
    describe_fact(b, "fingerprint", m->fingerprint);
    describe_fact(b, "finish", m->finish_reason);
    describe_fact(b, "error type", m->error_type);
    describe_fact(b, "error code", m->error_code);
    describe_fact(b, "error message", m->error_message);
    describe_flags(b, m);
    for (int i = 0; i < USAGE_TEXT_KIND_COUNT; i++)
        if (buf_size(&w->text[i]))
            must(buf_printf(b, "%s text %.*s\n", kinds[i], STR_ARG(buf_str(&w->text[i]))));
}

/* All cases are tried before the test fails. */
static unsigned failures;

static void check(const struct exchange *x, size_t first, size_t step)
{
    if (failures > 9)
        return;
    struct usage_meter m;
    struct words w;
    struct buf got;
    words_init(&w);
    buf_init(&got, 1 << 20);
    meter(x, first, step, &m, &w);
    describe(&got, &m, &w);
    if (!str_eq(buf_str(&got), buf_str(&x->expected))) {
        print_error("%s, cut at %zu, then each %zu\ngot\n%.*sexpected\n%.*s", x->name, first, step,
                    STR_ARG(buf_str(&got)), STR_ARG(buf_str(&x->expected)));
        failures++;
    }
    words_free(&w);
    buf_free(&got);
}

/* --- Reading the files ---------------------------------------------------------------------------- */

static void read_header(struct exchange *x, struct str line)
{
    if (str_starts(line, STR("case: "))) {
        str_copy(x->name, sizeof(x->name), str_from(line, 6));
    } else if (str_starts(line, STR("shape: "))) {
        unsigned i = 0;
        while (i < USAGE_SHAPE_COUNT && !str_eq(str_c(shapes[i]), str_from(line, 7)))
            i++;
        assert_in_range(i, 0, USAGE_SHAPE_COUNT - 1);
        x->shape = (enum usage_shape)i;
    } else if (str_starts(line, STR("wire: "))) {
        struct str wire = str_from(line, 6);
        x->wire = str_eq(wire, STR("SSE"))    ? USAGE_WIRE_SSE
                  : str_eq(wire, STR("JSON")) ? USAGE_WIRE_JSON
                                              : USAGE_WIRE_MESSAGES;
    } else if (str_eq(line, STR("cache: 12h"))) {
        x->cache_12h = true;
    } else {
        must(buf_add_str(&x->expected, line));
        must(buf_add_byte(&x->expected, '\n'));
    }
}

static void read_body_line(struct exchange *x, struct str line)
{
    bool joined = str_ends(line, STR("\\"));
    must(buf_add_str(&x->body, str_head(line, line.n - joined)));
    if (!joined)
        must(buf_add_byte(&x->body, '\n'));
}

static size_t for_each_exchange(struct str file, void (*run)(const struct exchange *x))
{
    size_t n = 0;
    struct str line;
    struct exchange x = {0};
    bool in_body = false;
    buf_init(&x.expected, 1 << 16);
    buf_init(&x.body, 1 << 20);
    while (str_split(&file, '\n', &line)) {
        if (in_body && str_eq(line, STR("=="))) {
            run(&x);
            n++;
            buf_reset(&x.expected);
            buf_reset(&x.body);
            x.cache_12h = in_body = false;
        } else if (in_body) {
            read_body_line(&x, line);
        } else if (str_eq(line, STR("<<"))) {
            in_body = true;
        } else if (line.n > 0 && line.p[0] != '#') {
            read_header(&x, line);
        }
    }
    assert_false(in_body);
    buf_free(&x.expected);
    buf_free(&x.body);
    return n;
}

static size_t for_each_file(void (*run)(const struct exchange *x))
{
    struct dirent **entries;
    size_t cases = 0;
    int n = scandir(FOLDER, &entries, NULL, alphasort);
    assert_true(n > 0);
    for (int i = 0; i < n; i++) {
        char path[300];
        snprintf(path, sizeof(path), "%s/%s", FOLDER, entries[i]->d_name);
        FILE *f = str_ends(str_c(path), STR(".txt")) ? fopen(path, "r") : NULL;
        free(entries[i]);
        if (!f)
            continue;
        struct buf file;
        buf_init(&file, 1 << 22);
        char block[4096];
        for (size_t got; (got = fread(block, 1, sizeof(block), f)) > 0;)
            must(buf_add(&file, block, got));
        fclose(f);
        cases += for_each_exchange(buf_str(&file), run);
        buf_free(&file);
    }
    free(entries);
    return cases;
}

/* --- Tests ---------------------------------------------------------------------------------------- */

static void check_whole(const struct exchange *x)
{
    check(x, buf_size(&x->body), 1);
}

static void check_split(const struct exchange *x)
{
    check(x, 0, 1);
    check(x, 0, 7);
    for (size_t at = 1; at < buf_size(&x->body); at++)
        check(x, at, buf_size(&x->body));
}

static void every_shape_is_metered(void **state)
{
    (void)state;
    failures = 0;
    assert_true(for_each_file(check_whole) >= 60);
    assert_int_equal(failures, 0);
}

static void usage_survives_any_chunking(void **state)
{
    (void)state;
    failures = 0;
    for_each_file(check_split);
    assert_int_equal(failures, 0);
}

/* Whatever is missing from the end: no crash, no figure that the whole answer does not have. */
static void check_cut(const struct exchange *x)
{
    for (size_t n = 0; n < buf_size(&x->body); n++) {
        struct exchange cut = *x;
        struct usage_meter m;
        struct words w;
        struct usage u;
        words_init(&w);
        cut.body.end = cut.body.start + n;
        meter(&cut, n, 1, &m, &w);
        usage_meter_get(&m, &u);
        uint64_t in = u.quantity[METER_INPUT] + u.quantity[METER_CACHED] + u.quantity[METER_CACHE_WRITE] +
                      u.quantity[METER_CACHE_WRITE_12H] + u.quantity[METER_AUDIO_INPUT] +
                      u.quantity[METER_AUDIO_CACHED] + u.quantity[METER_IMAGE_INPUT] + u.quantity[METER_IMAGE_CACHED];
        if (u.source == USAGE_REPORTED)
            assert_int_equal(in, u.input_total_tok);
        words_free(&w);
    }
}

static void a_cut_answer_still_adds_up(void **state)
{
    (void)state;
    for_each_file(check_cut);
}

static uint64_t random_state = 1;

static uint64_t random_u64(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

/* U01b: parts never exceed their totals, whatever upstream claims. */
static void meters_always_add_up_to_the_totals(void **state)
{
    (void)state;
    static const char *const parts[] = {"cached_tokens", "cache_write_tokens", "text_tokens", "audio_tokens",
                                        "image_tokens"};
    static const enum usage_shape kinds[] = {USAGE_SHAPE_CHAT, USAGE_SHAPE_RESPONSES, USAGE_SHAPE_IMAGES,
                                             USAGE_SHAPE_TRANSCRIPTION};
    for (int i = 0; i < 20000; i++) {
        char body[600];
        uint64_t range = 1 + random_u64() % (i % 3 ? 2000 : UINT64_C(1) << 50);
        uint64_t in = random_u64() % range, out = random_u64() % range;
        enum usage_shape shape = kinds[i % 4];
        bool chat = shape == USAGE_SHAPE_CHAT;
        int n = snprintf(body, sizeof(body), "{\"usage\":{\"%s\":%llu,\"%s\":%llu,\"%s\":{\"x\":0",
                         chat ? "prompt_tokens" : "input_tokens", (unsigned long long)in,
                         chat ? "completion_tokens" : "output_tokens", (unsigned long long)out,
                         chat                                 ? "prompt_tokens_details"
                         : shape == USAGE_SHAPE_TRANSCRIPTION ? "input_token_details"
                                                              : "input_tokens_details");
        for (unsigned k = 0; k < 5; k++)
            if (random_u64() % 2)
                n += snprintf(body + n, sizeof(body) - (size_t)n, ",\"%s\":%llu", parts[k],
                              (unsigned long long)(random_u64() % range));
        n += snprintf(body + n, sizeof(body) - (size_t)n, "}}}");
        struct usage_meter m;
        struct usage u;
        usage_meter_init(&m, shape, USAGE_WIRE_JSON, NULL, NULL);
        usage_meter_feed(&m, body, (size_t)n);
        usage_meter_end(&m);
        usage_meter_get(&m, &u);
        uint64_t inputs = 0,
                 outputs = u.quantity[METER_OUTPUT] + u.quantity[METER_AUDIO_OUTPUT] + u.quantity[METER_IMAGE_OUTPUT];
        static const enum meter input_meters[] = {METER_INPUT,           METER_CACHED,      METER_CACHE_WRITE,
                                                  METER_CACHE_WRITE_12H, METER_AUDIO_INPUT, METER_AUDIO_CACHED,
                                                  METER_IMAGE_INPUT,     METER_IMAGE_CACHED};
        for (unsigned k = 0; k < 8; k++)
            inputs += u.quantity[input_meters[k]];
        assert_int_equal(u.source, USAGE_REPORTED);
        assert_int_equal(inputs, in);
        assert_int_equal(outputs, out);
    }
}

static void the_meter_is_small(void **state)
{
    (void)state;
    assert_in_range(sizeof(struct usage_meter), 1, 1400);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_shape_is_metered),     cmocka_unit_test(usage_survives_any_chunking),
        cmocka_unit_test(a_cut_answer_still_adds_up), cmocka_unit_test(meters_always_add_up_to_the_totals),
        cmocka_unit_test(the_meter_is_small),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Rows as spans: every attribute, ids that lead back, any bytes; and where they are sent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "ledger_fixture.h"
#include "otlp_rig.h"
#include "report/otlp/post.h"
#include "report/otlp/span.h"

static struct buf room;

static json_t *encoded(const struct record *r, uint64_t span, uint64_t parent)
{
    struct json_write w;
    json_error_t why;
    buf_reset(&room);
    json_write_init(&w, &room);
    span_begin(&w);
    span_attempt(&w, r, span, parent, NULL);
    span_end(&w);
    assert_true(json_write_done(&w));
    json_t *document = json_loadb(buf_str(&room).p, buf_size(&room), JSON_REJECT_DUPLICATES, &why);
    if (!document)
        fail_msg("%s: %.*s", why.text, STR_ARG(buf_str(&room)));
    return document;
}

static int open_room(void **state)
{
    (void)state;
    buf_init(&room, 1u << 20);
    return 0;
}

static int close_room(void **state)
{
    (void)state;
    buf_free(&room);
    return 0;
}

static void a_row_becomes_a_span_of_the_conventions(void **state)
{
    (void)state;
    struct record r = otlp_rig_example();
    json_t *document = encoded(&r, 0xabc, 0);
    const json_t *s = json_array_get(otlp_rig_spans(document), 0);
    assert_string_equal(otlp_rig_member(s, "spanId"), "0000000000000abc");
    assert_int_equal(strlen(otlp_rig_member(s, "traceId")), 32);
    assert_null(json_object_get(s, "parentSpanId"));
    assert_string_equal(otlp_rig_member(s, "name"), "chat gpt-4o");
    assert_int_equal(json_integer_value(json_object_get(s, "kind")), 3);
    assert_string_equal(otlp_rig_member(s, "startTimeUnixNano"), "1700000000000001000");
    assert_string_equal(otlp_rig_member(s, "endTimeUnixNano"), "1700000001500001000");
    assert_null(json_object_get(s, "status"));
    static const char *const texts[][2] = {
        {"gen_ai.operation.name", "chat"},
        {"gen_ai.provider.name", "openai"},
        {"gen_ai.system", "openai"},
        {"gen_ai.request.model", "gpt-4o"},
        {"gen_ai.response.model", "gpt-4o-2024-08-06"},
        {"openai.api.type", "chat_completions"},
        {"server.address", "api.example.com"},
        {"http.request.method", "POST"},
        {"url.path", "/v1/chat/completions"},
        {"user.id", "u-1"},
        {"tollgate.cost_usd", "0.000295"},
        {"tollgate.cost_state", "priced"},
        {"tollgate.outcome", "completed"},
        {"tollgate.cache", "DISABLED"},
        {"tollgate.metadata.team", "search"},
        {"tollgate.metadata.n", "7"},
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (!otlp_rig_text(s, texts[i][0]) || strcmp(otlp_rig_text(s, texts[i][0]), texts[i][1]) != 0)
            fail_msg("%s is %s", texts[i][0], otlp_rig_text(s, texts[i][0]));
    assert_int_equal(otlp_rig_number(s, "gen_ai.usage.input_tokens"), 100);
    assert_int_equal(otlp_rig_number(s, "gen_ai.usage.output_tokens"), 7);
    assert_int_equal(otlp_rig_number(s, "gen_ai.usage.cache_read.input_tokens"), 20);
    assert_int_equal(otlp_rig_number(s, "gen_ai.usage.reasoning.output_tokens"), 3);
    assert_int_equal(otlp_rig_number(s, "server.port"), 8443);
    assert_int_equal(otlp_rig_number(s, "http.response.status_code"), 200);
    assert_int_equal(otlp_rig_number(s, "tollgate.overhead_us"), 90);
    assert_true(json_is_true(json_object_get(otlp_rig_attribute(s, "gen_ai.request.stream"), "boolValue")));
    const json_t *reasons = json_object_get(otlp_rig_attribute(s, "gen_ai.response.finish_reasons"), "arrayValue");
    assert_string_equal(otlp_rig_member(json_array_get(json_object_get(reasons, "values"), 0), "stringValue"), "stop");
    const json_t *first = json_object_get(otlp_rig_attribute(s, "gen_ai.response.time_to_first_chunk"), "doubleValue");
    assert_true(json_real_value(first) > 0.0204 && json_real_value(first) < 0.0206);
    assert_null(otlp_rig_attribute(s, "tollgate.metadata.deep"));
    assert_null(otlp_rig_attribute(s, "error.type"));
    assert_non_null(strstr(otlp_rig_text(s, "tollgate.metadata.text"), "a\"b\xc3\xa9"));
    assert_string_equal(
        otlp_rig_text(json_object_get(json_array_get(json_object_get(document, "resourceSpans"), 0), "resource"),
                      "service.name"),
        "tollgate");
    json_decref(document);
}

static void failures_say_what_failed(void **state)
{
    (void)state;
    static const struct {
        uint16_t status, upstream;
        enum record_outcome outcome;
        enum err err;
        const char *type;
    } rows[] = {
        {429, 429, RECORD_UPSTREAM_ERROR, ERR_OK, "429"},
        {504, 0, RECORD_UPSTREAM_FAILED, ERR_UPSTREAM_TIMEOUT, "upstream_timeout"},
        {0, 200, RECORD_CLIENT_CANCELLED, ERR_CLIENT_GONE, "client_cancelled"},
        {0, 0, RECORD_INTERRUPTED, ERR_INTERRUPTED, "interrupted"},
        {446, 0, RECORD_REFUSED, ERR_OK, "446"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct record r = otlp_rig_example();
        r.status = rows[i].status;
        r.upstream_status = rows[i].upstream;
        r.outcome = rows[i].outcome;
        r.err = rows[i].err;
        json_t *document = encoded(&r, 1, 0);
        const json_t *s = json_array_get(otlp_rig_spans(document), 0);
        assert_string_equal(otlp_rig_text(s, "error.type"), rows[i].type);
        assert_int_equal(json_integer_value(json_object_get(json_object_get(s, "status"), "code")), 2);
        assert_true(strlen(otlp_rig_member(json_object_get(s, "status"), "message")) > 0);
        json_decref(document);
    }
}

static void an_unpriced_row_has_no_cost(void **state)
{
    (void)state;
    struct record r = otlp_rig_example();
    r.cost = (struct cost){.state = COST_UNPRICED, .reason = COST_REASON_MODEL, .meter = METER_COUNT};
    json_t *document = encoded(&r, 1, 0);
    const json_t *s = json_array_get(otlp_rig_spans(document), 0);
    assert_null(otlp_rig_attribute(s, "tollgate.cost_usd"));
    assert_string_equal(otlp_rig_text(s, "tollgate.cost_state"), "unpriced");
    assert_string_equal(otlp_rig_text(s, "tollgate.cost_reason"), "model");
    json_decref(document);
}

static void hex_trace(const struct record *r, char out[2 * SPAN_TRACE_BYTES + 1])
{
    unsigned char id[SPAN_TRACE_BYTES];
    span_trace_id(r, id);
    for (int i = 0; i < SPAN_TRACE_BYTES; i++)
        snprintf(out + 2 * i, 3, "%02x", id[i]);
}

static void ids_lead_back_and_do_not_change(void **state)
{
    (void)state;
    static const struct {
        const char *given, *trace;
        bool kept; /* the text is an attribute too */
    } rows[] = {
        {"0af7651916cd43dd8448eb211c80319c", "0af7651916cd43dd8448eb211c80319c", false},
        {"0AF7651916CD43DD8448EB211C80319C", "0af7651916cd43dd8448eb211c80319c", false},
        {"0af76519-16cd-43dd-8448-eb211c80319c", "0af7651916cd43dd8448eb211c80319c", true},
        /* the beginnings of SHA-256 by another program */
        {"my-trace", "670c0f140bf357e6d99293ad6cf0d246", true},
        {"00000000000000000000000000000000", "84e0c0eafaa95a34c293f278ac52e45c", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct record r = otlp_rig_example();
        char hex[2 * SPAN_TRACE_BYTES + 1];
        r.trace_id = str_c(rows[i].given);
        hex_trace(&r, hex);
        assert_string_equal(hex, rows[i].trace);
        json_t *document = encoded(&r, 1, 0);
        const char *kept = otlp_rig_text(json_array_get(otlp_rig_spans(document), 0), "tollgate.trace_id");
        assert_int_equal(kept != NULL, rows[i].kept);
        json_decref(document);
    }
    struct record r = otlp_rig_example();
    char hex[2 * SPAN_TRACE_BYTES + 1], own[RECORD_TRACE_TEXT_MAX], plain[RECORD_TRACE_TEXT_MAX];
    hex_trace(&r, hex);
    record_trace_format(r.request_id, own);
    size_t n = 0;
    for (const char *p = own; *p; p++)
        if (*p != '-')
            plain[n++] = *p;
    plain[n] = 0;
    assert_string_equal(hex, plain); /* what the caller was told */
    assert_true(span_of_attempt(&r, true) == (uint64_t)r.id);
    assert_true(span_of_request(&r) != (uint64_t)r.id);
    r.span_id = STR("00f067aa0ba902b7");
    r.parent_span_id = STR("00000000000000ff");
    assert_true(span_of_request(&r) == UINT64_C(0x00f067aa0ba902b7));
    assert_true(span_of_attempt(&r, true) == UINT64_C(0x00f067aa0ba902b7));
    assert_true(span_of_attempt(&r, false) == (uint64_t)r.id);
    assert_int_equal(span_of_caller(&r), 0xff);
    r.span_id = STR("root");
    r.parent_span_id = STR("0000000000000000");
    assert_true(span_of_attempt(&r, true) == (uint64_t)r.id);
    assert_int_equal(span_of_caller(&r), 0);
}

static void any_bytes_make_a_document_that_can_be_read(void **state)
{
    (void)state;
    struct fixture_record f;
    for (uint64_t i = 0; i < 500; i++) {
        fixture_record(&f, 99, i, (INT64_C(1) << 50) + (int64_t)i, false);
        f.r.err_detail = STR("\xff\xfe \x01 \"quoted\" \\");
        json_decref(encoded(&f.r, 1, 2));
    }
}

/* --- the target ------------------------------------------------------------------------------ */

static void the_endpoint_and_its_headers_are_read_strictly(void **state)
{
    (void)state;
    static const struct {
        const char *endpoint, *headers, *path, *lines; /* lines NULL: refused */
    } rows[] = {
        {"http://c:4318", "", "/v1/traces", ""},
        {"http://c:4318/", "a=b", "/v1/traces", "a: b\r\n"},
        {"https://c/otlp", "api-key=s%3Dx%20y, Other =z", "/otlp/v1/traces", "api-key: s=x y\r\nOther: z\r\n"},
        {"https://c/v1/traces", "a=b=c", "/v1/traces", "a: b=c\r\n"},
        {"ftp://c", "", "", NULL},
        {"c:4318", "", "", NULL},
        {"http://c", "novalue", "", NULL},
        {"http://c", "a=", "", NULL},
        {"http://c", "=b", "", NULL},
        {"http://c", "a b=c", "", NULL},
        {"http://c", "a=b%0d%0aX: y", "", NULL},
        {"http://c", "a=%zz", "", NULL},
        {"http://c", "Host=x", "", NULL},
        {"http://c", "content-length=5", "", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct post_target t;
        char why[POST_WHY_MAX] = "";
        enum err e = post_target_read(str_c(rows[i].endpoint), str_c(rows[i].headers), &t, why);
        assert_int_equal(e == ERR_OK, rows[i].lines != NULL);
        if (e == ERR_OK) {
            assert_string_equal(t.path, rows[i].path);
            assert_true(str_eq(secret_reveal(&t.lines), str_c(rows[i].lines)));
        } else {
            assert_true(strlen(why) > 20);
            assert_null(strstr(why, "X: y"));
        }
        post_target_done(&t);
    }
}

#define PLAIN(name) cmocka_unit_test_setup_teardown(name, open_room, close_room)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLAIN(a_row_becomes_a_span_of_the_conventions),
        PLAIN(failures_say_what_failed),
        PLAIN(an_unpriced_row_has_no_cost),
        PLAIN(ids_lead_back_and_do_not_change),
        PLAIN(any_bytes_make_a_document_that_can_be_read),
        PLAIN(the_endpoint_and_its_headers_are_read_strictly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

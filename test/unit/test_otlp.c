/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Traces for a collector: what a row becomes, read back by another JSON library; then the exporter
 * itself against a collector that takes, delays, refuses, and goes away.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <jansson.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

#include "base/buf.h"
#include "base/clock.h"
#include "ledger/journal.h"
#include "ledger/ledger.h"
#include "ledger_fixture.h"
#include "net/address.h"
#include "report/otlp/otlp.h"
#include "report/otlp/post.h"
#include "report/otlp/span.h"

/* --- reading back ---------------------------------------------------------------------------- */

static json_t *spans_of(const json_t *document)
{
    const json_t *resource = json_array_get(json_object_get(document, "resourceSpans"), 0);
    const json_t *scope = json_array_get(json_object_get(resource, "scopeSpans"), 0);
    json_t *spans = json_object_get(scope, "spans");
    assert_true(json_is_array(spans));
    return spans;
}

/* The value object of an attribute: {"stringValue":…}; NULL when it is not there. Names are unique. */
static const json_t *attribute(const json_t *holder, const char *name)
{
    const json_t *list = json_object_get(holder, "attributes"), *found = NULL, *a;
    size_t i;
    json_array_foreach(list, i, a)
    {
        if (strcmp(json_string_value(json_object_get(a, "key")), name) == 0) {
            assert_null(found);
            found = json_object_get(a, "value");
            assert_int_equal(json_object_size(found), 1);
        }
    }
    return found;
}

static const char *text_of(const json_t *span, const char *name)
{
    return json_string_value(json_object_get(attribute(span, name), "stringValue"));
}

static long long number_of(const json_t *span, const char *name)
{
    const char *text = json_string_value(json_object_get(attribute(span, name), "intValue"));
    uint64_t v = 0;
    assert_true(text && str_to_u64(str_c(text), &v));
    return (long long)v;
}

static const char *member(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

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

static struct record example(void)
{
    struct record r = {.id = 0x1122334455667788, .request_id = 0x1122334455667788, .started_us = 1700000000000001};
    r.total_us = 1500000;
    r.first_byte_us = 20500;
    r.overhead_us = 90;
    r.workspace_id = 1;
    r.key_id = 2;
    r.integration_id = 3;
    r.method = STR("POST");
    r.path = STR("/v1/chat/completions");
    r.operation = STR("chat.completions");
    r.model_asked = STR("gpt-4o");
    r.model_answered = STR("gpt-4o-2024-08-06");
    r.upstream_host = STR("api.example.com:8443");
    r.finish_reason = STR("stop");
    r.stream = true;
    r.status = r.upstream_status = 200;
    r.usage.source = USAGE_REPORTED;
    r.usage.quantity[METER_INPUT] = 80;
    r.usage.quantity[METER_CACHED] = 20;
    r.usage.input_total_tok = 100;
    r.usage.output_total_tok = 7;
    r.usage.reasoning_tok = 3;
    r.cost = (struct cost){.state = COST_PRICED, .total_pusd = 295000000};
    r.metadata = STR("{\"team\":\"search\",\"n\":7,\"deep\":{\"a\":1},\"text\":\"a\\\"b\\u00e9\\ud800\"}");
    r.user = STR("u-1");
    return r;
}

static void a_row_becomes_a_span_of_the_conventions(void **state)
{
    (void)state;
    struct record r = example();
    json_t *document = encoded(&r, 0xabc, 0);
    const json_t *s = json_array_get(spans_of(document), 0);
    assert_string_equal(member(s, "spanId"), "0000000000000abc");
    assert_int_equal(strlen(member(s, "traceId")), 32);
    assert_null(json_object_get(s, "parentSpanId"));
    assert_string_equal(member(s, "name"), "chat gpt-4o");
    assert_int_equal(json_integer_value(json_object_get(s, "kind")), 3);
    assert_string_equal(member(s, "startTimeUnixNano"), "1700000000000001000");
    assert_string_equal(member(s, "endTimeUnixNano"), "1700000001500001000");
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
        if (!text_of(s, texts[i][0]) || strcmp(text_of(s, texts[i][0]), texts[i][1]) != 0)
            fail_msg("%s is %s", texts[i][0], text_of(s, texts[i][0]));
    assert_int_equal(number_of(s, "gen_ai.usage.input_tokens"), 100);
    assert_int_equal(number_of(s, "gen_ai.usage.output_tokens"), 7);
    assert_int_equal(number_of(s, "gen_ai.usage.cache_read.input_tokens"), 20);
    assert_int_equal(number_of(s, "gen_ai.usage.reasoning.output_tokens"), 3);
    assert_int_equal(number_of(s, "server.port"), 8443);
    assert_int_equal(number_of(s, "http.response.status_code"), 200);
    assert_int_equal(number_of(s, "tollgate.overhead_us"), 90);
    assert_true(json_is_true(json_object_get(attribute(s, "gen_ai.request.stream"), "boolValue")));
    const json_t *reasons = json_object_get(attribute(s, "gen_ai.response.finish_reasons"), "arrayValue");
    assert_string_equal(member(json_array_get(json_object_get(reasons, "values"), 0), "stringValue"), "stop");
    const json_t *first = json_object_get(attribute(s, "gen_ai.response.time_to_first_chunk"), "doubleValue");
    assert_true(json_real_value(first) > 0.0204 && json_real_value(first) < 0.0206);
    assert_null(attribute(s, "tollgate.metadata.deep"));
    assert_null(attribute(s, "error.type"));
    assert_non_null(strstr(text_of(s, "tollgate.metadata.text"), "a\"b\xc3\xa9"));
    assert_string_equal(
        text_of(json_object_get(json_array_get(json_object_get(document, "resourceSpans"), 0), "resource"),
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
        struct record r = example();
        r.status = rows[i].status;
        r.upstream_status = rows[i].upstream;
        r.outcome = rows[i].outcome;
        r.err = rows[i].err;
        json_t *document = encoded(&r, 1, 0);
        const json_t *s = json_array_get(spans_of(document), 0);
        assert_string_equal(text_of(s, "error.type"), rows[i].type);
        assert_int_equal(json_integer_value(json_object_get(json_object_get(s, "status"), "code")), 2);
        assert_true(strlen(member(json_object_get(s, "status"), "message")) > 0);
        json_decref(document);
    }
}

static void an_unpriced_row_has_no_cost(void **state)
{
    (void)state;
    struct record r = example();
    r.cost = (struct cost){.state = COST_UNPRICED, .reason = COST_REASON_MODEL, .meter = METER_COUNT};
    json_t *document = encoded(&r, 1, 0);
    const json_t *s = json_array_get(spans_of(document), 0);
    assert_null(attribute(s, "tollgate.cost_usd"));
    assert_string_equal(text_of(s, "tollgate.cost_state"), "unpriced");
    assert_string_equal(text_of(s, "tollgate.cost_reason"), "model");
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
        struct record r = example();
        char hex[2 * SPAN_TRACE_BYTES + 1];
        r.trace_id = str_c(rows[i].given);
        hex_trace(&r, hex);
        assert_string_equal(hex, rows[i].trace);
        json_t *document = encoded(&r, 1, 0);
        const char *kept = text_of(json_array_get(spans_of(document), 0), "tollgate.trace_id");
        assert_int_equal(kept != NULL, rows[i].kept);
        json_decref(document);
    }
    struct record r = example();
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

/* --- the exporter ---------------------------------------------------------------------------- */

#define SPANS_MAX 4000

static struct collector {
    int listening, fd;
    uint16_t port;
    char spans[SPANS_MAX][17]; /* ids, in the order of arrival */
    size_t count;
    char head[4096];
} collector;

static struct ledger *ledger;
static struct record_ids ids;
static struct address_set *allowed;

static void listen_at(uint16_t port)
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port)};
    socklen_t n = sizeof sa;
    int on = 1;
    collector.listening = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(collector.listening, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    assert_int_equal(bind(collector.listening, (struct sockaddr *)&sa, sizeof sa), 0);
    assert_int_equal(listen(collector.listening, 10), 0);
    getsockname(collector.listening, (struct sockaddr *)&sa, &n);
    collector.port = ntohs(sa.sin_port);
    collector.fd = -1;
}

static void hang_up(void)
{
    if (collector.fd >= 0)
        close(collector.fd);
    collector.fd = -1;
}

static bool readable(int fd, int wait_ms)
{
    struct pollfd p = {fd, POLLIN, 0};
    return poll(&p, 1, wait_ms) == 1;
}

static size_t gunzip(const void *in, size_t n, char *out, size_t cap)
{
    z_stream z = {.avail_in = (uInt)n, .next_out = (Bytef *)out, .avail_out = (uInt)cap};
    union {
        const void *in;
        Bytef *next;
    } from = {in};
    z.next_in = from.next;
    assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
    assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
    size_t total = z.total_out;
    inflateEnd(&z);
    return total;
}

static size_t read_more(char *to, size_t have, size_t cap)
{
    assert_true(readable(collector.fd, 10000));
    ssize_t n = read(collector.fd, to + have, cap - have);
    return n > 0 ? have + (size_t)n : 0;
}

/* One request's document; NULL when none comes in time. */
static json_t *next_document(int wait_ms)
{
    static char raw[1 << 20], text[4 << 20];
    size_t have = 0;
    char *end = NULL;
    while (!end) {
        if (collector.fd < 0) {
            if (!readable(collector.listening, wait_ms))
                return NULL;
            collector.fd = accept(collector.listening, NULL, NULL);
        }
        if (!have && !readable(collector.fd, wait_ms))
            return NULL;
        have = read_more(raw, have, sizeof raw - 1);
        raw[have] = 0;
        if (!have)
            hang_up();
        end = strstr(raw, "\r\n\r\n");
    }
    size_t head = (size_t)(end - raw) + 4;
    snprintf(collector.head, sizeof collector.head, "%.*s", (int)head, raw);
    const char *length = strstr(collector.head, "Content-Length: ");
    uint64_t n = 0;
    assert_non_null(length);
    struct str digits = str_c(length + 16);
    digits.n = (size_t)str_find(digits, '\r');
    assert_true(str_to_u64(digits, &n));
    while (have < head + n)
        have = read_more(raw, have, sizeof raw);
    json_error_t why;
    json_t *document = json_loadb(text, gunzip(raw + head, n, text, sizeof text), 0, &why);
    assert_non_null(document);
    return document;
}

static void answer(const char *status, const char *body)
{
    char text[512];
    int n = snprintf(text, sizeof text, "HTTP/1.1 %s\r\nContent-Length: %zu\r\n\r\n%s", status, strlen(body), body);
    assert_int_equal(write(collector.fd, text, (size_t)n), n);
}

/* Takes a document's spans. */
static size_t take(json_t *document)
{
    const json_t *span;
    size_t i;
    json_array_foreach(spans_of(document), i, span)
    {
        assert_true(collector.count < SPANS_MAX);
        str_copy(collector.spans[collector.count++], 17, str_c(member(span, "spanId")));
    }
    json_decref(document);
    return i;
}

static void open_ledger(void)
{
    char why[LEDGER_WHY_MAX];
    const struct ledger_options o = {.dir = fixture_test_dir, .workers = 1, .drain_ms = 5, .keep_arrivals = true};
    assert_int_equal(ledger_open(&o, &ledger, why), ERR_OK);
    record_ids_init(&ids, 0, ledger_last_id(ledger));
}

static int open_all(void **state)
{
    char why[256];
    fixture_make_dir(state);
    allowed = address_set_new();
    assert_int_equal(address_set_add(allowed, STR("127.0.0.0/8"), why, sizeof why), ERR_OK);
    memset(&collector, 0, sizeof collector);
    listen_at(0);
    open_ledger();
    return 0;
}

static int close_all(void **state)
{
    hang_up();
    close(collector.listening);
    ledger_close(ledger, 1000);
    address_set_free(allowed);
    return fixture_remove_dir(state);
}

static struct otlp *begin(void)
{
    static char endpoint[64];
    struct otlp *o;
    char why[OTLP_WHY_MAX];
    snprintf(endpoint, sizeof endpoint, "http://127.0.0.1:%u", collector.port);
    const struct otlp_options options = {.dir = fixture_test_dir,
                                         .ledger = ledger,
                                         .endpoint = str_c(endpoint),
                                         .headers = STR("x-secret=s3"),
                                         .allowed = allowed,
                                         .connect_timeout_us = 2000000,
                                         .poll_ms = 10,
                                         .retry_first_ms = 20};
    assert_int_equal(otlp_open(&options, &o, why), ERR_OK);
    return o;
}

static int64_t add(struct record *r)
{
    r->id = record_ids_next(&ids, clock_wall_us());
    r->request_id = r->attempt ? r->request_id : r->id;
    r->started_us = clock_wall_us();
    journal_add(ledger_journal(ledger, 0), r);
    return r->id;
}

static void flush(void)
{
    assert_int_equal(journal_flush(ledger_journal(ledger, 0)), ERR_OK);
    assert_int_equal(ledger_flush(ledger, 20000), ERR_OK);
}

static void add_plain(int count)
{
    for (int i = 0; i < count; i++) {
        struct record r = example();
        add(&r);
    }
    flush();
}

static size_t distinct(void)
{
    size_t n = 0;
    for (size_t i = 0; i < collector.count; i++) {
        bool seen = false;
        for (size_t k = 0; k < i && !seen; k++)
            seen = strcmp(collector.spans[i], collector.spans[k]) == 0;
        n += !seen;
    }
    return n;
}

static struct otlp_status status_when(struct otlp *o, uint64_t exported)
{
    struct otlp_status s;
    for (int i = 0; i < 1000; i++) {
        otlp_status(o, &s);
        if (s.exported + s.rejected + s.gone >= exported && !s.waiting)
            break;
        usleep(10000);
    }
    return s;
}

static void rows_are_sent_once_in_batches(void **state)
{
    (void)state;
    struct otlp *o = begin();
    add_plain(700);
    while (collector.count < 700) {
        json_t *document = next_document(10000);
        assert_non_null(document);
        assert_true(str_starts(str_c(collector.head), STR("POST /v1/traces HTTP/1.1\r\n")));
        assert_non_null(strstr(collector.head, "\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\n"));
        assert_non_null(strstr(collector.head, "\r\nx-secret: s3\r\n"));
        assert_true(take(document) <= 256);
        answer("200 OK", "{}");
    }
    struct otlp_status s = status_when(o, 700);
    assert_int_equal(s.exported, 700);
    assert_int_equal(s.waiting, 0);
    assert_false(s.failing);
    assert_null(next_document(100));
    otlp_close(o, 1000);
    assert_int_equal(distinct(), 700);
}

static void a_collector_that_is_busy_or_away_gets_everything_later(void **state)
{
    (void)state;
    struct otlp *o = begin();
    struct otlp_status s;
    add_plain(3);
    static const char *const not_now[] = {"503 No", "429 Slow", "500 Oops", "401 Who", "404 Where", "302 There"};
    for (size_t i = 0; i < sizeof not_now / sizeof not_now[0]; i++) {
        json_t *document = next_document(10000);
        assert_int_equal(json_array_size(spans_of(document)), 3); /* the same again */
        json_decref(document);
        answer(not_now[i], "");
    }
    json_decref(next_document(10000));
    hang_up(); /* without an answer */
    close(collector.listening);
    for (int i = 0; i < 200; i++) {
        otlp_status(o, &s);
        if (s.failed >= 8)
            break;
        usleep(10000);
    }
    assert_true(s.failing);
    assert_true(s.failed >= 8);
    assert_int_equal(s.waiting, 3);
    assert_true(strlen(s.reason) > 10);
    add_plain(2);
    listen_at(collector.port);
    while (collector.count < 5) {
        take(next_document(20000));
        answer("202 Taken", "");
    }
    s = status_when(o, 5);
    assert_false(s.failing);
    assert_int_equal(s.exported, 5);
    otlp_close(o, 1000);
    assert_int_equal(distinct(), 5);
}

static void a_restart_in_between_loses_nothing(void **state)
{
    (void)state;
    struct otlp *o = begin();
    add_plain(300);
    json_t *document = next_document(10000);
    size_t first = take(document); /* taken, but the answer never comes */
    hang_up();
    close(collector.listening);
    otlp_close(o, 50);
    ledger_close(ledger, 5000);
    open_ledger();
    add_plain(10);
    listen_at(collector.port);
    o = begin();
    while (collector.count < 310 + first) {
        take(next_document(10000));
        answer("200 OK", "{}");
    }
    status_when(o, 310);
    otlp_close(o, 1000);
    assert_int_equal(distinct(), 310); /* what came twice has the same ids */
    ledger_close(ledger, 5000);
    open_ledger();
    o = begin();
    document = next_document(300);
    if (document) { /* the last page, when the ledger had not forgotten it yet */
        take(document);
        answer("200 OK", "{}");
    }
    otlp_close(o, 1000);
    assert_int_equal(distinct(), 310);
}

static void a_row_that_is_refused_holds_up_no_other(void **state)
{
    (void)state;
    struct otlp *o = begin();
    struct record bad = example();
    bad.finish_reason = STR("poison");
    for (int i = 0; i < 40; i++) {
        struct record r = example();
        add(i == 17 ? &bad : &r);
    }
    flush();
    while (collector.count < 39) {
        json_t *document = next_document(10000);
        char *text = json_dumps(document, 0);
        if (strstr(text, "poison")) {
            answer("400 Bad", "");
            json_decref(document);
        } else {
            take(document);
            answer("200 OK", "{}");
        }
        free(text);
    }
    struct otlp_status s = status_when(o, 40);
    assert_int_equal(s.exported, 39);
    assert_int_equal(s.rejected, 1);
    otlp_close(o, 1000);
    assert_int_equal(distinct(), 39);
}

static void spans_that_a_collector_leaves_out_are_counted(void **state)
{
    (void)state;
    struct otlp *o = begin();
    add_plain(5);
    take(next_document(10000));
    answer("200 OK", "{\"partialSuccess\":{\"rejectedSpans\":\"2\",\"errorMessage\":\"too old\"}}");
    struct otlp_status s = status_when(o, 5);
    assert_int_equal(s.exported, 3);
    assert_int_equal(s.rejected, 2);
    otlp_close(o, 1000);
}

static const json_t *span_with(const json_t *spans, const char *name, const char *value)
{
    const json_t *span;
    size_t i;
    json_array_foreach(spans, i, span)
    {
        const char *found = text_of(span, name);
        if (found && strcmp(found, value) == 0)
            return span;
    }
    return NULL;
}

/* Two attempts that failed, the one that answered, and a tool within it. */
static void attempts_of_a_request_are_its_children(void **state)
{
    (void)state;
    struct record r = example();
    static const char *const targets[] = {"config.targets[0]", "config.targets[1]", "config.targets[2]"};
    r.parent_span_id = STR("00000000000000aa");
    for (uint32_t i = 0; i < 3; i++) {
        r.attempt = i;
        r.routing.target = str_c(targets[i]);
        r.routing.discarded = i < 2;
        r.routing.retry = i;
        r.upstream_status = i < 2 ? 500 : 200;
        r.status = i < 2 ? 0 : 200;
        r.outcome = i < 2 ? RECORD_UPSTREAM_ERROR : RECORD_COMPLETED;
        add(&r);
    }
    r.attempt = 3;
    r.operation = STR("images.tool");
    add(&r);
    flush();
    struct otlp *o = begin();
    json_t *document = next_document(10000);
    answer("200 OK", "");
    const json_t *spans = spans_of(document);
    assert_int_equal(json_array_size(spans), 5);
    const json_t *whole = NULL, *s;
    size_t i;
    json_array_foreach(spans, i, s) if (attribute(s, "tollgate.attempts")) whole = s;
    assert_non_null(whole);
    assert_string_equal(member(whole, "parentSpanId"), "00000000000000aa");
    assert_int_equal(number_of(whole, "tollgate.attempts"), 4);
    assert_string_equal(text_of(whole, "tollgate.wasted_usd"), "0.00059");
    assert_string_equal(text_of(whole, "tollgate.cost_usd"), "0.00118");
    for (int t = 0; t < 3; t++) {
        const json_t *part = span_with(spans, "tollgate.target", targets[t]);
        assert_non_null(part);
        assert_string_equal(member(part, "traceId"), member(whole, "traceId"));
        assert_string_equal(member(part, "parentSpanId"), member(whole, "spanId"));
        assert_int_equal(attribute(part, "tollgate.discarded") != NULL, t < 2);
        assert_int_equal(attribute(part, "error.type") != NULL, t < 2);
        assert_true(strcmp(member(part, "startTimeUnixNano"), member(whole, "startTimeUnixNano")) >= 0);
        assert_true(strcmp(member(part, "endTimeUnixNano"), member(whole, "endTimeUnixNano")) <= 0);
    }
    const json_t *tool = span_with(spans, "gen_ai.operation.name", "images.tool");
    const json_t *last = span_with(spans, "tollgate.target", targets[2]);
    assert_non_null(tool);
    if (tool == last) { /* it has the target of the attempt that it belongs to */
        json_array_foreach(spans, i, s) if (s != tool && text_of(s, "tollgate.target") &&
                                            strcmp(text_of(s, "tollgate.target"), targets[2]) == 0) last = s;
    }
    assert_string_equal(member(tool, "parentSpanId"), member(last, "spanId"));
    json_decref(document);
    otlp_close(o, 1000);
}

static void addresses_that_are_not_allowed_are_refused_with_a_way_out(void **state)
{
    (void)state;
    struct address_set *none = address_set_new();
    struct otlp *o;
    char why[OTLP_WHY_MAX] = "";
    struct otlp_options options = {
        .dir = fixture_test_dir, .ledger = ledger, .endpoint = STR("http://127.0.0.1:4318"), .allowed = none};
    assert_int_equal(otlp_open(&options, &o, why), ERR_BAD_OPTION);
    assert_non_null(strstr(why, "--allow-upstream"));
    options.endpoint = STR("http://localhost:4318"); /* a name is known when it is resolved */
    options.connect_timeout_us = 2000000;
    options.poll_ms = 10;
    assert_int_equal(otlp_open(&options, &o, why), ERR_OK);
    struct otlp_status s;
    add_plain(1);
    for (int i = 0; i < 500; i++) {
        otlp_status(o, &s);
        if (s.failing)
            break;
        usleep(10000);
    }
    assert_true(s.failing);
    assert_non_null(strstr(s.reason, "--allow-upstream"));
    otlp_close(o, 100);
    address_set_free(none);
}

#define PLAIN(name) cmocka_unit_test_setup_teardown(name, open_room, close_room)
#define CASE(name) cmocka_unit_test_setup_teardown(name, open_all, close_all)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLAIN(a_row_becomes_a_span_of_the_conventions),
        PLAIN(failures_say_what_failed),
        PLAIN(an_unpriced_row_has_no_cost),
        PLAIN(ids_lead_back_and_do_not_change),
        PLAIN(any_bytes_make_a_document_that_can_be_read),
        PLAIN(the_endpoint_and_its_headers_are_read_strictly),
        CASE(rows_are_sent_once_in_batches),
        CASE(a_collector_that_is_busy_or_away_gets_everything_later),
        CASE(a_restart_in_between_loses_nothing),
        CASE(a_row_that_is_refused_holds_up_no_other),
        CASE(spans_that_a_collector_leaves_out_are_counted),
        CASE(attempts_of_a_request_are_its_children),
        CASE(addresses_that_are_not_allowed_are_refused_with_a_way_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

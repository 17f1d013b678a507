/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The exporter of traces against a collector that takes, delays, refuses and goes away, and over
 * restarts. What the spans say: test_otlp_span.c.
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
#include "otlp_rig.h"
#include "report/otlp/otlp.h"

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
    json_array_foreach(otlp_rig_spans(document), i, span)
    {
        assert_true(collector.count < SPANS_MAX);
        str_copy(collector.spans[collector.count++], 17, str_c(otlp_rig_member(span, "spanId")));
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
        struct record r = otlp_rig_example();
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
        assert_true(take(document) <= 512);
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
        assert_int_equal(json_array_size(otlp_rig_spans(document)), 3); /* the same again */
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
    for (int i = 0; i < 1000 && s.waiting < 5; i++) { /* what comes in meanwhile is counted */
        usleep(10000);
        otlp_status(o, &s);
    }
    assert_int_equal(s.waiting, 5);
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
    add_plain(700);
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
    while (collector.count < 710 + first) {
        take(next_document(10000));
        answer("200 OK", "{}");
    }
    status_when(o, 710);
    otlp_close(o, 1000);
    assert_int_equal(distinct(), 710); /* what came twice has the same ids */
    ledger_close(ledger, 5000);
    open_ledger();
    o = begin();
    document = next_document(300);
    if (document) { /* the last page, when the ledger had not forgotten it yet */
        take(document);
        answer("200 OK", "{}");
    }
    otlp_close(o, 1000);
    assert_int_equal(distinct(), 710);
}

static void a_row_that_is_refused_holds_up_no_other(void **state)
{
    (void)state;
    struct otlp *o = begin();
    struct record bad = otlp_rig_example();
    bad.finish_reason = STR("poison");
    for (int i = 0; i < 40; i++) {
        struct record r = otlp_rig_example();
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
        const char *found = otlp_rig_text(span, name);
        if (found && strcmp(found, value) == 0)
            return span;
    }
    return NULL;
}

/* Two attempts that failed, the one that answered, and a tool within it. */
static void attempts_of_a_request_are_its_children(void **state)
{
    (void)state;
    struct record r = otlp_rig_example();
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
    const json_t *spans = otlp_rig_spans(document);
    assert_int_equal(json_array_size(spans), 5);
    const json_t *whole = NULL, *s;
    size_t i;
    json_array_foreach(spans, i, s) if (otlp_rig_attribute(s, "tollgate.attempts")) whole = s;
    assert_non_null(whole);
    assert_string_equal(otlp_rig_member(whole, "parentSpanId"), "00000000000000aa");
    assert_int_equal(otlp_rig_number(whole, "tollgate.attempts"), 4);
    assert_string_equal(otlp_rig_text(whole, "tollgate.wasted_usd"), "0.00059");
    assert_string_equal(otlp_rig_text(whole, "tollgate.cost_usd"), "0.00118");
    for (int t = 0; t < 3; t++) {
        const json_t *part = span_with(spans, "tollgate.target", targets[t]);
        assert_non_null(part);
        assert_string_equal(otlp_rig_member(part, "traceId"), otlp_rig_member(whole, "traceId"));
        assert_string_equal(otlp_rig_member(part, "parentSpanId"), otlp_rig_member(whole, "spanId"));
        assert_int_equal(otlp_rig_attribute(part, "tollgate.discarded") != NULL, t < 2);
        assert_int_equal(otlp_rig_attribute(part, "error.type") != NULL, t < 2);
        assert_true(strcmp(otlp_rig_member(part, "startTimeUnixNano"), otlp_rig_member(whole, "startTimeUnixNano")) >=
                    0);
        assert_true(strcmp(otlp_rig_member(part, "endTimeUnixNano"), otlp_rig_member(whole, "endTimeUnixNano")) <= 0);
    }
    const json_t *tool = span_with(spans, "gen_ai.operation.name", "images.tool");
    const json_t *last = span_with(spans, "tollgate.target", targets[2]);
    assert_non_null(tool);
    if (tool == last) { /* it has the target of the attempt that it belongs to */
        json_array_foreach(spans, i, s) if (s != tool && otlp_rig_text(s, "tollgate.target") &&
                                            strcmp(otlp_rig_text(s, "tollgate.target"), targets[2]) == 0) last = s;
    }
    assert_string_equal(otlp_rig_member(tool, "parentSpanId"), otlp_rig_member(last, "spanId"));
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

#define CASE(name) cmocka_unit_test_setup_teardown(name, open_all, close_all)

int main(void)
{
    const struct CMUnitTest tests[] = {
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

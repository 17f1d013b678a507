/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the first version of the ledger wrote, in test/golden/ledger_v1, is read by this one: a journal
 * segment, a database (as SQL) and a body segment, all of the records that v1_record gives. The files
 * are as that version left them and are never made anew.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/mem.h"
#include "ledger/ledger.h"
#include "ledger/query.h"
#include "ledger/query_cost.h"
#include "ledger/record.h"
#include "ledger/schema.h"
#include "ledger/verify.h"
#include "ledger_fixture.h"

#define FIRST_US INT64_C(1795329600000000) /* 2026-11-22 */
#define STEP_US INT64_C(900000000)         /* four rows an hour */
#define COUNT 12
#define OPEN_AT COUNT /* the journal's last entry: begun, never ended */

static int64_t v1_id(unsigned i)
{
    return record_id_floor(FIRST_US + STEP_US * (int64_t)i) | 5;
}

static void v1_meters(struct record *r, unsigned i)
{
    r->usage.source = i % 3 == 2 ? USAGE_ESTIMATED : USAGE_REPORTED;
    r->usage.quantity[METER_INPUT] = 100 + i;
    r->usage.quantity[METER_OUTPUT] = 20 * i;
    r->usage.input_total_tok = 100 + i;
    r->usage.output_total_tok = 20 * i;
    r->usage.reasoning_tok = i;
    r->cost.part_pusd[METER_INPUT] = (100 + i) * INT64_C(150000);
    r->cost.part_pusd[METER_OUTPUT] = 20 * i * INT64_C(600000);
    r->cost.total_pusd = r->cost.part_pusd[METER_INPUT] + r->cost.part_pusd[METER_OUTPUT];
    r->cost.state = i % 3 == 2 ? COST_ESTIMATED : COST_PRICED;
    r->cost.reason = i % 3 == 2 ? COST_REASON_COUNTED_HERE : COST_REASON_EXACT;
    r->cost.price_row = 7 + i;
}

static void v1_texts(struct record *r, unsigned i)
{
    static const char *const traces[] = {"", "0af7651916cd43dd8448eb211c80319c", "my trace",
                                         "123e4567-e89b-42d3-a456-426614174000"};
    r->trace_id = str_c(traces[i % 4]);
    r->span_id = i % 4 ? STR("b7ad6b7169203331") : STR("");
    r->parent_span_id = i % 4 == 1 ? STR("00f067aa0ba902b7") : STR("");
    r->user = i % 2 ? STR("user-1") : STR("");
    r->metadata = STR("{\"env\":\"prod\"}");
    r->user_agent = STR("OpenAI/Python 2.8.0");
    r->upstream_request_id = i % 2 ? STR("req_0123456789abcdef0123456789abcdef") : STR("chatty-1");
}

static void v1_bodies(struct record *r, unsigned i)
{
    r->bodies_kept = true;
    r->request_body = (struct record_body){.bytes = STR("{\"model\":\"gpt-4o\",\"messages\":[]}"), .size_bytes = 32};
    r->response_body = (struct record_body){.bytes = STR("{\"id\":\"chatcmpl-1\""), .size_bytes = 500 + i};
    r->response_body.has_sha256 = true;
    memset(r->response_body.sha256, (int)i, 32);
}

/* The record number i, as it was written. */
static struct record v1_record(unsigned i)
{
    bool failed = i == 5, unpriced = i == 7;
    struct record r = {
        .id = v1_id(i),
        .request_id = v1_id(i == 6 ? 5 : i),
        .attempt = i == 6,
        .started_us = record_id_time_us(v1_id(i)) + 3,
        .workspace_id = 1,
        .key_id = 1 + i % 3,
        .integration_id = 2,
        .method = STR("POST"),
        .path = STR("/v1/chat/completions"),
        .operation = STR("chat.completions"),
        .model_asked = STR("gpt-4o"),
        .upstream_host = STR("api.openai.com"),
        .stream = i % 2,
        .status = failed ? 502 : 200,
        .upstream_status = failed ? 0 : 200,
        .outcome = failed ? RECORD_UPSTREAM_FAILED : RECORD_COMPLETED,
        .err = failed ? ERR_UPSTREAM_TIMEOUT : ERR_OK,
        .err_detail = failed ? STR("no answer in time") : STR(""),
        .first_byte_us = failed ? 0 : 200000 + i,
        .total_us = 900000 + i,
        .overhead_us = 100 + i,
        .events = i % 2 ? 30 + i : 0,
        .cost.meter = METER_COUNT,
        .catalog_version = 4,
    };
    v1_texts(&r, i);
    if (!failed) {
        r.model_answered = STR("gpt-4o-2024-08-06");
        r.service_tier = STR("default");
        r.finish_reason = STR("stop");
        v1_meters(&r, i);
    }
    if (unpriced) {
        r.cost = (struct cost){.state = COST_UNPRICED, .reason = COST_REASON_MODEL, .meter = METER_COUNT};
        r.price_flags = RECORD_PRICE_BATCH;
    }
    if (i % 2 == 0)
        v1_bodies(&r, i);
    return r;
}

/* --- reading --------------------------------------------------------------------------------- */

#define GOLDEN "test/golden/ledger_v1/"
#define SEGMENT "w00-00000001-2b94c65933cac6ea.tgj"

static void copy_in(const char *name, const char *folder)
{
    char path[FIXTURE_PATH_MAX], from[FIXTURE_PATH_MAX], to[FIXTURE_PATH_MAX];
    size_t n;
    fixture_path(path, fixture_test_dir, folder);
    assert_int_equal(file_mkdir(path, 0700), ERR_OK);
    fixture_path(from, GOLDEN, name);
    fixture_path(to, path, name);
    char *bytes = fixture_read(from, &n);
    fixture_write(to, bytes, n);
    mem_free(bytes);
}

static void make_database(void)
{
    char path[FIXTURE_PATH_MAX];
    struct store_db *db;
    size_t n;
    char *sql = fixture_read(GOLDEN "ledger.sql", &n), *text = mem_strndup(sql, n);
    fixture_path(path, fixture_test_dir, SCHEMA_FILE);
    assert_int_equal(store_open(path, NULL, &db), ERR_OK);
    assert_int_equal(store_exec(db, text), ERR_OK);
    store_close(db);
    mem_free(text);
    mem_free(sql);
}

static struct ledger *open_ledger(void)
{
    char why[LEDGER_WHY_MAX];
    struct ledger *l;
    const struct ledger_options o = {.dir = fixture_test_dir, .workers = 1, .drain_ms = 5};
    if (ledger_open(&o, &l, why) != ERR_OK)
        fail_msg("%s", why);
    assert_int_equal(ledger_flush(l, 10000), ERR_OK);
    return l;
}

static void print_finding(void *context, enum verify_part part, struct str text)
{
    (void)context;
    print_message("%s: %.*s\n", verify_part_text(part), STR_ARG(text));
}

static void verify_all(uint64_t rows)
{
    struct verify_result result;
    const struct verify_options o = {.finding = print_finding};
    assert_int_equal(verify_ledger(fixture_test_dir, &o, &result), ERR_OK);
    assert_int_equal(result.findings, 0);
    assert_int_equal(result.rows, rows);
}

/* Newest first. */
static bool compare_row(void *context, const struct record *r)
{
    unsigned *left = context;
    const struct record expected = v1_record(--*left);
    fixture_same(&expected, r);
    assert_int_equal(r->bodies_kept, expected.bodies_kept);
    return *left > 0;
}

static void check_bodies(struct query *q)
{
    for (unsigned i = 0; i < COUNT; i++) {
        const struct record r = v1_record(i);
        struct body_pair pair;
        enum err e = query_bodies(q, r.id, &pair);
        assert_int_equal(e, r.bodies_kept ? ERR_OK : ERR_NOT_FOUND);
        if (e != ERR_OK)
            continue;
        assert_true(str_eq(pair.request.bytes, r.request_body.bytes));
        assert_true(str_eq(pair.response.bytes, r.response_body.bytes));
        assert_int_equal(pair.request_headers.n, 0);
        assert_memory_equal(pair.response.sha256, r.response_body.sha256, 32);
        body_pair_free(&pair);
    }
}

static void check_rows(int64_t before_id)
{
    struct query *q;
    struct query_filter f = query_filter_all();
    unsigned left = COUNT;
    f.before_id = before_id;
    assert_int_equal(query_open(fixture_test_dir, &q), ERR_OK);
    assert_int_equal(query_attempts(q, &f, compare_row, &left), ERR_OK);
    assert_int_equal(left, 0);
    check_bodies(q);
    query_close(q);
}

static struct query_sums total(void)
{
    struct query *q;
    struct query_sums sums;
    const struct query_cost all = {.cost_state = -1};
    assert_int_equal(query_open(fixture_test_dir, &q), ERR_OK);
    assert_int_equal(query_cost(q, &all, NULL, NULL, &sums), ERR_OK);
    query_close(q);
    return sums;
}

static bool check_interrupted(void *context, const struct record *r)
{
    (void)context;
    assert_int_equal(r->id, v1_id(OPEN_AT));
    assert_int_equal(r->outcome, RECORD_INTERRUPTED);
    assert_int_equal(r->attempt, 0);
    assert_int_equal(r->cost.state, COST_ESTIMATED);
    assert_int_equal(r->cost.total_pusd, 123456);
    assert_int_equal(r->request_body.size_bytes, 77);
    assert_true(r->stream);
    assert_true(str_eq(r->trace_id, STR("begun")));
    return true;
}

static void journals_of_the_first_version_are_stored(void **state)
{
    (void)state;
    struct query *q;
    copy_in(SEGMENT, SCHEMA_JOURNAL_DIR);
    struct ledger *l = open_ledger();
    check_rows(v1_id(OPEN_AT));
    assert_int_equal(query_open(fixture_test_dir, &q), ERR_OK);
    assert_int_equal(query_attempt(q, v1_id(OPEN_AT), check_interrupted, NULL), ERR_OK);
    query_close(q);
    ledger_close(l, 1000);
    verify_all(COUNT + 1);
}

/*
 * A request of three attempts: two wasted, then one from the cache of another target; and the record of
 * a tool within the last one.
 */
static void add_routed(struct ledger *l)
{
    struct record r = v1_record(0);
    const int64_t id = record_id_floor(FIRST_US + STEP_US * 100);
    for (unsigned i = 0; i < 4; i++) {
        r.id = id + i;
        r.request_id = id;
        r.attempt = i;
        r.routing = (struct record_routing){
            .provider = STR("openai"),
            .config = STR("pc-one"),
            .mode = STR("fallback"),
            .target = i < 2    ? STR("config.targets[0]")
                      : i == 2 ? STR("config.targets[1]")
                               : STR(""),
            .retry = i == 1,
            .discarded = i < 2,
        };
        if (i == 2) {
            r.routing.cache = RECORD_CACHE_HIT;
            r.routing.saved_pusd = 555;
            r.cost = (struct cost){.state = COST_FREE, .meter = METER_COUNT};
        } else {
            r.cost = v1_record(0).cost;
        }
        r.request_headers = i == 1 ? STR("{\"a\":\"b\"}") : STR("");
        journal_add(ledger_journal(l, 0), &r);
    }
    assert_int_equal(journal_flush(ledger_journal(l, 0)), ERR_OK);
    assert_int_equal(ledger_flush(l, 10000), ERR_OK);
}

static void check_headers(void)
{
    struct query *q;
    struct body_pair pair;
    assert_int_equal(query_open(fixture_test_dir, &q), ERR_OK);
    assert_int_equal(query_bodies(q, record_id_floor(FIRST_US + STEP_US * 100) + 1, &pair), ERR_OK);
    assert_true(str_eq(pair.request_headers, STR("{\"a\":\"b\"}")));
    assert_int_equal(pair.response_headers.n, 0);
    assert_int_equal(pair.request.bytes.n, 32);
    body_pair_free(&pair);
    query_close(q);
}

static void databases_of_the_first_version_are_brought_up_to_date(void **state)
{
    (void)state;
    make_database();
    copy_in("00000001.tgb", SCHEMA_BODIES_DIR);
    struct ledger *l = open_ledger();
    check_rows(0);
    struct query_sums before = total();
    assert_int_equal(before.sums.attempts, COUNT);
    assert_int_equal(before.sums.requests, COUNT - 1);
    assert_int_equal(before.discarded, 0);
    add_routed(l);
    struct query_sums after = total();
    const int64_t each = v1_record(0).cost.total_pusd;
    assert_int_equal(after.sums.attempts, COUNT + 4);
    assert_int_equal(after.sums.requests, COUNT);
    assert_true(after.sums.cost_pusd == before.sums.cost_pusd + 3 * each);
    assert_int_equal(after.discarded, 2);
    assert_true(after.wasted_pusd == 2 * each);
    assert_int_equal(after.cache_hits, 1);
    assert_true(after.sums.saved_pusd == 555);
    assert_int_equal(after.sums.retries, 1);
    assert_int_equal(after.sums.fallbacks, 1);
    check_headers();
    ledger_close(l, 1000);
    verify_all(COUNT + 4);
}

static void add_to_cost(void *context, const struct record *r, struct cost *ret, uint32_t *ret_version)
{
    (void)context;
    *ret = r->cost;
    *ret_version = r->catalog_version;
    ret->total_pusd += 1000;
    ret->part_pusd[METER_INPUT] += 1000;
}

static void new_prices_reach_wasted_attempts_and_not_the_cache(void **state)
{
    (void)state;
    make_database();
    copy_in("00000001.tgb", SCHEMA_BODIES_DIR);
    struct ledger *l = open_ledger();
    add_routed(l);
    struct query_sums before = total();
    const struct ledger_reprice job = {.since_us = FIRST_US + STEP_US * 50, .price = add_to_cost};
    struct ledger_repriced done;
    assert_int_equal(ledger_reprice(l, &job, &done), ERR_OK);
    assert_int_equal(done.looked_at, 4);
    assert_int_equal(done.changed, 3);
    struct query_sums after = total();
    assert_true(after.sums.cost_pusd == before.sums.cost_pusd + 3000);
    assert_true(after.wasted_pusd == before.wasted_pusd + 2000);
    assert_true(after.sums.saved_pusd == 555);
    ledger_close(l, 1000);
    verify_all(COUNT + 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(journals_of_the_first_version_are_stored, fixture_make_dir, fixture_remove_dir),
        cmocka_unit_test_setup_teardown(databases_of_the_first_version_are_brought_up_to_date, fixture_make_dir,
                                        fixture_remove_dir),
        cmocka_unit_test_setup_teardown(new_prices_reach_wasted_attempts_and_not_the_cache, fixture_make_dir,
                                        fixture_remove_dir),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

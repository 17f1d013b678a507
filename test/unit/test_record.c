/* SPDX-License-Identifier: Apache-2.0 */
/* Attempt ids and the coding of records. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/rng.h"
#include "base/wire.h"
#include "ledger/record.h"
#include "ledger/record_codec.h"
#include "ledger_fixture.h"

#define NOW_US INT64_C(1795329600000000) /* 2026-11-22 */

static void ids_are_unique_and_grow_whatever_the_clock_does(void **state)
{
    (void)state;
    struct record_ids ids;
    struct rng_seeded g = {1};
    record_ids_init(&ids, 5, 0);
    int64_t last = 0, now = NOW_US;
    for (int i = 0; i < 200000; i++) {
        int64_t jump = (int64_t)rng_seeded_below(&g, 40) - 20;
        if (i % 10000 == 0)
            jump = -3600000000;
        now += jump;
        int64_t id = record_ids_next(&ids, now);
        assert_true(id > last);
        assert_int_equal(id >> 6 & 63, 5);
        last = id;
    }
}

static void ids_of_two_workers_never_meet(void **state)
{
    (void)state;
    struct record_ids a, b;
    record_ids_init(&a, 1, 0);
    record_ids_init(&b, 2, 0);
    for (int i = 0; i < 1000; i++)
        assert_int_not_equal(record_ids_next(&a, NOW_US), record_ids_next(&b, NOW_US));
}

static void ids_are_above_those_of_the_last_process(void **state)
{
    (void)state;
    struct record_ids ids;
    for (unsigned worker = 0; worker < RECORD_WORKERS_MAX; worker++) {
        int64_t before = record_id_floor(NOW_US + 60000000) | 4095;
        record_ids_init(&ids, worker, before);
        assert_true(record_ids_next(&ids, NOW_US) > before);
    }
}

static void an_id_knows_its_time(void **state)
{
    (void)state;
    struct record_ids ids;
    record_ids_init(&ids, 63, 0);
    int64_t id = record_ids_next(&ids, NOW_US);
    assert_int_equal(record_id_time_us(id), NOW_US);
    assert_true(record_id_floor(NOW_US) <= id);
    assert_true(record_id_floor(NOW_US + 1) > id);
}

static void id_texts_come_back_and_sort_alike(void **state)
{
    (void)state;
    struct rng_seeded g = {3};
    char a[RECORD_ID_TEXT_MAX], b[RECORD_ID_TEXT_MAX];
    for (int i = 0; i < 10000; i++) {
        int64_t x = (int64_t)(rng_seeded_u64(&g) >> 1), y = (int64_t)(rng_seeded_u64(&g) >> 1), back;
        assert_int_equal(record_id_format(x, a), 17);
        record_id_format(y, b);
        assert_true(record_id_parse(str_c(a), &back));
        assert_int_equal(back, x);
        assert_int_equal(strcmp(a, b) < 0, x < y);
    }
    int64_t id;
    assert_true(record_id_parse(STR("tgr_7zzzzzzzzzzzz"), &id));
    assert_int_equal(id, INT64_MAX);
    const char *const bad[] = {"",
                               "tgr_",
                               "tgr_8zzzzzzzzzzzz",
                               "tgr_7zzzzzzzzzzz",
                               "tgr_7zzzzzzzzzzzzz",
                               "tgr_7zzzzzzzzzzzu",
                               "tgr_7ZZZZZZZZZZZZ",
                               "req_7zzzzzzzzzzzz",
                               "tgr_7zzzzzzz zzzz"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(record_id_parse(str_c(bad[i]), &id));
}

static void every_cache_status_has_a_text_that_is_read_back(void **state)
{
    (void)state;
    enum record_cache back;
    for (unsigned c = 0; c < RECORD_CACHE_COUNT; c++) {
        assert_true(record_cache_parse(str_c(record_cache_text((enum record_cache)c)), &back));
        assert_int_equal(back, c);
    }
    assert_true(record_cache_parse(STR("semantic hit"), &back));
    assert_int_equal(back, RECORD_CACHE_SEMANTIC_HIT);
    assert_false(record_cache_parse(STR(""), &back));
    for (unsigned h = 0; h < RECORD_HOOKS_COUNT; h++)
        assert_non_null(record_hooks_text((enum record_hooks)h));
}

static void every_outcome_has_a_text_that_is_read_back(void **state)
{
    (void)state;
    for (unsigned o = 0; o < RECORD_OUTCOME_COUNT; o++) {
        enum record_outcome back;
        assert_true(record_outcome_parse(str_c(record_outcome_text((enum record_outcome)o)), &back));
        assert_int_equal(back, o);
    }
    enum record_outcome none;
    assert_false(record_outcome_parse(STR("nothing"), &none));
}

/* Every member set to something that is not its zero. */
static void full_record(struct fixture_record *f)
{
    fixture_record(f, 9, 9, record_id_floor(NOW_US) | 77, false);
    struct record *r = &f->r;
    r->request_id = r->id - 12345;
    r->attempt = 3;
    r->started_us += 17;
    r->model_answered = STR("m2");
    r->service_tier = STR("flex");
    r->trace_id = STR("trace"), r->span_id = STR("span"), r->parent_span_id = STR("parent");
    r->finish_reason = STR("length");
    r->err = ERR_UPSTREAM_IDLE;
    r->err_detail = STR("it stopped");
    r->container = STR("4g");
    r->price_flags = RECORD_PRICE_BATCH | RECORD_PRICE_AGGREGATE;
    r->usage.source = USAGE_ESTIMATED;
    for (unsigned m = 0; m < METER_COUNT; m++) {
        r->usage.quantity[m] = UINT64_MAX - m;
        r->cost.part_pusd[m] = m % 2 ? INT64_MIN + m : INT64_MAX - m;
    }
    r->usage.input_total_tok = 1, r->usage.output_total_tok = 2, r->usage.reasoning_tok = 3;
    r->usage.prediction_accepted_tok = 4, r->usage.prediction_rejected_tok = 5;
    r->usage.inconsistent = true;
    memcpy(r->usage.service_tier, "priority", 9);
    memcpy(r->usage.quality, "high", 5);
    memcpy(r->usage.size, "1024x1024", 10);
    r->cost.total_pusd = INT64_MIN;
    r->cost.state = COST_ESTIMATED;
    r->cost.reason = COST_REASON_COUNTED_HERE;
    r->cost.meter = METER_TRAINED;
    r->cost.tier = PRICE_TIER_FLEX;
    r->cost.match = PRICE_MATCH_SNAPSHOT;
    r->cost.long_context = true;
    r->cost.price_row = UINT32_MAX;
    r->catalog_version = 9;
    r->routing = (struct record_routing){
        .provider = STR("azure-openai"),
        .config = STR("pc-all"),
        .config_version = UINT32_MAX,
        .mode = STR("fallback"),
        .target = STR("config.targets[1].targets[0]"),
        .retry = 2,
        .retries = RECORD_RETRIES_USED_UP,
        .discarded = true,
        .cache = RECORD_CACHE_REFRESH,
        .saved_pusd = INT64_MIN,
        .hooks = RECORD_HOOKS_DENIED,
        .hook_results = STR("{}"),
        .span_name = STR("llm"),
        .sdk_version = STR("portkey-1"),
        .runtime = STR("node"),
        .runtime_version = STR("v22"),
    };
    r->bodies_kept = true;
    r->request_body.size_bytes = UINT64_MAX;
    r->response_body.size_bytes = 5;
    r->request_body.has_sha256 = r->response_body.has_sha256 = true;
    memset(r->request_body.sha256, 0xa5, 32);
    memset(r->response_body.sha256, 0x5a, 32);
}

static void a_record_with_everything_comes_back_whole(void **state)
{
    (void)state;
    static struct fixture_record f;
    static unsigned char bytes[RECORD_ENCODED_MAX];
    struct record back;
    full_record(&f);
    size_t n = record_encode(&f.r, bytes);
    assert_int_equal(record_decode(str_of((char *)bytes, n), &back), ERR_OK);
    fixture_same(&f.r, &back);
    assert_true(back.bodies_kept);
}

static void ten_thousand_records_come_back(void **state)
{
    (void)state;
    static struct fixture_record f;
    static unsigned char bytes[RECORD_ENCODED_MAX];
    struct record back;
    for (uint64_t i = 0; i < 10000; i++) {
        fixture_record(&f, 1, i, record_id_floor(NOW_US) + (int64_t)i * 4096, false);
        size_t n = record_encode(&f.r, bytes);
        assert_int_equal(record_decode(str_of((char *)bytes, n), &back), ERR_OK);
        fixture_same(&f.r, &back);
    }
}

static void columns_and_extra_together_are_the_record(void **state)
{
    (void)state;
    static struct fixture_record f;
    static unsigned char bytes[RECORD_ENCODED_MAX];
    full_record(&f);
    size_t n = record_encode_extra(&f.r, bytes);
    struct record back = f.r; /* the columns, as it were */
    memset(&back.usage, 0, sizeof back.usage);
    memset(back.cost.part_pusd, 0, sizeof back.cost.part_pusd);
    back.cost.reason = COST_REASON_EXACT;
    back.parent_span_id = back.err_detail = back.container = STR("");
    back.routing.hook_results = back.routing.span_name = STR("");
    back.routing.retry = back.routing.retries = 0;
    back.routing.saved_pusd = 0;
    back.routing.hooks = RECORD_HOOKS_NONE;
    back.started_us = 0;
    back.events = back.catalog_version = back.price_flags = back.cost.price_row = 0;
    back.request_body = back.response_body = (struct record_body){.size_bytes = 0};
    assert_int_equal(record_decode_extra(str_of((char *)bytes, n), &back), ERR_OK);
    fixture_same(&f.r, &back);
}

static void open_and_gap_come_back(void **state)
{
    (void)state;
    static unsigned char bytes[RECORD_ENCODED_MAX];
    const struct record_open o = {.id = 99,
                                  .request_id = 98,
                                  .attempt = 2,
                                  .provider = STR("openai"),
                                  .config = STR("pc-x"),
                                  .target = STR("config.targets[1]"),
                                  .started_us = NOW_US,
                                  .workspace_id = 1,
                                  .key_id = 2,
                                  .integration_id = 3,
                                  .method = STR("GET"),
                                  .path = STR("/v1/models"),
                                  .operation = STR("models.list"),
                                  .model_asked = STR("m"),
                                  .trace_id = STR("t"),
                                  .user = STR("u"),
                                  .metadata = STR("{}"),
                                  .stream = true,
                                  .request_bytes = 5,
                                  .reserved_pusd = INT64_MAX};
    struct record_open open;
    size_t n = record_encode_open(&o, bytes);
    assert_int_equal(record_decode_open(str_of((char *)bytes, n), &open), ERR_OK);
    assert_int_equal(open.id, 99);
    assert_int_equal(open.request_id, 98);
    assert_int_equal(open.attempt, 2);
    assert_true(str_eq(open.provider, o.provider) && str_eq(open.config, o.config) && str_eq(open.target, o.target));
    assert_int_equal(open.started_us, NOW_US);
    assert_int_equal(open.reserved_pusd, INT64_MAX);
    assert_true(str_eq(open.path, o.path) && str_eq(open.metadata, o.metadata) && open.stream);

    const money_sum big = -((money_sum)INT64_MAX * 1000 + 17);
    const struct record_gap g = {
        .records = 5, .opens = 6, .since_us = NOW_US, .until_us = NOW_US + 9, .cost_pusd = big, .unpriced = 2};
    struct record_gap gap;
    n = record_encode_gap(&g, bytes);
    assert_int_equal(record_decode_gap(str_of((char *)bytes, n), &gap), ERR_OK);
    assert_true(gap.cost_pusd == big);
    assert_int_equal(gap.records, 5);
    assert_int_equal(gap.until_us, NOW_US + 9);
}

static void texts_beyond_their_limits_are_cut(void **state)
{
    (void)state;
    static struct fixture_record f;
    static unsigned char bytes[RECORD_ENCODED_MAX];
    static char long_text[100000];
    struct record back;
    memset(long_text, 'x', sizeof long_text);
    full_record(&f);
    struct str *const texts[] = {&f.r.method,
                                 &f.r.path,
                                 &f.r.operation,
                                 &f.r.model_asked,
                                 &f.r.model_answered,
                                 &f.r.service_tier,
                                 &f.r.upstream_host,
                                 &f.r.upstream_request_id,
                                 &f.r.trace_id,
                                 &f.r.span_id,
                                 &f.r.parent_span_id,
                                 &f.r.user,
                                 &f.r.metadata,
                                 &f.r.user_agent,
                                 &f.r.finish_reason,
                                 &f.r.err_detail,
                                 &f.r.container,
                                 &f.r.routing.provider,
                                 &f.r.routing.config,
                                 &f.r.routing.mode,
                                 &f.r.routing.target,
                                 &f.r.routing.hook_results,
                                 &f.r.routing.span_name,
                                 &f.r.routing.sdk_version,
                                 &f.r.routing.runtime,
                                 &f.r.routing.runtime_version};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        *texts[i] = str_of(long_text, sizeof long_text);
    size_t n = record_encode(&f.r, bytes);
    assert_int_equal(record_decode(str_of((char *)bytes, n), &back), ERR_OK);
    assert_int_equal(back.path.n, RECORD_TEXT_MAX);
    assert_int_equal(back.metadata.n, RECORD_METADATA_MAX);
    assert_int_equal(back.routing.target.n, RECORD_TEXT_MAX);
    assert_int_equal(back.routing.hook_results.n, RECORD_HOOK_RESULTS_MAX);
}

static void fields_of_the_future_are_skipped(void **state)
{
    (void)state;
    static struct fixture_record f;
    static unsigned char bytes[RECORD_ENCODED_MAX + 256];
    struct record back;
    full_record(&f);
    unsigned char *p = bytes + record_encode(&f.r, bytes);
    p = wire_put_varint(wire_put_varint(p, 1000 << 2), 123456);                              /* a number */
    p = wire_put_bytes(wire_put_varint(wire_put_varint(p, 1001 << 2 | 1), 5), STR("later")); /* bytes */
    p = wire_put_u64(wire_put_varint(p, 1002 << 2 | 2), 42);                                 /* 64 bits */
    assert_int_equal(record_decode(str_of((char *)bytes, (size_t)(p - bytes)), &back), ERR_OK);
    fixture_same(&f.r, &back);
}

static void meanings_of_the_future_are_refused(void **state)
{
    (void)state;
    static unsigned char bytes[64];
    struct record back;
    unsigned char *p = bytes;
    *p++ = RECORD_KIND_CLOSE;
    *p++ = 1;
    p = wire_put_u64(wire_put_varint(p, 1 << 2 | 2), 99);
    p = wire_put_varint(wire_put_varint(p, 26 << 2), RECORD_OUTCOME_COUNT); /* an outcome nobody knows */
    assert_int_equal(record_decode(str_of((char *)bytes, (size_t)(p - bytes)), &back), ERR_CORRUPT);
    bytes[1] = 2; /* another version */
    enum record_kind kind;
    assert_int_equal(record_kind_of(str_of((char *)bytes, 2), &kind), ERR_CORRUPT);
    bytes[1] = 1, bytes[0] = 9; /* another kind */
    assert_int_equal(record_kind_of(str_of((char *)bytes, 2), &kind), ERR_CORRUPT);
}

static void a_record_cut_anywhere_is_an_error_or_a_shorter_one(void **state)
{
    (void)state;
    static struct fixture_record f;
    static unsigned char bytes[RECORD_ENCODED_MAX];
    struct record back;
    full_record(&f);
    size_t n = record_encode(&f.r, bytes), good = 0;
    for (size_t cut = 0; cut < n; cut++) {
        char *copy = mem_strndup((char *)bytes, cut);
        if (record_decode(str_of(copy, cut), &back) == ERR_OK)
            good++; /* cut between two fields: the checksum around it is there for that */
        mem_free(copy);
    }
    assert_true(good < 100);
}

static void a_trace_id_of_ours_leads_back_to_its_request(void **state)
{
    struct rng_seeded g = {11};
    char text[RECORD_TRACE_TEXT_MAX];
    int64_t id, back;
    (void)state;
    for (int i = 0; i < 100000; i++) {
        id = (int64_t)(rng_seeded_u64(&g) >> 1);
        record_trace_format(id, text);
        assert_int_equal(strlen(text), RECORD_TRACE_TEXT_MAX - 1);
        assert_true(text[14] == '4' && strchr("89ab", text[19]));
        assert_true(record_trace_parse(str_c(text), &back));
        assert_int_equal(back, id);
        text[rng_seeded_below(&g, 8)] ^= 1;
        assert_false(record_trace_parse(str_c(text), &back) && back == id);
    }
    assert_false(record_trace_parse(STR("7a6f9a4a-e6ba-4035-a91f-6040fcee94e4"), &back));
    assert_false(record_trace_parse(STR(""), &back));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_trace_id_of_ours_leads_back_to_its_request),
        cmocka_unit_test(ids_are_unique_and_grow_whatever_the_clock_does),
        cmocka_unit_test(ids_of_two_workers_never_meet),
        cmocka_unit_test(ids_are_above_those_of_the_last_process),
        cmocka_unit_test(an_id_knows_its_time),
        cmocka_unit_test(id_texts_come_back_and_sort_alike),
        cmocka_unit_test(every_outcome_has_a_text_that_is_read_back),
        cmocka_unit_test(every_cache_status_has_a_text_that_is_read_back),
        cmocka_unit_test(a_record_with_everything_comes_back_whole),
        cmocka_unit_test(ten_thousand_records_come_back),
        cmocka_unit_test(columns_and_extra_together_are_the_record),
        cmocka_unit_test(open_and_gap_come_back),
        cmocka_unit_test(texts_beyond_their_limits_are_cut),
        cmocka_unit_test(fields_of_the_future_are_skipped),
        cmocka_unit_test(meanings_of_the_future_are_refused),
        cmocka_unit_test(a_record_cut_anywhere_is_an_error_or_a_shorter_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

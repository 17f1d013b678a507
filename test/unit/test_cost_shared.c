/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The allocated ledger: shares worked out by hand, and that they are the bill to the last digit on a thousand random
 * months, whatever they are told apart by.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/rng.h"
#include "cost_rig.h"
#include "ledger/ledger.h"
#include "ledger_fixture.h"

#define P "costs.provider = 'open_ai' AND costs.ledger = 'allocated'"
#define DIRECT "(direct, not via gateway)"
#define COUNT(a) (sizeof(a) / sizeof(a)[0])
#define DAY_US (INT64_C(86400) * 1000000)

/* --- traffic --------------------------------------------------------------------------------- */

struct traffic {
    struct ledger *ledger;
    struct record_ids ids;
};

static void traffic_open(struct traffic *t, const char *dir)
{
    char why[LEDGER_WHY_MAX];
    const struct ledger_options o = {.dir = dir, .workers = 1, .drain_ms = 5};
    *t = (struct traffic){.ledger = NULL};
    if (ledger_open(&o, &t->ledger, why) != ERR_OK)
        fail_msg("%s", why);
}

static void traffic_close(struct traffic *t)
{
    assert_int_equal(ledger_flush(t->ledger, 60000), ERR_OK);
    ledger_close(t->ledger, 60000);
}

struct call {
    int64_t day, workspace, key, integration;
    const char *model, *metadata, *config, *tier;
    uint64_t input, output;
    int64_t pusd;
};

static void call(struct traffic *t, const struct call *c)
{
    struct fixture_record *f = malloc(sizeof *f);
    int64_t at = c->day * DAY_US + 3600000000 + (int64_t)(rng_u64() % 1000000);
    fixture_record(f, 7, 1, record_ids_next(&t->ids, at), false);
    struct record *r = &f->r;
    r->started_us = at;
    r->request_id = r->id;
    r->attempt = 0;
    r->workspace_id = c->workspace;
    r->key_id = c->key;
    r->integration_id = c->integration;
    r->model_asked = r->model_answered = str_c(c->model);
    r->service_tier = c->tier ? str_c(c->tier) : STR("default");
    r->metadata = c->metadata ? str_c(c->metadata) : STR("");
    r->routing.config = c->config ? str_c(c->config) : STR("");
    memset(&r->usage.quantity, 0, sizeof r->usage.quantity);
    memset(&r->cost.part_pusd, 0, sizeof r->cost.part_pusd);
    r->usage.quantity[METER_INPUT] = c->input;
    r->usage.quantity[METER_OUTPUT] = c->output;
    r->cost.part_pusd[METER_INPUT] = r->cost.total_pusd = c->pusd;
    journal_add(ledger_journal(t->ledger, 0), r);
    assert_int_equal(journal_flush(ledger_journal(t->ledger, 0)), ERR_OK);
    free(f);
}

/* --- the bill -------------------------------------------------------------------------------- */

static void add_account(struct cost_rig *r)
{
    struct arena *arena = arena_new(4096, 1u << 20);
    struct bill_account a;
    assert_int_equal(bill_account_put(r->bill, 1, 1, STR("admin"), 18000, 1), ERR_OK);
    assert_int_equal(bill_account_find(bill_db(r->bill), 1, arena, &a), ERR_OK);
    a.organization = STR("org-a");
    assert_int_equal(bill_account_set(r->bill, &a), ERR_OK);
    arena_free(arena);
}

static void put(struct cost_rig *r, int64_t day, const struct bill_cost *costs, size_t count)
{
    struct bill_stored stored;
    struct bill_day d = {.account = 1, .day = day, .costs = costs, .count = count, .now_us = bill_day_us(day + 40)};
    if (bill_day_put(r->bill, &d, &stored) != ERR_OK)
        fail_msg("%s", bill_reason(r->bill));
}

static struct bill_cost cost(const char *line, const char *amount, const char *quantity)
{
    return (struct bill_cost){.project = STR("proj_a"),
                              .key = STR("key_1"),
                              .line_item = str_c(line),
                              .unit = quantity[0] ? STR("tokens") : STR(""),
                              .charge = BILL_CHARGE_USAGE,
                              .amount = str_c(amount),
                              .quantity = str_c(quantity)};
}

/* Integration 11 is of the organization, 12 goes elsewhere. */
static const struct match_link links[] = {
    {.integration = 1,
     .workspace = 1,
     .kind = KIND_INTEGRATION_OPENAI_ADMIN,
     .name = STR("admin"),
     .host = STR("api.openai.com")},
    {.integration = 11,
     .workspace = 1,
     .kind = KIND_INTEGRATION_OPENAI,
     .name = STR("openai"),
     .host = STR("api.openai.com"),
     .organization = STR("org-a")},
    {.integration = 12,
     .workspace = 1,
     .kind = KIND_INTEGRATION_AZURE_OPENAI,
     .name = STR("azure"),
     .host = STR("x.openai.azure.com")},
};

static bool key_text(void *context, int64_t id, struct str *ret_id, struct str *ret_name)
{
    static char text[32];
    (void)context;
    int n = snprintf(text, sizeof text, "tgk_%lld", (long long)id);
    *ret_id = str_of(text, (size_t)n);
    *ret_name = STR("a key");
    return id < 100;
}

static bool member_text(void *context, int64_t id, struct str *ret_id, struct str *ret_name)
{
    (void)context;
    *ret_id = id == 5 ? STR("ada") : id == 6 ? STR("bob") : STR("");
    *ret_name = STR("");
    return id == 5 || id == 6;
}

static struct cost_query query(const struct vql *const *filter, const char *group, int64_t from, int64_t until)
{
    struct cost_query q = cost_query_all();
    q.filters = filter;
    q.filter_count = 1;
    q.from_day = from;
    q.until_day = until;
    q.bin = COST_BIN_TOTAL;
    q.settings.include_credits = q.settings.include_refunds = true;
    q.known = (struct cost_known){.key = key_text, .member = member_text, .links = links, .link_count = COUNT(links)};
    if (group)
        assert_true(cost_group_parse(str_c(group), &q.groups[q.group_count++]));
    return q;
}

/* "value amount[!] …" of a report by one grouping, most money first; ! = over_metered. */
static void expect(struct cost_rig *r, const struct cost_query *q, const char *want)
{
    struct buf out;
    struct cost_result *result = cost_rig_run(r, q);
    buf_init(&out, 1u << 16);
    for (size_t i = 0; i < result->row_count; i++) {
        char amount[COST_TEXT_MAX];
        cost_amount_format(result->rows[i].amount, amount);
        assert_true(buf_printf(&out, "%s%.*s=%s%s", i ? " " : "", STR_ARG(result->rows[i].values[0]), amount,
                               result->rows[i].over_metered ? "!" : ""));
    }
    assert_true(buf_add_byte(&out, '\0'));
    assert_string_equal(buf_str(&out).p, want);
    buf_free(&out);
    cost_result_free(result);
}

static void expect_by(struct cost_rig *r, const char *filter, const char *group, int64_t day, const char *want)
{
    struct vql *parsed = cost_rig_parse(str_c(filter));
    const struct vql *filters[] = {parsed};
    struct cost_query q = query(filters, group, day, day + 1);
    expect(r, &q, want);
    vql_free(parsed);
}

static int setup(void **state)
{
    struct cost_rig *r = calloc(1, sizeof *r);
    cost_rig_open(r);
    add_account(r);
    *state = r;
    return 0;
}

static int teardown(void **state)
{
    cost_rig_close(*state);
    free(*state);
    return 0;
}

/* --- by hand --------------------------------------------------------------------------------- */

static void shares_are_those_worked_out_by_hand(void **state)
{
    struct cost_rig *r = *state;
    struct traffic t;
    int64_t day = cost_rig_day("2026-03-10");
    const struct bill_cost costs[] = {
        cost("gpt-4o-2024-08-06, input", "1.00", "1000"),    /* 300 + 200 of 1000 metered */
        cost("gpt-4o-2024-08-06, output", "3.00", "100"),    /* 100 + 50 metered: more than billed */
        cost("o3-2025-04-16, input", "0.000000000010", "3"), /* 1 + 1 + 1 metered: 10 pico-dollars in three */
        cost("web search tool calls", "0.50", ""),           /* not metered */
        cost("gpt-5-2025-08-07, input", "2.00", ""),         /* no quantity: by money, 0.5 of 2 */
    };
    const struct call calls[] = {
        {day, 1, 5, 11, "gpt-4o-2024-08-06", "{\"team\":\"search\",\"n\":1}", NULL, NULL, 300, 100, 1000},
        {day, 1, 6, 11, "gpt-4o", "{\"team\":\"ads\"}", "models/summary", NULL, 200, 50, 1000},
        {day, 1, 5, 12, "gpt-4o", "{\"team\":\"azure\"}", NULL, NULL, 999, 999, 1000}, /* another biller */
        {day, 1, 5, 11, "o3", NULL, NULL, NULL, 1, 0, 1},
        {day, 1, 6, 11, "o3", NULL, NULL, NULL, 1, 0, 1},
        {day, 1, 7, 11, "o3", NULL, NULL, NULL, 1, 0, 1},
        {day, 1, 7, 11, "gpt-5", NULL, NULL, NULL, 10, 0, 500000000000},
        {day + 1, 1, 7, 11, "gpt-4o", NULL, NULL, NULL, 500, 0, 1000}, /* nothing was billed on that day */
    };
    put(r, day, costs, COUNT(costs));
    traffic_open(&t, r->dir);
    for (size_t i = 0; i < COUNT(calls); i++)
        call(&t, &calls[i]);
    traffic_close(&t);
    /* 0.3 + 2 + 4p; 0.2 + 1 + 3p; 0.5 + 3p; direct: 0.5 + 0.5 + 1.5. The remainder of 10p goes to the first. */
    expect_by(r, P, "api_key", day, DIRECT "=2.5 tgk_5=2.300000000004! tgk_6=1.200000000003! tgk_7=0.500000000003");
    expect_by(r, P, "member", day, DIRECT "=2.5 ada=2.300000000004! bob=1.200000000003! =0.500000000003");
    expect_by(r, P, "workspace", day, "1=4.00000000001! " DIRECT "=2.5");
    expect_by(r, P, "model_api", day, "=2.80000000001! " DIRECT "=2.5 summary=1.2!");
    expect_by(r, P, "tag:team", day, DIRECT "=2.5 search=2.3! ads=1.2! =0.50000000001");
    expect_by(r, P, "tag:n", day, DIRECT "=2.5 1=2.3! =1.70000000001!");
    expect_by(r, P, "service", day, "Chat and Completions=6.00000000001! Tools=0.5");
    expect_by(r, P " AND costs.resource_id = 'tgk_5'", "cost_subcategory", day, "output=2.0! input=0.300000000004");
    expect_by(r, P " AND tags.name = 'team' AND tags.value = 'ads'", "api_key", day, "tgk_6=1.2!");
    expect_by(r, P " AND (tags.name, tags.value) IN (('team', 'search'), ('n', '1'))", "model", day, "gpt-4o=2.3!");
    expect_by(r, P " AND costs.member = 'bob' AND costs.allocation = 0.5", "ledger", day, "allocated=0.6000000000015!");
    expect_by(r, P " AND costs.model_api = 'summary'", "ledger", day, "allocated=1.2!");
    expect_by(r, "costs.provider = 'open_ai'", "ledger", day, "billed=6.50000000001");
}

static void other_workspaces_are_not_told_apart(void **state)
{
    struct cost_rig *r = *state;
    struct traffic t;
    int64_t day = cost_rig_day("2026-03-10"), accounts[] = {1}, workspaces[] = {1};
    const struct bill_cost costs[] = {cost("gpt-4o, input", "4.00", "400")};
    put(r, day, costs, 1);
    traffic_open(&t, r->dir);
    call(&t, &(struct call){day, 1, 5, 11, "gpt-4o", "{\"team\":\"a\"}", NULL, NULL, 100, 0, 1});
    call(&t, &(struct call){day, 2, 6, 11, "gpt-4o", "{\"team\":\"b\"}", NULL, NULL, 200, 0, 1});
    traffic_close(&t);
    struct vql *parsed = cost_rig_parse(STR(P));
    const struct vql *filters[] = {parsed};
    static const char *const groups[] = {"api_key", "workspace"};
    static const char *const wanted[] = {"(another workspace)=2.0 " DIRECT "=1.0 tgk_5=1.0",
                                         "(another workspace)=2.0 " DIRECT "=1.0 1=1.0"};
    for (size_t i = 0; i < COUNT(groups); i++) {
        struct cost_query q = query(filters, groups[i], day, day + 1);
        q.scope = (struct cost_scope){
            .accounts = accounts, .account_count = 1, .workspaces = workspaces, .workspace_count = 1};
        expect(r, &q, wanted[i]);
    }
    vql_free(parsed);
}

/* Nothing went through 13, so its project's costs are not set apart from what 11 used; reconciliation says the same. */
static void idle_integrations_set_nothing_apart(void **state)
{
    struct cost_rig *r = *state;
    struct traffic t;
    struct match_link more[COUNT(links) + 1];
    int64_t day = cost_rig_day("2026-03-10");
    const struct bill_cost costs[] = {cost("gpt-4o, input", "4.00", "400")};
    put(r, day, costs, 1);
    traffic_open(&t, r->dir);
    call(&t, &(struct call){day, 1, 5, 11, "gpt-4o", NULL, NULL, NULL, 100, 0, 1});
    call(&t, &(struct call){day + 1, 1, 5, 13, "gpt-4o", NULL, NULL, NULL, 50, 0, 1});
    traffic_close(&t);
    memcpy(more, links, sizeof links);
    more[COUNT(links)] = links[1];
    more[COUNT(links)].integration = 13;
    more[COUNT(links)].project = STR("proj_a");
    struct vql *parsed = cost_rig_parse(STR(P));
    const struct vql *filters[] = {parsed};
    struct cost_query q = query(filters, "api_key", day, day + 1);
    q.known.links = more;
    q.known.link_count = COUNT(more);
    expect(r, &q, DIRECT "=3.0 tgk_5=1.0");
    q.until_day = day + 2;
    expect(r, &q, DIRECT "=4.0");
    vql_free(parsed);
}

/* A key that is virtual and metadata: the metadata wins, unless the tag may override it. */
static void overridable_tags_come_before_metadata(void **state)
{
    struct cost_rig *r = *state;
    struct traffic t;
    int64_t day = cost_rig_day("2026-03-10");
    const struct bill_cost costs[] = {cost("gpt-4o, input", "4.00", "400")};
    put(r, day, costs, 1);
    traffic_open(&t, r->dir);
    call(&t, &(struct call){day, 1, 5, 11, "gpt-4o", "{\"team\":\"a\"}", NULL, NULL, 100, 0, 1});
    call(&t, &(struct call){day, 1, 6, 11, "gpt-4o", "{\"squad\":\"s\"}", NULL, NULL, 100, 0, 1});
    traffic_close(&t);
    struct vql *ours = cost_rig_parse(STR("costs.provider = 'open_ai' AND costs.resource_id = 'tgk_5'"));
    struct vql *parsed = cost_rig_parse(STR(P));
    const struct vql *filters[] = {parsed};
    const struct str squad = STR("squad");
    struct cost_tag_value value = {.value = STR("v"), .filter = ours};
    struct cost_tag tag = {.key = STR("team"), .values = &value, .count = 1};
    struct cost_query q = query(filters, "tag:team", day, day + 1);
    q.tags = &tag;
    q.tag_count = 1;
    expect(r, &q, DIRECT "=2.0 =1.0 a=1.0");
    tag.overridable = true;
    expect(r, &q, DIRECT "=2.0 =1.0 v=1.0");
    tag.collapsed = &squad;
    tag.collapsed_count = 1;
    expect(r, &q, DIRECT "=2.0 s=1.0 v=1.0");
    vql_free(ours);
    vql_free(parsed);
}

/* --- by chance ------------------------------------------------------------------------------- */

#define BILLS 10
#define MONTHS 100
#define FIRST_MONTH 612 /* 2021-01 */

static const char *const lines[] = {"gpt-4o-2024-08-06, input",
                                    "gpt-4o-2024-08-06, output",
                                    "o3, input",
                                    "batch | gpt-4o, input",
                                    "priority | gpt-5, output",
                                    "whisper-1, audio",
                                    "web search tool calls",
                                    "something new"};
static const char *const models[] = {"gpt-4o-2024-08-06", "o3", "gpt-5", "whisper-1"};

static void random_traffic(struct traffic *t, int64_t month)
{
    static const char *const metadata[] = {NULL, "{\"team\":\"a\"}", "{\"team\":\"b\",\"env\":\"x\"}", "{\"team\":7}",
                                           "{\"team\":null}"};
    size_t n = rng_u64() % 25;
    int64_t first = bill_month_day(month);
    for (size_t i = 0; i < n; i++) {
        uint64_t x = rng_u64();
        call(t, &(struct call){first + (int64_t)(i * 28 / (n + 1)), 1 + (int64_t)(x % 3), 5 + (int64_t)(x >> 8) % 4,
                               11 + (int64_t)((x >> 16) % 8 == 0), models[(x >> 20) % COUNT(models)],
                               metadata[(x >> 28) % COUNT(metadata)], (x >> 34) % 3 ? NULL : "models/m",
                               (x >> 36) % 4 ? NULL : "priority", (x >> 40) % 1000, (x >> 50) % 1000,
                               (int64_t)(rng_u64() % 1000000000)});
    }
}

static void random_bill(struct cost_rig *r, int64_t day)
{
    struct bill_cost costs[12];
    char amounts[12][40], quantities[12][24];
    static const char *const keys[] = {"key_1", "key_2", ""};
    size_t n = rng_u64() % 12;
    for (size_t i = 0; i < n; i++) {
        uint64_t x = rng_u64();
        snprintf(amounts[i], sizeof amounts[i], "%s%u.%012llu", x % 9 ? "" : "-", (unsigned)(x >> 8) % 3,
                 (unsigned long long)(rng_u64() % 1000000000000));
        snprintf(quantities[i], sizeof quantities[i], "%u.%u", (unsigned)(x >> 16) % 3000, (unsigned)(x >> 60) % 10);
        costs[i] = cost(lines[(x >> 32) % COUNT(lines)], amounts[i], (x >> 40) % 6 ? quantities[i] : "");
        costs[i].key = str_c(keys[(x >> 44) % 3]);
        costs[i].charge = (x >> 48) % 8 ? BILL_CHARGE_USAGE : (enum bill_charge)((x >> 52) % BILL_CHARGE_COUNT);
    }
    put(r, day, costs, n);
}

static void check_month(struct cost_rig *r, int64_t month, const struct vql *billed, const struct vql *allocated)
{
    static const char *const groups[] = {"api_key", "member", "workspace", "model_api", "tag:team",
                                         "tag:env", "tagged", "service",   "line_item", NULL};
    static const enum cost_bin bins[] = {COST_BIN_TOTAL, COST_BIN_DAY, COST_BIN_WEEK, COST_BIN_MONTH};
    int64_t from = bill_month_day(month), until = bill_month_day(month + 1);
    const struct vql *filters[] = {billed};
    struct cost_query q = query(filters, NULL, from, until);
    struct cost_result *want = cost_rig_run(r, &q);
    filters[0] = allocated;
    for (size_t i = 0; i < COUNT(groups); i++) {
        struct cost_query by = query(filters, groups[i], from, until);
        by.bin = bins[(i + (size_t)month) % COUNT(bins)];
        struct cost_result *got = cost_rig_run(r, &by);
        cost_sum sum = 0;
        for (size_t k = 0; k < got->row_count; k++)
            sum += got->rows[k].amount;
        assert_true(sum == got->total);
        if (got->total != want->total)
            fail_msg("month %lld by %s", (long long)month, groups[i] ? groups[i] : "nothing");
        assert_int_equal(got->usage_count, want->usage_count);
        for (size_t k = 0; k < got->usage_count; k++)
            assert_true(got->usage[k].amount == want->usage[k].amount);
        cost_result_free(got);
    }
    cost_result_free(want);
}

static void shares_are_the_bill_on_a_thousand_random_months(void **state)
{
    struct cost_rig *r = *state;
    struct traffic t;
    struct vql *billed = cost_rig_parse(STR("costs.provider = 'open_ai'")), *allocated = cost_rig_parse(STR(P));
    traffic_open(&t, r->dir);
    for (int64_t m = FIRST_MONTH; m < FIRST_MONTH + MONTHS; m++)
        random_traffic(&t, m);
    traffic_close(&t);
    for (int i = 0; i < BILLS; i++) {
        for (int64_t m = FIRST_MONTH; m < FIRST_MONTH + MONTHS; m++) {
            for (int64_t day = bill_month_day(m); day < bill_month_day(m + 1); day += 1 + (int64_t)(rng_u64() % 9))
                random_bill(r, day);
            check_month(r, m, billed, allocated);
        }
    }
    vql_free(billed);
    vql_free(allocated);
}

static void portions_add_up_and_are_never_off_by_one(void **state)
{
    struct cost_portion list[20];
    (void)state;
    for (int i = 0; i < 200000; i++) {
        size_t n = 1 + rng_u64() % 20;
        money_sum amount = (money_sum)(int64_t)rng_u64() >> rng_u64() % 60, weights[20], whole = 0, sum = 0;
        for (size_t k = 0; k < n; k++) {
            weights[k] = (money_sum)(rng_u64() % 5 ? rng_u64() >> 20 >> rng_u64() % 40 : 0);
            whole += weights[k];
            list[k] = (struct cost_portion){.id = (uint32_t)k, .weight = weights[k]};
        }
        cost_amount_share(amount, list, n);
        for (size_t k = 0; k < n; k++) {
            money_sum exact = whole ? amount * weights[list[k].id] / whole : 0, off = list[k].share - exact;
            assert_true(off >= -1 && off <= 1);
            assert_true(weights[list[k].id] || !list[k].share);
            sum += list[k].share;
        }
        assert_true(sum == (whole ? amount : 0));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(shares_are_those_worked_out_by_hand, setup, teardown),
        cmocka_unit_test_setup_teardown(other_workspaces_are_not_told_apart, setup, teardown),
        cmocka_unit_test_setup_teardown(idle_integrations_set_nothing_apart, setup, teardown),
        cmocka_unit_test_setup_teardown(overridable_tags_come_before_metadata, setup, teardown),
        cmocka_unit_test_setup_teardown(shares_are_the_bill_on_a_thousand_random_months, setup, teardown),
        cmocka_unit_test(portions_add_up_and_are_never_off_by_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

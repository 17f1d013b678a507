/* SPDX-License-Identifier: Apache-2.0 */
/*
 * FOCUS files of random bills: their sums are the bill's through restatements, a filter lets the same through as a cost
 * query does, parts are the whole, and unit prices give back what they were made of.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/rng.h"
#include "cost_rig.h"
#include "ledger/ledger.h"
#include "ledger_fixture.h"
#include "report/bill/bill_decimal.h"
#include "report/bill/bill_upload.h"
#include "report/focus/focus.h"
#include "report/upload/csv.h"

#define ACCOUNT 7
#define DAYS 12
#define FIRST 20100
#define FILE_MAX_BYTES (64u << 20)

struct place {
    struct cost_rig rig;
    int64_t files;
    uint64_t seed;
};

/* --- random bills ---------------------------------------------------------------------------- */

static uint64_t next(struct place *t, uint64_t n)
{
    t->seed = t->seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (t->seed >> 33) % n;
}

static const char *const items[] = {"gpt-4o-2024-08-06, input",
                                    "gpt-4o-2024-08-06, cached input",
                                    "batch | gpt-4o-2024-08-06, output",
                                    "priority | gpt-4o-mini-2024-07-18, input, long context",
                                    "text-embedding-3-small, input",
                                    "gpt-nobody-knows, output",
                                    "web search tool calls",
                                    "DALL·E 3, standard, 1024x1024"};
static const char *const projects[] = {"proj_a", "proj_b", ""};
static const char *const keys[] = {"key_1", "key_2", ""};
static const char *const units[] = {"tokens", "1000_tokens", "images", "requests", ""};
#define PICK(t, list) str_c((list)[next(t, sizeof(list) / sizeof(list)[0])])

static void put_day(struct place *t, int64_t day, int64_t now_day)
{
    enum { ROWS = 9 };
    struct bill_cost costs[ROWS];
    static char texts[ROWS][2][40];
    struct bill_stored stored;
    for (int i = 0; i < ROWS; i++) {
        snprintf(texts[i][0], sizeof texts[i][0], "%s%llu.%012llu", next(t, 12) ? "" : "-",
                 (unsigned long long)next(t, 50), (unsigned long long)next(t, 1000000000000));
        snprintf(texts[i][1], sizeof texts[i][1], "%llu", (unsigned long long)next(t, 10000000));
        costs[i] = (struct bill_cost){.project = PICK(t, projects),
                                      .key = PICK(t, keys),
                                      .line_item = PICK(t, items),
                                      .unit = PICK(t, units),
                                      .amount = str_c(texts[i][0]),
                                      .quantity = str_c(texts[i][1])};
        if (!costs[i].unit.n)
            costs[i].quantity = STR("");
    }
    const struct bill_day d = {
        .account = ACCOUNT, .day = day, .costs = costs, .count = 2 + next(t, ROWS - 1), .now_us = bill_day_us(now_day)};
    assert_int_equal(bill_day_put(t->rig.bill, &d, &stored), ERR_OK);
}

static void put_file(struct place *t)
{
    static const char *const lines[] = {"Hosting\tCompute\tLarge\teu-1\t", "Hosting\t\t\t\t",
                                        "Storage\tDisk\t\tus-1\t"};
    struct bill_upload u = {.account = t->files, .name = STR("f")};
    struct bill_upload_row rows[12];
    static char amounts[12][32];
    for (int i = 0; i < 12; i++) {
        snprintf(amounts[i], sizeof amounts[i], "%s%llu.5", next(t, 3) ? "" : "-", (unsigned long long)next(t, 20));
        rows[i] = (struct bill_upload_row){.day = FIRST + (int64_t)next(t, DAYS),
                                           .cost = {.line_item = PICK(t, lines),
                                                    .amount = str_c(amounts[i]),
                                                    .charge = (enum bill_charge)next(t, BILL_CHARGE_COUNT)}};
    }
    assert_int_equal(bill_upload_put(t->rig.bill, &u, rows, 12, 5), ERR_OK);
}

static int setup(void **state)
{
    struct place *t = calloc(1, sizeof *t);
    t->seed = 4711;
    cost_rig_open(&t->rig);
    assert_int_equal(bill_account_put(t->rig.bill, ACCOUNT, 1, STR("admin"), FIRST, 1), ERR_OK);
    assert_int_equal(bill_files_create(t->rig.bill, 1, STR("Acme"), STR(""), 1, &t->files), ERR_OK);
    for (int64_t day = FIRST; day < FIRST + DAYS; day++)
        put_day(t, day, day + 1);
    put_file(t);
    *state = t;
    return 0;
}

static int teardown(void **state)
{
    struct place *t = *state;
    cost_rig_close(&t->rig);
    free(t);
    return 0;
}

/* --- files ----------------------------------------------------------------------------------- */

static bool keep(void *context, struct str bytes)
{
    return buf_add_str(context, bytes);
}

static struct focus_query query_of(struct place *t)
{
    return (struct focus_query){.dir = t->rig.dir,
                                .version = FOCUS_1_4,
                                .from_day = FIRST - 40,
                                .until_day = FIRST + DAYS + 40,
                                .scope = {.all = true},
                                .now_us = bill_day_us(FIRST + 100)};
}

static void write_file(const struct focus_query *q, struct buf *out, struct focus_done *done)
{
    struct cost_error error;
    buf_init(out, FILE_MAX_BYTES);
    if (focus_write(q, keep, out, done, &error) != ERR_OK)
        fail_msg("%s", error.text);
}

struct file {
    struct arena *arena;
    struct csv_record *names, *row;
    struct csv csv;
    struct buf text;
    uint64_t rows;
};

static void open_file(struct file *f, const struct focus_query *q)
{
    struct focus_done done;
    write_file(q, &f->text, &done);
    f->arena = arena_new(65536, FILE_MAX_BYTES);
    f->names = calloc(1, sizeof *f->names);
    f->row = calloc(1, sizeof *f->row);
    csv_init(&f->csv, buf_str(&f->text));
    assert_int_equal(csv_next(&f->csv, f->arena, f->names), CSV_RECORD);
    f->rows = done.rows;
}

static void close_file(struct file *f)
{
    buf_free(&f->text);
    arena_free(f->arena);
    free(f->names);
    free(f->row);
}

static struct str cell(const struct file *f, const char *name)
{
    size_t i = 0;
    while (!str_eq(f->names->fields[i], str_c(name)))
        assert_true(++i < f->names->count);
    return f->row->fields[i];
}

/* At 10^-12. */
static money_sum number(const struct file *f, const char *name)
{
    money_sum v = 0;
    bool exact;
    assert_true(bill_decimal_read(cell(f, name), 12, &v, &exact));
    return v;
}

static bool next_row(struct file *f)
{
    enum csv_read got = csv_next(&f->csv, f->arena, f->row);
    assert_true(got == CSV_END || (got == CSV_RECORD && f->row->count == f->names->count));
    return got == CSV_RECORD;
}

/* Billed costs of a file, and how many of its rows are corrections. */
static money_sum sum_of(const struct focus_query *q, unsigned *ret_corrections)
{
    struct file f;
    money_sum sum = 0;
    uint64_t rows = 0;
    *ret_corrections = 0;
    open_file(&f, q);
    for (; next_row(&f); rows++) {
        sum += number(&f, "BilledCost");
        *ret_corrections += cell(&f, "ChargeClass").n > 0;
    }
    assert_int_equal(rows, f.rows);
    close_file(&f);
    return sum;
}

static money_sum bill_of(struct place *t)
{
    const struct bill_filter all = {.account = 0};
    money_sum sum;
    uint64_t rows;
    assert_int_equal(bill_rows_sum(bill_db(t->rig.bill), &all, &sum, &rows), ERR_OK);
    return sum;
}

/* --- cases ----------------------------------------------------------------------------------- */

static void the_sum_is_the_bill_through_restatements(void **state)
{
    struct place *t = *state;
    const struct focus_query q = query_of(t);
    unsigned corrections = 0, before = 0;
    assert_true(sum_of(&q, &corrections) == bill_of(t));
    assert_int_equal(corrections, 0);
    for (int turn = 0; turn < 24; turn++) {
        put_day(t, FIRST + (int64_t)next(t, DAYS), FIRST + 80); /* months after: the month is closed */
        if (turn % 10 == 0)
            put_file(t);
        assert_true(sum_of(&q, &corrections) == bill_of(t));
        assert_true(corrections >= before);
        before = corrections;
    }
    assert_true(corrections > 24);
}

static void a_filter_lets_through_what_a_query_does(void **state)
{
    static const char *const tests[] = {"costs.account_id = 'proj_a'",
                                        "costs.account_id = NULL",
                                        "costs.account_id != 'proj_b'",
                                        "costs.service = 'Embeddings'",
                                        "costs.model = 'gpt-4o'",
                                        "costs.model = 'gpt-4o-2024-08-06'",
                                        "costs.category LIKE 'gpt-4o%'",
                                        "costs.subcategory IN ('input', 'output')",
                                        "costs.service_tier = 'priority'",
                                        "costs.batch = true",
                                        "costs.resource_id NOT IN ('key_1', 'key_2')",
                                        "costs.charge_type = 'Usage'",
                                        "costs.region = 'eu-1'",
                                        "costs.line_item LIKE '%input%'",
                                        "tags.name = 'team'",
                                        "tags.name = 'team' AND tags.value = 'red'",
                                        "tags.name = 'team' AND tags.value != 'red'",
                                        "tags.name = NULL",
                                        "tags.value ~* 'R-ED'",
                                        "(tags.name, tags.value) IN (('team', 'red'), ('size', 'big'))",
                                        "(tags.name, tags.value) NOT IN (('team', 'red'))"};
    struct place *t = *state;
    struct vql *red = cost_rig_parse(STR("costs.provider = 'open_ai' AND costs.account_id = 'proj_a'"));
    struct vql *blue = cost_rig_parse(STR("costs.provider = 'open_ai' AND costs.model = 'gpt-4o'"));
    struct vql *big = cost_rig_parse(STR("costs.provider = 'open_ai' AND tags.name = 'team' AND tags.value = 'red'"));
    const struct cost_tag_value teams[] = {{.value = STR("red"), .filter = red},
                                           {.value = STR("blue"), .filter = blue}};
    const struct cost_tag_value sizes[] = {{.value = STR("big"), .filter = big}};
    const struct cost_tag tags[] = {{.key = STR("team"), .values = teams, .count = 2},
                                    {.key = STR("size"), .values = sizes, .count = 1}};
    char provider[COST_PROVIDER_MAX];
    cost_provider_format(t->files, provider);
    for (int turn = 0; turn < 100; turn++) {
        char text[1000];
        unsigned ignored;
        const char *a = tests[next(t, sizeof tests / sizeof tests[0])],
                   *b = tests[next(t, sizeof tests / sizeof tests[0])];
        snprintf(text, sizeof text, "(costs.provider = 'open_ai' OR costs.provider = '%s') AND %s(%s) %s %s(%s)",
                 provider, next(t, 3) ? "" : "NOT ", a, "AND", next(t, 2) ? "" : "NOT ", b);
        struct vql *filter = cost_rig_parse(str_c(text));
        const struct vql *filters[] = {filter};
        struct focus_query q = query_of(t);
        struct cost_query c = cost_query_all();
        q.filters = c.filters = filters;
        q.filter_count = c.filter_count = 1;
        q.tags = c.tags = tags;
        q.tag_count = c.tag_count = 2;
        c.from_day = q.from_day;
        c.until_day = q.until_day;
        c.bin = COST_BIN_TOTAL;
        c.settings.include_credits = c.settings.include_refunds = true;
        struct cost_result *result = cost_rig_run(&t->rig, &c);
        if (sum_of(&q, &ignored) * COST_PER_PUSD != result->total)
            fail_msg("%s", text);
        cost_result_free(result);
        vql_free(filter);
    }
    vql_free(red);
    vql_free(blue);
    vql_free(big);
}

static void parts_are_the_whole(void **state)
{
    struct place *t = *state;
    struct focus_query q = query_of(t);
    struct focus_done done;
    struct buf whole, parts, part;
    write_file(&q, &whole, &done);
    uint64_t rows = done.rows;
    buf_init(&parts, FILE_MAX_BYTES);
    for (q.limit = 13; q.skip == 0 || done.more; q.skip += 13, q.no_names = true) {
        write_file(&q, &part, &done);
        assert_true(buf_add_str(&parts, buf_str(&part)));
        assert_int_equal(done.rows, done.more ? 13 : rows - q.skip);
        buf_free(&part);
    }
    assert_true(str_eq(buf_str(&whole), buf_str(&parts)));
    buf_free(&whole);
    buf_free(&parts);
}

static void columns_belong_to_their_versions(void **state)
{
    struct place *t = *state;
    static const size_t counts[FOCUS_VERSION_COUNT] = {57, 65, 65};
    for (unsigned v = 0; v < FOCUS_VERSION_COUNT; v++) {
        struct focus_query q = query_of(t);
        struct file f;
        size_t own = 0;
        q.version = (enum focus_version)v;
        open_file(&f, &q);
        for (size_t i = 0; i < f.names->count; i++)
            own += str_starts(f.names->fields[i], STR("x_"));
        assert_int_equal(f.names->count - own, counts[v]);
        close_file(&f);
    }
}

static void a_prepaid_account_bills_what_is_bought(void **state)
{
    struct place *t = *state;
    const struct focus_query q = query_of(t);
    struct file f;
    money_sum effective = 0;
    assert_int_equal(bill_account_set_prepaid(t->rig.bill, ACCOUNT, true), ERR_OK);
    assert_int_equal(bill_account_set_prepaid(t->rig.bill, t->files, true), ERR_OK);
    open_file(&f, &q);
    while (next_row(&f)) {
        struct str charge = cell(&f, "ChargeCategory");
        if (str_eq(charge, STR("Usage")))
            assert_true(number(&f, "BilledCost") == 0);
        if (str_eq(charge, STR("Purchase")))
            assert_true(number(&f, "EffectiveCost") == 0);
        effective += number(&f, "EffectiveCost") + (str_eq(charge, STR("Purchase")) ? number(&f, "BilledCost") : 0);
    }
    assert_true(effective == bill_of(t));
    close_file(&f);
}

/* One request. */
static void meter(struct place *t, int64_t day)
{
    char why[LEDGER_WHY_MAX];
    const struct ledger_options o = {.dir = t->rig.dir, .workers = 1, .drain_ms = 5};
    struct fixture_record *f = malloc(sizeof *f);
    struct record_ids ids = {0};
    struct ledger *ledger;
    int64_t at = bill_day_us(day) + 3600000000;
    if (ledger_open(&o, &ledger, why) != ERR_OK)
        fail_msg("%s", why);
    fixture_record(f, 7, 1, record_ids_next(&ids, at), false);
    struct record *r = &f->r;
    r->started_us = at;
    r->request_id = r->id;
    r->workspace_id = 1;
    r->integration_id = 11;
    r->model_asked = r->model_answered = STR("gpt-4o-2024-08-06");
    r->service_tier = STR("default");
    memset(&r->usage.quantity, 0, sizeof r->usage.quantity);
    memset(&r->cost.part_pusd, 0, sizeof r->cost.part_pusd);
    r->usage.quantity[METER_INPUT] = 500;
    r->cost.part_pusd[METER_INPUT] = r->cost.total_pusd = MONEY_PUSD_PER_USD / 2;
    journal_add(ledger_journal(ledger, 0), r);
    assert_int_equal(journal_flush(ledger_journal(ledger, 0)), ERR_OK);
    assert_int_equal(ledger_flush(ledger, 60000), ERR_OK);
    ledger_close(ledger, 60000);
    free(f);
}

/* A line item in two units, and a credit by its name: what was metered stands in the file once. */
static void what_was_metered_is_there_once(void **state)
{
    static const struct match_link links[] = {
        {.integration = ACCOUNT,
         .workspace = 1,
         .kind = KIND_INTEGRATION_OPENAI_ADMIN,
         .name = STR("admin"),
         .host = STR("api.openai.com")},
        {.integration = 11,
         .workspace = 1,
         .kind = KIND_INTEGRATION_OPENAI,
         .name = STR("openai"),
         .host = STR("api.openai.com")},
    };
    static const int64_t accounts[] = {ACCOUNT}, workspaces[] = {1};
    struct place *t = *state;
    struct bill_cost costs[3];
    struct bill_stored stored;
    struct file f;
    money_sum metered = 0, requests = 0;
    for (size_t i = 0; i < 3; i++)
        costs[i] = (struct bill_cost){.project = STR("proj_a"),
                                      .key = STR("key_1"),
                                      .line_item = STR("gpt-4o-2024-08-06, input"),
                                      .unit = i == 1 ? STR("1000_tokens") : STR("tokens"),
                                      .charge = i == 2 ? BILL_CHARGE_CREDIT : BILL_CHARGE_USAGE,
                                      .amount = i == 2 ? STR("-0.1") : STR("0.5"),
                                      .quantity = i == 0   ? STR("1000")
                                                  : i == 1 ? STR("1")
                                                           : STR("")};
    const struct bill_day d = {
        .account = ACCOUNT, .day = FIRST, .costs = costs, .count = 3, .now_us = bill_day_us(FIRST + 1)};
    assert_int_equal(bill_day_put(t->rig.bill, &d, &stored), ERR_OK);
    meter(t, FIRST);
    struct focus_query q = query_of(t);
    q.from_day = FIRST;
    q.until_day = FIRST + 1;
    q.scope =
        (struct cost_scope){.accounts = accounts, .account_count = 1, .workspaces = workspaces, .workspace_count = 1};
    q.links = links;
    q.link_count = 2;
    open_file(&f, &q);
    while (next_row(&f)) {
        metered += cell(&f, "x_MeteredCost").n ? number(&f, "x_MeteredCost") : 0;
        requests += cell(&f, "x_GatewayRequests").n ? number(&f, "x_GatewayRequests") : 0;
    }
    close_file(&f);
    assert_true(metered == MONEY_PUSD_PER_USD / 2);
    assert_true(requests == COST_PER_PUSD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_sum_is_the_bill_through_restatements, setup, teardown),
        cmocka_unit_test_setup_teardown(a_filter_lets_through_what_a_query_does, setup, teardown),
        cmocka_unit_test_setup_teardown(parts_are_the_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(columns_belong_to_their_versions, setup, teardown),
        cmocka_unit_test_setup_teardown(a_prepaid_account_bills_what_is_bought, setup, teardown),
        cmocka_unit_test_setup_teardown(what_was_metered_is_there_once, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

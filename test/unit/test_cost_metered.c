/* SPDX-License-Identifier: Apache-2.0 */
/* The metered ledger through cost queries, against the ledger's own report. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"
#include "cost_rig.h"
#include "ledger/ledger.h"
#include "ledger/query_cost.h"
#include "ledger_fixture.h"

#define RECORDS 3000
#define P "costs.provider = 'open_ai' AND costs.ledger = 'metered'"

static char *const dir = fixture_test_dir;

static void fill(void)
{
    struct ledger *l;
    struct record_ids ids = {0};
    char why[LEDGER_WHY_MAX];
    const struct ledger_options o = {.dir = dir, .workers = 1, .drain_ms = 5};
    assert_int_equal(ledger_open(&o, &l, why), ERR_OK);
    for (uint64_t i = 0; i < RECORDS; i++) {
        struct fixture_record *f = malloc(sizeof *f);
        fixture_record(f, 7, i, record_ids_next(&ids, clock_wall_us()), false);
        journal_add(ledger_journal(l, 0), &f->r);
        assert_int_equal(journal_flush(ledger_journal(l, 0)), ERR_OK);
        free(f);
    }
    assert_int_equal(ledger_flush(l, 60000), ERR_OK);
    ledger_close(l, 60000);
}

struct wanted {
    money_sum pusd;
    uint64_t attempts;
};

/* Groups by provider and another dimension: those that are OpenAI's. */
static bool add_group(void *context, const struct query_dim_value *values, const struct query_sums *sums)
{
    struct wanted *w = context;
    if (values[0].text.n == 0 || str_eq(values[0].text, STR("openai"))) {
        w->pusd += sums->sums.cost_pusd;
        w->attempts += sums->sums.attempts;
    }
    return true;
}

static struct wanted ledger_says(int64_t workspace)
{
    struct query *q;
    struct query_sums total;
    struct wanted w = {0};
    struct query_cost c = {.cost_state = -1, .workspace_id = workspace, .dims = {QUERY_DIM_PROVIDER}, .dim_count = 1};
    assert_int_equal(query_open(dir, &q), ERR_OK);
    assert_int_equal(query_cost(q, &c, add_group, &w, &total), ERR_OK);
    query_close(q);
    return w;
}

static struct cost_query metered(const struct vql *const *filter)
{
    struct cost_query q = cost_query_all();
    q.filters = filter;
    q.filter_count = 1;
    q.from_day = 0;
    q.until_day = bill_day_of(clock_wall_us()) + 2;
    return q;
}

static struct cost_result *run(struct cost_reader *r, const struct cost_query *q)
{
    struct cost_result *result = NULL;
    struct cost_error error = {.text = ""};
    if (cost_run(r, q, &result, &error) != ERR_OK)
        fail_msg("%s", error.text);
    return result;
}

static void every_grouping_and_bin_adds_up_to_the_ledgers_own_sum(void **state)
{
    struct cost_reader *r;
    struct cost_error error;
    (void)state;
    fill();
    assert_int_equal(cost_reader_open(dir, &r, &error), ERR_OK);
    struct vql *filter = cost_rig_parse(STR(P));
    const struct vql *filters[] = {filter};
    struct wanted want = ledger_says(0);
    assert_true(want.pusd > 0);
    for (unsigned by = 0; by < COST_BY_COUNT; by++) {
        for (unsigned bin = 0; bin < COST_BIN_COUNT; bin++) {
            struct cost_query q = metered(filters);
            q.bin = (enum cost_bin)bin;
            q.group_count = 1;
            q.groups[0].by = (enum cost_by)by;
            struct cost_result *result = run(r, &q);
            cost_sum sum = 0;
            uint64_t rows = 0;
            for (size_t i = 0; i < result->row_count; i++) {
                sum += result->rows[i].amount;
                rows += result->rows[i].rows;
            }
            if (result->total != (cost_sum)want.pusd * COST_PER_PUSD)
                fail_msg("by %s, bin %s", cost_by_text((enum cost_by)by), cost_bin_text((enum cost_bin)bin));
            if (bin != COST_BIN_CUMULATIVE)
                assert_true(sum == result->total);
            if (bin != COST_BIN_CUMULATIVE && by != COST_BY_SUBCATEGORY && by != COST_BY_UNIT)
                assert_int_equal(rows, want.attempts);
            assert_false(result->by_day);
            cost_result_free(result);
        }
    }
    vql_free(filter);
    cost_reader_close(r);
}

static void parts_of_a_filter_add_up_to_the_whole(void **state)
{
    static const char *const halves[][2] = {
        {P " AND costs.subcategory = 'input'", P " AND costs.subcategory != 'input'"},
        {P " AND costs.subcategory LIKE '%input'", P " AND NOT costs.subcategory LIKE '%input'"},
        {P " AND costs.model LIKE 'gpt%'", P " AND costs.model NOT LIKE 'gpt%'"},
        {P " AND costs.service = 'Embeddings'", P " AND costs.service != 'Embeddings'"},
        {P " AND costs.api_key IN ('1','2')", P " AND costs.api_key NOT IN ('1','2')"},
        {P " AND costs.allocation = 0.25", P " AND costs.allocation = 0.75"},
        {P, P " AND costs.ledger = 'billed'"},
    };
    struct cost_reader *r;
    struct cost_error error;
    (void)state;
    fill();
    assert_int_equal(cost_reader_open(dir, &r, &error), ERR_OK);
    struct wanted want = ledger_says(0);
    for (size_t i = 0; i < sizeof halves / sizeof halves[0]; i++) {
        cost_sum sum = 0;
        for (int k = 0; k < 2; k++) {
            struct vql *filter = cost_rig_parse(str_c(halves[i][k]));
            const struct vql *filters[] = {filter};
            struct cost_query q = metered(filters);
            struct cost_result *result = run(r, &q);
            sum += result->total;
            cost_result_free(result);
            vql_free(filter);
        }
        if (sum != (cost_sum)want.pusd * COST_PER_PUSD)
            fail_msg("%s", halves[i][0]);
    }
    cost_reader_close(r);
}

static void other_workspaces_are_not_seen(void **state)
{
    static const int64_t first = 1;
    struct cost_reader *r;
    struct cost_error error;
    (void)state;
    fill();
    assert_int_equal(cost_reader_open(dir, &r, &error), ERR_OK);
    struct vql *filter = cost_rig_parse(STR(P));
    const struct vql *filters[] = {filter};
    struct cost_query q = metered(filters);
    q.scope = (struct cost_scope){.workspaces = &first, .workspace_count = 1};
    struct cost_result *result = run(r, &q);
    assert_true(result->total == (cost_sum)ledger_says(1).pusd * COST_PER_PUSD);
    cost_result_free(result);
    q.filter_count = 0; /* billed: nothing was imported */
    result = run(r, &q);
    assert_int_equal(result->row_count, 0);
    cost_result_free(result);
    vql_free(filter);
    cost_reader_close(r);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, fixture_make_dir, fixture_remove_dir)
    const struct CMUnitTest tests[] = {
        CASE(every_grouping_and_bin_adds_up_to_the_ledgers_own_sum),
        CASE(parts_of_a_filter_add_up_to_the_whole),
        CASE(other_workspaces_are_not_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

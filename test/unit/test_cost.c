/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cost queries against a table of the same rows and SQL written by hand (test/golden/vql_queries.tsv), against
 * sums made here, and over a thousand random bills.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/must.h"
#include "base/rng.h"
#include "cost_rig.h"
#include "report/bill/bill_decimal.h"
#include "report/cost/cost_dates.h"

#define GOLDEN "test/golden/vql_queries.tsv"
#define BILLS 1000
#define P "costs.provider = 'open_ai'"

static const char *const projects[] = {"proj_a", "proj_b", "Proj C", ""};
static const char *const keys[] = {"key_1", "key_2", "key'3", ""};
static const char *const lines[] = {
    "gpt-4o-2024-08-06, input",
    "gpt-4o-2024-08-06, cached input",
    "gpt-4o-mini-2024-07-18, output",
    "priority | gpt-5, output",
    "batch | gpt-5-2025-08-07, input",
    "text-embedding-3-small, input",
    "whisper-1, audio",
    "web search tool calls",
    "dall-e-3, standard, 1024x1024",
    "odd [x]*? 100% it's_a, in'put",
    "\xc3\xbcn\xc3\xaf, output",
    "",
};
#define COUNT(a) (sizeof(a) / sizeof(a)[0])

/* --- the fixture ----------------------------------------------------------------------------- */

struct costs {
    struct bill_cost list[64];
    char amounts[64][40], quantities[64][24];
    size_t count;
};

static void random_costs(struct costs *c, size_t count, bool charges)
{
    c->count = count;
    for (size_t i = 0; i < count; i++) {
        uint64_t r = rng_u64();
        enum bill_charge charge =
            charges && r % 7 == 0 ? (enum bill_charge)(r / 7 % BILL_CHARGE_COUNT) : BILL_CHARGE_USAGE;
        snprintf(c->amounts[i], sizeof c->amounts[i], "%s%u.%012llu",
                 charge == BILL_CHARGE_CREDIT || charge == BILL_CHARGE_DISCOUNT ? "-" : "", (unsigned)(r >> 60),
                 (unsigned long long)(rng_u64() % 1000000000000));
        snprintf(c->quantities[i], sizeof c->quantities[i], "%u", (unsigned)(r >> 40) % 100000);
        c->list[i] = (struct bill_cost){.project = str_c(projects[(r >> 8) % COUNT(projects)]),
                                        .key = str_c(keys[(r >> 16) % COUNT(keys)]),
                                        .line_item = str_c(lines[(r >> 24) % COUNT(lines)]),
                                        .unit = (r >> 32) % 5 ? STR("tokens") : STR("images"),
                                        .charge = charge,
                                        .amount = str_c(c->amounts[i]),
                                        .quantity = str_c(c->quantities[i])};
        if (!c->list[i].project.n)
            c->list[i].key = STR("");
    }
}

static void put_day(struct cost_rig *r, int64_t account, int64_t day, const struct costs *c)
{
    struct bill_stored stored;
    struct bill_day d = {
        .account = account, .day = day, .costs = c->list, .count = c->count, .now_us = bill_day_us(day + 40)};
    if (bill_day_put(r->bill, &d, &stored) != ERR_OK)
        fail_msg("%s", bill_reason(r->bill));
}

static void add_account(struct cost_rig *r, int64_t id, int64_t workspace, const char *organization)
{
    char slug[32];
    struct arena *arena = arena_new(4096, 1u << 20);
    struct bill_account a;
    snprintf(slug, sizeof slug, "admin-%lld", (long long)id);
    assert_int_equal(bill_account_put(r->bill, id, workspace, str_c(slug), 20000, 1), ERR_OK);
    assert_int_equal(bill_account_find(bill_db(r->bill), id, arena, &a), ERR_OK);
    a.organization = str_c(organization);
    assert_int_equal(bill_account_set(r->bill, &a), ERR_OK);
    arena_free(arena);
}

/* Two organizations, November to March, all kinds of rows. */
static void fill(struct cost_rig *r)
{
    struct costs c;
    add_account(r, 1, 1, "org-a");
    add_account(r, 2, 2, "org-b");
    for (int64_t day = cost_rig_day("2025-11-10"); day <= cost_rig_day("2026-03-20"); day++) {
        for (int64_t account = 1; account <= 2; account++) {
            random_costs(&c, 12, true);
            put_day(r, account, day, &c);
        }
    }
}

#define FLAT                                                                                                       \
    "CREATE TEMP TABLE costs AS SELECT r.day, a.organization, r.account, coalesce(p.ext, '') AS project,"          \
    " coalesce(k.ext, '') AS key, s.text AS service, c.text AS category, u.text AS subcategory, t.text AS tier,"   \
    " m.text AS model, i.line_item, r.charge, n.text AS unit, r.micro, r.pico FROM bill_rows r"                    \
    " JOIN accounts a ON a.id = r.account LEFT JOIN names p ON p.id = r.project LEFT JOIN names k ON k.id = r.key" \
    " JOIN items i ON i.id = r.item JOIN terms s ON s.id = i.service JOIN terms c ON c.id = i.category"            \
    " JOIN terms u ON u.id = i.subcategory JOIN terms t ON t.id = i.tier JOIN terms m ON m.id = i.model"           \
    " JOIN terms n ON n.id = r.unit"

static int setup(void **state)
{
    struct cost_rig *r = calloc(1, sizeof *r);
    cost_rig_open(r);
    fill(r);
    assert_int_equal(store_exec(bill_db(r->bill), FLAT), ERR_OK);
    *state = r;
    return 0;
}

static int teardown(void **state)
{
    cost_rig_close(*state);
    free(*state);
    return 0;
}

/* --- golden queries -------------------------------------------------------------------------- */

/* Millionths by which each row counts, by hand-written SQL; the sum of what it selects. */
static cost_sum oracle(struct cost_rig *r, struct str weight, const char *also)
{
    struct buf sql;
    struct store_stmt *st;
    cost_sum sum = 0;
    bool row;
    buf_init(&sql, 1u << 20);
    assert_true(buf_printf(&sql, "SELECT micro, pico, (%.*s) * 1 FROM costs WHERE %s", STR_ARG(weight), also));
    assert_true(buf_add_byte(&sql, '\0'));
    if (store_prepare_once(bill_db(r->bill), buf_str(&sql).p, &st) != ERR_OK)
        fail_msg("%s: %s", buf_str(&sql).p, store_reason(bill_db(r->bill)));
    while (store_step(st, &row) == ERR_OK && row)
        sum += bill_money(store_i64(st, 0), store_i64(st, 1)) * store_i64(st, 2) * (COST_PER_PUSD / 1000000);
    store_drop(st);
    buf_free(&sql);
    return sum;
}

/* What "$P", "$T" and "$E" stand for in the golden file. */
#define TEAM \
    "(CASE WHEN project = 'proj_a' THEN 'search' WHEN key = 'key_2' THEN 'Ads Team' WHEN model = 'gpt-4o' THEN 'search' END)"
#define ENV "(CASE WHEN " TEAM " = 'search' THEN 'prod' WHEN service = 'Audio' THEN 'dev' END)"

/* The millionths of a row that have the value x, y, none of the tag half. */
#define HALF_X "(CASE WHEN project = 'proj_b' THEN 1000000 WHEN service = 'Audio' THEN 250000 ELSE 100000 END)"
#define HALF_Y "(CASE WHEN project = 'proj_b' THEN 0 WHEN service = 'Audio' THEN 750000 ELSE 600000 END)"
#define HALF_NONE "(CASE WHEN project = 'proj_b' OR service = 'Audio' THEN 0 ELSE 300000 END)"

static const char *stands_for(char c)
{
    switch (c) {
    case 'P':
        return P;
    case 'T':
        return TEAM;
    case 'X':
        return HALF_X;
    case 'Y':
        return HALF_Y;
    case 'N':
        return HALF_NONE;
    default:
        return ENV;
    }
}

static void expand(struct str text, struct buf *out)
{
    for (ptrdiff_t at; (at = str_find(text, '$')) >= 0; text = str_from(text, (size_t)at + 2)) {
        const char *with = stands_for(text.p[at + 1]);
        assert_true(buf_add(out, text.p, (size_t)at) && buf_add_str(out, str_c(with)));
    }
    assert_true(buf_add_str(out, text));
}

static struct cost_query whole_period(void)
{
    struct cost_query q = cost_query_all();
    q.from_day = cost_rig_day("2025-01-01");
    q.until_day = cost_rig_day("2027-01-01");
    q.settings.include_credits = q.settings.include_refunds = true;
    return q;
}

static struct cost_tag_value team_values[3], env_values[2];
static struct cost_tag_value half_values[3];
static struct cost_tag tags[3];

/* half: x for proj_b, in quarters for audio, else a tenth x and six tenths y. */
static void make_half(void)
{
    static const struct cost_share quarters[] = {{COST_MONTH_ANY, {"x", 1}, 25}, {COST_MONTH_ANY, {"y", 1}, 75}};
    static const struct cost_share tenths[] = {{COST_MONTH_ANY, {"x", 1}, 10}, {COST_MONTH_ANY, {"y", 1}, 60}};
    half_values[0] =
        (struct cost_tag_value){.value = STR("x"), .filter = cost_rig_parse(STR(P " AND costs.account_id = 'proj_b'"))};
    half_values[1] = (struct cost_tag_value){
        .filter = cost_rig_parse(STR(P " AND costs.service = 'Audio'")), .shares = quarters, .share_count = 2};
    half_values[2] = (struct cost_tag_value){.shares = tenths, .share_count = 2, .whole = 100};
    tags[2] = (struct cost_tag){.key = STR("half"), .values = half_values, .count = 3};
}

/* team: search, ads or the rest of gpt-4o; env: prod where there is a team, by another tag. */
static void make_tags(void)
{
    team_values[0] = (struct cost_tag_value){.value = STR("search"),
                                             .filter = cost_rig_parse(STR(P " AND costs.account_id = 'proj_a'"))};
    team_values[1] = (struct cost_tag_value){.value = STR("Ads Team"),
                                             .filter = cost_rig_parse(STR(P " AND costs.resource_id = 'key_2'"))};
    team_values[2] =
        (struct cost_tag_value){.value = STR("search"), .filter = cost_rig_parse(STR(P " AND costs.model = 'gpt-4o'"))};
    env_values[0] = (struct cost_tag_value){
        .value = STR("prod"), .filter = cost_rig_parse(STR(P " AND tags.name = 'team' AND tags.value = 'search'"))};
    env_values[1] =
        (struct cost_tag_value){.value = STR("dev"), .filter = cost_rig_parse(STR(P " AND costs.service = 'Audio'"))};
    tags[0] = (struct cost_tag){.key = STR("team"), .values = team_values, .count = 3};
    tags[1] = (struct cost_tag){.key = STR("env"), .values = env_values, .count = 2};
    make_half();
}

static void free_tags(void)
{
    for (int i = 0; i < 3; i++) {
        struct vql *filters[] = {0};
        memcpy(filters, &team_values[i].filter, sizeof filters);
        vql_free(filters[0]);
        if (i < 2) {
            memcpy(filters, &env_values[i].filter, sizeof filters);
            vql_free(filters[0]);
            memcpy(filters, &half_values[i].filter, sizeof filters);
            vql_free(filters[0]);
        }
    }
}

static cost_sum total_of(struct cost_rig *r, struct cost_query q, const struct vql *filter, const char *group)
{
    q.filters = &filter;
    q.filter_count = filter ? 1 : 0;
    q.group_count = group ? 1 : 0;
    if (group)
        assert_true(cost_group_parse(str_c(group), &q.groups[0]));
    struct cost_result *result = cost_rig_run(r, &q);
    cost_sum sum = 0, total = result->total;
    for (size_t i = 0; i < result->row_count; i++)
        sum += result->rows[i].amount;
    assert_true(sum == total);
    cost_result_free(result);
    return total;
}

static void check_golden(struct cost_rig *r, struct str query, struct str sql, unsigned line)
{
    static const char *const groupings[] = {NULL,        "service",  "account_id", "resource_id",
                                            "line_item", "tag:team", "model",      "tag:half"};
    static const enum cost_bin bins[] = {COST_BIN_DAY, COST_BIN_MONTH, COST_BIN_TOTAL, COST_BIN_WEEK, COST_BIN_QUARTER};
    struct buf text;
    struct cost_query q = whole_period();
    buf_init(&text, 1u << 20);
    expand(query, &text);
    struct vql *filter = cost_rig_parse(buf_str(&text));
    bool weighted = str_starts(sql, STR("w:"));
    buf_reset(&text);
    assert_true(buf_add_str(&text, weighted ? STR("(") : STR("1000000 * (")));
    expand(str_from(sql, weighted ? 2 : 0), &text);
    assert_true(buf_add_str(&text, STR(")")));
    q.tags = tags;
    q.tag_count = str_search(query, STR("half")) >= 0 ? 3 : 2; /* the others know of two */
    q.bin = bins[line % COUNT(bins)];
    cost_sum want = oracle(r, buf_str(&text), "1"), got = total_of(r, q, filter, groupings[line % COUNT(groupings)]);
    if (want != got) {
        char a[COST_TEXT_MAX], b[COST_TEXT_MAX];
        cost_amount_format(want, a);
        cost_amount_format(got, b);
        fail_msg("line %u: %.*s: %s, not %s", line, STR_ARG(query), b, a);
    }
    vql_free(filter);
    buf_free(&text);
}

static void read_file(const char *name, struct buf *out)
{
    FILE *f = fopen(name, "r");
    char block[4096];
    size_t n;
    assert_non_null(f);
    while ((n = fread(block, 1, sizeof block, f)) > 0)
        assert_true(buf_add(out, block, n));
    fclose(f);
}

static void golden_queries_agree_with_sql_written_by_hand(void **state)
{
    struct buf file;
    struct str rest, line, query;
    unsigned number = 0, count = 0;
    buf_init(&file, 1u << 20);
    read_file(GOLDEN, &file);
    make_tags();
    rest = buf_str(&file);
    while (str_split(&rest, '\n', &line)) {
        number++;
        if (!line.n || line.p[0] == '#')
            continue;
        assert_true(str_split(&line, '\t', &query));
        assert_non_null(line.p);
        check_golden(*state, query, line, number);
        count++;
    }
    print_message("%u golden queries\n", count);
    assert_true(count >= 200);
    free_tags();
    buf_free(&file);
}

/* --- random filters -------------------------------------------------------------------------- */

static const struct {
    const char *field, *column;
    const char *values[4]; /* without quotes in them */
} fields[] = {
    {"costs.account_id", "project", {"proj_a", "proj_b", "Proj C", ""}},
    {"costs.provider_account_id", "organization", {"org-a", "org-b", "org-c", ""}},
    {"costs.service", "service", {"Embeddings", "Audio", "Chat and Completions", "Images"}},
    {"costs.category", "category", {"gpt-5", "gpt-4o-2024-08-06", "whisper-1", "none"}},
    {"costs.subcategory", "subcategory", {"input", "output", "cached input", ""}},
    {"costs.resource_id", "key", {"key_1", "key_2", "key_9", ""}},
    {"costs.service_tier", "tier", {"priority", "batch", "", "flex"}},
};

/* One test, in both languages. */
static void random_test(struct buf *vql, struct buf *sql)
{
    uint64_t r = rng_u64();
    size_t f = r % COUNT(fields);
    const char *a = fields[f].values[(r >> 8) % 4], *b = fields[f].values[(r >> 16) % 4];
    const char *field = fields[f].field, *column = fields[f].column;
    switch ((r >> 24) % 6) {
    case 0:
        assert_true(buf_printf(vql, "%s = '%s'", field, a) && buf_printf(sql, "%s = '%s'", column, a));
        break;
    case 1:
        assert_true(buf_printf(vql, "%s!='%s'", field, a) && buf_printf(sql, "%s <> '%s'", column, a));
        break;
    case 2:
        assert_true(buf_printf(vql, "%s IN ('%s', '%s')", field, a, b) &&
                    buf_printf(sql, "%s IN ('%s', '%s')", column, a, b));
        break;
    case 3:
        assert_true(buf_printf(vql, "%s not in ('%s','%s')", field, a, b) &&
                    buf_printf(sql, "%s NOT IN ('%s', '%s')", column, a, b));
        break;
    case 4:
        assert_true(buf_printf(vql, "%s LIKE '%.2s%%'", field, a) && buf_printf(sql, "%s GLOB '%.2s*'", column, a));
        break;
    default:
        assert_true(buf_printf(vql, "%s = NULL", field) && buf_printf(sql, "%s = ''", column));
        break;
    }
}

/* Both languages have the same precedence, so the parentheses are the same too. */
static void random_tree(struct buf *vql, struct buf *sql, unsigned depth)
{
    uint64_t r = rng_u64();
    unsigned children = depth ? (unsigned)(r % 4) : 0;
    bool wrap = children > 1 || (r >> 8) % 2;
    if ((r >> 16) % 4 == 0)
        assert_true(buf_add_str(vql, STR("NOT ")) && buf_add_str(sql, STR("NOT ")));
    if (!children && !wrap) {
        assert_true(buf_add_byte(sql, '('));
        random_test(vql, sql);
        assert_true(buf_add_byte(sql, ')'));
        return;
    }
    assert_true(buf_add_byte(vql, '(') && buf_add_byte(sql, '('));
    for (unsigned i = 0; i <= children; i++) {
        const char *between = i == 0 ? "" : rng_u64() % 2 ? " AND " : " OR ";
        assert_true(buf_add_str(vql, str_c(between)) && buf_add_str(sql, str_c(between)));
        if (children)
            random_tree(vql, sql, depth - 1);
        else
            random_test(vql, sql);
    }
    assert_true(buf_add_byte(vql, ')') && buf_add_byte(sql, ')'));
}

static void random_filters_agree_with_the_same_filters_in_sql(void **state)
{
    static const char *const groupings[] = {NULL, "service", "account_id", "resource_id", "cost_subcategory"};
    for (unsigned i = 0; i < 600; i++) {
        struct buf vql, sql;
        struct cost_query q = whole_period();
        buf_init(&vql, VQL_TEXT_MAX);
        buf_init(&sql, 1u << 20);
        assert_true(buf_add_str(&vql, STR(P " AND ")) && buf_add_str(&sql, STR("1000000 * (")));
        random_tree(&vql, &sql, 4);
        assert_true(buf_add_byte(&sql, ')'));
        struct vql *filter = cost_rig_parse(buf_str(&vql));
        q.bin = i % 3 ? COST_BIN_MONTH : COST_BIN_DAY;
        if (total_of(*state, q, filter, groupings[i % COUNT(groupings)]) != oracle(*state, buf_str(&sql), "1"))
            fail_msg("%.*s", STR_ARG(buf_str(&vql)));
        vql_free(filter);
        buf_free(&vql);
        buf_free(&sql);
    }
}

/* --- dates, bins, settings, pages ------------------------------------------------------------ */

static void every_period_and_bin_has_the_sum_of_its_days(void **state)
{
    struct cost_rig *r = *state;
    for (int i = 0; i < 300; i++) {
        struct cost_query q = whole_period();
        char condition[400];
        q.from_day = cost_rig_day("2025-11-01") + (int64_t)(rng_u64() % 150);
        q.until_day = q.from_day + (int64_t)(rng_u64() % 150);
        q.bin = (enum cost_bin)(rng_u64() % COST_BIN_COUNT);
        q.settings = (struct cost_settings){.include_credits = rng_u64() & 1,
                                            .include_refunds = rng_u64() & 1,
                                            .include_discounts = rng_u64() & 1,
                                            .include_tax = rng_u64() & 1};
        q.group_count = 1;
        q.groups[0].by = (enum cost_by)(rng_u64() % COST_BY_COUNT);
        snprintf(condition, sizeof condition, "day >= %d AND day < %d AND (charge IN (0, 5)%s%s%s%s)", (int)q.from_day,
                 (int)q.until_day, q.settings.include_credits ? " OR charge = 1" : "",
                 q.settings.include_tax ? " OR charge = 2" : "", q.settings.include_refunds ? " OR charge = 3" : "",
                 q.settings.include_discounts ? " OR charge = 4" : "");
        struct cost_result *result = cost_rig_run(r, &q);
        if (result->total != oracle(r, STR("1000000"), condition))
            fail_msg("%s, bin %s, by %s", condition, cost_bin_text(q.bin), cost_by_text(q.groups[0].by));
        cost_sum sum = 0;
        for (size_t k = 0; k < result->row_count; k++) {
            int64_t day = bill_day_of(result->rows[k].start_us);
            sum += result->rows[k].amount;
            assert_true(cost_dates_bin(q.bin, day, q.from_day) == day);
        }
        if (q.bin != COST_BIN_CUMULATIVE)
            assert_true(sum == result->total);
        cost_result_free(result);
    }
}

static void each_row_is_the_sum_of_its_days_and_values(void **state)
{
    struct cost_rig *r = *state;
    static const enum cost_bin bins[] = {COST_BIN_DAY, COST_BIN_WEEK, COST_BIN_MONTH, COST_BIN_QUARTER};
    for (size_t b = 0; b < COUNT(bins); b++) {
        struct cost_query q = whole_period();
        q.bin = bins[b];
        q.from_day = cost_rig_day("2025-11-17");
        q.until_day = cost_rig_day("2026-03-11");
        q.group_count = 2;
        q.groups[0].by = COST_BY_ACCOUNT;
        q.groups[1].by = COST_BY_SERVICE;
        struct cost_result *result = cost_rig_run(r, &q);
        assert_true(result->row_count > 10);
        for (size_t i = 0; i < result->row_count; i += 7) {
            const struct cost_row *row = &result->rows[i];
            int64_t from = bill_day_of(row->start_us), until = from + 1;
            char condition[400];
            while (cost_dates_bin(q.bin, until, 0) == from)
                until++;
            snprintf(condition, sizeof condition, "project = '%.*s' AND service = '%.*s' AND day >= %d AND day < %d",
                     STR_ARG(row->values[0]), STR_ARG(row->values[1]), (int)(from > q.from_day ? from : q.from_day),
                     (int)(until < q.until_day ? until : q.until_day));
            if (row->amount != oracle(r, STR("1000000"), condition))
                fail_msg("bin %s: %s", cost_bin_text(q.bin), condition);
        }
        cost_result_free(result);
    }
}

static void pages_cut_the_same_rows_and_do_not_change_totals(void **state)
{
    struct cost_query q = whole_period();
    q.group_count = 1;
    q.groups[0].by = COST_BY_CATEGORY;
    struct cost_result *all = cost_rig_run(*state, &q);
    assert_true(all->row_count > 1000);
    assert_int_equal(all->row_count, all->row_total);
    uint64_t at = 0;
    q.limit = 97;
    for (q.page = 1; at < all->row_total; q.page++) {
        struct cost_result *page = cost_rig_run(*state, &q);
        assert_true(page->total == all->total);
        assert_int_equal(page->row_total, all->row_total);
        assert_int_equal(page->group_total, all->group_total);
        assert_true(page->row_count > 0);
        for (size_t i = 0; i < page->row_count; i++, at++) {
            assert_true(page->rows[i].amount == all->rows[at].amount);
            assert_true(str_eq(page->rows[i].values[0], all->rows[at].values[0]));
            assert_int_equal(page->rows[i].start_us, all->rows[at].start_us);
        }
        cost_result_free(page);
    }
    for (size_t i = 1; i < all->row_count; i++) {
        assert_true(all->rows[i - 1].start_us >= all->rows[i].start_us);
        if (all->rows[i - 1].start_us == all->rows[i].start_us)
            assert_true(all->rows[i - 1].amount >= all->rows[i].amount);
    }
    q.page = UINT64_MAX;
    struct cost_result *none = cost_rig_run(*state, &q);
    assert_int_equal(none->row_count, 0);
    assert_true(none->total == all->total);
    cost_result_free(none);
    uint64_t counted = 0;
    for (size_t i = 0; i < all->count_count; i++)
        counted += all->counts[i].count;
    assert_int_equal(counted, all->row_total);
    cost_result_free(all);
}

static void cumulative_bins_end_at_the_total_of_each_group(void **state)
{
    struct cost_query q = whole_period();
    q.group_count = 1;
    q.groups[0].by = COST_BY_SERVICE;
    q.ascending = true;
    struct cost_result *days = cost_rig_run(*state, &q);
    q.bin = COST_BIN_CUMULATIVE;
    struct cost_result *running = cost_rig_run(*state, &q);
    q.bin = COST_BIN_TOTAL;
    struct cost_result *totals = cost_rig_run(*state, &q);
    assert_true(days->total == running->total && days->total == totals->total);
    assert_int_equal(days->row_count, running->row_count);
    for (size_t g = 0; g < totals->row_count; g++) {
        const struct cost_row *last = NULL;
        for (size_t i = 0; i < running->row_count; i++)
            if (str_eq(running->rows[i].values[0], totals->rows[g].values[0]))
                last = &running->rows[i];
        assert_non_null(last);
        assert_true(last->amount == totals->rows[g].amount);
        assert_int_equal(last->rows, totals->rows[g].rows);
    }
    cost_result_free(days);
    cost_result_free(running);
    cost_result_free(totals);
}

static void a_scope_hides_other_accounts_everywhere(void **state)
{
    static const int64_t second = 2;
    struct cost_query q = whole_period();
    q.scope = (struct cost_scope){.accounts = &second, .account_count = 1};
    q.group_count = 1;
    q.groups[0].by = COST_BY_BILLING_ACCOUNT;
    q.bin = COST_BIN_TOTAL;
    struct cost_result *result = cost_rig_run(*state, &q);
    assert_int_equal(result->row_count, 1);
    assert_true(str_eq(result->rows[0].values[0], STR("org-b")));
    assert_true(result->total == oracle(*state, STR("1000000"), "account = 2"));
    cost_result_free(result);
    q.scope.account_count = 0;
    result = cost_rig_run(*state, &q);
    assert_int_equal(result->row_count, 0);
    assert_true(result->total == 0);
    cost_result_free(result);
}

static void several_filters_are_anded_and_their_shares_multiplied(void **state)
{
    struct vql *a = cost_rig_parse(
        STR(P " AND costs.allocation = 0.5 AND costs.account_id = 'proj_a' OR " P " AND costs.account_id = 'proj_b'"));
    struct vql *b = cost_rig_parse(STR(P " AND costs.allocation = 0.3 AND costs.service != 'Audio'"));
    const struct vql *both[] = {a, b};
    struct cost_query q = whole_period();
    q.filters = both;
    q.filter_count = 2;
    struct cost_result *result = cost_rig_run(*state, &q);
    assert_true(result->total == oracle(*state,
                                        STR("CASE WHEN service = 'Audio' THEN 0 WHEN project = 'proj_a' THEN 150000"
                                            " WHEN project = 'proj_b' THEN 300000 ELSE 0 END"),
                                        "1"));
    cost_result_free(result);
    vql_free(a);
    vql_free(b);
}

static void what_a_user_types_is_data(void **state)
{
    static const char *const texts[] = {"'; DROP TABLE bill_rows; --",
                                        "\" OR 1=1 --",
                                        "') OR ('1'='1",
                                        "%' OR '%",
                                        "?1",
                                        "[1,2,3]",
                                        "$P",
                                        "\\",
                                        "proj_a'||'"};
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct buf text;
        buf_init(&text, 4096);
        assert_true(buf_add_str(&text, STR(P " AND costs.account_id = ")) && vql_print_string(str_c(texts[i]), &text) &&
                    buf_add_str(&text, STR(" OR " P " AND costs.category LIKE ")) &&
                    vql_print_string(str_c(texts[i]), &text));
        struct vql *filter = cost_rig_parse(buf_str(&text));
        assert_true(total_of(*state, whole_period(), filter, "service") == 0);
        vql_free(filter);
        buf_free(&text);
    }
    assert_true(total_of(*state, whole_period(), NULL, NULL) == oracle(*state, STR("1000000"), "1"));
}

static void a_circle_of_tags_and_too_much_are_refused(void **state)
{
    struct cost_rig *r = *state;
    struct cost_result *result = NULL;
    struct cost_error error;
    struct vql *circle = cost_rig_parse(STR(P " AND tags.name = 'a'"));
    struct cost_tag_value value = {.value = STR("x"), .filter = circle};
    struct cost_tag tag = {.key = STR("a"), .values = &value, .count = 1};
    struct cost_query q = whole_period();
    const struct vql *filters[] = {circle};
    q.tags = &tag;
    q.tag_count = 1;
    q.filters = filters;
    q.filter_count = 1;
    assert_int_equal(cost_run(r->reader, &q, &result, &error), ERR_BAD_PARAMETER);
    assert_non_null(strstr(error.text, "circle"));
    vql_free(circle);
    q.filter_count = 0;
    q.until_day = q.from_day - 1;
    assert_int_equal(cost_run(r->reader, &q, &result, &error), ERR_BAD_PARAMETER);
}

/* A thousand values and the deepest nesting are within what the database accepts. */
static void the_largest_filters_can_be_run(void **state)
{
    struct buf text;
    buf_init(&text, VQL_TEXT_MAX);
    for (int i = 0; i < VQL_DEPTH_MAX; i++)
        assert_true(buf_add_str(&text, STR("(")));
    assert_true(buf_add_str(&text, STR(P)));
    for (int i = 0; i < VQL_LITERALS_MAX - 1; i++)
        assert_true(buf_printf(&text, " AND costs.region!='%d'", i));
    for (int i = 0; i < VQL_DEPTH_MAX; i++)
        assert_true(buf_add_str(&text, STR(")")));
    struct vql *filter = cost_rig_parse(buf_str(&text));
    assert_true(total_of(*state, whole_period(), filter, NULL) == oracle(*state, STR("1000000"), "1"));
    vql_free(filter);
    buf_reset(&text);
    assert_true(buf_add_str(&text, STR(P " AND (costs.service='x'")));
    for (int i = 0; i < 900; i++)
        assert_true(buf_printf(&text, " OR costs.service='%d'", i));
    assert_true(buf_add_str(&text, STR(")")));
    filter = cost_rig_parse(buf_str(&text));
    assert_true(total_of(*state, whole_period(), filter, NULL) == 0);
    vql_free(filter);
    buf_free(&text);
}

/* --- a thousand bills ------------------------------------------------------------------------ */

static void identities_hold_on_a_thousand_random_bills(void **state)
{
    struct cost_rig *r = *state;
    (void)state;
    for (int64_t bill = 0; bill < BILLS; bill++) {
        int64_t account = 100 + bill, first = cost_rig_day("2024-01-20") + (int64_t)(rng_u64() % 400);
        money_sum want = 0;
        struct costs c;
        add_account(r, account, 9, "org-many");
        for (int64_t i = 0; i < 3; i++) {
            random_costs(&c, 1 + rng_u64() % 6, false);
            put_day(r, account, first + i * 20, &c);
            if (rng_u64() % 4 == 0) { /* restated */
                random_costs(&c, 1 + rng_u64() % 6, false);
                put_day(r, account, first + i * 20, &c);
            }
            for (size_t k = 0; k < c.count; k++) {
                money_sum v = 0;
                bool exact;
                assert_true(bill_decimal_read(c.list[k].amount, 12, &v, &exact));
                want += v;
            }
        }
        struct cost_query q = cost_query_all();
        q.scope = (struct cost_scope){.accounts = &account, .account_count = 1};
        q.from_day = first - (int64_t)(rng_u64() % 40);
        q.until_day = first + 41 + (int64_t)(rng_u64() % 40);
        q.bin = (enum cost_bin)(1 + rng_u64() % (COST_BIN_COUNT - 1));
        q.group_count = (unsigned)(rng_u64() % 4);
        for (unsigned g = 0; g < q.group_count; g++)
            q.groups[g].by = (enum cost_by)(rng_u64() % COST_BY_COUNT);
        struct cost_result *result = cost_rig_run(r, &q);
        cost_sum sum = 0;
        for (size_t i = 0; i < result->row_count; i++)
            sum += result->rows[i].amount;
        assert_true(sum == result->total);
        assert_true(result->total == (cost_sum)want * COST_PER_PUSD);
        cost_result_free(result);
    }
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(golden_queries_agree_with_sql_written_by_hand),
        cmocka_unit_test(random_filters_agree_with_the_same_filters_in_sql),
        cmocka_unit_test(every_period_and_bin_has_the_sum_of_its_days),
        cmocka_unit_test(each_row_is_the_sum_of_its_days_and_values),
        cmocka_unit_test(pages_cut_the_same_rows_and_do_not_change_totals),
        cmocka_unit_test(cumulative_bins_end_at_the_total_of_each_group),
        cmocka_unit_test(a_scope_hides_other_accounts_everywhere),
        cmocka_unit_test(several_filters_are_anded_and_their_shares_multiplied),
        cmocka_unit_test(what_a_user_types_is_data),
        cmocka_unit_test(a_circle_of_tags_and_too_much_are_refused),
        cmocka_unit_test(the_largest_filters_can_be_run),
        cmocka_unit_test(identities_hold_on_a_thousand_random_bills),
    };
    return cmocka_run_group_tests(cases, setup, teardown);
}

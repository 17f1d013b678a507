/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Grouped monthly reports over a made-up bill: `bench_cost DIR [ROWS_A_DAY [MONTHS [plans]]]`. DIR must be there and is
 * where bill.db is made, unless one is there already, which is then read. Prints what the bill has, and
 * for each report its first time on a fresh connection with the file out of the system's cache, its median and its
 * 95th percentile, in milliseconds, and that of processor time; with "plans" the database's plan of its statements too.
 *
 * The bill: 50 projects, 200 keys, 60 models with two meters each. ROWS_A_DAY 18,500 and 36 months are
 * 20 million rows, a minute to make and 1.2 GB; the default is a tenth of that.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/must.h"
#include "base/rng.h"
#include "bench_util.h"
#include "report/bill/bill_write.h"
#include "report/cost/cost.h"
#include "report/cost/cost_dates.h"

#define PROJECTS 50
#define KEYS 200
#define MODELS 60
#define ITEMS (2 * MODELS)
#define DAYS_FROM 19358 /* 2023-01-01 */
#define RUNS 40
#define P "costs.provider = 'open_ai'"

static const struct {
    const char *name, *groups, *filter;
} reports[] = {
    {"total", "", P},
    {"service", "service", P},
    {"model", "cost_category", P},
    {"model and meter", "cost_category,cost_subcategory", P},
    {"project", "account_id", P},
    {"key", "resource_id", P},
    {"project and key", "account_id,resource_id", P},
    {"provider, service, project", "provider,service,account_id", P},
    {"project and model", "account_id,cost_category", P},
    {"tier", "service_tier", P},
    {"key and model", "resource_id,cost_category", P},
    {"key, model, meter, a quarter", "resource_id,cost_category,cost_subcategory", P},
    {"project, key, service, tier", "account_id,resource_id,service,service_tier", P},
    {"line item and project", "line_item,account_id", P},
    {"tag by percentages", "tag:team", P},
    {"models of one project", "cost_category", P " AND costs.account_id = 'proj_007'"},
    {"keys of one model", "resource_id", P " AND costs.category = 'model-07'"},
    {"models by pattern", "cost_category", P " AND costs.category LIKE 'model-1%'"},
    {"projects, a share", "account_id", P " AND costs.allocation = 0.5 OR " P " AND costs.service = 'Other'"},
    {"key, not some models", "resource_id", P " AND costs.category NOT IN ('model-01', 'model-02')"},
};
#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static void check(enum err e, const char *what)
{
    if (e == ERR_OK)
        return;
    fprintf(stderr, "%s failed\n", what);
    exit(1);
}

/* --- the bill -------------------------------------------------------------------------------- */

/* One day through the front door, so that every project, key and item has its names and ids. */
static void put_names(struct bill *b)
{
    static struct bill_cost costs[KEYS * ITEMS];
    static char projects[KEYS][16], keys[KEYS][16], items[ITEMS][40];
    size_t n = 0;
    for (int k = 0; k < KEYS; k++) {
        snprintf(projects[k], sizeof projects[k], "proj_%03d", k % PROJECTS);
        snprintf(keys[k], sizeof keys[k], "key_%03d", k);
    }
    for (int i = 0; i < ITEMS; i++)
        snprintf(items[i], sizeof items[i], "model-%02d, %s", i / 2, i % 2 ? "output" : "input");
    for (int k = 0; k < KEYS; k++)
        for (int i = 0; i < ITEMS; i++)
            costs[n++] = (struct bill_cost){str_c(projects[k]), str_c(keys[k]), str_c(items[i]), STR("tokens"),
                                            BILL_CHARGE_USAGE,  STR("0.001"),   STR("1000")};
    struct bill_stored stored;
    struct bill_day d = {.account = 1, .day = DAYS_FROM, .costs = costs, .count = n, .now_us = clock_wall_us()};
    check(bill_day_put(b, &d, &stored), bill_reason(b));
}

/* The other days are copies of the first with other amounts, `rows` of its rows each. */
static void put_days(struct bill *b, int64_t rows, int64_t days)
{
    struct store_db *db = bill_db(b);
    struct store_stmt *st;
    check(store_begin(db), "begin");
    for (int64_t day = DAYS_FROM + 1; day < DAYS_FROM + days; day++) {
        check(store_prepare(
                  db,
                  "INSERT INTO bill_rows SELECT account, ?1, project, key, item, charge, unit, abs(random()) % 90,"
                  " abs(random()) % 1000000, abs(random()) % 100000, 0, NULL, NULL FROM bill_rows"
                  " WHERE account = 1 AND day = ?2 AND (item * 7919 + key * 104729 + ?1) % 24000 < ?3",
                  &st),
              "prepare");
        store_bind_i64(st, 1, day);
        store_bind_i64(st, 2, DAYS_FROM);
        store_bind_i64(st, 3, rows);
        check(store_run(st), store_reason(db));
        check(
            store_prepare(db,
                          "INSERT INTO days SELECT account, ?1, hash, rows, micro, pico, state, NULL, NULL, stored_us,"
                          " changed_us FROM days WHERE account = 1 AND day = ?2",
                          &st),
            "prepare");
        store_bind_i64(st, 1, day);
        store_bind_i64(st, 2, DAYS_FROM);
        check(store_run(st), store_reason(db));
    }
    check(store_commit(db), "commit");
}

static void make_bill(const char *dir, int64_t rows, int64_t months)
{
    char why[256];
    struct bill *b;
    uint64_t begun = bench_now_ns();
    int64_t days = bill_month_day(bill_month_of(DAYS_FROM) + months) - DAYS_FROM;
    check(bill_open(dir, &b, why, sizeof why), "bill_open");
    check(bill_account_put(b, 1, 1, STR("admin"), DAYS_FROM, 1), "account");
    put_names(b);
    put_days(b, rows, days);
    uint64_t filled = bench_now_ns();
    check(bill_rebuild(b), "rebuild");
    printf("made: %.1f s for rows, %.1f s for rollups\n", (double)(filled - begun) / 1e9,
           (double)(bench_now_ns() - filled) / 1e9);
    bill_close(b);
}

/* --- the reports ----------------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* Half of everything to each of two teams. */
static const struct cost_share halves[] = {{COST_MONTH_ANY, {"a", 1}, 1}, {COST_MONTH_ANY, {"b", 1}, 1}};
static const struct cost_tag_value half = {.shares = halves, .share_count = 2};
static const struct cost_tag team = {.key = {"team", 4}, .values = &half, .count = 1};

static void print_plan(void *context, struct str line)
{
    (void)context;
    printf("    %.*s\n", STR_ARG(line));
}

/* So that the next reader finds nothing of it in memory. */
static void forget(const char *dir)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", dir, BILL_FILE);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    (void)fdatasync(fd);
    (void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    close(fd);
}

static struct cost_query query_of(size_t i, const struct vql *const *filter, int64_t months)
{
    struct cost_query q = cost_query_all();
    struct str rest = str_c(reports[i].groups), part;
    q.from_day = DAYS_FROM;
    q.until_day = bill_month_day(bill_month_of(DAYS_FROM) + months);
    q.bin = COST_BIN_MONTH;
    q.filters = filter;
    q.filter_count = 1;
    q.limit = 5000;
    q.tags = &team;
    q.tag_count = 1;
    if (strstr(reports[i].name, "a quarter"))
        q.from_day = bill_month_day(bill_month_of(DAYS_FROM) + months - 3);
    while (rest.n && str_split(&rest, ',', &part))
        must(cost_group_parse(part, &q.groups[q.group_count++]));
    return q;
}

/* Milliseconds of this thread's own, which others on the machine do not lengthen. */
static double cpu_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static double run(struct cost_reader *r, const struct cost_query *q, uint64_t *ret_rows)
{
    struct cost_result *result;
    struct cost_error error;
    uint64_t begun = bench_now_ns();
    check(cost_run(r, q, &result, &error), error.text);
    double ms = (double)(bench_now_ns() - begun) / 1e6;
    *ret_rows = result->row_total;
    cost_result_free(result);
    return ms;
}

static void measure(const char *dir, size_t i, int64_t months, bool plans, double *worst, double *worst_first)
{
    struct cost_reader *r;
    struct cost_error error;
    struct vql_error vql_error;
    struct vql *filter;
    double ms[RUNS], cpu[RUNS], first;
    uint64_t rows;
    check(vql_parse(str_c(reports[i].filter), &filter, &vql_error), "filter");
    forget(dir);
    check(cost_reader_open(dir, &r, &error), "reader");
    const struct vql *filters[] = {filter};
    struct cost_query q = query_of(i, filters, months);
    first = run(r, &q, &rows);
    *worst_first = first > *worst_first ? first : *worst_first;
    for (int k = 0; k < RUNS; k++) {
        cpu[k] = cpu_ms();
        ms[k] = run(r, &q, &rows);
        cpu[k] = cpu_ms() - cpu[k];
    }
    qsort(ms, RUNS, sizeof ms[0], compare);
    qsort(cpu, RUNS, sizeof cpu[0], compare);
    printf("%-30s %8llu rows  first %8.1f  median %8.1f  p95 %8.1f  cpu p95 %8.1f\n", reports[i].name,
           (unsigned long long)rows, first, ms[RUNS / 2], ms[RUNS * 95 / 100], cpu[RUNS * 95 / 100]);
    *worst = ms[RUNS * 95 / 100] > *worst ? ms[RUNS * 95 / 100] : *worst;
    if (plans) {
        q.plan = print_plan;
        (void)run(r, &q, &rows);
    }
    cost_reader_close(r);
    vql_free(filter);
}

int main(int argc, char **argv)
{
    char path[4096];
    int64_t rows = argc > 2 ? (int64_t)bench_number(argv[2]) : 1850;
    int64_t months = argc > 3 ? (int64_t)bench_number(argv[3]) : 36;
    bool plans = argc > 4 && strcmp(argv[4], "plans") == 0;
    double worst = 0, worst_first = 0;
    if (argc < 2) {
        fprintf(stderr, "use: bench_cost DIR [ROWS_A_DAY [MONTHS [plans]]]\n");
        return 2;
    }
    snprintf(path, sizeof path, "%s/%s", argv[1], BILL_FILE);
    if (access(path, F_OK) != 0)
        make_bill(argv[1], rows, months);
    for (size_t i = 0; i < COUNT(reports); i++)
        measure(argv[1], i, months, plans, &worst, &worst_first);
    printf("slowest p95 %.1f ms, slowest first %.1f ms\n", worst, worst_first);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Filters of any text, asked of a small bill. What the language accepts the engine answers, or refuses with a sentence
 * about the query: a statement that the database cannot read, or a file that is not there any more, would mean that
 * text had become SQL. The rows of a page and the total agree, and the bill is the same afterwards.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/must.h"
#include "report/bill/bill_write.h"
#include "report/cost/cost.h"

#define P "costs.provider = 'open_ai'"
#define DAY 20500

static char dir[] = "/tmp/fuzz_cost.XXXXXX";
static struct cost_reader *reader;
static cost_sum everything;

static const struct cost_share halves[] = {{COST_MONTH_ANY, {"x", 1}, 1}, {COST_MONTH_ANY, {"y'", 2}, 2}};
static struct cost_tag_value named, split;
static struct cost_tag tags[2];

static void remove_dir(void)
{
    static const char *const names[] = {"bill.db", "bill.db-wal", "bill.db-shm"};
    char path[64];
    cost_reader_close(reader);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        (void)unlink(path);
    }
    (void)rmdir(dir);
}

static void put_bill(void)
{
    static const char *const lines[] = {"gpt-4o, input", "o3, cached input", "batch | gpt-5, output", "web search"};
    static const char *const projects[] = {"proj_a", "proj'b", ""}, *const keys[] = {"key_1", ""};
    struct bill_cost costs[24];
    struct bill_stored stored;
    struct bill *b;
    char why[256];
    for (size_t i = 0; i < 24; i++)
        costs[i] = (struct bill_cost){.project = str_c(projects[i % 3]),
                                      .key = str_c(keys[i / 3 % 2]),
                                      .line_item = str_c(lines[i / 6]),
                                      .unit = STR("tokens"),
                                      .amount = STR("1.000000000001"),
                                      .quantity = STR("10")};
    must(bill_open(dir, &b, why, sizeof why) == ERR_OK);
    must(bill_account_put(b, 1, 1, STR("admin"), DAY, 1) == ERR_OK);
    for (int64_t day = DAY; day < DAY + 3; day++) {
        struct bill_day d = {.account = 1, .day = day, .costs = costs, .count = 24, .now_us = bill_day_us(day + 40)};
        must(bill_day_put(b, &d, &stored) == ERR_OK);
    }
    bill_close(b);
}

static struct cost_query query(void)
{
    struct cost_query q = cost_query_all();
    q.from_day = DAY - 1;
    q.until_day = DAY + 9;
    q.tags = tags;
    q.tag_count = 2;
    return q;
}

static cost_sum total_of_all(void)
{
    struct cost_query q = query();
    struct cost_result *r;
    struct cost_error error;
    must(cost_run(reader, &q, &r, &error) == ERR_OK);
    cost_sum total = r->total;
    cost_result_free(r);
    return total;
}

static void begin(void)
{
    struct vql *filter;
    struct vql_error error;
    struct cost_error why;
    must(mkdtemp(dir) != NULL);
    put_bill();
    must(atexit(remove_dir) == 0);
    must(vql_parse(STR(P " AND costs.account_id = 'proj_a'"), &filter, &error) == ERR_OK); /* for as long as it runs */
    named = (struct cost_tag_value){.value = STR("a"), .filter = filter};
    split = (struct cost_tag_value){.shares = halves, .share_count = 2, .whole = 4};
    tags[0] = (struct cost_tag){.key = STR("team"), .values = &named, .count = 1};
    tags[1] = (struct cost_tag){.key = STR("half"), .values = &split, .count = 1};
    must(cost_reader_open(dir, &reader, &why) == ERR_OK);
    everything = total_of_all();
    must(everything > 0);
}

static void ask(const struct vql *filter, size_t turn)
{
    static const char *const groups[] = {"service", "tag:half", "tag:team", "tagged", "line_item", "resource_id"};
    struct cost_query q = query();
    struct cost_result *r;
    struct cost_error error;
    q.filters = &filter;
    q.filter_count = 1;
    q.bin = (enum cost_bin)(turn / 6 % COST_BIN_COUNT);
    must(cost_group_parse(str_c(groups[turn % 6]), &q.groups[q.group_count++]));
    enum err e = cost_run(reader, &q, &r, &error);
    must(e == ERR_OK || (e == ERR_BAD_PARAMETER && error.text[0]));
    if (e != ERR_OK)
        return;
    cost_sum sum = 0;
    for (size_t i = 0; i < r->row_count; i++)
        sum += r->rows[i].amount;
    must(q.bin == COST_BIN_CUMULATIVE || sum == r->total);
    must(r->total >= 0);
    must(r->total <= everything);
    cost_result_free(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static size_t turn;
    struct vql *q = NULL;
    struct vql_error error;
    if (!reader)
        begin();
    if (vql_parse(str_of((const char *)data, size), &q, &error) != ERR_OK)
        return 0;
    if (!(vql_ledgers(q) & ~(1u << VQL_BILLED)))
        ask(q, turn++);
    if (turn % 1024 == 1)
        must(total_of_all() == everything);
    vql_free(q);
    return 0;
}

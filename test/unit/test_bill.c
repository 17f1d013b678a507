/* SPDX-License-Identifier: Apache-2.0 */
/* The store of the bill: decimals, line items, replacing days, rollups, and death at every file call. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/must.h"
#include "base/rng.h"
#include "report/bill/bill_decimal.h"
#include "report/bill/bill_line.h"
#include "report/bill/bill_write.h"

#define USD MONEY_PUSD_PER_USD
#define CALLS_MAX 5000
#define ACCOUNT 7

struct place {
    char dir[64];
    struct bill *bill;
};

static void remove_dir(const char *dir)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", dir);
    assert_int_equal(system(command), 0);
}

static void open_bill(struct place *t)
{
    char why[256];
    if (bill_open(t->dir, &t->bill, why, sizeof why) != ERR_OK)
        fail_msg("%s", why);
}

static int setup(void **state)
{
    struct place *t = calloc(1, sizeof *t);
    snprintf(t->dir, sizeof t->dir, "/tmp/test_bill.XXXXXX");
    assert_non_null(mkdtemp(t->dir));
    open_bill(t);
    assert_int_equal(bill_account_put(t->bill, ACCOUNT, 1, STR("admin"), 20000, 1), ERR_OK);
    *state = t;
    return 0;
}

static int teardown(void **state)
{
    struct place *t = *state;
    bill_close(t->bill);
    remove_dir(t->dir);
    free(t);
    return 0;
}

/* --- decimals -------------------------------------------------------------------------------- */

static void check_decimal(const char *text, money_sum want, bool exact)
{
    money_sum got = -1;
    bool is_exact = !exact;
    if (!bill_decimal_read(str_c(text), 12, &got, &is_exact))
        fail_msg("%s was refused", text);
    if (got != want || is_exact != exact)
        fail_msg("%s gave another number", text);
}

static void decimals_are_read_to_the_last_digit(void **state)
{
    (void)state;
    check_decimal("0", 0, true);
    check_decimal("-0.0", 0, true);
    check_decimal("12", 12 * (money_sum)USD, true);
    check_decimal("3.4e-05", 34000000, true);
    check_decimal("3.4E+2", 340 * (money_sum)USD, true);
    check_decimal("0.0000330000000000000000000000000000", 33000000, true);
    check_decimal("0.000000000001", 1, true);
    check_decimal("0.0000000000005", 1, false);
    check_decimal("0.00000000000049999", 0, false);
    check_decimal("-0.0000000000015", -2, false);
    check_decimal("0.00015000000000000001", 150000000, false);
    check_decimal("99999999999999999999999", (money_sum)99999999999999 * 1000000000 * USD + (money_sum)999999999 * USD,
                  true);
    check_decimal("1e-400", 0, false);
    check_decimal("0e400", 0, true);
    check_decimal("9223372036854.775808", (money_sum)INT64_MAX * 1000000 + 1000000, true);
}

static void what_is_no_decimal_is_refused(void **state)
{
    static const char *const bad[] = {"",
                                      "-",
                                      "+1",
                                      "01",
                                      "1.",
                                      ".5",
                                      "1e",
                                      "1e+",
                                      "1e+-1",
                                      "NaN",
                                      "0x1",
                                      "1 ",
                                      " 1",
                                      "1,0",
                                      "1e9999999999",
                                      "1e25",
                                      "1000000000000000000000000",
                                      "--1",
                                      "1e--1"};
    money_sum v;
    bool exact;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (bill_decimal_read(str_c(bad[i]), 12, &v, &exact))
            fail_msg("%s was taken", bad[i]);
}

static void random_decimals_come_back_as_they_were_written(void **state)
{
    (void)state;
    for (int i = 0; i < 20000; i++) {
        char text[MONEY_TEXT_MAX];
        money_sum v = (money_sum)(int64_t)rng_u64() * (int64_t)(rng_u64() % 1000000), got;
        bool exact;
        assert_true(bill_decimal_read(str_of(text, money_format(v, text)), 12, &got, &exact));
        assert_true(exact && got == v);
    }
}

/* --- line items ------------------------------------------------------------------------------ */

static void line_items_are_read_by_the_rule(void **state)
{
    static const struct {
        const char *line, *service, *category, *subcategory, *tier, *model;
    } cases[] = {
        {"gpt-4o-2024-08-06, input", "Chat and Completions", "gpt-4o-2024-08-06", "input", "", "gpt-4o"},
        {"gpt-4o-2024-08-06, cached input", "Chat and Completions", "gpt-4o-2024-08-06", "cached input", "", "gpt-4o"},
        {"gpt-6-astra, input_tokens", "Chat and Completions", "gpt-6-astra", "input", "", "gpt-6-astra"},
        {"gpt-5.6, cache writes", "Chat and Completions", "gpt-5.6", "cache write", "", "gpt-5.6"},
        {"priority | gpt-5, input, long context", "Chat and Completions", "gpt-5", "input, long context", "priority",
         "gpt-5"},
        {"batch | gpt-4o-2024-08-06, output", "Chat and Completions", "gpt-4o-2024-08-06", "output", "batch", "gpt-4o"},
        {"gpt-audio-mini-2025-12-15 audio, input", "Chat and Completions", "gpt-audio-mini-2025-12-15", "audio input",
         "", "gpt-audio-mini"},
        {"gpt-image-2.5-flare image, output", "Images", "gpt-image-2.5-flare", "image output", "",
         "gpt-image-2.5-flare"},
        {"gpt-image-2.5-sunburst text, cached input", "Images", "gpt-image-2.5-sunburst", "text cached input", "",
         "gpt-image-2.5-sunburst"},
        {"gpt-realtime audio, output", "Realtime", "gpt-realtime", "audio output", "", "gpt-realtime"},
        {"ft-gpt-4o-2024-08-06, input", "Fine-tuning", "ft-gpt-4o-2024-08-06", "input", "", "ft-gpt-4o"},
        {"ft:gpt-4o:org::id, output", "Fine-tuning", "ft:gpt-4o:org::id", "output", "", "ft:gpt-4o:org::id"},
        {"gpt-4o-2024-08-06, training", "Fine-tuning", "gpt-4o-2024-08-06", "training", "", "gpt-4o"},
        {"text-embedding-3-small, input", "Embeddings", "text-embedding-3-small", "input", "",
         "text-embedding-3-small"},
        {"whisper-1, audio", "Audio", "whisper-1", "audio", "", "whisper-1"},
        {"gpt-4o-mini-transcribe, output", "Audio", "gpt-4o-mini-transcribe", "output", "", "gpt-4o-mini-transcribe"},
        {"tts-1-hd, characters", "Audio", "tts-1-hd", "characters", "", "tts-1-hd"},
        {"omni-moderation-latest, input", "Moderations", "omni-moderation-latest", "input", "",
         "omni-moderation-latest"},
        {"DALL·E 3, standard, 1024x1792, 1792x1024", "Images", "DALL·E 3", "standard, 1024x1792, 1792x1024", "",
         "DALL·E 3"},
        {"web search tool calls", "Tools", "web search tool calls", "", "", ""},
        {"Vector storage", "Tools", "Vector storage", "", "", ""},
        {"code interpreter sessions", "Tools", "code interpreter sessions", "", "", ""},
        {"assistants api | file search", "Tools", "assistants api", "file search", "", ""},
        {"evals | grader runs", "Other", "evals", "grader runs", "", ""},
        {"something new", "Other", "something new", "", "", ""},
        {"", "Other", "", "", "", ""},
        {", ", "Other", ",", "", "", ""},
        {" | ", "Other", "|", "", "", ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bill_line l;
        bill_line_read(str_c(cases[i].line), NULL, &l);
        assert_string_equal(l.service, cases[i].service);
        assert_string_equal(l.category, cases[i].category);
        assert_string_equal(l.subcategory, cases[i].subcategory);
        assert_string_equal(l.tier, cases[i].tier);
        assert_string_equal(l.model, cases[i].model);
    }
}

static void own_services_come_first_and_bad_files_are_named(void **state)
{
    struct bill_services *s;
    struct bill_line l;
    char why[BILL_LINE_WHY_MAX];
    (void)state;
    assert_int_equal(bill_services_read(STR("# ours\n gpt-4o* , Chat\r\n\nmeter:*cached*,Cache\n"), &s, why), ERR_OK);
    bill_line_read(STR("GPT-4o-mini, output"), s, &l);
    assert_string_equal(l.service, "Chat");
    bill_line_read(STR("o3, cached input"), s, &l);
    assert_string_equal(l.service, "Cache");
    bill_line_read(STR("whisper-1, audio"), s, &l);
    assert_string_equal(l.service, "Audio");
    bill_services_free(s);
    assert_int_equal(bill_services_read(STR("a,b\nno comma\n"), &s, why), ERR_BAD_CONFIG);
    assert_non_null(strstr(why, "line 2"));
    assert_int_equal(bill_services_read(STR("a,\n"), &s, why), ERR_BAD_CONFIG);
}

/* --- days ------------------------------------------------------------------------------------ */

#define COST(p, k, line, value, q)                                                                             \
    {                                                                                                          \
        .project = STR(p), .key = STR(k), .line_item = STR(line), .unit = STR("tokens"), .amount = STR(value), \
        .quantity = STR(q)                                                                                     \
    }

static enum err put(struct place *t, int64_t day, const struct bill_cost *costs, size_t n, const char *total,
                    int64_t now_day, struct bill_stored *ret)
{
    struct str totals[1] = {str_c(total)};
    struct bill_day d = {.account = ACCOUNT,
                         .day = day,
                         .costs = costs,
                         .count = n,
                         .totals = totals,
                         .total_count = total ? 1 : 0,
                         .total_known = total != NULL,
                         .now_us = bill_day_us(now_day)};
    return bill_day_put(t->bill, &d, ret);
}

static void check_sum(struct place *t, const char *want, uint64_t rows)
{
    struct bill_filter all = {0};
    struct bill_reader *r;
    money_sum sum, expected;
    uint64_t n;
    bool exact, ok = false;
    char why[256] = "";
    assert_int_equal(bill_reader_open(t->dir, &r), ERR_OK);
    assert_int_equal(bill_rows_sum(bill_reader_db(r), &all, &sum, &n), ERR_OK);
    assert_true(bill_decimal_read(str_c(want), 12, &expected, &exact) && exact);
    assert_true(sum == expected);
    assert_int_equal(n, rows);
    assert_int_equal(bill_verify(bill_reader_db(r), &ok, why, sizeof why), ERR_OK);
    if (!ok)
        fail_msg("%s", why);
    bill_reader_close(r);
}

static const struct bill_cost day_one[] = {
    COST("proj_a", "key_1", "gpt-4o, input", "0.0000330000000000000000", "11"),
    COST("proj_a", "key_1", "gpt-4o, output", "1.5", "150000"),
    COST("proj_a", "key_2", "gpt-4o, output", "0.000000000001", "0.25"),
    COST("", "", "Vector storage", "2e-3", ""),
};

static void a_day_is_replaced_not_added(void **state)
{
    struct place *t = *state;
    struct bill_stored s;
    assert_int_equal(put(t, 20100, day_one, 4, "1.502033000001", 20100, &s), ERR_OK);
    assert_true(s.changed && !s.inconsistent && s.rows == 4 && s.corrections == 0);
    check_sum(t, "1.502033000001", 4);
    assert_int_equal(put(t, 20100, day_one, 4, "1.502033000001", 20101, &s), ERR_OK);
    assert_false(s.changed);
    check_sum(t, "1.502033000001", 4);
    struct bill_cost again[] = {day_one[3], day_one[1], day_one[0], day_one[2]};
    assert_int_equal(put(t, 20100, again, 4, NULL, 20101, &s), ERR_OK);
    assert_false(s.changed); /* another order is no change */
    again[1].amount = STR("1.25");
    assert_int_equal(put(t, 20100, again, 3, NULL, 20101, &s), ERR_OK);
    assert_true(s.changed);
    check_sum(t, "1.252033", 3); /* key_2's row has gone */
    assert_int_equal(put(t, 20100, NULL, 0, NULL, 20101, &s), ERR_OK);
    check_sum(t, "0", 0);
}

static void rows_of_one_place_are_added_up(void **state)
{
    struct place *t = *state;
    struct bill_stored s;
    const struct bill_cost twice[] = {day_one[0], day_one[1], day_one[1]};
    assert_int_equal(put(t, 20100, twice, 3, NULL, 20100, &s), ERR_OK);
    assert_int_equal(s.rows, 2);
    check_sum(t, "3.000033", 2);
}

static void a_gap_to_the_total_is_a_row_of_its_own(void **state)
{
    struct place *t = *state;
    struct bill_stored s;
    assert_int_equal(put(t, 20100, day_one, 2, "2.0", 20100, &s), ERR_OK);
    assert_true(s.inconsistent);
    check_sum(t, "2.0", 3);
    assert_int_equal(put(t, 20100, day_one, 2, "1.5000330001", 20100, &s), ERR_OK);
    assert_false(s.inconsistent); /* rounding */
    check_sum(t, "1.500033", 2);
    assert_int_equal(put(t, 20100, NULL, 0, "-3", 20100, &s), ERR_OK);
    assert_true(s.inconsistent);
    check_sum(t, "-3", 1);
}

static void bad_numbers_leave_the_day_as_it_was(void **state)
{
    static const char *const bad[] = {"", "abc", "1e30", "\"1\"", "null"};
    struct place *t = *state;
    struct bill_stored s;
    struct bill_cost costs[] = {day_one[0], day_one[1]};
    assert_int_equal(put(t, 20100, day_one, 2, NULL, 20100, &s), ERR_OK);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        costs[1].amount = str_c(bad[i]);
        assert_int_equal(put(t, 20100, costs, 2, NULL, 20100, &s), ERR_BAD_PARAMETER);
        assert_true(strlen(bill_reason(t->bill)) > 10);
    }
    costs[1] = day_one[1];
    costs[1].quantity = STR("many");
    assert_int_equal(put(t, 20100, costs, 2, NULL, 20100, &s), ERR_BAD_PARAMETER);
    check_sum(t, "1.500033", 2);
}

static int64_t count(struct place *t, const char *sql)
{
    struct store_stmt *st;
    bool row;
    assert_int_equal(store_prepare(bill_db(t->bill), sql, &st), ERR_OK);
    assert_int_equal(store_step(st, &row), ERR_OK);
    assert_true(row);
    int64_t n = store_i64(st, 0);
    store_clear(st);
    return n;
}

static void changes_of_a_closed_month_are_noted(void **state)
{
    struct place *t = *state;
    struct bill_stored s;
    int64_t day = bill_day_of(clock_wall_of((struct clock_utc){.year = 2026, .month = 2, .day = 27}));
    int64_t open = day + 3, closed = day + 8; /* 2 March, 7 March */
    struct bill_cost costs[] = {day_one[0], day_one[1]};
    assert_int_equal(put(t, day, costs, 2, NULL, day, &s), ERR_OK);
    costs[1].amount = STR("1.75");
    assert_int_equal(put(t, day, costs, 2, NULL, open, &s), ERR_OK);
    assert_int_equal(s.corrections, 0);
    costs[1].amount = STR("1.25");
    assert_int_equal(put(t, day, costs, 1, NULL, closed, &s), ERR_OK);
    assert_int_equal(s.corrections, 1);
    assert_int_equal(count(t, "SELECT SUM(micro)*1000000+SUM(pico) FROM corrections"), -1750000000000);
    assert_int_equal(put(t, day + 1, costs, 2, NULL, closed, &s), ERR_OK);
    assert_int_equal(s.corrections, 0); /* read for the first time */
}

static void amounts_with_more_digits_keep_their_text(void **state)
{
    struct place *t = *state;
    struct bill_stored s;
    const struct bill_cost c[] = {COST("", "", "a, input", "0.00015000000000000001", "0.3333333333333")};
    assert_int_equal(put(t, 20100, c, 1, NULL, 20100, &s), ERR_OK);
    assert_int_equal(count(t, "SELECT COUNT(*) FROM bill_rows WHERE amount_text='0.00015000000000000001'"
                              " AND quantity_text='0.3333333333333' AND nano=333333333"),
                     1);
    check_sum(t, "0.00015", 1);
}

static void renamed_objects_keep_their_id(void **state)
{
    struct place *t = *state;
    struct bill_stored s;
    struct bill_name_put n[] = {
        {.kind = BILL_PROJECT, .ext = STR("proj_a"), .name = STR("Alpha"), .project = STR(""), .hint = STR("")},
        {.kind = BILL_KEY, .ext = STR("key_1"), .name = STR("ci"), .project = STR("proj_a"), .hint = STR("sk-…1")}};
    assert_int_equal(put(t, 20100, day_one, 4, NULL, 20100, &s), ERR_OK);
    int64_t id = count(t, "SELECT id FROM names WHERE ext='proj_a'");
    assert_int_equal(bill_names_put(t->bill, ACCOUNT, n, 2), ERR_OK);
    n[0].name = STR("Beta");
    assert_int_equal(bill_names_put(t->bill, ACCOUNT, n, 2), ERR_OK);
    assert_int_equal(count(t, "SELECT id FROM names WHERE ext='proj_a' AND name='Beta'"), id);
    assert_int_equal(count(t, "SELECT project FROM names WHERE ext='key_1' AND name='ci'"), id);
}

struct seen {
    unsigned rows;
    money_sum sum;
    char last[64];
};

static bool see(void *ctx, const struct bill_row *r)
{
    struct seen *s = ctx;
    s->rows++;
    s->sum += r->pusd;
    str_copy(s->last, sizeof s->last, r->line_item);
    return true;
}

static void filters_choose_rows(void **state)
{
    struct place *t = *state;
    struct bill_stored s;
    struct bill_reader *r;
    assert_int_equal(put(t, 20100, day_one, 4, NULL, 20100, &s), ERR_OK);
    assert_int_equal(put(t, 20101, day_one, 4, NULL, 20101, &s), ERR_OK);
    assert_int_equal(bill_reader_open(t->dir, &r), ERR_OK);
    const struct {
        struct bill_filter f;
        unsigned rows;
    } cases[] = {{{0}, 8},
                 {{.workspace = 1}, 8},
                 {{.workspace = 2}, 0},
                 {{.account = ACCOUNT, .from_day = 20101}, 4},
                 {{.from_day = 20100, .until_day = 20101}, 4},
                 {{.project = STR("proj_a")}, 6},
                 {{.project = STR("")}, 2},
                 {{.key = STR("key_2")}, 2},
                 {{.service = STR("Tools")}, 2},
                 {{.category = STR("gpt-4o"), .subcategory = STR("output")}, 4},
                 {{.line_item = STR("gpt-4o, input'; DROP TABLE bill_rows")}, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct seen seen = {0};
        uint64_t n;
        money_sum sum;
        assert_int_equal(bill_rows_each(bill_reader_db(r), &cases[i].f, see, &seen), ERR_OK);
        assert_int_equal(bill_rows_sum(bill_reader_db(r), &cases[i].f, &sum, &n), ERR_OK);
        assert_int_equal(seen.rows, cases[i].rows);
        assert_int_equal(n, cases[i].rows);
        assert_true(sum == seen.sum);
    }
    bill_reader_close(r);
}

/* --- rollups --------------------------------------------------------------------------------- */

static size_t random_day(struct bill_cost *costs, char (*texts)[48])
{
    static const char *const lines[] = {"gpt-4o, input", "gpt-4o, output", "whisper-1, audio", "Vector storage",
                                        "batch | gpt-5, input"};
    static const char *const projects[] = {"", "proj_a", "proj_b"}, *const keys[] = {"", "key_1", "key_2", "key_3"};
    size_t n = rng_u64() % 40;
    for (size_t i = 0; i < n; i++) {
        snprintf(texts[i], 48, "%s%u.%012u", rng_u64() % 10 ? "" : "-", (unsigned)(rng_u64() % 1000),
                 (unsigned)(rng_u64() % 4000000000));
        costs[i] = (struct bill_cost){.project = str_c(projects[rng_u64() % 3]),
                                      .key = str_c(keys[rng_u64() % 4]),
                                      .line_item = str_c(lines[rng_u64() % 5]),
                                      .unit = rng_u64() % 2 ? STR("tokens") : STR(""),
                                      .charge = rng_u64() % 8 ? BILL_CHARGE_USAGE : BILL_CHARGE_CREDIT,
                                      .amount = str_c(texts[i]),
                                      .quantity = str_c(texts[i])};
    }
    return n;
}

static void rollups_equal_rows_after_any_history(void **state)
{
    struct place *t = *state;
    struct bill_cost costs[40];
    char texts[40][48], why[256];
    struct bill_stored s;
    struct bill_reader *r;
    money_sum sums[60] = {0}, total = 0, got;
    uint64_t n;
    bool ok = false;
    struct bill_filter all = {0};
    for (int i = 0; i < 400; i++) {
        int64_t at = (int64_t)(rng_u64() % 60);
        size_t rows = random_day(costs, texts);
        assert_int_equal(put(t, 20100 + at, costs, rows, NULL, 20300, &s), ERR_OK);
        sums[at] = 0;
        for (size_t k = 0; k < rows; k++) {
            money_sum v;
            bool exact;
            assert_true(bill_decimal_read(costs[k].amount, 12, &v, &exact));
            sums[at] += v;
        }
    }
    for (int i = 0; i < 60; i++)
        total += sums[i];
    assert_int_equal(bill_reader_open(t->dir, &r), ERR_OK);
    assert_int_equal(bill_rows_sum(bill_reader_db(r), &all, &got, &n), ERR_OK);
    assert_true(got == total);
    assert_int_equal(bill_verify(bill_reader_db(r), &ok, why, sizeof why), ERR_OK);
    if (!ok)
        fail_msg("%s", why);
    assert_int_equal(count(t, "SELECT COUNT(*) FROM day_item WHERE rows=0"), 0);
    int64_t before = count(t, "SELECT SUM(micro)*1000000+SUM(pico)+SUM(rows)+SUM(nano) FROM month_key");
    assert_int_equal(store_exec(bill_db(t->bill), "CREATE TEMP TABLE was AS SELECT * FROM month_pack"), ERR_OK);
    assert_int_equal(bill_rebuild(t->bill), ERR_OK);
    assert_int_equal(count(t, "SELECT SUM(micro)*1000000+SUM(pico)+SUM(rows)+SUM(nano) FROM month_key"), before);
    assert_int_equal(count(t, "SELECT COUNT(*) FROM month_pack JOIN temp.was USING(account, month, sums)"),
                     count(t, "SELECT COUNT(*) FROM temp.was"));
    assert_int_equal(count(t, "SELECT COUNT(*) FROM month_pack"), count(t, "SELECT COUNT(*) FROM temp.was"));
    assert_int_equal(bill_verify(bill_reader_db(r), &ok, why, sizeof why), ERR_OK);
    assert_true(ok);
    bill_reader_close(r);
}

static void a_wrong_rollup_is_found(void **state)
{
    static const char *const damage[] = {"UPDATE month_sku SET pico=pico+1",
                                         "DELETE FROM day_item",
                                         "UPDATE month_key SET rows=rows+1",
                                         "UPDATE places SET key=key+100",
                                         "UPDATE days SET micro=micro+1",
                                         "UPDATE bill_rows SET nano=nano+1",
                                         "UPDATE day_service SET service=99",
                                         "DELETE FROM month_pack",
                                         "UPDATE month_pack SET sums=CAST(sums||x'0101020202' AS BLOB)",
                                         "UPDATE month_pack SET sums=CAST(sums||x'010102020202' AS BLOB)"};
    struct place *t = *state;
    struct bill_stored s;
    char why[256];
    bool ok;
    for (size_t i = 0; i < sizeof damage / sizeof damage[0]; i++) {
        assert_int_equal(put(t, 20100, day_one, 4, NULL, 20100, &s), ERR_OK);
        assert_int_equal(bill_verify(bill_db(t->bill), &ok, why, sizeof why), ERR_OK);
        assert_true(ok);
        assert_int_equal(store_exec(bill_db(t->bill), damage[i]), ERR_OK);
        assert_int_equal(bill_verify(bill_db(t->bill), &ok, why, sizeof why), ERR_OK);
        if (ok)
            fail_msg("not found: %s", damage[i]);
        assert_int_equal(bill_account_remove(t->bill, ACCOUNT), ERR_OK);
        assert_int_equal(bill_account_put(t->bill, ACCOUNT, 1, STR("admin"), 20000, 1), ERR_OK);
    }
}

/* As after an update that changes rollups: they are made when the file is opened for writing, and not read before. */
static void a_bill_without_its_sums_is_not_read_as_nothing(void **state)
{
    struct place *t = *state;
    struct bill_stored s;
    struct bill_reader *r;
    char why[256];
    bool ok = false;
    assert_int_equal(put(t, 20100, day_one, 4, NULL, 20100, &s), ERR_OK);
    assert_int_equal(store_exec(bill_db(t->bill), "DELETE FROM month_pack; DELETE FROM places; DELETE FROM day_item;"
                                                  " DELETE FROM settings WHERE name='services'"),
                     ERR_OK);
    assert_int_equal(bill_reader_open(t->dir, &r), ERR_OVERLOADED);
    assert_non_null(strstr(bill_open_reason(), "made anew"));
    bill_close(t->bill);
    open_bill(t);
    assert_int_equal(bill_reader_open(t->dir, &r), ERR_OK);
    assert_int_equal(bill_verify(bill_reader_db(r), &ok, why, sizeof why), ERR_OK);
    assert_true(ok);
    bill_reader_close(r);
}

static void services_follow_the_administrators_file(void **state)
{
    struct place *t = *state;
    struct bill_stored s;
    char path[128];
    assert_int_equal(put(t, 20100, day_one, 4, NULL, 20100, &s), ERR_OK);
    bill_close(t->bill);
    snprintf(path, sizeof path, "%s/%s", t->dir, BILL_SERVICES_FILE);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs("gpt-4o*,Our Chat\n", f);
    fclose(f);
    open_bill(t);
    assert_int_equal(
        count(t, "SELECT COUNT(*) FROM day_service WHERE service=(SELECT id FROM terms WHERE text='Our Chat')"), 1);
    check_sum(t, "1.502033000001", 4);
    bill_close(t->bill);
    assert_int_equal(unlink(path), 0);
    open_bill(t);
    assert_int_equal(
        count(t, "SELECT COUNT(*) FROM day_service WHERE service=(SELECT id FROM terms WHERE text='Our Chat')"), 0);
    check_sum(t, "1.502033000001", 4);
}

static void the_smallest_table_is_named(void **state)
{
    (void)state;
    assert_string_equal(bill_rollup(0)->table, "month_sku");
    assert_string_equal(bill_rollup(BILL_BY_SERVICE | BILL_BY_SUBCATEGORY)->table, "month_sku");
    assert_string_equal(bill_rollup(BILL_BY_SERVICE | BILL_BY_PROJECT)->table, "month_service");
    assert_true(bill_rollup(BILL_BY_CATEGORY | BILL_BY_PROJECT)->packed);
    assert_string_equal(bill_rollup(BILL_BY_KEY)->table, "month_key");
    assert_true(bill_rollup(BILL_BY_KEY | BILL_BY_SERVICE)->packed);
    assert_true(bill_rollup(BILL_BY_ITEM)->packed);
    assert_string_equal(bill_rollup(BILL_BY_DAY)->table, "day_service");
    assert_string_equal(bill_rollup(BILL_BY_DAY | BILL_BY_CATEGORY)->table, "day_item");
    assert_string_equal(bill_rollup(BILL_BY_DAY | BILL_BY_KEY)->table, "bill_rows");
}

static void months_and_days_agree(void **state)
{
    (void)state;
    for (int64_t month = -30; month < 1200; month++) {
        int64_t first = bill_month_day(month), next = bill_month_day(month + 1);
        assert_int_equal(bill_month_of(first), month);
        assert_int_equal(bill_month_of(next - 1), month);
        assert_true(next - first >= 28 && next - first <= 31);
    }
    assert_int_equal(bill_day_of(-1), -1);
}

/* --- usage ----------------------------------------------------------------------------------- */

static void usage_buckets_are_replaced(void **state)
{
    struct place *t = *state;
    struct bill_used rows[2] = {{.project = STR("proj_a"), .model = STR("gpt-4o"), .batch = 0},
                                {.project = STR("proj_a"), .model = STR("gpt-4o"), .batch = 0}};
    struct bill_bucket k = {
        .account = ACCOUNT, .kind = BILL_USAGE_COMPLETIONS, .start = 480000, .rows = rows, .count = 2};
    bool changed;
    rows[0].figure[BILL_FIGURE_INPUT] = 100;
    rows[1].figure[BILL_FIGURE_INPUT] = 20;
    rows[1].figure[BILL_FIGURE_REQUESTS] = 3;
    assert_int_equal(bill_usage_put(t->bill, &k, &changed), ERR_OK);
    assert_true(changed);
    assert_int_equal(count(t, "SELECT SUM(input_tok)*1000+SUM(requests)*10+COUNT(*) FROM usage_rows"), 120031);
    assert_int_equal(bill_usage_put(t->bill, &k, &changed), ERR_OK);
    assert_false(changed);
    k.count = 1;
    assert_int_equal(bill_usage_put(t->bill, &k, &changed), ERR_OK);
    assert_true(changed);
    assert_int_equal(count(t, "SELECT SUM(input_tok) FROM usage_rows"), 100);
    k.count = 0;
    assert_int_equal(bill_usage_put(t->bill, &k, &changed), ERR_OK);
    assert_int_equal(count(t, "SELECT COUNT(*) FROM usage_rows"), 0);
}

/* --- death ----------------------------------------------------------------------------------- */

static const struct bill_cost day_two[] = {
    COST("proj_a", "key_1", "gpt-4o, input", "5", "1"),
    COST("proj_b", "key_9", "o3, output", "6", "2"),
};

static int replace_once(const char *dir, struct file_faults *f)
{
    struct bill *b;
    char why[256];
    struct bill_stored s;
    struct bill_day d = {.account = ACCOUNT, .day = 20100, .costs = day_two, .count = 2, .now_us = bill_day_us(20100)};
    file_set_faults(f);
    if (bill_open(dir, &b, why, sizeof why) != ERR_OK)
        return 1;
    enum err e = bill_day_put(b, &d, &s);
    file_set_faults(NULL);
    bill_close(b);
    return e != ERR_OK;
}

static void killed_at_any_file_call_a_day_is_whole(void **state)
{
    struct place *t = *state;
    struct bill_stored s;
    struct file_faults *f = mmap(NULL, sizeof *f, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    unsigned old = 0, fresh = 0;
    int status = -1;
    assert_true(f != MAP_FAILED);
    for (uint64_t at = 1; at < CALLS_MAX && status != 0; at++) {
        assert_int_equal(put(t, 20100, day_one, 4, NULL, 20100, &s), ERR_OK);
        bill_close(t->bill);
        *f = (struct file_faults){.calls = FILE_CALLS_ALL, .kind = FILE_FAULT_KILL, .at = at};
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            store_use_file_calls();
            _exit(replace_once(t->dir, f));
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(status == 0 || (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL));
        open_bill(t);
        bool is_new = count(t, "SELECT SUM(micro) FROM bill_rows") == 11000000;
        check_sum(t, is_new ? "11" : "1.502033000001", is_new ? 2 : 4);
        old += !is_new;
        fresh += is_new;
    }
    munmap(f, sizeof *f);
    assert_int_equal(status, 0);
    assert_true(old > 3 && fresh > 0);
}

static struct bill_used used_rows[2] = {{.project = {"proj_a", 6}, .model = {"gpt-4o", 6}, .batch = -1},
                                        {.project = {"proj_b", 6}, .model = {"o3", 2}, .batch = -1}};

static int change_usage_and_remove(const char *dir, struct file_faults *f)
{
    struct bill *b;
    char why[256];
    bool changed;
    struct bill_bucket k = {
        .account = ACCOUNT, .kind = BILL_USAGE_COMPLETIONS, .start = 480000, .rows = used_rows, .count = 2};
    file_set_faults(f);
    if (bill_open(dir, &b, why, sizeof why) != ERR_OK)
        return 1;
    enum err e = bill_usage_put(b, &k, &changed);
    if (e == ERR_OK)
        e = bill_account_remove(b, ACCOUNT);
    file_set_faults(NULL);
    bill_close(b);
    return e != ERR_OK;
}

/* Three states there may be: as before, with the new usage, without the account. */
static void killed_at_any_file_call_usage_and_removal_are_whole(void **state)
{
    struct place *t = *state;
    struct bill_stored s;
    struct file_faults *f = mmap(NULL, sizeof *f, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct bill_bucket old = {
        .account = ACCOUNT, .kind = BILL_USAGE_COMPLETIONS, .start = 480000, .rows = used_rows, .count = 1};
    unsigned seen[3] = {0};
    bool changed;
    int status = -1;
    assert_true(f != MAP_FAILED);
    used_rows[0].figure[BILL_FIGURE_INPUT] = 100;
    used_rows[1].figure[BILL_FIGURE_INPUT] = 20;
    for (uint64_t at = 1; at < CALLS_MAX && status != 0; at++) {
        assert_int_equal(bill_account_put(t->bill, ACCOUNT, 1, STR("admin"), 20000, 1), ERR_OK);
        assert_int_equal(put(t, 20100, day_one, 4, NULL, 20100, &s), ERR_OK);
        assert_int_equal(bill_usage_put(t->bill, &old, &changed), ERR_OK);
        bill_close(t->bill);
        *f = (struct file_faults){.calls = FILE_CALLS_ALL, .kind = FILE_FAULT_KILL, .at = at};
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            store_use_file_calls();
            _exit(change_usage_and_remove(t->dir, f));
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(status == 0 || (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL));
        open_bill(t);
        int64_t accounts = count(t, "SELECT COUNT(*) FROM accounts");
        int64_t tokens = count(t, "SELECT IFNULL(SUM(input_tok), 0) FROM usage_rows");
        assert_true(accounts == 1 ? tokens == 100 || tokens == 120 : tokens == 0);
        check_sum(t, accounts ? "1.502033000001" : "0", accounts ? 4 : 0);
        assert_int_equal(count(t, "SELECT COUNT(*) FROM days") + count(t, "SELECT COUNT(*) FROM usage_buckets"),
                         accounts ? 2 : 0);
        seen[!accounts ? 2 : tokens == 120]++;
    }
    munmap(f, sizeof *f);
    assert_int_equal(status, 0);
    assert_true(seen[0] && seen[1] && seen[2]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decimals_are_read_to_the_last_digit),
        cmocka_unit_test(what_is_no_decimal_is_refused),
        cmocka_unit_test(random_decimals_come_back_as_they_were_written),
        cmocka_unit_test(line_items_are_read_by_the_rule),
        cmocka_unit_test(own_services_come_first_and_bad_files_are_named),
        cmocka_unit_test_setup_teardown(a_day_is_replaced_not_added, setup, teardown),
        cmocka_unit_test_setup_teardown(rows_of_one_place_are_added_up, setup, teardown),
        cmocka_unit_test_setup_teardown(a_gap_to_the_total_is_a_row_of_its_own, setup, teardown),
        cmocka_unit_test_setup_teardown(bad_numbers_leave_the_day_as_it_was, setup, teardown),
        cmocka_unit_test_setup_teardown(changes_of_a_closed_month_are_noted, setup, teardown),
        cmocka_unit_test_setup_teardown(amounts_with_more_digits_keep_their_text, setup, teardown),
        cmocka_unit_test_setup_teardown(renamed_objects_keep_their_id, setup, teardown),
        cmocka_unit_test_setup_teardown(filters_choose_rows, setup, teardown),
        cmocka_unit_test_setup_teardown(rollups_equal_rows_after_any_history, setup, teardown),
        cmocka_unit_test_setup_teardown(a_wrong_rollup_is_found, setup, teardown),
        cmocka_unit_test_setup_teardown(a_bill_without_its_sums_is_not_read_as_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(services_follow_the_administrators_file, setup, teardown),
        cmocka_unit_test(the_smallest_table_is_named),
        cmocka_unit_test(months_and_days_agree),
        cmocka_unit_test_setup_teardown(usage_buckets_are_replaced, setup, teardown),
        cmocka_unit_test_setup_teardown(killed_at_any_file_call_a_day_is_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(killed_at_any_file_call_usage_and_removal_are_whole, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

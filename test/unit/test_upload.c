/* SPDX-License-Identifier: Apache-2.0 */
/* Files of costs: comma-separated values, rows, tags, and how files make up days. */
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

#include "base/file.h"
#include "report/bill/bill_line.h"
#include "report/bill/bill_upload.h"
#include "report/upload/csv.h"
#include "report/upload/upload_read.h"

#define USD MONEY_PUSD_PER_USD
#define CALLS_MAX 5000
#define HEAD "ChargePeriodStart,ChargeCategory,BilledCost,ServiceName,Tags\n"

/* --- comma-separated values ------------------------------------------------------------------ */

/* Fields with '|' between them, records with '/'; the last sign tells how it ended. */
static const char *all(const char *text)
{
    static char out[1000];
    static struct csv_record r;
    struct arena *a = arena_new(1024, 65536);
    struct csv c;
    enum csv_read got;
    size_t n = 0;
    csv_init(&c, str_c(text));
    while ((got = csv_next(&c, a, &r)) == CSV_RECORD) {
        for (size_t i = 0; i < r.count; i++)
            n += (size_t)snprintf(out + n, sizeof out - n, "%s%.*s", i ? "|" : "", STR_ARG(r.fields[i]));
        n += (size_t)snprintf(out + n, sizeof out - n, "/%zu ", r.line);
    }
    snprintf(out + n, sizeof out - n, "%s", got == CSV_END ? "." : "!");
    arena_free(a);
    return out;
}

static void values_are_read_as_the_standard_has_them(void **state)
{
    (void)state;
    assert_string_equal(all(""), ".");
    assert_string_equal(all("a,b\nc,d"), "a|b/1 c|d/2 .");
    assert_string_equal(all("\xEF\xBB\xBF"
                            "a\r\n\r\n b ,\r\n"),
                        "a/1  b |/3 .");
    assert_string_equal(all("\"a,\"\"b\"\"\nc\",d\ne"), "a,\"b\"\nc|d/1 e/3 .");
    assert_string_equal(all("\"\",\"\"\"\"\n"), "|\"/1 .");
    assert_string_equal(all("a\rb,c\n"), "a\rb|c/1 .");
    assert_string_equal(all("a\n\"b"), "a/1 !");
    assert_string_equal(all("a\n\"b\"c"), "a/1 !");
    assert_string_equal(all("a\nb\"c"), "a/1 !");
}

static void there_are_not_more_fields_than_fit(void **state)
{
    (void)state;
    char text[CSV_FIELDS_MAX + 2];
    memset(text, ',', sizeof text);
    text[CSV_FIELDS_MAX - 1] = '\0';
    assert_non_null(strstr(all(text), "/1 ."));
    text[CSV_FIELDS_MAX - 1] = ',';
    text[CSV_FIELDS_MAX] = '\0';
    assert_string_equal(all(text), "!");
}

/* --- rows ------------------------------------------------------------------------------------ */

struct read {
    struct arena *arena;
    struct bill_upload_row *rows;
    struct upload_faults faults;
    size_t count;
};

static bool read_file(struct read *r, const char *text)
{
    r->arena = arena_new(65536, 64u << 20);
    return upload_read(str_c(text), r->arena, &r->rows, &r->count, &r->faults);
}

static void amounts_may_have_a_dollar_sign(void **state)
{
    (void)state;
    static const struct {
        const char *given, *amount;
    } cases[] = {{"1.23", "1.23"}, {"$1.23", "1.23"}, {"-$1.23", "-1.23"}, {"$-1.23", "-1.23"}, {"1e-9", "1e-9"},
                 {"$", NULL},      {"1$", NULL},      {"$$1", NULL},       {"1,2", NULL},       {"", NULL},
                 {"--1", NULL},    {"nan", NULL},     {"0x1", NULL},       {"1e30", NULL},      {"2000000000", NULL}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[300];
        struct read r;
        snprintf(text, sizeof text, HEAD "2026-03-01,Usage,\"%s\",x,\n", cases[i].given);
        bool ok = read_file(&r, text);
        assert_int_equal(ok, cases[i].amount != NULL);
        if (ok)
            assert_true(str_eq(r.rows[0].cost.amount, str_c(cases[i].amount)));
        arena_free(r.arena);
    }
}

static void tags_have_one_form(void **state)
{
    (void)state;
    static const struct {
        const char *given, *form;
    } cases[] = {{"{}", ""},
                 {"{\"b\":1,\"a\":true}", "{\"a\":\"true\",\"b\":\"1\"}"},
                 {"{ \"a\" : \"x y\" , \"n\" : null }", "{\"a\":\"x y\"}"},
                 {"{\"a\":\"50%\"}", "{\"a\":\"50\\u0025\"}"},
                 {"{\"a\":[1]}", NULL},
                 {"{\"a\":\"1\",\"a\":\"2\"}", NULL},
                 {"{\"\":\"1\"}", NULL},
                 {"{\"a\":\"\xff\"}", NULL},
                 {"[]", NULL},
                 {"tag", NULL}};
    struct arena *a = arena_new(4096, 1u << 20);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct str form;
        bool ok = upload_tags(str_c(cases[i].given), a, &form);
        assert_int_equal(ok, cases[i].form != NULL);
        if (ok)
            assert_true(str_eq(form, str_c(cases[i].form)));
    }
    arena_free(a);
}

static void every_wrong_row_gets_a_sentence(void **state)
{
    (void)state;
    struct read r;
    assert_false(read_file(&r, HEAD "2026-03-01,Usage,1,x,\n2026-13-01,Usage,1,x,\n2026-03-01,usage,1,x,{\n"));
    assert_int_equal(r.faults.total, 3);
    assert_true(str_starts(r.faults.text[0], STR("Row 3: ChargePeriodStart")));
    assert_true(str_starts(r.faults.text[1], STR("Row 4: ChargeCategory")));
    assert_true(str_starts(r.faults.text[2], STR("Row 4: Tags must be a valid JSON object")));
    arena_free(r.arena);
    assert_false(read_file(&r, "BilledCost\n1\n"));
    assert_int_equal(r.faults.total, 3);
    arena_free(r.arena);
}

static void a_line_item_says_it_all(void **state)
{
    (void)state;
    struct bill_line l;
    struct str item = STR("Svc, x\tCat | y\t\teu-1\t{\"a\":\"b\"}");
    bill_line_read(item, NULL, &l);
    assert_string_equal(l.service, "Svc, x");
    assert_string_equal(l.category, "Cat | y");
    assert_string_equal(l.subcategory, "");
    assert_string_equal(l.model, "");
    assert_true(str_eq(bill_line_part(item, BILL_LINE_REGION), STR("eu-1")));
    assert_true(str_eq(bill_line_part(item, BILL_LINE_TAGS), STR("{\"a\":\"b\"}")));
    assert_true(str_eq(bill_line_part(STR("gpt-4o, input"), BILL_LINE_SERVICE), STR("")));
}

/* --- files and days -------------------------------------------------------------------------- */

struct place {
    char dir[64];
    struct bill *bill;
    int64_t account;
};

static void open_bill(struct place *t)
{
    char why[256];
    if (bill_open(t->dir, &t->bill, why, sizeof why) != ERR_OK)
        fail_msg("%s", why);
}

static int setup(void **state)
{
    struct place *t = calloc(1, sizeof *t);
    snprintf(t->dir, sizeof t->dir, "/tmp/test_upload.XXXXXX");
    assert_non_null(mkdtemp(t->dir));
    open_bill(t);
    assert_int_equal(bill_files_create(t->bill, 1, STR("Acme"), STR(""), 1, &t->account), ERR_OK);
    assert_true(t->account >= BILL_FILES_FIRST);
    *state = t;
    return 0;
}

static int teardown(void **state)
{
    struct place *t = *state;
    char command[128];
    bill_close(t->bill);
    snprintf(command, sizeof command, "rm -rf '%s'", t->dir);
    assert_int_equal(system(command), 0);
    free(t);
    return 0;
}

static enum err put(struct place *t, const char *name, const char *rows, int64_t *ret_id)
{
    struct read r;
    char text[2000];
    snprintf(text, sizeof text, HEAD "%s", rows);
    assert_true(read_file(&r, text));
    struct bill_upload u = {.account = t->account, .name = str_c(name)};
    enum err e = bill_upload_put(t->bill, &u, r.rows, r.count, 5);
    arena_free(r.arena);
    if (ret_id)
        *ret_id = u.id;
    return e;
}

static void assert_sum(struct place *t, money_sum pusd)
{
    char why[256] = "";
    const struct bill_filter f = {.account = t->account};
    money_sum sum;
    uint64_t rows;
    bool ok = false;
    assert_int_equal(bill_rows_sum(bill_db(t->bill), &f, &sum, &rows), ERR_OK);
    assert_true(sum == pusd);
    assert_int_equal(bill_verify(bill_db(t->bill), &ok, why, sizeof why), ERR_OK);
    if (!ok)
        fail_msg("%s", why);
}

static void days_are_those_of_all_files(void **state)
{
    struct place *t = *state;
    int64_t first, second;
    assert_int_equal(put(t, "a", "2026-03-01,Usage,1,x,\n2026-03-02,Usage,2,x,\n2026-03-01,Usage,0.5,x,\n", &first),
                     ERR_OK);
    assert_sum(t, 7 * USD / 2);
    assert_int_equal(put(t, "b", "2026-03-02,Credit,-10,y,\n", &second), ERR_OK);
    assert_sum(t, -13 * USD / 2);
    assert_int_equal(put(t, "a", "2026-03-05,Usage,4,x,\n", &first), ERR_OK);
    assert_sum(t, -6 * USD);
    assert_int_equal(bill_upload_remove(t->bill, t->account, second, 6), ERR_OK);
    assert_sum(t, 4 * USD);
    assert_int_equal(bill_upload_remove(t->bill, t->account, second, 6), ERR_NOT_FOUND);
    assert_int_equal(bill_upload_remove(t->bill, t->account + 1, first, 6), ERR_NOT_FOUND);
    assert_int_equal(bill_account_remove(t->bill, t->account), ERR_OK);
    assert_sum(t, 0);
    assert_int_equal(put(t, "a", "2026-03-05,Usage,4,x,\n", &first), ERR_NOT_FOUND);
}

static void a_provider_that_is_gone_leaves_its_number_alone(void **state)
{
    struct place *t = *state;
    int64_t again;
    assert_int_equal(bill_account_remove(t->bill, t->account), ERR_OK);
    assert_int_equal(bill_files_create(t->bill, 2, STR("Other"), STR(""), 5000, &again), ERR_OK);
    assert_int_not_equal(again, t->account);
}

static void files_are_listed(void **state)
{
    struct place *t = *state;
    struct arena *a = arena_new(1024, 65536);
    struct bill_upload *list;
    size_t count;
    assert_int_equal(put(t, "a", "2026-03-01,Usage,1,x,\n2026-03-04,Usage,2,x,\n", NULL), ERR_OK);
    assert_int_equal(put(t, "b", "2026-03-01,Usage,1,x,\n", NULL), ERR_OK);
    assert_int_equal(bill_uploads(bill_db(t->bill), t->account, a, &list, &count), ERR_OK);
    assert_int_equal(count, 2);
    assert_true(str_eq(list[0].name, STR("b")) && str_eq(list[1].name, STR("a")));
    assert_int_equal(list[1].rows, 2);
    assert_int_equal(list[1].until_day - list[1].from_day, 4);
    assert_true(list[1].pusd == 3 * USD);
    arena_free(a);
}

/* What the account comes to. */
static money_sum sum_of(struct place *t)
{
    const struct bill_filter f = {.account = t->account};
    money_sum sum = 0;
    uint64_t rows;
    assert_int_equal(bill_rows_sum(bill_db(t->bill), &f, &sum, &rows), ERR_OK);
    return sum;
}

/* A child that replaces the file, or removes it, and may die over it. */
static int change(struct place *t, bool removes, int64_t id, struct file_faults *f)
{
    struct bill_upload u = {.account = t->account, .name = STR("a")};
    struct read r;
    if (!read_file(&r, HEAD "2026-03-02,Usage,8,x,\n2026-03-03,Usage,32,y,\"{\"\"a\"\":1}\"\n"))
        return 2;
    store_use_file_calls();
    file_set_faults(f);
    open_bill(t);
    enum err e =
        removes ? bill_upload_remove(t->bill, t->account, id, 7) : bill_upload_put(t->bill, &u, r.rows, r.count, 7);
    file_set_faults(NULL);
    bill_close(t->bill);
    return e != ERR_OK;
}

static void killed_at_any_file_call_a_file_is_whole_or_not_there(void **state)
{
    struct place *t = *state;
    struct file_faults *f = mmap(NULL, sizeof *f, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(f != MAP_FAILED);
    for (int removes = 0; removes < 2; removes++) {
        unsigned old = 0, fresh = 0;
        int status = -1;
        for (uint64_t at = 1; at < CALLS_MAX && status != 0; at++) {
            int64_t id;
            assert_int_equal(put(t, "a", "2026-03-01,Usage,1,x,\n2026-03-02,Usage,2,x,\n", &id), ERR_OK);
            bill_close(t->bill);
            *f = (struct file_faults){.calls = FILE_CALLS_ALL, .kind = FILE_FAULT_KILL, .at = at};
            pid_t pid = fork();
            assert_true(pid >= 0);
            if (pid == 0)
                _exit(change(t, removes, id, f));
            assert_int_equal(waitpid(pid, &status, 0), pid);
            assert_true(status == 0 || (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL));
            open_bill(t);
            money_sum sum = sum_of(t), after = removes ? 0 : 40 * USD;
            assert_true(sum == 3 * USD || sum == after);
            assert_sum(t, sum);
            old += sum == 3 * USD;
            fresh += sum == after;
        }
        assert_int_equal(status, 0);
        assert_true(old > 3 && fresh > 0);
    }
    munmap(f, sizeof *f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_read_as_the_standard_has_them),
        cmocka_unit_test(there_are_not_more_fields_than_fit),
        cmocka_unit_test(amounts_may_have_a_dollar_sign),
        cmocka_unit_test(tags_have_one_form),
        cmocka_unit_test(every_wrong_row_gets_a_sentence),
        cmocka_unit_test(a_line_item_says_it_all),
        cmocka_unit_test_setup_teardown(days_are_those_of_all_files, setup, teardown),
        cmocka_unit_test_setup_teardown(files_are_listed, setup, teardown),
        cmocka_unit_test_setup_teardown(a_provider_that_is_gone_leaves_its_number_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(killed_at_any_file_call_a_file_is_whole_or_not_there, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

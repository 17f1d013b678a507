/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The golden table of costs, test/golden/usage_costs.csv: each row is a usage, what it costs, and the
 * calculation of that figure as one can do it by hand. Two things must hold for every row: the
 * calculation, done exactly, gives the figure; and cost_of gives it too. The calculation is worked
 * out here without the catalogue, so an error in either shows.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/money.h"
#include "base/str.h"
#include "openai/cost.h"
#include "openai/price_csv.h"

#define TABLE "test/golden/usage_costs.csv"
#define COLUMNS "model,operation,tier,batch,region,when,quality,size,flags,usage,expected_usd,state,reason,why"

enum column {
    MODEL,
    OPERATION,
    TIER,
    BATCH,
    REGION,
    WHEN,
    QUALITY,
    SIZE,
    FLAGS,
    USAGE,
    EXPECTED,
    STATE,
    REASON,
    WHY,
    COLUMN_COUNT
};

typedef unsigned __int128 wide;

/* One product: mantissa × 10^exponent ÷ divisor, nothing rounded yet. */
struct product {
    wide mantissa;
    int exponent;
    uint64_t divisor;
};

static bool times_ten(wide *m)
{
    return !__builtin_mul_overflow(*m, (wide)10, m);
}

/* Reads digits[.digits][e-digits] from the front of *s into the product. */
static bool take_factor(struct str *s, struct product *p)
{
    wide m = 0;
    int exponent = 0;
    size_t i = 0;
    bool point = false, digits = false;
    for (; i < s->n && ((s->p[i] >= '0' && s->p[i] <= '9') || (s->p[i] == '.' && !point)); i++) {
        if (s->p[i] == '.') {
            point = true;
            continue;
        }
        if (!times_ten(&m))
            return false;
        m += (unsigned)(s->p[i] - '0');
        exponent -= point;
        digits = true;
    }
    if (i + 2 < s->n && s->p[i] == 'e' && s->p[i + 1] == '-') {
        int e = 0;
        for (i += 2; i < s->n && s->p[i] >= '0' && s->p[i] <= '9'; i++)
            e = e * 10 + (s->p[i] - '0');
        exponent -= e;
    }
    *s = str_from(*s, i);
    p->exponent += exponent;
    return digits && !__builtin_mul_overflow(p->mantissa, m, &p->mantissa);
}

static bool take_divisor(struct str *s, struct product *p)
{
    size_t n = 0;
    while (n < s->n && s->p[n] >= '0' && s->p[n] <= '9')
        n++;
    bool good = str_to_u64(str_head(*s, n), &p->divisor) && p->divisor > 0;
    *s = str_from(*s, n);
    return good;
}

/* To whole pico-dollars, half up. */
static bool round_product(struct product p, wide *ret_pusd)
{
    int exponent = p.exponent + 12;
    wide divisor = p.divisor;
    for (; exponent > 0; exponent--)
        if (!times_ten(&p.mantissa))
            return false;
    for (; exponent < 0; exponent++)
        if (!times_ten(&divisor))
            return false;
    *ret_pusd = p.mantissa / divisor + (p.mantissa % divisor >= (divisor + 1) / 2);
    return true;
}

/* "1000*2.5e-6+61/60*0.006": a sum of products, each rounded once. */
static bool evaluate(struct str why, int64_t *ret_pusd)
{
    wide sum = 0;
    struct str s = why;
    for (;;) {
        struct product p = {1, 0, 1};
        wide part;
        if (!take_factor(&s, &p))
            return false;
        while (s.n && (s.p[0] == '*' || s.p[0] == '/')) {
            bool divide = s.p[0] == '/';
            s = str_from(s, 1);
            if (!(divide ? take_divisor(&s, &p) : take_factor(&s, &p)))
                return false;
        }
        if (!round_product(p, &part))
            return false;
        sum += part;
        if (!s.n)
            break;
        if (s.p[0] != '+')
            return false;
        s = str_from(s, 1);
    }
    *ret_pusd = (int64_t)sum;
    return sum <= INT64_MAX;
}

static int find_meter(struct str name)
{
    static const char *const names[METER_COUNT] = {
#define X(id, text, unit, what) text,
        METER_TABLE(X)
#undef X
    };
    for (int m = 0; m < METER_COUNT; m++)
        if (str_eq(name, str_c(names[m])))
            return m;
    return -1;
}

static bool read_usage(struct str text, struct usage *u)
{
    struct str rest = text, item;
    while (text.n && str_split(&rest, ' ', &item)) {
        ptrdiff_t equals = str_find(item, '=');
        if (equals < 0)
            return false;
        int meter = find_meter(str_head(item, (size_t)equals));
        if (meter < 0 || !str_to_u64(str_from(item, (size_t)equals + 1), &u->quantity[meter]))
            return false;
    }
    return true;
}

static bool read_flags(struct str text, struct price_query *q, struct usage *u)
{
    struct str rest = text, word;
    u->source = USAGE_REPORTED;
    while (text.n && str_split(&rest, ' ', &word)) {
        if (str_eq(word, STR("measured")))
            u->source = USAGE_MEASURED;
        else if (str_eq(word, STR("estimated")))
            u->source = USAGE_ESTIMATED;
        else if (str_eq(word, STR("none")))
            u->source = USAGE_NONE;
        else if (str_eq(word, STR("unknown")))
            u->source = USAGE_UNKNOWN;
        else if (str_eq(word, STR("inconsistent")))
            u->inconsistent = true;
        else if (str_eq(word, STR("aggregate")))
            q->aggregate = true;
        else if (str_eq(word, STR("preview")))
            q->web_search_preview = true;
        else if (str_starts(word, STR("container=")))
            q->container = str_from(word, 10);
        else
            return false;
    }
    return true;
}

static struct price_catalog *catalog;
static bool quiet; /* rows are compared, not reported */

/* One row of the table; prints and counts what differs. */
static int check_row(unsigned line, const struct str *f)
{
    struct usage u = {0};
    struct price_query q = {
        .model = f[MODEL],
        .operation = f[OPERATION],
        .service_tier = f[TIER],
        .quality = f[QUALITY],
        .size = f[SIZE],
        .batch = f[BATCH].n > 0,
        .regional = f[REGION].n > 0,
    };
    struct cost cost;
    bool is_unpriced = str_eq(f[STATE], STR("unpriced"));
    int64_t expected = 0, worked_out = 0;
    if (!clock_parse(f[WHEN], &q.when_us) || !read_usage(f[USAGE], &u) || !read_flags(f[FLAGS], &q, &u) ||
        (!is_unpriced && !money_parse(f[EXPECTED], &expected))) {
        print_error("line %u cannot be read\n", line);
        return 1;
    }
    if (!is_unpriced && (!evaluate(f[WHY], &worked_out) || worked_out != expected)) {
        print_error("line %u: the calculation gives %lld, the table says %lld\n", line, (long long)worked_out,
                    (long long)expected);
        return 1;
    }
    cost_of(catalog, &q, &u, &cost);
    int64_t sum = 0;
    for (int m = 0; m < METER_COUNT; m++)
        sum += cost.part_pusd[m];
    if (cost.total_pusd == expected && sum == expected && str_eq(f[STATE], str_c(cost_state_text(cost.state))) &&
        str_eq(f[REASON], str_c(cost_reason_text(cost.reason))))
        return 0;
    if (quiet)
        return 1;
    print_error("line %u, %.*s %.*s: %lld %s %s, the table says %lld %.*s %.*s\n", line, STR_ARG(f[MODEL]),
                STR_ARG(f[USAGE]), (long long)cost.total_pusd, cost_state_text(cost.state),
                cost_reason_text(cost.reason), (long long)expected, STR_ARG(f[STATE]), STR_ARG(f[REASON]));
    return 1;
}

static char *read_table(size_t *ret_n)
{
    FILE *file = fopen(TABLE, "rb");
    assert_non_null(file);
    char *text = malloc(PRICE_CSV_TEXT_MAX);
    assert_non_null(text);
    *ret_n = fread(text, 1, PRICE_CSV_TEXT_MAX, file);
    fclose(file);
    return text;
}

static void every_golden_cost_is_met_exactly(void **state)
{
    (void)state;
    struct price_fault fault;
    struct price_csv csv;
    struct str f[COLUMN_COUNT];
    size_t n;
    char *text = read_table(&n);
    int rows = 0, wrong = 0, more;
    price_csv_init(&csv, "golden", text, n, &fault);
    assert_true(price_csv_header(&csv, COLUMNS));
    while ((more = price_csv_next(&csv, f, COLUMN_COUNT)) > 0) {
        rows++;
        wrong += check_row(csv.line, f);
    }
    if (more)
        print_error("line %u: %s\n", fault.line, fault.reason);
    assert_int_equal(more, 0);
    print_message("%d golden rows, %d differences\n", rows, wrong);
    assert_int_equal(wrong, 0);
    assert_true(rows >= 500);
    free(text);
}

/* Golden rows that no longer hold; stops at the first one. */
static bool table_notices(struct price_catalog *changed, const char *table, size_t n)
{
    struct price_fault fault;
    struct price_csv csv;
    struct str f[COLUMN_COUNT];
    char *text = malloc(n);
    bool noticed = false;
    assert_non_null(text);
    memcpy(text, table, n);
    struct price_catalog *kept = catalog;
    catalog = changed;
    quiet = true;
    price_csv_init(&csv, "golden", text, n, &fault);
    assert_true(price_csv_header(&csv, COLUMNS));
    while (!noticed && price_csv_next(&csv, f, COLUMN_COUNT) > 0)
        noticed = check_row(csv.line, f) > 0;
    quiet = false;
    catalog = kept;
    free(text);
    return noticed;
}

/* The price file with a 1 put before the value of the line that begins at `at`: 2.5 becomes 12.5. */
static size_t raise_value(const struct str file, size_t at, char *out)
{
    int commas = 0;
    size_t i = at;
    for (; commas < 10; i++)
        commas += file.p[i] == ',';
    memcpy(out, file.p, i);
    out[i] = '1';
    memcpy(out + i + 1, file.p + i, file.n - i);
    return file.n + 1;
}

/* Change any single price, factor, uplift or threshold, and some golden row is no longer met. */
static void every_figure_of_the_catalogue_is_held_by_a_golden_row(void **state)
{
    (void)state;
    struct price_source source = price_source_builtin();
    const struct str file = source.prices;
    char *changed = malloc(file.n + 1);
    size_t table_n;
    char *table = read_table(&table_n);
    int figures = 0, free_to_change = 0;
    unsigned line = 1;
    assert_non_null(changed);
    for (size_t at = 0; at < file.n; line++) {
        struct str rest = str_from(file, at);
        size_t n = (size_t)str_find(rest, '\n');
        bool in_use = str_search(str_head(rest, n), STR(",storage,")) < 0; /* no request consumes storage */
        if (!in_use) {
            at += n + 1;
            continue;
        }
        if (str_starts(rest, STR("price,")) || str_starts(rest, STR("times,")) || str_starts(rest, STR("regional,")) ||
            str_starts(rest, STR("threshold,"))) {
            struct price_catalog *c;
            struct price_fault fault;
            source.prices = str_of(changed, raise_value(file, at, changed));
            assert_int_equal(price_catalog_new(&source, &c, &fault), ERR_OK);
            figures++;
            if (!table_notices(c, table, table_n)) {
                free_to_change++;
                print_error("no golden row holds line %u: %.*s\n", line, (int)n, rest.p);
            }
            price_catalog_free(c);
        }
        at += n + 1;
    }
    print_message("%d figures changed one by one\n", figures);
    assert_int_equal(free_to_change, 0);
    free(table);
    free(changed);
}

static void the_calculation_is_exact(void **state)
{
    (void)state;
    int64_t pusd;
    assert_true(evaluate(STR("1000*2.5e-6+50*15e-6"), &pusd));
    assert_int_equal(pusd, 3250000000);
    assert_true(evaluate(STR("1*0.017/60000"), &pusd));
    assert_int_equal(pusd, 283333);
    assert_true(evaluate(STR("2*0.017/60000"), &pusd));
    assert_int_equal(pusd, 566667);
    assert_true(evaluate(STR("1*0.5e-12"), &pusd));
    assert_int_equal(pusd, 1);
    assert_true(evaluate(STR("1*0.49e-12+1*0.49e-12"), &pusd));
    assert_int_equal(pusd, 0);
    assert_true(evaluate(STR("0"), &pusd));
    assert_int_equal(pusd, 0);
    assert_false(evaluate(STR(""), &pusd));
    assert_false(evaluate(STR("1*"), &pusd));
    assert_false(evaluate(STR("1-2"), &pusd));
    assert_false(evaluate(STR("1/0"), &pusd));
}

static int open_catalog(void **state)
{
    (void)state;
    struct price_source source = price_source_builtin();
    struct price_fault fault;
    if (price_catalog_new(&source, &catalog, &fault) == ERR_OK)
        return 0;
    print_error("%s:%u: %s\n", fault.file, fault.line, fault.reason);
    return -1;
}

static int close_catalog(void **state)
{
    (void)state;
    price_catalog_free(catalog);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_calculation_is_exact),
        cmocka_unit_test(every_golden_cost_is_met_exactly),
        cmocka_unit_test(every_figure_of_the_catalogue_is_held_by_a_golden_row),
    };
    return cmocka_run_group_tests(tests, open_catalog, close_catalog);
}

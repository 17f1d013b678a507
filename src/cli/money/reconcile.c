/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tollgate reconcile: OpenAI's bill beside what the gateway metered, and where the difference comes from. The table is
 * for people who close a month: amounts to the cent where they are large, which it says, and with all their digits where
 * they are small, so that what is seen adds up; --json has all digits.
 */
#include <stdio.h>
#include <string.h>

#include "base/must.h"
#include "cli/api.h"
#include "report/bill/bill.h"
#include "report/cost/cost_amount.h"
#include "report/cost/cost_dates.h"
#include "report/reconcile/reconcile_kind.h"

#define FINE (COST_PER_PUSD * (cost_sum)MONEY_PUSD_PER_USD * 10) /* below ten dollars in all: every digit */
#define PLACES_MIN 2
#define PLACES_MAX 12
#define PLACES_ALL 24
#define AMOUNT_WIDTH 14
#define GROUP_WIDTH 24
#define LIST_SHOWN 10

#define X(name, kind, fallback, env, min, max, metavar, text) \
    {name, OPTION_##kind, fallback, env, min, max, metavar, text},
static const struct option options[] = {
    {"month", OPTION_TEXT, NULL, NULL, 0, 0, "YYYY-MM", "A whole month; without it and --since, this one."},
    {"since", OPTION_TEXT, NULL, NULL, 0, 0, "DAY", "From this day on (UTC)."},
    {"until", OPTION_TEXT, NULL, NULL, 0, 0, "DAY", "Up to the beginning of this day."},
    {"group-by", OPTION_TEXT, "project,api_key", NULL, 0, 0, "LIST",
     "Comma-separated: day, month, organization, project, api_key, operation, model, meter, service_tier, batch, "
     "status."},
    {"tolerance-usd", OPTION_TEXT, NULL, NULL, 0, 0, "USD", "A smaller difference is none; 0.01 without it."},
    {"tolerance-percent", OPTION_TEXT, NULL, NULL, 0, 0, "N", "Nor is one below so much of the amount; 0.5."},
    {"limit", OPTION_TEXT, NULL, NULL, 0, 0, "N", "Rows at most, to 5000; those with the largest gaps."},
    {"csv", OPTION_FLAG, NULL, NULL, 0, 0, NULL, "Print comma-separated values."},
    {"json", OPTION_FLAG, NULL, NULL, 0, 0, NULL, "Print the server's answer."},
    API_OPTIONS(X)};
#undef X

/* --- amounts --------------------------------------------------------------------------------- */

/* "-12.345" with up to 24 places. */
static cost_sum amount_of(const char *text)
{
    cost_sum value = 0;
    int places = -1;
    bool negative = *text == '-';
    for (text += negative; *text && places < 24; text++) {
        if (*text == '.')
            places = 0;
        else if (*text >= '0' && *text <= '9') {
            value = value * 10 + (*text - '0');
            places += places >= 0;
        }
    }
    for (int i = places < 0 ? 0 : places; i < 24; i++)
        value *= 10;
    return negative ? -value : value;
}

static cost_sum member(const json_t *o, const char *name)
{
    return amount_of(api_text(o, name));
}

/* "$12.34", "-$0.000120" */
static const char *dollars(cost_sum amount, unsigned places, char out[COST_TEXT_MAX + 4])
{
    char text[COST_TEXT_MAX];
    bool negative = amount < 0;
    cost_amount_format_rounded(negative ? -amount : amount, places, text);
    negative = negative && strspn(text, "0.") < strlen(text); /* no "-$0.00" */
    snprintf(out, COST_TEXT_MAX + 4, "%s$%s", negative ? "-" : "", text);
    return out;
}

/* How all amounts of a table are written. */
struct look {
    unsigned places, needed; /* `needed` to leave nothing out */
    int width;
};

typedef void amount_fn(struct look *l, cost_sum amount);

static void need_places(struct look *l, cost_sum amount)
{
    unsigned places = PLACES_ALL;
    for (; places > PLACES_MIN && amount % 10 == 0; amount /= 10)
        places--;
    l->needed = places > l->needed ? places : l->needed;
}

static void need_width(struct look *l, cost_sum amount)
{
    char text[COST_TEXT_MAX + 4];
    int n = (int)strlen(dollars(amount, l->places, text)) + 2;
    l->width = n > l->width ? n : l->width;
}

static void print_amount(cost_sum amount, const struct look *l)
{
    char text[COST_TEXT_MAX + 4];
    printf("%*s", l->width, dollars(amount, l->places, text));
}

/* --- the table ------------------------------------------------------------------------------- */

static const char *sentence_of(const char *cause)
{
    for (unsigned i = 0; i < RECONCILE_CAUSE_COUNT; i++)
        if (strcmp(cause, reconcile_cause_text((enum reconcile_cause)i)) == 0)
            return reconcile_cause_sentence((enum reconcile_cause)i);
    return cause;
}

struct columns {
    const char *keys[RECONCILE_BY_COUNT];
    unsigned count;
};

static void read_columns(struct str list, struct columns *c)
{
    struct str part;
    enum reconcile_by by;
    c->count = 0;
    while (list.n && c->count < RECONCILE_BY_COUNT && str_split(&list, ',', &part))
        if (reconcile_by_parse(str_trim(part), &by))
            c->keys[c->count++] = reconcile_by_text(by);
}

/* What people call it, else its id. */
static const char *label_of(const json_t *row, const char *key)
{
    char name[64];
    snprintf(name, sizeof name, "%s_name", key);
    const char *called = json_string_value(json_object_get(row, name));
    const char *value = json_string_value(json_object_get(row, key));
    return called && called[0] ? called : value && value[0] ? value : "(none)";
}

static const char *const amounts[] = {"billed", "metered", "gap", "volume_gap", "rate_gap", "pricing_gap"};
#define AMOUNTS (sizeof amounts / sizeof amounts[0])

/* Every amount that is printed. */
static void each_amount(const json_t *root, struct look *l, amount_fn *fn)
{
    static const struct {
        const char *list, *name;
    } others[] = {{"shadow_traffic", "billed"}, {"excluded", "metered"}};
    const json_t *row, *total = json_object_get(root, "total");
    const char *cause;
    json_t *amount;
    size_t i;
    for (size_t k = 0; k < AMOUNTS; k++) {
        fn(l, member(total, amounts[k]));
        json_array_foreach(json_object_get(root, "data"), i, row) fn(l, member(row, amounts[k]));
    }
    fn(l, member(total, "attributed"));
    fn(l, member(total, "unattributed"));
    json_object_foreach(json_object_get(total, "causes"), cause, amount) fn(l, amount_of(json_string_value(amount)));
    for (size_t k = 0; k < sizeof others / sizeof others[0]; k++)
        json_array_foreach(json_object_get(root, others[k].list), i, row) fn(l, member(row, others[k].name));
}

static struct look look_of(const json_t *root)
{
    struct look l = {.needed = PLACES_MIN, .width = AMOUNT_WIDTH};
    const json_t *total = json_object_get(root, "total");
    cost_sum billed = member(total, "billed"), metered = member(total, "metered");
    each_amount(root, &l, need_places);
    l.places = (billed > metered ? billed : metered) >= FINE ? PLACES_MIN
               : l.needed > PLACES_MAX                       ? PLACES_MAX
                                                             : l.needed;
    each_amount(root, &l, need_width);
    return l;
}

static void print_row(const json_t *row, const struct columns *c, const char *title, const struct look *l)
{
    for (unsigned i = 0; i < c->count; i++)
        printf("%-*.*s  ", GROUP_WIDTH, GROUP_WIDTH, title ? (i ? "" : title) : label_of(row, c->keys[i]));
    if (!c->count)
        printf("%-8s", title ? title : "");
    for (size_t i = 0; i < AMOUNTS; i++)
        print_amount(member(row, amounts[i]), l);
    const char *cause = json_string_value(json_object_get(row, "cause"));
    bool said = cause && cause[0];
    long long unpriced = api_int(row, "unpriced_attempts");
    printf("  %-12s%s%s", api_text(row, "status"), said ? "  " : "", said ? sentence_of(cause) : "");
    if (unpriced)
        printf("  (%lld UNPRICED)", unpriced);
    printf("\n");
}

static void print_rows(const json_t *root, const struct columns *c, const struct look *l)
{
    static const char *const heads[] = {"billed", "metered", "gap", "volume", "rate", "pricing"};
    const json_t *row, *rows = json_object_get(root, "data");
    size_t i;
    for (unsigned k = 0; k < c->count; k++)
        printf("%-*s  ", GROUP_WIDTH, c->keys[k]);
    if (!c->count)
        printf("%-8s", "");
    for (size_t k = 0; k < sizeof heads / sizeof heads[0]; k++)
        printf("%*s", l->width, heads[k]);
    printf("  %-12s  %s\n", "status", "mostly because");
    json_array_foreach(rows, i, row)
    {
        if (c->count)
            print_row(row, c, NULL, l);
    }
    print_row(json_object_get(root, "total"), c, "total", l);
    if ((size_t)api_int(root, "rows") > json_array_size(rows))
        printf("%lld rows in all; see --limit\n", api_int(root, "rows"));
}

/* --- what goes with it ----------------------------------------------------------------------- */

static void print_period(const json_t *root)
{
    const json_t *c = json_object_get(root, "completeness");
    long long provisional = api_int(c, "provisional_days"), missing = api_int(c, "missing_days");
    const char *through = json_string_value(json_object_get(c, "billed_through"));
    printf("%s to %s (UTC). ", api_text(root, "start_date"), api_text(root, "end_date"));
    if (through)
        printf("Billed through %s", through);
    else
        printf("No day is settled yet");
    if (provisional)
        printf("; %lld day%s provisional", provisional, provisional == 1 ? " is" : "s are");
    if (missing)
        printf("; %lld day%s not imported", missing, missing == 1 ? " is" : "s are");
    printf(".\n");
    if (missing && !through && !provisional)
        printf("No bill of this time is here, so nothing is compared: 'tollgate import status' says why.\n");
    printf("\n");
}

static void print_causes(const json_t *total, const struct look *l)
{
    const char *cause;
    json_t *amount;
    cost_sum gap = member(total, "gap");
    printf("\n");
    print_amount(member(total, "billed"), l);
    printf("  billed by OpenAI\n");
    print_amount(member(total, "attributed"), l);
    printf("  of it passed through the gateway\n");
    print_amount(member(total, "unattributed"), l);
    printf("  of it unattributed: used without the gateway\n");
    if (!json_object_size(json_object_get(total, "causes")))
        return;
    printf("\nThe gap of ");
    char text[COST_TEXT_MAX + 4];
    printf("%s is\n", dollars(gap, l->places, text));
    json_object_foreach(json_object_get(total, "causes"), cause, amount)
    {
        print_amount(amount_of(json_string_value(amount)), l);
        printf("  %s\n", sentence_of(cause));
    }
}

static void print_shadows(const json_t *root, const struct look *l)
{
    const json_t *row, *list = json_object_get(root, "shadow_traffic");
    size_t i;
    if (json_array_size(list))
        printf("\nBilled, and never seen by the gateway:\n");
    json_array_foreach(list, i, row)
    {
        if (i == LIST_SHOWN) {
            printf("  and %zu more; see --json\n", json_array_size(list) - i);
            break;
        }
        print_amount(member(row, "billed"), l);
        printf("  project %s, key %s (%s to %s)\n", label_of(row, "project"), label_of(row, "api_key"),
               api_text(row, "first_day"), api_text(row, "last_day"));
    }
}

/* Tokens are priced by the million. */
static void print_price(const json_t *row, const char *name, const char *unit)
{
    const char *text = json_string_value(json_object_get(row, name));
    char out[COST_TEXT_MAX + 4];
    bool tokens = strcmp(unit, "Tokens") == 0;
    if (text)
        printf("%s", dollars(amount_of(text) * (tokens ? 1000000 : 1), 4, out));
    else
        printf("no price");
}

static void print_prices(const json_t *root)
{
    const json_t *row, *list = json_object_get(root, "price_suggestions");
    size_t i;
    if (json_array_size(list))
        printf("\nPrices to check (billed ÷ quantity; docs/PRICING.md says how to enter them):\n");
    json_array_foreach(list, i, row)
    {
        const char *unit = api_text(row, "unit");
        if (i == LIST_SHOWN) {
            printf("  and %zu more; see --json\n", json_array_size(list) - i);
            break;
        }
        printf("  %s %s (%s): billed at ", api_text(row, "model"), api_text(row, "meter"),
               api_text(row, "service_tier"));
        print_price(row, "observed_unit_price", unit);
        printf(", catalogue ");
        print_price(row, "book_unit_price", unit);
        printf(" %s, %s to %s\n", strcmp(unit, "Tokens") == 0 ? "a million tokens" : unit, api_text(row, "first_day"),
               api_text(row, "last_day"));
    }
}

static void print_left_out(const json_t *root, const struct look *l)
{
    const json_t *row;
    size_t i;
    json_array_foreach(json_object_get(root, "excluded"), i, row)
    {
        char text[COST_TEXT_MAX + 4];
        const char *name = json_string_value(json_object_get(row, "integration"));
        printf("%sNot compared: %s metered through %s%s: %s.\n", i ? "" : "\n",
               dollars(member(row, "metered"), l->places, text), name && name[0] ? "@" : "",
               name && name[0] ? name : "keys of callers", api_text(row, "meaning"));
    }
    json_array_foreach(json_object_get(root, "unpriced"), i, row)
    {
        const char *model = json_string_value(json_object_get(row, "model"));
        printf("%sUNPRICED: %lld request%s to %s; what they cost is not in the metered sums.\n", i ? "" : "\n",
               api_int(row, "attempts"), api_int(row, "attempts") == 1 ? "" : "s",
               model && model[0] ? model : "operations without a model");
    }
}

static void print_table(const json_t *root, const struct columns *c)
{
    struct look l = look_of(root);
    print_period(root);
    print_rows(root, c, &l);
    print_causes(json_object_get(root, "total"), &l);
    print_shadows(root, &l);
    print_prices(root);
    print_left_out(root, &l);
    if (l.needed > l.places)
        printf("\nEach amount is rounded to %u places by itself; --json has all digits.\n", l.places);
}

/* --- the command ----------------------------------------------------------------------------- */

/* --until is the day behind the last one, as everywhere on the command line; the API takes the last one. */
static bool add_dates(const struct command *self, const struct option_value *values, struct buf *path)
{
    struct str until = option_get(self, values, "until")->text;
    char last[BILL_DAY_TEXT_MAX];
    int64_t day;
    api_add_param(path, "month", option_get(self, values, "month")->text);
    api_add_param(path, "start_date", option_get(self, values, "since")->text);
    if (!until.n)
        return true;
    if (!cost_dates_day_parse(until, &day)) {
        fprintf(stderr, "tollgate: --until is a day, such as 2026-04-01.\n");
        return false;
    }
    api_add_param(path, "end_date", str_of(last, bill_day_format(day - 1, last)));
    return true;
}

static void print_answer(const struct command *self, const struct option_value *values, struct api_answer *answer)
{
    struct columns columns;
    if (option_get(self, values, "json")->given || option_get(self, values, "csv")->given) {
        printf("%.*s%s", STR_ARG(buf_str(&answer->body)), option_get(self, values, "json")->given ? "\n" : "");
        return;
    }
    json_t *root = api_json(answer);
    read_columns(option_get(self, values, "group-by")->text, &columns);
    print_table(root, &columns);
    json_decref(root);
}

static int run(const struct command *self, struct option_value *values, int operand_count, char **operands)
{
    struct api_answer answer;
    struct buf path;
    (void)operand_count;
    (void)operands;
    buf_init(&path, API_TEXT_MAX);
    bool ok = buf_add_str(&path, STR("/tollgate/v1/reconciliation"));
    must(ok);
    api_add_param(&path, "group_by", option_get(self, values, "group-by")->text);
    api_add_param(&path, "tolerance_usd", option_get(self, values, "tolerance-usd")->text);
    api_add_param(&path, "tolerance_percent", option_get(self, values, "tolerance-percent")->text);
    api_add_param(&path, "limit", option_get(self, values, "limit")->text);
    if (option_get(self, values, "csv")->given)
        api_add_param(&path, "format", STR("csv"));
    if (!add_dates(self, values, &path)) {
        buf_free(&path);
        return EXIT_USAGE;
    }
    int status = api_call(self, values, "GET", buf_str(&path), STR(""), &answer);
    if (status == EXIT_DONE)
        print_answer(self, values, &answer);
    api_answer_free(&answer);
    buf_free(&path);
    return status;
}

const struct command command_reconcile = {"reconcile",
                                          "",
                                          "Compare OpenAI's bill with what was metered, and say why they differ.",
                                          options,
                                          sizeof options / sizeof options[0],
                                          run};

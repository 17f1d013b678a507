/* SPDX-License-Identifier: Apache-2.0 */
/* tollgate report: billed or metered costs, by a filter and groupings, in bins; as a table, CSV or JSON. */
#include <stdio.h>
#include <string.h>

#include "base/must.h"
#include "cli/api.h"
#include "report/cost/cost.h"

#define GROUP_WIDTH 26

#define X(name, kind, fallback, env, min, max, metavar, text) \
    {name, OPTION_##kind, fallback, env, min, max, metavar, text},
static const struct option options[] = {
    {"filter", OPTION_TEXT, NULL, NULL, 0, 0, "VQL",
     "Which costs, such as \"costs.provider = 'open_ai' AND costs.model = 'gpt-4o'\"; docs/COST_QUERIES.md."},
    {"group-by", OPTION_TEXT, "service,cost_category", NULL, 0, 0, "LIST",
     "Comma-separated: organization, project, operation, cost_category, cost_subcategory, api_key, model, "
     "charge_type, usage_unit, service_tier, line_item, ledger, tag:KEY and others."},
    {"bin", OPTION_TEXT, "total", NULL, 0, 0, "BIN", "total, cumulative, hour, day, week, month or quarter."},
    {"interval", OPTION_TEXT, NULL, NULL, 0, 0, "NAME",
     "this_month, last_month, last_30_days, year_to_date and so on."},
    {"since", OPTION_TEXT, NULL, NULL, 0, 0, "TIME", "From this day on: a date, or a span such as 30d."},
    {"until", OPTION_TEXT, NULL, NULL, 0, 0, "TIME", "Up to the beginning of this day."},
    {"limit", OPTION_TEXT, NULL, NULL, 0, 0, "N", "Rows at most, to 5000."},
    {"page", OPTION_TEXT, NULL, NULL, 0, 0, "N", "Which page of them, from 1."},
    {"forecast", OPTION_TEXT, NULL, NULL, 0, 0, "DAYS",
     "What so many days to come will cost, with a band, instead of what was; of --filter only."},
    {"csv", OPTION_FLAG, NULL, NULL, 0, 0, NULL, "Print comma-separated values."},
    {"json", OPTION_FLAG, NULL, NULL, 0, 0, NULL, "Print the server's answer."},
    API_OPTIONS(X)};
#undef X

struct columns {
    struct cost_group groups[COST_GROUPS_MAX];
    char keys[COST_GROUPS_MAX][256]; /* in JSON */
    unsigned count;
};

/* The server has said that the list is in order. */
static void read_columns(struct str list, struct columns *c)
{
    struct str part;
    c->count = 0;
    while (list.n && c->count < COST_GROUPS_MAX && str_split(&list, ',', &part)) {
        part = str_trim(part);
        if (!cost_group_parse(part, &c->groups[c->count]))
            continue;
        bool tag = c->groups[c->count].by == COST_BY_TAG;
        str_copy(c->keys[c->count], sizeof c->keys[0], tag ? part : str_c(cost_by_json(c->groups[c->count].by)));
        c->count++;
    }
}

static const char *usage_of(const json_t *row, const char *name)
{
    const json_t *usage = json_object_get(row, "usage");
    return usage ? api_text(usage, name) : "";
}

/* --- a table --------------------------------------------------------------------------------- */

static void print_table(const json_t *root, const struct columns *c)
{
    const json_t *row, *rows = json_object_get(root, "data");
    int widths[COST_GROUPS_MAX];
    size_t i;
    printf("%-12s", "from");
    for (unsigned k = 0; k < c->count; k++) {
        widths[k] = api_column(rows, c->keys[k], GROUP_WIDTH);
        widths[k] = api_width(c->keys[k]) > widths[k] ? api_width(c->keys[k]) : widths[k];
        api_cell(c->keys[k], widths[k]);
    }
    printf("%20s  %-12s  %24s\n", "usage", "unit", "cost (USD)");
    json_array_foreach(rows, i, row)
    {
        printf("%-12s", api_text(row, "accrued_at"));
        for (unsigned k = 0; k < c->count; k++)
            api_cell(api_text(row, c->keys[k]), widths[k]);
        printf("%20s  %-12s  %24s\n", usage_of(row, "amount"), usage_of(row, "unit"), api_text(row, "amount"));
    }
    printf("%-12s", "total");
    for (unsigned k = 0; k < c->count; k++)
        api_cell("", widths[k]);
    printf("%20s  %-12s  %24s\n", "", "", api_text(root, "total_cost"));
    if ((size_t)api_int(root, "rows") > json_array_size(rows))
        printf("%lld rows in all; see --limit and --page\n", api_int(root, "rows"));
    else if (!json_array_size(rows))
        fprintf(stderr, "tollgate report: no costs match; 'tollgate import status' shows which bills are here\n");
}

/* --- CSV (RFC 4180) -------------------------------------------------------------------------- */

/* A cell that a spreadsheet would take for a formula gets an apostrophe; amounts are numbers and do not. */
static void print_cell(const char *text, bool number, bool last)
{
    bool formula = !number && text[0] && strchr("=+-@\t\r", text[0]);
    bool quoted = strpbrk(text, ",\"\r\n") != NULL;
    if (quoted)
        putchar('"');
    if (formula)
        putchar('\'');
    for (; *text; text++) {
        if (*text == '"')
            putchar('"');
        putchar(*text);
    }
    if (quoted)
        putchar('"');
    putchar(last ? '\n' : ',');
}

static void print_csv(const json_t *root, const struct columns *c)
{
    const json_t *row;
    size_t i;
    print_cell("Date", false, false);
    for (unsigned k = 0; k < c->count; k++) {
        char heading[300];
        if (c->groups[k].by == COST_BY_TAG)
            snprintf(heading, sizeof heading, "Tag:%.*s", STR_ARG(c->groups[k].tag));
        else
            str_copy(heading, sizeof heading, str_c(cost_by_heading(c->groups[k].by)));
        print_cell(heading, false, false);
    }
    printf("Usage,Usage Unit,Cost,Currency\n");
    json_array_foreach(json_object_get(root, "data"), i, row)
    {
        print_cell(api_text(row, "accrued_at"), true, false);
        for (unsigned k = 0; k < c->count; k++)
            print_cell(api_text(row, c->keys[k]), false, false);
        print_cell(usage_of(row, "amount"), true, false);
        print_cell(usage_of(row, "unit"), false, false);
        print_cell(api_text(row, "amount"), true, false);
        print_cell(api_text(row, "currency"), false, true);
    }
}

/* --- what will be ---------------------------------------------------------------------------- */

/* The days of everything; services are in --json. */
static void print_forecast(const json_t *root)
{
    const json_t *row;
    size_t i;
    printf("%-12s%20s%20s%20s\n", "day", "cost (USD)", "10 % are below", "10 % are above");
    json_array_foreach(json_object_get(root, "data"), i, row)
    {
        if (strcmp(api_text(row, "service"), "all") == 0 && strcmp(api_text(row, "provider"), "all") == 0)
            printf("%-12s%20s%20s%20s\n", api_text(row, "date"), api_text(row, "amount"), api_text(row, "lower"),
                   api_text(row, "upper"));
    }
    const char *total = api_text(root, "total_cost");
    printf("%-12s%20s\n", "total", total);
    if (total[strspn(total, "0.")] == '\0')
        fprintf(stderr, "tollgate report: the days before today say nothing about those to come; 'tollgate import "
                        "status' shows which bills are here\n");
}

static int run_forecast(const struct command *self, struct option_value *values)
{
    struct api_answer answer;
    struct buf path;
    buf_init(&path, API_TEXT_MAX);
    bool ok = buf_add_str(&path, STR("/tollgate/v1/forecast"));
    must(ok);
    api_add_param(&path, "filter", option_get(self, values, "filter")->text);
    api_add_param(&path, "days", option_get(self, values, "forecast")->text);
    int status = api_call(self, values, "GET", buf_str(&path), STR(""), &answer);
    if (status == EXIT_DONE && option_get(self, values, "json")->given) {
        printf("%.*s\n", STR_ARG(buf_str(&answer.body)));
    } else if (status == EXIT_DONE) {
        json_t *root = api_json(&answer);
        print_forecast(root);
        json_decref(root);
    }
    api_answer_free(&answer);
    buf_free(&path);
    return status;
}

static int run(const struct command *self, struct option_value *values, int operand_count, char **operands)
{
    static const char *const names[] = {"filter", "bin", "interval", "since", "until", "limit", "page"};
    struct api_answer answer;
    struct buf path;
    struct columns columns;
    struct str groups = option_get(self, values, "group-by")->text;
    (void)operand_count;
    (void)operands;
    if (option_get(self, values, "forecast")->given)
        return run_forecast(self, values);
    buf_init(&path, API_TEXT_MAX);
    bool ok = buf_add_str(&path, STR("/tollgate/v1/report"));
    must(ok);
    api_add_param(&path, "group_by", groups);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        api_add_param(&path, names[i], option_get(self, values, names[i])->text);
    int status = api_call(self, values, "GET", buf_str(&path), STR(""), &answer);
    if (status == EXIT_DONE && option_get(self, values, "json")->given) {
        printf("%.*s\n", STR_ARG(buf_str(&answer.body)));
    } else if (status == EXIT_DONE) {
        json_t *root = api_json(&answer);
        read_columns(groups, &columns);
        if (option_get(self, values, "csv")->given)
            print_csv(root, &columns);
        else
            print_table(root, &columns);
        json_decref(root);
    }
    api_answer_free(&answer);
    buf_free(&path);
    return status;
}

const struct command command_report = {"report",
                                       "",
                                       "Report billed or metered costs by filter and groupings.",
                                       options,
                                       sizeof options / sizeof options[0],
                                       run};

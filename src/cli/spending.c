/* SPDX-License-Identifier: Apache-2.0 */
/* tollgate cost: what was spent, by any dimensions. */
#include <stdio.h>
#include <string.h>

#include "base/must.h"
#include "cli/api.h"

#define DIMS_MAX 9 /* the server takes no more */
#define DIM_WIDTH 26
#define DIM_TEXT_MAX 513

#define X(name, kind, fallback, env, min, max, metavar, text) \
    {name, OPTION_##kind, fallback, env, min, max, metavar, text},
static const struct option options[] = {
    {"group-by", OPTION_TEXT, "model", NULL, 0, 0, "DIMS",
     "Comma-separated: hour, day, month, workspace, key, integration, operation, model, model_asked, tier, status, "
     "outcome, cost_state, stream, provider, config, cache, discarded."},
    {"since", OPTION_TEXT, "30d", NULL, 0, 0, "TIME", "From this time on: a date, a time, or a span such as 24h."},
    {"until", OPTION_TEXT, NULL, NULL, 0, 0, "TIME", "Up to this time."},
    {"model", OPTION_TEXT, NULL, NULL, 0, 0, "M", "Only this model."},
    {"operation", OPTION_TEXT, NULL, NULL, 0, 0, "OP", "Only this operation."},
    {"key-id", OPTION_TEXT, NULL, NULL, 0, 0, "ID", "Only this key, by its id."},
    {"json", OPTION_FLAG, NULL, NULL, 0, 0, NULL, "Print the server's answer."},
    API_OPTIONS(X)};
#undef X

static void print_sums(const json_t *g)
{
    long long unpriced = api_int(g, "unpriced"), estimated = api_int(g, "estimated");
    printf("%10lld  %8lld  %12lld  %12lld  %18s", api_int(g, "requests"), api_int(g, "errors"),
           api_int(g, "input_tokens"), api_int(g, "output_tokens"), api_text(g, "cost_usd"));
    if (unpriced)
        printf("  + %lld UNPRICED", unpriced);
    if (estimated)
        printf("  (%lld estimated)", estimated);
    printf("\n");
}

static bool is_zero(const json_t *g, const char *name)
{
    const char *text = api_text(g, name);
    return text[strspn(text, "0.-")] == '\0';
}

/* What was thrown away and what was saved stand in columns of their own where there is any. */
static void print_extra(const json_t *g, const json_t *total)
{
    if (api_int(total, "discarded"))
        printf("%9lld  %9lld  %18s  ", api_int(g, "retries"), api_int(g, "fallbacks"), api_text(g, "wasted_usd"));
    if (api_int(total, "cache_hits") || !is_zero(total, "saved_usd"))
        printf("%10lld  %18s  ", api_int(g, "cache_hits"), api_text(g, "saved_usd"));
}

static void print_extra_head(const json_t *total)
{
    if (api_int(total, "discarded"))
        printf("%9s  %9s  %18s  ", "retries", "fallbacks", "wasted (USD)");
    if (api_int(total, "cache_hits") || !is_zero(total, "saved_usd"))
        printf("%10s  %18s  ", "cache hits", "saved (USD)");
}

/* How much of a time says all: the hour, the day, the month it begins. Other texts are printed whole. */
static int time_width(struct str dim)
{
    if (str_eq(dim, STR("hour")))
        return 16;
    if (str_eq(dim, STR("day")))
        return 10;
    return str_eq(dim, STR("month")) ? 7 : 512;
}

static const char *dim_text(const json_t *g, struct str dim, char out[DIM_TEXT_MAX])
{
    char name[64];
    str_copy(name, sizeof name, str_eq(dim, STR("key")) ? STR("key_name") : dim);
    const json_t *v = json_object_get(g, name);
    if (json_is_integer(v))
        snprintf(out, DIM_TEXT_MAX, "%lld", (long long)json_integer_value(v));
    else if (json_is_boolean(v))
        snprintf(out, DIM_TEXT_MAX, "%s", json_is_true(v) ? "yes" : "no");
    else
        snprintf(out, DIM_TEXT_MAX, "%.*s", time_width(dim), api_text(g, name));
    return out;
}

static int dim_width(const json_t *data, struct str dim)
{
    char text[DIM_TEXT_MAX];
    const json_t *g;
    int widest = DIM_WIDTH;
    size_t i;
    json_array_foreach(data, i, g)
    {
        int width = api_width(dim_text(g, dim, text));
        widest = width > widest ? width : widest;
    }
    return widest;
}

static void print_table(const json_t *root, struct str dims)
{
    const json_t *data = json_object_get(root, "data"), *total = json_object_get(root, "total"), *g;
    struct str rest = dims, dim;
    char text[DIM_TEXT_MAX];
    int widths[DIMS_MAX] = {0};
    size_t i, k = 0;
    for (; k < DIMS_MAX && rest.n && str_split(&rest, ',', &dim); k++) {
        widths[k] = dim_width(data, str_trim(dim));
        str_copy(text, sizeof text, str_trim(dim));
        api_cell(text, widths[k]);
    }
    print_extra_head(total);
    printf("%10s  %8s  %12s  %12s  %18s\n", "requests", "errors", "input", "output", "cost (USD)");
    json_array_foreach(data, i, g)
    {
        for (rest = dims, k = 0; k < DIMS_MAX && rest.n && str_split(&rest, ',', &dim); k++)
            api_cell(dim_text(g, str_trim(dim), text), widths[k]);
        print_extra(g, total);
        print_sums(g);
    }
    for (rest = dims, k = 0; k < DIMS_MAX && rest.n && str_split(&rest, ',', &dim); k++)
        api_cell(k ? "" : "total", widths[k]);
    print_extra(total, total);
    print_sums(total);
}

static int run(const struct command *self, struct option_value *values, int operand_count, char **operands)
{
    struct api_answer answer;
    struct buf path;
    struct str dims = option_get(self, values, "group-by")->text;
    (void)operand_count;
    (void)operands;
    buf_init(&path, API_TEXT_MAX);
    bool ok = buf_add_str(&path, STR("/tollgate/v1/cost"));
    must(ok);
    api_add_param(&path, "group_by", dims);
    api_add_param(&path, "since", option_get(self, values, "since")->text);
    api_add_param(&path, "until", option_get(self, values, "until")->text);
    api_add_param(&path, "model", option_get(self, values, "model")->text);
    api_add_param(&path, "operation", option_get(self, values, "operation")->text);
    api_add_param(&path, "key", option_get(self, values, "key-id")->text);
    int status = api_call(self, values, "GET", buf_str(&path), STR(""), &answer);
    if (status == EXIT_DONE && option_get(self, values, "json")->given) {
        printf("%.*s\n", STR_ARG(buf_str(&answer.body)));
    } else if (status == EXIT_DONE) {
        json_t *root = api_json(&answer);
        print_table(root, dims);
        json_decref(root);
    }
    api_answer_free(&answer);
    buf_free(&path);
    return status;
}

const struct command command_cost = {
    "cost", "", "Report cost and tokens by model, key, day and more.", options, sizeof options / sizeof options[0],
    run};

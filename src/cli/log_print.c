/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Log rows for people. A request is one line with its figures; what is out of the ordinary (a route, a
 * cache, waste, a failure) has lines of its own below it, so that plain requests stay on one.
 */
#include "cli/log_print.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "cli/api.h"

#define INDENT 19 /* the width of the time */
#define DEPTH_MAX 40

void log_print_head(void)
{
    printf("%-19s  %-17s  %-14s  %-22s  %-24s  %6s  %8s  %8s  %9s  %9s  %s\n", "TIME (UTC)", "ID", "KEY", "OPERATION",
           "MODEL", "STATUS", "INPUT", "OUTPUT", "FIRST", "TOTAL", "COST (USD)");
}

static void print_millis(long long us)
{
    if (us)
        printf("%7.1fms  ", (double)us / 1000);
    else
        printf("%9s  ", "-");
}

static bool is_text(const json_t *r, const char *name, const char *text)
{
    return strcmp(api_text(r, name), text) == 0;
}

static bool has_text(const json_t *r, const char *name)
{
    return json_string_length(json_object_get(r, name)) > 0;
}

static bool is_zero(const json_t *r, const char *name)
{
    const char *text = api_text(r, name);
    return text[strspn(text, "0.-")] == '\0';
}

static bool discarded(const json_t *r)
{
    return json_is_true(json_object_get(r, "discarded"));
}

static const char *cost_text(const json_t *r)
{
    return is_text(r, "cost_state", "unpriced") ? "UNPRICED" : api_text(r, "cost_usd");
}

/* Between what has been printed on the line and what comes. */
static const char *comma(bool *any)
{
    const char *text = *any ? ", " : "";
    *any = true;
    return text;
}

/*
 * "azure-openai config.targets[1] of pc-x (fallback), retry 1, cache MISS"; what is usual is left out,
 * and the config where the line above has it.
 */
static void print_route(const json_t *r, bool with_config, bool *any)
{
    if (has_text(r, "target"))
        printf("%s%s %s", comma(any), api_text(r, "provider"), api_text(r, "target"));
    if (with_config && has_text(r, "config"))
        printf(" of %s (%s)", api_text(r, "config"), api_text(r, "mode"));
    if (api_int(r, "retry"))
        printf("%sretry %lld", comma(any), api_int(r, "retry"));
    if (has_text(r, "cache") && !is_text(r, "cache", "DISABLED"))
        printf("%scache %s", comma(any), api_text(r, "cache"));
    if (!is_zero(r, "saved_usd"))
        printf("%ssaved %s", comma(any), api_text(r, "saved_usd"));
    if (has_text(r, "hooks") && !is_text(r, "hooks", "passed"))
        printf("%sguardrails %s", comma(any), api_text(r, "hooks"));
}

/* How an attempt ended that did not complete, and, where that says more, why. */
static void print_why(const json_t *r, bool *any)
{
    const char *outcome = api_text(r, "outcome"), *error = json_string_value(json_object_get(r, "error"));
    const char *detail = json_string_value(json_object_get(r, "error_detail"));
    bool says_more = error && strcmp(error, outcome) != 0;
    printf("%s%s%s%s%s%s", comma(any), outcome, says_more ? ": " : "", says_more ? error : "", detail ? ": " : "",
           detail ? detail : "");
}

static bool routed(const json_t *r)
{
    return has_text(r, "target") || (has_text(r, "cache") && !is_text(r, "cache", "DISABLED")) ||
           (has_text(r, "hooks") && !is_text(r, "hooks", "passed"));
}

static void print_line(const json_t *r)
{
    const json_t *usage = json_object_get(r, "usage");
    const char *model = api_text(r, has_text(r, "model_answered") ? "model_answered" : "model_asked");
    char time[20] = "";
    memcpy(time, api_text(r, "started_at"), strlen(api_text(r, "started_at")) >= 19 ? 19 : 1);
    if (time[10] == 'T')
        time[10] = ' ';
    long long status = api_int(r, "status");
    printf("%-19s  %-17s  %-14.14s  %-22.22s  %-24.24s  ", time, api_text(r, "id"), api_text(r, "key_name"),
           api_text(r, "operation"), model);
    if (status)
        printf("%6lld", status);
    else
        printf("%6s", "-");
    printf("  %8lld  %8lld  ", api_int(usage, "input_tokens"), api_int(usage, "output_tokens"));
    print_millis(api_int(r, "first_byte_us"));
    print_millis(api_int(r, "total_us"));
    printf("%s%s%s%s\n", cost_text(r), is_text(r, "cost_state", "estimated") ? " (estimated)" : "",
           discarded(r) ? " wasted" : "", is_text(r, "outcome", "completed") ? "" : " !");
}

void log_print_row(const json_t *r)
{
    bool any = false;
    print_line(r);
    if (routed(r)) {
        printf("%*s  ", INDENT, "");
        print_route(r, true, &any);
        printf("\n");
    }
    if (!is_text(r, "outcome", "completed")) {
        any = false;
        printf("%*s  ", INDENT, "");
        print_why(r, &any);
        printf("\n");
    }
}

/* --- requests -------------------------------------------------------------------------------- */

/* An attempt below its request: "- attempt 0, 429, openai config.targets[0], 12.1 ms, wasted 0.0001". */
static void print_attempt(const json_t *r, int indent)
{
    bool any = true;
    printf("%*s  - attempt %lld, %lld", indent, "", api_int(r, "attempt"), api_int(r, "status"));
    print_route(r, false, &any);
    printf(", %.1f ms, %s%s", (double)api_int(r, "total_us") / 1000, discarded(r) ? "wasted " : "cost ", cost_text(r));
    if (!is_text(r, "outcome", "completed"))
        print_why(r, &any);
    printf("\n");
}

struct listing {
    const json_t *rows;
    size_t count;
    const char **requests; /* of the rows; "" once printed */
};

/*
 * The row that stands for its request, whose first one in the list is at `from`: the answer, and of
 * several (a tool with a price of its own has a row too) the one that was sent to a target.
 */
static const json_t *answer_of(const struct listing *l, size_t from)
{
    const json_t *best = json_array_get(l->rows, from);
    for (size_t i = from; i < l->count; i++) {
        const json_t *r = json_array_get(l->rows, i);
        if (strcmp(l->requests[i], l->requests[from]) != 0 || discarded(r))
            continue;
        if (discarded(best) || has_text(r, "target") > has_text(best, "target") ||
            (has_text(r, "target") == has_text(best, "target") && api_int(r, "attempt") < api_int(best, "attempt")))
            best = r;
    }
    return best;
}

static void print_request(struct listing *l, size_t from)
{
    const char *request = l->requests[from];
    const json_t *answer = answer_of(l, from);
    long long oldest = api_int(answer, "attempt");
    log_print_row(answer);
    for (size_t i = l->count; i-- > from;) {
        const json_t *r = json_array_get(l->rows, i);
        if (strcmp(l->requests[i], request) != 0)
            continue;
        if (api_int(r, "attempt") < oldest)
            oldest = api_int(r, "attempt");
        if (r != answer)
            print_attempt(r, INDENT);
        if (i != from)
            l->requests[i] = "";
    }
    if (oldest > 0)
        printf("%*s  - %lld earlier attempt%s not shown\n", INDENT, "", oldest, oldest == 1 ? " is" : "s are");
}

void log_print_requests(const json_t *rows)
{
    struct listing l = {.rows = rows, .count = json_array_size(rows)};
    l.requests = mem_alloc((l.count + 1) * sizeof *l.requests);
    for (size_t i = 0; i < l.count; i++)
        l.requests[i] = api_text(json_array_get(rows, i), "request_id");
    log_print_head();
    for (size_t i = 0; i < l.count; i++)
        if (l.requests[i][0])
            print_request(&l, i);
    mem_free(l.requests);
    fflush(stdout);
}

/* --- traces ---------------------------------------------------------------------------------- */

static void print_sums(const json_t *t)
{
    printf("Trace %s: %lld requests, %lld attempts, %.1f ms, cost %s USD", api_text(t, "trace_id"),
           api_int(t, "requests"), api_int(t, "attempts"), (double)api_int(t, "total_us") / 1000,
           api_text(t, "cost_usd"));
    if (!is_zero(t, "wasted_usd"))
        printf(", %s of it wasted", api_text(t, "wasted_usd"));
    if (!is_zero(t, "saved_usd"))
        printf(", %s saved", api_text(t, "saved_usd"));
    if (api_int(t, "unpriced"))
        printf(", %lld UNPRICED", api_int(t, "unpriced"));
    printf("%s\n", json_is_true(json_object_get(t, "has_more")) ? "; the oldest attempts are not shown" : "");
}

void log_print_trace(const json_t *t)
{
    const json_t *spans = json_object_get(t, "spans"), *span, *attempt;
    size_t i, k;
    print_sums(t);
    json_array_foreach(spans, i, span)
    {
        const json_t *attempts = json_object_get(span, "attempts"), *last;
        long long depth = api_int(span, "depth");
        int indent = 2 * (int)(depth < DEPTH_MAX ? depth : DEPTH_MAX);
        last = json_array_get(attempts, json_array_size(attempts) - 1);
        printf("%*s%s  %s  %s %s  %.19s\n", indent, "", api_text(span, "name"), api_text(span, "span_id"),
               api_text(last, "operation"),
               api_text(last, has_text(last, "model_answered") ? "model_answered" : "model_asked"),
               api_text(last, "started_at"));
        json_array_foreach(attempts, k, attempt) print_attempt(attempt, indent);
    }
    fflush(stdout);
}

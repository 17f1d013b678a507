/* SPDX-License-Identifier: Apache-2.0 */
/* tollgate logs: the latest requests, one of them with its bodies, or a trace. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/must.h"
#include "cli/api.h"
#include "cli/log_print.h"
#include "net/url.h"

#define ROWS_MAX 10000 /* of one answer */
#define CURSOR_MAX 64

#define X(name, kind, fallback, env, min, max, metavar, text) \
    {name, OPTION_##kind, fallback, env, min, max, metavar, text},
static const struct option options[] = {
    {"limit", OPTION_INT, "20", NULL, 1, 10000, "N", "How many, newest first."},
    {"since", OPTION_TEXT, NULL, NULL, 0, 0, "TIME", "From this time on: a date, a time, or a span such as 24h."},
    {"until", OPTION_TEXT, NULL, NULL, 0, 0, "TIME", "Up to this time."},
    {"model", OPTION_TEXT, NULL, NULL, 0, 0, "M", "Only this model, asked or answered."},
    {"operation", OPTION_TEXT, NULL, NULL, 0, 0, "OP", "Only this operation, such as chat.completions."},
    {"key-id", OPTION_TEXT, NULL, NULL, 0, 0, "ID", "Only this key, by its id."},
    {"status", OPTION_TEXT, NULL, NULL, 0, 0, "S", "Only this HTTP status, or class: 2, 4, 5."},
    {"outcome", OPTION_TEXT, NULL, NULL, 0, 0, "O", "Only this outcome, such as client_cancelled."},
    {"cost-state", OPTION_TEXT, NULL, NULL, 0, 0, "S", "Only this state of cost, such as unpriced."},
    {"trace", OPTION_TEXT, NULL, NULL, 0, 0, "ID",
     "This trace, as a tree of its spans; with other filters or --json, a list."},
    {"request", OPTION_TEXT, NULL, NULL, 0, 0, "ID", "Only the attempts of this request."},
    {"span", OPTION_TEXT, NULL, NULL, 0, 0, "ID", "Only this span."},
    {"config", OPTION_TEXT, NULL, NULL, 0, 0, "SLUG",
     "Only attempts of this routing config; inline for those of headers."},
    {"provider", OPTION_TEXT, NULL, NULL, 0, 0, "P", "Only attempts at this provider, such as azure-openai."},
    {"cache", OPTION_TEXT, NULL, NULL, 0, 0, "S", "Only this cache status, such as HIT."},
    {"discarded", OPTION_FLAG, NULL, NULL, 0, 0, NULL,
     "Only attempts whose answer was thrown away: what retries and fallbacks cost."},
    {"follow", OPTION_FLAG, NULL, NULL, 0, 0, NULL, "Go on printing new ones until interrupted."},
    {"json", OPTION_FLAG, NULL, NULL, 0, 0, NULL, "One JSON object a line."},
    API_OPTIONS(X)};
#undef X

static const struct {
    const char *option, *param;
} params[] = {{"since", "since"},       {"until", "until"},        {"model", "model"},     {"operation", "operation"},
              {"key-id", "key"},        {"status", "status"},      {"outcome", "outcome"}, {"cost-state", "cost_state"},
              {"trace", "trace_id"},    {"request", "request_id"}, {"span", "span_id"},    {"config", "config"},
              {"provider", "provider"}, {"cache", "cache"}};

static void write_path(struct buf *path, const struct command *c, const struct option_value *v)
{
    bool ok = buf_printf(path, "/tollgate/v1/logs?limit=%llu", (unsigned long long)option_get(c, v, "limit")->number);
    must(ok);
    for (size_t i = 0; i < sizeof params / sizeof params[0]; i++)
        api_add_param(path, params[i].param, option_get(c, v, params[i].option)->text);
    if (option_get(c, v, "discarded")->given)
        api_add_param(path, "discarded", STR("true"));
}

/* Objects of "data" as the server wrote them: cut out by their braces, so that no digit changes. */
static size_t cut_rows(struct str body, struct str rows[ROWS_MAX])
{
    ptrdiff_t at = str_search(body, STR("\"data\":["));
    int depth = 0;
    bool in_string = false;
    size_t begin = 0, count = 0;
    for (size_t i = at < 0 ? body.n : (size_t)at + 8; i < body.n && count < ROWS_MAX; i++) {
        char c = body.p[i];
        if (in_string) {
            if (c == '\\')
                i++;
            in_string = c != '"';
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' && depth++ == 0) {
            begin = i;
        } else if (c == '}' && --depth == 0) {
            rows[count++] = str_of(body.p + begin, i + 1 - begin);
        } else if (c == ']' && depth == 0) {
            break;
        }
    }
    return count;
}

static bool has_id(const json_t *data, const char *id)
{
    for (size_t i = 0; i < json_array_size(data); i++)
        if (strcmp(api_text(json_array_get(data, i), "id"), id) == 0)
            return true;
    return false;
}

/* The answer's rows, in their order or the other way round, without those in `seen` (which may be NULL). */
static void print_rows(const struct api_answer *answer, const json_t *data, bool json, bool backwards,
                       const json_t *seen)
{
    static struct str rows[ROWS_MAX];
    size_t count = json ? cut_rows(buf_str(&answer->body), rows) : json_array_size(data);
    for (size_t k = 0; k < count; k++) {
        size_t i = backwards ? count - 1 - k : k;
        const json_t *r = json_array_get(data, i);
        if (has_id(seen, api_text(r, "id")))
            continue;
        if (json)
            printf("%.*s\n", STR_ARG(rows[i]));
        else
            log_print_row(r);
    }
    fflush(stdout);
}

static int print_once(const struct command *c, const struct option_value *v, struct str path)
{
    struct api_answer answer;
    bool json = option_get(c, v, "json")->given;
    int status = api_call(c, v, "GET", path, STR(""), &answer);
    if (status == EXIT_DONE) {
        json_t *root = api_json(&answer), *data = json_object_get(root, "data");
        if (json)
            print_rows(&answer, data, true, false, NULL);
        else if (json_array_size(data))
            log_print_requests(data);
        else
            fprintf(stderr, "tollgate logs: no requests match\n");
        json_decref(root);
    }
    api_answer_free(&answer);
    return status;
}

/* One step of following from `cursor`, which moves on. */
static int follow_on(const struct command *c, const struct option_value *v, struct str path, char cursor[CURSOR_MAX],
                     const json_t *seen, bool *ret_more)
{
    struct buf from;
    struct api_answer answer;
    buf_init(&from, API_TEXT_MAX);
    bool ok = buf_add_str(&from, path);
    must(ok);
    api_add_param(&from, "follow", str_c(cursor));
    int status = api_call(c, v, "GET", buf_str(&from), STR(""), &answer);
    if (status == EXIT_DONE) {
        json_t *root = api_json(&answer);
        print_rows(&answer, json_object_get(root, "data"), option_get(c, v, "json")->given, false, seen);
        if (api_int(root, "missed"))
            fprintf(stderr, "tollgate logs: %lld requests ended faster than they could be shown\n",
                    api_int(root, "missed"));
        str_copy(cursor, CURSOR_MAX, str_c(api_text(root, "cursor")));
        *ret_more = json_is_true(json_object_get(root, "has_more"));
        json_decref(root);
    }
    api_answer_free(&answer);
    buf_free(&from);
    return status;
}

/*
 * The latest rows, then new ones as they end. The cursor is taken before the latest are asked for, so
 * what ends in between is in both, and is shown once.
 */
static int follow(const struct command *c, const struct option_value *v, struct str path)
{
    char cursor[CURSOR_MAX] = "now";
    struct api_answer latest;
    bool json = option_get(c, v, "json")->given, more = false;
    int status = follow_on(c, v, path, cursor, NULL, &more);
    if (status == EXIT_DONE)
        status = api_call(c, v, "GET", path, STR(""), &latest);
    if (status != EXIT_DONE)
        return status;
    json_t *root = api_json(&latest);
    if (!json)
        log_print_head();
    print_rows(&latest, json_object_get(root, "data"), json, true, NULL);
    status = follow_on(c, v, path, cursor, json_object_get(root, "data"), &more);
    json_decref(root);
    api_answer_free(&latest);
    while (status == EXIT_DONE) {
        if (!more)
            sleep(1);
        status = follow_on(c, v, path, cursor, NULL, &more);
    }
    return status;
}

static void print_body(const json_t *r, const char *title, const char *name)
{
    const json_t *b = json_object_get(r, name);
    if (!b)
        return;
    printf("\n%s, %lld bytes%s:\n%s\n", title, api_int(b, "size_bytes"),
           json_is_true(json_object_get(b, "cut")) ? ", the beginning" : "",
           api_text(b, json_object_get(b, "text") ? "text" : "base64"));
}

/* One request, member by member, then its bodies. */
static int show(const struct command *c, const struct option_value *v, const char *id)
{
    struct api_answer answer;
    struct buf path;
    buf_init(&path, API_TEXT_MAX);
    bool ok = buf_add_str(&path, STR("/tollgate/v1/logs/")) && url_encode(&path, str_c(id));
    must(ok);
    int status = api_call(c, v, "GET", buf_str(&path), STR(""), &answer);
    if (status == EXIT_DONE && option_get(c, v, "json")->given) {
        printf("%.*s\n", STR_ARG(buf_str(&answer.body)));
    } else if (status == EXIT_DONE) {
        json_t *root = api_json(&answer), *value;
        const char *name;
        json_object_foreach(root, name, value)
        {
            char *text = json_is_object(value) && strstr(name, "_body") ? NULL : json_dumps(value, JSON_ENCODE_ANY);
            if (text && strcmp(text, "null"))
                printf("%-20s %s\n", name, json_is_string(value) ? json_string_value(value) : text);
            mem_free(text);
        }
        print_body(root, "Request body", "request_body");
        print_body(root, "Response body", "response_body");
        json_decref(root);
    }
    api_answer_free(&answer);
    buf_free(&path);
    return status;
}

/* Nothing but the trace was asked for. */
static bool wants_tree(const struct command *c, const struct option_value *v)
{
    static const char *const others[] = {"since",   "until",      "model",   "operation", "key-id", "status",
                                         "outcome", "cost-state", "request", "span",      "config", "provider",
                                         "cache",   "discarded",  "follow",  "json"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (option_get(c, v, others[i])->given)
            return false;
    return option_get(c, v, "trace")->given;
}

static int show_trace(const struct command *c, const struct option_value *v)
{
    struct api_answer answer;
    struct buf path;
    buf_init(&path, API_TEXT_MAX);
    bool ok = buf_add_str(&path, STR("/tollgate/v1/traces/")) && url_encode(&path, option_get(c, v, "trace")->text);
    must(ok);
    int status = api_call(c, v, "GET", buf_str(&path), STR(""), &answer);
    if (status == EXIT_DONE) {
        json_t *root = api_json(&answer);
        log_print_trace(root);
        json_decref(root);
    }
    api_answer_free(&answer);
    buf_free(&path);
    return status;
}

static int run(const struct command *self, struct option_value *values, int operand_count, char **operands)
{
    struct buf path;
    if (operand_count > 1) {
        fprintf(stderr, "tollgate logs: one id at most\n");
        return EXIT_USAGE;
    }
    if (operand_count == 1)
        return show(self, values, operands[0]);
    if (wants_tree(self, values))
        return show_trace(self, values);
    buf_init(&path, API_TEXT_MAX);
    write_path(&path, self, values);
    int status = option_get(self, values, "follow")->given ? follow(self, values, buf_str(&path))
                                                           : print_once(self, values, buf_str(&path));
    buf_free(&path);
    return status;
}

const struct command command_logs = {
    "logs", "[ID]", "Show requests, newest first, or one with its bodies.", options, sizeof options / sizeof options[0],
    run};

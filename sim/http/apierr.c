/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table has the errors that OpenAI documents, by status and code; the first row of a status is
 * its default. Azure has another, poorer body for the same.
 */
#include "sim/http/apierr.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/json_write.h"
#include "base/must.h"
#include "sim/http/answer.h"
#include "sim/http/call.h"

struct row {
    int status;
    const char *type, *code, *retry_after, *message;
};

static const struct row rows[] = {
    {400, "invalid_request_error", "invalid_value", NULL, "The request is invalid."},
    {400, "invalid_request_error", "context_length_exceeded", NULL,
     "Your input exceeds the context window of this model. Please adjust your input and try again."},
    {400, "invalid_request_error", "unsupported_parameter", NULL, "Unsupported parameter."},
    {400, "invalid_request_error", "missing_required_parameter", NULL, "Missing required parameter."},
    {400, "image_generation_user_error", "moderation_blocked", NULL, "Your request was rejected by the safety system."},
    {401, "invalid_request_error", "invalid_api_key", NULL, "Incorrect API key provided."},
    {403, "request_forbidden", "unsupported_country_region_territory", NULL,
     "Country, region, or territory not supported"},
    {404, "invalid_request_error", "model_not_found", NULL,
     "The model does not exist or you do not have access to it."},
    {405, "invalid_request_error", "method_not_supported", NULL, "Not allowed."},
    {408, "timeout", NULL, NULL, "Request timed out."},
    {409, "invalid_request_error", "conflict", NULL, "The resource was changed by another request."},
    {413, "invalid_request_error", "request_too_large", NULL, "The request is too large."},
    {415, "invalid_request_error", "unsupported_content_type", NULL, "Unsupported content type."},
    {422, "invalid_request_error", "unprocessable", NULL, "The request could not be processed."},
    {429, "requests", "rate_limit_exceeded", "1",
     "Rate limit reached for requests. Limit: 10000 / min. Please try again in 6ms."},
    {429, "rate_limit_error", "slow_down", "1", "Please slow down your requests."},
    {429, "insufficient_quota", "insufficient_quota", NULL,
     "You exceeded your current quota, please check your plan and billing details."},
    {429, "insufficient_quota", "credit_balance_exhausted", NULL, "Your credit balance is exhausted."},
    {429, "insufficient_quota", "organization_spend_limit_exceeded", NULL,
     "The organization's spend limit is exceeded."},
    {429, "insufficient_quota", "project_spend_limit_exceeded", NULL, "The project's spend limit is exceeded."},
    {429, "insufficient_quota", "organization_usage_limit_exceeded", NULL,
     "The organization's usage limit is exceeded."},
    {429, "insufficient_quota", "billing_not_active", NULL, "Your account is not active."},
    {500, "server_error", NULL, NULL, "The server had an error while processing your request. Sorry about that!"},
    {502, "server_error", NULL, NULL, "Bad gateway."},
    {503, "service_unavailable_error", "server_is_overloaded", NULL,
     "The server is currently overloaded with other requests. Sorry about that! You can retry your request."},
    {504, "server_error", NULL, NULL, "Gateway timeout."},
};
#define ROWS (sizeof rows / sizeof rows[0])

static void text_or_null(struct json_write *w, const char *name, const char *z)
{
    if (z)
        json_write_member_string(w, name, str_c(z));
    else
        json_write_member_null(w, name);
}

static void write_openai(struct buf *out, const char *type, const char *param, const char *code, struct str message)
{
    struct json_write w;
    json_write_init(&w, out);
    json_write_object(&w);
    json_write_key(&w, STR("error"));
    json_write_object(&w);
    json_write_member_string(&w, "message", message);
    json_write_member_string(&w, "type", str_c(type));
    text_or_null(&w, "param", param);
    text_or_null(&w, "code", code);
    json_write_object_end(&w);
    json_write_object_end(&w);
    must(json_write_done(&w));
}

/* Azure's errors have a code always, the status' number when there is no better one. */
static void write_azure(struct buf *out, int status, const char *code, struct str message)
{
    char number[16];
    struct json_write w;
    snprintf(number, sizeof number, "%d", status);
    json_write_init(&w, out);
    json_write_object(&w);
    json_write_key(&w, STR("error"));
    json_write_object(&w);
    json_write_member_string(&w, "code", str_c(code && status < 500 && status != 429 ? code : number));
    json_write_member_string(&w, "message", message);
    json_write_object_end(&w);
    json_write_object_end(&w);
    must(json_write_done(&w));
}

static void send_error(struct call *c, int status, const char *type, const char *param, const char *code,
                       struct str message)
{
    struct buf out;
    buf_init(&out, 1 << 20);
    if (call_on_azure(c))
        write_azure(&out, status, code, message);
    else
        write_openai(&out, type, param, code, message);
    answer_json(c, status, &out);
}

void apierr(struct call *c, int status, const char *type, const char *param, const char *code, const char *format, ...)
{
    char message[1024];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(message, sizeof message, format, args);
    va_end(args);
    must(n >= 0);
    send_error(c, status, type, param, code, str_c(message));
}

void apierr_missing(struct call *c, const char *param)
{
    apierr(c, 400, "invalid_request_error", param, "missing_required_parameter", "Missing required parameter: '%s'.",
           param);
}

void apierr_invalid(struct call *c, const char *param, const char *format, ...)
{
    char message[512];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    apierr(c, 400, "invalid_request_error", param, "invalid_value", "%s", message);
}

void apierr_no_such(struct call *c, const char *what, struct str id)
{
    apierr(c, 404, "invalid_request_error", "id", NULL, "No such %s object: %.*s", what, STR_ARG(str_head(id, 200)));
}

void apierr_no_model(struct call *c, struct str model)
{
    apierr(c, 404, "invalid_request_error", NULL, "model_not_found",
           "The model `%.*s` does not exist or you do not have access to it.", STR_ARG(str_head(model, 200)));
}

static const struct row *row_of(int status, struct str code)
{
    for (size_t i = 0; code.n && i < ROWS; i++)
        if (rows[i].code && str_eq(str_c(rows[i].code), code) && (!status || rows[i].status == status))
            return &rows[i];
    for (size_t i = 0; i < ROWS; i++)
        if (rows[i].status == status)
            return &rows[i];
    return NULL;
}

void apierr_on_cue(struct call *c, int status, struct str code)
{
    const struct row *row = row_of(status, code);
    static const struct row other = {0, "api_error", NULL, NULL, "An error on cue."};
    if (!row)
        row = &other;
    if (!status)
        status = row->status ? row->status : 500;
    if (row->retry_after && !cue_has(c->cue, CUE_RETRY_AFTER))
        answer_header(c, "retry-after", str_c(row->retry_after));
    if (status == 204 || status == 304) {
        answer_empty(c, status);
        return;
    }
    struct str given = code.n ? arena_dup(c->arena, code) : STR("");
    send_error(c, status, row->type, NULL, given.n ? given.p : row->code, str_c(row->message));
}

void apierr_body(struct buf *out, int status, struct str code)
{
    const struct row *row = row_of(status, code);
    if (!row)
        row = row_of(500, STR(""));
    write_openai(out, row->type, NULL, row->code, str_c(row->message));
}

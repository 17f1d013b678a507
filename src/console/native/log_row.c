/* SPDX-License-Identifier: Apache-2.0 */
/* A record as members of a JSON object; the same in lists, in traces and alone. */
#include "console/native/log_row.h"

#include "base/encode.h"
#include "base/json/jdoc.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "console/native/output.h"
#include "openai/price.h"

bool log_row_json_valid(struct str text)
{
    struct jdoc doc;
    jdoc_init(&doc);
    bool good = text.n > 0 && jdoc_parse(&doc, text);
    jdoc_free(&doc);
    return good;
}

void log_row_headers(struct json_write *w, const char *name, struct str text)
{
    if (log_row_json_valid(text))
        json_write_member_raw(w, name, text);
    else
        json_write_member_null(w, name);
}

void log_row_id(struct json_write *w, const char *name, int64_t id)
{
    char text[RECORD_ID_TEXT_MAX];
    json_write_member_string(w, name, str_of(text, record_id_format(id, text)));
}

static void write_cost(struct json_write *w, const struct record *r)
{
    char version[PRICE_VERSION_TEXT_MAX];
    bool known = r->cost.state != COST_UNPRICED;
    if (known)
        json_write_member_money(w, "cost_usd", r->cost.total_pusd);
    else
        json_write_member_null(w, "cost_usd");
    json_write_member_string(w, "cost_state", str_c(cost_state_text(r->cost.state)));
    if (r->cost.reason != COST_REASON_EXACT) {
        json_write_member_string(w, "cost_reason", str_c(cost_reason_text(r->cost.reason)));
        json_write_member_string(w, "cost_reason_text", str_c(cost_reason_sentence(r->cost.reason)));
    }
    if (r->catalog_version)
        json_write_member_string(w, "prices", str_of(version, price_version_format(r->catalog_version, version)));
    else
        json_write_member_null(w, "prices"); /* no price was looked for */
}

static void write_usage(struct json_write *w, const struct usage *u)
{
    json_write_key(w, STR("usage"));
    json_write_object(w);
    json_write_member_string(w, "source", str_c(usage_source_text(u->source)));
    json_write_member_uint(w, "input_tokens", u->input_total_tok);
    json_write_member_uint(w, "output_tokens", u->output_total_tok);
    json_write_member_uint(w, "reasoning_tokens", u->reasoning_tok);
    output_meters(w, "meters", u->quantity);
    json_write_object_end(w);
}

static void write_trace(struct json_write *w, const struct record *r)
{
    char own[RECORD_TRACE_TEXT_MAX];
    record_trace_format(r->request_id, own);
    json_write_member_string(w, "trace_id", r->trace_id.n ? r->trace_id : str_c(own));
}

static void write_retries(struct json_write *w, uint32_t retries)
{
    json_write_member_int(w, "retries", retries == RECORD_RETRIES_USED_UP ? -1 : (int64_t)retries);
}

static void write_routing(struct json_write *w, const struct record *r, const struct names *n)
{
    const struct record_routing *o = &r->routing;
    json_write_member_text(w, "provider", names_provider(n, r));
    json_write_member_text(w, "config", o->config);
    json_write_member_uint(w, "config_version", o->config_version);
    json_write_member_text(w, "mode", o->mode);
    json_write_member_text(w, "target", o->target);
    json_write_member_uint(w, "retry", o->retry);
    write_retries(w, o->retries);
    json_write_member_bool(w, "discarded", o->discarded);
    json_write_member_string(w, "cache", str_c(record_cache_text(o->cache)));
    json_write_member_money(w, "saved_usd", o->saved_pusd);
    json_write_member_text(w, "hooks", str_c(record_hooks_text(o->hooks)));
    log_row_headers(w, "hook_results", o->hook_results);
    json_write_member_text(w, "span_name", o->span_name);
    json_write_member_text(w, "sdk_version", o->sdk_version);
    json_write_member_text(w, "runtime", o->runtime);
    json_write_member_text(w, "runtime_version", o->runtime_version);
}

void log_row_write(struct json_write *w, const struct record *r, const struct names *n)
{
    log_row_id(w, "id", r->id);
    log_row_id(w, "request_id", r->request_id);
    json_write_member_uint(w, "attempt", r->attempt);
    output_time(w, "started_at", r->started_us);
    json_write_member_string(w, "workspace", names_workspace(n, r->workspace_id));
    json_write_member_string(w, "key", names_key_id(n, r->key_id));
    json_write_member_string(w, "key_name", names_key(n, r->key_id));
    json_write_member_text(w, "integration", names_integration(n, r->integration_id));
    json_write_member_string(w, "method", r->method);
    json_write_member_string(w, "path", r->path);
    json_write_member_string(w, "operation", r->operation);
    json_write_member_text(w, "model_asked", r->model_asked);
    json_write_member_text(w, "model_answered", r->model_answered);
    json_write_member_text(w, "service_tier", r->service_tier);
    json_write_member_bool(w, "stream", r->stream);
    json_write_member_uint(w, "status", r->status);
    json_write_member_uint(w, "upstream_status", r->upstream_status);
    json_write_member_string(w, "outcome", str_c(record_outcome_text(r->outcome)));
    json_write_member_text(w, "error", r->err ? str_c(err_info(r->err)->code) : STR(""));
    json_write_member_text(w, "error_detail", r->err_detail);
    json_write_member_text(w, "finish_reason", r->finish_reason);
    json_write_member_text(w, "upstream_host", r->upstream_host);
    json_write_member_text(w, "upstream_request_id", r->upstream_request_id);
    write_trace(w, r);
    json_write_member_text(w, "span_id", r->span_id);
    json_write_member_text(w, "parent_span_id", r->parent_span_id);
    write_routing(w, r, n);
    json_write_member_text(w, "user", r->user);
    json_write_member_text(w, "metadata", r->metadata);
    json_write_member_text(w, "user_agent", r->user_agent);
    json_write_member_uint(w, "first_byte_us", r->first_byte_us);
    json_write_member_uint(w, "total_us", r->total_us);
    json_write_member_uint(w, "overhead_us", r->overhead_us);
    json_write_member_uint(w, "events", r->events);
    json_write_member_uint(w, "request_bytes", r->request_body.size_bytes);
    json_write_member_uint(w, "response_bytes", r->response_body.size_bytes);
    write_usage(w, &r->usage);
    write_cost(w, r);
}

/* A body as text when it is UTF-8, else as base64. */
void log_row_body(struct json_write *w, const char *name, const struct record_body *b)
{
    if (!b->bytes.n && b->size_bytes) {
        json_write_member_null(w, name);
        return;
    }
    json_write_key(w, str_c(name));
    json_write_object(w);
    json_write_member_uint(w, "size_bytes", b->size_bytes);
    json_write_member_bool(w, "cut", b->bytes.n < b->size_bytes);
    if (b->has_sha256) {
        char hex[65];
        encode_hex(b->sha256, sizeof b->sha256, hex);
        json_write_member_string(w, "sha256", str_of(hex, 64));
    }
    if (utf8_valid(b->bytes)) {
        json_write_member_string(w, "text", b->bytes);
    } else {
        char *base64 = mem_alloc(ENCODE_BASE64_MAX(b->bytes.n));
        size_t n = encode_base64(b->bytes.p, b->bytes.n, base64);
        json_write_member_string(w, "base64", str_of(base64, n));
        mem_free(base64);
    }
    json_write_object_end(w);
}

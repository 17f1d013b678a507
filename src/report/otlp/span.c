/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of attributes: semantic conventions of OpenTelemetry for GenAI spans (registry of attributes
 * gen_ai.*, openai.*, error.*, server.*, http.*), as of 2026; gen_ai.system is the older name of
 * gen_ai.provider.name and still what many backends group by. 64-bit integers are strings in JSON
 * (protobuf's mapping), ids are hexadecimal (OTLP's exception from it).
 */
#include "report/otlp/span.h"

#include <openssl/sha.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/digits.h"
#include "base/encode.h"
#include "base/json/jdoc.h"
#include "base/must.h"
#include "base/version.h"
#include "control/snapshot.h"

#define REQUEST_BIT (UINT64_C(1) << 63)
#define TEXT_MAX 512     /* of an attribute */
#define METADATA_MAX 32  /* attributes made of metadata */
#define METADATA_NAME 64 /* characters of a name in metadata */
#define METADATA_ROOM 65536
#define HTTPS_PORT 443

enum { KIND_INTERNAL = 1, KIND_CLIENT = 3 };
enum { STATUS_ERROR = 2 };

/* --- ids ------------------------------------------------------------------------------------- */

/* "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx" without its dashes. */
static bool strip_uuid(struct str text, char out[32])
{
    size_t n = 0;
    if (text.n != 36)
        return false;
    for (size_t i = 0; i < text.n; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash != (text.p[i] == '-'))
            return false;
        if (!dash)
            out[n++] = text.p[i];
    }
    return true;
}

static bool is_zero(const unsigned char *bytes, size_t n)
{
    unsigned char any = 0;
    for (size_t i = 0; i < n; i++)
        any |= bytes[i];
    return !any;
}

static bool read_trace(struct str text, unsigned char out[SPAN_TRACE_BYTES])
{
    char hex[32];
    if (strip_uuid(text, hex))
        text = str_of(hex, sizeof hex);
    return encode_unhex(text, out, SPAN_TRACE_BYTES) && !is_zero(out, SPAN_TRACE_BYTES);
}

void span_trace_id(const struct record *r, unsigned char out[SPAN_TRACE_BYTES])
{
    char own[RECORD_TRACE_TEXT_MAX];
    unsigned char hash[SHA256_DIGEST_LENGTH];
    struct str text = r->trace_id;
    if (!text.n) {
        record_trace_format(r->request_id, own);
        text = str_c(own);
    }
    if (read_trace(text, out))
        return;
    SHA256((const unsigned char *)text.p, text.n, hash);
    memcpy(out, hash, SPAN_TRACE_BYTES);
}

/* 16 hexadecimal digits, not all zero; else 0. */
static uint64_t read_span(struct str text)
{
    uint64_t id;
    return text.n == 16 && str_hex_to_u64(text, &id) ? id : 0;
}

uint64_t span_of_request(const struct record *r)
{
    uint64_t given = read_span(r->span_id);
    return given ? given : (uint64_t)r->request_id | REQUEST_BIT;
}

uint64_t span_of_attempt(const struct record *r, bool alone)
{
    uint64_t given = alone ? read_span(r->span_id) : 0;
    return given ? given : (uint64_t)r->id;
}

uint64_t span_of_caller(const struct record *r)
{
    return read_span(r->parent_span_id);
}

/* --- attributes ------------------------------------------------------------------------------ */

static void begin_value(struct json_write *w, struct str name)
{
    json_write_object(w);
    json_write_key(w, STR("key"));
    json_write_string(w, name);
    json_write_key(w, STR("value"));
    json_write_object(w);
}

static void end_value(struct json_write *w)
{
    json_write_object_end(w);
    json_write_object_end(w);
}

/* Nothing when empty. */
static void put_text(struct json_write *w, const char *name, struct str text)
{
    if (!text.n)
        return;
    begin_value(w, str_c(name));
    json_write_member_string(w, "stringValue", str_head(text, TEXT_MAX));
    end_value(w);
}

/* A 64-bit integer, which JSON writes as a string. */
static void put_number(struct json_write *w, const char *name, uint64_t v)
{
    char digits[DIGITS_DECIMAL_MAX];
    begin_value(w, str_c(name));
    json_write_member_string(w, "intValue", str_of(digits, digits_decimal(v, digits)));
    end_value(w);
}

static void put_count(struct json_write *w, const char *name, uint64_t v)
{
    if (v)
        put_number(w, name, v);
}

static void put_true(struct json_write *w, const char *name, bool v)
{
    if (!v)
        return;
    begin_value(w, str_c(name));
    json_write_member_bool(w, "boolValue", true);
    end_value(w);
}

static void put_seconds(struct json_write *w, const char *name, uint64_t us)
{
    char text[40];
    int n = snprintf(text, sizeof text, "%llu.%06u", (unsigned long long)(us / 1000000), (unsigned)(us % 1000000));
    begin_value(w, str_c(name));
    json_write_member_raw(w, "doubleValue", str_of(text, (size_t)n));
    end_value(w);
}

static void put_money(struct json_write *w, const char *name, money_sum pusd)
{
    char text[MONEY_TEXT_MAX];
    put_text(w, name, str_of(text, money_format(pusd, text)));
}

static void put_list_of_one(struct json_write *w, const char *name, struct str text)
{
    if (!text.n)
        return;
    begin_value(w, str_c(name));
    json_write_key(w, STR("arrayValue"));
    json_write_object(w);
    json_write_key(w, STR("values"));
    json_write_array(w);
    json_write_object(w);
    json_write_member_string(w, "stringValue", text);
    json_write_object_end(w);
    json_write_array_end(w);
    json_write_object_end(w);
    end_value(w);
}

/* --- what a row says ------------------------------------------------------------------------- */

/* Operations that the conventions have a name for; others keep ours. */
static struct str operation_name(struct str operation)
{
    static const struct {
        struct str ours, name;
    } rows[] = {
        {{"chat.completions", 16}, {"chat", 4}},
        {{"responses", 9}, {"chat", 4}},
        {{"completions", 11}, {"text_completion", 15}},
        {{"embeddings", 10}, {"embeddings", 10}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (str_eq(operation, rows[i].ours))
            return rows[i].name;
    return operation;
}

static struct str provider_text(const struct record *r, const struct snapshot *names)
{
    if (r->routing.provider.n)
        return r->routing.provider;
    const struct snapshot_integration *i = names ? snapshot_integration_of(names, r->integration_id) : NULL;
    return str_c(kind_integration_text(i ? i->kind : KIND_INTEGRATION_OPENAI));
}

static void put_genai(struct json_write *w, const struct record *r, const struct snapshot *names)
{
    struct str provider = provider_text(r, names);
    bool azure = str_eq(provider, STR("azure-openai"));
    put_text(w, "gen_ai.operation.name", operation_name(r->operation));
    put_text(w, "gen_ai.provider.name", azure ? STR("azure.ai.openai") : provider);
    put_text(w, "gen_ai.system", azure ? STR("az.ai.openai") : provider);
    put_text(w, "gen_ai.request.model", r->model_asked);
    put_text(w, "gen_ai.response.model", r->model_answered);
    put_true(w, "gen_ai.request.stream", r->stream);
    put_list_of_one(w, "gen_ai.response.finish_reasons", r->finish_reason);
    put_text(w, "openai.response.service_tier", r->service_tier);
    if (r->stream && r->first_byte_us)
        put_seconds(w, "gen_ai.response.time_to_first_chunk", r->first_byte_us);
    if (str_eq(r->operation, STR("chat.completions")))
        put_text(w, "openai.api.type", STR("chat_completions"));
    else if (str_eq(r->operation, STR("responses")))
        put_text(w, "openai.api.type", r->operation);
}

static void put_usage(struct json_write *w, const struct usage *u)
{
    const uint64_t *q = u->quantity;
    if (u->source == USAGE_NONE || u->source == USAGE_UNKNOWN)
        return;
    put_number(w, "gen_ai.usage.input_tokens", u->input_total_tok);
    put_number(w, "gen_ai.usage.output_tokens", u->output_total_tok);
    put_count(w, "gen_ai.usage.cache_read.input_tokens",
              q[METER_CACHED] + q[METER_AUDIO_CACHED] + q[METER_IMAGE_CACHED]);
    put_count(w, "gen_ai.usage.cache_creation.input_tokens", q[METER_CACHE_WRITE] + q[METER_CACHE_WRITE_12H]);
    put_count(w, "gen_ai.usage.reasoning.output_tokens", u->reasoning_tok);
    put_count(w, "gen_ai.usage.audio.input_tokens", q[METER_AUDIO_INPUT] + q[METER_AUDIO_CACHED]);
    put_count(w, "gen_ai.usage.audio.output_tokens", q[METER_AUDIO_OUTPUT]);
    put_count(w, "gen_ai.usage.image.input_tokens", q[METER_IMAGE_INPUT] + q[METER_IMAGE_CACHED]);
    put_text(w, "tollgate.usage.source", str_c(usage_source_text(u->source)));
}

/* "host", "host:8443", "[::1]:8443" */
static void put_server(struct json_write *w, struct str authority)
{
    uint64_t port = HTTPS_PORT;
    const char *colon = authority.n ? memrchr(authority.p, ':', authority.n) : NULL;
    const char *bracket = authority.n ? memrchr(authority.p, ']', authority.n) : NULL;
    struct str host = authority;
    if (!authority.n)
        return;
    if (colon && (!bracket || colon > bracket) &&
        str_to_u64(str_from(authority, (size_t)(colon - authority.p) + 1), &port))
        host.n = (size_t)(colon - authority.p);
    put_text(w, "server.address", host);
    put_number(w, "server.port", port);
}

static bool failed(const struct record *r)
{
    return r->outcome != RECORD_COMPLETED || r->status >= 400 || r->upstream_status >= 400;
}

static void put_error_type(struct json_write *w, const struct record *r)
{
    char digits[DIGITS_DECIMAL_MAX];
    unsigned status = r->upstream_status >= 400 ? r->upstream_status : r->status;
    if (!failed(r))
        return;
    if (r->err)
        put_text(w, "error.type", str_c(err_info(r->err)->code));
    else if (status >= 400)
        put_text(w, "error.type", str_of(digits, digits_decimal(status, digits)));
    else
        put_text(w, "error.type", str_c(record_outcome_text(r->outcome)));
}

/* Tags that the caller gave: "tollgate.metadata.team" = "search". Only texts, numbers and truth values. */
static void put_metadata(struct json_write *w, struct str metadata)
{
    struct jdoc doc;
    unsigned left = METADATA_MAX;
    if (!metadata.n)
        return;
    struct arena *a = arena_new(1024, METADATA_ROOM);
    jdoc_init(&doc);
    if (jdoc_parse(&doc, metadata) && jdoc_kind(jdoc_root(&doc)) == JDOC_OBJECT) {
        struct jval root = jdoc_root(&doc);
        for (struct jval n = jdoc_first(root); jdoc_has(n) && left; n = jdoc_next(root, n)) {
            struct jval v = jdoc_value(n);
            struct str name = jdoc_escaped(n);
            char key[sizeof "tollgate.metadata." + METADATA_NAME];
            if (jdoc_kind(v) == JDOC_OBJECT || jdoc_kind(v) == JDOC_ARRAY || !name.n || name.n > METADATA_NAME ||
                memchr(name.p, '\\', name.n))
                continue;
            snprintf(key, sizeof key, "tollgate.metadata.%.*s", STR_ARG(name));
            put_text(w, key, jdoc_kind(v) == JDOC_STRING ? jdoc_text(v, a) : jdoc_raw(v));
            left--;
        }
    }
    jdoc_free(&doc);
    arena_free(a);
}

static void put_names(struct json_write *w, const struct record *r, const struct snapshot *names)
{
    const struct snapshot_workspace *workspace = names ? snapshot_workspace_of(names, r->workspace_id) : NULL;
    const struct snapshot_integration *account = names ? snapshot_integration_of(names, r->integration_id) : NULL;
    put_text(w, "tollgate.workspace", workspace ? workspace->name : STR(""));
    put_count(w, "tollgate.workspace_id", (uint64_t)r->workspace_id);
    put_count(w, "tollgate.key_id", (uint64_t)r->key_id);
    put_text(w, "tollgate.integration", account ? account->slug : STR(""));
    put_text(w, "user.id", r->user);
    put_text(w, "user_agent.original", r->user_agent);
}

static void put_ids(struct json_write *w, const struct record *r)
{
    char id[RECORD_ID_TEXT_MAX];
    unsigned char trace[SPAN_TRACE_BYTES], as_given[SPAN_TRACE_BYTES];
    put_text(w, "tollgate.request_id", str_of(id, record_id_format(r->request_id, id)));
    span_trace_id(r, trace);
    if (r->trace_id.n && !encode_unhex(r->trace_id, as_given, sizeof as_given))
        put_text(w, "tollgate.trace_id", r->trace_id);
    if (r->span_id.n && !read_span(r->span_id))
        put_text(w, "tollgate.span_id", r->span_id);
    if (r->parent_span_id.n && !read_span(r->parent_span_id))
        put_text(w, "tollgate.parent_span_id", r->parent_span_id);
}

static void put_cost(struct json_write *w, const struct cost *cost)
{
    if (cost->state != COST_UNPRICED)
        put_money(w, "tollgate.cost_usd", cost->total_pusd);
    put_text(w, "tollgate.cost_state", str_c(cost_state_text(cost->state)));
    put_text(w, "tollgate.cost_reason", str_c(cost_reason_text(cost->reason)));
}

static void put_routing(struct json_write *w, const struct record_routing *r)
{
    put_text(w, "tollgate.cache", str_c(record_cache_text(r->cache)));
    if (r->saved_pusd > 0)
        put_money(w, "tollgate.saved_usd", r->saved_pusd);
    put_text(w, "tollgate.config", r->config);
    put_count(w, "tollgate.config_version", r->config_version);
    put_text(w, "tollgate.mode", r->mode);
    put_text(w, "tollgate.target", r->target);
    put_count(w, "tollgate.retry", r->retry);
    put_true(w, "tollgate.discarded", r->discarded);
    put_text(w, "tollgate.guardrails", str_c(record_hooks_text(r->hooks)));
    put_text(w, "tollgate.sdk_version", r->sdk_version);
}

/* --- spans ----------------------------------------------------------------------------------- */

static void put_id(struct json_write *w, const char *name, const unsigned char *bytes, size_t n)
{
    char hex[ENCODE_HEX_MAX(SPAN_TRACE_BYTES)];
    json_write_member_string(w, name, str_of(hex, encode_hex(bytes, n, hex)));
}

static void put_span_id(struct json_write *w, const char *name, uint64_t id)
{
    unsigned char bytes[8];
    for (int i = 0; i < 8; i++)
        bytes[i] = (unsigned char)(id >> (56 - 8 * i));
    put_id(w, name, bytes, sizeof bytes);
}

static void put_nanoseconds(struct json_write *w, const char *name, int64_t us)
{
    char text[24];
    int n = snprintf(text, sizeof text, "%lld000", (long long)(us > 0 ? us : 0));
    json_write_member_string(w, name, str_of(text, (size_t)n));
}

struct frame {
    uint64_t span, parent;
    int kind;
    int64_t started_us, ended_us;
};

static void begin_span(struct json_write *w, const struct record *r, const struct frame *f)
{
    unsigned char trace[SPAN_TRACE_BYTES];
    char name[TEXT_MAX];
    struct str operation = operation_name(r->operation);
    struct str model = r->model_asked.n ? r->model_asked : r->model_answered;
    span_trace_id(r, trace);
    json_write_object(w);
    put_id(w, "traceId", trace, sizeof trace);
    put_span_id(w, "spanId", f->span);
    if (f->parent)
        put_span_id(w, "parentSpanId", f->parent);
    int n = snprintf(name, sizeof name, "%.*s%s%.*s", STR_ARG(operation), model.n ? " " : "", STR_ARG(model));
    struct str given = str_head(r->routing.span_name, TEXT_MAX);
    size_t length = (size_t)n < sizeof name ? (size_t)n : sizeof name - 1;
    json_write_member_string(w, "name", given.n ? given : str_of(name, length));
    json_write_member_int(w, "kind", f->kind);
    put_nanoseconds(w, "startTimeUnixNano", f->started_us);
    put_nanoseconds(w, "endTimeUnixNano", f->ended_us);
    json_write_key(w, STR("attributes"));
    json_write_array(w);
}

static void finish_span(struct json_write *w, const struct record *r)
{
    json_write_array_end(w);
    if (failed(r)) {
        struct str why = r->err_detail.n ? r->err_detail
                         : r->err        ? str_c(err_info(r->err)->text)
                                         : str_c(record_outcome_text(r->outcome));
        json_write_key(w, STR("status"));
        json_write_object(w);
        json_write_member_string(w, "message", str_head(why, TEXT_MAX));
        json_write_member_int(w, "code", STATUS_ERROR);
        json_write_object_end(w);
    }
    json_write_object_end(w);
}

void span_attempt(struct json_write *w, const struct record *r, uint64_t span, uint64_t parent,
                  const struct snapshot *names)
{
    char id[RECORD_ID_TEXT_MAX];
    struct frame f = {.span = span, .parent = parent, .kind = KIND_CLIENT, .started_us = r->started_us};
    unsigned status = r->upstream_status ? r->upstream_status : r->status;
    f.ended_us = r->started_us + (int64_t)r->total_us;
    begin_span(w, r, &f);
    put_genai(w, r, names);
    put_usage(w, &r->usage);
    put_server(w, r->upstream_host);
    put_text(w, "http.request.method", r->method);
    put_count(w, "http.response.status_code", status);
    put_text(w, "url.path", r->path);
    put_error_type(w, r);
    put_ids(w, r);
    put_text(w, "tollgate.attempt_id", str_of(id, record_id_format(r->id, id)));
    put_number(w, "tollgate.attempt", r->attempt);
    put_names(w, r, names);
    put_text(w, "tollgate.outcome", str_c(record_outcome_text(r->outcome)));
    put_cost(w, &r->cost);
    put_routing(w, &r->routing);
    put_count(w, "tollgate.overhead_us", r->overhead_us);
    put_count(w, "tollgate.first_byte_us", r->first_byte_us);
    put_count(w, "tollgate.events", r->events);
    put_text(w, "tollgate.upstream_request_id", r->upstream_request_id);
    put_metadata(w, r->metadata);
    finish_span(w, r);
}

void span_request(struct json_write *w, const struct record *last, const struct span_request *sum,
                  const struct snapshot *names)
{
    struct frame f = {.span = span_of_request(last), .parent = span_of_caller(last), .kind = KIND_INTERNAL};
    f.started_us = sum->started_us;
    f.ended_us = sum->ended_us;
    begin_span(w, last, &f);
    put_text(w, "gen_ai.operation.name", operation_name(last->operation));
    put_text(w, "gen_ai.request.model", last->model_asked);
    put_text(w, "http.request.method", last->method);
    put_count(w, "http.response.status_code", last->status);
    put_text(w, "url.path", last->path);
    put_error_type(w, last);
    put_ids(w, last);
    put_names(w, last, names);
    put_number(w, "tollgate.attempts", sum->attempts);
    put_money(w, "tollgate.cost_usd", sum->cost_pusd);
    put_money(w, "tollgate.wasted_usd", sum->wasted_pusd);
    put_true(w, "tollgate.unpriced", sum->unpriced);
    put_text(w, "tollgate.config", last->routing.config);
    put_metadata(w, last->metadata);
    finish_span(w, last);
}

/* --- the document ---------------------------------------------------------------------------- */

void span_begin(struct json_write *w)
{
    json_write_object(w);
    json_write_key(w, STR("resourceSpans"));
    json_write_array(w);
    json_write_object(w);
    json_write_key(w, STR("resource"));
    json_write_object(w);
    json_write_key(w, STR("attributes"));
    json_write_array(w);
    put_text(w, "service.name", STR("tollgate"));
    put_text(w, "service.version", STR(TOLLGATE_VERSION));
    json_write_array_end(w);
    json_write_object_end(w);
    json_write_key(w, STR("scopeSpans"));
    json_write_array(w);
    json_write_object(w);
    json_write_key(w, STR("scope"));
    json_write_object(w);
    json_write_member_string(w, "name", STR("tollgate"));
    json_write_member_string(w, "version", STR(TOLLGATE_VERSION));
    json_write_object_end(w);
    json_write_key(w, STR("spans"));
    json_write_array(w);
}

void span_end(struct json_write *w)
{
    json_write_array_end(w);  /* spans */
    json_write_object_end(w); /* of the scope */
    json_write_array_end(w);
    json_write_object_end(w); /* of the resource */
    json_write_array_end(w);
    json_write_object_end(w);
}

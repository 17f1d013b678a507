/* SPDX-License-Identifier: Apache-2.0 */
/* The fields of Portkey's log row, in its order. */
#include "console/portkey/log_metrics.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/json/jdoc.h"
#include "base/must.h"
#include "base/version.h"
#include "console/console_inner.h"
#include "console/native/log_row.h"
#include "control/control_integration.h"
#include "control/control_key.h"

#define VALUE_MAX 128 /* characters of a metadata value */
#define US_PER_MS 1000
#define CENTS_PER_USD 100
#define OPERATION_OTHER "other"
#define VERSION_ID_MAX 128

static uint64_t to_ms(uint64_t us)
{
    return us / US_PER_MS + (us % US_PER_MS >= US_PER_MS / 2);
}

/* With the microseconds behind the point, as a number. */
static void write_fine_ms(struct json_write *w, const char *name, uint64_t us)
{
    char text[32];
    snprintf(text, sizeof text, "%llu.%03u", (unsigned long long)(us / US_PER_MS), (unsigned)(us % US_PER_MS));
    json_write_member_raw(w, name, str_c(text));
}

uint64_t log_metrics_response_ms(const struct record *r)
{
    return to_ms(r->stream && r->first_byte_us ? r->first_byte_us : r->total_us);
}

void log_metrics_created_at(struct json_write *w, const struct record *r)
{
    char text[64];
    struct clock_utc t = clock_utc_of(r->started_us);
    int n = snprintf(text, sizeof text, "%04d-%02d-%02d %02d:%02d:%02d.%03d", t.year, t.month, t.day, t.hour, t.minute,
                     t.second, t.micro / US_PER_MS);
    json_write_member_string(w, "created_at", str_of(text, (size_t)n));
}

struct str log_metrics_url(const struct names *n, const struct record *r, char out[LOG_METRICS_URL_MAX])
{
    const struct snapshot_integration *i = names_account(n, r->integration_id);
    bool plain = i && !i->tls && str_eq(i->authority, r->upstream_host);
    if (!r->upstream_host.n)
        return r->path;
    int length = snprintf(out, LOG_METRICS_URL_MAX, "%s://%.*s%.*s", plain ? "http" : "https",
                          STR_ARG(str_head(r->upstream_host, 300)), STR_ARG(str_head(r->path, 600)));
    return str_of(out, (size_t)length);
}

/* --- groups of fields ------------------------------------------------------------------------ */

static void write_owner(struct json_write *w, const struct names *n, const struct record *r)
{
    const struct control_key *key = names_key_row(n, r->key_id);
    char user[32];
    json_write_member_string(w, "organisation_id", STR(LOG_METRICS_ORGANISATION));
    json_write_member_string(w, "organisation_name", STR(LOG_METRICS_ORGANISATION));
    json_write_member_string(w, "workspace_slug", names_workspace(n, r->workspace_id));
    json_write_member_text(w, "api_key_id", names_key_id(n, r->key_id));
    snprintf(user, sizeof user, "%lld", key ? (long long)key->member_id : 0);
    json_write_member_text(w, "user_id", key && key->member_id ? str_c(user) : STR(""));
}

/* The hint of the account's key is what its owner sees of it too. */
static void write_provider(struct job *j, const struct names *n, const struct record *r)
{
    struct control_integration account = {.key_hint = STR("")};
    struct control_why why = {.param = ""};
    struct str slug = names_integration(n, r->integration_id);
    struct json_write *w = &j->json;
    if (slug.n && control_integration_find(j->console->settings.control, r->workspace_id, slug, j->arena, &account,
                                           &why) != ERR_OK)
        account.key_hint = STR("");
    json_write_member_text(w, "ai_org", names_provider(n, r));
    json_write_member_text(w, "ai_model", r->model_answered.n ? r->model_answered : r->model_asked);
    json_write_member_text(w, "ai_org_auth_hash", account.key_hint);
    json_write_member_text(w, "virtual_key", slug);
}

static void write_cost(struct json_write *w, const struct record *r)
{
    json_write_member_uint(w, "req_units", r->usage.input_total_tok);
    json_write_member_uint(w, "res_units", r->usage.output_total_tok);
    json_write_member_uint(w, "total_units", r->usage.input_total_tok + r->usage.output_total_tok);
    if (r->cost.state == COST_UNPRICED)
        json_write_member_null(w, "cost");
    else
        json_write_member_money(w, "cost", (money_sum)r->cost.total_pusd * CENTS_PER_USD);
    json_write_member_string(w, "cost_currency", STR("USD"));
}

static void write_times(struct json_write *w, const struct record *r)
{
    uint64_t upstream_us = r->total_us > r->overhead_us ? r->total_us - r->overhead_us : 0;
    bool hit = r->routing.cache == RECORD_CACHE_HIT || r->routing.cache == RECORD_CACHE_SEMANTIC_HIT;
    json_write_member_uint(w, "response_time", log_metrics_response_ms(r));
    json_write_member_uint(w, "ttlt", to_ms(r->total_us));
    json_write_member_uint(w, "upstream_response_time", hit || !r->upstream_status ? 0 : to_ms(upstream_us));
    json_write_member_uint(w, "request_parsing_time", 0);
    json_write_member_uint(w, "pre_processing_time", 0);
    write_fine_ms(w, "cache_processing_time", hit ? r->total_us : 0);
    json_write_member_uint(w, "response_parsing_time", 0);
    write_fine_ms(w, "gateway_processing_time", r->overhead_us);
}

static struct str cache_type(enum record_cache cache)
{
    if (cache == RECORD_CACHE_DISABLED)
        return STR("");
    return cache == RECORD_CACHE_SEMANTIC_HIT || cache == RECORD_CACHE_SEMANTIC_MISS ? STR("semantic") : STR("simple");
}

/* A config's id is its slug, a version's the slug and the number: as in /v1/configs. */
static void write_config(struct json_write *w, const struct record_routing *o)
{
    char version[VERSION_ID_MAX] = "";
    if (o->config_version)
        snprintf(version, sizeof version, "%.*s@%u", STR_ARG(str_head(o->config, VERSION_ID_MAX - 16)),
                 o->config_version);
    json_write_member_text(w, "config", o->config);
    json_write_member_text(w, "config_id", str_starts(o->config, STR("pc-")) ? o->config : STR(""));
    json_write_member_text(w, "config_version_id", str_c(version));
}

static void write_course(struct json_write *w, const struct record *r)
{
    const struct record_routing *o = &r->routing;
    json_write_member_string(w, "cache_status", str_c(record_cache_text(o->cache)));
    json_write_member_text(w, "cache_type", cache_type(o->cache));
    json_write_member_uint(w, "stream_mode", r->stream);
    json_write_member_uint(w, "is_proxy_call", str_eq(r->operation, STR(OPERATION_OTHER)));
    json_write_member_string(w, "mode", o->mode.n ? o->mode : STR("single"));
    json_write_member_string(w, "source", STR("gateway"));
    json_write_member_int(w, "retry_success_count", o->retries == RECORD_RETRIES_USED_UP ? -1 : (int64_t)o->retries);
    /* -1: it is a path, in response.lastUsedOptionJsonPath. */
    json_write_member_int(w, "last_used_option_index", o->target.n ? -1 : 0);
    write_config(w, o);
    json_write_member_null(w, "prompt_id");
    json_write_member_null(w, "prompt_version_id");
    json_write_member_null(w, "prompt_slug");
}

static void write_trace(struct json_write *w, const struct record *r)
{
    char own_trace[RECORD_TRACE_TEXT_MAX], own_id[RECORD_ID_TEXT_MAX];
    record_trace_format(r->request_id, own_trace);
    record_id_format(r->id, own_id);
    json_write_member_string(w, "trace_id", r->trace_id.n ? r->trace_id : str_c(own_trace));
    json_write_member_string(w, "span_id", r->span_id.n ? r->span_id : str_c(own_id));
    json_write_member_string(w, "span_name", r->routing.span_name.n ? r->routing.span_name : STR("llm"));
    json_write_member_text(w, "parent_span_id", r->parent_span_id);
    log_row_id(w, "internal_trace_id", r->request_id);
}

/* --- metadata -------------------------------------------------------------------------------- */

/* At most VALUE_MAX characters; never the half of one. */
static struct str cut(struct str s)
{
    size_t characters = 0;
    for (size_t i = 0; i < s.n; i++)
        if (((unsigned char)s.p[i] & 0xc0) != 0x80 && ++characters > VALUE_MAX)
            return str_head(s, i);
    return s;
}

static void write_list(struct job *j, const char *name, struct jval object, bool values)
{
    struct json_write *w = &j->json;
    json_write_key(w, str_c(name));
    json_write_array(w);
    for (struct jval m = jdoc_first(object); jdoc_has(m); m = jdoc_next(object, m)) {
        struct jval v = values ? jdoc_value(m) : m;
        json_write_string(w, cut(jdoc_kind(v) == JDOC_STRING ? jdoc_text(v, j->arena) : jdoc_raw(v)));
    }
    json_write_array_end(w);
}

static void write_metadata(struct job *j, const struct record *r)
{
    static const char *const indexed[] = {"_environment", "_organisation", "_prompt"};
    struct json_write *w = &j->json;
    struct jdoc doc;
    struct jval object = {NULL, 0};
    jdoc_init(&doc);
    if (r->metadata.n && jdoc_parse(&doc, r->metadata) && jdoc_kind(jdoc_root(&doc)) == JDOC_OBJECT)
        object = jdoc_root(&doc);
    struct str user = jdoc_text(jdoc_get(object, "_user"), j->arena);
    json_write_member_text(w, "_user", cut(user.n ? user : r->user));
    for (size_t i = 0; i < sizeof indexed / sizeof indexed[0]; i++)
        json_write_member_text(w, indexed[i], cut(jdoc_text(jdoc_get(object, indexed[i]), j->arena)));
    write_list(j, "metadata.key", object, false);
    write_list(j, "metadata.value", object, true);
    write_list(j, "extra_key", (struct jval){NULL, 0}, false);
    write_list(j, "extra_value", (struct jval){NULL, 0}, true);
    jdoc_free(&doc);
}

void log_metrics_write(struct job *j, const struct names *n, const struct record *r)
{
    struct json_write *w = &j->json;
    char url[LOG_METRICS_URL_MAX];
    json_write_key(w, STR("metrics"));
    json_write_object(w);
    log_row_id(w, "id", r->id);
    write_owner(w, n, r);
    log_metrics_created_at(w, r);
    json_write_member_uint(w, "is_success", r->status >= 200 && r->status < 300);
    write_provider(j, n, r);
    write_cost(w, r);
    json_write_member_string(w, "request_url", log_metrics_url(n, r, url));
    json_write_member_string(w, "request_method", r->method);
    json_write_member_uint(w, "response_status_code", r->status);
    write_times(w, r);
    write_course(w, r);
    write_trace(w, r);
    write_metadata(j, r);
    json_write_member_text(w, "runtime", r->routing.runtime);
    json_write_member_text(w, "runtime_version", r->routing.runtime_version);
    json_write_member_text(w, "sdk_version", r->routing.sdk_version);
    json_write_member_string(w, "gateway_version", STR(TOLLGATE_VERSION));
    json_write_object_end(w);
}

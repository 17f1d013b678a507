/* SPDX-License-Identifier: Apache-2.0 */
/* One call to an embedding model on behalf of a request, with a head, a body and a record of its own. */
#include "gateway/run/embed.h"

#include "base/clock.h"
#include "base/digits.h"
#include "base/mem.h"
#include "base/must.h"
#include "gateway/account.h"
#include "gateway/limits/admission.h"
#include "gateway/run/step.h"
#include "ledger/journal.h"
#include "openai/usage_meter.h"

#define ANSWER_MAX (256u * 1024)
#define DIMENSIONS 256

struct embed_call {
    struct run *run;
    struct http_call call;
    bool live, recorded;
    struct buf head, body, answer, question_text;
    struct semantic_question question;
    struct target target;
    const struct endpoint *endpoint;
    struct limits_hold *hold;
    int status;
    int64_t id, started_us;
    uint64_t begun_us;
    unsigned dimensions; /* 0: no vector came */
    float vector[SEMANTIC_DIMENSIONS_MAX];
};

/* The account of this step where it can embed, else the workspace's default one. */
static bool find_target(struct run *run, struct embed_call *e)
{
    const struct request *r = run->r;
    const struct snapshot_integration *own = run->target.integration;
    struct options options = {.portkey = true};
    struct buf slug;
    buf_init(&slug, 256);
    if (own && own->kind != KIND_INTEGRATION_AZURE_OPENAI && buf_add_byte(&slug, '@') && buf_add_str(&slug, own->slug))
        options.provider = arena_dup(r->arena, buf_str(&slug));
    buf_free(&slug);
    struct target_input in = {.snapshot = r->snapshot,
                              .workspace = r->key->workspace,
                              .options = &options,
                              .endpoint = e->endpoint,
                              .method = STR("POST"),
                              .path = STR("/embeddings"),
                              .query = STR(""),
                              .model = r->worker->settings->semantic_model,
                              .allowed = r->worker->settings->allowed,
                              .wall_us = r->started_us};
    struct target_result result;
    if (target_resolve(&in, r->arena, &result) != TARGET_READY)
        return false;
    e->target = result.target;
    return true;
}

static bool write_request(const struct run *run, struct embed_call *e)
{
    char digits[DIGITS_DECIMAL_MAX];
    struct str model = e->target.send_model.n ? e->target.send_model : run->r->worker->settings->semantic_model;
    if (!semantic_ask(&e->body, model, e->question.text, DIMENSIONS))
        return false;
    struct str length = str_of(digits, digits_decimal(buf_size(&e->body), digits));
    return buf_add_str(&e->head, STR("POST ")) && buf_add_str(&e->head, e->target.request_path) &&
           buf_add_str(&e->head, STR(" HTTP/1.1\r\nHost: ")) && buf_add_str(&e->head, e->target.authority) &&
           buf_add_str(&e->head, STR("\r\n")) && buf_add_str(&e->head, e->target.head_lines) &&
           buf_add_str(&e->head,
                       STR("Content-Type: application/json\r\nAccept-Encoding: identity\r\nContent-Length: ")) &&
           buf_add_str(&e->head, length) && buf_add_str(&e->head, STR("\r\n\r\n"));
}

static void note_open(const struct embed_call *e)
{
    const struct request *r = e->run->r;
    struct record_open open = {.id = e->id,
                               .request_id = r->id,
                               .started_us = e->started_us,
                               .workspace_id = r->key->workspace_id,
                               .key_id = r->key->id,
                               .integration_id = e->target.integration ? e->target.integration->id : 0,
                               .method = STR("POST"),
                               .path = STR("/v1/embeddings"),
                               .operation = e->endpoint->operation,
                               .model_asked = r->worker->settings->semantic_model,
                               .trace_id = request_trace_to_keep(r),
                               .user = r->user,
                               .metadata = r->metadata,
                               .request_bytes = buf_size(&e->body)};
    journal_add_open(r->worker->journal, &open);
    loop_wake_hooks(r->worker->loop);
}

static void read_usage(const struct embed_call *e, struct record *rec)
{
    struct usage_meter *m = mem_alloc(sizeof *m);
    usage_meter_init(m, e->endpoint->shape, USAGE_WIRE_JSON, NULL, NULL);
    usage_meter_feed(m, buf_str(&e->answer).p, buf_size(&e->answer));
    usage_meter_end(m);
    usage_meter_get(m, &rec->usage);
    mem_free(m);
}

/* Once. What was asked of upstream is paid for, whatever becomes of the request. */
static void record(struct embed_call *e, enum record_outcome outcome, enum err err)
{
    struct run *run = e->run;
    struct request *r = run->r;
    if (e->recorded)
        return;
    e->recorded = true;
    struct record rec = {.id = e->id,
                         .request_id = r->id,
                         .attempt = EMBED_ATTEMPT + r->attempt,
                         .started_us = e->started_us,
                         .workspace_id = r->key->workspace_id,
                         .key_id = r->key->id,
                         .integration_id = e->target.integration ? e->target.integration->id : 0,
                         .method = STR("POST"),
                         .path = STR("/v1/embeddings"),
                         .operation = e->endpoint->operation,
                         .model_asked = r->worker->settings->semantic_model,
                         .upstream_host = e->target.authority,
                         .trace_id = request_trace_to_keep(r),
                         .user = r->user,
                         .metadata = r->metadata,
                         .status = (uint16_t)e->status,
                         .upstream_status = (uint16_t)e->status,
                         .outcome = outcome,
                         .err = err,
                         .total_us = clock_mono_us() - e->begun_us};
    rec.routing.provider = e->target.provider;
    rec.routing.target = STR("semantic-cache");
    if (e->status == 200)
        read_usage(e, &rec);
    if (rec.usage.source != USAGE_NONE)
        account_price(r->worker->prices, &rec, &rec.cost);
    rec.catalog_version = price_catalog_version(r->worker->prices);
    admission_side_end(r, &e->hold, &rec);
    journal_add(r->worker->journal, &rec);
    if (run->cost_before.state == COST_NONE)
        run->cost_before = rec.cost;
    else
        account_add(&run->cost_before, &rec.cost);
    loop_wake_hooks(r->worker->loop);
}

static void on_found(void *ctx, const struct cache_entry *entry)
{
    struct run *run = ctx;
    run->cache_fetch = NULL;
    if (entry)
        step_hit(run, entry, RECORD_CACHE_SEMANTIC_HIT);
    else
        step_call(run);
}

static void answered(struct embed_call *e)
{
    struct run *run = e->run;
    struct worker *w = run->r->worker;
    record(e, e->status == 200 ? RECORD_COMPLETED : RECORD_UPSTREAM_ERROR, ERR_OK);
    if (e->status == 200)
        e->dimensions = semantic_vector_of(buf_str(&e->answer), e->vector, SEMANTIC_DIMENSIONS_MAX);
    buf_free(&e->answer);
    if (!e->dimensions) {
        step_call(run);
        return;
    }
    run->cache_fetch = semantic_find(w->settings->cache, run->r->key->workspace_id, &e->question, e->vector,
                                     e->dimensions, w->settings->semantic_threshold, w->loop, on_found, run);
}

static void on_head(struct http_call *call, const struct http1_head *head)
{
    struct embed_call *e = call->app_data;
    e->status = head->status;
}

static void failed(struct embed_call *e, enum err why)
{
    e->live = false;
    record(e, RECORD_UPSTREAM_FAILED, why);
    step_call(e->run);
}

static void on_body(struct http_call *call, struct str bytes, bool last)
{
    struct embed_call *e = call->app_data;
    if (last)
        e->live = false;
    if (!buf_add_str(&e->answer, bytes)) {
        http_call_cancel(call);
        failed(e, ERR_UPSTREAM_BAD_HTTP);
    } else if (last) {
        answered(e);
    }
}

static void on_drained(struct http_call *call)
{
    (void)call;
}

static void on_failed(struct http_call *call, enum err why, const char *detail)
{
    (void)detail;
    failed(call->app_data, why);
}

static const struct http_call_app embed_app = {on_head, on_body, on_drained, on_failed};

static struct embed_call *embed_new(struct run *run)
{
    struct embed_call *e = mem_zalloc(sizeof *e);
    e->run = run;
    e->endpoint = endpoint_find(STR("POST"), STR("/embeddings"));
    buf_init(&e->head, HTTP1_HEAD_MAX);
    buf_init(&e->body, RUN_BODY_MAX);
    buf_init(&e->answer, ANSWER_MAX);
    buf_init(&e->question_text, RUN_BODY_MAX);
    run->embed = e;
    return e;
}

bool embed_begin(struct run *run, const struct cache_key_parts *parts)
{
    struct request *r = run->r;
    embed_free(run);
    struct embed_call *e = embed_new(run);
    if (!semantic_question(parts, r->endpoint, &e->question_text, &e->question) || !find_target(run, e) ||
        !write_request(run, e) ||
        !admission_side(r, &e->target, r->worker->settings->semantic_model, e->question.text.n, &e->hold)) {
        embed_free(run);
        return false;
    }
    run->cache = RECORD_CACHE_SEMANTIC_MISS;
    e->started_us = clock_wall_us();
    e->begun_us = clock_mono_us();
    e->id = record_ids_next(&r->worker->ids, e->started_us);
    e->call.app = &embed_app;
    e->call.app_data = e;
    e->live = true;
    note_open(e);
    struct http_call_options options = {.first_byte_timeout_us = EMBED_TIMEOUT_US, .idle_timeout_us = EMBED_TIMEOUT_US};
    struct dial_target to = {e->target.host, e->target.port, e->target.tls};
    http_call_begin(r->worker->client, &e->call, &to, &options, buf_str(&e->head), buf_str(&e->body));
    return true;
}

bool embed_put(struct run *run, const struct cache_answer *answer)
{
    const struct embed_call *e = run->embed;
    if (!e || !e->dimensions)
        return false;
    semantic_put(run->r->worker->settings->cache, run->r->key->workspace_id, &e->question, e->vector, e->dimensions,
                 run->cache_key, answer);
    return true;
}

void embed_cancel(struct run *run)
{
    struct embed_call *e = run->embed;
    if (!e || !e->live)
        return;
    http_call_cancel(&e->call);
    e->live = false;
    record(e, RECORD_CLIENT_CANCELLED, ERR_CLIENT_GONE);
}

void embed_free(struct run *run)
{
    struct embed_call *e = run->embed;
    if (!e)
        return;
    embed_cancel(run);
    buf_free(&e->head);
    buf_free(&e->body);
    buf_free(&e->answer);
    buf_free(&e->question_text);
    mem_free(e);
    run->embed = NULL;
}

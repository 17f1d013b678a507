/* SPDX-License-Identifier: Apache-2.0 */
/* What a routed request asks for: options, config, plan. And what its record and its answer say of it. */
#include "gateway/run/run.h"

#include "base/digits.h"
#include "base/json_write.h"
#include "base/mem.h"
#include "base/must.h"
#include "base/rng.h"
#include "gateway/account.h"
#include "gateway/credentials.h"
#include "gateway/finish.h"
#include "gateway/heads.h"
#include "gateway/limits/admission.h"
#include "gateway/model_api.h"
#include "gateway/relay.h"
#include "gateway/run/after.h"
#include "gateway/run/configs.h"
#include "gateway/run/embed.h"
#include "gateway/run/step.h"
#include "gateway/stages.h"
#include "gateway/target/batch_output.h"
#include "net/url.h"

#define ARENA_FIRST 4096
#define ARENA_CAP (512u * 1024)

/* With an empty arena, which may have room that an earlier run left. */
static struct run *take_spare(struct worker *w)
{
    struct run *run = spares_take(&w->spare_runs);
    if (!run) {
        run = mem_zalloc(sizeof *run);
        run->arena = arena_new(ARENA_FIRST, ARENA_CAP);
        return run;
    }
    struct arena *arena = run->arena;
    memset(run, 0, sizeof *run);
    run->arena = arena;
    return run;
}

/* From here on the request's small things go into the run's arena, whose first block is large enough for most. */
static struct run *run_new(struct request *r)
{
    struct run *run = take_spare(r->worker);
    run->r = r;
    run->request_arena = r->arena;
    r->arena = run->arena;
    run->settings = &run->header_settings;
    run->retry_after_ms = -1;
    run->metadata_header = r->metadata;
    run->before = run->after = run->pass_lines = run->model = run->base = STR("");
    buf_init(&run->tee, CACHE_ENTRY_MAX);
    buf_init(&run->untouched, CACHE_ENTRY_MAX);
    r->run = run;
    r->body.max = RUN_BODY_MAX + LOOP_SCRATCH;
    r->edited.max = 2 * RUN_BODY_MAX;
    return run;
}

static void free_all(struct run *run)
{
    arena_free(run->arena);
    mem_free(run);
}

void run_spares_free(struct worker *w)
{
    struct run *run;
    while ((run = spares_take(&w->spare_runs)))
        free_all(run);
}

void run_cancel(struct request *r)
{
    struct run *run = r->run;
    if (!run)
        return;
    loop_timer_clear(r->worker->loop, &run->wait);
    loop_timer_clear(r->worker->loop, &run->timeout);
    if (run->token_waits)
        azure_token_cancel(&run->token_wait);
    run->token_waits = false;
    if (run->hooks_run)
        hooks_cancel(run->hooks_run);
    run->hooks_run = NULL;
    if (run->cache_fetch)
        cache_fetch_cancel(run->cache_fetch);
    run->cache_fetch = NULL;
    embed_cancel(run);
    batch_output_free(run->batch);
    run->batch = NULL;
}

void run_free(struct request *r)
{
    struct run *run = r->run;
    if (!run)
        return;
    run_cancel(r);
    embed_free(run);
    config_unref(run->config);
    cache_release(run->hit);
    mem_free(run->facts);
    mem_free(run->changed);
    buf_free(&run->tee);
    buf_free(&run->untouched);
    r->arena = run->request_arena;
    r->run = NULL;
    arena_reset(run->arena);
    if (!spares_give(&r->worker->spare_runs, run))
        free_all(run);
}

/* The head's fields end with the callback; those that may go upstream are copied. False: the arena is full. */
static bool keep_fields(struct run *run, const struct http1_head *h)
{
    struct arena *a = run->r->arena;
    run->fields = arena_alloc(a, (h->field_count + 1) * sizeof *run->fields);
    if (!run->fields)
        return false;
    for (unsigned i = 0; i < h->field_count; i++) {
        const struct http1_field *f = &h->fields[i];
        if (http1_hop_by_hop(h, f) || f->id == HTTP1_HOST || f->id == HTTP1_CONTENT_LENGTH)
            continue;
        struct http1_field *copy = &run->fields[run->field_count++];
        *copy = (struct http1_field){arena_dup(a, f->name), arena_dup(a, f->value), f->id};
        if (!copy->name.p || !copy->value.p)
            return false;
    }
    return true;
}

/* "errors":["…"], for a config that is not right. */
static struct str errors_member(struct request *r, const struct config_errors *why)
{
    struct buf out;
    struct json_write w;
    buf_init(&out, 16384);
    bool ok = buf_add_str(&out, STR("\"errors\":"));
    json_write_init(&w, &out);
    json_write_array(&w);
    for (size_t i = 0; i < why->n; i++)
        json_write_string(&w, str_c(why->text[i]));
    json_write_array_end(&w);
    ok = json_write_done(&w) && ok;
    struct str kept = ok ? arena_dup(r->arena, buf_str(&out)) : STR("");
    buf_free(&out);
    return kept.p ? kept : STR("");
}

/* Of the request, its key, its workspace: the first that has one. False: answered with a refusal. */
static bool find_config(struct run *run)
{
    struct request *r = run->r;
    struct str given = run->options.config;
    if (r->model_api) {
        run->config = config_ref(r->model_api->config);
        return true;
    }
    struct config_errors why = {.n = 0};
    const struct config *stored = r->key->default_config;
    if (!given.n) {
        stored = stored ? stored : r->key->workspace->default_config;
        run->config = stored ? config_ref(stored) : NULL;
        return true;
    }
    if (stored && r->key->config_fixed) {
        finish_with_refusal(r, REFUSAL_CONFIG_FIXED, STR(""), STR(""));
        return false;
    }
    if (str_starts(given, STR("pc-"))) {
        stored = snapshot_find_config(r->snapshot, r->key->workspace_id, given);
        if (!stored) {
            finish_with_refusal(r, REFUSAL_CONFIG_UNKNOWN, given, STR(""));
            return false;
        }
        run->config = config_ref(stored);
        return true;
    }
    run->config = configs_get(r->worker->configs, given, &why);
    if (run->config)
        return true;
    if (why.message[0])
        finish_with_refusal(r, REFUSAL_ROUTER, arena_dup(r->arena, str_c(why.message)), STR(""));
    else if (why.not_json)
        finish_with_refusal(r, REFUSAL_CONFIG_NOT_JSON, STR(""), STR(""));
    else
        finish_with_refusal(r, REFUSAL_CONFIG_INVALID, STR(""), errors_member(r, &why));
    return false;
}

/* Batches, files and training jobs belong to one account. */
static bool one_target_only(struct str operation)
{
    return str_starts(operation, STR("files")) || str_starts(operation, STR("batches")) ||
           str_starts(operation, STR("fine_tuning")) || str_starts(operation, STR("uploads"));
}

static void take_options(struct run *run)
{
    struct request *r = run->r;
    const struct options *o = &run->options;
    struct config_settings *s = &run->header_settings;
    r->portkey = r->portkey || o->portkey;
    if (r->model_api) /* its address says which account, and what it was opened with is no provider's key */
        run->options.own_key = run->options.provider = run->options.virtual_key = run->options.custom_host = STR("");
    s->request_timeout_ms = o->request_timeout_ms;
    s->cache = o->cache;
    s->lenient = o->lenient;
}

enum next run_options(struct request *r)
{
    struct run *run = run_new(r);
    struct str credential = r->blaxel ? model_api_credential(&r->x->head) : credentials_find(&r->x->head);
    if (!options_read(&r->x->head, credential, r->arena, &run->options) || !keep_fields(run, &r->x->head)) {
        finish_with_error(r, ERR_HEAD_TOO_LARGE, STR(""), STR(""));
        return DONE;
    }
    take_options(run);
    if (r->keep_bodies && run->options.sensitive_headers.n)
        request_log_fields(r, &r->x->head, &run->options.sensitive_headers);
    if (r->worker->journal_failing) {
        finish_with_error(r, ERR_JOURNAL_FAILED, STR(""), STR(""));
        return DONE;
    }
    if (!find_config(run))
        return DONE;
    if (run->config && run->config->root->target_count > 1 && one_target_only(r->endpoint->operation)) {
        finish_with_refusal(r, REFUSAL_ONE_TARGET, STR(""), STR(""));
        return DONE;
    }
    if (r->websocket || !r->x->has_body)
        url_query_find(r->query, STR("model"), r->arena, &run->model);
    r->model_asked = run->model;
    return NEXT;
}

void run_promote(struct request *r)
{
    struct run *run = run_new(r);
    struct str lines = str_from(buf_str(&r->upstream_head), r->fields_at);
    run->pass_lines = arena_dup(r->arena, lines);
    if (!run->pass_lines.p)
        run->pass_lines = STR("");
    buf_reset(&r->upstream_head);
    r->integration = NULL;
}

void run_take_facts(struct request *r, const struct request_facts *facts)
{
    struct run *run = r->run;
    run->facts = mem_alloc(sizeof *run->facts);
    *run->facts = *facts;
    run->model = r->model_asked;
}

static struct str header_value(void *ctx, struct str name)
{
    const struct run *run = ctx;
    for (unsigned i = 0; i < run->field_count; i++)
        if (str_eq_nocase(run->fields[i].name, name))
            return run->fields[i].value;
    return (struct str){NULL, 0};
}

static bool make_plan(struct run *run, bool whole)
{
    struct request *r = run->r;
    struct worker *w = r->worker;
    request_settle_metadata(r);
    struct plan_input in = {
        .config = run->config,
        .path = r->path,
        .metadata = r->metadata,
        .body = whole && run->facts ? buf_str(&r->body) : STR(""),
        .header = header_value,
        .header_ctx = run,
        .key_id = r->key->id,
        .random = rng_seeded_u64(&w->random),
        .now_us = loop_now_us(w->loop),
        .wall_us = r->started_us,
        .breakers = w->shared->breakers,
        .sticky = w->shared->sticky,
    };
    run->planned = true;
    return !run->config || plan_make(&in, r->arena, &run->plan);
}

static bool begin(struct run *run, bool whole)
{
    if (make_plan(run, whole))
        return true;
    finish_with_error(run->r, ERR_OVERLOADED, STR(""),
                      STR("the request and its config need more memory than one request may"));
    return false;
}

void run_start(struct request *r)
{
    struct run *run = r->run;
    run->base = buf_str(&r->body);
    if (!admission_before(r))
        admission_refuse(r);
    else if (begin(run, true))
        step_begin(run);
}

/* Some edit or check needs the body, which is not kept. */
static bool needs_body(const struct run *run)
{
    return run->config && (run->config->needs & (CONFIG_NEEDS_EDIT | CONFIG_NEEDS_HOOKS)) &&
           run->r->endpoint->body == ENDPOINT_JSON;
}

void run_start_streamed(struct request *r, enum http1_framing framing, uint64_t length)
{
    struct run *run = r->run;
    run->streamed = true;
    run->stream_framing = framing;
    run->stream_length = length;
    if (needs_body(run))
        finish_with_refusal(r, REFUSAL_BODY_NOT_KEPT, STR(""), STR(""));
    else if (!admission_before(r))
        admission_refuse(r);
    else if (begin(run, false))
        step_begin(run);
}

bool run_may_repeat(const struct request *r)
{
    const struct run *run = r->run;
    return !run->streamed && run->config && (run->config->needs & CONFIG_NEEDS_REPEAT);
}

bool run_reads_answer(const struct request *r)
{
    const struct run *run = r->run;
    return run->cache_wanted || run->hooks_looked || hooks_apply(&run->settings->after, HOOKS_AFTER, r->endpoint);
}

void run_tee(struct request *r, struct str bytes)
{
    struct run *run = r->run;
    if (!run->cache_wanted || r->relay->status != 200)
        return;
    if (buf_add_str(&run->tee, bytes))
        return;
    run->cache_wanted = false; /* more than is ever kept */
    buf_free(&run->tee);
}

/* Lines of the answer. */

static void add_line(struct buf *out, const char *name, struct str value)
{
    bool ok = buf_add_str(out, str_c(name)) && buf_add_str(out, STR(": ")) && buf_add_str(out, value) &&
              buf_add_str(out, STR("\r\n"));
    must(ok);
}

static struct str config_path(const struct run *run)
{
    return run->node ? run->node->path : STR("config");
}

void run_add_lines(const struct request *r, struct buf *out)
{
    const struct run *run = r->run;
    char digits[DIGITS_DECIMAL_MAX];
    add_line(out, "x-portkey-request-id", str_c(r->request_id));
    if (!run->planned)
        return;
    if (run->hooks != RECORD_HOOKS_DENIED || run->cache != RECORD_CACHE_DISABLED)
        add_line(out, "x-portkey-cache-status", str_c(record_cache_text(run->cache)));
    struct str count = run->used_up ? STR("-1") : str_of(digits, digits_decimal(run->retry, digits));
    add_line(out, "x-portkey-retry-attempt-count", count);
    add_line(out, "x-portkey-last-used-option-index", config_path(run));
    if (run->has_target)
        add_line(out, "x-portkey-provider", run->target.provider);
}

struct str run_prelude(struct request *r)
{
    struct run *run = r->run;
    struct buf out;
    if (!run->hooks_looked || !(run->settings->lenient || run->options.lenient))
        return STR("");
    buf_init(&out, 2 * RECORD_HOOK_RESULTS_MAX + 65536);
    bool ok = buf_add_str(&out, STR("data: {\"hook_results\":{\"before_request_hooks\":")) &&
              buf_add_str(&out, run->before.n ? run->before : STR("[]")) && buf_add_str(&out, STR("}}\n\n"));
    struct str kept = ok ? arena_dup(r->arena, buf_str(&out)) : STR("");
    buf_free(&out);
    return kept.p ? kept : STR("");
}

/* The record. */

static struct str hook_results_text(const struct request *r)
{
    const struct run *run = r->run;
    struct buf out;
    if (!run->hooks_looked)
        return STR("");
    buf_init(&out, RECORD_HOOK_RESULTS_MAX);
    struct str kept = STR("");
    if (hooks_results_json(&out, run->before, run->after))
        kept = arena_dup(r->arena, buf_str(&out));
    buf_free(&out);
    return kept.p ? kept : STR("");
}

void run_fill(const struct request *r, struct record *rec)
{
    const struct run *run = r->run;
    struct record_routing *to = &rec->routing;
    const struct options *o = &run->options;
    if (o->span_name.n)
        to->span_name = o->span_name;
    to->sdk_version = o->sdk_version;
    to->runtime = o->runtime;
    to->runtime_version = o->runtime_version;
    if (run->config) {
        to->config = run->config->slug.n ? run->config->slug : STR("inline");
        to->config_version = run->config->version;
        to->mode = run->planned ? str_c(run->plan.mode) : STR("");
    }
    if (!run->planned)
        return;
    to->provider = run->has_target ? run->target.provider : STR("");
    to->target = run->config ? config_path(run) : STR("");
    to->retry = run->retry;
    to->retries = run->used_up ? RECORD_RETRIES_USED_UP : run->retry;
    to->cache = run->cache;
    if (run->hit) {
        const struct cache_answer *kept = cache_answer_of(run->hit);
        rec->model_answered = kept->model;
        to->saved_pusd = kept->cost_pusd > 0 ? kept->cost_pusd : 0;
    }
    to->hooks = run->hooks;
    to->hook_results = hook_results_text(r);
}

void run_add_cost(const struct request *r, struct cost *cost, uint64_t *overhead_us)
{
    const struct run *run = r->run;
    if (run->cost_before.state != COST_NONE)
        account_add(cost, &run->cost_before);
    *overhead_us += run->overhead_before_us;
}

/* Keeps a good answer. A cost that is not known saves nothing. */
void run_recorded(struct request *r, const struct record *rec, const struct cost *cost)
{
    struct run *run = r->run;
    struct relay *y = r->relay;
    if (!run->cache_wanted || !y || y->status != 200 || rec->outcome != RECORD_COMPLETED || y->unreadable || y->inflate)
        return;
    struct str body = buf_size(&run->untouched) ? buf_str(&run->untouched) : buf_str(&y->held);
    struct cache_answer answer = {
        .content_type = STR("application/json"),
        .body = body,
        .model = rec->model_answered,
        .usage = rec->usage,
        .cost_pusd = cost->state == COST_UNPRICED ? -1 : cost->total_pusd,
        .created_us = rec->started_us,
        .expires_us = rec->started_us + (int64_t)run->settings->cache.max_age_s * 1000000,
    };
    if (y->mode == RELAY_EVENTS) {
        answer.content_type = STR("text/event-stream");
        answer.body = buf_str(&run->tee);
        answer.stream = true;
    } else if (y->mode != RELAY_HELD) {
        return;
    }
    if (!answer.body.n)
        return;
    if (!embed_put(run, &answer))
        cache_put(r->worker->settings->cache, run->cache_key, &answer);
}

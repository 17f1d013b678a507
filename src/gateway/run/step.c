/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One step, in the order of Portkey's §3.7: credential, guardrails of the request, the body as the
 * target gets it, cache, call. Each part goes on with the next by itself or waits for somebody.
 */
#include "gateway/run/step.h"

#include <string.h>

#include "base/clock.h"
#include "base/digits.h"
#include "base/json_text.h"
#include "base/mem.h"
#include "base/must.h"
#include "gateway/attempt.h"
#include "gateway/finish.h"
#include "gateway/heads.h"
#include "gateway/intake.h"
#include "gateway/limits/admission.h"
#include "gateway/run/after.h"
#include "gateway/run/embed.h"
#include "gateway/run/names.h"
#include "gateway/target/batch_output.h"
#include "gateway/target/path.h"
#include "openai/body_edit.h"
#include "openai/multipart.h"

#define TIMEOUT_MAX_MS 86400000 /* as in configs */
#define TYPE_WANTED \
    "This config checks or changes the body, which therefore must be JSON with the Content-Type application/json."
#define NAMES_WANTED                                                                                                    \
    "This config checks the body, in which messages, prompt, input and content may therefore not come twice, nor have " \
    "escapes in their names."

static void look_up(struct run *run);

static const struct plan_step *plan_step(const struct run *run)
{
    return run->config ? &run->plan.steps[run->step] : NULL;
}

/* --- the body as the target gets it ----------------------------------------------------------- */

static struct body_member *members(struct run *run, const struct config_params *params)
{
    struct body_member *list = arena_alloc(run->r->arena, (params->n + 1) * sizeof *list);
    for (size_t i = 0; list && i < params->n; i++)
        list[i] = (struct body_member){params->list[i].name, params->list[i].json};
    return list;
}

/* What is read of a body again when an edit may have changed it. */
static void read_again(struct run *run, struct str body)
{
    struct request_facts facts;
    request_facts_init(&facts);
    request_facts_feed(&facts, body.p, body.n);
    request_facts_end(&facts);
    intake_take_facts(run->r, &facts);
    if (!run->changed)
        run->changed = mem_alloc(sizeof *run->changed);
    *run->changed = facts;
}

static const struct request_facts *facts_now(const struct run *run)
{
    return run->changed ? run->changed : run->facts;
}

/* As the client sent it. */
static void forget_changes(struct run *run)
{
    if (!run->changed)
        return;
    mem_free(run->changed);
    run->changed = NULL;
    intake_take_facts(run->r, run->facts);
}

static bool edit_failed(struct run *run, enum body_edit_result result)
{
    if (result == BODY_EDIT_TOO_LARGE) {
        finish_with_error(run->r, ERR_BODY_TOO_LARGE, STR(""), STR("after the config's changes"));
        return true;
    }
    return false;
}

/* Into r->edited, which stays empty when nothing changes. False: answered. */
static bool edit(struct run *run, const struct body_edits *edits, struct str body, bool *ret_changed)
{
    struct request *r = run->r;
    struct buf out;
    bool asked = false;
    *ret_changed = false;
    buf_init(&out, 2 * RUN_BODY_MAX);
    enum body_edit_result result = body_edit(body, edits, &out, &asked);
    if (edit_failed(run, result)) {
        buf_free(&out);
        return false;
    }
    if (result == BODY_EDIT_DONE) {
        buf_free(&r->edited);
        r->edited = out;
        *ret_changed = true;
        r->usage_asked_by_us = r->usage_asked_by_us || asked;
    } else {
        buf_free(&out);
    }
    return true;
}

static struct str body_now(const struct run *run)
{
    return buf_size(&run->r->edited) ? buf_str(&run->r->edited) : run->base;
}

static bool rewrites(const struct run *run)
{
    const struct config_settings *s = run->settings;
    return s->default_params.n || s->override_params.n || s->drop_params.n;
}

/* Defaults, overrides, model, drops. */
static bool apply_config(struct run *run)
{
    struct request *r = run->r;
    const struct config_settings *s = run->settings;
    struct body_edits edits = {.defaults = members(run, &s->default_params),
                               .default_count = s->default_params.n,
                               .overrides = members(run, &s->override_params),
                               .override_count = s->override_params.n,
                               .model = run->target.send_model,
                               .drop = s->drop_params.list,
                               .drop_count = s->drop_params.n};
    bool changed, rewritten = rewrites(run);
    if (!edits.defaults || !edits.overrides) {
        finish_with_error(r, ERR_OVERLOADED, STR(""),
                          STR("the config's parameters need more memory than one request may"));
        return false;
    }
    if (!rewritten && !edits.model.n && run->base.p == buf_str(&r->body).p)
        return true;
    if (!edit(run, &edits, run->base, &changed))
        return false;
    if (changed ? rewritten : run->base.p != buf_str(&r->body).p)
        read_again(run, body_now(run));
    return true;
}

/* override_params.model, as text; "" when there is none. */
static struct str overriding_model(struct run *run)
{
    const struct config_params *p = &run->settings->override_params;
    for (size_t i = 0; i < p->n; i++) {
        struct str json = p->list[i].json;
        if (!str_eq(p->list[i].name, STR("model")) || json.n < 2 || json.p[0] != '"')
            continue;
        char text[REQUEST_MODEL_MAX];
        bool whole = json_unescape_copy(str_of(json.p + 1, json.n - 2), text, sizeof text);
        struct str copy = whole ? arena_dup(run->r->arena, str_c(text)) : STR("");
        return copy.p ? copy : STR("");
    }
    return STR("");
}

/* The one that prices and reports go by. */
static void name_model(struct run *run)
{
    struct request *r = run->r;
    if (run->target.price_model.n)
        r->model_asked = run->target.price_model;
    else if (run->target.send_model.n && !run->changed)
        r->model_asked = run->target.send_model;
    else if (!run->changed) {
        struct str other = run->facts ? STR("") : overriding_model(run); /* of a form: bodies were read again */
        r->model_asked = other.n ? other : run->model;
    }
}

static bool ask_usage(struct run *run)
{
    struct request *r = run->r;
    struct body_edits edits = {.ask_usage = true};
    bool changed;
    if (!(r->endpoint->flags & ENDPOINT_ASK_USAGE) || !r->stream || facts_now(run)->include_usage || run->options.nitro)
        return true;
    return edit(run, &edits, body_now(run), &changed);
}

/* A form has one thing that a target may need changed. */
static void name_model_in_form(struct run *run)
{
    struct request *r = run->r;
    struct str old, model = run->target.send_model.n ? run->target.send_model : overriding_model(run);
    if (!model.n || run->streamed || !multipart_find(r->content_type, run->base, STR("model"), &old))
        return;
    size_t at = (size_t)(old.p - run->base.p);
    bool ok = buf_add_str(&r->edited, str_head(run->base, at)) && buf_add_str(&r->edited, model) &&
              buf_add_str(&r->edited, str_from(run->base, at + old.n));
    must(ok); /* it holds twice the largest body */
}

/* False: answered. */
static bool make_body(struct run *run)
{
    struct request *r = run->r;
    r->usage_asked_by_us = false;
    forget_changes(run);
    buf_free(&r->edited);
    buf_init(&r->edited, 2 * RUN_BODY_MAX);
    bool ok = true;
    if (!run->facts)
        name_model_in_form(run);
    else if (run->facts->is_object && !run->options.nitro)
        ok = apply_config(run);
    name_model(run);
    return ok;
}

/* --- cache ------------------------------------------------------------------------------------- */

static struct str join(struct arena *a, struct str first, struct str second)
{
    char *p = arena_alloc(a, first.n + second.n + 1);
    if (!p)
        return STR("");
    memcpy(p, first.p, first.n);
    memcpy(p + first.n, second.p, second.n);
    return str_of(p, first.n + second.n);
}

/* Tries of one step, and steps of one plan, keep their answers under different keys: the address is part of it. */
static void cache_parts(struct run *run, struct cache_key_parts *ret)
{
    struct request *r = run->r;
    struct str where = join(r->arena, run->target.authority, run->target.request_path);
    *ret = (struct cache_key_parts){.workspace_id = r->key->workspace_id,
                                    .upstream = where,
                                    .body = body_now(run),
                                    .has_namespace = run->options.cache_namespace_given,
                                    .name_space = run->options.cache_namespace,
                                    .metadata = r->metadata};
}

static bool cacheable(const struct run *run)
{
    const struct request *r = run->r;
    return r->worker->settings->cache && run->settings->cache.mode != CONFIG_CACHE_NONE && !run->streamed &&
           run->facts && !run->options.debug_off && cache_allows(r->endpoint, r->method);
}

static void missed(struct run *run)
{
    struct cache_key_parts parts;
    if (run->settings->cache.mode == CONFIG_CACHE_SEMANTIC) {
        cache_parts(run, &parts);
        if (embed_begin(run, &parts))
            return;
    }
    step_call(run);
}

static void on_fetched(void *ctx, const struct cache_entry *e)
{
    struct run *run = ctx;
    run->cache_fetch = NULL;
    if (e)
        step_hit(run, e, RECORD_CACHE_HIT);
    else
        missed(run);
}

static void look_up(struct run *run)
{
    struct request *r = run->r;
    struct cache *c = r->worker->settings->cache;
    struct cache_key_parts parts;
    bool on_disk = false;
    run->cache = RECORD_CACHE_DISABLED;
    run->cache_wanted = cacheable(run);
    if (!run->cache_wanted) {
        step_call(run);
        return;
    }
    cache_parts(run, &parts);
    cache_key(&parts, run->cache_key);
    run->cache = run->options.cache_refresh ? RECORD_CACHE_REFRESH : RECORD_CACHE_MISS;
    if (run->options.cache_refresh) {
        step_call(run);
        return;
    }
    const struct cache_entry *e = cache_find(c, run->cache_key, r->started_us, &on_disk);
    if (e)
        step_hit(run, e, RECORD_CACHE_HIT);
    else if (on_disk)
        run->cache_fetch = cache_fetch(c, run->cache_key, r->worker->loop, on_fetched, run);
    else
        missed(run);
}

void step_hit(struct run *run, const struct cache_entry *e, enum record_cache how)
{
    struct request *r = run->r;
    struct cache_replay replay = {r->endpoint, r->stream, facts_now(run)->include_usage};
    struct str type;
    struct buf out;
    buf_init(&out, 4 * CACHE_ENTRY_MAX);
    if (!cache_render(cache_answer_of(e), &replay, &out, &type)) {
        cache_release(e);
        buf_free(&out);
        step_call(run);
        return;
    }
    run->cache = how;
    run->hit = e;
    run->cache_wanted = false;
    buf_free(&r->edited);
    r->edited = out;
    after_hit(run, type, buf_str(&r->edited));
}

/* --- call -------------------------------------------------------------------------------------- */

static uint64_t timeout_ms(const struct run *run)
{
    uint64_t ms = run->options.request_timeout_ms ? run->options.request_timeout_ms : run->settings->request_timeout_ms;
    return ms < TIMEOUT_MAX_MS ? ms : TIMEOUT_MAX_MS;
}

static void on_timeout(struct loop_timer *t)
{
    struct run *run = list_entry(t, struct run, timeout);
    struct request *r = run->r;
    char digits[DIGITS_DECIMAL_MAX];
    attempt_cancel(r);
    run->timed_out = true;
    struct str ms = str_of(digits, digits_decimal(timeout_ms(run), digits));
    after_refused(run, REFUSAL_TIMEOUT, arena_dup(r->arena, ms), STR(""));
}

/* Every try but the first asks for all again: what an earlier one used is settled. */
static bool admitted(struct run *run)
{
    struct request *r = run->r;
    if ((r->attempt == 0 || admission_before(r)) && admission_target(r))
        return true;
    after_limited(run);
    return false;
}

static void send(struct run *run)
{
    struct request *r = run->r;
    if (!admitted(run))
        return;
    uint64_t ms = timeout_ms(run);
    buf_free(&run->tee); /* what a try that broke off left */
    buf_free(&run->untouched);
    heads_routed(r);
    if (ms) {
        run->timeout.on_time = on_timeout;
        loop_timer_set(r->worker->loop, &run->timeout, loop_now_us(r->worker->loop) + ms * 1000);
    }
    if (run->streamed) {
        attempt_begin_streamed(r, run->stream_framing, run->stream_length);
        intake_go_on(r);
    } else {
        attempt_send(r, body_now(run));
    }
}

void step_call(struct run *run)
{
    struct request *r = run->r;
    if (run_reads_answer(r))
        r->accepts_gzip = false;
    if (!run->streamed && run->facts && !ask_usage(run))
        return;
    send(run);
}

void step_repeat(struct run *run)
{
    run->hooks = run->hooks_before;
    run->after = STR("");
    run->r->soft_status = run->hooks == RECORD_HOOKS_FAILED ? 246 : 0;
    send(run);
}

/* --- guardrails -------------------------------------------------------------------------------- */

static void checked(struct run *run, const struct hooks_result *result)
{
    struct request *r = run->r;
    run->before = result->results;
    run->hooks_looked = true;
    run->hooks = result->verdict == HOOKS_DENIED   ? RECORD_HOOKS_DENIED
                 : result->verdict == HOOKS_FAILED ? RECORD_HOOKS_FAILED
                                                   : RECORD_HOOKS_PASSED;
    run->hooks_before = run->hooks;
    if (result->verdict == HOOKS_DENIED) {
        after_refused(run, REFUSAL_HOOKS_DENIED, STR(""), after_results_member(run));
        return;
    }
    r->soft_status = result->verdict == HOOKS_FAILED ? 246 : 0;
    if (result->body.p)
        run->base = result->body;
    if (make_body(run))
        look_up(run);
}

static void on_checked(void *ctx, const struct hooks_result *result)
{
    struct run *run = ctx;
    run->hooks_run = NULL;
    checked(run, result);
}

/* What a target may take for JSON in spite of its type, and nobody has looked into though the config wants it. */
static bool is_hidden(const struct run *run, bool checks)
{
    const struct request *r = run->r;
    return !run->streamed && !run->facts && r->body_bytes && r->endpoint->body == ENDPOINT_JSON &&
           (checks || (rewrites(run) && (r->endpoint->flags & ENDPOINT_BILLED)));
}

static void check(struct run *run)
{
    struct request *r = run->r;
    struct hooks_result result;
    struct hooks_input in = {.when = HOOKS_BEFORE,
                             .hooks = &run->settings->before,
                             .endpoint = r->endpoint,
                             .request_body = run->base,
                             .metadata = r->metadata,
                             .model = r->model_asked,
                             .provider = run->target.provider,
                             .request_headers = r->request_headers,
                             .client = r->worker->client,
                             .loop = r->worker->loop,
                             .allowed = r->worker->settings->allowed};
    run->hooks_looked = false;
    run->hooks = run->hooks_before = RECORD_HOOKS_NONE;
    run->before = run->after = STR("");
    r->soft_status = 0;
    bool checks = hooks_apply(&run->settings->before, HOOKS_BEFORE, r->endpoint);
    if (is_hidden(run, checks)) {
        after_refused(run, REFUSAL_UNSUPPORTED, STR(TYPE_WANTED), STR(""));
        return;
    }
    if (run->facts && checks && !names_are_plain(run->base)) {
        after_refused(run, REFUSAL_UNSUPPORTED, STR(NAMES_WANTED), STR(""));
        return;
    }
    if (run->streamed || !run->facts || !checks) {
        if (make_body(run))
            look_up(run);
        return;
    }
    if (hooks_begin(&in, r->arena, on_checked, run, &result, &run->hooks_run))
        checked(run, &result);
}

/* --- target ------------------------------------------------------------------------------------ */

static void resolve(struct run *run);

/* The output of a batch is a file, which the batch names. */
static void on_output(void *ctx, const struct batch_output_result *result)
{
    struct run *run = ctx;
    struct request *r = run->r;
    struct str path = result->path.n ? arena_dup(r->arena, result->path) : (struct str){NULL, 0};
    if (!path.p) {
        finish_with_error(r, result->err ? result->err : ERR_OVERLOADED, STR(""), result->detail);
        return;
    }
    r->operation_path = path;
    r->endpoint = endpoint_find(r->method, path);
    resolve(run);
}

static void find_output(struct run *run, struct str batch)
{
    struct request *r = run->r;
    const struct gateway_settings *s = r->worker->settings;
    struct http_call_options options = {.first_byte_timeout_us = s->first_byte_timeout_us,
                                        .idle_timeout_us = s->idle_timeout_us};
    batch_output_free(run->batch);
    run->batch = batch_output_begin(r->worker->loop, r->worker->client, &run->target, &options, batch, on_output, run);
}

static void on_token(struct azure_token_wait *wait, enum err e, struct str why)
{
    struct run *run = list_entry(wait, struct run, token_wait);
    run->token_waits = false;
    if (e)
        after_refused(run, REFUSAL_TOKEN_FAILED, why, STR(""));
    else
        resolve(run);
}

static void await_token(struct run *run, const struct azure_token_want *want)
{
    if (++run->tokens_awaited > RUN_TOKENS_MAX) {
        after_refused(run, REFUSAL_TOKEN_FAILED,
                      STR("The token server gives tokens that have expired already; check its clock and settings."),
                      STR(""));
        return;
    }
    run->token_wait.on_token = on_token;
    run->token_waits = true;
    azure_token_await(run->r->worker->tokens, want, &run->token_wait);
}

static void take_target(struct run *run, const struct target *t)
{
    struct request *r = run->r;
    run->target = *t;
    run->has_target = true;
    r->integration = t->integration;
    name_model(run);
    struct str batch;
    if (path_batch_output(r->method, r->operation_path, &batch))
        find_output(run, batch);
    else
        check(run);
}

static void resolve(struct run *run)
{
    struct request *r = run->r;
    struct target_result result = {.refusal = REFUSAL_NO_PROVIDER};
    struct target_input in = {.snapshot = r->snapshot,
                              .workspace = r->key->workspace,
                              .options = &run->options,
                              .node = run->node,
                              .endpoint = r->endpoint,
                              .method = r->method,
                              .path = r->operation_path,
                              .query = r->query,
                              .model = run->model,
                              .websocket = r->websocket,
                              .tokens = r->worker->tokens,
                              .allowed = r->worker->settings->allowed,
                              .wall_us = clock_wall_us()};
    run->has_target = false;
    r->integration = NULL;
    switch (target_resolve(&in, r->arena, &result)) {
    case TARGET_READY:
        take_target(run, &result.target);
        break;
    case TARGET_WAIT:
        await_token(run, result.want);
        break;
    case TARGET_REFUSED:
        after_refused(run, result.refusal, result.detail, STR(""));
        break;
    }
}

/* What headers ask for goes over what the config says. */
static void take_settings(struct run *run)
{
    const struct plan_step *step = plan_step(run);
    run->node = step ? step->node : NULL;
    run->settings = run->node ? &run->node->settings : &run->header_settings;
}

void step_begin(struct run *run)
{
    struct request *r = run->r;
    take_settings(run);
    run->retry = run->tokens_awaited = 0;
    run->used_up = run->waited_as_told = run->timed_out = false;
    run->allowance_ms = RUN_RETRY_AFTER_MAX_MS;
    run->cache = RECORD_CACHE_DISABLED;
    cache_release(run->hit); /* of a step whose guardrails did not like it */
    run->hit = NULL;
    run->base = buf_str(&r->body);
    const struct plan_step *step = plan_step(run);
    if (step && step->refusal) {
        run->has_target = false;
        r->integration = NULL;
        after_refused(run, REFUSAL_ROUTER, str_c(step->refusal), STR(""));
        return;
    }
    resolve(run);
}

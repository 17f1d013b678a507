/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What follows a try. Three questions, in this order: is the same step worth another try (retry);
 * does the plan go on from this status (fallback); else it is the client's answer.
 */
#include "gateway/run/after.h"

#include <stdio.h>

#include "base/must.h"
#include "gateway/finish.h"
#include "gateway/limits/admission.h"
#include "gateway/limits/limits.h"
#include "gateway/relay.h"
#include "gateway/run/step.h"

#define STATUS_SOFT 246

/* --- retry ------------------------------------------------------------------------------------- */

static bool worth_retry(const struct run *run, int status)
{
    const struct config_retry *retry = &run->settings->retry;
    return !run->streamed && retry->attempts && config_codes_have(&retry->codes, status);
}

/* Milliseconds to wait before the next try; -1: upstream wants longer than is waited. */
static int64_t wait_ms(const struct run *run, int status)
{
    bool told = run->settings->retry.use_retry_after && status == 429 && run->retry_after_ms >= 0;
    if (told)
        return run->retry_after_ms > (int64_t)run->allowance_ms ? -1 : run->retry_after_ms;
    if (run->waited_as_told)
        return 0;
    return (int64_t)(run->r->worker->settings->retry_wait_us / 1000) << run->retry;
}

static bool can_retry(const struct run *run, int status)
{
    return worth_retry(run, status) && run->retry < run->settings->retry.attempts && wait_ms(run, status) >= 0;
}

static void on_wait(struct loop_timer *t)
{
    struct run *run = list_entry(t, struct run, wait);
    finish_restart(run->r);
    step_repeat(run);
}

static void retry(struct run *run, int status)
{
    struct loop *l = run->r->worker->loop;
    int64_t ms = wait_ms(run, status);
    if (run->settings->retry.use_retry_after && status == 429 && run->retry_after_ms >= 0) {
        run->waited_as_told = true;
        run->allowance_ms -= (uint64_t)ms;
    }
    run->retry++;
    run->retry_after_ms = -1;
    run->wait.on_time = on_wait;
    loop_timer_set(l, &run->wait, loop_now_us(l) + (uint64_t)ms * 1000);
}

/* --- the next step, or the end ----------------------------------------------------------------- */

static int next_step(const struct run *run, int status, bool exception)
{
    if (run->streamed || !run->config)
        return -1;
    return plan_after(&run->plan, run->step, status, exception);
}

struct ending {
    int status;
    bool retriable, exception;
    enum record_outcome outcome;
    enum err err;
    struct str detail;
};

/* From the loop, so that a chain of refusals needs no deep stack and no connection is begun amid another's end. */
static void on_next(struct loop_timer *t)
{
    struct run *run = list_entry(t, struct run, wait);
    finish_restart(run->r);
    step_begin(run);
}

/* How the step ended, for the circuit breakers of a stored config. */
static void note_breaker(struct run *run, int status)
{
    struct worker *w = run->r->worker;
    if (run->config && run->config->id)
        breakers_note(w->shared->breakers, run->config, &run->plan.steps[run->step], status, loop_now_us(w->loop));
}

/* Ends the try and begins another one; false when this one is the last. */
static bool go_on(struct run *run, const struct ending *end)
{
    struct request *r = run->r;
    loop_timer_clear(r->worker->loop, &run->timeout);
    if (end->retriable && can_retry(run, end->status)) {
        finish_attempt(r, end->status, end->outcome, end->err, end->detail);
        retry(run, end->status);
        return true;
    }
    run->used_up = end->retriable && worth_retry(run, end->status);
    note_breaker(run, end->status);
    int next = next_step(run, end->status, end->exception);
    if (next < 0)
        return false;
    finish_attempt(r, end->status, end->outcome, end->err, end->detail);
    run->step = (unsigned)next;
    run->wait.on_time = on_next;
    loop_timer_set(r->worker->loop, &run->wait, loop_now_us(r->worker->loop));
    return true;
}

/* --- what upstream said ------------------------------------------------------------------------ */

static int64_t header_ms(const struct http1_head *h, const char *name, uint64_t unit)
{
    const struct http1_field *f = http1_find(h, str_c(name));
    uint64_t n;
    if (!f || !str_to_u64(f->value, &n))
        return -1;
    return n > UINT32_MAX ? (int64_t)UINT32_MAX * 1000 : (int64_t)(n * unit);
}

void after_head(struct request *r, const struct http1_head *head)
{
    struct run *run = r->run;
    loop_timer_clear(r->worker->loop, &run->timeout);
    run->retry_after_ms = -1;
    if (head->status == 429) {
        run->retry_after_ms = header_ms(head, "retry-after-ms", 1);
        if (run->retry_after_ms < 0)
            run->retry_after_ms = header_ms(head, "x-ms-retry-after-ms", 1);
        if (run->retry_after_ms < 0)
            run->retry_after_ms = header_ms(head, "retry-after", 1000);
    }
    run->used_up = worth_retry(run, head->status) && !can_retry(run, head->status);
}

static bool checks_answer(const struct run *run, int status)
{
    const struct request *r = run->r;
    if (status != 200 || r->stream || run->streamed)
        return false;
    return run->hooks_looked || hooks_apply(&run->settings->after, HOOKS_AFTER, r->endpoint);
}

bool run_holds(const struct request *r, int status)
{
    const struct run *run = r->run;
    if (run->streamed)
        return false;
    return can_retry(run, status) || next_step(run, status, false) >= 0 || checks_answer(run, status);
}

bool run_lets_go(const struct request *r)
{
    const struct run *run = r->run;
    bool checked = checks_answer(run, r->relay->status) && hooks_apply(&run->settings->after, HOOKS_AFTER, r->endpoint);
    return r->relay->status == 200 && !checked;
}

/* "hook_results":{…}, for an answer of ours. */
struct str after_results_member(struct run *run)
{
    struct buf out;
    buf_init(&out, 1u << 20);
    bool ok = buf_add_str(&out, STR("\"hook_results\":")) && hooks_results_json(&out, run->before, run->after);
    struct str kept = ok ? arena_dup(run->r->arena, buf_str(&out)) : STR("");
    buf_free(&out);
    return kept.p ? kept : STR("");
}

/* --- guardrails of the answer ------------------------------------------------------------------- */

/* The answer with what the guardrails said, in place of the one that came. */
static void add_results(struct run *run, struct buf *answer)
{
    struct buf out;
    buf_init(&out, answer->max + (1u << 20));
    if (!hooks_add_results(buf_str(answer), run->before, run->after, &out)) {
        buf_free(&out);
        return;
    }
    if (run->cache_wanted) {
        buf_free(&run->untouched);
        run->untouched = *answer;
    } else {
        buf_free(answer);
    }
    *answer = out;
}

static void give(struct run *run, int status)
{
    struct request *r = run->r;
    struct buf *answer = r->relay ? &r->relay->held : &r->edited;
    struct ending end = {.status = status, .retriable = !run->hit, .outcome = RECORD_COMPLETED};
    if (go_on(run, &end))
        return;
    if (run->hooks_looked)
        add_results(run, answer);
    r->soft_status = status == STATUS_SOFT ? STATUS_SOFT : 0;
    if (r->relay)
        relay_finish(r);
    else
        finish_with_bytes(r, status, run->hit_type, buf_str(answer));
}

static void answer_checked(struct run *run, const struct hooks_result *result)
{
    struct request *r = run->r;
    struct buf *answer = r->relay ? &r->relay->held : &r->edited;
    run->hooks_looked = true;
    run->after = result->results;
    if (result->verdict == HOOKS_DENIED) {
        run->hooks = RECORD_HOOKS_DENIED;
        after_refused(run, REFUSAL_HOOKS_DENIED, STR(""), after_results_member(run));
        return;
    }
    if (result->verdict == HOOKS_FAILED)
        run->hooks = RECORD_HOOKS_FAILED;
    else if (run->hooks == RECORD_HOOKS_NONE)
        run->hooks = RECORD_HOOKS_PASSED;
    if (result->body.p) {
        buf_reset(answer);
        bool fits = buf_add_str(answer, result->body);
        must(fits || result->body.n > answer->max);
    }
    give(run, run->hooks == RECORD_HOOKS_FAILED ? STATUS_SOFT : 200);
}

static void on_answer_checked(void *ctx, const struct hooks_result *result)
{
    struct run *run = ctx;
    run->hooks_run = NULL;
    answer_checked(run, result);
}

static void check_answer(struct run *run, struct str body)
{
    struct request *r = run->r;
    struct hooks_result result;
    struct hooks_input in = {.when = HOOKS_AFTER,
                             .hooks = &run->settings->after,
                             .endpoint = r->endpoint,
                             .request_body = run->base,
                             .response_body = body,
                             .metadata = r->metadata,
                             .model = r->model_asked,
                             .provider = run->target.provider,
                             .request_headers = r->request_headers,
                             .client = r->worker->client,
                             .loop = r->worker->loop,
                             .allowed = r->worker->settings->allowed};
    if (!hooks_apply(&run->settings->after, HOOKS_AFTER, r->endpoint)) {
        give(run, r->soft_status ? r->soft_status : 200);
        return;
    }
    if (hooks_begin(&in, r->arena, on_answer_checked, run, &result, &run->hooks_run))
        answer_checked(run, &result);
}

/* --- the ways a try ends ----------------------------------------------------------------------- */

bool after_held(struct request *r)
{
    struct run *run = r->run;
    struct relay *y = r->relay;
    if (y->mode == RELAY_HELD && checks_answer(run, y->status)) {
        if (y->swallow)
            after_refused(run, REFUSAL_UNSUPPORTED, STR("The provider's answer is larger than guardrails can check."),
                          STR(""));
        else if (relay_decode(r))
            check_answer(run, buf_str(&y->held));
        else
            after_refused(run, REFUSAL_UNSUPPORTED,
                          STR("The provider's answer has a content coding that guardrails cannot read."), STR(""));
        return true;
    }
    struct ending end = {
        .status = y->status, .retriable = true, .outcome = y->status >= 400 ? RECORD_UPSTREAM_ERROR : RECORD_COMPLETED};
    return go_on(run, &end);
}

void after_passed(struct request *r)
{
    note_breaker(r->run, r->relay->status);
}

void after_hit(struct run *run, struct str type, struct str body)
{
    struct request *r = run->r;
    run->hit_type = type;
    if (checks_answer(run, 200))
        check_answer(run, body);
    else
        finish_with_bytes(r, r->soft_status ? r->soft_status : 200, type, body);
}

/* No answer came: another try may bring one. */
static bool no_answer(enum refusal which)
{
    return which == REFUSAL_TIMEOUT || which == REFUSAL_CONNECTION || which == REFUSAL_CONNECT_TIMEOUT;
}

void after_refused(struct run *run, enum refusal which, struct str detail, struct str more)
{
    const struct refusal_info *info = refusal_info(which);
    struct ending end = {
        .status = info->status,
        .retriable = no_answer(which) || (which == REFUSAL_HOOKS_DENIED && run->r->relay),
        .exception = info->family == REFUSAL_FAMILY_EXCEPTION || info->family == REFUSAL_FAMILY_REQUEST,
        .outcome = finish_outcome(run->r, which),
        .err = info->err,
        .detail = detail,
    };
    if (!go_on(run, &end))
        finish_with_refusal(run->r, which, detail, more);
}

void after_limited(struct run *run)
{
    struct request *r = run->r;
    const struct limits_refusal *f = r->limited;
    struct ending end = {.status = f ? f->status : 503,
                         .exception = !f || f->family != LIMITS_FAMILY_TARGET,
                         .outcome = RECORD_REFUSED,
                         .err = ERR_RATE_LIMITED,
                         .detail = f ? str_c(f->sentence) : STR("")};
    if (!go_on(run, &end))
        admission_refuse(r);
}

void after_failed(struct request *r, enum err why, struct str detail)
{
    struct run *run = r->run;
    char text[512];
    enum refusal which = REFUSAL_CONNECTION;
    if (why == ERR_UPSTREAM_CONNECT_TIMEOUT)
        which = REFUSAL_CONNECT_TIMEOUT;
    else if (why == ERR_UPSTREAM_REFUSED_ADDRESS && !run->target.integration)
        which = REFUSAL_BAD_HOST;
    int n = snprintf(text, sizeof text, "%s (%.*s)", err_info(why)->text, STR_ARG(str_head(detail, 200)));
    struct str said = arena_dup(r->arena, str_of(text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1));
    if (r->relay)
        relay_drop(r);
    after_refused(run, which, said.p ? said : STR(""), STR(""));
}

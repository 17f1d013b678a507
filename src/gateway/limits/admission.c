/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The upper bound of an attempt: its prompt as our tokenizer counts it, with a margin for what only
 * the provider knows, and the longest answer that the caller or the model allows.
 */
#include "gateway/limits/admission.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/digits.h"
#include "base/json_write.h"
#include "base/mem.h"
#include "base/must.h"
#include "control/limit/ruleset.h"
#include "gateway/account.h"
#include "gateway/envelope.h"
#include "gateway/finish.h"
#include "gateway/limits/limits.h"
#include "gateway/run/run.h"
#include "openai/estimate.h"
#include "openai/price_list.h"

#define MARGIN_TOK 64               /* and a 32nd of the prompt */
#define OUTPUT_UNKNOWN_TOK 16384    /* of a model whose longest answer is not known */
#define BYTES_PER_TOK 3             /* of a body that is not kept; prompts have 4 mostly */
#define TOK_MAX (UINT64_C(1) << 40) /* beyond every budget, and can be multiplied and added up */

static bool any(const struct ruleset *s, enum limit_attach attach, int64_t id, int64_t workspace_id)
{
    return ruleset_count(s, attach) && ruleset_find(s, attach, id, workspace_id).count;
}

/* Policies of the organization are those of workspace 0. */
static bool any_policy(const struct ruleset *s, int64_t workspace_id)
{
    return any(s, LIMIT_POLICY, 0, workspace_id) || any(s, LIMIT_POLICY, 0, 0);
}

/* Whether some rule may be about this request: only then is it worth an estimate. */
static bool concerned(const struct request *r, enum limits_stage stage, const struct snapshot_integration *to)
{
    const struct ruleset *s = snapshot_limits(r->snapshot);
    const struct snapshot_key *k = r->key;
    if (any_policy(s, k->workspace_id))
        return true;
    if (stage == LIMITS_TARGET)
        return to && (any(s, LIMIT_INTEGRATION, to->id, 0) || any(s, LIMIT_INTEGRATION, to->account_id, 0) ||
                      any(s, LIMIT_ACCESS, to->account_id, k->workspace_id));
    return any(s, LIMIT_KEY, k->id, 0) || (k->member_id && any(s, LIMIT_MEMBER, k->member_id, 0)) ||
           any(s, LIMIT_WORKSPACE, k->workspace_id, 0) || (r->model_api && any(s, LIMIT_MODEL, r->model_api->id, 0));
}

static uint64_t longest_answer(const struct request *r)
{
    const struct price_model *m = price_list_find_model(r->worker->prices, r->model_asked);
    return m && m->max_output ? m->max_output : OUTPUT_UNKNOWN_TOK;
}

static void count_tokens(struct request *r, struct limits_estimate *e)
{
    struct str body = buf_str(&r->body);
    if (r->endpoint->body == ENDPOINT_JSON && body.n == r->body_bytes && r->body_us)
        e->input_tok = estimate_prompt_tok(r->endpoint->shape, r->model_asked, body);
    else
        e->input_tok = (r->body_bytes > r->body_length ? r->body_bytes : r->body_length) / BYTES_PER_TOK;
    e->input_tok += e->input_tok / 32 + MARGIN_TOK;
    if (r->endpoint->shape == USAGE_SHAPE_EMBEDDINGS)
        return;
    uint64_t answers = r->answers ? r->answers : 1;
    e->output_given = r->max_output_tok != 0;
    if (__builtin_mul_overflow(e->output_given ? r->max_output_tok : longest_answer(r), answers, &e->output_tok) ||
        e->output_tok > TOK_MAX)
        e->output_tok = TOK_MAX;
}

/* Fills in the usage of `rec`, which says whose price it is. */
static int64_t price_of(const struct request *r, struct record *rec, uint64_t input, uint64_t output,
                        bool *ret_unpriced)
{
    struct cost cost;
    rec->usage = (struct usage){.source = USAGE_MEASURED};
    rec->usage.quantity[METER_INPUT] = rec->usage.input_total_tok = input;
    rec->usage.quantity[METER_OUTPUT] = rec->usage.output_total_tok = output;
    account_price(r->worker->prices, rec, &cost);
    *ret_unpriced = cost.state == COST_UNPRICED;
    return cost.total_pusd;
}

static int64_t price(const struct request *r, uint64_t input, uint64_t output, bool *ret_unpriced)
{
    struct record rec = {.model_asked = r->model_asked,
                         .service_tier = r->service_tier_asked,
                         .operation = r->endpoint->operation,
                         .started_us = r->started_us};
    return price_of(r, &rec, input, output, ret_unpriced);
}

static void price_images(const struct request *r, struct limits_estimate *e)
{
    struct record rec = {
        .model_asked = r->model_asked, .operation = r->endpoint->operation, .started_us = r->started_us};
    struct cost cost;
    rec.usage = (struct usage){.source = USAGE_MEASURED};
    rec.usage.quantity[METER_IMAGES] = r->answers ? r->answers : 1;
    str_copy(rec.usage.quality, sizeof rec.usage.quality, r->quality);
    str_copy(rec.usage.size, sizeof rec.usage.size, r->size);
    account_price(r->worker->prices, &rec, &cost);
    e->cost_pusd = cost.state == COST_UNPRICED ? 0 : cost.total_pusd;
}

/* What cannot be bounded (audio, sessions, jobs) is let in as nothing and counted when it ends. */
static void estimate(struct request *r, struct limits_estimate *e)
{
    struct cost cost;
    bool unpriced_input;
    *e = (struct limits_estimate){.cost_pusd = 0};
    switch (r->endpoint->shape) {
    case USAGE_SHAPE_CHAT:
    case USAGE_SHAPE_COMPLETIONS:
    case USAGE_SHAPE_RESPONSES:
    case USAGE_SHAPE_EMBEDDINGS:
        count_tokens(r, e);
        e->cost_pusd = price(r, e->input_tok, e->output_tok, &e->unpriced);
        e->cost_input_pusd = price(r, e->input_tok, 0, &unpriced_input);
        break;
    case USAGE_SHAPE_IMAGES:
        price_images(r, e);
        break;
    default:
        if (account_cost_before_answer(r, &cost))
            e->cost_pusd = e->cost_input_pusd = cost.total_pusd;
        break;
    }
}

static void fill_subject(const struct request *r, struct limits_subject *s)
{
    const struct run *run = r->run;
    *s = (struct limits_subject){.snapshot = r->snapshot,
                                 .key = r->key,
                                 .model_api_id = r->model_api ? r->model_api->id : 0,
                                 .config = run && run->config ? run->config->slug : STR(""),
                                 .prompt = STR(""),
                                 .metadata = r->metadata,
                                 .integration = r->integration,
                                 .provider = run && run->has_target ? run->target.provider
                                             : r->integration       ? str_c(kind_integration_text(r->integration->kind))
                                                                    : STR(""),
                                 .model = r->model_asked,
                                 .free = !(r->endpoint->flags & (ENDPOINT_BILLED | ENDPOINT_LATER)),
                                 .again = r->attempt > 0};
}

static bool admit(struct request *r, enum limits_stage stage)
{
    struct limits *l = r->worker->settings->use_limits;
    struct limits_subject subject;
    struct limits_estimate e;
    struct limits_refusal refusal;
    if (!l || !concerned(r, stage, r->integration))
        return true;
    request_settle_metadata(r);
    fill_subject(r, &subject);
    estimate(r, &e);
    if (limits_admit(l, &subject, stage, &e, record_id_time_us(r->attempt_id), &r->hold, &refusal))
        return true;
    limits_release(l, &r->hold);
    r->limited = arena_alloc(r->arena, sizeof *r->limited);
    if (r->limited)
        *r->limited = refusal;
    return false;
}

bool admission_before(struct request *r)
{
    return admit(r, LIMITS_BEFORE);
}

bool admission_target(struct request *r)
{
    return admit(r, LIMITS_TARGET);
}

static void end(struct limits *l, struct limits_hold **hold, const struct record *rec, const struct cost *cost)
{
    if (!*hold)
        return;
    bool hit = rec->routing.cache == RECORD_CACHE_HIT || rec->routing.cache == RECORD_CACHE_SEMANTIC_HIT;
    struct limits_actual actual = {.cost_pusd = cost->total_pusd,
                                   .unpriced = cost->state == COST_UNPRICED,
                                   .input_tok = hit ? 0 : rec->usage.input_total_tok,
                                   .output_tok = hit ? 0 : rec->usage.output_total_tok};
    bool nothing = cost->state == COST_NONE || cost->state == COST_FREE;
    if (nothing && !actual.input_tok && !actual.output_tok)
        limits_release(l, hold);
    else
        limits_settle(l, hold, &actual);
}

void admission_end(struct request *r, const struct record *rec, const struct cost *cost)
{
    end(r->worker->settings->use_limits, &r->hold, rec, cost);
}

bool admission_side(struct request *r, const struct target *to, struct str model, uint64_t bytes,
                    struct limits_hold **ret_hold)
{
    struct limits *l = r->worker->settings->use_limits;
    struct limits_subject subject;
    struct limits_estimate e = {.input_tok = bytes / BYTES_PER_TOK + MARGIN_TOK};
    struct limits_refusal refusal;
    struct record rec = {.model_asked = model, .operation = STR("embeddings"), .started_us = r->started_us};
    bool before = l && concerned(r, LIMITS_BEFORE, NULL), target = l && concerned(r, LIMITS_TARGET, to->integration);
    *ret_hold = NULL;
    if (!before && !target)
        return true;
    request_settle_metadata(r);
    fill_subject(r, &subject);
    subject.integration = to->integration;
    subject.provider = to->provider;
    subject.model = model;
    subject.free = false;
    subject.again = true;
    e.cost_pusd = e.cost_input_pusd = price_of(r, &rec, e.input_tok, 0, &e.unpriced);
    int64_t now = clock_wall_us();
    if ((!before || limits_admit(l, &subject, LIMITS_BEFORE, &e, now, ret_hold, &refusal)) &&
        (!target || limits_admit(l, &subject, LIMITS_TARGET, &e, now, ret_hold, &refusal)))
        return true;
    limits_release(l, ret_hold);
    return false;
}

void admission_side_end(struct request *r, struct limits_hold **hold, const struct record *rec)
{
    end(r->worker->settings->use_limits, hold, rec, &rec->cost);
}

/* The answer. */

static void write_error(struct json_write *w, struct str message, const char *type, const char *code)
{
    json_write_key(w, STR("error"));
    json_write_object(w);
    json_write_member_string(w, "message", message);
    json_write_member_string(w, "type", str_c(type));
    json_write_member_null(w, "param");
    json_write_member_text(w, "code", str_c(code));
    json_write_object_end(w);
}

/* portkey.md §8: family A for what holds for the key, B for what holds for a target. */
static bool portkey_body(const struct limits_refusal *f, struct buf *out)
{
    struct json_write w;
    char text[LIMITS_MESSAGE_MAX + 64];
    bool whole = f->family == LIMITS_FAMILY_KEY;
    int n = whole ? snprintf(text, sizeof text, "Portkey Error: %s. Error Code: %s", f->message, f->code)
                  : snprintf(text, sizeof text, "%s", f->message);
    struct str message = str_of(text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1);
    json_write_init(&w, out);
    json_write_object(&w);
    if (whole) {
        json_write_member_string(&w, "status", STR("failure"));
        json_write_member_string(&w, "message", message);
    }
    write_error(&w, message, f->type, f->code);
    json_write_object_end(&w);
    return json_write_done(&w);
}

static bool openai_body(const struct limits_refusal *f, struct buf *out)
{
    struct json_write w;
    json_write_init(&w, out);
    json_write_object(&w);
    write_error(&w, str_c(f->sentence), f->openai_type, f->openai_code);
    json_write_object_end(&w);
    return json_write_done(&w);
}

void admission_refuse(struct request *r)
{
    const struct limits_refusal *f = r->limited;
    struct buf body, lines;
    char digits[DIGITS_DECIMAL_MAX];
    if (!f) { /* no room to say why */
        finish_with_error(r, ERR_OVERLOADED, STR(""), STR("a limit is reached"));
        return;
    }
    int status = r->portkey || f->status == 503 ? f->status : 429;
    buf_init(&body, 8192);
    buf_init(&lines, 512);
    bool ok = r->blaxel ? envelope_json(&body, ENVELOPE_POLICY_VIOLATION, 429, str_c(f->sentence),
                                        str_c(f->openai_type), STR(""), clock_wall_us(), &status) &&
                              envelope_lines(&lines, ENVELOPE_POLICY_VIOLATION)
              : r->portkey ? portkey_body(f, &body)
                           : openai_body(f, &body);
    ok = ok && buf_add_str(&lines, STR("Retry-After: ")) &&
         buf_add_str(&lines, str_of(digits, digits_decimal(f->retry_after_s, digits))) &&
         buf_add_str(&lines, STR("\r\n"));
    if (!f->may_retry)
        ok = ok && buf_add_str(&lines, STR("x-should-retry: false\r\n"));
    must(ok);
    enum err e = f->openai_code && str_eq(str_c(f->openai_code), STR("budget_exceeded")) ? ERR_BUDGET_EXCEEDED
                                                                                         : ERR_RATE_LIMITED;
    finish_with_own(r, status, e, str_c(f->sentence), buf_str(&lines), buf_str(&body));
    buf_free(&body);
    buf_free(&lines);
}

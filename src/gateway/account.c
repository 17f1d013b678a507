/* SPDX-License-Identifier: Apache-2.0 */
/* Usage and cost of one exchange, in order of trust: reported, measured from the request, estimated. */
#include "gateway/account.h"

#include <openssl/sha.h>

#include "base/digits.h"
#include "base/money.h"
#include "base/must.h"
#include "gateway/realtime.h"
#include "gateway/relay.h"
#include "gateway/run/run.h"
#include "openai/cost.h"
#include "openai/estimate.h"
#include "openai/price.h"

void account_sha256(struct str bytes, unsigned char out[32])
{
    SHA256((const unsigned char *)bytes.p, bytes.n, out);
}

/* "eu.api.openai.com": processing in a region costs more; the plain host does not. */
static bool is_regional(struct str host)
{
    return str_ends(host, STR(".api.openai.com")) && host.n > sizeof ".api.openai.com" - 1;
}

static void set_text(char *to, size_t cap, struct str from)
{
    if (!to[0])
        str_copy(to, cap, from);
}

/* Upstream did the work and did not say how much: count what can be counted. */
static void estimate(struct request *r, struct usage *u)
{
    uint64_t output = r->relay ? relay_text_tok(r) : 0;
    uint64_t input = estimate_prompt_tok(r->endpoint->shape, r->model_asked, buf_str(&r->body));
    if (buf_size(&r->body) < r->body_bytes)
        input = r->body_bytes / 4; /* the body was not kept whole: a rule of thumb, and said to be one */
    *u = (struct usage){.source = USAGE_ESTIMATED};
    u->quantity[METER_INPUT] = u->input_total_tok = input;
    u->quantity[METER_OUTPUT] = u->output_total_tok = output;
}

static bool can_estimate(const struct request *r)
{
    switch (r->endpoint->shape) {
    case USAGE_SHAPE_CHAT:
    case USAGE_SHAPE_COMPLETIONS:
    case USAGE_SHAPE_RESPONSES:
    case USAGE_SHAPE_EMBEDDINGS:
        return true;
    default:
        return false;
    }
}

static void usage_from_request(struct request *r, struct usage *u)
{
    uint64_t audio_ms = r->run ? r->run->options.audio_duration_ms : 0;
    if (r->endpoint->shape == USAGE_SHAPE_TRANSCRIPTION && audio_ms) { /* the client measured it */
        *u = (struct usage){.source = USAGE_ESTIMATED};
        u->quantity[METER_AUDIO_MS] = audio_ms;
        return;
    }
    if ((r->endpoint->flags & ENDPOINT_CHARACTERS) && r->input_chars) {
        *u = (struct usage){.source = USAGE_MEASURED};
        u->quantity[METER_CHARACTERS] = r->input_chars;
    } else if (can_estimate(r)) {
        estimate(r, u);
    }
}

/* Somebody stopped waiting while upstream was at work: the prompt at least was read. */
static bool was_at_work(const struct request *r, const struct record *rec)
{
    bool left = rec->outcome != RECORD_UPSTREAM_FAILED || rec->err == ERR_UPSTREAM_TIMEOUT;
    return left && r->sent_us && r->body_us && !r->reply_ready;
}

static void work_out_usage(struct request *r, const struct record *rec, struct usage *u)
{
    *u = (struct usage){.source = USAGE_NONE};
    if (r->realtime) {
        usage_meter_get(realtime_meter(r), u);
        return;
    }
    if (!r->relay) {
        if (was_at_work(r, rec) && can_estimate(r))
            estimate(r, u);
        return;
    }
    if (r->relay->status >= 400)
        return;
    usage_meter_get(&r->relay->meter, u);
    if (r->endpoint->flags & ENDPOINT_SESSION) {
        u->source = USAGE_MEASURED;
        u->quantity[METER_CODE_SESSION] = 1;
    }
    if (u->source == USAGE_UNKNOWN && (r->endpoint->flags & ENDPOINT_BILLED))
        usage_from_request(r, u);
    set_text(u->quality, sizeof u->quality, r->quality);
    set_text(u->size, sizeof u->size, r->size);
}

/* Their usage is a sum over several exchanges with the model. */
static bool is_aggregate(struct str operation)
{
    return str_starts(operation, STR("realtime")) || str_starts(operation, STR("threads.")) ||
           str_eq(operation, STR("responses.websocket"));
}

void account_price(const struct price_catalog *prices, const struct record *rec, struct cost *ret_cost)
{
    struct price_query query = {
        .model = rec->model_answered.n ? rec->model_answered : rec->model_asked,
        .operation = rec->operation,
        .service_tier = rec->service_tier,
        .quality = str_c(rec->usage.quality),
        .size = str_c(rec->usage.size),
        .when_us = rec->started_us,
        .regional = is_regional(rec->upstream_host),
        .aggregate = is_aggregate(rec->operation),
    };
    cost_of(prices, &query, &rec->usage, ret_cost);
}

/* Runs, batches and jobs answer before they have consumed anything: that is not nothing. */
static bool begins_work(const struct request *r)
{
    return (r->endpoint->flags & ENDPOINT_LATER) && r->relay && r->relay->status < 400;
}

static void say_unknown(struct record *rec)
{
    rec->usage.source = USAGE_UNKNOWN;
    rec->cost = (struct cost){.state = COST_UNPRICED, .reason = COST_REASON_USAGE, .meter = METER_COUNT};
}

/* Azure may answer in the name of a deployment, which has no price: the model it stands for has. */
static void price(struct request *r, struct record *rec)
{
    account_price(r->worker->prices, rec, &rec->cost);
    if (rec->cost.state != COST_UNPRICED || !r->run || !r->run->has_target || !r->run->target.price_model.n)
        return;
    rec->model_answered = r->run->target.price_model;
    account_price(r->worker->prices, rec, &rec->cost);
}

void account_usage_and_cost(struct request *r, struct record *rec)
{
    work_out_usage(r, rec, &rec->usage);
    rec->catalog_version = price_catalog_version(r->worker->prices);
    rec->service_tier = rec->usage.service_tier[0] ? str_c(rec->usage.service_tier) : r->service_tier_asked;
    if (rec->usage.source == USAGE_NONE && begins_work(r))
        say_unknown(rec);
    else if (r->run && r->run->hit)
        rec->cost.state = COST_FREE; /* it was paid for when it was kept */
    else if (rec->usage.source == USAGE_NONE)
        rec->cost.state = r->endpoint->flags & ENDPOINT_BILLED ? COST_NONE : COST_FREE;
    else
        price(r, rec);
}

/* Named for the group of prices that the other model is in. */
static struct str side_operation(enum usage_shape shape)
{
    switch (shape) {
    case USAGE_SHAPE_REALTIME:
        return STR("realtime.transcription");
    case USAGE_SHAPE_IMAGES:
        return STR("responses.svg");
    default:
        return STR("images.tool");
    }
}

bool account_side(struct request *r, const struct record *rec, struct record *ret_side)
{
    const struct usage_meter *m = r->realtime ? realtime_meter(r) : r->relay ? &r->relay->meter : NULL;
    struct usage usage;
    if (!m || !usage_meter_side(m, &usage))
        return false;
    *ret_side = *rec;
    ret_side->id = record_ids_next(&r->worker->ids, r->started_us);
    ret_side->attempt = 1;
    ret_side->operation = side_operation(r->endpoint->shape);
    ret_side->model_asked = ret_side->model_answered = str_c(m->side_model);
    ret_side->service_tier = ret_side->finish_reason = STR("");
    ret_side->first_byte_us = ret_side->events = 0;
    ret_side->request_body = ret_side->response_body = (struct record_body){.size_bytes = 0};
    ret_side->bodies_kept = false;
    ret_side->routing.target = ret_side->routing.hook_results = STR(""); /* it is no attempt of its own */
    ret_side->routing.retry = 0;
    ret_side->usage = usage;
    account_price(r->worker->prices, ret_side, &ret_side->cost);
    return true;
}

void account_add(struct cost *cost, const struct cost *more)
{
    if (more->state == COST_UNPRICED || cost->state == COST_UNPRICED)
        cost->state = COST_UNPRICED;
    else if (more->state == COST_ESTIMATED || cost->state == COST_NONE || cost->state == COST_FREE)
        cost->state = more->state;
    cost->total_pusd += more->total_pusd;
}

bool account_cost_before_answer(const struct request *r, struct cost *ret_cost)
{
    struct record rec = {.model_asked = r->model_asked,
                         .service_tier = r->service_tier_asked,
                         .operation = r->endpoint->operation,
                         .started_us = r->started_us};
    if (!(r->endpoint->flags & ENDPOINT_BILLED)) {
        *ret_cost = (struct cost){.state = COST_FREE};
        return true;
    }
    if (!(r->endpoint->flags & ENDPOINT_CHARACTERS) || !r->input_chars)
        return false;
    rec.usage = (struct usage){.source = USAGE_MEASURED};
    rec.usage.quantity[METER_CHARACTERS] = r->input_chars;
    account_price(r->worker->prices, &rec, ret_cost);
    return true;
}

void account_add_lines(const struct cost *cost, uint64_t overhead_us, struct buf *lines)
{
    char money[MONEY_TEXT_MAX], digits[DIGITS_DECIMAL_MAX];
    struct str amount = STR("unpriced");
    if (cost->state != COST_UNPRICED)
        amount = str_of(money, money_format(cost->total_pusd, money));
    bool ok = buf_add_str(lines, STR("x-tollgate-cost-usd: ")) && buf_add_str(lines, amount) &&
              buf_add_str(lines, STR("\r\nx-tollgate-overhead-us: ")) &&
              buf_add_str(lines, str_of(digits, digits_decimal(overhead_us, digits))) &&
              buf_add_str(lines, STR("\r\n"));
    must(ok);
}

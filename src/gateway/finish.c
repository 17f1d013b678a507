/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of a request: facts become usage, usage becomes cost, all becomes one record; then, at
 * the end of the turn and behind the journal, the last bytes leave.
 */
#include "gateway/finish.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/must.h"
#include "gateway/account.h"
#include "gateway/attempt.h"
#include "gateway/envelope.h"
#include "gateway/limits/admission.h"
#include "gateway/realtime.h"
#include "gateway/relay.h"
#include "gateway/reply.h"
#include "gateway/run/run.h"
#include "gateway/series.h"
#include "ledger/journal.h"

#define LINES_MAX (HTTP1_HEAD_MAX * 2)
#define PUSD_PER_MICRO_USD 1000000

static uint64_t since(uint64_t from, uint64_t to)
{
    return from && to > from ? to - from : 0;
}

/* What we added: before the call to upstream (not counting the wait for the client), and since its last byte. */
static uint64_t overhead_us(const struct request *r, uint64_t now)
{
    uint64_t from = r->body_us > r->attempt_us && r->body_us < r->sent_us ? r->body_us : r->attempt_us;
    uint64_t before = since(from, r->sent_us ? r->sent_us : now);
    return before + (r->last_us ? since(r->last_us, now) : 0);
}

static void fill_body(struct record_body *b, struct str kept, uint64_t size)
{
    b->bytes = kept;
    b->size_bytes = size;
}

static void fill_answer_body(struct request *r, struct record *rec)
{
    struct relay *y = r->relay;
    if (!y)
        return;
    fill_body(&rec->response_body, buf_str(&y->capture), y->client_bytes);
    rec->response_body.has_sha256 = relay_hash(r, rec->response_body.sha256);
}

static void fill_headers(const struct request *r, struct record *rec, bool quiet)
{
    rec->request_headers = quiet ? STR("") : r->request_headers;
    rec->response_headers = r->response_headers;
}

static void fill_bodies(struct request *r, struct record *rec)
{
    struct relay *y = r->relay;
    uint64_t cap = r->worker->settings->capture_max_bytes;
    if (r->realtime)
        return; /* a session's frames are counted, not kept */
    rec->request_body.size_bytes = r->body_bytes;
    rec->response_body.size_bytes = y ? y->client_bytes : 0;
    bool quiet = r->run && r->run->options.debug_off; /* of what went well nothing is kept, of errors the answer */
    rec->bodies_kept = r->keep_bodies && !(quiet && rec->status < 400);
    if (!rec->bodies_kept)
        return;
    bool ours = r->reply_ready && (!y || y->mode != RELAY_HELD);
    if (ours)
        fill_body(&rec->response_body, str_head(r->final, cap), r->final.n);
    fill_headers(r, rec, quiet);
    if (!ours)
        fill_answer_body(r, rec);
    if (quiet)
        return;
    struct str sent = buf_str(&r->body);
    fill_body(&rec->request_body, str_head(sent, cap), r->body_bytes);
    if (r->body_bytes > cap && sent.n == r->body_bytes) {
        account_sha256(sent, rec->request_body.sha256);
        rec->request_body.has_sha256 = true;
    } else if (r->has_body_sha256 && r->body_bytes > cap) {
        memcpy(rec->request_body.sha256, r->body_sha256, 32);
        rec->request_body.has_sha256 = true;
    }
}

static void fill_identity(const struct request *r, struct record *rec)
{
    rec->id = r->attempt_id;
    rec->request_id = r->id;
    rec->attempt = r->attempt;
    rec->started_us = r->attempt_started_us;
    if (r->key) {
        rec->workspace_id = r->key->workspace_id;
        rec->key_id = r->key->id;
    }
    if (r->integration) {
        rec->integration_id = r->integration->id;
        rec->upstream_host = r->integration->authority;
    }
    if (r->run && r->run->has_target)
        rec->upstream_host = r->run->target.authority;
    rec->method = r->method;
    rec->path = r->path;
    rec->operation = r->endpoint->operation;
    rec->model_asked = r->model_asked;
    rec->trace_id = request_trace_to_keep(r);
    rec->span_id = r->span_id;
    rec->parent_span_id = r->parent_span_id;
    rec->routing.span_name = r->span_name;
    rec->user = r->user;
    rec->metadata = r->metadata;
    rec->user_agent = r->user_agent;
    rec->stream = r->stream;
}

static void fill_answer(const struct request *r, struct record *rec, uint64_t now)
{
    const struct relay *y = r->relay;
    rec->status = (uint16_t)r->reply_status;
    rec->first_byte_us = since(r->attempt_us, r->first_us);
    rec->total_us = since(r->attempt_us, now);
    rec->overhead_us = overhead_us(r, now);
    if (r->realtime)
        realtime_fill(r, rec);
    if (!y)
        return;
    rec->upstream_status = (uint16_t)y->status;
    rec->upstream_request_id = y->upstream_request_id;
    rec->model_answered = str_c(y->meter.model);
    rec->finish_reason = str_c(y->meter.finish_reason);
    if (!rec->err_detail.n) /* upstream's own code; its message may quote the request */
        rec->err_detail = str_c(y->meter.error_code[0] ? y->meter.error_code : y->meter.error_type);
    rec->events = y->events;
}

/* The counter is in millionths of a dollar; what is less waits, so that many small amounts count too. */
static void count_cost(struct worker *w, int64_t cost_pusd)
{
    w->cost_rest_pusd += cost_pusd > 0 ? (uint64_t)cost_pusd : 0;
    metrics_add(&w->metrics, METRIC_COST_MICRO_USD, w->cost_rest_pusd / PUSD_PER_MICRO_USD);
    w->cost_rest_pusd %= PUSD_PER_MICRO_USD;
}

static void count(const struct request *r, const struct record *rec, const struct cost *cost)
{
    struct worker *w = r->worker;
    if (rec->outcome == RECORD_REFUSED && !r->opened)
        metrics_add(&w->metrics, METRIC_REFUSED, 1);
    if (rec->outcome != RECORD_COMPLETED)
        metrics_add(&w->metrics, METRIC_ERRORS, 1);
    if (cost->state == COST_UNPRICED)
        metrics_add(&w->metrics, METRIC_UNPRICED, 1);
    if (rec->usage.source == USAGE_ESTIMATED)
        metrics_add(&w->metrics, METRIC_ESTIMATED, 1);
    count_cost(w, cost->total_pusd);
}

/* How an attempt ended. */
struct ending {
    enum record_outcome outcome;
    enum err err;
    struct str detail;
    bool discarded;    /* another attempt follows */
    struct buf *lines; /* of an answer that has not begun: get its cost; else NULL */
};

static void fill_record(struct request *r, const struct ending *end, struct record *rec)
{
    *rec = (struct record){.outcome = end->outcome, .err = end->err, .err_detail = end->detail};
    fill_identity(r, rec);
    fill_answer(r, rec, clock_mono_us());
    if (r->run)
        run_fill(r, rec);
    rec->routing.discarded = end->discarded;
    account_usage_and_cost(r, rec);
}

static void add_cost_lines(const struct request *r, struct cost cost, uint64_t overhead, struct buf *lines)
{
    if (r->run)
        run_add_cost(r, &cost, &overhead);
    account_add_lines(&cost, overhead, lines);
}

/* Records. What is still to be sent waits for the journal. *ret_cost is the attempt's. */
static void record_attempt(struct request *r, const struct ending *end, struct cost *ret_cost,
                           uint64_t *ret_overhead_us)
{
    struct worker *w = r->worker;
    struct record rec, side;
    fill_record(r, end, &rec);
    bool has_side = account_side(r, &rec, &side);
    struct cost cost = rec.cost;
    if (has_side)
        account_add(&cost, &side.cost);
    if (end->lines)
        add_cost_lines(r, cost, rec.overhead_us, end->lines);
    if (r->run && !end->discarded)
        run_recorded(r, &rec, &cost);
    admission_end(r, &rec, &cost);
    if (r->relay && r->relay->mode == RELAY_HELD && r->reply_ready)
        relay_capture(r, buf_str(&r->relay->held));
    fill_bodies(r, &rec);
    if (r->key) /* a stranger's attempts are counted, not recorded: they could fill the ledger */
        journal_add(w->journal, &rec);
    if (has_side)
        journal_add(w->journal, &side);
    count(r, &rec, &cost);
    series_count(w->series, &rec, &cost);
    *ret_cost = cost;
    *ret_overhead_us = rec.overhead_us;
}

static void record_last(struct request *r, const struct ending *end)
{
    struct cost cost;
    uint64_t overhead;
    record_attempt(r, end, &cost, &overhead);
    list_remove(&r->node);
    list_append(&r->worker->finishing, &r->node);
    loop_wake_hooks(r->worker->loop);
}

void finish_restart(struct request *r)
{
    r->attempt_started_us = clock_wall_us();
    r->attempt_us = clock_mono_us();
}

void finish_attempt(struct request *r, int status, enum record_outcome outcome, enum err e, struct str detail)
{
    struct ending end = {outcome, e, detail, true, NULL};
    struct run *run = r->run;
    struct cost cost;
    uint64_t overhead;
    must(!r->finished && run);
    attempt_cancel(r);
    r->reply_status = status;
    if (r->relay && r->relay->mode == RELAY_HELD)
        relay_capture(r, buf_str(&r->relay->held));
    record_attempt(r, &end, &cost, &overhead);
    if (run->cost_before.state == COST_NONE)
        run->cost_before = cost;
    else
        account_add(&run->cost_before, &cost);
    run->overhead_before_us += overhead;
    relay_free(r);
    r->reply_status = 0;
    r->response_headers = STR("");
    r->sent_us = r->first_us = r->last_us = 0;
    r->opened = false;
    r->soft_status = 0;
    r->attempt++;
    r->attempt_id = record_ids_next(&r->worker->ids, clock_wall_us());
    finish_restart(r);
}

void finish_request(struct request *r, enum record_outcome outcome, enum err e, struct str detail)
{
    must(!r->finished);
    r->finished = true;
    r->stage = "finish";
    attempt_cancel(r);
    run_cancel(r);
    loop_timer_clear(r->worker->loop, &r->late);
    struct relay *y = r->relay;
    if (y && (y->head_sent || r->x))
        r->reply_status = r->soft_status ? r->soft_status : y->status;
    if (y && y->mode == RELAY_HELD && r->x) {
        y->framing = y->framing == HTTP1_NO_BODY ? HTTP1_NO_BODY : HTTP1_LENGTH;
        y->length = buf_size(&y->held);
        r->reply_ready = true;
    } else if (y && !y->head_sent && r->x && !r->realtime) {
        relay_send_head(r); /* an answer without a body: its head is the last thing to send */
    }
    if (y && r->final.n)
        relay_capture(r, r->final);
    struct ending end = {outcome, e, detail, false, r->reply_ready ? &y->lines : NULL};
    record_last(r, &end);
}

/* An answer of ours: nothing was sent so far, and nothing of upstream's will be. */
static void end_with_answer(struct request *r, const struct ending *how, int status, struct str type, struct str body)
{
    struct ending end = *how;
    must(!r->finished);
    r->finished = true;
    attempt_cancel(r);
    run_cancel(r);
    loop_timer_clear(r->worker->loop, &r->late);
    r->reply_status = status;
    r->final = body;
    r->reply_type = type;
    r->reply_ready = true;
    if (r->relay) /* upstream's answer is replaced by ours */
        r->relay->mode = RELAY_PLAIN;
    record_last(r, &end);
    r->reply_lines = arena_dup(r->arena, buf_str(end.lines));
    r->abort_client = !r->reply_lines.p || !r->final.p;
}

/* To a model's own address errors are told in Blaxel's envelope. */
static void end_with_envelope(struct request *r, struct ending *end, enum envelope which, int status,
                              struct str message, const char *type, struct str param)
{
    struct buf body;
    buf_init(&body, 16384);
    bool ok = envelope_json(&body, which, status, message, str_c(type), param, clock_wall_us(), &status) &&
              envelope_lines(end->lines, which);
    must(ok);
    end_with_answer(r, end, status, STR("application/json"), arena_dup(r->arena, buf_str(&body)));
    buf_free(&body);
}

static void error_in_envelope(struct request *r, struct ending *end, struct str param)
{
    const struct err_info *info = err_info(end->err);
    char text[1536];
    int n = snprintf(text, sizeof text, end->detail.n ? "%s (%.*s)" : "%s", info->text,
                     STR_ARG(str_head(end->detail, 1024)));
    must(n > 0);
    struct str message = str_of(text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1);
    end_with_envelope(r, end, envelope_of(end->err), info->status, message, info->type, param);
}

void finish_with_error(struct request *r, enum err e, struct str param, struct str detail)
{
    struct buf body, lines;
    if (r->relay && r->relay->head_sent) {
        r->abort_client = true;
        finish_request(r, RECORD_UPSTREAM_ABORTED, e, detail);
        return;
    }
    if (e == ERR_NO_INTEGRATION && r->portkey && !detail.n) {
        finish_with_refusal(r, REFUSAL_NO_PROVIDER, STR(""), STR(""));
        return;
    }
    buf_init(&body, 8192);
    buf_init(&lines, LINES_MAX);
    bool ok = reply_error_json(&body, e, param, detail);
    must(ok);
    request_own_lines(r, &lines);
    reply_error_lines(&lines, e);
    bool upstream = e >= ERR_UPSTREAM_DNS && e <= ERR_UPSTREAM_BUSY; /* the table keeps them together */
    struct ending end = {upstream ? RECORD_UPSTREAM_FAILED : RECORD_REFUSED, e, detail, false, &lines};
    if (r->blaxel)
        error_in_envelope(r, &end, param);
    else
        end_with_answer(r, &end, err_info(e)->status, STR("application/json"), arena_dup(r->arena, buf_str(&body)));
    buf_free(&body);
    buf_free(&lines);
}

enum record_outcome finish_outcome(const struct request *r, enum refusal which)
{
    const struct refusal_info *info = refusal_info(which);
    if (info->err >= ERR_UPSTREAM_DNS && info->err <= ERR_UPSTREAM_BUSY)
        return RECORD_UPSTREAM_FAILED;
    return r->relay ? RECORD_COMPLETED : RECORD_REFUSED;
}

void finish_with_refusal(struct request *r, enum refusal which, struct str detail, struct str more)
{
    const struct refusal_info *info = refusal_info(which);
    struct buf body, lines;
    buf_init(&body, 2u << 20);
    buf_init(&lines, LINES_MAX);
    if (!refusal_json(&body, which, detail, more)) {
        buf_reset(&body);
        bool ok = refusal_json(&body, which, str_head(detail, 1024), STR(""));
        must(ok);
    }
    request_own_lines(r, &lines);
    reply_error_lines(&lines, info->err);
    bool ok =
        info->family != REFUSAL_FAMILY_EXCEPTION || buf_add_str(&lines, STR("x-portkey-gateway-exception: true\r\n"));
    must(ok);
    struct ending end = {finish_outcome(r, which), info->err, detail, false, &lines};
    if (r->blaxel)
        end_with_envelope(r, &end, envelope_of(info->err), info->status, detail.n ? detail : str_c(info->message),
                          info->type, STR(""));
    else
        end_with_answer(r, &end, info->status, STR("application/json"), arena_dup(r->arena, buf_str(&body)));
    buf_free(&body);
    buf_free(&lines);
}

void finish_with_own(struct request *r, int status, enum err e, struct str detail, struct str more, struct str body)
{
    struct buf lines;
    buf_init(&lines, LINES_MAX);
    request_own_lines(r, &lines);
    bool ok = buf_add_str(&lines, more);
    must(ok);
    struct ending end = {RECORD_REFUSED, e, detail, false, &lines};
    end_with_answer(r, &end, status, STR("application/json"), arena_dup(r->arena, body));
    buf_free(&lines);
}

void finish_with_bytes(struct request *r, int status, struct str type, struct str body)
{
    struct buf lines;
    buf_init(&lines, LINES_MAX);
    request_own_lines(r, &lines);
    struct ending end = {RECORD_COMPLETED, ERR_OK, STR(""), false, &lines};
    metrics_add(&r->worker->metrics, METRIC_REQUESTS, r->attempt == 0);
    end_with_answer(r, &end, status, type, body);
    buf_free(&lines);
}

/* The end of the turn. */

static void send_unrecorded(struct request *r)
{
    struct buf lines;
    buf_init(&lines, LINES_MAX);
    request_own_lines(r, &lines);
    reply_error(r->x, ERR_JOURNAL_FAILED, STR(""), STR(""), buf_str(&lines));
    buf_free(&lines);
}

static void send_rest(struct request *r, bool durable)
{
    struct relay *y = r->relay;
    bool head_sent = y && y->head_sent;
    if (r->abort_client || (!durable && (head_sent || r->realtime) && r->key)) {
        struct http_exchange *x = r->x;
        r->x = NULL;
        http_abort(x);
        request_release(r);
    } else if (!durable && r->key) {
        send_unrecorded(r);
    } else if (r->reply_ready && y && y->mode == RELAY_HELD) {
        relay_send_head(r);
        http_send_end(r->x, buf_str(&y->held));
        request_empty(&y->held);
    } else if (r->reply_ready) {
        http_reply(r->x, r->reply_status, r->reply_type, r->reply_lines, r->final);
    } else {
        http_send_end(r->x, r->final);
    }
}

void finish_turn(struct worker *w, bool durable)
{
    while (!list_empty(&w->finishing)) {
        struct request *r = list_entry(w->finishing.next, struct request, node);
        list_remove(&r->node);
        if (r->x)
            send_rest(r, durable);
        else
            request_release(r);
    }
}

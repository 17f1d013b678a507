/* SPDX-License-Identifier: Apache-2.0 */
/* The exchange with upstream: begin it, note it in the journal, hand its answer to the relay. */
#include "gateway/attempt.h"

#include "base/clock.h"
#include "base/must.h"
#include "gateway/finish.h"
#include "gateway/heads.h"
#include "gateway/intake.h"
#include "gateway/limits/admission.h"
#include "gateway/limits/limits.h"
#include "gateway/realtime.h"
#include "gateway/relay.h"
#include "gateway/run/after.h"
#include "gateway/stages.h"
#include "ledger/journal.h"

static void on_head(struct http_call *call, const struct http1_head *head)
{
    struct request *r = request_of_call(call);
    if (head->status == 101) {
        if (r->run)
            after_head(r, head);
        if (r->websocket)
            realtime_begin(r, head);
        else
            finish_with_error(r, ERR_UPSTREAM_BAD_HTTP, STR(""), STR("upstream changed protocols without being asked"));
        return;
    }
    relay_head(r, head);
}

static void on_body(struct http_call *call, struct str bytes, bool last)
{
    struct request *r = request_of_call(call);
    if (last)
        r->call_live = false;
    if (r->realtime)
        realtime_from_upstream(r, bytes, last);
    else
        relay_body(r, bytes, last);
}

static void on_drained(struct http_call *call)
{
    intake_drained(request_of_call(call));
}

static void on_failed(struct http_call *call, enum err why, const char *detail)
{
    struct request *r = request_of_call(call);
    r->call_live = false;
    if (r->realtime)
        realtime_failed(r, why, str_c(detail));
    else if (r->relay)
        relay_failed(r, why, str_c(detail));
    else if (r->run)
        after_failed(r, why, str_c(detail));
    else
        finish_with_error(r, why, STR(""), str_c(detail));
}

static const struct http_call_app call_app = {on_head, on_body, on_drained, on_failed};

/* Leaves a trace of the attempt for the case that the program does not live to record it. */
static void note_open(struct request *r)
{
    struct record_open o = {
        .id = r->attempt_id,
        .request_id = r->id,
        .started_us = r->attempt_started_us,
        .workspace_id = r->key->workspace_id,
        .key_id = r->key->id,
        .integration_id = r->integration ? r->integration->id : 0,
        .method = r->method,
        .path = r->path,
        .operation = r->endpoint->operation,
        .model_asked = r->model_asked,
        .trace_id = request_trace_to_keep(r),
        .user = r->user,
        .metadata = r->metadata,
        .stream = r->stream,
        .request_bytes = r->body_bytes,
        .attempt = r->attempt,
        .reserved_pusd = limits_held_pusd(r->hold),
    };
    journal_add_open(r->worker->journal, &o);
    loop_wake_hooks(r->worker->loop);
    r->opened = true;
}

static void prepare(struct request *r, struct http_call_options *options, struct dial_target *target)
{
    const struct gateway_settings *s = r->worker->settings;
    r->call.app = &call_app;
    r->call.app_data = r;
    r->call_live = true;
    r->sent_us = clock_mono_us();
    *options = (struct http_call_options){.first_byte_timeout_us = s->first_byte_timeout_us,
                                          .idle_timeout_us = s->idle_timeout_us,
                                          .to_head = str_eq(r->method, STR("HEAD"))};
    if (r->run)
        *target = (struct dial_target){r->run->target.host, r->run->target.port, r->run->target.tls};
    else
        *target = (struct dial_target){r->integration->host, r->integration->port, r->integration->tls};
    if (r->attempt == 0)
        metrics_add(&r->worker->metrics, METRIC_REQUESTS, 1);
    request_settle_metadata(r);
    note_open(r);
}

enum next attempt_run(struct request *r)
{
    if (r->run)
        run_start(r);
    else if (!r->integration)
        finish_with_error(r, ERR_NO_INTEGRATION, STR(""), STR(""));
    else if (!admission_before(r) || !admission_target(r))
        admission_refuse(r);
    else
        attempt_send(r, buf_size(&r->edited) ? buf_str(&r->edited) : buf_str(&r->body));
    return DONE;
}

void attempt_send(struct request *r, struct str body)
{
    struct http_call_options options;
    struct dial_target target;
    bool bodiless = str_eq(r->method, STR("GET")) || str_eq(r->method, STR("HEAD")) ||
                    str_eq(r->method, STR("DELETE")) || str_eq(r->method, STR("OPTIONS"));
    heads_end_upstream(r, bodiless && !body.n ? HTTP1_NO_BODY : HTTP1_LENGTH, body.n);
    prepare(r, &options, &target);
    if (r->websocket)
        http_call_begin_streamed(r->worker->client, &r->call, &target, &options, buf_str(&r->upstream_head));
    else
        http_call_begin(r->worker->client, &r->call, &target, &options, buf_str(&r->upstream_head), body);
}

void attempt_begin_streamed(struct request *r, enum http1_framing framing, uint64_t length)
{
    struct http_call_options options;
    struct dial_target target;
    heads_end_upstream(r, framing, length);
    prepare(r, &options, &target);
    options.chunked = framing == HTTP1_CHUNKED;
    http_call_begin_streamed(r->worker->client, &r->call, &target, &options, buf_str(&r->upstream_head));
}

void attempt_cancel(struct request *r)
{
    if (r->call_live)
        http_call_cancel(&r->call);
    r->call_live = false;
}

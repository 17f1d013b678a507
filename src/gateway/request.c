/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Life of a request object, and the callbacks of its client connection.
 *
 * What is kept of the head is copied into the arena here, because the head's views end with the
 * callback that brought them.
 */
#include "gateway/request.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/digits.h"
#include "base/json_text.h"
#include "base/mem.h"
#include "base/must.h"
#include "base/utf8.h"
#include "gateway/finish.h"
#include "gateway/header_log.h"
#include "gateway/intake.h"
#include "gateway/model_api.h"
#include "gateway/realtime.h"
#include "gateway/relay.h"
#include "gateway/run/run.h"
#include "gateway/stages.h"
#include "gateway/target/path.h"
#include "openai/body_edit.h"
#include "openai/request_facts.h"

#define MAGIC 0x72657175u
#define ARENA_FIRST 480
#define ARENA_CAP (512u * 1024)
#define PATH_KEPT 512
#define USER_AGENT_KEPT 200
#define METADATA_KEPT 8192
#define SPAN_NAME_MAX 128
#define UPSTREAM_HEAD_MAX (HTTP1_HEAD_MAX * 2)

struct request *request_of(struct http_exchange *x)
{
    struct request *r = x->app_data;
    must(r && r->magic == MAGIC);
    return r;
}

struct request *request_of_call(struct http_call *call)
{
    struct request *r = call->app_data;
    must(r && r->magic == MAGIC);
    return r;
}

static struct str keep(struct request *r, struct str s, size_t max)
{
    if (!s.n)
        return STR("");
    struct str copy = arena_dup(r->arena, str_head(s, max));
    return copy.p ? copy : STR("");
}

static struct str field_value(const struct http1_head *head, enum http1_field_id id)
{
    const struct http1_field *f = http1_find_id(head, id);
    return f ? f->value : STR("");
}

/* "00-<32 hex>-<16 hex>-<2 hex>"; anything else is ignored (W3C Trace Context). */
static void read_traceparent(struct request *r, struct str v)
{
    uint64_t number;
    if (v.n < 55 || v.p[2] != '-' || v.p[35] != '-' || v.p[52] != '-' || !str_hex_to_u64(str_head(v, 2), &number))
        return;
    struct str trace = str_of(v.p + 3, 32), parent = str_of(v.p + 36, 16);
    uint64_t high, low;
    if (!str_hex_to_u64(str_head(trace, 16), &high) || !str_hex_to_u64(str_from(trace, 16), &low) ||
        !str_hex_to_u64(parent, &number) || !(high | low) || !number) /* all zeros mean none */
        return;
    if (!r->trace_id.n)
        r->trace_id = keep(r, trace, REQUEST_TRACE_MAX);
    if (!r->parent_span_id.n)
        r->parent_span_id = keep(r, parent, REQUEST_TRACE_MAX);
    if (!r->span_id.n) { /* our part of the trace, named as OpenTelemetry's instrumentations do */
        char own[17];
        int n = snprintf(own, sizeof own, "%016llx", (unsigned long long)r->id);
        r->span_id = keep(r, str_of(own, (size_t)n), sizeof own);
        r->traced = true;
    }
}

/* Header fields are bytes; what is not UTF-8 came from a client that writes ISO 8859-1. */
static struct str keep_metadata(struct request *r, struct str given)
{
    struct buf out;
    if (!given.n || given.n > METADATA_KEPT || given.p[0] != '{')
        return STR("");
    if (utf8_valid(given))
        return keep(r, given, METADATA_KEPT);
    buf_init(&out, 2 * METADATA_KEPT);
    struct str text = utf8_from_latin1(given, &out) ? keep(r, buf_str(&out), 2 * METADATA_KEPT) : STR("");
    buf_free(&out);
    return text;
}

static struct str span_name(struct request *r)
{
    char text[SPAN_NAME_MAX];
    int n = snprintf(text, sizeof text, "%.*s %.*s", STR_ARG(r->method), STR_ARG(r->path));
    return keep(r, str_of(text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1), sizeof text);
}

static void keep_head(struct request *r, const struct http1_head *h)
{
    r->method = keep(r, h->method, 32);
    r->path = keep(r, h->path, PATH_KEPT);
    r->query = keep(r, h->query, HTTP1_TARGET_MAX);
    struct str below = path_below_v1(h->path, NULL);
    r->operation_path =
        h->path.n <= PATH_KEPT ? str_from(r->path, h->path.n - below.n) : keep(r, below, HTTP1_TARGET_MAX);
    model_api_read(r, h);
    r->user_agent = STR("");
    for (unsigned i = 0; i < h->field_count; i++) {
        const struct http1_field *f = &h->fields[i];
        if (f->id == HTTP1_USER_AGENT)
            r->user_agent = keep(r, f->value, USER_AGENT_KEPT);
        else if (f->id == HTTP1_CONTENT_TYPE)
            r->content_type = keep(r, f->value, 256);
        else if (f->id == HTTP1_ACCEPT_ENCODING)
            r->accepts_gzip = http1_has_token(f->value, STR("gzip"));
    }
    r->trace_id = keep(r, field_value(h, HTTP1_X_PORTKEY_TRACE_ID), REQUEST_TRACE_MAX);
    r->span_id = keep(r, field_value(h, HTTP1_X_PORTKEY_SPAN_ID), REQUEST_TRACE_MAX);
    r->parent_span_id = keep(r, field_value(h, HTTP1_X_PORTKEY_PARENT), REQUEST_TRACE_MAX);
    const struct http1_field *parent = http1_find_id(h, HTTP1_TRACEPARENT);
    if (parent)
        read_traceparent(r, parent->value);
    if (!r->trace_id.n) {
        record_trace_format(r->id, r->own_trace_id);
        r->trace_id = str_of(r->own_trace_id, sizeof r->own_trace_id - 1);
    }
    r->span_name = r->traced ? span_name(r) : STR("");
    r->metadata = keep_metadata(r, field_value(h, HTTP1_X_PORTKEY_METADATA));
}

static uint64_t body_max(const struct worker *w)
{
    uint64_t captured = w->settings->capture_max_bytes;
    return captured > INTAKE_KEPT_MAX ? captured : INTAKE_KEPT_MAX;
}

void request_log_fields(struct request *r, const struct http1_head *h, const struct config_strings *sensitive)
{
    struct buf out;
    buf_init(&out, METADATA_KEPT * 2);
    r->request_headers = STR("");
    if (header_log_json(h->fields, h->field_count, sensitive, &out))
        r->request_headers = keep(r, buf_str(&out), METADATA_KEPT * 2);
    buf_free(&out);
}

/* With an empty arena and body; both may have room that an earlier request left. */
static struct request *request_new(struct worker *w)
{
    struct request *r = spares_take(&w->spare_requests);
    if (!r) {
        r = mem_zalloc(sizeof *r);
        r->arena = arena_new(ARENA_FIRST, ARENA_CAP);
        buf_init(&r->upstream_head, UPSTREAM_HEAD_MAX);
        buf_init(&r->body, body_max(w));
        return r;
    }
    struct arena *arena = r->arena;
    struct buf head = r->upstream_head, body = r->body;
    memset(r, 0, sizeof *r);
    r->arena = arena;
    r->upstream_head = head;
    r->body = body;
    r->body.max = body_max(w);
    return r;
}

void request_empty(struct buf *b)
{
    buf_reset(b);
    if (b->cap > REQUEST_ROOM_KEPT)
        buf_free(b);
}

static void request_free(struct request *r)
{
    arena_free(r->arena);
    buf_free(&r->upstream_head);
    buf_free(&r->body);
    mem_free(r);
}

static void on_free(struct loop_grave *g)
{
    struct request *r = list_entry(g, struct request, grave);
    r->magic = 0;
    arena_reset(r->arena);
    request_empty(&r->upstream_head);
    request_empty(&r->body);
    if (!spares_give(&r->worker->spare_requests, r))
        request_free(r);
}

void request_spares_free(struct worker *w)
{
    struct request *r;
    while ((r = spares_take(&w->spare_requests)))
        request_free(r);
    intake_spares_free(w);
    relay_spares_free(w);
    run_spares_free(w);
}

void request_release(struct request *r)
{
    struct loop *l = r->worker->loop;
    must(!r->call_live);
    metrics_add(&r->worker->metrics, METRIC_IN_FLIGHT, (uint64_t)-1);
    list_remove(&r->node);
    snapshot_unref(r->snapshot);
    r->snapshot = NULL;
    intake_free(r);
    run_free(r);
    relay_free(r);
    realtime_free(r);
    buf_free(&r->edited);
    r->worker->kept_bytes -= r->kept_bytes;
    if (r->x)
        r->x->app_data = NULL;
    loop_bury(l, &r->grave);
}

struct str request_trace_to_keep(const struct request *r)
{
    return r->own_trace_id[0] ? STR("") : r->trace_id;
}

void request_settle_metadata(struct request *r)
{
    struct str workspace, key;
    bool bad = false;
    if (r->metadata_settled || !r->key)
        return;
    r->metadata_settled = true;
    workspace = r->key->workspace->metadata;
    key = r->key->metadata;
    struct str baggage = r->run ? r->run->options.baggage_metadata : STR("");
    if (!workspace.n && !key.n && !r->metadata.n && !baggage.n && !(r->run && r->user.n))
        return;
    struct str merged =
        options_metadata(workspace, key, r->metadata, baggage, r->run ? r->user : STR(""), r->arena, &bad);
    r->metadata = merged;
    struct str user = body_member_find(merged, STR("_user"));
    if (user.n > 2 && user.p[0] == '"') {
        char text[REQUEST_NAME_MAX];
        json_unescape_copy(str_of(user.p + 1, user.n - 2), text, sizeof text);
        r->user = keep(r, str_c(text), sizeof text);
    }
}

void request_own_lines(const struct request *r, struct buf *out)
{
    bool ok = buf_add_str(out, STR("x-portkey-trace-id: ")) && buf_add_str(out, r->trace_id) &&
              buf_add_str(out, STR("\r\nx-tollgate-request-id: ")) && buf_add_str(out, str_c(r->request_id)) &&
              buf_add_str(out, STR("\r\n"));
    must(ok);
    if (r->run)
        run_add_lines(r, out);
}

/* Callbacks of the client connection. */

static void on_body(struct http_exchange *x, struct str bytes, bool last)
{
    struct request *r = request_of(x);
    if (r->realtime)
        realtime_from_client(r, bytes, last);
    else if (!r->finished)
        intake_body(r, bytes, last);
}

static void on_drained(struct http_exchange *x)
{
    struct request *r = request_of(x);
    if (r->call_live)
        http_call_resume(&r->call);
}

/* A client that knows its protocol leaves when it has the last event, before the stream's framing ends. */
static bool has_it_all(const struct request *r)
{
    const struct relay *y = r->relay;
    if (r->realtime)
        return realtime_closed(r);
    return y && y->mode == RELAY_EVENTS && relay_said_all(r) && y->all_taken && !buf_size(&y->held);
}

static enum record_outcome outcome_of(const struct request *r, enum err why)
{
    switch (why) {
    case ERR_CLIENT_GONE:
        return has_it_all(r) ? RECORD_COMPLETED : RECORD_CLIENT_CANCELLED;
    case ERR_CLIENT_STALLED:
        return RECORD_CLIENT_STALLED;
    case ERR_DRAINING:
        return RECORD_INTERRUPTED;
    default:
        return RECORD_REFUSED; /* its body came too slowly, or was no HTTP */
    }
}

static void on_closed(struct http_exchange *x, enum err why)
{
    struct request *r = request_of(x);
    r->x = NULL;
    x->app_data = NULL;
    if (r->call_live)
        http_call_cancel(&r->call);
    r->call_live = false;
    if (r->finished) {
        if (list_empty(&r->node)) /* its last bytes were under way */
            request_release(r);
        return; /* else it waits for finish_turn */
    }
    enum record_outcome outcome = outcome_of(r, why);
    if (outcome == RECORD_CLIENT_CANCELLED || outcome == RECORD_CLIENT_STALLED)
        metrics_add(&r->worker->metrics, METRIC_CANCELLED, 1);
    if (outcome == RECORD_REFUSED && !r->relay)
        r->reply_status = err_info(why)->status; /* the server says it to the client */
    finish_request(r, outcome, outcome == RECORD_COMPLETED ? ERR_OK : why, STR(""));
}

static void on_done(struct http_exchange *x)
{
    struct request *r = request_of(x);
    must(r->finished);
    request_release(r);
}

static const struct http_app client_app = {
    .on_body = on_body, .on_drained = on_drained, .on_closed = on_closed, .on_done = on_done};

void request_begin(struct worker *w, struct http_exchange *x)
{
    struct request *r = request_new(w);
    r->magic = MAGIC;
    r->owner.app = &client_app;
    r->worker = w;
    r->x = x;
    x->app_data = r;
    r->grave.on_free = on_free;
    r->snapshot = snapshot_ref(worker_snapshot(w));
    r->started_us = clock_wall_us();
    r->head_us = x->started_us;
    r->id = r->attempt_id = record_ids_next(&w->ids, r->started_us);
    r->attempt_started_us = r->started_us;
    r->attempt_us = r->head_us;
    record_id_format(r->id, r->request_id);
    r->keep_bodies = w->settings->record_bodies;
    buf_init(&r->edited, INTAKE_KEPT_MAX + 4096);
    keep_head(r, &x->head);
    r->endpoint = endpoint_find(r->method, r->operation_path);
    if (r->keep_bodies)
        request_log_fields(r, &x->head, NULL);
    list_append(&w->requests, &r->node);
    metrics_add(&w->metrics, METRIC_IN_FLIGHT, 1);
    stages_run(r);
}

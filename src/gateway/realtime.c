/* SPDX-License-Identifier: Apache-2.0 */
/* A WebSocket session: bytes pass both ways; a tap reads upstream's messages. */
#include "gateway/realtime.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/must.h"
#include "gateway/attempt.h"
#include "gateway/finish.h"
#include "gateway/heads.h"
#include "net/http_flush.h"
#include "net/ws.h"
#include "openai/usage_meter.h"

struct realtime {
    uint64_t to_client_bytes, to_upstream_bytes;
    struct str upstream_request_id;
    struct ws_scan scan; /* of what upstream says */
    struct usage_meter meter;
};

void realtime_free(struct request *r)
{
    if (!r->realtime)
        return;
    ws_scan_done(&r->realtime->scan);
    mem_free(r->realtime);
    r->realtime = NULL;
}

/* Upstream's events are text messages of JSON. */
static void on_piece(void *ctx, const struct ws_piece *piece)
{
    struct realtime *t = ctx;
    if (piece->opcode != WS_TEXT)
        return;
    usage_meter_feed(&t->meter, piece->bytes.p, piece->bytes.n);
    if (piece->end)
        usage_meter_message_end(&t->meter);
}

void realtime_begin(struct request *r, const struct http1_head *head)
{
    struct realtime *t = mem_zalloc(sizeof *t);
    struct buf lines;
    r->realtime = t;
    usage_meter_init(&t->meter, r->endpoint->shape, USAGE_WIRE_MESSAGES, NULL, NULL);
    const struct http1_field *extensions = http1_find(head, STR("sec-websocket-extensions"));
    struct ws_deflate deflate = ws_deflate_from(extensions ? extensions->value : STR(""));
    ws_scan_init(&t->scan, WS_FROM_SERVER, &deflate, on_piece, t);
    const struct http1_field *id = http1_find_id(head, HTTP1_X_REQUEST_ID);
    if (id)
        t->upstream_request_id = arena_dup(r->arena, str_head(id->value, 128));
    buf_init(&lines, HTTP1_HEAD_MAX * 2);
    heads_to_client(r, head, &lines);
    http_head_begin(r->x, 101);
    http_head_lines(r->x, buf_str(&lines));
    http_head_lines(r->x, STR("Upgrade: websocket\r\n"));
    http_go_raw(r->x);
    http_head_end(r->x, HTTP1_NO_BODY, 0, false);
    http_flush(r->x);
    buf_free(&lines);
    r->reply_status = 101;
}

bool realtime_closed(const struct request *r)
{
    const struct realtime *t = r->realtime;
    return t->scan.closed || t->scan.fault; /* at fault: nobody can tell */
}

void realtime_from_client(struct request *r, struct str bytes, bool last)
{
    struct realtime *t = r->realtime;
    if (r->finished)
        return;
    t->to_upstream_bytes += bytes.n;
    if (r->call_live)
        http_call_body(&r->call, bytes);
    if (last) {
        bool closed = realtime_closed(r);
        if (!closed)
            metrics_add(&r->worker->metrics, METRIC_CANCELLED, 1);
        finish_request(r, closed ? RECORD_COMPLETED : RECORD_CLIENT_CANCELLED, closed ? ERR_OK : ERR_CLIENT_GONE,
                       STR(""));
    } else if (r->call_live && http_call_unsent(&r->call) > HTTP_HIGH_WATER) {
        http_pause(r->x);
    }
}

void realtime_from_upstream(struct request *r, struct str bytes, bool last)
{
    struct realtime *t = r->realtime;
    if (r->finished)
        return;
    t->to_client_bytes += bytes.n;
    metrics_add(&r->worker->metrics, METRIC_BYTES_OUT, bytes.n);
    if (!t->scan.fault)
        (void)ws_scan_feed(&t->scan, bytes.p, bytes.n);
    if (bytes.n && !r->first_us)
        r->first_us = clock_mono_us();
    if (r->x && bytes.n) {
        http_send(r->x, bytes);
        if (r->call_live && http_unsent(r->x) > HTTP_HIGH_WATER)
            http_call_pause(&r->call);
    }
    if (last)
        realtime_failed(r, ERR_UPSTREAM_CLOSED, STR("upstream left the session without a close frame"));
}

void realtime_failed(struct request *r, enum err why, struct str detail)
{
    if (r->finished)
        return;
    if (realtime_closed(r))
        finish_request(r, RECORD_COMPLETED, ERR_OK, STR(""));
    else
        finish_request(r, RECORD_UPSTREAM_ABORTED, why, detail);
}

const struct usage_meter *realtime_meter(struct request *r)
{
    usage_meter_end(&r->realtime->meter);
    return &r->realtime->meter;
}

void realtime_fill(const struct request *r, struct record *rec)
{
    const struct realtime *t = r->realtime;
    rec->upstream_status = 101;
    rec->upstream_request_id = t->upstream_request_id;
    rec->model_answered = str_c(t->meter.model);
    rec->events = t->meter.documents;
    rec->request_body.size_bytes = t->to_upstream_bytes;
    rec->response_body.size_bytes = t->to_client_bytes;
}

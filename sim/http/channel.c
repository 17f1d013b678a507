/* SPDX-License-Identifier: Apache-2.0 */
/* Frames are read and written by net/ws; here messages are put together, and the call's life is seen to. */
#include "sim/http/channel.h"

#include "base/must.h"
#include "net/http_flush.h"
#include "net/http_server.h"
#include "sim/http/apierr.h"
#include "sim/kept/served.h"

#define MESSAGE_MAX (32u << 20)

static void send_frame(struct channel *ch, enum ws_opcode opcode, struct str payload)
{
    struct call *c = ch->c;
    struct buf out;
    buf_init(&out, payload.n + WS_HEAD_MAX + 256);
    must(ws_frame(&out, WS_FROM_SERVER, true, opcode, payload));
    c->answer.bytes += buf_size(&out);
    if (str_eq(c->sim->opts.hash, STR("on")))
        must(EVP_DigestUpdate(c->answer_hash, buf_str(&out).p, buf_size(&out)) == 1);
    http_send(c->x, buf_str(&out));
    buf_free(&out);
}

void channel_send(struct channel *ch, struct str json)
{
    struct call *c = ch->c;
    if (ch->closed)
        return;
    c->answer.events++;
    send_frame(ch, WS_TEXT, json);
    uint64_t cut = cue_count(c->cue, CUE_CUT_AFTER_EVENTS, UINT64_MAX);
    if (c->answer.events >= cut) {
        ch->closed = true;
        ch->on_gone(ch);
        served_record(c, true);
        http_end(c->x);
    }
}

void channel_close(struct channel *ch, uint16_t code, const char *reason)
{
    struct buf out;
    if (ch->closed)
        return;
    ch->closed = true;
    buf_init(&out, 256);
    must(ws_close_frame(&out, WS_FROM_SERVER, code, str_c(reason)));
    ch->on_gone(ch);
    served_record(ch->c, false);
    http_send_end(ch->c->x, buf_str(&out));
    buf_free(&out);
}

static void message_end(struct channel *ch)
{
    if (!ch->text) {
        channel_close(ch, 1003, "only text messages are understood");
        return;
    }
    struct jval json = {NULL, 0};
    if (jdoc_parse(&ch->doc, buf_str(&ch->message)))
        json = jdoc_root(&ch->doc);
    ch->on_message(ch, json);
    buf_reset(&ch->message);
}

static void on_piece(void *ctx, const struct ws_piece *p)
{
    struct channel *ch = ctx;
    if (ch->closed)
        return;
    switch (p->opcode) {
    case WS_PING:
        send_frame(ch, WS_PONG, p->bytes);
        break;
    case WS_CLOSE:
        channel_close(ch, ws_close_code_ok(p->close_code) ? p->close_code : 1000, "");
        break;
    case WS_TEXT:
    case WS_BINARY:
        if (p->begin) {
            buf_reset(&ch->message);
            ch->text = p->opcode == WS_TEXT;
        }
        if (p->lost || !buf_add_str(&ch->message, p->bytes))
            channel_close(ch, 1009, "the message is too long");
        else if (p->end)
            message_end(ch);
        break;
    default:
        break;
    }
}

static void on_raw(struct call *c, struct str bytes, bool last)
{
    struct channel *ch = c->raw;
    c->body_bytes += bytes.n;
    if (bytes.n && str_eq(c->sim->opts.hash, STR("on")) && !c->row)
        must(EVP_DigestUpdate(c->body_hash, bytes.p, bytes.n) == 1);
    if (!ch->closed && bytes.n && !ws_scan_feed(&ch->scan, bytes.p, bytes.n))
        channel_close(ch, ws_fault_code(ch->scan.fault), ws_fault_text(ch->scan.fault));
    if (last && !ch->closed)
        channel_close(ch, 1000, "");
}

static void on_raw_gone(struct call *c)
{
    struct channel *ch = c->raw;
    if (!ch->closed)
        ch->on_gone(ch);
    ws_scan_done(&ch->scan);
    buf_free(&ch->message);
    jdoc_free(&ch->doc);
}

static bool offers(struct call *c, const char *protocol)
{
    return http1_has_token(c->websocket_protocols, str_c(protocol));
}

struct channel *channel_open(struct call *c, const char *protocol, channel_message_fn *on_message,
                             channel_gone_fn *on_gone, void *state)
{
    char accept[WS_KEY_MAX];
    if (!c->upgrade || c->captured || !ws_key_valid(c->websocket_key)) {
        answer_header(c, "Upgrade", STR("websocket"));
        apierr(c, 426, "invalid_request_error", NULL, "upgrade_required",
               "This endpoint is a WebSocket; connect with 'Upgrade: websocket'.");
        return NULL;
    }
    struct channel *ch = arena_alloc(c->arena, sizeof *ch);
    must(ch != NULL);
    *ch = (struct channel){.c = c, .state = state, .on_message = on_message, .on_gone = on_gone};
    ws_scan_init(&ch->scan, WS_FROM_CLIENT, NULL, on_piece, ch);
    buf_init(&ch->message, MESSAGE_MAX);
    jdoc_init(&ch->doc);
    c->raw = ch;
    c->on_raw = on_raw;
    c->on_raw_gone = on_raw_gone;
    c->answer.status = 101;
    http_head_begin(c->x, 101);
    http_head_lines(c->x, STR("Upgrade: websocket\r\n"));
    http_head_field(c->x, STR("Sec-WebSocket-Accept"), str_of(accept, ws_accept_key(c->websocket_key, accept)));
    if (offers(c, protocol))
        http_head_field(c->x, STR("Sec-WebSocket-Protocol"), str_c(protocol));
    http_head_field(c->x, STR("x-request-id"), str_c(c->request_id));
    http_go_raw(c->x);
    http_head_end(c->x, HTTP1_NO_BODY, 0, false);
    http_flush(c->x);
    return ch;
}

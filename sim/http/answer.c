/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One pump drives every answer: it makes pieces while the client takes them, and stops for the
 * client (on_drained), for a delay (the timer) or for good. A call may be freed by the pump, so the
 * pump is always the last thing its caller does.
 *
 * An answer that is to be broken inside its framing gets its framing from here (`own_frames`): to
 * the server it is then a body that ends with the connection.
 */
#include "sim/http/answer.h"

#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "base/clock.h"
#include "base/json_write.h"
#include "base/mem.h"
#include "base/must.h"
#include "net/http_flush.h"
#include "sim/http/answer_head.h"
#include "sim/http/apierr.h"
#include "sim/http/call.h"
#include "sim/kept/blob.h"
#include "sim/kept/served.h"
#include "sim/simid.h"

#define FLUSH_BYTES (16 * 1024)
#define PIECE_BYTES (64 * 1024)
#define EVENTS_PER_TURN 512
#define FRAMES_KEPT (1 << 20)
#define RESET_AFTER_US 2000

static void pump(struct call *c);

/* What handlers call: only notes what is to be sent. */

static void note(struct call *c, int status, struct str content_type)
{
    struct answer *a = &c->answer;
    must(!a->begun);
    a->begun = true;
    a->status = status;
    a->content_type = content_type;
}

void answer_body(struct call *c, int status, struct str content_type, struct buf *body)
{
    note(c, status, content_type);
    c->answer.whole = true;
    buf_free(&c->answer.body);
    c->answer.body = *body;
    buf_init(body, body->max);
}

void answer_json(struct call *c, int status, struct buf *body)
{
    answer_body(c, status, STR("application/json"), body);
}

void answer_empty(struct call *c, int status)
{
    note(c, status, STR(""));
    c->answer.whole = true;
}

void answer_blob(struct call *c, int status, struct str content_type, struct blob *blob)
{
    note(c, status, content_type);
    c->answer.whole = true;
    c->answer.blob = blob_get(blob);
}

void answer_stream(struct call *c, enum answer_style style, answer_next_fn *next, void *state)
{
    note(c, 200, STR("text/event-stream; charset=utf-8"));
    c->answer.style = (uint8_t)style;
    c->answer.next = next;
    c->answer.state = state;
}

void answer_pieces(struct call *c, struct str content_type, answer_next_fn *next, void *state)
{
    answer_stream(c, ANSWER_PLAIN, next, state);
    c->answer.content_type = content_type;
}

void answer_header(struct call *c, const char *name, struct str value)
{
    must(!c->answer.head_sent);
    if (http1_value_valid(value) && !buf_printf(&c->answer.lines, "%s: %.*s\r\n", name, STR_ARG(value)))
        buf_reset(&c->answer.lines);
}

void answer_frame(struct buf *out, const char *name, struct str json)
{
    if (name && !buf_printf(out, "event: %s\n", name))
        return;
    if (!buf_add_str(out, STR("data: ")) || !buf_add_str(out, json) || !buf_add_str(out, STR("\n\n")))
        buf_reset(out);
}

/* The end of a call. */

void answer_done(struct call *c)
{
    struct answer *a = &c->answer;
    loop_timer_clear(c->sim->loop, &a->timer);
    buf_free(&a->lines);
    buf_free(&a->body);
    blob_put(a->blob);
    a->blob = NULL;
    if (a->zip) {
        deflateEnd(a->zip);
        mem_free(a->zip);
        a->zip = NULL;
    }
}

void answer_reset(struct call *c)
{
    served_record(c, true);
    c->answer.ended = true;
    http_abort(c->x);
    call_free(c);
}

/* A line of a batch: the whole answer goes to whoever made the call. */
static void capture(struct call *c)
{
    struct answer *a = &c->answer;
    struct call_capture *to = c->captured;
    to->status = a->status;
    buf_free(&to->body);
    to->body = a->body;
    buf_init(&a->body, a->body.max);
    a->bytes = buf_size(&to->body);
    if (str_eq(c->sim->opts.hash, STR("on")))
        must(EVP_DigestUpdate(c->answer_hash, buf_str(&to->body).p, a->bytes) == 1);
    a->ended = true;
    str_copy(to->request_id, sizeof to->request_id, str_c(c->request_id));
}

/* Sending. */

static void send_hashed(struct call *c, struct str bytes, bool last)
{
    struct answer *a = &c->answer;
    char line[24], end[] = "\r\n0\r\n\r\n";
    a->bytes += bytes.n;
    if (bytes.n && str_eq(c->sim->opts.hash, STR("on")))
        must(EVP_DigestUpdate(c->answer_hash, bytes.p, bytes.n) == 1);
    if (last)
        served_record(c, false);
    if (!a->own_frames) {
        if (last)
            http_send_end(c->x, bytes);
        else
            http_send(c->x, bytes);
        return;
    }
    if (bytes.n) {
        bool bad = cue_text_is(c->cue, CUE_MALFORMED, "chunk") && a->events > 0;
        int n = snprintf(line, sizeof line, bad ? "0x%zxz\r\n" : "%zx\r\n", bytes.n);
        http_send(c->x, str_of(line, (size_t)n));
        http_send(c->x, bytes);
        if (!last)
            http_send(c->x, STR("\r\n"));
    }
    if (last)
        http_send_end(c->x, bytes.n ? str_c(end) : str_c(end + 2));
}

/* Compresses; the result is good until the next call. */
static struct str zipped(struct call *c, struct str bytes, bool last, struct buf *out)
{
    z_stream *z = c->answer.zip;
    if (!z) {
        z = c->answer.zip = mem_zalloc(sizeof *z);
        must(deflateInit2(z, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    }
    z->next_in = (Bytef *)(uintptr_t)bytes.p;
    z->avail_in = (uInt)bytes.n;
    do {
        char *room = buf_reserve(out, 16384);
        must(room != NULL);
        z->next_out = (Bytef *)room;
        z->avail_out = 16384;
        must(deflate(z, last ? Z_FINISH : Z_SYNC_FLUSH) != Z_STREAM_ERROR);
        buf_commit(out, 16384 - z->avail_out);
    } while (z->avail_out == 0);
    return buf_str(out);
}

/* Waiting. */

static void on_time(struct loop_timer *t)
{
    struct call *c = list_entry(t, struct call, answer.timer);
    c->answer.waiting = false;
    if (c->answer.resetting)
        answer_reset(c);
    else
        pump(c);
}

static void wait_for(struct call *c, uint64_t us)
{
    c->answer.waiting = true;
    c->answer.timer.on_time = on_time;
    /* At least the next turn of the loop, so that a timer never keeps a turn going. */
    loop_timer_set(c->sim->loop, &c->answer.timer, loop_now_us(c->sim->loop) + (us ? us : 1));
}

static uint64_t chunk_us(const struct call *c)
{
    return cue_count(c->cue, CUE_CHUNK_MS, c->sim->opts.chunk_ms) * 1000;
}

/* The connection ends here, in the middle. A reset comes a moment later, so that it does not overtake the bytes. */
static void cut_here(struct call *c)
{
    c->answer.ended = true;
    if (cue_has(c->cue, CUE_HANG))
        return;
    served_record(c, true);
    if (cue_has(c->cue, CUE_RESET)) {
        c->answer.resetting = true;
        wait_for(c, RESET_AFTER_US);
    } else {
        http_end(c->x);
    }
}

/* Sends content, or what a cut leaves of it. True when the answer is over (the call may be gone). */
static bool send_content(struct call *c, struct str bytes, bool last)
{
    struct answer *a = &c->answer;
    struct buf zip;
    bool over = last;
    buf_init(&zip, (size_t)1 << 31);
    if (a->gzip)
        bytes = zipped(c, bytes, last, &zip);
    uint64_t limit = cue_count(c->cue, CUE_CUT_AFTER_BYTES, UINT64_MAX);
    if (limit - a->bytes <= bytes.n && limit != UINT64_MAX) {
        send_hashed(c, str_head(bytes, (size_t)(limit - a->bytes)), false);
        cut_here(c);
        over = true;
    } else if (last || bytes.n) {
        a->ended = last;
        send_hashed(c, bytes, last);
    }
    buf_free(&zip);
    return over;
}

/* The pieces of a whole body. */

static bool whole_bytes(struct call *c, struct str *ret_bytes)
{
    struct answer *a = &c->answer;
    if (a->blob)
        return blob_bytes(a->blob, ret_bytes);
    *ret_bytes = buf_str(&a->body);
    return true;
}

static void pump_whole(struct call *c)
{
    struct answer *a = &c->answer;
    uint64_t split = 0;
    struct str all;
    bool pieces = str_to_u64(cue_text(c->cue, CUE_SPLIT), &split) && split;
    while (!a->ended && !a->waiting && http_unsent(c->x) <= HTTP_HIGH_WATER) {
        if (!whole_bytes(c, &all)) {
            answer_reset(c);
            return;
        }
        struct str piece = str_head(str_from(all, a->taken), pieces ? split : PIECE_BYTES);
        a->taken += piece.n;
        if (send_content(c, piece, a->taken >= all.n))
            return;
        if (pieces)
            wait_for(c, chunk_us(c));
    }
}

/* The events of a stream. */

/* Spelling of an event as asked for: CRLF, comments, no space, no blank line at the end. */
static void respell(struct call *c, struct buf *frame, bool last)
{
    struct buf to;
    struct str rest = buf_str(frame), line;
    const struct cue *cue = c->cue;
    struct str end = cue_text_has(cue, CUE_SSE, "crlf") ? STR("\r\n") : STR("\n");
    bool ok = true;
    buf_init(&to, frame->max);
    if (cue_text_has(cue, CUE_SSE, "comment"))
        ok = buf_add_str(&to, STR(": keep-alive")) && buf_add_str(&to, end) && buf_add_str(&to, end);
    while (ok && rest.n && str_split(&rest, '\n', &line)) {
        if (!rest.p)
            break;
        if (cue_text_has(cue, CUE_SSE, "no-space") && str_starts(line, STR("data: "))) {
            ok = buf_add_str(&to, STR("data:"));
            line = str_from(line, 6);
        }
        if (!line.n && last && cue_text_has(cue, CUE_SSE, "no-blank"))
            break;
        ok = ok && buf_add_str(&to, line) && buf_add_str(&to, end);
    }
    must(ok);
    buf_free(frame);
    *frame = to;
}

/* Breaks the second event: cut JSON, or no event at all. */
static void break_event(struct call *c, struct buf *frame)
{
    if (c->answer.events != 1)
        return;
    if (cue_text_is(c->cue, CUE_MALFORMED, "json")) {
        buf_cut(frame, buf_size(frame) / 2);
        must(buf_add_str(frame, STR("\n\n")));
    } else if (cue_text_is(c->cue, CUE_MALFORMED, "sse")) {
        buf_reset(frame);
        must(buf_add_str(frame, STR("dat a {\"id\":\n: \x01\ndata\n\n")));
    }
}

static void error_event(struct call *c, struct buf *out)
{
    struct buf json;
    int status = (int)cue_count(c->cue, CUE_STATUS, 500);
    buf_init(&json, 65536);
    apierr_body(&json, status < 400 ? 500 : status, cue_text(c->cue, CUE_ERROR));
    if (c->answer.style == ANSWER_RESPONSES) {
        buf_reset(&json);
        must(buf_printf(&json,
                        "{\"type\":\"error\",\"code\":\"server_error\",\"message\":\"The server had an error while "
                        "processing your request.\",\"param\":null,\"sequence_number\":%llu}",
                        (unsigned long long)c->answer.events));
    }
    answer_frame(out, c->answer.style == ANSWER_CHAT ? NULL : "error", buf_str(&json));
    buf_free(&json);
}

/* Makes one event into `frame`. False when there is none. */
static bool next_event(struct call *c, struct buf *frame, bool *ret_last)
{
    struct answer *a = &c->answer;
    /* A response that fails says so itself, when the cue names an error. */
    bool by_itself = a->style == ANSWER_RESPONSES && cue_has(c->cue, CUE_ERROR);
    if (cue_has(c->cue, CUE_FAIL_AFTER_EVENTS) && !by_itself &&
        a->events >= c->cue->value[CUE_FAIL_AFTER_EVENTS].count) {
        error_event(c, frame);
        *ret_last = true;
        return true;
    }
    enum answer_step step = a->next(c, frame);
    *ret_last = step != ANSWER_MORE;
    if (step == ANSWER_END)
        return false;
    if (cue_text_has(c->cue, CUE_SSE, "no-done") && str_eq(buf_str(frame), STR("data: [DONE]\n\n"))) {
        buf_reset(frame);
        return false;
    }
    if (a->style != ANSWER_PLAIN && cue_has(c->cue, CUE_MALFORMED))
        break_event(c, frame);
    if (a->style != ANSWER_PLAIN && cue_has(c->cue, CUE_SSE))
        respell(c, frame, *ret_last);
    return true;
}

enum pumped { PUMP_ON, PUMP_STOP };

/* Gives away what `out` holds, in pieces when asked. */
static enum pumped flush(struct call *c, struct buf *out, bool last)
{
    uint64_t split;
    if (!last && !buf_size(out))
        return PUMP_ON;
    if (str_to_u64(cue_text(c->cue, CUE_SPLIT), &split) && split) {
        while (buf_size(out) > split) {
            if (send_content(c, str_head(buf_str(out), split), false))
                return PUMP_STOP;
            buf_take(out, split);
        }
    }
    bool over = send_content(c, buf_str(out), last);
    if (!over)
        buf_reset(out);
    return over ? PUMP_STOP : PUMP_ON;
}

static void pump_stream(struct call *c)
{
    struct answer *a = &c->answer;
    struct sim *sim = c->sim;
    struct buf frame;
    uint64_t pause = chunk_us(c), cut = cue_count(c->cue, CUE_CUT_AFTER_EVENTS, UINT64_MAX);
    bool single = cue_has(c->cue, CUE_SPLIT) || a->own_frames, last = false;
    buf_init(&frame, (size_t)1 << 30);
    buf_reset(&sim->frames);
    for (unsigned n = 0; !a->ended && !a->waiting && !last && http_unsent(c->x) <= HTTP_HIGH_WATER; n++) {
        bool is_done = false;
        buf_reset(&frame);
        if (next_event(c, &frame, &last)) {
            is_done = frame.p && str_starts(buf_str(&frame), STR("data: [DONE]"));
            must(buf_add_str(&sim->frames, buf_str(&frame)));
            a->events += !is_done;
        }
        bool cut_now = a->events >= cut;
        if ((cut_now || last || pause || single || buf_size(&sim->frames) > FLUSH_BYTES) &&
            flush(c, &sim->frames, last && !cut_now) == PUMP_STOP)
            break;
        if (cut_now) {
            cut_here(c);
            break;
        }
        if (!last && (pause || n >= EVENTS_PER_TURN)) {
            if (flush(c, &sim->frames, false) == PUMP_ON)
                wait_for(c, pause);
            break;
        }
    }
    buf_free(&frame);
    if (sim->frames.cap > FRAMES_KEPT)
        buf_free(&sim->frames);
}

static void start(struct call *c)
{
    struct answer *a = &c->answer;
    answer_head_send(c);
    a->head_sent = true;
    a->first_us = clock_mono_us();
    if (cue_has(c->cue, CUE_FIRST_BYTE_MS)) {
        http_flush(c->x);
        wait_for(c, c->cue->value[CUE_FIRST_BYTE_MS].count * 1000);
    }
}

/* Breaks a whole body where asked, before its length is announced. */
static void break_body(struct call *c)
{
    struct answer *a = &c->answer;
    if (a->whole && cue_text_is(c->cue, CUE_MALFORMED, "json") && buf_size(&a->body)) {
        buf_cut(&a->body, buf_size(&a->body) - buf_size(&a->body) / 3 - 1);
        must(buf_add_str(&a->body, STR("\"}]")));
    }
    uint64_t want = cue_count(c->cue, CUE_BODY_BYTES, 0);
    if (a->whole && !a->blob && want > buf_size(&a->body)) {
        uint64_t blanks = want - buf_size(&a->body);
        char *room = buf_reserve(&a->body, blanks);
        if (room) {
            memset(room, ' ', blanks);
            buf_commit(&a->body, blanks);
        }
    }
}

static void pump(struct call *c)
{
    struct answer *a = &c->answer;
    if (a->ended || a->waiting)
        return;
    if (!a->head_sent)
        start(c);
    if (a->waiting)
        return;
    if (a->whole)
        pump_whole(c);
    else
        pump_stream(c);
}

void answer_start(struct call *c)
{
    struct answer *a = &c->answer;
    must(a->begun);
    if (c->captured) {
        capture(c);
        return;
    }
    if (a->own_frames || a->head_sent || a->ended)
        return;
    bool at_once = !cue_has(c->cue, CUE_CUT_AFTER_BYTES) && !cue_has(c->cue, CUE_CUT_AFTER_EVENTS);
    uint64_t delay = cue_count(c->cue, CUE_DELAY_MS, c->surface == CALL_OWN ? 0 : c->sim->opts.latency_ms) * 1000;
    if (at_once && cue_has(c->cue, CUE_HANG)) {
        a->ended = true;
        return;
    }
    if (at_once && cue_has(c->cue, CUE_RESET)) {
        answer_reset(c);
        return;
    }
    if (cue_has(c->cue, CUE_GZIP))
        a->gzip = buf_size(&a->body) || a->next;
    break_body(c);
    if (delay)
        wait_for(c, delay);
    else
        pump(c);
}

void answer_on_drained(struct call *c)
{
    if (c->answer.begun && !c->captured)
        pump(c);
}

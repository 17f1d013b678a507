/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Upstream's answer. The three modes differ in when the head leaves and in what is kept back; the
 * meter sees the same bytes in all of them, and sees them first.
 */
#include "gateway/relay.h"

#include <openssl/evp.h>

#include "base/clock.h"
#include "base/json_write.h"
#include "base/mem.h"
#include "base/must.h"
#include "gateway/account.h"
#include "gateway/attempt.h"
#include "gateway/finish.h"
#include "gateway/header_log.h"
#include "gateway/heads.h"
#include "gateway/inflate.h"
#include "gateway/reply.h"
#include "gateway/run/after.h"
#include "openai/tokenizer.h"
#include "openai/usage_hide.h"

#define LINES_MAX (HTTP1_HEAD_MAX * 2)
#define HEADER_LOG_MAX 16384

/* With empty buffers, which may have room that an earlier answer left. */
static struct relay *relay_new(struct worker *w)
{
    struct relay *y = spares_take(&w->spare_relays);
    if (!y) {
        y = mem_zalloc(sizeof *y);
        buf_init(&y->lines, LINES_MAX);
        buf_init(&y->held, RELAY_HELD_MAX);
        buf_init(&y->capture, w->settings->capture_max_bytes + 1);
        buf_init(&y->text, RELAY_TEXT_MAX);
        return y;
    }
    struct buf lines = y->lines, held = y->held, capture = y->capture, text = y->text;
    memset(y, 0, offsetof(struct relay, meter)); /* the meter has its own beginning */
    y->lines = lines;
    y->held = held;
    y->held.max = RELAY_HELD_MAX; /* what guardrails added had more room */
    y->capture = capture;
    y->text = text;
    return y;
}

static void free_all(struct relay *y)
{
    buf_free(&y->lines);
    buf_free(&y->held);
    buf_free(&y->capture);
    buf_free(&y->text);
    mem_free(y);
}

void relay_free(struct request *r)
{
    struct relay *y = r->relay;
    if (!y)
        return;
    r->relay = NULL;
    inflate_free(y->inflate);
    EVP_MD_CTX_free(y->hash);
    request_empty(&y->lines);
    request_empty(&y->held);
    request_empty(&y->capture);
    request_empty(&y->text);
    if (!spares_give(&r->worker->spare_relays, y))
        free_all(y);
}

void relay_spares_free(struct worker *w)
{
    struct relay *y;
    while ((y = spares_take(&w->spare_relays)))
        free_all(y);
}

/* Counts what is kept, up to a place where counting in parts changes nothing. */
static void count_text(struct request *r)
{
    struct relay *y = r->relay;
    struct str kept = buf_str(&y->text);
    size_t cut = tokenizer_cut(kept);
    if (!cut)
        cut = kept.n;
    y->text_tok += tokenizer_count(tokenizer_for_model(r->model_asked), str_head(kept, cut));
    buf_take(&y->text, cut);
}

/* Output text, for the case that usage never comes. Counted in parts so that little is kept. */
static void on_text(void *arg, enum usage_text_kind kind, struct str text)
{
    struct request *r = arg;
    struct relay *y = r->relay;
    (void)kind;
    while (text.n) {
        if (buf_size(&y->text) == RELAY_TEXT_MAX)
            count_text(r);
        struct str front = str_head(text, RELAY_TEXT_MAX - buf_size(&y->text));
        bool kept = buf_add_str(&y->text, front);
        must(kept);
        text = str_from(text, front.n);
    }
}

/* The text of a held answer is looked for only now, because almost every answer says its usage. */
static void read_held_text(struct request *r)
{
    struct relay *y = r->relay;
    struct str held = buf_str(&y->held);
    struct usage_meter *again = mem_alloc(sizeof *again);
    usage_meter_init(again, r->endpoint->shape, USAGE_WIRE_JSON, on_text, r);
    usage_meter_feed(again, held.p, held.n);
    usage_meter_end(again);
    mem_free(again);
    y->text_in_held = false;
}

uint64_t relay_text_tok(struct request *r)
{
    struct relay *y = r->relay;
    if (y->text_in_held)
        read_held_text(r);
    if (buf_size(&y->text))
        y->text_tok += tokenizer_count(tokenizer_for_model(r->model_asked), buf_str(&y->text));
    buf_reset(&y->text);
    return y->text_tok;
}

static void meter_bytes(void *arg, struct str bytes)
{
    struct relay *y = arg;
    usage_meter_feed(&y->meter, bytes.p, bytes.n);
}

static void watch(struct relay *y, struct str bytes)
{
    if (y->unreadable)
        return;
    if (!y->inflate)
        usage_meter_feed(&y->meter, bytes.p, bytes.n);
    else if (!inflate_feed(y->inflate, bytes))
        y->unreadable = true;
}

void relay_capture(struct request *r, struct str bytes)
{
    struct relay *y = r->relay;
    uint64_t cap = r->worker->settings->capture_max_bytes;
    y->client_bytes += bytes.n;
    if (!r->keep_bodies || !bytes.n)
        return;
    if (y->hash) {
        EVP_DigestUpdate(y->hash, bytes.p, bytes.n);
        return;
    }
    size_t room = (size_t)(cap - buf_size(&y->capture));
    struct str front = str_head(bytes, room);
    bool kept = buf_add_str(&y->capture, front);
    must(kept);
    if (front.n == bytes.n)
        return;
    y->hash = EVP_MD_CTX_new();
    must(y->hash && EVP_DigestInit_ex(y->hash, EVP_sha256(), NULL) == 1);
    struct str captured = buf_str(&y->capture);
    EVP_DigestUpdate(y->hash, captured.p, captured.n);
    EVP_DigestUpdate(y->hash, bytes.p + front.n, bytes.n - front.n);
}

bool relay_hash(struct request *r, unsigned char out[32])
{
    return r->relay->hash && EVP_DigestFinal_ex(r->relay->hash, out, NULL) == 1;
}

/* The client's share of the answer. */

/*
 * Upstream has the request: what was kept to repeat it can go. The body stays where it is to be
 * recorded, or to be counted if a stream ends without usage; long streams keep no more than that.
 */
static void release_request(struct request *r)
{
    bool lasts = r->relay->mode == RELAY_EVENTS;
    buf_reset(&r->upstream_head);
    if (lasts)
        buf_free(&r->upstream_head);
    buf_free(&r->edited);
    if (r->intake)
        return;
    if (lasts)
        buf_fit(&r->body);
    else if (!r->keep_bodies && r->body.cap > REQUEST_ROOM_KEPT)
        buf_free(&r->body);
}

/* An answer that is not held carries its cost when that is known before its last byte. */
static void add_known_cost(struct request *r)
{
    struct cost cost;
    uint64_t before = r->sent_us > r->head_us ? r->sent_us - r->head_us : 0;
    if (account_cost_before_answer(r, &cost))
        account_add_lines(&cost, before, &r->relay->lines);
}

void relay_send_head(struct request *r)
{
    struct relay *y = r->relay;
    if (y->head_sent || !r->x)
        return;
    y->head_sent = true;
    if (y->mode == RELAY_PLAIN && y->status < 400)
        add_known_cost(r);
    http_head_begin(r->x, r->soft_status ? r->soft_status : y->status);
    http_head_lines(r->x, buf_str(&y->lines));
    http_head_end(r->x, y->framing, y->length, false);
    if (r->run && y->mode == RELAY_EVENTS)
        http_send(r->x, run_prelude(r));
    if (r->run && y->mode != RELAY_HELD)
        release_request(r);
    buf_reset(&y->lines);
    if (y->mode == RELAY_EVENTS)
        buf_free(&y->lines);
}

static void pass(struct request *r, struct str bytes)
{
    if (!bytes.n)
        return;
    if (r->relay->late) {
        bool kept = buf_add_str(r->relay->late, bytes);
        must(kept); /* never more than was held */
        return;
    }
    relay_capture(r, bytes);
    if (!r->x)
        return;
    relay_send_head(r);
    http_send(r->x, bytes);
    r->relay->all_taken = http_unsent(r->x) == 0;
    if (r->call_live && r->x && http_unsent(r->x) > HTTP_HIGH_WATER)
        http_call_pause(&r->call);
}

/* The first event of `bytes`, its empty line included. */
static struct str first_event(struct str bytes)
{
    struct str rest = bytes;
    for (ptrdiff_t at; (at = str_find(rest, '\n')) >= 0;) {
        rest = str_from(rest, (size_t)at + 1);
        size_t blank = str_starts(rest, STR("\n")) ? 1 : str_starts(rest, STR("\r\n")) ? 2 : 0;
        if (blank)
            return str_head(bytes, (size_t)(rest.p - bytes.p) + blank);
    }
    return bytes;
}

/* Whole events to the client, without what only our own wish for usage put there. */
static void pass_events(struct request *r, struct str bytes)
{
    if (!r->relay->hide) {
        pass(r, bytes);
        return;
    }
    while (bytes.n) {
        struct str event = first_event(bytes);
        size_t at, n;
        bytes = str_from(bytes, event.n);
        switch (usage_hide_event(event, &at, &n)) {
        case USAGE_HIDE_PASS:
            pass(r, event);
            break;
        case USAGE_HIDE_DROP:
            break;
        case USAGE_HIDE_CUT: {
            /* One write an event: the two halves are joined in scratch on the stack when small. */
            char joined[4096];
            struct str tail = str_from(event, at + n);
            if (at + tail.n <= sizeof joined) {
                memcpy(joined, event.p, at);
                memcpy(joined + at, tail.p, tail.n);
                pass(r, str_of(joined, at + tail.n));
            } else {
                pass(r, str_head(event, at));
                pass(r, tail);
            }
            break;
        }
        }
    }
}

static void count_events(struct request *r, uint32_t events)
{
    r->relay->events += events;
    metrics_add(&r->worker->metrics, METRIC_EVENTS, events);
    if (events)
        r->relay->half_event = false;
}

/* Passes on the whole events of what is held. */
static void pass_held(struct request *r)
{
    struct relay *y = r->relay;
    uint32_t events = 0;
    size_t whole = sse_frame_whole(&y->frame, buf_str(&y->held), &events);
    pass_events(r, str_head(buf_str(&y->held), whole));
    buf_take(&y->held, whole);
    buf_release(&y->held);
    count_events(r, events);
}

static void relay_end(struct request *r);

/* Nothing can follow. Of the assistants' streams something may: `done` comes behind the run's completion. */
static bool nothing_follows(const struct request *r)
{
    return (r->relay->meter.ends & USAGE_END_DONE) || r->endpoint->shape == USAGE_SHAPE_RESPONSES;
}

/*
 * Clients take the final event for the end, so it waits for the record like every last byte. If
 * upstream keeps the stream open behind it, there is nothing to wait for: that is the end.
 */
static void on_late(struct loop_timer *t)
{
    struct request *r = list_entry(t, struct request, late);
    if (r->finished)
        return;
    if (!nothing_follows(r)) {
        pass_held(r);
        return;
    }
    r->last_us = clock_mono_us();
    relay_end(r);
}

static void hold_late(struct request *r, struct str bytes)
{
    bool kept = buf_add_str(&r->relay->held, bytes);
    must(kept);
    r->late.on_time = on_late;
    if (!r->late.slot)
        loop_timer_set(r->worker->loop, &r->late, loop_now_us(r->worker->loop) + RELAY_LATE_US);
}

static void relay_events(struct request *r, struct str bytes)
{
    struct relay *y = r->relay;
    uint32_t events = 0;
    if (relay_said_all(r) && bytes.n && buf_size(&y->held) + bytes.n <= RELAY_EVENT_MAX) {
        hold_late(r, bytes);
        return;
    }
    if (!buf_size(&y->held)) {
        size_t whole = sse_frame_whole(&y->frame, bytes, &events);
        pass_events(r, str_head(bytes, whole));
        bytes = str_from(bytes, whole);
        if (bytes.n && !buf_add_str(&y->held, bytes))
            must(false); /* a read is smaller than the buffer */
        count_events(r, events);
    } else if (bytes.n) {
        bool kept = buf_add_str(&y->held, bytes);
        must(kept);
        pass_held(r);
    }
    if (buf_size(&y->held) > RELAY_EVENT_MAX) {
        struct str part = buf_str(&y->held);
        pass(r, part);
        sse_frame_passed(&y->frame, part.n);
        buf_free(&y->held);
        y->half_event = true;
    }
}

/* What is held becomes the last bytes; an event without its last empty line still belongs to the client. */
static void end_events(struct request *r)
{
    struct relay *y = r->relay;
    struct buf late;
    if (!buf_size(&y->held))
        return;
    buf_init(&late, RELAY_HELD_MAX);
    y->late = &late;
    pass_held(r);
    pass(r, buf_str(&y->held));
    y->late = NULL;
    buf_free(&y->held);
    y->held = late; /* its place is needed no more */
    r->final = buf_str(&y->held);
}

/* A held answer that grew too large is let go without its cost in the head. */
static void relay_held(struct request *r, struct str bytes)
{
    struct relay *y = r->relay;
    if (y->swallow || buf_add_str(&y->held, bytes))
        return;
    if (y->run_held && !run_lets_go(r)) { /* it is likely to be dropped, and is no use to anybody cut */
        y->swallow = true;
        return;
    }
    y->run_held = false; /* once it has begun there is no other answer */
    y->mode = RELAY_PLAIN;
    if (y->text_in_held)
        read_held_text(r);
    pass(r, buf_str(&y->held));
    buf_free(&y->held);
    pass(r, bytes);
}

/* Whether a stream that ended in good order said all it had to say. */
static bool stream_complete(const struct request *r)
{
    const struct relay *y = r->relay;
    if (y->meter.ends || y->meter.finish_reason[0] || y->status >= 400)
        return true;
    switch (r->endpoint->shape) {
    case USAGE_SHAPE_CHAT:
    case USAGE_SHAPE_COMPLETIONS:
    case USAGE_SHAPE_RESPONSES:
    case USAGE_SHAPE_IMAGES:
    case USAGE_SHAPE_RUNS:
        return false;
    default:
        return true;
    }
}

void relay_finish(struct request *r)
{
    const struct relay *y = r->relay;
    bool refused = y->status >= 400 || (y->meter.ends & USAGE_END_ERROR);
    finish_request(r, refused ? RECORD_UPSTREAM_ERROR : RECORD_COMPLETED, ERR_OK, STR(""));
}

static void relay_end(struct request *r)
{
    struct relay *y = r->relay;
    usage_meter_end(&y->meter);
    if (y->run_held && after_held(r))
        return;
    if (r->run && !y->run_held)
        after_passed(r);
    if (y->mode == RELAY_EVENTS) {
        if (!stream_complete(r)) {
            relay_failed(r, ERR_UPSTREAM_CLOSED, STR("the stream ended without its final event"));
            return;
        }
        end_events(r);
    }
    relay_finish(r);
}

void relay_body(struct request *r, struct str bytes, bool last)
{
    struct relay *y = r->relay;
    must(y);
    if (last || !r->first_us) {
        uint64_t now = clock_mono_us();
        if (bytes.n && !r->first_us)
            r->first_us = now;
        if (last)
            r->last_us = now;
    }
    y->bytes += bytes.n;
    metrics_add(&r->worker->metrics, METRIC_BYTES_OUT, bytes.n);
    watch(y, bytes);
    if (r->run && y->mode == RELAY_EVENTS)
        run_tee(r, bytes);
    switch (y->mode) {
    case RELAY_HELD:
        relay_held(r, bytes);
        break;
    case RELAY_EVENTS:
        relay_events(r, bytes);
        break;
    case RELAY_PLAIN:
        /* The last byte waits for the record. */
        if (last && bytes.n) {
            r->final = arena_dup(r->arena, bytes);
            if (!r->final.p) {
                pass(r, str_head(bytes, bytes.n - 1));
                r->final = arena_dup(r->arena, str_from(bytes, bytes.n - 1));
            }
        } else {
            pass(r, bytes);
        }
        break;
    }
    if (last)
        relay_end(r);
}

/* Failing honestly in the middle of an answer. */

/*
 * The event every SDK raises on: its name is what Portkey's looks at, its data what OpenAI's does. With
 * sequence number and both shapes for Responses.
 */
static struct str error_event(struct request *r, enum err e, struct str detail)
{
    struct buf json, event;
    buf_init(&json, 8192);
    buf_init(&event, 16384);
    bool ok = reply_error_json(&json, e, STR(""), detail);
    if (r->endpoint->shape == USAGE_SHAPE_RESPONSES) {
        const struct err_info *info = err_info(e);
        struct json_write w;
        ok = ok && buf_add_str(&event, STR("event: error\ndata: "));
        json_write_init(&w, &event);
        json_write_object(&w);
        json_write_member_string(&w, "type", STR("error"));
        json_write_member_string(&w, "code", str_c(info->code));
        json_write_member_string(&w, "message", str_c(info->text));
        json_write_member_null(&w, "param");
        json_write_member_uint(&w, "sequence_number", r->relay->events);
        struct str whole = buf_str(&json);
        json_write_member_raw(&w, "error",
                              str_of(whole.p + sizeof("{\"error\":") - 1, whole.n - sizeof("{\"error\":}") + 1));
        json_write_object_end(&w);
        ok = json_write_done(&w) && ok;
    } else {
        ok = ok && buf_add_str(&event, STR("event: error\ndata: ")) && buf_add_str(&event, buf_str(&json));
    }
    ok = ok && buf_add_str(&event, STR("\n\n"));
    must(ok);
    struct str kept = arena_dup(r->arena, buf_str(&event));
    buf_free(&json);
    buf_free(&event);
    return kept.p ? kept : STR("");
}

struct plain {
    struct buf bytes;
    bool too_large;
};

static void keep_plain(void *arg, struct str bytes)
{
    struct plain *plain = arg;
    plain->too_large = plain->too_large || !buf_add_str(&plain->bytes, bytes);
}

static void drop_line(struct buf *lines, struct str name)
{
    struct str rest = buf_str(lines), line;
    struct buf kept;
    buf_init(&kept, LINES_MAX);
    while (rest.n) {
        ptrdiff_t end = str_find(rest, '\n');
        line = end < 0 ? rest : str_head(rest, (size_t)end + 1);
        rest = str_from(rest, line.n);
        bool ok = str_starts_nocase(line, name) || buf_add_str(&kept, line);
        must(ok);
    }
    buf_free(lines);
    *lines = kept;
}

bool relay_decode(struct request *r)
{
    struct relay *y = r->relay;
    struct plain plain = {.too_large = false};
    if (!y->inflate)
        return !y->unreadable;
    buf_init(&plain.bytes, RELAY_HELD_MAX);
    struct inflate *again = inflate_new(y->deflated, keep_plain, &plain);
    bool ok = inflate_feed(again, buf_str(&y->held)) && !plain.too_large;
    inflate_free(again);
    if (!ok) {
        buf_free(&plain.bytes);
        return false;
    }
    buf_free(&y->held);
    y->held = plain.bytes;
    drop_line(&y->lines, STR("content-encoding:"));
    inflate_free(y->inflate);
    y->inflate = NULL;
    return true;
}

void relay_drop(struct request *r)
{
    attempt_cancel(r);
    r->relay->mode = RELAY_PLAIN; /* what was held of it is of no use */
    buf_reset(&r->relay->held);
}

void relay_failed(struct request *r, enum err why, struct str detail)
{
    struct relay *y = r->relay;
    if (y->mode == RELAY_EVENTS && relay_said_all(r)) {
        relay_end(r); /* only the framing's end is missing */
        return;
    }
    if (!r->last_us) {
        r->last_us = clock_mono_us();
        usage_meter_end(&y->meter);
    }
    if (!y->head_sent) {
        /* Nothing has left yet: another try, or a real status, is still possible. */
        if (r->run)
            after_failed(r, why, detail);
        else
            finish_with_error(r, why, STR(""), detail);
        return;
    }
    if (y->mode == RELAY_EVENTS && !y->half_event) {
        r->final = error_event(r, why, detail);
    } else {
        r->abort_client = true;
    }
    finish_request(r, RECORD_UPSTREAM_ABORTED, why, detail);
}

/* The head. */

static bool type_is(struct str type, struct str wanted)
{
    return str_starts_nocase(type, wanted) &&
           (type.n == wanted.n || type.p[wanted.n] == ';' || type.p[wanted.n] == ' ');
}

static void choose_mode(struct request *r, const struct http1_head *head)
{
    struct relay *y = r->relay;
    const struct http1_field *type = http1_find_id(head, HTTP1_CONTENT_TYPE);
    const struct http1_field *coding = http1_find_id(head, HTTP1_CONTENT_ENCODING);
    struct str t = type ? type->value : STR("");
    enum usage_wire wire = USAGE_WIRE_OPAQUE;
    y->mode = RELAY_PLAIN;
    if (coding && !str_eq_nocase(coding->value, STR("identity"))) {
        if (str_eq_nocase(coding->value, STR("gzip")) || str_eq_nocase(coding->value, STR("deflate")))
            y->inflate = inflate_new(y->deflated = str_eq_nocase(coding->value, STR("deflate")), meter_bytes, y);
        else
            y->unreadable = true;
    }
    bool metered = r->endpoint->shape != USAGE_SHAPE_NONE || head->status >= 400;
    if (type_is(t, STR("text/event-stream"))) {
        wire = USAGE_WIRE_SSE;
        if (!coding || str_eq_nocase(coding->value, STR("identity")))
            y->mode = RELAY_EVENTS;
    } else if (type_is(t, STR("application/json"))) {
        wire = metered ? USAGE_WIRE_JSON : USAGE_WIRE_OPAQUE;
        bool fits = head->framing != HTTP1_LENGTH || head->content_length <= RELAY_HELD_MAX;
        if (metered && fits && !(r->endpoint->flags & ENDPOINT_BINARY))
            y->mode = RELAY_HELD;
    } else if (str_starts_nocase(t, STR("text/")) && r->endpoint->shape == USAGE_SHAPE_TRANSCRIPTION) {
        y->mode = RELAY_HELD; /* transcripts as text, subtitles */
    }
    y->run_held = r->run && run_holds(r, head->status);
    if (y->run_held)
        y->mode = RELAY_HELD; /* it may not be the client's, or not as it is */
    if (r->x->is_head && !y->run_held)
        y->mode = RELAY_PLAIN; /* nothing will come */
    y->hide = r->usage_asked_by_us && y->mode == RELAY_EVENTS;
    y->text_in_held = y->mode == RELAY_HELD && wire == USAGE_WIRE_JSON && !y->inflate;
    usage_meter_init(&y->meter, r->endpoint->shape, wire, y->text_in_held ? NULL : on_text, r);
    y->meter.cache_12h = r->cache_12h;
}

/* The answer's fields for the record; "" when they are too many. */
static struct str header_log(struct request *r, const struct http1_head *head)
{
    struct buf out;
    buf_init(&out, HEADER_LOG_MAX);
    struct str kept = STR("");
    if (header_log_json(head->fields, head->field_count, NULL, &out))
        kept = arena_dup(r->arena, buf_str(&out));
    buf_free(&out);
    return kept.p ? kept : STR("");
}

void relay_head(struct request *r, const struct http1_head *head)
{
    must(!r->relay);
    struct relay *y = r->relay = relay_new(r->worker);
    y->status = head->status;
    if (r->run)
        after_head(r, head);
    sse_frame_init(&y->frame);
    choose_mode(r, head);
    const struct http1_field *id = http1_find_id(head, HTTP1_X_REQUEST_ID);
    if (id)
        y->upstream_request_id = arena_dup(r->arena, str_head(id->value, 128));
    if (r->keep_bodies)
        r->response_headers = header_log(r, head);
    heads_to_client(r, head, &y->lines);
    if (!r->run)
        release_request(r);
    y->framing = head->framing == HTTP1_UNTIL_CLOSE ? HTTP1_CHUNKED : head->framing;
    y->length = head->content_length;
    if (r->x->is_head && http1_find_id(head, HTTP1_CONTENT_LENGTH))
        y->framing = HTTP1_LENGTH; /* what a GET would get */
    if (y->mode == RELAY_EVENTS && y->framing == HTTP1_LENGTH)
        y->framing = HTTP1_CHUNKED; /* events may be cut, or an error event added */
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes go to the JSON scanner, through the event parser where the answer is a stream; the scanner
 * reports watched values (usage_extract says which); figures are collected per document. At a
 * document's end its figures are settled: they replace, or in a session add to, what was settled
 * before. A document that is cut or malformed is settled too if its usage object was complete.
 */
#include "openai/usage_meter.h"

#include <stddef.h>

#include "base/json_text.h"
#include "base/must.h"
#include "openai/usage_extract.h"

static const struct str done_mark = {"[DONE]", 6};

/* Is this the string `text`? Pieces of longer ones are not. */
static bool is(const struct json_value *v, struct str text)
{
    return v->kind == JSON_STRING && json_value_whole(v) && json_string_eq(v->raw, text);
}

/* --- Text of the answer ------------------------------------------------------------------------- */

static void give_text(struct usage_meter *m, enum usage_text_kind kind, const struct json_value *v)
{
    if (v->kind != JSON_STRING || v->raw.n == 0)
        return;
    m->text_seen = true;
    if (!m->text)
        return;
    if (!(v->flags & JSON_ESCAPED)) {
        m->text(m->text_arg, kind, v->raw);
        return;
    }
    char plain[256];
    for (struct str raw = v->raw; raw.n > 0;) {
        size_t used;
        size_t n = json_unescape(raw, plain, sizeof(plain), &used);
        must(used > 0);
        m->text(m->text_arg, kind, str_of(plain, n));
        raw = str_from(raw, used);
    }
}

/* --- Facts and figures -------------------------------------------------------------------------- */

/* Keeps a string or number; an empty one or null leaves what is there. */
static void keep(struct usage_meter *m, char *text, size_t size, const struct json_value *v)
{
    if ((v->kind != JSON_STRING && v->kind != JSON_NUMBER) || (v->raw.n == 0 && (v->flags & JSON_FIRST)))
        return;
    if (v->flags & JSON_FIRST)
        m->kept_n = 0;
    m->kept_n = json_unescape_more(v->raw, text, size, m->kept_n);
}

static void on_figure(struct usage_meter *m, enum usage_figure figure, const struct json_value *v)
{
    uint64_t bit = UINT64_C(1) << figure;
    if (v->kind == JSON_NULL || v->kind == JSON_OBJECT_END || v->kind == JSON_ARRAY_END)
        return;
    bool milli = figure == USAGE_FIGURE_DURATION_MS || figure == USAGE_FIGURE_LENGTH_MS;
    bool scalar = v->kind == JSON_NUMBER || v->kind == JSON_STRING;
    uint64_t value;
    if (scalar && json_value_whole(v) && (milli ? json_to_milli(v->raw, &value) : json_to_count(v->raw, &value))) {
        m->count[figure] = value;
        m->have |= bit;
        return;
    }
    m->bad_number = true;
    m->have &= ~bit;
    if (figure == USAGE_FIGURE_INPUT || figure == USAGE_FIGURE_OUTPUT || figure == USAGE_FIGURE_DURATION_MS)
        m->untrusted = true;
}

/* The usage object begins: if there was one in this document already, the last one counts. */
static void on_usage(struct usage_meter *m, const struct json_value *v)
{
    uint64_t inside = ((UINT64_C(1) << (USAGE_FIGURE_DURATION_MS + 1)) - 1);
    if (v->kind == JSON_OBJECT) {
        m->have &= ~inside;
        m->usage_whole = false;
        m->untrusted = false;
    } else if (v->kind == JSON_OBJECT_END) {
        m->usage_whole = (m->have & inside) != 0 || m->untrusted;
    }
}

/* --- Tool calls of a response, counted when tool_usage does not say ------------------------------ */

enum item { ITEM_OTHER, ITEM_WEB_SEARCH, ITEM_FILE_SEARCH, ITEM_CODE };

static void on_item_type(struct usage_meter *m, const struct json_value *v)
{
    m->item_type = is(v, STR("web_search_call"))         ? ITEM_WEB_SEARCH
                   : is(v, STR("file_search_call"))      ? ITEM_FILE_SEARCH
                   : is(v, STR("code_interpreter_call")) ? ITEM_CODE
                                                         : ITEM_OTHER;
}

static void on_item(struct usage_meter *m, const struct json_value *v)
{
    if (v->kind == JSON_OBJECT) {
        m->item_type = ITEM_OTHER;
        m->item_skip = false;
        m->item_container = 0;
        return;
    }
    if (v->kind != JSON_OBJECT_END)
        return;
    if (m->item_type == ITEM_WEB_SEARCH && !m->item_skip && m->web_calls < UINT16_MAX)
        m->web_calls++;
    if (m->item_type == ITEM_FILE_SEARCH && m->file_calls < UINT16_MAX)
        m->file_calls++;
    /* Calls that follow each other in one container are one session. */
    if (m->item_type == ITEM_CODE && m->code_sessions < UINT16_MAX &&
        (m->code_sessions == 0 || m->item_container != m->container)) {
        m->code_sessions++;
        m->container = m->item_container;
    }
}

/* Good enough to tell containers of one response apart. */
static uint32_t fold(struct str s)
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < s.n; i++)
        h = (h ^ (unsigned char)s.p[i]) * 16777619u;
    return h | 1;
}

static void on_output(struct usage_meter *m, enum usage_path path, const struct json_value *v)
{
    switch (path) {
    case USAGE_PATH_OUTPUT:
        if (v->kind == JSON_ARRAY)
            m->web_calls = m->file_calls = m->code_sessions = 0;
        break;
    case USAGE_PATH_ITEM:
        on_item(m, v);
        break;
    case USAGE_PATH_ITEM_TYPE:
        on_item_type(m, v);
        break;
    case USAGE_PATH_ITEM_ACTION:
        /* Opening a page or searching in it is not charged. */
        m->item_skip = v->kind == JSON_STRING && !is(v, STR("search"));
        break;
    default:
        if (v->kind == JSON_STRING && json_value_whole(v))
            m->item_container = fold(v->raw);
        break;
    }
}

/* --- What the scanner reports -------------------------------------------------------------------- */

static void set_event(struct usage_meter *m, const struct usage_event_info *info)
{
    m->event = info->event;
    m->event_ends = info->ends;
    m->event_text = info->text_kind;
}

static void on_type(struct usage_meter *m, const struct json_value *v)
{
    bool name = v->kind == JSON_STRING && json_value_whole(v);
    const struct usage_event_info *info = name ? usage_extract_event(v->raw) : NULL;
    if (info)
        set_event(m, info);
}

/*
 * `error` itself, or type, code or message in it. An object with nothing but nulls, as jobs have
 * that did not fail, is no error.
 */
static void on_error(struct usage_meter *m, char *text, size_t size, const struct json_value *v)
{
    if (v->kind != JSON_STRING && v->kind != JSON_NUMBER)
        return;
    m->error_here = true;
    keep(m, text, size, v);
}

/* The status of a response, run or job: of a body it says how it ended; in a stream the events do. */
static void on_status(struct usage_meter *m, const struct json_value *v)
{
    if (!m->reason_here)
        keep(m, m->finish_reason, sizeof(m->finish_reason), v);
    if (v->kind != JSON_STRING || m->wire != USAGE_WIRE_JSON)
        return;
    if (is(v, STR("incomplete")) || is(v, STR("in_progress")) || is(v, STR("queued")))
        m->event_ends = USAGE_END_INCOMPLETE;
    else if (is(v, STR("failed")) || is(v, STR("cancelled")) || is(v, STR("expired")))
        m->event_ends = USAGE_END_FAILED;
}

static void on_data_item(struct usage_meter *m, enum usage_path path, const struct json_value *v)
{
    if (path == USAGE_PATH_DATA && v->kind == JSON_ARRAY)
        m->items = 0;
    else if (path == USAGE_PATH_DATA_ITEM && (v->flags & JSON_FIRST) && m->items < UINT32_MAX)
        m->items++;
}

#define KEEP(member, v) keep(m, m->member, sizeof(m->member), v)

/* Values that are neither figures nor names nor text. */
static void on_mark(struct usage_meter *m, enum usage_path path, const struct json_value *v)
{
    switch (path) {
    case USAGE_PATH_USAGE:
        on_usage(m, v);
        break;
    case USAGE_PATH_TOOL_USAGE:
    case USAGE_PATH_SVG_USAGE:
        m->others_whole |= v->kind == JSON_OBJECT_END;
        break;
    case USAGE_PATH_TYPE:
        on_type(m, v);
        break;
    case USAGE_PATH_OBJECT:
        m->run_step = is(v, STR("thread.run.step"));
        break;
    case USAGE_PATH_STATUS:
        on_status(m, v);
        break;
    case USAGE_PATH_ERROR:
        on_error(m, m->error_message, sizeof(m->error_message), v);
        break;
    case USAGE_PATH_EVENT_CODE:
        if (m->event == USAGE_EVENT_ERROR)
            KEEP(error_code, v);
        break;
    case USAGE_PATH_EVENT_MESSAGE:
        if (m->event == USAGE_EVENT_ERROR)
            KEEP(error_message, v);
        break;
    case USAGE_PATH_DATA:
    case USAGE_PATH_DATA_ITEM:
        on_data_item(m, path, v);
        break;
    case USAGE_PATH_DELTA:
        if (m->event == USAGE_EVENT_DELTA)
            give_text(m, (enum usage_text_kind)m->event_text, v);
        break;
    case USAGE_PATH_WHOLE:
        if (m->wire == USAGE_WIRE_JSON)
            give_text(m, USAGE_TEXT_CONTENT, v);
        break;
    default:
        on_output(m, path, v);
        break;
    }
}

static void on_value(void *arg, const struct json_value *v)
{
    struct usage_meter *m = arg;
    if (v->id < USAGE_FIGURE_COUNT) {
        on_figure(m, (enum usage_figure)v->id, v);
        return;
    }
    if (v->id >= USAGE_PATH_TEXT) {
        give_text(m, (enum usage_text_kind)(v->id - USAGE_PATH_TEXT), v);
        return;
    }
    switch ((enum usage_path)v->id) {
    case USAGE_PATH_ID:
        KEEP(id, v);
        break;
    case USAGE_PATH_MODEL:
        KEEP(model, v);
        break;
    case USAGE_PATH_SIDE_MODEL:
        KEEP(side_model, v);
        break;
    case USAGE_PATH_TIER:
        KEEP(service_tier, v);
        break;
    case USAGE_PATH_FINGERPRINT:
        KEEP(fingerprint, v);
        break;
    case USAGE_PATH_REASON:
        m->reason_here |= v->kind == JSON_STRING;
        KEEP(finish_reason, v);
        break;
    case USAGE_PATH_FINISH:
        KEEP(finish_reason, v);
        break;
    case USAGE_PATH_QUALITY:
        KEEP(quality, v);
        break;
    case USAGE_PATH_SIZE:
        KEEP(size, v);
        break;
    case USAGE_PATH_ERROR_TYPE:
        on_error(m, m->error_type, sizeof(m->error_type), v);
        break;
    case USAGE_PATH_ERROR_CODE:
        on_error(m, m->error_code, sizeof(m->error_code), v);
        break;
    case USAGE_PATH_ERROR_MESSAGE:
        on_error(m, m->error_message, sizeof(m->error_message), v);
        break;
    default:
        on_mark(m, (enum usage_path)v->id, v);
        break;
    }
}

/* --- Settling ------------------------------------------------------------------------------------ */

static void add(uint64_t *to, uint64_t n, bool *bad)
{
    uint64_t sum = *to + n;
    *bad |= sum > JSON_COUNT_MAX || sum < n;
    *to = sum > JSON_COUNT_MAX || sum < n ? JSON_COUNT_MAX : sum;
}

/* Both structs consist of uint64_t alone. */
static void add_all(void *to, const void *from, size_t size, bool *bad)
{
    for (size_t i = 0; i < size / sizeof(uint64_t); i++)
        add((uint64_t *)to + i, ((const uint64_t *)from)[i], bad);
}

static void settle_side(struct usage_meter *m, const struct usage_side *side)
{
    if (m->wire != USAGE_WIRE_MESSAGES)
        memset(&m->side, 0, sizeof(m->side));
    add_all(&m->side, side, sizeof(*side), &m->inconsistent);
    m->side_seen = true;
}

/* Realtime: what was transcribed is another model's work. */
static void settle_transcription(struct usage_meter *m, struct usage_figures *f)
{
    struct usage_sum sum;
    f->shape = USAGE_SHAPE_TRANSCRIPTION;
    usage_extract_sum(f, &sum, &m->inconsistent);
    struct usage_side side = {.input_tok = sum.quantity[METER_INPUT],
                              .cached_tok = sum.quantity[METER_CACHED],
                              .output_tok = sum.quantity[METER_OUTPUT],
                              .audio_input_tok = sum.quantity[METER_AUDIO_INPUT],
                              .audio_ms = sum.quantity[METER_AUDIO_MS]};
    settle_side(m, &side);
}

static void settle_sum(struct usage_meter *m, struct usage_figures *f)
{
    struct usage_sum sum;
    usage_extract_sum(f, &sum, &m->inconsistent);
    if (!(f->have >> USAGE_FIGURE_SEARCHES & 1))
        sum.quantity[METER_WEB_SEARCH] = m->web_calls;
    sum.quantity[METER_FILE_SEARCH] = m->file_calls;
    sum.quantity[METER_CODE_SESSION] = m->code_sessions;
    if (m->wire != USAGE_WIRE_MESSAGES || m->shape == USAGE_SHAPE_LIVE)
        memset(&m->sum, 0, sizeof(m->sum));
    add_all(&m->sum, &sum, sizeof(sum), &m->inconsistent);
    m->committed = true;
    m->usage_seen = true;
}

static void settle(struct usage_meter *m)
{
    struct usage_figures f = {
        .count = m->count, .have = m->have, .shape = (enum usage_shape)m->shape, .cache_12h = m->cache_12h};
    uint64_t alone = UINT64_C(1) << USAGE_FIGURE_TRAINED | UINT64_C(1) << USAGE_FIGURE_LENGTH_MS;
    if (m->shape == USAGE_SHAPE_INPUT_TOKENS)
        alone |= UINT64_C(1) << USAGE_FIGURE_INPUT;
    if (m->run_step || m->event == USAGE_EVENT_STEP)
        return;
    if (m->others_whole) {
        struct usage_side side;
        if (usage_extract_side(&f, &side, &m->inconsistent))
            settle_side(m, &side);
    }
    if (m->untrusted || !(m->usage_whole || (m->have & alone)))
        return;
    if (!m->usage_whole)
        f.have &= alone;
    if (m->event == USAGE_EVENT_TRANSCRIPTION && m->shape == USAGE_SHAPE_REALTIME)
        settle_transcription(m, &f);
    else
        settle_sum(m, &f);
}

/* --- Documents ----------------------------------------------------------------------------------- */

static void begin_document(struct usage_meter *m)
{
    m->started = false;
    m->usage_whole = m->others_whole = m->untrusted = m->error_here = m->run_step = m->reason_here = false;
    m->event = USAGE_EVENT_OTHER;
    m->event_ends = m->event_text = 0;
    m->done_matched = 0;
    m->web_calls = m->file_calls = m->code_sessions = 0;
    m->have = 0;
    json_scan_reset(&m->scan);
}

/* `broken_off`: the bytes ended before the document could be known to be whole. */
static void end_document(struct usage_meter *m, bool broken_off)
{
    enum json_status status = json_scan_end(&m->scan);
    bool whole = status == JSON_COMPLETE;
    if (m->done_matched == done_mark.n) {
        m->ends |= USAGE_END_DONE;
        begin_document(m);
        return;
    }
    if (status == JSON_MALFORMED || (!whole && !broken_off))
        m->malformed = true;
    else if (!whole)
        m->cut = true;
    m->documents++;
    settle(m);
    if (m->error_here)
        m->ends |= USAGE_END_ERROR;
    if (whole && m->event == USAGE_EVENT_IMAGE)
        m->items++;
    if (whole && m->event_ends)
        m->ends |= m->event_ends;
    else if (whole && m->wire == USAGE_WIRE_JSON && !m->error_here)
        m->ends |= USAGE_END_COMPLETED;
    begin_document(m);
}

static void feed_document(struct usage_meter *m, struct str piece)
{
    if (piece.n == 0)
        return;
    m->started = true;
    json_scan_feed(&m->scan, piece.p, piece.n);
}

/* --- Streams ------------------------------------------------------------------------------------- */

/* "[DONE]" is no JSON; so that it may come in pieces too, it is matched byte by byte. */
static struct str match_done(struct usage_meter *m, struct str piece)
{
    while (piece.n > 0 && m->done_matched < done_mark.n && piece.p[0] == done_mark.p[m->done_matched]) {
        m->done_matched++;
        piece = str_from(piece, 1);
    }
    /* What only began like it is malformed all the same: no answer is an array. What follows it is ignored. */
    if (m->done_matched == done_mark.n)
        return str_of(piece.p, 0);
    if (piece.n > 0 && m->done_matched > 0)
        json_scan_feed(&m->scan, "]", 1);
    return piece;
}

static void feed_data(struct usage_meter *m, struct str piece)
{
    if (!m->started) {
        struct str name = sse_parse_name(&m->sse);
        const struct usage_event_info *info = name.n ? usage_extract_event(name) : NULL;
        if (info)
            set_event(m, info);
        m->started = true;
    }
    bool first = json_scan_error_at(&m->scan) == 0 && json_scan_status(&m->scan) == JSON_INCOMPLETE;
    if (first)
        piece = match_done(m, piece);
    feed_document(m, piece);
}

static void feed_stream(struct usage_meter *m, struct str in)
{
    struct str piece;
    for (enum sse_item item; (item = sse_parse_next(&m->sse, &in, &piece)) != SSE_NONE;) {
        if (item == SSE_DATA) {
            feed_data(m, piece);
        } else {
            if (str_eq(sse_parse_name(&m->sse), STR("done")))
                m->ends |= USAGE_END_DONE;
            end_document(m, false);
        }
    }
}

void usage_meter_feed(struct usage_meter *m, const char *p, size_t n)
{
    switch ((enum usage_wire)m->wire) {
    case USAGE_WIRE_OPAQUE:
        break;
    case USAGE_WIRE_SSE:
        feed_stream(m, str_of(p, n));
        break;
    default:
        feed_document(m, str_of(p, n));
        break;
    }
}

void usage_meter_message_end(struct usage_meter *m)
{
    must(m->wire == USAGE_WIRE_MESSAGES);
    if (m->started)
        end_document(m, false);
}

void usage_meter_end(struct usage_meter *m)
{
    bool pending = m->wire == USAGE_WIRE_SSE ? sse_parse_end(&m->sse) : m->started;
    if (pending && m->wire != USAGE_WIRE_OPAQUE)
        end_document(m, true);
    sse_parse_init(&m->sse);
}

void usage_meter_init(struct usage_meter *m, enum usage_shape shape, enum usage_wire wire, usage_text_fn *text,
                      void *arg)
{
    memset(m, 0, sizeof(*m));
    m->shape = (uint8_t)shape;
    m->wire = (uint8_t)wire;
    m->text = text;
    m->text_arg = arg;
    sse_parse_init(&m->sse);
    json_scan_init(&m->scan, usage_extract_watch(shape), on_value, m);
}

/* --- Answers ------------------------------------------------------------------------------------- */

/* Why there are no figures, or what takes their place. */
static enum usage_source source_without_figures(const struct usage_meter *m)
{
    switch ((enum usage_shape)m->shape) {
    case USAGE_SHAPE_NONE:
    case USAGE_SHAPE_INPUT_TOKENS:
    case USAGE_SHAPE_BATCH:
    case USAGE_SHAPE_FINE_TUNE:
        return USAGE_NONE;
    case USAGE_SHAPE_REALTIME:
        return m->text_seen || m->bad_number ? USAGE_UNKNOWN : USAGE_NONE;
    case USAGE_SHAPE_RUNS:
        /* A run that was only created: its usage is not known before it has run. */
        return m->wire == USAGE_WIRE_JSON && !m->bad_number ? USAGE_NONE : USAGE_UNKNOWN;
    case USAGE_SHAPE_IMAGES:
        if (m->items > 0 && !m->bad_number)
            return USAGE_MEASURED;
        break;
    default:
        break;
    }
    bool refused = (m->ends & USAGE_END_ERROR) && !(m->ends & ~USAGE_END_ERROR);
    return refused && !m->text_seen && !m->bad_number ? USAGE_NONE : USAGE_UNKNOWN;
}

void usage_meter_get(const struct usage_meter *m, struct usage *ret_usage)
{
    struct usage u = {0};
    const struct usage_sum *sum = &m->sum;
    memcpy(u.quantity, sum->quantity, sizeof(u.quantity));
    u.input_total_tok = sum->input_total_tok;
    u.output_total_tok = sum->output_total_tok;
    u.reasoning_tok = sum->reasoning_tok;
    u.prediction_accepted_tok = sum->accepted_tok;
    u.prediction_rejected_tok = sum->rejected_tok;
    u.inconsistent = m->inconsistent || m->bad_number;
    str_copy(u.service_tier, sizeof(u.service_tier), str_c(m->service_tier));
    str_copy(u.quality, sizeof(u.quality), str_c(m->quality));
    str_copy(u.size, sizeof(u.size), str_c(m->size));
    u.source = m->committed ? USAGE_REPORTED : source_without_figures(m);
    if (m->shape == USAGE_SHAPE_INPUT_TOKENS) {
        memset(u.quantity, 0, sizeof(u.quantity));
        u.source = USAGE_NONE;
    }
    if (u.source == USAGE_MEASURED)
        u.quantity[METER_IMAGES] = m->items;
    *ret_usage = u;
}

bool usage_meter_side(const struct usage_meter *m, struct usage *ret_usage)
{
    if (!m->side_seen)
        return false;
    const struct usage_side *s = &m->side;
    struct usage u = {.source = USAGE_REPORTED, .inconsistent = m->inconsistent || m->bad_number};
    u.quantity[METER_INPUT] = s->input_tok;
    u.quantity[METER_CACHED] = s->cached_tok;
    u.quantity[METER_OUTPUT] = s->output_tok;
    u.quantity[METER_AUDIO_INPUT] = s->audio_input_tok;
    u.quantity[METER_AUDIO_MS] = s->audio_ms;
    u.quantity[METER_IMAGE_INPUT] = s->image_input_tok;
    u.quantity[METER_IMAGE_CACHED] = s->image_cached_tok;
    u.quantity[METER_IMAGE_OUTPUT] = s->image_output_tok;
    u.input_total_tok = s->input_tok + s->cached_tok + s->audio_input_tok + s->image_input_tok + s->image_cached_tok;
    u.output_total_tok = s->output_tok + s->image_output_tok;
    *ret_usage = u;
    return true;
}

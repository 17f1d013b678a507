/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Both tools go from line end to line end, 16 bytes a step. CR LF may be split between chunks: CR
 * ends the line at once, and an LF that follows is swallowed (parse) or counted to the bytes already
 * whole (frame).
 *
 * Grammar: https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
 */
#include "openai/sse.h"

#include "base/must.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

const char *sse_line_end(const char *p, const char *end)
{
#ifdef __SSE2__
    for (; end - p >= 16; p += 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
        __m128i hit = _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('\n')), _mm_cmpeq_epi8(v, _mm_set1_epi8('\r')));
        int hits = _mm_movemask_epi8(hit);
        if (hits)
            return p + __builtin_ctz((unsigned)hits);
    }
#endif
    while (p < end && *p != '\n' && *p != '\r')
        p++;
    return p;
}

/* --- Frames ------------------------------------------------------------------------------------- */

void sse_frame_init(struct sse_frame *f)
{
    *f = (struct sse_frame){0};
}

size_t sse_frame_whole(struct sse_frame *f, struct str held, uint32_t *ret_events)
{
    must(f->scanned <= held.n);
    const char *p = held.p + f->scanned, *end = held.p + held.n;
    size_t whole = 0;
    while (p < end) {
        if (f->after_cr && *p == '\n') {
            f->after_cr = false;
            p++;
            if (!f->has_line)
                whole = (size_t)(p - held.p);
            continue;
        }
        const char *line = sse_line_end(p, end);
        f->in_line |= line > p;
        f->after_cr = line < end && *line == '\r';
        p = line;
        if (line == end)
            break;
        p++;
        if (f->in_line) {
            f->has_line = true;
        } else {
            whole = (size_t)(p - held.p);
            if (ret_events)
                *ret_events += f->has_line;
            f->has_line = false;
        }
        f->in_line = false;
    }
    f->scanned = held.n - whole;
    return whole;
}

void sse_frame_passed(struct sse_frame *f, size_t n)
{
    must(n <= f->scanned);
    f->scanned -= n;
}

/* --- Parser ------------------------------------------------------------------------------------- */

enum state {
    BOM,         /* at the stream's beginning */
    LINE,        /* at a line's beginning */
    FIELD,       /* inside the name of `data` or `event` */
    VALUE_SPACE, /* behind the colon: one space is skipped */
    VALUE,
    IGNORED, /* comments, other fields */
};

enum field { DATA, EVENT };

static const struct str field_names[] = {[DATA] = {"data", 4}, [EVENT] = {"event", 5}};
static const struct str bom = {"\xef\xbb\xbf", 3};

void sse_parse_init(struct sse_parse *s)
{
    *s = (struct sse_parse){.state = BOM};
}

static void forget_event(struct sse_parse *s)
{
    s->has_data = false;
    s->after_event = false;
    s->name_n = 0;
}

static void add_name(struct sse_parse *s, struct str piece)
{
    size_t n = str_head(piece, SSE_NAME_MAX - (size_t)s->name_n).n;
    memcpy(s->name + s->name_n, piece.p, n);
    s->name_n = (uint8_t)(s->name_n + n);
}

/* The field's name is complete. True when a "\n" must go before this line's data. */
static bool begin_field(struct sse_parse *s)
{
    if (s->field == EVENT) {
        s->name_n = 0;
        return false;
    }
    bool further = s->has_data;
    s->has_data = true;
    return further;
}

/* Consumes one byte of a field's name or what is not a field's name any more. */
static bool field_byte(struct sse_parse *s, char c)
{
    struct str name = field_names[s->field];
    if (s->matched < name.n && c == name.p[s->matched]) {
        s->matched++;
        return false;
    }
    if (s->matched == name.n && c == ':') {
        s->state = VALUE_SPACE;
        return begin_field(s);
    }
    s->state = IGNORED;
    return false;
}

/* A line's end. True when it completes an event. */
static bool end_line(struct sse_parse *s, bool *ret_newline)
{
    enum state was = s->state;
    s->state = LINE;
    if (was == FIELD && s->matched == field_names[s->field].n)
        *ret_newline = begin_field(s); /* "data" without a colon is an empty value */
    if (was != LINE)
        return false;
    s->after_event = true;
    return s->has_data;
}

static void begin_line(struct sse_parse *s, char c)
{
    s->matched = 1;
    s->field = c == 'e' ? EVENT : DATA;
    s->state = c == 'd' || c == 'e' ? FIELD : IGNORED;
}

/* Takes the value up to the line's end, or what there is of it. True when there is data to give. */
static bool take_value(struct sse_parse *s, struct str *in, struct str *ret_piece)
{
    size_t n = (size_t)(sse_line_end(in->p, in->p + in->n) - in->p);
    *ret_piece = str_head(*in, n);
    *in = str_from(*in, n);
    if (s->state == IGNORED || n == 0)
        return false;
    if (s->field == DATA)
        return true;
    add_name(s, *ret_piece);
    return false;
}

/* Bytes of a BOM are no line's; what only looked like one is a line that nobody reads. */
static void bom_byte(struct sse_parse *s, struct str *in)
{
    if (in->p[0] == bom.p[s->matched]) {
        *in = str_from(*in, 1);
        if (++s->matched == bom.n)
            s->state = LINE;
    } else {
        s->state = s->matched ? IGNORED : LINE;
    }
}

enum sse_item sse_parse_next(struct sse_parse *s, struct str *in, struct str *ret_piece)
{
    if (s->after_event)
        forget_event(s);
    while (in->n > 0) {
        char c = in->p[0];
        bool newline = false;
        if (s->state == BOM) {
            bom_byte(s, in);
            continue;
        }
        if (s->after_cr && c == '\n') {
            s->after_cr = false;
            *in = str_from(*in, 1);
            continue;
        }
        s->after_cr = false;
        if (c == '\n' || c == '\r') {
            s->after_cr = c == '\r';
            *in = str_from(*in, 1);
            if (end_line(s, &newline))
                return SSE_EVENT;
            if (s->after_event)
                forget_event(s);
        } else if (s->state == LINE || s->state == FIELD) {
            *in = str_from(*in, 1);
            if (s->state == LINE)
                begin_line(s, c);
            else
                newline = field_byte(s, c);
        } else if (s->state == VALUE_SPACE) {
            s->state = VALUE;
            *in = str_from(*in, c == ' ');
        } else if (take_value(s, in, ret_piece)) {
            return SSE_DATA;
        }
        if (newline) {
            *ret_piece = STR("\n");
            return SSE_DATA;
        }
    }
    return SSE_NONE;
}

bool sse_parse_end(struct sse_parse *s)
{
    if (s->after_event)
        forget_event(s);
    bool newline = false;
    if (s->state == FIELD)
        end_line(s, &newline);
    return s->has_data;
}

struct str sse_parse_name(const struct sse_parse *s)
{
    return str_of(s->name, s->name_n);
}

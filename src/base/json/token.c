/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The slow forms, one byte at a time where a chunk's end may be near, and the reports.
 *
 * A string that is cut by the chunk's end becomes pieces (string_more). They are made so that short
 * strings come whole and no escape or surrogate pair is cut, with JSON_JOIN_MAX bytes of memory.
 */
#include "base/json/token.h"

#include "base/must.h"

/* s->sub inside a number; the ones from IN_ZERO on may be its end. */
enum { IN_MINUS, IN_POINT, IN_EXPONENT, IN_EXPONENT_SIGN, IN_ZERO, IN_WHOLE, IN_FRACTION, IN_EXPONENT_DIGIT };

/* In s->flags, beside the public ones: a piece of this string was reported. */
#define PIECE_SENT 0x80

/* --- Reports ------------------------------------------------------------------------------------ */

void token_report(struct json_scan *s, enum json_kind kind, unsigned flags, struct str raw, uint64_t end)
{
    struct json_value v = {.id = s->watch->nodes[s->node].id,
                           .kind = (uint8_t)kind,
                           .flags = (uint8_t)(flags | (s->flags & (JSON_ESCAPED | JSON_DUPLICATE))),
                           .raw = raw,
                           .start = s->value_start,
                           .end = end,
                           .key_start = s->key_start};
    s->fn(s->arg, &v);
}

void token_report_scalar(struct json_scan *s, enum json_kind kind, struct str raw, uint64_t end)
{
    unsigned flags = JSON_FIRST | JSON_LAST;
    if (raw.n > JSON_JOIN_MAX) {
        raw.n = JSON_JOIN_MAX;
        flags |= JSON_TRUNCATED;
    }
    token_report(s, kind, flags, raw, end);
}

/* One piece of a string; `end` is 0 for all but the last. */
static void report_piece(struct json_scan *s, const char *p, size_t n, uint64_t end)
{
    unsigned flags = (s->flags & PIECE_SENT ? 0u : (unsigned)JSON_FIRST) | (end ? (unsigned)JSON_LAST : 0u);
    s->flags |= PIECE_SENT;
    token_report(s, JSON_STRING, flags, str_of(p, n), end);
}

/* --- Pieces of strings -------------------------------------------------------------------------- */

/* The length of the escape at p, 0 when it is not whole. Text was checked before. */
static size_t escape_size(const char *p, size_t n)
{
    size_t size = n >= 2 && p[1] == 'u' ? 6 : 2;
    return n >= size ? size : 0;
}

/*
 * How much of n bytes, which begin at a border, can be reported so that no escape is cut and no
 * high surrogate parted from what may be its low one.
 */
static size_t whole_prefix(const char *p, size_t n)
{
    size_t i = 0;
    while (i < n) {
        if (p[i] != '\\') {
            i++;
            continue;
        }
        size_t size = escape_size(p + i, n - i);
        if (size == 6 && token_is_surrogate(p + i, true)) {
            size_t after = i + 6;
            if (after == n)
                return i;
            if (p[after] == '\\') {
                size_t second = escape_size(p + after, n - after);
                if (second == 0)
                    return i;
                if (second == 6 && token_is_surrogate(p + after, false))
                    size = 12;
            }
        }
        if (size == 0)
            return i;
        i += size;
    }
    return i;
}

/* How many of the last bytes before the chunk's end can not be reported yet, by the same rule. */
static size_t held_back(const struct json_scan *s, uint64_t end)
{
    size_t held = 0;
    if (s->sub == IN_ESCAPE)
        held = 1;
    else if (s->sub > IN_HEX)
        held = 2u + (unsigned)(IN_HEX_LAST - s->sub);
    if (s->pair_end == end - held)
        held += 6;
    return held;
}

static void join(struct json_scan *s, const char *p, size_t n)
{
    must(n <= JSON_JOIN_MAX - (size_t)s->join_n);
    memcpy(s->join + s->join_n, p, n);
    s->join_n = (uint8_t)(s->join_n + n);
}

/*
 * Reports what is joined, topped up from the front of *seg, until the rest of *seg can be reported
 * in place (join_n = 0) or is all joined (seg->n = 0).
 */
static void drain_join(struct json_scan *s, struct str *seg)
{
    while (s->join_n > 0 && seg->n > 0) {
        size_t before = s->join_n;
        size_t add = JSON_JOIN_MAX - before < seg->n ? JSON_JOIN_MAX - before : seg->n;
        join(s, seg->p, add);
        *seg = str_from(*seg, add);
        if (seg->n == 0)
            return;
        size_t whole = whole_prefix(s->join, s->join_n);
        must(whole > 0);
        report_piece(s, s->join, whole, 0);
        if (whole >= before) {
            size_t back = s->join_n - whole;
            seg->p -= back;
            seg->n += back;
            s->join_n = 0;
        } else {
            memmove(s->join, s->join + whole, s->join_n - whole);
            s->join_n = (uint8_t)(s->join_n - whole);
        }
    }
}

/*
 * The chunk ended inside a watched string, of which it held `seg`. Up to JSON_JOIN_MAX bytes are
 * kept, so that short strings are reported whole. Of a longer one all is reported but an escape (or
 * surrogate pair) that is not complete; that stays in s->join.
 */
static void string_more(struct json_scan *s, struct str seg)
{
    if (!(s->flags & PIECE_SENT) && s->join_n + seg.n <= JSON_JOIN_MAX) {
        join(s, seg.p, seg.n);
        return;
    }
    size_t held = held_back(s, token_offset(s, seg.p + seg.n));
    if (held > seg.n) {
        size_t ready = s->join_n + seg.n - held;
        if (ready > 0) {
            report_piece(s, s->join, ready, 0);
            memmove(s->join, s->join + ready, s->join_n - ready);
            s->join_n = (uint8_t)(s->join_n - ready);
        }
        join(s, seg.p, seg.n);
        return;
    }
    struct str ready = str_head(seg, seg.n - held);
    drain_join(s, &ready);
    if (s->join_n > 0)
        report_piece(s, s->join, s->join_n, 0);
    else if (ready.n > 0)
        report_piece(s, ready.p, ready.n, 0);
    s->join_n = 0;
    join(s, seg.p + seg.n - held, held);
}

/* The closing quote came; `seg` is what this chunk held of the string, `end` the offset behind the quote. */
static void string_whole(struct json_scan *s, struct str seg, uint64_t end)
{
    if (s->join_n + seg.n <= JSON_JOIN_MAX && s->join_n > 0) {
        join(s, seg.p, seg.n);
        seg.n = 0;
    }
    drain_join(s, &seg);
    if (s->join_n > 0)
        report_piece(s, s->join, s->join_n, end);
    else
        report_piece(s, seg.p, seg.n, end);
    s->join_n = 0;
}

/* --- Strings ------------------------------------------------------------------------------------ */

/* One byte of an escape; false when it can not be there. */
static bool escape_byte(struct json_scan *s, const char *p)
{
    if (s->sub == IN_ESCAPE) {
        bool simple =
            *p == '"' || *p == '\\' || *p == '/' || *p == 'b' || *p == 'f' || *p == 'n' || *p == 'r' || *p == 't';
        s->hex = 0;
        s->sub = simple ? IN_PLAIN : IN_HEX_LAST;
        return simple || *p == 'u';
    }
    int digit = json_bytes_hex(*p);
    if (digit < 0)
        return false;
    s->hex = (uint16_t)(s->hex << 4 | digit);
    if (--s->sub == IN_HEX) {
        s->sub = IN_PLAIN;
        if (s->hex >= 0xd800 && s->hex < 0xdc00)
            s->pair_end = token_offset(s, p + 1);
    }
    return true;
}

/*
 * Moves over the inside of a string. Returns the closing quote; or `end` when the chunk ends first,
 * s->sub telling where; or NULL when it is not JSON.
 */
static const char *string_body(struct json_scan *s, const char *p, const char *end)
{
    for (;;) {
        while (s->sub != IN_PLAIN) {
            if (p == end)
                return end;
            if (!escape_byte(s, p))
                return token_broken(s, p);
            p++;
        }
        p = token_string_quick(s, p, end);
        if (p == end || *p == '"')
            return p;
        if (*p != '\\')
            return token_broken(s, p);
        s->flags |= JSON_ESCAPED;
        s->sub = IN_ESCAPE;
        p++;
    }
}

/* From the first byte behind the opening quote, or on from the beginning of the next chunk. */
const char *token_string(struct json_scan *s, const char *p, const char *end)
{
    const char *quote = string_body(s, p, end);
    if (!quote)
        return NULL;
    struct str seg = str_of(p, (size_t)(quote - p));
    if (quote == end) {
        s->state = AT_IN_STRING;
        if (token_reported(s))
            string_more(s, seg);
        return end;
    }
    s->state = AT_NEXT;
    if (token_reported(s))
        string_whole(s, seg, token_offset(s, quote + 1));
    return quote + 1;
}

const char *token_begin_string(struct json_scan *s, const char *p, const char *end)
{
    s->join_n = 0;
    s->sub = IN_PLAIN;
    return token_string(s, p + 1, end);
}

/* --- Names of members --------------------------------------------------------------------------- */

void token_name_known(struct json_scan *s, const char *p, size_t n)
{
    s->state = AT_COLON;
    s->node = json_watch_member(s->watch, s->here, p, n);
    if (s->node == JSON_WATCH_NONE)
        return;
    uint64_t bit = UINT64_C(1) << s->node % 64;
    s->flags = s->seen[s->node / 64] & bit ? JSON_DUPLICATE : 0;
    s->seen[s->node / 64] |= bit;
}

static void name_add(struct json_scan *s, char c)
{
    if (s->join_n == JSON_JOIN_MAX)
        s->key_alien = true;
    else
        s->join[s->join_n++] = c;
}

/* What the byte behind a backslash means; watched names are ASCII, so others need no care. */
static char unescaped(char c)
{
    return (char)(c == 'b' ? '\b' : c == 'f' ? '\f' : c == 'n' ? '\n' : c == 'r' ? '\r' : c == 't' ? '\t' : c);
}

/* The slow form: unescapes into s->join, byte by byte. */
const char *token_name(struct json_scan *s, const char *p, const char *end)
{
    s->state = AT_IN_NAME;
    for (; p < end; p++) {
        if (s->sub == IN_PLAIN && *p == '"') {
            if (s->key_alien) {
                s->node = JSON_WATCH_NONE;
                s->state = AT_COLON;
            } else {
                token_name_known(s, s->join, s->join_n);
            }
            return p + 1;
        }
        if (s->sub == IN_PLAIN && *p == '\\') {
            s->sub = IN_ESCAPE;
        } else if (s->sub == IN_PLAIN) {
            if (json_bytes_is_special(*p))
                return token_broken(s, p);
            name_add(s, *p);
        } else {
            bool simple = s->sub == IN_ESCAPE && *p != 'u';
            if (!escape_byte(s, p))
                return token_broken(s, p);
            if (simple)
                name_add(s, unescaped(*p));
            else if (s->sub == IN_PLAIN && s->hex < 0x80)
                name_add(s, (char)s->hex);
            else if (s->sub == IN_PLAIN)
                s->key_alien = true;
        }
    }
    return end;
}

/* p is the opening quote. */
const char *token_begin_name(struct json_scan *s, const char *p, const char *end)
{
    s->join_n = 0;
    s->sub = IN_PLAIN;
    if (s->here == JSON_WATCH_NONE) {
        s->node = JSON_WATCH_NONE;
        s->key_alien = true;
        const char *quote = string_body(s, p + 1, end);
        if (!quote)
            return NULL;
        s->state = quote == end ? AT_IN_NAME : AT_COLON;
        return quote == end ? end : quote + 1;
    }
    s->key_start = token_offset(s, p);
    const char *quote = json_bytes_special(p + 1, end);
    if (quote < end && *quote == '"') {
        token_name_known(s, p + 1, (size_t)(quote - p - 1));
        return quote + 1;
    }
    s->key_alien = false;
    return token_name(s, p + 1, end);
}

/* --- Numbers and literals ----------------------------------------------------------------------- */

/* One byte of a number: what it makes of `sub`, or -1 when the number ends before it. */
static int number_byte(int sub, char c)
{
    if (json_bytes_is_digit(c)) {
        if (sub == IN_MINUS)
            return c == '0' ? IN_ZERO : IN_WHOLE;
        if (sub == IN_POINT)
            return IN_FRACTION;
        if (sub == IN_EXPONENT || sub == IN_EXPONENT_SIGN)
            return IN_EXPONENT_DIGIT;
        return sub == IN_ZERO ? -1 : sub;
    }
    if (c == '.' && (sub == IN_ZERO || sub == IN_WHOLE))
        return IN_POINT;
    if ((c | 0x20) == 'e' && (sub == IN_ZERO || sub == IN_WHOLE || sub == IN_FRACTION))
        return IN_EXPONENT;
    if ((c == '+' || c == '-') && sub == IN_EXPONENT)
        return IN_EXPONENT_SIGN;
    return -1;
}

static void number_whole(struct json_scan *s, struct str seg, uint64_t end)
{
    s->state = AT_NEXT;
    if (!token_reported(s))
        return;
    if (s->join_n > 0) {
        /* What does not fit is known to be too long by the length alone. */
        join(s, seg.p, str_head(seg, JSON_JOIN_MAX - (size_t)s->join_n).n);
        seg = str_of(s->join, (size_t)(end - s->value_start));
    }
    token_report_scalar(s, JSON_NUMBER, seg, end);
}

/* The slow form; also goes on with a number the last chunk had cut. */
const char *token_number(struct json_scan *s, const char *p, const char *end)
{
    const char *from = p;
    for (; p < end; p++) {
        int sub = number_byte(s->sub, *p);
        if (sub < 0)
            break;
        s->sub = (uint8_t)sub;
    }
    if (p == end) {
        s->state = AT_IN_NUMBER;
        join(s, from, str_head(str_of(from, (size_t)(p - from)), JSON_JOIN_MAX - (size_t)s->join_n).n);
        return end;
    }
    if (s->sub < IN_ZERO)
        return token_broken(s, p);
    number_whole(s, str_of(from, (size_t)(p - from)), token_offset(s, p));
    return p;
}

const char *token_begin_number(struct json_scan *s, const char *p, const char *end)
{
    s->join_n = 0;
    const char *behind = json_bytes_number(p, end);
    if (behind) {
        number_whole(s, str_of(p, (size_t)(behind - p)), token_offset(s, behind));
        return behind;
    }
    s->sub = *p == '-' ? IN_MINUS : *p == '0' ? IN_ZERO : IN_WHOLE;
    s->join[s->join_n++] = *p;
    return token_number(s, p + 1, end);
}

const char *token_literal(struct json_scan *s, const char *p, const char *end)
{
    struct str text = token_literal_text(s->literal);
    for (; p < end && s->sub < text.n; p++, s->sub++)
        if (*p != text.p[s->sub])
            return token_broken(s, p);
    if (s->sub < text.n) {
        s->state = AT_IN_LITERAL;
        return end;
    }
    s->state = AT_NEXT;
    if (token_reported(s))
        token_report_scalar(s, s->literal, text, token_offset(s, p));
    return p;
}

void token_end(struct json_scan *s)
{
    if (s->state == AT_IN_NUMBER && s->sub >= IN_ZERO) {
        s->chunk = s->join;
        number_whole(s, str_of(s->join, 0), s->base);
        s->chunk = NULL;
    }
}

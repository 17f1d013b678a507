/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The grammar (RFC 8259), as states of "what may come next":
 *
 *     VALUE    a value                            → NEXT, or a container's first state
 *     ELEMENT  a value or ']'                     the array has just begun
 *     MEMBER   '"' or '}'                         the object has just begun
 *     NAME     '"'                                behind a comma in an object
 *     COLON    ':'                                → VALUE
 *     NEXT     ',' or the closing bracket; at depth 0 white space only
 *     IN_…     inside a token that the chunk's end has cut
 *     DEEP     below JSON_DEPTH_STRICT: brackets are counted, strings skipped, the rest not looked at
 *     BROKEN   not JSON
 *
 * A chunk is first used to finish the token the last one cut (resume), then walked token by token
 * (step). Each token has a quick form, which wants the whole token in the chunk, and a slow form,
 * which takes one byte at a time and may stop anywhere; the slow form alone defines what is valid.
 *
 * The tree of watched paths is walked beside the document. Watched containers are always the
 * outermost ones, so s->nodes needs only as many places as a path has steps; inside anything else
 * s->here is JSON_WATCH_NONE and names are not even looked up.
 *
 * Strings: see string_more for how a cut string becomes pieces.
 */
#include "base/json_scan.h"

#include "base/json_bytes.h"
#include "base/must.h"

enum state { VALUE, ELEMENT, MEMBER, NAME, COLON, NEXT, DEEP, BROKEN, IN_NAME, IN_STRING, IN_NUMBER, IN_LITERAL };

/* Inside a string: IN_ESCAPE behind the backslash, IN_HEX + n with n digits still to come. */
enum { IN_PLAIN, IN_ESCAPE, IN_HEX, IN_HEX_LAST = IN_HEX + 4 };

/* Inside a number; the ones from ZERO on may be its end. */
enum { MINUS, POINT, EXPONENT, EXPONENT_SIGN, ZERO, WHOLE, FRACTION, EXPONENT_DIGIT };

/* In flags, beside the public ones: a piece of this string was reported. */
#define PIECE_SENT 0x80
/* In sub of DEEP: inside a string, or behind a backslash in one. */
enum { DEEP_BARE, DEEP_STRING, DEEP_ESCAPE };

static const char *broken(struct json_scan *s, const char *at)
{
    s->base += (uint64_t)(at - s->chunk);
    s->state = BROKEN;
    return NULL;
}

static inline uint64_t offset_of(const struct json_scan *s, const char *p)
{
    return s->base + (uint64_t)(p - s->chunk);
}

/* The kind of the container that `at` others are around. */
static inline bool kind_at(const struct json_scan *s, unsigned at)
{
    return (s->is_object[at / 64] >> at % 64 & 1) != 0;
}

static inline void set_kind(struct json_scan *s, unsigned at, bool object)
{
    uint64_t bit = UINT64_C(1) << at % 64;
    s->is_object[at / 64] = object ? s->is_object[at / 64] | bit : s->is_object[at / 64] & ~bit;
}

static inline bool in_object(const struct json_scan *s)
{
    return kind_at(s, s->depth - 1);
}

/* --- Reports ------------------------------------------------------------------------------------ */

static inline bool reported(const struct json_scan *s)
{
    return s->node != JSON_WATCH_NONE && s->watch->nodes[s->node].id != 0;
}

static void report(struct json_scan *s, enum json_kind kind, unsigned flags, struct str raw, uint64_t end)
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

static void report_scalar(struct json_scan *s, enum json_kind kind, struct str raw, uint64_t end)
{
    unsigned flags = JSON_FIRST | JSON_LAST;
    if (raw.n > JSON_JOIN_MAX) {
        raw.n = JSON_JOIN_MAX;
        flags |= JSON_TRUNCATED;
    }
    report(s, kind, flags, raw, end);
}

/* One piece of a string; `end` is 0 for all but the last. */
static void report_piece(struct json_scan *s, const char *p, size_t n, uint64_t end)
{
    unsigned flags = (s->flags & PIECE_SENT ? 0u : (unsigned)JSON_FIRST) | (end ? (unsigned)JSON_LAST : 0u);
    s->flags |= PIECE_SENT;
    report(s, JSON_STRING, flags, str_of(p, n), end);
}

/* --- Pieces of strings -------------------------------------------------------------------------- */

/* The length of the escape at p, 0 when it is not whole. Text was checked before. */
static size_t escape_size(const char *p, size_t n)
{
    size_t size = n >= 2 && p[1] == 'u' ? 6 : 2;
    return n >= size ? size : 0;
}

/* Is this whole \uXXXX a high (D8-DB) or low (DC-DF) surrogate? */
static bool is_surrogate(const char *p, bool high)
{
    return (p[2] | 0x20) == 'd' && json_bytes_hex(p[3]) >= (high ? 8 : 12) && json_bytes_hex(p[3]) < (high ? 12 : 16);
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
        if (size == 6 && is_surrogate(p + i, true)) {
            size_t after = i + 6;
            if (after == n)
                return i;
            if (p[after] == '\\') {
                size_t second = escape_size(p + after, n - after);
                if (second == 0)
                    return i;
                if (second == 6 && is_surrogate(p + after, false))
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
    size_t held = held_back(s, offset_of(s, seg.p + seg.n));
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
            s->pair_end = offset_of(s, p + 1);
    }
    return true;
}

/* Bits of a byte's meaning inside a string. */
enum { HEX = 1, SIMPLE = 2 };

static const uint8_t meaning[256] = {
    ['0'] = HEX,    ['1'] = HEX,          ['2'] = HEX,          ['3'] = HEX,    ['4'] = HEX,     ['5'] = HEX,
    ['6'] = HEX,    ['7'] = HEX,          ['8'] = HEX,          ['9'] = HEX,    ['A'] = HEX,     ['B'] = HEX,
    ['C'] = HEX,    ['D'] = HEX,          ['E'] = HEX,          ['F'] = HEX,    ['a'] = HEX,     ['c'] = HEX,
    ['d'] = HEX,    ['e'] = HEX,          ['b'] = HEX | SIMPLE, ['"'] = SIMPLE, ['\\'] = SIMPLE, ['/'] = SIMPLE,
    ['n'] = SIMPLE, ['f'] = HEX | SIMPLE, ['r'] = SIMPLE,       ['t'] = SIMPLE,
};

static inline unsigned meaning_of(char c)
{
    return meaning[(unsigned char)c];
}

/* Is the escape at p whole and right? At least 6 bytes are there. */
static inline bool escape_quick(struct json_scan *s, const char *p)
{
    if (meaning_of(p[1]) & SIMPLE)
        return true;
    if (p[1] != 'u' || !(meaning_of(p[2]) & meaning_of(p[3]) & meaning_of(p[4]) & meaning_of(p[5]) & HEX))
        return false;
    if (is_surrogate(p, true))
        s->pair_end = offset_of(s, p + 6);
    return true;
}

/*
 * Goes through the marked bytes of the `width` bytes at *p. Returns the first that is no good
 * escape, or NULL when the block is passed and *p moved behind it.
 */
static inline const char *string_block(struct json_scan *s, const char **p, uint64_t marks, unsigned width)
{
    const char *from = *p;
    *p += width;
    while (marks) {
        unsigned i = (unsigned)__builtin_ctzll(marks);
        if (from[i] != '\\' || !escape_quick(s, from + i))
            return from + i;
        s->flags |= JSON_ESCAPED;
        /* The escaped byte may be marked too; it may be the next block's first. */
        marks &= ~(UINT64_C(3) << i);
        *p += i + 1 == width;
    }
    return NULL;
}

/*
 * The quick form: whole blocks only. Returns the closing quote, or a byte that needs a closer look.
 */
static inline const char *string_quick(struct json_scan *s, const char *p, const char *end)
{
#if JSON_BYTES_SSE2
    const char *stop;
    while (end - p >= 16 + 6) {
        if ((stop = string_block(s, &p, json_bytes_special16(p), 16)))
            return stop;
        while (end - p >= 64 + 6)
            if ((stop = string_block(s, &p, json_bytes_special64(p), 64)))
                return stop;
    }
#else
    (void)s;
#endif
    return json_bytes_special(p, end);
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
                return broken(s, p);
            p++;
        }
        p = string_quick(s, p, end);
        if (p == end || *p == '"')
            return p;
        if (*p != '\\')
            return broken(s, p);
        s->flags |= JSON_ESCAPED;
        s->sub = IN_ESCAPE;
        p++;
    }
}

/* From the first byte behind the opening quote, or on from the beginning of the next chunk. */
static const char *string_token(struct json_scan *s, const char *p, const char *end)
{
    const char *quote = string_body(s, p, end);
    if (!quote)
        return NULL;
    struct str seg = str_of(p, (size_t)(quote - p));
    if (quote == end) {
        s->state = IN_STRING;
        if (reported(s))
            string_more(s, seg);
        return end;
    }
    s->state = NEXT;
    if (reported(s))
        string_whole(s, seg, offset_of(s, quote + 1));
    return quote + 1;
}

static const char *begin_string(struct json_scan *s, const char *p, const char *end)
{
    s->join_n = 0;
    s->sub = IN_PLAIN;
    return string_token(s, p + 1, end);
}

/* --- Names of members --------------------------------------------------------------------------- */

static void name_known(struct json_scan *s, const char *p, size_t n)
{
    s->state = COLON;
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
static const char *name_token(struct json_scan *s, const char *p, const char *end)
{
    s->state = IN_NAME;
    for (; p < end; p++) {
        if (s->sub == IN_PLAIN && *p == '"') {
            if (s->key_alien) {
                s->node = JSON_WATCH_NONE;
                s->state = COLON;
            } else {
                name_known(s, s->join, s->join_n);
            }
            return p + 1;
        }
        if (s->sub == IN_PLAIN && *p == '\\') {
            s->sub = IN_ESCAPE;
        } else if (s->sub == IN_PLAIN) {
            if (json_bytes_is_special(*p))
                return broken(s, p);
            name_add(s, *p);
        } else {
            bool simple = s->sub == IN_ESCAPE && *p != 'u';
            if (!escape_byte(s, p))
                return broken(s, p);
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
static const char *begin_name(struct json_scan *s, const char *p, const char *end)
{
    s->join_n = 0;
    s->sub = IN_PLAIN;
    if (s->here == JSON_WATCH_NONE) {
        s->node = JSON_WATCH_NONE;
        s->key_alien = true;
        const char *quote = string_body(s, p + 1, end);
        if (!quote)
            return NULL;
        s->state = quote == end ? IN_NAME : COLON;
        return quote == end ? end : quote + 1;
    }
    s->key_start = offset_of(s, p);
    const char *quote = json_bytes_special(p + 1, end);
    if (quote < end && *quote == '"') {
        name_known(s, p + 1, (size_t)(quote - p - 1));
        return quote + 1;
    }
    s->key_alien = false;
    return name_token(s, p + 1, end);
}

/* --- Numbers and literals ----------------------------------------------------------------------- */

/* One byte of a number: what it makes of `sub`, or -1 when the number ends before it. */
static int number_byte(int sub, char c)
{
    if (json_bytes_is_digit(c)) {
        if (sub == MINUS)
            return c == '0' ? ZERO : WHOLE;
        if (sub == POINT)
            return FRACTION;
        if (sub == EXPONENT || sub == EXPONENT_SIGN)
            return EXPONENT_DIGIT;
        return sub == ZERO ? -1 : sub;
    }
    if (c == '.' && (sub == ZERO || sub == WHOLE))
        return POINT;
    if ((c | 0x20) == 'e' && (sub == ZERO || sub == WHOLE || sub == FRACTION))
        return EXPONENT;
    if ((c == '+' || c == '-') && sub == EXPONENT)
        return EXPONENT_SIGN;
    return -1;
}

static void number_whole(struct json_scan *s, struct str seg, uint64_t end)
{
    s->state = NEXT;
    if (!reported(s))
        return;
    if (s->join_n > 0) {
        /* What does not fit is known to be too long by the length alone. */
        join(s, seg.p, str_head(seg, JSON_JOIN_MAX - (size_t)s->join_n).n);
        seg = str_of(s->join, (size_t)(end - s->value_start));
    }
    report_scalar(s, JSON_NUMBER, seg, end);
}

/* The slow form; also goes on with a number the last chunk had cut. */
static const char *number_token(struct json_scan *s, const char *p, const char *end)
{
    const char *from = p;
    for (; p < end; p++) {
        int sub = number_byte(s->sub, *p);
        if (sub < 0)
            break;
        s->sub = (uint8_t)sub;
    }
    if (p == end) {
        s->state = IN_NUMBER;
        join(s, from, str_head(str_of(from, (size_t)(p - from)), JSON_JOIN_MAX - (size_t)s->join_n).n);
        return end;
    }
    if (s->sub < ZERO)
        return broken(s, p);
    number_whole(s, str_of(from, (size_t)(p - from)), offset_of(s, p));
    return p;
}

static const char *digits(const char *p, const char *end)
{
    while (p < end && json_bytes_is_digit(*p))
        p++;
    return p;
}

/* The quick form; NULL when the number is not whole in the chunk or not one. */
static const char *number_quick(const char *p, const char *end)
{
    p += *p == '-';
    if (p == end || !json_bytes_is_digit(*p))
        return NULL;
    p = *p == '0' ? p + 1 : digits(p, end);
    if (p < end && *p == '.') {
        const char *from = ++p;
        p = digits(p, end);
        if (p == from)
            return NULL;
    }
    if (p < end && (*p | 0x20) == 'e') {
        p++;
        p += p < end && (*p == '+' || *p == '-');
        const char *from = p;
        p = digits(p, end);
        if (p == from)
            return NULL;
    }
    return p < end ? p : NULL;
}

static const char *begin_number(struct json_scan *s, const char *p, const char *end)
{
    s->join_n = 0;
    const char *behind = number_quick(p, end);
    if (behind) {
        number_whole(s, str_of(p, (size_t)(behind - p)), offset_of(s, behind));
        return behind;
    }
    s->sub = *p == '-' ? MINUS : *p == '0' ? ZERO : WHOLE;
    s->join[s->join_n++] = *p;
    return number_token(s, p + 1, end);
}

static struct str literal_text(enum json_kind kind)
{
    return kind == JSON_NULL ? STR("null") : kind == JSON_TRUE ? STR("true") : STR("false");
}

static const char *literal_token(struct json_scan *s, const char *p, const char *end)
{
    struct str text = literal_text(s->literal);
    for (; p < end && s->sub < text.n; p++, s->sub++)
        if (*p != text.p[s->sub])
            return broken(s, p);
    if (s->sub < text.n) {
        s->state = IN_LITERAL;
        return end;
    }
    s->state = NEXT;
    if (reported(s))
        report_scalar(s, s->literal, text, offset_of(s, p));
    return p;
}

/* --- Containers --------------------------------------------------------------------------------- */

/* Forgets which members of this node, and below, were seen: another object begins. */
static void forget_seen(struct json_scan *s, uint8_t node)
{
    unsigned from = node + 1u, to = s->watch->nodes[node].last + 1u; /* [from, to) */
    while (from < to) {
        unsigned n = 64 - from % 64 < to - from ? 64 - from % 64 : to - from;
        uint64_t ones = n == 64 ? ~UINT64_C(0) : (UINT64_C(1) << n) - 1;
        s->seen[from / 64] &= ~(ones << from % 64);
        from += n;
    }
}

/* What s->here is inside a container of this node: the node, if anything below it is watched. */
static uint8_t inside(const struct json_scan *s, uint8_t node, bool object)
{
    const struct json_node *n = &s->watch->nodes[node];
    return (object ? n->has_members : n->element != JSON_WATCH_NONE) ? node : JSON_WATCH_NONE;
}

static const char *open_container(struct json_scan *s, const char *p)
{
    bool object = *p == '{';
    if (s->depth == JSON_DEPTH_STRICT) {
        s->depth++;
        s->state = DEEP;
        s->sub = DEEP_BARE;
        return p + 1;
    }
    set_kind(s, s->depth++, object);
    s->state = object ? MEMBER : ELEMENT;
    s->here = JSON_WATCH_NONE;
    if (s->node == JSON_WATCH_NONE)
        return p + 1;
    if (reported(s))
        report(s, object ? JSON_OBJECT : JSON_ARRAY, JSON_FIRST, str_of(p, 1), 0);
    s->here = inside(s, s->node, object);
    if (object)
        forget_seen(s, s->node);
    must(s->tracked < sizeof(s->nodes));
    s->nodes[s->tracked++] = s->node;
    s->node = object ? JSON_WATCH_NONE : s->watch->nodes[s->node].element;
    return p + 1;
}

static const char *close_container(struct json_scan *s, const char *p)
{
    bool object = in_object(s);
    if (object != (*p == '}'))
        return broken(s, p);
    unsigned flags = s->state == NEXT ? JSON_LAST : JSON_LAST | JSON_EMPTY;
    s->state = NEXT;
    if (s->depth == s->tracked) {
        s->node = s->nodes[--s->tracked];
        if (reported(s)) {
            s->value_start = s->key_start = offset_of(s, p);
            s->flags = 0;
            report(s, object ? JSON_OBJECT_END : JSON_ARRAY_END, flags, str_of(p, 1), s->value_start + 1);
        }
        s->here = JSON_WATCH_NONE;
    }
    if (--s->depth > 0 && s->depth == s->tracked)
        s->here = inside(s, s->nodes[s->tracked - 1], in_object(s));
    return p + 1;
}

/* Too deep to tell the brackets apart: they are counted until the last strict level is back. */
static const char *deep_token(struct json_scan *s, const char *p, const char *end)
{
    for (; p < end; p++) {
        if (s->sub == DEEP_ESCAPE) {
            s->sub = DEEP_STRING;
        } else if (s->sub == DEEP_STRING) {
            p = json_bytes_special(p, end);
            if (p == end)
                return end;
            if ((unsigned char)*p < 0x20)
                return broken(s, p);
            s->sub = *p == '"' ? DEEP_BARE : DEEP_ESCAPE;
        } else if (*p == '"') {
            s->sub = DEEP_STRING;
        } else if (*p == '[' || *p == '{') {
            if (s->depth++ == JSON_DEPTH_MAX)
                return broken(s, p);
        } else if (*p == ']' || *p == '}') {
            if (--s->depth == JSON_DEPTH_STRICT) {
                s->state = NEXT;
                return p + 1;
            }
        }
    }
    return end;
}

/* --- The walk ----------------------------------------------------------------------------------- */

static const char *begin_value(struct json_scan *s, const char *p, const char *end)
{
    if (s->node != JSON_WATCH_NONE) {
        s->value_start = offset_of(s, p);
        if (s->depth == 0 || !in_object(s)) {
            s->key_start = s->value_start;
            s->flags = 0;
        }
    }
    switch (*p) {
    case '"':
        return begin_string(s, p, end);
    case '{':
    case '[':
        return open_container(s, p);
    case '-':
    case '0' ... '9':
        return begin_number(s, p, end);
    case 't':
        s->literal = JSON_TRUE;
        break;
    case 'f':
        s->literal = JSON_FALSE;
        break;
    case 'n':
        s->literal = JSON_NULL;
        break;
    default:
        return broken(s, p);
    }
    s->sub = 1;
    return literal_token(s, p + 1, end);
}

/* p is not white space; the state is not inside a token. */
static const char *step(struct json_scan *s, const char *p, const char *end)
{
    switch (s->state) {
    case ELEMENT:
        if (*p == ']')
            return close_container(s, p);
        return begin_value(s, p, end);
    case VALUE:
        return begin_value(s, p, end);
    case MEMBER:
        if (*p == '}')
            return close_container(s, p);
        return *p == '"' ? begin_name(s, p, end) : broken(s, p);
    case NAME:
        return *p == '"' ? begin_name(s, p, end) : broken(s, p);
    case COLON:
        s->state = VALUE;
        return *p == ':' ? p + 1 : broken(s, p);
    case NEXT:
        if (s->depth == 0)
            return broken(s, p);
        if (*p == '}' || *p == ']')
            return close_container(s, p);
        if (*p != ',')
            return broken(s, p);
        s->state = in_object(s) ? NAME : VALUE;
        if (s->state == VALUE)
            s->node = s->here == JSON_WATCH_NONE ? JSON_WATCH_NONE : s->watch->nodes[s->here].element;
        return p + 1;
    default:
        must(s->state == DEEP);
        return deep_token(s, p, end);
    }
}

/* A string, number or literal that is whole in the chunk: its end. NULL when it needs a closer look. */
static inline const char *scalar_quick(struct json_scan *s, const char *p, const char *end, enum json_kind *ret_kind)
{
    if (*p == '"') {
        const char *quote = string_quick(s, p + 1, end);
        *ret_kind = JSON_STRING;
        return quote < end && *quote == '"' ? quote + 1 : NULL;
    }
    *ret_kind = *p == 'n' ? JSON_NULL : *p == 't' ? JSON_TRUE : *p == 'f' ? JSON_FALSE : JSON_NUMBER;
    if (*ret_kind == JSON_NUMBER)
        return number_quick(p, end);
    struct str text = literal_text(*ret_kind);
    return (size_t)(end - p) >= text.n && memcmp(p, text.p, text.n) == 0 ? p + text.n : NULL;
}

/* The quick form of a scalar and its report. */
static inline const char *walk_scalar(struct json_scan *s, const char *p, const char *end, bool object)
{
    enum json_kind kind;
    if (s->node == JSON_WATCH_NONE)
        return scalar_quick(s, p, end, &kind);
    s->value_start = offset_of(s, p);
    if (!object) {
        s->key_start = s->value_start;
        s->flags = 0;
    }
    const char *behind = scalar_quick(s, p, end, &kind);
    if (!behind || s->watch->nodes[s->node].id == 0)
        return behind;
    bool string = kind == JSON_STRING;
    struct str raw = str_of(p + string, (size_t)(behind - p) - 2u * string);
    if (string)
        report(s, JSON_STRING, JSON_FIRST | JSON_LAST, raw, offset_of(s, behind));
    else
        report_scalar(s, kind, raw, offset_of(s, behind));
    return behind;
}

/* The quick form of a member's name: the byte behind its closing quote, or NULL. */
static inline const char *walk_name(struct json_scan *s, const char *p, const char *end, bool watched)
{
    if (!watched) {
        const char *quote = string_quick(s, p + 1, end);
        return quote < end && *quote == '"' ? quote + 1 : NULL;
    }
    const char *quote = json_bytes_special(p + 1, end);
    if (quote == end || *quote != '"')
        return NULL;
    s->key_start = offset_of(s, p);
    name_known(s, p + 1, (size_t)(quote - p - 1));
    return quote + 1;
}

/*
 * The quick walk: as `step`, but keeps going, with the state at hand, as long as each token is whole
 * in the chunk and no watched container begins or ends. Those are left to `step`. depth > 0.
 *
 * Where s->here is none, s->node is none too: nothing below is looked up.
 */
static const char *walk(struct json_scan *s, const char *p, const char *end)
{
    enum state state = (enum state)s->state;
    unsigned depth = s->depth;
    bool object = in_object(s), watched = s->here != JSON_WATCH_NONE;
    while ((p = json_bytes_skip_space(p, end)) < end) {
        const char *behind;
        if (state == NEXT && *p == ',') {
            state = object ? NAME : VALUE;
            if (!object && watched)
                s->node = s->watch->nodes[s->here].element;
            p++;
        } else if (state == COLON && *p == ':') {
            state = VALUE;
            p++;
        } else if (*p == '"' && (state == NAME || state == MEMBER)) {
            if (!(behind = walk_name(s, p, end, watched)))
                break;
            p = behind;
            state = COLON;
        } else if (*p == '{' || *p == '[') {
            if ((state != VALUE && state != ELEMENT) || s->node != JSON_WATCH_NONE || depth == JSON_DEPTH_STRICT)
                break;
            object = *p++ == '{';
            set_kind(s, depth++, object);
            state = object ? MEMBER : ELEMENT;
            watched = false;
        } else if (*p == '}' || *p == ']') {
            bool closes = state == NEXT || state == (object ? MEMBER : ELEMENT);
            if (!closes || object != (*p == '}') || depth <= s->tracked + 1u)
                break;
            p++;
            depth--;
            object = kind_at(s, depth - 1);
            state = NEXT;
        } else {
            if ((state != VALUE && state != ELEMENT) || !(behind = walk_scalar(s, p, end, object)))
                break;
            p = behind;
            state = NEXT;
        }
    }
    s->state = (uint8_t)state;
    s->depth = depth;
    if (!watched)
        s->here = JSON_WATCH_NONE;
    return p < end ? step(s, p, end) : end;
}

/* Goes on inside the token that the last chunk's end had cut. */
static const char *resume(struct json_scan *s, const char *p, const char *end)
{
    switch (s->state) {
    case IN_STRING:
        return string_token(s, p, end);
    case IN_NUMBER:
        return number_token(s, p, end);
    case IN_LITERAL:
        return literal_token(s, p, end);
    case DEEP:
        return deep_token(s, p, end);
    default:
        must(s->state == IN_NAME);
        return name_token(s, p, end);
    }
}

enum json_status json_scan_feed(struct json_scan *s, const char *p, size_t n)
{
    if (n == 0 || s->state == BROKEN)
        return json_scan_status(s);
    const char *end = p + n;
    s->chunk = p;
    if (s->state >= IN_NAME || s->state == DEEP)
        p = resume(s, p, end);
    while (p && (p = json_bytes_skip_space(p, end)) < end)
        p = s->depth > 0 && s->state < DEEP ? walk(s, p, end) : step(s, p, end);
    s->chunk = NULL;
    if (p)
        s->base += n;
    return json_scan_status(s);
}

enum json_status json_scan_end(struct json_scan *s)
{
    if (s->state == IN_NUMBER && s->depth == 0 && s->sub >= ZERO) {
        s->chunk = s->join;
        number_whole(s, str_of(s->join, 0), s->base);
        s->chunk = NULL;
    }
    return json_scan_status(s);
}

void json_scan_reset(struct json_scan *s)
{
    s->base = 0;
    s->pair_end = 0;
    s->depth = 0;
    s->state = VALUE;
    s->tracked = 0;
    s->join_n = 0;
    s->flags = 0;
    s->here = JSON_WATCH_NONE;
    s->node = s->watch ? 0 : JSON_WATCH_NONE;
    memset(s->seen, 0, sizeof(s->seen));
}

void json_scan_init(struct json_scan *s, const struct json_watch *watch, json_scan_fn *fn, void *arg)
{
    must(!watch || fn);
    memset(s, 0, sizeof(*s));
    s->watch = watch;
    s->fn = fn;
    s->arg = arg;
    json_scan_reset(s);
}

enum json_status json_scan_status(const struct json_scan *s)
{
    if (s->state == BROKEN)
        return JSON_MALFORMED;
    return s->state == NEXT && s->depth == 0 ? JSON_COMPLETE : JSON_INCOMPLETE;
}

uint64_t json_scan_error_at(const struct json_scan *s)
{
    return s->base;
}

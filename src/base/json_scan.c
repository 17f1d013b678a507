/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The grammar (RFC 8259), as states (AT_…) of "what may come next":
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
 * (step; walk does the same for most of a document, with its state at hand). The tokens are in
 * json/token.c.
 *
 * The tree of watched paths is walked beside the document. Watched containers are always the
 * outermost ones, so s->nodes needs only as many places as a path has steps; inside anything else
 * s->here is JSON_WATCH_NONE and names are not even looked up.
 */
#include "base/json_scan.h"

#include "base/json/token.h"
#include "base/json_bytes.h"
#include "base/must.h"

/* In sub of AT_DEEP: inside a string, or behind a backslash in one. */
enum { DEEP_BARE, DEEP_STRING, DEEP_ESCAPE };

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
        s->state = AT_DEEP;
        s->sub = DEEP_BARE;
        return p + 1;
    }
    set_kind(s, s->depth++, object);
    s->state = object ? AT_MEMBER : AT_ELEMENT;
    s->here = JSON_WATCH_NONE;
    if (s->node == JSON_WATCH_NONE)
        return p + 1;
    if (token_reported(s))
        token_report(s, object ? JSON_OBJECT : JSON_ARRAY, JSON_FIRST, str_of(p, 1), 0);
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
        return token_broken(s, p);
    unsigned flags = s->state == AT_NEXT ? JSON_LAST : JSON_LAST | JSON_EMPTY;
    s->state = AT_NEXT;
    if (s->depth == s->tracked) {
        s->node = s->nodes[--s->tracked];
        if (token_reported(s)) {
            s->value_start = s->key_start = token_offset(s, p);
            s->flags = 0;
            token_report(s, object ? JSON_OBJECT_END : JSON_ARRAY_END, flags, str_of(p, 1), s->value_start + 1);
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
                return token_broken(s, p);
            s->sub = *p == '"' ? DEEP_BARE : DEEP_ESCAPE;
        } else if (*p == '"') {
            s->sub = DEEP_STRING;
        } else if (*p == '[' || *p == '{') {
            if (s->depth++ == JSON_DEPTH_MAX)
                return token_broken(s, p);
        } else if (*p == ']' || *p == '}') {
            if (--s->depth == JSON_DEPTH_STRICT) {
                s->state = AT_NEXT;
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
        s->value_start = token_offset(s, p);
        if (s->depth == 0 || !in_object(s)) {
            s->key_start = s->value_start;
            s->flags = 0;
        }
    }
    switch (*p) {
    case '"':
        return token_begin_string(s, p, end);
    case '{':
    case '[':
        return open_container(s, p);
    case '-':
    case '0' ... '9':
        return token_begin_number(s, p, end);
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
        return token_broken(s, p);
    }
    s->sub = 1;
    return token_literal(s, p + 1, end);
}

/* p is not white space; the state is not inside a token. */
static const char *step(struct json_scan *s, const char *p, const char *end)
{
    switch (s->state) {
    case AT_ELEMENT:
        if (*p == ']')
            return close_container(s, p);
        return begin_value(s, p, end);
    case AT_VALUE:
        return begin_value(s, p, end);
    case AT_MEMBER:
        if (*p == '}')
            return close_container(s, p);
        return *p == '"' ? token_begin_name(s, p, end) : token_broken(s, p);
    case AT_NAME:
        return *p == '"' ? token_begin_name(s, p, end) : token_broken(s, p);
    case AT_COLON:
        s->state = AT_VALUE;
        return *p == ':' ? p + 1 : token_broken(s, p);
    case AT_NEXT:
        if (s->depth == 0)
            return token_broken(s, p);
        if (*p == '}' || *p == ']')
            return close_container(s, p);
        if (*p != ',')
            return token_broken(s, p);
        s->state = in_object(s) ? AT_NAME : AT_VALUE;
        if (s->state == AT_VALUE)
            s->node = s->here == JSON_WATCH_NONE ? JSON_WATCH_NONE : s->watch->nodes[s->here].element;
        return p + 1;
    default:
        must(s->state == AT_DEEP);
        return deep_token(s, p, end);
    }
}

/* A string, number or literal that is whole in the chunk: its end. NULL when it needs a closer look. */
static inline const char *scalar_quick(struct json_scan *s, const char *p, const char *end, enum json_kind *ret_kind)
{
    if (*p == '"') {
        const char *quote = token_string_quick(s, p + 1, end);
        *ret_kind = JSON_STRING;
        return quote < end && *quote == '"' ? quote + 1 : NULL;
    }
    *ret_kind = *p == 'n' ? JSON_NULL : *p == 't' ? JSON_TRUE : *p == 'f' ? JSON_FALSE : JSON_NUMBER;
    if (*ret_kind == JSON_NUMBER)
        return json_bytes_number(p, end);
    struct str text = token_literal_text(*ret_kind);
    return (size_t)(end - p) >= text.n && memcmp(p, text.p, text.n) == 0 ? p + text.n : NULL;
}

/* The quick form of a scalar and its report. */
static inline const char *walk_scalar(struct json_scan *s, const char *p, const char *end, bool object)
{
    enum json_kind kind;
    if (s->node == JSON_WATCH_NONE)
        return scalar_quick(s, p, end, &kind);
    s->value_start = token_offset(s, p);
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
        token_report(s, JSON_STRING, JSON_FIRST | JSON_LAST, raw, token_offset(s, behind));
    else
        token_report_scalar(s, kind, raw, token_offset(s, behind));
    return behind;
}

/* The quick form of a member's name: the byte behind its closing quote, or NULL. */
static inline const char *walk_name(struct json_scan *s, const char *p, const char *end, bool watched)
{
    if (!watched) {
        const char *quote = token_string_quick(s, p + 1, end);
        return quote < end && *quote == '"' ? quote + 1 : NULL;
    }
    const char *quote = json_bytes_special(p + 1, end);
    if (quote == end || *quote != '"')
        return NULL;
    s->key_start = token_offset(s, p);
    token_name_known(s, p + 1, (size_t)(quote - p - 1));
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
    enum token_at state = (enum token_at)s->state;
    unsigned depth = s->depth;
    bool object = in_object(s), watched = s->here != JSON_WATCH_NONE;
    while ((p = json_bytes_skip_space(p, end)) < end) {
        const char *behind;
        if (state == AT_NEXT && *p == ',') {
            state = object ? AT_NAME : AT_VALUE;
            if (!object && watched)
                s->node = s->watch->nodes[s->here].element;
            p++;
        } else if (state == AT_COLON && *p == ':') {
            state = AT_VALUE;
            p++;
        } else if (*p == '"' && (state == AT_NAME || state == AT_MEMBER)) {
            if (!(behind = walk_name(s, p, end, watched)))
                break;
            p = behind;
            state = AT_COLON;
        } else if (*p == '{' || *p == '[') {
            if ((state != AT_VALUE && state != AT_ELEMENT) || s->node != JSON_WATCH_NONE || depth == JSON_DEPTH_STRICT)
                break;
            object = *p++ == '{';
            set_kind(s, depth++, object);
            state = object ? AT_MEMBER : AT_ELEMENT;
            watched = false;
        } else if (*p == '}' || *p == ']') {
            bool closes = state == AT_NEXT || state == (object ? AT_MEMBER : AT_ELEMENT);
            if (!closes || object != (*p == '}') || depth <= s->tracked + 1u)
                break;
            p++;
            depth--;
            object = kind_at(s, depth - 1);
            state = AT_NEXT;
        } else {
            if ((state != AT_VALUE && state != AT_ELEMENT) || !(behind = walk_scalar(s, p, end, object)))
                break;
            p = behind;
            state = AT_NEXT;
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
    case AT_IN_STRING:
        return token_string(s, p, end);
    case AT_IN_NUMBER:
        return token_number(s, p, end);
    case AT_IN_LITERAL:
        return token_literal(s, p, end);
    case AT_DEEP:
        return deep_token(s, p, end);
    default:
        must(s->state == AT_IN_NAME);
        return token_name(s, p, end);
    }
}

enum json_status json_scan_feed(struct json_scan *s, const char *p, size_t n)
{
    if (n == 0 || s->state == AT_BROKEN)
        return json_scan_status(s);
    const char *end = p + n;
    s->chunk = p;
    if (s->state >= AT_IN_NAME || s->state == AT_DEEP)
        p = resume(s, p, end);
    while (p && (p = json_bytes_skip_space(p, end)) < end)
        p = s->depth > 0 && s->state < AT_DEEP ? walk(s, p, end) : step(s, p, end);
    s->chunk = NULL;
    if (p)
        s->base += n;
    return json_scan_status(s);
}

enum json_status json_scan_end(struct json_scan *s)
{
    if (s->depth == 0)
        token_end(s);
    return json_scan_status(s);
}

void json_scan_reset(struct json_scan *s)
{
    s->base = 0;
    s->pair_end = 0;
    s->depth = 0;
    s->state = AT_VALUE;
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
    if (s->state == AT_BROKEN)
        return JSON_MALFORMED;
    return s->state == AT_NEXT && s->depth == 0 ? JSON_COMPLETE : JSON_INCOMPLETE;
}

uint64_t json_scan_error_at(const struct json_scan *s)
{
    return s->base;
}

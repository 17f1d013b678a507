/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An answer for a client, in the form it asked for. As events a completion begins with the role, then
 * come the texts in pieces, whole tool calls, a chunk with the finish reason for each choice, and the
 * usage if it was asked for: the order OpenAI's own streams have. Members that are not known go into a
 * delta as they stand.
 */
#include "gateway/cache/render.h"

#include "base/digits.h"
#include "base/json_bytes.h"
#include "gateway/cache/cache.h"
#include "openai/sse.h"
#include "openai/usage_hide.h"

/* --- bytes ----------------------------------------------------------------------------------- */

static size_t line_of(struct str s)
{
    return (size_t)(sse_line_end(s.p, s.p + s.n) - s.p);
}

/* In JSON a line can only end between two values: the end goes, with what indents the next line. */
void render_raw(struct render *r, struct str s)
{
    for (;;) {
        size_t n = line_of(s);
        r->ok = r->ok && buf_add_str(r->out, str_head(s, n));
        while (n < s.n && json_bytes_is_space(s.p[n]))
            n++;
        if (n == s.n)
            return;
        s = str_from(s, n);
    }
}

void render_text(struct render *r, const char *text)
{
    r->ok = r->ok && buf_add_str(r->out, str_c(text));
}

void render_count(struct render *r, uint64_t n)
{
    char text[DIGITS_DECIMAL_MAX];
    render_raw(r, str_of(text, digits_decimal(n, text)));
}

void render_member(struct render *r, const char *name, struct str value)
{
    render_text(r, ",\"");
    render_text(r, name);
    render_text(r, "\":");
    render_raw(r, value);
}

/* The first half of a pair, which must not be parted from the second. */
static bool high_surrogate(const char *p)
{
    return p[1] == 'u' && (p[2] | 0x20) == 'd' &&
           (p[3] == '8' || p[3] == '9' || (p[3] | 0x20) == 'a' || (p[3] | 0x20) == 'b');
}

/* Bytes of the character in front of an escaped text that is not empty. */
static size_t character(struct str s)
{
    size_t n = 1;
    if (s.p[0] == '\\') {
        n = s.n > 1 && s.p[1] == 'u' ? 6 : 2;
        if (n == 6 && s.n >= 12 && high_surrogate(s.p) && s.p[6] == '\\' && s.p[7] == 'u')
            n = 12;
        return n < s.n ? n : s.n;
    }
    while (n < s.n && ((unsigned char)s.p[n] & 0xc0) == 0x80)
        n++;
    return n;
}

struct str render_cut(struct str *rest)
{
    size_t n = 0;
    for (int i = 0; i < RENDER_PIECE && n < rest->n; i++)
        n += character(str_from(*rest, n));
    struct str piece = str_head(*rest, n);
    *rest = str_from(*rest, n);
    return piece;
}

struct str render_event(struct str *rest)
{
    const char *p = rest->p, *end = rest->p + rest->n;
    for (bool empty = false; p < end && !empty;) {
        const char *line = sse_line_end(p, end);
        empty = line == p;
        p = line;
        if (p < end)
            p += end - p > 1 && p[0] == '\r' && p[1] == '\n' ? 2 : 1;
    }
    struct str event = str_head(*rest, (size_t)(p - rest->p));
    *rest = str_from(*rest, event.n);
    return event;
}

/* --- an object as chunks --------------------------------------------------------------------- */

struct replay {
    struct render r;
    struct jval root;
    bool chat;           /* else completions */
    bool usage;          /* was asked for */
    bool first;          /* the next chunk is the first one */
    uint64_t index;      /* of the choice that is told */
    struct str logprobs; /* its, until they are told */
};

static bool is_container(struct jval v)
{
    return jdoc_kind(v) == JDOC_OBJECT || jdoc_kind(v) == JDOC_ARRAY;
}

/* Up to and including the bracket of `choices`. What is no scalar is told once. */
static void chunk_begin(struct replay *p)
{
    render_text(&p->r,
                p->chat ? "data: {\"object\":\"chat.completion.chunk\"" : "data: {\"object\":\"text_completion\"");
    for (struct jval m = jdoc_first(p->root); jdoc_has(m); m = jdoc_next(p->root, m)) {
        struct jval v = jdoc_value(m);
        if (jdoc_is(m, "object") || jdoc_is(m, "choices") || jdoc_is(m, "usage") || (is_container(v) && !p->first))
            continue;
        render_text(&p->r, ",");
        render_raw(&p->r, jdoc_raw(m));
        render_text(&p->r, ":");
        render_raw(&p->r, jdoc_raw(v));
    }
    render_text(&p->r, ",\"choices\":[");
    p->first = false;
}

static void chunk_end(struct replay *p, struct str usage)
{
    render_text(&p->r, "]");
    if (p->usage)
        render_member(&p->r, "usage", usage);
    render_text(&p->r, "}\n\n");
}

/* A chunk with one delta of the choice. */
static void delta_begin(struct replay *p)
{
    chunk_begin(p);
    render_text(&p->r, "{\"index\":");
    render_count(&p->r, p->index);
    render_text(&p->r, ",\"delta\":{");
}

static void delta_end(struct replay *p, struct str logprobs)
{
    render_text(&p->r, "}");
    render_member(&p->r, "logprobs", logprobs);
    render_text(&p->r, ",\"finish_reason\":null}");
    chunk_end(p, STR("null"));
}

/* `name` as it stands, quotes and all. */
static void delta(struct replay *p, struct str name, struct str value)
{
    delta_begin(p);
    render_raw(&p->r, name);
    render_text(&p->r, ":");
    render_raw(&p->r, value);
    delta_end(p, STR("null"));
}

static struct str take_logprobs(struct replay *p)
{
    struct str told = p->logprobs;
    p->logprobs = STR("null");
    return told;
}

/* A string in pieces; content and refusal carry the choice's logprobs. */
static void delta_pieces(struct replay *p, struct jval name, bool logprobs)
{
    struct str rest = jdoc_escaped(jdoc_value(name));
    while (rest.n && p->r.ok) {
        struct str piece = render_cut(&rest);
        delta_begin(p);
        render_raw(&p->r, jdoc_raw(name));
        render_text(&p->r, ":\"");
        render_raw(&p->r, piece);
        render_text(&p->r, "\"");
        delta_end(p, logprobs ? take_logprobs(p) : STR("null"));
    }
}

/* Each call in a delta of its own: all its members behind its index. */
static void delta_calls(struct replay *p, struct jval calls)
{
    unsigned index = 0;
    for (struct jval c = jdoc_first(calls); jdoc_has(c); c = jdoc_next(calls, c)) {
        delta_begin(p);
        render_text(&p->r, "\"tool_calls\":[{\"index\":");
        render_count(&p->r, index++);
        for (struct jval m = jdoc_first(c); jdoc_has(m); m = jdoc_next(c, m)) {
            if (jdoc_is(m, "index"))
                continue;
            render_text(&p->r, ",");
            render_raw(&p->r, jdoc_raw(m));
            render_text(&p->r, ":");
            render_raw(&p->r, jdoc_raw(jdoc_value(m)));
        }
        render_text(&p->r, "}]");
        delta_end(p, STR("null"));
    }
}

static void role_delta(struct replay *p, struct jval message)
{
    struct jval role = jdoc_find(message, "role");
    bool says = jdoc_has(jdoc_find(message, "content"));
    delta_begin(p);
    render_text(&p->r, "\"role\":");
    render_raw(&p->r, jdoc_has(role) ? jdoc_raw(role) : STR("\"assistant\""));
    render_text(&p->r, says ? ",\"content\":\"\",\"refusal\":null" : ",\"content\":null,\"refusal\":null");
    delta_end(p, STR("null"));
}

/* False when a member can not be told in deltas. */
static bool member_delta(struct replay *p, struct jval m, bool known)
{
    struct jval v = jdoc_value(m);
    bool text = jdoc_is(m, "content") || jdoc_is(m, "refusal"), calls = jdoc_is(m, "tool_calls");
    bool now = text || calls || jdoc_is(m, "function_call") || jdoc_is(m, "annotations");
    if (jdoc_is(m, "role") || jdoc_kind(v) == JDOC_NULL || now != known)
        return true;
    if (jdoc_is(m, "audio") || (text && jdoc_kind(v) != JDOC_STRING) || (calls && jdoc_kind(v) != JDOC_ARRAY))
        return false;
    if (calls)
        delta_calls(p, v);
    else if (jdoc_kind(v) == JDOC_STRING)
        delta_pieces(p, m, text);
    else if (jdoc_kind(v) != JDOC_ARRAY || jdoc_has(jdoc_first(v)))
        delta(p, jdoc_raw(m), jdoc_raw(v));
    return true;
}

/* The last chunk of a choice, with whatever else the choice had. */
static void finish_chunk(struct replay *p, struct jval choice, const char *empty)
{
    struct jval reason = jdoc_get(choice, "finish_reason");
    chunk_begin(p);
    render_text(&p->r, "{\"index\":");
    render_count(&p->r, p->index);
    render_text(&p->r, empty);
    render_member(&p->r, "logprobs", take_logprobs(p));
    render_member(&p->r, "finish_reason", jdoc_has(reason) ? jdoc_raw(reason) : STR("null"));
    for (struct jval m = jdoc_first(choice); jdoc_has(m); m = jdoc_next(choice, m)) {
        if (jdoc_is(m, "index") || jdoc_is(m, "message") || jdoc_is(m, "text") || jdoc_is(m, "logprobs") ||
            jdoc_is(m, "finish_reason"))
            continue;
        render_text(&p->r, ",");
        render_raw(&p->r, jdoc_raw(m));
        render_text(&p->r, ":");
        render_raw(&p->r, jdoc_raw(jdoc_value(m)));
    }
    render_text(&p->r, "}");
    chunk_end(p, STR("null"));
}

static bool chat_choice(struct replay *p, struct jval choice)
{
    struct jval message = jdoc_find(choice, "message");
    if (jdoc_kind(message) != JDOC_OBJECT)
        return false;
    role_delta(p, message);
    for (int known = 0; known < 2; known++)
        for (struct jval m = jdoc_first(message); jdoc_has(m); m = jdoc_next(message, m))
            if (!member_delta(p, m, known))
                return false;
    finish_chunk(p, choice, ",\"delta\":{}");
    return true;
}

static bool text_choice(struct replay *p, struct jval choice)
{
    struct jval text = jdoc_get(choice, "text");
    struct str rest = jdoc_escaped(text);
    if (jdoc_kind(text) != JDOC_STRING)
        return false;
    while (rest.n && p->r.ok) {
        struct str piece = render_cut(&rest);
        chunk_begin(p);
        render_text(&p->r, "{\"text\":\"");
        render_raw(&p->r, piece);
        render_text(&p->r, "\",\"index\":");
        render_count(&p->r, p->index);
        render_member(&p->r, "logprobs", take_logprobs(p));
        render_text(&p->r, ",\"finish_reason\":null}");
        chunk_end(p, STR("null"));
    }
    finish_chunk(p, choice, ",\"text\":\"\"");
    return true;
}

static bool replay_choices(struct replay *p)
{
    struct jval choices = jdoc_find(p->root, "choices"), usage = jdoc_find(p->root, "usage");
    uint64_t next = 0; /* the lowest index that may come: what has the same one would be taken for one choice */
    if (jdoc_kind(choices) != JDOC_ARRAY || !jdoc_has(jdoc_first(choices)))
        return false;
    for (struct jval c = jdoc_first(choices); jdoc_has(c); c = jdoc_next(choices, c)) {
        struct jval logprobs = jdoc_find(c, "logprobs");
        p->index = jdoc_count(jdoc_find(c, "index"), next);
        if (p->index < next)
            return false;
        next = p->index + 1;
        p->logprobs = jdoc_has(logprobs) ? jdoc_raw(logprobs) : STR("null");
        if (!(p->chat ? chat_choice(p, c) : text_choice(p, c)))
            return false;
    }
    if (p->usage && jdoc_has(usage)) {
        chunk_begin(p);
        chunk_end(p, jdoc_raw(usage));
    }
    render_text(&p->r, "data: [DONE]\n\n");
    return p->r.ok;
}

/* --- the four ways --------------------------------------------------------------------------- */

enum form { FORM_OTHER, FORM_CHAT, FORM_COMPLETIONS, FORM_RESPONSES };

static enum form form_of(const struct endpoint *e)
{
    return str_eq(e->operation, STR("chat.completions")) ? FORM_CHAT
           : str_eq(e->operation, STR("completions"))    ? FORM_COMPLETIONS
           : str_eq(e->operation, STR("responses"))      ? FORM_RESPONSES
                                                         : FORM_OTHER;
}

bool render_may_repeat(struct jval response)
{
    struct jval status = jdoc_find(response, "status");
    return (jdoc_is(status, "completed") || jdoc_is(status, "incomplete")) &&
           !jdoc_has(jdoc_find(response, "conversation"));
}

static bool object_to_stream(struct str body, enum form form, bool usage, struct buf *out)
{
    struct jdoc doc;
    bool ok = false;
    jdoc_init(&doc);
    if (form != FORM_OTHER && jdoc_parse(&doc, body)) {
        struct jval root = jdoc_root(&doc);
        struct replay p = {.r = {out, true}, .root = root, .chat = form == FORM_CHAT, .usage = usage, .first = true};
        if (form == FORM_RESPONSES)
            ok = render_may_repeat(root) && replay_responses(root, out);
        else
            ok = replay_choices(&p);
    }
    jdoc_free(&doc);
    return ok;
}

static bool object_as_is(struct str body, enum form form, struct buf *out)
{
    bool ok = true;
    if (form == FORM_RESPONSES) {
        struct jdoc doc;
        jdoc_init(&doc);
        ok = jdoc_parse(&doc, body) && render_may_repeat(jdoc_root(&doc));
        jdoc_free(&doc);
    }
    return ok && buf_add_str(out, body);
}

static bool stream_as_is(struct str body, enum form form, struct buf *out)
{
    return (form != FORM_RESPONSES || join_responses(body, NULL)) && buf_add_str(out, body);
}

/* The client did not ask for usage: the chunk that has it stays away. */
static bool stream_without_usage(struct str body, struct buf *out)
{
    bool ok = true;
    while (ok && body.n) {
        size_t at = 0, cut = 0;
        struct str event = render_event(&body);
        switch (usage_hide_event(event, &at, &cut)) {
        case USAGE_HIDE_PASS:
            ok = buf_add_str(out, event);
            break;
        case USAGE_HIDE_DROP:
            break;
        case USAGE_HIDE_CUT:
            ok = buf_add_str(out, str_head(event, at)) && buf_add_str(out, str_from(event, at + cut));
            break;
        }
    }
    return ok;
}

static bool stream_to_object(struct str body, enum form form, struct buf *out)
{
    switch (form) {
    case FORM_CHAT:
    case FORM_COMPLETIONS:
        return join_chat(body, form == FORM_CHAT, out);
    case FORM_RESPONSES:
        return join_responses(body, out);
    case FORM_OTHER:
        break;
    }
    return false;
}

bool cache_render(const struct cache_answer *answer, const struct cache_replay *how, struct buf *out,
                  struct str *ret_content_type)
{
    enum form form = form_of(how->endpoint);
    size_t before = buf_size(out);
    bool hides = (form == FORM_CHAT || form == FORM_COMPLETIONS) && !how->include_usage, ok;
    if (answer->stream && how->stream)
        ok = hides ? stream_without_usage(answer->body, out) : stream_as_is(answer->body, form, out);
    else if (answer->stream)
        ok = stream_to_object(answer->body, form, out);
    else if (how->stream)
        ok = object_to_stream(answer->body, form, how->include_usage, out);
    else
        ok = object_as_is(answer->body, form, out);
    if (!ok) {
        buf_cut(out, before);
        return false;
    }
    *ret_content_type = answer->stream == how->stream && answer->content_type.n ? answer->content_type
                        : how->stream                                           ? STR("text/event-stream")
                                                                                : STR("application/json");
    return true;
}

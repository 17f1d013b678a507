/* SPDX-License-Identifier: Apache-2.0 */
/* Heads across the hop. The rules are two switch statements; the rest passes byte for byte. */
#include "gateway/heads.h"

#include "base/digits.h"
#include "base/must.h"
#include "gateway/run/run.h"

#define OWN_PREFIX_COUNT 6

/* Names that speak to gateways or claim to know the peer: never passed on, never believed. */
static bool own_name(struct str name)
{
    static const struct str prefixes[OWN_PREFIX_COUNT] = {{"x-portkey-", 10},   {"x-tollgate-", 11},
                                                          {"x-forwarded-", 12}, {"cf-", 3},
                                                          {"x-blaxel-", 9},     {"blaxel-version", 14}};
    unsigned char first = (unsigned char)(name.p[0] | 0x20);
    if (first != 'x' && first != 'c' && first != 'b')
        return false;
    for (int i = 0; i < OWN_PREFIX_COUNT; i++)
        if (str_starts_nocase(name, prefixes[i]))
            return true;
    return false;
}

static bool passes_upstream(const struct request *r, const struct http1_head *head, const struct http1_field *f)
{
    switch (f->id) {
    case HTTP1_HOST:
    case HTTP1_CONTENT_LENGTH:
    case HTTP1_AUTHORIZATION:
    case HTTP1_API_KEY:
    case HTTP1_X_API_KEY:
    case HTTP1_COOKIE:
    case HTTP1_FORWARDED:
    case HTTP1_VIA:
    case HTTP1_X_REAL_IP:
    case HTTP1_OPENAI_ORGANIZATION: /* whose bill it is decides the integration, not the caller */
    case HTTP1_OPENAI_PROJECT:
    case HTTP1_SEC_WEBSOCKET_PROTOCOL:
        return false;
    case HTTP1_ACCEPT_ENCODING:
        return r->endpoint->shape == USAGE_SHAPE_NONE;
    default:
        return !http1_hop_by_hop(head, f) && !own_name(f->name);
    }
}

static bool passes_to_client(const struct http1_head *head, const struct http1_field *f)
{
    switch (f->id) {
    case HTTP1_CONTENT_LENGTH:
    case HTTP1_SET_COOKIE: /* cookies of the provider's edge are not for our clients */
        return false;
    default:
        break;
    }
    if (http1_hop_by_hop(head, f))
        return false;
    /* These two speak about upstream's own address. */
    if (str_eq_nocase(f->name, STR("alt-svc")) || str_eq_nocase(f->name, STR("strict-transport-security")))
        return false;
    return !str_starts_nocase(f->name, STR("x-portkey-")) && !str_starts_nocase(f->name, STR("x-tollgate-"));
}

static void add(struct buf *out, struct str s)
{
    bool ok = buf_add_str(out, s);
    must(ok); /* the buffer holds two of the largest heads */
}

static void add_copied_field(struct buf *out, const struct http1_field *f)
{
    add(out, f->name);
    add(out, STR(": "));
    add(out, f->value);
    add(out, STR("\r\n"));
}

static void add_field(struct buf *out, const struct http1_field *f)
{
    /* As most are written, the line can be taken as it stands. */
    if (f->value.p == f->name.p + f->name.n + 2 && f->value.p[-1] == ' ' && f->value.p[f->value.n] == '\r') {
        add(out, str_of(f->name.p, f->name.n + 2 + f->value.n + 2));
        return;
    }
    add_copied_field(out, f);
}

/* The client's subprotocols without the one that carries its key. */
static void add_protocols(struct buf *out, struct str value)
{
    struct str part;
    bool first = true;
    while (str_split(&value, ',', &part)) {
        part = str_trim(part);
        if (!part.n || str_starts(part, STR("openai-insecure-api-key.")))
            continue;
        add(out, first ? STR("Sec-WebSocket-Protocol: ") : STR(", "));
        add(out, part);
        first = false;
    }
    if (!first)
        add(out, STR("\r\n"));
}

static void add_start(struct request *r, const struct snapshot_integration *to)
{
    struct buf *out = &r->upstream_head;
    add(out, r->method);
    add(out, STR(" "));
    add(out, to->base_path);
    add(out, r->operation_path);
    if (r->query.n) {
        add(out, STR("?"));
        add(out, r->query);
    }
    add(out, STR(" HTTP/1.1\r\nHost: "));
    add(out, to->authority);
    add(out, STR("\r\n"));
    add(out, secret_reveal(&to->head_lines));
}

void heads_begin_upstream(struct request *r, const struct http1_head *client)
{
    struct buf *out = &r->upstream_head;
    const struct snapshot_integration *to = r->integration;
    size_t start = to ? to->base_path.n + to->authority.n + to->head_lines.n : 0;
    char *room = buf_reserve(out, client->size + start + 512);
    must(room != NULL);
    if (to)
        add_start(r, to);
    r->fields_at = buf_size(out);
    for (unsigned i = 0; i < client->field_count; i++) {
        const struct http1_field *f = &client->fields[i];
        if (passes_upstream(r, client, f))
            add_field(out, f);
        else if (f->id == HTTP1_SEC_WEBSOCKET_PROTOCOL && r->websocket)
            add_protocols(out, f->value);
    }
}

static bool named(const struct config_strings *names, struct str name)
{
    for (size_t i = 0; names && i < names->n; i++)
        if (str_eq_nocase(names->list[i], name))
            return true;
    return false;
}

/* Is there a line of that field among complete lines? */
static bool has_line(struct str lines, struct str name)
{
    struct str line;
    while (str_split(&lines, '\n', &line))
        if (line.n > name.n && line.p[name.n] == ':' && str_eq_nocase(str_head(line, name.n), name))
            return true;
    return false;
}

/* A client's own fields go to a provider only where the config or the client says so; those of SDKs do. */
static bool passes_by_itself(const struct request *r, const struct http1_field *f)
{
    if (!r->portkey || f->id != HTTP1_OTHER || str_eq(r->endpoint->operation, STR("other")))
        return true;
    return !str_starts_nocase(f->name, STR("x-")) || str_starts_nocase(f->name, STR("x-stainless-"));
}

void heads_routed(struct request *r)
{
    const struct run *run = r->run;
    const struct target *t = &run->target;
    const struct http1_head none = {.connections = 0};
    struct buf *out = &r->upstream_head;
    buf_reset(out);
    add(out, r->method);
    add(out, STR(" "));
    add(out, t->request_path);
    add(out, STR(" HTTP/1.1\r\nHost: "));
    add(out, t->authority);
    add(out, STR("\r\n"));
    add(out, t->head_lines);
    add(out, run->pass_lines);
    for (unsigned i = 0; i < run->field_count; i++) {
        const struct http1_field *f = &run->fields[i];
        bool forward = named(t->forward_headers[0], f->name) || named(t->forward_headers[1], f->name);
        if (named(&run->options.withheld, f->name) ? false
            : forward ? f->id != HTTP1_COOKIE && !str_starts_nocase(f->name, STR("x-blaxel-"))
                      : passes_upstream(r, &none, f) && passes_by_itself(r, f)) {
            if (!has_line(t->head_lines, f->name))
                add_copied_field(out, f);
        } else if (f->id == HTTP1_SEC_WEBSOCKET_PROTOCOL && r->websocket) {
            add_protocols(out, f->value);
        }
    }
}

void heads_end_upstream(struct request *r, enum http1_framing framing, uint64_t length)
{
    struct buf *out = &r->upstream_head;
    char digits[DIGITS_DECIMAL_MAX];
    if (r->websocket)
        add(out, STR("Connection: Upgrade\r\nUpgrade: websocket\r\n"));
    else if (r->endpoint->shape != USAGE_SHAPE_NONE)
        /* Only codings the meter can read; streams come plain so that events can be told apart. */
        add(out,
            r->accepts_gzip && !r->stream ? STR("Accept-Encoding: gzip\r\n") : STR("Accept-Encoding: identity\r\n"));
    if (framing == HTTP1_CHUNKED) {
        add(out, STR("Transfer-Encoding: chunked\r\n"));
    } else if (framing == HTTP1_LENGTH) {
        add(out, STR("Content-Length: "));
        add(out, str_of(digits, digits_decimal(length, digits)));
        add(out, STR("\r\n"));
    }
    add(out, STR("\r\n"));
}

void heads_to_client(const struct request *r, const struct http1_head *upstream, struct buf *out)
{
    for (unsigned i = 0; i < upstream->field_count; i++)
        if (passes_to_client(upstream, &upstream->fields[i]))
            add_field(out, &upstream->fields[i]);
    request_own_lines(r, out);
}

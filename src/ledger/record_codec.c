/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records as tagged fields.
 *
 * The tables below are the format: one row a field, expanded into the encoder and into the cases of
 * the decoder. A tag is number × 4 + form. Columns of the tables: number, kind, member, where it is
 * kept, limit.
 *
 *     kind U  unsigned number, bool or enum; limit: the largest value
 *          Z  signed number, near zero as a rule
 *          F  64 bits
 *          T  text; limit: its longest length
 *          A  text in an array of USAGE_TEXT_MAX
 *
 *     where   COLUMN  a column of the ledger's row has it; else only in `extra`
 *
 * Numbers are for ever: append, never reuse. Error codes are kept as their code strings, because
 * the order of their table may change; all other enums are append only.
 */
#include "ledger/record_codec.h"

#include <string.h>

#include "base/must.h"
#include "base/wire.h"

#define VERSION 1

enum form { FORM_NUMBER, FORM_BYTES, FORM_FIXED };
enum where { COLUMN, EXTRA };

#define META RECORD_METADATA_MAX
#define TEXT RECORD_TEXT_MAX

/* `started_us` and `request_id` are differences while encoded: see put_base. */
#define RECORD_FIELDS(X)                                           \
    X(1, F, id, COLUMN, 0)                                         \
    X(2, Z, request_id, COLUMN, 0)                                 \
    X(3, U, attempt, COLUMN, UINT32_MAX)                           \
    X(4, Z, started_us, EXTRA, 0)                                  \
    X(5, Z, workspace_id, COLUMN, 0)                               \
    X(6, Z, key_id, COLUMN, 0)                                     \
    X(7, Z, integration_id, COLUMN, 0)                             \
    X(8, T, method, COLUMN, TEXT)                                  \
    X(9, T, path, COLUMN, TEXT)                                    \
    X(10, T, operation, COLUMN, TEXT)                              \
    X(11, T, model_asked, COLUMN, TEXT)                            \
    X(12, T, model_answered, COLUMN, TEXT)                         \
    X(13, T, service_tier, COLUMN, TEXT)                           \
    X(14, T, upstream_host, COLUMN, TEXT)                          \
    X(15, T, upstream_request_id, COLUMN, TEXT)                    \
    X(16, T, trace_id, COLUMN, TEXT)                               \
    X(17, T, span_id, COLUMN, TEXT)                                \
    X(18, T, parent_span_id, EXTRA, TEXT)                          \
    X(19, T, user, COLUMN, TEXT)                                   \
    X(20, T, metadata, COLUMN, META)                               \
    X(21, T, user_agent, COLUMN, TEXT)                             \
    X(22, T, finish_reason, COLUMN, TEXT)                          \
    X(23, U, stream, COLUMN, 1)                                    \
    X(24, U, status, COLUMN, UINT16_MAX)                           \
    X(25, U, upstream_status, COLUMN, UINT16_MAX)                  \
    X(26, U, outcome, COLUMN, RECORD_OUTCOME_COUNT - 1)            \
    X(28, T, err_detail, EXTRA, TEXT)                              \
    X(29, U, first_byte_us, COLUMN, UINT64_MAX)                    \
    X(30, U, total_us, COLUMN, UINT64_MAX)                         \
    X(31, U, overhead_us, COLUMN, UINT64_MAX)                      \
    X(32, U, events, EXTRA, UINT32_MAX)                            \
    X(33, U, usage.source, EXTRA, USAGE_SOURCE_COUNT - 1)          \
    X(35, U, usage.input_total_tok, EXTRA, UINT64_MAX)             \
    X(36, U, usage.output_total_tok, EXTRA, UINT64_MAX)            \
    X(37, U, usage.reasoning_tok, EXTRA, UINT64_MAX)               \
    X(38, U, usage.prediction_accepted_tok, EXTRA, UINT64_MAX)     \
    X(39, U, usage.prediction_rejected_tok, EXTRA, UINT64_MAX)     \
    X(40, U, usage.inconsistent, EXTRA, 1)                         \
    X(41, A, usage.service_tier, EXTRA, USAGE_TEXT_MAX)            \
    X(42, A, usage.quality, EXTRA, USAGE_TEXT_MAX)                 \
    X(43, A, usage.size, EXTRA, USAGE_TEXT_MAX)                    \
    X(44, Z, cost.total_pusd, COLUMN, 0)                           \
    X(45, U, cost.state, COLUMN, COST_STATE_COUNT - 1)             \
    X(46, U, cost.reason, EXTRA, COST_REASON_COUNT - 1)            \
    X(48, U, cost.tier, EXTRA, PRICE_TIER_COUNT - 1)               \
    X(49, U, cost.match, EXTRA, PRICE_MATCH_COUNT - 1)             \
    X(50, U, cost.long_context, EXTRA, 1)                          \
    X(51, U, cost.price_row, EXTRA, UINT32_MAX)                    \
    X(52, U, catalog_version, EXTRA, UINT32_MAX)                   \
    X(53, U, price_flags, EXTRA, UINT32_MAX)                       \
    X(54, T, container, EXTRA, TEXT)                               \
    X(55, U, bodies_kept, EXTRA, 1)                                \
    X(56, U, request_body.size_bytes, EXTRA, UINT64_MAX)           \
    X(57, U, response_body.size_bytes, EXTRA, UINT64_MAX)          \
    X(63, T, routing.provider, COLUMN, TEXT)                       \
    X(64, T, routing.config, COLUMN, TEXT)                         \
    X(65, U, routing.config_version, COLUMN, UINT32_MAX)           \
    X(66, T, routing.mode, COLUMN, TEXT)                           \
    X(67, T, routing.target, COLUMN, TEXT)                         \
    X(68, U, routing.retry, EXTRA, UINT32_MAX)                     \
    X(69, U, routing.retries, EXTRA, UINT32_MAX)                   \
    X(70, U, routing.discarded, COLUMN, 1)                         \
    X(71, U, routing.cache, COLUMN, RECORD_CACHE_COUNT - 1)        \
    X(72, Z, routing.saved_pusd, EXTRA, 0)                         \
    X(73, U, routing.hooks, EXTRA, RECORD_HOOKS_COUNT - 1)         \
    X(74, T, routing.hook_results, EXTRA, RECORD_HOOK_RESULTS_MAX) \
    X(75, T, routing.span_name, EXTRA, TEXT)                       \
    X(76, T, routing.sdk_version, COLUMN, TEXT)                    \
    X(77, T, routing.runtime, COLUMN, TEXT)                        \
    X(78, T, routing.runtime_version, COLUMN, TEXT)

#define FIELD_ID 1 /* the first one of both kinds */
/* Fields of a record with a form of their own. */
#define FIELD_ERR 27        /* the code string */
#define FIELD_METERS 34     /* see put_meters */
#define FIELD_COST_METER 47 /* meter + 1; 0 = no single one */
#define FIELD_REQUEST_SHA 58
#define FIELD_RESPONSE_SHA 59
#define FIELD_REQUEST_BODY 60
#define FIELD_RESPONSE_BODY 61
#define FIELD_REQUEST_HEADERS 79
#define FIELD_RESPONSE_HEADERS 80

#define OPEN_FIELDS(X)                          \
    X(1, F, id, COLUMN, 0)                      \
    X(2, Z, request_id, COLUMN, 0)              \
    X(3, U, attempt, COLUMN, UINT32_MAX)        \
    X(4, Z, started_us, COLUMN, 0)              \
    X(5, Z, workspace_id, COLUMN, 0)            \
    X(6, Z, key_id, COLUMN, 0)                  \
    X(7, Z, integration_id, COLUMN, 0)          \
    X(8, T, method, COLUMN, TEXT)               \
    X(9, T, path, COLUMN, TEXT)                 \
    X(10, T, operation, COLUMN, TEXT)           \
    X(11, T, model_asked, COLUMN, TEXT)         \
    X(16, T, trace_id, COLUMN, TEXT)            \
    X(19, T, user, COLUMN, TEXT)                \
    X(20, T, metadata, COLUMN, META)            \
    X(23, U, stream, COLUMN, 1)                 \
    X(56, U, request_bytes, COLUMN, UINT64_MAX) \
    X(62, Z, reserved_pusd, COLUMN, 0)          \
    X(63, T, provider, COLUMN, TEXT)            \
    X(64, T, config, COLUMN, TEXT)              \
    X(67, T, target, COLUMN, TEXT)

/* The cost of a gap is 128 bits: FIELD_GAP_COST_HIGH has the upper half. */
#define GAP_FIELDS(X)                    \
    X(1, U, records, COLUMN, UINT64_MAX) \
    X(2, U, opens, COLUMN, UINT64_MAX)   \
    X(3, Z, since_us, COLUMN, 0)         \
    X(4, Z, until_us, COLUMN, 0)         \
    X(5, U, unpriced, COLUMN, UINT64_MAX)
#define FIELD_GAP_COST_LOW 6
#define FIELD_GAP_COST_HIGH 7

/* --- writing --------------------------------------------------------------------------------- */

static inline unsigned char *put_tag(unsigned char *p, unsigned number, enum form form)
{
    return wire_put_varint(p, number << 2 | (unsigned)form);
}

static inline unsigned char *put_U(unsigned char *p, unsigned number, uint64_t v)
{
    return v ? wire_put_varint(put_tag(p, number, FORM_NUMBER), v) : p;
}

static inline unsigned char *put_Z(unsigned char *p, unsigned number, int64_t v)
{
    return put_U(p, number, wire_zigzag(v));
}

static inline unsigned char *put_F(unsigned char *p, unsigned number, int64_t v)
{
    return v ? wire_put_u64(put_tag(p, number, FORM_FIXED), (uint64_t)v) : p;
}

static inline unsigned char *put_T(unsigned char *p, unsigned number, struct str s)
{
    return s.n ? wire_put_bytes(wire_put_varint(put_tag(p, number, FORM_BYTES), s.n), s) : p;
}

static unsigned char *put_A(unsigned char *p, unsigned number, const char *z)
{
    return put_T(p, number, str_of(z, strnlen(z, USAGE_TEXT_MAX)));
}

#define VALUE_U(member, limit) (uint64_t)(member)
#define VALUE_Z(member, limit) (member)
#define VALUE_F(member, limit) (member)
#define VALUE_T(member, limit) str_head(member, limit)
#define VALUE_A(member, limit) (member)

/* Meters in use, each: index × 2 + 1 if it has a cost, quantity, cost (zigzag). */
static unsigned char *put_meters(unsigned char *p, const struct record *r)
{
    unsigned char list[METER_COUNT * 3 * WIRE_VARINT_MAX];
    unsigned char *end = list;
    for (unsigned m = 0; m < METER_COUNT; m++) {
        uint64_t quantity = r->usage.quantity[m];
        int64_t part = r->cost.part_pusd[m];
        if (!quantity && !part)
            continue;
        end = wire_put_varint(end, m * 2 + (part != 0));
        end = wire_put_varint(end, quantity);
        if (part)
            end = wire_put_varint(end, wire_zigzag(part));
    }
    return put_T(p, FIELD_METERS, str_of((const char *)list, (size_t)(end - list)));
}

static unsigned char *put_specials(unsigned char *p, const struct record *r)
{
    p = put_meters(p, r);
    if (r->cost.meter != METER_COUNT)
        p = put_U(p, FIELD_COST_METER, (uint64_t)r->cost.meter + 1);
    if (r->request_body.has_sha256)
        p = put_T(p, FIELD_REQUEST_SHA, str_of((const char *)r->request_body.sha256, 32));
    if (r->response_body.has_sha256)
        p = put_T(p, FIELD_RESPONSE_SHA, str_of((const char *)r->response_body.sha256, 32));
    return p;
}

static int64_t minus(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a - (uint64_t)b);
}

static int64_t plus(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a + (uint64_t)b);
}

static unsigned char *put_start(unsigned char *p, enum record_kind kind)
{
    *p++ = (unsigned char)kind;
    *p++ = VERSION;
    return p;
}

#define PUT(number, kind, member, where, limit) p = put_##kind(p, number, VALUE_##kind(v.member, limit));
#define PUT_EXTRA(number, kind, member, where, limit) \
    if (where == EXTRA)                               \
        p = put_##kind(p, number, VALUE_##kind(v.member, limit));

/* The two fields whose differences are small are turned into them. */
#define BASE(v)                                                        \
    do {                                                               \
        (v)->request_id = minus((v)->request_id, (v)->id);             \
        (v)->started_us = minus((v)->started_us, id_time_us((v)->id)); \
    } while (0)
#define UNBASE(v)                                                     \
    do {                                                              \
        (v)->request_id = plus((v)->request_id, (v)->id);             \
        (v)->started_us = plus((v)->started_us, id_time_us((v)->id)); \
    } while (0)

static int64_t id_time_us(int64_t id)
{
    return record_id_time_us(id);
}

size_t record_encode(const struct record *r, unsigned char *out)
{
    struct record v = *r;
    BASE(&v);
    unsigned char *p = put_start(out, RECORD_KIND_CLOSE);
    RECORD_FIELDS(PUT)
    p = put_specials(p, r);
    if (r->err != ERR_OK)
        p = put_T(p, FIELD_ERR, str_c(err_info(r->err)->code));
    must((size_t)(p - out) <= RECORD_ENCODED_MAX);
    return (size_t)(p - out);
}

size_t record_encode_extra(const struct record *r, unsigned char *out)
{
    struct record v = *r;
    BASE(&v);
    unsigned char *p = out;
    RECORD_FIELDS(PUT_EXTRA)
    p = put_specials(p, r);
    must((size_t)(p - out) <= RECORD_ENCODED_MAX);
    return (size_t)(p - out);
}

size_t record_encode_open(const struct record_open *o, unsigned char *out)
{
    struct record_open v = *o;
    BASE(&v);
    unsigned char *p = put_start(out, RECORD_KIND_OPEN);
    OPEN_FIELDS(PUT)
    must((size_t)(p - out) <= RECORD_ENCODED_MAX);
    return (size_t)(p - out);
}

size_t record_encode_gap(const struct record_gap *g, unsigned char *out)
{
    struct record_gap v = *g;
    unsigned char *p = put_start(out, RECORD_KIND_GAP);
    GAP_FIELDS(PUT)
    p = put_F(p, FIELD_GAP_COST_LOW, (int64_t)(uint64_t)g->cost_pusd);
    p = put_F(p, FIELD_GAP_COST_HIGH, (int64_t)(g->cost_pusd >> 64));
    return (size_t)(p - out);
}

size_t record_encode_part_head(enum record_part part, size_t n, unsigned char *out)
{
    static const unsigned fields[] = {FIELD_REQUEST_BODY, FIELD_RESPONSE_BODY, FIELD_REQUEST_HEADERS,
                                      FIELD_RESPONSE_HEADERS};
    must((unsigned)part < RECORD_PART_COUNT);
    unsigned char *p = put_tag(out, fields[part], FORM_BYTES);
    p = wire_put_varint(p, n);
    return (size_t)(p - out);
}

/* --- reading --------------------------------------------------------------------------------- */

struct field {
    unsigned number;
    enum form form;
    uint64_t v;
    struct str s;
};

/* The next field; false at the end, and with w->bad set when it is not valid. */
static bool next_field(struct wire *w, struct field *f)
{
    if (w->bad || !wire_left(w))
        return false;
    uint64_t tag = wire_varint(w);
    f->form = (enum form)(tag & 3);
    f->number = tag >> 2 < UINT32_MAX ? (unsigned)(tag >> 2) : UINT32_MAX;
    f->v = 0;
    f->s = STR("");
    if (f->form == FORM_NUMBER)
        f->v = wire_varint(w);
    else if (f->form == FORM_FIXED)
        f->v = wire_u64(w);
    else if (f->form == FORM_BYTES)
        f->s = wire_bytes(w, wire_varint(w));
    else
        w->bad = true;
    return !w->bad;
}

#define FORM_OF_U FORM_NUMBER
#define FORM_OF_Z FORM_NUMBER
#define FORM_OF_F FORM_FIXED
#define FORM_OF_T FORM_BYTES
#define FORM_OF_A FORM_BYTES
#define IN_LIMIT_U(limit) (f->v <= (limit))
#define IN_LIMIT_Z(limit) true
#define IN_LIMIT_F(limit) ((int64_t)f->v >= 0)
#define IN_LIMIT_T(limit) (f->s.n <= (limit))
#define IN_LIMIT_A(limit) (f->s.n < (limit))
#define TAKE_U(member) (member) = (__typeof__(member))f->v
#define TAKE_Z(member) (member) = wire_unzigzag(f->v)
#define TAKE_F(member) (member) = (int64_t)f->v
#define TAKE_T(member) (member) = f->s
#define TAKE_A(member) str_copy(member, sizeof(member), f->s)

/* A known number in another form or beyond its limit is damage, not news. */
#define TAKE(number_, kind, member, where, limit)                 \
    case number_:                                                 \
        if (f->form != FORM_OF_##kind || !IN_LIMIT_##kind(limit)) \
            return false;                                         \
        TAKE_##kind(v->member);                                   \
        return true;

static bool take_meters(struct str list, struct record *r)
{
    struct wire w = wire_of(list.p, list.n);
    while (!w.bad && wire_left(&w)) {
        uint64_t head = wire_varint(&w), m = head >> 1;
        uint64_t quantity = wire_varint(&w);
        int64_t part = head & 1 ? wire_unzigzag(wire_varint(&w)) : 0;
        if (w.bad || m >= METER_COUNT)
            return false;
        r->usage.quantity[m] = quantity;
        r->cost.part_pusd[m] = part;
    }
    return !w.bad;
}

enum err record_err_from(struct str code)
{
    for (unsigned e = 0; e < ERR_COUNT; e++)
        if (str_eq(code, str_c(err_info((enum err)e)->code)))
            return (enum err)e;
    return ERR_INTERNAL;
}

static bool take_sha(struct str s, struct record_body *b)
{
    if (s.n != sizeof b->sha256)
        return false;
    memcpy(b->sha256, s.p, s.n);
    b->has_sha256 = true;
    return true;
}

static bool take_special(const struct field *f, struct record *r)
{
    bool number = f->number == FIELD_COST_METER;
    if (f->form != (number ? FORM_NUMBER : FORM_BYTES))
        return false;
    switch (f->number) {
    case FIELD_ERR:
        r->err = record_err_from(f->s);
        return true;
    case FIELD_METERS:
        return take_meters(f->s, r);
    case FIELD_COST_METER:
        r->cost.meter = (enum meter)(f->v - 1);
        return f->v >= 1 && f->v <= METER_COUNT;
    case FIELD_REQUEST_SHA:
        return take_sha(f->s, &r->request_body);
    case FIELD_RESPONSE_SHA:
        return take_sha(f->s, &r->response_body);
    case FIELD_REQUEST_BODY:
        r->request_body.bytes = f->s;
        return f->s.n <= RECORD_BODIES_MAX;
    case FIELD_REQUEST_HEADERS:
        r->request_headers = f->s;
        return f->s.n <= RECORD_HEADERS_MAX;
    case FIELD_RESPONSE_HEADERS:
        r->response_headers = f->s;
        return f->s.n <= RECORD_HEADERS_MAX;
    default:
        r->response_body.bytes = f->s;
        return f->s.n <= RECORD_BODIES_MAX;
    }
}

static bool take_record_field(const struct field *f, struct record *v)
{
    switch (f->number) {
        RECORD_FIELDS(TAKE)
    case FIELD_ERR:
    case FIELD_METERS:
    case FIELD_COST_METER:
    case FIELD_REQUEST_SHA:
    case FIELD_RESPONSE_SHA:
    case FIELD_REQUEST_BODY:
    case FIELD_RESPONSE_BODY:
    case FIELD_REQUEST_HEADERS:
    case FIELD_RESPONSE_HEADERS:
        return take_special(f, v);
    default:
        return true;
    }
}

static bool take_open_field(const struct field *f, struct record_open *v)
{
    switch (f->number) {
        OPEN_FIELDS(TAKE)
    default:
        return true;
    }
}

static bool take_gap_field(const struct field *f, struct record_gap *v)
{
    switch (f->number) {
        GAP_FIELDS(TAKE)
    case FIELD_GAP_COST_LOW:
        v->cost_pusd |= (money_sum)f->v;
        return f->form == FORM_FIXED;
    case FIELD_GAP_COST_HIGH:
        v->cost_pusd |= (money_sum)((unsigned __int128)f->v << 64);
        return f->form == FORM_FIXED;
    default:
        return true;
    }
}

enum err record_kind_of(struct str payload, enum record_kind *ret_kind)
{
    if (payload.n < 2 || payload.p[1] != VERSION)
        return ERR_CORRUPT;
    unsigned char kind = (unsigned char)payload.p[0];
    if (kind < RECORD_KIND_OPEN || kind > RECORD_KIND_GAP)
        return ERR_CORRUPT;
    *ret_kind = (enum record_kind)kind;
    return ERR_OK;
}

/* The fields behind kind and version; false when the payload is of another kind. */
static bool begin(struct str payload, enum record_kind kind, struct wire *ret)
{
    enum record_kind found;
    *ret = wire_of(payload.p + 2, payload.n < 2 ? 0 : payload.n - 2);
    return record_kind_of(payload, &found) == ERR_OK && found == kind;
}

enum err record_decode_id(struct str payload, int64_t *ret_id)
{
    struct wire w = wire_of(payload.p + 2, payload.n < 2 ? 0 : payload.n - 2);
    struct field f;
    if (!next_field(&w, &f) || f.number != FIELD_ID || f.form != FORM_FIXED || (int64_t)f.v <= 0)
        return ERR_CORRUPT;
    *ret_id = (int64_t)f.v;
    return ERR_OK;
}

enum err record_decode(struct str payload, struct record *ret)
{
    struct wire w;
    struct field f;
    struct record v = {.cost.meter = METER_COUNT};
    if (!begin(payload, RECORD_KIND_CLOSE, &w))
        return ERR_CORRUPT;
    while (next_field(&w, &f))
        if (!take_record_field(&f, &v))
            return ERR_CORRUPT;
    if (w.bad || v.id <= 0)
        return ERR_CORRUPT;
    UNBASE(&v);
    *ret = v;
    return ERR_OK;
}

enum err record_decode_extra(struct str extra, struct record *r)
{
    struct wire w = wire_of(extra.p, extra.n);
    struct field f;
    struct record v = *r;
    v.started_us = 0;
    v.cost.meter = METER_COUNT;
    while (next_field(&w, &f))
        if (!take_record_field(&f, &v))
            return ERR_CORRUPT;
    if (w.bad || v.id != r->id)
        return ERR_CORRUPT;
    v.started_us = plus(v.started_us, id_time_us(v.id));
    *r = v;
    return ERR_OK;
}

enum err record_decode_open(struct str payload, struct record_open *ret)
{
    struct wire w;
    struct field f;
    struct record_open v = {0};
    if (!begin(payload, RECORD_KIND_OPEN, &w))
        return ERR_CORRUPT;
    while (next_field(&w, &f))
        if (!take_open_field(&f, &v))
            return ERR_CORRUPT;
    if (w.bad || v.id <= 0)
        return ERR_CORRUPT;
    UNBASE(&v);
    *ret = v;
    return ERR_OK;
}

enum err record_decode_gap(struct str payload, struct record_gap *ret)
{
    struct wire w;
    struct field f;
    struct record_gap v = {0};
    if (!begin(payload, RECORD_KIND_GAP, &w))
        return ERR_CORRUPT;
    while (next_field(&w, &f))
        if (!take_gap_field(&f, &v))
            return ERR_CORRUPT;
    if (w.bad)
        return ERR_CORRUPT;
    *ret = v;
    return ERR_OK;
}

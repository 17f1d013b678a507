/* SPDX-License-Identifier: Apache-2.0 */
/* Sums of attempts. */
#include "ledger/sums.h"

#include "base/must.h"
#include "base/wire.h"

#define BIG_VARINT_MAX 19
#define CARRY_PUSD (INT64_C(1000000) * MONEY_PUSD_PER_USD) /* a million dollars */

static void add_capped(uint64_t *sum, uint64_t v, int sign)
{
    uint64_t total;
    if (v > INT64_MAX)
        v = INT64_MAX;
    if (sign < 0)
        *sum = *sum > v ? *sum - v : 0;
    else
        *sum = __builtin_add_overflow(*sum, v, &total) || total > INT64_MAX ? INT64_MAX : total;
}

/* No honest sum comes near the end of 128 bits; what damage makes of it wraps. */
static void add_money(money_sum *sum, money_sum v)
{
    *sum = (money_sum)((unsigned __int128)*sum + (unsigned __int128)v);
}

/* The record of a tool with a price of its own, which belongs to the same exchange, names no target. */
static bool is_fallback(const struct record *r)
{
    return r->attempt > 0 && r->routing.retry == 0 && r->routing.target.n > 0;
}

void sums_add_record(struct sums *s, const struct record *r, int sign)
{
    must(sign == 1 || sign == -1);
    s->attempts += (uint64_t)sign;
    if (r->id == r->request_id)
        s->requests += (uint64_t)sign;
    add_money(&s->cost_pusd, sign * (money_sum)r->cost.total_pusd);
    for (unsigned m = 0; m < METER_COUNT; m++) {
        s->quantity[m] += sign > 0 ? r->usage.quantity[m] : 0 - (unsigned __int128)r->usage.quantity[m];
        add_money(&s->part_pusd[m], sign * (money_sum)r->cost.part_pusd[m]);
    }
    add_capped(&s->input_tok, r->usage.input_total_tok, sign);
    add_capped(&s->output_tok, r->usage.output_total_tok, sign);
    add_capped(&s->reasoning_tok, r->usage.reasoning_tok, sign);
    add_capped(&s->first_byte_count, r->first_byte_us > 0, sign);
    add_capped(&s->first_byte_us, r->first_byte_us, sign);
    add_capped(&s->total_us, r->total_us, sign);
    add_capped(&s->overhead_us, r->overhead_us, sign);
    add_capped(&s->request_bytes, r->request_body.size_bytes, sign);
    add_capped(&s->response_bytes, r->response_body.size_bytes, sign);
    add_money(&s->saved_pusd, sign * (money_sum)r->routing.saved_pusd);
    add_capped(&s->retries, r->routing.retry > 0, sign);
    add_capped(&s->fallbacks, is_fallback(r), sign);
}

void sums_add(struct sums *s, const struct sums *o)
{
    s->attempts += o->attempts;
    s->requests += o->requests;
    add_money(&s->cost_pusd, o->cost_pusd);
    for (unsigned m = 0; m < METER_COUNT; m++) {
        s->quantity[m] += o->quantity[m];
        add_money(&s->part_pusd[m], o->part_pusd[m]);
    }
    add_capped(&s->input_tok, o->input_tok, 1);
    add_capped(&s->output_tok, o->output_tok, 1);
    add_capped(&s->reasoning_tok, o->reasoning_tok, 1);
    add_capped(&s->first_byte_count, o->first_byte_count, 1);
    add_capped(&s->first_byte_us, o->first_byte_us, 1);
    add_capped(&s->total_us, o->total_us, 1);
    add_capped(&s->overhead_us, o->overhead_us, 1);
    add_capped(&s->request_bytes, o->request_bytes, 1);
    add_capped(&s->response_bytes, o->response_bytes, 1);
    add_money(&s->saved_pusd, o->saved_pusd);
    add_capped(&s->retries, o->retries, 1);
    add_capped(&s->fallbacks, o->fallbacks, 1);
}

void sums_add_tokens(struct sums *s, uint64_t input_tok, uint64_t output_tok)
{
    add_capped(&s->input_tok, input_tok, 1);
    add_capped(&s->output_tok, output_tok, 1);
}

/* --- bytes ----------------------------------------------------------------------------------- */

static unsigned char *put_big(unsigned char *p, unsigned __int128 v)
{
    while (v >= 0x80) {
        *p++ = (unsigned char)((unsigned)v | 0x80);
        v >>= 7;
    }
    *p++ = (unsigned char)v;
    return p;
}

static unsigned __int128 get_big(struct wire *w)
{
    unsigned __int128 v = 0;
    for (unsigned shift = 0; shift < 7 * BIG_VARINT_MAX; shift += 7) {
        uint8_t c = wire_u8(w);
        v |= (unsigned __int128)(c & 0x7f) << shift;
        if (w->bad || c < 0x80)
            return v;
    }
    w->bad = true;
    return 0;
}

static unsigned __int128 zigzag(money_sum v)
{
    return ((unsigned __int128)v << 1) ^ (v < 0 ? ~(unsigned __int128)0 : 0);
}

static money_sum unzigzag(unsigned __int128 v)
{
    return (money_sum)((v >> 1) ^ (0 - (v & 1)));
}

size_t sums_encode(const struct sums *s, unsigned char out[SUMS_BYTES_MAX])
{
    unsigned char *p = wire_put_varint(out, s->reasoning_tok);
    p = wire_put_varint(p, s->first_byte_count);
    p = wire_put_varint(p, s->first_byte_us);
    p = wire_put_varint(p, s->total_us);
    p = wire_put_varint(p, s->overhead_us);
    p = wire_put_varint(p, s->request_bytes);
    p = wire_put_varint(p, s->response_bytes);
    for (unsigned m = 0; m < METER_COUNT; m++) {
        if (!s->quantity[m] && !s->part_pusd[m])
            continue;
        *p++ = (unsigned char)m;
        p = put_big(put_big(p, s->quantity[m]), zigzag(s->part_pusd[m]));
    }
    if (s->saved_pusd || s->retries || s->fallbacks) {
        *p++ = SUMS_ROUTING;
        p = put_big(p, zigzag(s->saved_pusd));
        p = wire_put_varint(wire_put_varint(p, s->retries), s->fallbacks);
    }
    must(p - out <= SUMS_BYTES_MAX);
    return (size_t)(p - out);
}

enum err sums_add_encoded(struct str bytes, struct sums *s)
{
    struct wire w = wire_of(bytes.p, bytes.n);
    add_capped(&s->reasoning_tok, wire_varint(&w), 1);
    add_capped(&s->first_byte_count, wire_varint(&w), 1);
    add_capped(&s->first_byte_us, wire_varint(&w), 1);
    add_capped(&s->total_us, wire_varint(&w), 1);
    add_capped(&s->overhead_us, wire_varint(&w), 1);
    add_capped(&s->request_bytes, wire_varint(&w), 1);
    add_capped(&s->response_bytes, wire_varint(&w), 1);
    while (!w.bad && wire_left(&w)) {
        uint8_t m = wire_u8(&w);
        if (m == SUMS_ROUTING) {
            add_money(&s->saved_pusd, unzigzag(get_big(&w)));
            add_capped(&s->retries, wire_varint(&w), 1);
            add_capped(&s->fallbacks, wire_varint(&w), 1);
            continue;
        }
        if (m >= METER_COUNT)
            return ERR_CORRUPT;
        s->quantity[m] += get_big(&w);
        add_money(&s->part_pusd[m], unzigzag(get_big(&w)));
    }
    return w.bad ? ERR_CORRUPT : ERR_OK;
}

void sums_split_cost(money_sum cost, int64_t *ret_carry, int64_t *ret_rest)
{
    money_sum carry = cost / CARRY_PUSD, rest = cost % CARRY_PUSD;
    if (rest < 0) {
        carry--;
        rest += CARRY_PUSD;
    }
    must(carry >= INT64_MIN);
    must(carry <= INT64_MAX);
    *ret_carry = (int64_t)carry;
    *ret_rest = (int64_t)rest;
}

money_sum sums_join_cost(int64_t carry, int64_t rest)
{
    return (money_sum)carry * CARRY_PUSD + rest;
}

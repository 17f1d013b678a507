/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows live in pages that are made when first needed. Sums by model and by operation are small
 * tables searched from the front, the last one found first: a test or a benchmark uses few.
 */
#include "sim/kept/served.h"

#include <openssl/evp.h>
#include <string.h>

#include "base/clock.h"
#include "base/encode.h"
#include "base/json_write.h"
#include "base/mem.h"
#include "base/must.h"
#include "sim/http/apierr.h"
#include "sim/http/caller.h"
#include "sim/kept/orgsum.h"
#include "sim/model/bill.h"

#define PAGE 1024
#define PAGES_MAX 4096
#define SUMS_MAX 512
#define STATUS_MAX 1000
#define LIMIT_MAX 10000

struct row {
    uint64_t number, bytes_in, bytes_out, events, took_us;
    int64_t wall_us;
    const struct route *route;
    const struct caller *caller;
    uint64_t quantity[METER_COUNT];
    uint64_t input_total, output_total, reasoning;
    unsigned char hash_in[32], hash_out[32];
    char request_id[40], client_id[40], method[8], path[96], asked[64], answered[64], project[40], tier[16];
    uint16_t status;
    bool stream, aborted, reported, no_usage, batch, hashed;
    uint8_t work;
};

struct sum {
    char name[CALL_MODEL_MAX];
    uint64_t requests, input_total, output_total;
    uint64_t quantity[METER_COUNT];
};

struct sums {
    struct sum *all;
    unsigned n, last;
};

struct served {
    struct row *page[PAGES_MAX];
    uint64_t rows_max, rows, first_after_reset;
    uint64_t aborted, refused, bytes_in, bytes_out, reported;
    uint64_t status[STATUS_MAX];
    struct sum all;
    struct sums models, operations;
};

static const char *const meter_names[METER_COUNT] = {
#define X(name, text, unit, what) text,
    METER_TABLE(X)
#undef X
};

struct served *served_new(uint64_t rows_max)
{
    struct served *s = mem_zalloc(sizeof *s);
    s->rows_max = rows_max < 1 ? 1 : rows_max > (uint64_t)PAGE * PAGES_MAX ? (uint64_t)PAGE * PAGES_MAX : rows_max;
    s->models.all = mem_zalloc(SUMS_MAX * sizeof(struct sum));
    s->operations.all = mem_zalloc(SUMS_MAX * sizeof(struct sum));
    return s;
}

void served_free(struct served *s)
{
    if (!s)
        return;
    for (unsigned i = 0; i < PAGES_MAX; i++)
        mem_free(s->page[i]);
    mem_free(s->models.all);
    mem_free(s->operations.all);
    mem_free(s);
}

void served_reset(struct served *s)
{
    s->first_after_reset = s->rows;
    s->aborted = s->refused = s->bytes_in = s->bytes_out = s->reported = 0;
    memset(s->status, 0, sizeof s->status);
    memset(&s->all, 0, sizeof s->all);
    memset(s->models.all, 0, SUMS_MAX * sizeof(struct sum));
    memset(s->operations.all, 0, SUMS_MAX * sizeof(struct sum));
    s->models.n = s->models.last = s->operations.n = s->operations.last = 0;
}

/* Rows are numbered from 1. NULL when the ring has forgotten it. */
static struct row *row_at(struct served *s, uint64_t number)
{
    if (number == 0 || number > s->rows || number + s->rows_max <= s->rows)
        return NULL;
    uint64_t place = (number - 1) % s->rows_max;
    return &s->page[place / PAGE][place % PAGE];
}

static struct row *row_new(struct served *s)
{
    uint64_t place = s->rows++ % s->rows_max;
    if (!s->page[place / PAGE])
        s->page[place / PAGE] = mem_alloc(PAGE * sizeof(struct row));
    struct row *r = &s->page[place / PAGE][place % PAGE];
    memset(r, 0, sizeof *r);
    r->number = s->rows;
    return r;
}

static struct sum *sum_of(struct sums *sums, const char *name)
{
    if (sums->n && strcmp(sums->all[sums->last].name, name) == 0)
        return &sums->all[sums->last];
    for (unsigned i = 0; i < sums->n; i++)
        if (strcmp(sums->all[i].name, name) == 0)
            return &sums->all[sums->last = i];
    if (sums->n == SUMS_MAX) {
        str_copy(sums->all[SUMS_MAX - 1].name, CALL_MODEL_MAX, STR("(others)"));
        return &sums->all[SUMS_MAX - 1];
    }
    str_copy(sums->all[sums->n].name, CALL_MODEL_MAX, str_c(name));
    return &sums->all[sums->last = sums->n++];
}

static void sum_add(struct sum *sum, const struct row *r)
{
    sum->requests++;
    sum->input_total += r->input_total;
    sum->output_total += r->output_total;
    for (unsigned m = 0; m < METER_COUNT; m++)
        sum->quantity[m] += r->quantity[m];
}

static void hash_end(EVP_MD_CTX *hash, unsigned char out[32])
{
    unsigned n = 0;
    must(EVP_DigestFinal_ex(hash, out, &n) == 1 && n == 32);
}

static void row_fill(struct row *r, struct call *c, bool aborted, bool hashed)
{
    const struct usage *u = &c->used.usage;
    r->wall_us = c->wall_us;
    r->took_us = c->x ? clock_mono_us() - c->x->started_us : 0;
    r->route = c->route;
    r->caller = c->caller;
    memcpy(r->quantity, u->quantity, sizeof r->quantity);
    r->input_total = u->input_total_tok;
    r->output_total = u->output_total_tok;
    r->reasoning = u->reasoning_tok;
    r->hashed = hashed;
    if (r->hashed) {
        hash_end(c->body_hash, r->hash_in);
        hash_end(c->answer_hash, r->hash_out);
    }
    str_copy(r->request_id, sizeof r->request_id, str_c(c->request_id));
    str_copy(r->client_id, sizeof r->client_id, c->client_id);
    str_copy(r->method, sizeof r->method, c->method);
    str_copy(r->path, sizeof r->path, c->target);
    str_copy(r->asked, sizeof r->asked, str_c(c->model_asked));
    str_copy(r->answered, sizeof r->answered, str_c(c->used.model));
    str_copy(r->project, sizeof r->project,
             c->project_wish.n ? c->project_wish : str_c(c->caller ? c->caller->project : ""));
    str_copy(r->tier, sizeof r->tier, str_c(u->service_tier));
    r->bytes_in = c->body_bytes;
    r->bytes_out = c->answer.bytes;
    r->events = c->answer.events;
    r->status = (uint16_t)c->answer.status;
    r->stream = c->answer.next != NULL;
    r->aborted = aborted;
    r->reported = c->used.reported;
    r->no_usage = c->used.no_usage;
    r->batch = c->used.batch;
    r->work = (uint8_t)c->used.work;
}

static void record(struct call *c, bool aborted, bool hashed)
{
    struct served *s = c->sim->served;
    if (c->row || c->surface == CALL_OWN)
        return;
    bill_settle(c);
    struct row *r = row_new(s);
    row_fill(r, c, aborted, hashed);
    c->row = r->number;
    s->aborted += aborted;
    s->reported += r->reported;
    s->bytes_in += r->bytes_in;
    s->bytes_out += r->bytes_out;
    s->status[r->status < STATUS_MAX ? r->status : 0]++;
    sum_add(&s->all, r);
    sum_add(sum_of(&s->operations, c->route ? c->route->operation : "(none)"), r);
    if (r->answered[0])
        sum_add(sum_of(&s->models, c->used.model), r);
    orgsum_add(c);
}

void served_record(struct call *c, bool aborted)
{
    record(c, aborted, str_eq(c->sim->opts.hash, STR("on")));
}

void served_record_unhashed(struct call *c)
{
    record(c, false, false);
}

void served_mark_aborted(struct call *c)
{
    struct served *s = c->sim->served;
    struct row *r = row_at(s, c->row);
    if (!r || r->aborted)
        return;
    r->aborted = true;
    if (r->number > s->first_after_reset)
        s->aborted++;
}

void served_count_refused(struct served *s)
{
    s->refused++;
}

/* As JSON. */

static void write_usage(struct json_write *w, const uint64_t *quantity, uint64_t input, uint64_t output)
{
    json_write_member_uint(w, "input_tokens", input);
    json_write_member_uint(w, "output_tokens", output);
    json_write_key(w, STR("meters"));
    json_write_object(w);
    for (unsigned m = 0; m < METER_COUNT; m++)
        if (quantity[m])
            json_write_member_uint(w, meter_names[m], quantity[m]);
    json_write_object_end(w);
}

static void write_hash(struct json_write *w, const char *name, const struct row *r, const unsigned char hash[32])
{
    char hex[ENCODE_HEX_MAX(32)];
    if (r->hashed)
        json_write_member_string(w, name, str_of(hex, encode_hex(hash, 32, hex)));
    else
        json_write_member_null(w, name);
}

static void write_who(struct json_write *w, const struct row *r)
{
    json_write_member_text(w, "key", str_c(r->caller ? r->caller->hint : ""));
    json_write_member_text(w, "key_id", str_c(r->caller ? r->caller->key_id : ""));
    json_write_member_text(w, "user_id", str_c(r->caller ? r->caller->user : ""));
    json_write_member_text(w, "project_id", str_c(r->project));
}

static void write_row(struct json_write *w, const struct row *r)
{
    char time[CLOCK_TEXT_MAX];
    json_write_object(w);
    json_write_member_uint(w, "id", r->number);
    json_write_member_string(w, "request_id", str_c(r->request_id));
    json_write_member_text(w, "client_request_id", str_c(r->client_id));
    json_write_member_string(w, "time", str_of(time, clock_format(r->wall_us, 1, time)));
    json_write_member_uint(w, "duration_us", r->took_us);
    json_write_member_string(w, "method", str_c(r->method));
    json_write_member_string(w, "path", str_c(r->path));
    json_write_member_text(w, "operation", str_c(r->route ? r->route->operation : ""));
    json_write_member_text(w, "model", str_c(r->asked));
    json_write_member_text(w, "model_answered", str_c(r->answered));
    json_write_member_text(w, "service_tier", str_c(r->tier));
    write_who(w, r);
    json_write_member_uint(w, "status", r->status);
    json_write_member_bool(w, "stream", r->stream);
    json_write_member_bool(w, "batch", r->batch);
    json_write_member_bool(w, "aborted", r->aborted);
    json_write_member_uint(w, "events", r->events);
    json_write_member_bool(w, "usage_reported", r->reported);
    if (r->work == CALL_WORK_NONE) {
        json_write_member_null(w, "usage");
    } else {
        json_write_key(w, STR("usage"));
        json_write_object(w);
        json_write_member_uint(w, "reasoning_tokens", r->reasoning);
        write_usage(w, r->quantity, r->input_total, r->output_total);
        json_write_object_end(w);
    }
    json_write_member_uint(w, "request_bytes", r->bytes_in);
    write_hash(w, "request_sha256", r, r->hash_in);
    json_write_member_uint(w, "response_bytes", r->bytes_out);
    write_hash(w, "response_sha256", r, r->hash_out);
    json_write_object_end(w);
}

static bool wanted(const struct row *r, struct str model, struct str operation, struct str key)
{
    return (!model.n || str_eq(str_c(r->asked), model) || str_eq(str_c(r->answered), model)) &&
           (!operation.n || (r->route && str_eq(str_c(r->route->operation), operation))) &&
           (!key.n || (r->caller && str_eq(str_c(r->caller->key_id), key)));
}

void served_list(struct call *c)
{
    struct served *s = c->sim->served;
    uint64_t since = call_query_count(c, "since", 0), limit = call_query_count(c, "limit", 100), n = 0, last = since;
    struct str model = call_query(c, "model"), operation = call_query(c, "operation"), key = call_query(c, "key_id");
    struct json_write w;
    struct buf out;
    if (limit > LIMIT_MAX)
        limit = LIMIT_MAX;
    if (since < s->first_after_reset)
        since = s->first_after_reset;
    if (s->rows > s->rows_max && since < s->rows - s->rows_max)
        since = s->rows - s->rows_max;
    buf_init(&out, (size_t)1 << 30);
    json_write_init(&w, &out);
    json_write_object(&w);
    json_write_member_string(&w, "object", STR("list"));
    json_write_key(&w, STR("data"));
    json_write_array(&w);
    uint64_t i = since + 1;
    for (; i <= s->rows && n < limit; i++) {
        const struct row *r = row_at(s, i);
        last = i;
        if (!wanted(r, model, operation, key))
            continue;
        write_row(&w, r);
        n++;
    }
    json_write_array_end(&w);
    json_write_member_uint(&w, "last_id", last);
    json_write_member_bool(&w, "has_more", i <= s->rows);
    json_write_object_end(&w);
    must(json_write_done(&w));
    answer_json(c, 200, &out);
}

/* By its number or its x-request-id. */
void served_one(struct call *c)
{
    struct served *s = c->sim->served;
    uint64_t number;
    const struct row *r = NULL;
    if (str_to_u64(c->args[0], &number))
        r = row_at(s, number);
    for (uint64_t i = s->rows; !r && i > 0; i--) {
        const struct row *other = row_at(s, i);
        if (!other)
            break;
        if (str_eq(str_c(other->request_id), c->args[0]) || str_eq(str_c(other->client_id), c->args[0]))
            r = other;
    }
    if (!r) {
        apierr_no_such(c, "Request", c->args[0]);
        return;
    }
    struct json_write w;
    struct buf out;
    buf_init(&out, 1 << 20);
    json_write_init(&w, &out);
    write_row(&w, r);
    must(json_write_done(&w));
    answer_json(c, 200, &out);
}

static void write_sums(struct json_write *w, const char *name, const struct sums *sums)
{
    json_write_key(w, str_c(name));
    json_write_object(w);
    for (unsigned i = 0; i < sums->n; i++) {
        const struct sum *s = &sums->all[i];
        json_write_key(w, str_c(s->name));
        json_write_object(w);
        json_write_member_uint(w, "requests", s->requests);
        write_usage(w, s->quantity, s->input_total, s->output_total);
        json_write_object_end(w);
    }
    json_write_object_end(w);
}

void served_totals(struct call *c)
{
    struct served *s = c->sim->served;
    struct json_write w;
    struct buf out;
    buf_init(&out, 1 << 24);
    json_write_init(&w, &out);
    json_write_object(&w);
    json_write_member_string(&w, "object", STR("sim.totals"));
    json_write_member_uint(&w, "requests", s->all.requests);
    json_write_member_uint(&w, "aborted", s->aborted);
    json_write_member_uint(&w, "refused", s->refused);
    json_write_member_uint(&w, "usage_reported", s->reported);
    json_write_member_uint(&w, "request_bytes", s->bytes_in);
    json_write_member_uint(&w, "response_bytes", s->bytes_out);
    json_write_member_uint(&w, "usage_lost", orgsum_lost(c->sim->orgsum));
    json_write_member_uint(&w, "open_connections", http_server_connections(c->sim->server));
    json_write_key(&w, STR("status"));
    json_write_object(&w);
    for (unsigned i = 0; i < STATUS_MAX; i++)
        if (s->status[i])
            json_write_member_uint(&w, call_format(c, "%u", i).p, s->status[i]);
    json_write_object_end(&w);
    json_write_key(&w, STR("usage"));
    json_write_object(&w);
    write_usage(&w, s->all.quantity, s->all.input_total, s->all.output_total);
    json_write_object_end(&w);
    write_sums(&w, "models", &s->models);
    write_sums(&w, "operations", &s->operations);
    json_write_object_end(&w);
    must(json_write_done(&w));
    answer_json(c, 200, &out);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A trace: the requests that its callers have tied together, as a tree by span and parent span, each
 * with its attempts.
 *
 * Two passes over the ledger: first what the tree is made of, then, in its order, the rows. The answer
 * lists the spans depth first, each with its depth, so that readers need no recursion. A span without
 * an id has its request's. Whose parent is not in the trace, or is its own descendant, stands at the
 * top.
 */
#include "base/must.h"
#include "console/console_inner.h"
#include "console/native/filter.h"
#include "console/native/log_row.h"
#include "console/native/native.h"
#include "console/native/output.h"
#include "ledger/ledger.h"
#include "ledger/query.h"
#include "net/url.h"

#define FLUSH_MS 2000
#define ATTEMPTS_MAX 2000
#define SPAN_NAME_DEFAULT "llm"

struct span {
    int64_t request_id;
    struct str id, parent_id, name;
    struct span *parent, *first_child, *next; /* siblings in the order of their requests */
    unsigned depth;
    size_t attempt_count;
    int64_t *attempts; /* ids, ascending; in the arena */
};

struct trace {
    struct job *job;
    struct str id;
    struct span *spans; /* by request, ascending */
    size_t span_count;
    struct {
        int64_t id, request_id;
        struct str span_id, parent_id, name;
    } * rows; /* newest first */
    size_t row_count;
    bool more;
    int64_t started_us, ended_us;
    money_sum cost_pusd, wasted_pusd, saved_pusd;
    uint64_t unpriced, discarded;
    /* While it is written. */
    const struct names *names;
    const struct span **order;
    size_t order_count, at; /* the span being written */
};

/* --- gathering ------------------------------------------------------------------------------- */

static void *take(struct trace *t, size_t n)
{
    void *p = arena_alloc(t->job->arena, n);
    must(p != NULL);
    return p;
}

static struct str copy(struct trace *t, struct str s)
{
    return s.n ? arena_dup(t->job->arena, s) : STR("");
}

static void add_up(struct trace *t, const struct record *r)
{
    int64_t ended_us = r->started_us + (int64_t)(r->total_us < INT32_MAX * UINT64_C(1000) ? r->total_us : 0);
    if (!t->started_us || r->started_us < t->started_us)
        t->started_us = r->started_us;
    if (ended_us > t->ended_us)
        t->ended_us = ended_us;
    t->cost_pusd += r->cost.total_pusd;
    t->saved_pusd += r->routing.saved_pusd;
    t->unpriced += r->cost.state == COST_UNPRICED;
    if (r->routing.discarded) {
        t->discarded++;
        t->wasted_pusd += r->cost.total_pusd;
    }
}

static bool gather_row(void *context, const struct record *r)
{
    struct trace *t = context;
    t->more = t->row_count == ATTEMPTS_MAX;
    if (t->more)
        return false;
    t->rows[t->row_count].id = r->id;
    t->rows[t->row_count].request_id = r->request_id;
    t->rows[t->row_count].span_id = copy(t, r->span_id);
    t->rows[t->row_count].parent_id = copy(t, r->parent_span_id);
    t->rows[t->row_count].name = copy(t, r->routing.span_name);
    t->row_count++;
    add_up(t, r);
    return true;
}

/* Rows of the trace id, and of the request that it was made from when it is one of ours. */
static enum err gather_rows(struct trace *t)
{
    struct query *q = t->job->console->query;
    struct query_filter f = query_filter_all();
    t->rows = take(t, ATTEMPTS_MAX * sizeof *t->rows);
    f.workspace_id = t->job->key->workspace_id;
    f.trace_id = t->id;
    f.limit = ATTEMPTS_MAX + 1;
    enum err e = query_attempts(q, &f, gather_row, t);
    f.trace_id = STR("");
    if (e == ERR_OK && !t->more && record_trace_parse(t->id, &f.request_id))
        e = query_attempts(q, &f, gather_row, t);
    return e;
}

/* --- the tree -------------------------------------------------------------------------------- */

static struct span *span_of(struct trace *t, int64_t request_id)
{
    for (size_t i = 0; i < t->span_count; i++)
        if (t->spans[i].request_id == request_id)
            return &t->spans[i];
    return NULL;
}

/* One span a request; from the oldest row on, so that spans come in the order of their requests. */
static void make_spans(struct trace *t)
{
    char text[RECORD_ID_TEXT_MAX];
    t->spans = take(t, (t->row_count + 1) * sizeof *t->spans);
    for (size_t i = t->row_count; i-- > 0;) {
        struct span *s = span_of(t, t->rows[i].request_id);
        if (!s) {
            s = &t->spans[t->span_count++];
            *s = (struct span){.request_id = t->rows[i].request_id, .parent_id = t->rows[i].parent_id};
            s->id = t->rows[i].span_id;
            s->name = t->rows[i].name.n ? t->rows[i].name : STR(SPAN_NAME_DEFAULT);
            if (!s->id.n)
                s->id = copy(t, str_of(text, record_id_format(s->request_id, text)));
        }
        s->attempt_count++;
    }
    for (size_t i = 0; i < t->span_count; i++) {
        t->spans[i].attempts = take(t, t->spans[i].attempt_count * sizeof(int64_t));
        t->spans[i].attempt_count = 0;
    }
    for (size_t i = t->row_count; i-- > 0;) {
        struct span *s = span_of(t, t->rows[i].request_id);
        must(s != NULL);
        s->attempts[s->attempt_count++] = t->rows[i].id;
    }
}

static bool is_above(const struct span *s, const struct span *below)
{
    for (; below; below = below->parent)
        if (below == s)
            return true;
    return false;
}

/* The last of a list of siblings is found by walking: traces are short. */
static void add_child(struct span **first, struct span *s)
{
    while (*first)
        first = &(*first)->next;
    *first = s;
}

static struct span *make_tree(struct trace *t)
{
    struct span *top = NULL;
    for (size_t i = 0; i < t->span_count; i++) {
        struct span *s = &t->spans[i], *parent = NULL;
        for (size_t k = 0; k < t->span_count && s->parent_id.n && !parent; k++)
            if (str_eq(t->spans[k].id, s->parent_id) && !is_above(s, &t->spans[k]))
                parent = &t->spans[k];
        s->parent = parent;
        add_child(parent ? &parent->first_child : &top, s);
    }
    return top;
}

/* Depth first, without recursion: down to a child, else on to the next of the nearest that has one. */
static void put_in_order(struct trace *t, const struct span *top)
{
    t->order = take(t, (t->span_count + 1) * sizeof *t->order);
    for (const struct span *s = top; s;) {
        struct span *own = &t->spans[s - t->spans];
        own->depth = s->parent ? s->parent->depth + 1 : 0;
        t->order[t->order_count++] = s;
        if (s->first_child) {
            s = s->first_child;
            continue;
        }
        while (s && !s->next)
            s = s->parent;
        s = s ? s->next : NULL;
    }
    must(t->order_count == t->span_count);
}

/* --- writing --------------------------------------------------------------------------------- */

static void begin_span(struct trace *t)
{
    struct json_write *w = &t->job->json;
    const struct span *s = t->order[t->at];
    json_write_object(w);
    json_write_member_uint(w, "depth", s->depth);
    json_write_member_string(w, "span_id", s->id);
    json_write_member_text(w, "parent_span_id", s->parent_id);
    json_write_member_string(w, "name", s->name);
    log_row_id(w, "request_id", s->request_id);
    json_write_key(w, STR("attempts"));
    json_write_array(w);
}

static bool write_attempt(void *context, const struct record *r)
{
    struct trace *t = context;
    json_write_object(&t->job->json);
    log_row_write(&t->job->json, r, t->names);
    json_write_object_end(&t->job->json);
    return true;
}

static enum err write_spans(struct trace *t)
{
    struct json_write *w = &t->job->json;
    struct query_filter f = query_filter_all();
    enum err e = ERR_OK;
    f.limit = ATTEMPTS_MAX;
    json_write_key(w, STR("spans"));
    json_write_array(w);
    for (t->at = 0; t->at < t->order_count && e == ERR_OK; t->at++) {
        const struct span *s = t->order[t->at];
        begin_span(t);
        e = query_ids(t->job->console->query, s->attempts, s->attempt_count, &f, write_attempt, t);
        json_write_array_end(w);
        json_write_object_end(w);
    }
    json_write_array_end(w);
    return e;
}

static void write_head(struct trace *t)
{
    struct json_write *w = &t->job->json;
    json_write_member_string(w, "object", STR("trace"));
    json_write_member_string(w, "trace_id", t->id);
    output_time(w, "started_at", t->started_us);
    json_write_member_int(w, "total_us", t->ended_us - t->started_us);
    json_write_member_uint(w, "requests", t->span_count);
    json_write_member_uint(w, "attempts", t->row_count);
    json_write_member_uint(w, "discarded", t->discarded);
    json_write_member_money(w, "cost_usd", t->cost_pusd);
    json_write_member_money(w, "wasted_usd", t->wasted_pusd);
    json_write_member_money(w, "saved_usd", t->saved_pusd);
    json_write_member_uint(w, "unpriced", t->unpriced);
    json_write_member_bool(w, "has_more", t->more);
}

void traces_get(struct job *j)
{
    struct trace t = {.job = j};
    if (!url_decode(j->params[0], URL_IN_PATH, j->arena, &t.id)) {
        job_fail(j, ERR_NOT_FOUND, STR(""), STR(""));
        return;
    }
    enum err e = ledger_flush(j->console->settings.ledger, FLUSH_MS);
    if (e)
        log_debug("ledger_lags");
    e = gather_rows(&t);
    if (e || !t.row_count) {
        job_fail(j, e ? e : ERR_NOT_FOUND, STR(""), STR(""));
        return;
    }
    make_spans(&t);
    put_in_order(&t, make_tree(&t));
    t.names = names_load(j);
    job_reply_json(j, 200);
    json_write_object(&j->json);
    write_head(&t);
    e = write_spans(&t);
    if (e) {
        job_fail(j, e, STR(""), STR(""));
        return;
    }
    json_write_object_end(&j->json);
    if (!json_write_done(&j->json))
        job_fail(j, ERR_INTERNAL, STR(""), STR("the answer is too large"));
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Logs: rows of the ledger as JSON. */
#include <stdio.h>

#include "base/must.h"
#include "console/console_inner.h"
#include "console/native/filter.h"
#include "console/native/log_row.h"
#include "console/native/native.h"
#include "ledger/ledger.h"
#include "ledger/query.h"

#define FLUSH_MS 2000
#define LIMIT_DEFAULT 50

struct listing {
    struct json_write *w;
    const struct names *names;
    int64_t last_id;
    unsigned count;
};

static bool each_row(void *context, const struct record *r)
{
    struct listing *l = context;
    json_write_object(l->w);
    log_row_write(l->w, r, l->names);
    json_write_object_end(l->w);
    l->last_id = r->id;
    l->count++;
    return true;
}

static bool read_outcome(struct job *j, struct str text, int *ret)
{
    for (int o = 0; o < RECORD_OUTCOME_COUNT; o++)
        if (str_eq(text, str_c(record_outcome_text((enum record_outcome)o))))
            return *ret = o, true;
    job_fail(j, ERR_BAD_PARAMETER, STR("outcome"),
             STR("completed, upstream_error, upstream_aborted, upstream_failed, client_cancelled, client_stalled, "
                 "refused or interrupted"));
    return false;
}

static bool read_cost_state(struct job *j, struct str text, int *ret)
{
    for (int s = 0; s < COST_STATE_COUNT; s++)
        if (str_eq(text, str_c(cost_state_text((enum cost_state)s))))
            return *ret = s, true;
    job_fail(j, ERR_BAD_PARAMETER, STR("cost_state"), STR("none, priced, estimated, unpriced or free"));
    return false;
}

static bool read_cache(struct job *j, struct str text, int *ret)
{
    enum record_cache cache;
    if (!record_cache_parse(text, &cache)) {
        job_fail(j, ERR_BAD_PARAMETER, STR("cache"),
                 STR("DISABLED, HIT, SEMANTIC HIT, MISS, SEMANTIC MISS or REFRESH"));
        return false;
    }
    *ret = (int)cache;
    return true;
}

/* Those that say how an attempt was routed. */
static bool read_routing(struct job *j, struct query_filter *f)
{
    struct str cache = job_query(j, STR("cache")), discarded = job_query(j, STR("discarded"));
    f->config = job_query(j, STR("config"));
    f->span_id = job_query(j, STR("span_id"));
    filter_provider(j, f);
    if (cache.n && !read_cache(j, cache, &f->cache))
        return false;
    if (!discarded.n)
        return true;
    f->discarded = str_eq(discarded, STR("true"));
    if (f->discarded || str_eq(discarded, STR("false")))
        return true;
    job_fail(j, ERR_BAD_PARAMETER, STR("discarded"), STR("true or false"));
    return false;
}

/* The query string as a filter. False when the job was answered. */
static bool read_filter(struct job *j, struct query_filter *f)
{
    uint64_t limit, status;
    struct str before = job_query(j, STR("before")), outcome = job_query(j, STR("outcome"));
    struct str state = job_query(j, STR("cost_state")), request = job_query(j, STR("request_id"));
    *f = query_filter_all();
    f->workspace_id = j->key->workspace_id;
    f->model = job_query(j, STR("model"));
    f->operation = job_query(j, STR("operation"));
    f->trace_id = job_query(j, STR("trace_id"));
    if (!filter_time(j, STR("since"), 0, &f->since_us) || !filter_time(j, STR("until"), 0, &f->until_us) ||
        !filter_key(j, &f->key_id) || !filter_integration(j, &f->integration_id))
        return false;
    if (!job_query_u64(j, STR("limit"), LIMIT_DEFAULT, QUERY_LIMIT_MAX, &limit) ||
        !job_query_u64(j, STR("status"), 0, 999, &status)) {
        job_fail(j, ERR_BAD_PARAMETER, STR("limit"),
                 STR("limit is 1 to 10000, status an HTTP status or a class 2 to 5"));
        return false;
    }
    f->limit = (unsigned)limit;
    if (status >= 100)
        f->status = (int)status;
    else
        f->status_class = (int)status;
    if ((before.n && !record_id_parse(before, &f->before_id)) ||
        (request.n && !record_id_parse(request, &f->request_id))) {
        job_fail(j, ERR_BAD_PARAMETER, STR("before"), STR("it is the id of a row"));
        return false;
    }
    return read_routing(j, f) && (!outcome.n || read_outcome(j, outcome, &f->outcome)) &&
           (!state.n || read_cost_state(j, state, &f->cost_state));
}

/* Whoever asks right after a request wants to see it. A store that lags shows what it has. */
static void catch_up(struct job *j)
{
    enum err e = ledger_flush(j->console->settings.ledger, FLUSH_MS);
    if (e)
        log_debug("ledger_lags");
}

/*
 * What a follower has seen: so many rows of this process. After a restart the count begins anew, and
 * the follower gets everything from there on. False when the job was answered.
 */
static bool read_cursor(struct job *j, struct str text, uint64_t *ret_cursor)
{
    uint64_t process, seen;
    ptrdiff_t dot = str_find(text, '.');
    *ret_cursor = 0;
    if (str_eq(text, STR("now")))
        return true;
    if (dot < 1 || !str_to_u64(str_head(text, (size_t)dot), &process) ||
        !str_to_u64(str_from(text, (size_t)dot + 1), &seen)) {
        job_fail(j, ERR_BAD_PARAMETER, STR("follow"), STR("now, or the cursor of the answer before"));
        return false;
    }
    *ret_cursor = process == j->console->started_us && seen ? seen : 1;
    return true;
}

/* Rows in the order in which they ended, each once, whenever their requests began. */
static void follow(struct job *j, const struct query_filter *filter, struct str cursor_text)
{
    uint64_t cursor, missed = 0;
    char text[48];
    if (!read_cursor(j, cursor_text, &cursor))
        return;
    int64_t *ids = arena_alloc(j->arena, filter->limit * sizeof *ids);
    must(ids != NULL);
    size_t count = ledger_follow(j->console->settings.ledger, &cursor, ids, filter->limit, 0, &missed);
    struct listing l = {.w = &j->json, .names = names_load(j)};
    job_reply_json(j, 200);
    json_write_object(l.w);
    json_write_member_string(l.w, "object", STR("list"));
    json_write_key(l.w, STR("data"));
    json_write_array(l.w);
    enum err e = query_ids(j->console->query, ids, count, filter, each_row, &l);
    if (e) {
        job_fail(j, e, STR(""), STR(""));
        return;
    }
    json_write_array_end(l.w);
    json_write_member_bool(l.w, "has_more", count == filter->limit);
    json_write_member_uint(l.w, "missed", missed);
    snprintf(text, sizeof text, "%llu.%llu", (unsigned long long)j->console->started_us, (unsigned long long)cursor);
    json_write_member_string(l.w, "cursor", str_c(text));
    json_write_object_end(l.w);
    if (!json_write_done(l.w))
        job_fail(j, ERR_BAD_PARAMETER, STR("limit"), STR("the answer would be too large; ask for fewer rows"));
}

void logs_list(struct job *j)
{
    struct query_filter filter;
    struct str cursor = job_query(j, STR("follow"));
    if (!read_filter(j, &filter))
        return;
    if (!filter.limit)
        filter.limit = LIMIT_DEFAULT;
    if (cursor.n) {
        follow(j, &filter, cursor);
        return;
    }
    catch_up(j);
    struct listing l = {.w = &j->json, .names = names_load(j)};
    job_reply_json(j, 200);
    json_write_object(l.w);
    json_write_member_string(l.w, "object", STR("list"));
    json_write_key(l.w, STR("data"));
    json_write_array(l.w);
    enum err e = query_attempts(j->console->query, &filter, each_row, &l);
    /* A trace id that we made leads to its request; callers may have gone on to use it for others. */
    if (!e && filter.trace_id.n && record_trace_parse(filter.trace_id, &filter.request_id)) {
        filter.trace_id = STR("");
        e = query_attempts(j->console->query, &filter, each_row, &l);
    }
    if (e) {
        job_fail(j, e, STR(""), STR(""));
        return;
    }
    json_write_array_end(l.w);
    json_write_member_bool(l.w, "has_more", l.count == filter.limit);
    if (l.count)
        log_row_id(l.w, "last_id", l.last_id);
    json_write_object_end(l.w);
    if (!json_write_done(l.w))
        job_fail(j, ERR_BAD_PARAMETER, STR("limit"), STR("the answer would be too large; ask for fewer rows"));
}

struct one {
    struct job *job;
    bool found;
};

static bool each_one(void *context, const struct record *r)
{
    struct one *o = context;
    struct job *j = o->job;
    struct body_pair bodies;
    if (r->workspace_id != j->key->workspace_id)
        return false;
    o->found = true;
    struct names *names = names_load(j);
    job_reply_json(j, 200);
    json_write_object(&j->json);
    log_row_write(&j->json, r, names);
    enum err e = query_bodies(j->console->query, r->id, &bodies);
    if (e) {
        json_write_member_string(&j->json, "bodies", e == ERR_NOT_FOUND ? STR("not kept") : STR("damaged"));
    } else {
        log_row_headers(&j->json, "request_headers", bodies.request_headers);
        log_row_headers(&j->json, "response_headers", bodies.response_headers);
        log_row_body(&j->json, "request_body", &bodies.request);
        log_row_body(&j->json, "response_body", &bodies.response);
        body_pair_free(&bodies);
    }
    json_write_object_end(&j->json);
    if (!json_write_done(&j->json))
        job_fail(j, ERR_INTERNAL, STR(""), STR("the answer is too large"));
    return false;
}

void logs_get(struct job *j)
{
    struct one one = {.job = j};
    int64_t id;
    if (!record_id_parse(j->params[0], &id)) {
        job_fail(j, ERR_NOT_FOUND, STR(""), STR(""));
        return;
    }
    catch_up(j);
    enum err e = query_attempt(j->console->query, id, each_one, &one);
    if (!one.found)
        job_fail(j, e && e != ERR_NOT_FOUND ? e : ERR_NOT_FOUND, STR(""), STR(""));
}

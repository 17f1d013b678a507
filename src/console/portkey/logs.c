/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One log row in full, GET /v1/logs/{id}: what was asked, what was answered, and the figures.
 *
 * A row is an attempt. The id that clients were given (x-portkey-request-id) is that of the request's
 * first one; `attempts` names the others. Header fields were masked when they were kept. A stream is
 * shown as the one object it amounts to, an embedding not at all.
 */
#include <stdio.h>

#include "base/json/jdoc.h"
#include "base/utf8.h"
#include "console/console_inner.h"
#include "console/native/log_row.h"
#include "console/portkey/log_metrics.h"
#include "console/portkey/portkey.h"
#include "gateway/cache/cache.h"
#include "ledger/ledger.h"
#include "ledger/query.h"

#define FLUSH_MS 2000
#define REDACTED "...REDACTED..."
#define PORTKEY_PREFIX "x-portkey-"
#define JOINED_MAX (64u << 20)

struct full {
    struct job *job;
    const struct names *names;
    struct body_pair bodies;
    bool found;
};

/* --- parts ----------------------------------------------------------------------------------- */

/* The members of the kept object whose names begin so, or do not. */
static void write_headers(struct json_write *w, const char *name, struct str kept, bool portkey)
{
    struct jdoc doc;
    jdoc_init(&doc);
    json_write_key(w, str_c(name));
    json_write_object(w);
    if (kept.n && jdoc_parse(&doc, kept)) {
        struct jval all = jdoc_root(&doc);
        for (struct jval m = jdoc_first(all); jdoc_has(m); m = jdoc_next(all, m)) {
            if (str_starts(jdoc_escaped(m), STR(PORTKEY_PREFIX)) != portkey)
                continue;
            json_write_key(w, jdoc_escaped(m));
            json_write_raw(w, jdoc_raw(jdoc_value(m)));
        }
    }
    json_write_object_end(w);
    jdoc_free(&doc);
}

/* JSON as it is; other text as a string; of bytes that are neither, how many there were. */
static void write_content(struct json_write *w, const char *name, const struct record_body *b)
{
    char text[64];
    if (!b->bytes.n) {
        json_write_member_null(w, name);
    } else if (b->bytes.n == b->size_bytes && log_row_json_valid(b->bytes)) {
        json_write_member_raw(w, name, b->bytes);
    } else if (utf8_valid(b->bytes)) {
        json_write_member_string(w, name, b->bytes);
    } else {
        snprintf(text, sizeof text, "(%llu bytes)", (unsigned long long)b->size_bytes);
        json_write_member_string(w, name, str_c(text));
    }
}

/* False when the events do not amount to an object: they are not all there, or of no known kind. */
static bool write_joined(struct json_write *w, const struct record *r, struct str events)
{
    struct buf out;
    struct str type, path = r->path;
    if (!r->stream || !str_starts(path, STR("/v1/")))
        return false;
    const struct cache_answer answer = {.content_type = STR("text/event-stream"), .body = events, .stream = true};
    const struct cache_replay how = {.endpoint = endpoint_find(r->method, str_from(path, 3))};
    buf_init(&out, JOINED_MAX);
    bool joined = cache_render(&answer, &how, &out, &type) && log_row_json_valid(buf_str(&out));
    if (joined)
        json_write_member_raw(w, "body", buf_str(&out));
    buf_free(&out);
    return joined;
}

static void write_answer(struct json_write *w, const struct record *r, const struct record_body *b)
{
    bool whole = b->bytes.n && b->bytes.n == b->size_bytes;
    if (b->bytes.n && str_eq(r->operation, STR("embeddings")) && r->status < 300)
        json_write_member_string(w, "body", STR(REDACTED));
    else if (!whole || !write_joined(w, r, b->bytes))
        write_content(w, "body", b);
}

static void write_request(struct full *f, const struct record *r)
{
    struct json_write *w = &f->job->json;
    char url[LOG_METRICS_URL_MAX];
    json_write_key(w, STR("request"));
    json_write_object(w);
    json_write_member_string(w, "url", log_metrics_url(f->names, r, url));
    json_write_member_string(w, "method", r->method);
    write_headers(w, "headers", f->bodies.request_headers, false);
    write_content(w, "body", &f->bodies.request);
    write_headers(w, "portkeyHeaders", f->bodies.request_headers, true);
    json_write_object_end(w);
}

static void write_response(struct full *f, const struct record *r)
{
    struct json_write *w = &f->job->json;
    json_write_key(w, STR("response"));
    json_write_object(w);
    json_write_member_uint(w, "status", r->status);
    log_row_headers(w, "headers", f->bodies.response_headers.n ? f->bodies.response_headers : STR("{}"));
    write_answer(w, r, &f->bodies.response);
    json_write_member_uint(w, "responseTime", log_metrics_response_ms(r));
    json_write_member_string(w, "lastUsedOptionJsonPath", r->routing.target.n ? r->routing.target : STR("config"));
    log_row_headers(w, "hook_results", r->routing.hook_results);
    json_write_object_end(w);
}

/* What went over the wire as the client sent it; how it was changed for the target is not kept. */
static void write_forms(struct full *f, const struct record *r)
{
    struct json_write *w = &f->job->json;
    json_write_key(w, STR("finalUntransformedRequest"));
    json_write_object(w);
    write_content(w, "body", &f->bodies.request);
    json_write_object_end(w);
    json_write_key(w, STR("originalResponse"));
    json_write_object(w);
    json_write_member_uint(w, "status", r->upstream_status);
    json_write_object_end(w);
    json_write_member_null(w, "transformedRequest");
}

static bool each_attempt(void *context, const struct record *r)
{
    struct full *f = context;
    struct json_write *w = &f->job->json;
    json_write_object(w);
    log_row_id(w, "id", r->id);
    json_write_member_uint(w, "attempt", r->attempt);
    json_write_member_text(w, "ai_org", names_provider(f->names, r));
    json_write_member_text(w, "lastUsedOptionJsonPath", r->routing.target);
    json_write_member_uint(w, "retry", r->routing.retry);
    json_write_member_uint(w, "response_status_code", r->status);
    json_write_member_bool(w, "discarded", r->routing.discarded);
    json_write_object_end(w);
    return true;
}

static enum err write_attempts(struct full *f, const struct record *r)
{
    struct query_filter filter = query_filter_all();
    filter.workspace_id = r->workspace_id;
    filter.request_id = r->request_id;
    json_write_key(&f->job->json, STR("attempts"));
    json_write_array(&f->job->json);
    enum err e = query_attempts(f->job->console->query, &filter, each_attempt, f);
    json_write_array_end(&f->job->json);
    return e;
}

/* --- the row --------------------------------------------------------------------------------- */

static bool write_full(void *context, const struct record *r)
{
    struct full *f = context;
    struct job *j = f->job;
    if (r->workspace_id != j->key->workspace_id)
        return false;
    f->found = true;
    f->names = names_load(j);
    enum err e = query_bodies(j->console->query, r->id, &f->bodies);
    if (e != ERR_OK) /* not kept, or gone: the figures are shown all the same */
        f->bodies = (struct body_pair){.request_headers = STR("")};
    job_reply_json(j, 200);
    json_write_object(&j->json);
    log_row_id(&j->json, "_id", r->id);
    write_request(f, r);
    write_response(f, r);
    json_write_member_string(&j->json, "organisation_id", STR(LOG_METRICS_ORGANISATION));
    log_metrics_created_at(&j->json, r);
    log_metrics_write(j, f->names, r);
    write_forms(f, r);
    e = write_attempts(f, r);
    json_write_object_end(&j->json);
    body_pair_free(&f->bodies);
    if (e != ERR_OK || !json_write_done(&j->json))
        job_fail(j, e != ERR_OK ? e : ERR_INTERNAL, STR(""), STR("the log row could not be written down"));
    return false;
}

void logs_record(struct job *j)
{
    struct full f = {.job = j};
    int64_t id;
    if (!record_id_parse(j->params[0], &id)) {
        job_fail(j, ERR_NOT_FOUND, STR(""), STR("no log has this id"));
        return;
    }
    /* Whoever asks right after a request wants to see it; a store that lags shows what it has. */
    enum err e = ledger_flush(j->console->settings.ledger, FLUSH_MS);
    if (e)
        log_debug("ledger_lags");
    e = query_attempt(j->console->query, id, write_full, &f);
    if (!f.found)
        job_fail(j, e && e != ERR_NOT_FOUND ? e : ERR_NOT_FOUND, STR(""), STR("no log has this id"));
}

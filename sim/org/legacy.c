/* SPDX-License-Identifier: Apache-2.0 */
/* GET /usage?date=: one UTC day, in slots of five minutes, in the shape that old importers read. */
#include "base/clock.h"
#include "base/mem.h"
#include "sim/http/apierr.h"
#include "sim/http/caller.h"
#include "sim/http/reply.h"
#include "sim/org/org.h"

#define DAY 86400
#define SLOT 300

static void write_who(struct call *c, struct json_write *w, const struct orgsum_row *r)
{
    const char *key = orgsum_text(c->sim->orgsum, r->by[ORGSUM_BY_KEY]);
    const struct caller *caller = caller_by_id(c->sim->callers, str_c(key));
    json_write_member_string(w, "organization_id", STR(SIM_ORGANIZATION));
    json_write_member_string(w, "organization_name", STR("Simulator"));
    json_write_member_string(w, "api_key_id", str_c(key));
    json_write_member_string(w, "api_key_name", str_c(caller ? caller->name : ""));
    json_write_member_string(w, "api_key_redacted", str_c(caller ? caller->hint : ""));
    json_write_member_string(w, "api_key_type", STR("project"));
    json_write_member_string(w, "project_id", str_c(orgsum_text(c->sim->orgsum, r->by[ORGSUM_BY_PROJECT])));
    json_write_member_string(w, "project_name", STR("Default project"));
    json_write_member_string(w, "user_id", str_c(orgsum_text(c->sim->orgsum, r->by[ORGSUM_BY_USER])));
}

static void sum_up(const struct org_match *m, size_t n, uint64_t sum[ORGSUM_FIGURE_COUNT])
{
    for (unsigned f = 0; f < ORGSUM_FIGURE_COUNT; f++) {
        sum[f] = 0;
        for (size_t i = 0; i < n; i++)
            sum[f] += m[i].row->figure[f];
    }
}

typedef void slot_fn(struct call *c, struct json_write *w, const struct org_query *q, const struct org_match *m,
                     const uint64_t *sum, const char *operation);

static int64_t slot_time(const struct org_query *q, const struct org_match *m)
{
    return q->start + (int64_t)m->bucket * SLOT;
}

static uint64_t text_of(uint64_t all, uint64_t audio)
{
    return all > audio ? all - audio : 0;
}

static void write_tokens(struct call *c, struct json_write *w, const struct org_query *q, const struct org_match *m,
                         const uint64_t *sum, const char *operation)
{
    json_write_member_int(w, "aggregation_timestamp", slot_time(q, m));
    json_write_member_uint(w, "n_requests", sum[ORGSUM_REQUESTS]);
    json_write_member_string(w, "operation", str_c(operation));
    json_write_member_string(w, "snapshot_id", str_c(orgsum_text(c->sim->orgsum, m->row->by[ORGSUM_BY_MODEL])));
    json_write_member_uint(w, "n_context", sum[ORGSUM_REQUESTS]);
    json_write_member_uint(w, "n_context_tokens_total", text_of(sum[ORGSUM_INPUT], sum[ORGSUM_AUDIO_IN]));
    json_write_member_uint(w, "n_generated", sum[ORGSUM_REQUESTS]);
    json_write_member_uint(w, "n_generated_tokens_total", text_of(sum[ORGSUM_OUTPUT], sum[ORGSUM_AUDIO_OUT]));
    json_write_member_uint(w, "n_cached_context_tokens_total", sum[ORGSUM_CACHED]);
    json_write_member_uint(w, "n_context_audio_tokens_total", sum[ORGSUM_AUDIO_IN]);
    json_write_member_uint(w, "n_generated_audio_tokens_total", sum[ORGSUM_AUDIO_OUT]);
    json_write_member_string(w, "email", STR("admin@example.com"));
    json_write_member_string(w, "request_type", m->row->batch ? STR("batch") : STR(""));
}

static void write_images(struct call *c, struct json_write *w, const struct org_query *q, const struct org_match *m,
                         const uint64_t *sum, const char *operation)
{
    json_write_member_int(w, "timestamp", slot_time(q, m));
    json_write_member_uint(w, "num_images", sum[ORGSUM_IMAGES]);
    json_write_member_uint(w, "num_requests", sum[ORGSUM_REQUESTS]);
    json_write_member_string(w, "image_size", str_c(orgsum_text(c->sim->orgsum, m->row->by[ORGSUM_BY_SIZE])));
    json_write_member_string(w, "operation", str_c(operation));
    json_write_member_string(w, "model_id", str_c(orgsum_text(c->sim->orgsum, m->row->by[ORGSUM_BY_MODEL])));
}

static void write_audio(struct call *c, struct json_write *w, const struct org_query *q, const struct org_match *m,
                        const uint64_t *sum, const char *operation)
{
    bool heard = operation[0] == 'h';
    json_write_member_int(w, "timestamp", slot_time(q, m));
    json_write_member_string(w, "model_id", str_c(orgsum_text(c->sim->orgsum, m->row->by[ORGSUM_BY_MODEL])));
    json_write_member_uint(w, heard ? "num_seconds" : "num_characters",
                           heard ? (sum[ORGSUM_MILLISECONDS] + 999) / 1000 : sum[ORGSUM_CHARACTERS]);
    json_write_member_uint(w, "num_requests", sum[ORGSUM_REQUESTS]);
}

/* The rows of one kind of work into the array that is open. */
static void write_work(struct call *c, struct json_write *w, const struct org_query *q, enum call_work work,
                       const char *operation, slot_fn *write)
{
    size_t n;
    struct org_match *m = org_query_match(c, q, (uint8_t)work, &n);
    for (size_t at = 0, end; at < n; at = end) {
        uint64_t sum[ORGSUM_FIGURE_COUNT];
        for (end = at + 1; end < n && org_query_same(q, &m[at], &m[end]); end++)
            continue;
        sum_up(&m[at], end - at, sum);
        json_write_object(w);
        write(c, w, q, &m[at], sum, operation);
        write_who(c, w, m[at].row);
        json_write_object_end(w);
    }
    mem_free(m);
}

static void array(struct json_write *w, const char *name)
{
    json_write_key(w, str_c(name));
    json_write_array(w);
}

void org_legacy_usage(struct call *c)
{
    int64_t day;
    struct reply r;
    if (!clock_parse(call_query(c, "date"), &day)) {
        apierr(c, 400, "invalid_request_error", "date", NULL, "'date' must be a day, YYYY-MM-DD.");
        return;
    }
    struct org_query q = {.start = day / 1000000 / DAY * DAY, .width = SLOT, .count = DAY / SLOT, .batch = -1};
    q.end = q.start + DAY;
    q.total = q.count;
    q.group = 1u << ORGSUM_BY_PROJECT | 1u << ORGSUM_BY_USER | 1u << ORGSUM_BY_KEY | 1u << ORGSUM_BY_MODEL |
              1u << ORGSUM_BY_SIZE;
    q.group_batch = true;
    struct json_write *w = reply_begin(&r);
    json_write_member_string(w, "object", STR("list"));
    array(w, "data");
    write_work(c, w, &q, CALL_WORK_COMPLETIONS, "completion", write_tokens);
    write_work(c, w, &q, CALL_WORK_EMBEDDINGS, "embeddings", write_tokens);
    write_work(c, w, &q, CALL_WORK_MODERATIONS, "moderation", write_tokens);
    json_write_array_end(w);
    array(w, "ft_data");
    json_write_array_end(w);
    array(w, "dalle_api_data");
    write_work(c, w, &q, CALL_WORK_IMAGES, "generations", write_images);
    json_write_array_end(w);
    array(w, "whisper_api_data");
    write_work(c, w, &q, CALL_WORK_TRANSCRIPTIONS, "heard", write_audio);
    json_write_array_end(w);
    array(w, "tts_api_data");
    write_work(c, w, &q, CALL_WORK_SPEECHES, "spoken", write_audio);
    json_write_array_end(w);
    array(w, "assistant_code_interpreter_data");
    json_write_array_end(w);
    array(w, "retrieval_storage_data");
    json_write_array_end(w);
    reply_send(c, &r, 200);
}

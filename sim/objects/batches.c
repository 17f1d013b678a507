/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A batch really runs: each line of its input file is a call of its own, on behalf of the key that
 * made the batch, a few lines each turn of the loop. The output and error files and the summed
 * usage are there when it is done. What a line consumed is recorded like any call, marked "batch".
 */
#include "base/mem.h"
#include "base/must.h"
#include "sim/http/apierr.h"
#include "sim/http/intake.h"
#include "sim/objects/objects.h"

#define LINES_MAX 50000
#define LINES_PER_TURN 32

struct batch_job {
    struct list node; /* in sim->jobs */
    struct sim *sim;
    struct loop_timer timer;
    struct intake_as as;
    char id[SHELF_ID_MAX], endpoint[64];
    struct blob *input;
    size_t taken; /* of the input */
    struct blob *good, *bad;
    uint64_t total, completed, failed;
    uint64_t input_tok, cached_tok, output_tok, reasoning_tok;
};

static void job_free(struct batch_job *j)
{
    list_remove(&j->node);
    loop_timer_clear(j->sim->loop, &j->timer);
    blob_put(j->input);
    blob_put(j->good);
    blob_put(j->bad);
    mem_free(j);
}

void objects_batches_end(struct sim *sim)
{
    while (!list_empty(&sim->jobs))
        job_free(list_entry(sim->jobs.next, struct batch_job, node));
}

static void add_output(struct batch_job *j, struct call *c, struct str custom_id, struct call_capture *got)
{
    struct buf out;
    struct json_write w;
    bool good = got->status < 400;
    buf_init(&out, (size_t)1 << 30);
    json_write_init(&w, &out);
    json_write_object(&w);
    json_write_member_string(&w, "id", call_id(c, "batch_req_", 24));
    json_write_member_raw(&w, "custom_id", custom_id);
    json_write_key(&w, STR("response"));
    json_write_object(&w);
    json_write_member_int(&w, "status_code", got->status);
    json_write_member_string(&w, "request_id", str_c(got->request_id));
    json_write_member_raw(&w, "body", buf_size(&got->body) ? buf_str(&got->body) : STR("null"));
    json_write_object_end(&w);
    json_write_member_null(&w, "error");
    json_write_object_end(&w);
    must(json_write_done(&w) && buf_add_byte(&out, '\n'));
    blob_add(good ? j->good : j->bad, buf_str(&out));
    buf_free(&out);
    if (good)
        j->completed++;
    else
        j->failed++;
}

static void run_line(struct batch_job *j, struct call *c, struct str line)
{
    struct jdoc doc;
    struct call_capture got = {.status = 0};
    jdoc_init(&doc);
    buf_init(&got.body, (size_t)1 << 31);
    j->total++;
    bool ok = jdoc_parse(&doc, line);
    struct jval root = jdoc_root(&doc), custom_id = jdoc_find(root, "custom_id");
    struct str url = jdoc_text(jdoc_find(root, "url"), c->arena);
    if (ok && jdoc_kind(custom_id) == JDOC_STRING && str_eq(url, str_c(j->endpoint)) &&
        jdoc_kind(jdoc_find(root, "body")) == JDOC_OBJECT) {
        intake_inner(j->sim, &j->as, STR("POST"), url, jdoc_raw(jdoc_find(root, "body")), &got);
        j->input_tok += got.usage.input_total_tok;
        j->cached_tok += got.usage.quantity[METER_CACHED];
        j->output_tok += got.usage.output_total_tok;
        j->reasoning_tok += got.usage.reasoning_tok;
    } else {
        got.status = 400;
        must(buf_add_str(&got.body,
                         STR("{\"error\":{\"message\":\"The line is not a request for the batch's endpoint.\","
                             "\"type\":\"invalid_request_error\",\"param\":\"url\",\"code\":\"invalid_url\"}}")));
    }
    add_output(j, c, jdoc_has(custom_id) ? jdoc_raw(custom_id) : STR("null"), &got);
    buf_free(&got.body);
    jdoc_free(&doc);
}

/* A file of results, or null when it would be empty. */
static struct str result_file(struct call *c, struct str name, struct blob *blob)
{
    if (!blob_size(blob))
        return STR("null");
    return call_format(c, "\"%s\"", objects_file_add(c, name, "batch_output", blob)->id);
}

static void complete(struct batch_job *j, struct call *c, struct shelf_item *batch)
{
    blob_end(j->good);
    blob_end(j->bad);
    struct str good = result_file(c, call_format(c, "%s_output.jsonl", j->id), j->good);
    struct str bad = result_file(c, call_format(c, "%s_error.jsonl", j->id), j->bad);
    crud_change_text(c, batch,
                     call_format(c,
                                 "{\"status\":\"completed\",\"finalizing_at\":%lld,\"completed_at\":%lld,"
                                 "\"output_file_id\":%.*s,\"error_file_id\":%.*s,\"usage\":{\"input_tokens\":%llu,"
                                 "\"input_tokens_details\":{\"cached_tokens\":%llu},\"output_tokens\":%llu,"
                                 "\"output_tokens_details\":{\"reasoning_tokens\":%llu},\"total_tokens\":%llu}}",
                                 (long long)call_now(c), (long long)call_now(c), STR_ARG(good), STR_ARG(bad),
                                 (unsigned long long)j->input_tok, (unsigned long long)j->cached_tok,
                                 (unsigned long long)j->output_tok, (unsigned long long)j->reasoning_tok,
                                 (unsigned long long)(j->input_tok + j->output_tok)));
}

static void show_counts(struct batch_job *j, struct call *c, struct shelf_item *batch)
{
    crud_change_text(c, batch,
                     call_format(c, "{\"request_counts\":{\"total\":%llu,\"completed\":%llu,\"failed\":%llu}}",
                                 (unsigned long long)j->total, (unsigned long long)j->completed,
                                 (unsigned long long)j->failed));
}

/* Runs some lines. False when there are no more, or the batch is gone or cancelled. */
static bool run_lines(struct batch_job *j, struct call *c, struct shelf_item *batch)
{
    struct str input, line;
    struct str status = crud_member_text(c, batch, "status");
    if (!str_eq(status, STR("in_progress")) || !blob_bytes(j->input, &input))
        return false;
    for (int n = 0; n < LINES_PER_TURN && j->taken < input.n; n++) {
        struct str rest = str_from(input, j->taken);
        ptrdiff_t end = str_find(rest, '\n');
        line = end < 0 ? rest : str_head(rest, (size_t)end);
        j->taken += line.n + (end >= 0);
        line = str_trim(line);
        if (line.n && line.p[line.n - 1] == '\r')
            line.n--;
        if (line.n && j->total < LINES_MAX)
            run_line(j, c, line);
    }
    return j->taken < input.n;
}

static void on_time(struct loop_timer *t)
{
    struct batch_job *j = list_entry(t, struct batch_job, timer);
    struct call *c = call_new(j->sim, NULL); /* for its arena and ids; it answers nobody */
    struct shelf_item *batch = shelf_get(j->sim->shelf, STR("batches"), str_c(j->id));
    bool more = false;
    if (batch) {
        if (str_eq(crud_member_text(c, batch, "status"), STR("validating")))
            crud_change(c, batch, "{\"status\":\"in_progress\",\"in_progress_at\":\"$now\"}");
        more = run_lines(j, c, batch);
        batch = shelf_get(j->sim->shelf, STR("batches"), str_c(j->id));
    }
    if (batch) {
        show_counts(j, c, batch);
        if (!more && str_eq(crud_member_text(c, batch, "status"), STR("in_progress")))
            complete(j, c, batch);
    }
    call_free(c);
    if (more)
        loop_timer_set(j->sim->loop, t, loop_now_us(j->sim->loop) + 1);
    else
        job_free(j);
}

static bool check_endpoint(struct call *c, struct str endpoint)
{
    static const char *const allowed[] = {
        "/v1/responses",          "/v1/chat/completions", "/v1/embeddings", "/v1/completions",   "/v1/moderations",
        "/v1/images/generations", "/v1/images/edits",     "/v1/videos",     "/chat/completions", "/embeddings"};
    for (size_t i = 0; i < sizeof allowed / sizeof allowed[0]; i++)
        if (str_eq(endpoint, str_c(allowed[i])))
            return true;
    apierr_invalid(c, "endpoint", "Invalid value: '%.*s'.", STR_ARG(str_head(endpoint, 100)));
    return false;
}

void objects_batch_create(struct call *c)
{
    struct str file_id = jdoc_text(jdoc_find(c->json, "input_file_id"), c->arena);
    struct str endpoint = jdoc_text(jdoc_find(c->json, "endpoint"), c->arena);
    if (!crud_check_required(c, objects_batch.required) || !check_endpoint(c, endpoint))
        return;
    struct shelf_item *file = shelf_get(c->sim->shelf, STR("files"), file_id), *batch;
    if (!file || !file->blob) {
        apierr_invalid(c, "input_file_id", "No such File object: %.*s", STR_ARG(str_head(file_id, 80)));
        return;
    }
    batch = crud_make(c, &objects_batch);
    if (!batch)
        return;
    struct batch_job *j = mem_zalloc(sizeof *j);
    *j = (struct batch_job){.sim = c->sim};
    j->as = (struct intake_as){.caller = c->caller, .surface = c->surface};
    str_copy(j->as.project, sizeof j->as.project, c->project_wish);
    str_copy(j->id, sizeof j->id, str_c(batch->id));
    str_copy(j->endpoint, sizeof j->endpoint, endpoint);
    j->input = blob_get(file->blob);
    j->good = blob_new(shelf_blobs(c->sim->shelf));
    j->bad = blob_new(shelf_blobs(c->sim->shelf));
    list_append(&c->sim->jobs, &j->node);
    j->timer.on_time = on_time;
    loop_timer_set(c->sim->loop, &j->timer, loop_now_us(c->sim->loop) + cue_count(c->cue, CUE_WORK_MS, 0) * 1000 + 1);
    crud_answer(c, batch);
}

void objects_batch_cancel(struct call *c)
{
    struct shelf_item *batch = crud_find(c, &objects_batch);
    if (!batch)
        return;
    struct str status = crud_member_text(c, batch, "status");
    if (!str_eq(status, STR("validating")) && !str_eq(status, STR("in_progress"))) {
        apierr(c, 409, "invalid_request_error", NULL, NULL, "Cannot cancel a batch with status '%.*s'.",
               STR_ARG(status));
        return;
    }
    crud_change(c, batch, "{\"status\":\"cancelling\",\"cancelling_at\":\"$now\"}");
    crud_answer(c, batch);
    crud_later(c, batch, "{\"status\":\"cancelled\",\"cancelled_at\":\"$now\"}");
}

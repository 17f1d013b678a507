/* SPDX-License-Identifier: Apache-2.0 */
/* The client's body: kept or passed on, read for its facts, edited where an edit is due. */
#include "gateway/intake.h"

#include <openssl/evp.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/must.h"
#include "gateway/attempt.h"
#include "gateway/finish.h"
#include "gateway/limits/admission.h"
#include "gateway/model_api.h"
#include "gateway/run/run.h"
#include "gateway/stages.h"
#include "openai/multipart.h"
#include "openai/request_edit.h"
#include "openai/request_facts.h"

enum intake_mode { INTAKE_KEEP, INTAKE_PASS };

struct intake {
    enum intake_mode mode;
    enum endpoint_body body;
    bool facts_done;
    bool waiting; /* passing, but the call to upstream has not begun */
    bool waiting_end;
    EVP_MD_CTX *hash;       /* of bodies that pass and may outgrow the capture */
    struct multipart *form; /* NULL when the body is none */
    struct request_facts facts;
};

#define ASK_USAGE_TAIL ",\"stream_options\":{\"include_usage\":true}"

static const enum request_field deciding[] = {
    REQUEST_FIELD_MODEL,
    REQUEST_FIELD_STREAM,
    REQUEST_FIELD_STREAM_OPTIONS,
    REQUEST_FIELD_INCLUDE_USAGE,
    REQUEST_FIELD_MAX_TOKENS,
    REQUEST_FIELD_MAX_COMPLETION_TOKENS,
    REQUEST_FIELD_MAX_OUTPUT_TOKENS,
    REQUEST_FIELD_SERVICE_TIER,
    REQUEST_FIELD_N,
};

void intake_free(struct request *r)
{
    if (!r->intake)
        return;
    EVP_MD_CTX_free(r->intake->hash);
    mem_free(r->intake->form);
    if (!spares_give(&r->worker->spare_intakes, r->intake))
        mem_free(r->intake);
    r->intake = NULL;
}

void intake_spares_free(struct worker *w)
{
    struct intake *in;
    while ((in = spares_take(&w->spare_intakes)))
        mem_free(in);
}

/* What the body is, by its type and, without one, by its endpoint. */
static enum endpoint_body body_kind(const struct request *r)
{
    if (str_starts_nocase(r->content_type, STR("multipart/form-data")))
        return ENDPOINT_FORM;
    if (str_starts_nocase(r->content_type, STR("application/json")))
        return ENDPOINT_JSON;
    return r->endpoint->body == ENDPOINT_FORM || r->content_type.n ? ENDPOINT_RAW : r->endpoint->body;
}

static struct str keep_word(struct request *r, const char *word)
{
    struct str copy = word[0] ? arena_dup(r->arena, str_c(word)) : STR("");
    return copy.p ? copy : STR("");
}

void intake_take_facts(struct request *r, const struct request_facts *f)
{
    r->model_asked = keep_word(r, f->model);
    r->user = keep_word(r, f->user[0] ? f->user : f->safety_identifier);
    r->service_tier_asked = keep_word(r, f->service_tier);
    r->quality = keep_word(r, f->quality);
    r->size = keep_word(r, f->size_text);
    r->input_chars = f->input_chars;
    r->max_output_tok = f->max_tokens;
    r->answers = f->n > f->best_of ? f->n : f->best_of;
    r->seconds_ms = f->seconds_ms;
    r->stream = f->stream;
    r->cache_12h = f->cache_12h;
}

static void keep_facts(struct request *r)
{
    if (r->intake->facts_done)
        return;
    r->intake->facts_done = true;
    struct str routed_model = r->run ? r->model_asked : STR("");
    intake_take_facts(r, &r->intake->facts);
    if (r->intake->mode == INTAKE_PASS && routed_model.n) /* what its target made of it */
        r->model_asked = routed_model;
}

static void form_field(void *arg, struct str name, struct str value)
{
    struct request *r = arg;
    request_facts_form_field(&r->intake->facts, name, value);
}

static uint64_t keep_max(const struct request *r)
{
    return r->run ? RUN_BODY_MAX : INTAKE_BUFFER_MAX;
}

static void intake_new(struct request *r, enum endpoint_body body)
{
    struct intake *in = spares_take(&r->worker->spare_intakes);
    if (!in)
        in = mem_alloc(sizeof *in);
    r->intake = in;
    in->mode = INTAKE_KEEP;
    in->body = body;
    in->facts_done = in->waiting = in->waiting_end = false;
    in->hash = NULL;
    in->form = NULL;
    request_facts_init(&in->facts);
    if (body == ENDPOINT_FORM) {
        in->form = mem_alloc(sizeof *in->form);
        multipart_init(in->form, r->content_type, form_field, r);
    }
}

/* Begins the exchange with upstream before the body is complete. */
static void begin_passing(struct request *r, enum http1_framing framing, uint64_t length)
{
    struct intake *in = r->intake;
    in->mode = INTAKE_PASS;
    if (r->keep_bodies) {
        in->hash = EVP_MD_CTX_new();
        must(in->hash && EVP_DigestInit_ex(in->hash, EVP_sha256(), NULL) == 1);
        struct str so_far = buf_str(&r->body);
        EVP_DigestUpdate(in->hash, so_far.p, so_far.n);
    }
    if (!in->facts_done && in->facts.model[0])
        r->model_asked = keep_word(r, in->facts.model);
    if (r->run) {
        in->waiting = true;
        run_start_streamed(r, framing, length);
        if (!r->finished && r->intake->waiting)
            http_pause(r->x);
    } else if (!r->integration) {
        finish_with_error(r, ERR_NO_INTEGRATION, STR(""), STR(""));
    } else if (!admission_before(r) || !admission_target(r)) {
        admission_refuse(r);
    } else {
        attempt_begin_streamed(r, framing, length);
    }
}

/* Room for all of it at once: growing step by step would copy it as often as it doubles. */
static void keep_room(struct request *r, uint64_t length)
{
    char *room = buf_reserve(&r->body, length);
    must(room != NULL);
}

enum next intake_run(struct request *r)
{
    const struct http1_head *h = &r->x->head;
    if (!r->x->has_body) {
        r->body_us = r->head_us;
        return NEXT;
    }
    if (h->framing == HTTP1_LENGTH && h->content_length > r->worker->settings->body_max_bytes) {
        finish_with_error(r, ERR_BODY_TOO_LARGE, STR(""), STR(""));
        return DONE;
    }
    intake_new(r, body_kind(r));
    r->body_length = h->framing == HTTP1_LENGTH ? h->content_length : 0;
    bool small = h->framing == HTTP1_CHUNKED || h->content_length <= keep_max(r);
    if ((r->run || r->intake->body == ENDPOINT_JSON) && small) {
        if (h->framing == HTTP1_LENGTH && h->content_length > REQUEST_ROOM_KEPT)
            keep_room(r, h->content_length);
        return WAIT; /* kept until whole */
    }
    /* Chunks leave room for the edit at the end; otherwise the length is passed on. */
    bool may_edit = r->intake->body == ENDPOINT_JSON && (r->endpoint->flags & ENDPOINT_ASK_USAGE);
    bool chunked = h->framing == HTTP1_CHUNKED || may_edit;
    begin_passing(r, chunked ? HTTP1_CHUNKED : HTTP1_LENGTH, h->content_length);
    return DONE;
}

/* Refuses what the gateway and upstream could read differently. True when refused. */
static bool refuse_body(struct request *r)
{
    const struct request_facts *f = &r->intake->facts;
    char detail[96];
    if (!(r->endpoint->flags & ENDPOINT_BILLED) || r->endpoint->shape == USAGE_SHAPE_OTHER)
        return false;
    if (f->status != JSON_COMPLETE) {
        snprintf(detail, sizeof detail, "at byte %llu", (unsigned long long)json_scan_error_at(&f->scan));
        finish_with_error(r, ERR_BAD_JSON, STR(""), str_c(detail));
        return true;
    }
    for (size_t i = 0; i < sizeof deciding / sizeof deciding[0]; i++) {
        if (f->duplicates >> deciding[i] & 1) {
            finish_with_error(r, ERR_DUPLICATE_FIELD, str_c(request_field_path(deciding[i])), STR(""));
            return true;
        }
    }
    return false;
}

/* Makes the body that upstream gets, when it differs from the client's. */
static void edit_body(struct request *r)
{
    const struct request_facts *f = &r->intake->facts;
    struct request_edit edit;
    struct splicer sp;
    struct str rest = buf_str(&r->body), piece;
    bool ask = (r->endpoint->flags & ENDPOINT_ASK_USAGE) && f->stream && !f->include_usage;
    if (!ask || !request_edit_make(&edit, f, STR(""), true) || edit.n == 0)
        return;
    char *room = buf_reserve(&r->edited, splice_result_size(edit.list, edit.n, rest.n));
    if (!room)
        return;
    splicer_init(&sp, edit.list, edit.n);
    bool ok = true;
    while (ok && splicer_next(&sp, &rest, &piece))
        ok = buf_add_str(&r->edited, piece);
    while (ok && splicer_end(&sp, &piece))
        ok = buf_add_str(&r->edited, piece);
    must(ok);
    r->usage_asked_by_us = true;
}

/* The last brace of a document that is complete, in the chunk that completed it; n when absent. */
static size_t last_brace(struct str bytes)
{
    size_t i = bytes.n;
    while (i > 0 && bytes.p[i - 1] != '}')
        i--;
    return i ? i - 1 : bytes.n;
}

/* Passes on JSON that was read; puts the wish for usage before the closing brace when it turns out to be due. */
static void pass_json(struct request *r, struct str bytes, bool was_complete)
{
    const struct request_facts *f = &r->intake->facts;
    bool wants = (r->endpoint->flags & ENDPOINT_ASK_USAGE) && f->stream && r->call.chunked &&
                 !request_facts_has(f, REQUEST_FIELD_STREAM_OPTIONS) && f->is_object && !f->object_empty;
    if (was_complete || f->status != JSON_COMPLETE || !wants) {
        http_call_body(&r->call, bytes);
        return;
    }
    size_t brace = last_brace(bytes);
    http_call_body(&r->call, str_head(bytes, brace));
    http_call_body(&r->call, STR(ASK_USAGE_TAIL));
    http_call_body(&r->call, str_from(bytes, brace));
    r->usage_asked_by_us = true;
}

/* Sends what was kept; the beginning stays for the record. */
static void pass_kept(struct request *r)
{
    struct str so_far = buf_str(&r->body);
    uint64_t cap = r->keep_bodies ? r->worker->settings->capture_max_bytes : 0;
    if (r->intake->body == ENDPOINT_JSON)
        pass_json(r, so_far, false);
    else
        http_call_body(&r->call, so_far);
    if (so_far.n > cap)
        buf_cut(&r->body, cap);
    if (http_call_unsent(&r->call) > HTTP_HIGH_WATER)
        http_pause(r->x);
}

/* A kept body that grew too long: it passes from here on. */
static void stop_keeping(struct request *r)
{
    begin_passing(r, HTTP1_CHUNKED, 0);
    if (!r->run && !r->finished)
        pass_kept(r);
}

/* A plain request that names an integration in its model is routed after all. */
static void choose_route(struct request *r)
{
    struct str slug, model;
    if (!r->run && r->model_asked.n && r->model_asked.p[0] == '@' && target_split_model(r->model_asked, &slug, &model))
        run_promote(r);
    if (!r->run)
        edit_body(r);
    else if (r->intake->body == ENDPOINT_JSON && r->intake->facts.status == JSON_COMPLETE)
        run_take_facts(r, &r->intake->facts);
    else
        r->run->model = r->model_asked;
}

/* Large bodies of routed requests share a worker's memory. False: answered. */
static bool keep_large(struct request *r)
{
    struct worker *w = r->worker;
    uint64_t size = buf_size(&r->body);
    if (size <= INTAKE_BUFFER_MAX)
        return true;
    w->kept_bytes += size - r->kept_bytes;
    r->kept_bytes = size;
    if (w->kept_bytes <= INTAKE_LARGE_MAX)
        return true;
    finish_with_error(r, ERR_OVERLOADED, STR(""), STR("large bodies that may have to be sent twice fill their memory"));
    return false;
}

static void kept_body(struct request *r, struct str bytes, bool last)
{
    struct intake *in = r->intake;
    if (in->body == ENDPOINT_JSON)
        request_facts_feed(&in->facts, bytes.p, bytes.n);
    else if (in->body == ENDPOINT_FORM)
        multipart_feed(in->form, bytes);
    bool kept = buf_add_str(&r->body, bytes);
    must(kept); /* the buffer holds the limit and one more read */
    if (!keep_large(r))
        return;
    if (!last) {
        if (buf_size(&r->body) > keep_max(r))
            stop_keeping(r);
        return;
    }
    r->body_us = clock_mono_us();
    if (in->body == ENDPOINT_JSON) {
        request_facts_end(&in->facts);
        if (refuse_body(r))
            return;
    }
    if (r->model_api && in->body == ENDPOINT_JSON && !model_api_body(r, &in->facts))
        return;
    keep_facts(r);
    choose_route(r);
    intake_free(r); /* what it held is not wanted any more, and a stream may stay open for long */
    stages_resume(r);
}

/* Of JSON the facts come first: what upstream could read differently never reaches it whole. True when refused. */
static bool read_passing_json(struct request *r, struct str bytes, bool last)
{
    struct request_facts *f = &r->intake->facts;
    request_facts_feed(f, bytes.p, bytes.n);
    if (!last)
        return false;
    request_facts_end(f);
    return refuse_body(r);
}

static void end_passing(struct request *r)
{
    struct intake *in = r->intake;
    r->body_us = clock_mono_us();
    keep_facts(r);
    if (in->hash)
        r->has_body_sha256 = EVP_DigestFinal_ex(in->hash, r->body_sha256, NULL) == 1;
    http_call_body_end(&r->call);
}

/* The client is paused; these bytes were under way already. */
static void wait_with(struct request *r, struct str bytes, bool last)
{
    struct intake *in = r->intake;
    if (in->body == ENDPOINT_FORM)
        multipart_feed(in->form, bytes);
    if (in->body == ENDPOINT_JSON && read_passing_json(r, bytes, last))
        return;
    bool fits = buf_add_str(&r->body, bytes);
    must(fits); /* one read at most beyond what is kept */
    in->waiting_end = last;
}

static void passed_body(struct request *r, struct str bytes, bool last)
{
    struct intake *in = r->intake;
    uint64_t cap = r->keep_bodies ? r->worker->settings->capture_max_bytes : 0;
    bool was_complete = in->facts.status == JSON_COMPLETE;
    if (in->hash)
        EVP_DigestUpdate(in->hash, bytes.p, bytes.n);
    if (in->waiting) {
        wait_with(r, bytes, last);
        return;
    }
    if (buf_size(&r->body) < cap) {
        bool kept = buf_add_str(&r->body, str_head(bytes, cap - buf_size(&r->body)));
        must(kept);
    }
    must(r->call_live);
    if (in->body == ENDPOINT_JSON) {
        if (read_passing_json(r, bytes, last))
            return;
        pass_json(r, bytes, was_complete);
    } else {
        if (in->body == ENDPOINT_FORM)
            multipart_feed(in->form, bytes);
        http_call_body(&r->call, bytes);
    }
    if (last)
        end_passing(r);
    else if (http_call_unsent(&r->call) > HTTP_HIGH_WATER)
        http_pause(r->x);
}

void intake_go_on(struct request *r)
{
    struct intake *in = r->intake;
    if (!in || !in->waiting)
        return;
    in->waiting = false;
    if (r->x)
        http_resume(r->x);
    if (buf_size(&r->body))
        pass_kept(r);
    if (in->waiting_end)
        end_passing(r);
}

void intake_body(struct request *r, struct str bytes, bool last)
{
    must(r->intake);
    r->body_bytes += bytes.n;
    metrics_add(&r->worker->metrics, METRIC_BYTES_IN, bytes.n);
    if (r->body_bytes > r->worker->settings->body_max_bytes)
        finish_with_error(r, ERR_BODY_TOO_LARGE, STR(""), STR(""));
    else if (r->intake->mode == INTAKE_KEEP)
        kept_body(r, bytes, last);
    else
        passed_body(r, bytes, last);
}

void intake_drained(struct request *r)
{
    if (r->x)
        http_resume(r->x);
}

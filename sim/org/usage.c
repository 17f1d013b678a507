/* SPDX-License-Identifier: Apache-2.0 */
/* GET /organization/usage/{kind}: kinds, their results' names and figures in one table. */
#include "base/mem.h"
#include "base/must.h"
#include "sim/http/apierr.h"
#include "sim/org/org.h"

enum family { TOKENS, INPUTS, IMAGES, SPEECH, HEARD, STORED, SESSIONS, FILES, WEB };

static const struct kind {
    const char *name, *object;
    enum call_work work;
    enum family family;
} kinds[] = {
    {"completions", "completions", CALL_WORK_COMPLETIONS, TOKENS},
    {"decisions", "decisions", CALL_WORK_DECISIONS, TOKENS},
    {"embeddings", "embeddings", CALL_WORK_EMBEDDINGS, INPUTS},
    {"moderations", "moderations", CALL_WORK_MODERATIONS, INPUTS},
    {"images", "images", CALL_WORK_IMAGES, IMAGES},
    {"audio_speeches", "audio_speeches", CALL_WORK_SPEECHES, SPEECH},
    {"audio_transcriptions", "audio_transcriptions", CALL_WORK_TRANSCRIPTIONS, HEARD},
    {"vector_stores", "vector_stores", CALL_WORK_VECTOR_STORES, STORED},
    {"code_interpreter_sessions", "code_interpreter_sessions", CALL_WORK_CODE_SESSIONS, SESSIONS},
    {"file_search_calls", "file_searches", CALL_WORK_FILE_SEARCHES, FILES},
    {"web_search_calls", "web_searches", CALL_WORK_WEB_SEARCHES, WEB},
};
#define KINDS (sizeof kinds / sizeof kinds[0])

static const struct kind *kind_of(struct str name)
{
    for (size_t i = 0; i < KINDS; i++)
        if (str_eq(str_c(kinds[i].name), name))
            return &kinds[i];
    return NULL;
}

static void figure(struct json_write *w, const char *name, uint64_t value)
{
    json_write_member_uint(w, name, value);
}

/* Usage that was forced by a cue need not add up. */
static uint64_t minus(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

static void write_tokens(struct json_write *w, const uint64_t *f)
{
    uint64_t text_in = minus(f[ORGSUM_INPUT], f[ORGSUM_AUDIO_IN] + f[ORGSUM_IMAGE_IN]);
    uint64_t writes = f[ORGSUM_WRITE_30M] + f[ORGSUM_WRITE_12H];
    figure(w, "input_tokens", f[ORGSUM_INPUT]);
    figure(w, "input_cached_tokens", f[ORGSUM_CACHED]);
    figure(w, "input_uncached_tokens", minus(f[ORGSUM_INPUT], f[ORGSUM_CACHED] + writes));
    figure(w, "input_cache_write_tokens", writes);
    figure(w, "input_cache_write_30m_tokens", f[ORGSUM_WRITE_30M]);
    figure(w, "input_cache_write_12h_tokens", f[ORGSUM_WRITE_12H]);
    figure(w, "output_tokens", f[ORGSUM_OUTPUT]);
    figure(w, "input_text_tokens", text_in);
    figure(w, "output_text_tokens", minus(f[ORGSUM_OUTPUT], f[ORGSUM_AUDIO_OUT]));
    figure(w, "input_cached_text_tokens", minus(f[ORGSUM_CACHED], f[ORGSUM_AUDIO_CACHED] + f[ORGSUM_IMAGE_CACHED]));
    figure(w, "input_audio_tokens", f[ORGSUM_AUDIO_IN]);
    figure(w, "input_cached_audio_tokens", f[ORGSUM_AUDIO_CACHED]);
    figure(w, "output_audio_tokens", f[ORGSUM_AUDIO_OUT]);
    figure(w, "input_image_tokens", f[ORGSUM_IMAGE_IN]);
    figure(w, "input_cached_image_tokens", f[ORGSUM_IMAGE_CACHED]);
    figure(w, "output_image_tokens", 0);
}

static void write_figures(struct json_write *w, enum family family, const uint64_t *f)
{
    switch (family) {
    case TOKENS:
        write_tokens(w, f);
        break;
    case INPUTS:
        figure(w, "input_tokens", f[ORGSUM_INPUT]);
        break;
    case IMAGES:
        figure(w, "images", f[ORGSUM_IMAGES]);
        break;
    case SPEECH:
        figure(w, "characters", f[ORGSUM_CHARACTERS]);
        break;
    case HEARD:
        figure(w, "seconds", (f[ORGSUM_MILLISECONDS] + 999) / 1000);
        break;
    case STORED:
        figure(w, "usage_bytes", f[ORGSUM_BYTES]);
        break;
    case SESSIONS:
        figure(w, "num_sessions", f[ORGSUM_CALLS]);
        break;
    case FILES:
    case WEB:
        figure(w, "num_requests", f[ORGSUM_CALLS]);
        break;
    }
    if (family != STORED && family != SESSIONS && family != FILES)
        figure(w, "num_model_requests", f[ORGSUM_REQUESTS]);
}

static void write_names(struct call *c, struct json_write *w, const struct org_query *q, enum family family,
                        const struct orgsum_row *r)
{
    org_write_dimension(c, w, q, "project_id", ORGSUM_BY_PROJECT, r);
    if (family == STORED || family == SESSIONS)
        return;
    org_write_dimension(c, w, q, "user_id", ORGSUM_BY_USER, r);
    org_write_dimension(c, w, q, "api_key_id", ORGSUM_BY_KEY, r);
    if (family == FILES) {
        json_write_member_null(w, "vector_store_id");
        return;
    }
    org_write_dimension(c, w, q, "model", ORGSUM_BY_MODEL, r);
    if (family == IMAGES) {
        org_write_dimension(c, w, q, "size", ORGSUM_BY_SIZE, r);
        org_write_dimension(c, w, q, "source", ORGSUM_BY_SOURCE, r);
    } else if (family == WEB) {
        json_write_member_null(w, "context_level");
    } else if (family == TOKENS) {
        if (q->group_batch)
            json_write_member_bool(w, "batch", r->batch);
        else
            json_write_member_null(w, "batch");
        org_write_dimension(c, w, q, "service_tier", ORGSUM_BY_TIER, r);
        json_write_member_null(w, "api_source");
    }
}

static void write_result(struct call *c, struct json_write *w, const struct org_query *q, const struct org_match *from,
                         size_t n)
{
    const struct kind *k = kind_of(c->args[0]);
    uint64_t sum[ORGSUM_FIGURE_COUNT] = {0};
    for (size_t i = 0; i < n; i++)
        for (unsigned f = 0; f < ORGSUM_FIGURE_COUNT; f++)
            sum[f] += from[i].row->figure[f];
    json_write_object(w);
    json_write_member_string(w, "object", call_format(c, "organization.usage.%s.result", k->object));
    write_figures(w, k->family, sum);
    write_names(c, w, q, k->family, from[0].row);
    json_write_object_end(w);
}

/* Storage is not summed as calls end: it is what the stores hold now. */
static struct org_match *match_storage(struct call *c, const struct org_query *q, size_t *ret_n)
{
    struct orgsum_row *row = arena_alloc(c->arena, sizeof *row);
    struct org_match *match = mem_zalloc(sizeof *match);
    int64_t now = call_now(c);
    must(row != NULL);
    *ret_n = 0;
    for (struct shelf_item *i = shelf_first(c->sim->shelf, STR("vector_stores"), false); i; i = shelf_next(i, false)) {
        uint64_t bytes;
        if (str_to_u64(crud_member(c, i, "usage_bytes"), &bytes))
            row->figure[ORGSUM_BYTES] += bytes;
    }
    match->row = row;
    match->bucket = (uint64_t)((now - q->start) / q->width);
    if (row->figure[ORGSUM_BYTES] && now >= q->start && now < q->end && match->bucket >= q->first)
        *ret_n = 1;
    return match;
}

void org_usage(struct call *c)
{
    const struct kind *k = kind_of(c->args[0]);
    struct org_query q;
    size_t n;
    if (!k) {
        apierr(c, 404, "invalid_request_error", NULL, NULL, "Invalid URL (GET %.*s)",
               STR_ARG(str_head(c->target, 200)));
        return;
    }
    if (!org_query_read(c, &q, false))
        return;
    struct org_match *matches =
        k->family == STORED ? match_storage(c, &q, &n) : org_query_match(c, &q, (uint8_t)k->work, &n);
    org_query_answer(c, &q, matches, n, write_result);
}

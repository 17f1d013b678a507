/* SPDX-License-Identifier: Apache-2.0 */
/* Forms of usage objects are OpenAI's; singular and plural of "details" differ by endpoint, and so they do here. */
#include "sim/model/bill.h"

#include "base/must.h"
#include "sim/model/modelbook.h"

struct bill *bill_new(struct call *c, enum call_work work)
{
    struct bill *b = arena_alloc(c->arena, sizeof *b);
    must(b != NULL);
    c->bill = b;
    c->used.work = work;
    return b;
}

void bill_drop(struct call *c)
{
    c->bill = NULL;
    c->used.work = CALL_WORK_NONE;
    c->used.model[0] = '\0';
}

void bill_name(struct call *c, struct str model, struct str tier)
{
    str_copy(c->used.model, sizeof c->used.model, model);
    str_copy(c->used.usage.service_tier, sizeof c->used.usage.service_tier, tier);
}

/* Every figure that is called so in some usage object, whatever object it stands in. */
static void take_forced(struct bill *b, struct jval object)
{
    static const struct {
        const char *name;
        size_t offset;
    } known[] = {
        {"prompt_tokens", offsetof(struct bill, input)},
        {"input_tokens", offsetof(struct bill, input)},
        {"completion_tokens", offsetof(struct bill, output)},
        {"output_tokens", offsetof(struct bill, output)},
        {"cached_tokens", offsetof(struct bill, cached)},
        {"cache_write_tokens", offsetof(struct bill, write_30m)},
        {"reasoning_tokens", offsetof(struct bill, reasoning)},
        {"accepted_prediction_tokens", offsetof(struct bill, accepted)},
        {"rejected_prediction_tokens", offsetof(struct bill, rejected)},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        uint64_t *to = (uint64_t *)(void *)((char *)b + known[i].offset);
        *to = jdoc_count(jdoc_find(object, known[i].name), *to);
    }
    struct jval details = jdoc_find(object, "cache_write_tokens_details");
    if (jdoc_has(details)) {
        b->write_30m = jdoc_count(jdoc_find(details, "ttl_30m_tokens"), 0);
        b->write_12h = jdoc_count(jdoc_find(details, "ttl_12h_tokens"), 0);
    }
}

static void take_forced_parts(struct bill *b, struct jval usage)
{
    static const char *const in[] = {"prompt_tokens_details", "input_tokens_details", "input_token_details"};
    static const char *const out[] = {"completion_tokens_details", "output_tokens_details", "output_token_details"};
    for (int i = 0; i < 3; i++) {
        struct jval d = jdoc_find(usage, in[i]);
        take_forced(b, d);
        b->audio_in = jdoc_count(jdoc_find(d, "audio_tokens"), b->audio_in);
        b->image_in = jdoc_count(jdoc_find(d, "image_tokens"), b->image_in);
        struct jval cached = jdoc_find(d, "cached_tokens_details");
        b->audio_cached = jdoc_count(jdoc_find(cached, "audio_tokens"), b->audio_cached);
        b->image_cached = jdoc_count(jdoc_find(cached, "image_tokens"), b->image_cached);
        d = jdoc_find(usage, out[i]);
        take_forced(b, d);
        b->audio_out = jdoc_count(jdoc_find(d, "audio_tokens"), b->audio_out);
        b->image_out = jdoc_count(jdoc_find(d, "image_tokens"), b->image_out);
    }
}

void bill_cue(struct call *c)
{
    struct bill *b = c->bill;
    struct jdoc doc;
    if (cue_has(c->cue, CUE_CACHED_TOKENS)) {
        uint64_t want = c->cue->value[CUE_CACHED_TOKENS].count;
        b->cached = want < b->input ? want : b->input;
        b->audio_cached = b->audio_cached < b->cached ? b->audio_cached : b->cached;
        b->image_cached = 0;
        b->write_30m = b->write_12h = 0;
    }
    struct str forced = cue_text(c->cue, CUE_USAGE);
    if (!forced.n)
        return;
    jdoc_init(&doc);
    if (jdoc_parse(&doc, forced)) {
        struct bill zero = {.forced = forced};
        *b = zero;
        take_forced(b, jdoc_root(&doc));
        take_forced_parts(b, jdoc_root(&doc));
    }
    jdoc_free(&doc);
}

void bill_cache_writes(struct call *c, struct str model, uint64_t min)
{
    struct bill *b = c->bill;
    struct jval options = jdoc_find(c->json, "prompt_cache_options");
    b->cache_writes = modelbook_cache_writes(model);
    if (!b->cache_writes || b->input < min || b->audio_in)
        return;
    uint64_t written = b->input / 128 * 128;
    written = written > b->cached ? written - b->cached : 0;
    if (jdoc_is(jdoc_find(options, "ttl"), "12h"))
        b->write_12h = written;
    else
        b->write_30m = written;
}

static uint64_t minus(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

void bill_settle(struct call *c)
{
    const struct bill *b = c->bill;
    struct usage *u = &c->used.usage;
    uint64_t *q = u->quantity;
    if (!b)
        return;
    u->source = USAGE_REPORTED;
    q[METER_CACHED] = minus(b->cached, b->audio_cached + b->image_cached);
    q[METER_AUDIO_CACHED] = b->audio_cached;
    q[METER_IMAGE_CACHED] = b->image_cached;
    q[METER_CACHE_WRITE] = b->write_30m;
    q[METER_CACHE_WRITE_12H] = b->write_12h;
    q[METER_AUDIO_INPUT] = minus(b->audio_in, b->audio_cached);
    q[METER_IMAGE_INPUT] = minus(b->image_in, b->image_cached) + b->tool_image_in;
    q[METER_INPUT] = minus(b->input, q[METER_CACHED] + b->write_30m + b->write_12h + b->audio_in + b->image_in);
    q[METER_AUDIO_OUTPUT] = b->audio_out;
    q[METER_IMAGE_OUTPUT] = b->image_out + b->tool_image_out;
    q[METER_OUTPUT] = minus(b->output, b->audio_out + b->image_out);
    q[METER_AUDIO_MS] = b->audio_ms;
    q[METER_VIDEO_MS] = b->video_ms;
    q[METER_CHARACTERS] = b->characters;
    q[METER_IMAGES] = b->images;
    q[METER_WEB_SEARCH] = b->web_search;
    q[METER_FILE_SEARCH] = b->file_search;
    q[METER_CODE_SESSION] = b->code_session;
    q[METER_TRAINED] = b->trained;
    u->input_total_tok = b->input;
    u->output_total_tok = b->output;
    u->reasoning_tok = b->reasoning;
    u->prediction_accepted_tok = b->accepted;
    u->prediction_rejected_tok = b->rejected;
}

bool bill_wanted(struct call *c)
{
    if (!cue_has(c->cue, CUE_NO_USAGE))
        return true;
    c->used.no_usage = true;
    return false;
}

/* True when the cue's own object was written. */
static bool write_forced(struct call *c, struct json_write *w)
{
    c->used.reported = true;
    if (!c->bill->forced.n)
        return false;
    json_write_raw(w, c->bill->forced);
    return true;
}

static void details_begin(struct json_write *w, const char *name)
{
    json_write_key(w, str_c(name));
    json_write_object(w);
}

void bill_write_chat(struct call *c, struct json_write *w)
{
    const struct bill *b = c->bill;
    if (write_forced(c, w))
        return;
    json_write_object(w);
    json_write_member_uint(w, "prompt_tokens", b->input);
    json_write_member_uint(w, "completion_tokens", b->output);
    json_write_member_uint(w, "total_tokens", b->input + b->output);
    details_begin(w, "prompt_tokens_details");
    json_write_member_uint(w, "cached_tokens", b->cached);
    json_write_member_uint(w, "audio_tokens", b->audio_in);
    if (b->cache_writes)
        json_write_member_uint(w, "cache_write_tokens", b->write_30m + b->write_12h);
    json_write_object_end(w);
    details_begin(w, "completion_tokens_details");
    json_write_member_uint(w, "reasoning_tokens", b->reasoning);
    json_write_member_uint(w, "audio_tokens", b->audio_out);
    json_write_member_uint(w, "accepted_prediction_tokens", b->accepted);
    json_write_member_uint(w, "rejected_prediction_tokens", b->rejected);
    json_write_object_end(w);
    json_write_object_end(w);
}

void bill_write_responses(struct call *c, struct json_write *w)
{
    const struct bill *b = c->bill;
    if (write_forced(c, w))
        return;
    json_write_object(w);
    json_write_member_uint(w, "input_tokens", b->input);
    details_begin(w, "input_tokens_details");
    json_write_member_uint(w, "cached_tokens", b->cached);
    json_write_member_uint(w, "cache_write_tokens", b->write_30m + b->write_12h);
    details_begin(w, "cache_write_tokens_details");
    json_write_member_uint(w, "ttl_30m_tokens", b->write_30m);
    json_write_member_uint(w, "ttl_12h_tokens", b->write_12h);
    json_write_object_end(w);
    json_write_object_end(w);
    json_write_member_uint(w, "output_tokens", b->output);
    details_begin(w, "output_tokens_details");
    json_write_member_uint(w, "reasoning_tokens", b->reasoning);
    json_write_object_end(w);
    json_write_member_uint(w, "total_tokens", b->input + b->output);
    json_write_object_end(w);
}

void bill_write_embeddings(struct call *c, struct json_write *w)
{
    if (write_forced(c, w))
        return;
    json_write_object(w);
    json_write_member_uint(w, "prompt_tokens", c->bill->input);
    json_write_member_uint(w, "total_tokens", c->bill->input);
    json_write_object_end(w);
}

void bill_write_images(struct call *c, struct json_write *w)
{
    const struct bill *b = c->bill;
    if (write_forced(c, w))
        return;
    json_write_object(w);
    json_write_member_uint(w, "total_tokens", b->input + b->output);
    json_write_member_uint(w, "input_tokens", b->input);
    json_write_member_uint(w, "output_tokens", b->output);
    details_begin(w, "input_tokens_details");
    json_write_member_uint(w, "text_tokens", b->input - b->image_in);
    json_write_member_uint(w, "image_tokens", b->image_in);
    json_write_object_end(w);
    details_begin(w, "output_tokens_details");
    json_write_member_uint(w, "text_tokens", b->output - b->image_out);
    json_write_member_uint(w, "image_tokens", b->image_out);
    json_write_object_end(w);
    json_write_object_end(w);
}

void bill_write_transcription(struct call *c, struct json_write *w, bool by_time)
{
    const struct bill *b = c->bill;
    if (write_forced(c, w))
        return;
    json_write_object(w);
    json_write_member_string(w, "type", by_time ? STR("duration") : STR("tokens"));
    if (by_time) {
        json_write_member_uint(w, "seconds", (b->audio_ms + 999) / 1000);
    } else {
        json_write_member_uint(w, "input_tokens", b->input);
        details_begin(w, "input_token_details");
        json_write_member_uint(w, "text_tokens", b->input - b->audio_in);
        json_write_member_uint(w, "audio_tokens", b->audio_in);
        json_write_object_end(w);
        json_write_member_uint(w, "output_tokens", b->output);
        json_write_member_uint(w, "total_tokens", b->input + b->output);
    }
    json_write_object_end(w);
}

void bill_write_speech(struct call *c, struct json_write *w)
{
    const struct bill *b = c->bill;
    if (write_forced(c, w))
        return;
    json_write_object(w);
    json_write_member_uint(w, "input_tokens", b->input);
    json_write_member_uint(w, "output_tokens", b->output);
    json_write_member_uint(w, "total_tokens", b->input + b->output);
    json_write_object_end(w);
}

void bill_write_run(struct call *c, struct json_write *w)
{
    const struct bill *b = c->bill;
    if (write_forced(c, w))
        return;
    json_write_object(w);
    json_write_member_uint(w, "prompt_tokens", b->input);
    json_write_member_uint(w, "completion_tokens", b->output);
    json_write_member_uint(w, "total_tokens", b->input + b->output);
    details_begin(w, "prompt_token_details");
    json_write_member_uint(w, "cached_tokens", b->cached);
    json_write_object_end(w);
    json_write_object_end(w);
}

void bill_write_realtime(struct call *c, struct json_write *w)
{
    const struct bill *b = c->bill;
    if (write_forced(c, w))
        return;
    json_write_object(w);
    json_write_member_uint(w, "total_tokens", b->input + b->output);
    json_write_member_uint(w, "input_tokens", b->input);
    json_write_member_uint(w, "output_tokens", b->output);
    details_begin(w, "input_token_details");
    json_write_member_uint(w, "text_tokens", b->input - b->audio_in - b->image_in);
    json_write_member_uint(w, "audio_tokens", b->audio_in);
    json_write_member_uint(w, "image_tokens", b->image_in);
    json_write_member_uint(w, "cached_tokens", b->cached);
    details_begin(w, "cached_tokens_details");
    json_write_member_uint(w, "text_tokens", b->cached - b->audio_cached - b->image_cached);
    json_write_member_uint(w, "audio_tokens", b->audio_cached);
    json_write_member_uint(w, "image_tokens", b->image_cached);
    json_write_object_end(w);
    json_write_object_end(w);
    details_begin(w, "output_token_details");
    json_write_member_uint(w, "text_tokens", b->output - b->audio_out);
    json_write_member_uint(w, "audio_tokens", b->audio_out);
    json_write_object_end(w);
    json_write_object_end(w);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Images: generations, edits, variations. The GPT image models report tokens, by quality and size as
 * OpenAI's guide gives them; the dall-e models report nothing and are billed by the image.
 * An image is a valid PNG of one pixel, or as many bytes of noise as the cue's event-bytes asks for.
 */
#include "base/encode.h"
#include "base/must.h"
#include "sim/api/api.h"
#include "sim/http/apierr.h"
#include "sim/http/formread.h"
#include "sim/http/reply.h"
#include "sim/kept/crud.h"
#include "sim/model/bill.h"
#include "sim/model/tally.h"
#include "sim/simid.h"

#define INPUT_IMAGE_TOKENS 323
#define PARTIAL_TOKENS 100
#define IMAGES_MAX 10

struct picture {
    struct str model, quality, size, format, background, prompt;
    const char *source, *event; /* "image.generation"; "image_generation" */
    unsigned n, partial;
    bool dalle, url, stream;
    uint64_t each; /* output tokens of one image */
    uint64_t input_images;
    unsigned at, step; /* of a stream */
    int64_t created;
};

static const char pixel[] =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJg"
    "gg==";

static struct str field(struct call *c, const char *name)
{
    if (c->form)
        return formread_text(c->form, name);
    struct jval v = jdoc_find(c->json, name);
    return jdoc_kind(v) == JDOC_STRING ? jdoc_text(v, c->arena) : jdoc_raw(v);
}

static uint64_t number(struct call *c, const char *name, uint64_t missing)
{
    uint64_t n;
    return str_to_u64(field(c, name), &n) ? n : missing;
}

static uint64_t tokens_of(const struct picture *p)
{
    static const struct {
        const char *quality;
        uint64_t square, tall, wide;
    } rows[] = {{"low", 272, 408, 400},
                {"medium", 1056, 1584, 1568},
                {"high", 4160, 6240, 6208},
                {"xhigh", 8320, 12480, 12416},
                {"max", 16640, 24960, 24832}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (str_eq(p->quality, str_c(rows[i].quality)))
            return str_eq(p->size, STR("1024x1536"))   ? rows[i].tall
                   : str_eq(p->size, STR("1536x1024")) ? rows[i].wide
                                                       : rows[i].square;
    return 1056;
}

/* "auto" is decided here. */
static struct str or_else(struct str given, struct str preset)
{
    return given.n && !str_eq(given, STR("auto")) && !str_eq(given, STR("null")) ? given : preset;
}

static uint64_t count_input_images(struct call *c)
{
    uint64_t n = 0;
    struct jval images = jdoc_find(c->json, "images"), image = jdoc_find(c->json, "image");
    for (unsigned i = 0; c->form && i < c->form->n; i++)
        n += c->form->parts[i].blob && str_starts(c->form->parts[i].name, STR("image"));
    return n + jdoc_size(images) + (jdoc_kind(image) == JDOC_ARRAY ? jdoc_size(image) : jdoc_has(image));
}

static bool picture_read(struct call *c, struct picture *p)
{
    struct str asked = c->model_asked[0] ? arena_dup(c->arena, str_c(c->model_asked)) : STR("dall-e-2");
    uint64_t n = number(c, "n", 1), partial = number(c, "partial_images", 0);
    p->model = cue_has(c->cue, CUE_MODEL) ? cue_text(c->cue, CUE_MODEL) : asked;
    p->dalle = str_starts(p->model, STR("dall-e"));
    p->prompt = field(c, "prompt");
    p->quality = arena_dup(c->arena, or_else(field(c, "quality"), p->dalle ? STR("standard") : STR("medium")));
    p->size = arena_dup(c->arena, or_else(field(c, "size"), STR("1024x1024")));
    p->format = arena_dup(c->arena, or_else(field(c, "output_format"), STR("png")));
    p->background = arena_dup(c->arena, or_else(field(c, "background"), STR("opaque")));
    p->url = p->dalle && !str_eq(field(c, "response_format"), STR("b64_json"));
    p->stream = str_eq(field(c, "stream"), STR("true")) && !p->dalle && !c->captured;
    p->created = call_now(c);
    if (n < 1 || n > IMAGES_MAX) {
        apierr_invalid(c, "n", "Invalid 'n': integer above maximum value. Expected a value <= %d.", IMAGES_MAX);
        return false;
    }
    if (partial > 3) {
        apierr_invalid(c, "partial_images", "Invalid 'partial_images': expected a value from 0 to 3.");
        return false;
    }
    p->n = (unsigned)n;
    p->partial = (unsigned)partial;
    p->each = tokens_of(p);
    return true;
}

static void bill_picture(struct call *c, struct picture *p)
{
    struct bill *b = bill_new(c, CALL_WORK_IMAGES);
    bill_name(c, p->model, STR(""));
    str_copy(c->used.source, sizeof c->used.source, str_c(p->source));
    str_copy(c->used.usage.size, sizeof c->used.usage.size, p->size);
    str_copy(c->used.usage.quality, sizeof c->used.usage.quality, p->quality);
    c->used.images = p->n;
    if (p->dalle) {
        b->images = p->n;
        return;
    }
    b->image_in = p->input_images * INPUT_IMAGE_TOKENS;
    b->input = b->image_in + tally_text(c->sim->tally, TOKENIZER_O200K, p->prompt);
}

static void write_data(struct call *c, struct json_write *w, unsigned index)
{
    struct buf text;
    uint64_t bytes = cue_count(c->cue, CUE_EVENT_BYTES, 0), tokens = bytes / (API_AUDIO_BYTES / 3 * 4);
    if (!tokens) {
        json_write_member_string(w, "b64_json", str_c(pixel));
        return;
    }
    buf_init(&text, (size_t)1 << 30);
    must(api_audio_base64(&text, c->seed + index, tokens));
    json_write_member_string(w, "b64_json", buf_str(&text));
    buf_free(&text);
}

static void answer_whole(struct call *c, struct picture *p)
{
    struct reply r;
    struct json_write *w = reply_begin(&r);
    if (!p->dalle) {
        c->bill->output = c->bill->image_out = p->each * p->n;
        bill_cue(c);
    }
    json_write_member_int(w, "created", p->created);
    if (!p->dalle) {
        json_write_member_string(w, "background", p->background);
        json_write_member_string(w, "output_format", p->format);
        json_write_member_string(w, "quality", p->quality);
        json_write_member_string(w, "size", p->size);
    }
    json_write_key(w, STR("data"));
    json_write_array(w);
    for (unsigned i = 0; i < p->n; i++) {
        json_write_object(w);
        if (p->url)
            json_write_member_string(
                w, "url", call_format(c, "https://images.example.com/%.*s.png", STR_ARG(call_id(c, "img-", 24))));
        else
            write_data(c, w, i);
        if (str_eq(p->model, STR("dall-e-3")))
            json_write_member_string(w, "revised_prompt", p->prompt);
        json_write_object_end(w);
    }
    json_write_array_end(w);
    if (!p->dalle && bill_wanted(c)) {
        json_write_key(w, STR("usage"));
        bill_write_images(c, w);
    }
    reply_send(c, &r, 200);
}

static void event(struct call *c, struct picture *p, struct buf *out, bool completed, bool with_usage)
{
    struct str name = call_format(c, "%s.%s", p->event, completed ? "completed" : "partial_image");
    struct buf json;
    struct json_write w;
    buf_init(&json, (size_t)1 << 30);
    json_write_init(&w, &json);
    json_write_object(&w);
    json_write_member_string(&w, "type", name);
    if (!completed)
        json_write_member_uint(&w, "partial_image_index", p->step);
    write_data(c, &w, p->at * 8 + p->step);
    json_write_member_int(&w, "created_at", p->created);
    json_write_member_string(&w, "size", p->size);
    json_write_member_string(&w, "quality", p->quality);
    json_write_member_string(&w, "background", p->background);
    json_write_member_string(&w, "output_format", p->format);
    if (with_usage && bill_wanted(c)) {
        json_write_key(&w, STR("usage"));
        bill_write_images(c, &w);
    }
    json_write_object_end(&w);
    must(json_write_done(&w));
    answer_frame(out, name.p, buf_str(&json));
    buf_free(&json);
}

/* Each partial image costs tokens; the usage comes with the last image. */
static enum answer_step next(struct call *c, struct buf *out)
{
    struct picture *p = c->answer.state;
    bool completed = p->step == p->partial, last = completed && p->at + 1 == p->n;
    c->bill->image_out += completed ? p->each : PARTIAL_TOKENS;
    c->bill->output = c->bill->image_out;
    if (last)
        bill_cue(c);
    event(c, p, out, completed, last);
    p->step = completed ? 0 : p->step + 1;
    p->at += completed;
    return last ? ANSWER_LAST : ANSWER_MORE;
}

static void answer_picture(struct call *c, const char *source, const char *name, bool needs_image)
{
    struct picture *p = arena_alloc(c->arena, sizeof *p);
    must(p != NULL);
    p->source = source;
    p->event = name;
    if (!picture_read(c, p))
        return;
    p->input_images = count_input_images(c);
    if (needs_image && !p->input_images) {
        apierr_missing(c, "image");
        return;
    }
    if (!p->prompt.n && !str_eq(str_c(source), STR("image.variation"))) {
        apierr_missing(c, "prompt");
        return;
    }
    bill_picture(c, p);
    if (p->stream)
        answer_stream(c, ANSWER_NAMED, next, p);
    else
        answer_whole(c, p);
}

void api_images_generate(struct call *c)
{
    answer_picture(c, "image.generation", "image_generation", false);
}

void api_images_edit(struct call *c)
{
    answer_picture(c, "image.edit", "image_edit", true);
}

void api_images_vary(struct call *c)
{
    answer_picture(c, "image.variation", "image_variation", true);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Videos. A job is done when it is next looked at; its content is bytes that follow from its id and
 * begin like an MP4 file. What it costs is known when it is made: its seconds.
 */
#include "base/json_text.h"
#include "base/must.h"
#include "sim/http/apierr.h"
#include "sim/http/formread.h"
#include "sim/model/bill.h"
#include "sim/objects/objects.h"
#include "sim/simid.h"

#define CONTENT_BYTES 65536

static struct str field(struct call *c, const char *name)
{
    return c->form ? formread_text(c->form, name) : jdoc_text(jdoc_find(c->json, name), c->arena);
}

/* The one that is remixed, edited or extended; NULL with an answer when it is not there. */
static bool find_source(struct call *c, struct str *ret_id)
{
    *ret_id = STR("");
    if (c->args[0].n)
        *ret_id = c->args[0];
    else if (jdoc_has(jdoc_find(c->json, "video")))
        *ret_id = jdoc_text(jdoc_find(jdoc_find(c->json, "video"), "id"), c->arena);
    if (!ret_id->n || shelf_get(c->sim->shelf, STR("videos"), *ret_id))
        return true;
    apierr_no_such(c, "Video", *ret_id);
    return false;
}

void objects_video_create(struct call *c)
{
    struct str source, seconds = field(c, "seconds");
    uint64_t ms = 4000;
    if (!find_source(c, &source) || !crud_check_required(c, "prompt"))
        return;
    if (seconds.n && !json_to_milli(seconds, &ms)) {
        apierr_invalid(c, "seconds", "Invalid value: '%.*s'.", STR_ARG(str_head(seconds, 20)));
        return;
    }
    struct shelf_item *i = crud_make(c, &objects_video);
    if (!i)
        return;
    if (source.n)
        crud_change_text(c, i, call_format(c, "{\"remixed_from_video_id\":\"%.*s\"}", STR_ARG(source)));
    bill_new(c, CALL_WORK_VIDEOS)->video_ms = ms;
    bill_name(c, crud_member_text(c, i, "model"), STR(""));
    str_copy(c->used.usage.size, sizeof c->used.usage.size, crud_member_text(c, i, "size"));
    answer_header(c, "openai-poll-after-ms", STR("20"));
    crud_answer(c, i);
    crud_later(c, i, "{\"status\":\"completed\",\"progress\":100,\"completed_at\":\"$now\"}");
}

void objects_video_content(struct call *c)
{
    struct shelf_item *i = crud_find(c, &objects_video);
    struct str variant = call_query(c, "variant");
    struct buf out;
    if (!i)
        return;
    if (!str_eq(crud_member_text(c, i, "status"), STR("completed"))) {
        apierr(c, 404, "invalid_request_error", NULL, NULL, "Video is not ready yet, use GET /v1/videos/%s.", i->id);
        return;
    }
    struct rng_seeded g = {simid_hash(simid_hash(c->sim->opts.seed, str_c(i->id)), variant)};
    buf_init(&out, CONTENT_BYTES * 2);
    must(buf_add_str(&out, STR("\0\0\0\x18"
                               "ftypmp42\0\0\0\0mp42isom")));
    while (buf_size(&out) < CONTENT_BYTES) {
        uint64_t word = rng_seeded_u64(&g);
        must(buf_add(&out, &word, sizeof word));
    }
    bool picture = variant.n && !str_eq(variant, STR("video"));
    answer_body(c, 200, picture ? STR("image/webp") : STR("video/mp4"), &out);
}

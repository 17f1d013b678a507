/* SPDX-License-Identifier: Apache-2.0 */
/*
 * POST /tollgate/v1/integrations/{slug}/test: whether a stored account works, found out by a call that costs
 * nothing: its list of models, or for a key that reads bills yesterday's costs.
 */
#include <stdio.h>

#include "base/clock.h"
#include "base/json/jdoc.h"
#include "console/accounts/provider_call.h"
#include "console/native/native.h"

#define DAY_US INT64_C(86400000000)

static struct str path_of(const struct snapshot_integration *i, char *room, size_t cap)
{
    if (i->kind == KIND_INTEGRATION_OPENAI_ADMIN) {
        long long yesterday_s = (clock_wall_us() / DAY_US - 1) * 86400;
        snprintf(room, cap, "/organization/costs?start_time=%lld&limit=1", yesterday_s);
        return str_c(room);
    }
    if (i->kind != KIND_INTEGRATION_AZURE_OPENAI)
        return STR("/models");
    if (str_eq(i->api_version, STR("v1")))
        return STR("/v1/models");
    snprintf(room, cap, "/models?api-version=%.*s", STR_ARG(i->api_version));
    return str_c(room);
}

static void write_models(struct job *j, const struct fetch *f)
{
    struct jdoc doc;
    jdoc_init(&doc);
    struct jval list = jdoc_parse(&doc, buf_str(&f->body)) ? jdoc_get(jdoc_root(&doc), "data") : (struct jval){NULL, 0};
    if (jdoc_kind(list) == JDOC_ARRAY)
        json_write_member_uint(&j->json, "models", jdoc_size(list));
    else
        json_write_member_null(&j->json, "models");
    jdoc_free(&doc);
}

void integration_test(struct job *j)
{
    char room[128];
    const struct snapshot_integration *i = provider_call_account(j);
    const struct fetch *f = i ? provider_call(j, 0, i, "GET", path_of(i, room, sizeof room), STR("")) : NULL;
    if (!f)
        return;
    struct json_write *w = &j->json;
    bool there = f->state == FETCH_THERE;
    /* A provider that answers 429 knows the key. */
    bool ok = there && (f->status < 400 || f->status == 429);
    job_reply_json(j, 200);
    json_write_object(w);
    json_write_member_string(w, "object", STR("integration.test"));
    json_write_member_string(w, "slug", i->slug);
    json_write_member_bool(w, "ok", ok);
    if (there)
        json_write_member_int(w, "status", f->status);
    else
        json_write_member_null(w, "status");
    json_write_member_uint(w, "milliseconds", (clock_mono_us() - f->began_us) / 1000);
    if (there && f->status == 200 && i->kind != KIND_INTEGRATION_OPENAI_ADMIN)
        write_models(j, f);
    json_write_member_text(w, "message", provider_call_says(f, i));
    json_write_object_end(w);
}

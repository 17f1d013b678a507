/* SPDX-License-Identifier: Apache-2.0 */
/* The import of OpenAI's bill: what state it is in, and beginning it. */
#include "console/native/imports.h"

#include "base/clock.h"
#include "base/mem.h"
#include "console/console_inner.h"
#include "console/native/input.h"
#include "console/native/native.h"
#include "console/native/output.h"
#include "control/base_url.h"

#define HEAD_LINE_MAX 8192

/* --- state ----------------------------------------------------------------------------------- */

static void write_day(struct json_write *w, const char *name, int64_t day)
{
    char text[BILL_DAY_TEXT_MAX];
    if (day)
        json_write_member_string(w, name, str_of(text, bill_day_format(day, text)));
    else
        json_write_member_null(w, name);
}

static void write_state(struct json_write *w, const struct import_state *s)
{
    const struct bill_account *a = &s->account;
    json_write_object(w);
    json_write_member_string(w, "integration", a->slug);
    json_write_member_int(w, "id", a->id);
    json_write_member_string(w, "status", str_c(bill_status_text(a->status)));
    json_write_member_text(w, "error", a->error);
    json_write_member_int(w, "failures", a->failures);
    json_write_member_text(w, "organization", a->organization);
    json_write_member_text(w, "organization_name", a->title);
    output_time(w, "created_at", a->created_us);
    output_time(w, "last_updated", a->success_us);
    output_time(w, "next_refresh_at", s->running ? 0 : a->refresh_us);
    write_day(w, "backfill_start", a->backfill_day);
    write_day(w, "imported_back_to", a->back_day);
    json_write_member_bool(w, "has_keys", !a->no_keys);
    json_write_member_bool(w, "running", s->running || s->waiting);
    json_write_member_uint(w, "steps_done", s->running ? s->step : s->steps);
    json_write_member_uint(w, "steps", s->steps);
    json_write_member_uint(w, "rows", s->rows);
    json_write_member_uint(w, "buckets_changed", s->changed);
    json_write_member_uint(w, "corrections", s->corrections);
    json_write_member_uint(w, "inconsistent_days", s->inconsistent);
    json_write_member_uint(w, "requests", s->requests);
    json_write_member_uint(w, "requests_limited", s->limited);
    json_write_object_end(w);
}

static void reply_list(struct job *j, int status)
{
    struct import_state *list = NULL;
    size_t count = 0;
    struct import *im = j->console->settings.import;
    enum err e = im ? import_list(im, j->key->workspace_id, j->arena, &list, &count) : ERR_OK;
    if (e != ERR_OK) {
        job_fail(j, e, STR(""), STR(""));
        return;
    }
    job_reply_json(j, status);
    json_write_object(&j->json);
    json_write_member_string(&j->json, "object", STR("list"));
    json_write_key(&j->json, STR("data"));
    json_write_array(&j->json);
    for (size_t i = 0; i < count; i++)
        write_state(&j->json, &list[i]);
    json_write_array_end(&j->json);
    json_write_object_end(&j->json);
}

void imports_list(struct job *j)
{
    reply_list(j, 200);
}

/* --- beginning ------------------------------------------------------------------------------- */

void imports_start(struct job *j)
{
    struct input in;
    int64_t since_us = 0;
    unsigned count;
    struct import *im = j->console->settings.import;
    if (!input_begin(&in, j))
        return;
    struct str slug = input_text(&in, "integration"), since = input_text(&in, "since");
    if (!input_check(&in))
        return;
    struct str name = arena_dup(j->arena, slug);
    bool bad = since.n && (!clock_parse(since, &since_us) || since_us <= 0 || since_us > clock_wall_us());
    input_end(&in);
    if (bad) {
        job_fail(j, ERR_BAD_PARAMETER, STR("since"), STR("since is a day in the past, such as 2026-01-31."));
        return;
    }
    enum err e =
        im ? import_start(im, j->key->workspace_id, name, since_us ? bill_day_of(since_us) : 0, &count) : ERR_NOT_FOUND;
    if (e == ERR_NOT_FOUND)
        job_fail(j, e, STR("integration"),
                 STR("There is no such integration of kind openai-admin; connect one with 'tollgate connect "
                     "openai-admin'."));
    else if (e != ERR_OK)
        job_fail(j, e, STR(""), STR(""));
    else
        reply_list(j, 202);
}

/* --- keys ------------------------------------------------------------------------------------ */

enum import_verdict imports_check(struct job *j, struct str base_url, struct str api_key, char organization[128],
                                  char why[IMPORT_WHY_MAX])
{
    struct import *im = j->console->settings.import;
    struct base_url url;
    struct buf line;
    organization[0] = why[0] = '\0';
    if (!im || base_url_parse(base_url, &url, why, IMPORT_WHY_MAX) != ERR_OK)
        return IMPORT_KEY_UNKNOWN;
    buf_init(&line, HEAD_LINE_MAX);
    bool fits = buf_add_str(&line, STR("Authorization: Bearer ")) && buf_add_str(&line, api_key) &&
                buf_add_str(&line, STR("\r\n"));
    struct import_target target = {.tls = url.tls,
                                   .port = url.port,
                                   .host = str_c(url.host),
                                   .authority = str_c(url.authority),
                                   .base_path = str_c(url.path),
                                   .head_lines = buf_str(&line)};
    enum import_verdict verdict =
        fits ? import_check(import_way_of(im), &target, organization, why) : IMPORT_KEY_UNKNOWN;
    if (line.p)
        mem_wipe(line.p, line.cap);
    buf_free(&line);
    return verdict;
}

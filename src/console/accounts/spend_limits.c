/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /tollgate/v1/integrations/{slug}/spend-limit and …/projects/{id}/spend-limit: the monthly limit that OpenAI itself
 * enforces, of the organization or of one project, set and read with an admin key that may write. Dollars here,
 * whole cents there. Nothing is kept: what is answered is what OpenAI says.
 */
#include <stdio.h>

#include "base/clock.h"
#include "base/json/jdoc.h"
#include "base/money.h"
#include "console/accounts/provider_call.h"
#include "console/console_inner.h"
#include "console/native/input.h"
#include "console/native/native.h"
#include "control/control.h"
#include "control/people/audit.h"

#define PUSD_PER_CENT INT64_C(10000000000)
#define PROJECT_MAX 64

struct place {
    const struct snapshot_integration *account;
    struct str project; /* "" = the organization */
    char path[160];
};

static bool is_project(struct str id)
{
    bool ok = id.n > 0 && id.n <= PROJECT_MAX;
    for (size_t i = 0; ok && i < id.n; i++) {
        char c = id.p[i];
        ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
    }
    return ok;
}

/* False when the job was answered. */
static bool find_place(struct job *j, struct str project, struct place *ret)
{
    *ret = (struct place){.account = provider_call_account(j), .project = project};
    if (!ret->account)
        return false;
    if (ret->account->kind != KIND_INTEGRATION_OPENAI_ADMIN) {
        job_fail(j, ERR_BAD_PARAMETER, STR("slug"), STR("limits at OpenAI take an integration of kind openai-admin"));
        return false;
    }
    if (project.p && !is_project(project)) {
        job_fail(j, ERR_NOT_FOUND, STR("project"), STR("a project's id is like proj_abc123"));
        return false;
    }
    if (project.p)
        snprintf(ret->path, sizeof ret->path, "/organization/projects/%.*s/spend_limit", STR_ARG(project));
    else
        snprintf(ret->path, sizeof ret->path, "/organization/spend_limit");
    return true;
}

static void write_limit(struct json_write *w, const struct place *p, uint64_t cents, struct str status)
{
    char amount[32];
    int n = snprintf(amount, sizeof amount, "%llu.%02llu", (unsigned long long)(cents / 100),
                     (unsigned long long)(cents % 100));
    json_write_object(w);
    json_write_member_string(w, "object", STR("spend_limit"));
    json_write_member_string(w, "integration", p->account->slug);
    json_write_member_text(w, "project", p->project);
    if (cents)
        json_write_member_string(w, "amount", str_of(amount, (size_t)n));
    else
        json_write_member_null(w, "amount");
    json_write_member_string(w, "currency", STR("USD"));
    json_write_member_string(w, "interval", STR("month"));
    json_write_member_string(w, "status", status);
    json_write_object_end(w);
}

/* What OpenAI says of the limit. False when the job was answered with what went wrong. */
static bool read_limit(struct job *j, const struct place *p, const struct fetch *f, uint64_t *ret_cents,
                       struct str *ret_status)
{
    struct jdoc doc;
    *ret_cents = 0;
    *ret_status = STR("inactive");
    if (f->state == FETCH_THERE && f->status == 404) /* there is none */
        return true;
    if (f->state != FETCH_THERE || f->status != 200) {
        job_fail(j, f->state == FETCH_THERE ? ERR_UPSTREAM_BAD_HTTP : f->err, STR(""),
                 provider_call_says(f, p->account));
        return false;
    }
    jdoc_init(&doc);
    bool ok = jdoc_parse(&doc, buf_str(&f->body));
    struct jval root = ok ? jdoc_root(&doc) : (struct jval){NULL, 0};
    *ret_cents = jdoc_count(jdoc_get(root, "threshold_amount"), UINT64_MAX);
    struct jval status = jdoc_get(jdoc_get(root, "enforcement"), "status");
    if (jdoc_kind(status) == JDOC_STRING)
        *ret_status = arena_dup(j->arena, jdoc_text(status, j->arena));
    jdoc_free(&doc);
    if (*ret_cents == UINT64_MAX)
        job_fail(j, ERR_UPSTREAM_BAD_HTTP, STR(""), STR("the provider's answer has no threshold_amount"));
    return j->status == 0;
}

static void reply(struct job *j, const struct place *p, const struct fetch *f)
{
    uint64_t cents;
    struct str status;
    if (!read_limit(j, p, f, &cents, &status))
        return;
    job_reply_json(j, 200);
    write_limit(&j->json, p, cents, status);
}

/* The change was made at OpenAI; here it is told who made it. */
static void note(struct job *j, const struct place *p, const char *action, uint64_t cents)
{
    char object[256];
    struct audit_text after;
    struct control_why why = {.param = ""};
    snprintf(object, sizeof object, "%.*s%s%.*s", STR_ARG(p->account->slug), p->project.n ? "/" : "",
             STR_ARG(p->project));
    audit_text_begin(&after);
    json_write_member_uint(&after.w, "threshold_cents", cents);
    const struct audit_elsewhere row = {
        .change = {.workspace_id = j->workspace_id,
                   .action = action,
                   .object_type = "spend_limit",
                   .object_id = str_c(object),
                   .after = cents ? audit_text_end(&after) : STR(""),
                   .time_us = clock_wall_us()},
        .actor = *actor_get(),
    };
    enum err e = audit_note_elsewhere(j->console->settings.control, &row, 1, &why);
    audit_text_free(&after);
    if (e)
        job_fail_why(j, e, &why);
}

/* "500", "12.50". False when the job was answered. */
static bool read_amount(struct job *j, uint64_t *ret_cents)
{
    struct input in;
    int64_t pusd = 0;
    if (!input_begin(&in, j))
        return false;
    struct str text = input_text(&in, "amount");
    bool ok = input_check(&in);
    bool whole = ok && text.p && money_parse(text, &pusd) && pusd > 0 && pusd % PUSD_PER_CENT == 0;
    input_end(&in);
    if (ok && !whole)
        job_fail(j, ERR_BAD_PARAMETER, STR("amount"), STR("dollars and whole cents as a string, at least \"0.01\""));
    *ret_cents = whole ? (uint64_t)(pusd / PUSD_PER_CENT) : 0;
    return whole;
}

static void get(struct job *j, struct str project)
{
    struct place p;
    if (!find_place(j, project, &p))
        return;
    const struct fetch *f = provider_call(j, 0, p.account, "GET", str_c(p.path), STR(""));
    if (f)
        reply(j, &p, f);
}

static void set(struct job *j, struct str project)
{
    struct place p;
    uint64_t cents;
    char body[128];
    if (!find_place(j, project, &p) || !read_amount(j, &cents))
        return;
    int n = snprintf(body, sizeof body, "{\"currency\":\"USD\",\"interval\":\"month\",\"threshold_amount\":%llu}",
                     (unsigned long long)cents);
    struct str content = arena_dup(j->arena, str_of(body, (size_t)n));
    const struct fetch *f = provider_call(j, 0, p.account, "POST", str_c(p.path), content);
    if (!f)
        return;
    if (f->state == FETCH_THERE && f->status == 200)
        note(j, &p, "spend_limit.set", cents);
    if (!j->status)
        reply(j, &p, f);
}

static void drop(struct job *j, struct str project)
{
    struct place p;
    if (!find_place(j, project, &p))
        return;
    const struct fetch *f = provider_call(j, 0, p.account, "DELETE", str_c(p.path), STR(""));
    if (!f)
        return;
    bool gone = f->state == FETCH_THERE && (f->status == 200 || f->status == 404);
    if (gone && f->status == 200)
        note(j, &p, "spend_limit.delete", 0);
    if (!gone)
        job_fail(j, f->state == FETCH_THERE ? ERR_UPSTREAM_BAD_HTTP : f->err, STR(""),
                 provider_call_says(f, p.account));
    else if (!j->status)
        job_reply_empty(j, 204);
}

static struct str organization(void)
{
    return (struct str){NULL, 0};
}

void spend_limits_get(struct job *j)
{
    get(j, organization());
}

void spend_limits_set(struct job *j)
{
    set(j, organization());
}

void spend_limits_delete(struct job *j)
{
    drop(j, organization());
}

void spend_limits_get_project(struct job *j)
{
    get(j, j->params[1]);
}

void spend_limits_set_project(struct job *j)
{
    set(j, j->params[1]);
}

void spend_limits_delete_project(struct job *j)
{
    drop(j, j->params[1]);
}

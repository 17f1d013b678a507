/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Access grants: which team sees which report resource (report/docs/docs_view.h). They are made by admins of the resource's
 * workspace, and nobody makes one that hides the resource from themselves: it could only be undone by others.
 */
#include "console/console_inner.h"
#include "console/vantage/access/persons.h"
#include "console/vantage/vantage.h"
#include "console/vantage/vantage_reply.h"
#include "control/people/team.h"
#include "report/docs/docs_view.h"

static void write_grant(struct job *j, const struct doc *grant)
{
    struct json_write *w = &j->json;
    struct jdoc body;
    jdoc_init(&body);
    struct jval root = jdoc_parse(&body, grant->body) ? jdoc_root(&body) : (struct jval){0};
    json_write_object(w);
    json_write_member_string(w, "token", grant->token);
    for (struct jval n = jdoc_first(root); jdoc_has(n); n = jdoc_next(root, n)) {
        json_write_key(w, jdoc_escaped(n));
        json_write_raw(w, jdoc_raw(jdoc_value(n)));
    }
    vantage_time(w, "created_at", grant->created_us);
    json_write_member_text(w, "created_by", grant->created_by);
    json_write_object_end(w);
    jdoc_free(&body);
}

void grants_list(struct job *j)
{
    struct docs_query q = {.kind = DOCS_ACCESS_GRANT};
    struct vantage_page page;
    struct sight s;
    struct doc *rows;
    size_t count;
    uint64_t total;
    if (!vantage_page_read(j, 100, 1000, &page) || !ask_sight(j, &s))
        return;
    q.workspaces = s.ids;
    q.workspace_count = s.count;
    q.skip = (page.page - 1) * page.limit;
    q.limit = page.limit;
    enum err e = docs_list(ask_docs(j), &q, j->arena, &rows, &count, &total);
    if (e != ERR_OK) {
        vantage_fail_err(j, e, docs_reason(ask_docs(j)));
        return;
    }
    job_reply_json(j, 200);
    json_write_object(&j->json);
    vantage_links(j, &page, total, false);
    json_write_key(&j->json, STR("access_grants"));
    json_write_array(&j->json);
    for (size_t i = 0; i < count; i++)
        write_grant(j, &rows[i]);
    json_write_array_end(&j->json);
    json_write_object_end(&j->json);
}

static bool named(struct job *j, struct doc *ret)
{
    struct sight s;
    return ask_sight(j, &s) && ask_doc(j, &s, DOCS_ACCESS_GRANT, ask_token(j, 0), ret);
}

void grants_get(struct job *j)
{
    struct doc grant;
    if (!named(j, &grant))
        return;
    job_reply_json(j, 200);
    write_grant(j, &grant);
}

/* ---- writing ---- */

static bool find_resource(struct job *j, const struct sight *s, struct str token, struct doc *ret)
{
    static const enum docs_kind kinds[] = {DOCS_COST_REPORT,  DOCS_FOLDER, DOCS_DASHBOARD,
                                           DOCS_SAVED_FILTER, DOCS_BUDGET, DOCS_SEGMENT};
    for (size_t i = 0; token.n && i < sizeof kinds / sizeof kinds[0]; i++)
        if (docs_find(ask_docs(j), kinds[i], token, j->arena, ret) == ERR_OK && ask_sees(s, ret->workspace))
            return true;
    vantage_fail(j, token.n ? 404 : 400, token.n ? "There is no such resource" : "resource_token is required");
    return false;
}

static bool check_team(struct job *j, struct str token)
{
    struct control_why why;
    struct team t;
    int64_t id;
    if (ask_id(token, PERSONS_TEAM, &id) && team_find(j->console->settings.control, id, j->arena, &t, &why) == ERR_OK)
        return true;
    vantage_fail(j, token.n ? 404 : 400, token.n ? "There is no such team" : "team_token is required");
    return false;
}

/* Whether the caller still sees the resource of a grant as it is now. */
static bool still_seen(struct job *j, const struct doc *grant)
{
    struct doc again;
    return persons_view(j) && docs_find(ask_docs(j), DOCS_ACCESS_GRANT, grant->token, j->arena, &again) == ERR_OK;
}

static const char locked_out[] = "You would not see it yourself any more; allow it for a team of yours first";

static void create(struct job *j, const struct sight *s, struct jval body)
{
    struct doc resource, grant;
    struct docs_new what = {.kind = DOCS_ACCESS_GRANT, .created_by = ask_id_token(j, PERSONS_USER, j->key->member_id)};
    if (!find_resource(j, s, jdoc_text(jdoc_get(body, "resource_token"), j->arena), &resource) ||
        !check_team(j, jdoc_text(jdoc_get(body, "team_token"), j->arena)))
        return;
    what.workspace = resource.workspace;
    enum err e = docs_create(ask_docs(j), &what, body, j->arena, &grant);
    if (e != ERR_OK) {
        vantage_fail_err(j, e, docs_reason(ask_docs(j)));
        return;
    }
    if (still_seen(j, &grant)) {
        job_reply_json(j, 201);
        write_grant(j, &grant);
    } else if (!j->status) {
        e = docs_remove(ask_docs(j), &grant);
        vantage_fail(j, 422, e == ERR_OK ? locked_out : docs_reason(ask_docs(j)));
    }
}

void grants_create(struct job *j)
{
    struct sight s;
    struct jdoc body;
    if (!ask_sight(j, &s) || !ask_body(j, &body))
        return;
    create(j, &s, jdoc_root(&body));
    jdoc_free(&body);
}

/* Back to what it was. */
static void undo(struct job *j, const struct doc *before)
{
    struct jdoc old;
    struct doc doc;
    jdoc_init(&old);
    enum err e = jdoc_parse(&old, before->body) ? docs_update(ask_docs(j), before, jdoc_root(&old), j->arena, &doc)
                                                : ERR_CORRUPT;
    jdoc_free(&old);
    vantage_fail(j, 422, e == ERR_OK ? locked_out : docs_reason(ask_docs(j)));
}

void grants_update(struct job *j)
{
    struct jdoc body;
    struct doc before, grant;
    if (!named(j, &before) || !ask_body(j, &body))
        return;
    struct str access = jdoc_text(jdoc_get(jdoc_root(&body), "access"), j->arena);
    enum err e = access.n ? docs_update(ask_docs(j), &before, jdoc_root(&body), j->arena, &grant) : ERR_OK;
    jdoc_free(&body);
    if (!access.n) {
        vantage_fail(j, 400, "access is required: allowed or denied");
    } else if (e != ERR_OK) {
        vantage_fail_err(j, e, docs_reason(ask_docs(j)));
    } else if (still_seen(j, &grant)) {
        job_reply_json(j, 200);
        write_grant(j, &grant);
    } else if (!j->status) {
        undo(j, &before);
    }
}

void grants_delete(struct job *j)
{
    struct doc grant;
    if (!named(j, &grant))
        return;
    enum err e = docs_remove(ask_docs(j), &grant);
    if (e != ERR_OK)
        vantage_fail_err(j, e, docs_reason(ask_docs(j)));
    else
        job_reply_empty(j, 204);
}

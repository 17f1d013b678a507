/* SPDX-License-Identifier: Apache-2.0 */
/* What the handlers of this folder share. Teams come from control, grants from the report resources. */
#include "console/vantage/access/persons.h"

#include <stdio.h>

#include "base/log.h"
#include "base/must.h"
#include "console/console_inner.h"
#include "console/vantage/vantage_reply.h"
#include "control/people/reach.h"
#include "control/people/team.h"
#include "report/docs/docs_view.h"

/* ---- roles ---- */

static const char *const words[KIND_ROLE_COUNT] = {[KIND_ROLE_OWNER] = "owner",
                                                   [KIND_ROLE_ADMIN] = "integration_owner",
                                                   [KIND_ROLE_MEMBER] = "editor",
                                                   [KIND_ROLE_VIEWER] = "viewer"};

struct str persons_role_word(enum kind_role role)
{
    must(role < KIND_ROLE_COUNT);
    return str_c(words[role]);
}

bool persons_role(struct job *j, struct str word, enum kind_role otherwise, enum kind_role *ret)
{
    unsigned r = 0;
    *ret = otherwise;
    while (word.n && r < KIND_ROLE_COUNT && !str_eq(word, str_c(words[r])))
        r++;
    if (r == KIND_ROLE_COUNT) {
        vantage_fail(j, 400, "role must be one of: owner, integration_owner, editor, viewer");
        return false;
    }
    if (word.n)
        *ret = (enum kind_role)r;
    if (*ret < j->key->role) {
        vantage_fail(j, 403, "nobody hands out more rights than they have");
        return false;
    }
    return true;
}

bool persons_is_organizer(const struct job *j)
{
    return reach_organizes(j->key, KIND_ROLE_ADMIN);
}

bool persons_organize(struct job *j)
{
    bool ok = persons_is_organizer(j);
    if (!ok)
        vantage_fail(j, 403, "this is for owners and admins of the organization");
    return ok;
}

/* ---- what is seen ---- */

bool persons_sees_everything(const struct job *j)
{
    return reach_organizes(j->key, KIND_ROLE_OWNER);
}

static enum err view_by_teams(struct job *j, struct control_why *why)
{
    struct docs_viewer v = {.team_count = 0};
    int64_t *ids;
    size_t count;
    enum err e = team_of(j->console->settings.control, j->key->member_id, j->arena, &ids, &count, why);
    if (e != ERR_OK)
        return e;
    struct str *teams = arena_alloc(j->arena, (count + 1) * sizeof *teams);
    must(teams);
    for (size_t i = 0; i < count; i++)
        teams[i] = ask_id_token(j, PERSONS_TEAM, ids[i]);
    v.teams = teams;
    v.team_count = count;
    e = docs_view(j->console->docs, &v);
    if (e != ERR_OK)
        snprintf(why->text, sizeof why->text, "%s", docs_reason(j->console->docs));
    return e;
}

bool persons_view(struct job *j)
{
    struct control_why why = {.param = "", .text = ""};
    struct docs *d = j->console->docs;
    bool matters = false;
    enum err e = docs_view_matters(d, &matters);
    if (e == ERR_OK && matters && j->key && !persons_sees_everything(j)) {
        e = view_by_teams(j, &why);
    } else if (e == ERR_OK) {
        e = docs_view(d, NULL);
    }
    if (e != ERR_OK)
        job_fail(j, e, STR(""), str_c(why.text[0] ? why.text : docs_reason(d)));
    return e == ERR_OK;
}

void persons_view_end(struct job *j)
{
    if (docs_view(j->console->docs, NULL) != ERR_OK)
        log_warn("view_not_ended", LOG_TEXT("why", docs_reason(j->console->docs)));
}

/* ---- dashboards ---- */

bool persons_check_dashboard(struct job *j, const struct sight *s, struct str token)
{
    struct doc board;
    bool seen = !token.n || (docs_find(ask_docs(j), DOCS_DASHBOARD, token, j->arena, &board) == ERR_OK &&
                             ask_sees(s, board.workspace));
    if (!seen)
        vantage_fail(j, 422, "There is no such dashboard");
    return seen;
}

void persons_write_dashboard(struct job *j, const struct sight *s, struct str token)
{
    struct doc board;
    bool seen = token.n && docs_find(ask_docs(j), DOCS_DASHBOARD, token, j->arena, &board) == ERR_OK &&
                ask_sees(s, board.workspace);
    json_write_member_text(&j->json, "default_dashboard_token", seen ? token : STR(""));
}

struct str persons_dashboard(struct job *j, int64_t member_id)
{
    struct doc person;
    struct jdoc body;
    struct str token = STR("");
    if (docs_find(ask_docs(j), DOCS_PERSON, ask_id_token(j, PERSONS_USER, member_id), j->arena, &person) != ERR_OK)
        return token;
    jdoc_init(&body);
    if (jdoc_parse(&body, person.body))
        token = jdoc_text(jdoc_get(jdoc_root(&body), "default_dashboard_token"), j->arena);
    token = token.n ? arena_dup(j->arena, token) : STR("");
    jdoc_free(&body);
    return token;
}

struct str persons_dashboard_or_teams(struct job *j, int64_t member_id)
{
    struct control *control = j->console->settings.control;
    struct str token = persons_dashboard(j, member_id);
    struct control_why why;
    int64_t *ids;
    size_t count = 0;
    if (token.n || team_of(control, member_id, j->arena, &ids, &count, &why) != ERR_OK)
        return token;
    for (size_t i = 0; i < count && !token.n; i++) {
        struct team t;
        if (team_find(control, ids[i], j->arena, &t, &why) == ERR_OK)
            token = t.dashboard;
    }
    return token;
}

bool persons_set_dashboard(struct job *j, const struct sight *s, int64_t member_id, struct jval body)
{
    const struct docs_new what = {.kind = DOCS_PERSON, .token = ask_id_token(j, PERSONS_USER, member_id)};
    struct doc before, doc;
    if (!persons_check_dashboard(j, s, jdoc_text(jdoc_get(body, "default_dashboard_token"), j->arena)))
        return false;
    bool known = docs_find(ask_docs(j), DOCS_PERSON, what.token, j->arena, &before) == ERR_OK;
    enum err e = known ? docs_update(ask_docs(j), &before, body, j->arena, &doc)
                       : docs_create(ask_docs(j), &what, body, j->arena, &doc);
    if (e != ERR_OK)
        vantage_fail_err(j, e, docs_reason(ask_docs(j)));
    return e == ERR_OK;
}

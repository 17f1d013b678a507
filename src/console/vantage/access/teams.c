/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Teams, as Vantage's clients see them. The organization's owners and admins see and change all of them, others see those
 * that they are in, of Everyone only themselves.
 */
#include "control/people/team.h"

#include "base/must.h"
#include "console/console_inner.h"
#include "console/vantage/access/persons.h"
#include "console/vantage/vantage.h"
#include "console/vantage/vantage_reply.h"

#define PEOPLE_MAX 1000

static struct control *control_of(struct job *j)
{
    return j->console->settings.control;
}

/* ---- reading ---- */

static bool is_mine(const int64_t *mine, size_t count, int64_t id)
{
    for (size_t i = 0; i < count; i++)
        if (mine[i] == id)
            return true;
    return false;
}

/* The team in the path, when the caller may see it. False when the job was answered. */
static bool named(struct job *j, struct team *ret)
{
    struct control_why why;
    int64_t id = 0, *mine;
    size_t count = 0;
    enum err e = ERR_NOT_FOUND;
    if (ask_id(ask_token(j, 0), PERSONS_TEAM, &id))
        e = team_find(control_of(j), id, j->arena, ret, &why);
    if (e == ERR_OK && !persons_is_organizer(j)) {
        e = team_of(control_of(j), j->key->member_id, j->arena, &mine, &count, &why);
        if (e == ERR_OK && !is_mine(mine, count, id))
            e = ERR_NOT_FOUND;
    }
    if (e == ERR_NOT_FOUND)
        vantage_fail(j, 404, "There is no such team");
    else if (e != ERR_OK)
        vantage_fail_err(j, e, why.text);
    return e == ERR_OK;
}

/* Those of its people that the caller may see. False when the job was answered. */
static bool people_of(struct job *j, int64_t id, struct team_member **ret, size_t *ret_count)
{
    struct control_why why;
    size_t all = 0;
    enum err e = team_members(control_of(j), id, j->arena, ret, &all, &why);
    bool only_me = id == TEAM_EVERYONE && !persons_is_organizer(j);
    *ret_count = 0;
    for (size_t i = 0; e == ERR_OK && i < all; i++)
        if (!only_me || (*ret)[i].member.id == j->key->member_id)
            (*ret)[(*ret_count)++] = (*ret)[i];
    if (e != ERR_OK)
        vantage_fail_err(j, e, why.text);
    return e == ERR_OK;
}

static bool write_team(struct job *j, const struct sight *s, const struct team *t)
{
    struct json_write *w = &j->json;
    struct team_member *people;
    size_t count;
    if (!people_of(j, t->id, &people, &count))
        return false;
    json_write_object(w);
    json_write_member_string(w, "token", ask_id_token(j, PERSONS_TEAM, t->id));
    json_write_member_string(w, "name", t->name);
    json_write_member_text(w, "description", t->description);
    json_write_key(w, STR("workspace_tokens"));
    json_write_array(w);
    for (size_t i = 0; i < t->workspace_count; i++)
        if (persons_is_organizer(j) || ask_sees(s, t->workspaces[i]))
            json_write_string(w, ask_id_token(j, "wrkspc_", t->workspaces[i]));
    json_write_array_end(w);
    json_write_key(w, STR("user_emails"));
    json_write_array(w);
    for (size_t i = 0; i < count; i++)
        json_write_string(w, people[i].member.email);
    json_write_array_end(w);
    json_write_key(w, STR("user_tokens"));
    json_write_array(w);
    for (size_t i = 0; i < count; i++)
        json_write_string(w, ask_id_token(j, PERSONS_USER, people[i].member.id));
    json_write_array_end(w);
    persons_write_dashboard(j, s, t->dashboard);
    json_write_object_end(w);
    return true;
}

static void reply_with(struct job *j, int status, const struct sight *s, int64_t id)
{
    struct control_why why;
    struct team t;
    enum err e = team_find(control_of(j), id, j->arena, &t, &why);
    if (e != ERR_OK) {
        vantage_fail_err(j, e, why.text);
        return;
    }
    job_reply_json(j, status);
    (void)write_team(j, s, &t);
}

static bool has_workspace(const struct team *t, int64_t id)
{
    for (size_t i = 0; i < t->workspace_count; i++)
        if (t->workspaces[i] == id)
            return true;
    return false;
}

/* The teams that the query lets through. False when the job was answered. */
static bool chosen(struct job *j, const struct sight *s, struct team **ret, size_t *ret_count)
{
    struct control_why why;
    size_t all = 0, mine_count = 0;
    int64_t *mine = NULL, place = 0;
    struct str q = ask_text(j, "q"), workspace = ask_text(j, "workspace_token");
    if (workspace.n && !ask_workspace(j, s, workspace, &place))
        return false;
    enum err e = team_list(control_of(j), j->arena, ret, &all, &why);
    if (e == ERR_OK && !persons_is_organizer(j))
        e = team_of(control_of(j), j->key->member_id, j->arena, &mine, &mine_count, &why);
    if (e != ERR_OK) {
        vantage_fail_err(j, e, why.text);
        return false;
    }
    *ret_count = 0;
    for (size_t i = 0; i < all; i++) {
        const struct team *t = &(*ret)[i];
        if ((!mine || is_mine(mine, mine_count, t->id)) && (!place || has_workspace(t, place)) &&
            (!q.n || ask_contains(t->name, q)))
            (*ret)[(*ret_count)++] = *t;
    }
    return true;
}

void teams_list(struct job *j)
{
    struct vantage_page page;
    struct sight s;
    struct team *rows;
    size_t count;
    if (!vantage_page_read(j, 100, 1000, &page) || !ask_sight(j, &s) || !chosen(j, &s, &rows, &count))
        return;
    job_reply_json(j, 200);
    json_write_object(&j->json);
    vantage_links(j, &page, count, false);
    json_write_key(&j->json, STR("teams"));
    json_write_array(&j->json);
    for (size_t i = (page.page - 1) * page.limit, n = 0; i < count && n < page.limit; i++, n++)
        if (!write_team(j, &s, &rows[i]))
            return;
    json_write_array_end(&j->json);
    json_write_object_end(&j->json);
}

void teams_get(struct job *j)
{
    struct sight s;
    struct team t;
    if (ask_sight(j, &s) && named(j, &t))
        reply_with(j, 200, &s, t.id);
}

/* ---- writing ---- */

/* What a body says of a team; lists in the job's arena. */
struct given {
    struct team_change change;
    struct str name, description, dashboard;
};

static bool read_text(struct job *j, struct jval body, const char *name, struct str *text, const struct str **ret)
{
    struct jval v = jdoc_find(body, name);
    if (!jdoc_has(v))
        return true;
    *text = jdoc_text(v, j->arena);
    *ret = text;
    bool ok = jdoc_kind(v) == JDOC_STRING || jdoc_kind(v) == JDOC_NULL;
    if (!ok)
        vantage_fail(j, 400, "name, description and default_dashboard_token are texts");
    return ok;
}

static bool read_workspaces(struct job *j, const struct sight *s, struct jval list, struct team_change *c)
{
    size_t count = jdoc_size(list);
    int64_t *ids = arena_alloc(j->arena, (count + 1) * sizeof *ids);
    must(ids);
    if (!jdoc_has(list))
        return true;
    for (struct jval v = jdoc_first(list); jdoc_has(v); v = jdoc_next(list, v)) {
        struct str token = jdoc_text(v, j->arena);
        if (!token.n || !ask_workspace(j, s, token, &ids[c->workspace_count])) {
            if (!j->status)
                vantage_fail(j, 404, "There is no such workspace");
            return false;
        }
        c->workspace_count++;
    }
    c->workspaces = ids;
    return true;
}

static bool add_person(struct job *j, struct str said, bool email, struct team_change *c, int64_t *ids)
{
    struct control_why why;
    struct member m = {.id = 0};
    enum err e = ERR_NOT_FOUND;
    if (email)
        e = member_find_email(control_of(j), said, j->arena, &m, &why);
    else if (ask_id(said, PERSONS_USER, &m.id))
        e = member_find(control_of(j), m.id, j->arena, &m, &why);
    if (e != ERR_OK || c->member_count == PEOPLE_MAX) {
        vantage_fail(j, e == ERR_OK ? 422 : 404,
                     e == ERR_OK ? "a team has at most 1,000 people" : "There is no such user");
        return false;
    }
    if (!is_mine(ids, c->member_count, m.id))
        ids[c->member_count++] = m.id;
    return true;
}

static bool read_people(struct job *j, struct jval body, struct team_change *c)
{
    static const char *const names[] = {"user_tokens", "user_emails"};
    int64_t *ids = arena_alloc(j->arena, PEOPLE_MAX * sizeof *ids);
    must(ids);
    for (int i = 0; i < 2; i++) {
        struct jval list = jdoc_get(body, names[i]);
        if (jdoc_kind(list) != JDOC_ARRAY)
            continue;
        c->members = ids;
        for (struct jval v = jdoc_first(list); jdoc_has(v); v = jdoc_next(list, v))
            if (!add_person(j, jdoc_text(v, j->arena), i == 1, c, ids))
                return false;
    }
    struct str role = jdoc_text(jdoc_get(body, "role"), j->arena);
    c->role_given = role.n > 0;
    return persons_role(j, role, KIND_ROLE_MEMBER, &c->role);
}

static bool read_given(struct job *j, const struct sight *s, struct jval body, struct given *g)
{
    *g = (struct given){.name = STR("")};
    struct team_change *c = &g->change;
    return read_text(j, body, "name", &g->name, &c->name) &&
           read_text(j, body, "description", &g->description, &c->description) &&
           read_text(j, body, "default_dashboard_token", &g->dashboard, &c->dashboard) &&
           persons_check_dashboard(j, s, g->dashboard) &&
           read_workspaces(j, s, jdoc_get(body, "workspace_tokens"), c) && read_people(j, body, c);
}

/* A team is changed by who could give out each role in it. Everyone's roles are those that people have anyway. */
static bool may_change(struct job *j, int64_t id)
{
    struct control_why why;
    enum kind_role strongest;
    enum err e = team_strongest(control_of(j), id, &strongest, &why);
    if (e != ERR_OK)
        vantage_fail_err(j, e, why.text);
    else if (id != TEAM_EVERYONE && strongest < j->key->role)
        vantage_fail(j, 403, "somebody in this team has more rights than you");
    return !j->status;
}

void teams_create(struct job *j)
{
    struct control_why why;
    struct sight s;
    struct jdoc body;
    struct given g;
    int64_t id = 0;
    if (!persons_organize(j) || !ask_sight(j, &s) || !ask_body(j, &body))
        return;
    if (read_given(j, &s, jdoc_root(&body), &g)) {
        enum err e = team_create(control_of(j), &g.change, &id, &why);
        if (e != ERR_OK)
            vantage_fail_err(j, e, why.text);
        else
            reply_with(j, 201, &s, id);
    }
    jdoc_free(&body);
}

void teams_update(struct job *j)
{
    struct control_why why;
    struct sight s;
    struct jdoc body;
    struct given g;
    struct team t;
    if (!persons_organize(j) || !ask_sight(j, &s) || !named(j, &t) || !may_change(j, t.id) || !ask_body(j, &body))
        return;
    if (read_given(j, &s, jdoc_root(&body), &g)) {
        enum err e = team_update(control_of(j), t.id, &g.change, &why);
        if (e != ERR_OK)
            vantage_fail_err(j, e, why.text);
        else
            reply_with(j, 200, &s, t.id);
    }
    jdoc_free(&body);
}

/* Grants for the team go too: they say nothing any more. */
static enum err remove_grants(struct job *j, struct str team)
{
    struct docs_query q = {.kind = DOCS_ACCESS_GRANT, .limit = DOCS_COUNT_MAX, .unseen = true};
    struct doc *rows;
    size_t count;
    uint64_t total;
    enum err e = docs_list(ask_docs(j), &q, j->arena, &rows, &count, &total);
    for (size_t i = 0; e == ERR_OK && i < count; i++) {
        struct jdoc body;
        jdoc_init(&body);
        if (jdoc_parse(&body, rows[i].body) && jdoc_is(jdoc_get(jdoc_root(&body), "team_token"), team.p))
            e = docs_remove(ask_docs(j), &rows[i]);
        jdoc_free(&body);
    }
    return e;
}

void teams_delete(struct job *j)
{
    struct control_why why;
    struct team t;
    if (!persons_organize(j) || !named(j, &t) || !may_change(j, t.id))
        return;
    enum err e = team_delete(control_of(j), t.id, &why);
    if (e != ERR_OK)
        vantage_fail_err(j, e, why.text);
    else if ((e = remove_grants(j, ask_id_token(j, PERSONS_TEAM, t.id))) != ERR_OK)
        vantage_fail_err(j, e, docs_reason(ask_docs(j)));
    else
        job_reply_empty(j, 204);
}

/* ---- who is in it ---- */

static void write_member(struct job *j, const struct team_member *m)
{
    struct json_write *w = &j->json;
    json_write_object(w);
    json_write_member_string(w, "name", m->member.name);
    json_write_member_string(w, "email", m->member.email);
    json_write_member_string(w, "user_token", ask_id_token(j, PERSONS_USER, m->member.id));
    json_write_member_string(w, "role", persons_role_word(m->role));
    json_write_object_end(w);
}

void teams_members(struct job *j)
{
    struct vantage_page page;
    struct team t;
    struct team_member *people;
    size_t count;
    if (!vantage_page_read(j, 100, 1000, &page) || !named(j, &t) || !people_of(j, t.id, &people, &count))
        return;
    job_reply_json(j, 200);
    json_write_object(&j->json);
    vantage_links(j, &page, count, false);
    json_write_key(&j->json, STR("members"));
    json_write_array(&j->json);
    for (size_t i = (page.page - 1) * page.limit, n = 0; i < count && n < page.limit; i++, n++)
        write_member(j, &people[i]);
    json_write_array_end(&j->json);
    json_write_object_end(&j->json);
}

static void join(struct job *j, const struct team *t, struct jval body)
{
    struct control_why why;
    struct team_member m = {.role = KIND_ROLE_MEMBER};
    struct str email = jdoc_text(jdoc_get(body, "user_email"), j->arena);
    if (!email.n) {
        vantage_fail(j, 400, "user_email is required");
        return;
    }
    if (!persons_role(j, jdoc_text(jdoc_get(body, "role"), j->arena), KIND_ROLE_MEMBER, &m.role))
        return;
    if (member_find_email(control_of(j), email, j->arena, &m.member, &why) != ERR_OK) {
        vantage_fail(j, 404, "There is no such user; invite them to the organization first");
        return;
    }
    enum err e = team_join(control_of(j), t->id, m.member.id, m.role, &why);
    if (e != ERR_OK) {
        vantage_fail_err(j, e, why.text);
        return;
    }
    job_reply_json(j, 201);
    write_member(j, &m);
}

void teams_join(struct job *j)
{
    struct jdoc body;
    struct team t;
    if (!persons_organize(j) || !named(j, &t) || !may_change(j, t.id) || !ask_body(j, &body))
        return;
    join(j, &t, jdoc_root(&body));
    jdoc_free(&body);
}

void teams_leave(struct job *j)
{
    struct control_why why;
    struct team t;
    int64_t id;
    if (!persons_organize(j) || !named(j, &t) || !may_change(j, t.id))
        return;
    if (!ask_id(ask_token(j, 1), PERSONS_USER, &id)) {
        vantage_fail(j, 404, "There is no such user");
        return;
    }
    enum err e = team_leave(control_of(j), t.id, id, &why);
    if (e != ERR_OK)
        vantage_fail_err(j, e, why.text);
    else
        job_reply_empty(j, 204);
}

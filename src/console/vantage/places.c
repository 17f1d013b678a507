/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Workspaces are control's; what only Vantage knows of them, the settings for currencies, is kept beside them.
 * A workspace's name here is the one people read: control's short name is made from it.
 */
#include "console/vantage/places.h"

#include <stdio.h>

#include "base/must.h"
#include "console/console_inner.h"
#include "console/vantage/ask.h"
#include "console/vantage/vantage.h"
#include "console/vantage/vantage_reply.h"

#define NAME_MAX 63
#define TRIES 50

void places_write(struct job *j, const struct control_workspace *place)
{
    struct json_write *w = &j->json;
    struct doc settings;
    struct jdoc body;
    struct str token = ask_id_token(j, "wrkspc_", place->id);
    jdoc_init(&body);
    bool known = docs_find(ask_docs(j), DOCS_WORKSPACE, token, j->arena, &settings) == ERR_OK;
    bool ok = jdoc_parse(&body, known ? settings.body
                                      : STR("{\"enable_currency_conversion\":true,\"currency\":\"USD\","
                                            "\"exchange_rate_date\":\"daily_rate\"}"));
    must(ok);
    json_write_object(w);
    json_write_member_string(w, "token", token);
    json_write_member_string(w, "name", place->display_name.n ? place->display_name : place->name);
    vantage_time(w, "created_at", place->created_us);
    struct jval root = jdoc_root(&body);
    for (struct jval n = jdoc_first(root); jdoc_has(n); n = jdoc_next(root, n)) {
        json_write_key(w, jdoc_escaped(n));
        json_write_raw(w, jdoc_raw(jdoc_value(n)));
    }
    json_write_object_end(w);
    jdoc_free(&body);
}

void places_list(struct job *j)
{
    struct vantage_page page;
    struct sight s;
    struct str q = ask_text(j, "q");
    size_t found = 0;
    if (!vantage_page_read(j, 100, 1000, &page) || !ask_sight(j, &s))
        return;
    for (size_t i = 0; i < s.count; i++)
        if (!q.n || ask_contains(s.list[i].display_name.n ? s.list[i].display_name : s.list[i].name, q))
            s.list[found++] = s.list[i];
    job_reply_json(j, 200);
    json_write_object(&j->json);
    vantage_links(j, &page, found, false);
    json_write_key(&j->json, STR("workspaces"));
    json_write_array(&j->json);
    for (size_t i = (page.page - 1) * page.limit, n = 0; i < found && n < page.limit; i++, n++)
        places_write(j, &s.list[i]);
    json_write_array_end(&j->json);
    json_write_object_end(&j->json);
}

static const struct control_workspace *find(struct job *j, const struct sight *s, struct str token)
{
    int64_t id;
    if (ask_id(token, "wrkspc_", &id))
        for (size_t i = 0; i < s->count; i++)
            if (s->ids[i] == id)
                return &s->list[i];
    vantage_fail(j, 404, "There is no such workspace");
    return NULL;
}

void places_get(struct job *j)
{
    struct sight s;
    const struct control_workspace *place = ask_sight(j, &s) ? find(j, &s, ask_token(j, 0)) : NULL;
    if (!place)
        return;
    job_reply_json(j, 200);
    places_write(j, place);
}

/* "Team A!" → "team-a"; with a number behind it from the second try on. */
static struct str short_name(struct str name, unsigned number, char out[NAME_MAX + 1])
{
    size_t n = 0;
    for (size_t i = 0; i < name.n && n < NAME_MAX - 4; i++) {
        char c = name.p[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'), digit = c >= '0' && c <= '9';
        if (letter || digit)
            out[n++] = (char)(letter ? c | 0x20 : c);
        else if (n && out[n - 1] != '-')
            out[n++] = '-';
    }
    while (n && out[n - 1] == '-')
        n--;
    if (!n)
        n = strlen(memcpy(out, "workspace", sizeof "workspace"));
    if (number)
        n += (size_t)snprintf(out + n, NAME_MAX + 1 - n, "-%u", number);
    return str_of(out, n);
}

/* The settings beside it. False when the job was answered. */
static bool set_settings(struct job *j, int64_t id, struct jval given)
{
    struct doc before, doc;
    const struct docs_new what = {
        .kind = DOCS_WORKSPACE, .workspace = id, .token = ask_id_token(j, "wrkspc_", id), .fixed = true};
    bool known = docs_find(ask_docs(j), DOCS_WORKSPACE, what.token, j->arena, &before) == ERR_OK;
    enum err e = known ? docs_update(ask_docs(j), &before, given, j->arena, &doc)
                       : docs_create(ask_docs(j), &what, given, j->arena, &doc);
    if (e != ERR_OK)
        vantage_fail_err(j, e, docs_reason(ask_docs(j)));
    return e == ERR_OK;
}

static void reply_with(struct job *j, int status, int64_t id)
{
    struct control_workspace *list;
    struct control_why why;
    size_t count; /* the snapshot of this job does not know a new one yet */
    enum err e = control_workspace_list(j->console->settings.control, j->arena, &list, &count, &why);
    for (size_t i = 0; e == ERR_OK && i < count; i++)
        if (list[i].id == id) {
            job_reply_json(j, status);
            places_write(j, &list[i]);
            return;
        }
    vantage_fail(j, 404, "There is no such workspace");
}

void places_create(struct job *j)
{
    struct jdoc body;
    struct control_why why;
    char text[NAME_MAX + 1];
    int64_t id = 0;
    if (!ask_body(j, &body))
        return;
    struct jval given = jdoc_root(&body);
    struct str name = str_trim(jdoc_text(jdoc_get(given, "name"), j->arena));
    enum err e = ERR_CONFLICT;
    if (!name.n) {
        vantage_fail(j, 400, "name is required");
    } else {
        for (unsigned n = 0; e == ERR_CONFLICT && n < TRIES; n += n ? 1 : 2)
            e = control_workspace_create(j->console->settings.control, short_name(name, n, text), name, &id, &why);
        if (e != ERR_OK)
            vantage_fail_err(j, e, why.text);
        else if (set_settings(j, id, given))
            reply_with(j, 201, id);
    }
    jdoc_free(&body);
}

void places_update(struct job *j)
{
    struct sight s;
    struct jdoc body;
    struct control_why why;
    const struct control_workspace *place = ask_sight(j, &s) ? find(j, &s, ask_token(j, 0)) : NULL;
    if (!place || !ask_body(j, &body))
        return;
    struct jval given = jdoc_root(&body);
    struct str name = str_trim(jdoc_text(jdoc_get(given, "name"), j->arena));
    const struct control_workspace_change change = {.display_name = name.n ? &name : NULL};
    enum err e = name.n ? control_workspace_update(j->console->settings.control, place->id, &change, &why) : ERR_OK;
    if (e != ERR_OK)
        vantage_fail_err(j, e, why.text);
    else if (set_settings(j, place->id, given))
        reply_with(j, 200, place->id);
    jdoc_free(&body);
}

/* What people made in it stays stored and is seen by nobody. */
void places_delete(struct job *j)
{
    struct sight s;
    struct control_why why;
    const struct control_workspace *place = ask_sight(j, &s) ? find(j, &s, ask_token(j, 0)) : NULL;
    if (!place)
        return;
    if (s.count == 1) {
        vantage_fail(j, 422, "The last workspace cannot be deleted");
        return;
    }
    enum err e = control_workspace_delete(j->console->settings.control, place->id, &why);
    if (e != ERR_OK)
        vantage_fail_err(j, e, why.text);
    else
        job_reply_empty(j, 204);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Who calls. What a person set for themselves is kept with their token, whatever key they use. */
#include "base/must.h"
#include "console/console_inner.h"
#include "console/vantage/ask.h"
#include "console/vantage/places.h"
#include "console/vantage/vantage.h"
#include "console/vantage/vantage_reply.h"
#include "control/control_key.h"

void me_ping(struct job *j)
{
    job_reply_bytes(j, 200, STR("text/plain"), STR(""));
}

/* The raw token of the dashboard; "null". */
static struct str dashboard_of(struct job *j)
{
    struct doc person;
    struct jdoc body;
    struct str raw = STR("null");
    struct str token = ask_id_token(j, "usr_", j->key->member_id);
    if (docs_find(ask_docs(j), DOCS_PERSON, token, j->arena, &person) != ERR_OK)
        return raw;
    jdoc_init(&body);
    if (jdoc_parse(&body, person.body))
        raw = arena_dup(j->arena, jdoc_raw(jdoc_get(jdoc_root(&body), "default_dashboard_token")));
    jdoc_free(&body);
    return raw;
}

static void write_token(struct job *j)
{
    struct control_key row;
    struct control_why why;
    struct json_write *w = &j->json;
    bool found = control_key_find(j->console->settings.control, j->key->workspace_id, j->key->public_id, j->arena, &row,
                                  &why) == ERR_OK;
    json_write_key(w, STR("bearer_token"));
    json_write_object(w);
    json_write_member_string(w, "description", j->key->name);
    vantage_time(w, "created_at", found ? row.created_us : 0);
    json_write_key(w, STR("scope"));
    json_write_array(w);
    json_write_string(w, STR("read"));
    if (j->key->role <= KIND_ROLE_MEMBER && j->key->scopes == SNAPSHOT_SCOPES_ALL)
        json_write_string(w, STR("write"));
    json_write_array_end(w);
    json_write_object_end(w);
}

void me_get(struct job *j)
{
    struct json_write *w = &j->json;
    struct sight s;
    if (!ask_sight(j, &s))
        return;
    job_reply_json(j, 200);
    json_write_object(w);
    json_write_member_string(w, "default_workspace_token", ask_id_token(j, "wrkspc_", j->key->workspace_id));
    json_write_member_raw(w, "default_dashboard_token", dashboard_of(j));
    json_write_key(w, STR("workspaces"));
    json_write_array(w);
    for (size_t i = 0; i < s.count; i++)
        places_write(j, &s.list[i]);
    json_write_array_end(w);
    write_token(j);
    json_write_object_end(w);
}

void me_update(struct job *j)
{
    const struct docs_new what = {.kind = DOCS_PERSON, .token = ask_id_token(j, "usr_", j->key->member_id)};
    struct jdoc body;
    struct doc before, doc, board;
    struct sight s;
    if (!ask_sight(j, &s) || !ask_body(j, &body))
        return;
    struct str token = jdoc_text(jdoc_get(jdoc_root(&body), "default_dashboard_token"), j->arena);
    bool seen = !token.n || (docs_find(ask_docs(j), DOCS_DASHBOARD, token, j->arena, &board) == ERR_OK &&
                             ask_sees(&s, board.workspace));
    if (!seen) {
        jdoc_free(&body);
        vantage_fail(j, 422, "There is no such dashboard");
        return;
    }
    bool known = docs_find(ask_docs(j), DOCS_PERSON, what.token, j->arena, &before) == ERR_OK;
    enum err e = known ? docs_update(ask_docs(j), &before, jdoc_root(&body), j->arena, &doc)
                       : docs_create(ask_docs(j), &what, jdoc_root(&body), j->arena, &doc);
    jdoc_free(&body);
    if (e != ERR_OK)
        vantage_fail_err(j, e, docs_reason(ask_docs(j)));
    else
        me_get(j);
}

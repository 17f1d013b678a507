/* SPDX-License-Identifier: Apache-2.0 */
/* Who calls. What a person set for themselves is kept with their token, whatever key they use. */
#include "console/console_inner.h"
#include "console/vantage/access/persons.h"
#include "console/vantage/ask.h"
#include "console/vantage/places.h"
#include "console/vantage/vantage.h"
#include "console/vantage/vantage_reply.h"
#include "control/control_key.h"

void me_ping(struct job *j)
{
    job_reply_bytes(j, 200, STR("text/plain"), STR(""));
}

static void write_token(struct job *j)
{
    struct control_why why;
    struct json_write *w = &j->json;
    int64_t made_us = 0;
    bool found = control_key_made(j->console->settings.control, j->key->id, &made_us, &why) == ERR_OK;
    json_write_key(w, STR("bearer_token"));
    json_write_object(w);
    json_write_member_string(w, "description", j->key->name);
    vantage_time(w, "created_at", found ? made_us : 0);
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
    persons_write_dashboard(j, &s, persons_dashboard_or_teams(j, j->key->member_id));
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
    struct jdoc body;
    struct sight s;
    if (!ask_sight(j, &s) || !ask_body(j, &body))
        return;
    bool ok = persons_set_dashboard(j, &s, j->key->member_id, jdoc_root(&body));
    jdoc_free(&body);
    if (ok)
        me_get(j);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The older name of an account: made like an integration, listed like a provider. */
#include "console/portkey/portkey.h"
#include "console/portkey/portkey_accounts.h"

void virtual_keys_list(struct job *j)
{
    portkey_accounts_reply_list(j, PORTKEY_VIRTUAL_KEY);
}

void virtual_keys_get(struct job *j)
{
    portkey_accounts_reply_one(j, PORTKEY_VIRTUAL_KEY);
}

static void reply_made(struct job *j, struct str slug)
{
    struct json_write *w = &j->json;
    job_reply_json(j, 200);
    json_write_object(w);
    json_write_member_bool(w, "success", true);
    json_write_key(w, STR("data"));
    json_write_object(w);
    json_write_member_string(w, "slug", slug);
    json_write_object_end(w);
    json_write_member_string(w, "slug", slug);
    json_write_member_string(w, "id", slug);
    json_write_member_string(w, "object", STR("virtual-key"));
    json_write_object_end(w);
}

void virtual_keys_create(struct job *j)
{
    struct given g;
    struct account_read a;
    struct control_integration row;
    int64_t workspace_id;
    if (!given_begin(&g, j))
        return;
    if (account_read(&g, &a) && given_workspace(j, given_text(&g, g.root, "workspace_id"), &workspace_id) &&
        portkey_accounts_create(j, workspace_id, STR(""), &a, &row))
        reply_made(j, row.slug);
    given_end(&g);
}

void virtual_keys_update(struct job *j)
{
    portkey_accounts_update(j);
}

void virtual_keys_delete(struct job *j)
{
    portkey_accounts_delete(j);
}

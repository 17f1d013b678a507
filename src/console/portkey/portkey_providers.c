/* SPDX-License-Identifier: Apache-2.0 */
/* Providers: uses of integrations, each called by its own slug. */
#include "console/console_inner.h"
#include "console/portkey/portkey.h"
#include "console/portkey/portkey_accounts.h"

void portkey_providers_list(struct job *j)
{
    portkey_accounts_reply_list(j, PORTKEY_PROVIDER);
}

void portkey_providers_get(struct job *j)
{
    portkey_accounts_reply_one(j, PORTKEY_PROVIDER);
}

void portkey_providers_create(struct job *j)
{
    struct given g;
    struct account_read a;
    struct control_integration row;
    int64_t workspace_id;
    if (!given_begin(&g, j))
        return;
    struct str account = given_text(&g, g.root, "integration_id");
    bool ready = account_read(&g, &a) && given_workspace(j, given_text(&g, g.root, "workspace_id"), &workspace_id);
    a.spec.kind = (struct str){NULL, 0}; /* it is the integration's */
    if (ready && !account.n)
        job_fail(j, ERR_MISSING_PARAMETER, STR("integration_id"), STR("a provider is a use of an integration"));
    else if (ready && portkey_accounts_create(j, workspace_id, account, &a, &row)) {
        job_reply_json(j, 200);
        json_write_object(&j->json);
        json_write_member_string(&j->json, "id", row.slug);
        json_write_member_string(&j->json, "slug", row.slug);
        json_write_member_string(&j->json, "object", STR("provider"));
        json_write_object_end(&j->json);
    }
    given_end(&g);
}

void portkey_providers_update(struct job *j)
{
    portkey_accounts_update(j);
}

/* The last use of an integration by its own slug ends by hiding it; its key stays with the integration. */
void portkey_providers_delete(struct job *j)
{
    static const bool hidden = true;
    struct control_integration row;
    struct control_why why = {.param = ""};
    const struct control_integration_spec spec = {.hidden = &hidden};
    if (!portkey_accounts_find(j, &row))
        return;
    if (row.account.n) {
        portkey_accounts_delete(j);
        return;
    }
    enum err e = control_integration_update(j->console->settings.control, row.workspace_id, row.slug, &spec, j->arena,
                                            &row, &why);
    if (e)
        job_fail_why(j, e, &why);
    else
        job_reply_bytes(j, 200, STR("application/json"), STR("{}"));
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The credential is put into the call's head and nowhere else. */
#include "console/accounts/provider_call.h"

#include "base/mem.h"
#include "base/must.h"

#define LINES_MAX 16384
#define ANSWER_MAX (4u << 20)

const struct snapshot_integration *provider_call_account(struct job *j)
{
    const struct snapshot_integration *i = snapshot_find_integration(j->snapshot, j->workspace_id, j->params[0]);
    if (!i)
        job_fail(j, ERR_NOT_FOUND, STR("slug"), STR("there is no such integration in this workspace"));
    else if (i->broken)
        job_fail(j, ERR_NO_INTEGRATION, STR("slug"),
                 STR("the stored key cannot be decrypted; connect the account again"));
    return j->status ? NULL : i;
}

const struct fetch *provider_call(struct job *j, unsigned step, const struct snapshot_integration *i,
                                  const char *method, struct str path, struct str content)
{
    struct buf lines, whole;
    buf_init(&lines, LINES_MAX);
    buf_init(&whole, LINES_MAX);
    bool ok = buf_add_str(&lines, secret_reveal(&i->head_lines)) &&
              (!content.n || buf_add_str(&lines, STR("Content-Type: application/json\r\n"))) &&
              buf_add_str(&whole, i->base_path) && buf_add_str(&whole, path);
    must(ok); /* every part is short */
    const struct fetch_request r = {.target = {i->host, i->port, i->tls},
                                    .method = str_c(method),
                                    .authority = i->authority,
                                    .path = buf_str(&whole),
                                    .lines = buf_str(&lines),
                                    .content = content,
                                    .answer_max = ANSWER_MAX};
    const struct fetch *f = fetch_step(j, step, &r);
    mem_wipe(lines.p, lines.cap);
    buf_free(&lines);
    buf_free(&whole);
    return f;
}

struct str provider_call_says(const struct fetch *f, const struct snapshot_integration *i)
{
    bool admin = i->kind == KIND_INTEGRATION_OPENAI_ADMIN;
    if (f->state != FETCH_THERE)
        return f->why[0] ? str_c(f->why) : str_c(err_info(f->err)->text);
    if (f->status == 401)
        return admin ? STR("The provider refuses the key (401): store an admin key of the organization, sk-admin-…")
                     : STR("The provider refuses the key (401): it may be mistyped, revoked or of another account.");
    if (f->status == 403)
        return admin ? STR("The key may not do this (403): an owner of the organization makes one that may.")
                     : STR("The key may not do this (403): look at its permissions at the provider.");
    if (f->status == 404)
        return STR(
            "The provider has no such address (404): look at the account's base URL, and for Azure at its version.");
    if (f->status == 429)
        return STR("The key is good, but the provider has no room or no credit for it now (429).");
    if (f->status >= 500)
        return STR("The provider has a fault of its own; try again later.");
    return f->status >= 400 ? STR("The provider refuses the call.") : STR("");
}

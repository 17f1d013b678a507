/* SPDX-License-Identifier: Apache-2.0 */
/* Invitations: made and revoked by admins, answered by whoever has the link. */
#include "base/mem.h"
#include "console/console_inner.h"
#include "console/native/native.h"
#include "console/native/output.h"
#include "console/people/people.h"
#include "control/people/invitation.h"
#include "control/people/password.h"
#include "control/people/session.h"
#include "report/notify/notices.h"

/* The address that accepts; it has the secret in it. */
static void write_link(struct job *j, const struct secret *secret)
{
    struct buf link;
    buf_init(&link, 4096);
    bool ok = notices_invitation_link(j->console->settings.public_url, secret_reveal(secret), &link);
    if (ok)
        json_write_member_text(&j->json, "link", buf_str(&link));
    if (link.p)
        mem_wipe(link.p, link.cap);
    buf_free(&link);
}

/* `secret` NULL: it is not shown. */
static void write_invitation(struct job *j, const struct invitation *i, const struct secret *secret, bool mailed)
{
    struct json_write *w = &j->json;
    const struct snapshot_workspace *ws = snapshot_workspace_of(j->snapshot, i->workspace_id);
    json_write_object(w);
    json_write_member_string(w, "id", i->public_id);
    json_write_member_string(w, "email", i->email);
    json_write_member_string(w, "role", str_c(kind_role_text(i->role)));
    json_write_member_text(w, "workspace", ws ? ws->name : STR(""));
    json_write_member_string(w, "state", str_c(invitation_state_text(i->state)));
    if (secret) {
        json_write_member_string(w, "secret", secret_reveal(secret));
        write_link(j, secret);
        json_write_member_bool(w, "mailed", mailed);
    }
    output_time(w, "created_at", i->created_us);
    output_time(w, "expires_at", i->expires_us);
    output_time(w, "answered_at", i->answered_us);
    json_write_object_end(w);
}

bool people_mail_invitation(struct job *j, const struct invitation *i, const struct secret *secret)
{
    const struct snapshot_workspace *ws = i->workspace_id ? snapshot_workspace_of(j->snapshot, i->workspace_id) : NULL;
    struct str who = j->key && j->key->member ? j->key->member->name : STR("");
    return notices_invitation(j->console->settings.notify, i, secret, ws ? ws->name : STR(""), who);
}

void invitations_list(struct job *j)
{
    struct invitation *rows = NULL;
    size_t count = 0;
    struct control_why why = {.param = ""};
    enum err e =
        invitation_list(j->console->settings.control, j->key->workspace_id, false, j->arena, &rows, &count, &why);
    if (e) {
        job_fail_why(j, e, &why);
        return;
    }
    job_reply_json(j, 200);
    json_write_object(&j->json);
    json_write_member_string(&j->json, "object", STR("list"));
    json_write_key(&j->json, STR("data"));
    json_write_array(&j->json);
    for (size_t i = 0; i < count; i++)
        write_invitation(j, &rows[i], NULL, false);
    json_write_array_end(&j->json);
    json_write_object_end(&j->json);
}

void invitations_create(struct job *j)
{
    struct input in;
    struct invitation made;
    struct secret secret = {0};
    struct invitation_spec spec = {.role = KIND_ROLE_MEMBER};
    struct control_why why = {.param = ""};
    if (!input_begin(&in, j))
        return;
    spec.email = input_text(&in, "email");
    struct str role = input_text(&in, "role"), workspace = input_text(&in, "workspace");
    bool ok = input_check(&in) && input_workspace(j, workspace, &spec.workspace_id) &&
              people_role(j, role, KIND_ROLE_MEMBER, &spec.role);
    enum err e = ok ? invitation_create(j->console->settings.control, &spec, j->arena, &made, &secret, &why) : ERR_OK;
    input_end(&in);
    if (!ok)
        return;
    if (e) {
        job_fail_why(j, e, &why);
        return;
    }
    bool mailed = people_mail_invitation(j, &made, &secret);
    job_reply_json(j, 201);
    write_invitation(j, &made, &secret, mailed);
    secret_wipe(&secret);
}

void invitations_revoke(struct job *j)
{
    struct control_why why = {.param = ""};
    enum err e = invitation_revoke(j->console->settings.control, j->key->workspace_id, j->params[0], &why);
    if (e)
        job_fail_why(j, e, &why);
    else
        job_reply_empty(j, 204);
}

void invitations_accept(struct job *j)
{
    struct input in;
    struct member m;
    struct control_why why = {.param = ""};
    struct control *control = j->console->settings.control;
    if (!input_begin(&in, j))
        return;
    struct str secret = input_text(&in, "secret"), name = input_text(&in, "name");
    struct str password = input_text(&in, "password");
    const char *fault = password.p ? password_fault(password, STR(""), name.p ? name : STR("")) : NULL;
    if (fault)
        job_fail(j, ERR_BAD_PARAMETER, STR("password"), str_c(fault));
    bool ok = !fault && input_check(&in);
    enum err e = ok ? invitation_accept(control, secret.p ? secret : STR(""), name.p ? name : STR(""),
                                        password.p != NULL, j->arena, &m, &why)
                    : ERR_OK;
    if (ok && !e && password.p && !m.has_password) /* who has one is known, and signs in with it */
        e = session_set_password(control, m.id, (struct str){NULL, 0}, password, &why);
    input_end(&in);
    if (!ok)
        return;
    if (e) {
        job_fail_why(j, e, &why);
        return;
    }
    m.has_password |= password.n > 0;
    job_reply_json(j, 200);
    people_write_member(&j->json, &m);
}

void invitations_decline(struct job *j)
{
    struct input in;
    struct control_why why = {.param = ""};
    if (!input_begin(&in, j))
        return;
    struct str secret = input_text(&in, "secret");
    bool ok = input_check(&in);
    enum err e = ok ? invitation_decline(j->console->settings.control, secret.p ? secret : STR(""), &why) : ERR_OK;
    input_end(&in);
    if (ok && e)
        job_fail_why(j, e, &why);
    else if (ok)
        job_reply_empty(j, 204);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is in a workspace, and who is invited to it. Blaxel's roles are admin and member; ours between and
 * beside them are understood too. A person's `sub` is their number here, a service account's its client id.
 */
#include <stdio.h>

#include "console/blaxel/blaxel.h"
#include "console/blaxel/tenant.h"
#include "console/console_inner.h"
#include "console/native/output.h"
#include "console/people/people.h"
#include "console/portkey/given.h"
#include "control/people/account.h"
#include "control/people/invitation.h"
#include "control/people/member.h"
#include "net/url.h"

#define SUB_MAX 24

static struct control *control_of(const struct job *j)
{
    return j->console->settings.control;
}

static bool fail(struct job *j, enum err e, const struct control_why *why)
{
    if (e)
        job_fail_why(j, e, why);
    return e == ERR_OK;
}

/* Who the path names: a number, an address or a client id. SDKs encode the address, the command line does not. */
static struct str who_of(struct job *j)
{
    struct str who;
    return url_decode(j->params[0], URL_IN_PATH, j->arena, &who) ? who : j->params[0];
}

static void write_sub(struct json_write *w, const char *name, int64_t member_id)
{
    char text[SUB_MAX];
    int n = snprintf(text, sizeof text, "%lld", (long long)member_id);
    json_write_member_string(w, name, member_id ? str_of(text, (size_t)n) : STR(""));
}

/* "Ada King Lovelace": the last word is the family's. */
static void write_names(struct json_write *w, struct str name)
{
    size_t at = name.n;
    while (at > 0 && name.p[at - 1] != ' ')
        at--;
    json_write_member_string(w, "given_name", at ? str_trim(str_head(name, at)) : name);
    json_write_member_string(w, "family_name", at ? str_from(name, at) : STR(""));
}

static void write_user(struct job *j, const struct member *m, enum kind_role role)
{
    struct json_write *w = &j->json;
    json_write_object(w);
    write_sub(w, "sub", m->id);
    json_write_member_string(w, "email", m->email);
    json_write_member_bool(w, "email_verified", true);
    write_names(w, m->name);
    json_write_member_string(w, "role", str_c(kind_role_text(role)));
    json_write_member_bool(w, "accepted", true);
    json_write_member_bool(w, "expired", false);
    json_write_member_string(w, "source", STR("invitation"));
    json_write_object_end(w);
}

static bool is_open(const struct invitation *i)
{
    return i->state == INVITATION_PENDING || i->state == INVITATION_EXPIRED;
}

static void write_invited(struct job *j, const struct invitation *i)
{
    struct json_write *w = &j->json;
    json_write_object(w);
    json_write_member_string(w, "sub", i->public_id);
    json_write_member_string(w, "email", i->email);
    json_write_member_bool(w, "email_verified", false);
    write_names(w, STR(""));
    json_write_member_string(w, "role", str_c(kind_role_text(i->role)));
    json_write_member_bool(w, "accepted", false);
    json_write_member_bool(w, "expired", i->state == INVITATION_EXPIRED);
    json_write_member_string(w, "source", STR("invitation"));
    json_write_object_end(w);
}

void blaxel_users_list(struct job *j)
{
    struct membership *rows = NULL;
    struct invitation *invited = NULL;
    size_t count = 0, invited_count = 0;
    struct control_why why = {.param = ""};
    enum err e = membership_list(control_of(j), j->workspace_id, j->arena, &rows, &count, &why);
    if (!e)
        e = invitation_list(control_of(j), j->workspace_id, false, j->arena, &invited, &invited_count, &why);
    if (!fail(j, e, &why))
        return;
    job_reply_json(j, 200);
    json_write_array(&j->json);
    for (size_t i = 0; i < count; i++)
        write_user(j, &rows[i].member, rows[i].role);
    for (size_t i = 0; i < invited_count; i++)
        if (is_open(&invited[i]))
            write_invited(j, &invited[i]);
    json_write_array_end(&j->json);
}

/* False when the job was answered. */
static bool read_role(struct job *j, struct str text, enum kind_role *ret)
{
    *ret = KIND_ROLE_MEMBER;
    if (text.n && !kind_role_from(text, ret))
        job_fail(j, ERR_BAD_PARAMETER, STR("role"), STR("A role is admin, member or viewer."));
    else if (*ret < j->role)
        job_fail(j, ERR_FORBIDDEN, STR("role"), STR("Nobody hands out more rights than they have."));
    return j->status == 0;
}

static void write_invitation(struct job *j, const struct invitation *i, const struct secret *secret)
{
    struct json_write *w = &j->json;
    const struct snapshot_workspace *ws = snapshot_workspace_of(j->snapshot, i->workspace_id);
    json_write_object(w);
    json_write_member_string(w, "email", i->email);
    json_write_member_string(w, "role", str_c(kind_role_text(i->role)));
    json_write_member_string(w, "workspace", ws ? ws->name : STR(""));
    write_sub(w, "invitedBy", i->invited_by);
    output_time(w, "createdAt", i->created_us);
    output_time(w, "updatedAt", i->answered_us ? i->answered_us : i->created_us);
    output_time(w, "expiresAt", i->expires_us);
    write_sub(w, "createdBy", i->invited_by);
    write_sub(w, "updatedBy", i->invited_by);
    if (secret)
        json_write_member_string(w, "secret", secret_reveal(secret)); /* ours: what the link ends in */
    json_write_object_end(w);
}

void blaxel_users_invite(struct job *j)
{
    struct given g;
    struct invitation made;
    struct secret secret = {0};
    struct control_why why = {.param = ""};
    if (!given_begin(&g, j))
        return;
    struct str email = given_text(&g, g.root, "email"), role = given_text(&g, g.root, "role");
    struct invitation_spec spec = {email.p ? email : STR(""), KIND_ROLE_MEMBER, j->workspace_id};
    if (!j->status && read_role(j, role, &spec.role) &&
        fail(j, invitation_create(control_of(j), &spec, j->arena, &made, &secret, &why), &why)) {
        (void)people_mail_invitation(j, &made, &secret); /* the secret is in the answer all the same */
        job_reply_json(j, 200);
        write_invitation(j, &made, &secret);
        secret_wipe(&secret);
    }
    given_end(&g);
}

/* The person in the path, by number or address, if they are in the workspace. */
static bool find_user(struct job *j, struct membership *ret)
{
    struct membership *rows = NULL;
    size_t count = 0;
    uint64_t id = 0;
    struct control_why why = {.param = ""};
    struct str who = who_of(j);
    bool by_id = str_to_u64(who, &id);
    if (!fail(j, membership_list(control_of(j), j->workspace_id, j->arena, &rows, &count, &why), &why))
        return false;
    for (size_t i = 0; i < count; i++) {
        const struct member *m = &rows[i].member;
        if (by_id ? (uint64_t)m->id == id : m->email.n && str_eq_nocase(m->email, who)) {
            *ret = rows[i];
            return true;
        }
    }
    return false;
}

/* False when the job was answered. */
static bool may_change(struct job *j, const struct membership *m)
{
    if (m->role < j->role && m->member.id != j->key->member_id)
        job_fail(j, ERR_FORBIDDEN, STR(""), STR("This person has more rights here than you."));
    return j->status == 0;
}

static void set_account_role(struct job *j, enum kind_role role)
{
    struct account a;
    const struct account_change change = {.role = &role};
    struct control_why why = {.param = "subOrEmail", .text = "Nobody of that name is in this workspace."};
    if (!fail(j, account_update(control_of(j), j->workspace_id, j->params[0], &change, j->arena, &a, &why), &why))
        return;
    struct json_write *w = &j->json;
    job_reply_json(j, 200);
    json_write_object(w);
    json_write_member_string(w, "sub", a.client_id);
    json_write_member_string(w, "email", STR(""));
    write_names(w, a.name);
    json_write_member_string(w, "role", str_c(kind_role_text(a.role)));
    json_write_member_bool(w, "accepted", true);
    json_write_object_end(w);
}

void blaxel_users_update(struct job *j)
{
    struct given g;
    struct membership m;
    enum kind_role role;
    struct control_why why = {.param = ""};
    if (!given_begin(&g, j))
        return;
    struct str text = given_text(&g, g.root, "role");
    if (!j->status && !text.n)
        job_fail(j, ERR_MISSING_PARAMETER, STR("role"), STR("A role is admin, member or viewer."));
    if (!j->status && read_role(j, text, &role)) {
        if (find_user(j, &m)) {
            if (may_change(j, &m) &&
                fail(j, membership_set(control_of(j), j->workspace_id, m.member.id, role, &why), &why)) {
                job_reply_json(j, 200);
                write_user(j, &m.member, role);
            }
        } else if (!j->status) {
            set_account_role(j, role);
        }
    }
    given_end(&g);
}

static bool find_open(struct job *j, struct invitation *ret)
{
    struct invitation *rows = NULL;
    size_t count = 0;
    struct str who = who_of(j);
    struct control_why why = {.param = ""};
    if (!fail(j, invitation_list(control_of(j), j->workspace_id, false, j->arena, &rows, &count, &why), &why))
        return false;
    for (size_t i = 0; i < count; i++)
        if (is_open(&rows[i]) && (str_eq(rows[i].public_id, who) || str_eq_nocase(rows[i].email, who))) {
            *ret = rows[i];
            return true;
        }
    return false;
}

void blaxel_users_remove(struct job *j)
{
    struct membership m;
    struct invitation i;
    struct control_why why = {.param = ""};
    if (find_user(j, &m)) {
        if (may_change(j, &m) && fail(j, membership_remove(control_of(j), j->workspace_id, m.member.id, &why), &why)) {
            job_reply_json(j, 200);
            write_user(j, &m.member, m.role);
        }
    } else if (!j->status && find_open(j, &i)) {
        if (fail(j, invitation_revoke(control_of(j), j->workspace_id, i.public_id, &why), &why)) {
            job_reply_json(j, 200);
            write_invited(j, &i);
        }
    } else if (!j->status) {
        job_fail(j, ERR_NOT_FOUND, STR("subOrEmail"),
                 STR("Nobody of that name is in this workspace or invited to it."));
    }
}

/* ---- one's own ---- */

/* False when the job was answered. */
static bool is_person(struct job *j)
{
    if (!j->key->member_id)
        job_fail(j, ERR_FORBIDDEN, STR(""), STR("This key is no person's; sign in, or use a key of your own."));
    return j->status == 0;
}

static void write_rendered(struct job *j, const struct invitation *i, const struct snapshot_workspace *ws)
{
    struct json_write *w = &j->json;
    json_write_object(w);
    json_write_member_string(w, "email", i->email);
    json_write_member_string(w, "role", str_c(kind_role_text(i->role)));
    json_write_member_string(w, "type", STR("workspace"));
    json_write_member_string(w, "invitationId", i->public_id);
    output_time(w, "invitedAt", i->created_us);
    output_time(w, "expiresAt", i->expires_us);
    json_write_key(w, STR("invitedBy"));
    json_write_object(w);
    write_sub(w, "sub", i->invited_by);
    json_write_object_end(w);
    json_write_key(w, STR("workspace"));
    json_write_object(w);
    json_write_member_string(w, "name", ws->name);
    json_write_member_string(w, "displayName", ws->name);
    json_write_object_end(w);
    json_write_object_end(w);
}

/* Pending ones for the caller's address. False when the job was answered. */
static bool own_invitations(struct job *j, struct member *who, struct invitation **ret, size_t *ret_count)
{
    struct control_why why = {.param = ""};
    return is_person(j) && fail(j, member_find(control_of(j), j->key->member_id, j->arena, who, &why), &why) &&
           fail(j, invitation_list_for(control_of(j), who->email, j->arena, ret, ret_count, &why), &why);
}

void blaxel_users_invitations(struct job *j)
{
    struct member who;
    struct invitation *rows = NULL;
    size_t count = 0;
    if (!own_invitations(j, &who, &rows, &count))
        return;
    job_reply_json(j, 200);
    json_write_array(&j->json);
    for (size_t i = 0; i < count; i++) {
        const struct snapshot_workspace *ws = snapshot_workspace_of(j->snapshot, rows[i].workspace_id);
        if (rows[i].workspace_id && ws)
            write_rendered(j, &rows[i], ws);
    }
    json_write_array_end(&j->json);
}

/* The invitation to the workspace in the path. False when the job was answered. */
static bool invited_to(struct job *j, struct member *who, struct invitation *ret)
{
    const struct snapshot_workspace *ws = snapshot_find_workspace(j->snapshot, j->params[0]);
    struct invitation *rows = NULL;
    size_t count = 0;
    if (!own_invitations(j, who, &rows, &count))
        return false;
    for (size_t i = 0; ws && i < count; i++)
        if (rows[i].workspace_id == ws->id) {
            *ret = rows[i];
            return true;
        }
    job_fail(j, ERR_NOT_FOUND, STR("workspaceName"), STR("You are not invited to a workspace of this name."));
    return false;
}

void blaxel_users_join(struct job *j)
{
    struct member who;
    struct invitation i;
    struct control_why why = {.param = ""};
    struct json_write *w = &j->json;
    if (!invited_to(j, &who, &i) || !fail(j, invitation_accept_as(control_of(j), who.id, i.workspace_id, &why), &why))
        return;
    job_reply_json(j, 200);
    json_write_object(w);
    json_write_member_string(w, "email", who.email);
    json_write_key(w, STR("workspace"));
    json_write_object(w);
    json_write_member_string(w, "name", j->params[0]);
    json_write_object_end(w);
    json_write_object_end(w);
}

void blaxel_users_decline(struct job *j)
{
    struct member who;
    struct invitation i;
    struct control_why why = {.param = ""};
    if (invited_to(j, &who, &i) && fail(j, invitation_decline_as(control_of(j), who.id, i.workspace_id, &why), &why)) {
        job_reply_json(j, 200);
        write_invitation(j, &i, NULL);
    }
}

void blaxel_users_leave(struct job *j)
{
    int64_t id;
    struct control_why why = {.param = ""};
    struct json_write *w = &j->json;
    if (!tenant_named(j, j->params[0], &id) || !is_person(j) ||
        !fail(j, membership_remove(control_of(j), id, j->key->member_id, &why), &why))
        return;
    job_reply_json(j, 200);
    json_write_object(w);
    json_write_member_string(w, "name", j->params[0]);
    json_write_object_end(w);
}

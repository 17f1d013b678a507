/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The organization's people and their invitations. One of Portkey's invitations may be for several
 * workspaces; here each is for one, so it becomes several, of which the first stands for all.
 */
#include <string.h>

#include "console/console_inner.h"
#include "console/native/output.h"
#include "console/people/people.h"
#include "console/portkey/portkey.h"
#include "console/portkey/portkey_workspaces.h"
#include "control/people/invitation.h"
#include "control/people/member.h"
#include "report/notify/notices.h"

#define WORKSPACES_MAX 20
#define LINK_MAX 1024

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

static void reply_done(struct job *j, enum err e, const struct control_why *why)
{
    if (fail(j, e, why))
        job_reply_bytes(j, 200, STR("application/json"), STR("{}"));
}

static bool read_role(struct job *j, struct str text, enum kind_role *ret)
{
    if (kind_role_from(text, ret))
        return true;
    job_fail(j, text.n ? ERR_BAD_PARAMETER : ERR_MISSING_PARAMETER, STR("role"),
             STR("a role in the organization is owner, admin, member or viewer"));
    return false;
}

/* ---- users ---- */

/* False when the job was answered. */
static bool write_user(struct job *j, const struct member *m)
{
    struct json_write *w = &j->json;
    struct membership *rows = NULL;
    size_t count = 0;
    struct control_why why = {.param = ""};
    if (!fail(j, membership_of(control_of(j), m->id, j->arena, &rows, &count, &why), &why))
        return false;
    json_write_object(w);
    portkey_workspaces_write_person(w, m);
    json_write_member_string(w, "role", str_c(kind_role_text(m->role)));
    output_time(w, "created_at", m->created_us);
    output_time(w, "last_updated_at", m->created_us);
    json_write_key(w, STR("workspace_ids"));
    json_write_array(w);
    for (size_t i = 0; i < count; i++) {
        const struct snapshot_workspace *ws = snapshot_workspace_of(j->snapshot, rows[i].workspace_id);
        if (ws)
            json_write_string(w, ws->name);
    }
    json_write_array_end(w);
    json_write_member_string(w, "object", STR("user"));
    json_write_object_end(w);
    return true;
}

void portkey_users_list(struct job *j)
{
    struct member *rows = NULL;
    size_t count = 0, total = 0;
    uint64_t skip, limit;
    struct control_why why = {.param = ""};
    struct json_write *w = &j->json;
    struct str role = given_query(j, "role"), email = given_query(j, "email");
    if (!given_page(j, 1000, 1000, &skip, &limit) ||
        !fail(j, member_list(control_of(j), j->arena, &rows, &count, &why), &why))
        return;
    for (size_t i = 0; i < count; i++)
        if ((!role.n || str_eq(role, str_c(kind_role_text(rows[i].role)))) &&
            (!email.n || str_eq_nocase(email, rows[i].email)))
            rows[total++] = rows[i];
    job_reply_json(j, 200);
    json_write_object(w);
    json_write_member_string(w, "object", STR("list"));
    json_write_member_uint(w, "total", total);
    json_write_key(w, STR("data"));
    json_write_array(w);
    for (size_t i = skip; i < total && i - skip < limit; i++)
        if (!write_user(j, &rows[i]))
            return;
    json_write_array_end(w);
    json_write_object_end(w);
}

void portkey_users_get(struct job *j)
{
    struct member m;
    if (!portkey_workspaces_person(j, j->params[0], &m))
        return;
    job_reply_json(j, 200);
    (void)write_user(j, &m);
}

void portkey_users_update(struct job *j)
{
    struct given g;
    struct member m;
    enum kind_role role;
    struct control_why why = {.param = ""};
    if (!portkey_workspaces_person(j, j->params[0], &m) || !given_begin(&g, j))
        return;
    struct str text = given_text(&g, g.root, "role");
    if (!j->status && read_role(j, text.p ? text : STR(""), &role)) {
        const struct member_change change = {.role = &role};
        reply_done(j, member_update(control_of(j), m.id, &change, &why), &why);
    }
    given_end(&g);
}

void portkey_users_delete(struct job *j)
{
    struct member m;
    struct control_why why = {.param = ""};
    if (portkey_workspaces_person(j, j->params[0], &m))
        reply_done(j, member_delete(control_of(j), m.id, &why), &why);
}

/* ---- invitations ---- */

static const char *status_of(enum invitation_state state)
{
    switch (state) {
    case INVITATION_PENDING:
        return "pending";
    case INVITATION_ACCEPTED:
        return "accepted";
    case INVITATION_EXPIRED:
        return "expired";
    case INVITATION_DECLINED:
    case INVITATION_REVOKED:
        break;
    }
    return "cancelled";
}

static void write_invite(struct job *j, const struct invitation *i)
{
    struct json_write *w = &j->json;
    const struct snapshot_workspace *ws = i->workspace_id ? snapshot_workspace_of(j->snapshot, i->workspace_id) : NULL;
    json_write_object(w);
    json_write_member_string(w, "id", i->public_id);
    json_write_member_string(w, "email", i->email);
    json_write_member_string(w, "role", i->workspace_id ? STR("member") : str_c(kind_role_text(i->role)));
    json_write_member_string(w, "status", str_c(status_of(i->state)));
    json_write_key(w, STR("workspaces"));
    json_write_array(w);
    if (ws) {
        json_write_object(w);
        json_write_member_string(w, "id", ws->name);
        json_write_member_string(w, "role", str_c(kind_role_text(i->role)));
        json_write_object_end(w);
    }
    json_write_array_end(w);
    output_time(w, "created_at", i->created_us);
    output_time(w, "expires_at", i->expires_us);
    output_time(w, "accepted_at", i->state == INVITATION_ACCEPTED ? i->answered_us : 0);
    json_write_member_null(w, "invited_by");
    json_write_member_string(w, "object", STR("invite"));
    json_write_object_end(w);
}

static bool all_invites(struct job *j, struct invitation **ret, size_t *ret_count)
{
    struct control_why why = {.param = ""};
    return fail(j, invitation_list(control_of(j), 0, true, j->arena, ret, ret_count, &why), &why);
}

/* The one in the path. False when the job was answered. */
static bool find_invite(struct job *j, struct invitation *ret)
{
    struct invitation *rows = NULL;
    size_t count = 0;
    struct control_why why = {.param = "id", .text = "There is no such invitation."};
    if (!all_invites(j, &rows, &count))
        return false;
    for (size_t i = 0; i < count; i++)
        if (str_eq(rows[i].public_id, j->params[0])) {
            *ret = rows[i];
            return true;
        }
    return fail(j, ERR_NOT_FOUND, &why);
}

void portkey_users_invites(struct job *j)
{
    struct invitation *rows = NULL;
    size_t count = 0, total = 0;
    uint64_t skip, limit;
    struct json_write *w = &j->json;
    struct str status = given_query(j, "status"), email = given_query(j, "email");
    if (!given_page(j, 1000, 1000, &skip, &limit) || !all_invites(j, &rows, &count))
        return;
    for (size_t i = 0; i < count; i++)
        if ((!status.n || str_eq(status, str_c(status_of(rows[i].state)))) &&
            (!email.n || str_eq_nocase(email, rows[i].email)))
            rows[total++] = rows[i];
    job_reply_json(j, 200);
    json_write_object(w);
    json_write_member_string(w, "object", STR("list"));
    json_write_member_uint(w, "total", total);
    json_write_key(w, STR("data"));
    json_write_array(w);
    for (size_t i = skip; i < total && i - skip < limit; i++)
        write_invite(j, &rows[i]);
    json_write_array_end(w);
    json_write_object_end(w);
}

void portkey_users_invite(struct job *j)
{
    struct invitation i;
    if (!find_invite(j, &i))
        return;
    job_reply_json(j, 200);
    write_invite(j, &i);
}

/* Where the page for accepting is. */
static void write_link(struct job *j, const char *name, const struct secret *secret)
{
    struct buf link;
    buf_init(&link, LINK_MAX);
    bool ok = notices_invitation_link(j->console->settings.public_url, secret_reveal(secret), &link);
    json_write_member_string(&j->json, name, ok ? buf_str(&link) : secret_reveal(secret));
    if (link.p)
        memset(link.p, 0, buf_size(&link));
    buf_free(&link);
}

struct invite {
    struct str email;
    struct invitation_spec list[WORKSPACES_MAX];
    size_t count;
};

static bool read_workspaces(struct given *g, struct invite *in)
{
    struct job *j = g->job;
    struct jval list = given_member(g->root, "workspaces");
    if (jdoc_has(list) && (jdoc_kind(list) != JDOC_ARRAY || jdoc_size(list) > WORKSPACES_MAX)) {
        job_fail(j, ERR_BAD_PARAMETER, STR("workspaces"), STR("it is an array of at most 20 objects"));
        return false;
    }
    for (struct jval v = jdoc_first(list); jdoc_has(v); v = jdoc_next(list, v)) {
        struct invitation_spec *spec = &in->list[in->count];
        struct str id = given_text(g, v, "id"), role = given_text(g, v, "role");
        if (!j->status && !id.n)
            job_fail(j, ERR_MISSING_PARAMETER, STR("workspaces"), STR("each entry needs the id of a workspace"));
        if (j->status || !given_workspace(j, id, &spec->workspace_id) ||
            !portkey_workspaces_role(j, role.n ? role : STR("member"), &spec->role))
            return false;
        spec->email = in->email;
        in->count++;
    }
    return true;
}

/* An admin of the organization needs no workspace; a member without one is invited to none. */
static bool read_invite(struct given *g, struct invite *in)
{
    struct job *j = g->job;
    enum kind_role role;
    in->count = 0;
    in->email = given_text(g, g->root, "email");
    struct str text = given_text(g, g->root, "role");
    if (!j->status && !in->email.n)
        job_fail(j, ERR_MISSING_PARAMETER, STR("email"), STR(""));
    if (j->status || !read_role(j, text.p ? text : STR(""), &role) || !read_workspaces(g, in))
        return false;
    if (role <= KIND_ROLE_ADMIN || !in->count) { /* reaches every workspace */
        in->list[0] = (struct invitation_spec){in->email, role, 0};
        in->count = 1;
    }
    return true;
}

void portkey_users_create_invite(struct job *j)
{
    struct given g;
    struct invite in;
    struct invitation first, other;
    struct secret secret = {0}, ignored = {0};
    struct control_why why = {.param = ""};
    if (!given_begin(&g, j))
        return;
    if (read_invite(&g, &in)) {
        enum err e = invitation_create(control_of(j), &in.list[0], j->arena, &first, &secret, &why);
        for (size_t i = 1; e == ERR_OK && i < in.count; i++)
            e = invitation_create(control_of(j), &in.list[i], j->arena, &other, &ignored, &why);
        if (fail(j, e, &why)) {
            people_mail_invitation(j, &first, &secret);
            job_reply_json(j, 200);
            json_write_object(&j->json);
            json_write_member_string(&j->json, "id", first.public_id);
            write_link(j, "invite_link", &secret);
            json_write_member_string(&j->json, "object", STR("invite"));
            json_write_object_end(&j->json);
        }
    }
    secret_wipe(&secret);
    secret_wipe(&ignored);
    given_end(&g);
}

void portkey_users_delete_invite(struct job *j)
{
    struct invitation i;
    struct control_why why = {.param = ""};
    if (find_invite(j, &i))
        reply_done(j, invitation_revoke(control_of(j), i.workspace_id, i.public_id, &why), &why);
}

/* A new link; the one before is good no more. */
void portkey_users_resend_invite(struct job *j)
{
    struct invitation i, made;
    struct secret secret = {0};
    struct control_why why = {.param = "id", .text = "This invitation was answered or revoked; make another."};
    if (!find_invite(j, &i))
        return;
    if (i.state != INVITATION_PENDING && i.state != INVITATION_EXPIRED) {
        job_fail_why(j, ERR_CONFLICT, &why);
        return;
    }
    const struct invitation_spec spec = {i.email, i.role, i.workspace_id};
    if (fail(j, invitation_create(control_of(j), &spec, j->arena, &made, &secret, &why), &why)) {
        people_mail_invitation(j, &made, &secret);
        job_reply_json(j, 200);
        json_write_object(&j->json);
        json_write_member_string(&j->json, "id", made.public_id);
        write_link(j, "inviteLink", &secret);
        json_write_object_end(&j->json);
    }
    secret_wipe(&secret);
}

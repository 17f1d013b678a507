/* SPDX-License-Identifier: Apache-2.0 */
/* Signing in and out. The token is in the answer, for programs, and in a cookie, for browsers. */
#include "base/clock.h"
#include "base/must.h"
#include "console/console_inner.h"
#include "console/cookie.h"
#include "console/native/native.h"
#include "console/native/output.h"
#include "console/people/oidc.h"
#include "console/people/people.h"
#include "control/people/reach.h"
#include "control/people/session.h"

bool people_is_secure(const struct job *j)
{
    return console_is_secure(j->console, j->blaxel.proto);
}

void sessions_create(struct job *j)
{
    struct input in;
    struct member m;
    struct session s;
    struct secret token = {0};
    struct control_why why = {.param = ""};
    if (j->console->settings.no_passwords) {
        job_fail(j, ERR_FORBIDDEN, STR("password"), STR("people sign in at the provider only, see the console"));
        return;
    }
    if (!input_begin(&in, j))
        return;
    struct str email = input_text(&in, "email"), password = input_text(&in, "password");
    bool ok = input_check(&in);
    enum err e = ok ? session_sign_in(j->console->settings.control, email.p ? email : STR(""),
                                      password.p ? password : STR(""), j->peer, j->arena, &m, &token, &s, &why)
                    : ERR_OK;
    input_end(&in);
    if (!ok)
        return;
    if (e) {
        job_fail_why(j, e, &why);
        return;
    }
    job_reply_json(j, 201);
    ok = cookie_line(&j->lines, secret_reveal(&token), SESSION_LASTS_US / 1000000, people_is_secure(j));
    must(ok);
    json_write_object(&j->json);
    json_write_member_string(&j->json, "token", secret_reveal(&token));
    output_time(&j->json, "expires_at", s.expires_us);
    output_time(&j->json, "until", s.until_us);
    json_write_key(&j->json, STR("member"));
    people_write_member(&j->json, &m);
    json_write_object_end(&j->json);
    secret_wipe(&token);
}

/* What the sign-in page offers. */
void sessions_ways(struct job *j)
{
    struct json_write *w = &j->json;
    struct str name = oidc_name(j->console->oidc);
    job_reply_json(j, 200);
    json_write_object(w);
    json_write_member_bool(w, "password", !j->console->settings.no_passwords);
    json_write_key(w, STR("oidc"));
    if (name.n) {
        json_write_object(w);
        json_write_member_string(w, "name", name);
        json_write_member_string(w, "start", STR("/tollgate/v1/sign-in/oidc"));
        json_write_object_end(w);
    } else {
        json_write_null(w);
    }
    json_write_object_end(w);
}

static void write_workspaces(struct job *j)
{
    struct reach r;
    json_write_key(&j->json, STR("workspaces"));
    json_write_array(&j->json);
    for (size_t i = 0; reach_at(j->snapshot, j->key, i, &r); i++) {
        json_write_object(&j->json);
        json_write_member_string(&j->json, "name", r.workspace->name);
        json_write_member_string(&j->json, "role", str_c(kind_role_text(r.role)));
        json_write_object_end(&j->json);
    }
    json_write_array_end(&j->json);
}

void sessions_get(struct job *j)
{
    struct json_write *w = &j->json;
    const struct snapshot_key *k = j->key;
    job_reply_json(j, 200);
    json_write_object(w);
    json_write_member_string(w, "kind", k->session ? STR("session") : k->device ? STR("device") : STR("key"));
    json_write_member_string(w, "key", k->public_id);
    json_write_member_string(w, "name", k->name);
    json_write_member_string(w, "workspace", k->workspace->name);
    json_write_member_string(w, "role", str_c(kind_role_text(k->role)));
    output_time(w, "expires_at", k->expires_us);
    json_write_key(w, STR("member"));
    if (k->member) {
        json_write_object(w);
        json_write_member_int(w, "id", k->member->id);
        json_write_member_string(w, "name", k->member->name);
        json_write_member_string(w, "role", str_c(kind_role_text(k->member->role)));
        json_write_object_end(w);
    } else {
        json_write_null(w);
    }
    write_workspaces(j);
    json_write_object_end(w);
}

void sessions_delete(struct job *j)
{
    struct control_why why = {.param = ""};
    struct control *control = j->console->settings.control;
    bool everywhere = str_eq(job_query(j, STR("everywhere")), STR("true"));
    enum err e = ERR_OK;
    if (everywhere && j->key->member_id)
        e = session_sign_out_all(control, j->key->member_id, &why);
    else if (j->key->session || j->key->device)
        e = session_sign_out(control, j->key->id, &why);
    else
        job_fail(j, ERR_BAD_PARAMETER, STR(""), STR("this is a key, no session; revoke it instead"));
    if (j->status)
        return;
    if (e) {
        job_fail_why(j, e, &why);
        return;
    }
    job_reply_empty(j, 204);
    bool ok = cookie_line(&j->lines, STR(""), 0, people_is_secure(j));
    must(ok);
}

void sessions_password(struct job *j)
{
    struct input in;
    struct control_why why = {.param = ""};
    if (!j->key->member_id) {
        job_fail(j, ERR_BAD_PARAMETER, STR(""), STR("a service key is nobody's and has no password"));
        return;
    }
    if (!input_begin(&in, j))
        return;
    struct str current = input_text(&in, "current"), password = input_text(&in, "password");
    bool ok = input_check(&in);
    enum err e = ok ? session_set_password(j->console->settings.control, j->key->member_id,
                                           current.p ? current : STR(""), password.p ? password : STR(""), &why)
                    : ERR_OK;
    input_end(&in);
    if (ok && e)
        job_fail_why(j, e, &why);
    else if (ok)
        job_reply_empty(j, 204);
}

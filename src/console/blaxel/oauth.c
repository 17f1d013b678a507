/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tokens (RFC 6749) for service accounts by their secret, for programs that a person let in (RFC 8628), and for
 * refresh tokens of both. Bodies are JSON, as Blaxel's clients send them, or forms, as the RFCs have them. Errors
 * have the RFCs' members beside those of the control plane; whatever is wrong is 400.
 */
#include <stdio.h>

#include "base/clock.h"
#include "base/encode.h"
#include "base/mem.h"
#include "base/must.h"
#include "console/blaxel/blaxel.h"
#include "console/blaxel/tenant.h"
#include "console/console_inner.h"
#include "console/portkey/given.h"
#include "control/control.h"
#include "control/control_text.h"
#include "control/people/account.h"
#include "control/people/device.h"
#include "control/people/grant.h"
#include "control/people/token.h"
#include "net/url.h"

#define GRANT_DEVICE "urn:ietf:params:oauth:grant-type:device_code"
#define PAGE "/console/device"
#define ADDRESS_MAX 3000

/* ---- what is asked ---- */

struct ask {
    struct given given; /* of a JSON body */
    struct str form;    /* else p is not NULL */
};

/* False when the job was answered. */
static bool ask_begin(struct ask *a, struct job *j)
{
    struct str body = str_trim(buf_str(&j->body));
    *a = (struct ask){.form = {NULL, 0}};
    if (!body.n || body.p[0] == '{' || body.p[0] == '[' || body.p[0] == '"')
        return given_begin(&a->given, j);
    a->given.job = j;
    a->form = body;
    return true;
}

static void ask_end(struct ask *a)
{
    if (!a->form.p)
        given_end(&a->given);
}

/* "" when it is absent. */
static struct str ask_text(struct ask *a, const char *name)
{
    struct str text = {NULL, 0};
    if (!a->form.p)
        text = given_text(&a->given, a->given.root, name);
    else if (!url_query_find(a->form, str_c(name), a->given.job->arena, &text))
        text.p = NULL;
    return text.p ? text : STR("");
}

/* "Basic base64(id:secret)". False when it is not that. */
static bool read_basic(struct job *j, struct str *ret_id, struct str *ret_secret)
{
    char bytes[2 * APIKEY_PRESENTED_MAX];
    size_t n = 0;
    struct str value = j->authorization;
    if (!str_starts_nocase(value, STR("Basic ")) ||
        !encode_unbase64(str_trim(str_from(value, 6)), bytes, sizeof bytes, &n))
        return false;
    struct str rest = arena_dup(j->arena, str_of(bytes, n));
    mem_wipe(bytes, sizeof bytes);
    bool ok = rest.p && str_split(&rest, ':', ret_id);
    *ret_secret = rest;
    return ok;
}

/* ---- answers ---- */

static void fail(struct job *j, int status, const char *error, const char *description)
{
    struct json_write *w = &j->json;
    job_reply_json(j, status);
    json_write_object(w);
    json_write_member_string(w, "error", str_c(error));
    json_write_member_string(w, "error_description", str_c(description));
    json_write_member_int(w, "code", status);
    json_write_member_string(w, "message", str_c(description));
    json_write_object_end(w);
}

static void fail_why(struct job *j, enum err e, const struct control_why *why)
{
    if (e == ERR_KEY_INVALID || e == ERR_NOT_FOUND)
        fail(j, 400, "invalid_grant", why->text);
    else
        job_fail_why(j, e, why);
}

static void reply(struct job *j, const struct buf *access, const struct buf *refresh)
{
    struct json_write *w = &j->json;
    job_reply_json(j, 200);
    json_write_object(w);
    json_write_member_string(w, "access_token", buf_str(access));
    json_write_member_string(w, "refresh_token", buf_str(refresh));
    json_write_member_string(w, "token_type", STR("Bearer"));
    json_write_member_int(w, "expires_in", TOKEN_ACCESS_S);
    json_write_object_end(w);
}

/* ---- tokens ---- */

/* ERR_OK without tokens when the job was answered. */
static enum err grant_to_device(struct job *j, struct str code, struct buf *access, struct buf *refresh,
                                struct control_why *why)
{
    struct device_ask asked;
    int64_t member_id = 0;
    switch (device_poll(j->console->devices, code, clock_wall_us(), &member_id, &asked)) {
    case DEVICE_PENDING:
        fail(j, 400, "authorization_pending", "Nobody has answered yet; ask again in a few seconds.");
        break;
    case DEVICE_TOO_FAST:
        fail(j, 400, "slow_down", "Asked again too soon; wait some seconds more between two tries.");
        break;
    case DEVICE_REFUSED:
        fail(j, 400, "access_denied", "The person at the other end refused.");
        break;
    case DEVICE_GONE:
        fail(j, 400, "expired_token", "This code is unknown, used or older than ten minutes; begin again.");
        break;
    case DEVICE_ALLOWED:
        return grant_open(j->console->settings.control, member_id, str_c(asked.client), str_c(asked.peer), access,
                          refresh, why);
    }
    return ERR_OK;
}

static enum err grant(struct ask *a, struct buf *access, struct buf *refresh, struct control_why *why)
{
    struct job *j = a->given.job;
    struct control *control = j->console->settings.control;
    struct str type = ask_text(a, "grant_type"), id = ask_text(a, "client_id"), secret = ask_text(a, "client_secret");
    struct str token = ask_text(a, "refresh_token"), code = ask_text(a, "device_code");
    if (j->status)
        return ERR_OK;
    if (str_eq(type, STR("refresh_token")))
        return account_refresh(control, token, access, refresh, why);
    if (str_eq(type, STR(GRANT_DEVICE)))
        return grant_to_device(j, code, access, refresh, why);
    if (!str_eq(type, STR("client_credentials"))) {
        fail(j, 400, type.n ? "unsupported_grant_type" : "invalid_request",
             "grant_type is client_credentials, refresh_token or " GRANT_DEVICE ".");
        return ERR_OK;
    }
    (void)read_basic(j, &id, &secret);
    return account_tokens(control, id, secret, access, refresh, why);
}

void oauth_token(struct job *j)
{
    struct ask a;
    struct buf access, refresh;
    struct control_why why = {.param = ""};
    if (!ask_begin(&a, j))
        return;
    buf_init(&access, TOKEN_MAX);
    buf_init(&refresh, TOKEN_MAX);
    enum err e = grant(&a, &access, &refresh, &why);
    ask_end(&a);
    if (!j->status && e)
        fail_why(j, e, &why);
    else if (!j->status)
        reply(j, &access, &refresh);
    buf_free(&access);
    buf_free(&refresh);
}

/* ---- devices ---- */

static void write_address(struct job *j, const char *name, const char *path, const char *user_code)
{
    struct buf b;
    buf_init(&b, ADDRESS_MAX);
    bool ok = tenant_origin(j, &b) &&
              buf_printf(&b, "%s%s%s", path, user_code ? "?user_code=" : "", user_code ? user_code : "");
    must(ok);
    json_write_member_string(&j->json, name, buf_str(&b));
    buf_free(&b);
}

void oauth_device(struct job *j)
{
    struct ask a;
    struct device_codes codes;
    if (!ask_begin(&a, j))
        return;
    struct str client = ask_text(&a, "client_id");
    ask_end(&a);
    if (j->status)
        return;
    if (!control_text_is_name(client, DEVICE_CLIENT_MAX)) {
        fail(j, 400, "invalid_request", "client_id says what the program is called, in at most 64 bytes.");
        return;
    }
    enum err e = device_ask(j->console->devices, client, j->peer, clock_wall_us(), &codes);
    if (e) {
        job_fail(j, e, STR(""), STR("too many programs wait to be let in; try again in some minutes"));
        return;
    }
    struct json_write *w = &j->json;
    job_reply_json(j, 200);
    json_write_object(w);
    json_write_member_string(w, "device_code", str_c(codes.device));
    json_write_member_string(w, "user_code", str_c(codes.user));
    write_address(j, "verification_uri", PAGE, NULL);
    write_address(j, "verification_uri_complete", PAGE, codes.user);
    json_write_member_int(w, "expires_in", DEVICE_LASTS_US / 1000000);
    json_write_member_int(w, "interval", DEVICE_INTERVAL_S);
    json_write_object_end(w);
    mem_wipe(&codes, sizeof codes);
}

/* Where clients find the above (RFC 8414): nobody can sign in here on behalf of other sites. */
void oauth_configuration(struct job *j)
{
    static const char *const grants[] = {"client_credentials", "refresh_token", GRANT_DEVICE};
    static const char *const auths[] = {"client_secret_basic", "client_secret_post", "none"};
    const char *base = str_starts(j->path, STR("/api/")) ? "/api" : "/v0";
    struct json_write *w = &j->json;
    char path[64];
    job_reply_json(j, 200);
    json_write_object(w);
    write_address(j, "issuer", base, NULL);
    snprintf(path, sizeof path, "%s/oauth/token", base);
    write_address(j, "token_endpoint", path, NULL);
    snprintf(path, sizeof path, "%s/login/device", base);
    write_address(j, "device_authorization_endpoint", path, NULL);
    json_write_key(w, STR("grant_types_supported"));
    json_write_array(w);
    for (size_t i = 0; i < sizeof grants / sizeof grants[0]; i++)
        json_write_string(w, str_c(grants[i]));
    json_write_array_end(w);
    json_write_key(w, STR("token_endpoint_auth_methods_supported"));
    json_write_array(w);
    for (size_t i = 0; i < sizeof auths / sizeof auths[0]; i++)
        json_write_string(w, str_c(auths[i]));
    json_write_array_end(w);
    json_write_object_end(w);
}

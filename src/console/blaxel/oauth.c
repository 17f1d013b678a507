/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tokens for service accounts (RFC 6749: client_credentials, refresh_token). Blaxel answers whatever is wrong
 * with 400.
 */
#include "base/encode.h"
#include "base/mem.h"
#include "base/must.h"
#include "console/blaxel/blaxel.h"
#include "console/console_inner.h"
#include "console/portkey/given.h"
#include "control/control.h"
#include "control/people/account.h"
#include "control/people/token.h"

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

static enum err grant(struct given *g, struct buf *access, struct buf *refresh, struct control_why *why)
{
    struct job *j = g->job;
    struct control *control = j->console->settings.control;
    struct str type = given_text(g, g->root, "grant_type");
    struct str id = given_text(g, g->root, "client_id"), secret = given_text(g, g->root, "client_secret");
    struct str token = given_text(g, g->root, "refresh_token");
    if (j->status)
        return ERR_OK;
    if (str_eq(type, STR("refresh_token")))
        return account_refresh(control, token.p ? token : STR(""), access, refresh, why);
    if (!str_eq(type, STR("client_credentials"))) {
        job_fail(j, ERR_BAD_PARAMETER, STR("grant_type"), STR("It is client_credentials or refresh_token."));
        return ERR_OK;
    }
    (void)read_basic(j, &id, &secret);
    return account_tokens(control, id.p ? id : STR(""), secret.p ? secret : STR(""), access, refresh, why);
}

void oauth_token(struct job *j)
{
    struct given g;
    struct buf access, refresh;
    struct control_why why = {.param = ""};
    if (!given_begin(&g, j))
        return;
    buf_init(&access, TOKEN_MAX);
    buf_init(&refresh, TOKEN_MAX);
    enum err e = grant(&g, &access, &refresh, &why);
    given_end(&g);
    if (!j->status && e)
        job_fail(j, e == ERR_KEY_INVALID ? ERR_BAD_PARAMETER : e, STR("client_secret"), str_c(why.text));
    else if (!j->status)
        reply(j, &access, &refresh);
    buf_free(&access);
    buf_free(&refresh);
}

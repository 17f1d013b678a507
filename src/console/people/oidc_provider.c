/* SPDX-License-Identifier: Apache-2.0 */
/* Reading, checking and keeping the provider's two documents. */
#include "console/people/oidc_provider.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/json/jdoc.h"
#include "base/log.h"
#include "base/must.h"
#include "net/url.h"

#define DISCOVERY "/.well-known/openid-configuration"
#define ARENA_MAX 65536

void provider_init(struct provider *p, const struct oidc_settings *settings)
{
    *p = (struct provider){.settings = settings};
}

void provider_done(struct provider *p)
{
    arena_free(p->arena);
    jwk_set_free(p->keys);
}

/* ---- addresses ---- */

static bool is_loopback(const char *host)
{
    return strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0 || strcmp(host, "localhost") == 0;
}

const char *oidc_issuer_fault(struct str issuer)
{
    struct url u;
    const char *why = NULL;
    if (issuer.n > OIDC_ISSUER_MAX)
        return "it is too long";
    if (url_parse(issuer, URL_BASE, &u, &why) != ERR_OK)
        return why;
    if (u.scheme == URL_HTTP && !is_loopback(u.host))
        return "it must be an https address; http is for a provider on this machine";
    return NULL;
}

/* NULL: a good one. What follows "?" stays with the path. */
static const char *parse_endpoint(struct str url, bool http_too, struct arena *a, struct endpoint *ret)
{
    struct url u;
    const char *why = NULL;
    char authority[URL_AUTHORITY_MAX];
    ptrdiff_t query = str_find(url, '?'), begin = str_search(url, STR("://"));
    for (size_t i = 0; i < url.n; i++)
        if (url.p[i] <= ' ' || url.p[i] >= 0x7f || url.p[i] == '#')
            return "has characters that no address has";
    if (url.n > URL_MAX || url_parse(query < 0 ? url : str_head(url, (size_t)query), URL_BASE, &u, &why) != ERR_OK)
        return why ? why : "is too long";
    if (u.scheme == URL_HTTP && !http_too)
        return "is no https address";
    must(begin >= 0);
    struct str rest = str_from(url, (size_t)begin + 3);
    ptrdiff_t path = str_find(rest, '/');
    ptrdiff_t bare = str_find(rest, '?');
    if (path < 0 || (bare >= 0 && bare < path))
        return "has no path";
    size_t n = url_authority(u.host, u.port, u.scheme, authority);
    ret->target = (struct dial_target){arena_dup(a, str_c(u.host)), u.port, u.scheme == URL_HTTPS};
    ret->authority = arena_dup(a, str_of(authority, n));
    ret->url = arena_dup(a, url);
    ret->path = arena_dup(a, str_from(rest, (size_t)path));
    return ret->target.host.p && ret->authority.p && ret->url.p && ret->path.p ? NULL : "is too long";
}

/* ---- asking ---- */

static enum provider_state failed(struct provider *p, const struct fetch *f, const char *what)
{
    if (f->state == FETCH_FAILED)
        snprintf(p->why, sizeof p->why, "%s of %.*s cannot be reached: %s", what, STR_ARG(p->settings->name), f->why);
    else
        snprintf(p->why, sizeof p->why, "%s of %.*s answers with status %d.", what, STR_ARG(p->settings->name),
                 f->status);
    return PROVIDER_FAILED;
}

enum provider_state provider_ask(struct provider *p, struct job *j, unsigned step, const struct endpoint *at,
                                 struct str lines, struct str content, const struct fetch **ret)
{
    struct fetch_request r = {.target = at->target,
                              .method = content.n ? STR("POST") : STR("GET"),
                              .authority = at->authority,
                              .path = arena_dup(j->arena, at->path),
                              .lines = lines,
                              .content = content,
                              .answer_max = PROVIDER_ANSWER_MAX};
    r.target.host = arena_dup(j->arena, at->target.host); /* the document may be replaced meanwhile */
    must(r.target.host.p != NULL);
    must(r.path.p != NULL);
    *ret = fetch_step(j, step, &r);
    if (!*ret)
        return PROVIDER_WAITS;
    return (*ret)->state == FETCH_FAILED ? failed(p, *ret, "The sign-in server") : PROVIDER_READY;
}

/* ---- the discovery document ---- */

/* Whether a list of texts, or its default when it is not there, has this one. */
static bool lists(struct jval list, const char *text, bool otherwise)
{
    if (jdoc_kind(list) != JDOC_ARRAY)
        return otherwise;
    for (struct jval e = jdoc_first(list); jdoc_has(e); e = jdoc_next(list, e))
        if (jdoc_is(e, text))
            return true;
    return false;
}

static bool read_endpoint(struct provider *p, struct jval doc, const char *name, bool needed, struct arena *a,
                          struct endpoint *ret)
{
    struct jval v = jdoc_find(doc, name);
    *ret = (struct endpoint){.url = STR("")};
    if (!jdoc_has(v) && !needed)
        return true;
    struct str url = jdoc_text(v, a);
    bool http_too = str_starts(p->settings->issuer, STR("http://"));
    const char *fault = !url.n ? "is missing" : parse_endpoint(url, http_too, a, ret);
    if (!fault)
        return true;
    snprintf(p->why, sizeof p->why, "The discovery document of %.*s cannot be used: its %s %s.",
             STR_ARG(p->settings->name), name, fault);
    return false;
}

static bool read_members(struct provider *p, struct jval doc, struct arena *a, struct provider *fresh)
{
    struct str issuer = jdoc_text(jdoc_get(doc, "issuer"), a);
    if (!issuer.p || !str_eq(issuer, p->settings->issuer)) {
        snprintf(p->why, sizeof p->why,
                 "The provider calls itself %.*s, not %.*s; give --oidc-issuer as it spells itself.",
                 (int)(issuer.n > 100 ? 100 : issuer.n), issuer.p ? issuer.p : "", STR_ARG(p->settings->issuer));
        return false;
    }
    if (!lists(jdoc_get(doc, "code_challenge_methods_supported"), "S256", true)) {
        snprintf(p->why, sizeof p->why, "The provider does not support PKCE with S256, which is needed here.");
        return false;
    }
    struct jval auth = jdoc_get(doc, "token_endpoint_auth_methods_supported");
    fresh->auth = lists(auth, "client_secret_basic", true) || !lists(auth, "client_secret_post", false) ? PROVIDER_BASIC
                                                                                                        : PROVIDER_POST;
    fresh->names_issuer = jdoc_true(jdoc_get(doc, "authorization_response_iss_parameter_supported"));
    return read_endpoint(p, doc, "authorization_endpoint", true, a, &fresh->authorize) &&
           read_endpoint(p, doc, "token_endpoint", true, a, &fresh->token) &&
           read_endpoint(p, doc, "jwks_uri", true, a, &fresh->keys_at) &&
           read_endpoint(p, doc, "userinfo_endpoint", false, a, &fresh->userinfo);
}

/* Takes the document's place when it is sound. */
static bool read_document(struct provider *p, struct str json)
{
    struct provider fresh = *p;
    struct arena *a = arena_new(4096, ARENA_MAX);
    struct jdoc doc;
    jdoc_init(&doc);
    bool is_object = jdoc_parse(&doc, json) && jdoc_kind(jdoc_root(&doc)) == JDOC_OBJECT;
    if (!is_object)
        snprintf(p->why, sizeof p->why, "What %.*s has at " DISCOVERY " is no JSON object; is --oidc-issuer right?",
                 STR_ARG(p->settings->issuer));
    bool ok = is_object && read_members(p, jdoc_root(&doc), a, &fresh);
    jdoc_free(&doc);
    if (!ok) {
        arena_free(a);
        return false;
    }
    fresh.arena = a;
    fresh.read_us = clock_mono_us();
    arena_free(p->arena);
    *p = fresh;
    return true;
}

static bool is_fresh(uint64_t read_us)
{
    return read_us && clock_mono_us() - read_us < PROVIDER_LASTS_US;
}

/* What there is stays in use when it cannot be read again. */
static enum provider_state keep_old(struct provider *p, bool there, uint64_t *read_us)
{
    log_warn("oidc_provider", LOG_TEXT("why", p->why));
    if (!there)
        return PROVIDER_FAILED;
    *read_us = clock_mono_us() - PROVIDER_LASTS_US + PROVIDER_AGAIN_US; /* tried again soon, not at once */
    return PROVIDER_READY;
}

bool provider_is_known(const struct provider *p)
{
    return is_fresh(p->read_us);
}

enum provider_state provider_document(struct provider *p, struct job *j)
{
    struct endpoint at;
    const struct fetch *f;
    char text[URL_MAX + sizeof DISCOVERY];
    if (is_fresh(p->read_us))
        return PROVIDER_READY;
    struct str issuer = p->settings->issuer;
    if (str_ends(issuer, STR("/")))
        issuer = str_head(issuer, issuer.n - 1);
    int n = snprintf(text, sizeof text, "%.*s" DISCOVERY, STR_ARG(issuer));
    const char *fault = parse_endpoint(str_of(text, (size_t)n), true, j->arena, &at);
    must(fault == NULL); /* the issuer was checked at the start */
    enum provider_state state = provider_ask(p, j, PROVIDER_STEP_DOCUMENT, &at, STR(""), STR(""), &f);
    if (state == PROVIDER_WAITS)
        return state;
    if (state == PROVIDER_READY && f->status != 200) {
        snprintf(p->why, sizeof p->why, "%.*s" DISCOVERY " answers with status %d; is --oidc-issuer right?",
                 STR_ARG(issuer), f->status);
        state = PROVIDER_FAILED;
    }
    if (state == PROVIDER_READY && !read_document(p, buf_str(&f->body)))
        state = PROVIDER_FAILED;
    return state == PROVIDER_READY ? state : keep_old(p, p->arena != NULL, &p->read_us);
}

/* ---- its keys ---- */

enum provider_state provider_keys(struct provider *p, struct job *j, bool again)
{
    const struct fetch *f;
    const char *why = NULL;
    struct jwk_set *fresh = NULL;
    unsigned step = again ? PROVIDER_STEP_AGAIN : PROVIDER_STEP_KEYS;
    bool asked = false;
    for (const struct fetch *one = j->fetch; one; one = one->earlier)
        asked |= one->step == step;
    if (!asked && (again ? clock_mono_us() - p->keys_read_us < PROVIDER_AGAIN_US : is_fresh(p->keys_read_us)))
        return PROVIDER_READY;
    enum provider_state state = provider_ask(p, j, step, &p->keys_at, STR(""), STR(""), &f);
    if (state == PROVIDER_WAITS)
        return state;
    if (state == PROVIDER_READY && f->status != 200)
        state = failed(p, f, "The key set");
    if (state == PROVIDER_READY && jwk_set_parse(buf_str(&f->body), &fresh, &why) != ERR_OK) {
        snprintf(p->why, sizeof p->why, "%s", why);
        state = PROVIDER_FAILED;
    }
    if (state != PROVIDER_READY)
        return keep_old(p, p->keys != NULL, &p->keys_read_us);
    jwk_set_free(p->keys);
    p->keys = fresh;
    p->keys_read_us = clock_mono_us();
    return PROVIDER_READY;
}

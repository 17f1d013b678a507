/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests are rendered whole. Of an answer that is no token only the error's code and the first
 * sentence of its description are told: Entra says there what is wrong (AADSTS…), and no more is needed.
 *
 * https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow
 * https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token
 */
#include "gateway/target/azure_token_wire.h"

#include <stdio.h>

#include "base/arena.h"
#include "base/json/jdoc.h"
#include "base/mem.h"
#include "net/http1_head.h"
#include "net/url.h"

#define SCOPE "https://cognitiveservices.azure.com/.default"
#define RESOURCE "https://cognitiveservices.azure.com/"
#define ASSERTION_TYPE "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
#define LIFETIME_UNKNOWN_S 600
#define LIFETIME_MAX_S (7 * 86400)
#define SAID_MAX 200

/* name=value with the value encoded; nothing when it is empty. */
static bool add_param(struct buf *out, const char *name, struct str value)
{
    if (!value.n)
        return true;
    return (!buf_size(out) || buf_add_byte(out, '&')) && buf_printf(out, "%s=", name) && url_encode(out, value);
}

static bool post(const struct azure_token_want *want, const struct base_url *server, struct str tenant,
                 struct str assertion, struct buf *head, struct buf *body)
{
    return add_param(body, "client_id", want->client_id) && add_param(body, "client_secret", want->client_secret) &&
           add_param(body, "client_assertion_type", assertion.n ? STR(ASSERTION_TYPE) : STR("")) &&
           add_param(body, "client_assertion", assertion) && add_param(body, "grant_type", STR("client_credentials")) &&
           add_param(body, "scope", want->scope.n ? want->scope : STR(SCOPE)) &&
           buf_printf(head, "POST %s/", server->path) && url_encode(head, tenant) &&
           buf_printf(head,
                      "/oauth2/v2.0/token HTTP/1.1\r\nHost: %s\r\nContent-Type: application/x-www-form-urlencoded\r\n"
                      "Accept: application/json\r\nContent-Length: %zu\r\n\r\n",
                      server->authority, buf_size(body));
}

static bool get(const struct azure_token_want *want, const struct base_url *server, struct buf *head)
{
    struct buf query;
    struct str resource = want->scope.n ? want->scope : STR(RESOURCE);
    if (str_ends(resource, STR("/.default"))) /* a scope; its resource is what stands before */
        resource.n -= sizeof ".default" - 1;
    buf_init(&query, AZURE_TOKEN_REQUEST_MAX);
    bool ok = add_param(&query, "api-version", STR("2018-02-01")) && add_param(&query, "resource", resource) &&
              add_param(&query, "client_id", want->client_id) &&
              buf_printf(head,
                         "GET %s/metadata/identity/oauth2/token?%.*s HTTP/1.1\r\nHost: %s\r\nMetadata: true\r\n"
                         "Accept: application/json\r\n\r\n",
                         server->path, STR_ARG(buf_str(&query)), server->authority);
    buf_free(&query);
    return ok;
}

bool azure_token_wire_request(const struct azure_token_want *want, const struct base_url *server, struct str tenant,
                              struct str assertion, struct buf *head, struct buf *body)
{
    if (want->mode == AZURE_TOKEN_MANAGED)
        return get(want, server, head);
    return post(want, server, tenant, assertion, head, body);
}

/* Answers. */

/* What a server said, as far as it may be repeated: one sentence of plain text without the secret. */
static struct str quotable(struct str said, struct str secret)
{
    size_t n = 0;
    if (secret.n && said.n >= secret.n && str_search(said, secret) >= 0)
        return STR("");
    while (n < said.n && n < SAID_MAX && said.p[n] >= ' ' && said.p[n] < 0x7f &&
           !(said.p[n] == '.' && (n + 1 == said.n || said.p[n + 1] == ' ')))
        n++;
    return str_head(said, n);
}

static void explain(const struct azure_token_answer *answer, const struct jdoc *doc, struct arena *a, char *why)
{
    struct jval root = doc ? jdoc_root(doc) : (struct jval){NULL, 0};
    struct str code = quotable(jdoc_text(jdoc_get(root, "error"), a), answer->secret);
    struct str said = quotable(jdoc_text(jdoc_get(root, "error_description"), a), answer->secret);
    if (answer->status == 200)
        snprintf(why, AZURE_TOKEN_WHY_MAX, "The token server's answer has no access token that can be used.");
    else
        snprintf(why, AZURE_TOKEN_WHY_MAX, "The token server refused with status %d%s%.*s%s%.*s.", answer->status,
                 code.n ? ", " : "", STR_ARG(code), said.n ? ": " : "", STR_ARG(said));
}

/* A whole number, or one written as a string, as the metadata service does. */
static uint64_t seconds_of(struct jval v, struct arena *a)
{
    uint64_t s = 0;
    if (jdoc_kind(v) == JDOC_STRING)
        return str_to_u64(jdoc_text(v, a), &s) ? s : 0;
    return jdoc_count(v, 0);
}

static bool is_token(struct str token)
{
    return token.n && token.n <= AZURE_TOKEN_MAX && http1_value_valid(token) && str_find(token, ' ') < 0;
}

enum err azure_token_wire_read(const struct azure_token_answer *answer, struct secret *ret_token,
                               uint64_t *ret_lifetime_s, char why[AZURE_TOKEN_WHY_MAX])
{
    struct jdoc doc;
    struct arena *a = arena_new(4096, 4 * AZURE_TOKEN_ANSWER_MAX);
    jdoc_init(&doc);
    bool json = jdoc_parse(&doc, answer->body) && jdoc_kind(jdoc_root(&doc)) == JDOC_OBJECT;
    struct jval root = json ? jdoc_root(&doc) : (struct jval){NULL, 0};
    struct str token = jdoc_text(jdoc_get(root, "access_token"), a);
    uint64_t s = seconds_of(jdoc_get(root, "expires_in"), a);
    bool ok = answer->status == 200 && is_token(token);
    if (ok) {
        secret_set(ret_token, token);
        *ret_lifetime_s = !s ? LIFETIME_UNKNOWN_S : s < LIFETIME_MAX_S ? s : LIFETIME_MAX_S;
    } else {
        explain(answer, json ? &doc : NULL, a, why);
    }
    jdoc_free(&doc);
    arena_free(a);
    return ok ? ERR_OK : ERR_UPSTREAM_BAD_HTTP;
}

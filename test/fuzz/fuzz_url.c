/* SPDX-License-Identifier: Apache-2.0 */
/*
 * URLs, proxies and query strings from any bytes. What is accepted must be stable: written out
 * again it parses to the same, and what a host decodes to has only one spelling.
 */
#include <stdio.h>
#include <string.h>

#include "base/must.h"
#include "net/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void again(const struct url *u)
{
    char text[URL_MAX + 64], authority[URL_AUTHORITY_MAX], host[URL_HOST_MAX + 1];
    struct url twice;
    const char *why = NULL;
    url_authority(u->host, u->port, u->scheme, authority);
    int n = snprintf(text, sizeof text, "%s://%s%.*s", u->scheme == URL_HTTPS ? "https" : "http", authority,
                     STR_ARG(u->path));
    if (n > URL_MAX)
        return; /* brackets and scheme may have been left out before */
    must(url_parse(str_of(text, (size_t)n), URL_BASE, &twice, &why) == ERR_OK);
    must(twice.scheme == u->scheme);
    must(twice.port == u->port);
    must(strcmp(twice.host, u->host) == 0);
    must(str_eq(twice.path, u->path));
    must(url_host(str_c(u->host), host));
    must(strcmp(host, u->host) == 0);
}

static void query(struct str text)
{
    struct arena *a = arena_new(1024, 65536);
    struct url_query q;
    struct url_param param;
    unsigned count = 0;
    url_query_init(&q, text, a);
    while (url_query_next(&q, &param)) {
        struct buf b;
        struct str back;
        buf_init(&b, 3 * param.value.n + 1);
        must(url_encode(&b, param.value));
        if (url_decode(buf_str(&b), URL_IN_QUERY, a, &back))
            must(str_eq(back, param.value));
        buf_free(&b);
        count++;
    }
    must(count <= URL_PARAMS_MAX);
    arena_free(a);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct str text = {(const char *)p, n};
    struct url u;
    const char *why = NULL;
    for (int use = URL_BASE; use <= URL_PROXY; use++) {
        if (url_parse(text, (enum url_use)use, &u, &why) == ERR_OK) {
            struct buf b;
            again(&u);
            buf_init(&b, 8192);
            if (u.user.n)
                must(url_basic(&u, &b));
            buf_free(&b);
        } else {
            must(why != NULL);
        }
    }
    url_no_proxy(text, "api.openai.com", 443);
    url_no_proxy(text, "::1", 80);
    query(text);
    return 0;
}

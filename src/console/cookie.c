/* SPDX-License-Identifier: Apache-2.0 */
/* Reading and setting the one cookie there is. */
#include "console/cookie.h"

#define NAME "tollgate_session"

/* Whether the browser says that another site's page made the request. */
static bool is_foreign(const struct http1_head *head)
{
    const struct http1_field *site = http1_find(head, STR("sec-fetch-site"));
    const struct http1_field *origin = http1_find(head, STR("origin")), *host = http1_find(head, STR("host"));
    if (str_eq(head->method, STR("GET")) || str_eq(head->method, STR("HEAD")))
        return false;
    if (site)
        return !str_eq(site->value, STR("same-origin")) && !str_eq(site->value, STR("none"));
    if (!origin || !host)
        return false; /* no browser of these years */
    struct str from = origin->value;
    ptrdiff_t at = str_search(from, STR("://"));
    return at < 0 || !str_eq_nocase(str_from(from, (size_t)at + 3), host->value);
}

struct str cookie_session(const struct http1_head *head)
{
    const struct http1_field *field = http1_find_id(head, HTTP1_COOKIE);
    struct str rest = field ? field->value : STR(""), part;
    if (!field || is_foreign(head))
        return STR("");
    while (str_split(&rest, ';', &part)) {
        part = str_trim(part);
        if (str_starts(part, STR(NAME "=")))
            return str_from(part, sizeof NAME);
    }
    return STR("");
}

bool cookie_line(struct buf *lines, struct str token, int64_t seconds, bool secure)
{
    return buf_printf(lines, "Set-Cookie: " NAME "=%.*s; Path=/; Max-Age=%lld; HttpOnly; SameSite=Lax%s\r\n",
                      STR_ARG(token), (long long)seconds, secure ? "; Secure" : "");
}

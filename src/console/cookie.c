/* SPDX-License-Identifier: Apache-2.0 */
/* Reading and setting the two cookies there are. */
#include "console/cookie.h"

#define OVER_TLS "__Host-"
#define SESSION "tollgate_session"
#define TICKET "tollgate_sign_in"

bool cookie_is_foreign(const struct http1_head *head)
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

struct str cookie_find(struct str field, struct str name)
{
    struct str part;
    while (str_split(&field, ';', &part)) {
        part = str_trim(part);
        if (str_starts(part, name) && part.n > name.n && part.p[name.n] == '=')
            return str_from(part, name.n + 1);
    }
    return STR("");
}

struct str cookie_session(const struct http1_head *head, bool secure)
{
    const struct http1_field *field = http1_find_id(head, HTTP1_COOKIE);
    return field && !cookie_is_foreign(head) ? cookie_find(field->value, secure ? STR(OVER_TLS SESSION) : STR(SESSION))
                                             : STR("");
}

bool cookie_line(struct buf *lines, struct str token, int64_t seconds, bool secure)
{
    return buf_printf(lines, "Set-Cookie: %s=%.*s; Path=/; Max-Age=%lld; HttpOnly; SameSite=Lax%s\r\n",
                      secure ? OVER_TLS SESSION : SESSION, STR_ARG(token), (long long)seconds,
                      secure ? "; Secure" : "");
}

struct str cookie_ticket(struct str field, bool secure)
{
    return cookie_find(field, secure ? STR(OVER_TLS TICKET) : STR(TICKET));
}

bool cookie_ticket_line(struct buf *lines, struct str ticket, int64_t seconds, bool secure)
{
    return buf_printf(lines, "Set-Cookie: %s=%.*s; Path=%s; Max-Age=%lld; HttpOnly; SameSite=Lax%s\r\n",
                      secure ? OVER_TLS TICKET : TICKET, STR_ARG(ticket), secure ? "/" : "/tollgate/v1/sign-in/",
                      (long long)seconds, secure ? "; Secure" : "");
}

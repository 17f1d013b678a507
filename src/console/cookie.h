/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONSOLE_COOKIE_H
#define CONSOLE_COOKIE_H

/*
 * cookie: the session of a browser. A cookie goes along whoever's page makes the request, so it counts only
 * for requests that are not another site's: SameSite=Lax keeps it away from those in the first place,
 * and what changes something is refused when the browser says that it comes from elsewhere.
 *
 * A second one holds the ticket of a sign-in at a provider that is under way (people/oidc_ticket.h). Over TLS the names
 * of both begin with "__Host-", so that no other host of the same domain can have put them there (RFC 6265bis §4.1.3.2);
 * only by these names they count then.
 */

#include "base/buf.h"
#include "base/str.h"
#include "net/http1_head.h"

/* The token in the cookie, a view into the head; empty when there is none or it does not count. */
struct str cookie_session(const struct http1_head *head, bool secure);
/* Whether the browser says that another site's page makes this request, which is not a GET or HEAD. */
bool cookie_is_foreign(const struct http1_head *head);
/* The cookie of that name in a Cookie field's value; empty when it is not there. */
struct str cookie_find(struct str field, struct str name);
/* The header line that sets it for so many seconds; 0 takes it away. Appended. */
bool cookie_line(struct buf *lines, struct str token, int64_t seconds, bool secure) __attribute__((warn_unused_result));

/* The ticket in a Cookie field's value; empty when it is not there. */
struct str cookie_ticket(struct str field, bool secure);
/* The line that sets it. */
bool cookie_ticket_line(struct buf *lines, struct str ticket, int64_t seconds, bool secure)
    __attribute__((warn_unused_result));

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONSOLE_COOKIE_H
#define CONSOLE_COOKIE_H

/*
 * cookie: the session of a browser. A cookie goes along whoever's page makes the request, so it counts only
 * for requests that are not another site's: SameSite=Lax keeps it away from those in the first place,
 * and what changes something is refused when the browser says that it comes from elsewhere.
 */

#include "base/buf.h"
#include "base/str.h"
#include "net/http1_head.h"

/* The token in the cookie, a view into the head; empty when there is none or it does not count. */
struct str cookie_session(const struct http1_head *head);
/* The header line that sets it for so many seconds; 0 takes it away. Appended. */
bool cookie_line(struct buf *lines, struct str token, int64_t seconds, bool secure) __attribute__((warn_unused_result));

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REPORT_NOTIFY_SMTP_REPLY_H
#define REPORT_NOTIFY_SMTP_REPLY_H

/*
 * smtp_reply: what a mail server says (RFC 5321 §4.2): lines of a three-digit code, the last one with a
 * space behind it. Read strictly: every line ends in CR LF and has the same code, and the whole is
 * bounded. Bytes in, facts out.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

#define SMTP_REPLY_MAX 8192 /* bytes of one reply */

enum smtp_reply_state { SMTP_REPLY_PARTIAL, SMTP_REPLY_WHOLE, SMTP_REPLY_BAD };

struct smtp_reply {
    int code;        /* 200 … 599 */
    size_t size;     /* bytes of it all */
    struct str text; /* its lines, with their codes */
};
/* Of what has arrived so far; the reply begins at its first byte. */
enum smtp_reply_state smtp_reply_read(struct str bytes, struct smtp_reply *ret);

/* The words of the next line, without code and line end. *at begins at 0; false: there is none. */
bool smtp_reply_line(const struct smtp_reply *r, size_t *at, struct str *ret);

/* What the answer to EHLO offers. */
struct smtp_offers {
    bool starttls, plain, login;
    uint64_t size_max; /* 0 = not said */
};
void smtp_reply_offers(const struct smtp_reply *r, struct smtp_offers *ret);

#define SMTP_REPLY_SAID_MAX 160
/* "550 5.1.1 No such user" for people: one line of plain ASCII. */
void smtp_reply_said(const struct smtp_reply *r, char out[SMTP_REPLY_SAID_MAX]);

#endif

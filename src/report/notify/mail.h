/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REPORT_NOTIFY_MAIL_H
#define REPORT_NOTIFY_MAIL_H

/*
 * mail: a message as the text that a mail server takes (RFC 5322, MIME), and what an address is.
 *
 * Nothing a caller gives can begin a line of its own: addresses are of a narrow form, a subject with
 * anything but plain ASCII in it is encoded (RFC 2047), the text is quoted-printable, and no line is
 * longer than 76 bytes. Bytes in, bytes out; no I/O.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"

#define MAIL_ADDRESS_MAX 254
#define MAIL_NAME_MAX 100
/* The longest text there is, encoded. */
#define MAIL_MAX (512u * 1024)

/*
 * local@domain as in an envelope: the local part of dot-separated atoms, at most 64 bytes; the domain of labels, or
 * an address in brackets. ASCII only, nothing quoted, no comments.
 */
bool mail_address_ok(struct str address);

/* Who mail is from. */
struct mail_from {
    char address[MAIL_ADDRESS_MAX + 1];
    char name[MAIL_NAME_MAX + 1]; /* UTF-8; "" = none */
};
/* "Tollgate <tollgate@example.com>", "\"A, B\" <a@b.c>" or an address alone. NULL, or a sentence. */
const char *mail_from_read(struct str text, struct mail_from *ret);
/* Behind its '@'. */
struct str mail_domain(struct str address);

struct mail {
    const struct mail_from *from;
    struct str to;      /* mail_address_ok */
    struct str subject; /* UTF-8; anything else becomes U+FFFD, control characters spaces */
    struct str text;    /* UTF-8, lines ended by \n or \r\n */
    struct str id;      /* what the Message-ID is made of */
    const char *kind;   /* [a-z_]; for rules of receivers */
    int64_t time_us;    /* when it was written */
};
/* Header and body, each line ended by CR LF, no line beginning with a dot undone. False: it does not fit. */
bool mail_write(const struct mail *m, struct buf *out) __attribute__((warn_unused_result));

#define MAIL_ID_MAX 400
/* "<0123…@example.com>": the same for the same id and sender. */
void mail_message_id(const struct mail *m, char out[MAIL_ID_MAX]);
/* "Sun, 22 Nov 2026 13:00:42 +0000" */
#define MAIL_DATE_MAX 40
void mail_date(int64_t time_us, char out[MAIL_DATE_MAX]);

#endif

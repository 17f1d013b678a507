/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REPORT_NOTIFY_SMTP_H
#define REPORT_NOTIFY_SMTP_H

/*
 * smtp: gives mail to one mail server (RFC 5321, submission), one message at a time, on a loop.
 *
 * Under TLS from the first byte (smtps) or from STARTTLS on, with the certificate verified; a server that
 * offers none gets nothing, neither mail nor password, unless the operator said so for a loopback
 * address. Signing in by PLAIN or LOGIN. The connection stays for some seconds, for the next message.
 *
 * The operator names the server, so any address but a cloud's metadata service will do.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/secret.h"
#include "base/str.h"
#include "net/loop.h"
#include "net/url.h"

struct resolver;
struct smtp;
struct tls_client;

#define SMTP_WHY_MAX 320
#define SMTP_USER_MAX 254

struct smtp_server {
    char host[URL_HOST_MAX + 1];
    uint16_t port;
    bool tls;                     /* from the first byte: smtps */
    bool plain;                   /* without TLS */
    char user[SMTP_USER_MAX + 1]; /* "" = without signing in */
};
/*
 * "smtp://user@host:587", "smtps://host". Ports 587 and 465 are the defaults; the user is percent-decoded. NULL, or
 * a sentence that does not quote it. `plain`: without TLS, for localhost and loopback addresses only.
 */
const char *smtp_server_read(struct str text, bool plain, struct smtp_server *ret);

struct smtp_settings {
    struct loop *loop;
    struct resolver *resolver;
    struct tls_client *tls;
    const struct smtp_server *server; /* outlives the object */
    struct str password;              /* copied; "" = none */
    const char *name;                 /* how we greet: a host name; outlives the object */
    uint64_t connect_timeout_us;
};

enum smtp_verdict {
    SMTP_TAKEN,
    SMTP_LATER,   /* try again */
    SMTP_REFUSED, /* for good, and because of this message or this receiver */
};
struct smtp_result {
    enum smtp_verdict verdict;
    bool server; /* LATER: it would be so with any message */
    char why[SMTP_WHY_MAX];
};
typedef void smtp_done_fn(void *ctx, const struct smtp_result *result);

struct smtp *smtp_new(const struct smtp_settings *settings);
void smtp_free(struct smtp *s); /* what is under way is dropped; NULL does nothing */

/* `mail` as of mail_write; it stays where it is until `done`, which is called once, later. Not while smtp_busy. */
void smtp_send(struct smtp *s, struct str from, struct str to, struct str mail, smtp_done_fn *done, void *ctx);
bool smtp_busy(const struct smtp *s);

#endif

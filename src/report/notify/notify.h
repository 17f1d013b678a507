/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REPORT_NOTIFY_NOTIFY_H
#define REPORT_NOTIFY_NOTIFY_H

/*
 * notify: everything the program sends to people: mail, Slack, Microsoft Teams, webhooks.
 *
 * notify_send puts a message into an outbox, DIR/notify.db, and returns as soon as the row is on the
 * disk; it never waits for the network, but for the disk it may: not on a worker's loop. Threads of
 * this object's own take messages from there, try until somebody has taken them, with growing pauses
 * of which a part is chance, and give up loudly after NOTIFY_LASTS_US: a line in the log, a counter,
 * and the reason in the row.
 *
 * What was put in is sent at least once, over kills and restarts. The same id put in twice is one
 * message, for as long as the outbox remembers it (100 days; the newest NOTIFY_ROWS_MAX). A
 * receiver can tell a message that reaches it twice: mail has the id in its Message-ID, a webhook in
 * the field Idempotency-Key.
 *
 * Texts, links and addresses of webhooks are secrets (an invitation's link is one): they are sealed in the
 * file, are wiped once the message is sent or given up, and never get into a log.
 *
 * Where a text goes is the caller's to check: an address of mail by notify_address_ok, a member's URL
 * by the one outbound stack when it is dialled (no loopback, no private network unless allowed).
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

struct address_set;
struct control;
struct notify;
struct tls_client;

#define NOTIFY_WHY_MAX 320
#define NOTIFY_ROWS_MAX 100000
#define NOTIFY_LASTS_US (INT64_C(24) * 3600 * 1000000)
#define NOTIFY_ID_MAX 200
#define NOTIFY_TO_MAX 2048
#define NOTIFY_SUBJECT_MAX 300
#define NOTIFY_TEXT_MAX 65536
#define NOTIFY_LINK_MAX 2048
#define NOTIFY_JSON_MAX 131072

enum notify_channel {
    NOTIFY_MAIL,
    NOTIFY_SLACK,
    NOTIFY_TEAMS,
    NOTIFY_WEBHOOK,
    NOTIFY_CHANNEL_COUNT,
};
/* "mail", "slack", "teams", "webhook" */
const char *notify_channel_text(enum notify_channel channel);

struct notify_message {
    enum notify_channel channel;
    int64_t workspace_id; /* whose message it is; 0 = the organization's */
    const char *kind;     /* "invitation", "budget_alert", …: [a-z_], for the log and for receivers */
    /*
     * Twice the same id is sent once: make it of what happened, to whom and when, e.g.
     * "budget_alert/bgt_12/80/2026-11/anna@example.com". Visible ASCII; 1 to NOTIFY_ID_MAX bytes.
     */
    struct str id;
    /* MAIL: one address. SLACK, TEAMS: the name of a channel that an admin stored, or a URL. WEBHOOK: either. */
    struct str to;
    struct str subject; /* one line of UTF-8; of Slack and Teams the headline */
    struct str text;    /* plain UTF-8, lines ended by \n */
    struct str link;    /* "" = none; "/console/…" stands behind the server's public URL */
    struct str json;    /* WEBHOOK: an object that becomes "data" of the payload; "" = {} */
};

/*
 * ERR_OK: it is in the outbox, or was before. ERR_BAD_PARAMETER: a field cannot be sent (line ends in a subject or
 * address, too long, no such channel). ERR_FORBIDDEN: this kind of channel is not set up (notify_can).
 * ERR_OVERLOADED: the outbox is full of messages that wait. ERR_STORE_FAILED. Anything but ERR_OK is in the log too;
 * a caller who has nobody to tell may ignore it. Any thread; `n` may be NULL (ERR_FORBIDDEN).
 */
enum err notify_send(struct notify *n, const struct notify_message *m, char why[NOTIFY_WHY_MAX]) ERR_USE;

/* Whether such a message would have a way out: MAIL needs --smtp-url; the others always have. NULL: false. */
bool notify_can(const struct notify *n, enum notify_channel channel);
/* One mail address as it may stand in an envelope: local@domain, visible ASCII, nothing quoted, at most 254 bytes. */
bool notify_address_ok(struct str address);
/* "https://gateway.example.com", without a slash at the end; "" when --public-url is not set. */
struct str notify_public_url(const struct notify *n);

/*
 * Sends and waits until the first try is over, for at most `timeout_ms`; there is no second one. ERR_OK: it was taken.
 * ERR_UPSTREAM_CONNECT: it was not, and `why` says what went wrong. For "does it work".
 */
enum err notify_try(struct notify *n, const struct notify_message *m, unsigned timeout_ms,
                    char why[NOTIFY_WHY_MAX]) ERR_USE;
/*
 * Runs fn(ctx) soon on a thread that may wait for the disk; for callers who may not. False, and nothing is run: too
 * much of that waits already.
 */
bool notify_defer(struct notify *n, void (*fn)(void *ctx), void *ctx) __attribute__((warn_unused_result));

/* --- who ------------------------------------------------------------------------------------- */

/*
 * Addresses of those who look after a workspace: its admins, and owners and admins of the organization; 0 = only
 * the latter. People without an address are left out; nobody is there twice. Array and texts live in `a`.
 */
enum err notify_admins(struct notify *n, int64_t workspace_id, struct arena *a, struct str **ret,
                       size_t *ret_count) ERR_USE;
/*
 * One mail to each of them; the address is put behind m->id. Nothing happens when mail is not set up. ERR_STORE_FAILED,
 * ERR_OVERLOADED: not for all of them; the same again later goes to those who did not get it.
 */
enum err notify_admins_send(struct notify *n, const struct notify_message *m);

/* --- life ------------------------------------------------------------------------------------ */

struct notify_options {
    const char *dir; /* the data directory */
    struct control *control;
    struct str public_url;
    struct str smtp_url;      /* "" = no mail; "smtp://user@host:587", "smtps://…" */
    struct str smtp_password; /* a secret; "" = none */
    struct str mail_from;     /* "Tollgate <tollgate@example.com>" or an address */
    bool smtp_plain;          /* without TLS; only to a loopback address */
    /* As for the gateway; they outlive this object. */
    const struct address_set *allowed;
    struct tls_client *tls;
    const char *ca_file; /* NULL = the system's */
    struct str https_proxy, http_proxy, no_proxy;
    uint64_t connect_timeout_us;
    unsigned retry_first_ms; /* the first wait after a failure; 0 = 5000. Tests set less */
};
/* ERR_BAD_OPTION with a sentence. A server that is not there is no failure. */
enum err notify_open(const struct notify_options *options, struct notify **ret, char why[NOTIFY_WHY_MAX]) ERR_USE;
/* What is under way is broken off; the rest is sent after the next start. NULL does nothing. */
void notify_close(struct notify *n);

/* For metrics; waits for nothing. Counters since the start of this process, of each channel. */
struct notify_counts {
    uint64_t sent, failed, tries; /* failed: given up */
    uint64_t waiting;             /* in the outbox now */
};
void notify_count(struct notify *n, struct notify_counts ret[NOTIFY_CHANNEL_COUNT]);
struct outbox;
/* What waits and what became of the others (outbox.h). */
struct outbox *notify_outbox(struct notify *n);
struct control *notify_control(const struct notify *n);

#endif

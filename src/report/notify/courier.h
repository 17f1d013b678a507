/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REPORT_NOTIFY_COURIER_H
#define REPORT_NOTIFY_COURIER_H

/*
 * courier: takes letters out of the outbox and sees them sent, on a thread with a loop of its own.
 *
 * Some at a time, one over the mail server and at most two to one host, so that a slow receiver holds up
 * nobody else. What fails is tried again after 5 s, 10 s, 20 s … an hour, a third of which is chance, or after
 * the time that Retry-After asks for; given up after NOTIFY_LASTS_US. When a server itself is at fault
 * nothing else is tried there until its own pause is over.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "report/notify/notify.h"
#include "report/notify/outbox.h"

struct courier;

/* Lanes of letters. */
#define COURIER_MAIL_LANE "smtp"

struct courier_settings {
    const struct notify_options *options; /* outlives the object; retry_first_ms is set */
    const struct smtp_server *server;     /* NULL: no mail; outlives the object */
    const struct mail_from *from;         /* outlives the object */
    const char *name;                     /* how we greet mail servers; outlives the object */
    struct outbox *outbox;
    /* A try is over; `why` is "" when it was taken. On the thread. */
    void (*tried)(void *ctx, struct str key, const char *why);
    void *ctx;
};

/* NULL with a sentence when the kernel refuses descriptors or a thread. */
struct courier *courier_new(const struct courier_settings *settings, char why[NOTIFY_WHY_MAX]);
/* What is under way is broken off. Calls that were posted and wait have been made when it returns. NULL does nothing. */
void courier_free(struct courier *c);
/* There is something new. Any thread. */
void courier_wake(struct courier *c);
/* The same, and pauses of servers are over: somebody waits for it. */
void courier_hurry(struct courier *c);
/* Runs fn(ctx) on the thread. Any thread. */
void courier_post(struct courier *c, void (*fn)(void *ctx), void *ctx);

struct courier_counts {
    uint64_t sent, failed, tries;
};
void courier_count(const struct courier *c, struct courier_counts ret[NOTIFY_CHANNEL_COUNT]);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REPORT_NOTIFY_NOTICES_H
#define REPORT_NOTIFY_NOTICES_H

/*
 * notices: the messages that other parts of the program have sent, by what has happened. Each puts what texts.h
 * says into the outbox for whom it concerns, under an id made of the event, so that the same event is told
 * once, over restarts too. `n` may be NULL, and mail not set up: then nothing happens.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/secret.h"
#include "control/limit/limit.h"
#include "control/people/invitation.h"
#include "report/notify/notify.h"

/*
 * The link to accept with: behind the server's public URL, or "/console/#/invitation/…" by itself when that is not
 * known. Appends.
 */
bool notices_invitation_link(struct str public_url, struct str secret, struct buf *out)
    __attribute__((warn_unused_result));
/* To the invited person. `who` invites, "" = an administrator; `workspace` "" = the organization. True: it will be sent. */
bool notices_invitation(struct notify *n, const struct invitation *i, const struct secret *secret, struct str workspace,
                        struct str who);

/*
 * A budget has reached its alert threshold: to the alert_emails of the key it hangs on, else to the admins of its
 * workspace; once for each window. Waits for nothing, so that workers may call it; what it is given is copied.
 */
struct notices_alert {
    const struct limit *limit;
    struct str group; /* policy.h; "" = without */
    int64_t used, window_start_us, window_end_us;
};
void notices_alert(struct notify *n, const struct notices_alert *alert);

/* To the workspace's admins. */
struct notices_import {
    int64_t account, workspace_id;
    struct str integration, organization;
    int64_t since_us; /* costs since then; or when it last went well, 0 = never */
    int64_t now_us;   /* when it was seen to fail */
    uint64_t rows;
    struct str why; /* of a failure */
};
void notices_import_finished(struct notify *n, const struct notices_import *im);
/* Once for each time it begins to fail. */
void notices_import_failed(struct notify *n, const struct notices_import *im);

/* "Does mail work?": tries once and waits for it. As notify_try. */
enum err notices_test(struct notify *n, enum notify_channel channel, int64_t workspace_id, struct str to,
                      struct str who, char why[NOTIFY_WHY_MAX]) ERR_USE;

#endif

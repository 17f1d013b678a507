/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REPORT_NOTIFY_PAYLOAD_H
#define REPORT_NOTIFY_PAYLOAD_H

/*
 * payload: a message as the JSON that an incoming webhook takes.
 *
 *     Slack    {"text": "*subject*\ntext\n<link|Open>"}, with &, < and > as Slack wants them
 *     Teams    a message with one adaptive card: subject, text, a button for the link
 *     webhook  {"id", "type", "timestamp", "workspace_id", "subject", "text", "link", "data": …}
 *
 * A webhook with a key is signed as "Standard Webhooks" has it: fields webhook-id, webhook-timestamp and
 * webhook-signature, the latter "v1," and the HMAC-SHA256 in base64 of "id.timestamp.body". The id is the
 * message's, so a receiver that remembers ids takes each message once.
 *
 * Bytes in, bytes out.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "report/notify/notify.h"

#define PAYLOAD_MAX (2u << 20)
#define PAYLOAD_SIGNED_MAX 1024

/* `link` is the whole address or "". False: it does not fit. */
bool payload_write(const struct notify_message *m, struct str link, int64_t created_us, struct buf *out)
    __attribute__((warn_unused_result));

/*
 * The header lines of a webhook, each ended by CR LF. `key` is "whsec_" and base64, or "" for no signature. `now_s` is
 * when it is sent. False: the key is none.
 */
bool payload_sign(struct str key, struct str id, int64_t now_s, struct str body, char out[PAYLOAD_SIGNED_MAX])
    __attribute__((warn_unused_result));

#endif

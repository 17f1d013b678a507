/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_TARGET_AZURE_TOKEN_WIRE_H
#define GATEWAY_TARGET_AZURE_TOKEN_WIRE_H

/*
 * azure_token_wire: how a token is asked for and what the answers mean. No state; no I/O.
 *
 * Entra and workload identities: OAuth 2 client credentials (RFC 6749 §4.4; RFC 7523 for the
 * assertion). Managed identities: Azure's instance metadata service.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/secret.h"
#include "control/base_url.h"
#include "gateway/target/azure_token.h"

#define AZURE_TOKEN_REQUEST_MAX (2 * AZURE_TOKEN_MAX + 8192)
#define AZURE_TOKEN_ANSWER_MAX 65536
#define AZURE_TOKEN_WHY_MAX 400

/*
 * The whole request. `server` is where it goes, `assertion` the federated token of a workload. False
 * when something is too long.
 */
bool azure_token_wire_request(const struct azure_token_want *want, const struct base_url *server, struct str tenant,
                              struct str assertion, struct buf *head, struct buf *body)
    __attribute__((warn_unused_result));

struct azure_token_answer {
    int status;
    struct str body;
    struct str secret; /* what must not be repeated in `why` */
};
/* The token and how long it is good; ERR_UPSTREAM_BAD_HTTP with a sentence without secrets otherwise. */
enum err azure_token_wire_read(const struct azure_token_answer *answer, struct secret *ret_token,
                               uint64_t *ret_lifetime_s, char why[AZURE_TOKEN_WHY_MAX]) ERR_USE;

#endif

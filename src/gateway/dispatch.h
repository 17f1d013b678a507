/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_DISPATCH_H
#define GATEWAY_DISPATCH_H

/*
 * dispatch: where a request goes, by its head alone. Everything under /v1/ is for a provider but for
 * the resources that are Portkey's or ours; those never go upstream, known path or not, since what
 * is in them (keys, configs) is nobody else's.
 *
 * GET /v1/models is both: who speaks Portkey (any x-portkey- field but a trace id) without naming a
 * provider, or wishes for "integrated models", is shown the workspace's catalogue; a plain OpenAI
 * client gets its provider's list.
 */

#include "net/http1_head.h"

enum dispatch {
    DISPATCH_INFERENCE, /* for a provider */
    DISPATCH_PROBE,     /* health: answered on every listener */
    DISPATCH_APP,       /* the console's, but asked for by applications: models, feedback, logs they send */
    DISPATCH_ADMIN,     /* the console's: everything else */
};

enum dispatch dispatch_of(const struct http1_head *head);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIM_HTTP_INTAKE_H
#define SIM_HTTP_INTAKE_H

/*
 * intake: from the bytes of a request to its handler: surface and path, key, body, cue, model.
 */

#include "base/str.h"
#include "net/http_server.h"
#include "sim/http/call.h"

extern const struct http_app intake_app;

/* On whose behalf. */
struct intake_as {
    const struct caller *caller;
    enum call_surface surface;
    char project[48]; /* "" = the caller's */
};

/*
 * Makes a call that came over no connection (a line of a batch). The answer stands in *ret when this
 * returns; ret->body is the caller's then.
 */
void intake_inner(struct sim *sim, const struct intake_as *as, struct str method, struct str path, struct str body,
                  struct call_capture *ret);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIM_HTTP_INTAKE_H
#define SIM_HTTP_INTAKE_H

/*
 * intake: from the bytes of a request to its handler: surface and path, key, body, cue, model.
 */

#include "base/str.h"
#include "net/http_server.h"

struct call;
struct call_capture;
struct sim;

extern const struct http_app intake_app;

/*
 * Makes a call that came over no connection (a line of a batch) on behalf of `parent`: same key,
 * project and surface. The answer stands in *ret when this returns; ret->body is the caller's then.
 */
void intake_inner(struct call *parent, struct str method, struct str path, struct str body, struct call_capture *ret);

#endif

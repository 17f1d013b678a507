/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_TARGET_PATH_H
#define GATEWAY_TARGET_PATH_H

/*
 * path: what a path under /v1 asks for, whatever way a client library has put it together.
 *
 * Libraries double the version ("/v1/v1/prompts/…" when the base URL has it and the call adds it),
 * and Portkey's generic calls come as "/v1/proxy/…". Both mean the operation behind. Nothing is
 * decoded or copied: results are views of the argument.
 *
 * For the engine: request->operation_path = path_below_v1(head->path, &r->proxied), before
 * endpoint_find; and path_batch_output(method, operation_path, &id) tells the requests that want the
 * joined output of a batch (see batch_output.h).
 */

#include <stdbool.h>

#include "base/str.h"

/* Whether the path lies under "/v1/". */
bool path_is_v1(struct str path);
/*
 * What follows "/v1", beginning with '/': "/v1/v1/chat/completions" and "/v1/proxy/chat/completions"
 * both give "/chat/completions". *ret_proxy (may be NULL) tells that it came through "/v1/proxy":
 * such a request is forwarded as it is, whatever its type of content. A path that is not under
 * "/v1/" is returned as it is.
 */
struct str path_below_v1(struct str path, bool *ret_proxy);
/* GET "/batches/{id}/output" → id. False for everything else. `below` is as path_below_v1 gives it. */
bool path_batch_output(struct str method, struct str below, struct str *ret_id);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_TARGET_BATCH_OUTPUT_H
#define GATEWAY_TARGET_BATCH_OUTPUT_H

/*
 * batch_output: GET /v1/batches/{id}/output, the results of a finished batch as one file of lines.
 *
 * No provider has this path. It is answered by two exchanges with the same account: the batch is
 * read first, and then the file that it names is asked for like any other download, with all that
 * belongs to a request: relay, record, back-pressure. This object does the first exchange and says
 * which path the request is to go on with.
 *
 *     struct batch_output *b = batch_output_begin(loop, client, &target, &options, id, done, r);
 *     …
 *     done: result.path takes the place of the operation path; the target is resolved again, and
 *           the request goes on. Without a path it is refused with result.err and result.detail.
 *
 * When the batch cannot be read (not found, no permission), the path is the batch's own: the
 * provider's refusal then reaches the client through the ordinary exchange, untouched. A batch all
 * of whose requests failed has no output file but a file of errors: that one is given.
 *
 * The first exchange costs nothing and leaves no row of its own.
 */

#include "base/err.h"
#include "net/http_client.h"

struct batch_output;
struct target;

#define BATCH_OUTPUT_ANSWER_MAX (256u << 10) /* a batch is a few kilobytes */

struct batch_output_result {
    struct str path; /* below "/v1", good during the call: "/files/{id}/content" or "/batches/{id}"; "" = none */
    enum err err;    /* with no path: ERR_NOT_FOUND, or why the provider could not be asked */
    struct str detail;
};
typedef void batch_output_fn(void *ctx, const struct batch_output_result *result);

/*
 * `target` was resolved for "/batches/{id}/output"; `id` is that part of its path. Both are copied
 * from. `fn` is called once, later, never from inside.
 */
struct batch_output *batch_output_begin(struct loop *l, struct http_client *c, const struct target *target,
                                        const struct http_call_options *options, struct str id, batch_output_fn *fn,
                                        void *ctx);
/* At the request's end, after `fn` or before it, which then is not called. NULL does nothing. */
void batch_output_free(struct batch_output *b);

/* The file to go on with, from a batch object; "" when there is none, with its status in the sentence `why`. */
#define BATCH_OUTPUT_ID_MAX 128
#define BATCH_OUTPUT_WHY_MAX 160
size_t batch_output_file(struct str batch, char out[BATCH_OUTPUT_ID_MAX], char why[BATCH_OUTPUT_WHY_MAX]);

#endif

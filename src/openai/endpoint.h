/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OPENAI_ENDPOINT_H
#define OPENAI_ENDPOINT_H

/*
 * endpoint: OpenAI's operations, in one table (endpoint_table.h): method, path, name, how the
 * request is framed, what the answer's usage looks like. A path that no row knows is served by the
 * row `other`: forwarded and recorded, its usage read when it has a known form.
 */

#include <stdbool.h>

#include "base/str.h"
#include "openai/usage_meter.h"

enum endpoint_body {
    ENDPOINT_NO_BODY,
    ENDPOINT_JSON, /* read for its facts, may be edited */
    ENDPOINT_FORM, /* multipart/form-data: streamed, its text parts are read */
    ENDPOINT_RAW,  /* streamed, not read */
};

enum {
    ENDPOINT_ASK_USAGE = 1,  /* streams need stream_options.include_usage to be metered */
    ENDPOINT_BILLED = 2,     /* the exchange itself consumes something that has a price */
    ENDPOINT_CHARACTERS = 4, /* billed by characters of `input` when the answer has no usage */
    ENDPOINT_WEBSOCKET = 8,
    ENDPOINT_LATER = 32,   /* begins work whose usage is known only after the answer (runs, batches, jobs) */
    ENDPOINT_SESSION = 64, /* opens one code interpreter session, which is what is billed */
    ENDPOINT_BINARY = 16,  /* the answer is not text: never held, never scanned */
};

struct endpoint {
    struct str method;    /* "*" for any */
    struct str path;      /* below the base: "/chat/completions", "/files/{}/content" */
    struct str operation; /* "chat.completions" */
    enum endpoint_body body;
    enum usage_shape shape;
    unsigned flags;
};

/* The row for a request; never NULL. `path` begins behind "/v1" and has no query. */
const struct endpoint *endpoint_find(struct str method, struct str path);
/* The whole table, for documents and tests. */
const struct endpoint *endpoint_rows(size_t *ret_count);

#endif

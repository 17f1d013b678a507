/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIM_HTTP_REPLY_H
#define SIM_HTTP_REPLY_H

/*
 * reply: a JSON answer being written. The object is opened by reply_begin and closed by reply_send.
 */

#include "base/json_write.h"
#include "base/must.h"
#include "sim/http/answer.h"

struct reply {
    struct buf out;
    struct json_write w;
};

static inline struct json_write *reply_begin(struct reply *r)
{
    buf_init(&r->out, (size_t)1 << 31);
    json_write_init(&r->w, &r->out);
    json_write_object(&r->w);
    return &r->w;
}

static inline void reply_send(struct call *c, struct reply *r, int status)
{
    json_write_object_end(&r->w);
    must(json_write_done(&r->w));
    answer_json(c, status, &r->out);
}

#endif

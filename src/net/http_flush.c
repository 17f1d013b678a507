/* SPDX-License-Identifier: Apache-2.0 */
/* The connection is told that it may write; it then writes what it has. */
#include "net/http_flush.h"

#include "net/http_conn.h"

void http_flush(struct http_exchange *x)
{
    struct http_conn *c = list_entry(x, struct http_conn, x);
    if (c->state != CONN_CLOSED && c->head_ended && buf_size(&c->out))
        loop_requeue(c->server->loop, &c->io, 0);
}

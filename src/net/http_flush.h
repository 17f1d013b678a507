/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NET_HTTP_FLUSH_H
#define NET_HTTP_FLUSH_H

/*
 * http_flush: sends what is held back. An answer's head waits for its first body bytes, so that both
 * leave in one write; whoever has nothing to add for a while lets the head go alone.
 */

struct http_exchange;

/* After http_head_end. The bytes leave in this turn of the loop. */
void http_flush(struct http_exchange *x);

#endif

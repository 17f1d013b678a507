/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NET_HTTP_UPSTREAM_H
#define NET_HTTP_UPSTREAM_H

/*
 * http_upstream: the inside of http_client.
 */

#include "base/buf.h"
#include "base/list.h"
#include "net/http1_body.h"
#include "net/http_client.h"
#include "net/sock.h"

#define ORIGIN_BUCKETS 64

enum upstream_state { UPSTREAM_DIALING, UPSTREAM_BUSY, UPSTREAM_IDLE, UPSTREAM_CLOSED_STATE };

struct origin {
    struct origin *next;
    struct list idle; /* of upstream_conn.node, newest first */
    unsigned open;
    uint16_t port;
    bool tls;
    size_t host_n;
    char host[];
};

struct upstream_conn {
    unsigned magic;
    enum upstream_state state;
    struct http_client *client;
    struct origin *origin;
    struct http_call *call;
    struct dial *dial;
    struct sock sock;
    struct loop_io io;
    struct loop_timer timer;
    struct loop_grave grave;
    struct list node;     /* idle list */
    struct list all_node; /* client's list of all */
    uint64_t deadline_us;
    struct buf in, out;
    size_t whole_sent; /* bytes of call->head and call->body written */
    size_t head_seen, held;
    struct http1_body body;
    uint64_t passed; /* of the answer since the caller last paused */
    unsigned interims;
    bool read_more, blocked, hung_up, ending, paused;
    bool broken;    /* a write failed, or bytes were lost: what is read may still be an answer, no more is sent */
    bool fin_first; /* upstream had ended the connection in order before it broke */
    bool head_done, raw, keep_alive, was_high, used_before, wide;
};

struct http_client {
    struct loop *loop;
    struct dialer *dialer;
    struct http_client_settings settings;
    struct origin *origins[ORIGIN_BUCKETS];
    struct list all;
    struct http_client_stats stats;
};

#endif

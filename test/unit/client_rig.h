/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_CLIENT_RIG_H
#define TEST_CLIENT_RIG_H

/*
 * client_rig: an HTTP client of ours against bare sockets as upstream. What a call is told is said in
 * the transcript of http_rig: "head 200;", "body …;" (with a dot when it is the last), "drained;",
 * "failed CODE;", each with the call's number when it is not 0.
 */

#include "http_rig.h"
#include "net/http_client.h"

#define SECOND UINT64_C(1000000)
#define REQUEST "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n"
#define OK_ANSWER "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

#define CLIENT_CALLS 8

struct upstream {
    int listening;
    uint16_t port;
};

struct client {
    struct http_client *http;
    struct http_call call[CLIENT_CALLS];
    struct upstream up;
    struct buf got; /* content of all answers */
    bool quiet;     /* content is not said */
    /* What a callback does besides. */
    void (*on_head)(struct http_call *call);
    void (*on_body)(struct http_call *call, struct str bytes, bool last);
};
extern struct client client;

/*
 * Set-up and tear-down of a test. First byte 10 s, idle 5 s, pool 60 s, connecting 3 s; 4 connections
 * an origin.
 */
int client_open(void **state);
int client_close(void **state);

struct dial_target client_target(uint16_t port);
/* Begins call `i`: "POST /x" with the body "hello". */
void client_begin(int i);
void client_begin_text(int i, const char *head, const char *body);
/* The same with a streamed body. */
void client_begin_streamed(int i, const char *head, bool chunked);
/* Begins call 0 and gives upstream's end of its connection, with the request read. */
int client_asked(void);
/* A connection in the pool; gives upstream's end. The transcript is forgotten. */
int client_pooled(void);
void client_expect_pool(unsigned open, unsigned idle);

#endif

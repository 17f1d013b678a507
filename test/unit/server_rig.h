/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_SERVER_RIG_H
#define TEST_SERVER_RIG_H

/*
 * server_rig: an HTTP server of ours with an application that a test steers. It answers by path:
 * "/echo…" with the body, "/now…" at once with the path, "/abort" never; anything else is left to the
 * test, which finds the exchange in app.x. What it is told is said in the transcript of http_rig.
 */

#include "http_rig.h"
#include "net/http_server.h"

#define SECOND UINT64_C(1000000)
#define GET(path) "GET " path " HTTP/1.1\r\nHost: h\r\n\r\n"
#define OK_HEAD(n) "HTTP/1.1 200 OK\r\nContent-Length: " n "\r\n\r\n"

struct app {
    struct http_server *server;
    struct http_exchange *x;
    uint16_t port;
    bool quiet; /* bodies are not said */
    uint64_t body_bytes, body_sum;
    struct buf echo;
    void (*on_body)(struct http_exchange *x, struct str bytes, bool last);
    void (*on_drained)(struct http_exchange *x);
};
extern struct app app;
extern const struct http_app app_callbacks;
/*
 * Head 10 s, between requests 75 s, body 30 s at 100 bytes a second or more, stalled output 60 s, 50
 * connections.
 */
extern const struct http_limits app_limits;

/* Set-up and tear-down of a test. */
int server_open(void **state);
int server_close(void **state);
int server_dial(void);
/* Sends a request that the application holds, and gives its exchange. */
struct http_exchange *server_held(int fd, const char *request);
/* Fails unless just so many connections are left. */
void server_left(unsigned connections);
/* A whole answer with status 200. */
void app_answer(struct http_exchange *x, struct str body);
/* The head of a chunked answer. */
void app_stream(struct http_exchange *x);
/* Sends pieces of 10000 bytes until more than the high mark waits; returns how many bytes. */
size_t app_fill(struct http_exchange *x);

#endif

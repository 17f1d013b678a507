/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_HTTP_RIG_H
#define TEST_HTTP_RIG_H

/*
 * http_rig: what tests of the HTTP server and client share. A loop with a clock that can be moved
 * on, bare sockets on the other side, and a transcript: what happened, in words, in order. One rig at
 * a time; all in one thread, so that nothing happens between two lines of a test.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "net/loop.h"

struct rig {
    struct loop *loop;
    struct buf said; /* the transcript */
};
extern struct rig rig;

int rig_open(void **state);
int rig_close(void **state);

/* Moves the clock on, and lets what is due happen. */
void rig_wait_us(uint64_t us);
/* Turns until nothing more happens. */
void rig_settle(void);
/* Turns until `said` contains the words; fails the test after some seconds. */
void rig_expect(const char *words);
/* That they were said already. */
void rig_expect_now(const char *words);
/* That the words were not said so far. */
void rig_expect_not(const char *words);
/* How often they were said. */
unsigned rig_count(const char *words);
void rig_forget(void);
void rig_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Bare sockets. All block for a few seconds at most, turning the loop meanwhile. */
int peer_connect(uint16_t port);
/* A listening socket on 127.0.0.1. */
int peer_listen(uint16_t *ret_port);
int peer_accept(int listening);
/* As much as the socket takes without waiting; returns the count. */
size_t peer_write(int fd, const void *p, size_t n);
/* All of it, waiting for room. */
void peer_send(int fd, const char *text);
void peer_send_n(int fd, const void *p, size_t n);
/* Reads until the text read ends with `end` (NULL: until the connection ends) and returns all of it. */
const char *peer_read(int fd, const char *end);
/* Reads `n` bytes. */
void peer_read_n(int fd, void *out, size_t n);
enum peer_end { PEER_OPEN, PEER_FIN, PEER_RESET };
/* How the connection ended, after what was still to be read; waits for the end when `wait`. */
enum peer_end peer_end(int fd, bool wait);
void peer_close(int fd);
/* Closes with a reset. */
void peer_reset(int fd);
/* Small kernel buffers, so that little is under way. */
void peer_narrow(int fd);

#endif

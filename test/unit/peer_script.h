/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_PEER_SCRIPT_H
#define TEST_PEER_SCRIPT_H

/*
 * peer_script: a server on a thread of its own that plays what a test tells it to, a connection at a time, and keeps
 * every byte it was sent. For code that has threads of its own and dials out.
 *
 * A script is a row of steps for each connection; the last script is played for all further ones.
 *
 *     "<end"    reads until what was read since the last step ends with `end`
 *     ">text"   sends
 *     "!"       holds on to the connection until the test ends
 *     NULL      closes
 */

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define PEER_SCRIPT_STEPS 24
#define PEER_SCRIPT_TEXT 262144

struct peer_script {
    int listener;
    uint16_t port;
    const char *(*scripts)[PEER_SCRIPT_STEPS];
    unsigned script_count;
    atomic_uint connections;
    pthread_t thread;
    pthread_mutex_t lock;
    char text[PEER_SCRIPT_TEXT]; /* all that was read, with a line "--" between connections */
    size_t n;
    int held[64];
    unsigned held_count;
};

struct peer_script *peer_script_begin(const char *(*scripts)[PEER_SCRIPT_STEPS], unsigned count);
void peer_script_end(struct peer_script *p);
/* How often `words` were read so far. */
unsigned peer_script_count(struct peer_script *p, const char *words);
/* Waits until they were, so often; fails the test after some seconds. */
void peer_script_expect(struct peer_script *p, const char *words, unsigned count);
/* A port of 127.0.0.1 that nobody listens on. */
uint16_t peer_script_dead_port(void);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NET_SOCK_H
#define NET_SOCK_H

/*
 * sock: a non-blocking stream socket, plain or under TLS, with one way to read and write both.
 *
 * The caller registers the descriptor with the loop edge-triggered for input and output, and reads
 * until SOCK_AGAIN or a short plain read. Under TLS a read may wait for the socket to become
 * writable and the other way round; sock_read and sock_write hide that: on any readiness event the
 * caller simply tries again what it wants to do.
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/uio.h>

#include "base/err.h"
#include "base/str.h"

struct tls_client;
struct tls_server;

enum sock_io {
    SOCK_DONE,  /* some bytes moved; their count is in *ret_n (≥ 1) */
    SOCK_AGAIN, /* nothing now; wait for readiness */
    SOCK_EOF,   /* the peer ended its sending in order (FIN, close_notify) */
    SOCK_FAIL,  /* the connection is broken */
};

struct sock {
    int fd;    /* -1 when closed */
    void *ssl; /* OpenSSL's SSL, NULL when plain; owned */
};

/* A plain sock over `fd`, which it owns from now on. */
void sock_init(struct sock *s, int fd);
/* Ends our sending in order (FIN; under TLS close_notify first); reading goes on. */
void sock_end(struct sock *s);
/* Closes at once. Under TLS sends close_notify when that needs no waiting. */
void sock_close(struct sock *s);
/* Closes so that the peer sees a reset, not an end (SO_LINGER 0). */
void sock_abort(struct sock *s);

enum sock_io sock_read(struct sock *s, void *p, size_t n, size_t *ret_n);
/* Writes the vector's front; at most SOCK_IOV_MAX parts. */
#define SOCK_IOV_MAX 8
enum sock_io sock_write(struct sock *s, const struct iovec *iov, int count, size_t *ret_n);

/* True when bytes are already decrypted and a read will give them without readiness. */
bool sock_pending(const struct sock *s);

/*
 * TCP_NODELAY, and the kernel's buffers: at most `send_bytes` unsent (SO_SNDBUF, TCP_NOTSENT_LOWAT),
 * `receive_bytes` unread (SO_RCVBUF). 0 leaves a buffer to the kernel, which gives a connection as
 * much as its path needs; a small fixed one is a small window, and on a long path or with large
 * bodies that is what limits speed.
 */
void sock_tune(struct sock *s, size_t send_bytes, size_t receive_bytes);

/* The receive buffer alone, at any time; what was promised to the peer stays promised. 0 gives it back to the kernel. */
void sock_receive_limit(struct sock *s, size_t bytes);

/*
 * Has the kernel ask a silent peer for a sign of life: one that is gone without a word is found out after
 * SOCK_SILENCE_S. On a listening socket it holds for all that it accepts.
 */
#define SOCK_SILENCE_S 30
void sock_watch(int fd);

/* Begins TLS over a connected plain sock. `host` is the name to verify and to send as SNI. */
enum err sock_tls_connect(struct sock *s, struct tls_client *tls, struct str host) ERR_USE;
enum err sock_tls_accept(struct sock *s, struct tls_server *tls) ERR_USE;
/*
 * Drives the handshake: SOCK_DONE when complete, SOCK_AGAIN to wait, SOCK_FAIL with a sentence
 * about why in `why` (no secrets; certificate reasons by name) otherwise.
 */
enum sock_io sock_tls_handshake(struct sock *s, char *why, size_t why_cap);

#endif

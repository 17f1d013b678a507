/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sockets, plain and under TLS.
 *
 * TLS goes through a BIO of our own: it sends without SIGPIPE, and it counts what one call takes
 * from the network. A peer that sends nothing but TLS control records (KeyUpdate after KeyUpdate)
 * would otherwise hold the thread inside one SSL_read for as long as it likes; past the budget the
 * connection is broken instead.
 *
 * OpenSSL keeps its reasons in a queue of the thread, and a reason left there is later taken for
 * another connection's. So each call begins with an empty queue and leaves one behind.
 *
 * After SOCK_AGAIN from a write under TLS, OpenSSL holds a finished record of the first bytes
 * offered. The next write must offer the same bytes again, and at least as many.
 */
#include "net/sock.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/must.h"
#include "net/tls.h"

#define RECORD_MAX 16384
/* The most that may come in without giving a byte to the caller: handshake messages, else control records. */
#define HANDSHAKE_BUDGET (256 * 1024)
#define READ_BUDGET (64 * 1024)

/* Bytes the running call may still take from the network; spent ones make the call fail. */
static _Thread_local size_t budget;

/* The BIO. */

static BIO_METHOD *bio_method;
static pthread_once_t bio_once = PTHREAD_ONCE_INIT;

static int bio_fd(BIO *bio)
{
    return (int)(intptr_t)BIO_get_data(bio);
}

static int bio_write(BIO *bio, const char *p, int n)
{
    ssize_t sent;
    do
        sent = send(bio_fd(bio), p, (size_t)n, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    BIO_clear_retry_flags(bio);
    if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        BIO_set_retry_write(bio);
    return (int)sent;
}

static int bio_read(BIO *bio, char *p, int n)
{
    BIO_clear_retry_flags(bio);
    if (!budget) {
        errno = EPROTO;
        return -1;
    }
    ssize_t got;
    do
        got = recv(bio_fd(bio), p, (size_t)n, 0);
    while (got < 0 && errno == EINTR);
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        BIO_set_retry_read(bio);
    if (got > 0)
        budget -= (size_t)got < budget ? (size_t)got : budget;
    return (int)got;
}

static long bio_ctrl(BIO *bio, int command, long number, void *p)
{
    (void)bio;
    (void)number;
    (void)p;
    return command == BIO_CTRL_FLUSH; /* nothing is kept here; the rest is not asked of a socket */
}

static void bio_prepare(void)
{
    bio_method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "sock");
    must(bio_method != NULL);
    must(BIO_meth_set_write(bio_method, bio_write));
    must(BIO_meth_set_read(bio_method, bio_read));
    must(BIO_meth_set_ctrl(bio_method, bio_ctrl));
}

static void errors_clear(void)
{
    if (ERR_peek_error())
        ERR_clear_error();
}

/* What a call of OpenSSL that did not succeed means; empties the queue. */
static enum sock_io tls_result(SSL *ssl, int ret)
{
    int reason = SSL_get_error(ssl, ret);
    errors_clear();
    switch (reason) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        return SOCK_AGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return SOCK_EOF;
    default:
        return SOCK_FAIL;
    }
}

/* Life. */

void sock_init(struct sock *s, int fd)
{
    *s = (struct sock){.fd = fd, .ssl = NULL};
}

static void sock_release(struct sock *s)
{
    if (s->ssl) {
        /* Without this, a connection that ends without close_notify takes its session with it. */
        SSL_set_shutdown(s->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
        SSL_free(s->ssl);
    }
    if (s->fd >= 0)
        close(s->fd);
    *s = (struct sock){.fd = -1, .ssl = NULL};
}

static void say_end(struct sock *s)
{
    if (s->ssl && s->fd >= 0 && SSL_is_init_finished(s->ssl)) {
        errors_clear();
        SSL_shutdown(s->ssl); /* one try; its answer is not waited for */
        errors_clear();
    }
}

void sock_end(struct sock *s)
{
    say_end(s);
    if (s->fd >= 0)
        shutdown(s->fd, SHUT_WR);
}

void sock_close(struct sock *s)
{
    say_end(s);
    sock_release(s);
}

void sock_abort(struct sock *s)
{
    struct linger now = {.l_onoff = 1, .l_linger = 0};
    if (s->fd >= 0)
        setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    sock_release(s);
}

void sock_tune(struct sock *s, size_t send_bytes, size_t receive_bytes)
{
    /* A socket that is not TCP refuses some of these; it works without them. */
    int on = 1, send_n = (int)send_bytes, receive_n = (int)receive_bytes;
    must(send_bytes <= INT32_MAX / 2);
    must(receive_bytes <= INT32_MAX / 2);
    setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (send_bytes) {
        setsockopt(s->fd, SOL_SOCKET, SO_SNDBUF, &send_n, sizeof send_n);
        setsockopt(s->fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &send_n, sizeof send_n);
    }
    if (receive_bytes)
        setsockopt(s->fd, SOL_SOCKET, SO_RCVBUF, &receive_n, sizeof receive_n);
}

void sock_receive_limit(struct sock *s, size_t bytes)
{
    int n = (int)bytes, unlocked = 0;
    must(bytes <= INT32_MAX / 2);
    if (bytes)
        setsockopt(s->fd, SOL_SOCKET, SO_RCVBUF, &n, sizeof n);
    else /* the kernel moderates it again; where it cannot, the limit stays */
        setsockopt(s->fd, SOL_SOCKET, SO_BUF_LOCK, &unlocked, sizeof unlocked);
}

void sock_watch(int fd)
{
    /* Half of the time in silence, then three questions in the other half. */
    int on = 1, idle = SOCK_SILENCE_S / 2, count = 3, between = SOCK_SILENCE_S / 2 / count;
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &between, sizeof between);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count);
}

/* Reading. */

static enum sock_io plain_read(int fd, void *p, size_t n, size_t *ret_n)
{
    ssize_t got;
    do
        got = recv(fd, p, n, 0);
    while (got < 0 && errno == EINTR);
    if (got > 0) {
        *ret_n = (size_t)got;
        return SOCK_DONE;
    }
    if (got == 0)
        return SOCK_EOF;
    return errno == EAGAIN || errno == EWOULDBLOCK ? SOCK_AGAIN : SOCK_FAIL;
}

static enum sock_io tls_read(SSL *ssl, char *p, size_t n, size_t *ret_n)
{
    size_t done = 0;
    enum sock_io io = SOCK_DONE;
    errors_clear();
    do {
        size_t got = 0;
        budget = READ_BUDGET;
        int ok = SSL_read_ex(ssl, p + done, n - done, &got);
        if (!ok)
            io = tls_result(ssl, ok);
        done += got;
        /* A session ticket leaves an unused write buffer of 17 KB behind. */
        if (io == SOCK_AGAIN)
            SSL_free_buffers(ssl);
        /* What was read ahead is decrypted now: no readiness will tell of it. */
    } while (io == SOCK_DONE && done < n && SSL_has_pending(ssl));
    if (!done)
        return io;
    *ret_n = done;
    return SOCK_DONE; /* an end or a failure is told by the next call */
}

enum sock_io sock_read(struct sock *s, void *p, size_t n, size_t *ret_n)
{
    must(n > 0);
    if (s->fd < 0)
        return SOCK_FAIL;
    return s->ssl ? tls_read(s->ssl, p, n, ret_n) : plain_read(s->fd, p, n, ret_n);
}

bool sock_pending(const struct sock *s)
{
    return s->ssl && SSL_has_pending(s->ssl);
}

/* Writing. */

static enum sock_io plain_write(int fd, const struct iovec *iov, int count, size_t *ret_n)
{
    ssize_t sent;
    do {
        if (count == 1) {
            sent = send(fd, iov->iov_base, iov->iov_len, MSG_NOSIGNAL);
        } else {
            struct msghdr m = {.msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = (size_t)count};
            sent = sendmsg(fd, &m, MSG_NOSIGNAL);
        }
    } while (sent < 0 && errno == EINTR);
    if (sent > 0) {
        *ret_n = (size_t)sent;
        return SOCK_DONE;
    }
    return sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) ? SOCK_AGAIN : SOCK_FAIL;
}

/* A place in a vector. */
struct cursor {
    const struct iovec *iov;
    int count;
    size_t at; /* bytes of iov[0] that are done */
};

static void cursor_move(struct cursor *c, size_t n)
{
    c->at += n;
    while (c->count && c->at >= c->iov->iov_len) {
        c->at -= c->iov->iov_len;
        c->iov++;
        c->count--;
    }
}

/* The bytes of the next record: as they lie when that fills it, else small pieces joined. */
static struct str cursor_record(const struct cursor *c, char joined[RECORD_MAX])
{
    struct str first = {(const char *)c->iov->iov_base + c->at, c->iov->iov_len - c->at};
    if (first.n >= RECORD_MAX || c->count == 1)
        return str_head(first, RECORD_MAX);
    size_t n = 0;
    for (int i = 0; i < c->count && n < RECORD_MAX; i++) {
        struct str piece = i ? str_of(c->iov[i].iov_base, c->iov[i].iov_len) : first;
        piece = str_head(piece, RECORD_MAX - n);
        if (piece.n)
            memcpy(joined + n, piece.p, piece.n);
        n += piece.n;
    }
    return str_of(joined, n);
}

static enum sock_io tls_write(SSL *ssl, const struct iovec *iov, int count, size_t *ret_n)
{
    char joined[RECORD_MAX];
    struct cursor c = {iov, count, 0};
    size_t done = 0;
    enum sock_io io = SOCK_DONE;
    errors_clear();
    budget = READ_BUDGET;
    cursor_move(&c, 0);
    while (c.count && io == SOCK_DONE) {
        struct str record = cursor_record(&c, joined);
        size_t sent = 0;
        int ok = SSL_write_ex(ssl, record.p, record.n, &sent);
        if (!ok)
            io = tls_result(ssl, ok);
        done += sent;
        cursor_move(&c, sent);
    }
    if (!done)
        return io == SOCK_EOF ? SOCK_FAIL : io;
    *ret_n = done;
    return SOCK_DONE;
}

enum sock_io sock_write(struct sock *s, const struct iovec *iov, int count, size_t *ret_n)
{
    must(count > 0);
    must(count <= SOCK_IOV_MAX);
    if (s->fd < 0)
        return SOCK_FAIL;
    return s->ssl ? tls_write(s->ssl, iov, count, ret_n) : plain_write(s->fd, iov, count, ret_n);
}

/* Handshake. */

static enum err begin(struct sock *s, SSL *ssl)
{
    must(!s->ssl);
    must(s->fd >= 0);
    if (!ssl)
        return ERR_UPSTREAM_TLS;
    pthread_once(&bio_once, bio_prepare);
    BIO *bio = BIO_new(bio_method);
    must(bio != NULL);
    BIO_set_data(bio, (void *)(intptr_t)s->fd);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl, bio, bio);
    s->ssl = ssl;
    return ERR_OK;
}

enum err sock_tls_connect(struct sock *s, struct tls_client *tls, struct str host)
{
    return begin(s, tls_client_begin(tls, host));
}

enum err sock_tls_accept(struct sock *s, struct tls_server *tls)
{
    return begin(s, tls_server_begin(tls));
}

enum sock_io sock_tls_handshake(struct sock *s, char *why, size_t why_cap)
{
    must(s->ssl != NULL);
    errors_clear();
    budget = HANDSHAKE_BUDGET;
    int ok = SSL_do_handshake(s->ssl);
    if (ok == 1) {
        /* The context demands it; but here is where the caller begins to trust. */
        must(SSL_is_server(s->ssl) || SSL_get_verify_result(s->ssl) == X509_V_OK);
        errors_clear();
        return SOCK_DONE;
    }
    int reason = SSL_get_error(s->ssl, ok);
    if (reason == SSL_ERROR_WANT_READ || reason == SSL_ERROR_WANT_WRITE) {
        errors_clear();
        return SOCK_AGAIN;
    }
    tls_failure(s->ssl, why, why_cap);
    return SOCK_FAIL;
}

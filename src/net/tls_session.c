/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kept TLS sessions: a small table searched from the front, behind one lock. It is used once a
 * handshake, which costs a thousand times more than the search.
 */
#include "net/tls_session.h"

#include <openssl/ssl.h>
#include <pthread.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/must.h"

struct kept {
    char *host; /* owned, NULL when the place is free */
    size_t host_n;
    SSL_SESSION *sessions[TLS_SESSION_EACH]; /* oldest first */
    unsigned count;
    uint64_t used_us;
};

struct tls_sessions {
    pthread_mutex_t lock;
    struct kept hosts[TLS_SESSION_HOSTS];
};

struct tls_sessions *tls_sessions_new(void)
{
    struct tls_sessions *s = mem_zalloc(sizeof *s);
    pthread_mutex_init(&s->lock, NULL);
    return s;
}

static void kept_clear(struct kept *k)
{
    for (unsigned i = 0; i < k->count; i++)
        SSL_SESSION_free(k->sessions[i]);
    mem_free(k->host);
    *k = (struct kept){0};
}

void tls_sessions_free(struct tls_sessions *s)
{
    if (!s)
        return;
    for (unsigned i = 0; i < TLS_SESSION_HOSTS; i++)
        kept_clear(&s->hosts[i]);
    pthread_mutex_destroy(&s->lock);
    mem_free(s);
}

static struct kept *kept_find(struct tls_sessions *s, struct str host)
{
    for (unsigned i = 0; i < TLS_SESSION_HOSTS; i++) {
        struct kept *k = &s->hosts[i];
        if (k->host && str_eq(str_of(k->host, k->host_n), host))
            return k;
    }
    return NULL;
}

/* A free place, or that of the host that was not used for the longest time. */
static struct kept *kept_make(struct tls_sessions *s, struct str host)
{
    struct kept *k = &s->hosts[0];
    for (unsigned i = 0; i < TLS_SESSION_HOSTS && k->host; i++)
        if (!s->hosts[i].host || s->hosts[i].used_us < k->used_us)
            k = &s->hosts[i];
    kept_clear(k);
    k->host = mem_strndup(host.p, host.n);
    k->host_n = host.n;
    return k;
}

void tls_sessions_keep(struct tls_sessions *s, struct str host, SSL_SESSION *session)
{
    SSL_SESSION *dropped = NULL;
    pthread_mutex_lock(&s->lock);
    struct kept *k = kept_find(s, host);
    if (!k)
        k = kept_make(s, host);
    if (k->count == TLS_SESSION_EACH) {
        dropped = k->sessions[0];
        for (unsigned i = 1; i < k->count; i++)
            k->sessions[i - 1] = k->sessions[i];
        k->count--;
    }
    k->sessions[k->count++] = session;
    k->used_us = clock_mono_us();
    pthread_mutex_unlock(&s->lock);
    SSL_SESSION_free(dropped);
}

static bool usable(const SSL_SESSION *session)
{
    int64_t ends_s = (int64_t)SSL_SESSION_get_time(session) + SSL_SESSION_get_timeout(session);
    return SSL_SESSION_is_resumable(session) && ends_s > clock_wall_us() / 1000000;
}

SSL_SESSION *tls_sessions_take(struct tls_sessions *s, struct str host)
{
    SSL_SESSION *found = NULL;
    pthread_mutex_lock(&s->lock);
    struct kept *k = kept_find(s, host);
    while (k && k->count && !found) {
        SSL_SESSION *newest = k->sessions[k->count - 1];
        if (usable(newest) && SSL_SESSION_get_protocol_version(newest) < TLS1_3_VERSION) {
            /* A copy: OpenSSL marks sessions of broken connections, and not under our lock. */
            found = SSL_SESSION_dup(newest);
            break;
        }
        k->count--;
        if (usable(newest))
            found = newest;
        else
            SSL_SESSION_free(newest);
    }
    if (k)
        k->used_us = clock_mono_us();
    pthread_mutex_unlock(&s->lock);
    return found;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names to addresses: the cache and those who wait for it.
 *
 *   resolve   one caller. Waits on a name's list, or holds its answer until its timer calls back.
 *   name      an entry of the cache: the last good answer, the last failure, the waiting callers.
 *   lookup    questions about a name to both families. A name has at most one that callers wait for;
 *             older ones, settled by their first family, go on until the other has come or failed,
 *             so that a name server which drops questions for IPv6 delays nobody.
 *
 * Names are found by hash; when RESOLVE_NAMES_MAX are kept, the one unused for the longest time
 * that nothing is under way for makes room.
 */
#include "net/resolve.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <fcntl.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/must.h"
#include "net/dns.h"
#include "net/url.h"

#define BUCKETS 256
#define DEFAULT_TIMEOUT_US 5000000
#define FAILURE_US 1000000
#define SECOND_US UINT64_C(1000000)
#define HOSTS_FILE "/etc/hosts"
#define HOSTS_BYTES_MAX (1024 * 1024)
#define LATE_LOOKUPS_MAX 16

_Static_assert(RESOLVE_ADDRESSES_MAX <= DNS_ADDRESSES_MAX, "a family alone may fill the list");

enum { IPV4, IPV6, FAMILIES };

/* What a caller is told. */
struct outcome {
    const char *failure; /* NULL when there are addresses */
    unsigned count;
    struct dns_address addresses[RESOLVE_ADDRESSES_MAX];
};

struct name {
    char host[URL_HOST_MAX + 1];
    struct resolver *resolver;
    struct list bucket, by_use;
    struct list waiting;    /* struct resolve */
    struct lookup *current; /* the one that callers wait for */
    unsigned lookups;       /* it and older ones */
    uint64_t generation;    /* of the lookup that gave `answer` */
    struct outcome answer;  /* the last good one; count == 0 when there is none */
    uint64_t good_until_us;
    const char *failure; /* the last one, since; NULL when there is none */
    bool failure_final;  /* the name servers say so; old answers do not count any more */
    uint64_t failure_until_us;
};

struct lookup {
    struct name *name;
    struct list node; /* of resolver->lookups */
    uint64_t generation;
    uint64_t begun_us;
    bool done[FAMILIES];
    struct dns_answer families[FAMILIES];
    struct loop_timer settle;
};

struct resolve {
    struct resolver *resolver;
    struct name *name;       /* NULL once the outcome is known */
    struct list node;        /* of name->waiting, or of resolver->ready */
    struct loop_timer timer; /* the call back, or the end of patience */
    uint64_t deadline_us;
    uint16_t port;
    resolve_done_fn *done;
    void *ctx;
    struct outcome outcome;
};

struct resolver {
    struct loop *loop;
    struct resolver_settings settings;
    struct dns *dns;
    struct list buckets[BUCKETS];
    struct list by_use; /* least recently used first */
    struct list ready;
    struct list lookups;
    size_t names;
    uint64_t generation;
};

/* Callers. */

static void waiter_free(struct resolve *w)
{
    loop_timer_clear(w->resolver->loop, &w->timer);
    list_remove(&w->node);
    mem_free(w);
}

/* The outcome is known; the loop will tell. */
static void waiter_ready(struct resolve *w)
{
    w->name = NULL;
    list_remove(&w->node);
    list_append(&w->resolver->ready, &w->node);
    loop_timer_set(w->resolver->loop, &w->timer, loop_now_us(w->resolver->loop));
}

static void waiter_fail(struct resolve *w, const char *failure)
{
    w->outcome = (struct outcome){.failure = failure};
    waiter_ready(w);
}

static void waiter_tell(struct resolve *w)
{
    struct sockaddr_storage list[RESOLVE_ADDRESSES_MAX];
    struct outcome o = w->outcome;
    resolve_done_fn *done = w->done;
    void *ctx = w->ctx;
    for (unsigned i = 0; i < o.count; i++) {
        struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(w->port)};
        struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(w->port)};
        memcpy(&in.sin_addr, o.addresses[i].bytes, 4);
        memcpy(&in6.sin6_addr, o.addresses[i].bytes, 16);
        memset(&list[i], 0, sizeof list[i]);
        if (o.addresses[i].family == AF_INET)
            memcpy(&list[i], &in, sizeof in);
        else
            memcpy(&list[i], &in6, sizeof in6);
    }
    waiter_free(w);
    done(ctx, o.failure ? ERR_UPSTREAM_DNS : ERR_OK, list, o.count, o.failure ? o.failure : "");
}

void resolve_cancel(struct resolve *w)
{
    waiter_free(w);
}

/* Order. */

/* Whether the kernel has a route there; nothing is sent. */
static bool has_route(const struct dns_address *a)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(53)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(53)};
    bool v4 = a->family == AF_INET;
    memcpy(&in.sin_addr, a->bytes, 4);
    memcpy(&in6.sin6_addr, a->bytes, 16);
    int fd = socket(a->family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return false;
    bool yes = v4 ? connect(fd, (struct sockaddr *)&in, sizeof in) == 0
                  : connect(fd, (struct sockaddr *)&in6, sizeof in6) == 0;
    close(fd);
    return yes;
}

static const struct dns_answer no_answer = {.result = DNS_NO_ADDRESS};

/* Both families, as they should be tried. */
static struct outcome merge(const struct dns_answer *v4, const struct dns_answer *v6)
{
    struct outcome o = {0};
    const struct dns_answer *first = v6, *second = v4;
    unsigned i = 0, j = 0;
    bool turns = true;
    if (v4->count && v6->count && !has_route(&v6->addresses[0])) {
        first = v4;
        second = v6;
        turns = false;
    }
    while (o.count < RESOLVE_ADDRESSES_MAX && (i < first->count || j < second->count)) {
        bool second_turn = turns && o.count % 2 == 1 && j < second->count;
        if (i < first->count && !second_turn)
            o.addresses[o.count++] = first->addresses[i++];
        else if (j < second->count)
            o.addresses[o.count++] = second->addresses[j++];
    }
    return o;
}

/* Names. */

static struct list *bucket_of(struct resolver *r, const char *host)
{
    return &r->buckets[str_hash(str_c(host)) % BUCKETS];
}

static void name_free(struct name *n)
{
    must(n->lookups == 0);
    must(list_empty(&n->waiting));
    list_remove(&n->bucket);
    list_remove(&n->by_use);
    n->resolver->names--;
    mem_free(n);
}

static struct name *name_find(struct resolver *r, const char *host)
{
    struct list *bucket = bucket_of(r, host);
    for (struct list *l = bucket->next; l != bucket; l = l->next) {
        struct name *n = list_entry(l, struct name, bucket);
        if (strcmp(n->host, host) == 0)
            return n;
    }
    return NULL;
}

/* NULL when every place is taken by a name that is being asked for. */
static struct name *name_make(struct resolver *r, const char *host)
{
    struct list *l = r->by_use.next;
    while (r->names >= RESOLVE_NAMES_MAX && l != &r->by_use) {
        struct name *old = list_entry(l, struct name, by_use);
        l = l->next;
        if (!old->lookups && list_empty(&old->waiting))
            name_free(old);
    }
    if (r->names >= RESOLVE_NAMES_MAX)
        return NULL;
    struct name *n = mem_zalloc(sizeof *n);
    str_copy(n->host, sizeof n->host, str_c(host));
    n->resolver = r;
    list_init(&n->waiting);
    list_init(&n->by_use);
    list_append(bucket_of(r, host), &n->bucket);
    r->names++;
    return n;
}

static bool name_good(const struct name *n)
{
    return n->answer.count && loop_now_us(n->resolver->loop) < n->good_until_us;
}

static bool name_failed(const struct name *n)
{
    return n->failure && loop_now_us(n->resolver->loop) < n->failure_until_us;
}

/* An answer past its time may be used instead of a failure. */
static bool name_stale_ok(const struct name *n)
{
    return n->resolver->settings.stale && n->answer.count && !(n->failure && n->failure_final) &&
           loop_now_us(n->resolver->loop) < n->good_until_us + RESOLVE_STALE_MAX_S * SECOND_US;
}

/* Gives `w` what the name has now, good or bad. */
static void name_give(const struct name *n, struct resolve *w)
{
    if (name_good(n) || name_stale_ok(n)) {
        w->outcome = n->answer;
        waiter_ready(w);
    } else {
        waiter_fail(w, n->failure ? n->failure : "the name servers do not answer");
    }
}

static void name_found(struct name *n, const struct outcome *o, uint32_t ttl_s, uint64_t generation)
{
    uint32_t kept_s = ttl_s < 1 ? 1 : ttl_s;
    if (kept_s > RESOLVE_TTL_MAX_S)
        kept_s = RESOLVE_TTL_MAX_S;
    n->answer = *o;
    n->generation = generation;
    n->good_until_us = loop_now_us(n->resolver->loop) + kept_s * SECOND_US;
    n->failure = NULL;
}

static void name_failure(struct name *n, const char *detail, bool final)
{
    n->failure = detail;
    n->failure_final = final;
    n->failure_until_us = loop_now_us(n->resolver->loop) + FAILURE_US;
    if (final)
        n->answer.count = 0;
}

static void name_tell_all(struct name *n)
{
    while (!list_empty(&n->waiting))
        name_give(n, list_entry(n->waiting.next, struct resolve, node));
}

/* Lookups. */

/* The name gets what the lookup knows by now. */
static void lookup_conclude(struct lookup *u)
{
    struct name *n = u->name;
    const struct dns_answer *v4 = u->done[IPV4] ? &u->families[IPV4] : &no_answer;
    const struct dns_answer *v6 = u->done[IPV6] ? &u->families[IPV6] : &no_answer;
    bool current = n->current == u;
    if (v4->count || v6->count) {
        uint32_t ttl_s = UINT32_MAX;
        if (v4->count)
            ttl_s = v4->ttl_s;
        if (v6->count && v6->ttl_s < ttl_s)
            ttl_s = v6->ttl_s;
        struct outcome o = merge(v4, v6);
        /* A late family is added only to what came with it. */
        if (current || n->generation == u->generation)
            name_found(n, &o, ttl_s, u->generation);
    } else if (current) {
        /* "No such name" counts only when no server failed; a failure may hide an address. */
        const struct dns_answer *bad = v4->result == DNS_FAILED ? v4 : v6->result == DNS_FAILED ? v6 : v4;
        name_failure(n, bad->detail, bad->result != DNS_FAILED);
    }
    if (current) {
        n->current = NULL;
        name_tell_all(n);
    }
}

static void on_settle(struct loop_timer *t)
{
    lookup_conclude(list_entry(t, struct lookup, settle));
}

static void lookup_free(struct lookup *u)
{
    loop_timer_clear(u->name->resolver->loop, &u->settle);
    u->name->lookups--;
    list_remove(&u->node);
    mem_free(u);
}

static void on_family(void *ctx, int family, const struct dns_answer *answer)
{
    struct lookup *u = ctx;
    struct loop *l = u->name->resolver->loop;
    int which = family == AF_INET ? IPV4 : IPV6;
    u->families[which] = *answer;
    u->done[which] = true;
    if (!u->done[IPV4] || !u->done[IPV6]) {
        if (answer->count)
            loop_timer_set(l, &u->settle, loop_now_us(l) + RESOLVE_OTHER_FAMILY_US);
        return;
    }
    loop_timer_clear(l, &u->settle);
    lookup_conclude(u);
    lookup_free(u);
}

/* Where a literal or a line of text says so. */
static bool address_from(struct str text, struct dns_address *ret)
{
    char z[INET6_ADDRSTRLEN + 1];
    struct dns_address a = {.family = AF_INET};
    if (text.n >= sizeof z)
        return false;
    str_copy(z, sizeof z, text);
    if (strlen(z) != text.n)
        return false;
    if (inet_pton(AF_INET, z, a.bytes) != 1) {
        a.family = AF_INET6;
        if (inet_pton(AF_INET6, z, a.bytes) != 1)
            return false;
    }
    *ret = a;
    return true;
}

static void add_found(struct dns_answer families[FAMILIES], const struct dns_address *a)
{
    struct dns_answer *f = &families[a->family == AF_INET ? IPV4 : IPV6];
    if (f->count < DNS_ADDRESSES_MAX)
        f->addresses[f->count++] = *a;
}

/* The next word of a line; false at its end. */
static bool next_word(struct str *line, struct str *ret)
{
    size_t i = 0, n;
    while (i < line->n && (line->p[i] == ' ' || line->p[i] == '\t' || line->p[i] == '\r'))
        i++;
    for (n = i; n < line->n && line->p[n] != ' ' && line->p[n] != '\t' && line->p[n] != '\r';)
        n++;
    *ret = str_of(line->p + i, n - i);
    *line = str_from(*line, n);
    return ret->n > 0;
}

/* hosts(5): an address, then names; "#" begins a comment. */
static void hosts_scan(struct str text, const char *host, struct dns_answer families[FAMILIES])
{
    struct str line, word;
    while (str_split(&text, '\n', &line)) {
        ptrdiff_t comment = str_find(line, '#');
        struct dns_address a;
        if (comment >= 0)
            line = str_head(line, (size_t)comment);
        if (!next_word(&line, &word) || !address_from(word, &a))
            continue;
        while (next_word(&line, &word)) {
            if (str_eq_nocase(word, str_c(host))) {
                add_found(families, &a);
                break;
            }
        }
    }
}

static void hosts_find(const struct resolver *r, const char *host, struct dns_answer families[FAMILIES])
{
    int fd;
    uint64_t size;
    size_t n;
    if (file_open(r->settings.hosts_file ? r->settings.hosts_file : HOSTS_FILE, O_RDONLY, 0, &fd) != ERR_OK)
        return;
    if (file_size(fd, &size) == ERR_OK && size > 0 && size <= HOSTS_BYTES_MAX) {
        char *text = mem_alloc((size_t)size);
        if (file_read_at(fd, text, (size_t)size, 0, &n) == ERR_OK)
            hosts_scan(str_of(text, n), host, families);
        mem_free(text);
    }
    file_close(fd);
}

/* The hook's text, in place of files and servers. */
static void hook_ask(struct name *n)
{
    struct resolver *r = n->resolver;
    struct dns_answer families[FAMILIES] = {{0}};
    uint32_t ttl_s = 1;
    const char *text = r->settings.hook(r->settings.hook_ctx, n->host, &ttl_s);
    struct str rest = str_c(text), word;
    struct dns_address a;
    while (next_word(&rest, &word))
        if (address_from(word, &a))
            add_found(families, &a);
    struct outcome o = merge(&families[IPV4], &families[IPV6]);
    if (o.count)
        name_found(n, &o, ttl_s, ++r->generation);
    else
        name_failure(n, text ? "the name has no address" : "the name does not exist", true);
}

/* Puts the question about `n`. Its answer may be there when this returns. */
static void name_ask(struct name *n)
{
    struct resolver *r = n->resolver;
    struct dns_answer families[FAMILIES] = {{0}};
    if (r->settings.hook) {
        hook_ask(n);
        name_tell_all(n);
        return;
    }
    hosts_find(r, n->host, families);
    struct outcome o = merge(&families[IPV4], &families[IPV6]);
    if (o.count) {
        name_found(n, &o, RESOLVE_HOSTS_TTL_S, ++r->generation);
        name_tell_all(n);
        return;
    }
    if (n->lookups == LATE_LOOKUPS_MAX) {
        name_failure(n, "the name servers do not answer", false);
        name_tell_all(n);
        return;
    }
    struct lookup *u = mem_zalloc(sizeof *u);
    u->name = n;
    u->generation = ++r->generation;
    u->begun_us = loop_now_us(r->loop);
    u->settle.on_time = on_settle;
    list_append(&r->lookups, &u->node);
    n->current = u;
    n->lookups++;
    /* The second call ends the lookup if both answer at once; nothing looks at it afterwards. */
    dns_ask(r->dns, n->host, AF_INET6, on_family, u);
    dns_ask(r->dns, n->host, AF_INET, on_family, u);
}

/* Asking. */

/* When the caller is given an old answer, or is told of a failure. */
static uint64_t patience_us(const struct resolve *w)
{
    const struct name *n = w->name;
    if (!name_stale_ok(n))
        return w->deadline_us;
    uint64_t begun_us = n->current ? n->current->begun_us : loop_now_us(w->resolver->loop);
    uint64_t due_us = begun_us + RESOLVE_STALE_WAIT_US;
    return due_us < w->deadline_us ? due_us : w->deadline_us;
}

static void on_time(struct loop_timer *t)
{
    struct resolve *w = list_entry(t, struct resolve, timer);
    if (!w->name)
        waiter_tell(w);
    else if (name_stale_ok(w->name))
        name_give(w->name, w);
    else
        waiter_fail(w, "the name servers did not answer in time");
}

static bool is_localhost(const char *host)
{
    return strcmp(host, "localhost") == 0 || str_ends(str_c(host), STR(".localhost"));
}

static void waiter_known(struct resolve *w, const char *const *texts, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        must(address_from(str_c(texts[i]), &w->outcome.addresses[i]));
    w->outcome.count = count;
    waiter_ready(w);
}

static void waiter_ask(struct resolve *w, const char *host)
{
    struct resolver *r = w->resolver;
    struct name *n = name_find(r, host);
    if (!n)
        n = name_make(r, host);
    if (!n) {
        waiter_fail(w, "too many names are being resolved at once");
        return;
    }
    list_remove(&n->by_use);
    list_append(&r->by_use, &n->by_use);
    if (name_good(n) || name_failed(n)) {
        name_give(n, w);
        return;
    }
    w->name = n;
    list_append(&n->waiting, &w->node);
    loop_timer_set(r->loop, &w->timer, patience_us(w));
    if (!n->current)
        name_ask(n);
}

struct resolve *resolve_start(struct resolver *r, struct str host, uint16_t port, resolve_done_fn *done, void *ctx)
{
    static const char *const loopback[] = {"127.0.0.1", "::1"};
    char usual[URL_HOST_MAX + 1];
    const char *literal = usual;
    struct resolve *w = mem_zalloc(sizeof *w);
    *w = (struct resolve){.resolver = r, .port = port, .done = done, .ctx = ctx};
    w->timer.on_time = on_time;
    w->deadline_us = loop_now_us(r->loop) + r->settings.timeout_us;
    list_init(&w->node);
    if (!url_host(host, usual))
        waiter_fail(w, "it is neither a host name nor an address");
    else if (url_host_is_address(usual))
        waiter_known(w, &literal, 1);
    else if (is_localhost(usual))
        waiter_known(w, loopback, 2);
    else
        waiter_ask(w, usual);
    return w;
}

/* The resolver. */

struct resolver *resolver_new(struct loop *l, const struct resolver_settings *settings)
{
    struct dns *dns = dns_new(l, settings->servers);
    if (!dns)
        return NULL;
    struct resolver *r = mem_zalloc(sizeof *r);
    r->loop = l;
    r->dns = dns;
    r->settings = *settings;
    if (!r->settings.timeout_us)
        r->settings.timeout_us = DEFAULT_TIMEOUT_US;
    for (int i = 0; i < BUCKETS; i++)
        list_init(&r->buckets[i]);
    list_init(&r->by_use);
    list_init(&r->ready);
    list_init(&r->lookups);
    return r;
}

static void name_drop(struct name *n)
{
    while (!list_empty(&n->waiting))
        waiter_free(list_entry(n->waiting.next, struct resolve, node));
    name_free(n);
}

void resolver_free(struct resolver *r)
{
    if (!r)
        return;
    dns_free(r->dns);
    while (!list_empty(&r->lookups))
        lookup_free(list_entry(r->lookups.next, struct lookup, node));
    while (!list_empty(&r->ready))
        waiter_free(list_entry(r->ready.next, struct resolve, node));
    while (!list_empty(&r->by_use))
        name_drop(list_entry(r->by_use.next, struct name, by_use));
    must(r->names == 0);
    mem_free(r);
}

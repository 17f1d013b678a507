/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A list of tokens, each known by a hash of what it was asked with, the most recently used first.
 * One that is being fetched has waiters; when the fetch ends they are told, in the order they came.
 * An entry is freed when the turn is over, since a callback of its call may be on the stack.
 */
#include "gateway/target/azure_token.h"

#include <fcntl.h>
#include <stdio.h>

#include <openssl/evp.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/must.h"
#include "base/secret.h"
#include "gateway/target/azure_token_wire.h"
#include "net/address.h"
#include "net/http_client.h"
#include "net/resolve.h"

#define MAGIC 0x617a746bu
#define ENTRA_URL "https://login.microsoftonline.com"
#define HASH_BYTES 32
#define FETCH_US 10000000 /* for a token server to begin its answer, and between two reads */
#define MARGIN_S 300
#define SETTING_MAX 4096

struct entry {
    unsigned magic;
    struct azure_tokens *owner;
    struct list node; /* in owner->entries */
    unsigned char hash[HASH_BYTES];
    struct secret token;
    uint64_t good_until_us;
    bool fetching;
    bool doomed; /* the fetch failed before it began; its end comes with the timer */
    uint64_t asked_us;
    struct list waiters;
    struct http_call call;
    struct buf head, body, answer;
    int status;
    bool too_long;
    struct secret asked_with; /* the client secret or assertion, so that no message repeats it */
    char why[AZURE_TOKEN_WHY_MAX];
    struct loop_grave grave;
};

struct azure_tokens {
    struct loop *loop;
    struct http_client *client;
    struct base_url entra, authority, metadata;
    bool has_metadata, has_workload;
    char tenant[SETTING_MAX], client_id[SETTING_MAX], token_file[SETTING_MAX];
    /* Of the metadata address alone. */
    struct address_set *allowed;
    struct resolver *resolver;
    struct dialer *dialer;
    struct http_client *metadata_client;
    struct list entries;
    unsigned count;
    struct list refused; /* waiters for whom there was no room */
    struct loop_timer late;
};

static void on_late(struct loop_timer *timer);
static const struct http_call_app callbacks;

/* Settings. */

static enum err read_url(struct str text, const char *what, struct base_url *ret, char *why, size_t why_cap)
{
    char detail[300];
    if (base_url_parse(text, ret, detail, sizeof detail) == ERR_OK)
        return ERR_OK;
    snprintf(why, why_cap, "%s is no address of a token server; write it like https://login.microsoftonline.com.",
             what);
    return ERR_BAD_OPTION;
}

static enum err read_metadata_url(struct str text, struct base_url *ret, char *why, size_t why_cap)
{
    struct sockaddr_storage sa;
    socklen_t len;
    enum err e = read_url(text, "--azure-metadata-url", ret, why, why_cap);
    if (e == ERR_OK && (ret->tls || !address_parse(str_c(ret->host), 0, &sa, &len))) {
        snprintf(why, why_cap, "--azure-metadata-url takes http:// and an address, such as http://169.254.169.254.");
        return ERR_BAD_OPTION;
    }
    return e;
}

static bool has_workload(const struct azure_tokens_settings *s)
{
    return s->workload_tenant.n && s->workload_client_id.n && s->workload_token_file.n &&
           s->workload_tenant.n < SETTING_MAX && s->workload_client_id.n < SETTING_MAX &&
           s->workload_token_file.n < SETTING_MAX;
}

static enum err read_settings(const struct azure_tokens_settings *s, struct azure_tokens *t, char *why, size_t why_cap)
{
    struct str entra = s->entra_url.n ? s->entra_url : STR(ENTRA_URL);
    enum err e = read_url(entra, "--azure-entra-url", &t->entra, why, why_cap);
    t->authority = t->entra;
    if (e == ERR_OK && s->workload_authority.n)
        e = read_url(s->workload_authority, "AZURE_AUTHORITY_HOST", &t->authority, why, why_cap);
    t->has_metadata = s->metadata_url.n > 0;
    if (e == ERR_OK && t->has_metadata)
        e = read_metadata_url(s->metadata_url, &t->metadata, why, why_cap);
    t->has_workload = has_workload(s);
    if (t->has_workload) {
        str_copy(t->tenant, sizeof t->tenant, s->workload_tenant);
        str_copy(t->client_id, sizeof t->client_id, s->workload_client_id);
        str_copy(t->token_file, sizeof t->token_file, s->workload_token_file);
    }
    return e;
}

enum err azure_tokens_check(const struct azure_tokens_settings *settings, char *why, size_t why_cap)
{
    struct azure_tokens *t = mem_zalloc(sizeof *t);
    enum err e = read_settings(settings, t, why, why_cap);
    mem_free(t);
    return e;
}

/* A way out that leads to the metadata address and nowhere else. */
static void open_metadata(struct azure_tokens *t)
{
    char why[200];
    t->allowed = address_set_new();
    enum err e = address_set_add(t->allowed, str_c(t->metadata.host), why, sizeof why);
    must(e == ERR_OK);
    t->resolver = resolver_new(t->loop, &(struct resolver_settings){.timeout_us = FETCH_US});
    if (!t->resolver) {
        t->has_metadata = false;
        return;
    }
    t->dialer = dialer_new(t->loop, &(struct dial_settings){.resolver = t->resolver,
                                                            .allowed = t->allowed,
                                                            .connect_timeout_us = FETCH_US,
                                                            .https_proxy = STR(""),
                                                            .http_proxy = STR(""),
                                                            .no_proxy = STR("")});
    t->metadata_client = http_client_new(
        t->loop, t->dialer, &(struct http_client_settings){.pool_idle_us = 1000000, .connections_per_origin_max = 4});
}

struct azure_tokens *azure_tokens_new(struct loop *l, struct http_client *client,
                                      const struct azure_tokens_settings *settings)
{
    struct azure_tokens *t = mem_zalloc(sizeof *t);
    char why[300];
    enum err e = read_settings(settings, t, why, sizeof why);
    must(e == ERR_OK);
    t->loop = l;
    t->client = client;
    list_init(&t->entries);
    list_init(&t->refused);
    t->late.on_time = on_late;
    if (t->has_metadata)
        open_metadata(t);
    return t;
}

/* Entries. */

static void forget_request(struct entry *e)
{
    struct buf *all[] = {&e->head, &e->body, &e->answer};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (all[i]->p)
            mem_wipe(all[i]->p, all[i]->cap);
        buf_free(all[i]);
    }
    secret_wipe(&e->asked_with);
}

static void entry_free(struct entry *e)
{
    e->magic = 0;
    forget_request(e);
    secret_wipe(&e->token);
    mem_free(e);
}

static void on_free(struct loop_grave *g)
{
    entry_free(list_entry(g, struct entry, grave));
}

void azure_tokens_free(struct azure_tokens *t)
{
    if (!t)
        return;
    loop_timer_clear(t->loop, &t->late);
    while (!list_empty(&t->entries)) {
        struct entry *e = list_entry(t->entries.next, struct entry, node);
        if (e->fetching && !e->doomed)
            http_call_cancel(&e->call);
        while (!list_empty(&e->waiters))
            list_remove(e->waiters.next);
        list_remove(&e->node);
        entry_free(e);
    }
    while (!list_empty(&t->refused))
        list_remove(t->refused.next);
    if (t->metadata_client) {
        http_client_free(t->metadata_client);
        dialer_free(t->dialer);
        resolver_free(t->resolver);
    }
    address_set_free(t->allowed);
    mem_free(t);
}

static void hash_part(EVP_MD_CTX *c, struct str s)
{
    uint64_t n = s.n;
    must(EVP_DigestUpdate(c, &n, sizeof n) == 1);
    must(EVP_DigestUpdate(c, s.p, s.n) == 1);
}

static void hash_of(const struct azure_token_want *want, unsigned char out[HASH_BYTES])
{
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    unsigned char mode = (unsigned char)want->mode;
    unsigned int n = 0;
    must(c && EVP_DigestInit_ex(c, EVP_sha256(), NULL) == 1);
    must(EVP_DigestUpdate(c, &mode, 1) == 1);
    hash_part(c, want->tenant);
    hash_part(c, want->client_id);
    hash_part(c, want->client_secret);
    hash_part(c, want->scope);
    must(EVP_DigestFinal_ex(c, out, &n) == 1 && n == HASH_BYTES);
    EVP_MD_CTX_free(c);
}

/* The entry, moved to the front; NULL when there is none. */
static struct entry *find(struct azure_tokens *t, const unsigned char hash[HASH_BYTES])
{
    for (struct list *n = t->entries.next; n != &t->entries; n = n->next) {
        struct entry *e = list_entry(n, struct entry, node);
        if (memcmp(e->hash, hash, HASH_BYTES) != 0)
            continue;
        list_remove(&e->node);
        list_prepend(&t->entries, &e->node);
        return e;
    }
    return NULL;
}

/* Lets go of the entry that was not used for longest; false when all are being fetched. */
static bool make_room(struct azure_tokens *t)
{
    for (struct list *n = t->entries.prev; n != &t->entries; n = n->prev) {
        struct entry *e = list_entry(n, struct entry, node);
        if (e->fetching)
            continue;
        list_remove(&e->node);
        t->count--;
        e->grave.on_free = on_free;
        loop_bury(t->loop, &e->grave);
        return true;
    }
    return false;
}

static struct entry *entry_new(struct azure_tokens *t, const unsigned char hash[HASH_BYTES])
{
    if (t->count >= AZURE_TOKENS_MAX && !make_room(t))
        return NULL;
    struct entry *e = mem_zalloc(sizeof *e);
    e->magic = MAGIC;
    e->owner = t;
    memcpy(e->hash, hash, HASH_BYTES);
    list_init(&e->waiters);
    buf_init(&e->head, AZURE_TOKEN_REQUEST_MAX);
    buf_init(&e->body, AZURE_TOKEN_REQUEST_MAX);
    buf_init(&e->answer, AZURE_TOKEN_ANSWER_MAX);
    list_prepend(&t->entries, &e->node);
    t->count++;
    return e;
}

/* The end of a fetch. */

static void tell(struct list *waiters, enum err err, const char *why)
{
    while (!list_empty(waiters)) {
        struct azure_token_wait *w = list_entry(waiters->next, struct azure_token_wait, node);
        list_remove(&w->node);
        w->on_token(w, err, str_c(why));
    }
}

static void move_all(struct list *from, struct list *to)
{
    list_init(to);
    while (!list_empty(from)) {
        struct list *first = from->next;
        list_remove(first);
        list_append(to, first);
    }
}

/* Waiters may ask for other tokens and so end this entry: nothing of it is used once they are told. */
static void end_fetch(struct entry *e, enum err err)
{
    char why[AZURE_TOKEN_WHY_MAX];
    struct list waiters;
    must(e->magic == MAGIC && e->fetching);
    str_copy(why, sizeof why, str_c(e->why));
    e->fetching = e->doomed = false;
    forget_request(e);
    move_all(&e->waiters, &waiters);
    tell(&waiters, err, why);
}

static void on_late(struct loop_timer *timer)
{
    struct azure_tokens *t = list_entry(timer, struct azure_tokens, late);
    struct list refused;
    for (unsigned left = t->count; left > 0; left--) { /* who asks again when told waits for the next turn */
        struct list *n = t->entries.next;
        while (n != &t->entries && !list_entry(n, struct entry, node)->doomed)
            n = n->next;
        if (n == &t->entries)
            break;
        end_fetch(list_entry(n, struct entry, node), ERR_UPSTREAM_CONNECT);
    }
    move_all(&t->refused, &refused);
    tell(&refused, ERR_OVERLOADED, "Too many tokens are being fetched at a time; try again.");
}

static void tell_later(struct azure_tokens *t)
{
    loop_timer_set(t->loop, &t->late, loop_now_us(t->loop));
}

/* The call. */

static struct entry *entry_of(struct http_call *call)
{
    struct entry *e = call->app_data;
    must(e && e->magic == MAGIC);
    return e;
}

static void on_head(struct http_call *call, const struct http1_head *head)
{
    entry_of(call)->status = head->status;
}

static void read_answer(struct entry *e)
{
    uint64_t life_s = 0, margin_s;
    struct azure_token_answer answer = {
        .status = e->status, .body = buf_str(&e->answer), .secret = secret_reveal(&e->asked_with)};
    if (e->too_long)
        answer.body = STR("");
    enum err err = azure_token_wire_read(&answer, &e->token, &life_s, e->why);
    if (err == ERR_OK) {
        margin_s = life_s / 2 < MARGIN_S ? life_s / 2 : MARGIN_S;
        e->good_until_us = e->asked_us + (life_s - margin_s) * 1000000;
    }
    end_fetch(e, err);
}

static void on_body(struct http_call *call, struct str bytes, bool last)
{
    struct entry *e = entry_of(call);
    e->too_long = e->too_long || !buf_add_str(&e->answer, bytes);
    if (last)
        read_answer(e);
}

static void on_failed(struct http_call *call, enum err why, const char *detail)
{
    struct entry *e = entry_of(call);
    snprintf(e->why, sizeof e->why, "The token server could not be asked: %.300s", detail);
    end_fetch(e, why);
}

static const struct http_call_app callbacks = {.on_head = on_head, .on_body = on_body, .on_failed = on_failed};

/* The beginning of a fetch. */

/* A small file that the platform keeps fresh, without the line end some write behind it. */
static bool read_assertion(const char *path, struct secret *ret)
{
    char *room = mem_alloc(AZURE_TOKEN_MAX + 1);
    size_t n = 0;
    int fd;
    enum err e = file_open(path, O_RDONLY, 0, &fd);
    if (e == ERR_OK) {
        e = file_read_at(fd, room, AZURE_TOKEN_MAX + 1, 0, &n);
        file_close(fd);
    }
    while (n && (room[n - 1] == '\n' || room[n - 1] == '\r' || room[n - 1] == ' '))
        n--;
    bool ok = e == ERR_OK && n > 0 && n <= AZURE_TOKEN_MAX;
    if (ok)
        secret_set(ret, str_of(room, n));
    mem_wipe(room, AZURE_TOKEN_MAX + 1);
    mem_free(room);
    return ok;
}

/* Renders the request; false with a sentence in e->why. */
static bool prepare(struct azure_tokens *t, struct entry *e, const struct azure_token_want *want,
                    const struct base_url **ret_server)
{
    struct azure_token_want full = *want;
    struct str assertion = STR("");
    *ret_server = want->mode == AZURE_TOKEN_ENTRA ? &t->entra : &t->authority;
    if (want->mode == AZURE_TOKEN_MANAGED)
        *ret_server = &t->metadata;
    secret_set(&e->asked_with, want->client_secret);
    if (want->mode == AZURE_TOKEN_WORKLOAD) {
        full.tenant = full.tenant.n ? full.tenant : str_c(t->tenant);
        full.client_id = full.client_id.n ? full.client_id : str_c(t->client_id);
        if (!read_assertion(t->token_file, &e->asked_with)) {
            snprintf(e->why, sizeof e->why, "The file that AZURE_FEDERATED_TOKEN_FILE names could not be read.");
            return false;
        }
        assertion = secret_reveal(&e->asked_with);
    }
    bool ok = azure_token_wire_request(&full, *ret_server, full.tenant, assertion, &e->head, &e->body);
    if (!ok)
        snprintf(e->why, sizeof e->why, "The tenant, client id, client secret or scope is too long.");
    return ok;
}

static void begin_fetch(struct azure_tokens *t, struct entry *e, const struct azure_token_want *want)
{
    const struct base_url *server;
    struct http_call_options options = {.first_byte_timeout_us = FETCH_US, .idle_timeout_us = FETCH_US};
    e->fetching = true;
    e->too_long = false;
    e->status = 0;
    e->why[0] = '\0';
    e->asked_us = loop_now_us(t->loop);
    secret_wipe(&e->token);
    if (!prepare(t, e, want, &server)) {
        e->doomed = true;
        tell_later(t);
        return;
    }
    e->call = (struct http_call){.app = &callbacks, .app_data = e};
    struct dial_target target = {str_c(server->host), server->port, server->tls};
    http_call_begin(want->mode == AZURE_TOKEN_MANAGED ? t->metadata_client : t->client, &e->call, &target, &options,
                    buf_str(&e->head), buf_str(&e->body));
}

/* What callers ask. */

bool azure_token_enabled(const struct azure_tokens *t, enum azure_token_mode mode)
{
    return mode == AZURE_TOKEN_ENTRA || (mode == AZURE_TOKEN_MANAGED ? t->has_metadata : t->has_workload);
}

struct str azure_token_find(struct azure_tokens *t, const struct azure_token_want *want)
{
    unsigned char hash[HASH_BYTES];
    hash_of(want, hash);
    struct entry *e = find(t, hash);
    bool good = e && !e->fetching && e->token.n && loop_now_us(t->loop) < e->good_until_us;
    return good ? secret_reveal(&e->token) : STR("");
}

void azure_token_await(struct azure_tokens *t, const struct azure_token_want *want, struct azure_token_wait *wait)
{
    unsigned char hash[HASH_BYTES];
    must(azure_token_enabled(t, want->mode));
    hash_of(want, hash);
    struct entry *e = find(t, hash);
    if (!e)
        e = entry_new(t, hash);
    if (!e) {
        list_append(&t->refused, &wait->node);
        tell_later(t);
        return;
    }
    list_append(&e->waiters, &wait->node);
    if (!e->fetching)
        begin_fetch(t, e, want);
}

void azure_token_cancel(struct azure_token_wait *wait)
{
    list_remove(&wait->node);
}

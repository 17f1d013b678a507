/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The front: what may be sent is decided here, once, so that outbox (rows) and courier (sending) need not ask
 * again.
 */
#include "report/notify/notify.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json/jdoc.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "control/outlet/outlet.h"
#include "control/people/member.h"
#include "net/url.h"
#include "report/notify/courier.h"
#include "report/notify/mail.h"
#include "report/notify/outbox.h"
#include "report/notify/smtp.h"

#define RETRY_MS_DEFAULT 5000
#define PASSWORD_MAX 4096
#define ADMINS_MAX 100
#define ADMINS_ARENA (8u << 20)
#define DEFERRED_MAX 1000

/* Who waits for the first try of a message. */
struct waiter {
    struct list node;
    struct str key;
    bool done;
    char why[NOTIFY_WHY_MAX];
};

struct notify {
    struct notify_options options;
    char *public_url, *password;
    char name[URL_HOST_MAX + 1];
    struct smtp_server server;
    struct mail_from from;
    bool has_mail;
    struct outbox *outbox;
    struct courier *courier;
    pthread_mutex_t lock; /* of the waiters */
    pthread_cond_t tried;
    struct list waiters;
    atomic_uint deferred;
};

const char *notify_channel_text(enum notify_channel channel)
{
    static const char *const texts[NOTIFY_CHANNEL_COUNT] = {"mail", "slack", "teams", "webhook"};
    return texts[channel];
}

bool notify_can(const struct notify *n, enum notify_channel channel)
{
    return n && (channel != NOTIFY_MAIL || n->has_mail);
}

bool notify_address_ok(struct str address)
{
    return mail_address_ok(address);
}

struct str notify_public_url(const struct notify *n)
{
    return n ? n->options.public_url : STR("");
}

struct outbox *notify_outbox(struct notify *n)
{
    return n->outbox;
}

struct control *notify_control(const struct notify *n)
{
    return n->options.control;
}

/* --- what may be sent ------------------------------------------------------------------------ */

static bool is_visible(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= ' ' || s.p[i] > '~')
            return false;
    return s.n > 0;
}

static bool is_line(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
            return false;
    return utf8_valid(s);
}

static bool is_kind(const char *kind)
{
    size_t n = kind ? strlen(kind) : 0;
    for (size_t i = 0; i < n; i++)
        if (kind[i] != '_' && (kind[i] < 'a' || kind[i] > 'z'))
            return false;
    return n > 0 && n < 48;
}

static bool is_object(struct str json)
{
    struct jdoc doc;
    jdoc_init(&doc);
    bool right = jdoc_parse(&doc, json) && jdoc_kind(jdoc_root(&doc)) == JDOC_OBJECT;
    jdoc_free(&doc);
    return right;
}

static const char *find_fault(const struct notify_message *m)
{
    if ((unsigned)m->channel >= NOTIFY_CHANNEL_COUNT || !is_kind(m->kind))
        return "there is no such kind of message";
    if (m->id.n > NOTIFY_ID_MAX || !is_visible(m->id))
        return "a message's id is 1 to 200 visible ASCII characters";
    if (!m->subject.n || m->subject.n > NOTIFY_SUBJECT_MAX || !is_line(m->subject))
        return "a subject is one line of 1 to 300 bytes of UTF-8";
    if (m->text.n > NOTIFY_TEXT_MAX || !utf8_valid(m->text))
        return "a text is at most 64 KiB of UTF-8";
    if (m->link.n > NOTIFY_LINK_MAX || (m->link.n && !is_visible(m->link)))
        return "a link is an address without spaces";
    if (m->json.n > NOTIFY_JSON_MAX || (m->json.n && !is_object(m->json)))
        return "a webhook's data is a JSON object of at most 128 KiB";
    if (!m->to.n || m->to.n > NOTIFY_TO_MAX)
        return "a message needs somebody it is for";
    return NULL;
}

/* --- where it goes --------------------------------------------------------------------------- */

struct route {
    char lane[OUTBOX_LANE_MAX], shown[OUTBOX_LANE_MAX];
};

static bool is_url(struct str to)
{
    return str_starts_nocase(to, STR("http://")) || str_starts_nocase(to, STR("https://"));
}

static enum err complain(char why[NOTIFY_WHY_MAX], enum err e, const char *text)
{
    str_copy(why, NOTIFY_WHY_MAX, str_c(text));
    return e;
}

static enum err route_url(const struct notify_message *m, struct route *r, char why[NOTIFY_WHY_MAX])
{
    struct url u;
    struct str path, query;
    const char *reason;
    if (!url_split(m->to, &u, &path, &query, &reason)) {
        snprintf(why, NOTIFY_WHY_MAX, "the receiver's URL cannot be used: %s", reason);
        return ERR_BAD_PARAMETER;
    }
    snprintf(r->lane, sizeof r->lane, "%s:%u", u.host, u.port);
    snprintf(r->shown, sizeof r->shown, "%s", u.host);
    return ERR_OK;
}

/* A stored channel; that it is of another kind than asked for would garble what is written there. */
static enum err route_channel(struct notify *n, const struct notify_message *m, struct route *r,
                              char why[NOTIFY_WHY_MAX])
{
    static const enum outlet_kind kinds[NOTIFY_CHANNEL_COUNT] = {
        [NOTIFY_SLACK] = OUTLET_SLACK, [NOTIFY_TEAMS] = OUTLET_TEAMS, [NOTIFY_WEBHOOK] = OUTLET_WEBHOOK};
    struct secret url = {0}, key = {0};
    struct control_why because = {.param = ""};
    enum outlet_kind kind;
    enum err e = outlet_open(n->options.control, m->workspace_id, m->to, &kind, &url, &key, &because);
    secret_wipe(&url);
    secret_wipe(&key);
    if (e == ERR_NOT_FOUND)
        return complain(why, ERR_BAD_PARAMETER, because.text);
    if (e != ERR_OK)
        return complain(why, e, because.text);
    if (kind != kinds[m->channel]) {
        snprintf(why, NOTIFY_WHY_MAX, "this channel is one of kind %s", outlet_kind_text(kind));
        return ERR_BAD_PARAMETER;
    }
    snprintf(r->lane, sizeof r->lane, "channel/%lld/%.*s", (long long)m->workspace_id, STR_ARG(m->to));
    snprintf(r->shown, sizeof r->shown, "%.*s", STR_ARG(m->to));
    return ERR_OK;
}

static enum err find_route(struct notify *n, const struct notify_message *m, struct route *r, char why[NOTIFY_WHY_MAX])
{
    if (m->channel != NOTIFY_MAIL)
        return is_url(m->to) ? route_url(m, r, why) : route_channel(n, m, r, why);
    if (!n->has_mail)
        return complain(why, ERR_FORBIDDEN, "no mail server is set; start the server with --smtp-url");
    if (!mail_address_ok(m->to))
        return complain(why, ERR_BAD_PARAMETER, "the receiver's mail address is not one, such as ann@example.com");
    snprintf(r->lane, sizeof r->lane, "%s", COURIER_MAIL_LANE);
    snprintf(r->shown, sizeof r->shown, "%.*s", STR_ARG(m->to));
    return ERR_OK;
}

/* --- sending --------------------------------------------------------------------------------- */

static enum err put(struct notify *n, const struct notify_message *m, bool once, bool *ret_new,
                    char why[NOTIFY_WHY_MAX])
{
    struct route r;
    int64_t id;
    const char *fault = find_fault(m);
    if (fault)
        return complain(why, ERR_BAD_PARAMETER, fault);
    enum err e = find_route(n, m, &r, why);
    if (e != ERR_OK)
        return e;
    const struct outbox_letter letter = {.message = m, .lane = str_c(r.lane), .shown = str_c(r.shown), .once = once};
    e = outbox_put(n->outbox, &letter, clock_wall_us(), &id, ret_new);
    if (e != ERR_OK)
        return complain(why, e, outbox_failure(n->outbox));
    if (*ret_new && once)
        courier_hurry(n->courier);
    else if (*ret_new)
        courier_wake(n->courier);
    return ERR_OK;
}

enum err notify_send(struct notify *n, const struct notify_message *m, char why[NOTIFY_WHY_MAX])
{
    bool is_new;
    if (!n)
        return complain(why, ERR_FORBIDDEN, "nothing is sent by this server");
    enum err e = put(n, m, false, &is_new, why);
    if (e != ERR_OK)
        log_warn("message_not_taken", LOG_TEXT("kind", m->kind), LOG_INT("workspace", m->workspace_id),
                 LOG_TEXT("why", why));
    return e;
}

static void on_tried(void *ctx, struct str key, const char *why)
{
    struct notify *n = ctx;
    pthread_mutex_lock(&n->lock);
    for (struct list *l = n->waiters.next; l != &n->waiters; l = l->next) {
        struct waiter *w = list_entry(l, struct waiter, node);
        if (!str_eq(w->key, key) || w->done)
            continue;
        w->done = true;
        str_copy(w->why, sizeof w->why, str_c(why));
        pthread_cond_broadcast(&n->tried);
    }
    pthread_mutex_unlock(&n->lock);
}

static struct timespec deadline_of(unsigned timeout_ms)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += timeout_ms / 1000;
    t.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
    if (t.tv_nsec >= 1000000000) {
        t.tv_sec++;
        t.tv_nsec -= 1000000000;
    }
    return t;
}

enum err notify_try(struct notify *n, const struct notify_message *m, unsigned timeout_ms, char why[NOTIFY_WHY_MAX])
{
    struct waiter w = {.key = m->id};
    bool is_new = false, in_time = true;
    struct timespec until = deadline_of(timeout_ms);
    if (!n)
        return complain(why, ERR_FORBIDDEN, "nothing is sent by this server");
    pthread_mutex_lock(&n->lock);
    list_append(&n->waiters, &w.node);
    pthread_mutex_unlock(&n->lock);
    enum err e = put(n, m, true, &is_new, why);
    pthread_mutex_lock(&n->lock);
    while (e == ERR_OK && is_new && !w.done && in_time)
        in_time = pthread_cond_timedwait(&n->tried, &n->lock, &until) == 0;
    list_remove(&w.node);
    pthread_mutex_unlock(&n->lock);
    if (e != ERR_OK)
        return e;
    if (w.done && !w.why[0])
        return ERR_OK;
    return complain(why, ERR_UPSTREAM_CONNECT,
                    w.done ? w.why
                           : "there is no answer yet; it is still being tried, see GET "
                             "/tollgate/v1/notifications");
}

/* --- later ----------------------------------------------------------------------------------- */

struct deferred {
    struct notify *notify;
    void (*fn)(void *ctx);
    void *ctx;
};

static void on_deferred(void *arg)
{
    struct deferred d = *(struct deferred *)arg;
    mem_free(arg);
    d.notify->deferred--;
    d.fn(d.ctx);
}

bool notify_defer(struct notify *n, void (*fn)(void *ctx), void *ctx)
{
    if (!n)
        return false;
    if (n->deferred++ >= DEFERRED_MAX) {
        n->deferred--;
        return false;
    }
    struct deferred *d = mem_alloc(sizeof *d);
    *d = (struct deferred){n, fn, ctx};
    courier_post(n->courier, on_deferred, d);
    return true;
}

/* --- who ------------------------------------------------------------------------------------- */

struct addresses {
    struct str *list;
    size_t count;
};

static void add_address(struct addresses *to, const struct member *m)
{
    if (to->count == ADMINS_MAX || !mail_address_ok(m->email))
        return;
    for (size_t i = 0; i < to->count; i++)
        if (str_eq(to->list[i], m->email))
            return;
    to->list[to->count++] = m->email;
}

enum err notify_admins(struct notify *n, int64_t workspace_id, struct arena *a, struct str **ret, size_t *ret_count)
{
    struct addresses to = {.list = arena_alloc(a, ADMINS_MAX * sizeof(struct str))};
    struct control_why why = {.param = ""};
    struct member *members = NULL;
    struct membership *memberships = NULL;
    size_t count = 0;
    enum err e = to.list ? ERR_OK : ERR_OVERLOADED;
    if (e == ERR_OK && workspace_id)
        e = membership_list(n->options.control, workspace_id, a, &memberships, &count, &why);
    for (size_t i = 0; e == ERR_OK && i < count; i++)
        if (memberships[i].role <= KIND_ROLE_ADMIN)
            add_address(&to, &memberships[i].member);
    if (e == ERR_OK)
        e = member_list(n->options.control, a, &members, &count, &why);
    for (size_t i = 0; e == ERR_OK && i < count; i++)
        if (members[i].role <= KIND_ROLE_ADMIN)
            add_address(&to, &members[i]);
    *ret = to.list;
    *ret_count = to.count;
    return e;
}

enum err notify_admins_send(struct notify *n, const struct notify_message *m)
{
    struct str *to = NULL;
    size_t count = 0;
    char why[NOTIFY_WHY_MAX];
    if (!notify_can(n, NOTIFY_MAIL))
        return ERR_OK;
    struct arena *a = arena_new(4096, ADMINS_ARENA);
    enum err e = notify_admins(n, m->workspace_id, a, &to, &count);
    if (e != ERR_OK)
        log_warn("message_not_taken", LOG_TEXT("kind", m->kind), LOG_INT("workspace", m->workspace_id),
                 LOG_TEXT("why", "the workspace's admins cannot be read"));
    enum err later = e == ERR_STORE_FAILED ? e : ERR_OK; /* all else would be the same then */
    for (size_t i = 0; e == ERR_OK && later == ERR_OK && i < count; i++) {
        char id[NOTIFY_ID_MAX + 1];
        struct notify_message one = *m;
        int length = snprintf(id, sizeof id, "%.*s/%.*s", STR_ARG(m->id), STR_ARG(to[i]));
        one.channel = NOTIFY_MAIL;
        one.to = to[i];
        one.id = str_head(str_c(id), (size_t)length);
        enum err sent = length < (int)sizeof id ? notify_send(n, &one, why) : ERR_BAD_PARAMETER;
        later = sent == ERR_STORE_FAILED || sent == ERR_OVERLOADED ? sent : ERR_OK; /* it is in the log */
    }
    arena_free(a);
    return later;
}

/* --- life ------------------------------------------------------------------------------------ */

/* How mail servers are greeted: the public address's host, else this machine's name. */
static void find_name(struct notify *n)
{
    struct url u;
    const char *why;
    char host[URL_HOST_MAX + 1] = "";
    bool known = n->options.public_url.n && url_parse(n->options.public_url, URL_BASE, &u, &why) == ERR_OK &&
                 !url_host_is_address(u.host);
    if (known)
        str_copy(n->name, sizeof n->name, str_c(u.host));
    else if (gethostname(host, sizeof host - 1) != 0 || !url_host(str_c(host), n->name) || url_host_is_address(n->name))
        str_copy(n->name, sizeof n->name, STR("localhost"));
}

static enum err read_mail_options(struct notify *n, char why[NOTIFY_WHY_MAX])
{
    const struct notify_options *o = &n->options;
    const char *fault;
    if (!o->smtp_url.n && !o->mail_from.n)
        return ERR_OK;
    if (!o->smtp_url.n || !o->mail_from.n)
        return complain(why, ERR_BAD_OPTION, "--smtp-url and --mail-from belong together; give both or none");
    if (!o->public_url.n)
        return complain(why, ERR_BAD_OPTION, "--smtp-url needs --public-url: mails have links to this server in them");
    fault = smtp_server_read(o->smtp_url, o->smtp_plain, &n->server);
    if (fault) {
        snprintf(why, NOTIFY_WHY_MAX, "--smtp-url cannot be used: %s", fault);
        return ERR_BAD_OPTION;
    }
    fault = mail_from_read(o->mail_from, &n->from);
    if (fault) {
        snprintf(why, NOTIFY_WHY_MAX, "--mail-from cannot be used: %s", fault);
        return ERR_BAD_OPTION;
    }
    if (n->server.user[0] && !o->smtp_password.n)
        return complain(why, ERR_BAD_OPTION,
                        "--smtp-url names a user; give the password in TOLLGATE_SMTP_PASSWORD or --smtp-password-file");
    if (o->smtp_password.n > PASSWORD_MAX)
        return complain(why, ERR_BAD_OPTION, "the password for the mail server is too long");
    n->has_mail = true;
    return ERR_OK;
}

static void copy_options(struct notify *n, const struct notify_options *options)
{
    n->options = *options;
    n->public_url = mem_strndup(options->public_url.n ? options->public_url.p : "", options->public_url.n);
    n->password = mem_strndup(options->smtp_password.n ? options->smtp_password.p : "", options->smtp_password.n);
    n->options.public_url = str_of(n->public_url, options->public_url.n);
    n->options.smtp_password = str_of(n->password, options->smtp_password.n);
    if (!n->options.retry_first_ms)
        n->options.retry_first_ms = RETRY_MS_DEFAULT;
}

static void init_lock(struct notify *n)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&n->tried, &attr);
    pthread_condattr_destroy(&attr);
    pthread_mutex_init(&n->lock, NULL);
    list_init(&n->waiters);
}

enum err notify_open(const struct notify_options *options, struct notify **ret, char why[NOTIFY_WHY_MAX])
{
    struct notify *n = mem_zalloc(sizeof *n);
    copy_options(n, options);
    init_lock(n);
    enum err e = read_mail_options(n, why);
    if (e == ERR_OK)
        e = outbox_open(options->dir, options->control, clock_wall_us(), &n->outbox, why);
    if (e == ERR_OK) {
        find_name(n);
        const struct courier_settings settings = {.options = &n->options,
                                                  .server = n->has_mail ? &n->server : NULL,
                                                  .from = &n->from,
                                                  .name = n->name,
                                                  .outbox = n->outbox,
                                                  .tried = on_tried,
                                                  .ctx = n};
        n->courier = courier_new(&settings, why);
        e = n->courier ? ERR_OK : ERR_INTERNAL;
    }
    if (e != ERR_OK) {
        notify_close(n);
        return e;
    }
    *ret = n;
    return ERR_OK;
}

void notify_close(struct notify *n)
{
    if (!n)
        return;
    courier_free(n->courier);
    outbox_close(n->outbox);
    pthread_cond_destroy(&n->tried);
    pthread_mutex_destroy(&n->lock);
    mem_wipe(n->password, n->options.smtp_password.n);
    mem_free(n->password);
    mem_free(n->public_url);
    mem_free(n);
}

void notify_count(struct notify *n, struct notify_counts ret[NOTIFY_CHANNEL_COUNT])
{
    struct courier_counts counts[NOTIFY_CHANNEL_COUNT];
    uint64_t waiting[NOTIFY_CHANNEL_COUNT];
    courier_count(n->courier, counts);
    outbox_waiting(n->outbox, waiting);
    for (unsigned i = 0; i < NOTIFY_CHANNEL_COUNT; i++)
        ret[i] = (struct notify_counts){
            .sent = counts[i].sent, .failed = counts[i].failed, .tries = counts[i].tries, .waiting = waiting[i]};
}

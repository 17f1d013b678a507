/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One timer and a handful of slots. pump() fills free slots with what is due and sets the timer to when the
 * next thing will be. A slot is free again once what became of its letter is in the outbox; when that cannot be
 * written the slot waits with it, since a letter that was sent and is not marked so would be sent again.
 */
#include "report/notify/courier.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/json_write.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/must.h"
#include "base/rng.h"
#include "control/outlet/outlet.h"
#include "net/dial.h"
#include "net/http_client.h"
#include "net/loop.h"
#include "net/resolve.h"
#include "report/notify/hook_post.h"
#include "report/notify/mail.h"
#include "report/notify/payload.h"
#include "report/notify/smtp.h"

#define SLOTS 8
#define LANES 256
#define LANE_BUSY_MAX 2
#define STORE_WAIT_US (5 * UINT64_C(1000000)) /* when notify.db cannot be written */
#define SLEEP_MAX_US (600 * UINT64_C(1000000))
#define POOL_IDLE_US (30 * UINT64_C(1000000))
#define SKIP_MAX (LANES * (OUTBOX_LANE_MAX * 2 + 8))
#define WHY_MAX 320

struct lane {
    char name[OUTBOX_LANE_MAX]; /* "" = free */
    unsigned busy, failures;
    uint64_t until_us; /* nothing is tried before; monotonic */
};

/* What became of a try. */
struct outcome {
    bool taken, final, server; /* final: not to be tried again */
    uint64_t wait_us;
    char why[WHY_MAX];
};

struct slot {
    struct courier *courier;
    bool used, ended; /* ended: `outcome` is known and not stored yet */
    struct outbox_item item;
    struct outcome outcome;
    struct lane *lane;
    struct hook_post *post; /* NULL: mail */
    struct buf text;        /* the mail */
};

struct courier {
    struct courier_settings settings;
    struct loop *loop;
    struct resolver *resolver;
    struct dialer *dialer;
    struct http_client *client;
    struct smtp *smtp; /* NULL: no mail */
    struct loop_timer timer;
    pthread_t thread;
    bool running, stopping, store_failing;
    struct slot slots[SLOTS];
    struct lane lanes[LANES];
    struct {
        atomic_uint_fast64_t sent, failed, tries;
    } counts[NOTIFY_CHANNEL_COUNT];
};

static void pump(struct courier *c);

/* --- lanes ----------------------------------------------------------------------------------- */

/* The lane of that name; an idle one that is not held back makes room. NULL: all are in use. */
static struct lane *lane_of(struct courier *c, const char *name)
{
    struct lane *room = NULL;
    for (unsigned i = 0; i < LANES; i++) {
        struct lane *l = &c->lanes[i];
        if (str_eq(str_c(l->name), str_c(name)))
            return l;
        if (!l->busy && (!room || (room->name[0] && l->until_us < room->until_us)))
            room = l;
    }
    if (room) {
        *room = (struct lane){.busy = 0};
        str_copy(room->name, sizeof room->name, str_c(name));
    }
    return room;
}

static bool is_closed(const struct lane *l, uint64_t now_us)
{
    unsigned most = str_eq(str_c(l->name), STR(COURIER_MAIL_LANE)) ? 1 : LANE_BUSY_MAX;
    return l->name[0] && (l->busy >= most || l->until_us > now_us);
}

/* What is not to be taken now. `ids` has SLOTS places. */
static void write_skip(struct courier *c, int64_t *ids, struct buf *lanes, struct outbox_skip *ret)
{
    struct json_write w;
    uint64_t now_us = clock_mono_us();
    *ret = (struct outbox_skip){.ids = ids};
    for (unsigned i = 0; i < SLOTS; i++)
        if (c->slots[i].used)
            ids[ret->id_count++] = c->slots[i].item.id;
    buf_init(lanes, SKIP_MAX);
    json_write_init(&w, lanes);
    json_write_array(&w);
    for (unsigned i = 0; i < LANES; i++)
        if (is_closed(&c->lanes[i], now_us))
            json_write_string(&w, str_c(c->lanes[i].name));
    json_write_array_end(&w);
    bool fits = json_write_done(&w);
    must(fits);
    ret->lanes = buf_str(lanes);
}

static uint64_t pause_us(const struct courier *c, unsigned failures)
{
    return outbox_pause((uint64_t)c->settings.options->retry_first_ms * 1000, failures, rng_u64());
}

static void judge_lane(struct courier *c, struct lane *l, const struct outcome *o)
{
    if (o->taken) {
        l->failures = 0;
    } else if (o->server) {
        uint64_t wait_us = pause_us(c, ++l->failures);
        l->until_us = clock_mono_us() + (o->wait_us > wait_us ? o->wait_us : wait_us);
    }
}

/* --- what became of it ----------------------------------------------------------------------- */

static void note_store(struct courier *c, bool works)
{
    if (!works && !c->store_failing)
        log_error("notify_store_failing", LOG_TEXT("why", outbox_failure(c->settings.outbox)));
    if (works && c->store_failing)
        log_info("notify_store_works_again");
    c->store_failing = !works;
}

static void log_given_up(const struct slot *s, const char *why)
{
    log_error("message_given_up", LOG_TEXT("kind", s->item.kind),
              LOG_TEXT("channel", notify_channel_text(s->item.message.channel)), LOG_INT("message", s->item.id),
              LOG_INT("workspace", s->item.message.workspace_id), LOG_INT("tries", s->item.tries + 1),
              LOG_TEXT("why", why));
}

static void log_later(const struct slot *s, uint64_t wait_us, const char *why)
{
    log_warn("message_waits", LOG_TEXT("kind", s->item.kind),
             LOG_TEXT("channel", notify_channel_text(s->item.message.channel)), LOG_INT("message", s->item.id),
             LOG_INT("tries", s->item.tries + 1), LOG_INT("again_in_ms", wait_us / 1000), LOG_TEXT("why", why));
}

/* ERR_OK: it is stored. */
static enum err store(struct courier *c, struct slot *s)
{
    const struct outcome *o = &s->outcome;
    struct outbox *outbox = c->settings.outbox;
    enum notify_channel channel = s->item.message.channel;
    int64_t now_us = clock_wall_us();
    if (o->taken) {
        enum err e = outbox_sent(outbox, &s->item, now_us);
        if (e == ERR_OK)
            c->counts[channel].sent++;
        return e;
    }
    uint64_t wait_us = pause_us(c, s->item.tries + 1);
    if (o->wait_us > wait_us)
        wait_us = o->wait_us;
    bool over = o->final || s->item.once || now_us + (int64_t)wait_us > s->item.created_us + NOTIFY_LASTS_US;
    enum err e = over ? outbox_give_up(outbox, &s->item, now_us, o->why)
                      : outbox_later(outbox, &s->item, now_us + (int64_t)wait_us, o->why);
    if (e != ERR_OK)
        return e;
    if (over) {
        c->counts[channel].failed++;
        log_given_up(s, o->why);
    } else {
        log_later(s, wait_us, o->why);
    }
    return ERR_OK;
}

static void settle(struct courier *c, struct slot *s)
{
    bool stored = store(c, s) == ERR_OK;
    note_store(c, stored);
    if (!stored)
        return; /* pump() comes back to it */
    outbox_item_done(&s->item);
    s->used = s->ended = false;
}

static void ended(struct slot *s)
{
    struct courier *c = s->courier;
    enum notify_channel channel = s->item.message.channel;
    s->ended = true;
    s->post = NULL;
    s->lane->busy--;
    c->counts[channel].tries++;
    if (s->text.p)
        mem_wipe(s->text.p, s->text.cap);
    buf_free(&s->text);
    judge_lane(c, s->lane, &s->outcome);
    c->settings.tried(c->settings.ctx, str_c(s->item.key), s->outcome.taken ? "" : s->outcome.why);
    settle(c, s);
    if (!c->stopping)
        loop_timer_set(c->loop, &c->timer, loop_now_us(c->loop)); /* pump() from the loop, not from in here */
}

static void on_mailed(void *ctx, const struct smtp_result *r)
{
    struct slot *s = ctx;
    s->outcome =
        (struct outcome){.taken = r->verdict == SMTP_TAKEN, .final = r->verdict == SMTP_REFUSED, .server = r->server};
    str_copy(s->outcome.why, sizeof s->outcome.why, str_c(r->why));
    ended(s);
}

static void on_posted(void *ctx, const struct hook_post_result *r)
{
    struct slot *s = ctx;
    s->outcome = (struct outcome){.taken = r->verdict == HOOK_POST_TAKEN,
                                  .final = r->verdict == HOOK_POST_REFUSED,
                                  .server = r->server,
                                  .wait_us = r->wait_us};
    str_copy(s->outcome.why, sizeof s->outcome.why, str_c(r->why));
    ended(s);
}

/* --- sending --------------------------------------------------------------------------------- */

/* "/console/…" behind the server's address. */
static struct str whole_link(struct courier *c, struct str link, char out[NOTIFY_LINK_MAX * 2])
{
    struct str base = c->settings.options->public_url;
    if (!str_starts(link, STR("/")) || base.n + link.n >= NOTIFY_LINK_MAX * 2)
        return link;
    if (!base.n)
        return STR("");
    int n = snprintf(out, NOTIFY_LINK_MAX * 2, "%.*s%.*s", STR_ARG(base), STR_ARG(link));
    return str_of(out, (size_t)n);
}

static bool write_mail_text(struct courier *c, const struct notify_message *m, struct buf *out)
{
    char link[NOTIFY_LINK_MAX * 2];
    struct str whole = whole_link(c, m->link, link), base = c->settings.options->public_url;
    bool ok = buf_add_str(out, m->text) && buf_add_str(out, str_ends(m->text, STR("\n")) ? STR("") : STR("\n"));
    if (ok && whole.n)
        ok = buf_add_str(out, STR("\n")) && buf_add_str(out, whole) && buf_add_str(out, STR("\n"));
    return ok && buf_printf(out, "\n-- \nSent by Tollgate%s%.*s\n", base.n ? ", " : "", STR_ARG(base));
}

static bool write_mail(struct courier *c, struct slot *s)
{
    const struct notify_message *m = &s->item.message;
    struct buf text;
    buf_init(&text, NOTIFY_TEXT_MAX + NOTIFY_LINK_MAX * 4);
    bool ok = write_mail_text(c, m, &text);
    const struct mail mail = {.from = c->settings.from,
                              .to = m->to,
                              .subject = m->subject,
                              .text = buf_str(&text),
                              .id = m->id,
                              .kind = m->kind,
                              .time_us = s->item.created_us};
    buf_init(&s->text, MAIL_MAX);
    ok = ok && mail_write(&mail, &s->text);
    if (text.p)
        mem_wipe(text.p, text.cap);
    buf_free(&text);
    return ok;
}

/* False: it ended at once, with s->outcome.why. */
static bool begin_mail(struct courier *c, struct slot *s)
{
    if (!c->smtp) {
        snprintf(s->outcome.why, WHY_MAX, "no mail server is set; start the server with --smtp-url");
        s->outcome.server = true;
        return false;
    }
    if (!write_mail(c, s)) {
        snprintf(s->outcome.why, WHY_MAX, "the message is too long to be sent");
        s->outcome.final = true;
        return false;
    }
    smtp_send(c->smtp, str_c(c->settings.from->address), s->item.message.to, buf_str(&s->text), on_mailed, s);
    return true;
}

static bool is_url(struct str to)
{
    return str_starts_nocase(to, STR("http://")) || str_starts_nocase(to, STR("https://"));
}

/* Where it goes, as it is stored now. */
static enum err find_receiver(struct courier *c, struct slot *s, struct secret *url, struct secret *key)
{
    const struct notify_message *m = &s->item.message;
    struct control_why why = {.param = ""};
    enum outlet_kind kind;
    if (is_url(m->to)) {
        secret_set(url, m->to);
        return ERR_OK;
    }
    enum err e = outlet_open(c->settings.options->control, m->workspace_id, m->to, &kind, url, key, &why);
    if (e != ERR_OK) {
        str_copy(s->outcome.why, WHY_MAX, str_c(why.text));
        s->outcome.final = e == ERR_NOT_FOUND;
    }
    return e;
}

static bool post_to(struct courier *c, struct slot *s, struct str url, struct str key)
{
    char link[NOTIFY_LINK_MAX * 2], lines[PAYLOAD_SIGNED_MAX] = "";
    const struct notify_message *m = &s->item.message;
    struct buf body;
    buf_init(&body, PAYLOAD_MAX);
    bool ok = payload_write(m, whole_link(c, m->link, link), s->item.created_us, &body);
    if (ok && m->channel == NOTIFY_WEBHOOK)
        ok = payload_sign(key, m->id, clock_wall_us() / 1000000, buf_str(&body), lines);
    if (ok)
        s->post = hook_post_begin(c->client, c->loop, url, str_c(lines), buf_str(&body), on_posted, s, s->outcome.why);
    else
        snprintf(s->outcome.why, WHY_MAX, "the message is too long to be sent");
    buf_free(&body);
    s->outcome.final = s->post == NULL;
    return s->post != NULL;
}

static bool begin_post(struct courier *c, struct slot *s)
{
    struct secret url = {0}, key = {0};
    bool begun = find_receiver(c, s, &url, &key) == ERR_OK && post_to(c, s, secret_reveal(&url), secret_reveal(&key));
    secret_wipe(&url);
    secret_wipe(&key);
    return begun;
}

static void begin(struct courier *c, struct slot *s, struct lane *lane)
{
    s->used = true;
    s->lane = lane;
    lane->busy++;
    s->outcome = (struct outcome){.taken = false};
    s->post = NULL;
    bool begun = s->item.message.channel == NOTIFY_MAIL ? begin_mail(c, s) : begin_post(c, s);
    if (!begun)
        ended(s);
}

/* --- the thread ------------------------------------------------------------------------------ */

static struct slot *free_slot(struct courier *c)
{
    for (unsigned i = 0; i < SLOTS; i++)
        if (!c->slots[i].used)
            return &c->slots[i];
    return NULL;
}

/* True when one was begun. */
static bool take_one(struct courier *c)
{
    int64_t ids[SLOTS];
    struct buf lanes;
    struct outbox_skip skip;
    struct slot *s = free_slot(c);
    bool found = false;
    if (!s)
        return false;
    write_skip(c, ids, &lanes, &skip);
    enum err e = outbox_next(c->settings.outbox, clock_wall_us(), &skip, &s->item, &found);
    note_store(c, e == ERR_OK);
    buf_free(&lanes);
    if (e != ERR_OK || !found)
        return false;
    struct lane *lane = lane_of(c, s->item.lane);
    must(lane != NULL); /* there are more lanes than slots */
    begin(c, s, lane);
    return true;
}

/* When to look again, beside what ends or is put in. */
static uint64_t next_look_us(struct courier *c)
{
    int64_t ids[SLOTS], due_us = INT64_MAX;
    struct buf lanes;
    struct outbox_skip skip;
    uint64_t now_us = clock_mono_us(), wait_us = SLEEP_MAX_US;
    write_skip(c, ids, &lanes, &skip);
    enum err e = outbox_due(c->settings.outbox, &skip, &due_us);
    buf_free(&lanes);
    int64_t wall_us = clock_wall_us();
    if (e == ERR_OK && due_us != INT64_MAX && free_slot(c)) {
        uint64_t left_us = due_us > wall_us ? (uint64_t)(due_us - wall_us) : 0;
        wait_us = left_us < wait_us ? left_us : wait_us;
    }
    for (unsigned i = 0; i < LANES; i++)
        if (c->lanes[i].until_us > now_us && c->lanes[i].until_us - now_us < wait_us)
            wait_us = c->lanes[i].until_us - now_us;
    if ((e != ERR_OK || c->store_failing) && wait_us > STORE_WAIT_US)
        wait_us = STORE_WAIT_US;
    if (c->store_failing && wait_us < STORE_WAIT_US)
        wait_us = STORE_WAIT_US;
    return now_us + wait_us;
}

static void pump(struct courier *c)
{
    if (c->stopping)
        return;
    for (unsigned i = 0; i < SLOTS; i++)
        if (c->slots[i].ended)
            settle(c, &c->slots[i]);
    while (take_one(c))
        continue;
    loop_timer_set(c->loop, &c->timer, next_look_us(c));
}

static void on_time(struct loop_timer *t)
{
    pump(list_entry(t, struct courier, timer));
}

static void on_wake(void *ctx)
{
    struct courier *c = ctx;
    if (!c->stopping)
        pump(c);
}

void courier_wake(struct courier *c)
{
    loop_post(c->loop, on_wake, c);
}

static void on_hurry(void *ctx)
{
    struct courier *c = ctx;
    for (unsigned i = 0; i < LANES; i++)
        c->lanes[i].until_us = 0;
    on_wake(c);
}

void courier_hurry(struct courier *c)
{
    loop_post(c->loop, on_hurry, c);
}

void courier_post(struct courier *c, void (*fn)(void *ctx), void *ctx)
{
    loop_post(c->loop, fn, ctx);
}

static void *courier_main(void *arg)
{
    struct courier *c = arg;
    pump(c);
    loop_run(c->loop);
    return NULL;
}

/* --- life ------------------------------------------------------------------------------------ */

static bool open_parts(struct courier *c)
{
    const struct notify_options *o = c->settings.options;
    struct resolver_settings resolving = {.timeout_us = o->connect_timeout_us};
    struct http_client_settings pool = {.pool_idle_us = POOL_IDLE_US, .connections_per_origin_max = LANE_BUSY_MAX};
    c->loop = loop_new();
    c->resolver = c->loop ? resolver_new(c->loop, &resolving) : NULL;
    if (!c->resolver)
        return false;
    struct dial_settings dial = {.resolver = c->resolver,
                                 .tls = o->tls,
                                 .allowed = o->allowed,
                                 .connect_timeout_us = o->connect_timeout_us,
                                 .https_proxy = o->https_proxy,
                                 .http_proxy = o->http_proxy,
                                 .no_proxy = o->no_proxy};
    c->dialer = dialer_new(c->loop, &dial);
    c->client = http_client_new(c->loop, c->dialer, &pool);
    const struct smtp_settings smtp = {.loop = c->loop,
                                       .resolver = c->resolver,
                                       .tls = o->tls,
                                       .server = c->settings.server,
                                       .password = o->smtp_password,
                                       .name = c->settings.name,
                                       .connect_timeout_us = o->connect_timeout_us};
    c->smtp = smtp.server ? smtp_new(&smtp) : NULL;
    return true;
}

/* Signals are for the main thread. */
static bool start_thread(struct courier *c)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    c->running = pthread_create(&c->thread, NULL, courier_main, c) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (c->running)
        pthread_setname_np(c->thread, "notify");
    return c->running;
}

struct courier *courier_new(const struct courier_settings *settings, char why[NOTIFY_WHY_MAX])
{
    struct courier *c = mem_zalloc(sizeof *c);
    c->settings = *settings;
    c->timer.on_time = on_time;
    for (unsigned i = 0; i < SLOTS; i++)
        c->slots[i].courier = c;
    if (open_parts(c) && start_thread(c))
        return c;
    snprintf(why, NOTIFY_WHY_MAX, "the kernel refused the descriptors or the thread for sending messages");
    courier_free(c);
    return NULL;
}

static void on_stop(void *ctx)
{
    struct courier *c = ctx;
    c->stopping = true;
    loop_stop(c->loop);
}

static void drop_slot(struct slot *s)
{
    if (!s->used)
        return;
    if (s->post)
        hook_post_cancel(s->post);
    if (s->text.p)
        mem_wipe(s->text.p, s->text.cap);
    buf_free(&s->text);
    outbox_item_done(&s->item);
}

void courier_free(struct courier *c)
{
    if (!c)
        return;
    if (c->running) {
        loop_post(c->loop, on_stop, c);
        pthread_join(c->thread, NULL);
    }
    smtp_free(c->smtp);
    for (unsigned i = 0; i < SLOTS; i++)
        drop_slot(&c->slots[i]);
    http_client_free(c->client);
    dialer_free(c->dialer);
    resolver_free(c->resolver);
    if (c->loop)
        loop_free(c->loop);
    mem_free(c);
}

void courier_count(const struct courier *c, struct courier_counts ret[NOTIFY_CHANNEL_COUNT])
{
    for (unsigned i = 0; i < NOTIFY_CHANNEL_COUNT; i++)
        ret[i] = (struct courier_counts){
            .sent = c->counts[i].sent, .failed = c->counts[i].failed, .tries = c->counts[i].tries};
}

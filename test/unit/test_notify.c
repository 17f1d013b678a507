/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages to receivers that fail in every way they can: what is tried again and when, what is given up, what never
 * leaves; with real sockets, and a clock that can be moved on.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/must.h"
#include "control/outlet/outlet.h"
#include "control/people/member.h"
#include "control_bench.h"
#include "net/address.h"
#include "net/tls.h"
#include "peer_script.h"
#include "report/notify/notify.h"
#include "report/notify/outbox.h"

#define RETRY_MS 30
#define SETTLE_MS 15000
#define TAKEN ">HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
#define ASKED "<}", TAKEN /* a webhook's body ends in } */

/* ---- a clock that can be moved on ---- */

static _Atomic uint64_t ahead_us;

static uint64_t mono(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000 + ahead_us;
}

static int64_t wall(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000 + (int64_t)ahead_us;
}

/* ---- the rig ---- */

struct world {
    struct bench *bench;
    struct control *control;
    struct address_set *allowed;
    struct tls_client *tls;
    struct notify *notify;
};

static struct world *begin(void **state, const char *smtp_url, bool plain)
{
    static struct world w;
    char why[NOTIFY_WHY_MAX] = "";
    w = (struct world){.bench = *state};
    w.control = bench_open(w.bench, NULL);
    w.allowed = address_set_new();
    w.tls = tls_client_new(NULL, why, sizeof why);
    assert_int_equal(address_set_add(w.allowed, STR("127.0.0.0/8"), why, sizeof why), ERR_OK);
    const struct notify_options o = {.dir = w.bench->dir,
                                     .control = w.control,
                                     .public_url = STR("https://gate.example.com"),
                                     .smtp_url = str_c(smtp_url),
                                     .smtp_password = str_c(smtp_url && strchr(smtp_url, '@') ? "the password" : ""),
                                     .mail_from = smtp_url ? STR("gate@example.com") : STR(""),
                                     .smtp_plain = plain,
                                     .allowed = w.allowed,
                                     .tls = w.tls,
                                     .connect_timeout_us = 3000000,
                                     .retry_first_ms = RETRY_MS};
    if (notify_open(&o, &w.notify, why) != ERR_OK)
        fail_msg("%s", why);
    return &w;
}

static void end(struct world *w)
{
    notify_close(w->notify);
    control_close(w->control);
    tls_client_free(w->tls);
    address_set_free(w->allowed);
}

static enum err send_to(struct world *w, enum notify_channel channel, const char *id, const char *to, const char *text)
{
    char why[NOTIFY_WHY_MAX] = "";
    const struct notify_message m = {.channel = channel,
                                     .workspace_id = 1,
                                     .kind = "test",
                                     .id = str_c(id),
                                     .to = str_c(to),
                                     .subject = STR("Subject"),
                                     .text = str_c(text),
                                     .link = STR("/console/#/x")};
    enum err e = notify_send(w->notify, &m, why);
    assert_true(e == ERR_OK || strlen(why) > 10);
    return e;
}

static void hook(struct world *w, const char *id, uint16_t port)
{
    char url[80];
    snprintf(url, sizeof url, "http://127.0.0.1:%u/hook?key=1", port);
    assert_int_equal(send_to(w, NOTIFY_WEBHOOK, id, url, "text"), ERR_OK);
}

/* The row of that id; texts live in the bench's arena. */
static struct outbox_row row_of(struct world *w, const char *id)
{
    struct outbox_row *rows;
    size_t count;
    assert_int_equal(outbox_list(notify_outbox(w->notify), 1, 0, 100, w->bench->arena, &rows, &count), ERR_OK);
    for (size_t i = 0; i < count; i++)
        if (str_eq(rows[i].key, str_c(id)))
            return rows[i];
    fail_msg("there is no row %s", id);
    return rows[0];
}

static void tick(void)
{
    const struct timespec t = {0, 5000000};
    nanosleep(&t, NULL);
}

static struct outbox_row settled(struct world *w, const char *id, enum outbox_state state)
{
    struct outbox_row r = {0};
    for (unsigned ms = 0; ms < SETTLE_MS; ms += 5) {
        arena_reset(w->bench->arena);
        r = row_of(w, id);
        if (r.state == state)
            return r;
        tick();
    }
    fail_msg("%s is %s after %u tries: %.*s", id, outbox_state_text(r.state), r.tries, STR_ARG(r.reason));
    return r;
}

/* Waits for that many failed tries; the reason of the last one. */
static struct str tried(struct world *w, const char *id, unsigned tries)
{
    struct outbox_row r = {0};
    for (unsigned ms = 0; ms < SETTLE_MS && r.tries < tries; ms += 5) {
        arena_reset(w->bench->arena);
        r = row_of(w, id);
        tick();
    }
    assert_true(r.tries >= tries);
    return r.reason;
}

#define says(reason, words)                 \
    if (str_search(reason, STR(words)) < 0) \
    fail_msg("%.*s", STR_ARG(reason))

/* ---- webhooks ---- */

static void what_may_pass_is_tried_until_it_is_taken(void **state)
{
    static const char *scripts[][PEER_SCRIPT_STEPS] = {
        {"<}", ">HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n"},
        {"<}"},
        {"<}", ">nonsense\r\n\r\n"},
        {"<}", ">HTTP/1.1 429 Slow\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"},
        {ASKED}};
    struct peer_script *p = peer_script_begin(scripts, 5);
    struct world *w = begin(state, NULL, false);
    struct notify_counts counts[NOTIFY_CHANNEL_COUNT];
    uint64_t begun = mono();
    hook(w, "one", p->port);
    struct outbox_row r = settled(w, "one", OUTBOX_SENT);
    assert_true(mono() - begun >= 1000000); /* Retry-After */
    assert_int_equal(r.tries, 5);
    assert_int_equal(peer_script_count(p, "POST /hook?key=1 HTTP/1.1\r\n"), 5);
    assert_int_equal(peer_script_count(p, "Idempotency-Key: one\r\n"), 5);
    notify_count(w->notify, counts);
    assert_int_equal(counts[NOTIFY_WEBHOOK].sent, 1);
    assert_int_equal(counts[NOTIFY_WEBHOOK].tries, 5);
    assert_int_equal(counts[NOTIFY_WEBHOOK].waiting, 0);
    hook(w, "one", p->port); /* said before */
    hook(w, "two", p->port);
    settled(w, "two", OUTBOX_SENT);
    assert_int_equal(peer_script_count(p, "Idempotency-Key: one\r\n"), 5);
    end(w);
    peer_script_end(p);
}

static void what_would_be_refused_again_is_given_up(void **state)
{
    static const char *scripts[][PEER_SCRIPT_STEPS] = {
        {"<}", ">HTTP/1.1 404 No\r\nContent-Length: 7\r\nConnection: close\r\n\r\nno_\x01team"},
        {"<}", ">HTTP/1.1 302 Found\r\nLocation: http://10.0.0.1/\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"}};
    struct peer_script *p = peer_script_begin(scripts, 2);
    struct world *w = begin(state, NULL, false);
    hook(w, "one", p->port);
    struct outbox_row r = settled(w, "one", OUTBOX_GIVEN_UP);
    assert_int_equal(r.tries, 1);
    says(r.reason, "127.0.0.1 answered with status 404: no_ tea");
    hook(w, "two", p->port);
    says(settled(w, "two", OUTBOX_GIVEN_UP).reason, "redirects are not followed");
    static const char *const inside[] = {"http://10.0.0.1/x", "http://169.254.169.254/latest", "http://[::1]:1/",
                                         "http://0.0.0.0/", "http://[::ffff:10.0.0.1]/"};
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(send_to(w, NOTIFY_SLACK, inside[i], inside[i], "x"), ERR_OK);
        assert_int_equal(settled(w, inside[i], OUTBOX_GIVEN_UP).tries, 1);
    }
    assert_int_equal(p->connections, 2);
    end(w);
    peer_script_end(p);
}

static void a_receiver_that_hangs_holds_up_nobody_else(void **state)
{
    static const char *hang[][PEER_SCRIPT_STEPS] = {{"!"}}, *answer[][PEER_SCRIPT_STEPS] = {{ASKED}};
    struct peer_script *slow = peer_script_begin(hang, 1), *quick = peer_script_begin(answer, 1);
    struct world *w = begin(state, NULL, false);
    char id[16];
    for (unsigned i = 0; i < 20; i++) {
        snprintf(id, sizeof id, "slow%u", i);
        hook(w, id, slow->port);
    }
    uint64_t begun = mono();
    for (unsigned i = 0; i < 20; i++) {
        snprintf(id, sizeof id, "quick%u", i);
        hook(w, id, quick->port);
    }
    for (unsigned i = 0; i < 20; i++) {
        snprintf(id, sizeof id, "quick%u", i);
        settled(w, id, OUTBOX_SENT);
    }
    assert_true(mono() - begun < 5000000);
    assert_in_range(slow->connections, 1, 2);
    ahead_us += 16000000; /* past the limit of one exchange */
    hook(w, "wake", quick->port);
    says(tried(w, "slow0", 1), "did not answer within 15 seconds");
    begun = mono();
    end(w); /* with two under way */
    assert_true(mono() - begun < 2000000);
    peer_script_end(slow);
    peer_script_end(quick);
}

static void after_a_day_it_is_given_up_loudly(void **state)
{
    struct world *w = begin(state, NULL, false);
    uint16_t port = peer_script_dead_port();
    struct notify_counts counts[NOTIFY_CHANNEL_COUNT];
    hook(w, "one", port);
    tried(w, "one", 2);
    ahead_us += UINT64_C(25) * 3600 * 1000000;
    hook(w, "wake", port);
    struct outbox_row r = settled(w, "one", OUTBOX_GIVEN_UP);
    says(r.reason, "127.0.0.1");
    notify_count(w->notify, counts);
    assert_int_equal(counts[NOTIFY_WEBHOOK].failed, 1);
    assert_int_equal(counts[NOTIFY_WEBHOOK].waiting, 1);
    end(w);
}

static void channels_go_where_they_lead_now(void **state)
{
    static const char *answer[][PEER_SCRIPT_STEPS] = {{ASKED}};
    struct peer_script *p = peer_script_begin(answer, 1);
    struct world *w = begin(state, NULL, false);
    struct control_why why;
    struct outlet made;
    struct secret key = {0};
    char url[80];
    snprintf(url, sizeof url, "http://127.0.0.1:%u/", peer_script_dead_port());
    assert_int_equal(send_to(w, NOTIFY_SLACK, "early", "finops", "x"), ERR_BAD_PARAMETER);
    assert_int_equal(
        outlet_put(w->control, 1, STR("finops"), OUTLET_SLACK, str_c(url), w->bench->arena, &made, &key, &why), ERR_OK);
    assert_int_equal(send_to(w, NOTIFY_TEAMS, "other", "finops", "x"), ERR_BAD_PARAMETER);
    assert_int_equal(send_to(w, NOTIFY_SLACK, "one", "#FinOps", "a <b> & c"), ERR_OK);
    tried(w, "one", 1);
    snprintf(url, sizeof url, "http://127.0.0.1:%u/moved", p->port);
    assert_int_equal(
        outlet_put(w->control, 1, STR("finops"), OUTLET_SLACK, str_c(url), w->bench->arena, &made, &key, &why), ERR_OK);
    settled(w, "one", OUTBOX_SENT);
    assert_int_equal(peer_script_count(p, "POST /moved "), 1);
    assert_int_equal(peer_script_count(p, "a &lt;b&gt; &amp; c\\n<https://gate.example.com/console/#/x|Open>"), 1);
    assert_int_equal(outlet_delete(w->control, 1, STR("FinOps"), &why), ERR_OK);
    assert_int_equal(send_to(w, NOTIFY_SLACK, "late", "finops", "x"), ERR_BAD_PARAMETER);
    end(w);
    peer_script_end(p);
}

/* ---- mail ---- */

#define GREET ">220 mail\r\n", "<EHLO gate.example.com\r\n"
#define MAIL_UP_TO_DATA                                                                                               \
    GREET, ">250 mail\r\n", "<MAIL FROM:<gate@example.com>\r\n", ">250 ok\r\n", "<>\r\n", ">250 ok\r\n", "<DATA\r\n", \
        ">354 go\r\n"

static void mail_to(struct world *w, const char *id, const char *text)
{
    assert_int_equal(send_to(w, NOTIFY_MAIL, id, "ann@example.com", text), ERR_OK);
}

static void url_of(const struct peer_script *p, const char *user, char out[80])
{
    snprintf(out, 80, "smtp://%slocalhost:%u", user, p->port);
}

static void a_mail_server_that_breaks_off_gets_it_again(void **state)
{
    static const char *scripts[][PEER_SCRIPT_STEPS] = {{">421 busy\r\n"},
                                                       {GREET},
                                                       {">HTTP/1.1 400 Bad Request\r\n\r\n"},
                                                       {MAIL_UP_TO_DATA, "<\r\n.\r\n"},
                                                       {MAIL_UP_TO_DATA, "<\r\n.\r\n", ">452 full\r\n"},
                                                       {MAIL_UP_TO_DATA, "<\r\n.\r\n", ">250 taken\r\n",
                                                        "<MAIL FROM:<gate@example.com>\r\n", ">421 idle for long\r\n"},
                                                       {MAIL_UP_TO_DATA, "<\r\n.\r\n", ">250 taken\r\n", "<\r\n"}};
    char url[80];
    struct peer_script *p = peer_script_begin(scripts, 7);
    url_of(p, "", url);
    struct world *w = begin(state, url, true);
    mail_to(w, "one", ".\n..x\nplain\n.");
    assert_int_equal(settled(w, "one", OUTBOX_SENT).tries, 6);
    assert_int_equal(peer_script_count(p, "\r\n\r\n..\r\n...x\r\nplain\r\n..\r\n"), 3);
    mail_to(w, "two", "x");
    assert_int_equal(settled(w, "two", OUTBOX_SENT).tries, 1); /* a connection that has ended is no failed try */
    assert_int_equal(p->connections, 7);
    end(w);
    peer_script_end(p);
}

static void a_refused_receiver_is_given_up_and_the_next_one_goes(void **state)
{
    static const char *scripts[][PEER_SCRIPT_STEPS] = {
        {GREET, ">250 mail\r\n", "<>\r\n", ">250 ok\r\n", "<RCPT TO:<ann@example.com>\r\n", ">550 5.1.1 nobody\r\n"},
        {MAIL_UP_TO_DATA, "<\r\n.\r\n", ">554 looks like spam\r\n"},
        {MAIL_UP_TO_DATA, "<\r\n.\r\n", ">250 taken\r\n", "!"}};
    char url[80];
    struct peer_script *p = peer_script_begin(scripts, 3);
    url_of(p, "", url);
    struct world *w = begin(state, url, true);
    mail_to(w, "one", "x");
    says(settled(w, "one", OUTBOX_GIVEN_UP).reason, "refused the receiver: 550 5.1.1 nobody");
    mail_to(w, "two", "x");
    says(settled(w, "two", OUTBOX_GIVEN_UP).reason, "refused the message: 554 looks like spam");
    mail_to(w, "three", "x");
    settled(w, "three", OUTBOX_SENT);
    end(w);
    peer_script_end(p);
}

static void no_password_goes_where_there_is_no_tls(void **state)
{
    static const char *scripts[][PEER_SCRIPT_STEPS] = {
        {GREET, ">250-mail\r\n250 AUTH PLAIN LOGIN\r\n", "<\r\n"},
        {GREET, ">250-mail\r\n250 STARTTLS\r\n", "<STARTTLS\r\n", ">220 go\r\n250 slipped in\r\n", "<\r\n"},
        {GREET, ">250-mail\r\n250 STARTTLS\r\n", "<STARTTLS\r\n", ">454 not now\r\n", "<\r\n"},
        {GREET, ">250-mail\r\n250 STARTTLS\r\n", "<STARTTLS\r\n", ">220 go\r\n", "<\x16", ">no TLS at all\r\n",
         "<\r\n"}};
    char url[80];
    struct peer_script *p = peer_script_begin(scripts, 4);
    url_of(p, "user@", url);
    struct world *w = begin(state, url, false);
    mail_to(w, "one", "x");
    says(tried(w, "one", 1), "does not offer STARTTLS");
    says(tried(w, "one", 2), "before TLS had begun");
    says(tried(w, "one", 3), "refused STARTTLS: 454 not now");
    tried(w, "one", 4);
    assert_int_equal(peer_script_count(p, "AUTH"), 0);
    assert_int_equal(peer_script_count(p, "MAIL"), 0);
    end(w);
    peer_script_end(p);
}

static void a_test_is_tried_once_and_explained(void **state)
{
    static const char *scripts[][PEER_SCRIPT_STEPS] = {
        {GREET, ">250-mail\r\n250 AUTH PLAIN\r\n", "<AUTH PLAIN AHVzZXIAdGhlIHBhc3N3b3Jk\r\n", ">535 5.7.8 wrong\r\n"},
        {GREET, ">250-mail\r\n250 AUTH CRAM-MD5\r\n", "<\r\n"},
        {">220 mail\r\n", "<\r\n", ">250-x\r\n250 AUTH LOGIN\r\n", "<AUTH LOGIN\r\n", ">334 VXNlcm5hbWU6\r\n",
         "<dXNlcg==\r\n", ">334 UGFzc3dvcmQ6\r\n", "<dGhlIHBhc3N3b3Jk\r\n", ">235 ok\r\n", "<>\r\n", ">250 ok\r\n",
         "<>\r\n", ">251 forwarded\r\n", "<DATA\r\n", ">354 go\r\n", "<\r\n.\r\n", ">250 taken\r\n", "!"}};
    char url[80], why[NOTIFY_WHY_MAX];
    struct peer_script *p = peer_script_begin(scripts, 3);
    url_of(p, "user@", url);
    struct world *w = begin(state, url, true);
    struct notify_message m = {.channel = NOTIFY_MAIL,
                               .workspace_id = 1,
                               .kind = "test",
                               .id = STR("t1"),
                               .to = STR("ann@example.com"),
                               .subject = STR("x")};
    assert_int_equal(notify_try(w->notify, &m, 10000, why), ERR_UPSTREAM_CONNECT);
    assert_string_equal(why, "the mail server localhost refused the sign-in: 535 5.7.8 wrong");
    m.id = STR("t2");
    assert_int_equal(notify_try(w->notify, &m, 10000, why), ERR_UPSTREAM_CONNECT);
    assert_non_null(strstr(why, "no way to sign in that is known here"));
    m.id = STR("t3");
    if (notify_try(w->notify, &m, 10000, why) != ERR_OK)
        fail_msg("%s", why);
    assert_int_equal(settled(w, "t1", OUTBOX_GIVEN_UP).tries, 1);
    m.to = STR("ann@example.com\r\nDATA");
    m.id = STR("t4");
    assert_int_equal(notify_try(w->notify, &m, 10000, why), ERR_BAD_PARAMETER);
    end(w);
    peer_script_end(p);
}

/* ---- what is not taken ---- */

static void messages_that_cannot_be_sent_are_refused_at_once(void **state)
{
    struct world *w = begin(state, "smtp://127.0.0.1:9", true);
    char why[NOTIFY_WHY_MAX], big[NOTIFY_TEXT_MAX + 2];
    const struct notify_message good = {.channel = NOTIFY_MAIL,
                                        .workspace_id = 1,
                                        .kind = "test",
                                        .id = STR("id"),
                                        .to = STR("ann@example.com"),
                                        .subject = STR("x")};
    memset(big, 'x', sizeof big);
    struct notify_message bad[] = {good, good, good, good, good, good, good, good, good, good, good};
    bad[0].subject = STR("x\r\nBcc: y@z");
    bad[1].subject = STR("");
    bad[2].subject = str_of(big, NOTIFY_SUBJECT_MAX + 1);
    bad[3].id = STR("a b");
    bad[4].id = STR("a\r\nX: y");
    bad[5].kind = "Test-x";
    bad[6].to = STR("ann@example.com>\r\nRCPT TO:<x@y.z");
    bad[7].text = str_of(big, sizeof big);
    bad[8].text = STR("\xff\xfe");
    bad[9].json = STR("[1]");
    bad[10].link = STR("https://x/ y");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (notify_send(w->notify, &bad[i], why) != ERR_BAD_PARAMETER)
            fail_msg("taken: %zu", i);
    struct notify_message hook_message = good;
    hook_message.channel = NOTIFY_WEBHOOK;
    hook_message.to = STR("https://user:pw@example.com/");
    assert_int_equal(notify_send(w->notify, &hook_message, why), ERR_BAD_PARAMETER);
    assert_null(strstr(why, "pw"));
    assert_int_equal(notify_send(NULL, &good, why), ERR_FORBIDDEN);
    assert_false(notify_can(NULL, NOTIFY_SLACK));
    assert_true(notify_can(w->notify, NOTIFY_MAIL));
    end(w);
    w = begin(state, NULL, false);
    assert_false(notify_can(w->notify, NOTIFY_MAIL));
    assert_true(notify_can(w->notify, NOTIFY_TEAMS));
    assert_int_equal(notify_send(w->notify, &good, why), ERR_FORBIDDEN);
    end(w);
}

static void admins_are_those_who_look_after_it(void **state)
{
    struct world *w = begin(state, NULL, false);
    struct control_why why;
    struct member m;
    struct str *list;
    size_t count;
    static const struct {
        const char *email;
        enum kind_role role, in_workspace;
    } people[] = {{"owner@example.com", KIND_ROLE_OWNER, KIND_ROLE_COUNT},
                  {"admin@example.com", KIND_ROLE_ADMIN, KIND_ROLE_ADMIN},
                  {"lead@example.com", KIND_ROLE_MEMBER, KIND_ROLE_ADMIN},
                  {"member@example.com", KIND_ROLE_MEMBER, KIND_ROLE_MEMBER},
                  {"other@example.com", KIND_ROLE_MEMBER, KIND_ROLE_COUNT}};
    for (size_t i = 0; i < 5; i++) {
        const struct member_spec spec = {.email = str_c(people[i].email), .role = people[i].role};
        assert_int_equal(member_create(w->control, &spec, w->bench->arena, &m, &why), ERR_OK);
        if (people[i].in_workspace != KIND_ROLE_COUNT)
            assert_int_equal(membership_set(w->control, 1, m.id, people[i].in_workspace, &why), ERR_OK);
    }
    assert_int_equal(notify_admins(w->notify, 1, w->bench->arena, &list, &count), ERR_OK);
    assert_int_equal(count, 3);
    assert_int_equal(notify_admins(w->notify, 0, w->bench->arena, &list, &count), ERR_OK);
    assert_int_equal(count, 2);
    end(w);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, bench_setup, bench_teardown)
    const struct clock_source source = {mono, wall};
    const struct CMUnitTest tests[] = {
        CASE(what_may_pass_is_tried_until_it_is_taken),
        CASE(what_would_be_refused_again_is_given_up),
        CASE(a_receiver_that_hangs_holds_up_nobody_else),
        CASE(after_a_day_it_is_given_up_loudly),
        CASE(channels_go_where_they_lead_now),
        CASE(a_mail_server_that_breaks_off_gets_it_again),
        CASE(a_refused_receiver_is_given_up_and_the_next_one_goes),
        CASE(no_password_goes_where_there_is_no_tls),
        CASE(a_test_is_tried_once_and_explained),
        CASE(messages_that_cannot_be_sent_are_refused_at_once),
        CASE(admins_are_those_who_look_after_it),
    };
    clock_set_source(&source);
    log_set_level(LOG_OFF);
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

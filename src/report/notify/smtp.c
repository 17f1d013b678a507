/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One step at a time: a command is written, its reply is read, the step's row in a table says what it must be
 * and what a refusal means. No pipelining: a handful of round trips does not matter here.
 *
 * Whatever stood in the buffer before TLS began is an attack (a command that was slipped in), and ends
 * the connection.
 */
#include "report/notify/smtp.h"

#include <openssl/ssl.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/encode.h"
#include "base/mem.h"
#include "base/must.h"
#include "net/address.h"
#include "net/dial.h"
#include "net/sock.h"
#include "net/tls.h"
#include "report/notify/smtp_reply.h"

#define PORT_SUBMISSION 587
#define PORT_SMTPS 465
#define REPLY_US (60 * UINT64_C(1000000))
#define TAKEN_US (300 * UINT64_C(1000000)) /* a server may look long at a message */
#define IDLE_US (10 * UINT64_C(1000000))
#define IN_MAX (SMTP_REPLY_MAX + 4096)
#define OUT_MAX (2u << 20)
#define SECRET_MAX 8192
#define READ_BYTES 2048

enum step {
    STEP_DOWN, /* no connection */
    STEP_DIAL,
    STEP_HANDSHAKE,
    STEP_GREETING,
    STEP_EHLO,
    STEP_STARTTLS,
    STEP_AUTH,
    STEP_AUTH_USER,
    STEP_AUTH_PASSWORD,
    STEP_MAIL,
    STEP_RCPT,
    STEP_DATA,
    STEP_TEXT,
    STEP_IDLE, /* signed in, nothing to do */
};

/* What a step waits for, and whose fault another answer is. */
static const struct rule {
    int code; /* 0: none is expected */
    bool of_message;
    const char *what;
} rules[] = {
    [STEP_GREETING] = {220, false, "did not greet"},
    [STEP_EHLO] = {250, false, "refused EHLO"},
    [STEP_STARTTLS] = {220, false, "refused STARTTLS"},
    [STEP_AUTH] = {235, false, "refused the sign-in"},
    [STEP_AUTH_USER] = {334, false, "refused the sign-in"},
    [STEP_AUTH_PASSWORD] = {334, false, "refused the sign-in"},
    [STEP_MAIL] = {250, false, "refused the sender"},
    [STEP_RCPT] = {250, true, "refused the receiver"},
    [STEP_DATA] = {354, true, "refused the message"},
    [STEP_TEXT] = {250, true, "refused the message"},
    [STEP_IDLE] = {0, false, ""},
};

struct smtp {
    struct smtp_settings settings;
    struct secret password;
    struct address_set *anywhere;
    struct dialer *dialer;
    struct dial *dial;
    struct sock sock;
    struct loop_io io;
    struct loop_timer timer;
    enum step step;
    bool secure, reused, busy;
    struct smtp_offers offers;
    struct buf in, out;
    /* The message under way. */
    struct str from, to, mail;
    smtp_done_fn *done;
    void *ctx;
};

/* --- the server's address -------------------------------------------------------------------- */

static bool is_loopback(const char *host)
{
    struct sockaddr_storage sa;
    socklen_t n;
    if (str_eq(str_c(host), STR("localhost")))
        return true;
    return address_parse(str_c(host), 25, &sa, &n) && address_kind_of((const struct sockaddr *)&sa) == ADDRESS_LOOPBACK;
}

/* "host:587", "[::1]:25" */
static const char *read_host(struct str text, struct smtp_server *s)
{
    uint64_t port = s->port;
    const char *colon = text.n ? memrchr(text.p, ':', text.n) : NULL;
    bool bracket = text.n && text.p[0] == '[';
    if (bracket && text.p[text.n - 1] == ']')
        colon = NULL;
    if (colon) {
        size_t at = (size_t)(colon - text.p);
        if (!str_to_u64(str_from(text, at + 1), &port) || port == 0 || port > 65535)
            return "its port is a number from 1 to 65535";
        text = str_head(text, at);
    }
    if (bracket)
        text = text.n > 2 && text.p[text.n - 1] == ']' ? str_of(text.p + 1, text.n - 2) : STR("");
    s->port = (uint16_t)port;
    return url_host(text, s->host) ? NULL : "its host is neither a name nor an address";
}

static const char *read_user(struct str text, struct smtp_server *s)
{
    struct str user = STR("");
    struct arena *a = arena_new(1024, 4096);
    const char *why = NULL;
    if (str_find(text, ':') >= 0)
        why = "the password does not belong into it: give it in TOLLGATE_SMTP_PASSWORD or --smtp-password-file";
    else if (!url_decode(text, URL_IN_PATH, a, &user) || !user.n || user.n > SMTP_USER_MAX)
        why = "its user cannot be read";
    for (size_t i = 0; !why && i < user.n; i++)
        if ((unsigned char)user.p[i] < 0x20 || user.p[i] == 0x7f)
            why = "its user cannot be read";
    if (!why)
        str_copy(s->user, sizeof s->user, user);
    arena_free(a);
    return why;
}

const char *smtp_server_read(struct str text, bool plain, struct smtp_server *ret)
{
    struct smtp_server s = {.port = PORT_SUBMISSION, .plain = plain};
    const char *why = NULL;
    if (str_starts_nocase(text, STR("smtps://"))) {
        s.tls = true;
        s.port = PORT_SMTPS;
        text = str_from(text, sizeof "smtps://" - 1);
    } else if (str_starts_nocase(text, STR("smtp://"))) {
        text = str_from(text, sizeof "smtp://" - 1);
    } else {
        return "it begins with smtp:// or smtps://";
    }
    if (str_ends(text, STR("/")))
        text.n--;
    const char *at = text.n ? memrchr(text.p, '@', text.n) : NULL;
    if (at) {
        why = read_user(str_head(text, (size_t)(at - text.p)), &s);
        text = str_from(text, (size_t)(at - text.p) + 1);
    }
    if (!why)
        why = read_host(text, &s);
    if (!why && plain && (s.tls || !is_loopback(s.host)))
        why = "only a server at localhost or a loopback address is spoken to without TLS";
    if (!why)
        *ret = s;
    return why;
}

/* --- ends ------------------------------------------------------------------------------------ */

static void hang_up(struct smtp *s)
{
    loop_timer_clear(s->settings.loop, &s->timer);
    if (s->dial)
        dial_cancel(s->dial);
    s->dial = NULL;
    if (s->step > STEP_DIAL) {
        loop_remove(s->settings.loop, &s->io);
        sock_close(&s->sock);
    }
    if (s->out.p)
        mem_wipe(s->out.p, s->out.cap); /* a password was in it */
    buf_free(&s->in);
    buf_free(&s->out);
    s->step = STEP_DOWN;
}

static void end(struct smtp *s, const struct smtp_result *r)
{
    s->busy = false;
    s->done(s->ctx, r);
}

static void begin_dial(struct smtp *s);

/* A connection that was kept may have ended meanwhile: that is no failure of the message. */
static void broken(struct smtp *s, const char *why)
{
    bool again = s->reused && s->busy && s->step <= STEP_RCPT;
    bool busy = s->busy;
    struct smtp_result r = {.verdict = SMTP_LATER, .server = true};
    snprintf(r.why, sizeof r.why, "the mail server %.80s: %.200s", s->settings.server->host, why);
    hang_up(s);
    if (again)
        begin_dial(s);
    else if (busy)
        end(s, &r);
}

static void refused(struct smtp *s, const struct smtp_reply *reply)
{
    struct smtp_result r = {.verdict = SMTP_LATER};
    char said[SMTP_REPLY_SAID_MAX];
    const struct rule *rule = &rules[s->step];
    if (s->reused && s->step == STEP_MAIL && reply->code == 421) {
        broken(s, "it closed the connection");
        return;
    }
    smtp_reply_said(reply, said);
    r.server = !rule->of_message || reply->code == 421;
    if (rule->of_message && reply->code >= 500)
        r.verdict = SMTP_REFUSED;
    snprintf(r.why, sizeof r.why, "the mail server %.80s %s: %s", s->settings.server->host, rule->what, said);
    hang_up(s);
    end(s, &r);
}

/* --- commands -------------------------------------------------------------------------------- */

static void flush_out(struct smtp *s)
{
    while (buf_size(&s->out)) {
        size_t n;
        struct str rest = buf_str(&s->out);
        struct iovec iov = {(void *)(uintptr_t)rest.p, rest.n};
        enum sock_io io = sock_write(&s->sock, &iov, 1, &n);
        if (io == SOCK_AGAIN)
            return;
        if (io != SOCK_DONE) {
            broken(s, "it closed the connection");
            return;
        }
        buf_take(&s->out, n);
    }
}

static void wait_for(struct smtp *s, enum step step)
{
    uint64_t us = step == STEP_TEXT ? TAKEN_US : step == STEP_IDLE ? IDLE_US : REPLY_US;
    s->step = step;
    loop_timer_set(s->settings.loop, &s->timer, loop_now_us(s->settings.loop) + us);
    flush_out(s);
}

__attribute__((format(printf, 3, 4))) static void command(struct smtp *s, enum step step, const char *format, ...)
{
    char line[1024];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    must(n > 0 && (size_t)n < sizeof line); /* addresses and names are shorter */
    bool ok = buf_add(&s->out, line, (size_t)n) && buf_add_str(&s->out, STR("\r\n"));
    must(ok);
    wait_for(s, step);
}

/* A line with base64 of something secret. */
static void secret_line(struct smtp *s, enum step step, const char *before, const char *bytes, size_t n)
{
    char base64[ENCODE_BASE64_MAX(SECRET_MAX)];
    size_t length = encode_base64(bytes, n, base64);
    bool ok =
        buf_add_str(&s->out, str_c(before)) && buf_add(&s->out, base64, length) && buf_add_str(&s->out, STR("\r\n"));
    must(ok);
    mem_wipe(base64, sizeof base64);
    wait_for(s, step);
}

static void sign_in_plain(struct smtp *s)
{
    char text[SECRET_MAX];
    struct str user = str_c(s->settings.server->user), password = secret_reveal(&s->password);
    size_t n = user.n + 2;
    text[0] = '\0';
    memcpy(text + 1, user.p, user.n);
    text[user.n + 1] = '\0';
    memcpy(text + n, password.p, password.n);
    secret_line(s, STEP_AUTH, "AUTH PLAIN ", text, n + password.n);
    mem_wipe(text, sizeof text);
}

static void send_message(struct smtp *s)
{
    command(s, STEP_MAIL, "MAIL FROM:<%.*s>", STR_ARG(s->from));
}

static void sign_in(struct smtp *s)
{
    if (!s->settings.server->user[0])
        send_message(s);
    else if (s->offers.plain)
        sign_in_plain(s);
    else if (s->offers.login)
        command(s, STEP_AUTH_USER, "AUTH LOGIN");
    else
        broken(s, "it offers no way to sign in that is known here (PLAIN, LOGIN)");
}

static void greet(struct smtp *s)
{
    command(s, STEP_EHLO, "EHLO %s", s->settings.name);
}

/* --- TLS ------------------------------------------------------------------------------------- */

static void handshake(struct smtp *s)
{
    char why[256];
    switch (sock_tls_handshake(&s->sock, why, sizeof why)) {
    case SOCK_DONE:
        s->secure = true;
        if (s->settings.server->tls)
            wait_for(s, STEP_GREETING);
        else
            greet(s);
        break;
    case SOCK_AGAIN:
        break;
    default:
        broken(s, why);
    }
}

static void begin_tls(struct smtp *s)
{
    if (buf_size(&s->in)) {
        broken(s, "it sent something before TLS had begun");
        return;
    }
    if (sock_tls_connect(&s->sock, s->settings.tls, str_c(s->settings.server->host)) != ERR_OK) {
        broken(s, "TLS could not be begun with this host name");
        return;
    }
    SSL_set_alpn_protos(s->sock.ssl, NULL, 0); /* this is no HTTP; some mail servers mind */
    s->step = STEP_HANDSHAKE;
    loop_timer_set(s->settings.loop, &s->timer, loop_now_us(s->settings.loop) + REPLY_US);
    handshake(s);
}

/* --- replies --------------------------------------------------------------------------------- */

/* The text with every line's first dot doubled, and its end. */
static void send_text(struct smtp *s)
{
    struct str line, rest = s->mail;
    bool ok = true;
    while (ok && str_split(&rest, '\n', &line) && (rest.p || line.n))
        ok = (!line.n || line.p[0] != '.' || buf_add_byte(&s->out, '.')) && buf_add_str(&s->out, line) &&
             buf_add_byte(&s->out, '\n');
    ok = ok && buf_add_str(&s->out, STR(".\r\n"));
    must(ok); /* OUT_MAX is far above MAIL_MAX */
    wait_for(s, STEP_TEXT);
}

static void taken(struct smtp *s)
{
    const struct smtp_result r = {.verdict = SMTP_TAKEN};
    s->reused = true;
    wait_for(s, STEP_IDLE);
    end(s, &r);
}

static void on_offers(struct smtp *s, const struct smtp_reply *reply)
{
    smtp_reply_offers(reply, &s->offers);
    if (s->secure || s->settings.server->plain)
        sign_in(s);
    else if (s->offers.starttls)
        command(s, STEP_STARTTLS, "STARTTLS");
    else
        broken(s, "it does not offer STARTTLS, and mail is not sent without TLS");
}

static void advance(struct smtp *s, const struct smtp_reply *reply)
{
    struct str user = str_c(s->settings.server->user), password = secret_reveal(&s->password);
    switch (s->step) {
    case STEP_GREETING:
        greet(s);
        break;
    case STEP_EHLO:
        on_offers(s, reply);
        break;
    case STEP_STARTTLS:
        begin_tls(s);
        break;
    case STEP_AUTH_USER:
        secret_line(s, STEP_AUTH_PASSWORD, "", user.p, user.n);
        break;
    case STEP_AUTH_PASSWORD:
        secret_line(s, STEP_AUTH, "", password.p, password.n);
        break;
    case STEP_AUTH:
        send_message(s);
        break;
    case STEP_MAIL:
        command(s, STEP_RCPT, "RCPT TO:<%.*s>", STR_ARG(s->to));
        break;
    case STEP_RCPT:
        command(s, STEP_DATA, "DATA");
        break;
    case STEP_DATA:
        send_text(s);
        break;
    case STEP_TEXT:
        taken(s);
        break;
    default:
        must(false);
    }
}

/* 251 and 252 also take a receiver. */
static bool is_right(enum step step, int code)
{
    return code == rules[step].code || (step == STEP_RCPT && (code == 251 || code == 252));
}

static void read_replies(struct smtp *s)
{
    struct smtp_reply reply;
    char text[SMTP_REPLY_MAX];
    while (s->step >= STEP_GREETING && s->step != STEP_IDLE) {
        enum smtp_reply_state state = smtp_reply_read(buf_str(&s->in), &reply);
        if (state == SMTP_REPLY_PARTIAL)
            return;
        if (state == SMTP_REPLY_BAD) {
            broken(s, "its answer is not SMTP");
            return;
        }
        memcpy(text, reply.text.p, reply.size); /* the step may drop the buffer */
        reply.text.p = text;
        buf_take(&s->in, reply.size);
        if (!is_right(s->step, reply.code)) {
            refused(s, &reply);
            return;
        }
        advance(s, &reply);
    }
    if (s->step == STEP_IDLE && buf_size(&s->in)) /* "421 closing", most of all */
        hang_up(s);
}

static void on_ready(struct loop_io *io, unsigned ready)
{
    struct smtp *s = list_entry(io, struct smtp, io);
    (void)ready;
    if (s->step == STEP_HANDSHAKE) {
        handshake(s);
        if (s->step <= STEP_HANDSHAKE)
            return;
    }
    flush_out(s);
    if (s->step <= STEP_HANDSHAKE)
        return;
    while (s->step > STEP_HANDSHAKE) {
        size_t n = 0;
        char *room = buf_reserve(&s->in, READ_BYTES);
        enum sock_io got = room ? sock_read(&s->sock, room, READ_BYTES, &n) : SOCK_FAIL;
        if (got == SOCK_AGAIN)
            return;
        if (got != SOCK_DONE) {
            broken(s, room ? "it closed the connection" : "it says more than was asked");
            return;
        }
        buf_commit(&s->in, n);
        read_replies(s);
    }
}

/* --- life ------------------------------------------------------------------------------------ */

static void on_dialled(void *ctx, enum err e, struct sock sock, const char *detail)
{
    struct smtp *s = ctx;
    s->dial = NULL;
    if (e != ERR_OK) {
        broken(s, detail && detail[0] ? detail : err_info(e)->text);
        return;
    }
    s->sock = sock;
    s->step = STEP_GREETING;
    if (!loop_add(s->settings.loop, &s->io, sock.fd)) {
        broken(s, "the kernel refused to watch the connection");
        return;
    }
    if (s->settings.server->tls)
        begin_tls(s);
    else
        wait_for(s, STEP_GREETING);
}

static void begin_dial(struct smtp *s)
{
    struct dial_target where = {str_c(s->settings.server->host), s->settings.server->port, false};
    s->secure = s->reused = false;
    s->offers = (struct smtp_offers){.starttls = false};
    buf_init(&s->in, IN_MAX);
    buf_init(&s->out, OUT_MAX);
    s->step = STEP_DIAL;
    s->dial = dial_start(s->dialer, &where, on_dialled, s);
}

static void on_time(struct loop_timer *t)
{
    struct smtp *s = list_entry(t, struct smtp, timer);
    if (s->step != STEP_IDLE) {
        s->reused = false; /* this is no connection that ended unnoticed */
        broken(s, "it did not answer in time");
        return;
    }
    bool ok = buf_add_str(&s->out, STR("QUIT\r\n"));
    must(ok);
    flush_out(s);
    hang_up(s);
}

struct smtp *smtp_new(const struct smtp_settings *settings)
{
    struct smtp *s = mem_zalloc(sizeof *s);
    char why[128];
    s->settings = *settings;
    secret_set(&s->password, settings->password);
    s->anywhere = address_set_new();
    enum err e = address_set_add(s->anywhere, STR("0.0.0.0/0"), why, sizeof why);
    must(e == ERR_OK);
    e = address_set_add(s->anywhere, STR("::/0"), why, sizeof why);
    must(e == ERR_OK);
    struct dial_settings dial = {.resolver = settings->resolver,
                                 .tls = settings->tls,
                                 .allowed = s->anywhere,
                                 .connect_timeout_us = settings->connect_timeout_us,
                                 .https_proxy = STR(""),
                                 .http_proxy = STR(""),
                                 .no_proxy = STR("")};
    s->dialer = dialer_new(settings->loop, &dial);
    s->io = (struct loop_io){on_ready, -1};
    s->timer.on_time = on_time;
    return s;
}

void smtp_free(struct smtp *s)
{
    if (!s)
        return;
    hang_up(s);
    dialer_free(s->dialer);
    address_set_free(s->anywhere);
    secret_wipe(&s->password);
    mem_free(s);
}

void smtp_send(struct smtp *s, struct str from, struct str to, struct str mail, smtp_done_fn *done, void *ctx)
{
    must(!s->busy);
    s->busy = true;
    s->from = from;
    s->to = to;
    s->mail = mail;
    s->done = done;
    s->ctx = ctx;
    if (s->step == STEP_IDLE)
        send_message(s);
    else
        begin_dial(s);
}

bool smtp_busy(const struct smtp *s)
{
    return s->busy;
}

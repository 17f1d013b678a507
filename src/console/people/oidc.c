/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two routes of a sign-in at a provider. Both handlers run from the beginning each time something they asked
 * for has come (console/fetch.h); what they decide on the way they decide the same again, and only what is to
 * happen once (spending the ticket) looks whether anything was asked for yet.
 */
#include "console/people/oidc.h"

#include <openssl/crypto.h>

#include "base/clock.h"
#include "base/encode.h"
#include "base/json/jdoc.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/must.h"
#include "console/console_inner.h"
#include "console/cookie.h"
#include "console/native/native.h"
#include "console/people/oidc_provider.h"
#include "console/people/oidc_ticket.h"
#include "console/people/people.h"
#include "console/people/sign_in_page.h"
#include "control/control.h"
#include "control/control_text.h"
#include "net/url.h"

#define START "/tollgate/v1/sign-in/oidc"
#define FORM_MAX 16384
#define LOCATION_MAX 6000
#define CODE_MAX 4096
#define LINES_MAX 16384
/*
 * The provider is asked at this pace and no faster, after a burst, for what strangers may have us ask: to trade a code, and
 * for its document while that is not known. By peer it could not be said, as behind a proxy all are one.
 */
#define ASK_EVERY_US UINT64_C(50000)
#define ASK_BURST 100

struct oidc {
    const struct oidc_settings *settings;
    struct ticket_box box;
    struct provider provider;
    uint64_t asked_until_us; /* the time that what was asked so far takes at that pace */
};

struct oidc *oidc_new(const struct oidc_settings *settings)
{
    struct oidc *o = mem_zalloc(sizeof *o);
    o->settings = settings;
    ticket_box_init(&o->box);
    provider_init(&o->provider, settings);
    return o;
}

void oidc_free(struct oidc *o)
{
    if (!o)
        return;
    provider_done(&o->provider);
    mem_wipe(&o->box, sizeof o->box);
    mem_free(o);
}

struct str oidc_name(const struct oidc *o)
{
    return o ? o->settings->name : STR("");
}

bool oidc_return_ok(struct str path)
{
    if (!str_starts(path, STR("/console/")) || path.n > TICKET_RETURN_MAX || str_search(path, STR("//")) >= 0)
        return false;
    for (size_t i = 0; i < path.n; i++)
        if (path.p[i] <= ' ' || path.p[i] >= 0x7f || path.p[i] == '\\')
            return false;
    return true;
}

/* ---- what went wrong ---- */

/* Every end of a sign-in takes the ticket away. */
static void end_ticket(struct job *j)
{
    bool ok = cookie_ticket_line(&j->lines, STR(""), 0, people_is_secure(j));
    must(ok);
}

static void refuse(struct job *j, int status, const char *event, struct str text)
{
    log_info(event, LOG_STR("why", text), LOG_STR("peer", j->peer), LOG_STR("request", j->request_id));
    sign_in_page(j, status, STR("You are not signed in"), text, STR(START));
    end_ticket(j);
}

static void provider_failed(struct job *j, const struct provider *p)
{
    log_warn("oidc_provider", LOG_TEXT("why", p->why), LOG_STR("request", j->request_id));
    sign_in_page(j, 502, STR("The sign-in provider does not work"), str_c(p->why), STR(START));
    end_ticket(j);
}

/* False when the job was answered. */
static bool begin(struct job *j)
{
    if (!j->console->oidc)
        sign_in_page(j, 404, STR("There is no sign-in provider"),
                     STR("This server is not set up for sign-in with OpenID Connect; sign in with your password."),
                     STR(""));
    return !j->status;
}

/* Whether one more may be asked of the provider now; each job counts once for each step. */
static bool may_ask(struct job *j, struct oidc *o, unsigned step)
{
    uint64_t now = clock_mono_us(), *until = &o->asked_until_us;
    for (const struct fetch *f = j->fetch; f; f = f->earlier)
        if (f->step == step)
            return true;
    if (*until < now)
        *until = now;
    if (*until - now > ASK_EVERY_US * ASK_BURST) {
        sign_in_page_fail(j, ERR_RATE_LIMITED, STR("Very many people sign in just now"),
                          STR("Go back to the console, wait some seconds, and sign in again."));
        end_ticket(j);
        return false;
    }
    *until += ASK_EVERY_US;
    return true;
}

/* ---- there ---- */

static bool add_param(struct buf *out, char before, const char *name, struct str value)
{
    return buf_printf(out, "%c%s=", before, name) && url_encode(out, value);
}

static bool add_redirect_uri(struct buf *out, const struct job *j)
{
    return buf_add_str(out, j->console->settings.public_url) && buf_add_str(out, STR(START "/callback"));
}

static bool write_location(struct buf *out, const struct job *j, const struct oidc *o, const struct ticket *t)
{
    char challenge[TICKET_CHALLENGE_MAX];
    struct buf back;
    struct str at = o->provider.authorize.url;
    buf_init(&back, LOCATION_MAX);
    bool ok = add_redirect_uri(&back, j) && buf_add_str(out, at) &&
              add_param(out, str_find(at, '?') < 0 ? '?' : '&', "response_type", STR("code")) &&
              add_param(out, '&', "client_id", o->settings->client_id) &&
              add_param(out, '&', "redirect_uri", buf_str(&back)) &&
              add_param(out, '&', "scope", o->settings->scopes) && add_param(out, '&', "state", str_c(t->state)) &&
              add_param(out, '&', "nonce", str_c(t->nonce)) &&
              add_param(out, '&', "code_challenge", ticket_challenge(t, challenge)) &&
              add_param(out, '&', "code_challenge_method", STR("S256"));
    buf_free(&back);
    return ok;
}

void oidc_start(struct job *j)
{
    struct ticket t;
    struct buf location;
    struct oidc *o = j->console->oidc;
    struct str return_to = job_query(j, STR("return_to"));
    if (!begin(j))
        return;
    if (!return_to.n)
        return_to = STR("/console/");
    if (!oidc_return_ok(return_to)) {
        sign_in_page(j, 400, STR("That address is not part of the console"),
                     STR("After signing in you can only be led to a page of the console; open the console and sign in "
                         "from there."),
                     STR(""));
        return;
    }
    if (!provider_is_known(&o->provider) && !may_ask(j, o, PROVIDER_STEP_DOCUMENT))
        return;
    enum provider_state state = provider_document(&o->provider, j);
    if (state == PROVIDER_FAILED)
        provider_failed(j, &o->provider);
    if (state != PROVIDER_READY)
        return;
    ticket_draw(&t, return_to, clock_wall_us());
    struct str sealed = ticket_seal(&o->box, &t, j->arena);
    must(sealed.p != NULL);
    buf_init(&location, LOCATION_MAX);
    bool ok = write_location(&location, j, o, &t);
    mem_wipe(&t, sizeof t);
    must(ok); /* every part has a bound */
    job_reply_bytes(j, 303, STR("text/plain"), STR("Sign in at the provider.\n"));
    ok = buf_printf(&j->lines, "Location: %.*s\r\nReferrer-Policy: no-referrer\r\n", STR_ARG(buf_str(&location))) &&
         cookie_ticket_line(&j->lines, sealed, TICKET_LASTS_US / 1000000, people_is_secure(j));
    must(ok);
    buf_free(&location);
}

/* ---- and back ---- */

/* A sign-in that came back. */
struct arrival {
    struct job *j;
    struct oidc *o;
    struct ticket ticket;
    struct str code, id_token, access_token;
    struct jwt_person who;
};

static bool same(struct str a, const char *b)
{
    struct str right = str_c(b);
    return a.n == right.n && CRYPTO_memcmp(a.p, right.p, a.n) == 0;
}

/* The ticket is this browser's, and the answer is to it. False when the job was answered. */
static bool check_ticket(struct arrival *in)
{
    struct job *j = in->j;
    struct str state = job_query(j, STR("state")), cookie = cookie_ticket(j->cookie, people_is_secure(j));
    if (!cookie.n || !ticket_open(&in->o->box, cookie, clock_wall_us(), j->arena, &in->ticket))
        refuse(
            j, 400, "sign_in_refused",
            STR("This sign-in was not begun in this browser, or more than ten minutes ago. Begin again; your browser "
                "must accept cookies."));
    else if (!same(state, in->ticket.state))
        refuse(j, 400, "sign_in_refused",
               STR("This answer belongs to another sign-in, perhaps one of another window. Begin again."));
    else if (!j->fetch && !ticket_spend(&in->o->box, &in->ticket))
        refuse(j, 400, "sign_in_refused", STR("This sign-in was used already. Begin again."));
    return !j->status;
}

/* A short text from outside, for a sentence: only what is harmless in one. */
static struct str plain(struct job *j, struct str text)
{
    struct str copy = arena_dup(j->arena, str_head(text, 200));
    char *p = (char *)(uintptr_t)copy.p;
    for (size_t i = 0; p && i < copy.n; i++)
        if (p[i] < ' ' || p[i] >= 0x7f)
            p[i] = '?';
    return copy.p ? copy : STR("");
}

static void refuse_said(struct job *j, const char *before, struct str error, struct str description)
{
    struct buf text;
    buf_init(&text, 1000);
    error = plain(j, error);
    description = plain(j, description);
    bool ok =
        buf_printf(&text, "%s: %.*s%s%.*s", before, STR_ARG(error), description.n ? ", " : ".", STR_ARG(description));
    must(ok);
    refuse(j, 403, "sign_in_refused", arena_dup(j->arena, buf_str(&text)));
    buf_free(&text);
}

/* What the provider says with the code. False when the job was answered. */
static bool check_answer(struct arrival *in)
{
    struct job *j = in->j;
    struct str error = job_query(j, STR("error")), issuer = job_query(j, STR("iss"));
    in->code = job_query(j, STR("code"));
    if ((issuer.n || in->o->provider.names_issuer) && !str_eq(issuer, in->o->settings->issuer))
        refuse(j, 400, "sign_in_refused", STR("This answer came from another provider than the one that was asked."));
    else if (error.n)
        refuse_said(j, "Your provider did not let you in", error, job_query(j, STR("error_description")));
    else if (!in->code.n || in->code.n > CODE_MAX)
        refuse(j, 400, "sign_in_refused", STR("The provider's answer has no code. Begin again."));
    return !j->status;
}

/* Authorization by the client's secret, in the head or in the form (RFC 6749 §2.3.1). */
static bool write_client(const struct oidc_settings *s, enum provider_auth auth, struct buf *lines, struct buf *form)
{
    struct str secret = secret_reveal(&s->client_secret);
    struct buf pair;
    if (!secret.n || auth == PROVIDER_POST)
        return add_param(form, '&', "client_id", s->client_id) &&
               (!secret.n || add_param(form, '&', "client_secret", secret));
    buf_init(&pair, LINES_MAX / 2);
    bool ok = url_encode(&pair, s->client_id) && buf_add_byte(&pair, ':') && url_encode(&pair, secret);
    char *text = mem_alloc(ENCODE_BASE64_MAX(LINES_MAX / 2));
    if (ok)
        ok = buf_printf(lines, "Authorization: Basic %.*s\r\n",
                        (int)encode_base64(buf_str(&pair).p, buf_size(&pair), text), text);
    mem_wipe(text, ENCODE_BASE64_MAX(LINES_MAX / 2));
    mem_free(text);
    if (pair.p)
        mem_wipe(pair.p, pair.cap);
    buf_free(&pair);
    return ok;
}

static enum provider_state ask_for_tokens(struct arrival *in, const struct fetch **ret)
{
    struct buf lines, form, back;
    struct job *j = in->j;
    buf_init(&lines, LINES_MAX);
    buf_init(&form, FORM_MAX);
    buf_init(&back, LOCATION_MAX);
    bool ok = add_redirect_uri(&back, j) && buf_add_str(&form, STR("grant_type=authorization_code")) &&
              add_param(&form, '&', "code", in->code) && add_param(&form, '&', "redirect_uri", buf_str(&back)) &&
              add_param(&form, '&', "code_verifier", str_c(in->ticket.verifier)) &&
              buf_add_str(&lines, STR("Content-Type: application/x-www-form-urlencoded\r\n")) &&
              write_client(in->o->settings, in->o->provider.auth, &lines, &form);
    must(ok); /* code and settings are bounded */
    struct str content = arena_dup(j->arena, buf_str(&form));
    must(content.p != NULL);
    enum provider_state state =
        provider_ask(&in->o->provider, j, PROVIDER_STEP_TOKEN, &in->o->provider.token, buf_str(&lines), content, ret);
    mem_wipe(lines.p, lines.cap);
    mem_wipe(form.p, form.cap);
    buf_free(&lines);
    buf_free(&form);
    buf_free(&back);
    return state;
}

/* The tokens for the code. False when the job waits or was answered. */
static bool get_tokens(struct arrival *in)
{
    const struct fetch *f = NULL;
    struct jdoc doc;
    struct job *j = in->j;
    enum provider_state state = ask_for_tokens(in, &f);
    if (state == PROVIDER_FAILED)
        provider_failed(j, &in->o->provider);
    if (state != PROVIDER_READY)
        return false;
    jdoc_init(&doc);
    bool parsed = jdoc_parse(&doc, buf_str(&f->body));
    struct jval answer = parsed ? jdoc_root(&doc) : (struct jval){NULL, 0};
    in->id_token = jdoc_text(jdoc_get(answer, "id_token"), j->arena);
    in->access_token = jdoc_text(jdoc_get(answer, "access_token"), j->arena);
    if (f->status != 200)
        refuse_said(j, "The provider did not accept the sign-in; begin again",
                    parsed ? jdoc_text(jdoc_get(answer, "error"), j->arena) : STR("its answer cannot be read"),
                    jdoc_text(jdoc_get(answer, "error_description"), j->arena));
    else if (!in->id_token.n)
        refuse(j, 502, "sign_in_refused",
               STR("The provider gave no ID token; it must support OpenID Connect, and --oidc-scopes name openid."));
    jdoc_free(&doc);
    return !j->status;
}

static enum jwt_fault verify(struct arrival *in)
{
    struct jwt t;
    const struct jwt_expect expect = {.issuer = in->o->settings->issuer,
                                      .client_id = in->o->settings->client_id,
                                      .nonce = str_c(in->ticket.nonce),
                                      .access_token = in->access_token,
                                      .now_s = clock_wall_us() / 1000000};
    enum jwt_fault fault = jwt_open(in->id_token, in->o->provider.keys, in->j->arena, &t);
    return fault == JWT_NONE ? jwt_claims(&t, &expect, in->j->arena, &in->who) : fault;
}

/* False when the job waits or was answered. */
static bool check_token(struct arrival *in)
{
    struct job *j = in->j;
    enum provider_state state = provider_keys(&in->o->provider, j, false);
    enum jwt_fault fault = state == PROVIDER_READY ? verify(in) : JWT_NONE;
    if (fault == JWT_NO_KEY) {
        state = provider_keys(&in->o->provider, j, true);
        fault = state == PROVIDER_READY ? verify(in) : JWT_NONE;
    }
    if (state == PROVIDER_FAILED)
        provider_failed(j, &in->o->provider);
    if (state != PROVIDER_READY || fault == JWT_NONE)
        return state == PROVIDER_READY;
    struct buf text;
    buf_init(&text, 500);
    bool ok = buf_printf(&text, "The provider's token is not valid, so you cannot be signed in with it. %s",
                         jwt_fault_text(fault));
    must(ok);
    refuse(j, 403, "sign_in_refused", arena_dup(j->arena, buf_str(&text)));
    buf_free(&text);
    return false;
}

/* Where the ID token has no address, the provider may say it when asked. False when the job waits or was answered. */
static bool complete_person(struct arrival *in)
{
    struct buf lines;
    const struct fetch *f = NULL;
    struct jwt_person more;
    struct job *j = in->j;
    struct provider *p = &in->o->provider;
    if (in->who.email.n || !p->userinfo.url.n || !in->access_token.n ||
        !control_text_is_visible(in->access_token, LINES_MAX / 2))
        return true;
    buf_init(&lines, LINES_MAX);
    bool ok = buf_printf(&lines, "Authorization: Bearer %.*s\r\n", STR_ARG(in->access_token));
    must(ok);
    enum provider_state state = provider_ask(p, j, PROVIDER_STEP_USERINFO, &p->userinfo, buf_str(&lines), STR(""), &f);
    mem_wipe(lines.p, lines.cap);
    buf_free(&lines);
    if (state == PROVIDER_FAILED)
        provider_failed(j, p);
    if (state != PROVIDER_READY)
        return false;
    if (f->status != 200 || jwt_userinfo(buf_str(&f->body), j->arena, &more) != JWT_NONE)
        return true;                              /* then there is no address, and that is judged where it is needed */
    if (!str_eq(more.subject, in->who.subject)) { /* OpenID Connect Core §5.3.2 */
        refuse(j, 403, "sign_in_refused", STR("The provider's answers are about two persons. Begin again."));
        return false;
    }
    in->who.email = more.email;
    in->who.email_verified = more.email_verified;
    in->who.email_judged = more.email_judged;
    if (!in->who.name.n)
        in->who.name = more.name;
    return true;
}

/* Whether the new session reaches anything; a session that does not is of no use to anybody. */
static bool is_anywhere(struct job *j, struct str token)
{
    const struct snapshot_key *key;
    struct snapshot *s = control_snapshot(j->console->settings.control);
    bool ok = snapshot_judge(s, token, clock_wall_us(), &key) == SNAPSHOT_ADMITTED;
    snapshot_unref(s);
    return ok;
}

static void sign_in(struct arrival *in)
{
    struct job *j = in->j;
    struct member m;
    struct session s;
    struct secret token = {0};
    struct control_why why = {.param = ""};
    const struct identity_claim claim = {.issuer = in->o->settings->issuer,
                                         .subject = in->who.subject,
                                         .email = in->who.email,
                                         .email_verified = in->who.email_verified ||
                                                           (in->o->settings->trusts_emails && !in->who.email_judged),
                                         .name = in->who.name};
    enum err e =
        identity_sign_in(j->console->settings.control, &claim, &in->o->settings->rule, j->arena, &m, &token, &s, &why);
    if (e) {
        refuse(j, e == ERR_FORBIDDEN ? 403 : 503, "sign_in_refused", arena_dup(j->arena, str_c(why.text)));
        return;
    }
    bool anywhere = is_anywhere(j, secret_reveal(&token));
    if (anywhere) {
        job_reply_bytes(j, 303, STR("text/plain"), STR("You are signed in.\n"));
        bool ok = buf_printf(&j->lines, "Location: %.*s\r\n", STR_ARG(in->ticket.return_to)) &&
                  cookie_line(&j->lines, secret_reveal(&token), SESSION_LASTS_US / 1000000, people_is_secure(j));
        must(ok);
        end_ticket(j);
    } else {
        refuse(j, 403, "sign_in_refused",
               STR("You are known here, but you are in no workspace yet; ask an admin to put you into one."));
    }
    secret_wipe(&token);
}

void oidc_callback(struct job *j)
{
    struct arrival in = {.j = j, .o = j->console->oidc};
    if (!begin(j) || !check_ticket(&in))
        return;
    enum provider_state state = provider_document(&in.o->provider, j);
    if (state == PROVIDER_FAILED)
        provider_failed(j, &in.o->provider);
    if (state == PROVIDER_READY && check_answer(&in) && may_ask(j, in.o, PROVIDER_STEP_TOKEN) && get_tokens(&in) &&
        check_token(&in) && complete_person(&in))
        sign_in(&in);
    mem_wipe(&in.ticket, sizeof in.ticket);
}

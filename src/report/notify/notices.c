/* SPDX-License-Identifier: Apache-2.0 */
/* Facts to values of a text, values to a message. Whatever needs the database runs where waiting is allowed. */
#include "report/notify/notices.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/encode.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/money.h"
#include "base/rng.h"
#include "control/control_key.h"
#include "control/snapshot.h"
#include "report/notify/texts.h"

#define LINK_PATH "/console/#/invitation/"
#define LINK_MAX 1024
#define ARENA_MAX (4u << 20)
#define TEXT_MAX 200
#define ACCEPTED_MS 8000 /* what a person waits for a test */

/* --- values ---------------------------------------------------------------------------------- */

/* "2026-11-22 13:00 UTC"; "" for a time that never is. */
static struct str time_text(int64_t us, char out[CLOCK_TEXT_MAX])
{
    struct clock_utc t;
    if (us <= 0 || us == INT64_MAX)
        return STR("");
    t = clock_utc_of(us);
    int n = snprintf(out, CLOCK_TEXT_MAX, "%04d-%02d-%02d %02d:%02d UTC", t.year, t.month, t.day, t.hour, t.minute);
    return str_of(out, (size_t)n);
}

static struct str day_text(int64_t us, char out[CLOCK_TEXT_MAX])
{
    return str_head(time_text(us, out), 10);
}

/* "$12.50", "1200 tokens" */
static struct str amount_text(enum limit_measure measure, int64_t amount, char out[TEXT_MAX])
{
    char money[MONEY_TEXT_MAX];
    if (amount <= 0)
        return STR("");
    if (measure == LIMIT_COST)
        snprintf(out, TEXT_MAX, "$%.*s", (int)money_format(amount, money), money);
    else
        snprintf(out, TEXT_MAX, "%lld %s", (long long)amount, limit_measure_text(measure));
    return str_c(out);
}

/* --- putting together ------------------------------------------------------------------------ */

struct letter {
    struct notify_message message;
    struct buf subject, text;
};

static bool letter_begin(struct letter *l, enum texts_name name, const struct texts_value *values, size_t count)
{
    buf_init(&l->subject, NOTIFY_SUBJECT_MAX * 8);
    buf_init(&l->text, NOTIFY_TEXT_MAX);
    bool ok = texts_fill(name, values, count, &l->subject, &l->text);
    l->message = (struct notify_message){
        .channel = NOTIFY_MAIL, .kind = texts_kind(name), .subject = buf_str(&l->subject), .text = buf_str(&l->text)};
    return ok;
}

static void letter_end(struct letter *l)
{
    buf_free(&l->subject);
    buf_free(&l->text);
}

/* --- invitations ----------------------------------------------------------------------------- */

bool notices_invitation_link(struct str public_url, struct str secret, struct buf *out)
{
    return buf_add_str(out, public_url) && buf_add_str(out, STR(LINK_PATH)) && buf_add_str(out, secret);
}

static bool send_invitation(struct notify *n, const struct invitation *i, struct letter *l, struct str link)
{
    char id[NOTIFY_ID_MAX + 1], why[NOTIFY_WHY_MAX];
    int length = snprintf(id, sizeof id, "invitation/%.*s", STR_ARG(i->public_id));
    l->message.workspace_id = i->workspace_id;
    l->message.to = i->email;
    l->message.link = link;
    l->message.id = str_of(id, (size_t)length);
    return length < (int)sizeof id && notify_send(n, &l->message, why) == ERR_OK;
}

bool notices_invitation(struct notify *n, const struct invitation *i, const struct secret *secret, struct str workspace,
                        struct str who)
{
    struct letter l;
    struct buf link;
    char place[TEXT_MAX], until[CLOCK_TEXT_MAX];
    if (!notify_can(n, NOTIFY_MAIL) || !notify_address_ok(i->email))
        return false;
    if (workspace.n)
        snprintf(place, sizeof place, "the workspace %.*s", (int)(workspace.n < 100 ? workspace.n : 100), workspace.p);
    else
        snprintf(place, sizeof place, "the organization");
    const struct texts_value values[] = {{"who", who.n ? who : STR("An administrator")},
                                         {"place", str_c(place)},
                                         {"role", str_c(kind_role_text(i->role))},
                                         {"until", time_text(i->expires_us, until)}};
    buf_init(&link, LINK_MAX);
    bool ok = letter_begin(&l, TEXTS_INVITATION, values, sizeof values / sizeof values[0]) &&
              notices_invitation_link(notify_public_url(n), secret_reveal(secret), &link);
    ok = ok && send_invitation(n, i, &l, buf_str(&link));
    letter_end(&l);
    if (link.p)
        mem_wipe(link.p, link.cap);
    buf_free(&link);
    return ok;
}

/* --- budgets --------------------------------------------------------------------------------- */

/* What the worker saw; texts are copies. */
struct alert {
    struct notify *notify;
    int64_t rule_id, attach_id, workspace_id, alert_at, max, used, start_us, end_us;
    enum limit_attach attach;
    enum limit_measure measure;
    enum limit_mode mode;
    char name[LIMIT_NAME_MAX + 1], group[POLICY_GROUP_TEXT_MAX + 1];
};

/* Whom it is for and what it is called, as things are now. */
struct alert_names {
    struct arena *arena;
    struct str object, place, emails;
};

static void name_integration(const struct snapshot *s, int64_t id, struct alert_names *names, char out[TEXT_MAX])
{
    const struct snapshot_integration *i = snapshot_integration_of(s, id);
    snprintf(out, TEXT_MAX, "the integration %.*s", i ? (int)i->slug.n : 7, i ? i->slug.p : "unknown");
    names->object = arena_dup(names->arena, str_c(out));
}

static void name_key(struct control *c, const struct snapshot *s, const struct alert *a, struct alert_names *names,
                     char out[TEXT_MAX])
{
    const struct snapshot_key *key = snapshot_key_of(s, a->attach_id);
    struct control_key row;
    struct control_why why = {.param = ""};
    snprintf(out, TEXT_MAX, "the key %.*s", key ? (int)(key->name.n < 150 ? key->name.n : 150) : 7,
             key ? key->name.p : "unknown");
    names->object = arena_dup(names->arena, str_c(out));
    if (key && control_key_find(c, key->workspace_id, key->public_id, names->arena, &row, &why) == ERR_OK)
        names->emails = row.alert_emails;
}

static void find_names(struct control *c, const struct alert *a, struct alert_names *names)
{
    char text[TEXT_MAX];
    struct snapshot *s = control_snapshot(c);
    const struct snapshot_workspace *w = snapshot_workspace_of(s, a->workspace_id);
    if (w)
        snprintf(text, sizeof text, "the workspace %.*s", STR_ARG(w->name));
    else
        snprintf(text, sizeof text, "the organization");
    names->place = arena_dup(names->arena, str_c(text));
    names->emails = STR("");
    switch (a->attach) {
    case LIMIT_KEY:
        name_key(c, s, a, names, text);
        break;
    case LIMIT_INTEGRATION:
    case LIMIT_ACCESS:
        name_integration(s, a->attach_id, names, text);
        break;
    case LIMIT_POLICY:
        snprintf(text, sizeof text, "the policy %s", a->name[0] ? a->name : "without a name");
        names->object = arena_dup(names->arena, str_c(text));
        break;
    default:
        snprintf(text, sizeof text, "the %s", limit_attach_text(a->attach));
        names->object = arena_dup(names->arena, str_c(text));
    }
    snapshot_unref(s);
}

/* Parts of a group's text are divided by a control character. */
static struct str group_text(struct alert *a)
{
    for (char *p = a->group; *p; p++)
        if (*p == POLICY_SEPARATOR)
            *p = '/';
    return str_c(a->group);
}

static bool fill_alert(struct alert *a, const struct alert_names *names, struct letter *l)
{
    char percent[24], used[TEXT_MAX], threshold[TEXT_MAX], budget[TEXT_MAX], since[CLOCK_TEXT_MAX],
        until[CLOCK_TEXT_MAX];
    int64_t of = a->max > 0 ? a->max : a->alert_at;
    snprintf(percent, sizeof percent, "%lld %%", (long long)((__int128)a->used * 100 / (of > 0 ? of : 1)));
    const struct texts_value values[] = {
        {"percent", str_c(percent)},
        {"object", names->object.p ? names->object : STR("an object")},
        {"place", names->place},
        {"used", amount_text(a->measure, a->used, used)},
        {"threshold", amount_text(a->measure, a->alert_at, threshold)},
        {"budget", amount_text(a->measure, a->max, budget)},
        {"group", group_text(a)},
        {"since", time_text(a->start_us, since)},
        {"until", time_text(a->end_us, until)},
        {"what_next", a->max <= 0             ? STR("Nothing is refused: there is no limit behind the threshold.")
                      : a->mode == LIMIT_HARD ? STR("Requests that would pass the budget are refused.")
                                              : STR("Requests are refused from when the budget is used up.")}};
    return letter_begin(l, TEXTS_BUDGET_ALERT, values, sizeof values / sizeof values[0]);
}

/* The event's id; a group is in it by its hash, since its text is anybody's. */
static void alert_id(const struct alert *a, char out[NOTIFY_ID_MAX + 1])
{
    snprintf(out, NOTIFY_ID_MAX + 1, "budget_alert/%lld/%lld/%lld/%llx", (long long)a->rule_id, (long long)a->alert_at,
             (long long)(a->start_us / 1000000),
             (unsigned long long)(a->group[0] ? policy_group_number(str_c(a->group)) : 0));
}

static void mail_addresses(struct notify *n, struct notify_message *m, struct str emails)
{
    struct str email, id = m->id;
    char why[NOTIFY_WHY_MAX];
    while (str_split(&emails, ',', &email)) {
        char one[NOTIFY_ID_MAX + 1];
        m->to = str_trim(email);
        int length = snprintf(one, sizeof one, "%.*s/%.*s", STR_ARG(id), STR_ARG(m->to));
        m->id = str_of(one, (size_t)length);
        enum err e = length < (int)sizeof one ? notify_send(n, m, why) : ERR_BAD_PARAMETER;
        (void)e; /* it is in the log */
    }
}

static void send_alert(void *ctx)
{
    struct alert *a = ctx;
    struct letter l;
    char id[NOTIFY_ID_MAX + 1];
    struct alert_names names = {.arena = arena_new(4096, ARENA_MAX)};
    alert_id(a, id); /* before the group's text is made readable */
    find_names(notify_control(a->notify), a, &names);
    if (fill_alert(a, &names, &l)) {
        l.message.workspace_id = a->workspace_id;
        l.message.id = str_c(id);
        l.message.link = STR("/console/");
        if (names.emails.n)
            mail_addresses(a->notify, &l.message, names.emails);
        else
            notify_admins_send(a->notify, &l.message);
    }
    letter_end(&l);
    arena_free(names.arena);
    mem_free(a);
}

void notices_alert(struct notify *n, const struct notices_alert *alert)
{
    const struct limit *l = alert->limit;
    if (!notify_can(n, NOTIFY_MAIL))
        return;
    struct alert *a = mem_zalloc(sizeof *a);
    *a = (struct alert){.notify = n,
                        .rule_id = l->id,
                        .attach_id = l->attach_id,
                        .workspace_id = l->workspace_id,
                        .alert_at = l->alert_at,
                        .max = l->max,
                        .used = alert->used,
                        .start_us = alert->window_start_us,
                        .end_us = alert->window_end_us,
                        .attach = l->attach,
                        .measure = l->measure,
                        .mode = l->mode};
    str_copy(a->name, sizeof a->name, l->name);
    str_copy(a->group, sizeof a->group, alert->group);
    if (!notify_defer(n, send_alert, a)) {
        log_warn("message_not_taken", LOG_TEXT("kind", "budget_alert"), LOG_INT("rule", l->id),
                 LOG_TEXT("why", "too many alerts at once"));
        mem_free(a);
    }
}

/* --- imports --------------------------------------------------------------------------------- */

static void send_import(struct notify *n, const struct notices_import *im, enum texts_name name, const char *id)
{
    struct letter l;
    char since[CLOCK_TEXT_MAX], rows[24];
    if (!notify_can(n, NOTIFY_MAIL))
        return;
    snprintf(rows, sizeof rows, "%llu", (unsigned long long)im->rows);
    const struct texts_value values[] = {
        {"object", im->integration},
        {"organization", im->organization},
        {"since", name == TEXTS_IMPORT_FAILED ? time_text(im->since_us, since) : day_text(im->since_us, since)},
        {"rows", str_c(rows)},
        {"why", im->why}};
    if (letter_begin(&l, name, values, sizeof values / sizeof values[0])) {
        l.message.workspace_id = im->workspace_id;
        l.message.id = str_c(id);
        l.message.link = STR("/console/");
        notify_admins_send(n, &l.message);
    }
    letter_end(&l);
}

void notices_import_finished(struct notify *n, const struct notices_import *im)
{
    char id[80];
    snprintf(id, sizeof id, "import_finished/%lld", (long long)im->account);
    send_import(n, im, TEXTS_IMPORT_FINISHED, id);
}

void notices_import_failed(struct notify *n, const struct notices_import *im)
{
    char id[80];
    snprintf(id, sizeof id, "import_failed/%lld/%lld", (long long)im->account, (long long)(im->now_us / 1000000));
    send_import(n, im, TEXTS_IMPORT_FAILED, id);
}

/* --- does it work ---------------------------------------------------------------------------- */

enum err notices_test(struct notify *n, enum notify_channel channel, int64_t workspace_id, struct str to,
                      struct str who, char why[NOTIFY_WHY_MAX])
{
    struct letter l;
    char random[16], id[40];
    const struct texts_value values[] = {{"who", who.n ? who : STR("an administrator")}};
    encode_base62_random(random, sizeof random);
    int length = snprintf(id, sizeof id, "test/%.*s", (int)sizeof random, random);
    bool ok = letter_begin(&l, TEXTS_TEST, values, sizeof values / sizeof values[0]);
    l.message.channel = channel;
    l.message.workspace_id = workspace_id;
    l.message.to = to;
    l.message.id = str_of(id, (size_t)length);
    enum err e = ok ? notify_try(n, &l.message, ACCEPTED_MS, why) : ERR_OVERLOADED;
    letter_end(&l);
    return e;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Service accounts of a workspace and their keys, and a person's own keys, which have the same form. */
#include <stdio.h>

#include "base/clock.h"
#include "base/encode.h"
#include "base/secret.h"
#include "console/blaxel/blaxel.h"
#include "console/blaxel/tenant.h"
#include "console/console_inner.h"
#include "console/native/output.h"
#include "console/portkey/given.h"
#include "control/control_key.h"
#include "control/limit/rule.h"
#include "control/people/account.h"

#define HOUR_US INT64_C(3600000000)
#define LIFE_MAX_HOURS (UINT64_C(10) * 365 * 24)

static struct control *control_of(const struct job *j)
{
    return j->console->settings.control;
}

static bool fail(struct job *j, enum err e, const struct control_why *why)
{
    if (e)
        job_fail_why(j, e, why);
    return e == ERR_OK;
}

static void write_account(struct job *j, const struct account *a, const struct secret *secret)
{
    struct json_write *w = &j->json;
    json_write_object(w);
    json_write_member_string(w, "client_id", a->client_id);
    json_write_member_string(w, "name", a->name);
    json_write_member_string(w, "description", a->description);
    json_write_member_string(w, "role", str_c(kind_role_text(a->role)));
    if (secret)
        json_write_member_string(w, "client_secret", secret_reveal(secret));
    output_time(w, "created_at", a->created_us);
    output_time(w, "updated_at", a->updated_us);
    json_write_object_end(w);
}

static void reply_account(struct job *j, const struct account *a, const struct secret *secret)
{
    job_reply_json(j, 200);
    write_account(j, a, secret);
}

void service_accounts_list(struct job *j)
{
    struct account *rows = NULL;
    size_t count = 0;
    struct control_why why = {.param = ""};
    if (!fail(j, account_list(control_of(j), j->workspace_id, j->arena, &rows, &count, &why), &why))
        return;
    job_reply_json(j, 200);
    json_write_array(&j->json);
    for (size_t i = 0; i < count; i++)
        write_account(j, &rows[i], NULL);
    json_write_array_end(&j->json);
}

void service_accounts_create(struct job *j)
{
    struct given g;
    struct account made;
    struct secret secret = {0};
    struct control_why why = {.param = ""};
    if (!given_begin(&g, j))
        return;
    struct str name = given_text(&g, g.root, "name"), text = given_text(&g, g.root, "description");
    struct account_spec spec = {name.p ? name : STR(""), text.p ? text : STR(""), KIND_ROLE_MEMBER};
    if (!j->status &&
        fail(j, account_create(control_of(j), j->workspace_id, &spec, j->arena, &made, &secret, &why), &why))
        reply_account(j, &made, &secret);
    secret_wipe(&secret);
    given_end(&g);
}

void service_accounts_update(struct job *j)
{
    struct given g;
    struct account row;
    struct control_why why = {.param = ""};
    if (!given_begin(&g, j))
        return;
    struct str name = given_text(&g, g.root, "name"), text = given_text(&g, g.root, "description");
    struct account_change change = {.name = &name, .description = text.p ? &text : NULL};
    if (!j->status && !name.n)
        job_fail(j, ERR_MISSING_PARAMETER, STR("name"), STR(""));
    if (!j->status &&
        fail(j, account_update(control_of(j), j->workspace_id, j->params[0], &change, j->arena, &row, &why), &why))
        reply_account(j, &row, NULL);
    given_end(&g);
}

/* The account in the path. False when the job was answered. */
static bool find_account(struct job *j, struct account *ret)
{
    struct control_why why = {.param = ""};
    return fail(j, account_find(control_of(j), j->workspace_id, j->params[0], j->arena, ret, &why), &why);
}

void service_accounts_delete(struct job *j)
{
    struct account row;
    struct control_why why = {.param = ""};
    if (find_account(j, &row) && fail(j, account_delete(control_of(j), j->workspace_id, j->params[0], &why), &why))
        reply_account(j, &row, NULL);
}

/* ---- keys ---- */

/* Whose keys a call is about: a service account's, or else the caller's. */
struct holder {
    const struct account *account;
    struct str sub; /* of the caller: their number */
    char digits[24];
};

/* False when the job was answered. */
static bool holder_caller(struct job *j, struct holder *ret)
{
    if (!j->key->member_id) {
        job_fail(j, ERR_FORBIDDEN, STR(""), STR("This key is no person's; sign in, or use a key of your own."));
        return false;
    }
    int n = snprintf(ret->digits, sizeof ret->digits, "%lld", (long long)j->key->member_id);
    ret->account = NULL;
    ret->sub = str_of(ret->digits, (size_t)n);
    return true;
}

static struct holder holder_account(const struct account *a)
{
    return (struct holder){.account = a, .sub = a->client_id};
}

static void write_key(struct job *j, const struct control_key *k, const struct holder *h, struct str expires_in,
                      const struct secret *text)
{
    struct json_write *w = &j->json;
    json_write_object(w);
    json_write_member_string(w, "id", k->public_id);
    json_write_member_string(w, "name", k->name);
    json_write_member_string(w, "sub", h->sub);
    json_write_member_string(w, "sub_type", h->account ? STR("service_account") : STR("user"));
    if (text)
        json_write_member_string(w, "apiKey", secret_reveal(text));
    if (expires_in.n)
        json_write_member_string(w, "expires_in", expires_in);
    output_time(w, "expiresAt", k->expires_us);
    output_time(w, "createdAt", k->created_us);
    output_time(w, "updatedAt", k->updated_us);
    json_write_object_end(w);
}

static bool own_keys(struct job *j, const struct holder *h, struct control_key **ret, size_t *ret_count)
{
    struct control_why why = {.param = ""};
    int64_t member = h->account ? 0 : j->key->member_id;
    return fail(
        j, control_key_list_of(control_of(j), member, h->account ? h->account->id : 0, j->arena, ret, ret_count, &why),
        &why);
}

static void list_keys(struct job *j, const struct holder *h)
{
    struct control_key *rows = NULL;
    size_t count = 0;
    if (!own_keys(j, h, &rows, &count))
        return;
    job_reply_json(j, 200);
    json_write_array(&j->json);
    for (size_t i = 0; i < count; i++)
        if (!rows[i].revoked_us)
            write_key(j, &rows[i], h, STR(""), NULL);
    json_write_array_end(&j->json);
}

/* "24h", "30d", "1w": when that is over; none: never. False when the job was answered. */
static bool read_life(struct job *j, struct str text, int64_t *ret_expires_us)
{
    uint64_t n = 0, hours = 0;
    *ret_expires_us = 0;
    if (!text.n)
        return true;
    char unit = text.p[text.n - 1];
    if (str_to_u64(str_head(text, text.n - 1), &n) && n <= LIFE_MAX_HOURS)
        hours = unit == 'h' ? n : unit == 'd' ? n * 24 : unit == 'w' ? n * 24 * 7 : unit == 'y' ? n * 24 * 365 : 0;
    if (hours == 0 || hours > LIFE_MAX_HOURS) {
        job_fail(j, ERR_BAD_PARAMETER, STR("expires_in"),
                 STR("It is a number and h, d, w or y, such as 24h or 30d, and at most ten years."));
        return false;
    }
    *ret_expires_us = clock_wall_us() + (int64_t)hours * HOUR_US;
    return true;
}

/* Names of keys are unique in a workspace; who gives none gets one that is. */
static struct str some_name(struct job *j, const struct holder *h)
{
    char random[9], text[64];
    encode_base62_random(random, 8);
    int n = snprintf(text, sizeof text, "%s-%.8s", h->account ? "service-account" : "personal", random);
    return arena_dup(j->arena, str_of(text, (size_t)n));
}

/* What was made of a key would not have its limits or its config. False when the job was answered. */
static bool may_beget(struct job *j)
{
    struct limit *rules;
    size_t count = 0;
    struct control_why why = {.param = ""};
    const struct rule_filter own = {RULE_ANY_WORKSPACE, LIMIT_KEY, j->key->id, -1, NULL};
    if (!fail(j, rule_list(control_of(j), &own, j->arena, &rules, &count, &why), &why))
        return false;
    if (count || j->key->config_fixed)
        job_fail(j, ERR_FORBIDDEN, STR(""),
                 STR("This key has limits or a config of its own, which another would not have; sign in to make one."));
    return j->status == 0;
}

/* No key outlives the one that it was made with; sessions and programs let in are for making lasting ones. */
static int64_t end_of(const struct job *j, int64_t wanted_us)
{
    bool fleeting = j->key->session || j->key->device;
    int64_t own_us = fleeting ? 0 : j->key->expires_us;
    return own_us && (!wanted_us || wanted_us > own_us) ? own_us : wanted_us;
}

static void create_key(struct job *j, const struct holder *h)
{
    struct given g;
    struct control_key row;
    struct secret text = {0};
    struct control_why why = {.param = ""};
    if (!given_begin(&g, j))
        return;
    struct str name = given_text(&g, g.root, "name"), life = given_text(&g, g.root, "expires_in");
    struct control_key_spec spec = {.name = name.n ? name : some_name(j, h),
                                    .role = h->account ? h->account->role : j->key->granted,
                                    .member_id = h->account ? 0 : j->key->member_id,
                                    .service_account_id = h->account ? h->account->id : 0};
    bool ok = !j->status && read_life(j, life.p ? life : STR(""), &spec.expires_us) && (h->account || may_beget(j));
    if (!h->account)
        spec.expires_us = end_of(j, spec.expires_us);
    if (ok && fail(j, control_key_create(control_of(j), j->workspace_id, &spec, j->arena, &row, &text, &why), &why)) {
        job_reply_json(j, 200);
        write_key(j, &row, h, life.p ? life : STR(""), &text);
    }
    secret_wipe(&text);
    given_end(&g);
}

static void delete_key(struct job *j, const struct holder *h, struct str id)
{
    struct control_key *rows = NULL;
    size_t count = 0;
    struct control_why why = {.param = "apiKeyId", .text = "There is no such key."};
    if (!own_keys(j, h, &rows, &count))
        return;
    enum err e = ERR_NOT_FOUND;
    for (size_t i = 0; i < count; i++)
        if (str_eq(rows[i].public_id, id) && !rows[i].revoked_us) {
            e = control_key_revoke(control_of(j), rows[i].workspace_id, id, &why);
            if (fail(j, e, &why)) {
                job_reply_json(j, 200);
                write_key(j, &rows[i], h, STR(""), NULL);
            }
            return;
        }
    fail(j, e, &why);
}

void service_accounts_keys(struct job *j)
{
    struct account a;
    if (!find_account(j, &a))
        return;
    const struct holder h = holder_account(&a);
    list_keys(j, &h);
}

void service_accounts_create_key(struct job *j)
{
    struct account a;
    if (!find_account(j, &a))
        return;
    const struct holder h = holder_account(&a);
    create_key(j, &h);
}

void service_accounts_delete_key(struct job *j)
{
    struct account a;
    if (!find_account(j, &a))
        return;
    const struct holder h = holder_account(&a);
    delete_key(j, &h, j->params[1]);
}

void service_accounts_own_keys(struct job *j)
{
    struct holder h;
    if (holder_caller(j, &h))
        list_keys(j, &h);
}

void service_accounts_create_own(struct job *j)
{
    struct holder h;
    if (holder_caller(j, &h))
        create_key(j, &h);
}

void service_accounts_delete_own(struct job *j)
{
    struct holder h;
    if (holder_caller(j, &h))
        delete_key(j, &h, j->params[0]);
}

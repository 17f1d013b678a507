/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys as Portkey's API makes them, of four kinds: a service's or a person's, in a workspace or of the
 * organization. Those of a workspace have a member's role; a list of scopes widens or narrows it (see may_call in
 * console.c). Those of the organization administer, have the role owner, and serve no requests.
 *
 * Each kind has scopes of its own. The routes ask for those of a workspace's service keys; for other kinds
 * their own are asked for here as well. Nobody gives a key more scopes than their own.
 */
#include "base/clock.h"
#include "base/must.h"
#include "console/console_inner.h"
#include "console/native/output.h"
#include "console/portkey/given.h"
#include "console/portkey/portkey.h"
#include "console/portkey/portkey_limits.h"
#include "control/control_key.h"
#include "control/people/member.h"
#include "control/people/reach.h"

#define KEYS_MAX 1000
#define TRANSITION_MIN_MS 1800000

enum verb { CREATE, READ, UPDATE, DELETE, LIST, ROTATE }; /* in the order of a kind's scopes */

struct kind {
    bool organization, person;
};

static struct kind kind_of(const struct control_key *k)
{
    return (struct kind){k->of_organization, k->member_id != 0};
}

/* Whether the caller's scopes let them do that to keys of that kind. */
static bool may(const struct job *j, struct kind kind, enum verb verb)
{
    unsigned first = kind.organization ? SNAPSHOT_SCOPE_ORGANISATION_SERVICE_API_KEYS_CREATE
                     : kind.person     ? SNAPSHOT_SCOPE_WORKSPACE_USER_API_KEYS_CREATE
                                       : SNAPSHOT_SCOPE_WORKSPACE_SERVICE_API_KEYS_CREATE;
    if (kind.organization && !reach_organizes(j->key, KIND_ROLE_OWNER))
        return false;
    return snapshot_key_may(j->key, (enum snapshot_scope)(first + verb));
}

/* A person's key goes where the person does, beyond this workspace: its text is for them and for owners. */
static bool may_hold(const struct job *j, int64_t member_id)
{
    return !member_id || reach_organizes(j->key, KIND_ROLE_OWNER) || j->key->member_id == member_id;
}

static struct rule_place place_of(const struct control_key *k)
{
    return (struct rule_place){LIMIT_KEY, k->id, k->workspace_id, STR("")};
}

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

/* ---- reading ---- */

static void write_scopes(struct json_write *w, scope_set scopes)
{
    json_write_key(w, STR("scopes"));
    json_write_array(w);
    for (unsigned i = 0; i < SNAPSHOT_SCOPE_COUNT; i++)
        if (scopes != SNAPSHOT_SCOPES_ALL && (scopes >> i & 1))
            json_write_string(w, str_c(scope_text((enum snapshot_scope)i)));
    json_write_array_end(w);
}

static void write_defaults(struct json_write *w, const struct control_key *k)
{
    json_write_key(w, STR("defaults"));
    json_write_object(w);
    json_write_member_text(w, "config_id", k->config);
    json_write_member_text(w, "config_slug", k->config);
    json_write_member_bool(w, "allow_config_override", !k->config_fixed);
    if (k->metadata.n)
        json_write_member_raw(w, "metadata", k->metadata);
    else
        json_write_member_null(w, "metadata");
    json_write_object_end(w);
}

static const char *status_of(struct job *j, const struct control_key *k)
{
    const struct rule_place place = place_of(k);
    if (k->expires_us && k->expires_us <= clock_wall_us())
        return "expired";
    if (k->disabled)
        return "disabled";
    return portkey_limits_exhausted(j, &place) ? "exhausted" : "active";
}

static void write_emails(struct json_write *w, struct str emails)
{
    struct str part;
    json_write_key(w, STR("alert_emails"));
    json_write_array(w);
    while (emails.n && str_split(&emails, ',', &part))
        json_write_string(w, part);
    json_write_array_end(w);
}

static void write_who(struct job *j, const struct control_key *k)
{
    static const char *const types[2][2] = {{"workspace-service", "workspace-user"},
                                            {"organisation-service", "organisation-user"}};
    struct json_write *w = &j->json;
    struct buf text;
    const struct snapshot_workspace *ws = snapshot_workspace_of(j->snapshot, k->workspace_id);
    buf_init(&text, 64);
    bool ok = buf_printf(&text, APIKEY_PREFIX "********%s", k->last);
    json_write_member_string(w, "id", k->public_id);
    json_write_member_string(w, "key", buf_str(&text));
    json_write_member_string(w, "name", k->name);
    json_write_member_text(w, "description", k->description);
    json_write_member_string(w, "type", str_c(types[k->of_organization][k->member_id != 0]));
    json_write_member_string(w, "organisation_id", STR("default"));
    json_write_member_text(w, "workspace_id", ws && !k->of_organization ? ws->name : STR(""));
    buf_reset(&text);
    ok = ok && (!k->member_id || buf_printf(&text, "%lld", (long long)k->member_id));
    must(ok);
    json_write_member_text(w, "user_id", buf_str(&text));
    buf_free(&text);
}

/* False when the job was answered. */
static bool write_fields(struct job *j, const struct control_key *k)
{
    struct json_write *w = &j->json;
    struct control_why why = {.param = ""};
    const struct rule_place place = place_of(k);
    write_who(j, k);
    json_write_member_string(w, "role", str_c(kind_role_text(k->role)));
    json_write_member_string(w, "status", str_c(status_of(j, k)));
    json_write_member_string(w, "creation_mode", STR("api"));
    write_scopes(w, k->scopes);
    write_defaults(w, k);
    if (!fail(j, portkey_limits_write(j, &place, PORTKEY_LIMITS_ONE, &why), &why))
        return false;
    json_write_member_null(w, "reset_usage");
    write_emails(w, k->alert_emails);
    json_write_key(w, STR("rotation_policy"));
    json_write_object(w);
    json_write_member_int(w, "key_transition_period_ms",
                          (k->overlap_us ? k->overlap_us : CONTROL_KEY_OVERLAP_US) / 1000);
    json_write_object_end(w);
    output_time(w, "key_transition_expires_at", k->previous_until_us > clock_wall_us() ? k->previous_until_us : 0);
    output_time(w, "created_at", k->created_us);
    output_time(w, "last_updated_at", k->updated_us);
    output_time(w, "expires_at", k->expires_us);
    json_write_member_string(w, "object", STR("api-key"));
    return true;
}

void portkey_keys_list(struct job *j)
{
    struct control_key *rows = NULL;
    size_t count = 0, total = 0;
    int64_t workspace_id;
    uint64_t skip, limit;
    struct control_why why = {.param = ""};
    if (!given_workspace(j, given_query(j, "workspace_id"), &workspace_id) ||
        !given_page(j, KEYS_MAX, KEYS_MAX, &skip, &limit))
        return;
    if (!fail(j, control_key_list(control_of(j), workspace_id, 0, KEYS_MAX, j->arena, &rows, &count, &why), &why))
        return;
    for (size_t i = 0; i < count; i++)
        if (!rows[i].revoked_us && may(j, kind_of(&rows[i]), LIST))
            rows[total++] = rows[i];
    struct json_write *w = &j->json;
    job_reply_json(j, 200);
    json_write_object(w);
    json_write_member_string(w, "object", STR("list"));
    json_write_member_uint(w, "total", total);
    json_write_key(w, STR("data"));
    json_write_array(w);
    for (size_t i = skip; i < total && i - skip < limit; i++) {
        json_write_object(w);
        if (!write_fields(j, &rows[i]))
            return;
        json_write_object_end(w);
    }
    json_write_array_end(w);
    json_write_object_end(w);
}

/* The live key in the path, in the caller's workspace or in another that they reach as owner. */
static enum err find_anywhere(struct job *j, struct control_key *ret_row, struct control_why *why)
{
    struct reach r;
    enum err e = control_key_find(control_of(j), j->key->workspace_id, j->params[0], j->arena, ret_row, why);
    for (size_t n = 0; e == ERR_NOT_FOUND && reach_at(j->snapshot, j->key, n, &r); n++)
        if (r.role == KIND_ROLE_OWNER && r.workspace->id != j->key->workspace_id)
            e = control_key_find(control_of(j), r.workspace->id, j->params[0], j->arena, ret_row, why);
    if (e == ERR_OK && ret_row->revoked_us)
        e = ERR_NOT_FOUND;
    return e;
}

/* Nobody gives away what they do not have. False when the job was answered. */
static bool check_scopes(struct job *j, const scope_set *wanted)
{
    scope_set own = j->key->scopes;
    if (j->status || own == SNAPSHOT_SCOPES_ALL)
        return j->status == 0;
    if (wanted && *wanted != SNAPSHOT_SCOPES_ALL && (*wanted & ~own) == 0)
        return true;
    job_fail(j, ERR_FORBIDDEN, STR("scopes"),
             STR("a key with a list of scopes gives others some of those, and no more"));
    return false;
}

/* The key in the path, when the caller may do that to it. False when the job was answered. */
static bool find(struct job *j, enum verb verb, struct control_key *ret_row)
{
    struct control_why why = {.param = "id"};
    if (!fail(j, find_anywhere(j, ret_row, &why), &why))
        return false;
    if (!may(j, kind_of(ret_row), verb)) {
        job_fail(j, ERR_FORBIDDEN, STR(""), STR("your key has no scope for keys of this kind"));
        return false;
    }
    if (verb == ROTATE && !may_hold(j, ret_row->member_id)) {
        job_fail(j, ERR_FORBIDDEN, STR(""), STR("a person's key is rotated by them or by an owner"));
        return false;
    }
    if (verb == ROTATE && !check_scopes(j, &ret_row->scopes)) /* whoever rotates it has it */
        return false;
    if (verb != READ &&
        reach_is_above(j->key, ret_row->role, ret_row->member_id != 0)) { /* an admin does not change an owner's key */
        job_fail(j, ERR_FORBIDDEN, STR(""), STR("this key has more rights than yours"));
        return false;
    }
    return true;
}

void portkey_keys_get(struct job *j)
{
    struct control_key row;
    if (!find(j, READ, &row))
        return;
    job_reply_json(j, 200);
    json_write_object(&j->json);
    if (write_fields(j, &row))
        json_write_object_end(&j->json);
}

/* ---- changing ---- */

/* What a body says about a key; NULL or p == NULL = not given. */
struct wishes {
    struct str name, config, metadata, description, alert_emails;
    const int64_t *expires_us, *overlap_us;
    const scope_set *scopes;
    const bool *config_fixed;
    bool reset_usage;
    struct portkey_limits limits;
    int64_t expires_store, overlap_store;
    scope_set scopes_store;
    bool fixed_store;
};

static void read_scopes(struct given *g, struct wishes *w)
{
    struct jval list = given_member(g->root, "scopes");
    scope_set scopes = 0;
    if (!jdoc_has(list))
        return;
    if (jdoc_kind(list) != JDOC_ARRAY) {
        job_fail(g->job, ERR_BAD_PARAMETER, STR("scopes"), STR("it must be an array of strings"));
        return;
    }
    for (struct jval v = jdoc_first(list); jdoc_has(v); v = jdoc_next(list, v)) {
        enum snapshot_scope scope;
        if (!scope_from_text(jdoc_text(v, g->job->arena), &scope)) {
            struct buf text;
            buf_init(&text, 256);
            bool ok = buf_printf(&text, "there is no scope %.*s", STR_ARG(str_head(jdoc_raw(v), 100)));
            job_fail(g->job, ERR_BAD_PARAMETER, STR("scopes"), ok ? buf_str(&text) : STR(""));
            buf_free(&text);
            return;
        }
        scopes |= SCOPE_BIT(scope);
    }
    w->scopes_store = scopes ? scopes : SNAPSHOT_SCOPES_ALL;
    w->scopes = &w->scopes_store;
}

static void read_defaults(struct given *g, struct wishes *w)
{
    struct jval defaults = given_member(g->root, "defaults");
    bool may_override;
    w->config = given_text(g, defaults, "config_id");
    if (!w->config.p)
        w->config = given_text(g, defaults, "config_slug");
    w->metadata = given_object(g, defaults, "metadata");
    if (given_bool(g, defaults, "allow_config_override", &may_override)) {
        w->fixed_store = !may_override;
        w->config_fixed = &w->fixed_store;
    }
}

/* In a policy, or at the top. */
static void read_transition(struct given *g, struct jval object, struct wishes *w)
{
    uint64_t ms;
    struct jval v = given_member(object, "key_transition_period_ms");
    if (!jdoc_has(v) || g->job->status)
        return;
    if (!str_to_u64(jdoc_raw(v), &ms) || ms < TRANSITION_MIN_MS || ms > CONTROL_KEY_OVERLAP_MAX_US / 1000) {
        job_fail(g->job, ERR_BAD_PARAMETER, STR("key_transition_period_ms"),
                 STR("it is a number of milliseconds, from half an hour (1800000) to 90 days"));
        return;
    }
    w->overlap_store = (int64_t)ms * 1000;
    w->overlap_us = &w->overlap_store;
}

static void read_rotation(struct given *g, struct wishes *w)
{
    struct jval policy = given_member(g->root, "rotation_policy");
    if (!jdoc_has(policy) || g->job->status)
        return;
    if (jdoc_has(given_member(policy, "rotation_period")) || jdoc_has(given_member(policy, "next_rotation_at")))
        job_fail(g->job, ERR_BAD_PARAMETER, STR("rotation_policy"),
                 STR("nobody would be there to take the new key; rotate it with POST /v1/api-keys/{id}/rotate"));
    else
        read_transition(g, policy, w);
}

static void read_emails(struct given *g, struct wishes *w)
{
    struct jval list = given_member(g->root, "alert_emails");
    struct buf text;
    if (!jdoc_has(list) || g->job->status)
        return;
    if (jdoc_kind(list) != JDOC_ARRAY) {
        job_fail(g->job, ERR_BAD_PARAMETER, STR("alert_emails"), STR("it must be an array of strings"));
        return;
    }
    buf_init(&text, 4096);
    bool ok = true;
    for (struct jval v = jdoc_first(list); ok && jdoc_has(v); v = jdoc_next(list, v))
        ok = (!buf_size(&text) || buf_add_byte(&text, ',')) && buf_add_str(&text, jdoc_text(v, g->job->arena));
    w->alert_emails = ok ? arena_dup(g->job->arena, buf_str(&text)) : (struct str){NULL, 0};
    if (!w->alert_emails.p)
        job_fail(g->job, ERR_BAD_PARAMETER, STR("alert_emails"), STR("it is too long"));
    buf_free(&text);
}

/* False when the job was answered. */
static bool read_wishes(struct given *g, struct wishes *w)
{
    bool reset = false;
    *w = (struct wishes){0};
    w->name = given_text(g, g->root, "name");
    w->description = given_text(g, g->root, "description");
    w->expires_us = given_expiry(g, g->root, "expires_at", &w->expires_store);
    w->reset_usage = given_bool(g, g->root, "reset_usage", &reset) && reset;
    if (!g->job->status)
        read_scopes(g, w);
    if (!g->job->status)
        read_defaults(g, w);
    read_rotation(g, w);
    read_emails(g, w);
    return g->job->status == 0 && portkey_limits_read(g, g->root, &w->limits);
}

/* The person that `user_id` names, by number or address. False when the job was answered. */
static bool read_person(struct given *g, int64_t *ret_id)
{
    struct job *j = g->job;
    struct str who = given_text(g, g->root, "user_id");
    struct control_why why = {.param = "user_id"};
    struct member m;
    uint64_t id = 0;
    if (j->status)
        return false;
    if (!who.n) {
        job_fail(j, ERR_MISSING_PARAMETER, STR("user_id"), STR("a user's key needs the user"));
        return false;
    }
    enum err e = str_to_u64(who, &id) && id <= INT64_MAX ? member_find(control_of(j), (int64_t)id, j->arena, &m, &why)
                                                         : member_find_email(control_of(j), who, j->arena, &m, &why);
    if (!fail(j, e, &why))
        return false;
    *ret_id = m.id;
    if (!may_hold(j, m.id))
        job_fail(j, ERR_FORBIDDEN, STR("user_id"), STR("a person's key is made by them or by an owner"));
    return j->status == 0;
}

static enum err create(struct job *j, const struct wishes *w, struct kind kind, int64_t workspace_id, int64_t member_id,
                       struct control_key *ret_row, struct secret *ret_text, struct control_why *why)
{
    struct control_why ignored = {.param = ""};
    const struct control_key_spec spec = {
        .name = w->name.p ? w->name : STR(""),
        .role = KIND_ROLE_MEMBER,
        .record_bodies = KIND_BODIES_DEFAULT,
        .expires_us = w->expires_us ? *w->expires_us : 0,
        .scopes = w->scopes ? *w->scopes : SNAPSHOT_SCOPES_ALL,
        .config = w->config.p ? w->config : STR(""),
        .config_fixed = w->config_fixed && *w->config_fixed,
        .metadata = w->metadata.p ? w->metadata : STR(""),
        .member_id = member_id,
        .of_organization = kind.organization,
        .description = w->description.p ? w->description : STR(""),
        .alert_emails = w->alert_emails.p ? w->alert_emails : STR(""),
        .overlap_us = w->overlap_us ? *w->overlap_us : 0,
    };
    enum err e = control_key_create(control_of(j), workspace_id, &spec, j->arena, ret_row, ret_text, why);
    if (e != ERR_OK)
        return e;
    const struct rule_place place = place_of(ret_row);
    e = portkey_limits_put(j, &place, &w->limits, why);
    if (e != ERR_OK && control_key_revoke(control_of(j), workspace_id, ret_row->public_id, &ignored) != ERR_OK)
        *why = ignored;
    return e;
}

static void reply_key(struct job *j, struct str id, const struct secret *text, const int64_t *until_us)
{
    job_reply_json(j, 200);
    json_write_object(&j->json);
    json_write_member_string(&j->json, "id", id);
    json_write_member_string(&j->json, "key", secret_reveal(text));
    if (until_us)
        output_time(&j->json, "key_transition_expires_at", *until_us);
    json_write_member_string(&j->json, "object", STR("api-key"));
    json_write_object_end(&j->json);
}

/* Nobody can present the key before its limits are in force. */
static void create_held(struct job *j, const struct wishes *w, struct kind kind, int64_t workspace_id,
                        int64_t member_id)
{
    struct control_key row;
    struct control_why why = {.param = ""}, late = {.param = ""};
    struct secret text = {0};
    control_hold(control_of(j));
    enum err e = create(j, w, kind, workspace_id, member_id, &row, &text, &why);
    enum err released = control_release(control_of(j), &late);
    if (fail(j, e, &why) && fail(j, released, &late))
        reply_key(j, row.public_id, &text, NULL);
    secret_wipe(&text);
}

static void create_kind(struct job *j, bool organization)
{
    struct given g;
    struct wishes w;
    int64_t workspace_id = 0, member_id = 0;
    struct kind kind = {organization, str_eq(j->params[0], STR("user"))};
    if (!kind.person && !str_eq(j->params[0], STR("service"))) {
        job_fail(j, ERR_NOT_FOUND, STR("type"), STR("keys are a service's or a user's"));
        return;
    }
    if (!may(j, kind, CREATE)) {
        job_fail(j, ERR_FORBIDDEN, STR(""), STR("your key has no scope for keys of this kind"));
        return;
    }
    if (!given_begin(&g, j))
        return;
    if (read_wishes(&g, &w) && check_scopes(j, w.scopes) &&
        given_workspace(j, given_text(&g, g.root, "workspace_id"), &workspace_id) &&
        (!kind.person || read_person(&g, &member_id)))
        create_held(j, &w, kind, workspace_id, member_id);
    given_end(&g);
}

void portkey_keys_workspace(struct job *j)
{
    create_kind(j, false);
}

void portkey_keys_organisation(struct job *j)
{
    create_kind(j, true);
}

static enum err update(struct job *j, const struct control_key *row, const struct wishes *w, struct control_why *why)
{
    const struct control_key_change change = {
        .name = w->name.p ? &w->name : NULL,
        .expires_us = w->expires_us,
        .scopes = w->scopes,
        .config = w->config.p ? &w->config : NULL,
        .config_fixed = w->config_fixed,
        .metadata = w->metadata.p ? &w->metadata : NULL,
        .description = w->description.p ? &w->description : NULL,
        .alert_emails = w->alert_emails.p ? &w->alert_emails : NULL,
        .overlap_us = w->overlap_us,
    };
    const struct rule_place place = place_of(row);
    enum err e = control_key_update(control_of(j), row->workspace_id, row->public_id, &change, why);
    if (e == ERR_OK)
        e = portkey_limits_put(j, &place, &w->limits, why);
    if (e == ERR_OK && w->reset_usage)
        e = rule_reset_place(control_of(j), &place, why);
    return e;
}

void portkey_keys_update(struct job *j)
{
    struct given g;
    struct wishes w;
    struct control_key row;
    struct control_why why = {.param = ""};
    if (!find(j, UPDATE, &row) || !given_begin(&g, j))
        return;
    if (read_wishes(&g, &w) && (!w.scopes || check_scopes(j, w.scopes)) && fail(j, update(j, &row, &w, &why), &why))
        job_reply_bytes(j, 200, STR("application/json"), STR("{}"));
    given_end(&g);
}

void portkey_keys_rotate(struct job *j)
{
    struct given g;
    struct wishes w = {0};
    struct control_key row;
    struct control_why why = {.param = ""};
    struct secret text = {0};
    int64_t until_us = 0;
    if (!find(j, ROTATE, &row) || !given_begin(&g, j))
        return;
    read_transition(&g, g.root, &w);
    if (!j->status && fail(j,
                           control_key_rotate(control_of(j), row.workspace_id, row.public_id,
                                              w.overlap_us ? *w.overlap_us : -1, &text, &until_us, &why),
                           &why))
        reply_key(j, row.public_id, &text, &until_us);
    secret_wipe(&text);
    given_end(&g);
}

void portkey_keys_delete(struct job *j)
{
    struct control_key row;
    struct control_why why = {.param = ""};
    if (find(j, DELETE, &row) &&
        fail(j, control_key_revoke(control_of(j), row.workspace_id, row.public_id, &why), &why))
        job_reply_bytes(j, 200, STR("application/json"), STR("{}"));
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys in the database. Reads give rows in the caller's arena; changes read the row, change the copy,
 * and write the whole of it back, inside one transaction.
 */
#include "control/control_key.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/must.h"
#include "control/control_inner.h"
#include "control/control_text.h"
#include "control/people/audit.h"
#include "control/people/people_inner.h"

#define NAME_MAX_BYTES 100
#define LIST_MAX 1000
#define ID_TRIES 8
#define DESCRIPTION_MAX 500
#define EMAILS_MAX 10
/* A key's row is small; this is for those that are read only to be changed. */
#define ROW_ARENA 1024
#define ROW_ARENA_MAX 65536
#define SCOPES_TEXT_MAX 4096

#define KEY_COLUMNS                                                                                                 \
    "id, workspace_id, member_id, public_id, name, last, role, record_bodies, is_admin_key, disabled, expires_us, " \
    "revoked_us, created_us, updated_us, scopes, config_fixed, metadata, "                                          \
    "(SELECT slug FROM config WHERE config.id = api_key.config_id), of_organization, description, alert_emails, "   \
    "overlap_us, previous_until_us"

/* ---- rows ---- */

/* ERR_CORRUPT for values that cannot be; ERR_OVERLOADED when the arena is full. */
static enum err read_row(struct store_stmt *st, struct arena *a, struct control_key *k, struct control_why *why)
{
    *k = (struct control_key){
        .id = store_i64(st, 0),
        .workspace_id = store_i64(st, 1),
        .member_id = store_i64(st, 2),
        .public_id = arena_dup(a, store_text(st, 3)),
        .name = arena_dup(a, store_text(st, 4)),
        .is_admin_key = store_i64(st, 8) != 0,
        .disabled = store_i64(st, 9) != 0,
        .expires_us = store_i64(st, 10),
        .revoked_us = store_i64(st, 11),
        .created_us = store_i64(st, 12),
        .updated_us = store_i64(st, 13),
        .config_fixed = store_i64(st, 15) != 0,
        .metadata = arena_dup(a, store_text(st, 16)),
        .config = arena_dup(a, store_text(st, 17)),
        .of_organization = store_i64(st, 18) != 0,
        .description = arena_dup(a, store_text(st, 19)),
        .alert_emails = arena_dup(a, store_text(st, 20)),
        .overlap_us = store_i64(st, 21),
        .previous_until_us = store_i64(st, 22),
    };
    struct str unknown;
    str_copy(k->last, sizeof k->last, store_text(st, 5));
    if (!kind_role_from(store_text(st, 6), &k->role) || !kind_bodies_from(store_text(st, 7), &k->record_bodies) ||
        !scope_list_read(store_text(st, 14), &k->scopes, &unknown))
        return control_inner_fail(why, ERR_CORRUPT, "", "control.db: row %lld of api_key has a value that cannot be.",
                                  (long long)k->id);
    bool whole = k->public_id.p && k->name.p && k->metadata.p && k->config.p && k->description.p && k->alert_emails.p;
    return whole ? ERR_OK : control_inner_arena_full(why);
}

/* The row with this id; inside a transaction. */
static enum err find(struct control *c, int64_t workspace_id, struct str public_id, struct arena *a,
                     struct control_key *ret_row, struct control_why *why)
{
    struct store_stmt *st;
    struct control_key found;
    bool row;
    enum err e = control_inner_sql(
        c, "SELECT " KEY_COLUMNS " FROM api_key WHERE public_id = ?1 AND workspace_id = ?2 AND kind = 'key'", &st, why);
    if (e != ERR_OK)
        return e;
    store_bind_text(st, 1, public_id);
    store_bind_i64(st, 2, workspace_id);
    e = store_step(st, &row);
    if (e != ERR_OK)
        e = control_inner_store_failed(c, e, why);
    else if (!row)
        e = control_inner_fail(why, ERR_NOT_FOUND, "id", "There is no such key in this workspace.");
    else
        e = read_row(st, a, &found, why);
    store_done(st);
    store_clear(st);
    if (e == ERR_OK)
        *ret_row = found;
    return e;
}

enum err control_key_made(struct control *c, int64_t id, int64_t *ret_us, struct control_why *why)
{
    struct store_stmt *st;
    enum err e = control_inner_begin_read(c, why);
    if (e != ERR_OK)
        return e;
    e = control_inner_sql(c, "SELECT created_us FROM api_key WHERE id = ?1", &st, why);
    if (e == ERR_OK) {
        store_bind_i64(st, 1, id);
        e = control_inner_number(c, st, 0, ret_us, why);
    }
    control_inner_end_read(c);
    return e;
}

enum err control_key_find(struct control *c, int64_t workspace_id, struct str public_id, struct arena *a,
                          struct control_key *ret_row, struct control_why *why)
{
    enum err e = control_inner_begin_read(c, why);
    if (e != ERR_OK)
        return e;
    e = find(c, workspace_id, public_id, a, ret_row, why);
    control_inner_end_read(c);
    return e;
}

static enum err list(struct control *c, struct store_stmt *st, struct arena *a, struct control_key *rows, size_t cap,
                     size_t *ret_count, struct control_why *why)
{
    bool row = true;
    size_t n = 0;
    enum err e = ERR_OK;
    while (e == ERR_OK && row && n < cap) {
        e = store_step(st, &row);
        if (e != ERR_OK)
            e = control_inner_store_failed(c, e, why);
        else if (row)
            e = read_row(st, a, &rows[n++], why);
    }
    store_done(st);
    store_clear(st);
    *ret_count = n;
    return e;
}

enum err control_key_list(struct control *c, int64_t workspace_id, int64_t after_id, size_t limit, struct arena *a,
                          struct control_key **ret_rows, size_t *ret_count, struct control_why *why)
{
    struct store_stmt *st;
    size_t cap = limit < LIST_MAX ? limit : LIST_MAX, count = 0;
    struct control_key *rows = arena_alloc(a, (cap + 1) * sizeof *rows);
    if (!rows)
        return control_inner_arena_full(why);
    enum err e = control_inner_begin_read(c, why);
    if (e != ERR_OK)
        return e;
    e = control_inner_sql(c,
                          "SELECT " KEY_COLUMNS
                          " FROM api_key WHERE workspace_id = ?1 AND id > ?2 AND kind = 'key' ORDER BY id LIMIT ?3",
                          &st, why);
    if (e == ERR_OK) {
        store_bind_i64(st, 1, workspace_id);
        store_bind_i64(st, 2, after_id);
        store_bind_i64(st, 3, (int64_t)cap);
        e = list(c, st, a, rows, cap, &count, why);
    }
    control_inner_end_read(c);
    if (e != ERR_OK)
        return e;
    *ret_rows = rows;
    *ret_count = count;
    return ERR_OK;
}

enum err control_key_list_of(struct control *c, int64_t member_id, int64_t service_account_id, struct arena *a,
                             struct control_key **ret_rows, size_t *ret_count, struct control_why *why)
{
    struct store_stmt *st;
    size_t count = 0;
    struct control_key *rows = arena_alloc(a, LIST_MAX * sizeof *rows);
    if (!rows)
        return control_inner_arena_full(why);
    enum err e = control_inner_begin_read(c, why);
    if (e != ERR_OK)
        return e;
    e = control_inner_sql(c,
                          "SELECT " KEY_COLUMNS " FROM api_key WHERE kind = 'key' AND "
                          "(member_id = ?1 OR service_account_id = ?2) ORDER BY id LIMIT ?3",
                          &st, why);
    if (e == ERR_OK) {
        store_bind_i64(st, 1, member_id);
        store_bind_i64(st, 2, service_account_id);
        store_bind_i64(st, 3, LIST_MAX);
        e = list(c, st, a, rows, LIST_MAX, &count, why);
    }
    control_inner_end_read(c);
    if (e != ERR_OK)
        return e;
    *ret_rows = rows;
    *ret_count = count;
    return ERR_OK;
}

/* ---- checks ---- */

static enum err check_name(struct str name, struct control_why *why)
{
    if (control_text_is_name(name, NAME_MAX_BYTES))
        return ERR_OK;
    return control_inner_fail(why, name.n ? ERR_BAD_PARAMETER : ERR_MISSING_PARAMETER, "name",
                              "A key's name has 1 to %d bytes of UTF-8 without control characters.", NAME_MAX_BYTES);
}

static enum err check_expiry(int64_t expires_us, struct control_why *why)
{
    if (expires_us == 0 || expires_us > clock_wall_us())
        return ERR_OK;
    return control_inner_fail(why, ERR_BAD_PARAMETER, "expires_at", "The expiry must lie in the future.");
}

static enum err check_metadata(struct str metadata, struct control_why *why)
{
    const char *fault = metadata.n ? control_text_metadata_fault(metadata) : NULL;
    return fault ? control_inner_fail(why, ERR_BAD_PARAMETER, "metadata", "%s", fault) : ERR_OK;
}

static enum err check_notes(struct str description, struct str emails, int64_t overlap_us, struct control_why *why)
{
    struct str part;
    int count = 0;
    if (description.n && !control_text_is_name(description, DESCRIPTION_MAX))
        return control_inner_fail(why, ERR_BAD_PARAMETER, "description",
                                  "A description has at most %d bytes of UTF-8 without control characters.",
                                  DESCRIPTION_MAX);
    while (emails.n && str_split(&emails, ',', &part))
        if (++count > EMAILS_MAX || !control_text_is_visible(part, 254) || str_find(part, '@') < 1)
            return control_inner_fail(why, ERR_BAD_PARAMETER, "alert_emails", "Give at most %d addresses.", EMAILS_MAX);
    if (overlap_us < 0 || overlap_us > CONTROL_KEY_OVERLAP_MAX_US)
        return control_inner_fail(why, ERR_BAD_PARAMETER, "key_transition_period_ms",
                                  "A rotated key is good for at most 90 days more.");
    return ERR_OK;
}

/* What requests need, and a key of the organization does not have. */
#define SERVING_SCOPES                                                                        \
    (SCOPE_BIT(SNAPSHOT_SCOPE_COMPLETIONS_WRITE) | SCOPE_BIT(SNAPSHOT_SCOPE_PROMPTS_RENDER) | \
     SCOPE_BIT(SNAPSHOT_SCOPE_GUARDRAILS_INVOKE) | SCOPE_BIT(SNAPSHOT_SCOPE_MCP_INVOKE))

static enum err fit_scopes(bool of_organization, scope_set *scopes, struct control_why *why)
{
    scope_set every = ((scope_set)1 << SNAPSHOT_SCOPE_COUNT) - 1;
    if (!of_organization)
        return ERR_OK;
    if (*scopes == 0 || *scopes == SNAPSHOT_SCOPES_ALL)
        *scopes = every & ~SERVING_SCOPES;
    if (*scopes & SERVING_SCOPES)
        return control_inner_fail(why, ERR_BAD_PARAMETER, "scopes",
                                  "A key of the organization administers; it cannot have completions.write or other "
                                  "scopes that requests need.");
    return ERR_OK;
}

/* The id of the workspace's config with this slug, 0 for "". Inside a transaction. */
static enum err find_config(struct control *c, int64_t workspace_id, struct str slug, int64_t *ret_id,
                            struct control_why *why)
{
    struct store_stmt *st;
    *ret_id = 0;
    if (!slug.n)
        return ERR_OK;
    enum err e = control_inner_sql(c, "SELECT id FROM config WHERE slug = ?1 AND workspace_id = ?2 AND deleted_us = 0",
                                   &st, why);
    if (e != ERR_OK)
        return e;
    store_bind_text(st, 1, slug);
    store_bind_i64(st, 2, workspace_id);
    e = control_inner_number(c, st, 0, ret_id, why);
    if (e == ERR_OK && *ret_id == 0)
        e = control_inner_fail(why, ERR_BAD_PARAMETER, "config", "There is no config %.*s in this workspace.",
                               STR_ARG(str_head(slug, 80)));
    return e;
}

static void bind_scopes(struct store_stmt *st, int at, scope_set scopes, struct buf *text)
{
    buf_init(text, SCOPES_TEXT_MAX);
    bool ok = scope_list_write(scopes ? scopes : SNAPSHOT_SCOPES_ALL, text);
    must(ok); /* all names together are shorter */
    store_bind_text(st, at, buf_str(text));
}

/* Somebody must be able to get in tomorrow. After the change, inside its transaction. */
enum err control_inner_check_owner_key(struct control *c, struct control_why *why)
{
    struct store_stmt *st;
    int64_t left = 0;
    enum err e = control_inner_sql(c,
                                   "SELECT count(*) FROM api_key k JOIN workspace w ON w.id = k.workspace_id "
                                   "WHERE k.role = 'owner' AND k.disabled = 0 AND k.revoked_us = 0 "
                                   "AND k.expires_us = 0 AND w.deleted_us = 0 AND k.kind = 'key' AND k.scopes = '' "
                                   "AND (k.member_id IS NULL OR EXISTS (SELECT 1 FROM member m "
                                   "WHERE m.id = k.member_id AND m.role = 'owner' AND m.deleted_us = 0))",
                                   &st, why);
    if (e == ERR_OK)
        e = control_inner_number(c, st, 0, &left, why);
    if (e == ERR_OK && left == 0)
        e = control_inner_fail(why, ERR_LAST_OWNER, "id",
                               "This is the last owner key that is enabled and does not expire; make another first.");
    return e;
}

/* ---- the audit log ---- */

static void describe(struct json_write *w, const void *object)
{
    const struct control_key *k = object;
    struct buf scopes;
    json_write_member_string(w, "name", k->name);
    json_write_member_string(w, "role", str_c(kind_role_text(k->role)));
    json_write_member_string(w, "last4", str_c(k->last));
    json_write_member_string(w, "record_bodies", str_c(kind_bodies_text(k->record_bodies)));
    json_write_member_bool(w, "disabled", k->disabled);
    json_write_member_int(w, "expires_us", k->expires_us);
    json_write_member_int(w, "revoked_us", k->revoked_us);
    buf_init(&scopes, SCOPES_TEXT_MAX);
    if (scope_list_write(k->scopes ? k->scopes : SNAPSHOT_SCOPES_ALL, &scopes))
        json_write_member_text(w, "scopes", buf_str(&scopes));
    buf_free(&scopes);
    json_write_member_text(w, "config", k->config);
    json_write_member_bool(w, "config_fixed", k->config_fixed);
    json_write_member_bool(w, "of_organization", k->of_organization);
    json_write_member_text(w, "description", k->description);
    json_write_member_text(w, "alert_emails", k->alert_emails);
    json_write_member_int(w, "previous_until_us", k->previous_until_us);
    if (k->metadata.n)
        json_write_member_raw(w, "metadata", k->metadata);
}

/* `before` may be NULL. */
static enum err note(struct control *c, const char *action, const struct control_key *before,
                     const struct control_key *after, struct control_why *why)
{
    struct audit_change change = {
        .workspace_id = after->workspace_id, .action = action, .object_type = "key", .object_id = after->public_id};
    return audit_note_objects(c, &change, describe, before, after, why);
}

/* ---- changes ---- */

/* An id that no key has. */
static enum err fresh_id(struct control *c, char out[APIKEY_ID_LEN], struct control_why *why)
{
    int64_t taken = 1;
    enum err e = ERR_OK;
    for (int i = 0; e == ERR_OK && taken && i < ID_TRIES; i++) {
        struct store_stmt *st;
        apikey_make_id(out);
        e = control_inner_sql(c, "SELECT 1 FROM api_key WHERE public_id = ?1", &st, why);
        if (e != ERR_OK)
            return e;
        store_bind_text(st, 1, str_of(out, APIKEY_ID_LEN));
        e = control_inner_number(c, st, 0, &taken, why);
    }
    must(e != ERR_OK || !taken); /* 62^8 ids: eight hits in a row is no chance */
    return e;
}

enum err control_inner_insert_key(struct control *c, const struct control_inner_key *key, int64_t *ret_id,
                                  struct control_why *why)
{
    struct store_stmt *st;
    struct buf scopes;
    unsigned char hash[APIKEY_HASH_BYTES];
    char public_id[APIKEY_ID_LEN], last[APIKEY_LAST + 1];
    enum err e = fresh_id(c, public_id, why);
    if (e == ERR_OK)
        e = control_inner_sql(
            c,
            "INSERT INTO api_key(public_id, workspace_id, member_id, name, role, hash, last, "
            "is_admin_key, record_bodies, expires_us, created_us, updated_us, scopes, "
            "config_id, config_fixed, metadata, of_organization, description, alert_emails, overlap_us) "
            "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?11, ?12, ?13, ?14, ?15, ?16, "
            "?17, ?18, ?19)",
            &st, why);
    if (e != ERR_OK)
        return e;
    bool hashed = apikey_hash((const unsigned char *)secret_reveal(&c->pepper).p, key->text, hash);
    must(hashed);
    apikey_last(key->text, last);
    store_bind_text(st, 1, str_of(public_id, sizeof public_id));
    store_bind_i64(st, 2, key->workspace_id);
    if (key->member_id != 0)
        store_bind_i64(st, 3, key->member_id);
    store_bind_text(st, 4, key->name);
    store_bind_text(st, 5, str_c(kind_role_text(key->role)));
    store_bind_blob(st, 6, str_of((const char *)hash, sizeof hash));
    store_bind_text(st, 7, str_c(last));
    store_bind_i64(st, 8, key->is_admin_key);
    store_bind_text(st, 9, str_c(kind_bodies_text(key->record_bodies)));
    store_bind_i64(st, 10, key->expires_us);
    store_bind_i64(st, 11, clock_wall_us());
    bind_scopes(st, 12, key->scopes, &scopes);
    if (key->config_id != 0)
        store_bind_i64(st, 13, key->config_id);
    store_bind_i64(st, 14, key->config_fixed);
    store_bind_text(st, 15, key->metadata.p ? key->metadata : STR(""));
    store_bind_i64(st, 16, key->of_organization);
    store_bind_text(st, 17, key->description.p ? key->description : STR(""));
    store_bind_text(st, 18, key->alert_emails.p ? key->alert_emails : STR(""));
    store_bind_i64(st, 19, key->overlap_us);
    e = control_inner_run(c, st, why);
    buf_free(&scopes);
    if (e == ERR_OK)
        *ret_id = store_last_id(c->db);
    return e;
}

static enum err create(struct control *c, struct control_inner_key *key, struct str config, int64_t service_account_id,
                       struct arena *a, struct control_key *ret_row, struct control_why *why)
{
    struct store_stmt *st;
    int64_t id = 0;
    bool row;
    enum err e = control_inner_need_workspace(c, key->workspace_id, why);
    if (e == ERR_OK)
        e = find_config(c, key->workspace_id, config, &key->config_id, why);
    if (e == ERR_OK)
        e = people_inner_holder(c, key->workspace_id, key->member_id, service_account_id, &key->role, why);
    if (e == ERR_OK)
        e = control_inner_insert_key(c, key, &id, why);
    if (e == ERR_OK && service_account_id)
        e = people_inner_run(c, "UPDATE api_key SET service_account_id = ?2 WHERE id = ?1", id, service_account_id,
                             why);
    if (e == ERR_OK)
        e = control_inner_sql(c, "SELECT " KEY_COLUMNS " FROM api_key WHERE id = ?1", &st, why);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, id);
    e = store_step(st, &row);
    if (e != ERR_OK) {
        e = control_inner_store_failed(c, e, why);
    } else {
        must(row);
        e = read_row(st, a, ret_row, why);
    }
    store_done(st);
    store_clear(st);
    return e == ERR_OK ? note(c, "key.create", NULL, ret_row, why) : e;
}

enum err control_key_create(struct control *c, int64_t workspace_id, const struct control_key_spec *spec,
                            struct arena *a, struct control_key *ret_row, struct secret *ret_key,
                            struct control_why *why)
{
    struct secret text = {0};
    struct control_key made;
    enum err e = check_name(spec->name, why);
    if (e == ERR_OK)
        e = check_expiry(spec->expires_us, why);
    if (e == ERR_OK)
        e = check_metadata(spec->metadata, why);
    if (e == ERR_OK)
        e = check_notes(spec->description, spec->alert_emails, spec->overlap_us, why);
    scope_set scopes = spec->scopes;
    if (e == ERR_OK)
        e = fit_scopes(spec->of_organization, &scopes, why);
    if (e == ERR_OK)
        e = control_inner_begin(c, why);
    if (e != ERR_OK)
        return e;
    apikey_make(&text);
    struct control_inner_key key = {
        .workspace_id = workspace_id,
        .member_id = spec->member_id,
        .name = spec->name,
        .role = spec->of_organization ? KIND_ROLE_OWNER : spec->role,
        .record_bodies = spec->record_bodies,
        .expires_us = spec->expires_us,
        .text = secret_reveal(&text),
        .scopes = scopes,
        .config_fixed = spec->config_fixed,
        .metadata = spec->metadata,
        .of_organization = spec->of_organization,
        .description = spec->description,
        .alert_emails = spec->alert_emails,
        .overlap_us = spec->overlap_us,
    };
    e = control_inner_end(c, create(c, &key, spec->config, spec->service_account_id, a, &made, why), why);
    if (e == ERR_OK) {
        *ret_row = made;
        secret_set(ret_key, secret_reveal(&text));
    }
    secret_wipe(&text);
    return e;
}

static enum err write_row(struct control *c, const struct control_key *k, bool was_owner, struct control_why *why)
{
    struct store_stmt *st;
    struct buf scopes;
    int64_t config_id;
    enum err e = find_config(c, k->workspace_id, k->config, &config_id, why);
    if (e == ERR_OK)
        e = control_inner_sql(
            c,
            "UPDATE api_key SET name = ?2, role = ?3, record_bodies = ?4, disabled = ?5, "
            "expires_us = ?6, revoked_us = ?7, updated_us = ?8, scopes = ?9, config_id = ?10, "
            "config_fixed = ?11, metadata = ?12, description = ?13, alert_emails = ?14, overlap_us = ?15 "
            "WHERE id = ?1",
            &st, why);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, k->id);
    store_bind_text(st, 2, k->name);
    store_bind_text(st, 3, str_c(kind_role_text(k->role)));
    store_bind_text(st, 4, str_c(kind_bodies_text(k->record_bodies)));
    store_bind_i64(st, 5, k->disabled);
    store_bind_i64(st, 6, k->expires_us);
    store_bind_i64(st, 7, k->revoked_us);
    store_bind_i64(st, 8, clock_wall_us());
    bind_scopes(st, 9, k->scopes, &scopes);
    if (config_id != 0)
        store_bind_i64(st, 10, config_id);
    store_bind_i64(st, 11, k->config_fixed);
    store_bind_text(st, 12, k->metadata);
    store_bind_text(st, 13, k->description);
    store_bind_text(st, 14, k->alert_emails);
    store_bind_i64(st, 15, k->overlap_us);
    e = control_inner_run(c, st, why);
    buf_free(&scopes);
    return e == ERR_OK && was_owner ? control_inner_check_owner_key(c, why) : e;
}

static void put_changes(const struct control_key_change *change, struct control_key *k)
{
    if (change->name)
        k->name = *change->name;
    if (change->role)
        k->role = *change->role;
    if (change->record_bodies)
        k->record_bodies = *change->record_bodies;
    if (change->expires_us)
        k->expires_us = *change->expires_us;
    if (change->disabled)
        k->disabled = *change->disabled;
    if (change->scopes)
        k->scopes = *change->scopes;
    if (change->config)
        k->config = *change->config;
    if (change->config_fixed)
        k->config_fixed = *change->config_fixed;
    if (change->metadata)
        k->metadata = *change->metadata;
    if (change->description)
        k->description = *change->description;
    if (change->alert_emails)
        k->alert_emails = *change->alert_emails;
    if (change->overlap_us)
        k->overlap_us = *change->overlap_us;
}

static enum err update(struct control *c, int64_t workspace_id, struct str public_id,
                       const struct control_key_change *change, struct arena *a, struct control_why *why)
{
    struct control_key k, before;
    enum err e = find(c, workspace_id, public_id, a, &k, why);
    if (e != ERR_OK)
        return e;
    before = k;
    if (k.revoked_us != 0)
        return control_inner_fail(why, ERR_KEY_REVOKED, "id", "This key is revoked; it stays as it is.");
    bool was_owner = k.role == KIND_ROLE_OWNER;
    put_changes(change, &k);
    e = fit_scopes(k.of_organization, &k.scopes, why);
    if (e == ERR_OK)
        e = check_notes(k.description, k.alert_emails, k.overlap_us, why);
    if (e == ERR_OK)
        e = write_row(c, &k, was_owner, why);
    return e == ERR_OK ? note(c, "key.update", &before, &k, why) : e;
}

enum err control_key_update(struct control *c, int64_t workspace_id, struct str public_id,
                            const struct control_key_change *change, struct control_why *why)
{
    enum err e = change->name ? check_name(*change->name, why) : ERR_OK;
    if (e == ERR_OK && change->expires_us)
        e = check_expiry(*change->expires_us, why);
    if (e == ERR_OK && change->metadata)
        e = check_metadata(*change->metadata, why);
    if (e == ERR_OK)
        e = control_inner_begin(c, why);
    if (e != ERR_OK)
        return e;
    struct arena *a = arena_new(ROW_ARENA, ROW_ARENA_MAX);
    e = control_inner_end(c, update(c, workspace_id, public_id, change, a, why), why);
    arena_free(a);
    return e;
}

/* The hash that was moves to `previous_hash`. */
static enum err write_hash(struct control *c, struct control_key *k, struct str text, struct control_why *why)
{
    struct store_stmt *st;
    unsigned char hash[APIKEY_HASH_BYTES];
    enum err e = control_inner_sql(c,
                                   "UPDATE api_key SET previous_hash = CASE WHEN ?4 = 0 THEN x'' ELSE hash END, "
                                   "hash = ?2, last = ?3, previous_until_us = ?4, updated_us = ?5 WHERE id = ?1",
                                   &st, why);
    if (e != ERR_OK)
        return e;
    bool hashed = apikey_hash((const unsigned char *)secret_reveal(&c->pepper).p, text, hash);
    must(hashed);
    apikey_last(text, k->last);
    store_bind_i64(st, 1, k->id);
    store_bind_blob(st, 2, str_of((const char *)hash, sizeof hash));
    store_bind_text(st, 3, str_c(k->last));
    store_bind_i64(st, 4, k->previous_until_us);
    store_bind_i64(st, 5, clock_wall_us());
    return control_inner_run(c, st, why);
}

static enum err rotate(struct control *c, int64_t workspace_id, struct str public_id, int64_t overlap_us,
                       struct str text, struct arena *a, int64_t *ret_until_us, struct control_why *why)
{
    struct control_key k, before;
    enum err e = find(c, workspace_id, public_id, a, &k, why);
    if (e != ERR_OK)
        return e;
    if (k.revoked_us != 0)
        return control_inner_fail(why, ERR_KEY_REVOKED, "id", "This key is revoked; it stays as it is.");
    if (k.is_admin_key)
        return control_inner_fail(why, ERR_BAD_PARAMETER, "id",
                                  "This is the key of TOLLGATE_ADMIN_KEY or admin.key; change it there.");
    before = k;
    if (overlap_us < 0)
        overlap_us = k.overlap_us ? k.overlap_us : CONTROL_KEY_OVERLAP_US;
    k.previous_until_us = overlap_us ? clock_wall_us() + overlap_us : 0;
    if (k.previous_until_us && k.expires_us && k.expires_us < k.previous_until_us)
        k.previous_until_us = k.expires_us;
    *ret_until_us = k.previous_until_us;
    e = write_hash(c, &k, text, why);
    return e == ERR_OK ? note(c, "key.rotate", &before, &k, why) : e;
}

enum err control_key_rotate(struct control *c, int64_t workspace_id, struct str public_id, int64_t overlap_us,
                            struct secret *ret_key, int64_t *ret_until_us, struct control_why *why)
{
    struct secret text = {0};
    enum err e = check_notes(STR(""), STR(""), overlap_us < 0 ? 0 : overlap_us, why);
    if (e == ERR_OK)
        e = control_inner_begin(c, why);
    if (e != ERR_OK)
        return e;
    struct arena *a = arena_new(ROW_ARENA, ROW_ARENA_MAX);
    apikey_make(&text);
    e = control_inner_end(c, rotate(c, workspace_id, public_id, overlap_us, secret_reveal(&text), a, ret_until_us, why),
                          why);
    if (e == ERR_OK)
        secret_set(ret_key, secret_reveal(&text));
    secret_wipe(&text);
    arena_free(a);
    return e;
}

static enum err revoke(struct control *c, int64_t workspace_id, struct str public_id, struct arena *a,
                       struct control_why *why)
{
    struct control_key k, before;
    enum err e = find(c, workspace_id, public_id, a, &k, why);
    if (e != ERR_OK || k.revoked_us != 0)
        return e;
    before = k;
    k.revoked_us = clock_wall_us();
    e = write_row(c, &k, k.role == KIND_ROLE_OWNER, why);
    return e == ERR_OK ? note(c, "key.revoke", &before, &k, why) : e;
}

enum err control_key_revoke(struct control *c, int64_t workspace_id, struct str public_id, struct control_why *why)
{
    enum err e = control_inner_begin(c, why);
    if (e != ERR_OK)
        return e;
    struct arena *a = arena_new(ROW_ARENA, ROW_ARENA_MAX);
    e = control_inner_end(c, revoke(c, workspace_id, public_id, a, why), why);
    arena_free(a);
    return e;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Configs in the database. `config` has what may change and the number of the version in force,
 * `config_version` the sealed texts. A value is sealed for its row, so a version's row is inserted
 * empty first and filled then, inside the same transaction.
 *
 * Texts are compiled outside the lock: a large one takes milliseconds.
 */
#include "control/control_config.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/must.h"
#include "base/rng.h"
#include "control/config/config.h"
#include "control/control_inner.h"
#include "control/control_text.h"
#include "control/crypt.h"
#include "control/people/audit.h"

#define SLUG_PREFIX "pc-"
#define SLUG_RANDOM 12
#define SLUG_LEN (sizeof SLUG_PREFIX - 1 + SLUG_RANDOM)
#define SLUG_TRIES 8
#define ROW_ARENA 1024
#define USERS_NAMED_MAX 3

_Static_assert(CONFIG_TEXT_MAX <= CRYPT_PLAIN_MAX, "every text can be sealed");

#define CONFIG_COLUMNS                                                                            \
    "c.id, c.workspace_id, c.slug, c.name, c.version, c.is_default, c.created_us, c.updated_us, " \
    "(SELECT k.public_id FROM config_version v JOIN api_key k ON k.id = v.made_by "               \
    " WHERE v.config_id = c.id AND v.number = c.version)"

/* ---- rows ---- */

static enum err read_row(struct store_stmt *st, struct arena *a, struct control_config *r, struct control_why *why)
{
    *r = (struct control_config){
        .id = store_i64(st, 0),
        .workspace_id = store_i64(st, 1),
        .slug = arena_dup(a, store_text(st, 2)),
        .name = arena_dup(a, store_text(st, 3)),
        .version = (uint32_t)store_i64(st, 4),
        .is_default = store_i64(st, 5) != 0,
        .created_us = store_i64(st, 6),
        .updated_us = store_i64(st, 7),
        .made_by = arena_dup(a, store_text(st, 8)),
        .text = STR(""),
    };
    return r->slug.p && r->name.p && r->made_by.p ? ERR_OK : control_inner_arena_full(why);
}

/* Inside a transaction. */
static enum err find(struct control *c, int64_t workspace_id, struct str slug, struct arena *a,
                     struct control_config *ret_row, struct control_why *why)
{
    struct store_stmt *st;
    struct control_config found;
    bool row;
    enum err e = control_inner_sql(c,
                                   "SELECT " CONFIG_COLUMNS " FROM config c "
                                   "WHERE c.slug = ?1 AND c.workspace_id = ?2 AND c.deleted_us = 0",
                                   &st, why);
    if (e != ERR_OK)
        return e;
    store_bind_text(st, 1, slug);
    store_bind_i64(st, 2, workspace_id);
    e = store_step(st, &row);
    if (e != ERR_OK)
        e = control_inner_store_failed(c, e, why);
    else if (!row)
        e = control_inner_fail(why, ERR_NOT_FOUND, "slug", "There is no such config in this workspace.");
    else
        e = read_row(st, a, &found, why);
    store_done(st);
    store_clear(st);
    if (e == ERR_OK)
        *ret_row = found;
    return e;
}

/* The text for showing, in the arena; "" when it does not open or is no config any more. */
static enum err open_masked(struct control *c, int64_t workspace_id, int64_t version_id, struct str sealed,
                            struct arena *a, struct str *ret_text, struct control_why *why)
{
    const struct crypt_place place = {"config_version", version_id, "sealed_text"};
    struct secret text = {0};
    struct config *config;
    struct config_errors *errors = mem_zalloc(sizeof *errors);
    enum err e = ERR_OK;
    *ret_text = STR("");
    if (crypt_open(c->crypt, workspace_id, place, sealed, &text) == ERR_OK &&
        config_compile(secret_reveal(&text), &config, errors) == ERR_OK) {
        struct buf masked;
        buf_init(&masked, 2 * CONFIG_TEXT_MAX);
        if (config_masked(config, &masked))
            *ret_text = arena_dup(a, buf_str(&masked));
        if (!ret_text->p)
            e = control_inner_arena_full(why);
        buf_free(&masked);
        config_unref(config);
    }
    secret_wipe(&text);
    mem_free(errors);
    return e;
}

/* The text of the version in force. Inside a transaction. */
static enum err read_text(struct control *c, struct arena *a, struct control_config *r, struct control_why *why)
{
    struct store_stmt *st;
    bool row;
    enum err e = control_inner_sql(c, "SELECT id, sealed_text FROM config_version WHERE config_id = ?1 AND number = ?2",
                                   &st, why);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, r->id);
    store_bind_i64(st, 2, r->version);
    e = store_step(st, &row);
    if (e != ERR_OK)
        e = control_inner_store_failed(c, e, why);
    else if (row)
        e = open_masked(c, r->workspace_id, store_i64(st, 0), store_text(st, 1), a, &r->text, why);
    store_done(st);
    store_clear(st);
    return e;
}

enum err control_config_find(struct control *c, int64_t workspace_id, struct str slug, struct arena *a,
                             struct control_config *ret_row, struct control_why *why)
{
    struct control_config r;
    enum err e = control_inner_begin_read(c, why);
    if (e != ERR_OK)
        return e;
    e = find(c, workspace_id, slug, a, &r, why);
    if (e == ERR_OK)
        e = read_text(c, a, &r, why);
    control_inner_end_read(c);
    if (e == ERR_OK)
        *ret_row = r;
    return e;
}

static enum err list(struct control *c, int64_t workspace_id, struct arena *a, struct control_config *rows,
                     size_t *ret_count, struct control_why *why)
{
    struct store_stmt *st;
    bool row = true;
    size_t n = 0;
    enum err e = control_inner_sql(c,
                                   "SELECT " CONFIG_COLUMNS " FROM config c "
                                   "WHERE c.workspace_id = ?1 AND c.deleted_us = 0 ORDER BY c.id",
                                   &st, why);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, workspace_id);
    while (e == ERR_OK && row && n < CONTROL_CONFIG_MAX) {
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

enum err control_config_list(struct control *c, int64_t workspace_id, struct arena *a, struct control_config **ret_rows,
                             size_t *ret_count, struct control_why *why)
{
    size_t count = 0;
    struct control_config *rows = arena_alloc(a, CONTROL_CONFIG_MAX * sizeof *rows);
    if (!rows)
        return control_inner_arena_full(why);
    enum err e = control_inner_begin_read(c, why);
    if (e != ERR_OK)
        return e;
    e = list(c, workspace_id, a, rows, &count, why);
    control_inner_end_read(c);
    if (e != ERR_OK)
        return e;
    *ret_rows = rows;
    *ret_count = count;
    return ERR_OK;
}

static enum err versions(struct control *c, const struct control_config *r, uint64_t skip, size_t limit,
                         struct arena *a, struct control_config_version *rows, size_t *ret_count,
                         struct control_why *why)
{
    struct store_stmt *st;
    bool row = true;
    size_t n = 0;
    enum err e = control_inner_sql(c,
                                   "SELECT v.id, v.number, v.created_us, v.sealed_text, k.public_id "
                                   "FROM config_version v LEFT JOIN api_key k ON k.id = v.made_by "
                                   "WHERE v.config_id = ?1 ORDER BY v.number DESC LIMIT ?2 OFFSET ?3",
                                   &st, why);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, r->id);
    store_bind_i64(st, 2, (int64_t)limit);
    store_bind_i64(st, 3, (int64_t)skip);
    while (e == ERR_OK && row && n < limit) {
        e = store_step(st, &row);
        if (e != ERR_OK) {
            e = control_inner_store_failed(c, e, why);
        } else if (row) {
            struct control_config_version *v = &rows[n++];
            v->number = (uint32_t)store_i64(st, 1);
            v->created_us = store_i64(st, 2);
            v->made_by = arena_dup(a, store_text(st, 4));
            e = v->made_by.p ? open_masked(c, r->workspace_id, store_i64(st, 0), store_text(st, 3), a, &v->text, why)
                             : control_inner_arena_full(why);
        }
    }
    store_done(st);
    store_clear(st);
    *ret_count = n;
    return e;
}

enum err control_config_versions(struct control *c, int64_t workspace_id, struct str slug, uint64_t skip, size_t limit,
                                 struct arena *a, struct control_config_version **ret_rows, size_t *ret_count,
                                 uint64_t *ret_total, struct control_why *why)
{
    struct control_config r;
    size_t cap = limit < 1000 ? limit : 1000, count = 0;
    struct control_config_version *rows = arena_alloc(a, (cap + 1) * sizeof *rows);
    if (!rows)
        return control_inner_arena_full(why);
    enum err e = control_inner_begin_read(c, why);
    if (e != ERR_OK)
        return e;
    e = find(c, workspace_id, slug, a, &r, why);
    if (e == ERR_OK)
        e = versions(c, &r, skip < INT64_MAX ? skip : INT64_MAX, cap, a, rows, &count, why);
    control_inner_end_read(c);
    if (e != ERR_OK)
        return e;
    *ret_rows = rows;
    *ret_count = count;
    *ret_total = r.version; /* numbers have no gaps */
    return ERR_OK;
}

/* ---- checks ---- */

static enum err check_name(struct str name, struct control_why *why)
{
    if (control_text_is_name(name, CONTROL_CONFIG_NAME_MAX))
        return ERR_OK;
    return control_inner_fail(why, name.n ? ERR_BAD_PARAMETER : ERR_MISSING_PARAMETER, "name",
                              "A config's name has 1 to %d bytes of UTF-8 without control characters.",
                              CONTROL_CONFIG_NAME_MAX);
}

/* "sk********abc" between quotes, as config_masked puts it. */
static bool has_mask(struct str text)
{
    ptrdiff_t at;
    while ((at = str_search(text, STR("********"))) >= 0) {
        size_t start = (size_t)at, end = start + 8;
        while (end < text.n && text.p[end] != '"' && end - start < 12)
            end++;
        for (size_t back = 0; back <= 2 && start >= back + 1; back++)
            if (text.p[start - back - 1] == '"' && end < text.n && text.p[end] == '"')
                return true;
        text = str_from(text, start + 8);
    }
    return false;
}

/* The first errors that fit, one after the other. */
static enum err bad_text(const struct config_errors *errors, struct control_why *why)
{
    char text[sizeof why->text - 64];
    size_t n = 0;
    text[0] = '\0';
    if (errors->not_json)
        return control_inner_fail(why, ERR_BAD_PARAMETER, "config",
                                  "Invalid config passed. You need to pass a valid json");
    for (size_t i = 0; i < errors->n && n < sizeof text; i++) {
        int wrote = snprintf(text + n, sizeof text - n, "%s%s", i ? "; " : "", errors->text[i]);
        n += wrote > 0 ? (size_t)wrote : 0;
    }
    return control_inner_fail(why, ERR_BAD_PARAMETER, "config", "Invalid config passed: %s", text);
}

static enum err check_text(struct str text, struct control_why *why)
{
    struct config *config;
    if (!text.p || !text.n)
        return control_inner_fail(why, ERR_MISSING_PARAMETER, "config", "A config needs its text: a JSON object.");
    if (text.n > CONFIG_TEXT_MAX)
        return control_inner_fail(why, ERR_BAD_PARAMETER, "config", "A config has at most %u bytes.", CONFIG_TEXT_MAX);
    if (has_mask(text))
        return control_inner_fail(
            why, ERR_BAD_PARAMETER, "config",
            "A secret in this config is a mask (********), as it was shown; put the secret itself "
            "there, or keep it in an integration and name that as \"provider\": \"@slug\".");
    struct config_errors *errors = mem_zalloc(sizeof *errors);
    enum err e = config_compile(text, &config, errors);
    if (e == ERR_OK)
        config_unref(config);
    else
        e = bad_text(errors, why);
    mem_free(errors);
    return e;
}

/* ---- the audit log ---- */

/* Not its text: that is in the version, masked when shown. */
static void describe(struct json_write *w, const void *object)
{
    const struct control_config *r = object;
    json_write_member_string(w, "name", r->name);
    json_write_member_uint(w, "version", r->version);
    json_write_member_bool(w, "is_default", r->is_default);
}

/* One of `before` and `after` may be NULL. */
static enum err note(struct control *c, const char *action, const struct control_config *before,
                     const struct control_config *after, struct control_why *why)
{
    const struct control_config *r = after ? after : before;
    struct audit_change change = {
        .workspace_id = r->workspace_id, .action = action, .object_type = "config", .object_id = r->slug};
    return audit_note_objects(c, &change, describe, before, after, why);
}

/* ---- changes ---- */

/* A slug that no config has or had. */
static enum err fresh_slug(struct control *c, char out[SLUG_LEN], struct control_why *why)
{
    static const char digits[32] = "0123456789abcdefghjkmnpqrstvwxyz";
    int64_t taken = 1;
    enum err e = ERR_OK;
    for (int i = 0; e == ERR_OK && taken && i < SLUG_TRIES; i++) {
        struct store_stmt *st;
        unsigned char bytes[SLUG_RANDOM];
        rng_bytes(bytes, sizeof bytes);
        memcpy(out, SLUG_PREFIX, sizeof SLUG_PREFIX - 1);
        for (size_t k = 0; k < SLUG_RANDOM; k++)
            out[sizeof SLUG_PREFIX - 1 + k] = digits[bytes[k] & 31];
        e = control_inner_sql(c, "SELECT 1 FROM config WHERE slug = ?1", &st, why);
        if (e != ERR_OK)
            return e;
        store_bind_text(st, 1, str_of(out, SLUG_LEN));
        e = control_inner_number(c, st, 0, &taken, why);
    }
    must(e != ERR_OK || !taken); /* 2^60 slugs: eight hits in a row is no chance */
    return e;
}

static enum err count_live(struct control *c, int64_t workspace_id, int64_t *ret_count, struct control_why *why)
{
    struct store_stmt *st;
    enum err e =
        control_inner_sql(c, "SELECT count(*) FROM config WHERE workspace_id = ?1 AND deleted_us = 0", &st, why);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, workspace_id);
    return control_inner_number(c, st, 0, ret_count, why);
}

static enum err insert_row(struct control *c, struct control_config *r, struct control_why *why)
{
    struct store_stmt *st;
    enum err e = control_inner_sql(c,
                                   "INSERT INTO config(workspace_id, slug, name, version, created_us, updated_us) "
                                   "VALUES (?1, ?2, ?3, 0, ?4, ?4)",
                                   &st, why);
    if (e != ERR_OK)
        return e;
    r->created_us = clock_wall_us();
    store_bind_i64(st, 1, r->workspace_id);
    store_bind_text(st, 2, r->slug);
    store_bind_text(st, 3, r->name);
    store_bind_i64(st, 4, r->created_us);
    e = control_inner_run(c, st, why);
    r->id = store_last_id(c->db);
    return e;
}

static enum err seal_text(struct control *c, const struct control_config *r, int64_t version_id, struct str text,
                          struct control_why *why)
{
    struct store_stmt *st;
    struct buf sealed;
    enum err e = control_inner_need_data_key(c, r->workspace_id, why);
    if (e == ERR_OK)
        e = control_inner_sql(c, "UPDATE config_version SET sealed_text = ?2 WHERE id = ?1", &st, why);
    if (e != ERR_OK)
        return e;
    const struct crypt_place place = {"config_version", version_id, "sealed_text"};
    buf_init(&sealed, CONFIG_TEXT_MAX + CRYPT_OVERHEAD);
    crypt_seal(c->crypt, r->workspace_id, place, text, &sealed);
    store_bind_i64(st, 1, version_id);
    store_bind_blob(st, 2, buf_str(&sealed));
    e = control_inner_run(c, st, why);
    buf_free(&sealed);
    return e;
}

/* The next version, which is then the one in force. */
static enum err add_version(struct control *c, struct control_config *r, const struct control_config_spec *spec,
                            struct control_why *why)
{
    struct store_stmt *st;
    if (r->version >= CONTROL_CONFIG_VERSIONS_MAX)
        return control_inner_fail(why, ERR_LIMIT_REACHED, "config", "A config has at most %d versions; make a new one.",
                                  CONTROL_CONFIG_VERSIONS_MAX);
    enum err e = control_inner_sql(c,
                                   "INSERT INTO config_version(config_id, number, sealed_text, made_by, created_us) "
                                   "VALUES (?1, ?2, x'', ?3, ?4)",
                                   &st, why);
    if (e != ERR_OK)
        return e;
    r->version++;
    store_bind_i64(st, 1, r->id);
    store_bind_i64(st, 2, r->version);
    store_bind_i64(st, 3, spec->made_by);
    store_bind_i64(st, 4, clock_wall_us());
    e = control_inner_run(c, st, why);
    return e == ERR_OK ? seal_text(c, r, store_last_id(c->db), spec->text, why) : e;
}

static enum err write_row(struct control *c, struct control_config *r, struct control_why *why)
{
    struct store_stmt *st;
    enum err e = ERR_OK;
    if (r->is_default) {
        e = control_inner_sql(
            c, "UPDATE config SET is_default = 0 WHERE is_default = 1 AND workspace_id = ?1 AND id <> ?2", &st, why);
        if (e != ERR_OK)
            return e;
        store_bind_i64(st, 1, r->workspace_id);
        store_bind_i64(st, 2, r->id);
        e = control_inner_run(c, st, why);
    }
    if (e == ERR_OK)
        e = control_inner_sql(
            c, "UPDATE config SET name = ?2, version = ?3, is_default = ?4, updated_us = ?5 WHERE id = ?1", &st, why);
    if (e != ERR_OK)
        return e;
    r->updated_us = clock_wall_us();
    store_bind_i64(st, 1, r->id);
    store_bind_text(st, 2, r->name);
    store_bind_i64(st, 3, r->version);
    store_bind_i64(st, 4, r->is_default);
    store_bind_i64(st, 5, r->updated_us);
    return control_inner_run(c, st, why);
}

static enum err create(struct control *c, struct control_config *r, const struct control_config_spec *spec,
                       struct arena *a, struct control_config *ret_row, struct control_why *why)
{
    char slug[SLUG_LEN];
    int64_t live = 0;
    enum err e = control_inner_need_workspace(c, r->workspace_id, why);
    if (e == ERR_OK)
        e = count_live(c, r->workspace_id, &live, why);
    if (e == ERR_OK && live >= CONTROL_CONFIG_MAX)
        e = control_inner_fail(why, ERR_LIMIT_REACHED, "", "A workspace has at most %d configs.", CONTROL_CONFIG_MAX);
    if (e == ERR_OK)
        e = fresh_slug(c, slug, why);
    if (e != ERR_OK)
        return e;
    r->slug = str_of(slug, sizeof slug);
    e = insert_row(c, r, why);
    if (e == ERR_OK)
        e = add_version(c, r, spec, why);
    if (e == ERR_OK)
        e = write_row(c, r, why);
    if (e == ERR_OK)
        e = find(c, r->workspace_id, r->slug, a, ret_row, why);
    return e == ERR_OK ? note(c, "config.create", NULL, ret_row, why) : e;
}

enum err control_config_create(struct control *c, int64_t workspace_id, const struct control_config_spec *spec,
                               struct arena *a, struct control_config *ret_row, struct control_why *why)
{
    struct control_config r = {
        .workspace_id = workspace_id, .name = spec->name, .is_default = spec->is_default && *spec->is_default};
    struct control_config made;
    enum err e = check_name(spec->name, why);
    if (e == ERR_OK)
        e = check_text(spec->text, why);
    if (e == ERR_OK)
        e = control_inner_begin(c, why);
    if (e != ERR_OK)
        return e;
    e = control_inner_end(c, create(c, &r, spec, a, &made, why), why);
    if (e == ERR_OK)
        *ret_row = made;
    return e;
}

static enum err update(struct control *c, int64_t workspace_id, struct str slug, const struct control_config_spec *spec,
                       struct arena *a, struct control_config *r, struct control_why *why)
{
    struct control_config before;
    enum err e = find(c, workspace_id, slug, a, r, why);
    if (e != ERR_OK)
        return e;
    before = *r;
    if (spec->name.p)
        r->name = spec->name;
    if (spec->is_default)
        r->is_default = *spec->is_default;
    if (spec->text.p)
        e = add_version(c, r, spec, why);
    if (e == ERR_OK)
        e = write_row(c, r, why);
    if (e == ERR_OK)
        e = find(c, workspace_id, slug, a, r, why);
    return e == ERR_OK ? note(c, "config.update", &before, r, why) : e;
}

enum err control_config_update(struct control *c, int64_t workspace_id, struct str slug,
                               const struct control_config_spec *spec, struct arena *a, struct control_config *ret_row,
                               struct control_why *why)
{
    struct control_config r;
    enum err e = spec->name.p ? check_name(spec->name, why) : ERR_OK;
    if (e == ERR_OK && spec->text.p)
        e = check_text(spec->text, why);
    if (e == ERR_OK)
        e = control_inner_begin(c, why);
    if (e != ERR_OK)
        return e;
    e = control_inner_end(c, update(c, workspace_id, slug, spec, a, &r, why), why);
    if (e == ERR_OK)
        *ret_row = r;
    return e;
}

/* ---- deleting ---- */

/* Names the keys that have it as default: the first few, and how many more. */
static enum err name_keys(struct control *c, const struct control_config *r, struct buf *out, struct control_why *why)
{
    struct store_stmt *st;
    bool row = true, ok = true;
    unsigned n = 0;
    enum err e = control_inner_sql(
        c, "SELECT name, public_id FROM api_key WHERE config_id = ?1 AND revoked_us = 0 ORDER BY id", &st, why);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, r->id);
    while (e == ERR_OK && row) {
        e = store_step(st, &row);
        if (e != ERR_OK)
            e = control_inner_store_failed(c, e, why);
        else if (row && n++ < USERS_NAMED_MAX)
            ok = ok && buf_printf(out, "%s%.*s (%.*s)", n > 1 ? ", " : "", STR_ARG(str_head(store_text(st, 0), 40)),
                                  STR_ARG(store_text(st, 1)));
    }
    store_done(st);
    store_clear(st);
    if (n > USERS_NAMED_MAX)
        ok = ok && buf_printf(out, " and %u more", n - USERS_NAMED_MAX);
    must(ok);
    return e;
}

static enum err check_unused(struct control *c, const struct control_config *r, struct control_why *why)
{
    struct buf keys;
    if (r->is_default)
        return control_inner_fail(why, ERR_IN_USE, "slug",
                                  "%.*s is the workspace's default config; make another the default first, or none.",
                                  STR_ARG(r->slug));
    buf_init(&keys, 1024);
    enum err e = name_keys(c, r, &keys, why);
    if (e == ERR_OK && buf_size(&keys))
        e = control_inner_fail(why, ERR_IN_USE, "slug",
                               "%.*s is the default config of these keys; give them another first: %.*s",
                               STR_ARG(r->slug), STR_ARG(buf_str(&keys)));
    buf_free(&keys);
    return e;
}

static enum err run_on_row(struct control *c, const char *sql, int64_t id, struct control_why *why)
{
    struct store_stmt *st;
    enum err e = control_inner_sql(c, sql, &st, why);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, id);
    store_bind_i64(st, 2, clock_wall_us());
    return control_inner_run(c, st, why);
}

enum err control_config_delete(struct control *c, int64_t workspace_id, struct str slug, struct control_why *why)
{
    struct control_config r;
    enum err e = control_inner_begin(c, why);
    if (e != ERR_OK)
        return e;
    struct arena *a = arena_new(ROW_ARENA, 4 * ROW_ARENA);
    e = find(c, workspace_id, slug, a, &r, why);
    if (e == ERR_OK)
        e = check_unused(c, &r, why);
    if (e == ERR_OK)
        e = run_on_row(c, "UPDATE config SET deleted_us = ?2, updated_us = ?2 WHERE id = ?1", r.id, why);
    if (e == ERR_OK)
        e = run_on_row(c, "UPDATE config_version SET sealed_text = x'' WHERE config_id = ?1 AND ?2 > 0", r.id, why);
    if (e == ERR_OK)
        e = note(c, "config.delete", &r, NULL, why);
    e = control_inner_end(c, e, why);
    arena_free(a);
    return e;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* One row a channel. Its URL and key are sealed for its row, so they open in no other. */
#include "control/outlet/outlet.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/encode.h"
#include "base/mem.h"
#include "base/rng.h"
#include "control/control_inner.h"
#include "control/people/audit.h"
#include "net/url.h"

#define NAME_MAX_BYTES 80
#define KEY_BYTES 32
#define KEY_TEXT_MAX (sizeof "whsec_" + ENCODE_BASE64_MAX(KEY_BYTES))
#define SHOWN 4
#define SHOWN_OF 24 /* of a shorter path nothing is shown */

#define COLUMNS "id, name, kind, hint, created_us, updated_us"

static const char *const kinds[OUTLET_KIND_COUNT] = {"slack", "teams", "webhook"};

const char *outlet_kind_text(enum outlet_kind kind)
{
    return kinds[kind];
}

bool outlet_kind_from(struct str text, enum outlet_kind *ret)
{
    for (unsigned i = 0; i < OUTLET_KIND_COUNT; i++)
        if (str_eq(text, str_c(kinds[i]))) {
            *ret = (enum outlet_kind)i;
            return true;
        }
    return false;
}

/* --- texts ----------------------------------------------------------------------------------- */

static bool is_name_byte(char ch)
{
    return (ch >= 'a' && ch <= 'z') || (ch >= '0' && ch <= '9') || ch == '-' || ch == '_' || ch == '.';
}

bool outlet_name(struct str text, struct arena *a, struct str *ret)
{
    if (text.n && text.p[0] == '#')
        text = str_from(text, 1);
    char *lower = text.n && text.n <= NAME_MAX_BYTES ? arena_alloc(a, text.n + 1) : NULL;
    bool right = lower != NULL;
    for (size_t i = 0; right && i < text.n; i++) {
        char ch = text.p[i];
        lower[i] = ch >= 'A' && ch <= 'Z' ? (char)(ch - 'A' + 'a') : ch;
        right = is_name_byte(lower[i]);
    }
    if (!right || str_eq(str_of(lower, text.n), STR(".")) || str_eq(str_of(lower, text.n), STR("..")))
        return false;
    *ret = str_of(lower, text.n);
    return true;
}

const char *outlet_url_fault(struct str text)
{
    struct url u;
    struct str path, query;
    const char *why;
    return url_split(text, &u, &path, &query, &why) ? NULL : why;
}

static void make_hint(struct str text, char out[OUTLET_HINT_MAX])
{
    struct url u;
    struct str path, query;
    const char *why;
    bool right = url_split(text, &u, &path, &query, &why);
    bool shown = right && path.n + query.n >= SHOWN_OF;
    snprintf(out, OUTLET_HINT_MAX, "%s%s%.*s", right ? u.host : "", shown ? " \xe2\x80\xa6" : "", shown ? SHOWN : 0,
             text.p + text.n - (shown ? SHOWN : 0));
}

static void make_key(struct secret *ret)
{
    unsigned char bytes[KEY_BYTES];
    char base64[ENCODE_BASE64_MAX(KEY_BYTES)], text[KEY_TEXT_MAX];
    rng_bytes(bytes, sizeof bytes);
    encode_base64(bytes, sizeof bytes, base64);
    int n = snprintf(text, sizeof text, "whsec_%s", base64);
    secret_set(ret, str_of(text, (size_t)n));
    mem_wipe(bytes, sizeof bytes);
    mem_wipe(base64, sizeof base64);
    mem_wipe(text, sizeof text);
}

/* --- rows ------------------------------------------------------------------------------------ */

static enum err read_row(struct store_stmt *st, struct arena *a, struct outlet *ret, struct control_why *why)
{
    *ret = (struct outlet){.id = store_i64(st, 0),
                           .name = arena_dup(a, store_text(st, 1)),
                           .hint = arena_dup(a, store_text(st, 3)),
                           .created_us = store_i64(st, 4),
                           .updated_us = store_i64(st, 5)};
    if (!outlet_kind_from(store_text(st, 2), &ret->kind))
        return control_inner_fail(why, ERR_CORRUPT, "", "control.db: row %lld of channel has a kind that cannot be.",
                                  (long long)ret->id);
    return ret->name.p && ret->hint.p ? ERR_OK : control_inner_arena_full(why);
}

static enum err read_one(struct control *c, struct store_stmt *st, struct arena *a, struct outlet *ret, bool *ret_row,
                         struct control_why *why)
{
    enum err e = store_step(st, ret_row);
    if (e != ERR_OK)
        e = control_inner_store_failed(c, e, why);
    else if (*ret_row)
        e = read_row(st, a, ret, why);
    store_done(st);
    store_clear(st);
    return e;
}

static enum err find(struct control *c, int64_t workspace_id, struct str name, struct arena *a, struct outlet *ret,
                     bool *ret_row, struct control_why *why)
{
    struct store_stmt *st;
    enum err e =
        control_inner_sql(c, "SELECT " COLUMNS " FROM channel WHERE workspace_id = ?1 AND name = ?2", &st, why);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, workspace_id);
    store_bind_text(st, 2, name);
    return read_one(c, st, a, ret, ret_row, why);
}

static enum err no_such(struct control_why *why)
{
    return control_inner_fail(why, ERR_NOT_FOUND, "name",
                              "There is no channel of this name in this workspace; an admin stores one with PUT "
                              "/tollgate/v1/channels/NAME.");
}

/* --- changes --------------------------------------------------------------------------------- */

static void describe(struct json_write *w, const void *object)
{
    const struct outlet *ch = object;
    json_write_member_string(w, "name", ch->name);
    json_write_member_string(w, "kind", str_c(outlet_kind_text(ch->kind)));
    json_write_member_string(w, "url", ch->hint);
}

static enum err note(struct control *c, const char *action, int64_t workspace_id, const struct outlet *before,
                     const struct outlet *after, struct control_why *why)
{
    const struct audit_change change = {.workspace_id = workspace_id,
                                        .action = action,
                                        .object_type = "channel",
                                        .object_id = after ? after->name : before->name};
    return audit_note_objects(c, &change, describe, before, after, why);
}

static enum err check_room(struct control *c, int64_t workspace_id, struct control_why *why)
{
    struct store_stmt *st;
    int64_t count = 0;
    enum err e = control_inner_sql(c, "SELECT count(*) FROM channel WHERE workspace_id = ?1", &st, why);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, workspace_id);
    e = control_inner_number(c, st, 0, &count, why);
    if (e == ERR_OK && count >= OUTLET_LIST_MAX)
        e = control_inner_fail(why, ERR_LIMIT_REACHED, "name", "A workspace has at most %d channels; delete one.",
                               OUTLET_LIST_MAX);
    return e;
}

static enum err insert(struct control *c, int64_t workspace_id, struct str name, int64_t now_us, int64_t *ret_id,
                       struct control_why *why)
{
    struct store_stmt *st;
    enum err e = check_room(c, workspace_id, why);
    if (e == ERR_OK)
        e = control_inner_sql(c,
                              "INSERT INTO channel(workspace_id, name, kind, hint, sealed_url, sealed_key, "
                              "created_us, updated_us) VALUES (?1, ?2, 'webhook', '', x'', x'', ?3, ?3)",
                              &st, why);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, workspace_id);
    store_bind_text(st, 2, name);
    store_bind_i64(st, 3, now_us);
    e = control_inner_run(c, st, why);
    if (e == ERR_OK)
        *ret_id = store_last_id(c->db);
    return e;
}

static enum err write_url(struct control *c, int64_t workspace_id, int64_t id, enum outlet_kind kind, struct str url,
                          int64_t now_us, struct control_why *why)
{
    struct store_stmt *st;
    char hint[OUTLET_HINT_MAX];
    struct buf sealed;
    enum err e = control_inner_need_data_key(c, workspace_id, why);
    if (e == ERR_OK)
        e = control_inner_sql(c,
                              "UPDATE channel SET kind = ?2, hint = ?3, sealed_url = ?4, updated_us = ?5, "
                              "sealed_key = CASE WHEN ?2 = 'webhook' THEN sealed_key ELSE x'' END WHERE id = ?1",
                              &st, why);
    if (e != ERR_OK)
        return e;
    make_hint(url, hint);
    buf_init(&sealed, URL_MAX + CRYPT_OVERHEAD);
    crypt_seal(c->crypt, workspace_id, (struct crypt_place){"channel", id, "sealed_url"}, url, &sealed);
    store_bind_i64(st, 1, id);
    store_bind_text(st, 2, str_c(outlet_kind_text(kind)));
    store_bind_text(st, 3, str_c(hint));
    store_bind_blob(st, 4, buf_str(&sealed));
    store_bind_i64(st, 5, now_us);
    e = control_inner_run(c, st, why);
    buf_free(&sealed);
    return e;
}

/* A key for what has none and needs one. */
static enum err need_key(struct control *c, int64_t workspace_id, int64_t id, struct secret *ret_key,
                         struct control_why *why)
{
    struct store_stmt *st;
    int64_t has = 0;
    struct buf sealed;
    enum err e = control_inner_sql(c, "SELECT length(sealed_key) > 0 FROM channel WHERE id = ?1", &st, why);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, id);
    e = control_inner_number(c, st, 0, &has, why);
    if (e != ERR_OK || has)
        return e;
    e = control_inner_sql(c, "UPDATE channel SET sealed_key = ?2 WHERE id = ?1", &st, why);
    if (e != ERR_OK)
        return e;
    make_key(ret_key);
    buf_init(&sealed, KEY_TEXT_MAX + CRYPT_OVERHEAD);
    crypt_seal(c->crypt, workspace_id, (struct crypt_place){"channel", id, "sealed_key"}, secret_reveal(ret_key),
               &sealed);
    store_bind_i64(st, 1, id);
    store_bind_blob(st, 2, buf_str(&sealed));
    e = control_inner_run(c, st, why);
    buf_free(&sealed);
    return e;
}

static enum err put(struct control *c, int64_t workspace_id, struct str name, enum outlet_kind kind, struct str url,
                    struct arena *a, struct outlet *ret, struct secret *ret_key, struct control_why *why)
{
    struct outlet before;
    bool was = false, is = false;
    int64_t id = 0, now_us = clock_wall_us();
    enum err e = control_inner_need_workspace(c, workspace_id, why);
    if (e == ERR_OK)
        e = find(c, workspace_id, name, a, &before, &was, why);
    if (e == ERR_OK && !was)
        e = insert(c, workspace_id, name, now_us, &id, why);
    if (e == ERR_OK)
        e = write_url(c, workspace_id, was ? before.id : id, kind, url, now_us, why);
    if (e == ERR_OK && kind == OUTLET_WEBHOOK)
        e = need_key(c, workspace_id, was ? before.id : id, ret_key, why);
    if (e == ERR_OK)
        e = find(c, workspace_id, name, a, ret, &is, why);
    return e == ERR_OK
               ? note(c, was ? "channel.update" : "channel.create", workspace_id, was ? &before : NULL, ret, why)
               : e;
}

enum err outlet_put(struct control *c, int64_t workspace_id, struct str name, enum outlet_kind kind, struct str url,
                    struct arena *a, struct outlet *ret, struct secret *ret_key, struct control_why *why)
{
    struct str plain;
    const char *fault = outlet_url_fault(url);
    if (!outlet_name(name, a, &plain))
        return control_inner_fail(why, ERR_BAD_PARAMETER, "name",
                                  "A channel's name has 1 to %d letters, digits, '-', '_' and '.'.", NAME_MAX_BYTES);
    if (fault)
        return control_inner_fail(why, url.n ? ERR_BAD_PARAMETER : ERR_MISSING_PARAMETER, "url",
                                  "The channel's URL cannot be used: %s.", fault);
    enum err e = control_inner_begin(c, why);
    if (e != ERR_OK)
        return e;
    e = control_inner_end(c, put(c, workspace_id, plain, kind, url, a, ret, ret_key, why), why);
    if (e != ERR_OK)
        secret_wipe(ret_key);
    return e;
}

static enum err remove_row(struct control *c, int64_t workspace_id, struct str name, struct arena *a,
                           struct control_why *why)
{
    struct store_stmt *st;
    struct outlet before;
    bool was = false;
    enum err e = find(c, workspace_id, name, a, &before, &was, why);
    if (e == ERR_OK && !was)
        e = no_such(why);
    if (e == ERR_OK)
        e = control_inner_sql(c, "DELETE FROM channel WHERE id = ?1", &st, why);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, before.id);
    e = control_inner_run(c, st, why);
    return e == ERR_OK ? note(c, "channel.delete", workspace_id, &before, NULL, why) : e;
}

enum err outlet_delete(struct control *c, int64_t workspace_id, struct str name, struct control_why *why)
{
    struct str plain;
    struct arena *a = arena_new(1024, 65536);
    enum err e = outlet_name(name, a, &plain) ? control_inner_begin(c, why) : no_such(why);
    if (e == ERR_OK)
        e = control_inner_end(c, remove_row(c, workspace_id, plain, a, why), why);
    arena_free(a);
    return e;
}

/* --- reading --------------------------------------------------------------------------------- */

static enum err list(struct control *c, int64_t workspace_id, struct arena *a, struct outlet *rows, size_t *ret_count,
                     struct control_why *why)
{
    struct store_stmt *st;
    bool row = true;
    size_t n = 0;
    enum err e = control_inner_sql(c, "SELECT " COLUMNS " FROM channel WHERE workspace_id = ?1 ORDER BY name LIMIT ?2",
                                   &st, why);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, workspace_id);
    store_bind_i64(st, 2, OUTLET_LIST_MAX);
    while (e == ERR_OK && row) {
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

enum err outlet_list(struct control *c, int64_t workspace_id, struct arena *a, struct outlet **ret_rows,
                     size_t *ret_count, struct control_why *why)
{
    *ret_rows = arena_alloc(a, OUTLET_LIST_MAX * sizeof **ret_rows);
    if (!*ret_rows)
        return control_inner_arena_full(why);
    enum err e = control_inner_begin_read(c, why);
    if (e != ERR_OK)
        return e;
    e = list(c, workspace_id, a, *ret_rows, ret_count, why);
    control_inner_end_read(c);
    return e;
}

static enum err open_row(struct control *c, int64_t workspace_id, struct store_stmt *st, enum outlet_kind *ret_kind,
                         struct secret *ret_url, struct secret *ret_key, struct control_why *why)
{
    bool row;
    enum err e = store_step(st, &row);
    if (e != ERR_OK)
        return control_inner_store_failed(c, e, why);
    if (!row)
        return no_such(why);
    int64_t id = store_i64(st, 0);
    struct str key = store_text(st, 3);
    bool right = outlet_kind_from(store_text(st, 1), ret_kind) &&
                 crypt_open(c->crypt, workspace_id, (struct crypt_place){"channel", id, "sealed_url"},
                            store_text(st, 2), ret_url) == ERR_OK;
    right = right && (!key.n || crypt_open(c->crypt, workspace_id, (struct crypt_place){"channel", id, "sealed_key"},
                                           key, ret_key) == ERR_OK);
    if (!right)
        return control_inner_fail(why, ERR_CORRUPT, "name",
                                  "The stored address of this channel does not open; store it again.");
    return ERR_OK;
}

enum err outlet_open(struct control *c, int64_t workspace_id, struct str name, enum outlet_kind *ret_kind,
                     struct secret *ret_url, struct secret *ret_key, struct control_why *why)
{
    struct str plain;
    struct store_stmt *st;
    struct arena *a = arena_new(1024, 65536);
    bool right = outlet_name(name, a, &plain);
    enum err e = right ? control_inner_begin_read(c, why) : no_such(why);
    if (e == ERR_OK) {
        e = control_inner_sql(
            c, "SELECT id, kind, sealed_url, sealed_key FROM channel WHERE workspace_id = ?1 AND name = ?2", &st, why);
        if (e == ERR_OK) {
            store_bind_i64(st, 1, workspace_id);
            store_bind_text(st, 2, plain);
            e = open_row(c, workspace_id, st, ret_kind, ret_url, ret_key, why);
            store_done(st);
            store_clear(st);
        }
        control_inner_end_read(c);
    }
    arena_free(a);
    return e;
}

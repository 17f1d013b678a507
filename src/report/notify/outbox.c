/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One table. Rows get their number before they are written, since the number is part of what seals them; this
 * process is the only one that writes (control.lock). What a letter holds is one sealed text: five parts,
 * each behind its length.
 */
#include "report/notify/outbox.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "base/json_write.h"
#include "base/mem.h"
#include "base/must.h"
#include "base/wire.h"
#include "control/outlet/seal.h"
#include "store/sqlite.h"

#define PATH_MAX_BYTES 4200
#define PARTS 5
#define LETTER_MAX (NOTIFY_TO_MAX + NOTIFY_SUBJECT_MAX + NOTIFY_TEXT_MAX + NOTIFY_LINK_MAX + NOTIFY_JSON_MAX + 64)
#define DAY_US (INT64_C(86400) * 1000000)
#define PRUNE_ROWS 1000 /* make room for so many at a time */

static const char schema[] = "CREATE TABLE outbox ("
                             "  id INTEGER PRIMARY KEY,"
                             "  key TEXT NOT NULL UNIQUE,"
                             "  channel INTEGER NOT NULL," /* enum notify_channel */
                             "  kind TEXT NOT NULL,"
                             "  workspace_id INTEGER NOT NULL,"
                             "  lane TEXT NOT NULL,"
                             "  shown TEXT NOT NULL,"
                             "  letter BLOB NOT NULL," /* sealed; empty once it is settled */
                             "  once INTEGER NOT NULL,"
                             "  state INTEGER NOT NULL," /* enum outbox_state */
                             "  tries INTEGER NOT NULL,"
                             "  created_us INTEGER NOT NULL,"
                             "  due_us INTEGER NOT NULL,"
                             "  settled_us INTEGER NOT NULL,"
                             "  reason TEXT NOT NULL" /* of the last try that failed */
                             ") STRICT;"
                             "CREATE INDEX outbox_due ON outbox(due_us, lane) WHERE state = 0;"
                             "CREATE INDEX outbox_once ON outbox(id) WHERE state = 0 AND once = 1;"
                             "CREATE INDEX outbox_settled ON outbox(settled_us) WHERE state <> 0;"
                             "CREATE INDEX outbox_workspace ON outbox(workspace_id, id);";
static const struct store_migration migrations[] = {{1, "outbox", schema}};

struct outbox {
    struct control *control;
    struct store_db *db;
    pthread_mutex_t lock; /* guards db and all below but the last */
    int64_t last_id;
    uint64_t rows;
    atomic_uint_fast64_t waiting[NOTIFY_CHANNEL_COUNT]; /* metrics are read by who must not wait */
};

static _Thread_local char failure[OUTBOX_REASON_MAX];

const char *outbox_state_text(enum outbox_state state)
{
    static const char *const texts[] = {"waiting", "sent", "given_up"};
    return texts[state];
}

const char *outbox_failure(struct outbox *o)
{
    (void)o;
    return failure;
}

static enum err failed(struct outbox *o, enum err e)
{
    if (e != ERR_OK)
        snprintf(failure, sizeof failure, "notify.db: %.280s", store_reason(o->db));
    return e;
}

uint64_t outbox_pause(uint64_t first_us, unsigned tries, uint64_t chance)
{
    uint64_t us = first_us;
    for (unsigned i = 1; i < tries && us < OUTBOX_PAUSE_MAX_US; i++)
        us *= 2;
    if (us > OUTBOX_PAUSE_MAX_US)
        us = OUTBOX_PAUSE_MAX_US;
    return us - us / 3 + chance % (us / 3 + 1);
}

/* --- life ------------------------------------------------------------------------------------ */

static enum err read_counts(struct outbox *o)
{
    struct store_stmt *st;
    bool row = true;
    enum err e = store_prepare(o->db, "SELECT count(*), coalesce(max(id), 0) FROM outbox", &st);
    if (e == ERR_OK)
        e = store_step(st, &row);
    if (e != ERR_OK)
        return e;
    o->rows = (uint64_t)store_i64(st, 0);
    o->last_id = store_i64(st, 1);
    store_done(st);
    e = store_prepare(o->db, "SELECT channel, count(*) FROM outbox WHERE state = 0 GROUP BY channel", &st);
    while (e == ERR_OK && row) {
        e = store_step(st, &row);
        if (e == ERR_OK && row && store_i64(st, 0) >= 0 && store_i64(st, 0) < NOTIFY_CHANNEL_COUNT)
            o->waiting[store_i64(st, 0)] = (uint64_t)store_i64(st, 1);
    }
    return e;
}

/* After a start everything is tried at once: what was wrong may have been mended. */
static enum err wake_all(struct outbox *o, int64_t now_us)
{
    struct store_stmt *st;
    enum err e = store_prepare(o->db, "UPDATE outbox SET due_us = ?1 WHERE state = 0 AND due_us > ?1", &st);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, now_us);
    return store_run(st);
}

enum err outbox_open(const char *dir, struct control *control, int64_t now_us, struct outbox **ret,
                     char why[NOTIFY_WHY_MAX])
{
    char path[PATH_MAX_BYTES];
    const struct store_options options = {.sync_full = true, .cache_kib = 512};
    struct outbox *o = mem_zalloc(sizeof *o);
    o->control = control;
    pthread_mutex_init(&o->lock, NULL);
    snprintf(path, sizeof path, "%s/notify.db", dir);
    enum err e = store_open(path, &options, &o->db);
    if (e != ERR_OK) {
        snprintf(why, NOTIFY_WHY_MAX, "%.120s: %.180s", path, store_open_reason());
        outbox_close(o);
        return e;
    }
    e = store_migrate(o->db, migrations, sizeof migrations / sizeof migrations[0]);
    if (e == ERR_OK)
        e = read_counts(o);
    if (e == ERR_OK)
        e = wake_all(o, now_us);
    if (e != ERR_OK) {
        snprintf(why, NOTIFY_WHY_MAX, "%.120s: %.180s", path,
                 e == ERR_SCHEMA_NEWER ? "it was written by a newer version" : store_reason(o->db));
        outbox_close(o);
        return e;
    }
    *ret = o;
    return ERR_OK;
}

void outbox_close(struct outbox *o)
{
    if (!o)
        return;
    store_close(o->db);
    pthread_mutex_destroy(&o->lock);
    mem_free(o);
}

/* --- letters --------------------------------------------------------------------------------- */

static struct crypt_place place_of(int64_t id)
{
    return (struct crypt_place){"notify.outbox", id, "letter"};
}

static void pack(const struct notify_message *m, struct buf *out)
{
    const struct str parts[PARTS] = {m->to, m->subject, m->text, m->link, m->json};
    for (unsigned i = 0; i < PARTS; i++) {
        unsigned char length[WIRE_VARINT_MAX];
        bool ok =
            buf_add(out, length, (size_t)(wire_put_varint(length, parts[i].n) - length)) && buf_add_str(out, parts[i]);
        must(ok); /* notify_send has looked at the lengths */
    }
}

static bool unpack(struct str plain, struct notify_message *m)
{
    struct wire w = wire_of(plain.p, plain.n);
    struct str *const parts[PARTS] = {&m->to, &m->subject, &m->text, &m->link, &m->json};
    for (unsigned i = 0; i < PARTS; i++)
        *parts[i] = wire_bytes(&w, wire_varint(&w));
    return !w.bad && wire_left(&w) == 0;
}

/* --- putting in ------------------------------------------------------------------------------ */

static enum err find_key(struct outbox *o, struct str key, int64_t *ret_id)
{
    struct store_stmt *st;
    bool row = false;
    enum err e = store_prepare(o->db, "SELECT id FROM outbox WHERE key = ?1", &st);
    if (e != ERR_OK)
        return e;
    store_bind_text(st, 1, key);
    e = store_step(st, &row);
    *ret_id = e == ERR_OK && row ? store_i64(st, 0) : 0;
    store_done(st);
    store_clear(st);
    return e;
}

/* Old settled rows; and when it is full the oldest settled ones of any age. */
static enum err prune(struct outbox *o, int64_t now_us)
{
    struct store_stmt *st;
    enum err e = store_prepare(o->db, "DELETE FROM outbox WHERE state <> 0 AND settled_us < ?1", &st);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, now_us - OUTBOX_DAYS * DAY_US);
    e = store_run(st);
    if (e != ERR_OK)
        return e;
    o->rows -= (uint64_t)store_changes(o->db);
    if (o->rows < NOTIFY_ROWS_MAX)
        return ERR_OK;
    e = store_prepare(o->db,
                      "DELETE FROM outbox WHERE id IN "
                      "(SELECT id FROM outbox WHERE state <> 0 ORDER BY settled_us LIMIT ?1)",
                      &st);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, PRUNE_ROWS);
    e = store_run(st);
    if (e == ERR_OK)
        o->rows -= (uint64_t)store_changes(o->db);
    return e;
}

static enum err insert(struct outbox *o, const struct outbox_letter *l, int64_t now_us, struct str sealed)
{
    struct store_stmt *st;
    const struct notify_message *m = l->message;
    enum err e = store_prepare(o->db,
                               "INSERT INTO outbox(id, key, channel, kind, workspace_id, lane, shown, letter, once, "
                               "state, tries, created_us, due_us, settled_us, reason) "
                               "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 0, 0, ?10, ?10, 0, '')",
                               &st);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, o->last_id + 1);
    store_bind_text(st, 2, m->id);
    store_bind_i64(st, 3, (int64_t)m->channel);
    store_bind_text(st, 4, str_c(m->kind));
    store_bind_i64(st, 5, m->workspace_id);
    store_bind_text(st, 6, l->lane);
    store_bind_text(st, 7, l->shown);
    store_bind_blob(st, 8, sealed);
    store_bind_i64(st, 9, l->once);
    store_bind_i64(st, 10, now_us);
    e = store_run(st);
    store_clear(st);
    return e;
}

/* Locked. */
static enum err put(struct outbox *o, const struct outbox_letter *l, int64_t now_us, int64_t *ret_id, bool *ret_new)
{
    struct buf plain, sealed;
    *ret_new = false;
    enum err e = find_key(o, l->message->id, ret_id);
    if (e != ERR_OK || *ret_id)
        return failed(o, e);
    if (o->rows % PRUNE_ROWS == 0 || o->rows >= NOTIFY_ROWS_MAX)
        e = prune(o, now_us);
    if (e != ERR_OK)
        return failed(o, e);
    if (o->rows >= NOTIFY_ROWS_MAX) {
        snprintf(failure, sizeof failure, "%d messages wait to be sent, and no more are taken", NOTIFY_ROWS_MAX);
        return ERR_OVERLOADED;
    }
    buf_init(&plain, LETTER_MAX);
    buf_init(&sealed, LETTER_MAX + CRYPT_OVERHEAD);
    pack(l->message, &plain);
    seal_put(o->control, place_of(o->last_id + 1), buf_str(&plain), &sealed);
    mem_wipe(plain.p, plain.cap);
    buf_free(&plain);
    e = insert(o, l, now_us, buf_str(&sealed));
    buf_free(&sealed);
    if (e != ERR_OK)
        return failed(o, e);
    *ret_id = ++o->last_id;
    *ret_new = true;
    o->rows++;
    o->waiting[l->message->channel]++;
    return ERR_OK;
}

enum err outbox_put(struct outbox *o, const struct outbox_letter *letter, int64_t now_us, int64_t *ret_id,
                    bool *ret_new)
{
    pthread_mutex_lock(&o->lock);
    enum err e = put(o, letter, now_us, ret_id, ret_new);
    pthread_mutex_unlock(&o->lock);
    return e;
}

/* --- taking out ------------------------------------------------------------------------------ */

static bool write_ids(struct buf *out, const struct outbox_skip *skip)
{
    struct json_write w;
    must(skip->id_count <= OUTBOX_BUSY_MAX);
    json_write_init(&w, out);
    json_write_array(&w);
    for (size_t i = 0; i < skip->id_count; i++)
        json_write_int(&w, skip->ids[i]);
    json_write_array_end(&w);
    return json_write_done(&w);
}

/* A statement that leaves out what is under way; ?1 ids, ?2 lanes. `ids` is kept until it has run. */
static enum err prepare_skipping(struct outbox *o, const char *sql, const struct outbox_skip *skip, struct buf *ids,
                                 struct store_stmt **ret)
{
    buf_init(ids, OUTBOX_BUSY_MAX * 24);
    bool fits = write_ids(ids, skip);
    must(fits);
    enum err e = store_prepare(o->db, sql, ret);
    if (e != ERR_OK)
        return e;
    store_bind_text(*ret, 1, buf_str(ids));
    store_bind_text(*ret, 2, skip->lanes.n ? skip->lanes : STR("[]"));
    return ERR_OK;
}

static bool read_item(struct outbox *o, struct store_stmt *st, struct outbox_item *ret)
{
    *ret = (struct outbox_item){.id = store_i64(st, 0),
                                .created_us = store_i64(st, 5),
                                .tries = (unsigned)store_i64(st, 6),
                                .once = store_i64(st, 7) != 0};
    str_copy(ret->key, sizeof ret->key, store_text(st, 1));
    str_copy(ret->kind, sizeof ret->kind, store_text(st, 3));
    str_copy(ret->lane, sizeof ret->lane, store_text(st, 8));
    int64_t channel = store_i64(st, 2);
    ret->message = (struct notify_message){
        .channel = channel >= 0 && channel < NOTIFY_CHANNEL_COUNT ? (enum notify_channel)channel : NOTIFY_MAIL,
        .workspace_id = store_i64(st, 4)};
    return channel >= 0 && channel < NOTIFY_CHANNEL_COUNT &&
           seal_open(o->control, place_of(ret->id), store_text(st, 9), &ret->plain) == ERR_OK &&
           unpack(secret_reveal(&ret->plain), &ret->message);
}

#define ITEM_COLUMNS "id, key, channel, kind, workspace_id, created_us, tries, once, lane, letter"
#define NOT_SKIPPED                                    \
    "AND id NOT IN (SELECT value FROM json_each(?1)) " \
    "AND lane NOT IN (SELECT value FROM json_each(?2)) "

/* Locked. One row of the statement; *ret_good: it could be opened. */
static enum err take(struct outbox *o, const char *sql, int64_t now_us, const struct outbox_skip *skip,
                     struct outbox_item *ret, bool *ret_found, bool *ret_good)
{
    struct store_stmt *st;
    struct buf ids;
    enum err e = prepare_skipping(o, sql, skip, &ids, &st);
    if (e == ERR_OK) {
        store_bind_i64(st, 3, now_us);
        e = store_step(st, ret_found);
        if (e == ERR_OK && *ret_found)
            *ret_good = read_item(o, st, ret);
        store_done(st);
        store_clear(st);
    }
    buf_free(&ids);
    return failed(o, e);
}

/* Locked. Somebody sits and waits for those that are tried once: they come first. */
static enum err next(struct outbox *o, int64_t now_us, const struct outbox_skip *skip, struct outbox_item *ret,
                     bool *ret_found, bool *ret_good)
{
    *ret_found = *ret_good = false;
    enum err e = take(o,
                      "SELECT " ITEM_COLUMNS " FROM outbox WHERE state = 0 AND once = 1 AND ?3 >= 0 " NOT_SKIPPED
                      "ORDER BY id LIMIT 1",
                      now_us, skip, ret, ret_found, ret_good);
    if (e != ERR_OK || *ret_found)
        return e;
    return take(o,
                "SELECT " ITEM_COLUMNS " FROM outbox WHERE state = 0 AND due_us <= ?3 " NOT_SKIPPED
                "ORDER BY due_us LIMIT 1",
                now_us, skip, ret, ret_found, ret_good);
}

enum err outbox_next(struct outbox *o, int64_t now_us, const struct outbox_skip *skip, struct outbox_item *ret,
                     bool *ret_found)
{
    bool good = false;
    enum err e;
    do {
        pthread_mutex_lock(&o->lock);
        e = next(o, now_us, skip, ret, ret_found, &good);
        pthread_mutex_unlock(&o->lock);
        if (e == ERR_OK && *ret_found && !good) {
            e = outbox_give_up(o, ret, now_us, "the stored message cannot be opened");
            outbox_item_done(ret);
        }
    } while (e == ERR_OK && *ret_found && !good);
    ret->message.kind = ret->kind;
    ret->message.id = str_c(ret->key);
    return e;
}

void outbox_item_done(struct outbox_item *item)
{
    secret_wipe(&item->plain);
}

enum err outbox_due(struct outbox *o, const struct outbox_skip *skip, int64_t *ret_due_us)
{
    struct store_stmt *st;
    struct buf ids;
    bool row;
    pthread_mutex_lock(&o->lock);
    enum err e = prepare_skipping(o,
                                  "SELECT due_us FROM outbox WHERE state = 0 "
                                  "AND id NOT IN (SELECT value FROM json_each(?1)) "
                                  "AND lane NOT IN (SELECT value FROM json_each(?2)) "
                                  "ORDER BY due_us LIMIT 1",
                                  skip, &ids, &st);
    if (e == ERR_OK) {
        e = store_step(st, &row);
        if (e == ERR_OK)
            *ret_due_us = row ? store_i64(st, 0) : INT64_MAX;
        store_done(st);
        store_clear(st);
    }
    buf_free(&ids);
    e = failed(o, e);
    pthread_mutex_unlock(&o->lock);
    return e;
}

/* --- what became of it ----------------------------------------------------------------------- */

static enum err settle(struct outbox *o, const struct outbox_item *item, enum outbox_state state, int64_t now_us,
                       const char *reason)
{
    struct store_stmt *st;
    pthread_mutex_lock(&o->lock);
    enum err e = store_prepare(o->db,
                               "UPDATE outbox SET state = ?2, letter = x'', tries = tries + 1, settled_us = ?3, "
                               "reason = ?4 WHERE id = ?1 AND state = 0",
                               &st);
    if (e == ERR_OK) {
        store_bind_i64(st, 1, item->id);
        store_bind_i64(st, 2, (int64_t)state);
        store_bind_i64(st, 3, now_us);
        store_bind_text(st, 4, str_head(str_c(reason), OUTBOX_REASON_MAX));
        e = store_run(st);
        store_clear(st);
    }
    if (e == ERR_OK && store_changes(o->db) && o->waiting[item->message.channel])
        o->waiting[item->message.channel]--;
    e = failed(o, e);
    pthread_mutex_unlock(&o->lock);
    return e;
}

enum err outbox_sent(struct outbox *o, const struct outbox_item *item, int64_t now_us)
{
    return settle(o, item, OUTBOX_SENT, now_us, "");
}

enum err outbox_give_up(struct outbox *o, const struct outbox_item *item, int64_t now_us, const char *reason)
{
    return settle(o, item, OUTBOX_GIVEN_UP, now_us, reason);
}

enum err outbox_later(struct outbox *o, const struct outbox_item *item, int64_t due_us, const char *reason)
{
    struct store_stmt *st;
    pthread_mutex_lock(&o->lock);
    enum err e = store_prepare(
        o->db, "UPDATE outbox SET tries = tries + 1, due_us = ?2, reason = ?3 WHERE id = ?1 AND state = 0", &st);
    if (e == ERR_OK) {
        store_bind_i64(st, 1, item->id);
        store_bind_i64(st, 2, due_us);
        store_bind_text(st, 3, str_head(str_c(reason), OUTBOX_REASON_MAX));
        e = store_run(st);
        store_clear(st);
    }
    e = failed(o, e);
    pthread_mutex_unlock(&o->lock);
    return e;
}

/* --- looking --------------------------------------------------------------------------------- */

static bool read_row(struct store_stmt *st, struct arena *a, struct outbox_row *r)
{
    int64_t channel = store_i64(st, 6), state = store_i64(st, 10);
    *r = (struct outbox_row){.id = store_i64(st, 0),
                             .workspace_id = store_i64(st, 1),
                             .created_us = store_i64(st, 2),
                             .due_us = store_i64(st, 3),
                             .settled_us = store_i64(st, 4),
                             .key = arena_dup(a, store_text(st, 5)),
                             .kind = arena_dup(a, store_text(st, 7)),
                             .shown = arena_dup(a, store_text(st, 8)),
                             .reason = arena_dup(a, store_text(st, 9)),
                             .tries = (unsigned)store_i64(st, 11)};
    r->channel =
        str_c(channel >= 0 && channel < NOTIFY_CHANNEL_COUNT ? notify_channel_text((enum notify_channel)channel) : "");
    r->state = state == OUTBOX_SENT || state == OUTBOX_GIVEN_UP ? (enum outbox_state)state : OUTBOX_WAITING;
    return r->key.p && r->kind.p && r->shown.p && r->reason.p;
}

enum err outbox_list(struct outbox *o, int64_t workspace_id, int64_t before_id, size_t limit, struct arena *a,
                     struct outbox_row **ret_rows, size_t *ret_count)
{
    struct store_stmt *st;
    bool row = true;
    size_t n = 0;
    struct outbox_row *rows = arena_alloc(a, (limit + 1) * sizeof *rows);
    if (!rows)
        return ERR_OVERLOADED;
    pthread_mutex_lock(&o->lock);
    enum err e = store_prepare(o->db,
                               "SELECT id, workspace_id, created_us, due_us, settled_us, key, channel, kind, shown, "
                               "reason, state, tries FROM outbox WHERE workspace_id = ?1 AND id < ?2 "
                               "ORDER BY id DESC LIMIT ?3",
                               &st);
    if (e == ERR_OK) {
        store_bind_i64(st, 1, workspace_id);
        store_bind_i64(st, 2, before_id ? before_id : INT64_MAX);
        store_bind_i64(st, 3, (int64_t)limit);
        while (e == ERR_OK && row && n < limit) {
            e = store_step(st, &row);
            if (e == ERR_OK && row && !read_row(st, a, &rows[n++]))
                e = ERR_OVERLOADED;
        }
        store_done(st);
        store_clear(st);
    }
    e = failed(o, e);
    pthread_mutex_unlock(&o->lock);
    *ret_rows = rows;
    *ret_count = n;
    return e;
}

void outbox_waiting(struct outbox *o, uint64_t ret[NOTIFY_CHANNEL_COUNT])
{
    for (unsigned i = 0; i < NOTIFY_CHANNEL_COUNT; i++)
        ret[i] = o->waiting[i];
}

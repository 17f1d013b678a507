/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which days a file touches is asked before and after it is stored; each of them is then put anew from the rows
 * of all files, by the same way as an imported day, so rollups, hashes and corrections follow.
 */
#include "report/bill/bill_upload.h"

#include <stdio.h>

#include "base/mem.h"
#include "base/must.h"
#include "report/bill/bill_decimal.h"
#include "report/bill/bill_inner.h"

#define MONEY_PLACES 12
#define DAY_ARENA_MAX ((size_t)256 << 20)

static enum err finish(struct bill *b, enum err e)
{
    if (e == ERR_OK)
        e = store_commit(b->db);
    return e == ERR_OK ? e : bill_inner_fail(b, e);
}

static enum err missing(struct bill *b)
{
    str_copy(b->reason, sizeof b->reason, STR("there is no such provider or file"));
    store_rollback(b->db);
    return ERR_NOT_FOUND;
}

/* --- accounts -------------------------------------------------------------------------------- */

enum err bill_files_create(struct bill *b, int64_t workspace, struct str name, struct str note, int64_t now_us,
                           int64_t *ret_id)
{
    struct store_stmt *st;
    enum err e = store_begin(b->db);
    if (e == ERR_OK)
        e = store_prepare(b->db,
                          "INSERT INTO accounts(id, workspace, slug, title, note, status, created_us, backfill_day,"
                          " kind) SELECT MAX(?1, IFNULL((SELECT MAX(id) + 1 FROM accounts), 0)), ?2, '', ?3, ?4, ?5,"
                          " ?6, 0, ?7",
                          &st);
    if (e != ERR_OK)
        return finish(b, e);
    store_bind_i64(st, 1, BILL_FILES_FIRST + now_us / 1000); /* never one again: filters and workspaces name it */
    store_bind_i64(st, 2, workspace);
    store_bind_text(st, 3, name);
    store_bind_text(st, 4, note);
    store_bind_i64(st, 5, BILL_IMPORTED);
    store_bind_i64(st, 6, now_us);
    store_bind_i64(st, 7, BILL_FILES);
    e = store_run(st);
    store_clear(st);
    *ret_id = store_last_id(b->db);
    return finish(b, e);
}

enum err bill_files_update(struct bill *b, int64_t id, struct str name, struct str note)
{
    struct store_stmt *st;
    enum err e = store_begin(b->db);
    if (e == ERR_OK)
        e = store_prepare(
            b->db, "UPDATE accounts SET title=IFNULL(?2, title), note=IFNULL(?3, note) WHERE id=?1 AND kind=?4", &st);
    if (e != ERR_OK)
        return finish(b, e);
    store_bind_i64(st, 1, id);
    if (name.p)
        store_bind_text(st, 2, name);
    if (note.p)
        store_bind_text(st, 3, note);
    store_bind_i64(st, 4, BILL_FILES);
    e = store_run(st);
    store_clear(st);
    return e == ERR_OK && !store_changes(b->db) ? missing(b) : finish(b, e);
}

static enum err set_number(struct bill *b, const char *sql, int64_t id, int64_t value)
{
    const int64_t values[] = {id, value};
    enum err e = store_begin(b->db);
    if (e == ERR_OK)
        e = bill_inner_run(b, sql, values, 2);
    return e == ERR_OK && !store_changes(b->db) ? missing(b) : finish(b, e);
}

enum err bill_account_set_kind(struct bill *b, int64_t id, enum bill_account_kind kind)
{
    return set_number(b, "UPDATE accounts SET kind=?2 WHERE id=?1", id, kind);
}

enum err bill_account_set_prepaid(struct bill *b, int64_t id, bool prepaid)
{
    return set_number(b, "UPDATE accounts SET prepaid=?2 WHERE id=?1", id, prepaid);
}

/* --- days ------------------------------------------------------------------------------------ */

struct days {
    int64_t *list;
    size_t count, cap;
};

/* Days of one file, added. */
static enum err add_days(struct bill *b, int64_t upload, struct days *d)
{
    struct store_stmt *st;
    bool row;
    enum err e = store_prepare(b->db, "SELECT DISTINCT day FROM upload_rows WHERE upload=?1", &st);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, upload);
    while ((e = store_step(st, &row)) == ERR_OK && row) {
        if (d->count == d->cap) {
            d->cap = d->cap ? d->cap * 2 : 64;
            d->list = mem_realloc(d->list, d->cap * sizeof *d->list);
        }
        d->list[d->count++] = store_i64(st, 0);
    }
    store_clear(st);
    return e;
}

#define ROW_TEXTS 6
#define ROW_SELECT                                                                                                \
    "SELECT project, key, line_item, unit, amount, quantity, charge FROM upload_rows WHERE account=?1 AND day=?2" \
    " ORDER BY upload, number"

static bool read_cost(struct store_stmt *st, struct arena *a, struct bill_cost *c)
{
    struct str *const texts[ROW_TEXTS] = {&c->project, &c->key, &c->line_item, &c->unit, &c->amount, &c->quantity};
    int64_t charge = store_i64(st, ROW_TEXTS);
    bool fits = true;
    for (int i = 0; i < ROW_TEXTS && fits; i++) {
        *texts[i] = arena_dup(a, store_text(st, i));
        fits = texts[i]->p != NULL;
    }
    must(charge >= 0 && charge < BILL_CHARGE_COUNT);
    c->charge = (enum bill_charge)charge;
    return fits;
}

/* The day out of the rows of all files. */
static enum err put_day(struct bill *b, int64_t account, int64_t day, int64_t now_us)
{
    struct arena *a = arena_new(4096, DAY_ARENA_MAX);
    struct bill_day put = {.account = account, .day = day, .now_us = now_us};
    struct bill_cost *costs = NULL;
    struct bill_stored stored;
    struct store_stmt *st;
    size_t cap = 0;
    bool row, fits = true;
    enum err e = store_prepare(b->db, ROW_SELECT, &st);
    if (e == ERR_OK) {
        store_bind_i64(st, 1, account);
        store_bind_i64(st, 2, day);
        while (fits && (e = store_step(st, &row)) == ERR_OK && row) {
            if (put.count == cap) {
                cap = cap ? cap * 2 : 256;
                costs = mem_realloc(costs, cap * sizeof *costs);
            }
            fits = read_cost(st, a, &costs[put.count++]);
        }
        store_clear(st);
    }
    put.costs = costs;
    if (e == ERR_OK)
        e = fits ? bill_inner_day_put(b, &put, &stored) : ERR_OVERLOADED;
    if (e == ERR_OK && !put.count) {
        const int64_t place[] = {account, day};
        e = bill_inner_run(b, "DELETE FROM days WHERE account=?1 AND day=?2", place, 2);
    }
    mem_free(costs);
    arena_free(a);
    return e;
}

static enum err put_days(struct bill *b, int64_t account, struct days *d, int64_t now_us)
{
    const int64_t values[] = {account, now_us};
    enum err e = ERR_OK;
    for (size_t i = 0; i < d->count && e == ERR_OK; i++)
        e = put_day(b, account, d->list[i], now_us);
    if (e == ERR_OK)
        e = bill_inner_run(b, "UPDATE accounts SET success_us=?2 WHERE id=?1", values, 2);
    return e;
}

/* --- files ----------------------------------------------------------------------------------- */

/* The file goes; its days are noted. */
static enum err drop_file(struct bill *b, int64_t id, struct days *d)
{
    enum err e = add_days(b, id, d);
    if (e == ERR_OK)
        e = bill_inner_run(b, "DELETE FROM upload_rows WHERE upload=?1", &id, 1);
    return e == ERR_OK ? bill_inner_run(b, "DELETE FROM uploads WHERE id=?1", &id, 1) : e;
}

/* 0 when there is none. */
static enum err find_file(struct bill *b, const struct bill_upload *u, int64_t *ret_id)
{
    struct store_stmt *st;
    bool row;
    enum err e = store_prepare(b->db, "SELECT id FROM uploads WHERE account=?1 AND name=?2", &st);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, u->account);
    store_bind_text(st, 2, u->name);
    e = store_step(st, &row);
    if (e == ERR_OK)
        *ret_id = row ? store_i64(st, 0) : 0;
    store_clear(st);
    return e;
}

static enum err insert_file(struct bill *b, struct bill_upload *u)
{
    struct store_stmt *st;
    int64_t micro, pico;
    if (!bill_money_split(u->pusd, &micro, &pico))
        return ERR_BAD_PARAMETER;
    enum err e = store_prepare(b->db,
                               "INSERT INTO uploads(account, name, rows, micro, pico, from_day, until_day, author,"
                               " created_us) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                               &st);
    if (e != ERR_OK)
        return e;
    const int64_t numbers[] = {(int64_t)u->rows, micro, pico, u->from_day, u->until_day, u->author, u->created_us};
    store_bind_i64(st, 1, u->account);
    store_bind_text(st, 2, u->name);
    for (int i = 0; i < 7; i++)
        store_bind_i64(st, 3 + i, numbers[i]);
    e = store_run(st);
    store_clear(st);
    u->id = store_last_id(b->db);
    return e;
}

static enum err insert_row(struct bill *b, const struct bill_upload *u, size_t number, const struct bill_upload_row *r)
{
    struct store_stmt *st;
    const struct bill_cost *c = &r->cost;
    const struct str texts[] = {c->project, c->key, c->line_item, c->unit, c->amount, c->quantity};
    const int64_t numbers[] = {u->id, (int64_t)number, u->account, r->day};
    enum err e =
        store_prepare(b->db,
                      "INSERT INTO upload_rows(upload, number, account, day, project, key, line_item, unit, amount,"
                      " quantity, charge) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
                      &st);
    if (e != ERR_OK)
        return e;
    for (int i = 0; i < 4; i++)
        store_bind_i64(st, 1 + i, numbers[i]);
    for (int i = 0; i < ROW_TEXTS; i++)
        store_bind_text(st, 5 + i, texts[i]);
    store_bind_i64(st, 11, c->charge);
    e = store_run(st);
    store_clear(st);
    return e;
}

/* Sum and span of the rows. False when an amount is no number. */
static bool sum_up(struct bill_upload *u, const struct bill_upload_row *rows, size_t count)
{
    u->rows = count;
    u->pusd = 0;
    for (size_t i = 0; i < count; i++) {
        money_sum one;
        bool exact;
        if (!bill_decimal_read(rows[i].cost.amount, MONEY_PLACES, &one, &exact))
            return false;
        u->pusd += one;
        u->from_day = !i || rows[i].day < u->from_day ? rows[i].day : u->from_day;
        u->until_day = !i || rows[i].day + 1 > u->until_day ? rows[i].day + 1 : u->until_day;
    }
    return true;
}

static enum err check_account(struct bill *b, int64_t account)
{
    struct store_stmt *st;
    bool row = false;
    enum err e = store_prepare(b->db,
                               "SELECT 1 FROM accounts WHERE id=?1 AND kind=?2 AND"
                               " (SELECT COUNT(*) FROM uploads WHERE account=?1) < ?3",
                               &st);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, account);
    store_bind_i64(st, 2, BILL_FILES);
    store_bind_i64(st, 3, BILL_UPLOADS_MAX);
    e = store_step(st, &row);
    store_clear(st);
    return e == ERR_OK && !row ? ERR_NOT_FOUND : e;
}

enum err bill_upload_put(struct bill *b, struct bill_upload *u, const struct bill_upload_row *rows, size_t count,
                         int64_t now_us)
{
    struct days days = {NULL, 0, 0};
    int64_t old = 0;
    if (!sum_up(u, rows, count)) {
        str_copy(b->reason, sizeof b->reason, STR("an amount is no number that can be kept"));
        return ERR_BAD_PARAMETER;
    }
    u->created_us = now_us;
    enum err e = store_begin(b->db);
    if (e == ERR_OK)
        e = check_account(b, u->account);
    if (e == ERR_NOT_FOUND)
        return missing(b);
    if (e == ERR_OK)
        e = find_file(b, u, &old);
    if (e == ERR_OK && old)
        e = drop_file(b, old, &days);
    if (e == ERR_OK)
        e = insert_file(b, u);
    for (size_t i = 0; i < count && e == ERR_OK; i++)
        e = insert_row(b, u, i, &rows[i]);
    if (e == ERR_OK)
        e = add_days(b, u->id, &days);
    if (e == ERR_OK)
        e = put_days(b, u->account, &days, now_us);
    mem_free(days.list);
    return finish(b, e);
}

enum err bill_upload_remove(struct bill *b, int64_t account, int64_t id, int64_t now_us)
{
    struct days days = {NULL, 0, 0};
    struct store_stmt *st;
    bool row = false;
    enum err e = store_begin(b->db);
    if (e == ERR_OK)
        e = store_prepare(b->db, "SELECT 1 FROM uploads WHERE id=?1 AND account=?2", &st);
    if (e == ERR_OK) {
        store_bind_i64(st, 1, id);
        store_bind_i64(st, 2, account);
        e = store_step(st, &row);
        store_clear(st);
    }
    if (e == ERR_OK && !row)
        return missing(b);
    if (e == ERR_OK)
        e = drop_file(b, id, &days);
    if (e == ERR_OK)
        e = put_days(b, account, &days, now_us);
    mem_free(days.list);
    return finish(b, e);
}

enum err bill_uploads(struct store_db *db, int64_t account, struct arena *a, struct bill_upload **ret,
                      size_t *ret_count)
{
    struct store_stmt *st;
    bool row, fits = true;
    size_t n = 0, cap = 16;
    struct bill_upload *list = arena_alloc(a, cap * sizeof *list);
    enum err e = store_prepare(db,
                               "SELECT id, name, rows, micro, pico, from_day, until_day, author, created_us"
                               " FROM uploads WHERE account=?1 ORDER BY id DESC",
                               &st);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, account);
    while (list && fits && (e = store_step(st, &row)) == ERR_OK && row) {
        if (n == cap) {
            struct bill_upload *more = arena_alloc(a, 2 * cap * sizeof *more);
            if (more)
                memcpy(more, list, n * sizeof *more);
            list = more;
            cap *= 2;
        }
        if (!list)
            break;
        list[n] = (struct bill_upload){.id = store_i64(st, 0),
                                       .account = account,
                                       .name = arena_dup(a, store_text(st, 1)),
                                       .rows = (uint64_t)store_i64(st, 2),
                                       .pusd = bill_money(store_i64(st, 3), store_i64(st, 4)),
                                       .from_day = store_i64(st, 5),
                                       .until_day = store_i64(st, 6),
                                       .author = store_i64(st, 7),
                                       .created_us = store_i64(st, 8)};
        fits = list[n++].name.p != NULL;
    }
    store_clear(st);
    if (e != ERR_OK || !list || !fits)
        return e != ERR_OK ? e : ERR_OVERLOADED;
    *ret = list;
    *ret_count = n;
    return ERR_OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Days, one after the other, and the accounts of a day one after the other too. */
#include <stdio.h>
#include <unistd.h>

#include "base/must.h"
#include "ledger/schema.h"
#include "report/focus/focus_row.h"
#include "report/reconcile/reconcile_inner.h"

#define ARENA_FIRST (16u << 10)
#define ARENA_MAX ((size_t)256 << 20)
#define ROW_MAX (1u << 20)
#define LINE_MAX_BYTES (1u << 20)
#define CACHE_KIB 16384

/* --- words ----------------------------------------------------------------------------------- */

static const char *const versions[] = {
#define X(name, text) text,
    FOCUS_VERSION_TABLE(X)
#undef X
};
static const char *const ledgers[] = {"billed", "metered"};

const char *focus_version_text(enum focus_version v)
{
    must((unsigned)v < FOCUS_VERSION_COUNT);
    return versions[v];
}

bool focus_version_parse(struct str text, enum focus_version *ret)
{
    for (unsigned i = 0; i < FOCUS_VERSION_COUNT; i++)
        if (str_eq(text, str_c(versions[i]))) {
            *ret = (enum focus_version)i;
            return true;
        }
    return false;
}

const char *focus_ledger_text(enum focus_ledger l)
{
    return ledgers[l];
}

bool focus_ledger_parse(struct str text, enum focus_ledger *ret)
{
    for (unsigned i = 0; i < 2; i++)
        if (str_eq(text, str_c(ledgers[i]))) {
            *ret = (enum focus_ledger)i;
            return true;
        }
    return false;
}

/* --- rows ------------------------------------------------------------------------------------ */

enum err focus_no_room(struct focus_run *r)
{
    snprintf(r->error->text, sizeof r->error->text, "A row is too long to be written; shorten names or tags.");
    return ERR_OVERLOADED;
}

static enum err send(struct focus_run *r)
{
    return r->sink(r->context, buf_str(&r->line)) ? ERR_OK : ERR_CLIENT_GONE;
}

enum err focus_put(struct focus_run *r, struct focus_row *row, struct focus_subject *s)
{
    bool passes;
    enum err e = focus_match(r->q, s, r->row, &passes, &row->tags);
    if (e != ERR_OK)
        return focus_no_room(r);
    if (passes && r->skipped < r->q->skip) {
        r->skipped++;
    } else if (passes && r->q->limit && r->done.rows == r->q->limit) {
        r->enough = r->done.more = true;
    } else if (passes) {
        buf_reset(&r->line);
        e = focus_column_line(r, row, &r->line) ? send(r) : focus_no_room(r);
        r->done.rows += e == ERR_OK;
    }
    return e;
}

/* --- billed ---------------------------------------------------------------------------------- */

static bool in_scope(const struct cost_scope *s, int64_t account)
{
    for (size_t i = 0; !s->all && i < s->account_count; i++)
        if (s->accounts[i] == account)
            return true;
    return s->all;
}

static enum err billed_days(struct focus_run *r, struct store_db *db, const struct bill_account *accounts, size_t count)
{
    enum err e = ERR_OK;
    for (int64_t day = r->q->from_day; e == ERR_OK && !r->enough && day < r->q->until_day; day++) {
        for (size_t i = 0; e == ERR_OK && !r->enough && i < count; i++)
            if (in_scope(&r->q->scope, accounts[i].id) && accounts[i].kind != BILL_OLD_USAGE)
                e = focus_billed_day(r, db, &accounts[i], day);
    }
    return e;
}

static enum err store_failed(struct focus_run *r, struct store_db *db, enum err e)
{
    if (e != ERR_OK && e != ERR_CLIENT_GONE && !r->error->text[0])
        snprintf(r->error->text, sizeof r->error->text, "The costs cannot be read: %.200s.", store_reason(db));
    return e;
}

static enum err run_billed(struct focus_run *r)
{
    struct bill_reader *bill;
    struct bill_account *accounts;
    struct arena *a;
    size_t count;
    enum err e = bill_reader_open(r->q->dir, &bill);
    if (e == ERR_NOT_FOUND)
        return ERR_OK;
    if (e != ERR_OK) {
        snprintf(r->error->text, sizeof r->error->text, "The imported bill cannot be read: %.200s.",
                 bill_open_reason());
        return e;
    }
    struct store_db *db = bill_reader_db(bill);
    a = arena_new(ARENA_FIRST, ARENA_MAX);
    e = store_begin_read(db);
    if (e == ERR_OK)
        e = bill_accounts(db, 0, a, &accounts, &count);
    if (e == ERR_OK) {
        const struct match_scope all = {.all = true};
        e = match_new(db, &all, r->q->links, r->q->link_count, &r->match);
    }
    if (e == ERR_OK)
        e = billed_days(r, db, accounts, count);
    e = store_failed(r, db, e);
    match_free(r->match);
    store_rollback(db);
    arena_free(a);
    bill_reader_close(bill);
    return e;
}

/* --- metered --------------------------------------------------------------------------------- */

static enum err metered_days(struct focus_run *r, struct store_db *db)
{
    enum err e = ERR_OK;
    for (int64_t day = r->q->from_day; e == ERR_OK && !r->enough && day < r->q->until_day; day++) {
        e = store_begin_read(db);
        if (e == ERR_OK)
            e = focus_metered_day(r, db, day);
        e = store_failed(r, db, e);
        store_rollback(db);
    }
    return e;
}

static enum err run_metered(struct focus_run *r)
{
    const struct store_options options = {.read_only = true, .cache_kib = CACHE_KIB};
    const struct match_scope none = {.all = false};
    char path[SCHEMA_PATH_MAX];
    struct store_db *db;
    if (!schema_path(path, r->q->dir, SCHEMA_FILE) || access(path, F_OK) != 0)
        return ERR_OK;
    enum err e = store_open(path, &options, &db);
    if (e != ERR_OK) {
        snprintf(r->error->text, sizeof r->error->text, "The ledger cannot be read: %.200s.", store_open_reason());
        return e;
    }
    e = schema_check(db);
    if (e == ERR_OK)
        e = match_new(NULL, &none, NULL, 0, &r->match);
    if (e == ERR_OK)
        e = metered_days(r, db);
    match_free(r->match);
    store_close(db);
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

/* --- a file ---------------------------------------------------------------------------------- */

static enum err check(const struct focus_query *q, struct cost_error *error)
{
    const char *why = q->until_day < q->from_day                    ? "The end of the period is before its beginning."
                      : q->until_day - q->from_day > FOCUS_DAYS_MAX ? "The period is longer than three years."
                                                                    : NULL;
    for (size_t i = 0; i < q->filter_count; i++) {
        if (vql_uses(q->filters[i], VQL_ALLOCATION))
            why = "costs.allocation cannot be used here: a charge is in the file or it is not.";
        if (vql_ledgers(q->filters[i]) & ~(1u << (q->ledger == FOCUS_METERED ? VQL_METERED : VQL_BILLED)))
            why = "A FOCUS file has one ledger, billed or metered; the filter names another.";
    }
    error->text[0] = '\0';
    if (why)
        str_copy(error->text, sizeof error->text, str_c(why));
    return why ? ERR_BAD_PARAMETER : ERR_OK;
}

enum err focus_write(const struct focus_query *q, focus_sink *sink, void *context, struct focus_done *ret,
                     struct cost_error *error)
{
    struct focus_run r = {.q = q, .error = error, .sink = sink, .context = context};
    enum err e = check(q, error);
    if (e != ERR_OK)
        return e;
    must(q->tag_count <= COST_TAGS_MAX);
    r.day = arena_new(ARENA_FIRST, ARENA_MAX);
    r.row = arena_new(ARENA_FIRST, ROW_MAX);
    r.book = reconcile_book_new(q->prices);
    buf_init(&r.line, LINE_MAX_BYTES);
    if (!q->no_names)
        e = focus_column_names(q->version, &r.line) ? send(&r) : focus_no_room(&r);
    if (e == ERR_OK)
        e = q->ledger == FOCUS_BILLED ? run_billed(&r) : run_metered(&r);
    buf_free(&r.line);
    reconcile_book_free(r.book);
    arena_free(r.row);
    arena_free(r.day);
    if (e == ERR_OK)
        *ret = r.done;
    return e;
}

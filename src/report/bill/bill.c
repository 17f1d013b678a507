/* SPDX-License-Identifier: Apache-2.0 */
/* Names, days, money, and the reading of accounts and rows. */
#include "report/bill/bill.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/must.h"

#define PATH_MAX_BYTES 4096
#define CACHE_KIB 8192
#define ACCOUNTS_MAX 10000

struct bill_reader {
    struct store_db *db;
};

static _Thread_local char open_reason[256];

const char *bill_status_text(enum bill_status s)
{
    static const char *const texts[] = {
#define X(name, text) text,
        BILL_STATUS_TABLE(X)
#undef X
    };
    must((unsigned)s < BILL_STATUS_COUNT);
    return texts[s];
}

const char *bill_charge_text(enum bill_charge c)
{
    static const char *const texts[] = {
#define X(name, text) text,
        BILL_CHARGE_TABLE(X)
#undef X
    };
    must((unsigned)c < BILL_CHARGE_COUNT);
    return texts[c];
}

const char *bill_usage_text(enum bill_usage u)
{
    static const char *const texts[] = {
#define X(name, text) text,
        BILL_USAGE_TABLE(X)
#undef X
    };
    must((unsigned)u < BILL_USAGE_COUNT);
    return texts[u];
}

/* --- days and money -------------------------------------------------------------------------- */

int64_t bill_day_of(int64_t wall_us)
{
    int64_t day = wall_us / BILL_DAY_US;
    return day - (wall_us % BILL_DAY_US < 0);
}

int64_t bill_day_us(int64_t day)
{
    return day * BILL_DAY_US;
}

int64_t bill_month_of(int64_t day)
{
    struct clock_utc t = clock_utc_of(bill_day_us(day));
    return (int64_t)(t.year - 1970) * 12 + t.month - 1;
}

int64_t bill_month_day(int64_t month)
{
    int64_t year = month / 12 - (month % 12 < 0);
    struct clock_utc t = {.year = (int)(1970 + year), .month = (int)(month - year * 12) + 1, .day = 1};
    return bill_day_of(clock_wall_of(t));
}

size_t bill_day_format(int64_t day, char out[BILL_DAY_TEXT_MAX])
{
    struct clock_utc t = clock_utc_of(bill_day_us(day));
    int n = snprintf(out, BILL_DAY_TEXT_MAX, "%04d-%02d-%02d", t.year, t.month, t.day);
    must(n > 0 && n < BILL_DAY_TEXT_MAX);
    return (size_t)n;
}

bool bill_money_split(money_sum pusd, int64_t *ret_micro, int64_t *ret_pico)
{
    money_sum micro = pusd / 1000000;
    int64_t pico = (int64_t)(pusd - micro * 1000000);
    if (pico < 0) {
        pico += 1000000;
        micro--;
    }
    if (micro > INT64_MAX || micro < INT64_MIN)
        return false;
    *ret_micro = (int64_t)micro;
    *ret_pico = pico;
    return true;
}

/* --- readers --------------------------------------------------------------------------------- */

const char *bill_open_reason(void)
{
    return open_reason;
}

enum err bill_reader_open(const char *dir, struct bill_reader **ret)
{
    const struct store_options options = {.read_only = true, .cache_kib = CACHE_KIB};
    char path[PATH_MAX_BYTES];
    struct store_db *db;
    int n = snprintf(path, sizeof path, "%s/%s", dir, BILL_FILE);
    if (n < 0 || (size_t)n >= sizeof path) {
        str_copy(open_reason, sizeof open_reason, STR("the data directory's name is too long"));
        return ERR_FILE_FAILED;
    }
    if (access(path, F_OK) != 0 && errno == ENOENT) {
        str_copy(open_reason, sizeof open_reason, STR("no bill has been imported in this directory"));
        return ERR_NOT_FOUND;
    }
    enum err e = store_open(path, &options, &db);
    if (e != ERR_OK) {
        str_copy(open_reason, sizeof open_reason, str_c(store_open_reason()));
        return e;
    }
    e = bill_schema_check(db);
    if (e != ERR_OK) {
        const char *why = e == ERR_NOT_FOUND      ? "no bill has been imported in this directory"
                          : e == ERR_SCHEMA_NEWER ? "the bill was written by a newer version of this program"
                          : e == ERR_OVERLOADED ? "its sums are being made anew after an update; ask again in a minute"
                                                : store_reason(db);
        str_copy(open_reason, sizeof open_reason, str_c(why));
        store_close(db);
        return e;
    }
    struct bill_reader *r = mem_alloc(sizeof *r);
    r->db = db;
    *ret = r;
    return ERR_OK;
}

void bill_reader_close(struct bill_reader *r)
{
    if (!r)
        return;
    store_close(r->db);
    mem_free(r);
}

struct store_db *bill_reader_db(struct bill_reader *r)
{
    return r->db;
}

/* --- accounts -------------------------------------------------------------------------------- */

#define ACCOUNT_COLUMNS                                                                                      \
    "id, workspace, slug, organization, title, status, error, failures, created_us, success_us, refresh_us," \
    " backfill_day, back_day, names_us, hourly_us, daily_us, monthly_us, no_keys, kept, kind, prepaid,"      \
    " note"

static bool read_account(struct store_stmt *st, struct arena *a, struct bill_account *r)
{
    struct str *const texts[] = {&r->slug, &r->organization, &r->title, &r->error, &r->note};
    static const int columns[] = {2, 3, 4, 6, 21};
    int64_t status = store_i64(st, 5), kind = store_i64(st, 19);
    *r = (struct bill_account){
        .id = store_i64(st, 0),
        .workspace = store_i64(st, 1),
        .status = status >= 0 && status < BILL_STATUS_COUNT ? (enum bill_status)status : BILL_ERROR,
        .failures = store_i64(st, 7),
        .created_us = store_i64(st, 8),
        .success_us = store_i64(st, 9),
        .refresh_us = store_i64(st, 10),
        .backfill_day = store_i64(st, 11),
        .back_day = store_i64(st, 12),
        .names_us = store_i64(st, 13),
        .hourly_us = store_i64(st, 14),
        .daily_us = store_i64(st, 15),
        .monthly_us = store_i64(st, 16),
        .no_keys = store_i64(st, 17) != 0,
        .kept = store_i64(st, 18) != 0,
        .kind = kind >= 0 && kind <= BILL_OLD_USAGE ? (enum bill_account_kind)kind : BILL_IMPORTED_COSTS,
        .prepaid = store_i64(st, 20) != 0};
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++) {
        *texts[i] = arena_dup(a, store_text(st, columns[i]));
        if (!texts[i]->p)
            return false;
    }
    return true;
}

enum err bill_accounts(struct store_db *db, int64_t workspace, struct arena *a, struct bill_account **ret,
                       size_t *ret_count)
{
    struct store_stmt *st;
    bool row, fits = true;
    size_t n = 0;
    struct bill_account *list = NULL;
    enum err e = store_prepare(db, "SELECT COUNT(*) FROM accounts WHERE ?1=0 OR workspace=?1", &st);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, workspace);
    e = store_step(st, &row);
    if (e != ERR_OK)
        return e;
    size_t count = row && store_i64(st, 0) < ACCOUNTS_MAX ? (size_t)store_i64(st, 0) : ACCOUNTS_MAX;
    store_clear(st);
    list = arena_alloc(a, (count + 1) * sizeof *list);
    if (!list)
        return ERR_OVERLOADED;
    e = store_prepare(db, "SELECT " ACCOUNT_COLUMNS " FROM accounts WHERE ?1=0 OR workspace=?1 ORDER BY id", &st);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, workspace);
    while (n < count && fits && (e = store_step(st, &row)) == ERR_OK && row)
        fits = read_account(st, a, &list[n++]);
    store_clear(st);
    if (e != ERR_OK || !fits)
        return e != ERR_OK ? e : ERR_OVERLOADED;
    *ret = list;
    *ret_count = n;
    return ERR_OK;
}

enum err bill_account_find(struct store_db *db, int64_t id, struct arena *a, struct bill_account *ret)
{
    struct store_stmt *st;
    bool row;
    enum err e = store_prepare(db, "SELECT " ACCOUNT_COLUMNS " FROM accounts WHERE id=?1", &st);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, id);
    e = store_step(st, &row);
    if (e == ERR_OK)
        e = !row ? ERR_NOT_FOUND : read_account(st, a, ret) ? ERR_OK : ERR_OVERLOADED;
    store_clear(st);
    return e;
}

/* --- rows ------------------------------------------------------------------------------------ */

/* A filter that is not given is bound as NULL. */
#define ROWS_FROM                                                                                                \
    " FROM bill_rows b JOIN items i ON i.id=b.item"                                                              \
    " LEFT JOIN names p ON p.id=b.project LEFT JOIN names k ON k.id=b.key"                                       \
    " WHERE b.account IN (SELECT id FROM accounts WHERE (?1 IS NULL OR workspace=?1) AND (?2 IS NULL OR id=?2))" \
    " AND b.day>=?3 AND b.day<?4"                                                                                \
    " AND (?5 IS NULL OR IFNULL(p.ext, '')=?5) AND (?6 IS NULL OR IFNULL(k.ext, '')=?6)"                         \
    " AND (?7 IS NULL OR i.line_item=?7)"                                                                        \
    " AND (?8 IS NULL OR i.service=(SELECT id FROM terms WHERE text=?8))"                                        \
    " AND (?9 IS NULL OR i.category=(SELECT id FROM terms WHERE text=?9))"                                       \
    " AND (?10 IS NULL OR i.subcategory=(SELECT id FROM terms WHERE text=?10))"
#define TERM(column) "(SELECT text FROM terms WHERE id=" column "), "
#define ROWS_SELECT                                                                                                    \
    "SELECT b.account, b.day, b.project, b.key, b.item, p.ext, p.name, k.ext, k.name, i.line_item, " TERM("i.service") \
        TERM("i.category") TERM("i.subcategory") TERM("i.tier") TERM("i.model") "b.charge, " TERM(                     \
            "b.unit") "b.micro, b.pico, b.quantity, b.nano, b.amount_text, b.quantity_text"
#define ROWS_ORDER " ORDER BY b.account, b.day, b.project, b.key, b.item, b.charge, b.unit"

static void bind_filter(struct store_stmt *st, const struct bill_filter *f)
{
    const struct str texts[] = {f->project, f->key, f->line_item, f->service, f->category, f->subcategory};
    if (f->workspace)
        store_bind_i64(st, 1, f->workspace);
    if (f->account)
        store_bind_i64(st, 2, f->account);
    store_bind_i64(st, 3, f->from_day);
    store_bind_i64(st, 4, f->until_day ? f->until_day : INT64_MAX);
    for (int i = 0; i < 6; i++)
        if (texts[i].p)
            store_bind_text(st, 5 + i, texts[i]);
}

static struct bill_row read_row(struct store_stmt *st)
{
    int64_t charge = store_i64(st, 15);
    return (struct bill_row){.account = store_i64(st, 0),
                             .day = store_i64(st, 1),
                             .project_id = store_i64(st, 2),
                             .key_id = store_i64(st, 3),
                             .item_id = store_i64(st, 4),
                             .project = store_text(st, 5),
                             .project_name = store_text(st, 6),
                             .key = store_text(st, 7),
                             .key_name = store_text(st, 8),
                             .line_item = store_text(st, 9),
                             .service = store_text(st, 10),
                             .category = store_text(st, 11),
                             .subcategory = store_text(st, 12),
                             .tier = store_text(st, 13),
                             .model = store_text(st, 14),
                             .charge = charge >= 0 && charge < BILL_CHARGE_COUNT ? (enum bill_charge)charge : 0,
                             .unit = store_text(st, 16),
                             .pusd = bill_money(store_i64(st, 17), store_i64(st, 18)),
                             .quantity = store_i64(st, 19),
                             .nano = store_i64(st, 20),
                             .amount_text = store_text(st, 21),
                             .quantity_text = store_text(st, 22)};
}

enum err bill_rows_each(struct store_db *db, const struct bill_filter *f, bill_row_fn *fn, void *ctx)
{
    struct store_stmt *st;
    bool row;
    enum err e = store_prepare(db, ROWS_SELECT ROWS_FROM ROWS_ORDER, &st);
    if (e != ERR_OK)
        return e;
    bind_filter(st, f);
    while ((e = store_step(st, &row)) == ERR_OK && row) {
        struct bill_row r = read_row(st);
        if (!fn(ctx, &r))
            break;
    }
    store_clear(st);
    return e;
}

enum err bill_rows_sum(struct store_db *db, const struct bill_filter *f, money_sum *ret_pusd, uint64_t *ret_rows)
{
    struct store_stmt *st;
    bool row;
    enum err e = store_prepare(db, "SELECT COUNT(*), SUM(b.micro), SUM(b.pico)" ROWS_FROM, &st);
    if (e != ERR_OK)
        return e;
    bind_filter(st, f);
    e = store_step(st, &row);
    if (e == ERR_OK) {
        must(row);
        *ret_rows = (uint64_t)store_i64(st, 0);
        *ret_pusd = bill_money(store_i64(st, 1), store_i64(st, 2));
    }
    store_clear(st);
    return e;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The words of cost queries, the connections to both databases, and the order in which ledgers are asked. */
#include "report/cost/cost.h"

#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/must.h"
#include "ledger/schema.h"
#include "report/bill/bill.h"
#include "report/cost/cost_sql.h"

#define ARENA_FIRST (64u << 10)
#define ARENA_MAX ((size_t)512 << 20)
#define CACHE_KIB 16384
#define DEPTH_MAX 4
#define DAYS_MAX 3000000 /* since 1970 */

struct cost_reader {
    char dir[SCHEMA_PATH_MAX];
    struct bill_reader *bill; /* NULL while there is none */
    struct store_db *ledger;  /* NULL while there is none */
};

/* --- words ----------------------------------------------------------------------------------- */

static const struct {
    const char *text, *json, *heading;
} groups[] = {
#define X(name, text, json, heading) {text, json, heading},
    COST_GROUP_TABLE(X)
#undef X
};

static const struct {
    const char *text;
    enum cost_by by;
} words[] = {
    {"organization", COST_BY_BILLING_ACCOUNT},
    {"project", COST_BY_ACCOUNT},
    {"operation", COST_BY_SERVICE},
    {"api_key", COST_BY_RESOURCE},
};

static const char *const bins[] = {
#define X(name, text) text,
    COST_BIN_TABLE(X)
#undef X
};

const char *cost_by_text(enum cost_by by)
{
    must((unsigned)by < COST_BY_COUNT);
    return groups[by].text;
}

const char *cost_by_json(enum cost_by by)
{
    must((unsigned)by < COST_BY_COUNT);
    return groups[by].json;
}

const char *cost_by_heading(enum cost_by by)
{
    must((unsigned)by < COST_BY_COUNT);
    return groups[by].heading;
}

bool cost_group_parse(struct str text, struct cost_group *ret)
{
    if (str_starts(text, STR("tag:"))) {
        *ret = (struct cost_group){COST_BY_TAG, str_from(text, 4)};
        return ret->tag.n > 0;
    }
    for (unsigned i = 0; i < COST_BY_COUNT; i++) {
        if (i != COST_BY_TAG && str_eq(text, str_c(groups[i].text))) {
            *ret = (struct cost_group){(enum cost_by)i, STR("")};
            return true;
        }
    }
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (str_eq(text, str_c(words[i].text))) {
            *ret = (struct cost_group){words[i].by, STR("")};
            return true;
        }
    }
    return false;
}

const char *cost_bin_text(enum cost_bin b)
{
    must((unsigned)b < COST_BIN_COUNT);
    return bins[b];
}

bool cost_bin_parse(struct str text, enum cost_bin *ret)
{
    for (unsigned i = 0; i < COST_BIN_COUNT; i++) {
        if (str_eq(text, str_c(bins[i]))) {
            *ret = (enum cost_bin)i;
            return true;
        }
    }
    return false;
}

struct cost_settings cost_settings_default(void)
{
    return (struct cost_settings){.include_discounts = true, .include_tax = true, .amortize = true};
}

struct cost_query cost_query_all(void)
{
    return (struct cost_query){.scope = {.all = true}, .bin = COST_BIN_DAY, .settings = cost_settings_default()};
}

size_t cost_provider_format(int64_t account, char out[COST_PROVIDER_MAX])
{
    int n = snprintf(out, COST_PROVIDER_MAX, "custom_provider:accss_crdntl_%016llx", (unsigned long long)account);
    must(n > 0 && n < COST_PROVIDER_MAX);
    return (size_t)n;
}

size_t cost_accrued(enum cost_bin bin, int64_t start_us, char out[COST_ACCRUED_MAX])
{
    _Static_assert(COST_ACCRUED_MAX >= CLOCK_TEXT_MAX, "the clock's text fits");
    size_t n = clock_format(start_us, 0, out);
    if (bin == COST_BIN_HOUR)
        return n;
    must(n >= 10);
    out[10] = '\0';
    return 10;
}

/* --- connections ----------------------------------------------------------------------------- */

static bool exists(const struct cost_reader *r, const char *name)
{
    char path[SCHEMA_PATH_MAX];
    return schema_path(path, r->dir, name) && access(path, F_OK) == 0;
}

static enum err open_bill(struct cost_reader *r, struct cost_error *error)
{
    if (r->bill || !exists(r, BILL_FILE))
        return ERR_OK;
    enum err e = bill_reader_open(r->dir, &r->bill);
    if (e == ERR_NOT_FOUND)
        return ERR_OK;
    if (e != ERR_OK)
        cost_error_set(error, "The imported bill cannot be read: %s.", bill_open_reason());
    return e;
}

static enum err open_ledger(struct cost_reader *r, struct cost_error *error)
{
    const struct store_options options = {.read_only = true, .cache_kib = CACHE_KIB};
    char path[SCHEMA_PATH_MAX];
    if (r->ledger || !exists(r, SCHEMA_FILE) || !schema_path(path, r->dir, SCHEMA_FILE))
        return ERR_OK;
    enum err e = store_open(path, &options, &r->ledger);
    if (e != ERR_OK) {
        cost_error_set(error, "The ledger cannot be read: %s.", store_open_reason());
        return e;
    }
    e = schema_check(r->ledger);
    if (e == ERR_OK)
        return ERR_OK;
    cost_error_set(error, "The ledger was written by a newer version of this program, or is damaged.");
    store_close(r->ledger);
    r->ledger = NULL;
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

enum err cost_reader_open(const char *dir, struct cost_reader **ret, struct cost_error *error)
{
    struct cost_reader *r = mem_zalloc(sizeof *r);
    str_copy(r->dir, sizeof r->dir, str_c(dir));
    enum err e = open_bill(r, error);
    if (e == ERR_OK)
        e = open_ledger(r, error);
    if (e != ERR_OK) {
        cost_reader_close(r);
        return e;
    }
    *ret = r;
    return ERR_OK;
}

void cost_reader_close(struct cost_reader *r)
{
    if (!r)
        return;
    bill_reader_close(r->bill);
    store_close(r->ledger);
    mem_free(r);
}

/* --- a query --------------------------------------------------------------------------------- */

static enum err check(const struct cost_query *q, struct cost_error *error, unsigned *ret_ledgers)
{
    unsigned ledgers = 0;
    must(q->group_count <= COST_GROUPS_MAX);
    if (q->filter_count > COST_FILTERS_MAX) {
        cost_error_set(error, "More than %d filters at once.", COST_FILTERS_MAX);
        return ERR_BAD_PARAMETER;
    }
    if (q->until_day < q->from_day) {
        cost_error_set(error, "The end of the period is before its beginning.");
        return ERR_BAD_PARAMETER;
    }
    if (q->from_day < -DAYS_MAX || q->until_day > DAYS_MAX) {
        cost_error_set(error, "The dates are not of this era.");
        return ERR_BAD_PARAMETER;
    }
    for (size_t i = 0; i < q->filter_count; i++)
        ledgers |= vql_ledgers(q->filters[i]);
    if ((ledgers & 1u << VQL_ALLOCATED) && !q->known.links) {
        cost_error_set(error, "costs.ledger = 'allocated' cannot be asked for here.");
        return ERR_BAD_PARAMETER;
    }
    *ret_ledgers = ledgers ? ledgers : 1u << VQL_BILLED;
    return ERR_OK;
}

/* --- ledgers --------------------------------------------------------------------------------- */

struct run {
    struct cost_reader *reader;
    struct cost_job job;
    unsigned ledgers, depth;
    bool tags; /* are asked for */
};

typedef enum err ledger_fn(struct cost_job *j, struct store_db *db);

static enum err unreadable(struct cost_job *j, struct store_db *db, enum err e)
{
    if (e != ERR_OK && !j->error->text[0])
        cost_error_set(j->error, "The costs cannot be read: %s.", store_reason(db));
    return e;
}

/* One ledger in a transaction and an arena of its own. */
static enum err run_ledger(struct cost_job *j, struct store_db *db, ledger_fn *run)
{
    if (!db)
        return ERR_OK;
    j->arena = arena_new(ARENA_FIRST, ARENA_MAX);
    enum err e = store_begin_read(db);
    if (e == ERR_OK)
        e = run(j, db);
    e = unreadable(j, db, e);
    store_rollback(db);
    arena_free(j->arena);
    j->arena = NULL;
    return e;
}

/* The allocated ledger is one of both databases. */
static enum err run_shared(struct cost_job *j, struct store_db *bill, struct store_db *ledger)
{
    if (!bill)
        return ERR_OK;
    j->arena = arena_new(ARENA_FIRST, ARENA_MAX);
    enum err e = store_begin_read(bill);
    if (e == ERR_OK && ledger)
        e = store_begin_read(ledger);
    if (e == ERR_OK)
        e = cost_shared_run(j, bill, ledger);
    e = unreadable(j, bill, e);
    store_rollback(bill);
    if (ledger)
        store_rollback(ledger);
    arena_free(j->arena);
    j->arena = NULL;
    return e;
}

static enum err run_ledgers(struct run *r)
{
    struct store_db *bill = r->reader->bill ? bill_reader_db(r->reader->bill) : NULL;
    enum err e = ERR_OK;
    if (r->ledgers & 1u << VQL_BILLED)
        e = run_ledger(&r->job, bill, cost_billed_run);
    if (e == ERR_OK && (r->ledgers & 1u << VQL_ESTIMATED))
        e = run_ledger(&r->job, bill, cost_estimated_run);
    if (e == ERR_OK && (r->ledgers & 1u << VQL_METERED))
        e = run_ledger(&r->job, r->reader->ledger, cost_metered_run);
    if (e == ERR_OK && (r->ledgers & 1u << VQL_ALLOCATED))
        e = run_shared(&r->job, bill, r->reader->ledger);
    return e;
}

static enum err open_ledgers(struct run *r)
{
    enum err e = ERR_OK;
    if (r->ledgers & ~(1u << VQL_METERED))
        e = open_bill(r->reader, r->job.error);
    if (e == ERR_OK && (r->ledgers & (1u << VQL_METERED | 1u << VQL_ALLOCATED)))
        e = open_ledger(r->reader, r->job.error);
    return e;
}

/* --- a query --------------------------------------------------------------------------------- */

static enum err run_query(struct cost_reader *reader, const struct cost_query *q, unsigned depth,
                          struct cost_result **ret, struct cost_error *error);

/* What shares are made of; see cost_pieces. */
static enum err run_again(void *context, const struct cost_query *q, struct cost_result **ret, struct cost_error *error)
{
    const struct run *r = context;
    if (r->depth == DEPTH_MAX) {
        cost_error_set(error, "Tags that follow from costs by tags go too deep, or in a circle.");
        return ERR_BAD_PARAMETER;
    }
    return run_query(r->reader, q, r->depth + 1, ret, error);
}

static enum err run_pieces(struct run *r, struct arena *a)
{
    struct cost_piece *pieces;
    size_t count;
    enum err e = cost_pieces_make(r->job.q, r->tags, a, run_again, r, &pieces, &count, r->job.error);
    for (size_t i = 0; e == ERR_OK && i < count; i++) {
        r->job.piece = &pieces[i];
        e = run_ledgers(r);
    }
    return e;
}

static enum err run_query(struct cost_reader *reader, const struct cost_query *q, unsigned depth,
                          struct cost_result **ret, struct cost_error *error)
{
    struct run r = {.reader = reader, .job = {.q = q, .error = error}, .depth = depth};
    error->text[0] = '\0';
    enum err e = check(q, error, &r.ledgers);
    if (e == ERR_OK)
        e = cost_sql_fields(q, error, &r.job.fields, &r.tags);
    if (e == ERR_OK)
        e = open_ledgers(&r);
    if (e != ERR_OK)
        return e;
    struct arena *a = arena_new(ARENA_FIRST, ARENA_MAX);
    r.job.table = cost_table_new(q);
    e = run_pieces(&r, a);
    if (e == ERR_OK)
        e = cost_table_end(r.job.table, r.job.by_day, ret, error);
    cost_table_free(r.job.table);
    arena_free(a);
    return e;
}

enum err cost_run(struct cost_reader *r, const struct cost_query *q, struct cost_result **ret, struct cost_error *error)
{
    return run_query(r, q, 0, ret, error);
}

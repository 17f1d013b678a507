/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Both ledgers are read in one transaction each, the bill first: what was billed was metered before. The result has an
 * arena of its own; everything else goes when the job is done.
 */
#include <stdio.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/must.h"
#include "ledger/schema.h"
#include "report/bill/bill.h"
#include "report/reconcile/reconcile.h"
#include "report/reconcile/reconcile_inner.h"

#define CACHE_KIB 16384
#define ARENA_FIRST 65536
#define JOB_MAX ((size_t)256 << 20)
#define RESULT_MAX ((size_t)512 << 20)

/* The result with what it lives in. */
struct result {
    struct reconcile r;
    struct arena *arena;
};

struct reconcile_query reconcile_query_month(int64_t month, int64_t now_us)
{
    return (struct reconcile_query){.from_day = bill_month_day(month),
                                    .until_day = bill_month_day(month + 1),
                                    .tolerance_pusd = RECONCILE_TOLERANCE_PUSD,
                                    .tolerance_ppm = RECONCILE_TOLERANCE_PPM,
                                    .now_us = now_us};
}

/* --- both ledgers ---------------------------------------------------------------------------- */

static enum err fail(struct reconcile_job *j, enum err e, const char *what, const char *why)
{
    snprintf(j->error->text, sizeof j->error->text, "The %s cannot be read: %s.", what, why);
    return e;
}

static enum err open_bill(struct reconcile_job *j, const char *dir, struct bill_reader **ret)
{
    char path[SCHEMA_PATH_MAX];
    *ret = NULL;
    if (!schema_path(path, dir, BILL_FILE) || access(path, F_OK) != 0)
        return ERR_OK;
    enum err e = bill_reader_open(dir, ret);
    if (e == ERR_NOT_FOUND)
        return ERR_OK;
    if (e != ERR_OK)
        return fail(j, e, "bill", bill_open_reason());
    j->bill = bill_reader_db(*ret);
    e = store_begin_read(j->bill);
    return e == ERR_OK ? e : fail(j, e, "bill", store_reason(j->bill));
}

static enum err open_ledger(struct reconcile_job *j, const char *dir, struct store_db **ret)
{
    const struct store_options options = {.read_only = true, .cache_kib = CACHE_KIB};
    char path[SCHEMA_PATH_MAX];
    *ret = NULL;
    if (!schema_path(path, dir, SCHEMA_FILE) || access(path, F_OK) != 0)
        return ERR_OK;
    enum err e = store_open(path, &options, ret);
    if (e != ERR_OK)
        return fail(j, e, "ledger", store_open_reason());
    e = schema_check(*ret);
    if (e == ERR_NOT_FOUND)
        return ERR_OK;
    if (e == ERR_OK)
        e = store_begin_read(*ret);
    if (e != ERR_OK)
        return fail(j, e, "ledger", e == ERR_SCHEMA_NEWER ? "it was written by a newer version" : store_reason(*ret));
    j->ledger = *ret;
    return ERR_OK;
}

/* --- the job --------------------------------------------------------------------------------- */

static enum err check(const struct reconcile_query *q, struct cost_error *error)
{
    const char *why = NULL;
    must(q->group_count <= RECONCILE_GROUPS_MAX);
    if (q->until_day < q->from_day)
        why = "The end of the period is before its beginning.";
    else if (q->until_day - q->from_day > RECONCILE_DAYS_MAX)
        why = "A reconciliation is about three years at most.";
    else if (q->from_day < 0 || q->until_day > 200000)
        why = "The dates are not of this era.";
    for (unsigned i = 0; i < q->group_count; i++)
        for (unsigned k = 0; k < i; k++)
            if (q->groups[i] == q->groups[k])
                why = "A grouping is named twice.";
    if (why)
        str_copy(error->text, sizeof error->text, str_c(why));
    return why ? ERR_BAD_PARAMETER : ERR_OK;
}

static enum err read_all(struct reconcile_job *j)
{
    const struct cost_scope *s = &j->q->scope;
    struct match_scope scope = {.accounts = s->accounts,
                                .account_count = s->account_count,
                                .workspaces = s->workspaces,
                                .workspace_count = s->workspace_count,
                                .all = s->all};
    enum err e = reconcile_metered_links(j, &scope.used);
    if (e != ERR_OK)
        return e;
    e = match_new(j->bill, &scope, j->q->links, j->q->link_count, &j->match);
    if (e != ERR_OK)
        return j->bill ? reconcile_store_failed(j, j->bill, e) : reconcile_no_room(j);
    j->book = reconcile_book_new(j->q->prices);
    e = reconcile_days_read(j);
    if (e == ERR_OK)
        e = reconcile_billed_read(j);
    if (e == ERR_OK)
        e = reconcile_usage_read(j);
    return e == ERR_OK ? reconcile_metered_read(j) : e;
}

typedef enum err work_fn(struct reconcile_job *j, void *ctx);

/* Everything opened and read, then `work`. */
static enum err with_job(const char *dir, const struct reconcile_query *q, struct cost_error *error, work_fn *work,
                         void *ctx)
{
    struct reconcile_job j = {.q = q, .error = error};
    struct bill_reader *bill = NULL;
    struct store_db *ledger = NULL;
    error->text[0] = '\0';
    enum err e = check(q, error);
    if (e != ERR_OK)
        return e;
    j.arena = arena_new(ARENA_FIRST, JOB_MAX);
    e = open_bill(&j, dir, &bill);
    if (e == ERR_OK)
        e = open_ledger(&j, dir, &ledger);
    if (e == ERR_OK)
        e = read_all(&j);
    if (e == ERR_OK)
        e = work(&j, ctx);
    reconcile_book_free(j.book);
    match_free(j.match);
    match_table_free(&j.index);
    match_table_free(&j.days);
    match_table_free(&j.billed_requests);
    match_table_free(&j.seen_requests);
    match_table_free(&j.estimated_requests);
    mem_free(j.cells);
    mem_free(j.excluded.list);
    mem_free(j.unpriced);
    arena_free(j.arena);
    bill_reader_close(bill);
    store_close(ledger);
    return e;
}

static enum err make_result(struct reconcile_job *j, void *ctx)
{
    struct result *x = ctx;
    x->r.from_day = j->q->from_day;
    x->r.until_day = j->q->until_day;
    enum err e = reconcile_table_make(j, x->arena, &x->r);
    return e == ERR_OK ? reconcile_lists_make(j, x->arena, &x->r) : e;
}

enum err reconcile_run(const char *dir, const struct reconcile_query *q, struct reconcile **ret,
                       struct cost_error *error)
{
    struct result *x = mem_zalloc(sizeof *x);
    x->arena = arena_new(ARENA_FIRST, RESULT_MAX);
    enum err e = with_job(dir, q, error, make_result, x);
    if (e != ERR_OK) {
        reconcile_free(&x->r);
        return e;
    }
    *ret = &x->r;
    return ERR_OK;
}

_Static_assert(offsetof(struct result, r) == 0, "a result is found by its first member");

void reconcile_free(struct reconcile *r)
{
    struct result *x = (struct result *)r;
    if (!x)
        return;
    arena_free(x->arena);
    mem_free(x);
}

/* --- row by row ------------------------------------------------------------------------------ */

struct each {
    struct reconcile_job *j;
    reconcile_billed_fn *fn;
    void *ctx;
    bool enough;
};

/* All that is metered up to this row's part, less what earlier rows were given: the parts add up to the whole. */
static money_sum part_of(money_sum whole, money_sum upto, money_sum all, money_sum given)
{
    __int128 part;
    if (all <= 0 || upto >= all || !reconcile_wide(whole, upto > 0 ? upto : 0, all, &part))
        return whole - given;
    return part - given;
}

static enum err give_row(void *ctx, const struct reconcile_bill_row *r)
{
    struct each *x = ctx;
    if (x->enough)
        return ERR_OK;
    struct reconcile_cell *c = reconcile_cell(x->j, r->day, r->place, r->sku);
    if (!c)
        return ERR_BAD_PARAMETER;
    struct reconcile_found f;
    reconcile_gap(x->j, c, &f);
    bool by_quantity = c->billed_quantity > 0 && !c->no_quantity;
    money_sum all = by_quantity ? c->billed_quantity : c->billed;
    c->seen += by_quantity ? r->quantity : r->billed;
    c->seen_rows++;
    money_sum upto = c->seen_rows == c->billed_rows ? all : c->seen;
    c->reached = upto = upto > c->reached ? upto : c->reached; /* what is corrected downwards gets nothing, not less */
    struct reconcile_billed row = {.account = r->account,
                                   .day = r->day,
                                   .project = r->project,
                                   .key = r->key,
                                   .item = r->item,
                                   .billed = r->billed,
                                   .status = f.status,
                                   .cause = f.cause,
                                   .metered = part_of(c->metered, upto, all, c->given),
                                   .metered_quantity = part_of(c->metered_quantity, upto, all, c->given_quantity)};
    row.attempts = (uint64_t)part_of((money_sum)c->attempts, upto, all, (money_sum)c->given_attempts);
    c->given += row.metered;
    c->given_quantity += row.metered_quantity;
    c->given_attempts += row.attempts;
    x->enough = !x->fn(x->ctx, &row);
    return ERR_OK;
}

static enum err give_rows(struct reconcile_job *j, void *ctx)
{
    struct each *x = ctx;
    x->j = j;
    return reconcile_bill_rows(j, give_row, x);
}

enum err reconcile_each(const char *dir, const struct reconcile_query *q, reconcile_billed_fn *each, void *context,
                        struct cost_error *error)
{
    struct each x = {.fn = each, .ctx = context};
    return with_job(dir, q, error, give_rows, &x);
}

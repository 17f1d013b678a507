/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REPORT_COST_COST_INNER_H
#define REPORT_COST_COST_INNER_H

/*
 * cost_inner: what the files behind cost.h share.
 *
 *   cost_run      which ledgers, which pieces of time; begins and ends the read transactions
 *   cost_billed, cost_metered   a ledger as columns (struct cost_source) and the statements over it
 *   cost_texts    the texts behind a column's ids, and which of them pass a test
 *   cost_sql      filters and groupings as one parameterised statement (cost_sql.h); cost_tags: tags in it
 *   cost_pieces   pieces of time in which no tag changes
 *   cost_shared   the allocated ledger
 *   cost_ids      what a statement gives, added up by ids
 *   cost_packed   whole months out of packs
 *   cost_table    what all statements give, added up by texts
 */

#include "base/arena.h"
#include "report/cost/cost.h"
#include "store/sqlite.h"

struct cost_sql;

/* --- texts ----------------------------------------------------------------------------------- */

/* Ids and what they stand for; loaded when first asked for. */
struct cost_texts {
    const int64_t *ids; /* ascending */
    const struct str *texts, *names;
    size_t count;
};
struct cost_text_row {
    int64_t id;
    struct str text, name;
};
/* Copies nothing: texts must live in the arena already. ERR_BAD_PARAMETER: no room. */
struct cost_texts_make {
    struct arena *arena;
    struct cost_text_row *rows;
    size_t count, cap;
};
enum err cost_texts_add(struct cost_texts_make *m, int64_t id, struct str text, struct str name) ERR_USE;
enum err cost_texts_end(struct cost_texts_make *m, struct cost_texts *ret) ERR_USE;
/* Rows of a statement with columns id, text, name. */
enum err cost_texts_load(struct store_stmt *st, struct arena *a, struct cost_texts *ret) ERR_USE;
bool cost_texts_find(const struct cost_texts *t, int64_t id, struct str *ret_text, struct str *ret_name);
/* "[1,5,7]": the ids whose text passes. */
enum err cost_texts_set(const struct cost_texts *t, const struct vql_node *test, struct arena *a,
                        struct str *ret_json) ERR_USE;

/* --- the table ------------------------------------------------------------------------------- */

struct cost_table;
struct cost_table *cost_table_new(const struct cost_query *q);
void cost_table_free(struct cost_table *t); /* NULL does nothing */
/* A number that stands for the text from here on. */
uint32_t cost_table_text(struct cost_table *t, struct str text, struct str name);

/* Of an amount the part between two of `whole` parts. */
struct cost_cut {
    int64_t from, to, whole;
};
#define COST_SPLITS_MAX 4

struct cost_part {
    int64_t start_us;
    uint32_t values[COST_GROUPS_MAX];
    uint32_t unit; /* text */
    int64_t weight;
    money_sum pusd;
    money_sum usage; /* 10^-12 of a unit */
    uint64_t rows;
    struct cost_cut cuts[COST_SPLITS_MAX]; /* one after the other */
    unsigned cut_count;
    bool over_metered;
};
/* ERR_BAD_PARAMETER: too many rows, or more money than fits. */
enum err cost_table_add(struct cost_table *t, const struct cost_part *p, struct cost_error *error) ERR_USE;
enum err cost_table_end(struct cost_table *t, bool by_day, struct cost_result **ret, struct cost_error *error) ERR_USE;

/* --- sums by ids ----------------------------------------------------------------------------- */

struct cost_ids;
struct cost_ids_sum {
    money_sum pusd, usage;
    uint64_t rows;
};
struct cost_ids *cost_ids_new(unsigned width);
void cost_ids_free(struct cost_ids *t); /* NULL does nothing */
/* The sums of a key of `width` ids, zero at first; good until the next call. NULL: too many keys. */
struct cost_ids_sum *cost_ids_find(struct cost_ids *t, const int64_t *key);
/* The number of the entry that was found last; they count from 0. */
size_t cost_ids_last(const struct cost_ids *t);
/* Entry `i`; false behind the last one. */
bool cost_ids_get(const struct cost_ids *t, size_t i, const int64_t **ret_key, struct cost_ids_sum *ret_sum);

/* --- packs of months ------------------------------------------------------------------------- */

struct cost_packed {
    struct cost_sql *s;
    struct store_db *db;
    struct cost_table *table;
    struct str accounts;   /* JSON list */
    int64_t from, until;   /* months */
    const struct buf *sql; /* a statement with columns place, weight, unit, groups …: the places that count */
    /* What stands in the table for a group; called once for each. Its key: 0, weight, unit, groups … */
    enum err (*part)(void *context, const int64_t *key, struct cost_part *ret);
    void *context;
};
enum err cost_packed_run(const struct cost_packed *p) ERR_USE;

/* --- ledgers --------------------------------------------------------------------------------- */

/* A stretch of time in which tags are the same. */
struct cost_piece {
    int64_t from_day, until_day;
    int64_t month; /* whose shares count; COST_MONTH_ANY: none differ */
    const struct cost_tag *tags;
    size_t tag_count;
};

struct cost_job {
    const struct cost_query *q;
    const struct cost_piece *piece; /* in place of the query's days and tags */
    struct cost_table *table;
    struct cost_error *error;
    struct arena *arena; /* of the ledger's turn */
    uint64_t fields;     /* VQL fields in use */
    bool by_day;         /* out: see cost_result */
};
enum err cost_billed_run(struct cost_job *j, struct store_db *db) ERR_USE;
/* The same of accounts whose figures are estimates. */
enum err cost_estimated_run(struct cost_job *j, struct store_db *db) ERR_USE;
enum err cost_metered_run(struct cost_job *j, struct store_db *db) ERR_USE;

/* Whose traffic it was, as texts: of the ids that ledger.db has. */
struct cost_column;
struct cost_who {
    struct cost_texts keys, workspaces, members, model_apis;
};
enum err cost_who_load(const struct cost_job *j, struct store_db *ledger, struct cost_who *ret) ERR_USE;
/* The columns of fields and groups that are about it; SQL gives ids of keys, workspaces and configs. */
void cost_who_columns(const struct cost_who *w, const char *key, const char *workspace, const char *config,
                      struct cost_column *fields, struct cost_column *groups);

enum err cost_shared_run(struct cost_job *j, struct store_db *bill, struct store_db *ledger) ERR_USE;

/*
 * The query's time in pieces, in the arena; one when tags are not asked for or never change. Shares by other
 * costs are asked for by `run`, which is cost_run one level deeper.
 */
typedef enum err cost_again_fn(void *context, const struct cost_query *q, struct cost_result **ret,
                               struct cost_error *error);
enum err cost_pieces_make(const struct cost_query *q, bool tags_wanted, struct arena *a, cost_again_fn *run,
                          void *context, struct cost_piece **ret, size_t *ret_count, struct cost_error *error) ERR_USE;

void cost_error_set(struct cost_error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REPORT_COST_COST_SQL_H
#define REPORT_COST_COST_SQL_H

/*
 * cost_sql: a ledger as columns, and the conditions and values of a query over it as SQL.
 *
 * A statement over a source is put together by the ledger's file:
 *
 *     SELECT what the ledger wants, weight, cost_sql_columns … FROM its tables, cost_sql_joins
 *     WHERE its own conditions AND where
 *
 * Columns are the groups and behind them one for each split tag (cost_tag.h); cost_sql_values makes of
 * them what goes into the table. A split tag's row comes once for each of its shares: the number of
 * the share is a joined json_each.
 */

#include "report/cost/cost_inner.h"

/* sql NULL: the same for all rows, `constant`. `also`: a second column; a test passes when either does. */
struct cost_column {
    const char *sql, *also;
    const struct cost_texts *texts, *also_texts;
    struct str constant;
};

/* Metadata of a key: ids above 0 have a text, 0 is none, below 0 none with a text to show. */
struct cost_native {
    struct str key;
    const char *sql;
};

struct cost_source {
    enum vql_ledger ledger;
    struct cost_column fields[VQL_FIELD_COUNT];
    struct cost_column groups[COST_BY_COUNT];
    const struct cost_native *natives;
    size_t native_count;
    const struct cost_texts *native_texts;
};

#define COST_PARAMS_MAX 8000
#define COST_WEIGHTS_MAX 64
#define COST_SQL_MAX 900000
#define COST_COLUMNS_MAX (COST_GROUPS_MAX + COST_SPLITS_MAX)

struct cost_param {
    const void *test; /* what it was made of, with `texts`; NULL: of nothing else */
    const void *texts;
    struct str json; /* p NULL: a number */
    int64_t number;
};

/* One of a split value's shares: between two weights. */
struct cost_alternative {
    struct str value; /* "": what the shares leave over */
    int64_t from, to;
};
/* A value's shares in the piece's month; count 0: it is not split, or there are none. */
struct cost_alternatives {
    const struct cost_tag_value *of;
    const struct cost_alternative *list;
    size_t count;
    int64_t whole;
};

/* A tag whose charges are split, in use: the statement has `t<number>.value`, the number of a share. */
struct cost_split {
    const struct cost_tag *tag;
    const struct cost_alternatives *values; /* one for each of the tag's */
    struct str valid;                       /* SQL: the row has so many shares */
    struct str column;                      /* SQL: which value and share */
    int param;                              /* JSON list of numbers */
    unsigned rank;                          /* amounts are cut by the smaller ranks first */
};

struct cost_sql {
    struct arena *arena;
    const struct cost_query *q;
    const struct cost_piece *piece;
    const struct cost_source *source;
    struct cost_error *error;
    struct cost_param *params;
    int param_count;
    struct cost_split splits[COST_SPLITS_MAX];
    unsigned split_count, ranked;
    /* Filled by cost_sql_compile: */
    struct str weight;                 /* SQL: which of the weights counts; "0" when there is but one */
    struct str where;                  /* SQL: the condition */
    int64_t weights[COST_WEIGHTS_MAX]; /* 10^-12 */
    unsigned weight_count;
    struct str groups[COST_GROUPS_MAX];              /* SQL: an id; "0" for constants */
    const struct cost_texts *texts[COST_GROUPS_MAX]; /* of the ids; NULL: constant */
    struct str constants[COST_GROUPS_MAX];
};
enum err cost_sql_compile(struct cost_sql *s) ERR_USE;
/* The number of a parameter with this value. */
enum err cost_sql_number(struct cost_sql *s, int64_t value, int *ret_at) ERR_USE;
enum err cost_sql_json(struct cost_sql *s, struct str json, int *ret_at) ERR_USE;
/* ", group, group …, split …"; false: no room. */
bool cost_sql_columns(const struct cost_sql *s, struct buf *out);
unsigned cost_sql_column_count(const struct cost_sql *s);
/* What is behind the tables in FROM; "" without splits. */
bool cost_sql_joins(const struct cost_sql *s, struct buf *out);
/* The part's values, weight and cuts, of the weight's number and the columns. ERR_CORRUPT: no such weight. */
enum err cost_sql_values(const struct cost_sql *s, struct cost_table *t, int64_t weight, const int64_t *columns,
                         struct cost_part *ret) ERR_USE;
/* Prepares the text in `sql` and binds all parameters. */
enum err cost_sql_prepare(struct cost_sql *s, struct store_db *db, const struct buf *sql,
                          struct store_stmt **ret) ERR_USE;
/* "[1,2]" in the arena. */
struct str cost_sql_list(struct arena *a, const int64_t *ids, size_t count);
/* VQL fields that filters, tags and groupings need, as bits 1 << enum vql_field; whether tags are wanted at all. */
enum err cost_sql_fields(const struct cost_query *q, struct cost_error *error, uint64_t *ret_fields,
                         bool *ret_tags) ERR_USE;

/* --- the bill -------------------------------------------------------------------------------- */

enum cost_billed_texts {
    COST_BILLED_TERMS,
    COST_BILLED_BATCHES,
    COST_BILLED_PROJECTS,
    COST_BILLED_KEYS,
    COST_BILLED_ACCOUNTS,
    COST_BILLED_ITEMS,
    COST_BILLED_CHARGES,
    COST_BILLED_PROVIDERS,
    COST_BILLED_REGIONS,
    COST_BILLED_TEXTS_COUNT
};

/* One turn of the ledger. */
struct cost_billed {
    struct cost_job *job;
    struct store_db *db;
    struct cost_texts texts[COST_BILLED_TEXTS_COUNT];
    struct str accounts, charges; /* JSON lists: those that count */
    unsigned by;                  /* BILL_BY_ bits without DAY */
    bool estimated;               /* the ledger of estimates, else what is billed */
    bool files;                   /* there are bills from files: providers and regions differ */
};
/* Texts and lists. */
enum err cost_billed_load(struct cost_job *j, struct store_db *db, bool estimated, struct cost_billed *ret) ERR_USE;
/* Over a table `r`, and `i`, its items, where services and the like are not columns of its own. */
void cost_billed_columns(const struct cost_billed *b, bool item, struct cost_column *fields,
                         struct cost_column *groups);

/* --- for cost_tags --------------------------------------------------------------------------- */

enum err cost_sql_too_complex(struct cost_sql *s);
enum err cost_sql_add(struct cost_sql *s, struct buf *out, const char *text) ERR_USE;
enum err cost_sql_node(struct cost_sql *s, const struct vql_node *n, unsigned tag_depth, struct buf *out) ERR_USE;
/* The number of a parameter that was made of these before, else of `json`. */
enum err cost_sql_set(struct cost_sql *s, const void *test, const void *texts, struct str json, int *ret_at) ERR_USE;
bool cost_sql_set_known(const struct cost_sql *s, const void *test, const void *texts, int *ret_at);
/* What is in `text`, kept; the buffer is empty afterwards. */
enum err cost_sql_keep(struct cost_sql *s, struct buf *text, struct str *ret) ERR_USE;

/* One of the tags whose key passes `key` (NULL: any) has a value that passes `value` (NULL: any). */
enum err cost_tags_some(struct cost_sql *s, const struct vql_node *key, const struct vql_node *value,
                        unsigned tag_depth, struct buf *out) ERR_USE;
/* All of the pairs of a test. */
enum err cost_tags_pairs(struct cost_sql *s, const struct vql_node *n, unsigned tag_depth, struct buf *out) ERR_USE;
/* Groups: tags' values; segments'; whether there is any tag. */
enum err cost_tags_group(struct cost_sql *s, unsigned at, struct buf *text) ERR_USE;
enum err cost_tags_tagged(struct cost_sql *s, unsigned at, struct buf *text) ERR_USE;
/* The cut of a split's column. */
enum err cost_tags_cut(const struct cost_split *split, int64_t column, struct cost_cut *ret) ERR_USE;

#define COST_DIRECT "(direct, not via gateway)"
#define COST_ELSEWHERE "(another workspace)"

#endif

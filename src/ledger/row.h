/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEDGER_ROW_H
#define LEDGER_ROW_H

/*
 * row: a record as a row of the table `attempts`, and back.
 *
 * The writer belongs to the drain and works inside its transaction; row_insert also adds to the
 * rollups. A reader belongs to one connection.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "ledger/drain/dims.h"
#include "ledger/record.h"
#include "ledger/rollup.h"
#include "store/sqlite.h"

/* The columns in the order row_read wants them, from the first of the statement on. */
#define ROW_COLUMNS                                                                                         \
    "id, request_id, attempt, workspace_id, key_id, integration_id, method, path, operation, model_asked,"  \
    " model_answered, service_tier, upstream_host, user_agent, finish_reason, stream, status,"              \
    " upstream_status, outcome, err, first_byte_us, total_us, overhead_us, input_tok, cached_tok,"          \
    " output_tok, cost_pusd, cost_state, body_place, upstream_request_id, trace_id, user, metadata, extra," \
    " provider, config, cache, discarded, route, span_id"

enum row_column {
    ROW_ID,
    ROW_REQUEST_ID,
    ROW_ATTEMPT,
    ROW_WORKSPACE_ID,
    ROW_KEY_ID,
    ROW_INTEGRATION_ID,
    ROW_METHOD,
    ROW_PATH,
    ROW_OPERATION,
    ROW_MODEL_ASKED,
    ROW_MODEL_ANSWERED,
    ROW_SERVICE_TIER,
    ROW_UPSTREAM_HOST,
    ROW_USER_AGENT,
    ROW_FINISH_REASON,
    ROW_STREAM,
    ROW_STATUS,
    ROW_UPSTREAM_STATUS,
    ROW_OUTCOME,
    ROW_ERR,
    ROW_FIRST_BYTE_US,
    ROW_TOTAL_US,
    ROW_OVERHEAD_US,
    ROW_INPUT_TOK,
    ROW_CACHED_TOK,
    ROW_OUTPUT_TOK,
    ROW_COST_PUSD,
    ROW_COST_STATE,
    ROW_BODY_PLACE,
    ROW_UPSTREAM_REQUEST_ID,
    ROW_TRACE_ID,
    ROW_USER,
    ROW_METADATA,
    ROW_EXTRA,
    ROW_PROVIDER,
    ROW_CONFIG,
    ROW_CACHE,
    ROW_DISCARDED,
    ROW_ROUTE,
    ROW_SPAN_ID,
    ROW_COLUMN_COUNT
};

struct row_writer {
    struct store_db *db;
    struct dims *dims;
    struct rollup *rollup;
    struct store_stmt *insert; /* prepared at the first row */
};

/* `body_place` 0 = no bodies. *ret_inserted is false, and nothing was done, when the id exists. */
enum err row_insert(struct row_writer *w, const struct record *r, int64_t body_place, bool *ret_inserted) ERR_USE;

/* --- reading --------------------------------------------------------------------------------- */

#define ROW_ID_TEXT_MAX 48

struct row_reader {
    struct store_db *db;
    struct str *texts; /* of dims by id; owned; p == NULL: not read yet */
    size_t text_count;
    char upstream_request_id[ROW_ID_TEXT_MAX], trace_id[ROW_ID_TEXT_MAX],
        span_id[ROW_ID_TEXT_MAX]; /* of the last row */
};
void row_reader_init(struct row_reader *r, struct store_db *db);
void row_reader_done(struct row_reader *r);

/*
 * The row the statement stands at. Views are good until its next step or the next row read.
 * bodies_kept is true when the row points at bodies; they are not read. ERR_CORRUPT: the row makes
 * no sense.
 */
enum err row_read(struct row_reader *r, struct store_stmt *st, struct record *ret) ERR_USE;
/* The text of a dim; "" when there is no such row. Good as long as the reader. */
enum err row_dim_text(struct row_reader *r, int64_t id, struct str *ret) ERR_USE;
/* The id of a text, or SCHEMA_DIM_OTHER when it has none. */
enum err row_dim_find(struct row_reader *r, enum schema_dim kind, struct str text, int64_t *ret_id) ERR_USE;

/* What the row's rollup is kept under, with the cost state of the row. */
struct rollup_key row_key(struct store_stmt *st);

/* An id from outside in the form in which columns keep it. */
struct row_packed {
    bool packed;
    struct str bytes; /* the text itself or a view into `room` */
    unsigned char room[17];
};
void row_pack(struct str text, struct row_packed *ret);
void row_bind_packed(struct store_stmt *st, int at, const struct row_packed *p);

#endif

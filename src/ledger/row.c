/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows of attempts.
 *
 * Request and trace ids are mostly 32 hexadecimal digits in some dress; these are kept as 17 bytes:
 * a letter for the dress and the 16 bytes. Anything else is kept as it came.
 */
#include "ledger/row.h"

#include <stdio.h>

#include "base/encode.h"
#include "base/mem.h"
#include "base/must.h"
#include "ledger/record_codec.h"

#define TEXTS_MAX (SCHEMA_DIM_COUNT * DIMS_PER_KIND_MAX + 16)
#define UUID_CHARS 36
#define HEX_CHARS 32
#define REQUEST_PREFIX "req_"
#define ROUTE_SEPARATOR '\x1f'
#define ROUTE_TEXT_MAX (16 + 5 * (RECORD_TEXT_MAX + 1))

/* --- packed ids ------------------------------------------------------------------------------ */

static unsigned nibble(char c)
{
    return c >= '0' && c <= '9' ? (unsigned)(c - '0') : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10 : 16;
}

/* Lower case only: the text must come back as it was. */
static bool from_hex(struct str s, unsigned char *out)
{
    unsigned bad = 0;
    if (s.n != HEX_CHARS)
        return false;
    for (size_t i = 0; i < HEX_CHARS; i += 2) {
        unsigned high = nibble(s.p[i]), low = nibble(s.p[i + 1]);
        bad |= high | low;
        out[i / 2] = (unsigned char)(high << 4 | low);
    }
    return bad < 16;
}

/* The 32 digits of "8-4-4-4-12"; false when it is not that. */
static bool uuid_digits(struct str s, char out[HEX_CHARS])
{
    size_t n = 0;
    if (s.n != UUID_CHARS)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash != (s.p[i] == '-'))
            return false;
        if (!dash)
            out[n++] = s.p[i];
    }
    return true;
}

void row_pack(struct str text, struct row_packed *ret)
{
    char uuid[HEX_CHARS];
    struct str hex = text;
    char dress = 'h';
    if (uuid_digits(text, uuid)) {
        hex = str_of(uuid, sizeof uuid);
        dress = 'u';
    } else if (str_starts(text, STR(REQUEST_PREFIX))) {
        hex = str_from(text, sizeof REQUEST_PREFIX - 1);
        dress = 'r';
    }
    ret->packed = from_hex(hex, ret->room + 1);
    ret->room[0] = (unsigned char)dress;
    ret->bytes = ret->packed ? str_of((const char *)ret->room, sizeof ret->room) : text;
}

void row_bind_packed(struct store_stmt *st, int at, const struct row_packed *p)
{
    if (p->packed)
        store_bind_blob(st, at, p->bytes);
    else if (p->bytes.n)
        store_bind_text(st, at, p->bytes);
    else
        store_bind_null(st, at);
}

static struct str unpack(struct store_stmt *st, int column, char out[ROW_ID_TEXT_MAX])
{
    struct str s = store_text(st, column);
    if (!store_is_blob(st, column) || s.n != 17)
        return s;
    char hex[ENCODE_HEX_MAX(16)];
    encode_hex(s.p + 1, 16, hex);
    int n;
    if (s.p[0] == 'u')
        n = snprintf(out, ROW_ID_TEXT_MAX, "%.8s-%.4s-%.4s-%.4s-%s", hex, hex + 8, hex + 12, hex + 16, hex + 20);
    else
        n = snprintf(out, ROW_ID_TEXT_MAX, "%s%s", s.p[0] == 'r' ? REQUEST_PREFIX : "", hex);
    return str_of(out, (size_t)n);
}

/* --- writing --------------------------------------------------------------------------------- */

#define INSERT                                                                                             \
    "INSERT INTO attempts(" ROW_COLUMNS ") VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13," \
    " ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29, ?30, ?31, ?32, ?33," \
    " ?34, ?35, ?36, ?37, ?38, ?39, ?40) ON CONFLICT(id) DO NOTHING"

static void bind_number(struct store_stmt *st, enum row_column column, uint64_t v)
{
    store_bind_i64(st, (int)column + 1, v > INT64_MAX ? INT64_MAX : (int64_t)v);
}

/* NULL for 0, which costs no byte and stays out of partial indices. */
static void bind_id(struct store_stmt *st, enum row_column column, int64_t id)
{
    if (id)
        store_bind_i64(st, (int)column + 1, id);
    else
        store_bind_null(st, (int)column + 1);
}

static void bind_text(struct store_stmt *st, enum row_column column, struct str s)
{
    if (s.n)
        store_bind_text(st, (int)column + 1, s);
    else
        store_bind_null(st, (int)column + 1);
}

/* *ret_id is what the rollups know the text by. */
static enum err bind_dim(struct row_writer *w, struct store_stmt *st, enum row_column column, enum schema_dim kind,
                         struct str s, bool trusted, int64_t *ret_id)
{
    int64_t id;
    s = str_head(s, RECORD_TEXT_MAX);
    enum err e = dims_id(w->dims, kind, s, trusted, &id);
    if (e != ERR_OK)
        return e;
    if (id == SCHEMA_DIM_OTHER)
        store_bind_text(st, (int)column + 1, s);
    else
        bind_id(st, column, id);
    *ret_id = id;
    return ERR_OK;
}

/* Members of the column `route`, in its order. */
static const struct str *route_member(const struct record_routing *r, unsigned i)
{
    const struct str *const members[] = {&r->mode, &r->target, &r->sdk_version, &r->runtime, &r->runtime_version};
    return i < sizeof members / sizeof members[0] ? members[i] : NULL;
}

/* The config's version, then the members, each behind a separator; "" when there is none of them. */
static struct str route_text(const struct record_routing *r, char out[ROUTE_TEXT_MAX])
{
    size_t n = (size_t)snprintf(out, ROUTE_TEXT_MAX, "%u", r->config_version);
    bool any = r->config_version != 0;
    for (unsigned i = 0; route_member(r, i); i++) {
        struct str s = str_head(*route_member(r, i), RECORD_TEXT_MAX);
        ptrdiff_t end = str_find(s, ROUTE_SEPARATOR); /* no header and no config can have it */
        s = end < 0 ? s : str_head(s, (size_t)end);
        any = any || s.n;
        out[n++] = ROUTE_SEPARATOR;
        if (s.n)
            memcpy(out + n, s.p, s.n);
        n += s.n;
    }
    return any ? str_of(out, n) : STR("");
}

static void read_route(struct str text, struct record_routing *ret)
{
    struct str part;
    uint64_t version;
    if (!str_split(&text, ROUTE_SEPARATOR, &part) || !str_to_u64(part, &version) || version > UINT32_MAX)
        return;
    ret->config_version = (uint32_t)version;
    for (unsigned i = 0; route_member(ret, i) && str_split(&text, ROUTE_SEPARATOR, &part); i++)
        *(struct str *)(uintptr_t)route_member(ret, i) = part;
}

/* Its text may be longer than what a dim may have: it is bound whole then. The statement views `s`. */
static enum err bind_long_dim(struct row_writer *w, struct store_stmt *st, enum row_column column, enum schema_dim kind,
                              struct str s)
{
    int64_t id;
    enum err e = dims_id(w->dims, kind, s, false, &id);
    if (e == ERR_OK && id > SCHEMA_DIM_OTHER)
        bind_id(st, column, id);
    else
        bind_text(st, column, s);
    return e;
}

/* `route` is the text of that column. */
static enum err bind_dims(struct row_writer *w, struct store_stmt *st, const struct record *r, struct str route,
                          struct rollup_key *key)
{
    bool good = r->upstream_status >= 200 && r->upstream_status < 300;
    int64_t unused;
    const struct {
        enum row_column column;
        enum schema_dim kind;
        struct str text;
        bool trusted;
        int64_t *ret_id;
    } list[] = {
        {ROW_METHOD, SCHEMA_DIM_METHOD, r->method, good, &unused},
        {ROW_PATH, SCHEMA_DIM_PATH, r->path, good, &unused},
        {ROW_OPERATION, SCHEMA_DIM_OPERATION, r->operation, true, &key->operation},
        {ROW_MODEL_ASKED, SCHEMA_DIM_MODEL, r->model_asked, good, &key->model_asked},
        {ROW_MODEL_ANSWERED, SCHEMA_DIM_MODEL, r->model_answered, good, &key->model_answered},
        {ROW_SERVICE_TIER, SCHEMA_DIM_TIER, r->service_tier, good, &key->service_tier},
        {ROW_UPSTREAM_HOST, SCHEMA_DIM_HOST, r->upstream_host, good, &unused},
        {ROW_USER_AGENT, SCHEMA_DIM_USER_AGENT, r->user_agent, good, &unused},
        {ROW_FINISH_REASON, SCHEMA_DIM_FINISH, r->finish_reason, good, &unused},
        {ROW_ERR, SCHEMA_DIM_ERR, str_c(err_info(r->err)->code), good, &unused},
        {ROW_PROVIDER, SCHEMA_DIM_PROVIDER, r->routing.provider, true, &key->provider},
        {ROW_CONFIG, SCHEMA_DIM_CONFIG, r->routing.config, true, &key->config},
    };
    for (unsigned i = 0; i < sizeof list / sizeof list[0]; i++) {
        enum err e = bind_dim(w, st, list[i].column, list[i].kind, list[i].text, list[i].trusted, list[i].ret_id);
        if (e != ERR_OK)
            return e;
    }
    enum err e = bind_long_dim(w, st, ROW_METADATA, SCHEMA_DIM_METADATA, r->metadata);
    return e == ERR_OK ? bind_long_dim(w, st, ROW_ROUTE, SCHEMA_DIM_ROUTE, route) : e;
}

static void bind_figures(struct store_stmt *st, const struct record *r, int64_t body_place)
{
    const uint64_t *q = r->usage.quantity;
    store_bind_i64(st, ROW_ID + 1, r->id);
    bind_id(st, ROW_REQUEST_ID, r->request_id == r->id ? 0 : r->request_id);
    bind_number(st, ROW_ATTEMPT, r->attempt);
    store_bind_i64(st, ROW_WORKSPACE_ID + 1, r->workspace_id);
    bind_id(st, ROW_KEY_ID, r->key_id);
    bind_id(st, ROW_INTEGRATION_ID, r->integration_id);
    bind_number(st, ROW_STREAM, r->stream);
    bind_number(st, ROW_STATUS, r->status);
    if (r->upstream_status == r->status)
        store_bind_null(st, ROW_UPSTREAM_STATUS + 1);
    else
        bind_number(st, ROW_UPSTREAM_STATUS, r->upstream_status);
    bind_number(st, ROW_OUTCOME, r->outcome);
    bind_number(st, ROW_FIRST_BYTE_US, r->first_byte_us);
    bind_number(st, ROW_TOTAL_US, r->total_us);
    bind_number(st, ROW_OVERHEAD_US, r->overhead_us);
    bind_number(st, ROW_INPUT_TOK, r->usage.input_total_tok);
    bind_number(st, ROW_CACHED_TOK, q[METER_CACHED] + q[METER_AUDIO_CACHED] + q[METER_IMAGE_CACHED]);
    bind_number(st, ROW_OUTPUT_TOK, r->usage.output_total_tok);
    if (r->cost.state == COST_UNPRICED)
        store_bind_null(st, ROW_COST_PUSD + 1);
    else
        store_bind_i64(st, ROW_COST_PUSD + 1, r->cost.total_pusd);
    bind_number(st, ROW_COST_STATE, r->cost.state);
    bind_id(st, ROW_CACHE, (int64_t)r->routing.cache);
    bind_id(st, ROW_DISCARDED, r->routing.discarded);
    bind_id(st, ROW_BODY_PLACE, body_place);
    bind_text(st, ROW_USER, r->user);
}

enum err row_insert(struct row_writer *w, const struct record *r, int64_t body_place, bool *ret_inserted)
{
    struct row_packed request_id, trace_id, span_id;
    unsigned char extra[RECORD_ENCODED_MAX];
    char route[ROUTE_TEXT_MAX];
    enum err e = w->insert ? ERR_OK : store_prepare(w->db, INSERT, &w->insert);
    if (e != ERR_OK)
        return e;
    struct store_stmt *st = w->insert;
    struct rollup_key key = {
        .workspace_id = r->workspace_id,
        .key_id = r->key_id,
        .integration_id = r->integration_id,
        .status_class = r->status / 100,
        .outcome = r->outcome,
        .cost_state = r->cost.state,
        .stream = r->stream,
        .cache = r->routing.cache,
        .discarded = r->routing.discarded,
    };
    bind_figures(st, r, body_place);
    e = bind_dims(w, st, r, route_text(&r->routing, route), &key);
    if (e != ERR_OK)
        return e;
    row_pack(r->upstream_request_id, &request_id);
    row_pack(r->trace_id, &trace_id);
    row_pack(str_head(r->span_id, RECORD_TEXT_MAX), &span_id);
    row_bind_packed(st, ROW_UPSTREAM_REQUEST_ID + 1, &request_id);
    row_bind_packed(st, ROW_TRACE_ID + 1, &trace_id);
    row_bind_packed(st, ROW_SPAN_ID + 1, &span_id);
    store_bind_blob(st, ROW_EXTRA + 1, str_of((const char *)extra, record_encode_extra(r, extra)));
    e = store_run(st);
    if (e != ERR_OK)
        return e;
    *ret_inserted = store_changes(w->db) > 0;
    return *ret_inserted ? rollup_add(w->rollup, &key, r, 1) : ERR_OK;
}

/* --- reading --------------------------------------------------------------------------------- */

void row_reader_init(struct row_reader *r, struct store_db *db)
{
    *r = (struct row_reader){.db = db};
}

void row_reader_done(struct row_reader *r)
{
    for (size_t i = 0; i < r->text_count; i++)
        mem_free((void *)(uintptr_t)r->texts[i].p);
    mem_free(r->texts);
    *r = (struct row_reader){.db = NULL};
}

enum err row_dim_text(struct row_reader *r, int64_t id, struct str *ret)
{
    *ret = STR("");
    if (id <= 0 || id > (int64_t)TEXTS_MAX * 4)
        return ERR_OK;
    if ((size_t)id < r->text_count && r->texts[id].p) {
        *ret = r->texts[id];
        return ERR_OK;
    }
    struct store_stmt *st;
    bool row;
    enum err e = store_prepare(r->db, "SELECT text FROM dims WHERE id=?1", &st);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, id);
    e = store_step(st, &row);
    if (e != ERR_OK || !row)
        return e;
    if ((size_t)id >= r->text_count) {
        size_t count = ((size_t)id | 63) + 1;
        r->texts = mem_realloc(r->texts, count * sizeof *r->texts);
        for (size_t i = r->text_count; i < count; i++)
            r->texts[i] = (struct str){NULL, 0};
        r->text_count = count;
    }
    struct str text = store_text(st, 0);
    r->texts[id] = str_of(mem_strndup(text.p, text.n), text.n);
    store_done(st);
    *ret = r->texts[id];
    return ERR_OK;
}

enum err row_dim_find(struct row_reader *r, enum schema_dim kind, struct str text, int64_t *ret_id)
{
    struct store_stmt *st;
    bool row;
    if (text.n == 0) {
        *ret_id = SCHEMA_DIM_EMPTY;
        return ERR_OK;
    }
    enum err e = store_prepare(r->db, "SELECT id FROM dims WHERE kind=?1 AND text=?2", &st);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, kind);
    store_bind_text(st, 2, text);
    e = store_step(st, &row);
    if (e != ERR_OK)
        return e;
    *ret_id = row ? store_i64(st, 0) : SCHEMA_DIM_OTHER;
    store_clear(st);
    return ERR_OK;
}

static enum err dim_column(struct row_reader *r, struct store_stmt *st, int column, struct str *ret)
{
    if (store_is_text(st, column)) {
        *ret = store_text(st, column);
        return ERR_OK;
    }
    return row_dim_text(r, store_i64(st, column), ret);
}

static enum err read_dims(struct row_reader *r, struct store_stmt *st, struct record *v)
{
    struct str err_code, route;
    const struct {
        enum row_column column;
        struct str *ret;
    } list[] = {
        {ROW_METHOD, &v->method},
        {ROW_PATH, &v->path},
        {ROW_OPERATION, &v->operation},
        {ROW_MODEL_ASKED, &v->model_asked},
        {ROW_MODEL_ANSWERED, &v->model_answered},
        {ROW_SERVICE_TIER, &v->service_tier},
        {ROW_UPSTREAM_HOST, &v->upstream_host},
        {ROW_USER_AGENT, &v->user_agent},
        {ROW_FINISH_REASON, &v->finish_reason},
        {ROW_ERR, &err_code},
        {ROW_METADATA, &v->metadata},
        {ROW_PROVIDER, &v->routing.provider},
        {ROW_CONFIG, &v->routing.config},
        {ROW_ROUTE, &route},
    };
    for (unsigned i = 0; i < sizeof list / sizeof list[0]; i++) {
        enum err e = dim_column(r, st, (int)list[i].column, list[i].ret);
        if (e != ERR_OK)
            return e;
    }
    v->err = record_err_from(err_code);
    read_route(route, &v->routing);
    return ERR_OK;
}

enum err row_read(struct row_reader *r, struct store_stmt *st, struct record *ret)
{
    int64_t outcome = store_i64(st, ROW_OUTCOME), cost_state = store_i64(st, ROW_COST_STATE);
    int64_t cache = store_i64(st, ROW_CACHE);
    if (outcome < 0 || outcome >= RECORD_OUTCOME_COUNT || cost_state < 0 || cost_state >= COST_STATE_COUNT ||
        cache < 0 || cache >= RECORD_CACHE_COUNT)
        return ERR_CORRUPT;
    struct record v = {
        .id = store_i64(st, ROW_ID),
        .request_id = store_i64(st, store_is_null(st, ROW_REQUEST_ID) ? ROW_ID : ROW_REQUEST_ID),
        .attempt = (uint32_t)store_i64(st, ROW_ATTEMPT),
        .workspace_id = store_i64(st, ROW_WORKSPACE_ID),
        .key_id = store_i64(st, ROW_KEY_ID),
        .integration_id = store_i64(st, ROW_INTEGRATION_ID),
        .stream = store_i64(st, ROW_STREAM) != 0,
        .status = (uint16_t)store_i64(st, ROW_STATUS),
        .upstream_status =
            (uint16_t)store_i64(st, store_is_null(st, ROW_UPSTREAM_STATUS) ? ROW_STATUS : ROW_UPSTREAM_STATUS),
        .outcome = (enum record_outcome)outcome,
        .first_byte_us = (uint64_t)store_i64(st, ROW_FIRST_BYTE_US),
        .total_us = (uint64_t)store_i64(st, ROW_TOTAL_US),
        .overhead_us = (uint64_t)store_i64(st, ROW_OVERHEAD_US),
        .cost = {.total_pusd = store_i64(st, ROW_COST_PUSD), .state = (enum cost_state)cost_state},
        .upstream_request_id = unpack(st, ROW_UPSTREAM_REQUEST_ID, r->upstream_request_id),
        .trace_id = unpack(st, ROW_TRACE_ID, r->trace_id),
        .span_id = unpack(st, ROW_SPAN_ID, r->span_id),
        .user = store_text(st, ROW_USER),
        .routing = {.cache = (enum record_cache)cache, .discarded = store_i64(st, ROW_DISCARDED) != 0},
    };
    enum err e = read_dims(r, st, &v);
    if (e == ERR_OK)
        e = record_decode_extra(store_text(st, ROW_EXTRA), &v);
    if (e != ERR_OK)
        return e;
    v.bodies_kept = !store_is_null(st, ROW_BODY_PLACE);
    *ret = v;
    return ERR_OK;
}

static int64_t dim_key(struct store_stmt *st, int column)
{
    return store_is_text(st, column) ? SCHEMA_DIM_OTHER : store_i64(st, column);
}

struct rollup_key row_key(struct store_stmt *st)
{
    return (struct rollup_key){
        .workspace_id = store_i64(st, ROW_WORKSPACE_ID),
        .key_id = store_i64(st, ROW_KEY_ID),
        .integration_id = store_i64(st, ROW_INTEGRATION_ID),
        .operation = dim_key(st, ROW_OPERATION),
        .model_asked = dim_key(st, ROW_MODEL_ASKED),
        .model_answered = dim_key(st, ROW_MODEL_ANSWERED),
        .service_tier = dim_key(st, ROW_SERVICE_TIER),
        .status_class = store_i64(st, ROW_STATUS) / 100,
        .outcome = store_i64(st, ROW_OUTCOME),
        .cost_state = store_i64(st, ROW_COST_STATE),
        .stream = store_i64(st, ROW_STREAM) != 0,
        .provider = dim_key(st, ROW_PROVIDER),
        .config = dim_key(st, ROW_CONFIG),
        .cache = store_i64(st, ROW_CACHE),
        .discarded = store_i64(st, ROW_DISCARDED) != 0,
    };
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A sum of the ledger is made to look like a request, and meets the rules that such a request would
 * have met. One pass over the rollups serves all rules, however many and whenever they begin; it goes in
 * pieces of time, which are halved where a piece has more groups than a report may have. One pass over
 * those hours whose rows are needed follows.
 */
#include "gateway/limits/rebuild.h"

#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/must.h"
#include "control/limit/ruleset.h"
#include "gateway/limits/limits_inner.h"
#include "ledger/ledger.h"
#include "ledger/query.h"
#include "ledger/query_cost.h"

#define HOUR_US INT64_C(3600000000)
#define PIECE_HOURS 168
#define PAGE_ROWS 10000
#define MODEL_PREFIX "models/"
#define HOURS_MAX 200000 /* 22 years */

struct rebuild {
    struct limits *limits;
    struct snapshot *snapshot;
    struct query *query;
    int64_t now_us;
    struct limits_rebuilt *ret;
    int64_t *hours; /* whose rows are needed, sorted, each once */
    size_t hour_count, hour_cap;
    int64_t rows_since_us;  /* all rows from here on; INT64_MAX: none */
    int64_t rolls_since_us; /* the same of rollups */
    struct limits_asks asks;
    int64_t last_id; /* of the page */
    unsigned page_rows;
};

/* What a group of records or one row used. */
struct used {
    uint64_t attempts, requests;
    money_sum cost_pusd;
    bool unpriced, from_cache;
    uint64_t input_tok, output_tok;
};

static bool whole_hour(int64_t us)
{
    return us % HOUR_US == 0;
}

static bool by_rows(const struct ruleset_rule *r)
{
    return r->policy.metadata;
}

/* ---- what is needed ---- */

static void want_hour(struct rebuild *b, int64_t us)
{
    if (b->hour_count == HOURS_MAX)
        return;
    if (b->hour_count == b->hour_cap) {
        b->hour_cap = b->hour_cap ? b->hour_cap * 2 : 64;
        b->hours = mem_realloc(b->hours, b->hour_cap * sizeof *b->hours);
    }
    b->hours[b->hour_count++] = us / HOUR_US;
}

static void want_from(struct rebuild *b, const struct ruleset_rule *r, int64_t start_us)
{
    if (start_us > b->now_us)
        return;
    if (by_rows(r)) {
        if (start_us < b->rows_since_us)
            b->rows_since_us = start_us;
        return;
    }
    if (!whole_hour(start_us))
        want_hour(b, start_us);
    if (start_us < b->rolls_since_us)
        b->rolls_since_us = start_us;
}

static int compare_hours(const void *x, const void *y)
{
    int64_t a = *(const int64_t *)x, b = *(const int64_t *)y;
    return a < b ? -1 : a > b;
}

static void look_at_rules(struct rebuild *b)
{
    struct ruleset_list all = ruleset_all(snapshot_limits(b->snapshot));
    b->rows_since_us = b->rolls_since_us = INT64_MAX;
    for (uint32_t i = 0; i < all.count; i++) {
        const struct ruleset_rule *r = all.rules[i];
        want_from(b, r, counters_span(r, STR(""), b->now_us).start_us);
        for (uint32_t k = 0; k < r->reset_count; k++)
            want_from(b, r, counters_span(r, r->resets[k].group_text, b->now_us).start_us);
    }
    b->ret->rules = all.count;
    if (b->hour_count)
        qsort(b->hours, b->hour_count, sizeof *b->hours, compare_hours);
    size_t n = 0;
    for (size_t i = 0; i < b->hour_count; i++)
        if (n == 0 || b->hours[n - 1] != b->hours[i])
            b->hours[n++] = b->hours[i];
    b->hour_count = n;
    b->ret->since_us = b->rows_since_us < b->rolls_since_us ? b->rows_since_us : b->rolls_since_us;
}

/* ---- counting ---- */

static int64_t capped(money_sum v)
{
    return v > LIMIT_AMOUNT_MAX ? LIMIT_AMOUNT_MAX : v < 0 ? 0 : (int64_t)v;
}

static int64_t cost_of_used(const struct limits *l, const struct used *u)
{
    if (!u->unpriced)
        return capped(u->cost_pusd);
    return capped((money_sum)l->options.ceiling_pusd_per_tok *
                  ((money_sum)u->input_tok + u->output_tok + (money_sum)u->attempts * LIMITS_UNPRICED_TOK));
}

static void count(struct rebuild *b, const struct limits_ask *ask, const struct used *u)
{
    const struct limit *l = &ask->rule->limit;
    int64_t add[COUNTER_QUANTITIES] = {0};
    if (l->measure == LIMIT_COST) {
        add[COUNTER_MAIN] = cost_of_used(b->limits, u);
    } else if (l->measure == LIMIT_REQUESTS) {
        add[COUNTER_MAIN] = (int64_t)(ask->rule->late ? u->attempts : u->requests);
    } else if (!u->from_cache) {
        add[COUNTER_MAIN] = capped((money_sum)u->input_tok);
        add[COUNTER_OUTPUT] = capped((money_sum)u->output_tok);
    }
    uint64_t stripe = UINT64_C(1) << counters_stripe(l->id);
    counters_lock(b->limits->counters, stripe);
    struct counter *c = counters_get(b->limits->counters, ask->rule, ask->group, b->now_us);
    for (unsigned q = 0; c && q < COUNTER_QUANTITIES; q++)
        c->now.used[q] = limits_add(c->now.used[q], add[q]);
    if (c && l->alert_at)
        c->now.alerted = limits_add(c->now.used[COUNTER_MAIN], c->now.used[COUNTER_OUTPUT]) >= l->alert_at;
    counters_unlock(b->limits->counters, stripe);
}

/* Whether the rule counts this: a row of that moment, or a rollup of the hour that begins then. */
static bool counts(const struct rebuild *b, const struct limits_ask *ask, int64_t when_us, bool is_row)
{
    const struct ruleset_rule *r = ask->rule;
    int64_t start = counters_span(r, ask->group, b->now_us).start_us;
    if (when_us < start)
        return false;
    if (by_rows(r))
        return is_row;
    return is_row ? !whole_hour(start) && when_us / HOUR_US == start / HOUR_US : true;
}

static void meet(struct rebuild *b, const struct limits_subject *s, int64_t when_us, bool is_row, const struct used *u)
{
    static const enum limits_stage stages[] = {LIMITS_BEFORE, LIMITS_TARGET};
    for (unsigned k = 0; k < 2; k++) {
        limits_gather(s, stages[k], &b->asks);
        for (uint32_t i = 0; i < b->asks.count; i++)
            if (counts(b, &b->asks.list[i], when_us, is_row))
                count(b, &b->asks.list[i], u);
    }
}

/* ---- making records look like requests ---- */

struct origin {
    int64_t workspace_id, key_id, integration_id;
    struct str provider, config, model, metadata;
};

/* `room` is for a key that is not in the snapshot any more. False: its workspace is gone. */
static bool subject_of(const struct rebuild *b, const struct origin *o, struct snapshot_key *room,
                       struct limits_subject *ret)
{
    const struct snapshot_workspace *w = snapshot_workspace_of(b->snapshot, o->workspace_id);
    const struct snapshot_key *key = snapshot_key_of(b->snapshot, o->key_id);
    const struct snapshot_model *m = NULL;
    if (!w)
        return false;
    *room = (struct snapshot_key){.id = o->key_id, .workspace_id = o->workspace_id, .workspace = w};
    if (str_starts(o->config, STR(MODEL_PREFIX)))
        m = snapshot_find_model(b->snapshot, o->workspace_id, str_from(o->config, sizeof MODEL_PREFIX - 1));
    *ret = (struct limits_subject){
        .snapshot = b->snapshot,
        .key = key ? key : room,
        .model_api_id = m ? m->id : 0,
        .config = o->config,
        .prompt = STR(""),
        .metadata = o->metadata,
        .integration = o->integration_id ? snapshot_integration_of(b->snapshot, o->integration_id) : NULL,
        .provider = o->provider,
        .model = o->model,
    };
    if (!ret->provider.n && ret->integration)
        ret->provider = str_c(kind_integration_text(ret->integration->kind));
    return true;
}

static bool is_hit(int64_t cache)
{
    return cache == RECORD_CACHE_HIT || cache == RECORD_CACHE_SEMANTIC_HIT;
}

/* ---- rollups ---- */

/* In the order of DIMS below. */
enum { AT_HOUR, AT_WORKSPACE, AT_KEY, AT_INTEGRATION, AT_PROVIDER, AT_CONFIG, AT_MODEL, AT_COST_STATE, AT_CACHE };

static bool on_group(void *context, const struct query_dim_value *v, const struct query_sums *sums)
{
    struct rebuild *b = context;
    struct snapshot_key room;
    struct limits_subject s;
    const struct origin o = {.workspace_id = v[AT_WORKSPACE].number,
                             .key_id = v[AT_KEY].number,
                             .integration_id = v[AT_INTEGRATION].number,
                             .provider = v[AT_PROVIDER].text,
                             .config = v[AT_CONFIG].text,
                             .model = v[AT_MODEL].text,
                             .metadata = STR("")};
    const struct used u = {.attempts = sums->sums.attempts,
                           .requests = sums->sums.requests,
                           .cost_pusd = sums->sums.cost_pusd,
                           .unpriced = v[AT_COST_STATE].number == COST_UNPRICED,
                           .from_cache = is_hit(v[AT_CACHE].number),
                           .input_tok = sums->sums.input_tok,
                           .output_tok = sums->sums.output_tok};
    b->ret->groups++;
    if (subject_of(b, &o, &room, &s))
        meet(b, &s, v[AT_HOUR].number, false, &u);
    return true;
}

static enum err read_piece(struct rebuild *b, int64_t since_us, int64_t until_us)
{
    struct query_sums total;
    const struct query_cost c = {.since_us = since_us,
                                 .until_us = until_us,
                                 .cost_state = -1,
                                 .dims = {QUERY_DIM_HOUR, QUERY_DIM_WORKSPACE, QUERY_DIM_KEY, QUERY_DIM_INTEGRATION,
                                          QUERY_DIM_PROVIDER, QUERY_DIM_CONFIG, QUERY_DIM_MODEL_ASKED,
                                          QUERY_DIM_COST_STATE, QUERY_DIM_CACHE},
                                 .dim_count = 9};
    return query_cost(b->query, &c, on_group, b, &total);
}

/* Where the ledger begins, when rules count from ever. */
static bool on_first(void *context, const struct query_dim_value *v, const struct query_sums *sums)
{
    int64_t *first = context;
    (void)sums;
    if (v[0].number < *first)
        *first = v[0].number;
    return true;
}

static enum err find_first(struct rebuild *b, int64_t *ret_first)
{
    struct query_sums total;
    const struct query_cost c = {.since_us = *ret_first, .cost_state = -1, .dims = {QUERY_DIM_DAY}, .dim_count = 1};
    int64_t first = INT64_MAX;
    enum err e = query_cost(b->query, &c, on_first, &first, &total);
    if (e == ERR_OK && first > *ret_first)
        *ret_first = first;
    return e;
}

static enum err read_rollups(struct rebuild *b)
{
    int64_t at = b->rolls_since_us, piece = PIECE_HOURS * HOUR_US;
    if (at == INT64_MAX)
        return ERR_OK;
    at = at > 0 ? (at + HOUR_US - 1) / HOUR_US * HOUR_US : 0; /* a begun hour is read by rows */
    enum err e = find_first(b, &at);
    int64_t end = b->now_us / HOUR_US * HOUR_US + 2 * HOUR_US; /* records are a little ahead at most */
    while (e == ERR_OK && at < end) {
        int64_t until = end - at < piece ? end : at + piece;
        e = read_piece(b, at, until);
        if (e == ERR_BAD_PARAMETER && piece > HOUR_US) { /* too many groups: none was given */
            piece = piece / 2 / HOUR_US * HOUR_US;
            e = ERR_OK;
            continue;
        }
        at = until;
    }
    return e;
}

/* ---- rows ---- */

static bool on_row(void *context, const struct record *r)
{
    struct rebuild *b = context;
    struct snapshot_key room;
    struct limits_subject s;
    const struct origin o = {.workspace_id = r->workspace_id,
                             .key_id = r->key_id,
                             .integration_id = r->integration_id,
                             .provider = r->routing.provider,
                             .config = r->routing.config,
                             .model = r->model_asked,
                             .metadata = r->metadata};
    const struct used u = {.attempts = 1,
                           .requests = r->attempt == 0,
                           .cost_pusd = r->cost.total_pusd,
                           .unpriced = r->cost.state == COST_UNPRICED,
                           .from_cache = is_hit((int64_t)r->routing.cache),
                           .input_tok = r->usage.input_total_tok,
                           .output_tok = r->usage.output_total_tok};
    b->ret->rows++;
    b->page_rows++;
    b->last_id = r->id;
    if (subject_of(b, &o, &room, &s))
        meet(b, &s, record_id_time_us(r->id), true, &u);
    return true;
}

static enum err read_rows(struct rebuild *b, int64_t since_us, int64_t until_us)
{
    struct query_filter f = query_filter_all();
    enum err e;
    f.since_us = since_us;
    f.until_us = until_us;
    f.limit = PAGE_ROWS;
    do {
        b->page_rows = 0;
        e = query_attempts(b->query, &f, on_row, b);
        f.before_id = b->last_id;
    } while (e == ERR_OK && b->page_rows == PAGE_ROWS);
    return e;
}

static enum err read_all_rows(struct rebuild *b)
{
    enum err e = ERR_OK;
    for (size_t i = 0; e == ERR_OK && i < b->hour_count; i++) {
        int64_t from = b->hours[i] * HOUR_US, until = from + HOUR_US;
        if (until > b->rows_since_us)
            until = b->rows_since_us; /* the rest comes below */
        if (from < until)
            e = read_rows(b, from, until);
    }
    return e == ERR_OK && b->rows_since_us != INT64_MAX ? read_rows(b, b->rows_since_us, 0) : e;
}

enum err limits_rebuild(struct limits *l, struct snapshot *s, struct query *q, int64_t now_us,
                        struct limits_rebuilt *ret)
{
    *ret = (struct limits_rebuilt){0};
    if (ruleset_all(snapshot_limits(s)).count == 0)
        return ERR_OK;
    struct rebuild *b = mem_alloc(sizeof *b);
    b->limits = l;
    b->snapshot = s;
    b->query = q;
    b->now_us = now_us;
    b->ret = ret;
    b->hours = NULL;
    b->hour_count = b->hour_cap = 0;
    look_at_rules(b);
    enum err e = read_rollups(b);
    if (e == ERR_OK)
        e = read_all_rows(b);
    mem_free(b->hours);
    mem_free(b);
    return e;
}

/* ---- at the start ---- */

static bool wait_for_rows(struct ledger *ledger, unsigned timeout_ms)
{
    uint64_t until = clock_mono_us() + (uint64_t)timeout_ms * 1000;
    const struct timespec tick = {0, 10000000};
    struct ledger_status status;
    for (;;) {
        if (ledger_flush(ledger, timeout_ms) != ERR_OK)
            return false;
        ledger_status(ledger, &status);
        if (!status.recovering)
            return true;
        if (clock_mono_us() >= until)
            return false;
        nanosleep(&tick, NULL);
    }
}

/*
 * Thresholds that were crossed before this start: the last process may have ended before it told of one.
 * Whoever is told knows each crossing by rule, group and window.
 */
static bool tell_again(void *context, const struct limits_state *state)
{
    struct limits *l = context;
    const struct limits_alert alert = {.rule_id = state->rule->limit.id,
                                       .limit = &state->rule->limit,
                                       .group_text = state->group_text,
                                       .used = state->used,
                                       .max = state->rule->limit.max,
                                       .window_start_us = state->window_start_us,
                                       .window_end_us = state->window_end_us};
    if (state->alerted)
        l->options.alert(l->options.alert_context, &alert);
    return true;
}

static void tell_all_again(struct limits *l, const struct snapshot *s)
{
    struct ruleset_list all = ruleset_all(snapshot_limits(s));
    int64_t now_us = clock_wall_us();
    for (uint32_t i = 0; l->options.alert && i < all.count; i++)
        if (all.rules[i]->limit.alert_at)
            limits_states_of(l, all.rules[i], now_us, tell_again, l);
}

void limits_rebuild_start(struct limits *l, struct snapshot *s, struct ledger *ledger, const char *dir,
                          unsigned timeout_ms)
{
    struct limits_rebuilt done = {0};
    struct query *q;
    uint64_t begin = clock_mono_us();
    if (ruleset_all(snapshot_limits(s)).count == 0)
        return;
    if (!wait_for_rows(ledger, timeout_ms))
        log_error("limits_incomplete",
                  LOG_TEXT("why", "the ledger has not stored all records of the last run; they are not counted"));
    enum err e = query_open(dir, &q);
    if (e == ERR_OK) {
        e = limits_rebuild(l, s, q, clock_wall_us(), &done);
        query_close(q);
    }
    if (e == ERR_OK)
        tell_all_again(l, s);
    if (e != ERR_OK)
        log_error("limits_not_rebuilt", LOG_TEXT("error", err_info(e)->code), LOG_TEXT("why", query_reason()));
    else
        log_info("limits_rebuilt", LOG_INT("rules", done.rules), LOG_INT("groups", done.groups),
                 LOG_INT("rows", done.rows), LOG_INT("us", clock_mono_us() - begin));
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading: every filter and every report against a walk over the records themselves; and verify,
 * which must find each kind of damage.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "ledger/drain/drain.h"
#include "ledger/query.h"
#include "ledger/query_cost.h"
#include "ledger/schema.h"
#include "ledger/verify.h"
#include "ledger_fixture.h"

#define SEED 8
#define COUNT 3000
#define STEP_US 21000000                   /* 17 hours and a half in all, across midnight and a month's end */
#define FIRST_US INT64_C(1796032800000000) /* 2026-11-30T10:00:00Z */

static char dir[FIXTURE_PATH_MAX];
static struct fixture_record *records;
static struct query *q;

/* Some rows have models that nobody knows, traces, other outcomes. */
static void make_record(struct fixture_record *f, uint64_t i)
{
    fixture_record(f, SEED, i, record_id_floor(FIRST_US + (int64_t)i * STEP_US) + (int64_t)(i % 7), i % 50 == 0);
    if (i % 11 == 3 && f->r.outcome == RECORD_UPSTREAM_ERROR)
        f->r.model_asked = STR("no-such-model");
    if (i % 40 == 0)
        f->r.outcome = RECORD_CLIENT_CANCELLED;
    if (i % 100 < 3)
        f->r.trace_id = STR("00112233-4455-6677-8899-aabbccddeeff");
    if (i % 60 == 0 && f->r.cost.state == COST_PRICED)
        f->r.cost.state = COST_ESTIMATED;
    if (i % 500 == 499) {
        f->r.status = 503;
        f->r.upstream_status = 0;
        f->r.key_id = 0;
    }
}

static void fill(void)
{
    char journal_dir[FIXTURE_PATH_MAX], bodies_dir[FIXTURE_PATH_MAX], path[FIXTURE_PATH_MAX];
    struct drain_options o = {.journal_dir = journal_dir, .bodies_dir = bodies_dir};
    struct drain *d;
    fixture_path(journal_dir, dir, SCHEMA_JOURNAL_DIR);
    fixture_path(bodies_dir, dir, SCHEMA_BODIES_DIR);
    fixture_path(path, dir, SCHEMA_FILE);
    assert_int_equal(file_mkdir(journal_dir, 0700), ERR_OK);
    assert_int_equal(file_mkdir(bodies_dir, 0700), ERR_OK);
    const struct journal_options jo = {.dir = journal_dir, .first_sequence = 1};
    assert_int_equal(journal_open(&jo, &o.journals[0]), ERR_OK);
    o.live_from[0] = 1;
    assert_int_equal(store_open(path, NULL, &o.db), ERR_OK);
    assert_int_equal(schema_migrate(o.db), ERR_OK);
    assert_int_equal(drain_open(&o, &d), ERR_OK);
    for (uint64_t i = 0; i < COUNT; i++) {
        make_record(&records[i], i);
        journal_add(o.journals[0], &records[i].r);
    }
    assert_int_equal(journal_flush(o.journals[0]), ERR_OK);
    for (bool more = true; more;)
        assert_int_equal(drain_batch(d, &more), ERR_OK);
    drain_close(d);
    journal_close(o.journals[0]);
    assert_int_equal(store_checkpoint(o.db), ERR_OK);
    store_close(o.db);
}

static int begin(void **state)
{
    (void)state;
    fixture_dir(dir);
    records = mem_zalloc(COUNT * sizeof *records);
    fill();
    assert_int_equal(query_open(dir, &q), ERR_OK);
    return 0;
}

static int end(void **state)
{
    (void)state;
    query_close(q);
    mem_free(records);
    fixture_remove(dir);
    return 0;
}

/* --- rows ------------------------------------------------------------------------------------ */

static bool integration_listed(const struct query_filter *f, int64_t id)
{
    for (size_t i = 0; i < f->provider_integration_count; i++)
        if (f->provider_integrations[i] == id)
            return true;
    return false;
}

static bool matches_routing(const struct query_filter *f, const struct record *r)
{
    bool named = str_eq(f->provider, r->routing.provider);
    bool by_integration = !r->routing.provider.n && integration_listed(f, r->integration_id);
    return (!f->config.n || str_eq(f->config, r->routing.config)) && (!f->provider.n || named || by_integration) &&
           (!f->span_id.n || str_eq(f->span_id, r->span_id)) && (f->cache < 0 || f->cache == (int)r->routing.cache) &&
           (f->discarded < 0 || f->discarded == r->routing.discarded);
}

static bool matches(const struct query_filter *f, const struct record *r)
{
    int64_t from = f->since_us > 0 ? record_id_floor(f->since_us) : 0;
    int64_t below = f->until_us > 0 ? record_id_floor(f->until_us) : INT64_MAX;
    return r->id >= from && r->id < below && (!f->before_id || r->id < f->before_id) &&
           (!f->workspace_id || r->workspace_id == f->workspace_id) && (!f->key_id || r->key_id == f->key_id) &&
           (!f->integration_id || r->integration_id == f->integration_id) &&
           (!f->request_id || r->request_id == f->request_id || r->id == f->request_id) &&
           (!f->model.n || str_eq(f->model, r->model_asked) || str_eq(f->model, r->model_answered)) &&
           (!f->operation.n || str_eq(f->operation, r->operation)) &&
           (!f->trace_id.n || str_eq(f->trace_id, r->trace_id)) && (!f->status || f->status == r->status) &&
           (!f->status_class || f->status_class == r->status / 100) &&
           (f->outcome < 0 || f->outcome == (int)r->outcome) &&
           (f->cost_state < 0 || f->cost_state == (int)r->cost.state) && matches_routing(f, r);
}

struct walk {
    const struct query_filter *f;
    int next; /* index of the record to compare with, going down */
    unsigned rows, wrong;
};

static bool compare_row(void *context, const struct record *r)
{
    struct walk *w = context;
    while (w->next >= 0 && !matches(w->f, &records[w->next].r))
        w->next--;
    w->rows++;
    if (w->next < 0 || !fixture_equal(&records[w->next].r, r))
        w->wrong++;
    w->next--;
    return true;
}

static unsigned check_filter(const struct query_filter *f)
{
    struct walk w = {.f = f, .next = COUNT - 1};
    unsigned expected = 0, limit = f->limit ? f->limit : 100;
    assert_int_equal(query_attempts(q, f, compare_row, &w), ERR_OK);
    for (int i = 0; i < COUNT; i++)
        expected += matches(f, &records[i].r);
    assert_int_equal(w.wrong, 0);
    assert_int_equal(w.rows, expected < limit ? expected : limit);
    return w.rows;
}

static void each_filter_finds_exactly_its_rows_newest_first(void **state)
{
    (void)state;
    static const int64_t integrations[] = {2};
    struct query_filter f[22];
    for (unsigned i = 0; i < 22; i++) {
        f[i] = query_filter_all();
        f[i].limit = 5000;
    }
    f[1].workspace_id = 2;
    f[2].key_id = 17;
    f[3].integration_id = 2;
    f[4].request_id = records[25].r.request_id;
    f[5].model = STR("gpt-4.1");
    f[6].model = STR("answered-3");
    f[7].model = STR("no-such-model"); /* kept as text: nobody ever answered to it */
    f[8].operation = STR("embeddings");
    f[9].trace_id = STR("00112233-4455-6677-8899-aabbccddeeff");
    f[10].status = 429;
    f[11].status_class = 5;
    f[12].outcome = RECORD_CLIENT_CANCELLED;
    f[13].cost_state = COST_UNPRICED;
    f[14].since_us = FIRST_US + INT64_C(3600000000) * 3 + 17;
    f[14].until_us = FIRST_US + INT64_C(3600000000) * 5 - 99;
    f[15].before_id = records[1234].r.id;
    f[16].config = STR("pc-second");
    f[17].provider = STR("azure-openai");
    f[18].provider = STR("openai");
    f[18].provider_integrations = integrations;
    f[18].provider_integration_count = 1;
    f[19].cache = RECORD_CACHE_SEMANTIC_HIT;
    f[20].discarded = 1;
    for (unsigned i = 0; i < COUNT && !f[21].span_id.n; i++)
        f[21].span_id = records[i].r.span_id;
    for (unsigned i = 0; i < 22; i++)
        assert_true(check_filter(&f[i]) > 0);
    struct query_filter none = query_filter_all();
    none.model = STR("never seen");
    assert_int_equal(check_filter(&none), 0);
    none.model = STR("");
    none.operation = STR("never seen");
    assert_int_equal(check_filter(&none), 0);
    none.operation = STR("");
    none.since_us = FIRST_US + INT64_C(86400000000) * 90;
    assert_int_equal(check_filter(&none), 0);
    none.until_us = FIRST_US;
    assert_int_equal(check_filter(&none), 0);
}

static void use_routing(struct query_filter *f, struct rng_seeded *g, uint64_t use)
{
    static const int64_t integrations[] = {1, 3};
    const struct str configs[] = {STR("pc-first"), STR("inline"), STR("pc-nobody")};
    if (use & 8192)
        f->config = configs[rng_seeded_below(g, 3)];
    if (use & 16384) {
        f->provider = rng_seeded_below(g, 2) ? STR("openai") : STR("azure-openai");
        f->provider_integrations = integrations;
        f->provider_integration_count = rng_seeded_below(g, 3);
    }
    if (use & 32768)
        f->cache = (int)rng_seeded_below(g, RECORD_CACHE_COUNT);
    if (use & 65536)
        f->discarded = (int)rng_seeded_below(g, 2);
    if (use & 131072)
        f->span_id = records[rng_seeded_below(g, COUNT)].r.span_id;
}

static void filters_together_find_what_all_of_them_allow(void **state)
{
    (void)state;
    struct rng_seeded g = {5};
    const struct str models[] = {STR("gpt-4o"), STR("answered-1"), STR("no-such-model"), STR("gpt-5")};
    unsigned found = 0;
    for (unsigned round = 0; round < 1500; round++) {
        struct query_filter f = query_filter_all();
        uint64_t use = rng_seeded_u64(&g) & rng_seeded_u64(&g); /* a quarter of them */
        f.limit = 1 + (unsigned)rng_seeded_below(&g, 200);
        if (use & 1)
            f.workspace_id = 1 + (int64_t)rng_seeded_below(&g, 3);
        if (use & 2)
            f.key_id = 1 + (int64_t)rng_seeded_below(&g, 50);
        if (use & 4)
            f.integration_id = 1 + (int64_t)rng_seeded_below(&g, 3);
        if (use & 8)
            f.model = models[rng_seeded_below(&g, 4)];
        if (use & 16)
            f.operation = rng_seeded_below(&g, 2) ? STR("chat.completions") : STR("embeddings");
        if (use & 32)
            f.trace_id = records[rng_seeded_below(&g, COUNT)].r.trace_id;
        if (use & 64)
            f.status = rng_seeded_below(&g, 2) ? 200 : 429;
        if (use & 128)
            f.status_class = rng_seeded_below(&g, 2) ? 2 : 4;
        if (use & 256)
            f.outcome = (int)rng_seeded_below(&g, RECORD_OUTCOME_COUNT);
        if (use & 512)
            f.cost_state = (int)rng_seeded_below(&g, COST_STATE_COUNT);
        if (use & 1024)
            f.since_us = FIRST_US + (int64_t)rng_seeded_below(&g, (uint64_t)COUNT * STEP_US);
        if (use & 2048)
            f.until_us = FIRST_US + (int64_t)rng_seeded_below(&g, (uint64_t)COUNT * STEP_US);
        if (use & 4096)
            f.before_id = records[rng_seeded_below(&g, COUNT)].r.id;
        use_routing(&f, &g, use);
        found += check_filter(&f);
    }
    assert_true(found > 10000);
}

struct page {
    int64_t last;
    unsigned rows;
    bool stop;
};

static bool take_page(void *context, const struct record *r)
{
    struct page *p = context;
    assert_true(p->last == 0 || r->id < p->last);
    p->last = r->id;
    p->rows++;
    return !p->stop;
}

static void pages_meet_without_gap_or_overlap(void **state)
{
    (void)state;
    struct query_filter f = query_filter_all();
    struct page p = {0, 0, false};
    f.status_class = 4;
    f.limit = 7;
    unsigned before, expected = 0;
    do {
        before = p.rows;
        f.before_id = p.last;
        assert_int_equal(query_attempts(q, &f, take_page, &p), ERR_OK);
    } while (p.rows - before == 7);
    for (int i = 0; i < COUNT; i++)
        expected += records[i].r.status / 100 == 4;
    assert_int_equal(p.rows, expected);
    struct page one = {0, 0, true};
    f.before_id = 0;
    assert_int_equal(query_attempts(q, &f, take_page, &one), ERR_OK);
    assert_int_equal(one.rows, 1); /* the caller has had enough */
}

struct order {
    int64_t ids[8];
    unsigned count;
};

static bool take_order(void *context, const struct record *r)
{
    struct order *o = context;
    o->ids[o->count++] = r->id;
    return true;
}

static void rows_come_by_their_ids_in_the_order_asked_for(void **state)
{
    (void)state;
    const int64_t ids[] = {records[5].r.id, 12345, records[2].r.id, records[499].r.id, records[9].r.id};
    struct order o = {.count = 0};
    struct query_filter f = query_filter_all();
    assert_int_equal(query_ids(q, ids, 5, &f, take_order, &o), ERR_OK);
    assert_int_equal(o.count, 4);
    assert_true(o.ids[0] == ids[0] && o.ids[1] == ids[2] && o.ids[2] == ids[3] && o.ids[3] == ids[4]);
    f.status = 503;
    o.count = 0;
    assert_int_equal(query_ids(q, ids, 5, &f, take_order, &o), ERR_OK);
    assert_int_equal(o.count, 1);
    o.count = 0;
    assert_int_equal(query_attempt(q, ids[4], take_order, &o), ERR_OK);
    assert_int_equal(o.count, 1);
    assert_int_equal(query_attempt(q, 12345, take_order, &o), ERR_NOT_FOUND);
}

static void bodies_are_read_when_asked_for(void **state)
{
    (void)state;
    struct body_pair pair;
    assert_int_equal(query_bodies(q, records[50].r.id, &pair), ERR_OK);
    assert_true(str_eq(pair.request.bytes, records[50].r.request_body.bytes));
    assert_true(str_eq(pair.response.bytes, records[50].r.response_body.bytes));
    body_pair_free(&pair);
    assert_int_equal(query_bodies(q, records[51].r.id, &pair), ERR_NOT_FOUND);
    assert_int_equal(query_bodies(q, 12345, &pair), ERR_NOT_FOUND);
}

static void a_directory_without_a_ledger_is_an_error_with_words(void **state)
{
    (void)state;
    struct query *none;
    char other[FIXTURE_PATH_MAX], path[FIXTURE_PATH_MAX];
    struct store_db *db;
    fixture_dir(other);
    assert_int_equal(query_open(other, &none), ERR_STORE_FAILED);
    assert_true(query_reason()[0] != '\0');
    fixture_path(path, other, SCHEMA_FILE);
    assert_int_equal(store_open(path, NULL, &db), ERR_OK);
    assert_int_equal(query_open(other, &none), ERR_NOT_FOUND);
    assert_int_equal(schema_migrate(db), ERR_OK);
    assert_int_equal(store_exec(db, "INSERT INTO tollgate_schema VALUES(999, 'later', 0)"), ERR_OK);
    assert_int_equal(query_open(other, &none), ERR_SCHEMA_NEWER);
    assert_non_null(strstr(query_reason(), "newer"));
    store_close(db);
    fixture_remove(other);
}

/* --- reports --------------------------------------------------------------------------------- */

#define GROUPS_MAX 4000

struct group {
    int64_t number[QUERY_DIMS_MAX];
    struct str text[QUERY_DIMS_MAX];
    struct query_sums sums;
};

struct report {
    const struct query_cost *c;
    struct group *groups;
    size_t count;
    money_sum last; /* the groups come in this order */
};

static int64_t month_of(int64_t us)
{
    struct clock_utc t = clock_utc_of(us);
    return clock_wall_of((struct clock_utc){.year = t.year, .month = t.month, .day = 1});
}

/* What the report shows for a model that never answered well. */
static struct str shown(struct str model)
{
    return str_eq(model, STR("no-such-model")) ? STR("(other)") : model;
}

static void value(enum query_dim d, const struct record *r, int64_t *number, struct str *text)
{
    int64_t us = record_id_time_us(r->id) / SCHEMA_HOUR_US * SCHEMA_HOUR_US;
    *number = 0;
    *text = STR("");
    switch (d) {
    case QUERY_DIM_HOUR:
        *number = us;
        break;
    case QUERY_DIM_DAY:
        *number = us / (24 * SCHEMA_HOUR_US) * 24 * SCHEMA_HOUR_US;
        break;
    case QUERY_DIM_MONTH:
        *number = month_of(us);
        break;
    case QUERY_DIM_WORKSPACE:
        *number = r->workspace_id;
        break;
    case QUERY_DIM_KEY:
        *number = r->key_id;
        break;
    case QUERY_DIM_INTEGRATION:
        *number = r->integration_id;
        break;
    case QUERY_DIM_OPERATION:
        *text = r->operation;
        break;
    case QUERY_DIM_MODEL_ASKED:
        *text = shown(r->model_asked);
        break;
    case QUERY_DIM_MODEL_ANSWERED:
        *text = r->model_answered.n ? r->model_answered : shown(r->model_asked);
        break;
    case QUERY_DIM_TIER:
        *text = r->service_tier;
        break;
    case QUERY_DIM_STATUS_CLASS:
        *number = r->status / 100;
        break;
    case QUERY_DIM_OUTCOME:
        *number = r->outcome;
        break;
    case QUERY_DIM_COST_STATE:
        *number = r->cost.state;
        break;
    case QUERY_DIM_STREAM:
        *number = r->stream;
        break;
    case QUERY_DIM_PROVIDER:
        *text = r->routing.provider;
        break;
    case QUERY_DIM_CONFIG:
        *text = r->routing.config;
        break;
    case QUERY_DIM_CACHE:
        *number = r->routing.cache;
        break;
    case QUERY_DIM_DISCARDED:
        *number = r->routing.discarded;
        break;
    case QUERY_DIM_COUNT:
        break;
    }
}

static struct group *find_group(struct report *rep, const int64_t *number, const struct str *text)
{
    for (size_t i = 0; i < rep->count; i++) {
        struct group *g = &rep->groups[i];
        bool same = true;
        for (unsigned k = 0; k < rep->c->dim_count; k++)
            same = same && g->number[k] == number[k] && str_eq(g->text[k], text[k]);
        if (same)
            return g;
    }
    return NULL;
}

static void add_expected(struct report *rep, const struct record *r)
{
    int64_t number[QUERY_DIMS_MAX];
    struct str text[QUERY_DIMS_MAX];
    for (unsigned k = 0; k < rep->c->dim_count; k++)
        value(rep->c->dims[k], r, &number[k], &text[k]);
    struct group *g = find_group(rep, number, text);
    if (!g) {
        assert_true(rep->count < GROUPS_MAX);
        g = &rep->groups[rep->count++];
        memset(g, 0, sizeof *g);
        memcpy(g->number, number, sizeof number);
        memcpy(g->text, text, sizeof text);
    }
    sums_add_record(&g->sums.sums, r, 1);
    g->sums.errors += r->outcome != RECORD_COMPLETED;
    g->sums.unpriced += r->cost.state == COST_UNPRICED;
    if (r->cost.state == COST_ESTIMATED) {
        g->sums.estimated++;
        g->sums.estimated_pusd += r->cost.total_pusd;
    }
    g->sums.cache_hits += r->routing.cache == RECORD_CACHE_HIT || r->routing.cache == RECORD_CACHE_SEMANTIC_HIT;
    if (r->routing.discarded) {
        g->sums.discarded++;
        g->sums.wasted_pusd += r->cost.total_pusd;
    }
}

static bool same_sums(const struct query_sums *a, const struct query_sums *b)
{
    unsigned char x[SUMS_BYTES_MAX], y[SUMS_BYTES_MAX];
    size_t n = sums_encode(&a->sums, x);
    return n == sums_encode(&b->sums, y) && memcmp(x, y, n) == 0 && a->sums.attempts == b->sums.attempts &&
           a->sums.requests == b->sums.requests && a->sums.cost_pusd == b->sums.cost_pusd &&
           a->sums.input_tok == b->sums.input_tok && a->sums.output_tok == b->sums.output_tok &&
           a->errors == b->errors && a->unpriced == b->unpriced && a->estimated == b->estimated &&
           a->estimated_pusd == b->estimated_pusd && a->discarded == b->discarded && a->wasted_pusd == b->wasted_pusd &&
           a->cache_hits == b->cache_hits && a->sums.saved_pusd == b->sums.saved_pusd;
}

static bool compare_group(void *context, const struct query_dim_value *values, const struct query_sums *sums)
{
    struct report *rep = context;
    int64_t number[QUERY_DIMS_MAX];
    struct str text[QUERY_DIMS_MAX];
    for (unsigned k = 0; k < rep->c->dim_count; k++) {
        bool is_text = query_dim_is_text(rep->c->dims[k]);
        number[k] = is_text ? 0 : values[k].number;
        text[k] = values[k].text;
    }
    struct group *g = find_group(rep, number, text);
    assert_non_null(g);
    assert_true(same_sums(&g->sums, sums));
    assert_true(sums->sums.cost_pusd <= rep->last);
    rep->last = sums->sums.cost_pusd;
    g->sums.sums.attempts = UINT64_MAX; /* it must not come again */
    return true;
}

static size_t check_report(const struct query_cost *c)
{
    struct report rep = {
        .c = c, .groups = mem_alloc(GROUPS_MAX * sizeof(struct group)), .last = (money_sum)INT64_MAX * INT64_MAX};
    struct query_sums total, expected = {.errors = 0};
    for (int i = 0; i < COUNT; i++) {
        const struct record *r = &records[i].r;
        int64_t hour = rollup_hour(r->id);
        if ((c->since_us && hour < c->since_us / SCHEMA_HOUR_US) ||
            (c->until_us && hour * SCHEMA_HOUR_US >= c->until_us) ||
            (c->workspace_id && r->workspace_id != c->workspace_id) || (c->key_id && r->key_id != c->key_id) ||
            (c->model.n && !str_eq(c->model, r->model_asked) && !str_eq(c->model, r->model_answered)) ||
            (c->cost_state >= 0 && (int)r->cost.state != c->cost_state))
            continue;
        add_expected(&rep, r);
    }
    for (size_t i = 0; i < rep.count; i++) {
        sums_add(&expected.sums, &rep.groups[i].sums.sums);
        expected.errors += rep.groups[i].sums.errors;
        expected.unpriced += rep.groups[i].sums.unpriced;
        expected.estimated += rep.groups[i].sums.estimated;
        expected.estimated_pusd += rep.groups[i].sums.estimated_pusd;
        expected.discarded += rep.groups[i].sums.discarded;
        expected.wasted_pusd += rep.groups[i].sums.wasted_pusd;
        expected.cache_hits += rep.groups[i].sums.cache_hits;
    }
    assert_int_equal(query_cost(q, c, compare_group, &rep, &total), ERR_OK);
    assert_true(same_sums(&expected, &total));
    for (size_t i = 0; i < rep.count; i++)
        assert_true(rep.groups[i].sums.sums.attempts == UINT64_MAX);
    mem_free(rep.groups);
    return rep.count;
}

static void every_dimension_groups_exactly(void **state)
{
    (void)state;
    struct query_cost c = {.cost_state = -1};
    assert_int_equal(check_report(&c), 1);
    c.dim_count = 1;
    for (unsigned d = 0; d < QUERY_DIM_COUNT; d++) {
        enum query_dim back;
        c.dims[0] = (enum query_dim)d;
        assert_true(check_report(&c) > 1);
        assert_true(query_dim_parse(str_c(query_dim_text(c.dims[0])), &back));
        assert_int_equal(back, d);
    }
    c.dims[0] = QUERY_DIM_DAY;
    assert_int_equal(check_report(&c), 2);
    c.dims[0] = QUERY_DIM_MONTH;
    assert_int_equal(check_report(&c), 2);
}

static void reports_with_filters_and_many_dimensions_are_exact(void **state)
{
    (void)state;
    struct rng_seeded g = {9};
    for (unsigned round = 0; round < 60; round++) {
        struct query_cost c = {.cost_state = -1, .dim_count = 1 + (unsigned)rng_seeded_below(&g, 3)};
        for (unsigned k = 0; k < c.dim_count; k++)
            c.dims[k] = (enum query_dim)rng_seeded_below(&g, QUERY_DIM_COUNT);
        if (rng_seeded_below(&g, 3) == 0)
            c.workspace_id = 1 + (int64_t)rng_seeded_below(&g, 3);
        if (rng_seeded_below(&g, 4) == 0)
            c.key_id = 1 + (int64_t)rng_seeded_below(&g, 50);
        if (rng_seeded_below(&g, 3) == 0)
            c.model = STR("gpt-4o");
        if (rng_seeded_below(&g, 4) == 0)
            c.cost_state = COST_UNPRICED;
        if (rng_seeded_below(&g, 2))
            c.since_us = FIRST_US + (int64_t)rng_seeded_below(&g, (uint64_t)COUNT * STEP_US);
        if (rng_seeded_below(&g, 2))
            c.until_us = FIRST_US + (int64_t)rng_seeded_below(&g, (uint64_t)COUNT * STEP_US);
        check_report(&c);
    }
}

/* --- plans ----------------------------------------------------------------------------------- */

static void pages_of_a_key_a_trace_a_span_and_a_request_use_their_indices(void **state)
{
    (void)state;
    const struct {
        const char *where, *index;
    } list[] = {{"key_id = 5", "attempts_key"},
                {"trace_id = x'00'", "attempts_trace"},
                {"span_id = 'a'", "attempts_span"},
                {"request_id = 9", "attempts_request"}};
    char path[FIXTURE_PATH_MAX], sql[512];
    struct store_db *db;
    const struct store_options ro = {.read_only = true};
    fixture_path(path, dir, SCHEMA_FILE);
    assert_int_equal(store_open(path, &ro, &db), ERR_OK);
    for (unsigned i = 0; i < sizeof list / sizeof list[0]; i++) {
        struct store_stmt *st;
        bool row, used = false, sorts = false;
        snprintf(sql, sizeof sql,
                 "EXPLAIN QUERY PLAN SELECT * FROM attempts WHERE id >= 5 AND id < 999999 AND %s ORDER BY id DESC"
                 " LIMIT 50",
                 list[i].where);
        assert_int_equal(store_prepare_once(db, sql, &st), ERR_OK);
        while (store_step(st, &row) == ERR_OK && row) {
            used = used || str_search(store_text(st, 3), str_c(list[i].index)) >= 0;
            sorts = sorts || str_search(store_text(st, 3), STR("TEMP B-TREE")) >= 0;
        }
        assert_true(used);
        assert_false(sorts);
        store_drop(st);
    }
    store_close(db);
}

/* --- verify ---------------------------------------------------------------------------------- */

struct findings {
    unsigned count[VERIFY_PART_COUNT];
    unsigned ticks;
};

static void note_finding(void *context, enum verify_part part, struct str text)
{
    assert_true(text.n > 10);
    ((struct findings *)context)->count[part]++;
}

static bool note_progress(void *context, enum verify_part part, uint64_t done, uint64_t total)
{
    (void)part;
    (void)done;
    (void)total;
    ((struct findings *)context)->ticks++;
    return true;
}

static bool stop_at_once(void *context, enum verify_part part, uint64_t done, uint64_t total)
{
    (void)context;
    (void)part;
    (void)done;
    (void)total;
    return false;
}

static struct findings verify(struct verify_result *ret)
{
    struct findings f = {.ticks = 0};
    const struct verify_options o = {note_finding, note_progress, &f};
    assert_int_equal(verify_ledger(dir, &o, ret), ERR_OK);
    return f;
}

/* Runs a statement on the database, verifies, and undoes it. */
static struct findings verify_after(const char *change)
{
    char path[FIXTURE_PATH_MAX];
    struct verify_result result;
    struct store_db *db;
    size_t n;
    fixture_path(path, dir, SCHEMA_FILE);
    char *bytes = fixture_read(path, &n);
    assert_int_equal(store_open(path, NULL, &db), ERR_OK);
    assert_int_equal(store_exec(db, change), ERR_OK);
    assert_int_equal(store_checkpoint(db), ERR_OK);
    store_close(db);
    struct findings f = verify(&result);
    fixture_write(path, bytes, n);
    mem_free(bytes);
    return f;
}

static void verify_finds_each_kind_of_wrong(void **state)
{
    (void)state;
    struct verify_result r;
    query_close(q); /* its connections would keep the files' old state */
    q = NULL;
    struct findings f = verify(&r);
    assert_int_equal(r.findings, 0);
    assert_int_equal(r.rows, COUNT);
    assert_int_equal(r.entries, COUNT);
    assert_int_equal(r.bodies, COUNT / 50);
    assert_true(r.rollups > 100);
    assert_int_equal(verify_after("UPDATE attempts SET cost_pusd = cost_pusd + 1 WHERE id ="
                                  " (SELECT max(id) FROM attempts WHERE cost_state = 1)")
                         .count[VERIFY_ROLLUPS],
                     1);
    assert_int_equal(
        verify_after("DELETE FROM attempts WHERE id = (SELECT min(id) FROM attempts)").count[VERIFY_ROLLUPS], 1);
    assert_true(verify_after("DELETE FROM rollups WHERE hour = (SELECT max(hour) FROM rollups)").count[VERIFY_ROLLUPS] >
                10);
    assert_true(verify_after("UPDATE rollups SET carry = 1 WHERE hour = (SELECT min(hour) FROM rollups)")
                    .count[VERIFY_ROLLUPS] > 10);
    assert_int_equal(verify_after("INSERT INTO rollups SELECT hour + 1000, combo, attempts, requests, carry, cost_pusd,"
                                  " input_tok, output_tok, sums FROM rollups LIMIT 1")
                         .count[VERIFY_ROLLUPS],
                     1);
    assert_int_equal(verify_after("UPDATE attempts SET body_place = body_place + 1 WHERE id ="
                                  " (SELECT min(id) FROM attempts WHERE body_place > 0)")
                         .count[VERIFY_BODIES],
                     1);
    assert_int_equal(verify_after("UPDATE attempts SET extra = x'ffff' WHERE id = (SELECT max(id) FROM attempts)")
                         .count[VERIFY_ROLLUPS],
                     2); /* the row, and the sum without it */
    assert_int_equal(verify_after("UPDATE positions SET drained = drained - 1, low = drained").count[VERIFY_JOURNAL],
                     1);
    assert_int_equal(f.count[VERIFY_JOURNAL], 0);
    const struct verify_options stopping = {.progress = stop_at_once};
    assert_int_equal(verify_ledger(dir, &stopping, &r), ERR_CLIENT_GONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_filter_finds_exactly_its_rows_newest_first),
        cmocka_unit_test(filters_together_find_what_all_of_them_allow),
        cmocka_unit_test(pages_meet_without_gap_or_overlap),
        cmocka_unit_test(rows_come_by_their_ids_in_the_order_asked_for),
        cmocka_unit_test(bodies_are_read_when_asked_for),
        cmocka_unit_test(a_directory_without_a_ledger_is_an_error_with_words),
        cmocka_unit_test(every_dimension_groups_exactly),
        cmocka_unit_test(reports_with_filters_and_many_dimensions_are_exact),
        cmocka_unit_test(pages_of_a_key_a_trace_a_span_and_a_request_use_their_indices),
        cmocka_unit_test(verify_finds_each_kind_of_wrong),
    };
    return cmocka_run_group_tests(tests, begin, end);
}

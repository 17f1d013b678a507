/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unpriced models: requests that consumed something for which there is no price. Their cost is missing in every report, so those who
 * look after the workspace hear of it: once a month for each model, within an hour of its first such request.
 */
#include <stdio.h>
#include <unistd.h>

#include "base/json_write.h"
#include "base/log.h"
#include "base/must.h"
#include "ledger/query.h"
#include "ledger/query_cost.h"
#include "ledger/schema.h"
#include "report/watch/watch_fire.h"

#define KIND "unpriced_model"
#define LATE_US (3 * BILL_DAY_US)
#define MODELS_MAX 500
#define EACH_MAX 20 /* of one workspace in a turn: nobody keeps others waiting, nor gets too much at once */
#define MODEL_MAX_BYTES 200

struct found {
    int64_t workspace;
    struct str model;
    uint64_t attempts;
};

struct list {
    struct watch_turn *turn;
    struct found *rows; /* MODELS_MAX */
    size_t count;
};

static struct str key_of(const struct watch_turn *t, const struct found *f, char out[WATCH_KEY_MAX])
{
    char month[BILL_DAY_TEXT_MAX];
    bill_day_format(t->today, month);
    int n = snprintf(out, WATCH_KEY_MAX, "%lld/%.7s/%.*s", (long long)f->workspace, month, STR_ARG(f->model));
    return str_of(out, (size_t)n);
}

/* Those of which nothing was said yet. */
static bool add(void *context, const struct query_dim_value *values, const struct query_sums *sums)
{
    struct list *l = context;
    struct found f = {values[0].number, str_head(values[1].text, MODEL_MAX_BYTES), sums->unpriced};
    char key[WATCH_KEY_MAX];
    bool known = false;
    size_t same = 0;
    for (size_t i = 0; i < l->count; i++)
        same += l->rows[i].workspace == f.workspace;
    if (!sums->unpriced || same == EACH_MAX ||
        watch_has_fired(l->turn, KIND, key_of(l->turn, &f, key), &known) != ERR_OK || known)
        return true;
    f.model = arena_dup(l->turn->arena, f.model);
    if (!f.model.p)
        return false;
    l->rows[l->count++] = f;
    return l->count < MODELS_MAX;
}

static bool has_ledger(const struct watch_turn *t)
{
    char path[4096];
    int n = snprintf(path, sizeof path, "%s/%s", t->dir, SCHEMA_FILE);
    return n > 0 && (size_t)n < sizeof path && access(path, F_OK) == 0;
}

static enum err find(struct watch_turn *t, struct list *l)
{
    struct query *q;
    struct query_sums total;
    struct query_cost c = {.since_us = t->now_us - LATE_US,
                           .cost_state = COST_UNPRICED,
                           .dims = {QUERY_DIM_WORKSPACE, QUERY_DIM_MODEL_ANSWERED},
                           .dim_count = 2};
    if (!has_ledger(t))
        return ERR_OK;
    enum err e = query_open(t->dir, &q);
    if (e != ERR_OK)
        return e;
    e = query_cost(q, &c, add, l, &total);
    query_close(q);
    return e;
}

static bool write_json(const struct found *f, struct buf *out)
{
    struct json_write w;
    json_write_init(&w, out);
    json_write_object(&w);
    json_write_member_string(&w, "model", f->model);
    json_write_member_uint(&w, "requests", f->attempts);
    json_write_object_end(&w);
    return json_write_done(&w);
}

static enum err say(struct watch_turn *t, const struct found *f)
{
    struct watch_people people = {.admins = true};
    char key[WATCH_KEY_MAX], subject[NOTIFY_SUBJECT_MAX];
    struct buf text, json;
    int n = snprintf(subject, sizeof subject, "No price for model %.*s", STR_ARG(f->model));
    buf_init(&text, 4096);
    buf_init(&json, 4096);
    bool ok = buf_printf(&text,
                         "%llu requests of the last three days used the model \"%.*s\", and there is no price for what "
                         "they consumed.\nTheir cost is missing in reports and budgets; it is not zero.\n\nGive the "
                         "model a price (docs/PRICING.md), then run tollgate reprice: requests of before get their "
                         "cost too.\n",
                         (unsigned long long)f->attempts, STR_ARG(f->model)) &&
              write_json(f, &json);
    must(ok);
    struct watch_alert alert = {.kind = KIND,
                                .key = key_of(t, f, key),
                                .workspace = f->workspace,
                                .people = &people,
                                .subject = str_of(subject, (size_t)n),
                                .text = buf_str(&text),
                                .json = buf_str(&json),
                                .link = STR("/console/")};
    bool first;
    enum err e = watch_fire(t, &alert, &first);
    if (e == ERR_OK && first)
        log_warn("model_has_no_price", LOG_STR("model", f->model), LOG_INT("workspace", f->workspace),
                 LOG_INT("requests", f->attempts));
    buf_free(&text);
    buf_free(&json);
    return e;
}

enum err eval_unpriced_run(struct watch_turn *t)
{
    struct list l = {.turn = t, .rows = arena_alloc(t->arena, MODELS_MAX * sizeof *l.rows)};
    if (!l.rows)
        return ERR_STORE_FAILED;
    enum err e = find(t, &l);
    for (size_t i = 0; e == ERR_OK && i < l.count; i++)
        e = say(t, &l.rows[i]);
    return e;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One function a kind of step: ask for all of it (import_gather.h), then store bucket by bucket, then note
 * the pull. The lock over the bill is taken for each bucket and never held while upstream is waited for.
 */
#include "report/import/import_run.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/must.h"
#include "net/url.h"
#include "report/import/import_gather.h"
#include "report/import/import_old.h"

#define DAY_S 86400
#define HOUR_S 3600
#define PATH_MAX_BYTES 2048
#define PROJECTS_MAX 10000
#define COST_LIMIT 180
#define DAY_LIMIT 31
#define HOUR_LIMIT 168

static enum err failed(struct import_run *r, enum err e, const char *why)
{
    str_copy(r->why, sizeof r->why, str_c(why));
    return e;
}

static void lock(struct import_run *r)
{
    pthread_mutex_lock(r->lock);
}

/* Store errors get the store's sentence. */
static enum err unlock(struct import_run *r, enum err e)
{
    if (e != ERR_OK)
        failed(r, e, bill_reason(r->bill)[0] ? bill_reason(r->bill) : err_info(e)->text);
    pthread_mutex_unlock(r->lock);
    return e;
}

static enum err save_account(struct import_run *r)
{
    lock(r);
    return unlock(r, bill_account_set(r->bill, &r->account));
}

/* --- the log of pulls ------------------------------------------------------------------------ */

struct timing {
    const struct import_step *step;
    const char *endpoint;
    uint64_t since_us, rows, changed;
};

static void note(struct import_run *r, const struct timing *t, const struct import_gathered *g, enum err e)
{
    struct bill_pull p = {.account = r->account.id,
                          .at_us = clock_wall_us(),
                          .from_day = t->step->from,
                          .until_day = t->step->until,
                          .endpoint = t->endpoint,
                          .rows = t->rows,
                          .changed = t->changed,
                          .ms = (clock_mono_us() - t->since_us) / 1000,
                          .pages = g->page_count,
                          .status = g->status,
                          .hash = g->page_count ? g->hash : NULL,
                          .error = e == ERR_OK ? "" : r->why};
    char from[BILL_DAY_TEXT_MAX], until[BILL_DAY_TEXT_MAX];
    bill_day_format(p.from_day, from);
    bill_day_format(p.until_day, until);
    log_info("import_pull", LOG_INT("account", p.account), LOG_TEXT("endpoint", p.endpoint), LOG_TEXT("from", from),
             LOG_TEXT("until", until), LOG_INT("rows", p.rows), LOG_INT("changed", p.changed), LOG_INT("ms", p.ms),
             LOG_INT("pages", p.pages), LOG_INT("status", p.status));
    pthread_mutex_lock(r->lock);
    enum err ignored = bill_pull_add(r->bill, &p);
    pthread_mutex_unlock(r->lock);
    if (ignored != ERR_OK)
        log_warn("import_log_failed", LOG_TEXT("why", bill_reason(r->bill)));
}

/* --- whose bill ------------------------------------------------------------------------------ */

/* Another account that has this organization already would have everything counted twice. */
static enum err check_twin(struct import_run *r, struct str organization)
{
    struct store_stmt *st;
    bool row;
    lock(r);
    enum err e = store_prepare(bill_db(r->bill),
                               "SELECT slug FROM accounts WHERE organization=?1 AND id<>?2 AND kept=0 AND"
                               " kind=(SELECT kind FROM accounts WHERE id=?2) LIMIT 1",
                               &st);
    if (e != ERR_OK)
        return unlock(r, e);
    store_bind_text(st, 1, organization);
    store_bind_i64(st, 2, r->account.id);
    e = store_step(st, &row);
    if (e == ERR_OK && row) {
        struct str slug = store_text(st, 0);
        snprintf(r->why, sizeof r->why,
                 "the organization %.*s is connected already, as integration '%.*s'; its costs would count twice",
                 STR_ARG(str_head(organization, 80)), STR_ARG(str_head(slug, 80)));
        r->refused = true;
    }
    store_clear(st);
    unlock(r, e);
    return e == ERR_OK && row ? ERR_CONFLICT : e;
}

static enum err learn_organization(struct import_run *r, const struct import_page_organization *o)
{
    struct bill_account *a = &r->account;
    if (!o->id.n || str_eq(o->id, a->organization))
        return ERR_OK;
    if (a->organization.n) {
        snprintf(r->why, sizeof r->why,
                 "the key belongs to the organization %.*s, but these costs are those of %.*s; connect it as another "
                 "integration",
                 STR_ARG(str_head(o->id, 80)), STR_ARG(str_head(a->organization, 80)));
        r->refused = true;
        return ERR_CONFLICT;
    }
    enum err e = check_twin(r, o->id);
    if (e != ERR_OK)
        return e;
    struct str id = arena_dup(r->arena, o->id), title = arena_dup(r->arena, o->title);
    if (!id.p || !title.p)
        return failed(r, ERR_OVERLOADED, "the organization's name is too long");
    a->organization = id;
    a->title = title;
    return ERR_OK;
}

/* --- costs ----------------------------------------------------------------------------------- */

/* The results of one day, out of both passes. */
struct day {
    struct bill_cost *costs;
    struct str *totals;
    size_t count, cap, total_count, total_cap;
};

static enum err add_costs(struct import_run *r, struct import_gathered *g, struct jval results, struct day *d)
{
    for (struct jval v = jdoc_first(results); jdoc_has(v); v = jdoc_next(results, v)) {
        struct import_page_organization o;
        char why[IMPORT_PAGE_WHY_MAX] = "the reply is too large";
        if (d->count == d->cap) {
            d->cap = d->cap ? d->cap * 2 : 64;
            d->costs = mem_realloc(d->costs, d->cap * sizeof *d->costs);
        }
        enum err e = import_page_cost(v, g->arena, &d->costs[d->count], &o, why);
        if (e != ERR_OK)
            return failed(r, e, why);
        d->count++;
        e = learn_organization(r, &o);
        if (e != ERR_OK)
            return e;
    }
    return ERR_OK;
}

static enum err add_totals(struct import_run *r, struct import_gathered *g, struct jval results, struct day *d)
{
    for (struct jval v = jdoc_first(results); jdoc_has(v); v = jdoc_next(results, v)) {
        struct import_page_organization o;
        struct bill_cost c;
        char why[IMPORT_PAGE_WHY_MAX] = "the reply is too large";
        enum err e = import_page_cost(v, g->arena, &c, &o, why);
        if (e != ERR_OK)
            return failed(r, e, why);
        if (d->total_count == d->total_cap) {
            d->total_cap = d->total_cap ? d->total_cap * 2 : 4;
            d->totals = mem_realloc(d->totals, d->total_cap * sizeof *d->totals);
        }
        d->totals[d->total_count++] = c.amount;
    }
    return ERR_OK;
}

static enum err put_day(struct import_run *r, const struct day *d, int64_t day, bool total_known, struct timing *t)
{
    struct bill_stored stored;
    struct bill_day put = {.account = r->account.id,
                           .day = day,
                           .costs = d->costs,
                           .count = d->count,
                           .totals = d->totals,
                           .total_count = d->total_count,
                           .total_known = total_known,
                           .now_us = clock_wall_us()};
    lock(r);
    enum err e = unlock(r, bill_day_put(r->bill, &put, &stored));
    if (e != ERR_OK)
        return e;
    t->rows += stored.rows;
    t->changed += stored.changed;
    r->rows += stored.rows;
    r->changed += stored.changed;
    r->inconsistent += stored.inconsistent;
    r->corrections += stored.corrections;
    if (stored.inconsistent || stored.corrections) {
        char text[BILL_DAY_TEXT_MAX];
        bill_day_format(day, text);
        log_warn(stored.corrections ? "bill_corrected" : "bill_inconsistent", LOG_INT("account", r->account.id),
                 LOG_TEXT("day", text), LOG_INT("rows", stored.corrections));
    }
    return ERR_OK;
}

/* Buckets of both passes are sorted; a day may be spread over several of them. */
static enum err put_days(struct import_run *r, struct import_gathered *grouped, struct import_gathered *total,
                         struct timing *t)
{
    struct day d = {0};
    enum err e = ERR_OK;
    size_t at = 0, total_at = 0;
    while (at < grouped->bucket_count && e == ERR_OK) {
        int64_t day = grouped->buckets[at].start;
        bool known = false;
        d.count = d.total_count = 0;
        for (; at < grouped->bucket_count && grouped->buckets[at].start == day && e == ERR_OK; at++)
            e = add_costs(r, grouped, grouped->buckets[at].results, &d);
        while (total_at < total->bucket_count && total->buckets[total_at].start < day)
            total_at++;
        for (; total_at < total->bucket_count && total->buckets[total_at].start == day && e == ERR_OK; total_at++) {
            e = add_totals(r, total, total->buckets[total_at].results, &d);
            known = true;
        }
        if (e == ERR_OK && day >= t->step->from && day < t->step->until)
            e = put_day(r, &d, day, known, t);
    }
    mem_free(d.costs);
    mem_free(d.totals);
    return e;
}

static enum err ask_costs(struct import_run *r, const struct import_step *s, const char *groups,
                          struct import_gathered *g)
{
    char path[PATH_MAX_BYTES];
    int64_t days = s->until - s->from;
    snprintf(path, sizeof path, "/organization/costs?start_time=%lld&end_time=%lld&bucket_width=1d&limit=%lld%s",
             (long long)s->from * DAY_S, (long long)s->until * DAY_S,
             (long long)(days < COST_LIMIT ? days : COST_LIMIT), groups);
    enum err e = import_gather(g, &r->ask, str_c(path), DAY_S);
    return e == ERR_OK ? e : failed(r, e, g->why);
}

/* Older accounts cannot group by key: then without, and so it stays. */
static enum err ask_grouped(struct import_run *r, const struct import_step *s, struct import_gathered *g)
{
    static const char with_keys[] = "&group_by=project_id&group_by=line_item&group_by=api_key_id";
    static const char without[] = "&group_by=project_id&group_by=line_item";
    enum err e = ask_costs(r, s, r->account.no_keys ? without : with_keys, g);
    if (e != ERR_BAD_PARAMETER || g->status != 400 || r->account.no_keys)
        return e;
    log_warn("import_without_keys", LOG_INT("account", r->account.id), LOG_TEXT("why", g->why));
    import_gather_free(g);
    import_gather_init(g);
    e = ask_costs(r, s, without, g);
    if (e == ERR_OK)
        r->account.no_keys = true;
    return e;
}

static enum err do_costs(struct import_run *r, const struct import_step *s)
{
    struct import_gathered grouped, total;
    struct timing t = {.step = s, .endpoint = "costs", .since_us = clock_mono_us()};
    import_gather_init(&grouped);
    import_gather_init(&total);
    enum err e = ask_grouped(r, s, &grouped);
    if (e == ERR_OK)
        e = ask_costs(r, s, "", &total);
    if (e == ERR_OK)
        e = put_days(r, &grouped, &total, &t);
    note(r, &t, &grouped, e);
    import_gather_free(&grouped);
    import_gather_free(&total);
    struct bill_account *a = &r->account;
    if (e == ERR_OK && s->backfill && (!a->back_day || s->until >= a->back_day)) {
        a->back_day = a->back_day && a->back_day < s->from ? a->back_day : s->from;
        e = save_account(r);
    }
    return e;
}

/* --- names ----------------------------------------------------------------------------------- */

static enum err put_names(struct import_run *r, struct import_gathered *g, enum bill_name kind, struct str project,
                          struct timing *t)
{
    struct bill_name_put *list = mem_alloc((g->object_count + 1) * sizeof *list);
    enum err e = ERR_OK;
    for (size_t i = 0; i < g->object_count && e == ERR_OK; i++) {
        char why[IMPORT_PAGE_WHY_MAX] = "the reply is too large";
        e = import_page_name(g->objects[i], kind, project, g->arena, &list[i], why);
        if (e != ERR_OK)
            failed(r, e, why);
    }
    if (e == ERR_OK) {
        lock(r);
        e = unlock(r, bill_names_put(r->bill, r->account.id, list, g->object_count));
    }
    t->rows += e == ERR_OK ? g->object_count : 0;
    mem_free(list);
    return e;
}

static enum err do_list(struct import_run *r, const struct import_step *s, const char *endpoint, const char *path,
                        enum bill_name kind, struct str project)
{
    struct import_gathered g;
    struct timing t = {.step = s, .endpoint = endpoint, .since_us = clock_mono_us()};
    import_gather_init(&g);
    enum err e = import_gather(&g, &r->ask, str_c(path), 0);
    if (e == ERR_OK)
        e = put_names(r, &g, kind, project, &t);
    else
        failed(r, e, g.why);
    note(r, &t, &g, e);
    import_gather_free(&g);
    return e;
}

static enum err do_projects(struct import_run *r, const struct import_step *s)
{
    return do_list(r, s, "projects", "/organization/projects?limit=100&include_archived=true", BILL_PROJECT, STR(""));
}

/* Ids of projects that are not archived. */
static enum err list_projects(struct import_run *r, struct arena *a, struct str **ret, size_t *ret_count)
{
    struct store_stmt *st;
    bool row, fits = true;
    struct str *list = arena_alloc(a, PROJECTS_MAX * sizeof *list);
    size_t n = 0;
    must(list != NULL);
    lock(r);
    enum err e = store_prepare(bill_db(r->bill),
                               "SELECT ext FROM names WHERE account=?1 AND kind=1 AND archived=0 ORDER BY id", &st);
    if (e == ERR_OK) {
        store_bind_i64(st, 1, r->account.id);
        while (n < PROJECTS_MAX && fits && (e = store_step(st, &row)) == ERR_OK && row) {
            list[n] = arena_dup(a, store_text(st, 0));
            fits = list[n++].p != NULL;
        }
        store_clear(st);
    }
    *ret = list;
    *ret_count = n;
    return unlock(r, fits ? e : ERR_OVERLOADED);
}

/* Names are of use, but no reason to be without costs: what upstream does not show stays without a name. */
static enum err forgive(enum err e)
{
    return e == ERR_FORBIDDEN || e == ERR_BAD_PARAMETER ? ERR_OK : e;
}

static enum err do_project(struct import_run *r, const struct import_step *s, struct str project)
{
    struct buf path;
    buf_init(&path, PATH_MAX_BYTES);
    bool fits = buf_add_str(&path, STR("/organization/projects/")) && url_encode(&path, project) &&
                buf_add_str(&path, STR("/api_keys?limit=100")) && buf_add_byte(&path, '\0');
    enum err e = ERR_OK;
    if (fits)
        e = forgive(do_list(r, s, "api_keys", buf_str(&path).p, BILL_KEY, project));
    buf_reset(&path);
    fits = buf_add_str(&path, STR("/organization/projects/")) && url_encode(&path, project) &&
           buf_add_str(&path, STR("/users?limit=100")) && buf_add_byte(&path, '\0');
    if (fits && e == ERR_OK)
        e = forgive(do_list(r, s, "users", buf_str(&path).p, BILL_USER, STR("")));
    buf_free(&path);
    return e;
}

static enum err do_members(struct import_run *r, const struct import_step *s)
{
    struct arena *a = arena_new(4096, 64u << 20);
    struct str *projects = NULL;
    size_t count = 0;
    enum err e = list_projects(r, a, &projects, &count);
    for (size_t i = 0; i < count && e == ERR_OK; i++)
        e = do_project(r, s, projects[i]);
    arena_free(a);
    if (e == ERR_OK)
        r->account.names_us = clock_wall_us();
    return e;
}

/* --- usage ----------------------------------------------------------------------------------- */

/* What each kind can be grouped by, beyond the project. */
static const char *groups_of(enum bill_usage kind)
{
#define BASIC "&group_by=user_id&group_by=api_key_id&group_by=model"
    static const char *const groups[BILL_USAGE_COUNT] = {
        [BILL_USAGE_COMPLETIONS] = BASIC "&group_by=batch&group_by=service_tier",
        [BILL_USAGE_EMBEDDINGS] = BASIC,
        [BILL_USAGE_MODERATIONS] = BASIC,
        [BILL_USAGE_IMAGES] = BASIC "&group_by=size&group_by=source",
        [BILL_USAGE_AUDIO_SPEECHES] = BASIC,
        [BILL_USAGE_AUDIO_TRANSCRIPTIONS] = BASIC,
        [BILL_USAGE_VECTOR_STORES] = "",
        [BILL_USAGE_CODE_INTERPRETER_SESSIONS] = "",
        [BILL_USAGE_FILE_SEARCH_CALLS] = "&group_by=user_id&group_by=api_key_id&group_by=vector_store_id",
        [BILL_USAGE_WEB_SEARCH_CALLS] = BASIC "&group_by=context_level",
    };
#undef BASIC
    return groups[kind];
}

static enum err ask_usage(struct import_run *r, const struct import_step *s, bool hourly, const char *groups,
                          struct import_gathered *g)
{
    char path[PATH_MAX_BYTES];
    int64_t buckets = (s->until - s->from) * (hourly ? 24 : 1), most = hourly ? HOUR_LIMIT : DAY_LIMIT;
    snprintf(path, sizeof path,
             "/organization/usage/%s?start_time=%lld&end_time=%lld&bucket_width=%s&limit=%lld&group_by=project_id%s",
             bill_usage_text(s->kind), (long long)s->from * DAY_S, (long long)s->until * DAY_S, hourly ? "1h" : "1d",
             (long long)(buckets < most ? buckets : most), groups);
    enum err e = import_gather(g, &r->ask, str_c(path), hourly ? HOUR_S : DAY_S);
    return e == ERR_OK ? e : failed(r, e, g->why);
}

static enum err put_bucket(struct import_run *r, const struct bill_bucket *k, struct timing *t)
{
    bool changed;
    lock(r);
    enum err e = unlock(r, bill_usage_put(r->bill, k, &changed));
    if (e == ERR_OK) {
        t->rows += k->count;
        t->changed += changed;
        r->rows += k->count;
        r->changed += changed;
    }
    return e;
}

static enum err put_usage(struct import_run *r, const struct import_step *s, bool hourly, struct import_gathered *g,
                          struct timing *t)
{
    struct bill_used *rows = NULL;
    size_t cap = 0;
    enum err e = ERR_OK;
    for (size_t at = 0; at < g->bucket_count && e == ERR_OK;) {
        int64_t start = g->buckets[at].start, day = hourly ? start / 24 : start;
        struct bill_bucket k = {.account = r->account.id,
                                .kind = s->kind,
                                .hourly = hourly,
                                .start = hourly ? start : start * 24,
                                .now_us = clock_wall_us()};
        for (; at < g->bucket_count && g->buckets[at].start == start && e == ERR_OK; at++) {
            struct jval results = g->buckets[at].results;
            for (struct jval v = jdoc_first(results); jdoc_has(v) && e == ERR_OK; v = jdoc_next(results, v)) {
                char why[IMPORT_PAGE_WHY_MAX] = "the reply is too large";
                if (k.count == cap) {
                    cap = cap ? cap * 2 : 64;
                    rows = mem_realloc(rows, cap * sizeof *rows);
                }
                e = import_page_used(v, s->kind, g->arena, &rows[k.count++], why);
                if (e != ERR_OK)
                    failed(r, e, why);
            }
        }
        k.rows = rows;
        if (e == ERR_OK && day >= s->from && day < s->until)
            e = put_bucket(r, &k, t);
    }
    mem_free(rows);
    return e;
}

/* A kind that upstream does not have (404), or refuses even by project alone, is passed over. */
static enum err do_usage(struct import_run *r, const struct import_step *s, bool hourly)
{
    struct import_gathered g;
    struct timing t = {.step = s, .endpoint = bill_usage_text(s->kind), .since_us = clock_mono_us()};
    import_gather_init(&g);
    enum err e = ask_usage(r, s, hourly, groups_of(s->kind), &g);
    if (e == ERR_BAD_PARAMETER && g.status == 400) {
        import_gather_free(&g);
        import_gather_init(&g);
        e = ask_usage(r, s, hourly, "", &g);
    }
    if (e == ERR_OK)
        e = put_usage(r, s, hourly, &g, &t);
    note(r, &t, &g, e);
    bool unknown = e == ERR_BAD_PARAMETER && (g.status == 400 || g.status == 404);
    import_gather_free(&g);
    return unknown ? ERR_OK : e;
}

/* --- old usage pages ------------------------------------------------------------------------- */

static enum err put_old(struct import_run *r, const struct import_old_rows *o, int64_t day, struct timing *t)
{
    const struct bill_day put = {
        .account = r->account.id, .day = day, .costs = o->costs, .count = o->cost_count, .now_us = clock_wall_us()};
    struct bill_stored stored;
    lock(r);
    enum err e = unlock(r, bill_names_put(r->bill, r->account.id, o->names, o->name_count));
    if (e != ERR_OK)
        return e;
    for (unsigned kind = 0; e == ERR_OK && kind < BILL_USAGE_COUNT; kind++) {
        const struct bill_bucket k = {.account = r->account.id,
                                      .kind = (enum bill_usage)kind,
                                      .start = day * 24,
                                      .rows = o->used[kind],
                                      .count = o->used_count[kind],
                                      .now_us = put.now_us};
        e = put_bucket(r, &k, t);
    }
    if (e != ERR_OK)
        return e;
    lock(r);
    e = unlock(r, bill_day_put(r->bill, &put, &stored));
    if (e == ERR_OK) {
        t->rows += stored.rows;
        t->changed += stored.changed;
        r->rows += stored.rows;
        r->changed += stored.changed;
        r->corrections += stored.corrections;
    }
    return e;
}

/* Restatements move estimates too, so a day that is asked for is replaced like any other. */
static enum err do_old_day(struct import_run *r, int64_t day, struct import_gathered *g, struct timing *t)
{
    char path[PATH_MAX_BYTES], text[BILL_DAY_TEXT_MAX];
    struct import_reply reply;
    struct import_old_rows rows;
    struct jdoc doc;
    struct arena *a = arena_new(4096, 64u << 20);
    bill_day_format(day, text);
    snprintf(path, sizeof path, "/usage?date=%s", text);
    enum err e = import_ask_get(&r->ask, str_c(path), &reply);
    g->status = reply.status;
    if (e != ERR_OK) {
        arena_free(a);
        return failed(r, e, reply.why);
    }
    char why[IMPORT_PAGE_WHY_MAX] = "the reply is too large";
    g->page_count++;
    jdoc_init(&doc);
    struct jval root = jdoc_parse(&doc, reply.body) ? jdoc_root(&doc) : (struct jval){0};
    e = import_old_read(root, day, r->prices, a, &rows, why);
    if (e != ERR_OK)
        failed(r, e, why);
    if (e == ERR_OK)
        e = learn_organization(r, &rows.organization);
    if (e == ERR_OK)
        e = put_old(r, &rows, day, t);
    import_old_free(&rows);
    jdoc_free(&doc);
    arena_free(a);
    return e;
}

static enum err do_old_usage(struct import_run *r, const struct import_step *s)
{
    struct import_gathered g;
    struct timing t = {.step = s, .endpoint = "old_usage", .since_us = clock_mono_us()};
    enum err e = ERR_OK;
    import_gather_init(&g);
    for (int64_t day = s->until; e == ERR_OK && day-- > s->from;)
        e = do_old_day(r, day, &g, &t);
    g.page_count = 0; /* it kept none of them */
    note(r, &t, &g, e);
    import_gather_free(&g);
    struct bill_account *a = &r->account;
    if (e == ERR_OK && s->backfill && (!a->back_day || s->from < a->back_day)) {
        a->back_day = s->from;
        e = save_account(r);
    }
    return e;
}

/* --- the pull -------------------------------------------------------------------------------- */

static enum err do_step(struct import_run *r, const struct import_step *s)
{
    switch (s->what) {
    case IMPORT_PROJECTS:
        return do_projects(r, s);
    case IMPORT_COSTS:
        return do_costs(r, s);
    case IMPORT_MEMBERS:
        return do_members(r, s);
    case IMPORT_USAGE_DAYS_OF:
        return do_usage(r, s, false);
    case IMPORT_USAGE_HOURS_OF:
        return do_usage(r, s, true);
    case IMPORT_OLD_USAGE:
        return do_old_usage(r, s);
    }
    return ERR_INTERNAL;
}

void import_run_go(struct import_run *r)
{
    r->err = ERR_OK;
    for (size_t i = 0; i < r->plan.count && r->err == ERR_OK; i++) {
        r->why[0] = '\0';
        r->err = do_step(r, &r->plan.steps[i]);
        r->step = i + 1;
    }
    r->refused = r->refused || r->err == ERR_FORBIDDEN;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Query parameters of reports, and ids turned into names. */
#include "console/native/filter.h"

#include "base/clock.h"
#include "base/must.h"
#include "console/console_inner.h"
#include "control/control_integration.h"
#include "control/control_key.h"

#define KEYS_MAX 10000

static bool parse_span(struct str text, int64_t *ret_us)
{
    static const struct {
        char unit;
        int64_t us;
    } units[] = {{'m', 60000000}, {'h', 3600000000}, {'d', 86400000000}, {'w', 604800000000}};
    uint64_t n;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (text.n > 1 && text.p[text.n - 1] == units[i].unit && str_to_u64(str_head(text, text.n - 1), &n) &&
            n < 100000)
            return *ret_us = clock_wall_us() - (int64_t)n * units[i].us, true;
    return false;
}

bool filter_time(struct job *j, struct str name, int64_t fallback, int64_t *ret_us)
{
    struct str text = job_query(j, name);
    *ret_us = fallback;
    if (!text.n || parse_span(text, ret_us) || clock_parse(text, ret_us))
        return true;
    job_fail(j, ERR_BAD_PARAMETER, name,
             STR("a date, a time such as 2026-11-22T10:00:00Z, or a span such as 24h or 7d"));
    return false;
}

bool filter_key(struct job *j, int64_t *ret_id)
{
    struct str id = job_query(j, STR("key"));
    struct control_key row;
    struct control_why why = {.param = ""};
    *ret_id = 0;
    if (!id.n)
        return true;
    enum err e = control_key_find(j->console->settings.control, j->key->workspace_id, id, j->arena, &row, &why);
    if (e)
        job_fail_why(j, e, &why);
    else
        *ret_id = row.id;
    return !e;
}

bool filter_integration(struct job *j, int64_t *ret_id)
{
    struct str slug = job_query(j, STR("integration"));
    struct control_integration row;
    struct control_why why = {.param = ""};
    *ret_id = 0;
    if (!slug.n)
        return true;
    enum err e =
        control_integration_find(j->console->settings.control, j->key->workspace_id, slug, j->arena, &row, &why);
    if (e)
        job_fail_why(j, e, &why);
    else
        *ret_id = row.id;
    return !e;
}

void filter_provider(struct job *j, struct query_filter *f)
{
    struct control_integration *rows;
    struct control_why why = {.param = ""};
    enum kind_integration kind;
    size_t count;
    f->provider = job_query(j, STR("provider"));
    if (!f->provider.n || !kind_integration_from(f->provider, &kind))
        return;
    int64_t *ids = arena_alloc(j->arena, QUERY_INTEGRATIONS_MAX * sizeof *ids);
    must(ids != NULL); /* before what may be long */
    if (control_integration_list(j->console->settings.control, j->key->workspace_id, j->arena, &rows, &count, &why))
        return;
    f->provider_integrations = ids;
    for (size_t i = 0; i < count && f->provider_integration_count < QUERY_INTEGRATIONS_MAX; i++)
        if (rows[i].kind == kind)
            ids[f->provider_integration_count++] = rows[i].id;
}

struct names {
    struct job *job;
    struct control_key *keys;
    size_t key_count;
};

struct names *names_load(struct job *j)
{
    struct control_why why = {.param = ""};
    struct names *n = arena_alloc(j->arena, sizeof *n);
    must(n != NULL);
    n->job = j;
    enum err e = control_key_list(j->console->settings.control, j->key->workspace_id, 0, KEYS_MAX, j->arena, &n->keys,
                                  &n->key_count, &why);
    if (e)
        n->key_count = 0; /* a listing without names is better than none */
    return n;
}

/* Keys come in the order of their ids. */
const struct control_key *names_key_row(const struct names *n, int64_t id)
{
    size_t low = 0, high = n->key_count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (n->keys[mid].id == id)
            return &n->keys[mid];
        if (n->keys[mid].id < id)
            low = mid + 1;
        else
            high = mid;
    }
    return NULL;
}

struct str names_key_id(const struct names *n, int64_t id)
{
    const struct control_key *k = names_key_row(n, id);
    return k ? k->public_id : STR("");
}

struct str names_key(const struct names *n, int64_t id)
{
    const struct control_key *k = names_key_row(n, id);
    return k ? k->name : STR("");
}

const struct snapshot_integration *names_account(const struct names *n, int64_t id)
{
    return id ? snapshot_integration_of(n->job->snapshot, id) : NULL;
}

struct str names_integration(const struct names *n, int64_t id)
{
    const struct snapshot_integration *i = names_account(n, id);
    return i ? i->slug : STR("");
}

struct str names_provider(const struct names *n, const struct record *r)
{
    const struct snapshot_integration *i = names_account(n, r->integration_id);
    if (r->routing.provider.n)
        return r->routing.provider;
    return i ? str_c(kind_integration_text(i->kind)) : STR("");
}

struct str names_workspace(const struct names *n, int64_t id)
{
    const struct snapshot_workspace *w = id ? snapshot_workspace_of(n->job->snapshot, id) : NULL;
    return w ? w->name : STR("");
}

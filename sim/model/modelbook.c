/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The list of models is that of the project's catalogue. Which snapshot an alias means is written
 * down for the old families, whose aliases do not follow their newest snapshot; for the others it
 * is the newest dated id of the catalogue, found once and remembered.
 */
#include "sim/model/modelbook.h"

#include <string.h>

#include "base/clock.h"
#include "base/must.h"
#include "openai/price_list.h"
#include "sim/http/apierr.h"
#include "sim/http/call.h"
#include "sim/http/reply.h"
#include "sim/kept/shelf.h"

static const struct {
    const char *alias, *snapshot;
} known[] = {
    {"gpt-4o", "gpt-4o-2024-08-06"},
    {"gpt-4o-mini", "gpt-4o-mini-2024-07-18"},
    {"gpt-4", "gpt-4-0613"},
    {"gpt-4-turbo", "gpt-4-turbo-2024-04-09"},
    {"gpt-3.5-turbo", "gpt-3.5-turbo-0125"},
    {"gpt-4.1", "gpt-4.1-2025-04-14"},
    {"gpt-4.1-mini", "gpt-4.1-mini-2025-04-14"},
    {"gpt-4.1-nano", "gpt-4.1-nano-2025-04-14"},
    {"o3", "o3-2025-04-16"},
    {"o4-mini", "o4-mini-2025-04-16"},
    {"gpt-5", "gpt-5-2025-08-07"},
    {"gpt-5-mini", "gpt-5-mini-2025-08-07"},
    {"gpt-5-nano", "gpt-5-nano-2025-08-07"},
};

#define REMEMBERED 64

/* "gpt-5.4-2026-03-05" is a snapshot of "gpt-5.4". */
static bool is_snapshot_of(struct str id, struct str alias)
{
    if (id.n != alias.n + 11 || !str_starts(id, alias))
        return false;
    const char *p = id.p + alias.n;
    return p[0] == '-' && p[1] == '2' && p[5] == '-' && p[8] == '-';
}

static struct str newest_snapshot(const struct sim *sim, struct str alias)
{
    struct str best = STR("");
    for (size_t i = 0; i < price_list_models(sim->prices); i++) {
        struct str id = price_list_model(sim->prices, i)->id;
        if (is_snapshot_of(id, alias) && (!best.n || str_cmp(id, best) > 0))
            best = id;
    }
    return best;
}

struct str modelbook_answer(const struct sim *sim, struct str asked)
{
    static struct {
        char alias[CALL_MODEL_MAX];
        struct str snapshot;
    } seen[REMEMBERED];
    static unsigned next;
    if (asked.n >= CALL_MODEL_MAX)
        return asked;
    for (unsigned i = 0; i < REMEMBERED && seen[i].alias[0]; i++)
        if (str_eq(str_c(seen[i].alias), asked))
            return seen[i].snapshot.n ? seen[i].snapshot : asked;
    struct str found = STR("");
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (str_eq(str_c(known[i].alias), asked))
            found = str_c(known[i].snapshot);
    if (!found.n)
        found = newest_snapshot(sim, asked);
    str_copy(seen[next % REMEMBERED].alias, CALL_MODEL_MAX, asked);
    seen[next++ % REMEMBERED].snapshot = found;
    return found.n ? found : asked;
}

static struct str base_of(struct str model)
{
    return str_starts(model, STR("ft:")) ? str_from(model, 3) : model;
}

bool modelbook_reasons(struct str model)
{
    model = base_of(model);
    if (str_search(model, STR("-chat")) >= 0)
        return false;
    return str_starts(model, STR("gpt-5")) || str_starts(model, STR("gpt-6")) || str_starts(model, STR("gpt-oss")) ||
           (model.n >= 2 && model.p[0] == 'o' && model.p[1] >= '1' && model.p[1] <= '9');
}

bool modelbook_cache_writes(struct str model)
{
    model = base_of(model);
    return str_starts(model, STR("gpt-5.6")) || str_starts(model, STR("gpt-6"));
}

struct str modelbook_plain(struct str model, struct arena *a)
{
    if (!str_starts(model, STR("gpt-35")))
        return model;
    char *p = arena_alloc(a, model.n + 2);
    if (!p)
        return model;
    memcpy(p, "gpt-3.5", 7);
    memcpy(p + 7, model.p + 6, model.n - 6);
    return str_of(p, model.n + 1);
}

/* Handlers. */

static void write_model(struct json_write *w, const struct price_model *m)
{
    int64_t created = m->released_us == PRICE_LIST_NO_DATE ? 1677610602 : m->released_us / 1000000;
    json_write_object(w);
    json_write_member_string(w, "id", m->id);
    json_write_member_string(w, "object", STR("model"));
    json_write_member_int(w, "created", created);
    json_write_member_string(w, "owned_by", STR("openai"));
    if (m->shutdown_us == PRICE_LIST_NO_DATE) {
        json_write_member_null(w, "shutdown_date");
    } else {
        char text[CLOCK_TEXT_MAX];
        clock_format(m->shutdown_us, 0, text);
        json_write_member_string(w, "shutdown_date", str_of(text, 10));
    }
    json_write_object_end(w);
}

void modelbook_list(struct call *c)
{
    struct reply r;
    struct json_write *w = reply_begin(&r);
    json_write_member_string(w, "object", STR("list"));
    json_write_key(w, STR("data"));
    json_write_array(w);
    for (size_t i = 0; i < price_list_models(c->sim->prices); i++)
        write_model(w, price_list_model(c->sim->prices, i));
    struct shelf_item *i = shelf_first(c->sim->shelf, STR("models"), false);
    for (; i; i = shelf_next(i, false))
        json_write_raw(w, i->json);
    json_write_array_end(w);
    reply_send(c, &r, 200);
}

void modelbook_one(struct call *c)
{
    struct shelf_item *i = shelf_get(c->sim->shelf, STR("models"), c->args[0]);
    const struct price_model *m = price_list_find_model(c->sim->prices, c->args[0]);
    struct buf out;
    struct json_write w;
    if (!i && !m) {
        apierr_no_model(c, c->args[0]);
        return;
    }
    buf_init(&out, 1 << 20);
    json_write_init(&w, &out);
    if (i)
        json_write_raw(&w, i->json);
    else
        write_model(&w, m);
    must(json_write_done(&w));
    answer_json(c, 200, &out);
}

/* Only fine-tuned models can be deleted. */
void modelbook_delete(struct call *c)
{
    struct shelf_item *i = shelf_get(c->sim->shelf, STR("models"), c->args[0]);
    bool ours = str_starts(c->args[0], STR("ft:"));
    struct reply r;
    if (!ours) {
        if (price_list_find_model(c->sim->prices, c->args[0]))
            apierr(c, 403, "invalid_request_error", NULL, NULL, "You do not have permission to delete this model.");
        else
            apierr_no_model(c, c->args[0]);
        return;
    }
    if (i)
        shelf_remove(c->sim->shelf, i);
    struct json_write *w = reply_begin(&r);
    json_write_member_string(w, "id", c->args[0]);
    json_write_member_string(w, "object", STR("model"));
    json_write_member_bool(w, "deleted", true);
    reply_send(c, &r, 200);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The replies are described in OpenAI's specification; fields that are new or missing are no errors, wrong types are. */
#include "report/import/import_page.h"

#include <stdio.h>

#include "report/bill/bill_decimal.h"

#define ID_MAX 200
#define CURSOR_MAX 4096

static enum err bad(char why[IMPORT_PAGE_WHY_MAX], const char *what)
{
    snprintf(why, IMPORT_PAGE_WHY_MAX, "upstream's reply is not understood: %s", what);
    return ERR_UPSTREAM_BAD_HTTP;
}

/* A string that may be absent or null. */
static enum err text_of(struct jval object, const char *name, size_t max, struct arena *a, struct str *ret,
                        char why[IMPORT_PAGE_WHY_MAX])
{
    struct jval v = jdoc_find(object, name);
    *ret = STR("");
    if (!jdoc_has(v))
        return ERR_OK;
    if (jdoc_kind(v) != JDOC_STRING || jdoc_raw(v).n > max * 6 + 2)
        return bad(why, "a text is something else or too long");
    *ret = jdoc_text(v, a);
    if (!ret->p)
        return ERR_OVERLOADED;
    return ret->n <= max ? ERR_OK : bad(why, "a text is too long");
}

enum err import_page_open(struct jdoc *doc, struct str body, struct arena *a, struct import_page *ret,
                          char why[IMPORT_PAGE_WHY_MAX])
{
    if (!jdoc_parse(doc, body))
        return bad(why, "it is not JSON");
    struct jval root = jdoc_root(doc);
    struct jval more = jdoc_get(root, "has_more");
    if (jdoc_kind(root) != JDOC_OBJECT)
        return bad(why, "it is no object");
    *ret = (struct import_page){.data = jdoc_get(root, "data"), .has_more = jdoc_true(more)};
    if (jdoc_kind(ret->data) != JDOC_ARRAY)
        return bad(why, "it has no list `data`");
    if (jdoc_kind(more) != JDOC_TRUE && jdoc_kind(more) != JDOC_FALSE)
        return bad(why, "it does not say whether there is more");
    bool buckets = jdoc_has(jdoc_get(root, "next_page"));
    enum err e = text_of(root, buckets ? "next_page" : "last_id", CURSOR_MAX, a, &ret->next, why);
    if (e == ERR_OK && ret->has_more && !ret->next.n)
        return bad(why, "there is more, but no cursor to it");
    return e;
}

enum err import_page_bucket(struct jval bucket, int64_t width_s, int64_t *ret_start, struct jval *ret_results,
                            char why[IMPORT_PAGE_WHY_MAX])
{
    uint64_t start = jdoc_count(jdoc_find(bucket, "start_time"), UINT64_MAX);
    struct jval results = jdoc_get(bucket, "results");
    if (jdoc_kind(results) != JDOC_ARRAY)
        results = jdoc_get(bucket, "result"); /* an older spelling */
    if (jdoc_kind(bucket) != JDOC_OBJECT || jdoc_kind(results) != JDOC_ARRAY)
        return bad(why, "a bucket has no results");
    if (start > (uint64_t)1 << 40 || start % (uint64_t)width_s)
        return bad(why, "a bucket does not begin where one can");
    *ret_start = (int64_t)start / width_s;
    *ret_results = results;
    return ERR_OK;
}

/* A number, or a string with one: the text as it stands. */
static bool number_of(struct jval v, struct str *ret)
{
    *ret = jdoc_kind(v) == JDOC_NUMBER ? jdoc_raw(v) : jdoc_kind(v) == JDOC_STRING ? jdoc_escaped(v) : STR("");
    return ret->n > 0;
}

enum err import_page_cost(struct jval result, struct arena *a, struct bill_cost *ret,
                          struct import_page_organization *ret_organization, char why[IMPORT_PAGE_WHY_MAX])
{
    struct bill_cost *c = ret;
    struct str currency;
    *c = (struct bill_cost){.charge = BILL_CHARGE_USAGE};
    struct jval amount = jdoc_find(result, "amount"), quantity = jdoc_find(result, "quantity");
    if (jdoc_kind(result) != JDOC_OBJECT || !number_of(jdoc_find(amount, "value"), &c->amount))
        return bad(why, "a cost has no amount");
    enum err e = text_of(amount, "currency", 16, a, &currency, why);
    if (e != ERR_OK)
        return e;
    if (currency.n && !str_eq_nocase(currency, STR("usd"))) {
        snprintf(why, IMPORT_PAGE_WHY_MAX, "upstream bills in %.*s; only US dollars can be imported",
                 STR_ARG(currency));
        return ERR_UPSTREAM_BAD_HTTP;
    }
    c->quantity = STR("");
    if (jdoc_has(quantity) && !number_of(quantity, &c->quantity))
        return bad(why, "a quantity is no number");
    const struct {
        const char *name;
        size_t max;
        struct str *to;
    } texts[] = {{"project_id", ID_MAX, &c->project},
                 {"api_key_id", ID_MAX, &c->key},
                 {"line_item", 2000, &c->line_item},
                 {"quantity_unit", ID_MAX, &c->unit},
                 {"organization_id", ID_MAX, &ret_organization->id},
                 {"organization_name", 500, &ret_organization->title}};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0] && e == ERR_OK; i++)
        e = text_of(result, texts[i].name, texts[i].max, a, texts[i].to, why);
    return e;
}

static enum err read_figures(struct jval result, struct bill_used *u, char why[IMPORT_PAGE_WHY_MAX])
{
    static const char *const names[] = {
#define X(name, member, column) member,
        BILL_FIGURE_TABLE(X)
#undef X
    };
    for (size_t i = 0; i < BILL_FIGURE_COUNT; i++) {
        struct jval v = jdoc_find(result, names[i]);
        struct str text;
        money_sum n;
        bool exact;
        if (!jdoc_has(v))
            continue;
        if (!number_of(v, &text) || !bill_decimal_read(text, 0, &n, &exact) || n < 0 || n > INT64_MAX / 1000000)
            return bad(why, "a count of usage is no number that can be kept");
        u->figure[i] = (int64_t)n;
    }
    return ERR_OK;
}

enum err import_page_used(struct jval result, enum bill_usage kind, struct arena *a, struct bill_used *ret,
                          char why[IMPORT_PAGE_WHY_MAX])
{
    struct bill_used *u = ret;
    *u = (struct bill_used){.batch = -1};
    if (jdoc_kind(result) != JDOC_OBJECT)
        return bad(why, "a result of usage is no object");
    const char *extra = kind == BILL_USAGE_IMAGES              ? "size"
                        : kind == BILL_USAGE_WEB_SEARCH_CALLS  ? "context_level"
                        : kind == BILL_USAGE_FILE_SEARCH_CALLS ? "vector_store_id"
                                                               : "extra";
    const struct {
        const char *name;
        struct str *to;
    } texts[] = {{"project_id", &u->project}, {"user_id", &u->user},  {"api_key_id", &u->key}, {"model", &u->model},
                 {"service_tier", &u->tier},  {"source", &u->source}, {extra, &u->extra}};
    enum err e = ERR_OK;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0] && e == ERR_OK; i++)
        e = text_of(result, texts[i].name, ID_MAX, a, texts[i].to, why);
    struct jval batch = jdoc_find(result, "batch");
    if (jdoc_kind(batch) == JDOC_TRUE || jdoc_kind(batch) == JDOC_FALSE)
        u->batch = jdoc_true(batch);
    return e == ERR_OK ? read_figures(result, u, why) : e;
}

enum err import_page_name(struct jval object, enum bill_name kind, struct str project, struct arena *a,
                          struct bill_name_put *ret, char why[IMPORT_PAGE_WHY_MAX])
{
    struct str status = STR("");
    *ret = (struct bill_name_put){.kind = kind, .project = kind == BILL_KEY ? project : STR("")};
    if (jdoc_kind(object) != JDOC_OBJECT)
        return bad(why, "a list has something that is no object");
    enum err e = text_of(object, "id", ID_MAX, a, &ret->ext, why);
    if (e == ERR_OK && !ret->ext.n)
        return bad(why, "an object has no id");
    if (e == ERR_OK)
        e = text_of(object, "name", 500, a, &ret->name, why);
    if (e == ERR_OK)
        e = text_of(object, kind == BILL_USER ? "email" : "redacted_value", 500, a, &ret->hint, why);
    if (e == ERR_OK)
        e = text_of(object, "status", ID_MAX, a, &status, why);
    ret->archived = str_eq(status, STR("archived"));
    return e;
}

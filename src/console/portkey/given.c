/* SPDX-License-Identifier: Apache-2.0 */
/* Reading bodies and parameters with some leniency; checking what they mean is control's. */
#include "console/portkey/given.h"

#include "base/clock.h"
#include "console/native/input.h"
#include "control/people/reach.h"

#define NAME_MAX_BYTES 64

static void refuse(struct job *j, const char *name, const char *detail)
{
    if (!j->status)
        job_fail(j, ERR_BAD_PARAMETER, str_c(name), str_c(detail));
}

/* "is_default" becomes "isDefault". */
static void to_camel(const char *snake, char out[NAME_MAX_BYTES])
{
    size_t n = 0;
    for (; *snake && n < NAME_MAX_BYTES - 1; snake++) {
        if (*snake == '_' && snake[1]) {
            snake++;
            out[n++] = (char)(*snake >= 'a' && *snake <= 'z' ? *snake - 'a' + 'A' : *snake);
        } else {
            out[n++] = *snake;
        }
    }
    out[n] = '\0';
}

bool given_begin(struct given *g, struct job *j)
{
    g->job = j;
    jdoc_init(&g->doc);
    bool parsed = jdoc_parse(&g->doc, buf_size(&j->body) ? buf_str(&j->body) : STR("{}"));
    g->root = jdoc_root(&g->doc);
    if (parsed && jdoc_kind(g->root) == JDOC_OBJECT)
        return true;
    job_fail(j, ERR_BAD_JSON, STR(""), parsed ? STR("the body is not an object") : STR(""));
    jdoc_free(&g->doc);
    return false;
}

void given_end(struct given *g)
{
    jdoc_free(&g->doc);
}

struct jval given_member(struct jval object, const char *name)
{
    char camel[NAME_MAX_BYTES];
    struct jval v = jdoc_find(object, name);
    if (jdoc_has(v))
        return v;
    to_camel(name, camel);
    return jdoc_find(object, camel);
}

struct jval given_nullable(struct jval object, const char *name, bool *ret_present)
{
    char camel[NAME_MAX_BYTES];
    struct jval v = given_member(object, name);
    to_camel(name, camel);
    *ret_present = jdoc_has(v) || jdoc_has(jdoc_get(object, name)) || jdoc_has(jdoc_get(object, camel));
    return v;
}

struct str given_text(struct given *g, struct jval object, const char *name)
{
    struct jval v = given_member(object, name);
    if (!jdoc_has(v))
        return (struct str){NULL, 0};
    if (jdoc_kind(v) != JDOC_STRING) {
        refuse(g->job, name, "it must be a string");
        return (struct str){NULL, 0};
    }
    struct str text = arena_dup(g->job->arena, jdoc_text(v, g->job->arena));
    if (!text.p)
        refuse(g->job, name, "it is too long");
    return text;
}

const bool *given_bool(struct given *g, struct jval object, const char *name, bool *store)
{
    struct jval v = given_member(object, name);
    if (!jdoc_has(v))
        return NULL;
    struct str raw = jdoc_raw(v);
    if (str_eq(raw, STR("true")) || str_eq(raw, STR("1"))) {
        *store = true;
    } else if (str_eq(raw, STR("false")) || str_eq(raw, STR("0"))) {
        *store = false;
    } else {
        refuse(g->job, name, "it must be true, false, 1 or 0");
        return NULL;
    }
    return store;
}

struct str given_object(struct given *g, struct jval object, const char *name)
{
    struct jval v = given_member(object, name);
    if (!jdoc_has(v))
        return (struct str){NULL, 0};
    if (jdoc_kind(v) == JDOC_STRING)
        return given_text(g, object, name);
    if (jdoc_kind(v) == JDOC_OBJECT)
        return jdoc_raw(v);
    refuse(g->job, name, "it must be an object");
    return (struct str){NULL, 0};
}

const int64_t *given_time(struct given *g, struct jval object, const char *name, int64_t *store)
{
    struct str text = given_text(g, object, name);
    if (!text.p)
        return NULL;
    if (!clock_parse(text, store)) {
        refuse(g->job, name, "it must be a time such as 2026-12-31T00:00:00Z");
        return NULL;
    }
    return store;
}

const int64_t *given_expiry(struct given *g, struct jval object, const char *name, int64_t *store)
{
    bool present;
    struct jval v = given_nullable(object, name, &present);
    *store = 0;
    if (present && (!jdoc_has(v) || jdoc_is(v, "")))
        return store;
    return given_time(g, object, name, store);
}

/*
 * A person in several workspaces, when they are there at least what they are at home: that is what the route
 * was asked for. A list of scopes is for the key's own workspace only.
 */
static bool is_at_home(struct job *j, struct str name, int64_t *ret_id)
{
    struct reach there;
    const struct snapshot_workspace *ws = snapshot_find_workspace(j->snapshot, name);
    if (!ws || j->key->scopes != SNAPSHOT_SCOPES_ALL || !reach_workspace(j->snapshot, j->key, ws->id, &there) ||
        there.role > j->key->role)
        return false;
    *ret_id = ws->id;
    return true;
}

bool given_workspace(struct job *j, struct str name, int64_t *ret_id)
{
    if (name.n && is_at_home(j, name, ret_id))
        return true;
    return input_workspace(j, name.n ? name : (struct str){NULL, 0}, ret_id);
}

struct str given_query(struct job *j, const char *name)
{
    char camel[NAME_MAX_BYTES];
    struct str value = job_query(j, str_c(name));
    if (value.n)
        return value;
    to_camel(name, camel);
    return job_query(j, str_c(camel));
}

bool given_page(struct job *j, uint64_t size_default, uint64_t size_max, uint64_t *ret_skip, uint64_t *ret_limit)
{
    struct str size = given_query(j, "page_size"), page = given_query(j, "current_page");
    uint64_t limit = size_default, at = 0;
    if ((size.n && (!str_to_u64(size, &limit) || limit < 1)) || (page.n && (!str_to_u64(page, &at) || at > 1000000))) {
        refuse(j, "page_size", "page_size is a number from 1 on, current_page one from 0 on");
        return false;
    }
    *ret_limit = limit < size_max ? limit : size_max;
    *ret_skip = at * *ret_limit;
    return true;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One pass over the body, with a pointer to the first byte that is not in `out` yet (`from`): what
 * stays is copied in runs, from one edit to the next, so a body with one edit costs two copies and
 * one with none costs none. Values are stepped over, not parsed; only those that a drop path leads
 * into, and stream_options, are looked into.
 *
 * Commas: a dropped member takes the comma in front of it, or, when nothing in front of it stays,
 * the one behind it. So each comma has one owner, whatever goes.
 *
 * A member that is to change and comes more than once changes at its first place and is removed at
 * the others: no reader upstream can see the old value.
 *
 * Members are compared with names one by one. Both can come from a stranger, so the comparisons of
 * one body are counted and limited.
 */
#include "openai/body_edit.h"

#include <stdint.h>

#include "base/json_bytes.h"
#include "base/json_text.h"
#include "base/json_write.h"
#include "base/must.h"

/* Comparisons of a name with a name; some tens of milliseconds at worst. */
#define STEPS_MAX 10000000
/* Steps of a drop path. */
#define DEPTH_MAX 32

#define MODEL "model"
#define OPTIONS "stream_options"
#define OPTION "\"include_usage\":true"

/* The rest of a drop path, behind the steps taken. */
struct path {
    struct str rest;
};

struct editor {
    const struct body_edits *edits;
    struct buf *out;
    const char *from; /* what is before it is in `out`, or is dropped */
    struct buf paths; /* stack of struct path: those that lead into the open containers */
    struct buf seen;  /* a byte for each override, then one for each default: the body has that member */
    struct str model; /* as JSON; "" when it is to stay */
    uint64_t steps;
    unsigned depth;
    bool ask; /* include_usage is to be put in, and no path drops it */
    bool model_seen, options_seen;
    bool changed, asked;
    bool full;   /* `out`, or too many steps */
    bool broken; /* the text is no JSON */
};

/* One member or element: from behind the last comma (or the bracket) to the next one. */
struct item {
    const char *lead; /* behind the comma or bracket: white space, then the item */
    bool is_member;
    struct str name; /* raw, between the quotes */
    bool escaped;    /* … with a backslash */
    const char *value, *value_end;
    const char *end; /* the comma or bracket behind it */
    bool last;
    uint64_t index;
};

/* --- stepping over JSON -------------------------------------------------------------------------- */

/* Behind the string that begins at p; NULL when it has no end. */
static const char *skip_string(const char *p, const char *end, bool *ret_escaped)
{
    *ret_escaped = false;
    for (p++; p < end; p++) {
        p = json_bytes_special(p, end);
        if (p == end)
            return NULL;
        if (*p == '"')
            return p + 1;
        *ret_escaped = true;
        p += *p == '\\';
    }
    return NULL;
}

static const char *skip_container(const char *p, const char *end)
{
    size_t depth = 0;
    bool escaped;
    while (p && p < end) {
        char c = *p;
        if (c == '"') {
            p = skip_string(p, end, &escaped);
            continue;
        }
        p++;
        if (c == '{' || c == '[')
            depth++;
        else if ((c == '}' || c == ']') && --depth == 0)
            return p;
    }
    return NULL;
}

static const char *skip_value(const char *p, const char *end)
{
    bool escaped;
    if (p == end)
        return NULL;
    if (*p == '"')
        return skip_string(p, end, &escaped);
    if (*p == '{' || *p == '[')
        return skip_container(p, end);
    const char *start = p;
    while (p < end && *p != ',' && *p != '}' && *p != ']' && !json_bytes_is_space(*p))
        p++;
    return p > start ? p : NULL;
}

/* At a container's bracket; item_next goes to the first item. */
static void item_begin(struct item *it, struct str container)
{
    *it = (struct item){.end = container.p, .is_member = container.p[0] == '{', .name = STR(""), .index = UINT64_MAX};
}

/* False when there is no further item, or the text is broken (then *ret_broken). */
static bool item_next(struct item *it, const char *end, bool *ret_broken)
{
    if (it->last)
        return false;
    const char *p = json_bytes_skip_space(it->lead = it->end + 1, end);
    it->index++;
    it->last = true;
    if (p < end && it->index == 0 && *p == (it->is_member ? '}' : ']'))
        return false;
    *ret_broken = true;
    if (it->is_member) {
        const char *name = p;
        if (p == end || *p != '"' || !(p = skip_string(p, end, &it->escaped)))
            return false;
        it->name = str_of(name + 1, (size_t)(p - name) - 2);
        p = json_bytes_skip_space(p, end);
        if (p == end || *p != ':')
            return false;
        p = json_bytes_skip_space(p + 1, end);
    }
    it->value = p;
    it->value_end = skip_value(p, end);
    if (!it->value_end)
        return false;
    it->end = json_bytes_skip_space(it->value_end, end);
    if (it->end == end || (*it->end != ',' && *it->end != (it->is_member ? '}' : ']')))
        return false;
    it->last = *it->end != ',';
    *ret_broken = false;
    return true;
}

static struct str item_value(const struct item *it)
{
    return str_of(it->value, (size_t)(it->value_end - it->value));
}

static bool is_named(const struct item *it, struct str name)
{
    return it->escaped ? json_string_eq(it->name, name) : str_eq(it->name, name);
}

/* The body without white space around it; "" when it is no object. */
static struct str object_of(struct str body)
{
    const char *end = body.p + body.n, *p = json_bytes_skip_space(body.p, end);
    while (end > p && json_bytes_is_space(end[-1]))
        end--;
    return p < end && *p == '{' ? str_of(p, (size_t)(end - p)) : STR("");
}

struct str body_member_find(struct str body, struct str name)
{
    struct str object = object_of(body);
    struct item it;
    bool broken = false;
    if (object.n)
        for (item_begin(&it, object); item_next(&it, object.p + object.n, &broken);)
            if (is_named(&it, name))
                return item_value(&it);
    return str_of(NULL, 0);
}

/* --- paths ----------------------------------------------------------------------------------------- */

struct step {
    struct str name; /* of a member; p == NULL: an element */
    uint64_t index;
    bool any;
};

/* Takes one step off a path. False when it is no path. */
static bool take_step(struct str *path, struct step *ret)
{
    struct str p = *path;
    *ret = (struct step){.name = STR("")};
    if (p.n && p.p[0] == '[') {
        ptrdiff_t close = str_find(p, ']');
        if (close < 0)
            return false;
        struct str inside = str_of(p.p + 1, (size_t)close - 1);
        ret->name.p = NULL;
        ret->any = str_eq(inside, STR("*"));
        if (!ret->any && !str_to_u64(inside, &ret->index))
            return false;
        p = str_from(p, (size_t)close + 1);
    } else {
        size_t n = 0;
        while (n < p.n && p.p[n] != '.' && p.p[n] != '[')
            n++;
        if (n == 0)
            return false;
        ret->name = str_of(p.p, n);
        p = str_from(p, n);
    }
    if (p.n && p.p[0] == '.')
        p = p.n > 1 && p.p[1] != '[' ? str_from(p, 1) : STR("..");
    else if (p.n && p.p[0] != '[')
        return false;
    *path = p;
    return true;
}

static struct path *path_at(struct editor *e, size_t i)
{
    struct path *all = (struct path *)(void *)(e->paths.p + e->paths.start);
    return &all[i];
}

static size_t path_count(const struct editor *e)
{
    return buf_size(&e->paths) / sizeof(struct path);
}

static void path_push(struct editor *e, struct str rest)
{
    struct path p = {rest};
    if (!buf_add(&e->paths, &p, sizeof p))
        e->full = true;
}

static bool step_taken(struct editor *e)
{
    if (++e->steps > STEPS_MAX)
        e->full = true;
    return !e->full;
}

/*
 * Takes the paths from `first` to `last` one step into an item: those that go further are pushed.
 * True when one of them ends there: the item is to be dropped.
 */
static bool paths_enter(struct editor *e, size_t first, size_t last, const struct item *it)
{
    for (size_t i = first; i < last && step_taken(e); i++) {
        struct str rest = path_at(e, i)->rest;
        struct step step;
        if (!take_step(&rest, &step) || it->is_member != (step.name.p != NULL))
            continue;
        if (it->is_member ? !is_named(it, step.name) : !step.any && step.index != it->index)
            continue;
        if (rest.n == 0)
            return true;
        path_push(e, rest);
    }
    return false;
}

/* --- output ---------------------------------------------------------------------------------------- */

static void put(struct editor *e, struct str s)
{
    e->changed = true;
    if (!e->full && !buf_add_str(e->out, s))
        e->full = true;
}

/* What is before `to` stays, what is between it and `next` goes. */
static void cut(struct editor *e, const char *to, const char *next)
{
    put(e, str_of(e->from, (size_t)(to - e->from)));
    e->from = next;
}

/* `kept`: something in front of the item stays in its container. */
static void drop(struct editor *e, const struct item *it, bool kept)
{
    if (kept)
        cut(e, it->lead - 1, it->last ? it->value_end : it->end);
    else
        cut(e, it->lead, it->last ? it->value_end : it->end + 1);
}

/* --- values ---------------------------------------------------------------------------------------- */

static void edit_value(struct editor *e, struct str value, size_t first, bool options);

/* Applies the paths to one item of a container. `option`: it is include_usage. True when it stays. */
static bool edit_item(struct editor *e, const struct item *it, size_t first, size_t last, bool option, bool kept)
{
    bool stays = !paths_enter(e, first, last, it);
    if (!stays) {
        drop(e, it, kept);
    } else if (option) {
        if (!str_eq(item_value(it), STR("true"))) {
            cut(e, it->value, it->value_end);
            put(e, STR("true"));
            e->asked = true;
        }
    } else if (path_count(e) > last) {
        edit_value(e, item_value(it), last, false);
    }
    buf_cut(&e->paths, last * sizeof(struct path));
    return stays;
}

/* Behind the last member that stays. */
static void add_here(struct editor *e, const char *kept_end, bool kept)
{
    const char *at = e->from > kept_end ? e->from : kept_end;
    cut(e, at, at);
    if (kept)
        put(e, STR(","));
}

/*
 * Applies the paths from `first` on to a value in the text that e->from points into. `options`: it
 * is the object stream_options and is to say include_usage.
 */
static void edit_value(struct editor *e, struct str value, size_t first, bool options)
{
    const char *end = value.p + value.n, *kept_end = value.p + 1;
    struct item it;
    bool kept = false, has_option = false;
    size_t last = path_count(e);
    if (e->depth == DEPTH_MAX || (*value.p != '{' && *value.p != '['))
        return;
    e->depth++;
    for (item_begin(&it, value); !e->full && item_next(&it, end, &e->broken);) {
        bool option = options && is_named(&it, STR("include_usage"));
        has_option = has_option || option;
        if (edit_item(e, &it, first, last, option, kept)) {
            kept = true;
            kept_end = it.value_end;
        }
    }
    if (options && !has_option && !e->broken) {
        add_here(e, kept_end, kept);
        put(e, STR(OPTION));
        e->asked = true;
    }
    e->depth--;
}

/* Appends a value that is not part of the body, with the paths applied. */
static void put_value(struct editor *e, struct str value, size_t first, bool options)
{
    const char *from = e->from;
    e->from = value.p;
    edit_value(e, value, first, options);
    put(e, str_of(e->from, (size_t)(value.p + value.n - e->from)));
    e->from = from;
}

/* --- members of the body --------------------------------------------------------------------------- */

/* The text of a new value. */
static struct str value_text(struct str json)
{
    const char *end = json.p + json.n, *p = json_bytes_skip_space(json.p, end);
    while (end > p && json_bytes_is_space(end[-1]))
        end--;
    return p == end ? STR("null") : str_of(p, (size_t)(end - p));
}

static char *seen_at(struct editor *e, size_t i)
{
    must(i < buf_size(&e->seen));
    return e->seen.p + e->seen.start + i;
}

static void note_defaults(struct editor *e, const struct item *it)
{
    const struct body_edits *edits = e->edits;
    for (size_t i = 0; i < edits->default_count && step_taken(e); i++)
        if (is_named(it, edits->defaults[i].name))
            *seen_at(e, edits->override_count + i) = 1;
}

/* Of overrides with the same name the last one holds. -1: none. */
static ptrdiff_t override_of(struct editor *e, const struct item *it)
{
    for (size_t i = e->edits->override_count; i > 0 && step_taken(e); i--)
        if (is_named(it, e->edits->overrides[i - 1].name))
            return (ptrdiff_t)i - 1;
    return -1;
}

static bool is_model(const struct editor *e, struct str value)
{
    return value.p[0] == '"' && json_string_eq(str_of(value.p + 1, value.n - 2), e->edits->model);
}

/*
 * The value that a member is to have, before paths: `old` when it keeps its own. *ret_again: it is
 * one that had its new value at an earlier place.
 */
static struct str new_value(struct editor *e, const struct item *it, struct str old, bool *ret_again)
{
    ptrdiff_t at = override_of(e, it);
    struct str value = at < 0 ? old : value_text(e->edits->overrides[at].json);
    *ret_again = at >= 0 && *seen_at(e, (size_t)at);
    if (at >= 0)
        *seen_at(e, (size_t)at) = 1;
    if (e->model.n && is_named(it, STR(MODEL))) {
        *ret_again = *ret_again || e->model_seen;
        e->model_seen = true;
        value = is_model(e, old) ? old : e->model;
    }
    return str_eq(value, old) ? old : value;
}

/* Whether this is stream_options, which is to be asked for usage; null is made an object then. */
static bool takes_option(struct editor *e, const struct item *it, struct str *value, bool *again)
{
    if (!e->ask || !is_named(it, STR(OPTIONS)))
        return false;
    *again = *again || e->options_seen;
    e->options_seen = true;
    if (str_eq(*value, STR("null")))
        *value = STR("{}");
    return value->p[0] == '{';
}

/* True when the member stays. */
static bool edit_member(struct editor *e, const struct item *it, size_t paths, bool kept)
{
    struct str old = item_value(it);
    bool again;
    note_defaults(e, it);
    struct str value = new_value(e, it, old, &again);
    bool options = takes_option(e, it, &value, &again);
    bool stays = !paths_enter(e, 0, paths, it) && !again;
    if (!stays) {
        drop(e, it, kept);
    } else if (value.p != old.p) {
        cut(e, it->value, it->value_end);
        put_value(e, value, paths, options);
    } else if (options || path_count(e) > paths) {
        edit_value(e, old, paths, options);
    }
    buf_cut(&e->paths, paths * sizeof(struct path));
    return stays;
}

/* A member that the body does not have, behind the last one that stays. */
static void add_member(struct editor *e, struct str name, struct str json, const char *kept_end, bool *kept)
{
    struct item it = {.name = name, .is_member = true};
    struct str value = value_text(json);
    bool again = false;
    size_t paths = path_count(e);
    if (e->model.n && str_eq(name, STR(MODEL))) {
        value = e->model;
        e->model_seen = true;
    }
    bool options = takes_option(e, &it, &value, &again);
    if (!paths_enter(e, 0, paths, &it)) {
        add_here(e, kept_end, *kept);
        if (!json_write_quoted(e->out, name))
            e->full = true;
        put(e, STR(":"));
        put_value(e, value, paths, options);
        *kept = true;
    }
    buf_cut(&e->paths, paths * sizeof(struct path));
}

static bool is_overridden(struct editor *e, struct str name)
{
    struct item it = {.name = name};
    return override_of(e, &it) >= 0;
}

/* What the body did not have: overrides, defaults, the model, stream_options. */
static void add_members(struct editor *e, const char *kept_end, bool kept)
{
    const struct body_edits *edits = e->edits;
    for (size_t i = 0; i < edits->override_count && !e->full; i++) {
        struct item it = {.name = edits->overrides[i].name};
        ptrdiff_t holds = override_of(e, &it);
        if (holds == (ptrdiff_t)i && !*seen_at(e, i) && !(e->model_seen && str_eq(it.name, STR(MODEL))))
            add_member(e, it.name, edits->overrides[i].json, kept_end, &kept);
    }
    for (size_t i = 0; i < edits->default_count && !e->full; i++) {
        const struct body_member *d = &edits->defaults[i];
        if (!*seen_at(e, edits->override_count + i) && !is_overridden(e, d->name) &&
            !(e->model_seen && str_eq(d->name, STR(MODEL))))
            add_member(e, d->name, d->json, kept_end, &kept);
        struct item it = {.name = d->name};
        note_defaults(e, &it); /* not a second one of that name */
    }
    if (e->model.n && !e->model_seen)
        add_member(e, STR(MODEL), e->model, kept_end, &kept);
    if (e->ask && !e->options_seen)
        add_member(e, STR(OPTIONS), STR("{}"), kept_end, &kept);
}

/* --- the whole ------------------------------------------------------------------------------------- */

static void edit_object(struct editor *e, struct str object)
{
    const char *end = object.p + object.n, *kept_end = object.p + 1;
    struct item it;
    bool kept = false;
    size_t paths = path_count(e);
    for (item_begin(&it, object); !e->full && item_next(&it, end, &e->broken);)
        if (edit_member(e, &it, paths, kept)) {
            kept = true;
            kept_end = it.value_end;
        }
    if (!e->broken)
        add_members(e, kept_end, kept);
}

/* Whether a path drops include_usage, by itself or with what it stands in. */
static bool is_option_dropped(struct editor *e)
{
    struct item outer = {.name = STR(OPTIONS), .is_member = true};
    struct item inner = {.name = STR("include_usage"), .is_member = true};
    size_t paths = path_count(e);
    bool gone = paths_enter(e, 0, paths, &outer) || paths_enter(e, paths, path_count(e), &inner);
    buf_cut(&e->paths, paths * sizeof(struct path));
    return gone;
}

static void begin(struct editor *e, const struct body_edits *edits, struct buf *model)
{
    size_t flags = edits->override_count + edits->default_count;
    buf_init(&e->paths, (edits->drop_count + 1) * (DEPTH_MAX + 2) * sizeof(struct path));
    buf_init(&e->seen, flags + 1);
    buf_init(model, edits->model.n * 6 + 3);
    for (size_t i = 0; i < edits->drop_count; i++)
        path_push(e, edits->drop[i]);
    e->ask = edits->ask_usage && !is_option_dropped(e);
    char *seen = buf_reserve(&e->seen, flags + 1);
    must(seen);
    memset(seen, 0, flags + 1);
    buf_commit(&e->seen, flags);
    if (edits->model.n) {
        bool fits = json_write_quoted(model, edits->model);
        must(fits);
        e->model = buf_str(model);
    }
}

enum body_edit_result body_edit(struct str body, const struct body_edits *edits, struct buf *out, bool *ret_asked)
{
    *ret_asked = false;
    if (!edits->default_count && !edits->override_count && !edits->model.n && !edits->ask_usage && !edits->drop_count)
        return BODY_EDIT_SAME;
    struct str object = object_of(body);
    if (!object.n)
        return BODY_EDIT_NOT_AN_OBJECT;
    struct editor e = {.edits = edits, .out = out, .from = body.p};
    struct buf model;
    size_t before = buf_size(out);
    begin(&e, edits, &model);
    edit_object(&e, object);
    if (e.changed)
        put(&e, str_of(e.from, (size_t)(body.p + body.n - e.from)));
    enum body_edit_result result = e.broken    ? BODY_EDIT_NOT_AN_OBJECT
                                   : e.full    ? BODY_EDIT_TOO_LARGE
                                   : e.changed ? BODY_EDIT_DONE
                                               : BODY_EDIT_SAME;
    if (result != BODY_EDIT_DONE)
        buf_cut(out, before);
    *ret_asked = result == BODY_EDIT_DONE && e.asked;
    buf_free(&e.paths);
    buf_free(&e.seen);
    buf_free(&model);
    return result;
}

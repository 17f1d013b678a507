/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Everything goes through JSON text: a shape is parsed, walked, and written with its gaps filled.
 * That is not fast and need not be; the operations that benchmarks use do not come here.
 */
#include "sim/kept/crud.h"

#include <stdio.h>
#include <string.h>

#include "base/must.h"
#include "sim/http/apierr.h"
#include "sim/http/caller.h"
#include "sim/http/formread.h"
#include "sim/http/reply.h"
#include "sim/model/phrase.h"
#include "sim/simid.h"

#define LIMIT_DEFAULT 20
#define LIMIT_MAX 10000
#define ID_LETTERS 24
#define OBJECT_MAX (64u << 20)

struct str crud_collection(struct call *c, const struct crud *d)
{
    struct str rest = str_c(d->collection), part;
    struct buf out;
    unsigned n = 0;
    buf_init(&out, 1024);
    for (bool first = true; str_split(&rest, '/', &part); first = false) {
        if (str_eq(part, STR("{}")))
            part = str_head(c->args[n++], 128);
        must((first || buf_add_byte(&out, '/')) && buf_add_str(&out, part));
    }
    struct str name = arena_dup(c->arena, buf_str(&out));
    buf_free(&out);
    return name;
}

/* How many segments of the path belong to the collection: the id is the one behind. */
static unsigned depth_of(const struct crud *d)
{
    unsigned n = 0;
    for (const char *p = d->collection; *p; p++)
        n += p[0] == '{';
    return n;
}

static struct str id_in_path(struct call *c, const struct crud *d)
{
    unsigned n = depth_of(d);
    must(n < PATHS_ARGS_MAX);
    return d->flags & CRUD_SINGLE ? STR("single") : c->args[n];
}

struct str crud_given(struct call *c, const char *name)
{
    if (c->form) {
        const struct formread_part *p = formread_find(c->form, name);
        struct buf out;
        if (!p || p->blob)
            return (struct str){NULL, 0};
        buf_init(&out, OBJECT_MAX);
        must(json_write_quoted(&out, buf_str(&p->text)));
        struct str text = arena_dup(c->arena, buf_str(&out));
        buf_free(&out);
        return text;
    }
    struct jval v = jdoc_get(c->json, name);
    return jdoc_has(v) ? jdoc_raw(v) : (struct str){NULL, 0};
}

static void write_secret(struct call *c, struct json_write *w, struct str prefix)
{
    char text[128];
    size_t n = prefix.n < 64 ? prefix.n : 64;
    memcpy(text, prefix.p, n);
    simid_letters(&c->ids, text + n, 40);
    json_write_string(w, str_of(text, n + 40));
}

static const struct formread_part *file_of(struct call *c)
{
    for (unsigned i = 0; c->form && i < c->form->n; i++)
        if (c->form->parts[i].blob)
            return &c->form->parts[i];
    return NULL;
}

/* `macro` without its '$'. */
static void write_filled(struct call *c, struct json_write *w, struct str macro, struct str id)
{
    const struct formread_part *file = file_of(c);
    uint64_t number = 0;
    if (str_eq(macro, STR("id"))) {
        json_write_string(w, id);
    } else if (str_eq(macro, STR("now"))) {
        json_write_int(w, call_now(c));
    } else if (str_starts(macro, STR("now+")) && str_to_u64(str_from(macro, 4), &number)) {
        json_write_int(w, call_now(c) + (int64_t)number);
    } else if (str_starts(macro, STR("arg")) && str_to_u64(str_from(macro, 3), &number) && number < PATHS_ARGS_MAX) {
        json_write_string(w, c->args[number]);
    } else if (str_starts(macro, STR("secret:"))) {
        write_secret(c, w, str_from(macro, 7));
    } else if (str_starts(macro, STR("body:"))) {
        char name[64];
        struct str value = crud_given(c, str_copy(name, sizeof name, str_from(macro, 5)));
        json_write_raw(w, value.p ? value : STR("null"));
    } else if (str_eq(macro, STR("project"))) {
        json_write_string(w, c->caller ? str_c(c->caller->project) : STR(""));
    } else if (str_eq(macro, STR("user"))) {
        json_write_string(w, c->caller ? str_c(c->caller->user) : STR(""));
    } else if (str_eq(macro, STR("org"))) {
        json_write_string(w, STR(SIM_ORGANIZATION));
    } else if (str_eq(macro, STR("file_bytes"))) {
        json_write_uint(w, file ? blob_size(file->blob) : 0);
    } else if (str_eq(macro, STR("file_name"))) {
        json_write_string(w, file ? file->filename : STR(""));
    } else {
        must(str_eq(macro, STR("prose")));
        struct buf text;
        buf_init(&text, 65536);
        must(phrase_prose(&text, c->seed, 20));
        json_write_string(w, buf_str(&text));
        buf_free(&text);
    }
}

static void fill_value(struct call *c, struct json_write *w, struct jval shape, struct str id);

static void fill_object(struct call *c, struct json_write *w, struct jval shape, struct str id, bool from_body)
{
    char name[64];
    json_write_object(w);
    for (struct jval e = jdoc_first(shape); jdoc_has(e); e = jdoc_next(shape, e)) {
        struct jval v = jdoc_value(e);
        struct str given = {NULL, 0};
        str_copy(name, sizeof name, jdoc_escaped(e));
        if (from_body && !str_starts(jdoc_escaped(v), STR("$")))
            given = crud_given(c, name);
        json_write_key(w, str_c(name));
        if (given.p)
            json_write_raw(w, given);
        else
            fill_value(c, w, v, id);
    }
    json_write_object_end(w);
}

static void fill_value(struct call *c, struct json_write *w, struct jval shape, struct str id)
{
    switch (jdoc_kind(shape)) {
    case JDOC_OBJECT:
        fill_object(c, w, shape, id, false);
        break;
    case JDOC_ARRAY:
        json_write_array(w);
        for (struct jval e = jdoc_first(shape); jdoc_has(e); e = jdoc_next(shape, e))
            fill_value(c, w, e, id);
        json_write_array_end(w);
        break;
    case JDOC_STRING:
        if (str_starts(jdoc_escaped(shape), STR("$"))) {
            write_filled(c, w, str_from(jdoc_escaped(shape), 1), id);
            break;
        }
        __attribute__((fallthrough));
    default:
        json_write_raw(w, jdoc_raw(shape));
        break;
    }
}

void crud_fill(struct call *c, struct json_write *w, struct str shape, struct str id, bool from_body)
{
    struct jdoc doc;
    jdoc_init(&doc);
    must(jdoc_parse(&doc, shape));
    if (jdoc_kind(jdoc_root(&doc)) == JDOC_OBJECT)
        fill_object(c, w, jdoc_root(&doc), id, from_body);
    else
        fill_value(c, w, jdoc_root(&doc), id);
    jdoc_free(&doc);
}

bool crud_check_required(struct call *c, const char *names)
{
    struct str rest = str_c(names), part;
    char name[64];
    while (rest.n && str_split(&rest, ',', &part)) {
        str_copy(name, sizeof name, part);
        struct str given = crud_given(c, name);
        if (given.p && !str_eq(given, STR("null")))
            continue;
        if (c->form && formread_find(c->form, name))
            continue;
        apierr_missing(c, arena_dup(c->arena, str_c(name)).p);
        return false;
    }
    return true;
}

/* False, and 404, when a parent that can be known is not there. */
static bool check_parent(struct call *c, const struct crud *d)
{
    if (!d->parent || !check_parent(c, d->parent))
        return !d->parent;
    return crud_find(c, d->parent) != NULL;
}

/* Members of the request that the shape does not have, before the closing brace. */
static void add_unknown(struct call *c, struct buf *out, const char *shape)
{
    struct jdoc doc;
    jdoc_init(&doc);
    must(jdoc_parse(&doc, str_c(shape)));
    buf_cut(out, buf_size(out) - 1);
    for (struct jval e = jdoc_first(c->json); jdoc_has(e); e = jdoc_next(c->json, e)) {
        char name[64];
        if (jdoc_has(jdoc_get(jdoc_root(&doc), str_copy(name, sizeof name, jdoc_escaped(e)))))
            continue;
        must(buf_add_byte(out, ',') && buf_add_str(out, jdoc_raw(e)) && buf_add_byte(out, ':') &&
             buf_add_str(out, jdoc_raw(jdoc_value(e))));
    }
    must(buf_add_byte(out, '}'));
    jdoc_free(&doc);
}

static struct shelf_item *put_new(struct call *c, const struct crud *d, struct str id, bool from_body)
{
    struct buf out;
    struct json_write w;
    buf_init(&out, OBJECT_MAX);
    json_write_init(&w, &out);
    crud_fill(c, &w, str_c(d->shape), id, from_body);
    must(json_write_done(&w));
    if (from_body && d->flags & CRUD_ANYTHING && jdoc_kind(c->json) == JDOC_OBJECT)
        add_unknown(c, &out, d->shape);
    struct shelf_item *i = shelf_put(c->sim->shelf, crud_collection(c, d), id, buf_str(&out));
    buf_free(&out);
    const struct formread_part *file = file_of(c);
    if (from_body && file)
        shelf_set_blob(i, file->blob);
    return i;
}

struct shelf_item *crud_make(struct call *c, const struct crud *d)
{
    if (!check_parent(c, d) || (d->required && !crud_check_required(c, d->required)))
        return NULL;
    if (d->flags & CRUD_NEED_FILE && !file_of(c)) {
        apierr_missing(c, "file");
        return NULL;
    }
    return put_new(c, d, call_id(c, d->prefix, ID_LETTERS), true);
}

void crud_catch_up(struct call *c, struct shelf_item *i)
{
    if (!i->due_us || c->wall_us < i->due_us)
        return;
    struct str changes = arena_dup(c->arena, i->then);
    shelf_set_then(i, 0, STR(""));
    crud_change_text(c, i, changes);
}

struct shelf_item *crud_find(struct call *c, const struct crud *d)
{
    struct str id = id_in_path(c, d);
    struct shelf_item *i = shelf_get(c->sim->shelf, crud_collection(c, d), id);
    if (i) {
        crud_catch_up(c, i);
        return i;
    }
    if (d->flags & CRUD_SINGLE)
        return put_new(c, d, id, false);
    apierr_no_such(c, d->what, id);
    return NULL;
}

static void answer_text(struct call *c, struct str json)
{
    struct buf out;
    buf_init(&out, (size_t)1 << 31);
    must(buf_add_str(&out, json));
    answer_json(c, 200, &out);
}

void crud_answer(struct call *c, const struct shelf_item *i)
{
    answer_text(c, i->json);
}

/* Members of `from` in place of those of the object, the others behind. */
static void merge(struct call *c, struct shelf_item *i, struct jval from)
{
    struct jdoc old;
    struct buf out;
    struct json_write w;
    char name[64];
    jdoc_init(&old);
    must(jdoc_parse(&old, i->json));
    buf_init(&out, OBJECT_MAX);
    json_write_init(&w, &out);
    json_write_object(&w);
    struct jval root = jdoc_root(&old);
    for (struct jval e = jdoc_first(root); jdoc_has(e); e = jdoc_next(root, e)) {
        struct jval now = jdoc_get(from, str_copy(name, sizeof name, jdoc_escaped(e)));
        json_write_key(&w, str_c(name));
        json_write_raw(&w, jdoc_raw(jdoc_has(now) ? now : jdoc_value(e)));
    }
    for (struct jval e = jdoc_first(from); jdoc_has(e); e = jdoc_next(from, e)) {
        if (jdoc_has(jdoc_get(root, str_copy(name, sizeof name, jdoc_escaped(e)))))
            continue;
        json_write_key(&w, str_c(name));
        json_write_raw(&w, jdoc_raw(jdoc_value(e)));
    }
    json_write_object_end(&w);
    must(json_write_done(&w));
    shelf_set(c->sim->shelf, i, buf_str(&out));
    buf_free(&out);
    jdoc_free(&old);
}

void crud_change_text(struct call *c, struct shelf_item *i, struct str changes)
{
    struct jdoc doc;
    jdoc_init(&doc);
    must(jdoc_parse(&doc, changes));
    merge(c, i, jdoc_root(&doc));
    jdoc_free(&doc);
}

/* A shape filled in, in the arena. */
static struct str filled(struct call *c, const char *shape, struct str id)
{
    struct buf out;
    struct json_write w;
    buf_init(&out, OBJECT_MAX);
    json_write_init(&w, &out);
    crud_fill(c, &w, str_c(shape), id, false);
    must(json_write_done(&w));
    struct str text = arena_dup(c->arena, buf_str(&out));
    buf_free(&out);
    return text;
}

void crud_change(struct call *c, struct shelf_item *i, const char *changes)
{
    crud_change_text(c, i, filled(c, changes, str_c(i->id)));
}

void crud_later_text(struct call *c, struct shelf_item *i, struct str changes)
{
    shelf_set_then(i, c->wall_us + (int64_t)cue_count(c->cue, CUE_WORK_MS, 0) * 1000, changes);
}

void crud_later(struct call *c, struct shelf_item *i, const char *changes)
{
    crud_later_text(c, i, filled(c, changes, str_c(i->id)));
}

struct str crud_member(struct call *c, const struct shelf_item *i, const char *name)
{
    struct jdoc doc;
    jdoc_init(&doc);
    must(jdoc_parse(&doc, i->json));
    struct str raw = arena_dup(c->arena, jdoc_raw(jdoc_get(jdoc_root(&doc), name)));
    jdoc_free(&doc);
    return raw;
}

struct str crud_member_text(struct call *c, const struct shelf_item *i, const char *name)
{
    struct jdoc doc;
    jdoc_init(&doc);
    must(jdoc_parse(&doc, i->json));
    struct str text = arena_dup(c->arena, jdoc_text(jdoc_get(jdoc_root(&doc), name), c->arena));
    jdoc_free(&doc);
    return text;
}

/* Lists. */

/* "metadata[key]=value", as often as given. */
static bool fits_metadata(struct call *c, const struct shelf_item *i)
{
    struct str rest = c->query, part, key;
    bool ok = true;
    while (ok && rest.n && str_split(&rest, '&', &part)) {
        char name[128];
        ptrdiff_t equals = str_find(part, '=');
        key = call_percent_decoded(c, equals < 0 ? part : str_head(part, (size_t)equals));
        if (equals < 0 || !str_starts(key, STR("metadata[")) || !str_ends(key, STR("]")))
            continue;
        struct jdoc doc;
        jdoc_init(&doc);
        must(jdoc_parse(&doc, i->json));
        struct jval v = jdoc_find(jdoc_root(&doc), "metadata");
        v = jdoc_find(v, str_copy(name, sizeof name, str_of(key.p + 9, key.n - 10)));
        ok = jdoc_has(v) && str_eq(jdoc_text(v, c->arena), call_percent_decoded(c, str_from(part, (size_t)equals + 1)));
        jdoc_free(&doc);
    }
    return ok;
}

static bool fits(struct call *c, const struct shelf_item *i, const char *filters)
{
    struct str rest = str_c(filters), part, wanted;
    char name[64];
    while (rest.n && str_split(&rest, ',', &part)) {
        str_copy(name, sizeof name, part);
        if (str_eq(part, STR("metadata"))) {
            if (!fits_metadata(c, i))
                return false;
            continue;
        }
        wanted = call_query(c, name);
        if (wanted.p && !str_eq(wanted, crud_member_text(c, i, name)))
            return false;
    }
    return true;
}

static void list_end(struct json_write *w, unsigned flags, const char *first, const char *last, bool more)
{
    json_write_array_end(w);
    json_write_member_bool(w, "has_more", more);
    if (flags & CRUD_NEXT) {
        json_write_member_text(w, "next", str_c(more ? last : ""));
        return;
    }
    json_write_member_text(w, "first_id", str_c(first));
    json_write_member_text(w, "last_id", str_c(last));
}

void crud_answer_list(struct call *c, struct str collection, unsigned flags, const char *filters)
{
    struct shelf *s = c->sim->shelf;
    struct str after = call_query(c, "after"), before = call_query(c, "before"), order = call_query(c, "order");
    uint64_t limit = call_query_count(c, "limit", LIMIT_DEFAULT), n = 0;
    bool newest = order.p ? !str_eq(order, STR("asc")) : !(flags & CRUD_OLDEST), more = false;
    const char *first = "", *last = "";
    struct reply r;
    if (!after.p)
        after = call_query(c, "page");
    if (limit < 1 || limit > LIMIT_MAX) {
        apierr_invalid(c, "limit", "Invalid 'limit': expected a value from 1 to %d.", LIMIT_MAX);
        return;
    }
    struct shelf_item *i = shelf_first(s, collection, newest);
    if (after.n) {
        struct shelf_item *from = shelf_get(s, collection, after);
        i = from ? shelf_next(from, newest) : NULL;
    }
    struct json_write *w = reply_begin(&r);
    json_write_member_string(w, "object", STR("list"));
    json_write_key(w, STR("data"));
    json_write_array(w);
    for (; i && !(before.n && str_eq(str_c(i->id), before)); i = shelf_next(i, newest)) {
        crud_catch_up(c, i);
        if (filters && !fits(c, i, filters))
            continue;
        if (n == limit) {
            more = true;
            break;
        }
        json_write_raw(w, i->json);
        first = n++ ? first : i->id;
        last = i->id;
    }
    list_end(w, flags, first, last, more);
    reply_send(c, &r, 200);
}

/* Handlers. */

void crud_create(struct call *c)
{
    const struct crud *d = c->route->crud;
    struct shelf_item *i = crud_make(c, d);
    if (!i)
        return;
    if (d->made)
        d->made(c, i);
    if (!c->answer.begun)
        crud_answer(c, i);
}

void crud_list(struct call *c)
{
    const struct crud *d = c->route->crud;
    if (check_parent(c, d))
        crud_answer_list(c, crud_collection(c, d), d->flags, d->filters);
}

void crud_retrieve(struct call *c)
{
    struct shelf_item *i = crud_find(c, c->route->crud);
    if (i)
        crud_answer(c, i);
}

void crud_update(struct call *c)
{
    const struct crud *d = c->route->crud;
    struct shelf_item *i = NULL;
    if (d->flags & CRUD_UPSERT && !shelf_get(c->sim->shelf, crud_collection(c, d), id_in_path(c, d)))
        put_new(c, d, id_in_path(c, d), false);
    i = crud_find(c, d);
    if (!i)
        return;
    if (jdoc_kind(c->json) == JDOC_OBJECT)
        merge(c, i, c->json);
    crud_answer(c, i);
}

void crud_delete(struct call *c)
{
    const struct crud *d = c->route->crud;
    struct shelf_item *i = crud_find(c, d);
    struct buf out;
    struct json_write w;
    if (!i)
        return;
    struct str id = arena_dup(c->arena, str_c(i->id));
    shelf_remove(c->sim->shelf, i);
    shelf_remove_below(c->sim->shelf, call_format(c, "%.*s/%.*s", STR_ARG(crud_collection(c, d)), STR_ARG(id)));
    buf_init(&out, 65536);
    json_write_init(&w, &out);
    crud_fill(c, &w, str_c(d->deleted), id, false);
    must(json_write_done(&w));
    answer_json(c, 200, &out);
}

void crud_act(struct call *c)
{
    struct shelf_item *i = crud_find(c, c->route->crud);
    if (!i)
        return;
    crud_change(c, i, c->route->crud->act);
    crud_answer(c, i);
}

void crud_content(struct call *c)
{
    struct shelf_item *i = crud_find(c, c->route->crud);
    struct str bytes;
    if (!i)
        return;
    if (!i->blob || !blob_bytes(i->blob, &bytes))
        apierr(c, 404, "invalid_request_error", NULL, NULL, "The content of %s is no longer here.", i->id);
    else
        answer_blob(c, 200, STR("application/octet-stream"), i->blob);
}

void crud_show(struct call *c)
{
    const struct crud *d = c->route->crud;
    struct buf out;
    struct json_write w;
    if (d->required && !crud_check_required(c, d->required))
        return;
    buf_init(&out, OBJECT_MAX);
    json_write_init(&w, &out);
    struct str id = c->args[0].n ? c->args[0] : d->prefix ? call_id(c, d->prefix, ID_LETTERS) : STR("");
    crud_fill(c, &w, str_c(d->shape), id, !(d->flags & CRUD_OWN));
    must(json_write_done(&w));
    answer_json(c, 200, &out);
}

void crud_nothing(struct call *c)
{
    answer_empty(c, 200);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The audit log as Vantage shows it: what changed, field by field, as [before, after]. Owners of the organization see all of
 * it, admins what concerns their workspaces; of resources that are hidden from them nothing.
 */
#include "control/people/audit.h"

#include "base/clock.h"
#include "base/must.h"
#include "console/console_inner.h"
#include "console/vantage/access/persons.h"
#include "console/vantage/vantage.h"
#include "console/vantage/vantage_reply.h"
#include "report/docs/docs_view.h"

#define LIMIT 100
#define LIMIT_MAX 5000
#define TOKEN "adt_lg_"

/* ---- one row ---- */

static struct str verb_of(struct str action)
{
    ptrdiff_t dot = str_find(action, '.');
    return dot < 0 ? action : str_from(action, (size_t)dot + 1);
}

static const char *event_of(struct str action)
{
    struct str verb = verb_of(action);
    if (str_eq(verb, STR("create")))
        return "record_created";
    bool ends = str_eq(verb, STR("delete")) || str_eq(verb, STR("revoke")) || str_eq(verb, STR("remove"));
    return ends ? "record_destroyed" : "record_updated";
}

struct both {
    struct jdoc old, new;
    struct jval before, after; /* absent: there was, or is, none */
};

static void read_both(struct both *b, const struct audit_row *r)
{
    jdoc_init(&b->old);
    jdoc_init(&b->new);
    b->before = r->before.n && jdoc_parse(&b->old, r->before) ? jdoc_root(&b->old) : (struct jval){0};
    b->after = r->after.n && jdoc_parse(&b->new, r->after) ? jdoc_root(&b->new) : (struct jval){0};
}

static struct str title_of(struct job *j, const struct both *b)
{
    static const char *const names[] = {"title", "name", "key"};
    struct jval v = jdoc_has(b->after) ? b->after : b->before;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct str text = jdoc_text(jdoc_get(v, names[i]), j->arena);
        if (text.n)
            return text;
    }
    return STR("");
}

static struct str raw_of(struct jval object, const char *name)
{
    struct jval v = jdoc_find(object, name);
    return jdoc_has(v) ? jdoc_raw(v) : STR("null");
}

/* One member of the two objects: into the changed ones, or the others. */
static void write_field(struct job *j, const struct both *b, struct str name, bool changed)
{
    struct json_write *w = &j->json;
    struct str text = arena_dup(j->arena, name);
    must(text.p);
    struct str old = raw_of(b->before, text.p), new = raw_of(b->after, text.p);
    if (str_eq(old, new) == changed)
        return;
    json_write_key(w, name);
    if (!changed) {
        json_write_raw(w, new);
        return;
    }
    json_write_array(w);
    json_write_raw(w, old);
    json_write_raw(w, new);
    json_write_array_end(w);
}

static void write_fields(struct job *j, const struct both *b, const char *member, bool changed)
{
    struct json_write *w = &j->json;
    json_write_key(w, str_c(member));
    json_write_object(w);
    for (struct jval n = jdoc_first(b->before); jdoc_has(n); n = jdoc_next(b->before, n))
        write_field(j, b, jdoc_escaped(n), changed);
    for (struct jval n = jdoc_first(b->after); jdoc_has(n); n = jdoc_next(b->after, n)) {
        struct str name = arena_dup(j->arena, jdoc_escaped(n));
        must(name.p);
        if (!jdoc_has(jdoc_find(b->before, name.p)))
            write_field(j, b, name, changed);
    }
    json_write_object_end(w);
}

static void write_row(struct job *j, const struct audit_row *r)
{
    struct json_write *w = &j->json;
    struct both b;
    const struct snapshot_workspace *place = snapshot_workspace_of(j->snapshot, r->workspace_id);
    read_both(&b, r);
    json_write_object(w);
    json_write_member_string(w, "token", ask_id_token(j, TOKEN, r->seq));
    json_write_member_text(w, "object_token", r->object_id);
    json_write_member_string(w, "object_type", r->object_type);
    json_write_member_text(w, "object_title", title_of(j, &b));
    json_write_member_string(w, "event", str_c(event_of(r->action)));
    json_write_member_string(w, "source", str_eq(r->source, STR("console")) ? STR("console") : STR("api"));
    json_write_member_text(w, "user", r->name);
    json_write_member_text(w, "workspace_title", place ? place->name : STR(""));
    json_write_member_text(w, "workspace_token", place ? ask_id_token(j, "wrkspc_", place->id) : STR(""));
    vantage_time(w, "created_at", r->time_us);
    write_fields(j, &b, "changed_values", true);
    write_fields(j, &b, "unchanged_values", false);
    json_write_object_end(w);
    jdoc_free(&b.old);
    jdoc_free(&b.new);
}

/* ---- which rows ---- */

static bool refuse(struct job *j, const char *why)
{
    vantage_fail(j, 400, why);
    return false;
}

/* Days are whole: the last one counts. */
static bool read_time(struct job *j, const char *name, bool end, int64_t *ret_us)
{
    struct str text = ask_text(j, name);
    if (!text.n)
        return true;
    if (!clock_parse(text, ret_us))
        return refuse(j, "start_date and end_date are dates, YYYY-MM-DD, or times");
    if (end)
        *ret_us += text.n == 10 ? INT64_C(86400000000) : 1;
    return true;
}

static bool read_words(struct job *j, struct audit_filter *f)
{
    struct str action = ask_text(j, "action"), source = ask_text(j, "source"), user = ask_text(j, "user");
    uint64_t key = 0;
    bool known = str_eq(action, STR("create")) || str_eq(action, STR("update")) || str_eq(action, STR("delete"));
    if (action.n && !known)
        return refuse(j, "action must be one of: create, update, delete");
    if (action.n)
        f->verb = action;
    if (source.n && !str_eq(source, STR("console")) && !str_eq(source, STR("api")) &&
        !str_eq(source, STR("finops_agent")))
        return refuse(j, "source must be one of: console, api, finops_agent");
    f->by_people = !source.n ? 0 : str_eq(source, STR("console")) ? 1 : -1;
    if (str_eq(source, STR("finops_agent")))
        f->object_type = STR("finops_agent"); /* there is none of that here */
    if (!user.n || ask_id(user, PERSONS_USER, &f->member_id))
        return true;
    if (!str_to_u64(user, &key) || !key || key > INT64_MAX)
        return refuse(j, "user is the number of a token, or a user's token");
    f->key_id = (int64_t)key;
    return true;
}

static bool read_filter(struct job *j, const struct sight *s, struct audit_filter *f)
{
    struct str type = ask_text(j, "object_type"), name = ask_text(j, "object_name"), token = ask_text(j, "token");
    struct str object = ask_text(j, "object_token"), place = ask_text(j, "workspace_token");
    if (!persons_sees_everything(j)) {
        f->workspaces = s->ids;
        f->workspace_count = s->count;
    }
    f->one_workspace = place.n > 0;
    if (place.n && !ask_workspace(j, s, place, &f->workspace_id))
        return false;
    if (!read_words(j, f))
        return false;
    if (type.n && !f->object_type.p)
        f->object_type = type;
    if (name.n)
        f->title = name;
    if (object.n)
        f->object_id = object;
    if (token.n && !ask_id(token, TOKEN, &f->seq))
        f->seq = -1;
    return read_time(j, "start_date", false, &f->from_us) && read_time(j, "end_date", true, &f->to_us);
}

static bool is_hidden(struct job *j, const struct audit_row *r)
{
    return docs_view_hides(ask_docs(j), r->object_id);
}

void audit_logs_list(struct job *j)
{
    struct audit_filter f = {0};
    struct vantage_page page;
    struct control_why why;
    struct audit_row *rows;
    struct sight s;
    size_t count;
    uint64_t total;
    if (!vantage_page_read(j, LIMIT, LIMIT_MAX, &page) || !ask_sight(j, &s) || !read_filter(j, &s, &f))
        return;
    f.skip = (page.page - 1) * page.limit;
    enum err e = audit_list(j->console->settings.control, &f, page.limit, j->arena, &rows, &count, &total, &why);
    if (e != ERR_OK) {
        vantage_fail_err(j, e, why.text);
        return;
    }
    job_reply_json(j, 200);
    json_write_object(&j->json);
    vantage_links(j, &page, total, false);
    json_write_key(&j->json, STR("audit_logs"));
    json_write_array(&j->json);
    for (size_t i = 0; i < count; i++)
        if (!is_hidden(j, &rows[i]))
            write_row(j, &rows[i]);
    json_write_array_end(&j->json);
    json_write_object_end(&j->json);
}

void audit_logs_get(struct job *j)
{
    struct audit_filter f = {0};
    struct control_why why;
    struct audit_row *rows;
    struct sight s;
    size_t count = 0;
    uint64_t total;
    if (!ask_sight(j, &s))
        return;
    if (!persons_sees_everything(j)) {
        f.workspaces = s.ids;
        f.workspace_count = s.count;
    }
    enum err e = ERR_OK;
    if (ask_id(ask_token(j, 0), TOKEN, &f.seq) && f.seq)
        e = audit_list(j->console->settings.control, &f, 1, j->arena, &rows, &count, &total, &why);
    if (e != ERR_OK) {
        vantage_fail_err(j, e, why.text);
    } else if (!count || is_hidden(j, &rows[0])) {
        vantage_fail(j, 404, "There is no such audit log");
    } else {
        job_reply_json(j, 200);
        write_row(j, &rows[0]);
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Files of costs. One is made while its request waits, so whoever asks for it finds it done. */
#include "console/vantage/exports.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/must.h"
#include "console/console_inner.h"
#include "console/reports/focus_ask.h"
#include "console/vantage/cost_ask.h"
#include "console/vantage/cost_csv.h"
#include "console/vantage/vantage.h"
#include "console/vantage/vantage_reply.h"
#include "report/cost/cost_dates.h"
#include "report/docs/docs_view.h"

#define CONTENT_MAX (60u << 20) /* what one answer may carry */

/* ---- answering ---- */

static void add_url(const struct job *j, const struct docs_export *x, bool file, struct buf *out)
{
    bool ok = vantage_url(j, out, STR("/v2/data_exports/")) && buf_add_str(out, x->token);
    if (file)
        ok = ok && buf_add_byte(out, '/') && buf_add_str(out, x->secret);
    must(ok); /* short */
}

/* A second file is made anew whenever it is asked for: it follows from what the export is. */
#define METADATA "?file=focus-metadata.json"

static bool is_focus(const struct docs_export *x)
{
    return str_ends(x->kind, STR(".focus"));
}

void exports_reply(struct job *j, int status, const struct docs_export *x)
{
    struct json_write *w = &j->json;
    struct buf url;
    buf_init(&url, 8192);
    job_reply_json(j, status);
    if (status == 202) {
        bool ok = buf_add_str(&j->lines, STR("Location: "));
        add_url(j, x, false, &j->lines);
        ok = ok && buf_add_str(&j->lines, STR("\r\n"));
        must(ok);
    }
    add_url(j, x, true, &url);
    json_write_object(w);
    json_write_member_string(w, "token", x->token);
    json_write_member_string(w, "status", STR("completed"));
    vantage_time(w, "created_at", x->created_us);
    json_write_member_string(w, "export_type", is_focus(x) ? str_head(x->kind, x->kind.n - STR(".focus").n) : x->kind);
    json_write_key(w, STR("manifest"));
    json_write_object(w);
    json_write_key(w, STR("files"));
    json_write_array(w);
    json_write_string(w, buf_str(&url));
    if (is_focus(x)) {
        bool ok = buf_add_str(&url, STR(METADATA));
        must(ok);
        json_write_string(w, buf_str(&url));
    }
    json_write_array_end(w);
    vantage_time(w, "completed_at", x->created_us);
    vantage_time(w, "valid_until", x->until_us);
    json_write_object_end(w);
    json_write_member_raw(w, "attributes", x->attributes);
    json_write_object_end(w);
    buf_free(&url);
}

static bool of_hidden_report(struct job *j, const struct docs_export *x)
{
    struct jdoc attributes;
    jdoc_init(&attributes);
    bool read = jdoc_parse(&attributes, x->attributes);
    struct str report = read ? jdoc_text(jdoc_get(jdoc_root(&attributes), "report_token"), j->arena) : STR("");
    bool hidden = report.n && docs_view_hides(ask_docs(j), report);
    jdoc_free(&attributes);
    return hidden;
}

void exports_get(struct job *j)
{
    struct docs_export x;
    struct sight s;
    if (!ask_sight(j, &s))
        return;
    enum err e = docs_exports_find(ask_docs(j), ask_token(j, 0), false, j->arena, &x);
    if (e != ERR_OK)
        vantage_fail_err(j, e, docs_reason(ask_docs(j)));
    else if (!ask_sees(&s, x.workspace) || of_hidden_report(j, &x))
        vantage_fail(j, 404, "There is no such export; exports are kept for a day");
    else
        exports_reply(j, 200, &x);
}

/* Takes as long for a wrong secret as for a right one. */
static bool is_same(struct str a, struct str b)
{
    unsigned char differs = a.n != b.n;
    for (size_t i = 0; i < b.n; i++)
        differs |= (unsigned char)((i < a.n ? a.p[i] : 0) ^ b.p[i]);
    return !differs;
}

static void reply_metadata(struct job *j, const struct docs_export *x)
{
    struct jdoc attributes;
    struct buf out;
    enum focus_version version = FOCUS_DEFAULT;
    enum focus_ledger ledger = FOCUS_BILLED;
    jdoc_init(&attributes);
    buf_init(&out, 1u << 20);
    bool ok = jdoc_parse(&attributes, x->attributes) &&
              focus_version_parse(jdoc_text(jdoc_get(jdoc_root(&attributes), "focus_version"), j->arena), &version) &&
              focus_ledger_parse(jdoc_text(jdoc_get(jdoc_root(&attributes), "ledger"), j->arena), &ledger) &&
              focus_metadata(version, ledger, x->created_us, &out);
    if (ok)
        job_reply_bytes(j, 200, STR("application/json"), buf_str(&out));
    else
        vantage_fail(j, 404, "There is no such file; exports are kept for a day");
    buf_free(&out);
    jdoc_free(&attributes);
}

void exports_file(struct job *j)
{
    struct docs_export x;
    struct str token = ask_token(j, 0);
    struct arena *a = arena_new(4096, 128u << 20); /* a file is longer than a job may be */
    if (docs_exports_find(ask_docs(j), token, true, a, &x) != ERR_OK || !is_same(ask_token(j, 1), x.secret)) {
        vantage_fail(j, 404, "There is no such file; exports are kept for a day");
    } else if (is_focus(&x) && str_eq(ask_text(j, "file"), STR("focus-metadata.json"))) {
        reply_metadata(j, &x);
    } else {
        job_reply_bytes(j, 200, STR("text/csv; charset=utf-8"), x.content);
        bool ok = buf_printf(&j->lines, "Content-Disposition: attachment; filename=\"%.*s\"\r\n", STR_ARG(x.name));
        must(ok);
    }
    arena_free(a);
}

/* ---- making ---- */

static bool read_groups(struct job *j, struct jval v, struct cost_given *given)
{
    bool ok = true;
    if (jdoc_kind(v) == JDOC_STRING)
        ok = ask_words(j, jdoc_text(v, j->arena), given->groups, &given->group_count);
    for (struct jval e = jdoc_first(v); ok && jdoc_kind(v) == JDOC_ARRAY && jdoc_has(e); e = jdoc_next(v, e)) {
        ok = given->group_count < ASK_LIST_MAX;
        if (ok)
            given->groups[given->group_count++] = jdoc_text(e, j->arena);
    }
    if (!ok)
        vantage_fail(j, 400, "there are too many groupings");
    return ok;
}

enum schema { SCHEMA_ROWS, SCHEMA_COMPARISON, SCHEMA_FOCUS };

/* What is asked for. */
struct making {
    struct cost_given given;
    enum schema schema;
    struct focus_query focus;
    bool ledger; /* it was given */
};

/* What was asked, as the answer repeats it. */
static struct str attributes_of(struct job *j, const struct cost_ask *a, const struct making *m)
{
    const struct cost_given *given = &m->given;
    struct json_write w;
    struct buf out;
    buf_init(&out, 1u << 20);
    json_write_init(&w, &out);
    json_write_object(&w);
    json_write_member_text(&w, "report_token", given->report);
    json_write_member_string(&w, "start_date", str_c(a->start));
    json_write_member_string(&w, "end_date", str_c(a->end));
    json_write_key(&w, STR("groupings"));
    json_write_array(&w);
    for (unsigned i = 0; i < a->query.group_count; i++) {
        char text[300];
        const struct cost_group *g = &a->query.groups[i];
        snprintf(text, sizeof text, "%s%s%.*s", cost_by_text(g->by), g->by == COST_BY_TAG ? ":" : "",
                 g->by == COST_BY_TAG ? (int)str_head(g->tag, 200).n : 0, g->by == COST_BY_TAG ? g->tag.p : "");
        json_write_string(&w, str_c(text));
    }
    json_write_array_end(&w);
    json_write_member_text(&w, "vql", a->filter);
    json_write_member_string(&w, "date_bin", str_c(cost_bin_text(a->query.bin)));
    json_write_key(&w, STR("settings"));
    json_write_object(&w);
    json_write_member_bool(&w, "include_credits", a->query.settings.include_credits);
    json_write_member_bool(&w, "include_refunds", a->query.settings.include_refunds);
    json_write_member_bool(&w, "include_discounts", a->query.settings.include_discounts);
    json_write_member_bool(&w, "include_tax", a->query.settings.include_tax);
    json_write_member_bool(&w, "amortize", a->query.settings.amortize);
    json_write_member_bool(&w, "unallocated", a->query.settings.unallocated);
    json_write_member_string(&w, "aggregate_by", a->aggregate);
    json_write_object_end(&w);
    if (m->schema == SCHEMA_FOCUS) {
        json_write_member_string(&w, "schema", STR("focus"));
        json_write_member_string(&w, "focus_version", str_c(focus_version_text(m->focus.version)));
        json_write_member_string(&w, "ledger", str_c(focus_ledger_text(m->focus.ledger)));
    }
    json_write_object_end(&w);
    struct str text = json_write_done(&w) ? arena_dup(j->arena, buf_str(&out)) : STR("{}");
    buf_free(&out);
    return text.p ? text : STR("{}");
}

/* The same query over the period before. */
static struct cost_result *run_before(struct job *j, struct cost_ask *a)
{
    struct cost_dates was = {a->query.from_day, a->query.until_day};
    struct cost_dates before = cost_dates_previous(COST_INTERVAL_CUSTOM, was);
    a->query.from_day = before.from_day;
    a->query.until_day = before.until_day;
    struct cost_result *r = cost_ask_run(j, a);
    a->query.from_day = was.from_day;
    a->query.until_day = was.until_day;
    return r;
}

/* False when the job was answered. */
static bool make_content(struct job *j, struct cost_ask *a, bool comparison, struct buf *out)
{
    if (comparison)
        a->query.bin = COST_BIN_TOTAL;
    struct cost_result *now = cost_ask_run(j, a), *before = NULL;
    bool ran = now != NULL, fits = true;
    if (ran && comparison)
        ran = (before = run_before(j, a)) != NULL;
    if (ran)
        fits = comparison ? cost_csv_comparison(out, &a->query, now, before) : cost_csv_rows(out, &a->query, now);
    if (!fits)
        vantage_fail(j, 400, "The file would be too long; ask for fewer groupings or a shorter period");
    cost_result_free(now);
    cost_result_free(before);
    return ran && fits;
}

/* All charges of the question, whatever its groupings and settings are. False when the job was answered. */
static bool make_focus(struct job *j, const struct cost_ask *a, struct making *m, struct buf *out)
{
    struct focus_query *q = &m->focus;
    struct cost_error error;
    struct focus_done done;
    char why[FOCUS_ASK_WHY_MAX] = "";
    q->scope = a->query.scope;
    q->filters = a->query.filters;
    q->filter_count = a->query.filter_count;
    q->tags = a->query.tags;
    q->tag_count = a->query.tag_count;
    q->from_day = a->query.from_day;
    q->until_day = a->query.until_day;
    if (!m->ledger)
        q->ledger = focus_ask_ledger(q->filters, q->filter_count);
    enum err e = focus_ask_fill(j, q, why);
    if (e == ERR_OK) {
        e = focus_write(q, focus_ask_keep, out, &done, &error);
        str_copy(why, sizeof why, str_c(error.text));
    }
    if (e == ERR_CLIENT_GONE)
        vantage_fail(j, 400, "The file would be too long; ask for a shorter period, or use 'tollgate export focus'");
    else if (e != ERR_OK)
        vantage_fail_err(j, e, why);
    return e == ERR_OK;
}

static void store(struct job *j, struct cost_ask *a, struct making *m)
{
    bool focus = m->schema == SCHEMA_FOCUS;
    struct docs_export x = {.workspace = a->workspace,
                            .kind = focus ? STR("cost_report.focus") : STR("cost_report"),
                            .name = focus ? STR("focus.csv") : STR("costs.csv")};
    struct buf content;
    buf_init(&content, CONTENT_MAX);
    if (focus ? make_focus(j, a, m, &content) : make_content(j, a, m->schema == SCHEMA_COMPARISON, &content)) {
        x.attributes = attributes_of(j, a, m);
        x.content = buf_str(&content);
        enum err e = docs_exports_put(ask_docs(j), &x, j->arena);
        if (e != ERR_OK)
            vantage_fail_err(j, e, docs_reason(ask_docs(j)));
        else
            exports_reply(j, 202, &x);
    }
    buf_free(&content);
}

/* Which file of it. False when the job was answered. */
static bool read_schema(struct job *j, struct jval body, struct making *m)
{
    static const char *const names[] = {"vntg", "comparison", "focus"};
    struct str schema = jdoc_text(jdoc_get(body, "schema"), j->arena);
    struct str version = jdoc_text(jdoc_get(body, "focus_version"), j->arena);
    struct str ledger = jdoc_text(jdoc_get(body, "ledger"), j->arena);
    const char *why = NULL;
    bool known = !schema.n;
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++)
        if (str_eq(schema, str_c(names[i]))) {
            m->schema = (enum schema)i;
            known = true;
        }
    m->focus = (struct focus_query){.version = FOCUS_DEFAULT};
    m->ledger = ledger.n > 0;
    if (!known)
        why = "schema must be one of: vntg, focus, comparison";
    else if (version.n && !focus_version_parse(version, &m->focus.version))
        why = "focus_version must be one of: 1.2, 1.3, 1.4";
    else if (ledger.n && !focus_ledger_parse(ledger, &m->focus.ledger))
        why = "ledger must be one of: billed, metered";
    if (why)
        vantage_fail(j, 400, why);
    return !why;
}

static void export_costs(struct job *j, struct jval body)
{
    struct making m = {.given = {.report = jdoc_text(jdoc_get(body, "cost_report_token"), j->arena),
                                 .filter = jdoc_text(jdoc_get(body, "filter"), j->arena),
                                 .workspace = jdoc_text(jdoc_get(body, "workspace_token"), j->arena),
                                 .start = jdoc_text(jdoc_get(body, "start_date"), j->arena),
                                 .end = jdoc_text(jdoc_get(body, "end_date"), j->arena),
                                 .bin = jdoc_text(jdoc_get(body, "date_bin"), j->arena),
                                 .settings = jdoc_get(body, "settings")}};
    struct cost_ask *a;
    struct sight s;
    if (!read_schema(j, body, &m) || !read_groups(j, jdoc_get(body, "groupings"), &m.given) || !ask_sight(j, &s) ||
        !cost_ask_begin(j, &s, &m.given, &a))
        return;
    store(j, a, &m);
    cost_ask_free(a);
}

void exports_create(struct job *j)
{
    struct jdoc body;
    if (!ask_body(j, &body))
        return;
    export_costs(j, jdoc_root(&body));
    jdoc_free(&body);
}

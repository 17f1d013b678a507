/* SPDX-License-Identifier: Apache-2.0 */
/* Files of costs. One is made while its request waits, so whoever asks for it finds it done. */
#include <stdio.h>

#include "base/clock.h"
#include "base/must.h"
#include "console/console_inner.h"
#include "console/vantage/cost_ask.h"
#include "console/vantage/cost_csv.h"
#include "console/vantage/vantage.h"
#include "console/vantage/vantage_reply.h"
#include "report/cost/cost_dates.h"
#include "report/docs/docs_exports.h"
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

static void reply(struct job *j, int status, const struct docs_export *x)
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
    json_write_member_string(w, "export_type", x->kind);
    json_write_key(w, STR("manifest"));
    json_write_object(w);
    json_write_key(w, STR("files"));
    json_write_array(w);
    json_write_string(w, buf_str(&url));
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
        reply(j, 200, &x);
}

/* Takes as long for a wrong secret as for a right one. */
static bool is_same(struct str a, struct str b)
{
    unsigned char differs = a.n != b.n;
    for (size_t i = 0; i < b.n; i++)
        differs |= (unsigned char)((i < a.n ? a.p[i] : 0) ^ b.p[i]);
    return !differs;
}

void exports_file(struct job *j)
{
    struct docs_export x;
    struct str token = ask_token(j, 0);
    struct arena *a = arena_new(4096, 128u << 20); /* a file is longer than a job may be */
    if (docs_exports_find(ask_docs(j), token, true, a, &x) != ERR_OK || !is_same(ask_token(j, 1), x.secret)) {
        vantage_fail(j, 404, "There is no such file; exports are kept for a day");
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

/* What was asked, as the answer repeats it. */
static struct str attributes_of(struct job *j, const struct cost_ask *a, const struct cost_given *given)
{
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

static void store(struct job *j, struct cost_ask *a, const struct cost_given *given, bool comparison)
{
    struct docs_export x = {.workspace = a->workspace, .kind = STR("cost_report"), .name = STR("costs.csv")};
    struct buf content;
    x.attributes = attributes_of(j, a, given);
    buf_init(&content, CONTENT_MAX);
    if (make_content(j, a, comparison, &content)) {
        x.content = buf_str(&content);
        enum err e = docs_exports_put(ask_docs(j), &x, j->arena);
        if (e != ERR_OK)
            vantage_fail_err(j, e, docs_reason(ask_docs(j)));
        else
            reply(j, 202, &x);
    }
    buf_free(&content);
}

static void export_costs(struct job *j, struct jval body)
{
    struct str schema = jdoc_text(jdoc_get(body, "schema"), j->arena);
    struct cost_given given = {.report = jdoc_text(jdoc_get(body, "cost_report_token"), j->arena),
                               .filter = jdoc_text(jdoc_get(body, "filter"), j->arena),
                               .workspace = jdoc_text(jdoc_get(body, "workspace_token"), j->arena),
                               .start = jdoc_text(jdoc_get(body, "start_date"), j->arena),
                               .end = jdoc_text(jdoc_get(body, "end_date"), j->arena),
                               .bin = jdoc_text(jdoc_get(body, "date_bin"), j->arena),
                               .settings = jdoc_get(body, "settings")};
    bool comparison = str_eq(schema, STR("comparison"));
    struct cost_ask *a;
    struct sight s;
    if (schema.n && !comparison && !str_eq(schema, STR("vntg"))) {
        vantage_fail(j, 400,
                     str_eq(schema, STR("focus")) ? "schema focus is not made here yet; use vntg or comparison"
                                                  : "schema must be one of: vntg, comparison");
        return;
    }
    if (!read_groups(j, jdoc_get(body, "groupings"), &given) || !ask_sight(j, &s) || !cost_ask_begin(j, &s, &given, &a))
        return;
    store(j, a, &given, comparison);
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

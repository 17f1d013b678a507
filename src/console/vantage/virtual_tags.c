/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Virtual tags beyond the five calls: their values one by one, and the calls that ask whether a change is
 * done. Tags are worked out when costs are asked for, so every change is done as soon as it is stored.
 */
#include "base/must.h"
#include "base/rng.h"
#include "console/console_inner.h"
#include "console/vantage/ask.h"
#include "console/vantage/resource_write.h"
#include "console/vantage/vantage.h"
#include "console/vantage/vantage_reply.h"

#define REQUEST_PREFIX "vtag_rqst_"

static bool find(struct job *j, struct doc *ret)
{
    struct sight s;
    return ask_sight(j, &s) && ask_doc(j, &s, DOCS_VIRTUAL_TAG, ask_token(j, 0), ret);
}

void virtual_tags_status(struct job *j)
{
    struct json_write *w = &j->json;
    struct doc doc;
    if (!find(j, &doc))
        return;
    job_reply_json(j, 200);
    json_write_object(w);
    json_write_member_string(w, "token", doc.token);
    json_write_member_bool(w, "processing", false);
    json_write_key(w, STR("providers"));
    json_write_array(w);
    json_write_object(w);
    json_write_member_string(w, "provider", STR("open_ai"));
    json_write_member_string(w, "status", STR("complete"));
    json_write_object_end(w);
    json_write_array_end(w);
    json_write_object_end(w);
}

void virtual_tags_async(struct job *j)
{
    struct json_write *w = &j->json;
    struct doc before, doc;
    struct jdoc body;
    struct buf url;
    if (!find(j, &before) || !ask_body(j, &body))
        return;
    enum err e = docs_update(ask_docs(j), &before, jdoc_root(&body), j->arena, &doc);
    jdoc_free(&body);
    if (e != ERR_OK) {
        vantage_fail_err(j, e, docs_reason(ask_docs(j)));
        return;
    }
    /* The request's name is made of the tag's, so that it can be looked for without being kept. */
    struct str id = ask_id_token(j, REQUEST_PREFIX, doc.id);
    buf_init(&url, 4096);
    bool ok = vantage_url(j, &url, STR("/v2/virtual_tag_configs/async/")) && buf_add_str(&url, id);
    must(ok);
    job_reply_json(j, 202);
    json_write_object(w);
    json_write_member_string(w, "request_id", id);
    json_write_member_string(w, "status_url", buf_str(&url));
    json_write_object_end(w);
    buf_free(&url);
}

void virtual_tags_request(struct job *j)
{
    int64_t id;
    struct docs_query q = {.kind = DOCS_VIRTUAL_TAG, .limit = 1000};
    struct doc *rows = NULL;
    size_t count = 0;
    uint64_t total;
    bool asked = ask_id(ask_token(j, 0), REQUEST_PREFIX, &id);
    if (asked && docs_list(ask_docs(j), &q, j->arena, &rows, &count, &total) != ERR_OK)
        count = 0;
    for (size_t i = 0; asked && i < count; i++)
        if (rows[i].id == id) {
            job_reply_empty(j, 200);
            return;
        }
    vantage_fail(j, 404, "There is no such request");
}

/* ---- values ---- */

struct values {
    struct doc doc;
    struct jdoc body, given; /* the tag as it is; the request */
};

static bool values_begin(struct values *v, struct job *j)
{
    if (!find(j, &v->doc) || !ask_body(j, &v->given))
        return false;
    jdoc_init(&v->body);
    bool ok = jdoc_parse(&v->body, v->doc.body);
    must(ok); /* ours */
    return true;
}

static void values_end(struct values *v)
{
    jdoc_free(&v->body);
    jdoc_free(&v->given);
}

static struct jval value_of(struct values *v, struct str token)
{
    struct jval list = jdoc_get(jdoc_root(&v->body), "values");
    for (struct jval e = jdoc_first(list); jdoc_has(e); e = jdoc_next(list, e))
        if (str_eq(jdoc_escaped(jdoc_get(e, "token")), token))
            return e;
    return (struct jval){0};
}

/* The old value with members of the request in their place. */
static void write_merged(struct json_write *w, struct jval old, struct jval given)
{
    json_write_object(w);
    json_write_member_raw(w, "token", jdoc_raw(jdoc_get(old, "token")));
    for (struct jval n = jdoc_first(old); jdoc_has(n); n = jdoc_next(old, n)) {
        char name[64];
        str_copy(name, sizeof name, jdoc_escaped(n));
        struct jval now = jdoc_get(given, name);
        if (strcmp(name, "token") != 0)
            json_write_member_raw(w, name, jdoc_raw(jdoc_has(now) ? now : jdoc_value(n)));
    }
    json_write_object_end(w);
}

enum edit { ADD, CHANGE, DROP };

/* Stores the list of values after an edit; `token` is the value's. False when the job was answered. */
static bool store_values(struct job *j, struct values *v, enum edit edit, struct str token, struct doc *ret)
{
    struct json_write w;
    struct jdoc change;
    struct buf text;
    struct jval list = jdoc_get(jdoc_root(&v->body), "values"), given = jdoc_root(&v->given);
    buf_init(&text, 2 * DOCS_BODY_MAX);
    json_write_init(&w, &text);
    json_write_object(&w);
    json_write_key(&w, STR("values"));
    json_write_array(&w);
    for (struct jval e = jdoc_first(list); jdoc_has(e); e = jdoc_next(list, e)) {
        bool it = str_eq(jdoc_escaped(jdoc_get(e, "token")), token);
        if (it && edit == CHANGE)
            write_merged(&w, e, given);
        else if (!it || edit != DROP)
            json_write_raw(&w, jdoc_raw(e));
    }
    if (edit == ADD)
        json_write_raw(&w, jdoc_raw(given));
    json_write_array_end(&w);
    json_write_object_end(&w);
    jdoc_init(&change);
    bool ok = json_write_done(&w) && jdoc_parse(&change, buf_str(&text));
    enum err e = ok ? docs_update(ask_docs(j), &v->doc, jdoc_root(&change), j->arena, ret) : ERR_BODY_TOO_LARGE;
    if (e != ERR_OK)
        vantage_fail_err(j, e, ok ? docs_reason(ask_docs(j)) : "");
    jdoc_free(&change);
    buf_free(&text);
    return e == ERR_OK;
}

/* The value of that token, or the last one, as it is stored now. */
static void reply_value(struct job *j, int status, const struct doc *doc, struct str token)
{
    struct jdoc body;
    struct jval found = {0};
    jdoc_init(&body);
    bool ok = jdoc_parse(&body, doc->body);
    must(ok);
    struct jval list = jdoc_get(jdoc_root(&body), "values");
    for (struct jval e = jdoc_first(list); jdoc_has(e); e = jdoc_next(list, e))
        if (!token.n || str_eq(jdoc_escaped(jdoc_get(e, "token")), token))
            found = e;
    job_reply_json(j, status);
    json_write_raw(&j->json, jdoc_raw(found));
    jdoc_free(&body);
}

void virtual_tags_add(struct job *j)
{
    struct values v;
    struct doc doc;
    if (!values_begin(&v, j))
        return;
    if (store_values(j, &v, ADD, STR(""), &doc))
        reply_value(j, 201, &doc, STR(""));
    values_end(&v);
}

static bool known(struct job *j, struct values *v, struct str token)
{
    bool there = jdoc_has(value_of(v, token));
    if (!there)
        vantage_fail(j, 404, "There is no such value");
    return there;
}

void virtual_tags_value(struct job *j)
{
    struct values v;
    struct str token = ask_token(j, 1);
    if (!values_begin(&v, j))
        return;
    if (known(j, &v, token))
        reply_value(j, 200, &v.doc, token);
    values_end(&v);
}

void virtual_tags_change(struct job *j)
{
    struct values v;
    struct doc doc;
    struct str token = ask_token(j, 1);
    if (!values_begin(&v, j))
        return;
    if (known(j, &v, token) && store_values(j, &v, CHANGE, token, &doc))
        reply_value(j, 200, &doc, token);
    values_end(&v);
}

void virtual_tags_drop(struct job *j)
{
    struct values v;
    struct doc doc;
    struct str token = ask_token(j, 1);
    if (!values_begin(&v, j))
        return;
    if (known(j, &v, token) && store_values(j, &v, DROP, token, &doc))
        job_reply_empty(j, 204);
    values_end(&v);
}

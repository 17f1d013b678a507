/* SPDX-License-Identifier: Apache-2.0 */
/* The fields and their order are Portkey's. */
#include "gateway/hooks/hooks_results.h"

#include <string.h>

#include "base/clock.h"
#include "base/json/jdoc.h"
#include "base/json_write.h"
#include "gateway/hooks/hooks.h"
#include "openai/body_edit.h"

#define NAMES_MAX 4096

/* "2026-11-22T06:28:13.123Z" */
static void write_time(struct json_write *w, int64_t wall_us)
{
    char text[CLOCK_TEXT_MAX];
    size_t n = clock_format(wall_us, 1, text);
    text[n - 4] = 'Z';
    json_write_member_string(w, "created_at", str_of(text, n - 3));
}

static void write_check(struct json_write *w, const struct check_result *c)
{
    json_write_object(w);
    if (c->data.n)
        json_write_member_raw(w, "data", c->data);
    else if (c->error.n) {
        json_write_key(w, STR("data"));
        json_write_object(w);
        json_write_member_string(w, "explanation", c->error);
        json_write_object_end(w);
    } else
        json_write_member_null(w, "data");
    json_write_member_bool(w, "verdict", c->verdict);
    json_write_member_string(w, "id", c->check->id);
    if (c->error.n) {
        json_write_key(w, STR("error"));
        json_write_object(w);
        json_write_member_string(w, "name", STR("Error"));
        json_write_member_string(w, "message", c->error);
        json_write_object_end(w);
    }
    json_write_member_uint(w, "execution_time", c->took_us / 1000);
    json_write_member_bool(w, "transformed", c->transformed);
    write_time(w, c->created_us);
    json_write_member_null(w, "log");
    json_write_member_bool(w, "fail_on_error", c->check->fail_on_error);
    json_write_object_end(w);
}

enum names { PASSED, FAILED, ERRORED };

/* "default.contains, default.wordCount": the checks that ended so. */
static void write_names(struct json_write *w, const char *key, const struct hook_result *h, enum names which)
{
    struct buf names;
    buf_init(&names, NAMES_MAX);
    bool fits = true;
    for (size_t i = 0; i < h->count && fits; i++) {
        const struct check_result *c = &h->checks[i];
        if ((c->verdict ? PASSED : c->error.n ? ERRORED : FAILED) != which)
            continue;
        fits = (!buf_size(&names) || buf_add_str(&names, STR(", "))) && buf_add_str(&names, c->check->id);
    }
    json_write_member_string(w, key, buf_str(&names));
    buf_free(&names);
}

static void write_raw(struct json_write *w, const char *key, struct jval v)
{
    if (jdoc_has(v))
        json_write_member_raw(w, key, jdoc_raw(v));
    else
        json_write_member_null(w, key);
}

static void write_feedback(struct json_write *w, const struct hook_result *h)
{
    struct str text = h->verdict ? h->hook->on_success : h->hook->on_fail;
    struct jdoc doc;
    jdoc_init(&doc);
    struct jval feedback = {NULL, 0};
    if (text.n && jdoc_parse(&doc, text))
        feedback = jdoc_get(jdoc_root(&doc), "feedback");
    json_write_key(w, STR("feedback"));
    if (jdoc_kind(feedback) != JDOC_OBJECT) {
        json_write_null(w);
    } else {
        struct jval metadata = jdoc_get(feedback, "metadata");
        json_write_object(w);
        write_raw(w, "value", jdoc_get(feedback, "value"));
        write_raw(w, "weight", jdoc_get(feedback, "weight"));
        json_write_key(w, STR("metadata"));
        json_write_object(w);
        if (jdoc_kind(metadata) == JDOC_OBJECT)
            for (struct jval e = jdoc_first(metadata); jdoc_has(e); e = jdoc_next(metadata, e)) {
                struct arena *a = arena_new(256, 1 << 20);
                json_write_key(w, jdoc_text(e, a));
                json_write_raw(w, jdoc_raw(jdoc_value(e)));
                arena_free(a);
            }
        write_names(w, "successfulChecks", h, PASSED);
        write_names(w, "failedChecks", h, FAILED);
        write_names(w, "erroredChecks", h, ERRORED);
        json_write_object_end(w);
        json_write_object_end(w);
    }
    jdoc_free(&doc);
}

static void write_hook(struct json_write *w, const struct hook_result *h)
{
    bool transformed = false;
    for (size_t i = 0; i < h->count; i++)
        transformed = transformed || h->checks[i].transformed;
    json_write_object(w);
    json_write_member_bool(w, "verdict", h->verdict);
    json_write_member_string(w, "id", h->hook->id);
    json_write_member_bool(w, "transformed", transformed);
    json_write_key(w, STR("checks"));
    json_write_array(w);
    for (size_t i = 0; i < h->count; i++)
        write_check(w, &h->checks[i]);
    json_write_array_end(w);
    write_feedback(w, h);
    json_write_member_uint(w, "execution_time", h->took_us / 1000);
    json_write_member_bool(w, "async", h->hook->async);
    json_write_member_string(w, "type", h->hook->type);
    write_time(w, h->created_us);
    json_write_member_bool(w, "deny", h->hook->deny && !h->verdict);
    json_write_object_end(w);
}

bool hooks_results_write(const struct hook_result *hooks, size_t n, struct buf *out)
{
    struct json_write w;
    json_write_init(&w, out);
    json_write_array(&w);
    for (size_t i = 0; i < n; i++)
        if (!hooks[i].hook->async)
            write_hook(&w, &hooks[i]);
    json_write_array_end(&w);
    return json_write_done(&w);
}

bool hooks_results_json(struct buf *out, struct str before, struct str after)
{
    size_t size = buf_size(out);
    if (buf_add_str(out, STR("{\"before_request_hooks\":")) && buf_add_str(out, before.n ? before : STR("[]")) &&
        buf_add_str(out, STR(",\"after_request_hooks\":")) && buf_add_str(out, after.n ? after : STR("[]")) &&
        buf_add_str(out, STR("}")))
        return true;
    buf_cut(out, size);
    return false;
}

bool hooks_add_results(struct str body, struct str before, struct str after, struct buf *out)
{
    struct buf value;
    bool asked;
    buf_init(&value, before.n + after.n + 128);
    bool made = hooks_results_json(&value, before, after);
    struct body_member member = {STR("hook_results"), buf_str(&value)};
    struct body_edits edits = {.overrides = &member, .override_count = 1};
    made = made && body_edit(body, &edits, out, &asked) == BODY_EDIT_DONE;
    buf_free(&value);
    return made;
}

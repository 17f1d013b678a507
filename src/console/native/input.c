/* SPDX-License-Identifier: Apache-2.0 */
/* Reading admin requests with jansson; the data path never comes here. */
#include "console/native/input.h"

#include <jansson.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/must.h"

static void refuse(struct input *in, enum err e, const char *name, const char *detail)
{
    if (!in->job->status)
        job_fail(in->job, e, str_c(name), str_c(detail));
}

bool input_begin(struct input *in, struct job *j)
{
    json_error_t error;
    struct str body = buf_size(&j->body) ? buf_str(&j->body) : STR("{}");
    *in = (struct input){.job = j};
    in->root = json_loadb(body.p, body.n, JSON_REJECT_DUPLICATES, &error);
    if (!in->root || !json_is_object(in->root)) {
        refuse(in, ERR_BAD_JSON, "", in->root ? "the body is not an object" : error.text);
        json_decref(in->root);
        in->root = NULL;
        return false;
    }
    return true;
}

static json_t *member(struct input *in, const char *name)
{
    must(in->known_count < sizeof in->known / sizeof in->known[0]);
    in->known[in->known_count++] = name;
    json_t *v = json_object_get(in->root, name);
    return json_is_null(v) ? NULL : v;
}

struct str input_text(struct input *in, const char *name)
{
    json_t *v = member(in, name);
    if (!v)
        return (struct str){NULL, 0};
    if (!json_is_string(v)) {
        refuse(in, ERR_BAD_PARAMETER, name, "it must be a string");
        return (struct str){NULL, 0};
    }
    return str_of(json_string_value(v), json_string_length(v));
}

const bool *input_bool(struct input *in, const char *name, bool *store)
{
    json_t *v = member(in, name);
    if (!v)
        return NULL;
    if (!json_is_boolean(v)) {
        refuse(in, ERR_BAD_PARAMETER, name, "it must be true or false");
        return NULL;
    }
    *store = json_is_true(v);
    return store;
}

bool input_time(struct input *in, const char *name, int64_t *ret_us)
{
    bool given = json_object_get(in->root, name) != NULL;
    json_t *v = member(in, name);
    *ret_us = 0;
    if (!v)
        return given;
    if (!json_is_string(v) || !clock_parse(str_of(json_string_value(v), json_string_length(v)), ret_us)) {
        refuse(in, ERR_BAD_PARAMETER, name, "it must be a time such as 2026-12-31T00:00:00Z");
        return false;
    }
    return true;
}

struct str input_json(struct input *in, const char *name)
{
    json_t *v = member(in, name);
    char *text = v ? json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
    struct str copy = {NULL, 0};
    if (text)
        copy = arena_dup(in->job->arena, str_c(text));
    mem_free(text);
    return copy;
}

bool input_check(struct input *in)
{
    const char *name;
    json_t *v;
    json_object_foreach(in->root, name, v)
    {
        size_t i = 0;
        while (i < in->known_count && !str_eq(str_c(name), str_c(in->known[i])))
            i++;
        if (i == in->known_count)
            refuse(in, ERR_BAD_PARAMETER, name, "there is no such member here");
    }
    return in->job->status == 0;
}

void input_end(struct input *in)
{
    json_decref(in->root);
    in->root = NULL;
}

bool input_workspace(struct job *j, struct str name, int64_t *ret_id)
{
    *ret_id = j->key->workspace_id;
    if (!name.p)
        return true;
    const struct snapshot_workspace *ws = snapshot_find_workspace(j->snapshot, name);
    if (!ws || !job_enter(j, ws->id)) {
        if (!j->status)
            job_fail(j, ERR_NOT_FOUND, STR("workspace"), STR(""));
        return false;
    }
    *ret_id = ws->id;
    return true;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Deployments through jansson. Sizes are bounded before parsing (the text) and while reading (the
 * count); names are checked since they become part of an upstream path.
 */
#include "control/deployment.h"

#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "base/must.h"
#include "control/control_text.h"

#define TEXT_MAX 65536

struct reader {
    struct arena *arena;
    struct snapshot_deployment *list;
    size_t count;
    char *why;
    size_t why_cap;
};

static enum err bad(struct reader *r, const char *sentence)
{
    snprintf(r->why, r->why_cap, "deployments: %s", sentence);
    return ERR_BAD_PARAMETER;
}

/* A string member, checked and copied. A missing one is "". */
static enum err read_member(struct reader *r, const json_t *object, const char *member, struct str *ret_text)
{
    const json_t *value = json_object_get(object, member);
    if (!value || json_is_null(value)) {
        *ret_text = STR("");
        return ERR_OK;
    }
    struct str text = str_of(json_string_value(value), json_string_length(value));
    if (!json_is_string(value) || !control_text_is_token(text, 100)) {
        snprintf(r->why, r->why_cap,
                 "deployments: '%s' must be a text of 1 to 100 letters, digits, '-', '_', '.' or ':'.", member);
        return ERR_BAD_PARAMETER;
    }
    *ret_text = arena_dup(r->arena, text);
    return ret_text->p ? ERR_OK : ERR_OVERLOADED;
}

static enum err add(struct reader *r, struct snapshot_deployment d)
{
    if (d.alias.n == 0 || d.deployment.n == 0)
        return bad(r, "each entry needs 'alias' and 'deployment'.");
    if (d.api_version.n > 0 && !control_text_is_api_version(d.api_version))
        return bad(r, "'api_version' must be 'v1' or a date such as 2024-10-21 or 2025-04-01-preview.");
    for (size_t i = 0; i < r->count; i++) {
        if (str_eq(r->list[i].alias, d.alias))
            return bad(r, "an alias appears twice.");
        if (r->list[i].is_default && d.is_default)
            return bad(r, "more than one entry is the default.");
    }
    must(r->count < DEPLOYMENT_MAX);
    r->list[r->count++] = d;
    return ERR_OK;
}

static enum err read_entry(struct reader *r, const json_t *entry)
{
    struct snapshot_deployment d = {0};
    if (!json_is_object(entry))
        return bad(r, "each entry of the array must be an object.");
    static const char *const known[] = {"alias", "deployment", "model", "api_version", "default"};
    size_t seen = 0;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        seen += json_object_get(entry, known[i]) != NULL;
    if (seen != json_object_size(entry))
        return bad(r, "an entry may have 'alias', 'deployment', 'model', 'api_version' and 'default' only.");
    const json_t *is_default = json_object_get(entry, "default");
    if (is_default && !json_is_boolean(is_default))
        return bad(r, "'default' must be true or false.");
    d.is_default = json_is_true(is_default);
    enum err e = read_member(r, entry, "alias", &d.alias);
    if (e == ERR_OK)
        e = read_member(r, entry, "deployment", &d.deployment);
    if (e == ERR_OK)
        e = read_member(r, entry, "model", &d.model);
    if (e == ERR_OK)
        e = read_member(r, entry, "api_version", &d.api_version);
    return e == ERR_OK ? add(r, d) : e;
}

/* {"alias": "deployment", …} */
static enum err read_map(struct reader *r, json_t *map)
{
    const char *alias;
    json_t *value;
    json_object_foreach(map, alias, value)
    {
        struct snapshot_deployment d = {0};
        struct str name = str_c(alias);
        if (!control_text_is_token(name, 100))
            return bad(r, "an alias must have 1 to 100 letters, digits, '-', '_', '.' or ':'.");
        struct str text = str_of(json_string_value(value), json_string_length(value));
        if (!json_is_string(value) || !control_text_is_token(text, 100))
            return bad(r, "a deployment name must be a text of 1 to 100 letters, digits, '-', '_', '.' or ':'.");
        d.alias = arena_dup(r->arena, name);
        d.deployment = arena_dup(r->arena, text);
        if (!d.alias.p || !d.deployment.p)
            return ERR_OVERLOADED;
        enum err e = add(r, d);
        if (e != ERR_OK)
            return e;
    }
    return ERR_OK;
}

static enum err read_root(struct reader *r, json_t *root)
{
    size_t size = json_is_array(root) ? json_array_size(root) : json_object_size(root);
    if (!json_is_array(root) && !json_is_object(root))
        return bad(r, "must be a JSON object or array.");
    if (size > DEPLOYMENT_MAX)
        return bad(r, "more than 200 entries.");
    if (json_is_object(root))
        return read_map(r, root);
    for (size_t i = 0; i < size; i++) {
        enum err e = read_entry(r, json_array_get(root, i));
        if (e != ERR_OK)
            return e;
    }
    return ERR_OK;
}

enum err deployment_read(struct str json, struct arena *a, struct snapshot_deployment **ret_list, size_t *ret_count,
                         char *why, size_t why_cap)
{
    struct reader r = {.arena = a, .why = why, .why_cap = why_cap};
    json_error_t at;
    if (json.n == 0) {
        *ret_list = NULL;
        *ret_count = 0;
        return ERR_OK;
    }
    if (json.n > TEXT_MAX)
        return bad(&r, "the text is longer than 64 KiB.");
    r.list = arena_alloc(a, DEPLOYMENT_MAX * sizeof *r.list);
    if (!r.list)
        return ERR_OVERLOADED;
    json_t *root = json_loadb(json.p, json.n, JSON_REJECT_DUPLICATES, &at);
    if (!root) {
        snprintf(why, why_cap, "deployments: not valid JSON (%s, at byte %d).", at.text, at.position);
        return ERR_BAD_PARAMETER;
    }
    enum err e = read_root(&r, root);
    json_decref(root);
    if (e != ERR_OK)
        return e;
    *ret_list = r.list;
    *ret_count = r.count;
    return ERR_OK;
}

static void set_text(json_t *object, const char *member, struct str text)
{
    if (text.n > 0)
        must(json_object_set_new(object, member, json_stringn(text.p, text.n)) == 0);
}

enum err deployment_write(const struct snapshot_deployment *list, size_t count, struct arena *a, struct str *ret_json)
{
    if (count == 0) {
        *ret_json = STR("");
        return ERR_OK;
    }
    json_t *root = json_array();
    for (size_t i = 0; i < count; i++) {
        json_t *entry = json_object();
        set_text(entry, "alias", list[i].alias);
        set_text(entry, "deployment", list[i].deployment);
        set_text(entry, "model", list[i].model);
        set_text(entry, "api_version", list[i].api_version);
        if (list[i].is_default)
            must(json_object_set_new(entry, "default", json_true()) == 0);
        must(json_array_append_new(root, entry) == 0);
    }
    size_t size = json_dumpb(root, NULL, 0, JSON_COMPACT);
    char *text = arena_alloc(a, size + 1);
    if (text)
        must(json_dumpb(root, text, size, JSON_COMPACT) == size);
    json_decref(root);
    if (!text)
        return ERR_OVERLOADED;
    *ret_json = str_of(text, size);
    return ERR_OK;
}

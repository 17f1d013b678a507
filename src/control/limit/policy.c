/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compiling is done when a snapshot is made; asking costs a comparison a condition, and for metadata
 * a search through its object. Nothing is remembered between two questions.
 */
#include "control/limit/policy.h"

#include <string.h>

#include "base/json/jdoc.h"
#include "base/json_text.h"
#include "base/must.h"
#include "openai/body_edit.h"

#define MODEL_TEXT_MAX 512

static const struct {
    const char *key;
    bool late;
} subjects[] = {
#define X(name, key, late) {key, late},
    POLICY_SUBJECT_TABLE(X)
#undef X
};

const char *policy_subject_key(enum policy_subject s)
{
    must((unsigned)s < POLICY_SUBJECT_COUNT);
    return subjects[s].key;
}

/* ---- compiling ---- */

static bool read_subject(struct str key, enum policy_subject *ret_subject, struct str *ret_field)
{
    for (unsigned i = 0; i < POLICY_SUBJECT_COUNT; i++) {
        struct str known = str_c(subjects[i].key);
        bool has_field = i == POLICY_METADATA;
        if (has_field ? str_starts(key, known) && key.n > known.n && key.n <= known.n + POLICY_VALUE_MAX
                      : str_eq(key, known)) {
            *ret_subject = (enum policy_subject)i;
            *ret_field = has_field ? str_from(key, known.n) : STR("");
            return true;
        }
    }
    return false;
}

static void note(struct policy *p, enum policy_subject subject)
{
    p->late = p->late || subjects[subject].late;
    p->metadata = p->metadata || subject == POLICY_METADATA;
}

static const char *read_key(struct jval object, struct arena *a, enum policy_subject *ret_subject,
                            struct str *ret_field)
{
    struct jval key = jdoc_get(object, "key");
    struct str text = jdoc_text(key, a);
    if (jdoc_kind(key) != JDOC_STRING || !read_subject(text, ret_subject, ret_field))
        return "Each \"key\" is one of api_key, metadata.<name>, workspace_id, virtual_key, provider, config, prompt, "
               "model.";
    return NULL;
}

static const char *read_values(struct jval v, struct arena *a, struct policy_condition *c)
{
    static const char bad[] =
        "A condition's \"value\" or \"excludes\" is a text of 1 to 256 bytes or a list of 1 to 64 "
        "of them.";
    bool list = jdoc_kind(v) == JDOC_ARRAY;
    uint32_t n = list ? jdoc_size(v) : 1;
    if (n < 1 || n > POLICY_VALUES_MAX)
        return bad;
    struct str *values = arena_alloc(a, n * sizeof *values);
    if (!values)
        return "The policy is too large.";
    struct jval e = list ? jdoc_first(v) : v;
    for (uint32_t i = 0; i < n; i++, e = list ? jdoc_next(v, e) : e) {
        struct str text = jdoc_text(e, a);
        if (jdoc_kind(e) != JDOC_STRING || text.n < 1 || text.n > POLICY_VALUE_MAX)
            return bad;
        values[i] = arena_dup(a, text);
        if (!values[i].p)
            return "The policy is too large.";
    }
    c->values = values;
    c->value_count = n;
    return NULL;
}

static const char *read_condition(struct jval e, struct arena *a, struct policy_condition *c)
{
    struct jval value = jdoc_find(e, "value"), excludes = jdoc_find(e, "excludes");
    if (jdoc_kind(e) != JDOC_OBJECT || jdoc_has(value) == jdoc_has(excludes))
        return "Each condition is an object with \"key\" and either \"value\" or \"excludes\".";
    const char *bad = read_key(e, a, &c->subject, &c->field);
    if (bad)
        return bad;
    c->field = arena_dup(a, c->field);
    c->excludes = jdoc_has(excludes);
    return read_values(c->excludes ? excludes : value, a, c);
}

static const char *read_conditions(struct jval list, struct arena *a, struct policy *p)
{
    uint32_t n = jdoc_size(list);
    if (jdoc_kind(list) != JDOC_ARRAY || n > POLICY_CONDITIONS_MAX)
        return "\"conditions\" is a list of at most 16 objects.";
    struct policy_condition *all = arena_alloc(a, (n + 1) * sizeof *all);
    if (!all)
        return "The policy is too large.";
    uint32_t i = 0;
    for (struct jval e = jdoc_first(list); jdoc_has(e); e = jdoc_next(list, e), i++) {
        const char *bad = read_condition(e, a, &all[i]);
        if (bad)
            return bad;
        note(p, all[i].subject);
    }
    p->conditions = all;
    p->condition_count = n;
    return NULL;
}

static const char *read_groups(struct jval list, struct arena *a, struct policy *p)
{
    uint32_t n = jdoc_size(list), i = 0;
    if (jdoc_kind(list) != JDOC_ARRAY || n > POLICY_GROUPS_MAX)
        return "\"group_by\" is a list of at most 4 objects.";
    for (struct jval e = jdoc_first(list); jdoc_has(e); e = jdoc_next(list, e), i++) {
        struct policy_group *g = &p->groups[i];
        const char *bad = jdoc_kind(e) == JDOC_OBJECT ? read_key(e, a, &g->subject, &g->field)
                                                      : "Each element of \"group_by\" is an object with \"key\".";
        if (bad)
            return bad;
        g->field = arena_dup(a, g->field);
        note(p, g->subject);
    }
    p->group_count = n;
    return NULL;
}

/* One of the two texts; "" is an empty list. */
static const char *read_list(struct str text, struct arena *a, struct policy *p,
                             const char *(*read)(struct jval list, struct arena *a, struct policy *p))
{
    struct jdoc doc;
    const char *bad;
    if (!text.n)
        return NULL;
    if (text.n > POLICY_TEXT_MAX)
        return "The policy is too large: 16 KiB of conditions at most.";
    jdoc_init(&doc);
    bad = jdoc_parse(&doc, text) ? read(jdoc_root(&doc), a, p) : "This is not JSON.";
    jdoc_free(&doc);
    return bad;
}

const char *policy_compile(struct str conditions, struct str group_by, struct arena *a, struct policy *ret,
                           const char **ret_param)
{
    struct policy p = {0};
    *ret_param = "conditions";
    const char *bad = read_list(conditions, a, &p, read_conditions);
    if (!bad) {
        *ret_param = "group_by";
        bad = read_list(group_by, a, &p, read_groups);
    }
    if (bad)
        return bad;
    *ret_param = "";
    *ret = p;
    return NULL;
}

/* ---- asking ---- */

/* "*", "prefix/" and "*", or the text itself. */
static bool fits(struct str pattern, struct str value)
{
    if (!value.n)
        return false;
    if (str_eq(pattern, STR("*")))
        return true;
    if (str_ends(pattern, STR("/*")))
        return str_starts(value, str_head(pattern, pattern.n - 1));
    return str_eq(pattern, value);
}

static struct str bare(struct str slug)
{
    return slug.n && slug.p[0] == '@' ? str_from(slug, 1) : slug;
}

static bool fits_provider(struct str pattern, const struct policy_facts *f)
{
    return fits(bare(pattern), f->integration) || fits(bare(pattern), f->provider);
}

static bool fits_model_of(struct str pattern, struct str provider, struct str model)
{
    char text[MODEL_TEXT_MAX];
    if (!provider.n || provider.n + model.n + 2 > sizeof text)
        return false;
    text[0] = '@';
    memcpy(text + 1, provider.p, provider.n);
    text[1 + provider.n] = '/';
    memcpy(text + provider.n + 2, model.p, model.n);
    return fits(pattern, str_of(text, provider.n + model.n + 2));
}

static bool fits_model(struct str pattern, const struct policy_facts *f)
{
    if (!f->model.n)
        return false;
    if (pattern.p[0] != '@')
        return fits(pattern, f->model);
    return fits_model_of(pattern, f->integration, f->model) || fits_model_of(pattern, f->provider, f->model);
}

/* A member of the metadata as text: strings unescaped, other scalars as they stand. "" = not there. */
static struct str metadata_value(struct str metadata, struct str field, char *room, size_t cap)
{
    struct str raw = metadata.n ? body_member_find(metadata, field) : STR("");
    if (!raw.p || !raw.n || raw.p[0] == '{' || raw.p[0] == '[' || str_eq(raw, STR("null")))
        return STR("");
    if (raw.p[0] != '"')
        return str_head(raw, cap);
    return str_of(room, json_unescape(str_of(raw.p + 1, raw.n - 2), room, cap, NULL));
}

/* What the subject is called in a group's text. */
static struct str value_of(enum policy_subject subject, struct str field, const struct policy_facts *f, char *room,
                           size_t cap)
{
    switch (subject) {
    case POLICY_API_KEY:
        return f->api_key;
    case POLICY_METADATA:
        return metadata_value(f->metadata, field, room, cap);
    case POLICY_WORKSPACE:
        return f->workspace;
    case POLICY_VIRTUAL_KEY:
    case POLICY_PROVIDER:
        return f->integration.n ? f->integration : f->provider;
    case POLICY_CONFIG:
        return f->config;
    case POLICY_PROMPT:
        return f->prompt;
    case POLICY_MODEL:
        return f->model;
    case POLICY_SUBJECT_COUNT:
        break;
    }
    must(subject < POLICY_SUBJECT_COUNT);
    return STR("");
}

static bool value_fits(const struct policy_condition *c, struct str pattern, struct str value,
                       const struct policy_facts *f)
{
    switch (c->subject) {
    case POLICY_MODEL:
        return fits_model(pattern, f);
    case POLICY_VIRTUAL_KEY:
    case POLICY_PROVIDER:
        return fits_provider(pattern, f);
    case POLICY_API_KEY:
        return fits(pattern, value) || fits(pattern, f->api_key_name);
    default:
        return fits(pattern, value);
    }
}

static bool holds(const struct policy_condition *c, const struct policy_facts *f)
{
    char room[POLICY_VALUE_MAX];
    struct str value = value_of(c->subject, c->field, f, room, sizeof room);
    for (uint32_t i = 0; i < c->value_count; i++)
        if (value_fits(c, c->values[i], value, f))
            return !c->excludes;
    return c->excludes;
}

bool policy_matches(const struct policy *p, const struct policy_facts *facts)
{
    for (uint32_t i = 0; i < p->condition_count; i++)
        if (!holds(&p->conditions[i], facts))
            return false;
    return true;
}

/* At most so many bytes, no character of UTF-8 halved; separators become spaces. */
static size_t put_value(struct str value, char *out)
{
    size_t n = value.n;
    if (n > POLICY_GROUP_VALUE_MAX) {
        n = POLICY_GROUP_VALUE_MAX;
        while (n > 0 && ((unsigned char)value.p[n] & 0xc0) == 0x80)
            n--;
    }
    for (size_t i = 0; i < n; i++)
        out[i] = value.p[i] == POLICY_SEPARATOR ? ' ' : value.p[i];
    return n;
}

bool policy_group_text(const struct policy *p, const struct policy_facts *facts, char *out, size_t *ret_n)
{
    char room[POLICY_VALUE_MAX];
    size_t n = 0;
    for (uint32_t i = 0; i < p->group_count; i++) {
        struct str value = value_of(p->groups[i].subject, p->groups[i].field, facts, room, sizeof room);
        if (!value.n)
            return false;
        if (i)
            out[n++] = POLICY_SEPARATOR;
        n += put_value(value, out + n);
    }
    *ret_n = n;
    return true;
}

/* FNV-1a. */
uint64_t policy_group_number(struct str group_text)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < group_text.n; i++)
        h = (h ^ (unsigned char)group_text.p[i]) * UINT64_C(0x100000001b3);
    return h;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fields are watched by json_scan; what is done with a value is a table: into which member of
 * the struct it goes and how it is read. Only a few fields need code of their own.
 */
#include "openai/request_facts.h"

#include <pthread.h>
#include <stddef.h>

#include "base/json_text.h"
#include "base/must.h"

/* Watched beside the fields. */
enum { ID_ROOT = REQUEST_FIELD_COUNT + 1, ID_FORMAT_TYPE };

static const struct json_path paths[] = {
#define X(name, path) {path, REQUEST_FIELD_##name + 1},
    REQUEST_FIELD_TABLE(X)
#undef X
        {"", ID_ROOT},
    {"response_format.type", ID_FORMAT_TYPE},
};

static const char *const path_texts[] = {
#define X(name, path) path,
    REQUEST_FIELD_TABLE(X)
#undef X
};

enum reading { READ_NONE, READ_TEXT, READ_COUNT, READ_MILLI, READ_LIMIT, READ_BOOL };

struct rule {
    uint8_t reading;
    uint16_t at, size; /* the member of struct request_facts */
    uint16_t place;    /* where to note the value's place; 0 = nowhere */
};

#define TO(member) .at = offsetof(struct request_facts, member), .size = sizeof(((struct request_facts *)0)->member)
#define PLACE(member) .place = offsetof(struct request_facts, member)

static const struct rule rules[REQUEST_FIELD_COUNT] = {
    [REQUEST_FIELD_MODEL] = {READ_TEXT, TO(model), PLACE(model_at)},
    [REQUEST_FIELD_STREAM] = {READ_BOOL, TO(stream)},
    [REQUEST_FIELD_STREAM_OPTIONS] = {READ_NONE, PLACE(stream_options_at)},
    [REQUEST_FIELD_INCLUDE_USAGE] = {READ_BOOL, TO(include_usage), PLACE(include_usage_at)},
    [REQUEST_FIELD_N] = {READ_COUNT, TO(n)},
    [REQUEST_FIELD_BEST_OF] = {READ_COUNT, TO(best_of)},
    [REQUEST_FIELD_MAX_TOKENS] = {READ_LIMIT, TO(max_tokens)},
    [REQUEST_FIELD_MAX_COMPLETION_TOKENS] = {READ_LIMIT, TO(max_tokens)},
    [REQUEST_FIELD_MAX_OUTPUT_TOKENS] = {READ_LIMIT, TO(max_tokens)},
    [REQUEST_FIELD_SERVICE_TIER] = {READ_TEXT, TO(service_tier), PLACE(service_tier_at)},
    [REQUEST_FIELD_USER] = {READ_TEXT, TO(user)},
    [REQUEST_FIELD_SAFETY_IDENTIFIER] = {READ_TEXT, TO(safety_identifier)},
    [REQUEST_FIELD_PROMPT_CACHE_KEY] = {READ_TEXT, TO(prompt_cache_key)},
    [REQUEST_FIELD_BACKGROUND] = {READ_BOOL, TO(background)},
    [REQUEST_FIELD_STORE] = {READ_BOOL, TO(store)},
    [REQUEST_FIELD_QUALITY] = {READ_TEXT, TO(quality)},
    [REQUEST_FIELD_SIZE] = {READ_TEXT, TO(size_text)},
    [REQUEST_FIELD_SECONDS] = {READ_MILLI, TO(seconds_ms)},
    [REQUEST_FIELD_RESPONSE_FORMAT] = {READ_TEXT, TO(response_format)},
    [REQUEST_FIELD_STREAM_FORMAT] = {READ_TEXT, TO(stream_format)},
    [REQUEST_FIELD_METADATA] = {READ_NONE, PLACE(metadata_at)},
    [REQUEST_FIELD_DIMENSIONS] = {READ_COUNT, TO(dimensions)},
    [REQUEST_FIELD_ENCODING_FORMAT] = {READ_TEXT, TO(encoding_format)},
    [REQUEST_FIELD_REASONING_EFFORT] = {READ_TEXT, TO(reasoning_effort)},
};

/* The bit masks have room for all. */
_Static_assert(REQUEST_FIELD_COUNT <= 32, "more fields than bits");

static struct json_watch *watch;

static void make_watch(void)
{
    watch = json_watch_new(paths, sizeof(paths) / sizeof(paths[0]));
}

const char *request_field_path(enum request_field f)
{
    must(f < REQUEST_FIELD_COUNT);
    return path_texts[f];
}

/* A member of the facts by its offset in the table. */
static void *member(struct request_facts *f, uint16_t at)
{
    return (char *)f + at;
}

static void read_text(struct request_facts *f, const struct rule *rule, uint32_t bit, const struct json_value *v)
{
    if (v->kind != JSON_STRING) {
        f->invalid |= bit;
        return;
    }
    if (v->flags & JSON_FIRST)
        f->text_n = 0;
    f->text_n = json_unescape_more(v->raw, member(f, rule->at), rule->size, f->text_n);
    if (f->text_n == JSON_TEXT_CUT)
        f->invalid |= bit;
    /* With a NUL inside it is not what the copy shows. */
    if (v->flags & JSON_ESCAPED && json_has_nul(v->raw))
        f->invalid |= bit;
}

static void read_number(struct request_facts *f, const struct rule *rule, uint32_t bit, const struct json_value *v)
{
    uint64_t value;
    bool number = v->kind == JSON_NUMBER || (v->kind == JSON_STRING && rule->reading == READ_MILLI);
    if (!number || !json_value_whole(v) ||
        !(rule->reading == READ_MILLI ? json_to_milli(v->raw, &value) : json_to_count(v->raw, &value))) {
        f->invalid |= bit;
        return;
    }
    uint64_t *to = member(f, rule->at);
    if (rule->reading != READ_LIMIT || value > *to)
        *to = value;
}

static void read_bool(struct request_facts *f, const struct rule *rule, uint32_t bit, const struct json_value *v)
{
    *(bool *)member(f, rule->at) = v->kind == JSON_TRUE;
    if (v->kind != JSON_TRUE && v->kind != JSON_FALSE)
        f->invalid |= bit;
}

/* Fields whose meaning is more than a copy. */
static void read_special(struct request_facts *f, enum request_field field, const struct json_value *v)
{
    switch (field) {
    case REQUEST_FIELD_STORE:
        f->store_given = v->kind == JSON_TRUE || v->kind == JSON_FALSE;
        break;
    case REQUEST_FIELD_STREAM_OPTIONS:
        f->options_empty = v->kind == JSON_OBJECT_END && (v->flags & JSON_EMPTY) != 0;
        break;
    case REQUEST_FIELD_CACHE_TTL:
        f->cache_12h = v->kind == JSON_STRING && json_value_whole(v) && json_string_eq(v->raw, STR("12h"));
        break;
    case REQUEST_FIELD_MODALITY:
        f->audio_wanted |= v->kind == JSON_STRING && json_value_whole(v) && json_string_eq(v->raw, STR("audio"));
        break;
    case REQUEST_FIELD_INPUT:
        if (v->flags & JSON_FIRST)
            f->input_chars = 0;
        if (v->kind == JSON_STRING)
            f->input_chars += json_code_points(v->raw);
        break;
    default:
        break;
    }
}

/* Member by member: bytes between them stay zero, so that facts can be compared as bytes. */
static void note_place(struct request_place *place, const struct json_value *v)
{
    if (v->flags & JSON_FIRST) {
        place->key_start = v->key_start;
        place->start = v->start;
        place->kind = v->kind;
    }
    place->end = v->flags & JSON_LAST ? v->end : 0;
}

static void on_field(struct request_facts *f, enum request_field field, const struct json_value *v)
{
    const struct rule *rule = &rules[field];
    uint32_t bit = UINT32_C(1) << field;
    if (v->flags & JSON_DUPLICATE)
        f->duplicates |= bit;
    if (rule->place)
        note_place(member(f, rule->place), v);
    if (v->kind == JSON_NULL)
        return;
    f->present |= bit;
    read_special(f, field, v);
    bool format_object = field == REQUEST_FIELD_RESPONSE_FORMAT && v->kind != JSON_STRING;
    if (v->kind == JSON_OBJECT_END || v->kind == JSON_ARRAY_END || format_object)
        return;
    switch (rule->reading) {
    case READ_TEXT:
        read_text(f, rule, bit, v);
        break;
    case READ_COUNT:
    case READ_MILLI:
    case READ_LIMIT:
        read_number(f, rule, bit, v);
        break;
    case READ_BOOL:
        read_bool(f, rule, bit, v);
        break;
    default:
        break;
    }
}

static void on_root(struct request_facts *f, const struct json_value *v)
{
    if (v->kind == JSON_OBJECT) {
        f->is_object = true;
        f->brace = v->start;
    } else if (v->kind == JSON_OBJECT_END) {
        f->object_empty = (v->flags & JSON_EMPTY) != 0;
    }
}

static void on_value(void *arg, const struct json_value *v)
{
    struct request_facts *f = arg;
    if (v->id == ID_ROOT)
        on_root(f, v);
    else if (v->id == ID_FORMAT_TYPE)
        read_text(f, &rules[REQUEST_FIELD_RESPONSE_FORMAT], UINT32_C(1) << REQUEST_FIELD_RESPONSE_FORMAT, v);
    else
        on_field(f, (enum request_field)(v->id - 1), v);
}

void request_facts_init(struct request_facts *f)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    must(pthread_once(&once, make_watch) == 0);
    memset(f, 0, sizeof(*f));
    json_scan_init(&f->scan, watch, on_value, f);
}

enum json_status request_facts_feed(struct request_facts *f, const char *p, size_t n)
{
    f->size += n;
    f->status = json_scan_feed(&f->scan, p, n);
    return f->status;
}

enum json_status request_facts_end(struct request_facts *f)
{
    f->status = json_scan_end(&f->scan);
    return f->status;
}

void request_facts_form_field(struct request_facts *f, struct str name, struct str value)
{
    for (unsigned i = 0; i < REQUEST_FIELD_COUNT; i++) {
        if (!str_eq(name, str_c(path_texts[i])) || rules[i].reading == READ_NONE)
            continue;
        const struct rule *rule = &rules[i];
        uint32_t bit = UINT32_C(1) << i;
        bool truth = str_eq(value, STR("true"));
        enum json_kind kind = rule->reading == READ_TEXT   ? JSON_STRING
                              : rule->reading != READ_BOOL ? JSON_NUMBER
                              : truth                      ? JSON_TRUE
                                                           : JSON_FALSE;
        if (f->present & bit)
            f->duplicates |= bit;
        f->present |= bit;
        if (rule->reading == READ_TEXT) {
            /* Not JSON: a backslash is a backslash. */
            str_copy(member(f, rule->at), rule->size, value);
            if (value.n >= rule->size || str_find(value, '\0') >= 0)
                f->invalid |= bit;
            return;
        }
        struct json_value v = {.kind = (uint8_t)kind, .flags = JSON_FIRST | JSON_LAST, .raw = value};
        if (rule->reading == READ_BOOL)
            read_bool(f, rule, bit, &v);
        else
            read_number(f, rule, bit, &v);
        return;
    }
}

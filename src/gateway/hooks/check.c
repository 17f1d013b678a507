/* SPDX-License-Identifier: Apache-2.0 */
/* The table of checks, and the readers of parameters they share. */
#include "gateway/hooks/check.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/json_text.h"
#include "base/utf8.h"
#include "gateway/hooks/check_json.h"
#include "gateway/hooks/check_replace.h"
#include "gateway/hooks/check_request.h"
#include "gateway/hooks/check_text.h"

/* Columns: name behind "default.", kind, function, parameters. */
#define CHECK_TABLE(X)                                                                                         \
    X("regexMatch", TEXT, check_text_regex_match, "rule, not")                                                 \
    X("sentenceCount", TEXT, check_text_sentence_count, "minSentences, maxSentences, not")                     \
    X("wordCount", TEXT, check_text_word_count, "minWords, maxWords, not")                                     \
    X("characterCount", TEXT, check_text_character_count, "minCharacters, maxCharacters, not")                 \
    X("contains", TEXT, check_text_contains, "words, operator (any, all, none)")                               \
    X("endsWith", TEXT, check_text_ends_with, "suffix, not")                                                   \
    X("alluppercase", TEXT, check_text_all_uppercase, "not")                                                   \
    X("alllowercase", TEXT, check_text_all_lowercase, "not")                                                   \
    X("notNull", TEXT, check_text_not_null, "not")                                                             \
    X("containsCode", TEXT, check_text_contains_code, "format, not")                                           \
    X("validUrls", TEXT, check_text_valid_urls, "onlyDNS, not")                                                \
    X("jsonSchema", TEXT, check_json_schema, "schema, not")                                                    \
    X("jsonKeys", TEXT, check_json_keys, "keys, operator (any, all, none)")                                    \
    X("modelwhitelist", REQUEST, check_request_model_whitelist, "models, not")                                 \
    X("modelWhitelist", REQUEST, check_request_model_whitelist, "models, not")                                 \
    X("modelRules", REQUEST, check_request_model_rules, "rules, not")                                          \
    X("requiredMetadataKeys", REQUEST, check_request_metadata_keys, "metadataKeys, operator (any, all, none)") \
    X("allowedRequestTypes", REQUEST, check_request_allowed_types, "allowedTypes, blockedTypes")               \
    X("requestParametersCheck", REQUEST, check_request_parameters, "tools, params")                            \
    X("addPrefix", MUTATOR, check_request_add_prefix, "prefix, applyToRole, addToExisting, onlyIfEmpty")       \
    X("regexReplace", MUTATOR, check_replace_regex, "rule, redactText, failOnDetection")                       \
    X("webhook", REMOTE, NULL, "webhookURL, headers, timeout")                                                 \
    X("log", REMOTE, NULL, "logURL, headers, timeout")

static const struct check table[] = {
#define X(name, kind, run, parameters) {{"default." name, sizeof("default." name) - 1}, CHECK_##kind, run, parameters},
    CHECK_TABLE(X)
#undef X
};

const struct check *check_rows(size_t *ret_count)
{
    *ret_count = sizeof table / sizeof *table;
    return table;
}

const struct check *check_find(struct str id)
{
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (str_eq(table[i].id, id))
            return &table[i];
    return NULL;
}

void check_error(struct check_outcome *out, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(out->error, sizeof out->error, format, args);
    va_end(args);
}

void check_explain(struct check_outcome *out, const char *format, ...)
{
    char text[300];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    size_t size = n < 0 ? 0 : (size_t)n < sizeof text ? (size_t)n : sizeof text - 1;
    json_write_member_string(out->data, "explanation", str_of(text, size));
}

void check_decide(struct jval parameters, bool found, struct check_outcome *out)
{
    bool not = jdoc_true(jdoc_get(parameters, "not"));
    out->verdict = found != not ;
    json_write_member_bool(out->data, "not", not );
    json_write_member_bool(out->data, "verdict", out->verdict);
}

void check_excerpt(const struct check_input *in, struct check_outcome *out)
{
    size_t n = 0, characters = 0;
    while (n < in->text.n && characters < CHECK_EXCERPT_MAX) {
        n++;
        while (n < in->text.n && ((unsigned char)in->text.p[n] & 0xc0) == 0x80)
            n++;
        characters++;
    }
    char text[CHECK_EXCERPT_MAX * 4 + 4];
    n = n < sizeof text - 4 ? n : sizeof text - 4;
    bool cut = n < in->text.n;
    memcpy(text, in->text.p, n);
    memcpy(text + n, "...", 3);
    json_write_member_string(out->data, "textExcerpt", str_of(text, cut ? n + 3 : n));
}

bool check_charge(const struct check_input *in, uint64_t bytes, struct check_outcome *out)
{
    if (bytes > in->budget->bytes) {
        check_error(out, "The checks of this request are too many for a text of this size.");
        return false;
    }
    in->budget->bytes -= bytes;
    return true;
}

bool check_value(const struct check_input *in, struct jval v, struct str *ret, struct check_outcome *out)
{
    *ret = jdoc_text(v, in->arena);
    bool fits = ret->n || !jdoc_escaped(v).n;
    if (jdoc_kind(v) == JDOC_STRING && fits)
        return true;
    check_error(out, fits ? "A string was expected." : "There is no room for a text of this size.");
    return false;
}

bool check_string(const struct check_input *in, struct jval parameters, const char *name, struct str *ret,
                  struct check_outcome *out)
{
    struct jval v = jdoc_get(parameters, name);
    if (jdoc_escaped(v).n)
        return check_value(in, v, ret, out);
    check_error(out, "The parameter '%s' must be a string that is not empty.", name);
    return false;
}

static bool limit_of(struct jval parameters, const char *name, uint64_t missing, uint64_t *ret,
                     struct check_outcome *out)
{
    struct jval v = jdoc_find(parameters, name);
    *ret = missing;
    if (!jdoc_has(v) || (jdoc_kind(v) == JDOC_NUMBER && json_to_count(jdoc_raw(v), ret)))
        return true;
    check_error(out, "The parameter '%s' must be a whole number that is not negative.", name);
    return false;
}

bool check_range_of(struct jval parameters, const char *min, const char *max, struct check_range *ret,
                    struct check_outcome *out)
{
    if (!limit_of(parameters, min, 0, &ret->min, out) || !limit_of(parameters, max, UINT64_MAX, &ret->max, out))
        return false;
    if (jdoc_has(jdoc_find(parameters, min)) || jdoc_has(jdoc_find(parameters, max)))
        return true;
    check_error(out, "One of the parameters '%s' and '%s' must be given.", min, max);
    return false;
}

void check_in_range(struct jval parameters, const char *what, uint64_t count, const struct check_range *range,
                    const struct check_input *in, struct check_outcome *out)
{
    bool inside = count >= range->min && count <= range->max;
    json_write_member_uint(out->data, what, count);
    json_write_member_uint(out->data, "minCount", range->min);
    if (range->max == UINT64_MAX)
        json_write_member_null(out->data, "maxCount");
    else
        json_write_member_uint(out->data, "maxCount", range->max);
    check_decide(parameters, inside, out);
    check_explain(out, "%s is %llu, which is %s the range.", what, (unsigned long long)count,
                  inside ? "within" : "outside");
    check_excerpt(in, out);
}

bool check_operator_of(struct jval parameters, enum check_operator *ret, struct check_outcome *out)
{
    static const char *const words[] = {[CHECK_ANY] = "any", [CHECK_ALL] = "all", [CHECK_NONE] = "none"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (jdoc_is(jdoc_get(parameters, "operator"), words[i])) {
            *ret = (enum check_operator)i;
            json_write_member_string(out->data, "operator", str_c(words[i]));
            return true;
        }
    check_error(out, "The parameter 'operator' must be \"any\", \"all\" or \"none\".");
    return false;
}

bool check_operator_holds(enum check_operator op, size_t found, size_t of)
{
    return op == CHECK_ANY ? found > 0 : op == CHECK_ALL ? found == of : found == 0;
}

/* At most this many words are in the list. */
static size_t words_in(const struct check_input *in, struct jval list)
{
    size_t n = jdoc_kind(list) == JDOC_ARRAY ? jdoc_size(list) : 1;
    struct str text = jdoc_text(list, in->arena);
    for (size_t i = 0; i < text.n; i++)
        n += text.p[i] == ',';
    return n;
}

static bool words_read(const struct check_input *in, struct jval list, struct check_words *ret,
                       struct check_outcome *out)
{
    struct str text, part;
    if (jdoc_kind(list) == JDOC_STRING) {
        if (!check_value(in, list, &text, out))
            return false;
        while (str_split(&text, ',', &part))
            if ((part = str_trim(part)).n)
                ret->list[ret->n++] = part;
        return true;
    }
    for (struct jval e = jdoc_first(list); jdoc_has(e); e = jdoc_next(list, e))
        if (!check_value(in, e, &ret->list[ret->n++], out))
            return false;
    return true;
}

bool check_words_of(const struct check_input *in, struct jval list, const char *name, struct check_words *ret,
                    struct check_outcome *out)
{
    enum jdoc_kind kind = jdoc_kind(list);
    *ret = (struct check_words){NULL, 0};
    if (kind == JDOC_ABSENT || kind == JDOC_NULL)
        return true;
    size_t n = words_in(in, list);
    if ((kind == JDOC_ARRAY || kind == JDOC_STRING) && n <= CHECK_WORDS_MAX) {
        ret->list = arena_alloc(in->arena, (n + 1) * sizeof *ret->list);
        if (ret->list && words_read(in, list, ret, out))
            return true;
    }
    check_error(out, "The parameter '%s' must be a list of at most %d strings.", name, CHECK_WORDS_MAX);
    return false;
}

bool check_words_have(const struct check_words *words, struct str word)
{
    for (size_t i = 0; i < words->n; i++)
        if (str_eq(words->list[i], word))
            return true;
    return false;
}

void check_words_write(struct check_outcome *out, const char *name, const struct check_words *words, const bool *hit,
                       bool which)
{
    json_write_key(out->data, str_c(name));
    json_write_array(out->data);
    for (size_t i = 0; i < words->n; i++)
        if (!hit || hit[i] == which)
            json_write_string(out->data, words->list[i]);
    json_write_array_end(out->data);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The model is the one the body names, or else the one the request goes to. Rules of models by
 * metadata: rules.metadata.KEY.VALUE lists what callers with that value may use; who has none of
 * these gets rules.defaults.
 *
 * requestParametersCheck: `tools` has allowedTypes, blockedTypes, allowedFunctionNames and
 * blockedFunctionNames; `params` has for each name {values, min, max, required, forbidden}, of which
 * those given must hold. A parameter that the request does not have satisfies all but `required`.
 */
#include "gateway/hooks/check_request.h"

#include "base/json_text.h"
#include "gateway/hooks/decimal.h"

/* The member by its meaning; check parameters may be asked for names with any bytes. */
static struct jval member(struct jval object, struct str name)
{
    for (struct jval e = jdoc_first(object); jdoc_kind(object) == JDOC_OBJECT && jdoc_has(e); e = jdoc_next(object, e))
        if (json_string_eq(jdoc_escaped(e), name))
            return jdoc_value(e);
    return (struct jval){NULL, 0};
}

/* --- models ------------------------------------------------------------------------------------------ */

static bool model_of(const struct check_input *in, struct str *ret, struct check_outcome *out)
{
    struct jval v = jdoc_get(in->request, "model");
    *ret = in->model;
    if (jdoc_kind(v) == JDOC_STRING && !check_value(in, v, ret, out))
        return false;
    if (!ret->n)
        check_error(out, "The request names no model.");
    return ret->n > 0;
}

static void decide_model(struct jval parameters, struct str model, const struct check_words *allowed,
                         struct check_outcome *out)
{
    bool found = check_words_have(allowed, model);
    json_write_member_string(out->data, "requestedModel", model);
    check_words_write(out, "allowedModels", allowed, NULL, true);
    check_decide(parameters, found, out);
    check_explain(out, found ? "The model is in the list." : "The model is not in the list.");
}

void check_request_model_whitelist(const struct check_input *in, struct jval parameters, struct check_outcome *out)
{
    struct check_words models;
    struct str model;
    if (!check_words_of(in, jdoc_get(parameters, "models"), "models", &models, out) || !model_of(in, &model, out))
        return;
    if (!models.n)
        check_error(out, "The parameter 'models' must be a list of names that is not empty.");
    else
        decide_model(parameters, model, &models, out);
}

/* Adds what one value of one metadata key allows. */
static bool add_rule(const struct check_input *in, struct jval rule, struct check_words *all, size_t cap,
                     struct check_outcome *out)
{
    struct check_words more;
    if (!check_words_of(in, rule, "rules.metadata", &more, out))
        return false;
    for (size_t i = 0; i < more.n && all->n < cap; i++)
        all->list[all->n++] = more.list[i];
    return true;
}

static bool rules_of(const struct check_input *in, struct jval rules, struct check_words *all,
                     struct check_outcome *out)
{
    struct jval by_key = jdoc_get(rules, "metadata");
    *all = (struct check_words){arena_alloc(in->arena, CHECK_WORDS_MAX * sizeof *all->list), 0};
    if (!all->list)
        return check_charge(in, UINT64_MAX, out);
    for (struct jval e = jdoc_first(by_key); jdoc_kind(by_key) == JDOC_OBJECT && jdoc_has(e);
         e = jdoc_next(by_key, e)) {
        struct str key, value;
        if (!check_charge(in, CHECK_WORDS_MAX, out) || !check_value(in, e, &key, out))
            return false;
        struct jval given = member(in->metadata, key);
        if (!jdoc_has(given))
            continue;
        value = jdoc_kind(given) == JDOC_STRING ? jdoc_text(given, in->arena) : jdoc_raw(given);
        if (!add_rule(in, member(jdoc_value(e), value), all, CHECK_WORDS_MAX, out))
            return false;
    }
    return all->n || add_rule(in, jdoc_get(rules, "defaults"), all, CHECK_WORDS_MAX, out);
}

void check_request_model_rules(const struct check_input *in, struct jval parameters, struct check_outcome *out)
{
    struct check_words allowed;
    struct str model;
    if (!model_of(in, &model, out) || !rules_of(in, jdoc_get(parameters, "rules"), &allowed, out))
        return;
    if (!allowed.n)
        check_error(out, "The parameter 'rules' lists no models for this request, and no defaults.");
    else
        decide_model(parameters, model, &allowed, out);
}

/* --- metadata, kinds --------------------------------------------------------------------------------- */

void check_request_metadata_keys(const struct check_input *in, struct jval parameters, struct check_outcome *out)
{
    struct check_words keys;
    enum check_operator op;
    size_t found = 0;
    if (!check_operator_of(parameters, &op, out) ||
        !check_words_of(in, jdoc_get(parameters, "metadataKeys"), "metadataKeys", &keys, out))
        return;
    bool *hit = keys.n ? arena_alloc(in->arena, keys.n) : NULL;
    if (!hit) {
        check_error(out, "The parameter 'metadataKeys' must be a list of names that is not empty.");
        return;
    }
    for (size_t i = 0; i < keys.n; i++) {
        if (!check_charge(in, jdoc_raw(in->metadata).n + 1, out))
            return;
        hit[i] = jdoc_has(member(in->metadata, keys.list[i]));
        found += hit[i];
    }
    out->verdict = check_operator_holds(op, found, keys.n);
    check_explain(out, "%zu of %zu metadata keys are there.", found, keys.n);
    check_words_write(out, "missing_metadata_keys", &keys, hit, false);
    check_words_write(out, "found_metadata_keys", &keys, hit, true);
}

void check_request_allowed_types(const struct check_input *in, struct jval parameters, struct check_outcome *out)
{
    struct check_words allowed, blocked;
    if (!check_words_of(in, jdoc_get(parameters, "allowedTypes"), "allowedTypes", &allowed, out) ||
        !check_words_of(in, jdoc_get(parameters, "blockedTypes"), "blockedTypes", &blocked, out))
        return;
    for (size_t i = 0; i < allowed.n; i++)
        if (check_words_have(&blocked, allowed.list[i])) {
            check_error(out, "The same type is in 'allowedTypes' and in 'blockedTypes'; take it out of one.");
            return;
        }
    bool is_allowed = !allowed.n || check_words_have(&allowed, in->request_type);
    out->verdict = is_allowed && !check_words_have(&blocked, in->request_type);
    json_write_member_string(out->data, "currentRequestType", in->request_type);
    json_write_member_bool(out->data, "verdict", out->verdict);
    check_explain(out, out->verdict ? "Requests of this type are allowed." : "Requests of this type are not allowed.");
}

/* --- parameters -------------------------------------------------------------------------------------- */

/* Whether a word is let through by a list of allowed and one of blocked ones, either of which may be missing. */
static bool passes_lists(const struct check_input *in, struct jval rules, const char *allowed_name,
                         const char *blocked_name, struct str word, bool *ret_passes, struct check_outcome *out)
{
    struct check_words allowed, blocked;
    if (!check_words_of(in, jdoc_get(rules, allowed_name), allowed_name, &allowed, out) ||
        !check_words_of(in, jdoc_get(rules, blocked_name), blocked_name, &blocked, out) ||
        !check_charge(in, 16 * (allowed.n + blocked.n), out))
        return false;
    *ret_passes = (!allowed.n || check_words_have(&allowed, word)) && !check_words_have(&blocked, word);
    return true;
}

/* True when the question could be asked; *wrong counts tools that are not allowed. */
static bool check_tools(const struct check_input *in, struct jval rules, size_t *wrong, struct check_outcome *out)
{
    struct jval tools = jdoc_get(in->request, "tools");
    for (struct jval t = jdoc_first(tools); jdoc_kind(tools) == JDOC_ARRAY && jdoc_has(t); t = jdoc_next(tools, t)) {
        struct str type = jdoc_text(jdoc_get(t, "type"), in->arena);
        struct str name = jdoc_text(jdoc_get(jdoc_get(t, "function"), "name"), in->arena);
        bool type_passes = true, name_passes = true;
        if (!passes_lists(in, rules, "allowedTypes", "blockedTypes", type, &type_passes, out) ||
            (name.n &&
             !passes_lists(in, rules, "allowedFunctionNames", "blockedFunctionNames", name, &name_passes, out)))
            return false;
        *wrong += !type_passes || !name_passes;
    }
    return true;
}

static bool same_value(struct jval a, struct jval b, struct arena *arena)
{
    if (jdoc_kind(a) != jdoc_kind(b))
        return false;
    if (jdoc_kind(a) == JDOC_STRING)
        return str_eq(jdoc_text(a, arena), jdoc_text(b, arena));
    if (jdoc_kind(a) == JDOC_NUMBER)
        return decimal_compare(jdoc_raw(a), jdoc_raw(b)) == 0;
    return str_eq(jdoc_raw(a), jdoc_raw(b));
}

static bool is_one_of(const struct check_input *in, struct jval value, struct jval values)
{
    for (struct jval e = jdoc_first(values); jdoc_kind(values) == JDOC_ARRAY && jdoc_has(e); e = jdoc_next(values, e))
        if (same_value(value, e, in->arena))
            return true;
    return false;
}

static bool within(struct jval value, struct jval min, struct jval max)
{
    bool is_number = jdoc_kind(value) == JDOC_NUMBER;
    if (jdoc_kind(min) == JDOC_NUMBER && (!is_number || decimal_compare(jdoc_raw(value), jdoc_raw(min)) < 0))
        return false;
    return jdoc_kind(max) != JDOC_NUMBER || (is_number && decimal_compare(jdoc_raw(value), jdoc_raw(max)) <= 0);
}

static bool param_passes(const struct check_input *in, struct jval value, struct jval rule)
{
    struct jval values = jdoc_get(rule, "values");
    if (!jdoc_has(value))
        return !jdoc_true(jdoc_get(rule, "required"));
    return !jdoc_true(jdoc_get(rule, "forbidden")) &&
           (jdoc_kind(values) != JDOC_ARRAY || is_one_of(in, value, values)) &&
           within(value, jdoc_find(rule, "min"), jdoc_find(rule, "max"));
}

void check_request_parameters(const struct check_input *in, struct jval parameters, struct check_outcome *out)
{
    struct jval params = jdoc_get(parameters, "params"), tools = jdoc_get(parameters, "tools");
    size_t wrong_tools = 0, wrong = 0;
    if (jdoc_kind(params) != JDOC_OBJECT && jdoc_kind(tools) != JDOC_OBJECT) {
        check_error(out, "One of the parameters 'tools' and 'params' must be given, as an object.");
        return;
    }
    if (!check_tools(in, tools, &wrong_tools, out))
        return;
    json_write_key(out->data, STR("failedParams"));
    json_write_array(out->data);
    for (struct jval e = jdoc_first(params); jdoc_kind(params) == JDOC_OBJECT && jdoc_has(e);
         e = jdoc_next(params, e)) {
        struct str name = jdoc_text(e, in->arena);
        if (!check_charge(in, jdoc_raw(in->request).n / 16 + 1, out))
            break;
        if (param_passes(in, member(in->request, name), jdoc_value(e)))
            continue;
        json_write_string(out->data, name);
        wrong++;
    }
    json_write_array_end(out->data);
    if (out->error[0])
        return;
    out->verdict = !wrong && !wrong_tools;
    json_write_member_bool(out->data, "verdict", out->verdict);
    check_explain(out, "%zu parameters and %zu tools are not as the rules want them.", wrong, wrong_tools);
}

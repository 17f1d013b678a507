/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The model is the one the body names, or else the one the request goes to. Rules of models by
 * metadata: rules.metadata.KEY.VALUE lists what callers with that value may use; who has none of
 * these gets rules.defaults.
 *
 * requestParametersCheck: `tools` has allowedTypes, blockedTypes, allowedFunctionNames,
 * blockedFunctionNames; `params` has allowedKeys, blockedKeys, and in `values` for each name
 * allowedValues and blockedValues. Lists that are missing or empty allow everything.
 *
 * addPrefix changes only the bytes it must; the rest of the body stays as it was written.
 */
#include "gateway/hooks/check_request.h"

#include "base/buf.h"
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

/* Two lists of what may and may not be: words, or primitive values. */
struct lists {
    struct jval allowed, blocked; /* absent, or lists that are not empty */
};

static bool list_of(struct jval rules, const char *name, struct jval *ret, struct check_outcome *out)
{
    *ret = jdoc_find(rules, name);
    if (jdoc_has(*ret) && jdoc_kind(*ret) != JDOC_ARRAY) {
        check_error(out, "The parameter '%s' must be a list.", name);
        return false;
    }
    if (!jdoc_has(jdoc_first(*ret)))
        *ret = (struct jval){NULL, 0};
    return true;
}

static bool lists_of(struct jval rules, const char *allowed, const char *blocked, struct lists *ret,
                     struct check_outcome *out)
{
    return list_of(rules, allowed, &ret->allowed, out) && list_of(rules, blocked, &ret->blocked, out);
}

static bool is_same(const struct check_input *in, struct jval a, struct jval b)
{
    if (jdoc_kind(a) != jdoc_kind(b))
        return false;
    if (jdoc_kind(a) == JDOC_STRING)
        return str_eq(jdoc_text(a, in->arena), jdoc_text(b, in->arena));
    if (jdoc_kind(a) == JDOC_NUMBER)
        return decimal_compare(jdoc_raw(a), jdoc_raw(b)) == 0;
    return jdoc_kind(a) != JDOC_OBJECT && jdoc_kind(a) != JDOC_ARRAY;
}

static bool is_in(const struct check_input *in, struct jval value, struct jval list)
{
    for (struct jval e = jdoc_first(list); jdoc_has(e); e = jdoc_next(list, e))
        if (is_same(in, value, e))
            return true;
    return false;
}

/* False, with an error, when the budget is used up. */
static bool let_through(const struct check_input *in, struct jval value, const struct lists *lists, bool *ret,
                        struct check_outcome *out)
{
    *ret = false;
    if (!check_charge(in, jdoc_raw(lists->allowed).n + jdoc_raw(lists->blocked).n + 1, out))
        return false;
    *ret = (!jdoc_has(lists->allowed) || is_in(in, value, lists->allowed)) &&
           (!jdoc_has(lists->blocked) || !is_in(in, value, lists->blocked));
    return true;
}

static void write_name(struct check_outcome *out, const struct check_input *in, struct jval v)
{
    json_write_string(out->data, str_head(jdoc_text(v, in->arena), CHECK_EXCERPT_MAX));
}

/* One tool: its type, and its name where it has one. */
static bool check_tool(const struct check_input *in, struct jval tool, const struct lists *types,
                       const struct lists *names, size_t *wrong, struct check_outcome *out)
{
    struct jval type = jdoc_get(tool, "type"), name = jdoc_get(jdoc_get(tool, "function"), "name");
    bool passes = true, type_passes = true;
    if (!jdoc_has(name))
        name = jdoc_get(tool, "name");
    if (!let_through(in, type, types, &type_passes, out) ||
        (jdoc_has(name) && !let_through(in, name, names, &passes, out)))
        return false;
    if (type_passes && passes)
        return true;
    ++*wrong;
    write_name(out, in, type_passes ? name : type);
    return true;
}

static bool check_tools(const struct check_input *in, struct jval rules, size_t *wrong, struct check_outcome *out)
{
    struct jval tools = jdoc_get(in->request, "tools");
    struct lists types, names;
    if (!lists_of(rules, "allowedTypes", "blockedTypes", &types, out) ||
        !lists_of(rules, "allowedFunctionNames", "blockedFunctionNames", &names, out))
        return false;
    for (struct jval t = jdoc_first(tools); jdoc_kind(tools) == JDOC_ARRAY && jdoc_has(t); t = jdoc_next(tools, t))
        if (!check_tool(in, t, &types, &names, wrong, out))
            return false;
    return true;
}

/* One member of the request: its name, and its value where there are rules for it. */
static bool check_param(const struct check_input *in, struct jval name, const struct lists *keys, struct jval values,
                        size_t *wrong, struct check_outcome *out)
{
    struct lists own = {{NULL, 0}, {NULL, 0}};
    struct str text;
    bool passes, value_passes = true;
    if (!check_value(in, name, &text, out) || !check_charge(in, jdoc_raw(values).n / 16, out))
        return false;
    struct jval rule = member(values, text);
    if (!lists_of(rule, "allowedValues", "blockedValues", &own, out) || !let_through(in, name, keys, &passes, out) ||
        !let_through(in, jdoc_value(name), &own, &value_passes, out))
        return false;
    if (passes && value_passes)
        return true;
    ++*wrong;
    write_name(out, in, name);
    return true;
}

static bool check_params(const struct check_input *in, struct jval rules, size_t *wrong, struct check_outcome *out)
{
    struct lists keys;
    struct jval all = in->request;
    if (!lists_of(rules, "allowedKeys", "blockedKeys", &keys, out))
        return false;
    for (struct jval e = jdoc_first(all); jdoc_has(e); e = jdoc_next(all, e))
        if (!check_param(in, e, &keys, jdoc_find(rules, "values"), wrong, out))
            return false;
    return true;
}

void check_request_parameters(const struct check_input *in, struct jval parameters, struct check_outcome *out)
{
    struct jval params = jdoc_find(parameters, "params"), tools = jdoc_find(parameters, "tools");
    size_t wrong = 0;
    json_write_key(out->data, STR("blocked"));
    json_write_array(out->data);
    bool asked = check_tools(in, tools, &wrong, out) && check_params(in, params, &wrong, out);
    json_write_array_end(out->data);
    if (!asked)
        return;
    out->verdict = !wrong;
    json_write_member_bool(out->data, "verdict", out->verdict);
    check_explain(out, "%zu tools or parameters are not allowed.", wrong);
}

/* --- addPrefix --------------------------------------------------------------------------------------- */

/* A JSON string: the prefix and what the value had. */
static bool add_prefixed(struct buf *out, struct str prefix, struct jval old)
{
    size_t quote;
    if (!json_write_quoted(out, prefix))
        return false;
    quote = buf_size(out) - 1;
    buf_cut(out, quote);
    return buf_add_str(out, jdoc_escaped(old)) && buf_add_str(out, STR("\""));
}

/* Copies the body with `new` in place of the text from `from` to `to`. */
static void splice_body(const struct check_input *in, const char *from, const char *to, struct str new,
                        struct check_outcome *out)
{
    struct str body = jdoc_raw(in->when == HOOKS_BEFORE ? in->request : in->response);
    size_t head = (size_t)(from - body.p), tail = body.n - (size_t)(to - body.p);
    char *made = arena_alloc(in->arena, head + new.n + tail + 1);
    if (!made) {
        check_error(out, "There is no room for a text of this size.");
        return;
    }
    memcpy(made, body.p, head);
    memcpy(made + head, new.p, new.n);
    memcpy(made + head + new.n, to, tail);
    out->body = str_of(made, head + new.n + tail);
}

static void put_prefix(const struct check_input *in, struct str prefix, struct jval old, struct check_outcome *out)
{
    struct str raw = jdoc_raw(old);
    struct buf text;
    buf_init(&text, prefix.n * 6 + raw.n + 8);
    if (add_prefixed(&text, prefix, old))
        splice_body(in, raw.p, raw.p + raw.n, buf_str(&text), out);
    buf_free(&text);
}

/* The first text of a message's content; absent when it has none. */
static struct jval first_text(struct jval content)
{
    if (jdoc_kind(content) != JDOC_ARRAY)
        return content;
    for (struct jval e = jdoc_first(content); jdoc_has(e); e = jdoc_next(content, e)) {
        struct jval text = jdoc_kind(e) == JDOC_OBJECT ? jdoc_get(e, "text") : e;
        if (jdoc_kind(text) == JDOC_STRING)
            return text;
    }
    return (struct jval){NULL, 0};
}

struct prefix_wish {
    struct str text, role;
    bool add_to_existing, only_if_empty;
};

static struct jval message_of_role(struct jval messages, struct str role, struct arena *a)
{
    for (struct jval e = jdoc_first(messages); jdoc_has(e); e = jdoc_next(messages, e))
        if (str_eq(jdoc_text(jdoc_get(e, "role"), a), role))
            return e;
    return (struct jval){NULL, 0};
}

/* A message of its own: in front of `before`, or of all for a system's, or at the end. */
static void add_message(const struct check_input *in, const struct prefix_wish *wish, struct jval messages,
                        struct jval before, struct check_outcome *out)
{
    struct str list = jdoc_raw(messages);
    struct jval first = jdoc_first(messages);
    bool front = jdoc_has(before) || str_eq(wish->role, STR("system"));
    if (front && !jdoc_has(before))
        before = first;
    front = front && jdoc_has(before);
    const char *at = front ? jdoc_raw(before).p : list.p + list.n - 1;
    struct buf text;
    buf_init(&text, (wish->text.n + wish->role.n) * 6 + 64);
    bool made = (front || !jdoc_has(first) || buf_add_str(&text, STR(","))) && buf_add_str(&text, STR("{\"role\":")) &&
                json_write_quoted(&text, wish->role) && buf_add_str(&text, STR(",\"content\":")) &&
                json_write_quoted(&text, wish->text) && buf_add_str(&text, front ? STR("},") : STR("}"));
    if (made)
        splice_body(in, at, at, buf_str(&text), out);
    buf_free(&text);
}

static bool is_blank(struct jval content, struct arena *a)
{
    struct str s = jdoc_text(content, a);
    for (size_t i = 0; i < s.n; i++)
        if (!strchr(" \t\r\n", s.p[i]))
            return false;
    return jdoc_kind(content) == JDOC_STRING || !jdoc_has(jdoc_first(content));
}

static void prefix_chat(const struct check_input *in, const struct prefix_wish *wish, struct check_outcome *out)
{
    struct jval messages = jdoc_get(in->request, "messages"), none = {NULL, 0};
    if (jdoc_kind(messages) != JDOC_ARRAY)
        return;
    struct jval message = message_of_role(messages, wish->role, in->arena), content = jdoc_get(message, "content");
    if (!jdoc_has(message)) {
        add_message(in, wish, messages, none, out);
        return;
    }
    if (wish->only_if_empty && !is_blank(content, in->arena))
        return;
    struct jval text = first_text(content);
    if (!wish->add_to_existing || (jdoc_kind(text) != JDOC_STRING && jdoc_kind(text) != JDOC_NULL))
        add_message(in, wish, messages, message, out);
    else
        put_prefix(in, wish->text, text, out);
}

static void prefix_answer(const struct check_input *in, const struct prefix_wish *wish, struct check_outcome *out)
{
    struct jval choice = jdoc_first(jdoc_get(in->response, "choices"));
    struct jval text = jdoc_get(choice, "text");
    if (!jdoc_has(text))
        text = jdoc_get(jdoc_get(choice, "message"), "content");
    if (jdoc_kind(text) == JDOC_STRING)
        put_prefix(in, wish->text, text, out);
}

void check_request_add_prefix(const struct check_input *in, struct jval parameters, struct check_outcome *out)
{
    struct prefix_wish wish = {.role = STR("user")};
    struct jval prompt = first_text(jdoc_get(in->request, "prompt"));
    if (!check_string(in, parameters, "prefix", &wish.text, out) ||
        !check_charge(in, jdoc_raw(in->request).n + jdoc_raw(in->response).n, out))
        return;
    if (jdoc_escaped(jdoc_get(parameters, "applyToRole")).n &&
        !check_string(in, parameters, "applyToRole", &wish.role, out))
        return;
    wish.add_to_existing = jdoc_kind(jdoc_get(parameters, "addToExisting")) != JDOC_FALSE;
    wish.only_if_empty = jdoc_true(jdoc_get(parameters, "onlyIfEmpty"));
    out->verdict = true;
    if (in->when == HOOKS_AFTER)
        prefix_answer(in, &wish, out);
    else if (str_eq(in->request_type, STR("complete")) && jdoc_kind(prompt) == JDOC_STRING)
        put_prefix(in, wish.text, prompt, out);
    else if (str_eq(in->request_type, STR("chatComplete")) || str_eq(in->request_type, STR("messages")))
        prefix_chat(in, &wish, out);
    check_explain(out, out->body.p ? "The prefix was added." : "There was nothing to add the prefix to.");
}

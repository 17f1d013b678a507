/* SPDX-License-Identifier: Apache-2.0 */
/* What is particular about a request to a model's own address; the rest is run/. */
#include "gateway/model_api.h"

#include "base/json_write.h"
#include "control/people/reach.h"
#include "gateway/finish.h"
#include "gateway/target/model_path.h"
#include "openai/body_edit.h"
#include "openai/request_facts.h"

#define BASE_CALL "/chat/completions"

void model_api_read(struct request *r, const struct http1_head *head)
{
    struct model_path p;
    if (!model_path_read(head->path, &p))
        return;
    r->blaxel = true;
    r->base_call = !p.rest.n;
    struct str workspace = arena_dup(r->arena, p.workspace), model = arena_dup(r->arena, p.model);
    r->api_workspace = workspace.p ? workspace : STR("");
    r->api_model = model.p ? model : STR("");
    struct str rest = r->base_call ? STR(BASE_CALL) : arena_dup(r->arena, p.rest);
    r->operation_path = rest.p ? rest : STR(BASE_CALL);
}

struct str model_api_credential(const struct http1_head *head)
{
    const struct http1_field *f = http1_find(head, STR("x-blaxel-authorization"));
    struct str value = f ? f->value : STR("");
    if (!value.n) {
        f = http1_find_id(head, HTTP1_AUTHORIZATION);
        value = f ? f->value : STR("");
    }
    return str_starts_nocase(value, STR("bearer ")) ? str_trim(str_from(value, 7)) : value;
}

/* Files, batches, training and lists of models belong to an account, not to one model of it. */
static bool is_model_scoped(const struct endpoint *e)
{
    static const struct str others[] = {{"responses", 9}, {"chat.completions", 16}, {"moderations", 11}};
    if (e->flags & ENDPOINT_BILLED)
        return true;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (str_starts(e->operation, others[i]))
            return true;
    return false;
}

/* A person's key in another of the person's workspaces: from here on it is a key of that one. */
static bool enter(struct request *r)
{
    const struct snapshot_workspace *w = snapshot_find_workspace(r->snapshot, r->api_workspace);
    struct snapshot_key *there = w ? arena_alloc(r->arena, sizeof *there) : NULL;
    if (!there || !reach_as(r->snapshot, r->key, w->id, there))
        return false;
    r->key = there;
    return true;
}

bool model_api_admit(struct request *r)
{
    if (!str_eq(r->key->workspace->name, r->api_workspace) && !enter(r)) {
        finish_with_error(r, ERR_FORBIDDEN, STR("workspace"), STR("the key belongs to another workspace"));
        return false;
    }
    r->model_api = snapshot_find_model(r->snapshot, r->key->workspace_id, r->api_model);
    if (!r->model_api)
        finish_with_error(r, ERR_NOT_FOUND, STR("model"), STR("there is no model API of this name in the workspace"));
    else if (!r->model_api->enabled)
        finish_with_error(r, ERR_NO_INTEGRATION, STR("model"), STR("this model API is disabled"));
    else if (!is_model_scoped(r->endpoint))
        finish_with_error(r, ERR_ROUTE_UNKNOWN, STR(""), STR("this operation is not one of a model"));
    return !r->finished;
}

/* The body with these edits; `facts` are read again. False: it is full. */
static bool change_body(struct request *r, const struct body_edits *edits, struct request_facts *facts)
{
    struct buf out;
    bool asked;
    buf_init(&out, r->body.max);
    if (body_edit(buf_str(&r->body), edits, &out, &asked) != BODY_EDIT_DONE) {
        buf_free(&out);
        return false;
    }
    buf_free(&r->body);
    r->body = out;
    request_facts_init(facts);
    request_facts_feed(facts, buf_str(&r->body).p, buf_size(&r->body));
    request_facts_end(facts);
    return true;
}

/* {"inputs": "text", …} → {"messages":[{"role":"user","content":"text"}], …}. False: the body is full. */
static bool wrap_inputs(struct request *r, struct str inputs, struct request_facts *facts)
{
    static const struct str gone[] = {{"inputs", 6}};
    struct buf messages;
    buf_init(&messages, inputs.n + 64);
    bool ok = buf_add_str(&messages, STR("[{\"role\":\"user\",\"content\":")) && buf_add_str(&messages, inputs) &&
              buf_add_str(&messages, STR("}]"));
    struct body_member chat = {STR("messages"), buf_str(&messages)};
    struct body_edits edits = {.overrides = &chat, .override_count = 1, .drop = gone, .drop_count = 1};
    ok = ok && change_body(r, &edits, facts);
    buf_free(&messages);
    return ok;
}

/* Where requests may name any model, the config overrides none: the name of the model API becomes upstream's here. */
static bool name_upstream_model(struct request *r, struct request_facts *facts)
{
    struct buf json;
    buf_init(&json, 4096);
    bool ok = json_write_quoted(&json, r->model_api->model);
    struct body_member model = {STR("model"), buf_str(&json)};
    struct body_edits edits = {.overrides = &model, .override_count = 1};
    ok = ok && change_body(r, &edits, facts);
    buf_free(&json);
    return ok;
}

bool model_api_body(struct request *r, struct request_facts *facts)
{
    struct str inputs = r->base_call ? body_member_find(buf_str(&r->body), STR("inputs")) : STR("");
    if (inputs.n && inputs.p[0] == '"' && !wrap_inputs(r, inputs, facts)) {
        finish_with_error(r, ERR_BODY_TOO_LARGE, STR(""), STR(""));
        return false;
    }
    struct str model = str_c(facts->model);
    bool named = str_eq(model, r->model_api->name) && !str_eq(model, r->model_api->model);
    if (r->model_api->any_model && named && !name_upstream_model(r, facts)) {
        finish_with_error(r, ERR_BODY_TOO_LARGE, STR(""), STR(""));
        return false;
    }
    bool ours = !model.n || str_eq(model, r->model_api->name) || str_eq(model, r->model_api->model);
    if (ours || r->model_api->any_model)
        return true;
    finish_with_error(r, ERR_BAD_PARAMETER, STR("model"),
                      STR("this address serves one model; leave the field out or name that"));
    return false;
}

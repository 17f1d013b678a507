/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One switch on the first letter behind "/v1/", then at most four comparisons of lengths: "chat/completions"
 * is through after two.
 */
#include "gateway/dispatch.h"

#include "gateway/target/model_path.h"

#define IS(text) str_eq(segment, STR(text))

static bool catalogue_wanted(const struct http1_head *head)
{
    bool portkey = false, provider = false;
    for (unsigned i = 0; i < head->field_count; i++) {
        const struct http1_field *f = &head->fields[i];
        if (!str_starts_nocase(f->name, STR("x-portkey-")) || !f->value.n)
            continue;
        struct str name = str_from(f->name, 10);
        if (str_eq_nocase(name, STR("fetch-integrated-models")) && str_eq_nocase(f->value, STR("true")))
            return true;
        provider |= str_eq_nocase(name, STR("provider")) || str_eq_nocase(name, STR("virtual-key")) ||
                    str_eq_nocase(name, STR("config")) || str_eq_nocase(name, STR("mode"));
        portkey |= f->id != HTTP1_X_PORTKEY_TRACE_ID;
    }
    return portkey && !provider;
}

static enum dispatch models(const struct http1_head *head)
{
    bool list = str_eq(head->path, STR("/v1/models")) && str_eq(head->method, STR("GET"));
    return list && catalogue_wanted(head) ? DISPATCH_APP : DISPATCH_INFERENCE;
}

/* The path is under /v1/; `segment` is what stands between the second and the third slash. */
static enum dispatch under_v1(const struct http1_head *head, struct str segment)
{
    bool console = false;
    switch (segment.p[0]) {
    case 'a':
        console = IS("api-keys") || IS("admin") || IS("analytics") || IS("audit-logs");
        break;
    case 'c':
        console = IS("configs") || IS("collections");
        break;
    case 'd':
        console = IS("datasets") || IS("dataservice");
        break;
    case 'f':
        if (IS("feedback"))
            return DISPATCH_APP;
        break;
    case 'g':
        if (IS("gateway"))
            return DISPATCH_APP;
        console = IS("guardrails");
        break;
    case 'h':
        return IS("health") ? DISPATCH_PROBE : DISPATCH_INFERENCE;
    case 'i':
        console = IS("integrations");
        break;
    case 'l':
        if (IS("logs"))
            return str_eq(head->method, STR("POST")) && str_ends(head->path, segment) ? DISPATCH_APP : DISPATCH_ADMIN;
        console = IS("labels");
        break;
    case 'm':
        if (IS("models"))
            return models(head);
        console = IS("mcp-integrations") || IS("mcp-servers");
        break;
    case 'o':
        if (IS("otel"))
            return DISPATCH_APP;
        break;
    case 'p':
        console = IS("policies") || IS("providers") || IS("prompts");
        break;
    case 's':
        console = IS("secret-references") || IS("scim");
        break;
    case 'v':
        console = IS("virtual-keys");
        break;
    default:
        break;
    }
    return console ? DISPATCH_ADMIN : DISPATCH_INFERENCE;
}

enum dispatch dispatch_of(const struct http1_head *head)
{
    struct str path = head->path;
    struct model_path model;
    if (str_starts(path, STR("/v1/")) && path.n > 4) {
        struct str rest = str_from(path, str_starts(path, STR("/v1/v1/")) ? 7 : 4); /* as some SDK calls come */
        ptrdiff_t slash = str_find(rest, '/');
        return rest.n ? under_v1(head, slash < 0 ? rest : str_head(rest, (size_t)slash)) : DISPATCH_INFERENCE;
    }
    if (model_path_read(path, &model))
        return DISPATCH_INFERENCE;
    if (str_eq(path, STR("/livez")) || str_eq(path, STR("/readyz")))
        return DISPATCH_PROBE;
    return str_starts(path, STR("/model-configs/")) ? DISPATCH_APP : DISPATCH_ADMIN;
}

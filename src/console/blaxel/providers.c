/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a provider's API looks like to Blaxel's command line, which takes the one path with
 * "completions" in it when it is given none: so there is exactly one.
 */
#include "console/blaxel/blaxel.h"
#include "console/blaxel/connections.h"

struct endpoint_row {
    const char *path;
    const char *received, *sent, *total; /* where the token counts stand in an answer */
};

static const struct endpoint_row endpoints[] = {
    {"/v1/chat/completions", "usage.prompt_tokens", "usage.completion_tokens", "usage.total_tokens"},
    {"/v1/responses", "usage.input_tokens", "usage.output_tokens", "usage.total_tokens"},
    {"/v1/embeddings", "usage.prompt_tokens", "", "usage.total_tokens"},
    {"/v1/moderations", "", "", ""},
    {"/v1/images/generations", "usage.input_tokens", "usage.output_tokens", "usage.total_tokens"},
    {"/v1/audio/speech", "", "", ""},
    {"/v1/audio/transcriptions", "usage.input_tokens", "usage.output_tokens", "usage.total_tokens"},
    {"/v1/audio/translations", "", "", ""},
};

static void write_tokens(struct json_write *w, const char *name, const struct endpoint_row *e)
{
    json_write_key(w, str_c(name));
    json_write_object(w);
    json_write_member_string(w, "received", str_c(e->received));
    json_write_member_string(w, "sent", str_c(e->sent));
    json_write_member_string(w, "total", str_c(e->total));
    json_write_object_end(w);
}

static void write_endpoint(struct json_write *w, const struct endpoint_row *e)
{
    json_write_key(w, str_c(e->path));
    json_write_object(w);
    json_write_member_string(w, "method", STR("POST"));
    json_write_member_raw(w, "body", STR("{}"));
    json_write_member_raw(w, "models", STR("[]"));
    json_write_member_raw(w, "ignoreModels", STR("[]"));
    json_write_member_string(w, "streamKey", STR("stream"));
    write_tokens(w, "streamToken", e);
    write_tokens(w, "token", e);
    json_write_object_end(w);
}

void providers_get(struct job *j)
{
    struct json_write *w = &j->json;
    enum kind_integration kind;
    if (!connections_kind(j->params[0], &kind) || !kind_integration_serves(kind)) {
        job_fail(j, ERR_NOT_FOUND, STR("integrationName"), STR("There is no such integration; openai is one."));
        return;
    }
    job_reply_json(j, 200);
    json_write_object(w);
    json_write_member_string(w, "name", j->params[0]);
    json_write_key(w, STR("endpoints"));
    json_write_object(w);
    for (size_t i = 0; i < sizeof endpoints / sizeof endpoints[0]; i++)
        write_endpoint(w, &endpoints[i]);
    json_write_object_end(w);
    json_write_member_raw(w, "headers", STR("{}"));
    json_write_member_raw(w, "params", STR("{}"));
    json_write_member_raw(w, "organizations", STR("[]"));
    json_write_member_raw(w, "repositories", STR("[]"));
    json_write_member_raw(w, "additionalInfos", STR("{}"));
    json_write_object_end(w);
}

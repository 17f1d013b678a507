/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One function per field puts the given value, or the default, into the row; the checks that need
 * several fields come last.
 */
#include "control/integration_check.h"

#include <string.h>

#include "base/clock.h"
#include "control/base_url.h"
#include "control/control_inner.h"
#include "control/control_text.h"
#include "control/deployment.h"

#define NAME_MAX_BYTES 100
#define NOTE_MAX_BYTES 1000
#define HEADER_MAX 128
#define OPENAI_URL "https://api.openai.com/v1"
#define AZURE_PATH "/openai"

static bool is_azure(const struct control_integration *row)
{
    return row->kind == KIND_INTEGRATION_AZURE_OPENAI;
}

static enum err keep(struct arena *a, struct str text, struct str *ret_copy, struct control_why *why)
{
    struct str copy = arena_dup(a, text);
    if (!copy.p)
        return control_inner_arena_full(why);
    *ret_copy = copy;
    return ERR_OK;
}

static enum err put_slug(struct str slug, struct arena *a, struct control_integration *row, struct control_why *why)
{
    if (!slug.p || slug.n == 0)
        return control_inner_fail(why, ERR_MISSING_PARAMETER, "slug", "An integration needs a slug.");
    if (!control_text_is_slug(slug))
        return control_inner_fail(
            why, ERR_BAD_PARAMETER, "slug",
            "A slug has 1 to 63 lower-case letters, digits, '-' and '_', and begins with a letter "
            "or digit.");
    return keep(a, slug, &row->slug, why);
}

static enum err put_identity(const struct control_integration_spec *spec, struct arena *a,
                             struct control_integration *row, struct control_why *why)
{
    if (!spec->kind.p || spec->kind.n == 0)
        return control_inner_fail(why, ERR_MISSING_PARAMETER, "kind", "An integration needs a kind.");
    if (!kind_integration_from(spec->kind, &row->kind))
        return control_inner_fail(
            why, ERR_BAD_PARAMETER, "kind",
            "The kind is one of openai, azure-openai, openai-compatible, openai-admin, openai-legacy.");
    return put_slug(spec->slug, a, row, why);
}

static enum err put_name(const struct control_integration_spec *spec, struct arena *a, struct control_integration *row,
                         struct control_why *why)
{
    if (!spec->name.p)
        return ERR_OK;
    if (!control_text_is_name(spec->name, NAME_MAX_BYTES))
        return control_inner_fail(why, ERR_BAD_PARAMETER, "name",
                                  "A name has 1 to %d bytes of UTF-8 without control characters.", NAME_MAX_BYTES);
    return keep(a, spec->name, &row->name, why);
}

/* A value that will stand in a header of its own; "" takes it away. */
static enum err put_header(struct str given, const char *param, struct arena *a, const struct control_integration *row,
                           struct str *field, struct control_why *why)
{
    if (!given.p)
        return ERR_OK;
    if (given.n > 0 && is_azure(row))
        return control_inner_fail(why, ERR_BAD_PARAMETER, param, "Azure OpenAI has no %s.", param);
    if (given.n > 0 && !control_text_is_token(given, HEADER_MAX))
        return control_inner_fail(why, ERR_BAD_PARAMETER, param,
                                  "%s has 1 to %d letters, digits, '-', '_', '.' and ':'.", param, HEADER_MAX);
    return keep(a, given, field, why);
}

static enum err check_key(struct str key, const struct control_integration *row, struct control_why *why)
{
    if (key.n == 0 && row->kind != KIND_INTEGRATION_OPENAI_COMPATIBLE)
        return control_inner_fail(why, ERR_MISSING_PARAMETER, "api_key", "This kind of integration needs an API key.");
    if (key.n == 0)
        return ERR_OK;
    if (!control_text_is_visible(key, INTEGRATION_CHECK_KEY_MAX))
        return control_inner_fail(why, ERR_BAD_PARAMETER, "api_key",
                                  "The API key must be 1 to %d visible ASCII characters without white space; a masked "
                                  "key (with dots or stars) cannot be stored.",
                                  INTEGRATION_CHECK_KEY_MAX);
    if (str_search(key, STR("***")) >= 0 || str_search(key, STR("...")) >= 0)
        return control_inner_fail(why, ERR_BAD_PARAMETER, "api_key",
                                  "This is the masked form of an API key; give the key itself.");
    return ERR_OK;
}

static enum err put_key(const struct control_integration_spec *spec, struct arena *a, struct control_integration *row,
                        struct control_why *why)
{
    char hint[SECRET_HINT_MAX] = "";
    enum err e = check_key(spec->api_key, row, why);
    if (e != ERR_OK)
        return e;
    if (spec->api_key.n > 0)
        secret_hint(spec->api_key, hint);
    return keep(a, str_c(hint), &row->key_hint, why);
}

/* Azure's paths begin at /openai; with /v1 behind it the address says the version too. */
static enum err fit_azure_path(struct base_url *url, bool *ret_is_v1, struct control_why *why)
{
    struct str path = str_c(url->path);
    *ret_is_v1 = str_ends(path, STR(AZURE_PATH "/v1"));
    if (path.n == 0)
        str_copy(url->path, sizeof url->path, STR(AZURE_PATH));
    else if (*ret_is_v1)
        url->path[path.n - 3] = '\0';
    else if (!str_ends(path, STR(AZURE_PATH)))
        return control_inner_fail(why, ERR_BAD_PARAMETER, "base_url",
                                  "An Azure base_url ends at the host, in /openai, or in /openai/v1; deployment and "
                                  "api-version are given on their own.");
    return ERR_OK;
}

static enum err put_version(struct str version, bool url_is_v1, struct arena *a, struct control_integration *row,
                            struct control_why *why)
{
    if (!is_azure(row)) {
        if (version.n > 0)
            return control_inner_fail(why, ERR_BAD_PARAMETER, "api_version", "Only azure-openai has an api_version.");
        row->api_version = STR("");
        return ERR_OK;
    }
    if (version.n == 0)
        version = STR("v1");
    if (!control_text_is_api_version(version))
        return control_inner_fail(why, ERR_BAD_PARAMETER, "api_version",
                                  "api_version is 'v1' or a date such as 2024-10-21 or 2025-04-01-preview.");
    if (url_is_v1 && !str_eq(version, STR("v1")))
        return control_inner_fail(why, ERR_BAD_PARAMETER, "api_version",
                                  "base_url ends in /v1 but api_version is another; leave one of them out.");
    return keep(a, version, &row->api_version, why);
}

static const char *default_url(enum kind_integration kind)
{
    bool is_openai = kind == KIND_INTEGRATION_OPENAI || !kind_integration_serves(kind);
    return is_openai ? OPENAI_URL : "";
}

/* Address and version together, since one may imply the other. */
static enum err put_address(const struct control_integration_spec *spec, struct arena *a,
                            struct control_integration *row, struct control_why *why)
{
    char text[BASE_URL_TEXT_MAX];
    struct base_url url = {0}, stored = {0};
    struct str given = spec->base_url.n > 0                       ? spec->base_url
                       : row->base_url.n > 0 && !spec->base_url.p ? row->base_url
                                                                  : str_c(default_url(row->kind));
    bool is_v1 = false;
    if (given.n == 0)
        return control_inner_fail(why, ERR_MISSING_PARAMETER, "base_url", "This kind of integration needs a base_url.");
    why->param = "base_url";
    enum err e = base_url_parse(given, &url, why->text, sizeof why->text);
    if (e == ERR_OK && is_azure(row))
        e = fit_azure_path(&url, &is_v1, why);
    if (e != ERR_OK)
        return e;
    if (default_url(row->kind)[0] != '\0' && url.path[0] == '\0')
        str_copy(url.path, sizeof url.path, STR("/v1"));
    bool moved =
        row->base_url.n > 0 && row->key_hint.n > 0 &&
        (base_url_parse(row->base_url, &stored, text, sizeof text) != ERR_OK || !base_url_same_origin(&url, &stored));
    if (moved && !spec->api_key.p)
        return control_inner_fail(why, ERR_BAD_PARAMETER, "base_url",
                                  "The stored API key belongs to the present host; to move the integration give the "
                                  "API key again.");
    e = keep(a, str_of(text, base_url_format(&url, text)), &row->base_url, why);
    struct str version = spec->api_version.p ? spec->api_version : is_v1 ? STR("") : row->api_version;
    return e == ERR_OK ? put_version(version, is_v1, a, row, why) : e;
}

static enum err put_deployments(struct str given, struct arena *a, struct control_integration *row,
                                struct control_why *why)
{
    struct snapshot_deployment *list;
    size_t count;
    if (!given.p)
        return ERR_OK;
    if (given.n > 0 && !is_azure(row))
        return control_inner_fail(why, ERR_BAD_PARAMETER, "deployments", "Only azure-openai has deployments.");
    why->param = "deployments";
    enum err e = deployment_read(given, a, &list, &count, why->text, sizeof why->text);
    if (e == ERR_OK)
        e = deployment_write(list, count, a, &row->deployments);
    return e == ERR_OVERLOADED ? control_inner_arena_full(why) : e;
}

/* What accounts and providers have in common. */
static enum err put_own(const struct control_integration_spec *spec, struct arena *a, struct control_integration *row,
                        struct control_why *why)
{
    enum err e = put_name(spec, a, row, why);
    if (e != ERR_OK)
        return e;
    if (spec->note.p && spec->note.n > 0 && !control_text_is_name(spec->note, NOTE_MAX_BYTES))
        return control_inner_fail(why, ERR_BAD_PARAMETER, "note",
                                  "A note has at most %d bytes of UTF-8 without control characters.", NOTE_MAX_BYTES);
    if (spec->note.p)
        e = keep(a, spec->note, &row->note, why);
    if (e != ERR_OK)
        return e;
    if (spec->expires_us && *spec->expires_us != 0 && *spec->expires_us <= clock_wall_us())
        return control_inner_fail(why, ERR_BAD_PARAMETER, "expires_at", "The expiry must lie in the future.");
    if (spec->expires_us)
        row->expires_us = *spec->expires_us;
    if (spec->hidden)
        row->hidden = *spec->hidden;
    if (spec->is_default)
        row->is_default = *spec->is_default;
    row->is_default = row->is_default && !row->hidden;
    if (row->is_default && !kind_integration_serves(row->kind))
        return control_inner_fail(why, ERR_BAD_PARAMETER, "is_default",
                                  "An integration of this kind only reads usage and bills; it cannot be the default.");
    return ERR_OK;
}

/* What new and changed ones have in common; the row has slug and kind. */
static enum err put_fields(const struct control_integration_spec *spec, struct arena *a,
                           struct control_integration *row, struct control_why *why)
{
    enum err e = put_own(spec, a, row, why);
    if (e == ERR_OK)
        e = put_address(spec, a, row, why);
    if (e == ERR_OK && (spec->api_key.p || row->id == 0))
        e = put_key(spec, a, row, why);
    if (e == ERR_OK)
        e = put_header(spec->organization, "organization", a, row, &row->organization, why);
    if (e == ERR_OK)
        e = put_header(spec->project, "project", a, row, &row->project, why);
    return e == ERR_OK ? put_deployments(spec->deployments, a, row, why) : e;
}

enum err integration_check_new(const struct control_integration_spec *spec, struct arena *a,
                               struct control_integration *row, struct control_why *why)
{
    enum err e = put_identity(spec, a, row, why);
    if (e != ERR_OK)
        return e;
    row->name = row->slug;
    row->base_url = row->organization = row->project = row->api_version = row->deployments = row->key_hint = row->note =
        row->account = STR("");
    return put_fields(spec, a, row, why);
}

/* What a provider has of its own, and nothing else. */
static enum err put_provider(const struct control_integration_spec *spec, struct arena *a,
                             struct control_integration *row, struct control_why *why)
{
    bool others = spec->base_url.p || spec->api_key.p || spec->organization.p || spec->project.p ||
                  spec->api_version.p || spec->deployments.p || spec->hidden;
    if (others)
        return control_inner_fail(why, ERR_BAD_PARAMETER, "",
                                  "A provider uses the address and key of its integration; change them there.");
    return put_own(spec, a, row, why);
}

enum err integration_check_provider(const struct control_integration_spec *spec, struct arena *a,
                                    struct control_integration *row, struct control_why *why)
{
    enum err e = put_slug(spec->slug, a, row, why);
    if (e != ERR_OK)
        return e;
    row->name = row->slug;
    row->note = STR("");
    row->expires_us = 0;
    row->hidden = false;
    return put_provider(spec, a, row, why);
}

enum err integration_check_change(const struct control_integration_spec *spec, struct arena *a,
                                  struct control_integration *row, struct control_why *why)
{
    if (spec->slug.p && !str_eq(spec->slug, row->slug))
        return control_inner_fail(why, ERR_BAD_PARAMETER, "slug", "The slug of an integration cannot be changed.");
    if (spec->kind.p && !str_eq(spec->kind, str_c(kind_integration_text(row->kind))))
        return control_inner_fail(why, ERR_BAD_PARAMETER, "kind", "The kind of an integration cannot be changed.");
    return row->account.n ? put_provider(spec, a, row, why) : put_fields(spec, a, row, why);
}

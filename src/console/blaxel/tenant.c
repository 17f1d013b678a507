/* SPDX-License-Identifier: Apache-2.0 */
/* Who is admitted is decided before; here, whether they may speak of the workspace they name. */
#include "console/blaxel/tenant.h"

#include <stdio.h>

#include "console/console_inner.h"
#include "control/people/reach.h"

#define FIRST_VERSION "2026-04-16"

static struct str version_of(const struct job *j)
{
    return j->blaxel.version.n ? j->blaxel.version : STR(FIRST_VERSION);
}

/* Those that were published, by their dates. All from the second on have pages. */
static const char *const versions[] = {FIRST_VERSION, "2026-04-28", "2026-09-22"};
#define VERSION_COUNT (sizeof versions / sizeof versions[0])

static bool check_version(struct job *j)
{
    struct str version = version_of(j);
    char text[256];
    size_t n = 0;
    for (size_t i = 0; i < VERSION_COUNT; i++) {
        if (str_eq(version, str_c(versions[i])))
            return true;
        n += (size_t)snprintf(text + n, sizeof text - n, "%s%s", i ? ", " : "", versions[i]);
    }
    struct buf message;
    buf_init(&message, 512);
    bool ok = buf_printf(&message, "There is no such Blaxel-Version. Valid versions: %s", text);
    job_reply_json(j, 400);
    json_write_object(&j->json);
    json_write_member_int(&j->json, "code", 400);
    json_write_member_string(&j->json, "error", STR("invalid_api_version"));
    json_write_member_string(&j->json, "message", ok ? buf_str(&message) : STR(""));
    json_write_object_end(&j->json);
    buf_free(&message);
    return false;
}

bool tenant_reaches(const struct job *j, int64_t workspace_id)
{
    struct reach reach;
    return reach_workspace(j->snapshot, j->key, workspace_id, &reach);
}

bool tenant_named(struct job *j, struct str name, int64_t *ret_id)
{
    const struct snapshot_workspace *w = snapshot_find_workspace(j->snapshot, name);
    struct reach reach;
    bool reached = w && reach_workspace(j->snapshot, j->key, w->id, &reach);
    if (!reached && !w && reach_organizes(j->key, KIND_ROLE_ADMIN)) {
        job_fail(j, ERR_NOT_FOUND, STR("workspace"), STR("There is no workspace of this name; check its spelling."));
        return false;
    }
    if (!reached) { /* one answer to both, which says nothing of what others have */
        job_fail(j, ERR_FORBIDDEN, STR("workspace"),
                 STR("This key reaches no workspace of this name; check its spelling, or ask for an invitation."));
        return false;
    }
    *ret_id = w->id;
    j->role = reach.role;
    return true;
}

/* Whether the call is about things of one workspace. */
static bool is_in_workspace(const struct route *route)
{
    static const struct str others[] = {{"/workspaces", 11}, {"/accounts", 9},       {"/locations", 10},
                                        {"/profile", 8},     {"/configuration", 14}, {"/oauth", 6}};
    struct str path = str_from(route->path, str_starts(route->path, STR("/v0")) ? 3 : 4);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (str_starts(path, others[i]))
            return false;
    return true;
}

/* Answers an invitation: SDKs name the workspace that it is for in the head, where the caller is nobody yet. */
static bool is_answer(const struct route *route)
{
    return str_ends(route->path, STR("/join")) || str_ends(route->path, STR("/decline"));
}

static bool check_workspace(struct job *j)
{
    struct str name = j->blaxel.workspace.n ? j->blaxel.workspace : job_query(j, STR("workspace"));
    struct reach second;
    if (is_answer(j->route))
        return true;
    if (name.n)
        return tenant_named(j, name, &j->workspace_id);
    if (!is_in_workspace(j->route) || !reach_at(j->snapshot, j->key, 1, &second))
        return true;
    job_fail(j, ERR_MISSING_PARAMETER, STR("workspace"),
             STR("This key reaches several workspaces; name one in x-blaxel-workspace or ?workspace=."));
    return false;
}

bool tenant_begin(struct job *j)
{
    return check_version(j) && (!j->key || check_workspace(j));
}

bool tenant_has_pages(const struct job *j)
{
    return !str_eq(version_of(j), STR(FIRST_VERSION));
}

struct str tenant_name(const struct job *j)
{
    const struct snapshot_workspace *w = snapshot_workspace_of(j->snapshot, j->workspace_id);
    return w ? w->name : STR("");
}

bool tenant_is_admin(const struct job *j)
{
    return j->role <= KIND_ROLE_ADMIN;
}

/* What a Host field may be; anything else is not put into an address. */
static bool is_host(struct str text)
{
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!plain && c != '.' && c != '-' && c != '_' && c != ':' && c != '[' && c != ']')
            return false;
    }
    return text.n > 0 && text.n <= 262;
}

bool tenant_origin(const struct job *j, struct buf *out)
{
    const struct console_settings *s = &j->console->settings;
    if (s->public_url.n)
        return buf_add_str(out, s->public_url);
    bool https = s->tls || str_eq_nocase(j->blaxel.proto, STR("https"));
    return buf_add_str(out, https ? STR("https://") : STR("http://")) &&
           buf_add_str(out, is_host(j->blaxel.host) ? j->blaxel.host : STR("localhost"));
}

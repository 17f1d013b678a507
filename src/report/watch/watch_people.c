/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who a resource names: addresses as they are, people by their tokens while they belong to the workspace, and
 * channels: an address of the web, or the name of one that an admin has stored.
 */
#include "base/log.h"
#include "base/must.h"
#include "control/outlet/outlet.h"
#include "control/people/member.h"
#include "report/watch/watch_fire.h"
#include "report/watch/watch_inner.h"

static void add(struct watch_people *p, enum notify_channel channel, struct str to)
{
    for (size_t i = 0; i < p->count; i++)
        if (p->list[i].channel == channel && str_eq(p->list[i].to, to))
            return;
    if (p->count < WATCH_TO_MAX && to.n)
        p->list[p->count++] = (struct watch_to){channel, to};
}

static void add_address(struct watch_people *p, struct str address)
{
    if (notify_address_ok(address))
        add(p, NOTIFY_MAIL, address);
}

/* ---- people ---- */

static bool belongs(struct watch_turn *t, int64_t workspace, const struct member *m)
{
    struct control_why why;
    struct membership *rows;
    size_t count;
    if (m->role <= KIND_ROLE_ADMIN) /* of the organization: everywhere */
        return true;
    if (membership_of(watch_inner_control(t->watch), m->id, t->arena, &rows, &count, &why) != ERR_OK)
        return false;
    for (size_t i = 0; i < count; i++)
        if (rows[i].workspace_id == workspace)
            return true;
    return false;
}

static void add_person(struct watch_turn *t, int64_t workspace, struct str token, struct watch_people *p)
{
    struct control_why why;
    struct member m;
    uint64_t id;
    if (!watch_inner_control(t->watch) || !str_starts(token, STR("usr_")) || !str_hex_to_u64(str_from(token, 4), &id) ||
        id > INT64_MAX || member_find(watch_inner_control(t->watch), (int64_t)id, t->arena, &m, &why) != ERR_OK)
        return;
    if (belongs(t, workspace, &m))
        add_address(p, m.email);
}

/* ---- channels ---- */

static bool host_ends(struct str url, struct str end)
{
    ptrdiff_t from = str_search(url, STR("://"));
    if (from < 0)
        return false;
    struct str host = str_from(url, (size_t)from + 3);
    for (size_t i = 0; i < host.n; i++)
        if (host.p[i] == '/' || host.p[i] == ':' || host.p[i] == '?')
            host = str_head(host, i);
    return str_ends(host, end);
}

static enum notify_channel kind_of_url(struct str url)
{
    if (host_ends(url, STR("hooks.slack.com")))
        return NOTIFY_SLACK;
    if (host_ends(url, STR(".webhook.office.com")) || host_ends(url, STR(".logic.azure.com")) ||
        host_ends(url, STR(".powerplatform.com")))
        return NOTIFY_TEAMS;
    return NOTIFY_WEBHOOK;
}

/* What an admin has stored under the name; `missing` where there is none, so that the outbox complains of it. */
static enum notify_channel kind_of_name(struct watch_turn *t, int64_t workspace, struct str name,
                                        enum notify_channel missing)
{
    static const enum notify_channel kinds[OUTLET_KIND_COUNT] = {
        [OUTLET_SLACK] = NOTIFY_SLACK, [OUTLET_TEAMS] = NOTIFY_TEAMS, [OUTLET_WEBHOOK] = NOTIFY_WEBHOOK};
    struct control_why why;
    struct outlet *rows;
    struct str normal;
    size_t count;
    if (!watch_inner_control(t->watch) || !outlet_name(name, t->arena, &normal) ||
        outlet_list(watch_inner_control(t->watch), workspace, t->arena, &rows, &count, &why) != ERR_OK)
        return missing;
    for (size_t i = 0; i < count; i++)
        if (str_eq(rows[i].name, normal))
            return kinds[rows[i].kind];
    return missing;
}

static void add_channel(struct watch_turn *t, int64_t workspace, struct str to, enum notify_channel missing,
                        struct watch_people *p)
{
    bool url = str_starts(to, STR("https://")) || str_starts(to, STR("http://"));
    if (to.n && to.n <= NOTIFY_TO_MAX)
        add(p, url ? kind_of_url(to) : kind_of_name(t, workspace, to, missing), to);
}

void watch_people_add(struct watch_turn *t, int64_t workspace, struct jval body, struct watch_people *p)
{
    static const struct {
        const char *field;
        enum notify_channel missing;
    } lists[] = {{"recipient_emails", NOTIFY_MAIL},     {"email_recipients", NOTIFY_MAIL},
                 {"user_tokens", NOTIFY_CHANNEL_COUNT}, {"recipient_channels", NOTIFY_SLACK},
                 {"slack_channels", NOTIFY_SLACK},      {"teams_channels", NOTIFY_TEAMS}};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        struct jval list = jdoc_get(body, lists[i].field);
        for (struct jval v = jdoc_first(list); jdoc_has(v); v = jdoc_next(list, v)) {
            struct str text = arena_dup(t->arena, str_trim(jdoc_text(v, t->arena)));
            if (!text.p)
                return;
            if (lists[i].missing == NOTIFY_MAIL)
                add_address(p, text);
            else if (lists[i].missing == NOTIFY_CHANNEL_COUNT)
                add_person(t, workspace, text, p);
            else
                add_channel(t, workspace, text, lists[i].missing, p);
        }
    }
}

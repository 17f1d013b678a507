/* SPDX-License-Identifier: Apache-2.0 */
/* The organization's people. Owners and admins of the organization see all of them, others themselves. */
#include "console/console_inner.h"
#include "console/vantage/access/persons.h"
#include "console/vantage/vantage.h"
#include "console/vantage/vantage_reply.h"
#include "control/people/member.h"

static void write_user(struct job *j, const struct sight *s, const struct member *m)
{
    struct json_write *w = &j->json;
    json_write_object(w);
    json_write_member_string(w, "token", ask_id_token(j, PERSONS_USER, m->id));
    json_write_member_text(w, "name", m->name);
    json_write_member_string(w, "email", m->email);
    json_write_member_string(w, "role", persons_role_word(m->role));
    persons_write_dashboard(j, s, persons_dashboard(j, m->id));
    json_write_member_null(w, "last_seen_at");
    json_write_object_end(w);
}

static bool is_seen(const struct job *j, int64_t id)
{
    return persons_is_organizer(j) || (id && id == j->key->member_id);
}

void users_list(struct job *j)
{
    struct vantage_page page;
    struct control_why why;
    struct sight s;
    struct member *rows;
    size_t all, count = 0;
    if (!vantage_page_read(j, 100, 1000, &page) || !ask_sight(j, &s))
        return;
    enum err e = member_list(j->console->settings.control, j->arena, &rows, &all, &why);
    if (e != ERR_OK) {
        vantage_fail_err(j, e, why.text);
        return;
    }
    for (size_t i = 0; i < all; i++)
        if (is_seen(j, rows[i].id))
            rows[count++] = rows[i];
    job_reply_json(j, 200);
    json_write_object(&j->json);
    vantage_links(j, &page, count, false);
    json_write_key(&j->json, STR("users"));
    json_write_array(&j->json);
    for (size_t i = (page.page - 1) * page.limit, n = 0; i < count && n < page.limit; i++, n++)
        write_user(j, &s, &rows[i]);
    json_write_array_end(&j->json);
    json_write_object_end(&j->json);
}

/* The person in the path. False when the job was answered. */
static bool named(struct job *j, struct member *ret)
{
    struct control_why why;
    int64_t id;
    if (ask_id(ask_token(j, 0), PERSONS_USER, &id) && is_seen(j, id) &&
        member_find(j->console->settings.control, id, j->arena, ret, &why) == ERR_OK)
        return true;
    vantage_fail(j, 404, "There is no such user");
    return false;
}

void users_get(struct job *j)
{
    struct sight s;
    struct member m;
    if (!ask_sight(j, &s) || !named(j, &m))
        return;
    job_reply_json(j, 200);
    write_user(j, &s, &m);
}

void users_update(struct job *j)
{
    struct sight s;
    struct member m;
    struct jdoc body;
    if (!ask_sight(j, &s) || !named(j, &m) || !ask_body(j, &body))
        return;
    bool ok = persons_set_dashboard(j, &s, m.id, jdoc_root(&body));
    jdoc_free(&body);
    if (!ok)
        return;
    job_reply_json(j, 200);
    write_user(j, &s, &m);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The row has the hash of random bytes: it is reached by tokens alone. */
#include "control/people/grant.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/rng.h"
#include "control/people/people_inner.h"

#define ROW_ARENA 1024
#define ROW_ARENA_MAX 65536
/* One snapshot for many uses. */
#define TOUCH_US (GRANT_IDLE_US / 30)

static enum err note(struct control *c, const char *action, struct str object_id, struct str client, struct str peer,
                     struct control_why *why)
{
    struct audit_text t;
    audit_text_begin(&t);
    json_write_member_string(&t.w, "client", client);
    json_write_member_string(&t.w, "asked_from", peer);
    const struct audit_change change = {
        .action = action, .object_type = "session", .object_id = object_id, .after = audit_text_end(&t)};
    enum err e = audit_note(c, &change, why);
    audit_text_free(&t);
    return e;
}

enum err grant_note_answer(struct control *c, struct str client, struct str peer, bool allow, struct control_why *why)
{
    enum err e = control_inner_begin(c, why);
    if (e != ERR_OK)
        return e;
    e = note(c, allow ? "device.allow" : "device.refuse", actor_get()->name, client, peer, why);
    return control_inner_end(c, e, why);
}

static enum err insert(struct control *c, const struct member *m, struct str client, int64_t *ret_id,
                       struct control_why *why)
{
    struct store_stmt *st;
    char nobodys[40];
    int64_t now = clock_wall_us();
    struct control_inner_key key = {.member_id = m->id,
                                    .name = client,
                                    .role = KIND_ROLE_OWNER, /* the person's own is the weaker one */
                                    .record_bodies = KIND_BODIES_DEFAULT,
                                    .expires_us = now + GRANT_IDLE_US,
                                    .text = str_of(nobodys, sizeof nobodys)};
    enum err e = people_inner_home(c, m->id, &key.workspace_id, why);
    rng_bytes(nobodys, sizeof nobodys);
    if (e == ERR_OK)
        e = control_inner_insert_key(c, &key, ret_id, why);
    mem_wipe(nobodys, sizeof nobodys);
    if (e == ERR_OK)
        e = control_inner_sql(c, "UPDATE api_key SET kind = 'device', last = '', until_us = ?2 WHERE id = ?1", &st,
                              why);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, *ret_id);
    store_bind_i64(st, 2, now + GRANT_LASTS_US);
    return control_inner_run(c, st, why);
}

enum err grant_open(struct control *c, int64_t member_id, struct str client, struct str peer, struct buf *ret_access,
                    struct buf *ret_refresh, struct control_why *why)
{
    struct member m;
    int64_t key_id = 0;
    enum err e = control_inner_begin(c, why);
    if (e != ERR_OK)
        return e;
    struct arena *a = arena_new(ROW_ARENA, ROW_ARENA_MAX);
    e = people_inner_find(c, member_id, a, &m, why);
    if (e == ERR_OK)
        e = insert(c, &m, client, &key_id, why);
    if (e == ERR_OK)
        e = note(c, "device.create", m.email.n ? m.email : m.name, client, peer, why);
    if (e == ERR_OK)
        e = people_inner_tokens(c, STR("device"), key_id, ret_access, ret_refresh);
    e = control_inner_end(c, e, why);
    arena_free(a);
    return e;
}

enum err grant_touch(struct control *c, int64_t key_id, int64_t expires_us, struct control_why *why)
{
    int64_t to = clock_wall_us() + GRANT_IDLE_US;
    if (to - expires_us < TOUCH_US)
        return ERR_OK;
    enum err e = control_inner_begin(c, why);
    if (e != ERR_OK)
        return e;
    e = people_inner_run(c,
                         "UPDATE api_key SET expires_us = min(?2, until_us) WHERE id = ?1 AND kind = 'device' AND "
                         "revoked_us = 0 AND expires_us < min(?2, until_us)",
                         key_id, to, why);
    return control_inner_end(c, e, why);
}

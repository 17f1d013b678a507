/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a person who is signed in says about a program that asks to be let in. Only sessions may: a key that could
 * would make of itself tokens that outlive it.
 */
#include "base/clock.h"
#include "base/must.h"
#include "console/console_inner.h"
#include "console/native/native.h"
#include "console/native/output.h"
#include "console/people/people.h"
#include "control/control.h"
#include "control/people/device.h"
#include "control/people/grant.h"
#include "control/people/tries.h"

/* Wrong codes of one person within a quarter of an hour (RFC 8628 §5.1). */
#define TRIES_MAX 10
#define TRIES_US (INT64_C(15) * 60 * 1000000)

static void write_ask(struct job *j, const struct device_ask *ask)
{
    struct json_write *w = &j->json;
    json_write_object(w);
    json_write_member_string(w, "user_code", str_c(ask->user));
    json_write_member_string(w, "client", str_c(ask->client));
    json_write_member_string(w, "asked_from", str_c(ask->peer));
    output_time(w, "asked_at", ask->asked_us);
    output_time(w, "expires_at", ask->expires_us);
    json_write_object_end(w);
}

/* Whose wrong codes are counted. */
static struct str tries_name(struct job *j)
{
    struct buf b;
    buf_init(&b, 64);
    bool ok = buf_printf(&b, "device codes of %lld", (long long)j->key->member_id);
    struct str name = arena_dup(j->arena, ok ? buf_str(&b) : STR("device codes"));
    buf_free(&b);
    return name.p ? name : STR("device codes");
}

/* False when the job was answered. */
static bool may_answer(struct job *j)
{
    if (!j->key->session)
        job_fail(j, ERR_FORBIDDEN, STR(""), STR("only a person who is signed in can let a program in, not a key"));
    else if (!tries_allowed(j->console->tries, tries_name(j), TRIES_MAX, TRIES_US, clock_wall_us()))
        job_fail(j, ERR_RATE_LIMITED, STR("user_code"),
                 STR("Too many wrong codes; wait a quarter of an hour and try again."));
    return !j->status;
}

static void unknown(struct job *j)
{
    tries_failed(j->console->tries, tries_name(j), TRIES_US, clock_wall_us());
    job_fail(j, ERR_NOT_FOUND, STR("user_code"),
             STR("No program waits with this code: it is mistyped, was answered, or is older than ten minutes. Start "
                 "the sign-in of the program again."));
}

void devices_get(struct job *j)
{
    struct device_ask ask;
    if (!may_answer(j))
        return;
    if (!device_find(j->console->devices, job_query(j, STR("user_code")), clock_wall_us(), &ask)) {
        unknown(j);
        return;
    }
    job_reply_json(j, 200);
    write_ask(j, &ask);
}

/* The answer is noted before it counts. */
static bool answer(struct job *j, struct str code, bool allow, struct device_ask *ask)
{
    struct control_why why = {.param = ""};
    struct device_table *table = j->console->devices;
    int64_t now = clock_wall_us();
    if (!device_find(table, code, now, ask)) {
        unknown(j);
        return false;
    }
    enum err e = grant_note_answer(j->console->settings.control, str_c(ask->client), str_c(ask->peer), allow, &why);
    if (e) {
        job_fail_why(j, e, &why);
        return false;
    }
    bool ok = device_answer(table, code, j->key->member_id, allow, now, ask);
    must(ok); /* this thread has found it */
    return true;
}

void devices_answer(struct job *j)
{
    struct input in;
    struct device_ask ask;
    bool store, ok;
    if (!may_answer(j) || !input_begin(&in, j))
        return;
    struct str code = input_text(&in, "user_code");
    const bool *allow = input_bool(&in, "allow", &store);
    ok = input_check(&in);
    if (ok && (!code.p || !allow)) {
        job_fail(j, ERR_MISSING_PARAMETER, code.p ? STR("allow") : STR("user_code"), STR(""));
        ok = false;
    }
    ok = ok && answer(j, code, *allow, &ask);
    input_end(&in);
    if (!ok)
        return;
    job_reply_json(j, 200);
    write_ask(j, &ask);
}

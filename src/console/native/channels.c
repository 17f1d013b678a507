/* SPDX-License-Identifier: Apache-2.0 */
/* Channels that messages to people go to. */
#include "console/console_inner.h"
#include "console/native/input.h"
#include "console/native/native.h"
#include "console/native/output.h"
#include "control/outlet/outlet.h"

static struct control *control_of(struct job *j)
{
    return j->console->settings.control;
}

static void write_channel(struct json_write *w, const struct outlet *ch, const struct secret *key)
{
    json_write_object(w);
    json_write_member_string(w, "name", ch->name);
    json_write_member_string(w, "kind", str_c(outlet_kind_text(ch->kind)));
    json_write_member_string(w, "url", ch->hint);
    if (key && key->n)
        json_write_member_string(w, "signing_key", secret_reveal(key));
    output_time(w, "created_at", ch->created_us);
    output_time(w, "updated_at", ch->updated_us);
    json_write_object_end(w);
}

void channels_list(struct job *j)
{
    struct outlet *rows = NULL;
    size_t count = 0;
    struct control_why why = {.param = ""};
    enum err e = outlet_list(control_of(j), j->key->workspace_id, j->arena, &rows, &count, &why);
    if (e) {
        job_fail_why(j, e, &why);
        return;
    }
    job_reply_json(j, 200);
    json_write_object(&j->json);
    json_write_member_string(&j->json, "object", STR("list"));
    json_write_key(&j->json, STR("data"));
    json_write_array(&j->json);
    for (size_t i = 0; i < count; i++)
        write_channel(&j->json, &rows[i], NULL);
    json_write_array_end(&j->json);
    json_write_object_end(&j->json);
}

void channels_put(struct job *j)
{
    struct input in;
    struct outlet made;
    struct secret key = {0};
    enum outlet_kind kind = OUTLET_SLACK;
    struct control_why why = {.param = ""};
    if (!input_begin(&in, j))
        return;
    struct str text = input_text(&in, "kind"), url = input_text(&in, "url");
    bool ok = input_check(&in);
    if (ok && !outlet_kind_from(text.p ? text : STR(""), &kind)) {
        job_fail(j, text.p ? ERR_BAD_PARAMETER : ERR_MISSING_PARAMETER, STR("kind"),
                 STR("kind is slack, teams or webhook"));
        ok = false;
    }
    enum err e = ok ? outlet_put(control_of(j), j->key->workspace_id, j->params[0], kind, url.p ? url : STR(""),
                                 j->arena, &made, &key, &why)
                    : ERR_OK;
    input_end(&in);
    if (!ok)
        return;
    if (e) {
        job_fail_why(j, e, &why);
        return;
    }
    job_reply_json(j, 200);
    write_channel(&j->json, &made, &key);
    secret_wipe(&key);
}

void channels_delete(struct job *j)
{
    struct control_why why = {.param = ""};
    enum err e = outlet_delete(control_of(j), j->key->workspace_id, j->params[0], &why);
    if (e)
        job_fail_why(j, e, &why);
    else
        job_reply_empty(j, 204);
}

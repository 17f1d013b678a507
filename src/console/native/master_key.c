/* SPDX-License-Identifier: Apache-2.0 */
/* Rotation of the master key, while serving. */
#include "base/str.h"
#include "console/console_inner.h"
#include "console/native/input.h"
#include "console/native/native.h"
#include "control/control.h"
#include "control/people/reach.h"
#include "control/people/rotate.h"

void master_key_rotate(struct job *j)
{
    struct input in;
    struct control_why why = {.param = ""};
    struct control *control = j->console->settings.control;
    char before[MASTER_KEY_ID_MAX];
    if (!reach_organizes(j->key, KIND_ROLE_OWNER)) {
        job_fail(j, ERR_FORBIDDEN, STR(""), STR("this is for owners of the organization"));
        return;
    }
    if (!input_begin(&in, j))
        return;
    struct str key = input_text(&in, "new_key");
    str_copy(before, sizeof before, str_c(control_master_key_id(control)));
    bool ok = input_check(&in);
    enum err e = ok ? rotate_master_key(control, key.p ? key : STR(""), &why) : ERR_OK;
    input_end(&in);
    if (!ok)
        return;
    if (e) {
        job_fail_why(j, e, &why);
        return;
    }
    job_reply_json(j, 200);
    json_write_object(&j->json);
    json_write_member_string(&j->json, "id", str_c(control_master_key_id(control)));
    json_write_member_string(&j->json, "previous_id", str_c(before));
    json_write_object_end(&j->json);
}

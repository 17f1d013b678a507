/* SPDX-License-Identifier: Apache-2.0 */
/* A sentence from control says more than the table's, so it stands alone. */
#include "console/blaxel/blaxel_error.h"

#include "base/json_write.h"

bool blaxel_error_json(struct buf *out, enum err e, struct str param, struct str detail)
{
    const struct err_info *info = err_info(e);
    struct json_write w;
    json_write_init(&w, out);
    json_write_object(&w);
    json_write_member_int(&w, "code", info->status ? info->status : 500);
    json_write_member_string(&w, "error", str_c(info->code));
    json_write_member_string(&w, "message", detail.n ? str_head(detail, 2048) : str_c(info->text));
    if (param.n)
        json_write_member_string(&w, "param", param);
    json_write_object_end(&w);
    return json_write_done(&w);
}

bool blaxel_error_lines(struct buf *lines, enum err e)
{
    int status = err_info(e)->status;
    return status != 409 && status != 408 ? true : buf_add_str(lines, STR("x-should-retry: false\r\n"));
}

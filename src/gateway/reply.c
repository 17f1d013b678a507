/* SPDX-License-Identifier: Apache-2.0 */
/* Error answers. Everything but the detail comes from the error table. */
#include "gateway/reply.h"

#include "base/json_write.h"

#define RETRY_AFTER_S 1

bool reply_error_json(struct buf *out, enum err e, struct str param, struct str detail)
{
    const struct err_info *info = err_info(e);
    struct json_write w;
    struct buf message;
    buf_init(&message, 2048);
    bool ok = buf_add_str(&message, str_c(info->text));
    if (detail.n)
        ok = ok && buf_add_str(&message, STR(" (")) && buf_add_str(&message, str_head(detail, 1024)) &&
             buf_add_str(&message, STR(")"));
    json_write_init(&w, out);
    json_write_object(&w);
    json_write_key(&w, STR("error"));
    json_write_object(&w);
    json_write_member_string(&w, "message", buf_str(&message));
    json_write_member_string(&w, "type", str_c(info->type));
    json_write_member_text(&w, "param", param);
    json_write_member_string(&w, "code", str_c(info->code));
    json_write_object_end(&w);
    json_write_object_end(&w);
    buf_free(&message);
    return json_write_done(&w) && ok;
}

void reply_error_lines(struct buf *out, enum err e)
{
    const struct err_info *info = err_info(e);
    bool ok = true;
    if (info->status == 503 || info->status == 429)
        ok = buf_printf(out, "Retry-After: %d\r\n", RETRY_AFTER_S);
    if (info->status == 401)
        ok = ok && buf_add_str(out, STR("WWW-Authenticate: Bearer realm=\"tollgate\"\r\n"));
    (void)ok;
}

void reply_error(struct http_exchange *x, enum err e, struct str param, struct str detail, struct str lines)
{
    struct buf body, all_lines;
    buf_init(&body, 8192);
    buf_init(&all_lines, 8192);
    bool ok = reply_error_json(&body, e, param, detail) && buf_add_str(&all_lines, lines);
    reply_error_lines(&all_lines, e);
    if (ok)
        http_reply(x, err_info(e)->status, STR("application/json"), buf_str(&all_lines), buf_str(&body));
    else
        http_abort(x);
    buf_free(&body);
    buf_free(&all_lines);
}

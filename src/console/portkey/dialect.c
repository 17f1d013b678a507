/* SPDX-License-Identifier: Apache-2.0 */
/* One object for all readers; the sentence stands in each place where one of them looks for it. */
#include "console/portkey/dialect.h"

#include "base/json_write.h"
#include "base/must.h"

static const char *code_of(int status)
{
    switch (status) {
    case 401:
        return "AB05";
    case 402:
        return "AB09";
    case 403:
        return "AB03";
    case 404:
        return "AB02";
    case 409:
        return "AB07";
    case 429:
        return "AB06";
    default:
        return status < 500 ? "AB01" : "AB04";
    }
}

static void write_error(struct json_write *w, const struct err_info *info, struct str message, struct str param)
{
    json_write_key(w, STR("error"));
    json_write_object(w);
    json_write_member_string(w, "message", message);
    json_write_member_string(w, "type", str_c(info->type));
    json_write_member_text(w, "param", param);
    json_write_member_string(w, "code", str_c(info->code));
    json_write_object_end(w);
}

static void write_data(struct json_write *w, struct str message, const char *code)
{
    json_write_key(w, STR("data"));
    json_write_object(w);
    json_write_member_string(w, "message", message);
    json_write_member_string(w, "errorCode", str_c(code));
    json_write_object_end(w);
}

bool dialect_error_json(struct buf *out, enum err e, struct str param, struct str detail)
{
    const struct err_info *info = err_info(e);
    struct json_write w;
    struct buf text;
    buf_init(&text, 4096);
    bool ok = buf_add_str(&text, str_c(info->text));
    if (detail.n)
        ok = ok && buf_add_str(&text, STR(" (")) && buf_add_str(&text, str_head(detail, 2048)) &&
             buf_add_str(&text, STR(")"));
    struct str message = buf_str(&text);
    json_write_init(&w, out);
    json_write_object(&w);
    json_write_member_bool(&w, "success", false);
    json_write_member_string(&w, "status", STR("failure"));
    json_write_member_string(&w, "message", message);
    write_data(&w, info->status == 401 ? STR("Unauthorised Request") : message, code_of(info->status));
    write_error(&w, info, message, param);
    json_write_object_end(&w);
    buf_free(&text);
    return json_write_done(&w) && ok;
}

bool dialect_not_found_json(struct buf *out)
{
    const struct err_info *info = err_info(ERR_ROUTE_UNKNOWN);
    struct json_write w;
    json_write_init(&w, out);
    json_write_object(&w);
    json_write_member_string(&w, "message", STR("Not Found"));
    json_write_member_bool(&w, "ok", false);
    json_write_member_bool(&w, "success", false);
    write_data(&w, str_c(info->text), "AB08");
    write_error(&w, info, str_c(info->text), STR(""));
    json_write_object_end(&w);
    return json_write_done(&w);
}

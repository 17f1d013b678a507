/* SPDX-License-Identifier: Apache-2.0 */
/* One object for two readers: Blaxel's SDKs and whoever points an OpenAI SDK at a model's address. */
#include "gateway/envelope.h"

#include "base/clock.h"
#include "base/json_write.h"
#include "base/must.h"

static const struct {
    const char *code;
    int status;
    bool retryable;
    const char *action, *do_not;
} rows[] = {
#define X(name, status, retryable, action, do_not) {#name, status, retryable, action, do_not},
    ENVELOPE_TABLE(X)
#undef X
};

const char *envelope_code(enum envelope which)
{
    must(which < ENVELOPE_COUNT);
    return rows[which].code;
}

enum envelope envelope_of(enum err e)
{
    switch (e) {
    case ERR_KEY_MISSING:
        return ENVELOPE_AUTHENTICATION_REQUIRED;
    case ERR_KEY_INVALID:
        return ENVELOPE_AUTHENTICATION_FAILED;
    case ERR_FORBIDDEN:
        return ENVELOPE_FORBIDDEN;
    case ERR_NOT_FOUND:
        return ENVELOPE_WORKLOAD_NOT_FOUND;
    case ERR_ROUTE_UNKNOWN:
        return ENVELOPE_ROUTE_NOT_FOUND;
    case ERR_BODY_TOO_LARGE:
        return ENVELOPE_REQUEST_ENTITY_TOO_LARGE;
    case ERR_NO_INTEGRATION:
        return ENVELOPE_WORKLOAD_UNAVAILABLE;
    default:
        if (e >= ERR_UPSTREAM_DNS && e <= ERR_UPSTREAM_BUSY)
            return ENVELOPE_UPSTREAM_UNAVAILABLE;
        return err_info(e)->status >= 500 ? ENVELOPE_INTERNAL_ERROR : ENVELOPE_BAD_REQUEST;
    }
}

bool envelope_json(struct buf *out, enum envelope which, int status, struct str message, struct str type,
                   struct str param, int64_t wall_us, int *ret_status)
{
    struct json_write w;
    char when[CLOCK_TEXT_MAX];
    *ret_status = rows[which].status ? rows[which].status : status;
    json_write_init(&w, out);
    json_write_object(&w);
    json_write_key(&w, STR("error"));
    json_write_object(&w);
    json_write_member_string(&w, "code", str_c(rows[which].code));
    json_write_member_string(&w, "message", message);
    json_write_member_int(&w, "status", *ret_status);
    json_write_member_string(&w, "origin", STR("platform"));
    json_write_member_bool(&w, "retryable", rows[which].retryable);
    json_write_member_string(&w, "action", str_c(rows[which].action));
    json_write_member_string(&w, "do_not", str_c(rows[which].do_not));
    json_write_member_null(&w, "docs_url");
    json_write_member_string(&w, "timestamp", str_of(when, clock_format(wall_us, 0, when)));
    json_write_member_string(&w, "type", type);
    json_write_member_text(&w, "param", param);
    json_write_object_end(&w);
    json_write_object_end(&w);
    return json_write_done(&w);
}

bool envelope_lines(struct buf *out, enum envelope which)
{
    return buf_printf(out, "X-Blaxel-Source: platform\r\nX-Blaxel-Error-Code: %s\r\n", rows[which].code);
}

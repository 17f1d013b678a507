/* SPDX-License-Identifier: Apache-2.0 */
/* The table, and the three shapes of its answers. */
#include "gateway/target/refusal.h"

#include "base/json_write.h"
#include "base/must.h"

#define DETAIL_MAX 2048
#define MESSAGE_MAX (DETAIL_MAX + 1024)

static const struct refusal_info rows[] = {
#define X(name, status, family, type, code, err, message) \
    {#name, status, REFUSAL_FAMILY_##family, type, code, ERR_##err, message},
    REFUSAL_TABLE(X)
#undef X
};

const struct refusal_info *refusal_info(enum refusal which)
{
    must((unsigned)which < REFUSAL_COUNT);
    return &rows[which];
}

/* The message with the detail in its place, and what the key family puts around it. */
static void write_message(struct buf *out, const struct refusal_info *info, struct str detail)
{
    struct str message = str_c(info->message);
    ptrdiff_t place = str_search(message, STR("%s"));
    bool key = info->family == REFUSAL_FAMILY_KEY;
    bool ok = !key || buf_add_str(out, STR("Portkey Error: "));
    if (place >= 0) {
        ok = ok && buf_add_str(out, str_head(message, (size_t)place)) && buf_add_str(out, str_head(detail, DETAIL_MAX));
        message = str_from(message, (size_t)place + 2);
    }
    ok = ok && buf_add_str(out, message);
    if (key)
        ok = ok && buf_printf(out, ". Error Code: %s", info->code);
    must(ok); /* the buffer holds the longest row and detail */
}

static bool write_error(struct buf *out, const struct refusal_info *info, struct str message)
{
    if (!buf_add_str(out, STR("\"error\":{\"message\":")) || !json_write_quoted(out, message) ||
        !buf_printf(out, ",\"type\":\"%s\",\"param\":null,\"code\":", info->type))
        return false;
    return (info->code[0] ? buf_printf(out, "\"%s\"}", info->code) : buf_add_str(out, STR("null}")));
}

static bool write_whole(struct buf *out, const struct refusal_info *info, struct str message, struct str more)
{
    if (!buf_add_byte(out, '{'))
        return false;
    if (info->family != REFUSAL_FAMILY_TARGET && (!buf_add_str(out, STR("\"status\":\"failure\",\"message\":")) ||
                                                  !json_write_quoted(out, message) || !buf_add_byte(out, ',')))
        return false;
    return write_error(out, info, message) && (!more.n || (buf_add_byte(out, ',') && buf_add_str(out, more))) &&
           buf_add_byte(out, '}');
}

bool refusal_json(struct buf *out, enum refusal which, struct str detail, struct str more)
{
    const struct refusal_info *info = refusal_info(which);
    size_t before = buf_size(out);
    struct buf message;
    buf_init(&message, MESSAGE_MAX);
    write_message(&message, info, detail);
    bool ok = write_whole(out, info, buf_str(&message), more);
    if (!ok)
        buf_cut(out, before);
    buf_free(&message);
    return ok;
}

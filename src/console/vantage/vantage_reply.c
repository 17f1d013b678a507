/* SPDX-License-Identifier: Apache-2.0 */
/* Links repeat the query that was asked, with another page. */
#include "console/vantage/vantage_reply.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/must.h"
#include "console/blaxel/tenant.h"
#include "console/console_inner.h"
#include "console/vantage/ask.h"

#define URL_BYTES 16384

static bool write_errors(struct buf *out, struct str text)
{
    struct json_write w;
    json_write_init(&w, out);
    json_write_object(&w);
    json_write_key(&w, STR("errors"));
    json_write_array(&w);
    json_write_string(&w, text);
    json_write_array_end(&w);
    json_write_object_end(&w);
    return json_write_done(&w);
}

bool vantage_error_json(struct buf *out, enum err e, struct str detail)
{
    return write_errors(out, detail.n ? str_head(detail, 2048) : str_c(err_info(e)->text));
}

bool vantage_unknown_json(struct buf *out)
{
    return write_errors(out, STR(VANTAGE_UNSUPPORTED));
}

void vantage_fail(struct job *j, int status, const char *text)
{
    buf_reset(&j->reply);
    j->status = 0;
    job_reply_json(j, status);
    json_write_object(&j->json);
    json_write_key(&j->json, STR("errors"));
    json_write_array(&j->json);
    json_write_string(&j->json, str_c(text));
    json_write_array_end(&j->json);
    json_write_object_end(&j->json);
}

void vantage_fail_err(struct job *j, enum err e, const char *why)
{
    bool state = e == ERR_CONFLICT || e == ERR_LIMIT_REACHED || e == ERR_IN_USE || e == ERR_LAST_OWNER;
    if (state)
        vantage_fail(j, 422, why);
    else
        job_fail(j, e, STR(""), str_c(why));
}

bool vantage_page_read(struct job *j, uint64_t limit, uint64_t max, struct vantage_page *ret)
{
    char text[80];
    struct str page = ask_text(j, "page"), most = ask_text(j, "limit");
    *ret = (struct vantage_page){.page = 1, .limit = limit};
    bool ok = (!page.n || (str_to_u64(page, &ret->page) && ret->page >= 1 && ret->page <= UINT32_MAX)) &&
              (!most.n || (str_to_u64(most, &ret->limit) && ret->limit >= 1 && ret->limit <= max));
    if (ok)
        return true;
    snprintf(text, sizeof text, "page must be at least 1 and limit from 1 to %llu", (unsigned long long)max);
    vantage_fail(j, 400, text);
    return false;
}

bool vantage_url(const struct job *j, struct buf *out, struct str path)
{
    return tenant_origin(j, out) && buf_add_str(out, path);
}

static void link_to(struct job *j, const char *name, uint64_t page, bool there)
{
    struct buf url;
    struct str rest = j->query, part;
    if (!there) {
        json_write_member_null(&j->json, name);
        return;
    }
    buf_init(&url, URL_BYTES);
    bool ok = vantage_url(j, &url, j->path) && buf_add_byte(&url, '?');
    while (ok && rest.n && str_split(&rest, '&', &part))
        if (part.n && !str_starts(part, STR("page=")))
            ok = buf_add_str(&url, part) && buf_add_byte(&url, '&');
    ok = ok && buf_printf(&url, "page=%llu", (unsigned long long)page);
    if (ok)
        json_write_member_string(&j->json, name, buf_str(&url));
    else
        json_write_member_null(&j->json, name);
    buf_free(&url);
}

void vantage_links(struct job *j, const struct vantage_page *p, uint64_t total, bool more)
{
    bool counted = total != UINT64_MAX;
    uint64_t last = counted && total ? (total + p->limit - 1) / p->limit : 1;
    json_write_key(&j->json, STR("links"));
    json_write_object(&j->json);
    link_to(j, "self", p->page, true);
    link_to(j, "first", 1, true);
    link_to(j, "next", p->page + 1, counted ? p->page < last : more);
    link_to(j, "last", last, counted);
    link_to(j, "prev", p->page - 1, p->page > 1);
    json_write_object_end(&j->json);
}

void vantage_time(struct json_write *w, const char *name, int64_t wall_us)
{
    char text[CLOCK_TEXT_MAX];
    if (wall_us == 0)
        json_write_member_null(w, name);
    else
        json_write_member_string(w, name, str_of(text, clock_format(wall_us, 0, text)));
}

/* SPDX-License-Identifier: Apache-2.0 */
/* One small document around a sentence; everything in it that comes from elsewhere is escaped. */
#include "console/people/sign_in_page.h"

#include "base/must.h"
#include "console/native/pages.h"

#define PAGE_MAX 16384

static bool add_escaped(struct buf *out, struct str text)
{
    bool ok = true;
    for (size_t i = 0; i < text.n && ok; i++) {
        char c = text.p[i];
        ok = c == '<'    ? buf_add_str(out, STR("&lt;"))
             : c == '>'  ? buf_add_str(out, STR("&gt;"))
             : c == '&'  ? buf_add_str(out, STR("&amp;"))
             : c == '"'  ? buf_add_str(out, STR("&quot;"))
             : c == '\'' ? buf_add_str(out, STR("&#39;"))
                         : buf_add_byte(out, c);
    }
    return ok;
}

static bool add_page(struct buf *out, const struct job *j, struct str title, struct str text, struct str again)
{
    bool ok =
        buf_add_str(out, STR("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                             "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                             "<title>")) &&
        add_escaped(out, title) &&
        buf_add_str(out, STR(" · Tollgate</title>\n<link rel=\"icon\" href=\"data:,\">\n<link rel=\"stylesheet\" "
                             "href=\"/console/console.css\">\n"
                             "</head>\n<body>\n<header><h1>Tollgate</h1></header>\n<main class=\"card\">\n<h2>")) &&
        add_escaped(out, title) && buf_add_str(out, STR("</h2>\n<p role=\"alert\">")) && add_escaped(out, text) &&
        buf_add_str(out, STR("</p>\n<p class=\"actions\">"));
    if (again.n)
        ok = ok && buf_add_str(out, STR("<a class=\"button\" href=\"")) && add_escaped(out, again) &&
             buf_add_str(out, STR("\">Try again</a> "));
    return ok &&
           buf_add_str(out, STR("<a href=\"/console/\">Back to the console</a></p>\n<p class=\"note\">Request ")) &&
           add_escaped(out, j->request_id) && buf_add_str(out, STR("</p>\n</main>\n</body>\n</html>\n"));
}

void sign_in_page(struct job *j, int status, struct str title, struct str text, struct str again)
{
    struct buf page;
    buf_init(&page, PAGE_MAX);
    bool ok = add_page(&page, j, title, str_head(text, 1000), again);
    must(ok);
    job_reply_bytes(j, status, STR("text/html; charset=utf-8"), buf_str(&page));
    ok = buf_add_str(&j->lines, STR(PAGES_POLICY));
    must(ok);
    buf_free(&page);
}

void sign_in_page_fail(struct job *j, enum err e, struct str title, struct str text)
{
    int status = err_info(e)->status;
    sign_in_page(j, status ? status : 500, title, text.n ? text : str_c(err_info(e)->text), STR(""));
}

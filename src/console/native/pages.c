/* SPDX-License-Identifier: Apache-2.0 */
/* The web console's files, and the description of this API. */
#include "console/native/pages.h"
#include "base/must.h"
#include "base/version.h"
#include "console/console_inner.h"
#include "console/native/native.h"

extern const char embed_console_page[], embed_console_script[], embed_console_style[];
extern const char embed_sign_in_page[], embed_sign_in_script[];
extern const size_t embed_console_page_size, embed_console_script_size, embed_console_style_size;
extern const size_t embed_sign_in_page_size, embed_sign_in_script_size;

static void page(struct job *j, struct str type, const char *bytes, size_t n)
{
    job_reply_bytes(j, 200, type, str_of(bytes, n));
    bool ok = buf_add_str(&j->lines, STR(PAGES_POLICY));
    must(ok);
}

void pages_console(struct job *j)
{
    page(j, STR("text/html; charset=utf-8"), embed_console_page, embed_console_page_size);
}

void pages_sign_in(struct job *j)
{
    page(j, STR("text/html; charset=utf-8"), embed_sign_in_page, embed_sign_in_page_size);
}

void pages_sign_in_script(struct job *j)
{
    page(j, STR("text/javascript; charset=utf-8"), embed_sign_in_script, embed_sign_in_script_size);
}

void pages_script(struct job *j)
{
    page(j, STR("text/javascript; charset=utf-8"), embed_console_script, embed_console_script_size);
}

void pages_style(struct job *j)
{
    page(j, STR("text/css; charset=utf-8"), embed_console_style, embed_console_style_size);
}

void pages_root(struct job *j)
{
    job_reply_bytes(j, 302, STR("text/plain"), STR("The console is at /console/\n"));
    bool ok = buf_add_str(&j->lines, STR("Location: /console/\r\n"));
    must(ok);
}

/* "{}" and "{*}" become "{p1}", "{p2}", … */
static void write_path(struct buf *out, struct str path)
{
    unsigned n = 0;
    bool ok = true;
    for (size_t i = 0; i < path.n; i++) {
        if (path.p[i] == '{') {
            ok = ok && buf_printf(out, "{p%u}", ++n);
            i += path.p[i + 1] == '*' ? 2 : 1;
        } else {
            ok = ok && buf_add_byte(out, path.p[i]);
        }
    }
    must(ok);
}

static void write_operation(struct json_write *w, const struct route *r)
{
    char method[16];
    str_copy(method, sizeof method, r->method);
    for (char *c = method; *c; c++)
        *c = (char)(*c | 0x20);
    json_write_key(w, str_c(method));
    json_write_object(w);
    json_write_member_string(w, "summary", str_c(r->summary));
    json_write_key(w, STR("responses"));
    json_write_object(w);
    json_write_key(w, STR("default"));
    json_write_object(w);
    json_write_member_string(w, "description", STR("JSON; errors as {\"error\":{message,type,param,code}}"));
    json_write_object_end(w);
    json_write_object_end(w);
    json_write_object_end(w);
}

void pages_openapi(struct job *j)
{
    struct json_write *w = &j->json;
    size_t count;
    const struct route *r = routes_table(&count);
    job_reply_json(j, 200);
    json_write_object(w);
    json_write_member_string(w, "openapi", STR("3.1.0"));
    json_write_key(w, STR("info"));
    json_write_object(w);
    json_write_member_string(w, "title", STR("Tollgate"));
    json_write_member_string(w, "version", STR(TOLLGATE_VERSION));
    json_write_object_end(w);
    json_write_key(w, STR("paths"));
    json_write_object(w);
    for (size_t i = 0; i < count; i++) {
        struct buf path;
        if (i > 0 && str_eq(r[i].path, r[i - 1].path))
            continue; /* rows of one path stand together */
        buf_init(&path, 512);
        write_path(&path, r[i].path);
        json_write_key(w, buf_str(&path));
        json_write_object(w);
        for (size_t k = i; k < count && str_eq(r[k].path, r[i].path); k++)
            write_operation(w, &r[k]);
        json_write_object_end(w);
        buf_free(&path);
    }
    json_write_object_end(w);
    json_write_object_end(w);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* A blocking HTTP call made of the loop, the dialer and the client. */
#include "cli/api.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/must.h"
#include "base/secret.h"
#include "cli/person/saved.h"
#include "net/address.h"
#include "net/dial.h"
#include "net/http_client.h"
#include "net/resolve.h"
#include "net/tls.h"
#include "net/url.h"

#define ANSWER_MAX (64u << 20)
#define PATH_BYTES 4096
#define TIMEOUT_US 60000000

struct api_run {
    struct http_call call;
    struct api_answer *answer;
    bool over, failed;
    char why[256];
};

static void on_head(struct http_call *call, const struct http1_head *head)
{
    struct api_run *r = call->app_data;
    r->answer->status = head->status;
}

static void on_body(struct http_call *call, struct str bytes, bool last)
{
    struct api_run *r = call->app_data;
    if (!buf_add_str(&r->answer->body, bytes) && !r->failed) {
        r->failed = true;
        snprintf(r->why, sizeof r->why, "the answer is too large");
    }
    r->over = last;
}

static void on_failed(struct http_call *call, enum err why, const char *detail)
{
    struct api_run *r = call->app_data;
    (void)why;
    r->over = r->failed = true;
    snprintf(r->why, sizeof r->why, "%s", detail);
}

static const struct http_call_app app = {.on_head = on_head, .on_body = on_body, .on_failed = on_failed};

/* DIR/admin.key; `path` is where that is. False when it cannot be read. */
static bool read_admin_key(struct str dir, char path[PATH_BYTES], struct secret *ret_key)
{
    char text[1024];
    snprintf(path, PATH_BYTES, "%.*s/admin.key", STR_ARG(dir));
    FILE *f = fopen(path, "r");
    size_t n = f ? fread(text, 1, sizeof text, f) : 0;
    if (f)
        fclose(f);
    while (n && (text[n - 1] == '\n' || text[n - 1] == '\r'))
        n--;
    if (n)
        secret_set(ret_key, str_of(text, n));
    mem_wipe(text, sizeof text);
    return n > 0;
}

/* The key, in memory that is wiped: what was said outright comes first. False with a message. */
static bool find_key(const struct command *c, const struct option_value *values, struct secret *ret_key)
{
    char path[PATH_BYTES];
    const struct option_value *given = option_get(c, values, "key"), *data = option_get(c, values, "data");
    if (given->given) {
        secret_set(ret_key, given->text);
        return true;
    }
    if (data->given && read_admin_key(data->text, path, ret_key))
        return true;
    saved_token(c, values, ret_key);
    if (ret_key->n || read_admin_key(data->text, path, ret_key))
        return true;
    fprintf(stderr,
            "tollgate %s: which key to use? %s cannot be read; run 'tollgate login', set TOLLGATE_KEY, or give --key, "
            "or --data\n",
            c->name, path);
    return false;
}

static bool write_head(struct buf *out, const char *method, const struct url *url, struct str path, struct str key,
                       size_t body_n)
{
    char authority[URL_AUTHORITY_MAX];
    url_authority(url->host, url->port, url->scheme, authority);
    return buf_printf(out, "%s ", method) && buf_add_str(out, url->path) && buf_add_str(out, path) &&
           buf_printf(out, " HTTP/1.1\r\nHost: %s\r\n", authority) &&
           (!key.n || (buf_add_str(out, STR("Authorization: Bearer ")) && buf_add_str(out, key) &&
                       buf_add_str(out, STR("\r\n")))) &&
           buf_printf(out, "Content-Type: application/json\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n",
                      body_n);
}

static void run_call(const struct url *url, struct str head, struct str body, struct tls_client *tls, struct api_run *r)
{
    char why[64];
    struct address_set *all = address_set_new();
    enum err e = address_set_add(all, STR("0.0.0.0/0"), why, sizeof why);
    if (!e)
        e = address_set_add(all, STR("::/0"), why, sizeof why);
    must(e == ERR_OK);
    struct loop *loop = loop_new();
    struct resolver *resolver = loop ? resolver_new(loop, &(struct resolver_settings){0}) : NULL;
    must(resolver != NULL);
    struct dial_settings ds = {.resolver = resolver, .tls = tls, .allowed = all, .connect_timeout_us = 10000000};
    struct dialer *dialer = dialer_new(loop, &ds);
    struct http_client_settings cs = {.pool_idle_us = 1000000, .connections_per_origin_max = 4};
    struct http_client *client = http_client_new(loop, dialer, &cs);
    struct dial_target target = {str_c(url->host), url->port, url->scheme == URL_HTTPS};
    struct http_call_options options = {.first_byte_timeout_us = TIMEOUT_US, .idle_timeout_us = TIMEOUT_US};
    r->call.app = &app;
    r->call.app_data = r;
    http_call_begin(client, &r->call, &target, &options, head, body);
    while (!r->over)
        loop_turn(loop, 1000000);
    loop_turn(loop, 0);
    http_client_free(client);
    dialer_free(dialer);
    resolver_free(resolver);
    loop_free(loop);
    address_set_free(all);
}

/* The server's own sentence, when it sent one. */
static void print_refusal(const struct command *c, const struct api_answer *a)
{
    json_t *root = api_json(a);
    const json_t *error = json_object_get(root, "error");
    if (error)
        fprintf(stderr, "tollgate %s: %s (%s)\n", c->name, api_text(error, "message"), api_text(error, "code"));
    else
        fprintf(stderr, "tollgate %s: the server answered with status %d\n", c->name, a->status);
    json_decref(root);
}

int api_call_with(const struct command *c, const struct option_value *values, const char *method, struct str path,
                  struct str body, struct str key, struct api_answer *ret_answer)
{
    struct str text = option_get(c, values, "url")->text;
    struct url url;
    const char *url_why;
    char why[256];
    struct buf head;
    struct api_run r = {.answer = ret_answer};
    ret_answer->status = 0;
    buf_init(&ret_answer->body, ANSWER_MAX);
    if (url_parse(text, URL_BASE, &url, &url_why) != ERR_OK) {
        fprintf(stderr, "tollgate %s: --url: %s\n", c->name, url_why);
        return EXIT_USAGE;
    }
    struct tls_client *tls = tls_client_new(NULL, why, sizeof why);
    buf_init(&head, 65536);
    bool fits = write_head(&head, method, &url, path, key, body.n);
    if (tls && fits) {
        run_call(&url, buf_str(&head), body, tls, &r);
    } else {
        r.failed = true;
        snprintf(r.why, sizeof r.why, "%s", tls ? "the command line is too long for one request" : why);
    }
    if (head.p)
        mem_wipe(head.p, head.cap);
    buf_free(&head);
    tls_client_free(tls);
    if (!r.failed)
        return EXIT_DONE;
    fprintf(stderr, "tollgate %s: %.*s cannot be reached: %s\n", c->name, STR_ARG(text), r.why);
    return fits ? EXIT_UNREACHABLE : EXIT_USAGE;
}

int api_call_accepting(const struct command *c, const struct option_value *values, const char *method, struct str path,
                       struct str body, int accepted, struct api_answer *ret_answer)
{
    struct secret key = {0};
    ret_answer->status = 0;
    buf_init(&ret_answer->body, ANSWER_MAX);
    if (!find_key(c, values, &key))
        return EXIT_USAGE;
    int done = api_call_with(c, values, method, path, body, secret_reveal(&key), ret_answer);
    secret_wipe(&key);
    if (done != EXIT_DONE || ret_answer->status < 400 || ret_answer->status == accepted)
        return done;
    print_refusal(c, ret_answer);
    return EXIT_REFUSED;
}

int api_call(const struct command *c, const struct option_value *values, const char *method, struct str path,
             struct str body, struct api_answer *ret_answer)
{
    return api_call_accepting(c, values, method, path, body, 0, ret_answer);
}

void api_answer_free(struct api_answer *a)
{
    buf_free(&a->body);
}

/* Quotes the numbers of members whose names end in "usd": a tree would make doubles of them. */
static bool quote_amounts(struct str in, struct buf *out)
{
    bool ok = true;
    for (;;) {
        ptrdiff_t at = str_search(in, STR("usd\":"));
        if (at < 0)
            return ok && buf_add_str(out, in);
        size_t start = (size_t)at + 5, end = start;
        while (end < in.n && (in.p[end] == '-' || in.p[end] == '.' || (in.p[end] >= '0' && in.p[end] <= '9')))
            end++;
        ok = ok && buf_add_str(out, str_head(in, start));
        if (end > start)
            ok = ok && buf_add_byte(out, '"') && buf_add_str(out, str_of(in.p + start, end - start)) &&
                 buf_add_byte(out, '"');
        in = str_from(in, end);
    }
}

/* A control character other than tab and line feed at the front of `s`: its length in bytes, else 0. */
static size_t control_at(struct str s)
{
    unsigned char c = (unsigned char)s.p[0];
    if (c == 0xc2 && s.n > 1 && (unsigned char)s.p[1] < 0xa0)
        return 2; /* C1, which terminals obey too */
    return (c < 0x20 && c != '\t' && c != '\n') || c == 0x7f ? 1 : 0;
}

/* What callers sent must not command the terminal it is shown on. */
static void show_controls_of(json_t *string)
{
    struct str rest = str_of(json_string_value(string), json_string_length(string));
    struct buf shown;
    bool any = false, ok = true;
    buf_init(&shown, 4 * rest.n + 1);
    for (size_t n; rest.n && ok; rest = str_from(rest, n)) {
        size_t control = control_at(rest);
        any |= control > 0;
        n = control ? control : 1;
        ok = control ? buf_printf(&shown, "\\x%02x", (unsigned char)rest.p[control - 1])
                     : buf_add_byte(&shown, rest.p[0]);
    }
    must(ok);
    if (any)
        json_string_setn_nocheck(string, buf_str(&shown).p, buf_size(&shown));
    buf_free(&shown);
}

static void show_controls(json_t *value)
{
    const char *name;
    json_t *member;
    size_t i;
    if (json_is_string(value))
        show_controls_of(value);
    json_object_foreach(value, name, member) show_controls(member);
    json_array_foreach(value, i, member) show_controls(member);
}

json_t *api_json(const struct api_answer *a)
{
    struct buf quoted;
    json_error_t error;
    buf_init(&quoted, 2 * ANSWER_MAX);
    json_t *root = NULL;
    if (buf_size(&a->body) && quote_amounts(buf_str(&a->body), &quoted))
        root = json_loadb(buf_str(&quoted).p, buf_size(&quoted), JSON_ALLOW_NUL, &error);
    show_controls(root);
    buf_free(&quoted);
    return root;
}

const char *api_text(const json_t *object, const char *name)
{
    const char *s = json_string_value(json_object_get(object, name));
    return s ? s : "-";
}

long long api_int(const json_t *object, const char *name)
{
    return json_integer_value(json_object_get(object, name));
}

int api_width(const char *text)
{
    int width = 0;
    for (; *text; text++)
        width += ((unsigned char)*text & 0xc0) != 0x80;
    return width;
}

int api_column(const json_t *rows, const char *name, int least)
{
    const json_t *row;
    size_t i;
    json_array_foreach(rows, i, row)
    {
        int width = api_width(api_text(row, name));
        least = width > least ? width : least;
    }
    return least;
}

void api_cell(const char *text, int width)
{
    int filled = api_width(text);
    printf("%s%*s  ", text, filled < width ? width - filled : 0, "");
}

void api_add_param(struct buf *path, const char *name, struct str value)
{
    bool first = str_find(buf_str(path), '?') < 0;
    if (!value.n)
        return;
    bool ok = buf_printf(path, "%c%s=", first ? '?' : '&', name) && url_encode(path, value);
    must(ok);
}

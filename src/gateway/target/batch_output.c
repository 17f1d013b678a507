/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first of two exchanges: reads the batch. The names of files come from the provider and are put
 * into a path, so only plain ones are taken. Memory is given back when the loop's turn is over,
 * because the call lives in here and its callback asks for the end.
 */
#include "gateway/target/batch_output.h"

#include <stdio.h>

#include "base/arena.h"
#include "base/json/jdoc.h"
#include "base/mem.h"
#include "base/must.h"
#include "gateway/target/target.h"

#define SUFFIX "/output"
#define PATH_MAX_BYTES (BATCH_OUTPUT_ID_MAX + 32)

struct batch_output {
    struct http_call call;
    struct loop *loop;
    struct loop_grave grave;
    struct buf head, answer;
    bool live, whole; /* `whole`: the answer fitted */
    uint16_t status;
    char id[BATCH_OUTPUT_ID_MAX];
    batch_output_fn *fn;
    void *ctx;
};

/* Letters, digits, '-', '_' and dots that are not the whole name. */
static bool plain_name(struct str s)
{
    bool other = false;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
        if (!word && c != '.')
            return false;
        other |= word;
    }
    return other && s.n < BATCH_OUTPUT_ID_MAX;
}

static size_t find_file(struct jval batch, char *out, char *why)
{
    static const char *const members[] = {"output_file_id", "error_file_id"};
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        struct str name = jdoc_escaped(jdoc_find(batch, members[i]));
        if (name.n && plain_name(name)) {
            str_copy(out, BATCH_OUTPUT_ID_MAX, name);
            return name.n;
        }
    }
    struct str status = str_head(jdoc_escaped(jdoc_get(batch, "status")), 40);
    if (plain_name(status))
        snprintf(why, BATCH_OUTPUT_WHY_MAX, "The batch has no output yet: its status is '%.*s'. Ask again later.",
                 STR_ARG(status));
    else
        snprintf(why, BATCH_OUTPUT_WHY_MAX, "The provider's answer is not a batch with an output file.");
    return 0;
}

size_t batch_output_file(struct str batch, char out[BATCH_OUTPUT_ID_MAX], char why[BATCH_OUTPUT_WHY_MAX])
{
    struct jdoc doc;
    jdoc_init(&doc);
    struct jval root = {NULL, 0};
    if (jdoc_parse(&doc, batch))
        root = jdoc_root(&doc);
    why[0] = 0;
    size_t n = find_file(root, out, why);
    jdoc_free(&doc);
    return n;
}

static void tell(struct batch_output *b, const struct batch_output_result *result)
{
    b->live = false;
    b->fn(b->ctx, result);
}

static void tell_path(struct batch_output *b, const char *form, const char *id)
{
    char path[PATH_MAX_BYTES];
    int n = snprintf(path, sizeof path, "/%s/%s%s", form, id, form[0] == 'f' ? "/content" : "");
    struct batch_output_result result = {.path = str_of(path, (size_t)n)};
    tell(b, &result);
}

static void on_head(struct http_call *call, const struct http1_head *head)
{
    struct batch_output *b = call->app_data;
    b->status = (uint16_t)head->status;
}

static void on_body(struct http_call *call, struct str bytes, bool last)
{
    struct batch_output *b = call->app_data;
    char file[BATCH_OUTPUT_ID_MAX], why[BATCH_OUTPUT_WHY_MAX];
    b->whole = b->whole && buf_add_str(&b->answer, bytes);
    if (!last)
        return;
    if (b->status != 200) {
        tell_path(b, "batches", b->id);
    } else if (b->whole && batch_output_file(buf_str(&b->answer), file, why)) {
        tell_path(b, "files", file);
    } else {
        struct batch_output_result result = {.err = b->whole ? ERR_NOT_FOUND : ERR_UPSTREAM_BAD_HTTP};
        result.detail = b->whole ? str_c(why) : STR("the batch is larger than 256 KiB");
        tell(b, &result);
    }
}

static void on_failed(struct http_call *call, enum err why, const char *detail)
{
    struct batch_output_result result = {.err = why, .detail = str_c(detail)};
    tell(call->app_data, &result);
}

static const struct http_call_app call_app = {.on_head = on_head, .on_body = on_body, .on_failed = on_failed};

/* The path of the batch itself, with the query that belongs to it. */
static bool add_path(struct buf *head, struct str request_path)
{
    ptrdiff_t at = str_find(request_path, '?');
    struct str path = at < 0 ? request_path : str_head(request_path, (size_t)at);
    struct str query = at < 0 ? STR("") : str_from(request_path, (size_t)at);
    if (str_ends(path, STR("/")))
        path.n--;
    must(str_ends(path, STR(SUFFIX)));
    path.n -= sizeof SUFFIX - 1;
    return buf_add_str(head, path) && buf_add_str(head, query);
}

static bool write_head(struct buf *head, const struct target *t)
{
    return buf_add_str(head, STR("GET ")) && add_path(head, t->request_path) &&
           buf_add_str(head, STR(" HTTP/1.1\r\nHost: ")) && buf_add_str(head, t->authority) &&
           buf_add_str(head, STR("\r\n")) && buf_add_str(head, t->head_lines) &&
           buf_add_str(head, STR("Accept: application/json\r\nAccept-Encoding: identity\r\n\r\n"));
}

struct batch_output *batch_output_begin(struct loop *l, struct http_client *c, const struct target *target,
                                        const struct http_call_options *options, struct str id, batch_output_fn *fn,
                                        void *ctx)
{
    struct batch_output *b = mem_zalloc(sizeof *b);
    struct dial_target where = {target->host, target->port, target->tls};
    *b = (struct batch_output){.loop = l, .fn = fn, .ctx = ctx, .live = true, .whole = true};
    b->call.app = &call_app;
    b->call.app_data = b;
    str_copy(b->id, sizeof b->id, id); /* a longer one is nobody's, and cut it is nobody's either */
    buf_init(&b->head, HTTP1_HEAD_MAX * 2);
    buf_init(&b->answer, BATCH_OUTPUT_ANSWER_MAX);
    bool fits = write_head(&b->head, target);
    must(fits); /* path and credentials came out of heads */
    http_call_begin(c, &b->call, &where, options, buf_str(&b->head), STR(""));
    return b;
}

static void on_free(struct loop_grave *g)
{
    struct batch_output *b = list_entry(g, struct batch_output, grave);
    buf_free(&b->head);
    buf_free(&b->answer);
    mem_free(b);
}

void batch_output_free(struct batch_output *b)
{
    if (!b)
        return;
    if (b->live)
        http_call_cancel(&b->call);
    b->live = false;
    b->grave.on_free = on_free;
    loop_bury(b->loop, &b->grave);
}

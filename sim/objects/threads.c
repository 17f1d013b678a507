/* SPDX-License-Identifier: Apache-2.0 */
/* Threads and their messages: content given as a string becomes the parts that the API shows. */
#include "base/must.h"
#include "sim/http/apierr.h"
#include "sim/objects/objects.h"

/* {"type":"text","text":"…"} becomes {"type":"text","text":{"value":"…","annotations":[]}}. */
static void write_part(struct json_write *w, struct jval part)
{
    bool text = jdoc_is(jdoc_find(part, "type"), "text");
    if (!text && jdoc_kind(part) != JDOC_STRING) {
        json_write_raw(w, jdoc_raw(part));
        return;
    }
    json_write_object(w);
    json_write_member_string(w, "type", STR("text"));
    json_write_key(w, STR("text"));
    json_write_object(w);
    json_write_member_raw(w, "value", jdoc_raw(text ? jdoc_find(part, "text") : part));
    json_write_member_raw(w, "annotations", STR("[]"));
    json_write_object_end(w);
    json_write_object_end(w);
}

static void set_content(struct call *c, struct shelf_item *i, struct jval content)
{
    struct buf out;
    struct json_write w;
    buf_init(&out, 64 << 20);
    json_write_init(&w, &out);
    json_write_object(&w);
    json_write_key(&w, STR("content"));
    json_write_array(&w);
    if (jdoc_kind(content) == JDOC_ARRAY)
        for (struct jval p = jdoc_first(content); jdoc_has(p); p = jdoc_next(content, p))
            write_part(&w, p);
    else
        write_part(&w, content);
    json_write_array_end(&w);
    json_write_object_end(&w);
    must(json_write_done(&w));
    crud_change_text(c, i, buf_str(&out));
    buf_free(&out);
}

void objects_message_made(struct call *c, struct shelf_item *i)
{
    set_content(c, i, jdoc_find(c->json, "content"));
}

void objects_thread_made(struct call *c, struct shelf_item *thread)
{
    struct jval source = jdoc_has(jdoc_find(c->json, "thread")) ? jdoc_find(c->json, "thread") : c->json;
    struct jval messages = jdoc_find(source, "messages"), whole = c->json;
    struct str arg = c->args[0];
    c->args[0] = arena_dup(c->arena, str_c(thread->id));
    for (struct jval m = jdoc_first(messages); jdoc_has(m); m = jdoc_next(messages, m)) {
        c->json = m;
        struct shelf_item *i = crud_make(c, &objects_message);
        if (!i)
            break;
        set_content(c, i, jdoc_find(m, "content"));
    }
    c->json = whole;
    c->args[0] = arg;
}

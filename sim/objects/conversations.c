/* SPDX-License-Identifier: Apache-2.0 */
/* Conversations with their items, and the messages of stored chat completions. */
#include "base/must.h"
#include "sim/http/apierr.h"
#include "sim/http/reply.h"
#include "sim/objects/objects.h"

/* An item gets an id and a status; message content that is a string becomes a part. */
static void write_item(struct call *c, struct json_write *w, struct jval item, struct str id)
{
    struct jval content = jdoc_find(item, "content"), type = jdoc_find(item, "type");
    bool message = !jdoc_has(type) || jdoc_is(type, "message");
    json_write_object(w);
    json_write_member_string(w, "id", id);
    json_write_member_string(w, "type", message ? STR("message") : jdoc_text(type, c->arena));
    if (message)
        json_write_member_string(w, "status", STR("completed"));
    for (struct jval e = jdoc_first(item); jdoc_has(e); e = jdoc_next(item, e)) {
        if (jdoc_is(e, "id") || jdoc_is(e, "type") || (message && (jdoc_is(e, "status") || jdoc_is(e, "content"))))
            continue;
        json_write_key(w, jdoc_escaped(e));
        json_write_raw(w, jdoc_raw(jdoc_value(e)));
    }
    if (message && jdoc_kind(content) == JDOC_STRING) {
        bool assistant = jdoc_is(jdoc_find(item, "role"), "assistant");
        json_write_key(w, STR("content"));
        json_write_array(w);
        json_write_object(w);
        json_write_member_string(w, "type", assistant ? STR("output_text") : STR("input_text"));
        json_write_member_raw(w, "text", jdoc_raw(content));
        if (assistant)
            json_write_member_raw(w, "annotations", STR("[]"));
        json_write_object_end(w);
        json_write_array_end(w);
    } else if (message && jdoc_has(content)) {
        json_write_member_raw(w, "content", jdoc_raw(content));
    }
    json_write_object_end(w);
}

struct str objects_items_of(struct call *c, struct str conversation)
{
    return call_format(c, "conversations/%.*s/items", STR_ARG(conversation));
}

void objects_items_put(struct call *c, struct str collection, struct jval items, struct json_write *w)
{
    for (struct jval e = jdoc_first(items); jdoc_has(e); e = jdoc_next(items, e)) {
        struct str id = jdoc_text(jdoc_find(e, "id"), c->arena);
        struct buf out;
        struct json_write one;
        if (!id.n)
            id = call_hex_id(c, "msg_", 48);
        buf_init(&out, 64 << 20);
        json_write_init(&one, &out);
        write_item(c, &one, e, id);
        must(json_write_done(&one));
        shelf_put(c->sim->shelf, collection, id, buf_str(&out));
        if (w)
            json_write_raw(w, buf_str(&out));
        buf_free(&out);
    }
}

void objects_conversation_create(struct call *c)
{
    struct shelf_item *i = crud_make(c, &objects_conversation);
    if (!i)
        return;
    objects_items_put(c, objects_items_of(c, str_c(i->id)), jdoc_find(c->json, "items"), NULL);
    crud_answer(c, i);
}

void objects_conversation_add(struct call *c)
{
    struct jval items = jdoc_find(c->json, "items");
    struct reply r;
    if (!crud_find(c, &objects_conversation) || !crud_check_required(c, "items"))
        return;
    struct json_write *w = reply_begin(&r);
    json_write_member_string(w, "object", STR("list"));
    json_write_key(w, STR("data"));
    json_write_array(w);
    objects_items_put(c, objects_items_of(c, c->args[0]), items, w);
    json_write_array_end(w);
    struct shelf_item *last = shelf_first(c->sim->shelf, crud_collection(c, &objects_conversation_item), true);
    json_write_member_text(w, "first_id", str_c(last ? last->id : ""));
    json_write_member_text(w, "last_id", str_c(last ? last->id : ""));
    json_write_member_bool(w, "has_more", false);
    reply_send(c, &r, 200);
}

/* The answer to a deleted item is its conversation. */
void objects_conversation_drop(struct call *c)
{
    struct shelf_item *i = crud_find(c, &objects_conversation_item), *conversation;
    if (!i)
        return;
    shelf_remove(c->sim->shelf, i);
    conversation = crud_find(c, &objects_conversation);
    if (conversation)
        crud_answer(c, conversation);
}

void objects_completion_messages(struct call *c)
{
    struct shelf_item *i = crud_find(c, &objects_completion);
    struct reply r;
    struct jdoc doc;
    struct str first = STR(""), last = STR("");
    unsigned n = 0;
    if (!i)
        return;
    jdoc_init(&doc);
    must(jdoc_parse(&doc, i->hidden));
    struct jval messages = jdoc_root(&doc);
    struct json_write *w = reply_begin(&r);
    json_write_member_string(w, "object", STR("list"));
    json_write_key(w, STR("data"));
    json_write_array(w);
    for (struct jval m = jdoc_first(messages); jdoc_has(m); m = jdoc_next(messages, m), n++) {
        struct jval content = jdoc_find(m, "content"), name = jdoc_find(m, "name");
        last = call_format(c, "%s-%u", i->id, n);
        first = n ? first : last;
        json_write_object(w);
        json_write_member_string(w, "id", last);
        json_write_member_raw(w, "role", jdoc_raw(jdoc_find(m, "role")));
        json_write_member_raw(w, "content", jdoc_kind(content) == JDOC_STRING ? jdoc_raw(content) : STR("null"));
        json_write_member_raw(w, "name", jdoc_has(name) ? jdoc_raw(name) : STR("null"));
        json_write_member_raw(w, "content_parts", jdoc_kind(content) == JDOC_ARRAY ? jdoc_raw(content) : STR("null"));
        json_write_object_end(w);
    }
    json_write_array_end(w);
    json_write_member_text(w, "first_id", first);
    json_write_member_text(w, "last_id", last);
    json_write_member_bool(w, "has_more", false);
    reply_send(c, &r, 200);
    jdoc_free(&doc);
}

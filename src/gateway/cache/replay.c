/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A finished response told as the events that made it, in the order OpenAI sends them: created, in
 * progress, for each item of the output its beginning, its parts, texts in pieces and its end, then
 * the response itself. What happens between an item's beginning and end depends on its type
 * (item_kinds); an item of another type makes the whole response one that can not be told.
 */
#include "base/must.h"
#include "gateway/cache/render.h"

struct item_kind {
    const char *type;
    const char *before[3]; /* events that have only their place */
    const char *text;      /* member told in deltas; NULL = none */
    const char *delta, *done;
    const char *after[3];
    const char *blank; /* members as they are at first, as inside an object */
};

static const struct item_kind item_kinds[] = {
    {"message", {NULL}, NULL, NULL, NULL, {NULL}, "\"status\":\"in_progress\",\"content\":[]"},
    {"reasoning", {NULL}, NULL, NULL, NULL, {NULL}, "\"summary\":[],\"content\":[],\"encrypted_content\":null"},
    {"function_call",
     {NULL},
     "arguments",
     "response.function_call_arguments.delta",
     "response.function_call_arguments.done",
     {NULL},
     "\"status\":\"in_progress\",\"arguments\":\"\""},
    {"custom_tool_call",
     {NULL},
     "input",
     "response.custom_tool_call_input.delta",
     "response.custom_tool_call_input.done",
     {NULL},
     "\"status\":\"in_progress\",\"input\":\"\""},
    {"web_search_call",
     {"response.web_search_call.in_progress", "response.web_search_call.searching"},
     NULL,
     NULL,
     NULL,
     {"response.web_search_call.completed"},
     "\"status\":\"in_progress\""},
    {"file_search_call",
     {"response.file_search_call.in_progress", "response.file_search_call.searching"},
     NULL,
     NULL,
     NULL,
     {"response.file_search_call.completed"},
     "\"status\":\"in_progress\",\"results\":null"},
    {"code_interpreter_call",
     {"response.code_interpreter_call.in_progress"},
     "code",
     "response.code_interpreter_call_code.delta",
     "response.code_interpreter_call_code.done",
     {"response.code_interpreter_call.interpreting", "response.code_interpreter_call.completed"},
     "\"status\":\"in_progress\",\"code\":\"\",\"outputs\":null"},
    {"image_generation_call",
     {"response.image_generation_call.in_progress", "response.image_generation_call.generating"},
     NULL,
     NULL,
     NULL,
     {"response.image_generation_call.completed"},
     "\"status\":\"in_progress\",\"result\":null"},
    {"mcp_list_tools",
     {"response.mcp_list_tools.in_progress"},
     NULL,
     NULL,
     NULL,
     {"response.mcp_list_tools.completed"},
     "\"tools\":[]"},
    {"mcp_call",
     {"response.mcp_call.in_progress"},
     "arguments",
     "response.mcp_call_arguments.delta",
     "response.mcp_call_arguments.done",
     {"response.mcp_call.completed"},
     "\"status\":\"in_progress\",\"arguments\":\"\",\"output\":null"},
};

/* The parts of messages and of reasoning. */
struct part_kind {
    const char *type, *text; /* type of the part; its member with the text */
    const char *added, *ended;
    const char *delta, *done;
    const char *index; /* what counts the parts */
    const char *blank;
    bool logprobs; /* deltas have them */
};

static const struct part_kind part_kinds[] = {
    {"output_text", "text", "response.content_part.added", "response.content_part.done", "response.output_text.delta",
     "response.output_text.done", "content_index", "\"text\":\"\",\"annotations\":[],\"logprobs\":[]", true},
    {"refusal", "refusal", "response.content_part.added", "response.content_part.done", "response.refusal.delta",
     "response.refusal.done", "content_index", "\"refusal\":\"\"", false},
    {"reasoning_text", "text", "response.content_part.added", "response.content_part.done",
     "response.reasoning_text.delta", "response.reasoning_text.done", "content_index", "\"text\":\"\"", false},
    {"summary_text", "text", "response.reasoning_summary_part.added", "response.reasoning_summary_part.done",
     "response.reasoning_summary_text.delta", "response.reasoning_summary_text.done", "summary_index", "\"text\":\"\"",
     false},
};

struct story {
    struct render r;
    uint64_t sequence;
    struct jval item;
    unsigned item_index;
};

static void event_begin(struct story *s, const char *name)
{
    render_text(&s->r, "event: ");
    render_text(&s->r, name);
    render_text(&s->r, "\ndata: {\"type\":\"");
    render_text(&s->r, name);
    render_text(&s->r, "\",\"sequence_number\":");
    render_count(&s->r, s->sequence++);
}

static void event_end(struct story *s)
{
    render_text(&s->r, "}\n\n");
}

/* Where in the response an event belongs. */
static void place(struct story *s)
{
    struct jval id = jdoc_find(s->item, "id");
    if (jdoc_has(id))
        render_member(&s->r, "item_id", jdoc_raw(id));
    render_text(&s->r, ",\"output_index\":");
    render_count(&s->r, s->item_index);
}

/* The object with those of its members replaced that `blank` (the inside of an object) has too. */
static void with_blanks(struct story *s, struct jval object, struct jval blank)
{
    bool first = true;
    render_text(&s->r, "{");
    for (struct jval m = jdoc_first(object); jdoc_has(m); m = jdoc_next(object, m)) {
        struct jval v = jdoc_value(m);
        for (struct jval b = jdoc_first(blank); jdoc_has(b); b = jdoc_next(blank, b))
            if (str_eq(jdoc_raw(b), jdoc_raw(m)))
                v = jdoc_value(b);
        if (!first)
            render_text(&s->r, ",");
        first = false;
        render_raw(&s->r, jdoc_raw(m));
        render_text(&s->r, ":");
        render_raw(&s->r, jdoc_raw(v));
    }
    render_text(&s->r, "}");
}

/* `,"name":` and the object as it was at first. */
static void blank_member(struct story *s, const char *name, struct jval object, const char *blank)
{
    struct buf text;
    struct jdoc doc;
    buf_init(&text, 1024);
    jdoc_init(&doc);
    must(buf_printf(&text, "{%s}", blank));
    must(jdoc_parse(&doc, buf_str(&text)));
    render_member(&s->r, name, STR(""));
    with_blanks(s, object, jdoc_root(&doc));
    jdoc_free(&doc);
    buf_free(&text);
}

static void whole_event(struct story *s, const char *name, struct jval response, bool finished)
{
    event_begin(s, name);
    if (finished)
        render_member(&s->r, "response", jdoc_raw(response));
    else
        blank_member(s, "response", response,
                     "\"status\":\"in_progress\",\"output\":[],\"usage\":null,\"completed_at\":null,"
                     "\"incomplete_details\":null,\"output_text\":\"\",\"tool_usage\":null");
    event_end(s);
}

static void item_event(struct story *s, const char *name, const char *blank)
{
    event_begin(s, name);
    render_text(&s->r, ",\"output_index\":");
    render_count(&s->r, s->item_index);
    if (blank)
        blank_member(s, "item", s->item, blank);
    else
        render_member(&s->r, "item", jdoc_raw(s->item));
    event_end(s);
}

static void place_events(struct story *s, const char *const names[3])
{
    for (int i = 0; i < 3 && names[i]; i++) {
        event_begin(s, names[i]);
        place(s);
        event_end(s);
    }
}

/* Where a text belongs: the item, and the part of it when there are parts. */
static void text_place(struct story *s, const struct part_kind *k, unsigned index)
{
    place(s);
    if (k) {
        render_text(&s->r, ",\"");
        render_text(&s->r, k->index);
        render_text(&s->r, "\":");
        render_count(&s->r, index);
    }
}

struct text_story {
    const char *delta, *done, *member; /* `member` of the done event */
    const struct part_kind *part;
    unsigned index;
    struct jval text, logprobs; /* logprobs: of a part that may have them */
};

static void tell_text(struct story *s, const struct text_story *t)
{
    struct str rest = jdoc_escaped(t->text), empty = STR("[]");
    struct str logprobs = jdoc_has(t->logprobs) ? jdoc_raw(t->logprobs) : empty, due = logprobs;
    bool has_logprobs = t->part && t->part->logprobs;
    while (rest.n && s->r.ok) {
        struct str piece = render_cut(&rest);
        event_begin(s, t->delta);
        text_place(s, t->part, t->index);
        render_text(&s->r, ",\"delta\":\"");
        render_raw(&s->r, piece);
        render_text(&s->r, "\"");
        if (has_logprobs)
            render_member(&s->r, "logprobs", due);
        due = empty;
        event_end(s);
    }
    event_begin(s, t->done);
    text_place(s, t->part, t->index);
    if (!t->part && jdoc_has(jdoc_find(s->item, "name")))
        render_member(&s->r, "name", jdoc_raw(jdoc_find(s->item, "name")));
    render_member(&s->r, t->member, jdoc_raw(t->text));
    if (has_logprobs)
        render_member(&s->r, "logprobs", logprobs);
    event_end(s);
}

static void tell_annotations(struct story *s, const struct part_kind *k, unsigned index, struct jval list)
{
    unsigned n = 0;
    for (struct jval a = jdoc_first(list); jdoc_has(a); a = jdoc_next(list, a)) {
        event_begin(s, "response.output_text.annotation.added");
        text_place(s, k, index);
        render_text(&s->r, ",\"annotation_index\":");
        render_count(&s->r, n++);
        render_member(&s->r, "annotation", jdoc_raw(a));
        event_end(s);
    }
}

static bool tell_part(struct story *s, struct jval part, unsigned index)
{
    const struct part_kind *k = NULL;
    struct jval type = jdoc_find(part, "type");
    for (size_t i = 0; i < sizeof part_kinds / sizeof part_kinds[0]; i++)
        if (jdoc_is(type, part_kinds[i].type))
            k = &part_kinds[i];
    if (!k || jdoc_kind(jdoc_find(part, k->text)) != JDOC_STRING)
        return false;
    event_begin(s, k->added);
    text_place(s, k, index);
    blank_member(s, "part", part, k->blank);
    event_end(s);
    struct text_story t = {.delta = k->delta,
                           .done = k->done,
                           .member = k->text,
                           .part = k,
                           .index = index,
                           .text = jdoc_find(part, k->text),
                           .logprobs = jdoc_find(part, "logprobs")};
    tell_text(s, &t);
    if (k->logprobs)
        tell_annotations(s, k, index, jdoc_find(part, "annotations"));
    event_begin(s, k->ended);
    text_place(s, k, index);
    render_member(&s->r, "part", jdoc_raw(part));
    event_end(s);
    return true;
}

static bool tell_parts(struct story *s, struct jval parts)
{
    unsigned index = 0;
    for (struct jval p = jdoc_first(parts); jdoc_has(p); p = jdoc_next(parts, p))
        if (!tell_part(s, p, index++))
            return false;
    return true;
}

/* A call that failed ended with another event. */
static bool went_well(struct jval item)
{
    struct jval status = jdoc_find(item, "status");
    return !jdoc_has(jdoc_find(item, "error")) && !jdoc_is(status, "failed");
}

static bool tell_item(struct story *s)
{
    const struct item_kind *k = NULL;
    struct jval type = jdoc_find(s->item, "type"), text;
    for (size_t i = 0; i < sizeof item_kinds / sizeof item_kinds[0]; i++)
        if (jdoc_is(type, item_kinds[i].type))
            k = &item_kinds[i];
    if (!k || (k->after[0] && !went_well(s->item)))
        return false;
    item_event(s, "response.output_item.added", k->blank);
    place_events(s, k->before);
    text = k->text ? jdoc_find(s->item, k->text) : (struct jval){NULL, 0};
    if (jdoc_kind(text) == JDOC_STRING) {
        struct text_story t = {.delta = k->delta, .done = k->done, .member = k->text, .text = text};
        tell_text(s, &t);
    }
    if (jdoc_is(type, "reasoning") && !tell_parts(s, jdoc_find(s->item, "summary")))
        return false;
    if ((jdoc_is(type, "reasoning") || jdoc_is(type, "message")) && !tell_parts(s, jdoc_find(s->item, "content")))
        return false;
    place_events(s, k->after);
    item_event(s, "response.output_item.done", NULL);
    return s->r.ok;
}

bool replay_responses(struct jval response, struct buf *out)
{
    struct story s = {.r = {out, true}};
    struct jval output = jdoc_find(response, "output"), status = jdoc_find(response, "status");
    if (jdoc_kind(output) != JDOC_ARRAY)
        return false;
    whole_event(&s, "response.created", response, false);
    whole_event(&s, "response.in_progress", response, false);
    for (struct jval i = jdoc_first(output); jdoc_has(i); i = jdoc_next(output, i), s.item_index++) {
        s.item = i;
        if (!tell_item(&s))
            return false;
    }
    whole_event(&s, jdoc_is(status, "completed") ? "response.completed" : "response.incomplete", response, true);
    return s.r.ok;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The events of a response, told from the finished one. For every kind of output item there is a row
 * of steps; the first character of a step says what it does:
 *
 *     +  output_item.added, the item as it was at first        -  output_item.done
 *     p  a part (content or summary) begins                    q  the part is complete
 *     d  deltas of the item's text, as many as it has pieces   t  the text is complete
 *     i  partial images, as many as were asked for             =  an event that has only its place
 */
#include "base/json_text.h"
#include "base/must.h"
#include "sim/api/api.h"
#include "sim/api/chat.h"
#include "sim/api/respond.h"
#include "sim/model/bill.h"
#include "sim/model/phrase.h"
#include "sim/simid.h"

#define STEPS_MAX 9

struct kind {
    const char *type;
    const char *empty;   /* what the item's members were at first, "name":value, … */
    const char *text[3]; /* the way to its text: member, "[]" for the first element, member */
    const char *part;    /* event prefix of parts: "content_part", "reasoning_summary_part" */
    const char *index;   /* name of the part's index */
    const char *steps[STEPS_MAX];
};

static const struct kind kinds[] = {
    {"message",
     "\"status\":\"in_progress\",\"content\":[]",
     {"content", "[]", "text"},
     "content_part",
     "content_index",
     {"+", "p", "dresponse.output_text.delta", "tresponse.output_text.done", "q", "-"}},
    {"reasoning",
     "\"summary\":[]",
     {"summary", "[]", "text"},
     "reasoning_summary_part",
     "summary_index",
     {"+", "p", "dresponse.reasoning_summary_text.delta", "tresponse.reasoning_summary_text.done", "q", "-"}},
    {"function_call",
     "\"status\":\"in_progress\",\"arguments\":\"\"",
     {"arguments"},
     NULL,
     NULL,
     {"+", "dresponse.function_call_arguments.delta", "tresponse.function_call_arguments.done", "-"}},
    {"custom_tool_call",
     "\"status\":\"in_progress\",\"input\":\"\"",
     {"input"},
     NULL,
     NULL,
     {"+", "dresponse.custom_tool_call_input.delta", "tresponse.custom_tool_call_input.done", "-"}},
    {"web_search_call",
     "\"status\":\"in_progress\"",
     {NULL},
     NULL,
     NULL,
     {"+", "=response.web_search_call.in_progress", "=response.web_search_call.searching",
      "=response.web_search_call.completed", "-"}},
    {"file_search_call",
     "\"status\":\"in_progress\"",
     {NULL},
     NULL,
     NULL,
     {"+", "=response.file_search_call.in_progress", "=response.file_search_call.searching",
      "=response.file_search_call.completed", "-"}},
    {"code_interpreter_call",
     "\"status\":\"in_progress\",\"code\":\"\",\"outputs\":[]",
     {"code"},
     NULL,
     NULL,
     {"+", "=response.code_interpreter_call.in_progress", "dresponse.code_interpreter_call_code.delta",
      "tresponse.code_interpreter_call_code.done", "=response.code_interpreter_call.interpreting",
      "=response.code_interpreter_call.completed", "-"}},
    {"image_generation_call",
     "\"status\":\"in_progress\",\"result\":null",
     {NULL},
     NULL,
     NULL,
     {"+", "=response.image_generation_call.in_progress", "=response.image_generation_call.generating",
      "iresponse.image_generation_call.partial_image", "=response.image_generation_call.completed", "-"}},
    {"mcp_list_tools",
     "\"tools\":[]",
     {NULL},
     NULL,
     NULL,
     {"+", "=response.mcp_list_tools.in_progress", "=response.mcp_list_tools.completed", "-"}},
    {"mcp_call",
     "\"arguments\":\"\",\"output\":null",
     {"arguments"},
     NULL,
     NULL,
     {"+", "=response.mcp_call.in_progress", "dresponse.mcp_call_arguments.delta", "tresponse.mcp_call_arguments.done",
      "=response.mcp_call.completed", "-"}},
};

enum phase { CREATED, QUEUED, IN_PROGRESS, ITEMS, ENDING };

static const struct kind *kind_of(struct jval item)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (jdoc_is(jdoc_find(item, "type"), kinds[i].type))
            return &kinds[i];
    return NULL;
}

static struct jval item_at(const struct respond_events *e, unsigned index)
{
    struct jval output = jdoc_find(jdoc_root(e->doc), "output"), i = jdoc_first(output);
    while (jdoc_has(i) && index--)
        i = jdoc_next(output, i);
    return i;
}

static struct jval text_of(const struct kind *k, struct jval item)
{
    for (int i = 0; i < 3 && k->text[i]; i++)
        item = k->text[i][0] == '[' ? jdoc_first(item) : jdoc_find(item, k->text[i]);
    return k->text[0] ? item : (struct jval){NULL, 0};
}

/* The object with some members replaced; `changes` is "\"name\":value,…". */
static void write_with(struct json_write *w, struct jval object, const char *changes)
{
    char text[512], name[64];
    struct jdoc doc;
    int n = snprintf(text, sizeof text, "{%s}", changes);
    must(n > 0 && (size_t)n < sizeof text);
    jdoc_init(&doc);
    must(jdoc_parse(&doc, str_of(text, (size_t)n)));
    json_write_object(w);
    for (struct jval m = jdoc_first(object); jdoc_has(m); m = jdoc_next(object, m)) {
        struct jval changed = jdoc_get(jdoc_root(&doc), str_copy(name, sizeof name, jdoc_escaped(m)));
        json_write_key(w, jdoc_escaped(m));
        json_write_raw(w, jdoc_raw(jdoc_has(changed) ? changed : jdoc_value(m)));
    }
    json_write_object_end(w);
    jdoc_free(&doc);
}

static void event_begin(struct json_write *w, struct respond_events *e, const char *name)
{
    json_write_object(w);
    json_write_member_string(w, "type", str_c(name));
    json_write_member_uint(w, "sequence_number", e->sequence++);
}

static const char *whole_event(struct respond_events *e, struct json_write *w, const char *name, const char *changes)
{
    event_begin(w, e, name);
    json_write_key(w, STR("response"));
    if (changes)
        write_with(w, jdoc_root(e->doc), changes);
    else
        json_write_raw(w, e->final);
    json_write_object_end(w);
    return name;
}

static const char *const unfinished = "\"status\":\"in_progress\",\"output\":[],\"usage\":null,\"completed_at\":null,"
                                      "\"incomplete_details\":null,\"tool_usage\":null";
static const char *const queued = "\"status\":\"queued\",\"output\":[],\"usage\":null,\"completed_at\":null,"
                                  "\"incomplete_details\":null,\"tool_usage\":null";

/* Where the event belongs. */
static void write_place(struct respond_events *e, struct json_write *w, const struct kind *k, struct jval item)
{
    json_write_member_raw(w, "item_id", jdoc_raw(jdoc_find(item, "id")));
    json_write_member_uint(w, "output_index", e->item);
    if (k->index)
        json_write_member_uint(w, k->index, 0);
}

static void write_part(struct json_write *w, const struct kind *k, struct jval item, bool empty)
{
    struct jval part = jdoc_first(jdoc_find(item, k->text[0]));
    json_write_key(w, STR("part"));
    if (empty)
        write_with(w, part, "\"text\":\"\"");
    else
        json_write_raw(w, jdoc_raw(part));
}

static void write_delta(struct call *c, struct respond_events *e, struct json_write *w, const struct kind *k,
                        struct jval item)
{
    if (!e->at)
        e->text = jdoc_text(text_of(k, item), c->arena);
    struct str text = e->text, rest = str_from(text, (size_t)e->at);
    bool message = str_eq(str_c(k->type), STR("message"));
    bool prose = message && e->prose;
    struct str piece = str_head(rest, phrase_piece(rest, prose));
    write_place(e, w, k, item);
    json_write_member_string(w, "delta", piece);
    if (message) {
        json_write_key(w, STR("logprobs"));
        json_write_array(w);
        json_write_array_end(w);
    }
    if (e->obfuscate) {
        char pad[16];
        struct rng_seeded g = {simid_mix(c->seed, e->sequence)};
        size_t n = 16 - piece.n % 16;
        simid_letters(&g, pad, n);
        json_write_member_string(w, "obfuscation", str_of(pad, n));
    }
    bool said =
        message || str_eq(str_c(k->type), STR("function_call")) || str_eq(str_c(k->type), STR("custom_tool_call"));
    if (e->live && said && text.n)
        c->bill->output += prose ? 1 : e->text_tok * (e->at + piece.n) / text.n - e->text_tok * e->at / text.n;
    e->at += piece.n;
    if (e->at < text.n)
        e->step--; /* once more */
}

static void write_whole_text(struct call *c, struct respond_events *e, struct json_write *w, const struct kind *k,
                             struct jval item)
{
    struct jval text = text_of(k, item);
    const char *name = k->index ? "text" : k->text[0];
    (void)c;
    write_place(e, w, k, item);
    if (str_eq(str_c(k->type), STR("function_call")))
        json_write_member_raw(w, "name", jdoc_raw(jdoc_find(item, "name")));
    json_write_member_raw(w, name, jdoc_raw(text));
    if (str_eq(str_c(k->type), STR("message"))) {
        json_write_key(w, STR("logprobs"));
        json_write_array(w);
        json_write_array_end(w);
    }
}

static void write_partial(struct call *c, struct respond_events *e, struct json_write *w, const struct kind *k,
                          struct jval item)
{
    struct buf data;
    buf_init(&data, 1 << 20);
    must(api_audio_base64(&data, c->seed + e->at, 10));
    write_place(e, w, k, item);
    json_write_member_uint(w, "partial_image_index", e->at++);
    json_write_member_string(w, "partial_image_b64", buf_str(&data));
    json_write_member_string(w, "size", STR("1024x1024"));
    json_write_member_string(w, "quality", STR("medium"));
    json_write_member_string(w, "background", STR("opaque"));
    json_write_member_string(w, "output_format", STR("png"));
    buf_free(&data);
    if (e->at < e->partial_images)
        e->step--;
}

static const char *const step_names[] = {"response.output_item.added",
                                         "response.output_item.done",
                                         "response.content_part.added",
                                         "response.content_part.done",
                                         "response.reasoning_summary_part.added",
                                         "response.reasoning_summary_part.done"};

static const char *name_of(const struct kind *k, const char *step)
{
    bool summary = k->part && k->part[0] == 'r';
    switch (step[0]) {
    case '+':
        return step_names[0];
    case '-':
        return step_names[1];
    case 'p':
        return step_names[summary ? 4 : 2];
    case 'q':
        return step_names[summary ? 5 : 3];
    default:
        return step + 1;
    }
}

/* Steps about a text or image that is not there are left out. */
static bool applies(const struct respond_events *e, const struct kind *k, struct jval item, const char *step)
{
    if (strchr("pqdt", step[0]) && k->text[1])
        return jdoc_has(jdoc_first(jdoc_find(item, k->text[0]))) &&
               (step[0] != 'd' || jdoc_escaped(text_of(k, item)).n);
    if (step[0] == 'd')
        return jdoc_escaped(text_of(k, item)).n > 0;
    return step[0] != 'i' || e->partial_images > 0;
}

static const char *item_event(struct call *c, struct respond_events *e, struct json_write *w, const struct kind *k,
                              struct jval item)
{
    const char *step = k->steps[e->step++], *name = name_of(k, step);
    event_begin(w, e, name);
    switch (step[0]) {
    case '+':
    case '-':
        json_write_member_uint(w, "output_index", e->item);
        json_write_key(w, STR("item"));
        if (step[0] == '+')
            write_with(w, item, k->empty);
        else
            json_write_raw(w, jdoc_raw(item));
        break;
    case 'p':
    case 'q':
        write_place(e, w, k, item);
        write_part(w, k, item, step[0] == 'p');
        break;
    case 'd':
        write_delta(c, e, w, k, item);
        break;
    case 't':
        write_whole_text(c, e, w, k, item);
        break;
    case 'i':
        write_partial(c, e, w, k, item);
        break;
    default:
        write_place(e, w, k, item);
        break;
    }
    json_write_object_end(w);
    if (step[0] == '+')
        e->at = 0;
    return name;
}

static const char *ending_event(struct call *c, struct respond_events *e, struct json_write *w)
{
    struct jval status = jdoc_find(jdoc_root(e->doc), "status");
    const char *name = jdoc_is(status, "incomplete")  ? "response.incomplete"
                       : jdoc_is(status, "failed")    ? "response.failed"
                       : jdoc_is(status, "cancelled") ? "response.cancelled"
                                                      : "response.completed";
    if (e->live && c->bill->forced.n)
        bill_cue(c);
    if (e->live)
        c->used.reported = jdoc_has(jdoc_find(jdoc_root(e->doc), "usage"));
    return whole_event(e, w, name, NULL);
}

/* Moves on to the next step that applies; NULL when all items are told. */
static const struct kind *find_step(struct respond_events *e, struct jval *ret_item)
{
    for (;;) {
        struct jval item = item_at(e, e->item);
        if (!jdoc_has(item))
            return NULL;
        const struct kind *k = kind_of(item);
        while (k && e->step < STEPS_MAX && k->steps[e->step] && !applies(e, k, item, k->steps[e->step]))
            e->step++;
        if (k && e->step < STEPS_MAX && k->steps[e->step]) {
            *ret_item = item;
            return k;
        }
        e->item++;
        e->step = 0;
        e->at = 0;
    }
}

static const char *one_event(struct call *c, struct respond_events *e, struct json_write *w, bool *ret_last)
{
    const struct kind *k;
    struct jval item;
    if (e->sequence >= e->fail_after) {
        *ret_last = true;
        return whole_event(e, w, "response.failed",
                           "\"status\":\"failed\",\"output\":[],\"usage\":null,\"error\":{\"code\":\"server_error\","
                           "\"message\":\"The model failed on cue.\"}");
    }
    switch ((enum phase)e->phase) {
    case CREATED:
        e->phase = e->background ? QUEUED : IN_PROGRESS;
        return whole_event(e, w, "response.created", e->background ? queued : unfinished);
    case QUEUED:
        e->phase = IN_PROGRESS;
        return whole_event(e, w, "response.queued", queued);
    case IN_PROGRESS:
        e->phase = ITEMS;
        if (e->live) {
            c->bill->reasoning = e->reasoning_tok;
            c->bill->output = e->reasoning_tok;
        }
        return whole_event(e, w, "response.in_progress", unfinished);
    case ITEMS:
        k = find_step(e, &item);
        if (k)
            return item_event(c, e, w, k, item);
        e->phase = ENDING;
        __attribute__((fallthrough));
    case ENDING:
        break;
    }
    *ret_last = true;
    return ending_event(c, e, w);
}

enum answer_step respond_events_next(struct call *c, struct respond_events *e, struct buf *json, const char **ret_name)
{
    bool last = false;
    size_t before = buf_size(json);
    if (!e->doc->count)
        must(jdoc_parse(e->doc, e->final));
    for (;;) {
        struct json_write w;
        uint64_t number = e->sequence;
        json_write_init(&w, json);
        *ret_name = one_event(c, e, &w, &last);
        must(json_write_done(&w));
        if (number >= e->skip_to)
            return last ? ANSWER_LAST : ANSWER_MORE;
        buf_cut(json, before);
        if (last)
            return ANSWER_END;
    }
}

static enum answer_step next(struct call *c, struct buf *out)
{
    struct buf json;
    const char *name = NULL;
    buf_init(&json, (size_t)1 << 30);
    enum answer_step step = respond_events_next(c, c->answer.state, &json, &name);
    if (step != ANSWER_END)
        answer_frame(out, name, buf_str(&json));
    buf_free(&json);
    return step;
}

void respond_events_begin(struct call *c, struct respond_events *e, const struct respond *r)
{
    bool failed = cue_has(c->cue, CUE_FAIL_AFTER_EVENTS) && cue_has(c->cue, CUE_ERROR);
    *e = (struct respond_events){.final = r->final,
                                 .doc = &c->doc,
                                 .prose = r->say.prose && r->say.kind == COMPOSE_TEXT,
                                 .background = r->background,
                                 .obfuscate = r->obfuscate,
                                 .partial_images = r->partial_images,
                                 .text_tok = r->say.text_tok,
                                 .reasoning_tok = r->say.reasoning_tok,
                                 .live = true};
    e->fail_after = failed ? c->cue->value[CUE_FAIL_AFTER_EVENTS].count : UINT64_MAX;
}

void respond_events_answer(struct call *c, struct respond_events *e)
{
    answer_stream(c, ANSWER_RESPONSES, next, e);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A chat completion as events. All chunks of a stream begin alike, so their beginning is made once;
 * with several choices their pieces take turns. `obfuscation` pads each chunk with text to a
 * multiple of 16 characters of content, so that lengths say little, as OpenAI's does.
 */
#include <string.h>

#include "base/must.h"
#include "sim/api/api.h"
#include "sim/api/chat.h"
#include "sim/model/bill.h"
#include "sim/simid.h"

#define PAD_MAX 65536

static void add(struct buf *out, struct str s)
{
    must(buf_add_str(out, s));
}

static void add_text(struct buf *out, struct str text, bool prose)
{
    if (prose) {
        must(buf_add_byte(out, '"') && buf_add_str(out, text) && buf_add_byte(out, '"'));
        return;
    }
    must(json_write_quoted(out, text));
}

static void chunk_begin(const struct chat *chat, struct buf *out)
{
    add(out, chat->prefix);
}

/* Closes the choices and the chunk. `content`: bytes of text in it, for the padding. */
static void chunk_end(struct call *c, struct chat *chat, struct buf *out, size_t content)
{
    char pad[PAD_MAX];
    uint64_t want = cue_count(c->cue, CUE_EVENT_BYTES, 0);
    size_t frame = buf_size(out) + strlen("],\"obfuscation\":\"\"}\n\n");
    size_t n = 0;
    bool usage = chat->include_usage && bill_wanted(c);
    add(out, STR("]"));
    if (usage)
        add(out, STR(",\"usage\":null"));
    frame += usage ? strlen(",\"usage\":null") : 0;
    if (want > frame)
        n = want - frame < PAD_MAX ? (size_t)(want - frame) : PAD_MAX;
    else if (chat->obfuscate && !want)
        n = 16 - content % 16;
    if (n) {
        simid_letters(&chat->padding, pad, n);
        add(out, STR(",\"obfuscation\":\""));
        add(out, str_of(pad, n));
        add(out, STR("\""));
    }
    add(out, STR("}\n\n"));
}

static void choice_begin(struct buf *out, unsigned index)
{
    must(buf_printf(out, "{\"index\":%u,\"delta\":", index));
}

static void choice_end(const struct chat *chat, struct buf *out, const char *finish, const struct compose *logprobs_of,
                       struct str text)
{
    add(out, STR(",\"logprobs\":"));
    if (logprobs_of && text.n) {
        struct json_write w;
        json_write_init(&w, out);
        chat_write_logprobs(&w, logprobs_of, text, chat->top_logprobs);
        must(json_write_done(&w));
    } else {
        add(out, STR("null"));
    }
    if (finish)
        must(buf_printf(out, ",\"finish_reason\":\"%s\"", finish));
    else
        add(out, STR(",\"finish_reason\":null"));
    add(out, STR("}"));
}

/* The first piece names the tool; the others carry its arguments. */
static void tool_begin(const struct chat *chat, const struct chat_choice *choice, struct buf *out)
{
    bool custom = choice->say.kind == COMPOSE_CUSTOM_TOOL;
    if (chat->old_functions) {
        add(out, STR("{\"role\":\"assistant\",\"content\":null,\"function_call\":{\"name\":"));
        add_text(out, choice->say.tool, false);
        add(out, STR(",\"arguments\":\"\"},\"refusal\":null}"));
        return;
    }
    must(buf_printf(
        out,
        "{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"index\":0,\"id\":\"%.*s\",\"type\":\"%s\","
        "\"%s\":{\"name\":",
        STR_ARG(choice->call_id), custom ? "custom" : "function", custom ? "custom" : "function"));
    add_text(out, choice->say.tool, false);
    must(buf_printf(out, ",\"%s\":\"\"}}],\"refusal\":null}", custom ? "input" : "arguments"));
}

static void role_chunk(struct call *c, struct chat *chat, unsigned i, struct buf *out)
{
    struct chat_choice *choice = &chat->choice[i];
    choice_begin(out, i);
    if (choice->say.kind != COMPOSE_TEXT) {
        tool_begin(chat, choice, out);
    } else if (choice->audio_id.n) {
        must(buf_printf(
            out,
            "{\"role\":\"assistant\",\"content\":null,\"refusal\":null,\"audio\":{\"id\":\"%.*s\",\"transcript\":\"\"}}",
            STR_ARG(choice->audio_id)));
    } else {
        add(out, STR("{\"role\":\"assistant\",\"content\":\"\",\"refusal\":null}"));
    }
    choice_end(chat, out, NULL, NULL, STR(""));
    c->bill->reasoning += choice->say.reasoning_tok;
    c->bill->output += choice->say.reasoning_tok;
    choice->phase = choice->say.text.n ? CHAT_PIECES : CHAT_FINISH;
}

static void audio_piece(struct call *c, const struct chat_choice *choice, struct str piece, uint64_t text_tok,
                        struct buf *out)
{
    uint64_t tokens = API_AUDIO_PER_TOKEN * text_tok;
    add(out, STR("{\"audio\":{\"data\":\""));
    must(api_audio_base64(out, c->seed + choice->at, tokens));
    add(out, STR("\",\"transcript\":"));
    add_text(out, piece, choice->say.prose);
    add(out, STR("}}"));
    c->bill->audio_out += tokens;
    c->bill->output += tokens;
}

static size_t piece_chunk(struct call *c, struct chat *chat, unsigned i, struct buf *out)
{
    struct chat_choice *choice = &chat->choice[i];
    struct compose *say = &choice->say;
    bool plain = say->kind == COMPOSE_TEXT;
    uint64_t before = c->bill->output;
    struct str piece = compose_piece(c, say, &choice->at);
    choice_begin(out, i);
    if (choice->audio_id.n) {
        audio_piece(c, choice, piece, c->bill->output - before, out);
    } else if (plain) {
        add(out, STR("{\"content\":"));
        add_text(out, piece, say->prose);
        add(out, STR("}"));
    } else {
        const char *head = chat->old_functions ? "{\"function_call\":{\"arguments\":"
                           : say->kind == COMPOSE_CUSTOM_TOOL
                               ? "{\"tool_calls\":[{\"index\":0,\"custom\":{\"input\":"
                               : "{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":";
        add(out, str_c(head));
        add_text(out, piece, false);
        add(out, chat->old_functions ? STR("}}") : STR("}}]}"));
    }
    choice_end(chat, out, NULL, chat->logprobs && plain ? say : NULL, piece);
    if (choice->at >= say->text.n)
        choice->phase = CHAT_FINISH;
    return piece.n;
}

static void add_filter(struct call *c, struct buf *out, bool filtered)
{
    struct json_write w;
    buf_cut(out, buf_size(out) - 1);
    add(out, STR(",\"content_filter_results\":"));
    json_write_init(&w, out);
    chat_write_filter(c, &w, filtered);
    must(json_write_done(&w));
    add(out, STR("}"));
}

static void finish_chunk(struct call *c, struct chat *chat, unsigned i, struct buf *out)
{
    struct chat_choice *choice = &chat->choice[i];
    choice_begin(out, i);
    add(out, STR("{}"));
    choice_end(chat, out, choice->finish, NULL, STR(""));
    if (chat->azure && !chat->filter_async)
        add_filter(c, out, choice->finish[0] == 'c');
    choice->phase = chat->filter_async ? CHAT_ANNOTATE : CHAT_OVER;
}

/* Azure's asynchronous filter: its verdict comes later, and may come after the finish. */
static void annotate_chunk(struct call *c, struct chat *chat, unsigned i, struct buf *out)
{
    struct chat_choice *choice = &chat->choice[i];
    struct json_write w;
    must(buf_printf(out, "{\"index\":%u,\"finish_reason\":null,\"content_filter_results\":", i));
    json_write_init(&w, out);
    chat_write_filter(c, &w, false);
    must(json_write_done(&w));
    must(buf_printf(out, ",\"content_filter_offsets\":{\"check_offset\":%zu,\"start_offset\":%zu,\"end_offset\":%zu}}",
                    choice->say.text.n, (size_t)0, choice->say.text.n));
    choice->phase = CHAT_OVER;
}

/* The choice whose turn it is; chat->n when all are over. */
static unsigned next_choice(struct chat *chat)
{
    for (unsigned k = 0; k < chat->n; k++) {
        unsigned i = (chat->turn + k) % chat->n;
        if (chat->choice[i].phase != CHAT_OVER) {
            chat->turn = i + 1;
            return i;
        }
    }
    return chat->n;
}

static void azure_first(struct call *c, struct buf *out)
{
    struct json_write w;
    add(out, STR("data: "));
    json_write_init(&w, out);
    json_write_object(&w);
    json_write_key(&w, STR("choices"));
    json_write_array(&w);
    json_write_array_end(&w);
    json_write_member_uint(&w, "created", 0);
    json_write_member_string(&w, "id", STR(""));
    json_write_member_string(&w, "model", STR(""));
    json_write_member_string(&w, "object", STR(""));
    chat_write_prompt_filter(c, &w);
    json_write_object_end(&w);
    must(json_write_done(&w));
    add(out, STR("\n\n"));
}

static void usage_chunk(struct call *c, struct chat *chat, struct buf *out)
{
    struct json_write w;
    chunk_begin(chat, out);
    add(out, STR("],\"usage\":"));
    json_write_init(&w, out);
    bill_write_chat(c, &w);
    must(json_write_done(&w));
    if (chat->obfuscate)
        add(out, STR(",\"obfuscation\":\"\""));
    add(out, STR("}\n\n"));
}

static enum answer_step tail(struct call *c, struct chat *chat, struct buf *out)
{
    if (chat->tail == 0) {
        chat->tail = 1;
        bill_cue(c);
        if (chat->include_usage && bill_wanted(c)) {
            usage_chunk(c, chat, out);
            return ANSWER_MORE;
        }
    }
    add(out, STR("data: [DONE]\n\n"));
    return ANSWER_LAST;
}

static enum answer_step next(struct call *c, struct buf *out)
{
    struct chat *chat = c->answer.state;
    size_t content = 0;
    if (chat->azure && !chat->opened) {
        chat->opened = true;
        azure_first(c, out);
        return ANSWER_MORE;
    }
    unsigned i = next_choice(chat);
    if (i == chat->n)
        return tail(c, chat, out);
    chunk_begin(chat, out);
    switch (chat->choice[i].phase) {
    case CHAT_ROLE:
        role_chunk(c, chat, i, out);
        break;
    case CHAT_PIECES:
        content = piece_chunk(c, chat, i, out);
        break;
    case CHAT_FINISH:
        finish_chunk(c, chat, i, out);
        break;
    case CHAT_ANNOTATE:
        annotate_chunk(c, chat, i, out);
        break;
    case CHAT_OVER:
        break;
    }
    chunk_end(c, chat, out, content);
    return ANSWER_MORE;
}

void chat_stream(struct call *c, struct chat *chat)
{
    struct buf out;
    struct json_write w;
    buf_init(&out, 4096);
    add(&out, STR("data: "));
    json_write_init(&w, &out);
    json_write_object(&w);
    json_write_member_string(&w, "id", chat->id);
    json_write_member_string(&w, "object", STR("chat.completion.chunk"));
    json_write_member_int(&w, "created", chat->created);
    json_write_member_string(&w, "model", chat->model);
    if (!chat->azure)
        json_write_member_string(&w, "service_tier", chat->tier);
    json_write_member_string(&w, "system_fingerprint", chat->fingerprint);
    json_write_key(&w, STR("choices"));
    json_write_array(&w);
    json_write_array_end(&w);
    json_write_object_end(&w);
    must(json_write_done(&w));
    buf_cut(&out, buf_size(&out) - 2); /* the chunk goes on inside the array */
    chat->prefix = arena_dup(c->arena, buf_str(&out));
    buf_free(&out);
    chat->padding.state = c->ids.state;
    answer_stream(c, ANSWER_CHAT, next, chat);
}

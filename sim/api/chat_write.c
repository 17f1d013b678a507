/* SPDX-License-Identifier: Apache-2.0 */
/* A chat completion as one JSON object; the shape is that of the API's reference. */
#include <stdio.h>

#include "sim/api/api.h"
#include "sim/api/chat.h"
#include "sim/model/bill.h"
#include "sim/model/phrase.h"
#include "sim/simid.h"

void chat_write_filter(struct call *c, struct json_write *w, bool filtered)
{
    static const char *const graded[] = {"hate", "self_harm", "sexual", "violence"};
    json_write_object(w);
    if (cue_text_is(c->cue, CUE_CONTENT_FILTER, "error")) {
        json_write_key(w, STR("error"));
        json_write_object(w);
        json_write_member_string(w, "code", STR("content_filter_error"));
        json_write_member_string(w, "message", STR("The contents are not filtered"));
        json_write_object_end(w);
        json_write_object_end(w);
        return;
    }
    for (size_t i = 0; i < sizeof graded / sizeof graded[0]; i++) {
        bool this_one = filtered && i == 3;
        json_write_key(w, str_c(graded[i]));
        json_write_object(w);
        json_write_member_bool(w, "filtered", this_one);
        json_write_member_string(w, "severity", this_one ? STR("high") : STR("safe"));
        json_write_object_end(w);
    }
    json_write_object_end(w);
}

void chat_write_prompt_filter(struct call *c, struct json_write *w)
{
    json_write_key(w, STR("prompt_filter_results"));
    json_write_array(w);
    json_write_object(w);
    json_write_member_uint(w, "prompt_index", 0);
    json_write_key(w, STR("content_filter_results"));
    chat_write_filter(c, w, false);
    json_write_object_end(w);
    json_write_array_end(w);
}

static void write_token(struct json_write *w, struct str token, uint64_t mix)
{
    char number[32];
    json_write_member_string(w, "token", token);
    int n = snprintf(number, sizeof number, "-%u.%04u", (unsigned)(mix % 3), (unsigned)(mix >> 8) % 10000);
    json_write_member_raw(w, "logprob", str_of(number, (size_t)n));
    json_write_key(w, STR("bytes"));
    json_write_array(w);
    for (size_t i = 0; i < token.n; i++)
        json_write_uint(w, (unsigned char)token.p[i]);
    json_write_array_end(w);
}

void chat_write_logprobs(struct json_write *w, const struct compose *say, struct str text, unsigned top)
{
    bool prose = say->prose && say->kind == COMPOSE_TEXT;
    json_write_object(w);
    json_write_key(w, STR("content"));
    json_write_array(w);
    while (text.n) {
        struct str token = str_head(text, phrase_piece(text, prose));
        uint64_t mix = simid_hash(7, token);
        text = str_from(text, token.n);
        json_write_object(w);
        write_token(w, token, mix);
        json_write_key(w, STR("top_logprobs"));
        json_write_array(w);
        for (unsigned i = 0; i < top; i++) {
            json_write_object(w);
            write_token(w, i ? str_c(phrase_word((mix + i) % 100)) : token, simid_mix(mix, i));
            json_write_object_end(w);
        }
        json_write_array_end(w);
        json_write_object_end(w);
    }
    json_write_array_end(w);
    json_write_member_null(w, "refusal");
    json_write_object_end(w);
}

static void write_tool_call(struct json_write *w, const struct chat_choice *choice)
{
    const struct compose *say = &choice->say;
    bool custom = say->kind == COMPOSE_CUSTOM_TOOL;
    json_write_key(w, STR("tool_calls"));
    json_write_array(w);
    json_write_object(w);
    json_write_member_string(w, "id", choice->call_id);
    json_write_member_string(w, "type", custom ? STR("custom") : STR("function"));
    json_write_key(w, custom ? STR("custom") : STR("function"));
    json_write_object(w);
    json_write_member_string(w, "name", say->tool);
    json_write_member_string(w, custom ? "input" : "arguments", say->text);
    json_write_object_end(w);
    json_write_object_end(w);
    json_write_array_end(w);
}

static void write_audio(struct call *c, const struct chat *chat, const struct chat_choice *choice, struct json_write *w)
{
    struct buf data;
    buf_init(&data, 1 << 28);
    json_write_key(w, STR("audio"));
    json_write_object(w);
    json_write_member_string(w, "id", choice->audio_id);
    json_write_member_int(w, "expires_at", chat->created + 3600);
    if (api_audio_base64(&data, c->seed, choice->say.text_tok * API_AUDIO_PER_TOKEN))
        json_write_member_string(w, "data", buf_str(&data));
    json_write_member_string(w, "transcript", choice->say.text);
    json_write_object_end(w);
    buf_free(&data);
}

static void write_message(struct call *c, const struct chat *chat, const struct chat_choice *choice,
                          struct json_write *w)
{
    const struct compose *say = &choice->say;
    bool text = say->kind == COMPOSE_TEXT && !choice->audio_id.n;
    json_write_object(w);
    json_write_member_string(w, "role", STR("assistant"));
    if (text)
        json_write_member_string(w, "content", say->text);
    else
        json_write_member_null(w, "content");
    if (say->kind != COMPOSE_TEXT && chat->old_functions) {
        json_write_key(w, STR("function_call"));
        json_write_object(w);
        json_write_member_string(w, "name", say->tool);
        json_write_member_string(w, "arguments", say->text);
        json_write_object_end(w);
    } else if (say->kind != COMPOSE_TEXT) {
        write_tool_call(w, choice);
    }
    if (choice->audio_id.n)
        write_audio(c, chat, choice, w);
    json_write_member_null(w, "refusal");
    json_write_key(w, STR("annotations"));
    json_write_array(w);
    json_write_array_end(w);
    json_write_object_end(w);
}

static void write_choice(struct call *c, const struct chat *chat, unsigned i, struct json_write *w)
{
    const struct chat_choice *choice = &chat->choice[i];
    json_write_object(w);
    json_write_member_uint(w, "index", i);
    json_write_key(w, STR("message"));
    write_message(c, chat, choice, w);
    json_write_key(w, STR("logprobs"));
    if (chat->logprobs && choice->say.kind == COMPOSE_TEXT)
        chat_write_logprobs(w, &choice->say, choice->say.text, chat->top_logprobs);
    else
        json_write_null(w);
    json_write_member_string(w, "finish_reason", str_c(choice->finish));
    if (chat->azure) {
        json_write_key(w, STR("content_filter_results"));
        chat_write_filter(c, w, choice->finish[0] == 'c');
    }
    json_write_object_end(w);
}

void chat_write(struct call *c, const struct chat *chat, struct json_write *w, bool stored)
{
    json_write_object(w);
    json_write_member_string(w, "id", chat->id);
    json_write_member_string(w, "object", STR("chat.completion"));
    json_write_member_int(w, "created", chat->created);
    json_write_member_string(w, "model", chat->model);
    json_write_key(w, STR("choices"));
    json_write_array(w);
    for (unsigned i = 0; i < chat->n; i++)
        write_choice(c, chat, i, w);
    json_write_array_end(w);
    if (stored || bill_wanted(c)) {
        bool reported = c->used.reported;
        json_write_key(w, STR("usage"));
        bill_write_chat(c, w);
        c->used.reported = stored ? reported : true;
    }
    if (!chat->azure)
        json_write_member_string(w, "service_tier", chat->tier);
    json_write_member_string(w, "system_fingerprint", chat->fingerprint);
    if (stored) {
        json_write_member_raw(w, "metadata", chat->metadata);
        json_write_member_string(w, "request_id", str_c(c->request_id));
    }
    if (chat->azure)
        chat_write_prompt_filter(c, w);
    json_write_object_end(w);
}

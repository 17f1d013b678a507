/* SPDX-License-Identifier: Apache-2.0 */
/*
 * POST /audio/speech: bytes that begin like the asked format and go on as noise, one piece for every
 * few words; or events with the same as base64, and usage at the end.
 */
#include "base/encode.h"
#include "base/json_text.h"
#include "base/must.h"
#include "sim/api/api.h"
#include "sim/http/apierr.h"
#include "sim/model/bill.h"
#include "sim/model/tally.h"
#include "sim/simid.h"

#define INPUT_MAX 4096
#define PIECE_TOKENS 32
#define OUT_PER_CHARACTER 1

bool api_audio_base64(struct buf *out, uint64_t seed, uint64_t tokens)
{
    struct rng_seeded g = {seed};
    /* 96 bytes make 128 characters without padding, so pieces can be joined. */
    for (uint64_t i = 0; i < tokens; i++) {
        uint64_t samples[API_AUDIO_BYTES / 8];
        char *to = buf_reserve(out, ENCODE_BASE64_MAX(sizeof samples));
        if (!to)
            return false;
        for (size_t k = 0; k < API_AUDIO_BYTES / 8; k++)
            samples[k] = rng_seeded_u64(&g);
        buf_commit(out, encode_base64(samples, sizeof samples, to));
    }
    return true;
}

struct speech {
    uint64_t tokens, sent; /* of audio */
    struct str magic;      /* what the format's files begin with */
    bool events, by_character;
};

static const struct format {
    const char *name, *type;
    struct str magic;
} formats[] = {
    {"mp3", "audio/mpeg", {"ID3\x04\0\0\0\0\0\0", 10}},
    {"opus", "audio/opus", {"OggS", 4}},
    {"aac", "audio/aac", {"\xff\xf1", 2}},
    {"flac", "audio/flac", {"fLaC", 4}},
    {"wav", "audio/wav", {"RIFF\xff\xff\xff\xffWAVEfmt ", 16}},
    {"pcm", "audio/pcm", {"", 0}},
};

static const struct format *format_of(struct call *c)
{
    struct jval v = jdoc_find(c->json, "response_format");
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++)
        if (jdoc_has(v) ? jdoc_is(v, formats[i].name) : i == 0)
            return &formats[i];
    return NULL;
}

static uint64_t next_tokens(struct call *c, struct speech *s)
{
    uint64_t n = s->tokens - s->sent < PIECE_TOKENS ? s->tokens - s->sent : PIECE_TOKENS;
    s->sent += n;
    if (!s->by_character) {
        c->bill->audio_out += n;
        c->bill->output += n;
    }
    return n;
}

static enum answer_step next_piece(struct call *c, struct buf *out)
{
    struct speech *s = c->answer.state;
    struct rng_seeded g = {c->seed + s->sent};
    if (!s->sent)
        must(buf_add_str(out, s->magic));
    for (uint64_t n = next_tokens(c, s) * (API_AUDIO_BYTES / 8); n; n--) {
        uint64_t word = rng_seeded_u64(&g);
        must(buf_add(out, &word, sizeof word));
    }
    return s->sent < s->tokens ? ANSWER_MORE : ANSWER_LAST;
}

static enum answer_step next_event(struct call *c, struct buf *out)
{
    struct speech *s = c->answer.state;
    struct buf json;
    struct json_write w;
    bool last = s->sent >= s->tokens;
    buf_init(&json, 1 << 24);
    json_write_init(&w, &json);
    json_write_object(&w);
    json_write_member_string(&w, "type", last ? STR("speech.audio.done") : STR("speech.audio.delta"));
    if (last) {
        bill_cue(c);
        if (bill_wanted(c)) {
            json_write_key(&w, STR("usage"));
            bill_write_speech(c, &w);
        }
    } else {
        struct buf data;
        buf_init(&data, 1 << 24);
        uint64_t seed = c->seed + s->sent;
        must(api_audio_base64(&data, seed, next_tokens(c, s)));
        json_write_member_string(&w, "audio", buf_str(&data));
        buf_free(&data);
    }
    json_write_object_end(&w);
    must(json_write_done(&w));
    answer_frame(out, NULL, buf_str(&json));
    buf_free(&json);
    return last ? ANSWER_LAST : ANSWER_MORE;
}

void api_speech_create(struct call *c)
{
    struct jval input = jdoc_find(c->json, "input");
    const struct format *format = format_of(c);
    struct str asked;
    if (!api_model(c, &asked))
        return;
    if (!jdoc_has(input) || !jdoc_has(jdoc_find(c->json, "voice"))) {
        apierr_missing(c, jdoc_has(input) ? "voice" : "input");
        return;
    }
    uint64_t characters = json_code_points(jdoc_escaped(input));
    if (characters < 1 || characters > INPUT_MAX) {
        apierr(c, 400, "invalid_request_error", "input", "string_above_max_length",
               "Invalid 'input': expected a string of 1 to %d characters.", INPUT_MAX);
        return;
    }
    if (!format) {
        apierr_invalid(c, "response_format", "Invalid value: %.*s.",
                       STR_ARG(str_head(jdoc_raw(jdoc_find(c->json, "response_format")), 40)));
        return;
    }
    struct speech *s = arena_alloc(c->arena, sizeof *s);
    must(s != NULL);
    *s = (struct speech){.tokens = 8 + characters * OUT_PER_CHARACTER,
                         .magic = format->magic,
                         .events = jdoc_is(jdoc_find(c->json, "stream_format"), "sse"),
                         .by_character = str_starts(asked, STR("tts-1"))};
    if (s->events && s->by_character) {
        apierr(c, 400, "invalid_request_error", "stream_format", "unsupported_value",
               "'sse' is not supported for tts-1 or tts-1-hd.");
        return;
    }
    struct bill *b = bill_new(c, CALL_WORK_SPEECHES);
    bill_name(c, asked, STR(""));
    c->used.characters = characters;
    if (s->by_character)
        b->characters = characters;
    else
        b->input = tally_escaped(c->sim->tally, TOKENIZER_O200K, jdoc_escaped(input));
    if (s->events)
        answer_stream(c, ANSWER_NAMED, next_event, s);
    else
        answer_pieces(c, str_c(format->type), next_piece, s);
}

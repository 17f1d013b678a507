/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Transcriptions and translations. The length of the audio is read from a WAV header, else taken as
 * that of an MP3 of 128 kbit/s; what is heard is prose of two words a second. whisper-1 and
 * gpt-transcribe are billed by time, the others by tokens.
 */
#include <stdio.h>
#include <string.h>

#include "base/must.h"
#include "sim/api/api.h"
#include "sim/http/apierr.h"
#include "sim/http/formread.h"
#include "sim/http/reply.h"
#include "sim/model/bill.h"
#include "sim/model/phrase.h"

#define MP3_BYTES_PER_S 16000
#define TOKENS_PER_S 10
#define SEGMENT_MS 4000
#define TIME_TEXT 16

struct heard {
    struct compose say;
    uint64_t ms;
    bool by_time;
    uint64_t at;
    unsigned phase, segment;
    bool diarized;
};

static uint32_t u32_at(struct str bytes, size_t at)
{
    uint32_t v = 0;
    for (size_t i = 0; i < 4 && at + i < bytes.n; i++)
        v |= (uint32_t)(unsigned char)bytes.p[at + i] << (8 * i);
    return v;
}

static uint64_t length_ms(const struct formread_part *file)
{
    struct str bytes = STR("");
    uint64_t size = blob_size(file->blob), rate = MP3_BYTES_PER_S;
    if (blob_bytes(file->blob, &bytes) && str_starts(bytes, STR("RIFF")) && bytes.n >= 44 && u32_at(bytes, 28)) {
        rate = u32_at(bytes, 28);
        size -= 44;
    }
    uint64_t ms = size * 1000 / rate;
    return ms ? ms : 1;
}

/* "00:00:04,000" */
static struct str time_text(uint64_t ms, char separator, char out[TIME_TEXT])
{
    int n = snprintf(out, TIME_TEXT, "%02u:%02u:%02u%c%03u", (unsigned)(ms / 3600000) % 100,
                     (unsigned)(ms / 60000) % 60, (unsigned)(ms / 1000) % 60, separator, (unsigned)(ms % 1000));
    return str_of(out, (size_t)n);
}

static unsigned segments(const struct heard *h)
{
    return (unsigned)((h->ms + SEGMENT_MS - 1) / SEGMENT_MS);
}

/* The text and time of a segment: equal shares, cut between words. */
static struct str segment_text(const struct heard *h, unsigned i, uint64_t *ret_begin, uint64_t *ret_end)
{
    unsigned n = segments(h);
    uint64_t pieces = phrase_pieces(h->say.text, true), from = pieces * i / n, to = pieces * (i + 1) / n;
    struct str rest = h->say.text, start;
    for (uint64_t k = 0; k < from; k++)
        rest = str_from(rest, phrase_piece(rest, true));
    start = rest;
    for (uint64_t k = from; k < to; k++)
        rest = str_from(rest, phrase_piece(rest, true));
    *ret_begin = (uint64_t)i * SEGMENT_MS;
    *ret_end = i + 1 == n ? h->ms : *ret_begin + SEGMENT_MS;
    return str_of(start.p, start.n - rest.n);
}

static void write_seconds(struct json_write *w, const char *name, uint64_t ms)
{
    char text[40];
    int n = snprintf(text, sizeof text, "%llu.%03u", (unsigned long long)(ms / 1000), (unsigned)(ms % 1000));
    json_write_member_raw(w, name, str_of(text, (size_t)n));
}

static void answer_lines(struct call *c, const struct heard *h, bool vtt)
{
    struct buf out;
    char from[TIME_TEXT], to[TIME_TEXT];
    uint64_t begin, end;
    buf_init(&out, (size_t)1 << 28);
    if (vtt)
        must(buf_add_str(&out, STR("WEBVTT\n\n")));
    for (unsigned i = 0; i < segments(h); i++) {
        struct str text = segment_text(h, i, &begin, &end);
        struct str a = time_text(begin, vtt ? '.' : ',', from), b = time_text(end, vtt ? '.' : ',', to);
        if (!vtt)
            must(buf_printf(&out, "%u\n", i + 1));
        must(buf_printf(&out, "%.*s --> %.*s\n%.*s\n\n", STR_ARG(a), STR_ARG(b), STR_ARG(text)));
    }
    answer_body(c, 200, vtt ? STR("text/vtt; charset=utf-8") : STR("text/plain; charset=utf-8"), &out);
}

static void answer_text(struct call *c, const struct heard *h)
{
    struct buf out;
    buf_init(&out, (size_t)1 << 28);
    must(buf_add_str(&out, h->say.text) && buf_add_byte(&out, '\n'));
    answer_body(c, 200, STR("text/plain; charset=utf-8"), &out);
}

static void write_usage(struct call *c, const struct heard *h, struct json_write *w)
{
    if (!bill_wanted(c))
        return;
    json_write_key(w, STR("usage"));
    bill_write_transcription(c, w, h->by_time);
}

static void write_segment(const struct heard *h, struct json_write *w, unsigned i)
{
    uint64_t begin, end;
    struct str text = segment_text(h, i, &begin, &end);
    json_write_object(w);
    if (h->diarized) {
        char id[24];
        int n = snprintf(id, sizeof id, "seg_%03u", i + 1);
        json_write_member_string(w, "type", STR("transcript.text.segment"));
        json_write_member_string(w, "id", str_of(id, (size_t)n));
        json_write_member_string(w, "speaker", i % 2 ? STR("B") : STR("A"));
    } else {
        json_write_member_uint(w, "id", i);
        json_write_member_uint(w, "seek", 0);
    }
    write_seconds(w, "start", begin);
    write_seconds(w, "end", end);
    json_write_member_string(w, "text", text);
    if (!h->diarized) {
        json_write_member_raw(w, "tokens", STR("[50364,440,50564]"));
        json_write_member_raw(w, "temperature", STR("0.0"));
        json_write_member_raw(w, "avg_logprob", STR("-0.25"));
        json_write_member_raw(w, "compression_ratio", STR("1.2"));
        json_write_member_raw(w, "no_speech_prob", STR("0.01"));
    }
    json_write_object_end(w);
}

static void answer_verbose(struct call *c, const struct heard *h, bool translation)
{
    struct reply r;
    struct json_write *w = reply_begin(&r);
    json_write_member_string(w, "task", translation ? STR("translate") : STR("transcribe"));
    if (!h->diarized)
        json_write_member_string(w, "language", STR("english"));
    write_seconds(w, "duration", h->ms);
    json_write_member_string(w, "text", h->say.text);
    json_write_key(w, STR("segments"));
    json_write_array(w);
    for (unsigned i = 0; i < segments(h); i++)
        write_segment(h, w, i);
    json_write_array_end(w);
    if (!translation)
        write_usage(c, h, w);
    reply_send(c, &r, 200);
}

static void answer_plain(struct call *c, const struct heard *h, bool translation)
{
    struct reply r;
    struct json_write *w = reply_begin(&r);
    json_write_member_string(w, "text", h->say.text);
    if (!translation)
        write_usage(c, h, w);
    reply_send(c, &r, 200);
}

static enum answer_step next(struct call *c, struct buf *out)
{
    struct heard *h = c->answer.state;
    struct buf json;
    struct json_write w;
    bool last = false;
    buf_init(&json, (size_t)1 << 28);
    json_write_init(&w, &json);
    if (h->diarized && h->segment < segments(h)) {
        write_segment(h, &w, h->segment++);
    } else if (h->at < h->say.text.n) {
        json_write_object(&w);
        json_write_member_string(&w, "type", STR("transcript.text.delta"));
        json_write_member_string(&w, "delta", compose_piece(c, &h->say, &h->at));
        if (h->by_time)
            c->bill->output = 0;
        json_write_object_end(&w);
    } else {
        last = true;
        bill_cue(c);
        json_write_object(&w);
        json_write_member_string(&w, "type", STR("transcript.text.done"));
        json_write_member_string(&w, "text", h->say.text);
        write_usage(c, h, &w);
        json_write_object_end(&w);
    }
    must(json_write_done(&w));
    answer_frame(out, NULL, buf_str(&json));
    buf_free(&json);
    return last ? ANSWER_LAST : ANSWER_MORE;
}

static void hear(struct call *c, struct heard *h, struct str model, const struct formread_part *file)
{
    struct compose_ask ask = {.model = model};
    struct bill *b = bill_new(c, CALL_WORK_TRANSCRIPTIONS);
    bill_name(c, model, STR(""));
    h->ms = length_ms(file);
    h->by_time = str_eq(model, STR("whisper-1")) || str_starts(model, STR("gpt-transcribe"));
    uint64_t words = h->ms * 2 / 1000;
    compose_make(c, &ask, 0, &h->say);
    if (!cue_has(c->cue, CUE_TEXT) && !cue_has(c->cue, CUE_EVENTS)) {
        struct buf text;
        buf_init(&text, (size_t)1 << 28);
        h->say.text_tok = words < 4 ? 4 : words;
        must(phrase_prose(&text, c->seed, h->say.text_tok));
        h->say.text = arena_dup(c->arena, buf_str(&text));
        buf_free(&text);
    }
    c->used.seconds_ms = h->ms;
    if (h->by_time) {
        b->audio_ms = h->ms;
    } else {
        b->audio_in = (h->ms * TOKENS_PER_S + 999) / 1000;
        b->input = b->audio_in;
    }
}

static void listen_to(struct call *c, bool translation)
{
    const struct formread_part *file = c->form ? formread_find(c->form, "file") : NULL;
    struct heard *h = arena_alloc(c->arena, sizeof *h);
    struct str asked, format = c->form ? formread_text(c->form, "response_format") : STR("");
    must(h != NULL);
    if (!api_model(c, &asked))
        return;
    if (!file || !file->blob) {
        apierr_missing(c, "file");
        return;
    }
    hear(c, h, asked, file);
    h->diarized = str_eq(format, STR("diarized_json"));
    bool stream = str_eq(formread_text(c->form, "stream"), STR("true")) && !str_eq(asked, STR("whisper-1"));
    if (stream && !translation) {
        answer_stream(c, ANSWER_NAMED, next, h);
        return;
    }
    if (!h->by_time)
        c->bill->output = h->say.text_tok;
    bill_cue(c);
    if (str_eq(format, STR("text")))
        answer_text(c, h);
    else if (str_eq(format, STR("srt")) || str_eq(format, STR("vtt")))
        answer_lines(c, h, str_eq(format, STR("vtt")));
    else if (h->diarized || str_eq(format, STR("verbose_json")))
        answer_verbose(c, h, translation);
    else if (!format.n || str_eq(format, STR("json")))
        answer_plain(c, h, translation);
    else {
        apierr_invalid(c, "response_format", "Invalid response_format '%.*s'.", STR_ARG(str_head(format, 40)));
        bill_drop(c);
    }
}

void api_transcriptions_create(struct call *c)
{
    listen_to(c, false);
}

void api_translations_create(struct call *c)
{
    listen_to(c, true);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time per byte of the JSON scanner, and of what stands on it, on documents like those that pass the
 * gateway. CPU time of the thread, median of five rounds. About 10 seconds in all. With an argument:
 * only rows whose name contains it.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/json_scan.h"
#include "base/must.h"
#include "openai/request_facts.h"
#include "openai/sse.h"
#include "openai/usage_hide.h"
#include "openai/usage_meter.h"

#define ROUNDS 5
#define ROUND_NS 100000000

static const struct json_path paths[] = {
    {"model", 1},
    {"stream", 2},
    {"stream_options", 3},
    {"max_tokens", 5},
    {"n", 6},
    {"stream_options.include_usage", 4},
    {"service_tier", 7},
    {"user", 8},
    {"usage.prompt_tokens", 9},
    {"id", 11},
    {"error.code", 12},
    {"usage.completion_tokens", 10},
    {"choices[].delta.content", 13},
    {"choices[].finish_reason", 14},
};

static uint64_t seen_values;

static void on_value(void *arg, const struct json_value *v)
{
    (void)arg;
    seen_values += v->id + v->raw.n;
}

static uint64_t random_state = 88172645463325252u;

static unsigned random_below(unsigned n)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (unsigned)(random_state % n);
}

static void add(struct buf *b, const char *text)
{
    must(buf_add_str(b, str_c(text)));
}

/* English-like text with an escape about every 60 bytes. */
static void add_prose(struct buf *b, size_t n)
{
    static const char *const words[] = {"the ",   "request ",    "is ",     "answered, ", "when ",
                                        "every ", "figure ",     "adds ",   "up; ",       "line\\n",
                                        "never ", "later ",      "than ",   "it ",        "must. ",
                                        "and ",   "\\\"so\\\" ", "people ", "count ",     "caf\xc3\xa9 "};
    for (size_t end = buf_size(b) + n; buf_size(b) < end;)
        add(b, words[random_below(sizeof(words) / sizeof(words[0]))]);
}

static void add_base64(struct buf *b, size_t n)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char *p = buf_reserve(b, n);
    must(p);
    for (size_t i = 0; i < n; i++)
        p[i] = alphabet[random_below(64)];
    buf_commit(b, n);
}

static void add_messages(struct buf *b, size_t size, size_t each)
{
    add(b, "\"messages\":[{\"role\":\"system\",\"content\":\"You are a helpful assistant.\"}");
    for (size_t end = buf_size(b) + size; buf_size(b) < end;) {
        add(b, ",{\"role\":\"user\",\"content\":\"");
        add_prose(b, each);
        add(b, "\"}");
    }
    add(b,
        "],\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"get_price\",\"parameters\":{\"type\":\"object\","
        "\"properties\":{\"sku\":{\"type\":\"string\"}},\"required\":[\"sku\"]}}}]");
}

static const char first_keys[] =
    "\"model\":\"gpt-4o-mini\",\"stream\":true,\"stream_options\":{\"include_usage\":true},"
    "\"temperature\":0.2,\"max_tokens\":512";

static void make_chat(struct buf *b, size_t size, size_t each, bool keys_last)
{
    add(b, "{");
    if (!keys_last) {
        add(b, first_keys);
        add(b, ",");
    }
    add_messages(b, size, each);
    if (keys_last) {
        add(b, ",");
        add(b, first_keys);
    }
    add(b, "}");
}

static void make_chat_4k(struct buf *b)
{
    make_chat(b, 2900, 480, false);
}

static void make_keys_last(struct buf *b)
{
    make_chat(b, 2900, 480, true);
}

static void make_chat_200k(struct buf *b)
{
    make_chat(b, 200000, 4000, false);
}

static void make_short_turns(struct buf *b)
{
    make_chat(b, 8000, 40, false);
}

static void make_image_5m(struct buf *b)
{
    add(b, "{\"model\":\"gpt-4o\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":"
           "{\"url\":\"data:image/png;base64,");
    add_base64(b, 5000000);
    add(b, "\"}}]}],\"max_tokens\":256}");
}

static void make_reply(struct buf *b)
{
    add(b,
        "{\"id\":\"chatcmpl-abc123\",\"object\":\"chat.completion\",\"created\":1700000000,\"model\":\"gpt-4o-mini-2024-07-18"
        "\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"");
    add_prose(b, 440);
    add(b,
        "\",\"refusal\":null},\"logprobs\":null,\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":812,"
        "\"completion_tokens\":120,\"total_tokens\":932,\"prompt_tokens_details\":{\"cached_tokens\":0,\"audio_tokens\":0},"
        "\"completion_tokens_details\":{\"reasoning_tokens\":0,\"audio_tokens\":0}},\"service_tier\":\"default\","
        "\"system_fingerprint\":\"fp_0123\"}");
}

static void make_stream_chunk(struct buf *b)
{
    add(b,
        "{\"id\":\"chatcmpl-CZabcdefghijklmnopqrstuvwxyz01\",\"object\":\"chat.completion.chunk\",\"created\":1760000000,"
        "\"model\":\"gpt-4o-mini-2024-07-18\",\"service_tier\":\"default\",\"system_fingerprint\":\"fp_0123456789\","
        "\"choices\":[{\"index\":0,\"delta\":{\"content\":\" tokens\"},\"logprobs\":null,\"finish_reason\":null}],"
        "\"usage\":null,\"obfuscation\":\"aBcDeFgHi\"}");
}

static void make_schemas(struct buf *b)
{
    add(b, "{\"model\":\"gpt-4o\",\"tools\":[");
    for (int i = 0; i < 20; i++) {
        add(b, i ? "," : "");
        add(b,
            "{\"type\":\"function\",\"function\":{\"name\":\"find\",\"strict\":true,\"parameters\":{\"type\":\"object\","
            "\"properties\":{\"city\":{\"type\":\"string\",\"description\":\"City name\"},\"limit\":{\"type\":\"integer\","
            "\"minimum\":1,\"maximum\":50},\"unit\":{\"type\":\"string\",\"enum\":[\"c\",\"f\"]}},\"required\":[\"city\","
            "\"limit\"],\"additionalProperties\":false}}}");
    }
    add(b, "]}");
}

static void make_pretty(struct buf *b)
{
    add(b, "{\n  \"model\": \"gpt-4o\",\n  \"messages\": [\n");
    for (int i = 0; i < 20; i++) {
        add(b, i ? ",\n" : "");
        add(b, "    {\n      \"role\": \"user\",\n      \"content\": \"");
        add_prose(b, 200);
        add(b, "\"\n    }");
    }
    add(b, "\n  ],\n  \"stream\": false\n}\n");
}

static void make_floats(struct buf *b)
{
    add(b, "{\"object\":\"list\",\"data\":[{\"object\":\"embedding\",\"index\":0,\"embedding\":[");
    for (int i = 0; i < 1536; i++)
        must(buf_printf(b, "%s-0.0%u", i ? "," : "", 100000000 + random_below(899999999)));
    add(b, "]}],\"model\":\"text-embedding-3-small\",\"usage\":{\"prompt_tokens\":8,\"total_tokens\":8}}");
}

static void make_escapes(struct buf *b)
{
    add(b, "{\"model\":\"gpt-4o\",\"messages\":[{\"role\":\"tool\",\"content\":\"");
    for (int i = 0; i < 400; i++)
        add(b, "{\\\"name\\\":\\\"value\\\",\\n\\t\\\"count\\\":12},");
    add(b, "\"}]}");
}

static void make_stream_event(struct buf *b)
{
    add(b, "data: ");
    make_stream_chunk(b);
    add(b, "\n\n");
}

static void make_response_event(struct buf *b)
{
    add(b, "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"sequence_number\":41,"
           "\"item_id\":\"msg_67c9fdcf37fc8190ba82116e33fb28c507b8b0ad4e5eb654\",\"output_index\":0,"
           "\"content_index\":0,\"delta\":\" tokens\",\"logprobs\":[],\"obfuscation\":\"aBcDeFgHi\"}\n\n");
}

/* --- What is done with them ----------------------------------------------------------------------- */

static struct json_watch *watch;

static void scan(struct str doc)
{
    static struct json_scan s;
    if (!s.watch)
        json_scan_init(&s, watch, on_value, NULL);
    json_scan_reset(&s);
    must(json_scan_feed(&s, doc.p, doc.n) == JSON_COMPLETE);
}

static void read_facts(struct str doc)
{
    static struct request_facts f;
    request_facts_init(&f);
    request_facts_feed(&f, doc.p, doc.n);
    must(request_facts_end(&f) == JSON_COMPLETE);
}

static void meter_body(struct str doc)
{
    static struct usage_meter m;
    struct usage u;
    usage_meter_init(&m, USAGE_SHAPE_CHAT, USAGE_WIRE_JSON, NULL, NULL);
    usage_meter_feed(&m, doc.p, doc.n);
    usage_meter_end(&m);
    usage_meter_get(&m, &u);
    must(u.source == USAGE_REPORTED);
}

static void on_text(void *arg, enum usage_text_kind kind, struct str text)
{
    (void)arg;
    seen_values += kind + text.n;
}

static void meter_event(struct str event)
{
    static struct usage_meter m;
    if (!m.text)
        usage_meter_init(&m, USAGE_SHAPE_CHAT, USAGE_WIRE_SSE, on_text, NULL);
    usage_meter_feed(&m, event.p, event.n);
}

static void meter_response_event(struct str event)
{
    static struct usage_meter m;
    if (!m.text)
        usage_meter_init(&m, USAGE_SHAPE_RESPONSES, USAGE_WIRE_SSE, on_text, NULL);
    usage_meter_feed(&m, event.p, event.n);
}

static void frame_event(struct str event)
{
    static struct sse_frame f;
    uint32_t events = 0;
    must(sse_frame_whole(&f, event, &events) == event.n);
}

static void hide_event(struct str event)
{
    size_t at, n;
    must(usage_hide_event(event, &at, &n) == USAGE_HIDE_CUT);
}

static const struct document {
    const char *name;
    void (*make)(struct buf *b);
    void (*use)(struct str doc);
} documents[] = {
    {"chat 4 KB", make_chat_4k, scan},
    {"chat 4 KB, keys last", make_keys_last, scan},
    {"chat 200 KB", make_chat_200k, scan},
    {"chat, short turns", make_short_turns, scan},
    {"image 5 MB", make_image_5m, scan},
    {"reply 1 KB", make_reply, scan},
    {"stream chunk", make_stream_chunk, scan},
    {"tool schemas", make_schemas, scan},
    {"pretty-printed", make_pretty, scan},
    {"float embedding", make_floats, scan},
    {"escaped JSON", make_escapes, scan},
    {"request facts, 4 KB", make_chat_4k, read_facts},
    {"request facts, 200 KB", make_chat_200k, read_facts},
    {"meter, reply 1 KB", make_reply, meter_body},
    {"meter, stream event", make_stream_event, meter_event},
    {"meter, response event", make_response_event, meter_response_event},
    {"frame, stream event", make_stream_event, frame_event},
    {"hide, stream event", make_stream_event, hide_event},
};

static int64_t cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static double round_ns(const struct document *d, struct str doc)
{
    int64_t from = cpu_ns(), spent;
    uint64_t n = 0;
    do {
        for (int i = 0; i < (doc.n > 100000 ? 2 : 200); i++, n++)
            d->use(doc);
        spent = cpu_ns() - from;
    } while (spent < ROUND_NS);
    return (double)spent / (double)n;
}

static void measure(const struct document *d)
{
    struct buf b;
    buf_init(&b, 8000000);
    d->make(&b);
    double rounds[ROUNDS];
    for (int i = 0; i < ROUNDS; i++) {
        double t = round_ns(d, buf_str(&b));
        int at = i;
        for (; at > 0 && rounds[at - 1] > t; at--)
            rounds[at] = rounds[at - 1];
        rounds[at] = t;
    }
    double ns = rounds[ROUNDS / 2];
    printf("%-24s %8zu bytes %10.3f us %7.3f ns/byte %7.2f GB/s\n", d->name, buf_size(&b), ns / 1000,
           ns / (double)buf_size(&b), (double)buf_size(&b) / ns);
    buf_free(&b);
}

int main(int argc, char **argv)
{
    watch = json_watch_new(paths, sizeof(paths) / sizeof(paths[0]));
    printf("struct json_scan %zu bytes, struct usage_meter %zu, struct request_facts %zu\n", sizeof(struct json_scan),
           sizeof(struct usage_meter), sizeof(struct request_facts));
    for (size_t i = 0; i < sizeof(documents) / sizeof(documents[0]); i++)
        if (argc < 2 || strstr(documents[i].name, argv[1]))
            measure(&documents[i]);
    json_watch_free(watch);
    return seen_values == 0;
}

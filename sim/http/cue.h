/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIM_HTTP_CUE_H
#define SIM_HTTP_CUE_H

/*
 * cue: how one answer is to go wrong, or to be shaped.
 *
 * A cue comes from the request's own headers ("x-sim-status: 503") or from a script's rule
 * ({"do":{"status":503}}); the header wins. One table names them all; gateways forward headers they
 * do not know, so a test at the client's end reaches the simulator through them.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/str.h"
#include "net/http1_head.h"

/*
 * Columns: name, header behind "x-sim-" and member of a rule (hyphens there as underscores), kind
 * (COUNT: a number ≥ 0; TEXT; FLAG: anything but "0" and "false" sets it), what it does.
 */
#define CUE_TABLE(X)                                                                                               \
    X(STATUS, "status", COUNT, "answers with this HTTP status and an error body of that kind")                     \
    X(ERROR, "error", TEXT, "the error's code, such as insufficient_quota; chooses the status when none is given") \
    X(RETRY_AFTER, "retry-after", TEXT, "sends Retry-After with this value")                                       \
    X(RETRY_AFTER_MS, "retry-after-ms", TEXT, "sends retry-after-ms with this value")                              \
    X(SHOULD_RETRY, "should-retry", TEXT, "sends x-should-retry with this value")                                  \
    X(HEADER, "header", TEXT, "adds this line to the head of the answer, \"Name: value\"")                         \
    X(DELAY_MS, "delay-ms", COUNT, "waits before the head of the answer")                                          \
    X(FIRST_BYTE_MS, "first-byte-ms", COUNT, "waits between the head and the first byte of the body")              \
    X(CHUNK_MS, "chunk-ms", COUNT, "waits between events, or between pieces of a split body")                      \
    X(SPLIT, "split", TEXT, "\"event\": a write for every event; a number: writes of so many bytes")               \
    X(CUT_AFTER_BYTES, "cut-after-bytes", COUNT, "ends the connection after so many bytes of the body")            \
    X(CUT_AFTER_EVENTS, "cut-after-events", COUNT, "ends the connection after so many events")                     \
    X(RESET, "reset", FLAG, "ends by a TCP reset: at the cut, or before any byte when there is none")              \
    X(HANG, "hang", FLAG, "goes silent and keeps the connection: at the cut, or before any byte")                  \
    X(FAIL_AFTER_EVENTS, "fail-after-events", COUNT, "puts an error event into the stream after so many events")   \
    X(MALFORMED, "malformed", TEXT, "json, sse, http, status, length, both or chunk: breaks the answer there")     \
    X(CLOSE, "close", FLAG, "closes the connection after the answer")                                              \
    X(EARLY, "early", FLAG, "answers before the request's body is read")                                           \
    X(STALL_BODY_MS, "stall-body-ms", COUNT, "stops reading the request's body for so long")                       \
    X(GZIP, "gzip", TEXT, "1: compresses when Accept-Encoding allows it; force: in any case")                      \
    X(BODY_BYTES, "body-bytes", COUNT, "makes a JSON answer exactly so long (longer text, then blanks)")           \
    X(EVENTS, "events", COUNT, "makes the text so many tokens long, each one an event of a stream")                \
    X(EVENT_BYTES, "event-bytes", COUNT, "pads every event of a chat stream to so many bytes")                     \
    X(SSE, "sse", TEXT, "spelling of events: any of crlf, comment, no-done, no-space, no-blank, joined by commas") \
    X(USAGE, "usage", TEXT, "the usage object to report, as JSON; counted as far as its fields are known")         \
    X(NO_USAGE, "no-usage", FLAG, "leaves the usage out of the answer")                                            \
    X(CACHED_TOKENS, "cached-tokens", COUNT, "so many of the input tokens are reported as cached")                 \
    X(REASONING_TOKENS, "reasoning-tokens", COUNT, "so many reasoning tokens")                                     \
    X(TEXT, "text", TEXT, "the text that the model says")                                                          \
    X(TOOL, "tool", TEXT, "never: no tool is called; else the name of the tool to call")                           \
    X(MODEL, "model", TEXT, "the model that the answer names")                                                     \
    X(TIER, "tier", TEXT, "the service tier that the answer names")                                                \
    X(CONTENT_FILTER, "content-filter", TEXT, "Azure: prompt, output, async or error")                             \
    X(WORK_MS, "work-ms", COUNT, "how long background work (batches, responses, videos) takes")

enum cue_name {
#define X(name, header, kind, what) CUE_##name,
    CUE_TABLE(X)
#undef X
        CUE_NAME_COUNT
};

struct cue {
    uint64_t given; /* bit per name */
    struct {
        uint64_t count;
        struct str text; /* as given; lives as long as the call or the script */
    } value[CUE_NAME_COUNT];
};

/* No cue at all. */
extern const struct cue cue_none;

static inline bool cue_has(const struct cue *c, enum cue_name n)
{
    return (c->given >> n & 1) != 0;
}
static inline uint64_t cue_count(const struct cue *c, enum cue_name n, uint64_t missing)
{
    return cue_has(c, n) ? c->value[n].count : missing;
}
static inline struct str cue_text(const struct cue *c, enum cue_name n)
{
    return cue_has(c, n) ? c->value[n].text : STR("");
}
bool cue_text_is(const struct cue *c, enum cue_name n, const char *text);
/* True when the comma-separated value has the word. */
bool cue_text_has(const struct cue *c, enum cue_name n, const char *word);

/* Sets one by its name in the table ("retry-after" or "retry_after"). False: no such name, or a bad value. */
bool cue_set(struct cue *c, struct str name, struct str value);
/*
 * The cues of a request's head on top of `base` (of a rule, may be NULL). Copied into the arena only
 * when there are any. NULL when a header is wrong; *ret_wrong names it then.
 */
const struct cue *cue_of_head(const struct http1_head *head, const struct cue *base, struct arena *a,
                              struct str *ret_wrong);
/* For documents: name and sentence of row `i`, NULL behind the last. */
const char *cue_row(unsigned i, const char **ret_what);

#endif

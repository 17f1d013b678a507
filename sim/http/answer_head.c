/* SPDX-License-Identifier: Apache-2.0 */
/* The lines are printed into one buffer on the stack. */
#include "sim/http/answer_head.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/must.h"
#include "sim/http/call.h"
#include "sim/http/caller.h"
#include "sim/kept/blob.h"
#include "sim/simid.h"

#define LINES_MAX 2048
#define LIMIT_REQUESTS 10000
#define LIMIT_TOKENS 30000000

void answer_head_init(struct sim *sim)
{
    int n = snprintf(sim->org_lines, sizeof sim->org_lines,
                     "openai-organization: %s\r\n"
                     "openai-version: 2020-10-01\r\n"
                     "x-ratelimit-limit-requests: %d\r\n"
                     "x-ratelimit-remaining-requests: %d\r\n"
                     "x-ratelimit-reset-requests: 6ms\r\n"
                     "x-ratelimit-limit-tokens: %d\r\n",
                     SIM_ORGANIZATION, LIMIT_REQUESTS, LIMIT_REQUESTS - 1, LIMIT_TOKENS);
    must(n > 0 && (size_t)n < sizeof sim->org_lines);
    sim->date_second = -1;
}

/* RFC 9110 5.6.7, made once a second. */
static const char *date_line(struct sim *sim, int64_t wall_us)
{
    static const char *const days[] = {"Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"};
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    int64_t second = wall_us / 1000000;
    if (second != sim->date_second) {
        struct clock_utc t = clock_utc_of(wall_us);
        snprintf(sim->date_line, sizeof sim->date_line, "Date: %s, %02d %s %04d %02d:%02d:%02d GMT\r\n",
                 days[second / 86400 % 7], t.day, months[t.month - 1], t.year % 10000, t.hour, t.minute, t.second);
        sim->date_second = second;
    }
    return sim->date_line;
}

static uint64_t took_ms(const struct call *c)
{
    uint64_t now = clock_mono_us();
    return now > c->x->started_us ? (now - c->x->started_us) / 1000 : 0;
}

static int openai_lines(struct call *c, char *out, size_t cap)
{
    uint64_t used = c->used.usage.input_total_tok;
    const char *project = c->project_wish.n ? c->project_wish.p : c->caller ? c->caller->project : "";
    return snprintf(out, cap,
                    "%sopenai-processing-ms: %llu\r\n%s%s%sx-request-id: %s\r\n"
                    "x-ratelimit-remaining-tokens: %llu\r\nx-ratelimit-reset-tokens: %llums\r\n",
                    c->sim->org_lines, (unsigned long long)took_ms(c), project[0] ? "openai-project: " : "", project,
                    project[0] ? "\r\n" : "", c->request_id,
                    (unsigned long long)(used < LIMIT_TOKENS ? LIMIT_TOKENS - used : 0),
                    (unsigned long long)(used / 500));
}

static int azure_lines(struct call *c, char *out, size_t cap)
{
    struct rng_seeded g = {simid_mix(c->sim->opts.seed, c->number)};
    char hex[32];
    simid_hex(&g, hex, sizeof hex);
    return snprintf(out, cap,
                    "apim-request-id: %.8s-%.4s-%.4s-%.4s-%.12s\r\nx-ms-region: Sweden Central\r\nx-request-id: %s\r\n"
                    "azureml-model-session: d001-%.8s\r\nx-ms-client-request-id: %.*s\r\n"
                    "x-ratelimit-limit-requests: %d\r\nx-ratelimit-remaining-requests: %d\r\n"
                    "x-ratelimit-limit-tokens: %d\r\nx-ratelimit-remaining-tokens: %d\r\n",
                    hex, hex + 8, hex + 12, hex + 16, hex + 20, c->request_id, hex,
                    STR_ARG(str_head(c->client_id.n ? c->client_id : STR("Not-Set"), 200)), LIMIT_REQUESTS,
                    LIMIT_REQUESTS - 1, LIMIT_TOKENS, LIMIT_TOKENS - 1);
}

/* A script may say what no header can hold. */
static void cue_line(struct call *c, struct str name, struct str value)
{
    if (http1_value_valid(name) && http1_value_valid(value))
        http_head_field(c->x, name, value);
}

static void cue_lines(struct call *c)
{
    static const struct {
        enum cue_name name;
        const char *field;
    } fields[] = {
        {CUE_RETRY_AFTER, "retry-after"}, {CUE_RETRY_AFTER_MS, "retry-after-ms"}, {CUE_SHOULD_RETRY, "x-should-retry"}};
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        if (cue_has(c->cue, fields[i].name))
            cue_line(c, str_c(fields[i].field), cue_text(c->cue, fields[i].name));
    struct str line = cue_text(c->cue, CUE_HEADER);
    ptrdiff_t colon = str_find(line, ':');
    if (colon > 0)
        cue_line(c, str_head(line, (size_t)colon), str_trim(str_from(line, (size_t)colon + 1)));
    if (cue_text_is(c->cue, CUE_MALFORMED, "http"))
        http_head_lines(c->x, STR("this line has no colon\r\n"));
    if (cue_text_is(c->cue, CUE_MALFORMED, "length"))
        http_head_lines(c->x, STR("Content-Length: 1\r\nContent-Length: 2\r\n"));
}

static bool breaks_frames(const struct call *c)
{
    const struct cue *cue = c->cue;
    if (c->answer.whole)
        return cue_text_is(cue, CUE_MALFORMED, "chunk") || cue_text_is(cue, CUE_MALFORMED, "both");
    return cue_has(cue, CUE_CUT_AFTER_BYTES) || cue_has(cue, CUE_CUT_AFTER_EVENTS) ||
           cue_text_is(cue, CUE_MALFORMED, "chunk") || cue_text_is(cue, CUE_MALFORMED, "both");
}

static void head_end(struct call *c)
{
    struct answer *a = &c->answer;
    bool close = cue_has(c->cue, CUE_CLOSE) || cue_has(c->cue, CUE_CUT_AFTER_BYTES);
    bool bare = a->status == 204 || a->status == 304 || a->status < 200;
    uint64_t size = a->blob ? blob_size(a->blob) : buf_size(&a->body);
    if (bare) {
        http_head_end(c->x, HTTP1_NO_BODY, 0, close);
    } else if (breaks_frames(c)) {
        a->own_frames = true;
        if (cue_text_is(c->cue, CUE_MALFORMED, "both"))
            http_head_lines(c->x, STR("Content-Length: 5\r\n"));
        http_head_lines(c->x, STR("Transfer-Encoding: chunked\r\n"));
        http_head_end(c->x, HTTP1_UNTIL_CLOSE, 0, true);
    } else if (a->whole && !a->gzip && cue_has(c->cue, CUE_CUT_AFTER_BYTES)) {
        /* The server would not let us break a promise of its own. */
        http_head_field(c->x, STR("Content-Length"), call_format(c, "%llu", (unsigned long long)size));
        http_head_end(c->x, HTTP1_UNTIL_CLOSE, 0, true);
    } else if (a->whole && !a->gzip) {
        http_head_end(c->x, HTTP1_LENGTH, size, close);
    } else {
        http_head_end(c->x, HTTP1_CHUNKED, 0, close);
    }
}

void answer_head_send(struct call *c)
{
    struct answer *a = &c->answer;
    char lines[LINES_MAX];
    bool odd = cue_text_is(c->cue, CUE_MALFORMED, "status");
    if (a->gzip && !cue_text_is(c->cue, CUE_GZIP, "force") && !http1_has_token(c->accept_encoding, STR("gzip")))
        a->gzip = false;
    http_head_begin(c->x, odd ? 99999 : a->status);
    http_head_lines(c->x, str_c(date_line(c->sim, c->wall_us)));
    if (a->content_type.n)
        http_head_field(c->x, STR("Content-Type"), a->content_type);
    if (a->gzip)
        http_head_lines(c->x, STR("Content-Encoding: gzip\r\nVary: Accept-Encoding\r\n"));
    if (!a->whole)
        http_head_lines(c->x, STR("Cache-Control: no-cache\r\n"));
    int n = call_on_azure(c)            ? azure_lines(c, lines, sizeof lines)
            : c->surface == CALL_OPENAI ? openai_lines(c, lines, sizeof lines)
                                        : 0;
    must(n >= 0 && (size_t)n < sizeof lines);
    http_head_lines(c->x, str_of(lines, (size_t)n));
    http_head_lines(c->x, buf_str(&a->lines));
    if (c->cue != &cue_none)
        cue_lines(c);
    head_end(c);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PCRE2's own match limit begins anew at every place where a match could start, so it is no bound
 * for a long text. A callout before each item of the pattern is: it counts for the whole search, and
 * can end it. Between two callouts the matcher does no more than walk the text once.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "gateway/hooks/pattern.h"

#include <pcre2.h>

#include "base/clock.h"
#include "base/must.h"
#include "base/utf8.h"

#define COMPILE_STEPS 200 /* what compiling takes from the budget */
#define HEAP_KIB 8192
#define MATCH_LIMIT 10000000
#define CLOCK_EVERY 64

struct watch {
    struct pattern_budget *budget;
    uint64_t until_us;
    unsigned calls;
};

static int on_callout(pcre2_callout_block *block, void *arg)
{
    struct watch *w = arg;
    (void)block;
    if (w->budget->steps == 0 || (++w->calls % CLOCK_EVERY == 0 && clock_mono_us() > w->until_us))
        return PCRE2_ERROR_MATCHLIMIT;
    w->budget->steps--;
    return 0;
}

const char *pattern_text(enum pattern_result result)
{
    return result == PATTERN_BAD ? "The regular expression is not valid."
                                 : "The regular expression takes too long on this text.";
}

static pcre2_code *compile(struct str pattern, uint32_t utf)
{
    int code;
    size_t at;
    uint32_t options = utf | PCRE2_AUTO_CALLOUT | PCRE2_ALT_BSUX | PCRE2_ALLOW_EMPTY_CLASS | PCRE2_DOLLAR_ENDONLY |
                       PCRE2_MATCH_UNSET_BACKREF | PCRE2_NEVER_BACKSLASH_C;
    return pcre2_compile((PCRE2_SPTR)pattern.p, pattern.n, options, &code, &at, NULL);
}

/* One expression on one text. */
struct search {
    struct watch watch;
    struct str text;
    pcre2_code *code;
    pcre2_match_context *context;
    pcre2_match_data *data;
    uint32_t options;
    uint64_t begun_us;
};

static enum pattern_result begin(struct search *s, struct str pattern, struct str text, struct pattern_budget *budget)
{
    *s = (struct search){.watch.budget = budget, .text = text, .begun_us = clock_mono_us()};
    if (pattern.n > PATTERN_MAX || text.n > PATTERN_TEXT_MAX || budget->steps < COMPILE_STEPS || !budget->time_us)
        return PATTERN_TOO_MUCH;
    budget->steps -= COMPILE_STEPS;
    bool utf = utf8_valid(text) && utf8_valid(pattern);
    s->options = utf ? PCRE2_NO_UTF_CHECK : 0;
    s->code = compile(pattern, utf ? PCRE2_UTF : 0);
    if (!s->code)
        return PATTERN_BAD;
    s->context = pcre2_match_context_create(NULL);
    s->data = pcre2_match_data_create(1, NULL);
    must(s->context && s->data);
    s->watch.until_us = s->begun_us + budget->time_us;
    pcre2_set_match_limit(s->context, MATCH_LIMIT);
    pcre2_set_heap_limit(s->context, HEAP_KIB);
    pcre2_set_callout(s->context, on_callout, &s->watch);
    return PATTERN_YES;
}

static void end(struct search *s)
{
    struct pattern_budget *budget = s->watch.budget;
    uint64_t took_us = clock_mono_us() - s->begun_us;
    budget->time_us = took_us < budget->time_us ? budget->time_us - (uint32_t)took_us : 0;
    pcre2_match_data_free(s->data);
    pcre2_match_context_free(s->context);
    pcre2_code_free(s->code);
}

/* The first match from `from` on. */
static enum pattern_result next(struct search *s, size_t from, uint32_t options, size_t *ret_start, size_t *ret_end)
{
    int rc = pcre2_match(s->code, (PCRE2_SPTR)s->text.p, s->text.n, from, s->options | options, s->data, s->context);
    if (rc < 0)
        return rc == PCRE2_ERROR_NOMATCH ? PATTERN_NO : PATTERN_TOO_MUCH;
    const size_t *at = pcre2_get_ovector_pointer(s->data);
    /* \K may put the start behind the end. */
    *ret_start = at[0];
    *ret_end = at[1] < at[0] ? at[0] : at[1];
    return PATTERN_YES;
}

enum pattern_result pattern_search(struct str pattern, struct str text, struct pattern_budget *budget,
                                   struct str *ret_match)
{
    struct search s;
    size_t from, to;
    enum pattern_result r = begin(&s, pattern, text, budget);
    if (r == PATTERN_YES)
        r = next(&s, 0, 0, &from, &to);
    if (r == PATTERN_YES && ret_match)
        *ret_match = str_of(text.p + from, to - from);
    end(&s);
    return r;
}

enum pattern_result pattern_replace(struct str pattern, struct str text, struct str by, struct pattern_budget *budget,
                                    struct buf *out)
{
    struct search s;
    size_t done = 0, from, to;
    uint32_t options = 0;
    bool any = false, fits = true;
    enum pattern_result r = begin(&s, pattern, text, budget);
    for (size_t at = 0; r == PATTERN_YES && at <= text.n && fits; at = to) {
        r = next(&s, at, options, &from, &to);
        if (r != PATTERN_YES)
            break;
        /* Only \K gives a match that begins before the last one's end, or goes nowhere. */
        if (from < done || (options && to <= at))
            break;
        fits = buf_add(out, text.p + done, from - done) && buf_add_str(out, by);
        any = true;
        done = to;
        /* Behind an empty match, something must be taken next. */
        options = from == to ? PCRE2_NOTEMPTY_ATSTART : 0;
    }
    end(&s);
    if (r == PATTERN_BAD || r == PATTERN_TOO_MUCH || !any)
        return r == PATTERN_YES ? PATTERN_NO : r;
    return fits && buf_add_str(out, str_from(text, done)) ? PATTERN_YES : PATTERN_TOO_MUCH;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Split at the last ", "; else at " | ". Before that a tier in front is taken off, and after it three
 * habits of the bill are undone: a suffix ("long context") belongs to the meter before it, a list of
 * properties (images) begins at the first comma, a modality word belongs to the meter.
 */
#include "report/bill/bill_line.h"

#include <stdio.h>

#include "base/mem.h"

#define COMMA STR(", ")
#define BAR STR(" | ")

struct rule {
    const char *pattern, *service;
};

static const struct rule builtin[] = {
    {"ft:*", "Fine-tuning"},
    {"ft-*", "Fine-tuning"},
    {"meter:*training*", "Fine-tuning"},
    {"text-embedding-*", "Embeddings"},
    {"dall-e*", "Images"},
    {"dall·e*", "Images"},
    {"gpt-image*", "Images"},
    {"chatgpt-image*", "Images"},
    {"sora*", "Videos"},
    {"whisper*", "Audio"},
    {"*transcribe*", "Audio"},
    {"*tts*", "Audio"},
    {"*moderation*", "Moderations"},
    {"*realtime*", "Realtime"},
    {"assistants api*", "Tools"},
    {"*file search*", "Tools"},
    {"*code interpreter*", "Tools"},
    {"*vector stor*", "Tools"},
    {"*web search*", "Tools"},
};

struct bill_services {
    struct rule *rules; /* texts are parts of `text` */
    size_t count;
    char *text;
};

/* --- the administrator's table --------------------------------------------------------------- */

static char *trim(char *p)
{
    struct str s = str_trim(str_c(p));
    p += s.p - p;
    p[s.n] = '\0';
    return p;
}

static enum err read_line(struct bill_services *s, char *line, unsigned number, char why[BILL_LINE_WHY_MAX])
{
    line = trim(line);
    if (!line[0] || line[0] == '#')
        return ERR_OK;
    char *comma = strrchr(line, ',');
    if (!comma) {
        snprintf(why, BILL_LINE_WHY_MAX, "line %u: a line is pattern,service", number);
        return ERR_BAD_CONFIG;
    }
    *comma = '\0';
    struct rule rule = {trim(line), trim(comma + 1)};
    if (!rule.pattern[0] || !rule.service[0] || strlen(rule.service) >= BILL_LINE_MAX) {
        snprintf(why, BILL_LINE_WHY_MAX, "line %u: pattern or service is empty or too long", number);
        return ERR_BAD_CONFIG;
    }
    if (s->count == BILL_SERVICES_ROWS_MAX) {
        snprintf(why, BILL_LINE_WHY_MAX, "line %u: there are more than %d rows", number, BILL_SERVICES_ROWS_MAX);
        return ERR_BAD_CONFIG;
    }
    s->rules[s->count++] = rule;
    return ERR_OK;
}

enum err bill_services_read(struct str text, struct bill_services **ret, char why[BILL_LINE_WHY_MAX])
{
    struct bill_services *s = mem_zalloc(sizeof *s);
    enum err e = ERR_OK;
    unsigned number = 0;
    s->text = mem_strndup(text.p, text.n);
    s->rules = mem_zalloc(BILL_SERVICES_ROWS_MAX * sizeof *s->rules);
    for (char *line = s->text, *next; line && e == ERR_OK; line = next) {
        next = strchr(line, '\n');
        if (next)
            *next++ = '\0';
        size_t n = strlen(line);
        if (n && line[n - 1] == '\r')
            line[n - 1] = '\0';
        e = read_line(s, line, ++number, why);
    }
    if (e != ERR_OK) {
        bill_services_free(s);
        return e;
    }
    *ret = s;
    return ERR_OK;
}

void bill_services_free(struct bill_services *s)
{
    if (!s)
        return;
    mem_free(s->rules);
    mem_free(s->text);
    mem_free(s);
}

/* --- matching -------------------------------------------------------------------------------- */

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

/* Each '*' first takes as little as it can; only the last one seen is ever widened. */
static bool matches(const char *pattern, const char *text)
{
    const char *star = NULL, *from = NULL;
    while (*text) {
        if (*pattern == '*') {
            star = ++pattern;
            from = text;
        } else if (lower(*pattern) == lower(*text)) {
            pattern++, text++;
        } else if (star) {
            pattern = star;
            text = ++from;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return *pattern == '\0';
}

static const char *service_from(const struct rule *rules, size_t count, const struct bill_line *l)
{
    for (size_t i = 0; i < count; i++) {
        bool meter = strncmp(rules[i].pattern, "meter:", 6) == 0;
        if (meter ? matches(rules[i].pattern + 6, l->subcategory) : matches(rules[i].pattern, l->category))
            return rules[i].service;
    }
    return NULL;
}

static const char *service_of(const struct bill_services *own, const struct bill_line *l)
{
    const char *found = own ? service_from(own->rules, own->count, l) : NULL;
    if (!found)
        found = service_from(builtin, sizeof builtin / sizeof builtin[0], l);
    if (!found)
        found = l->model[0] ? "Chat and Completions" : "Other";
    return found;
}

/* --- splitting ------------------------------------------------------------------------------- */

static ptrdiff_t search_last(struct str s, struct str needle)
{
    for (size_t at = s.n; at-- > 0;)
        if (str_starts(str_from(s, at), needle))
            return (ptrdiff_t)at;
    return -1;
}

static struct str take_tier(struct str s, char tier[32])
{
    static const struct str tiers[] = {{"priority", 8}, {"batch", 5}, {"flex", 4}};
    ptrdiff_t bar = str_search(s, BAR);
    for (size_t i = 0; bar > 0 && i < sizeof tiers / sizeof tiers[0]; i++) {
        if (str_eq_nocase(str_head(s, (size_t)bar), tiers[i])) {
            str_copy(tier, 32, tiers[i]);
            return str_from(s, (size_t)bar + BAR.n);
        }
    }
    return s;
}

/* Where the meter begins: *ret_head is what stands before. False when there is none. */
static bool split_meter(struct str s, struct str *ret_head, struct str *ret_meter)
{
    ptrdiff_t at = search_last(s, COMMA);
    if (at > 0 && str_eq_nocase(str_from(s, (size_t)at + COMMA.n), STR("long context"))) {
        ptrdiff_t before = search_last(str_head(s, (size_t)at), COMMA);
        at = before > 0 ? before : at;
    }
    ptrdiff_t first = at > 0 ? str_search(str_head(s, (size_t)at), COMMA) : -1;
    if (first > 0)
        at = first;
    size_t width = COMMA.n;
    if (at <= 0) {
        at = str_search(s, BAR);
        width = BAR.n;
    }
    if (at <= 0)
        return false;
    *ret_head = str_head(s, (size_t)at);
    *ret_meter = str_from(s, (size_t)at + width);
    return true;
}

/* Spellings of one meter. */
static struct str usual_meter(struct str meter)
{
    static const struct {
        const char *given, *usual;
    } same[] = {{"input_tokens", "input"},
                {"output_tokens", "output"},
                {"input tokens", "input"},
                {"output tokens", "output"},
                {"cached_input_tokens", "cached input"},
                {"cached_input", "cached input"},
                {"input_cached_tokens", "cached input"},
                {"cached input tokens", "cached input"},
                {"cache writes", "cache write"},
                {"cache_writes", "cache write"},
                {"input_cache_write_tokens", "cache write"}};
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++)
        if (str_eq_nocase(meter, str_c(same[i].given)))
            return str_c(same[i].usual);
    return meter;
}

static struct str take_modality(struct str *head)
{
    static const struct str words[] = {{" audio", 6}, {" image", 6}, {" text", 5}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (head->n > words[i].n && str_ends(*head, words[i])) {
            *head = str_head(*head, head->n - words[i].n);
            return str_from(words[i], 1);
        }
    }
    return STR("");
}

static bool is_digits(struct str s)
{
    uint64_t v;
    return str_to_u64(s, &v);
}

/* "gpt-4o" of "gpt-4o-2024-08-06" */
static struct str without_date(struct str s)
{
    if (s.n <= 11)
        return s;
    struct str d = str_from(s, s.n - 11);
    bool dated = d.p[0] == '-' && d.p[5] == '-' && d.p[8] == '-' && is_digits(str_of(d.p + 1, 4)) &&
                 is_digits(str_of(d.p + 6, 2)) && is_digits(str_of(d.p + 9, 2));
    return dated ? str_head(s, s.n - 11) : s;
}

/* --- of files -------------------------------------------------------------------------------- */

struct str bill_line_part(struct str line_item, enum bill_line_part part)
{
    struct str rest = line_item, word = STR("");
    for (int i = 0; i <= (int)part; i++) {
        ptrdiff_t tab = str_search(rest, STR("\t"));
        if (tab < 0 && i < BILL_LINE_PARTS - 1)
            return STR("");
        word = i < BILL_LINE_PARTS - 1 ? str_head(rest, (size_t)tab) : rest;
        rest = tab < 0 ? STR("") : str_from(rest, (size_t)tab + 1);
    }
    return word;
}

static bool read_file_line(struct str line_item, struct bill_line *l)
{
    if (str_search(line_item, STR("\t")) < 0)
        return false;
    str_copy(l->service, sizeof l->service, bill_line_part(line_item, BILL_LINE_SERVICE));
    str_copy(l->category, sizeof l->category, bill_line_part(line_item, BILL_LINE_CATEGORY));
    str_copy(l->subcategory, sizeof l->subcategory, bill_line_part(line_item, BILL_LINE_SUBCATEGORY));
    return true;
}

void bill_line_read(struct str line_item, const struct bill_services *services, struct bill_line *ret)
{
    struct str head, meter;
    struct bill_line *l = ret;
    l->tier[0] = l->subcategory[0] = l->model[0] = '\0';
    if (read_file_line(line_item, l))
        return;
    struct str s = take_tier(str_trim(line_item), l->tier);
    if (split_meter(s, &head, &meter)) {
        bool bar = str_search(head, COMMA) < 0 && head.n + BAR.n + meter.n == s.n;
        struct str word = bar ? STR("") : take_modality(&head);
        meter = usual_meter(meter);
        str_copy(l->category, sizeof l->category, head);
        snprintf(l->subcategory, sizeof l->subcategory, "%.*s%s%.*s", STR_ARG(word), word.n ? " " : "",
                 (int)(meter.n < 400 ? meter.n : 400), meter.p);
        if (!bar)
            str_copy(l->model, sizeof l->model, without_date(str_c(l->category)));
    } else {
        str_copy(l->category, sizeof l->category, s);
    }
    str_copy(l->service, sizeof l->service, str_c(service_of(services, l)));
}

struct str bill_line_unit(struct str quantity_unit)
{
    static const struct {
        const char *given, *shown;
    } units[] = {{"tokens", "Tokens"},
                 {"1000_tokens", "1000 Tokens"},
                 {"duration_seconds", "Seconds"},
                 {"duration_minutes", "Minutes"},
                 {"duration_hours", "Hours"},
                 {"gibibyte_hours", "GB-Hours"},
                 {"images", "Images"},
                 {"characters", "Characters"},
                 {"requests", "Requests"},
                 {"sessions", "Sessions"}};
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (str_eq(quantity_unit, str_c(units[i].given)))
            return str_c(units[i].shown);
    return quantity_unit;
}

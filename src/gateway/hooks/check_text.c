/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A text that is missing counts as the empty one, so that every check has an answer. Characters are
 * code points; letters have a case in the ranges that most of the world writes in (Latin, Greek,
 * Cyrillic, Armenian); others have none.
 */
#include "gateway/hooks/check_text.h"

#include "net/url.h"

/* --- characters -------------------------------------------------------------------------------------- */

/* The code point at *at, which moves behind it; a byte that begins none counts as itself. */
static uint32_t next_character(struct str s, size_t *at)
{
    const unsigned char *p = (const unsigned char *)s.p + *at;
    size_t left = s.n - *at;
    size_t n = p[0] < 0xc0 ? 1 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    uint32_t c = n == 1 ? p[0] : p[0] & (0x7fu >> n);
    if (n > left)
        n = 1;
    for (size_t i = 1; i < n; i++)
        c = c << 6 | (p[i] & 0x3fu);
    *at += n;
    return c;
}

static bool is_space(uint32_t c)
{
    return (c >= 9 && c <= 13) || c == ' ' || c == 0x85 || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) ||
           c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000 || c == 0xfeff;
}

enum letter { NO_CASE, UPPER, LOWER };

static enum letter case_of(uint32_t c)
{
    if (c < 0x80)
        return c >= 'A' && c <= 'Z' ? UPPER : c >= 'a' && c <= 'z' ? LOWER : NO_CASE;
    if (c >= 0xc0 && c <= 0xff)
        return c == 0xd7 || c == 0xf7 ? NO_CASE : c < 0xdf ? UPPER : LOWER;
    if ((c >= 0x100 && c <= 0x137) || (c >= 0x14a && c <= 0x177) || (c >= 0x1e00 && c <= 0x1eff) ||
        (c >= 0x460 && c <= 0x481) || (c >= 0x48a && c <= 0x4bf) || (c >= 0x4d0 && c <= 0x52f))
        return c & 1 ? LOWER : UPPER;
    if ((c >= 0x139 && c <= 0x148) || (c >= 0x179 && c <= 0x17e))
        return c & 1 ? UPPER : LOWER;
    if (c >= 0x386 && c <= 0x3ce)
        return c == 0x387 || c == 0x390 ? (c == 0x390 ? LOWER : NO_CASE) : c < 0x3ac ? UPPER : LOWER;
    if (c >= 0x400 && c <= 0x45f)
        return c < 0x430 ? UPPER : LOWER;
    if (c >= 0x531 && c <= 0x587)
        return c <= 0x556 ? UPPER : c >= 0x561 ? LOWER : NO_CASE;
    return NO_CASE;
}

static bool ends_sentence(uint32_t c)
{
    return c == '.' || c == '!' || c == '?' || c == 0x2026 || c == 0x3002 || c == 0xff01 || c == 0xff1f;
}

/* --- counts ------------------------------------------------------------------------------------------ */

static void check_count(const struct check_input *in, struct jval parameters, const char *const names[3],
                        uint64_t (*count)(struct str text), struct check_outcome *out)
{
    struct check_range range;
    if (check_range_of(parameters, names[1], names[2], &range, out) && check_charge(in, in->text.n, out))
        check_in_range(parameters, names[0], count(in->text), &range, in, out);
}

/* Marks that end a sentence, each run of them once. */
static uint64_t count_sentences(struct str text)
{
    uint64_t n = 0;
    bool before = false;
    for (size_t at = 0; at < text.n;) {
        bool mark = ends_sentence(next_character(text, &at));
        n += mark && !before;
        before = mark;
    }
    return n;
}

static uint64_t count_words(struct str text)
{
    uint64_t n = 0;
    bool before = true;
    for (size_t at = 0; at < text.n;) {
        bool space = is_space(next_character(text, &at));
        n += before && !space;
        before = space;
    }
    return n;
}

static uint64_t count_characters(struct str text)
{
    uint64_t n = 0;
    for (size_t at = 0; at < text.n; n++)
        (void)next_character(text, &at);
    return n;
}

void check_text_sentence_count(const struct check_input *in, struct jval parameters, struct check_outcome *out)
{
    static const char *const names[3] = {"sentenceCount", "minSentences", "maxSentences"};
    check_count(in, parameters, names, count_sentences, out);
}

void check_text_word_count(const struct check_input *in, struct jval parameters, struct check_outcome *out)
{
    static const char *const names[3] = {"wordCount", "minWords", "maxWords"};
    check_count(in, parameters, names, count_words, out);
}

void check_text_character_count(const struct check_input *in, struct jval parameters, struct check_outcome *out)
{
    static const char *const names[3] = {"characterCount", "minCharacters", "maxCharacters"};
    check_count(in, parameters, names, count_characters, out);
}

/* --- what is in the text ----------------------------------------------------------------------------- */

void check_text_regex_match(const struct check_input *in, struct jval parameters, struct check_outcome *out)
{
    struct str rule, match;
    if (!check_string(in, parameters, "rule", &rule, out) || !check_charge(in, in->text.n, out))
        return;
    enum pattern_result result = pattern_search(rule, in->text, &in->budget->pattern, &match);
    if (result == PATTERN_BAD || result == PATTERN_TOO_MUCH) {
        check_error(out, "%s", pattern_text(result));
        return;
    }
    json_write_member_string(out->data, "regexPattern", rule);
    check_decide(parameters, result == PATTERN_YES, out);
    check_explain(out, result == PATTERN_YES ? "The pattern was found." : "The pattern was not found.");
    json_write_key(out->data, STR("matchDetails"));
    if (result == PATTERN_YES) {
        json_write_object(out->data);
        json_write_member_string(out->data, "matchedText", str_head(match, CHECK_EXCERPT_MAX));
        json_write_object_end(out->data);
    } else {
        json_write_null(out->data);
    }
    check_excerpt(in, out);
}

void check_text_contains(const struct check_input *in, struct jval parameters, struct check_outcome *out)
{
    enum check_operator op;
    struct check_words words;
    size_t found = 0;
    if (!check_operator_of(parameters, &op, out) ||
        !check_words_of(in, jdoc_get(parameters, "words"), "words", &words, out))
        return;
    bool *hit = words.n ? arena_alloc(in->arena, words.n) : NULL;
    if (!hit) {
        check_error(out, "The parameter 'words' must be a list of strings that is not empty.");
        return;
    }
    for (size_t i = 0; i < words.n; i++) {
        if (!check_charge(in, in->text.n + 1, out))
            return;
        hit[i] = words.list[i].n == 0 || (in->text.n && str_search(in->text, words.list[i]) >= 0);
        found += hit[i];
    }
    out->verdict = check_operator_holds(op, found, words.n);
    check_explain(out, "%zu of %zu words were found.", found, words.n);
    check_words_write(out, "missingWords", &words, hit, false);
    check_words_write(out, "foundWords", &words, hit, true);
}

void check_text_ends_with(const struct check_input *in, struct jval parameters, struct check_outcome *out)
{
    struct str suffix, text = in->text;
    if (!check_string(in, parameters, "suffix", &suffix, out))
        return;
    bool ends = str_ends(text, suffix);
    if (!ends && str_ends(text, STR(".")))
        ends = str_ends(str_head(text, text.n - 1), suffix);
    json_write_member_string(out->data, "suffix", suffix);
    check_decide(parameters, ends, out);
    check_explain(out, ends ? "The text ends with it." : "The text does not end with it.");
    check_excerpt(in, out);
}

static void check_case(const struct check_input *in, struct jval parameters, enum letter unwanted, const char *name,
                       struct check_outcome *out)
{
    bool found = false;
    if (!check_charge(in, in->text.n, out))
        return;
    for (size_t at = 0; at < in->text.n && !found;)
        found = case_of(next_character(in->text, &at)) == unwanted;
    check_decide(parameters, !found, out);
    check_explain(out, "The text is %sin %s letters only.", found ? "not " : "", name);
    check_excerpt(in, out);
}

void check_text_all_uppercase(const struct check_input *in, struct jval parameters, struct check_outcome *out)
{
    check_case(in, parameters, LOWER, "upper case", out);
}

void check_text_all_lowercase(const struct check_input *in, struct jval parameters, struct check_outcome *out)
{
    check_case(in, parameters, UPPER, "lower case", out);
}

void check_text_not_null(const struct check_input *in, struct jval parameters, struct check_outcome *out)
{
    bool something = false;
    if (!check_charge(in, in->text.n, out))
        return;
    for (size_t at = 0; at < in->text.n && !something;)
        something = !is_space(next_character(in->text, &at));
    json_write_member_bool(out->data, "isNull", !something);
    check_decide(parameters, something, out);
    check_explain(out, something ? "There is text." : "There is no text.");
}

/* --- code -------------------------------------------------------------------------------------------- */

/* Columns: name of the language, what its fenced blocks are marked with. */
#define LANGUAGE_TABLE(X)                \
    X("SQL", "sql")                      \
    X("Python", "py python gyp")         \
    X("TypeScript", "ts tsx typescript") \
    X("JavaScript", "js jsx javascript") \
    X("Java", "java")                    \
    X("C#", "cs csharp")                 \
    X("C++", "cpp cxx")                  \
    X("C", "c")                          \
    X("Ruby", "rb ruby")                 \
    X("PHP", "php")                      \
    X("Swift", "swift")                  \
    X("Kotlin", "kt kotlin")             \
    X("Go", "go golang")                 \
    X("Rust", "rs rust")                 \
    X("Scala", "scala")                  \
    X("R", "r")                          \
    X("Perl", "pl perl")                 \
    X("Shell", "sh bash shell zsh")      \
    X("HTML", "html")                    \
    X("CSS", "css")                      \
    X("XML", "xml")                      \
    X("JSON", "json")                    \
    X("YAML", "yml yaml")                \
    X("Markdown", "md markdown")         \
    X("Dockerfile", "dockerfile")

/* The language that a mark stands for; the mark itself when no row knows it. */
static struct str language_of(struct str mark)
{
    static const struct {
        const char *name, *marks;
    } rows[] = {
#define X(name, marks) {name, marks},
        LANGUAGE_TABLE(X)
#undef X
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct str marks = str_c(rows[i].marks), one;
        while (str_split(&marks, ' ', &one))
            if (str_eq_nocase(one, mark))
                return str_c(rows[i].name);
    }
    return mark;
}

/* The next fenced block's mark; false when there is no further block that ends. */
static bool next_block(struct str *rest, struct str *ret_mark)
{
    for (ptrdiff_t at; (at = str_search(*rest, STR("```"))) >= 0;) {
        struct str s = str_from(*rest, (size_t)at + 3);
        ptrdiff_t line = str_find(s, '\n');
        struct str mark = str_trim(str_head(s, line < 0 ? 0 : (size_t)line));
        ptrdiff_t close = line < 0 ? -1 : str_search(str_from(s, (size_t)line), STR("\n```"));
        if (close < 0)
            return false;
        *rest = str_from(s, (size_t)line + (size_t)close + 4);
        *ret_mark = str_head(mark, CHECK_EXCERPT_MAX);
        if (mark.n)
            return true;
    }
    return false;
}

void check_text_contains_code(const struct check_input *in, struct jval parameters, struct check_outcome *out)
{
    struct str format, rest = in->text, mark;
    bool found = false;
    size_t blocks = 0;
    if (!check_string(in, parameters, "format", &format, out) || !check_charge(in, in->text.n, out))
        return;
    json_write_member_string(out->data, "searchedFormat", format);
    json_write_key(out->data, STR("foundFormats"));
    json_write_array(out->data);
    while (rest.n && next_block(&rest, &mark)) {
        struct str language = language_of(mark);
        found = found || str_eq_nocase(language, format) || str_eq_nocase(mark, format);
        if (++blocks <= CHECK_WORDS_MAX)
            json_write_string(out->data, language);
    }
    json_write_array_end(out->data);
    check_decide(parameters, found, out);
    check_explain(out, found ? "There is code in that language." : "There is no code block in that language.");
    check_excerpt(in, out);
}

/* --- URLs -------------------------------------------------------------------------------------------- */

static bool is_url_byte(char c)
{
    return (unsigned char)c > ' ' && c != 0x7f && !strchr(",\"'{}[]<>`", c);
}

/* The next thing that begins like a URL. */
static bool next_url(struct str *rest, struct str *ret)
{
    for (ptrdiff_t at; (at = str_search(*rest, STR("http"))) >= 0;) {
        struct str s = str_from(*rest, (size_t)at);
        *rest = str_from(s, 4);
        if (!str_starts(s, STR("http://")) && !str_starts(s, STR("https://")))
            continue;
        size_t n = 0;
        while (n < s.n && is_url_byte(s.p[n]))
            n++;
        *rest = str_from(s, n);
        while (n && strchr(".;:!?)", s.p[n - 1]))
            n--;
        *ret = str_head(s, n);
        return true;
    }
    return false;
}

static bool is_url(struct str s)
{
    size_t host_end = 0;
    struct url u;
    const char *why;
    size_t start = str_starts(s, STR("https://")) ? 8 : 7;
    if (s.n > URL_MAX || s.n <= start)
        return false;
    for (host_end = start; host_end < s.n && !strchr("/?#", s.p[host_end]); host_end++)
        ;
    if (url_parse(str_head(s, host_end), URL_BASE, &u, &why) != ERR_OK)
        return false;
    return strchr(u.host, '.') != NULL || url_host_is_address(u.host);
}

void check_text_valid_urls(const struct check_input *in, struct jval parameters, struct check_outcome *out)
{
    struct str rest = in->text, one;
    size_t found = 0, invalid = 0;
    if (!check_charge(in, in->text.n, out))
        return;
    json_write_key(out->data, STR("invalidUrls"));
    json_write_array(out->data);
    while (rest.n && next_url(&rest, &one)) {
        found++;
        if (is_url(one))
            continue;
        if (++invalid <= CHECK_WORDS_MAX)
            json_write_string(out->data, str_head(one, CHECK_EXCERPT_MAX));
    }
    json_write_array_end(out->data);
    json_write_member_string(out->data, "validationMethod", STR("form"));
    if (found) {
        check_decide(parameters, !invalid, out);
        check_explain(out, "%zu of %zu URLs are well formed.", found - invalid, found);
    } else {
        check_explain(out, "There are no URLs in the text.");
    }
    check_excerpt(in, out);
}

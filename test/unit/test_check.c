/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The built-in checks: one row a case, with the check, its parameters, the text (of the last message
 * of a chat) and what must come of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/json_write.h"
#include "base/must.h"
#include "gateway/hooks/check.h"
#include "hooks_rig.h"

enum outcome { PASS, FAIL, ERROR };

struct row {
    const char *id, *parameters, *text;
    enum outcome wanted;
};

static const char *const words[] = {"pass", "fail", "error"};

static struct hooks_rig rig;

/* One check as a hook. */
static void set_one(const char *id, const char *parameters, bool fail_on_error)
{
    static char json[20000];
    int n = snprintf(json, sizeof json, "[{\"checks\":[{\"id\":\"default.%s\",\"parameters\":%s}]}]", id, parameters);
    must(n > 0 && (size_t)n < sizeof json);
    hooks_rig_set(&rig, json);
    rig.checks[0][0].fail_on_error = fail_on_error;
}

static enum outcome outcome_of(void)
{
    bool verdict = jdoc_true(hooks_rig_at(&rig, "0.checks.0.verdict"));
    bool error = jdoc_has(hooks_rig_at(&rig, "0.checks.0.error.message"));
    must(!error || !verdict);
    return error ? ERROR : verdict ? PASS : FAIL;
}

/* Of a run that is over at once, with one hook of one check. */
static enum outcome run_one(const char *operation, const char *request, const char *answer)
{
    must(hooks_rig_begin(&rig, operation, request, answer));
    enum outcome outcome = outcome_of();
    /* An error is no failure. */
    must(jdoc_true(hooks_rig_at(&rig, "0.verdict")) == (outcome != FAIL));
    must(rig.result.verdict == (outcome != FAIL ? HOOKS_PASSED : HOOKS_FAILED));
    return outcome;
}

static void chat_of(const char *text, char *out, size_t cap)
{
    struct buf b;
    buf_init(&b, cap - 1);
    bool fits = buf_add_str(&b, STR("{\"model\":\"gpt-4o\",\"messages\":[{\"role\":\"system\",\"content\":\"S\"},"
                                    "{\"role\":\"user\",\"content\":")) &&
                (text ? json_write_quoted(&b, str_c(text)) : buf_add_str(&b, STR("null"))) &&
                buf_add_str(&b, STR("}]}"));
    must(fits);
    str_copy(out, cap, buf_str(&b));
    buf_free(&b);
}

static void run_rows(const struct row *rows, size_t n)
{
    static char chat[1 << 17];
    for (size_t i = 0; i < n; i++) {
        hooks_rig_open(&rig);
        chat_of(rows[i].text, chat, sizeof chat);
        set_one(rows[i].id, rows[i].parameters, false);
        enum outcome got = run_one("chat.completions", chat, NULL);
        if (got != rows[i].wanted)
            fail_msg("%s %s on \"%s\": %s, not %s; %.*s", rows[i].id, rows[i].parameters,
                     rows[i].text ? rows[i].text : "(null)", words[got], words[rows[i].wanted],
                     STR_ARG(rig.result.results));
        hooks_rig_close(&rig);
    }
}

#define RUN_ROWS(rows) run_rows(rows, sizeof(rows) / sizeof(rows)[0])

static void patterns_match(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"regexMatch", "{\"rule\":\"^[a-z]+$\"}", "abc", PASS},
        {"regexMatch", "{\"rule\":\"^[a-z]+$\"}", "abc1", FAIL},
        {"regexMatch", "{\"rule\":\"^[a-z]+$\",\"not\":true}", "abc1", PASS},
        {"regexMatch", "{\"rule\":\"^[a-z]+$\",\"not\":true}", "abc", FAIL},
        {"regexMatch", "{\"rule\":\"a$\"}", "a\n", FAIL}, /* as in JavaScript */
        {"regexMatch", "{\"rule\":\"\\\\u00e9.\\\\d{2}\"}",
         "x\xc3\xa9\xe2\x82\xac"
         "42",
         PASS},
        {"regexMatch", "{\"rule\":\"(\\\\d+)-\\\\1\"}", "x 12-12", PASS},
        {"regexMatch", "{\"rule\":\"x\"}", "", FAIL},
        {"regexMatch", "{\"rule\":\"(\"}", "abc", ERROR},
        {"regexMatch", "{\"rule\":\"\"}", "abc", ERROR},
        {"regexMatch", "{\"rule\":7}", "abc", ERROR},
        {"regexMatch", "{}", "abc", ERROR},
        {"regexMatch", "{\"rule\":\"^(a+)+$\"}", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!", ERROR},
        {"regexMatch", "{\"rule\":\"(x+x+)+[yz]\"}", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", ERROR},
    };
    RUN_ROWS(rows);
}

static void things_are_counted(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"sentenceCount", "{\"minSentences\":1,\"maxSentences\":2}", "One. Two!", PASS},
        {"sentenceCount", "{\"minSentences\":1,\"maxSentences\":2}", "One. Two! Three?", FAIL},
        {"sentenceCount", "{\"minSentences\":1,\"maxSentences\":1}", "Well... what", PASS},
        {"sentenceCount", "{\"minSentences\":1}", "no mark", FAIL},
        {"sentenceCount", "{\"minSentences\":2}", "\xe4\xb8\x80\xe3\x80\x82\xe4\xba\x8c\xe3\x80\x82", PASS},
        {"sentenceCount", "{\"minSentences\":0,\"maxSentences\":0,\"not\":true}", "One.", PASS},
        {"sentenceCount", "{}", "One.", ERROR},
        {"sentenceCount", "{\"minSentences\":\"1\",\"maxSentences\":2}", "One.", ERROR},
        {"sentenceCount", "{\"minSentences\":-1,\"maxSentences\":2}", "One.", ERROR},
        {"wordCount", "{\"minWords\":2,\"maxWords\":3}", " one\ttwo\n", PASS},
        {"wordCount", "{\"minWords\":2,\"maxWords\":3}", "one", FAIL},
        {"wordCount", "{\"minWords\":2,\"maxWords\":3}", "one two three four", FAIL},
        {"wordCount", "{\"maxWords\":2}",
         "a\xc2\xa0"
         "b\xe3\x80\x80"
         "c",
         FAIL}, /* spaces beyond ASCII */
        {"wordCount", "{\"minWords\":1}", "", FAIL},
        {"wordCount", "{\"maxWords\":0}", NULL, PASS},
        {"wordCount", "{\"minWords\":2,\"not\":true}", "one", PASS},
        {"wordCount", "{\"minWords\":1.5}", "one", ERROR},
        {"characterCount", "{\"minCharacters\":3,\"maxCharacters\":3}", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", PASS},
        {"characterCount", "{\"maxCharacters\":2}", "abc", FAIL},
        {"characterCount", "{\"minCharacters\":1}", "", FAIL},
        {"characterCount", "{\"minCharacters\":null,\"maxCharacters\":null}", "", ERROR},
    };
    RUN_ROWS(rows);
}

static void words_and_ends_are_found(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"contains", "{\"words\":[\"a\",\"b\"],\"operator\":\"any\"}", "xby", PASS},
        {"contains", "{\"words\":[\"a\",\"b\"],\"operator\":\"any\"}", "xyz", FAIL},
        {"contains", "{\"words\":[\"a\",\"b\"],\"operator\":\"all\"}", "ba", PASS},
        {"contains", "{\"words\":[\"a\",\"b\"],\"operator\":\"all\"}", "aa", FAIL},
        {"contains", "{\"words\":[\"a\",\"b\"],\"operator\":\"none\"}", "xyz", PASS},
        {"contains", "{\"words\":[\"a\",\"b\"],\"operator\":\"none\"}", "xyzb", FAIL},
        {"contains", "{\"words\":[\"A\"],\"operator\":\"any\"}", "a", FAIL}, /* case counts */
        {"contains", "{\"words\":\"x, y\",\"operator\":\"all\"}", "y and x", PASS},
        {"contains", "{\"words\":[\"\\u00e9\"],\"operator\":\"any\"}", "caf\xc3\xa9", PASS},
        {"contains", "{\"words\":[\"a\"],\"operator\":\"none\"}", "", PASS},
        {"contains", "{\"words\":[],\"operator\":\"any\"}", "a", ERROR},
        {"contains", "{\"words\":[1],\"operator\":\"any\"}", "a", ERROR},
        {"contains", "{\"words\":{},\"operator\":\"any\"}", "a", ERROR},
        {"contains", "{\"words\":[\"a\"],\"operator\":\"some\"}", "a", ERROR},
        {"contains", "{\"words\":[\"a\"]}", "a", ERROR},
        {"endsWith", "{\"suffix\":\"end\"}", "the end", PASS},
        {"endsWith", "{\"suffix\":\"end\"}", "the end.", PASS},
        {"endsWith", "{\"suffix\":\"end\"}", "the end!", FAIL},
        {"endsWith", "{\"suffix\":\"end\"}", "", FAIL},
        {"endsWith", "{\"suffix\":\".\"}", ".", PASS},
        {"endsWith", "{\"suffix\":\"end\",\"not\":true}", "end", FAIL},
        {"endsWith", "{\"suffix\":\"\"}", "end", ERROR},
        {"alluppercase", "{}", "ABC 1\xc3\x89\xd0\x96!", PASS},
        {"alluppercase", "{}", "ABC\xc3\xa9", FAIL},
        {"alluppercase", "{\"not\":true}", "ABc", PASS},
        {"alllowercase", "{}", "abc 1\xc3\xa9\xce\xb1!", PASS},
        {"alllowercase", "{}", "abc\xce\x91", FAIL},
        {"alllowercase", "{}", "", PASS},
        {"notNull", "{}", "x", PASS},
        {"notNull", "{}", " \n", FAIL},
        {"notNull", "{}", NULL, FAIL},
        {"notNull", "{\"not\":true}", NULL, PASS},
    };
    RUN_ROWS(rows);
}

static void code_and_urls_are_found(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"containsCode", "{\"format\":\"SQL\"}", "see\n```sql\nSELECT 1\n```\n", PASS},
        {"containsCode", "{\"format\":\"Python\"}", "```py\nx\n```\n", PASS},
        {"containsCode", "{\"format\":\"Python\"}", "```sql\nx\n```\nand\n```python\ny\n```", PASS},
        {"containsCode", "{\"format\":\"Python\"}", "```sql\nx\n```", FAIL},
        {"containsCode", "{\"format\":\"brainfuck\"}", "```brainfuck\nx\n```", PASS},
        {"containsCode", "{\"format\":\"SQL\"}", "```\nx\n```", FAIL},
        {"containsCode", "{\"format\":\"SQL\"}", "```sql\nno end", FAIL},
        {"containsCode", "{\"format\":\"SQL\",\"not\":true}", "SELECT 1", PASS},
        {"containsCode", "{\"format\":\"SQL\"}", "", FAIL},
        {"containsCode", "{}", "x", ERROR},
        {"validUrls", "{}", "see https://example.com/a?b=c#d.", PASS},
        {"validUrls", "{}", "see (http://example.com:8080/) and https://192.0.2.1/x, ok", PASS},
        {"validUrls", "{}", "https://[2001:db8::1]/x", FAIL}, /* brackets end a URL in running text */
        {"validUrls", "{}", "https://example.com and http://nodot/", FAIL},
        {"validUrls", "{}", "https://exa_mple..com/", FAIL},
        {"validUrls", "{}", "https://", FAIL},
        {"validUrls", "{}", "http://1.2.3.4.5/", FAIL},
        {"validUrls", "{}", "no URL, only http and httpx://y.z", FAIL},
        {"validUrls", "{\"not\":true}", "http://nodot/", PASS},
    };
    RUN_ROWS(rows);
}

static void json_is_found_and_checked(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"jsonSchema", "{\"schema\":{\"type\":\"object\",\"required\":[\"a\"]}}", "{\"a\":1}", PASS},
        {"jsonSchema", "{\"schema\":{\"type\":\"object\",\"required\":[\"a\"]}}", "{\"b\":1}", FAIL},
        {"jsonSchema", "{\"schema\":{\"type\":\"array\"}}", " [1] ", PASS},
        {"jsonSchema", "{\"schema\":{\"required\":[\"a\"]}}", "Here:\n```json\n{\"a\":1}\n```\nDone.", PASS},
        {"jsonSchema", "{\"schema\":{\"required\":[\"a\"]}}", "```\n{\"b\":1}\n``` or ```{\"a\":2}```", PASS},
        {"jsonSchema", "{\"schema\":{\"required\":[\"a\"]}}", "It is {\"a\": {\"b\":\"}\"}} then {x}.", PASS},
        {"jsonSchema", "{\"schema\":{\"required\":[\"a\"]}}", "a set {1, 2} and {\"a\":1}", PASS},
        {"jsonSchema", "{\"schema\":{\"required\":[\"a\"]}}", "nothing", FAIL},
        {"jsonSchema", "{\"schema\":{\"required\":[\"a\"]},\"not\":true}", "{\"b\":1}", PASS},
        {"jsonSchema", "{\"schema\":{\"required\":[\"a\"]},\"not\":true}", "nothing", FAIL},
        {"jsonSchema", "{\"schema\":\"{\\\"required\\\":[\\\"a\\\"]}\"}", "{\"a\":1}", PASS},
        {"jsonSchema", "{\"schema\":{\"required\":7}}", "{\"a\":1}", ERROR},
        {"jsonSchema", "{\"schema\":{\"$ref\":\"#\"}}", "{\"a\":1}", ERROR},
        {"jsonSchema", "{\"schema\":7}", "{\"a\":1}", ERROR},
        {"jsonSchema", "{}", "{\"a\":1}", ERROR},
        {"jsonKeys", "{\"keys\":[\"a\",\"b\"],\"operator\":\"any\"}", "{\"b\":1}", PASS},
        {"jsonKeys", "{\"keys\":[\"a\",\"b\"],\"operator\":\"any\"}", "{\"c\":1}", FAIL},
        {"jsonKeys", "{\"keys\":[\"a\",\"b\"],\"operator\":\"all\"}", "{\"b\":1,\"\\u0061\":2}", PASS},
        {"jsonKeys", "{\"keys\":[\"a\",\"b\"],\"operator\":\"all\"}", "x {\"b\":1} y {\"a\":2,\"b\":1}", PASS},
        {"jsonKeys", "{\"keys\":[\"a\",\"b\"],\"operator\":\"all\"}", "x {\"b\":1} y {\"a\":2}", FAIL},
        {"jsonKeys", "{\"keys\":[\"a\"],\"operator\":\"none\"}", "x {\"b\":1} y {\"c\":1}", PASS},
        {"jsonKeys", "{\"keys\":[\"a\"],\"operator\":\"none\"}", "x {\"b\":1} y {\"a\":1}", FAIL},
        {"jsonKeys", "{\"keys\":[\"a\"],\"operator\":\"none\"}", "no JSON", FAIL},
        {"jsonKeys", "{\"keys\":[\"a\"],\"operator\":\"any\"}", "[1]", FAIL},
        {"jsonKeys", "{\"keys\":[],\"operator\":\"any\"}", "{\"b\":1}", ERROR},
        {"jsonKeys", "{\"keys\":[\"a\"],\"operator\":1}", "{\"b\":1}", ERROR},
    };
    RUN_ROWS(rows);
}

/* The chat of these rows asks for gpt-4o; its metadata has plan "paid" and _user "u". */
static void requests_are_judged(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"modelwhitelist", "{\"models\":[\"gpt-4o\",\"x\"]}", "", PASS},
        {"modelWhitelist", "{\"models\":[\"x\"]}", "", FAIL},
        {"modelwhitelist", "{\"models\":[\"x\"],\"not\":true}", "", PASS},
        {"modelwhitelist", "{\"models\":[]}", "", ERROR},
        {"modelwhitelist", "{}", "", ERROR},
        {"modelRules", "{\"rules\":{\"metadata\":{\"plan\":{\"paid\":[\"gpt-4o\"]}}}}", "", PASS},
        {"modelRules", "{\"rules\":{\"metadata\":{\"plan\":{\"paid\":[\"x\"]}},\"defaults\":[\"gpt-4o\"]}}", "", FAIL},
        {"modelRules", "{\"rules\":{\"metadata\":{\"plan\":{\"free\":[\"x\"]}},\"defaults\":[\"gpt-4o\"]}}", "", PASS},
        {"modelRules", "{\"rules\":{\"metadata\":{\"team\":{\"a\":[\"x\"]}}}}", "", ERROR},
        {"modelRules", "{}", "", ERROR},
        {"requiredMetadataKeys", "{\"metadataKeys\":[\"plan\",\"_user\"],\"operator\":\"all\"}", "", PASS},
        {"requiredMetadataKeys", "{\"metadataKeys\":[\"plan\",\"team\"],\"operator\":\"all\"}", "", FAIL},
        {"requiredMetadataKeys", "{\"metadataKeys\":[\"plan\",\"team\"],\"operator\":\"any\"}", "", PASS},
        {"requiredMetadataKeys", "{\"metadataKeys\":[\"team\"],\"operator\":\"none\"}", "", PASS},
        {"requiredMetadataKeys", "{\"metadataKeys\":[],\"operator\":\"none\"}", "", ERROR},
        {"requiredMetadataKeys", "{\"metadataKeys\":[\"team\"]}", "", ERROR},
        {"allowedRequestTypes", "{\"allowedTypes\":[\"chatComplete\"]}", "", PASS},
        {"allowedRequestTypes", "{\"allowedTypes\":\"embed, complete\"}", "", FAIL},
        {"allowedRequestTypes", "{\"blockedTypes\":[\"chatComplete\"]}", "", FAIL},
        {"allowedRequestTypes", "{\"blockedTypes\":[\"embed\"]}", "", PASS},
        {"allowedRequestTypes", "{}", "", PASS},
        {"allowedRequestTypes", "{\"allowedTypes\":[\"embed\"],\"blockedTypes\":[\"embed\"]}", "", ERROR},
        {"allowedRequestTypes", "{\"allowedTypes\":7}", "", ERROR},
        {"requestParametersCheck", "{}", "", PASS},
        {"requestParametersCheck", "{\"params\":{\"allowedKeys\":[\"model\",\"messages\"]}}", "", PASS},
        {"requestParametersCheck", "{\"params\":{\"allowedKeys\":[\"model\"]}}", "", FAIL},
        {"requestParametersCheck", "{\"params\":{\"blockedKeys\":[\"stream\"]}}", "", PASS},
        {"requestParametersCheck", "{\"params\":{\"blockedKeys\":[\"model\"]}}", "", FAIL},
        {"requestParametersCheck", "{\"params\":{\"values\":{\"model\":{\"allowedValues\":[\"gpt-4o\"]}}}}", "", PASS},
        {"requestParametersCheck", "{\"params\":{\"values\":{\"model\":{\"blockedValues\":[\"gpt-4o\"]}}}}", "", FAIL},
        {"requestParametersCheck", "{\"params\":{\"allowedKeys\":\"model\"}}", "", ERROR},
        {"nothing", "{}", "", ERROR},
    };
    RUN_ROWS(rows);
}

static void parameters_and_tools_of_a_request_are_judged(void **state)
{
    (void)state;
    static const char request[] =
        "{\"model\":\"m\",\"temperature\":0.50,\"stream\":true,\"user\":null,\"messages\":[],\"tools\":[{\"type\":"
        "\"function\",\"function\":{\"name\":\"f\"}},{\"type\":\"web_search\"},{\"type\":\"custom\",\"name\":\"g\"}]}";
    static const struct {
        const char *parameters;
        enum outcome wanted;
    } rows[] = {
        {"{\"tools\":{\"allowedTypes\":[\"function\",\"web_search\",\"custom\"]}}", PASS},
        {"{\"tools\":{\"allowedTypes\":[\"function\"]}}", FAIL},
        {"{\"tools\":{\"blockedTypes\":[\"web_search\"]}}", FAIL},
        {"{\"tools\":{\"blockedTypes\":[\"mcp\"]}}", PASS},
        {"{\"tools\":{\"allowedFunctionNames\":[\"f\",\"g\"]}}", PASS},
        {"{\"tools\":{\"allowedFunctionNames\":[\"f\"]}}", FAIL},
        {"{\"tools\":{\"blockedFunctionNames\":[\"f\"]}}", FAIL},
        {"{\"tools\":{\"allowedTypes\":[]}}", PASS},
        {"{\"params\":{\"values\":{\"temperature\":{\"allowedValues\":[0.5]}}}}", PASS},
        {"{\"params\":{\"values\":{\"temperature\":{\"allowedValues\":[\"0.5\"]}}}}", FAIL},
        {"{\"params\":{\"values\":{\"stream\":{\"blockedValues\":[true]}}}}", FAIL},
        {"{\"params\":{\"values\":{\"stream\":{\"blockedValues\":[false]}}}}", PASS},
        {"{\"params\":{\"values\":{\"user\":{\"allowedValues\":[null]}}}}", PASS},
        {"{\"params\":{\"values\":{\"top_p\":{\"allowedValues\":[1]}}}}", PASS},
        {"{\"params\":{\"values\":{\"messages\":{\"allowedValues\":[1]}}}}", FAIL},
        {"{\"params\":{\"values\":{\"stream\":{\"blockedValues\":true}}}}", ERROR},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        hooks_rig_open(&rig);
        set_one("requestParametersCheck", rows[i].parameters, false);
        enum outcome got = run_one("chat.completions", request, NULL);
        if (got != rows[i].wanted)
            fail_msg("%s: %s", rows[i].parameters, words[got]);
        hooks_rig_close(&rig);
    }
}

static void prefixes_change_only_what_they_must(void **state)
{
    (void)state;
    static const struct {
        const char *operation, *parameters, *request, *answer, *wanted; /* NULL: as it was */
    } rows[] = {
        {"chat.completions", "{\"prefix\":\"A\\n\"}",
         "{ \"messages\": [{\"role\":\"user\", \"content\": \"x\\u00e9\"}] }", NULL,
         "{ \"messages\": [{\"role\":\"user\", \"content\": \"A\\nx\\u00e9\"}] }"},
        {"chat.completions", "{\"prefix\":\"A\"}",
         "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image\"},{\"type\":\"text\",\"text\":\"x\"}]}]}",
         NULL,
         "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image\"},{\"type\":\"text\",\"text\":\"Ax\"}]}]}"},
        {"chat.completions", "{\"prefix\":\"A\",\"applyToRole\":\"system\"}",
         "{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}", NULL,
         "{\"messages\":[{\"role\":\"system\",\"content\":\"A\"},{\"role\":\"user\",\"content\":\"x\"}]}"},
        {"chat.completions", "{\"prefix\":\"A\",\"applyToRole\":\"assistant\"}",
         "{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}", NULL,
         "{\"messages\":[{\"role\":\"user\",\"content\":\"x\"},{\"role\":\"assistant\",\"content\":\"A\"}]}"},
        {"chat.completions", "{\"prefix\":\"A\"}", "{\"messages\":[]}", NULL,
         "{\"messages\":[{\"role\":\"user\",\"content\":\"A\"}]}"},
        {"chat.completions", "{\"prefix\":\"A\",\"applyToRole\":\"system\"}", "{\"messages\":[ ]}", NULL,
         "{\"messages\":[ {\"role\":\"system\",\"content\":\"A\"}]}"},
        {"chat.completions", "{\"prefix\":\"A\",\"addToExisting\":false}",
         "{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}", NULL,
         "{\"messages\":[{\"role\":\"user\",\"content\":\"A\"},{\"role\":\"user\",\"content\":\"x\"}]}"},
        {"chat.completions", "{\"prefix\":\"A\",\"onlyIfEmpty\":true}",
         "{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}", NULL, NULL},
        {"chat.completions", "{\"prefix\":\"A\",\"onlyIfEmpty\":true}",
         "{\"messages\":[{\"role\":\"user\",\"content\":\" \"}]}", NULL,
         "{\"messages\":[{\"role\":\"user\",\"content\":\"A \"}]}"},
        {"chat.completions", "{\"prefix\":\"A\"}", "{\"messages\":[{\"role\":\"user\",\"content\":null}]}", NULL,
         "{\"messages\":[{\"role\":\"user\",\"content\":\"A\"}]}"},
        {"chat.completions", "{\"prefix\":\"A\"}", "{\"messages\":7}", NULL, NULL},
        {"completions", "{\"prefix\":\"A\"}", "{\"prompt\":\"x\"}", NULL, "{\"prompt\":\"Ax\"}"},
        {"completions", "{\"prefix\":\"A\"}", "{\"prompt\":[\"x\",\"y\"]}", NULL, "{\"prompt\":[\"Ax\",\"y\"]}"},
        {"embeddings", "{\"prefix\":\"A\"}", "{\"input\":\"x\"}", NULL, NULL},
        {"chat.completions", "{\"prefix\":\"A\"}", "{}", "{\"choices\":[{\"message\":{\"content\":\"x\"}}],\"id\":1}",
         "{\"choices\":[{\"message\":{\"content\":\"Ax\"}}],\"id\":1}"},
        {"completions", "{\"prefix\":\"A\"}", "{}", "{\"choices\":[{\"text\":\"x\"}]}",
         "{\"choices\":[{\"text\":\"Ax\"}]}"},
        {"chat.completions", "{\"prefix\":\"A\"}", "{}", "{\"choices\":[{\"message\":{\"content\":null}}]}", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        hooks_rig_open(&rig);
        set_one("addPrefix", rows[i].parameters, false);
        rig.hooks[0].type = STR("mutator");
        assert_int_equal(run_one(rows[i].operation, rows[i].request, rows[i].answer), PASS);
        struct str got = rig.result.body;
        if ((got.p == NULL) != (rows[i].wanted == NULL) || (got.p && !str_eq(got, str_c(rows[i].wanted))))
            fail_msg("row %zu: %.*s", i, STR_ARG(got));
        assert_int_equal(jdoc_true(hooks_rig_at(&rig, "0.transformed")), got.p != NULL);
        hooks_rig_close(&rig);
    }
}

static void what_must_not_pass_is_replaced(void **state)
{
    (void)state;
    static const struct {
        const char *operation, *parameters, *request, *answer;
        enum outcome outcome;
        const char *wanted; /* NULL: as it was */
    } rows[] = {
        {"chat.completions", "{\"rule\":\"\\\\d{4}\"}",
         "{ \"messages\": [{\"content\":\"1234\"},{\"content\": \"a\\n1234 5678\\u00e9\", \"role\":\"user\"}] }", NULL,
         PASS,
         "{ \"messages\": [{\"content\":\"1234\"},{\"content\": \"a\\n[REDACTED] [REDACTED]\xc3\xa9\", \"role\":\"user\"}] "
         "}"},
        {"chat.completions", "{\"rule\":\"/SECRET/gi\",\"redactText\":\"\\\"x\\\"\",\"failOnDetection\":true}",
         "{\"messages\":[{\"content\":[{\"text\":\"a Secret\"},{\"type\":\"x\"},{\"text\":\"none\\u0041\"},{\"text\":"
         "\"secret\"}]}]}",
         NULL, FAIL,
         "{\"messages\":[{\"content\":[{\"text\":\"a \\\"x\\\"\"},{\"type\":\"x\"},{\"text\":\"none\\u0041\"},{\"text\":"
         "\"\\\"x\\\"\"}]}]}"},
        {"chat.completions", "{\"rule\":\"x\",\"failOnDetection\":true}", "{\"messages\":[{\"content\":\"a\"}]}", NULL,
         PASS, NULL},
        {"chat.completions", "{\"rule\":\"x*\",\"redactText\":\"-\"}", "{\"messages\":[{\"content\":\"axb\xc3\xa9\"}]}",
         NULL, PASS, "{\"messages\":[{\"content\":\"-a--b-\xc3\xa9-\"}]}"},
        {"chat.completions", "{\"rule\":\"\",\"redactText\":\"-\"}", "{\"messages\":[{\"content\":\"a\"}]}", NULL,
         ERROR, NULL},
        {"chat.completions", "{\"rule\":\"a(?=b\\\\K)\"}", "{\"messages\":[{\"content\":\"abab\"}]}", NULL, ERROR,
         NULL},
        {"chat.completions", "{\"rule\":\"a\\\\Kb\",\"redactText\":\"\"}", "{\"messages\":[{\"content\":\"abab\"}]}",
         NULL, PASS, "{\"messages\":[{\"content\":\"aa\"}]}"},
        {"chat.completions", "{\"rule\":\"(\"}", "{\"messages\":[{\"content\":\"a\"}]}", NULL, ERROR, NULL},
        {"chat.completions", "{\"rule\":\"^(a+)+$\"}",
         "{\"messages\":[{\"content\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!\"}]}", NULL, ERROR, NULL},
        {"chat.completions", "{\"rule\":\"a\"}", "no JSON", NULL, PASS, NULL},
        {"embeddings", "{\"rule\":\"a\",\"redactText\":\"b\"}", "{\"input\":[\"a\",7,\"c\"]}", NULL, PASS,
         "{\"input\":[\"b\",7,\"c\"]}"},
        {"chat.completions", "{\"rule\":\"a\",\"redactText\":\"b\"}", "{}",
         "{\"choices\":[{\"message\":{\"content\":\"a\"}},{\"message\":{\"content\":null}},{\"message\":{\"content\":\"xa\"}}]}",
         PASS,
         "{\"choices\":[{\"message\":{\"content\":\"b\"}},{\"message\":{\"content\":null}},{\"message\":{\"content\":\"xb\"}}]}"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        hooks_rig_open(&rig);
        set_one("regexReplace", rows[i].parameters, false);
        enum outcome outcome = run_one(rows[i].operation, rows[i].request, rows[i].answer);
        struct str got = rig.result.body;
        if (outcome != rows[i].outcome || (got.p == NULL) != (rows[i].wanted == NULL) ||
            (got.p && !str_eq(got, str_c(rows[i].wanted))))
            fail_msg("row %zu: %s %.*s", i, words[outcome], STR_ARG(got));
        hooks_rig_close(&rig);
    }
}

static void the_text_is_the_last_messages(void **state)
{
    (void)state;
    static const struct {
        const char *operation, *request, *answer, *text;
    } rows[] = {
        {"chat.completions", "{\"messages\":[{\"content\":\"a\"},{\"content\":\"b\"}]}", NULL, "b"},
        {"chat.completions",
         "{\"messages\":[{\"content\":[{\"type\":\"text\",\"text\":\"x\\n\"},{\"type\":\"image_url\"},"
         "{\"type\":\"text\",\"text\":\"y\"}]}]}",
         NULL, "x\n\ny"},
        {"chat.completions", "{\"messages\":[]}", NULL, ""},
        {"chat.completions", "{\"messages\":{\"content\":\"a\"}}", NULL, ""},
        {"chat.completions", "[]", NULL, ""},
        {"chat.completions", "no JSON", NULL, ""},
        {"completions", "{\"prompt\":\"p\"}", NULL, "p"},
        {"completions", "{\"prompt\":[\"p\",\"q\"]}", NULL, "p\nq"},
        {"completions", "{\"prompt\":[1,2]}", NULL, ""},
        {"embeddings", "{\"input\":[\"p\",\"q\"]}", NULL, "p\nq"},
        {"chat.completions", "{}", "{\"choices\":[{\"message\":{\"content\":\"c\"}}]}", "c"},
        {"chat.completions", "{}", "{\"choices\":[]}", ""},
        {"completions", "{}", "{\"choices\":[{\"text\":\"t\"}]}", "t"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        hooks_rig_open(&rig);
        set_one("characterCount", "{\"minCharacters\":0}", false);
        assert_int_equal(run_one(rows[i].operation, rows[i].request, rows[i].answer), PASS);
        struct str text = jdoc_text(hooks_rig_at(&rig, "0.checks.0.data.textExcerpt"), rig.arena);
        assert_true(str_eq(text, str_c(rows[i].text)));
        hooks_rig_close(&rig);
    }
}

static void every_choice_must_pass(void **state)
{
    (void)state;
    hooks_rig_open(&rig);
    set_one("contains", "{\"words\":[\"bad\"],\"operator\":\"none\"}", false);
    assert_int_equal(run_one("chat.completions", "{}",
                             "{\"choices\":[{\"message\":{\"content\":\"a\"}},{\"message\":{\"content\":\"b\"}}]}"),
                     PASS);
    assert_int_equal(run_one("chat.completions", "{}",
                             "{\"choices\":[{\"message\":{\"content\":\"a\"}},{\"message\":{\"content\":\"bad\"}}]}"),
                     FAIL);
    hooks_rig_close(&rig);
}

static void an_error_counts_as_failure_when_the_config_says_so(void **state)
{
    (void)state;
    hooks_rig_open(&rig);
    set_one("regexMatch", "{\"rule\":\"(\"}", true);
    assert_true(hooks_rig_begin(&rig, "chat.completions", "{\"messages\":[]}", NULL));
    assert_int_equal(rig.result.verdict, HOOKS_FAILED);
    hooks_rig_close(&rig);
}

static void a_long_text_is_shown_in_part(void **state)
{
    (void)state;
    static char text[20000], chat[40000];
    hooks_rig_open(&rig);
    for (size_t i = 0; i + 2 < sizeof text; i += 2)
        memcpy(text + i, "\xc3\xa9", 2);
    chat_of(text, chat, sizeof chat);
    set_one("notNull", "{}", false);
    assert_int_equal(run_one("chat.completions", chat, NULL), PASS);
    set_one("endsWith", "{\"suffix\":\"\\u00e9\"}", false);
    assert_int_equal(run_one("chat.completions", chat, NULL), PASS);
    struct str excerpt = jdoc_escaped(hooks_rig_at(&rig, "0.checks.0.data.textExcerpt"));
    assert_int_equal(excerpt.n, 2 * CHECK_EXCERPT_MAX + 3);
    hooks_rig_close(&rig);
}

static void work_is_bounded(void **state)
{
    (void)state;
    static char json[20000], chat[120000], text[100001];
    size_t n = 0;
    hooks_rig_open(&rig);
    n += (size_t)snprintf(json, sizeof json, "{\"operator\":\"none\",\"words\":[\"b\"");
    for (int i = 0; i < 999; i++)
        n += (size_t)snprintf(json + n, sizeof json - n, ",\"b%d\"", i);
    snprintf(json + n, sizeof json - n, "]}");
    memset(text, 'a', sizeof text - 1);
    chat_of(text, chat, sizeof chat);
    set_one("contains", json, false);
    assert_int_equal(run_one("chat.completions", chat, NULL), ERROR);
    memset(text, 'a', 1000);
    text[1000] = '\0';
    chat_of(text, chat, sizeof chat);
    assert_int_equal(run_one("chat.completions", chat, NULL), PASS);
    hooks_rig_close(&rig);
}

static void the_table_has_one_row_a_name(void **state)
{
    (void)state;
    size_t n;
    const struct check *rows = check_rows(&n);
    for (size_t i = 0; i < n; i++) {
        assert_ptr_equal(check_find(rows[i].id), &rows[i]);
        assert_true(str_starts(rows[i].id, STR("default.")) && rows[i].parameters[0]);
    }
    assert_null(check_find(STR("contains")));
}

/* Tests run in the project's folder. */
static void the_page_names_every_check(void **state)
{
    (void)state;
    static char page[64 << 10];
    FILE *f = fopen("docs/GUARDRAILS.md", "r");
    assert_non_null(f);
    size_t size = fread(page, 1, sizeof page, f), n;
    fclose(f);
    assert_in_range(size, 1, sizeof page - 1);
    const struct check *rows = check_rows(&n);
    for (size_t i = 0; i < n; i++) {
        char name[64];
        snprintf(name, sizeof name, "`%.*s`", STR_ARG(rows[i].id));
        if (str_search(str_of(page, size), str_c(name)) < 0 && !str_eq(rows[i].id, STR("default.modelWhitelist")))
            fail_msg("docs/GUARDRAILS.md does not name %s", name);
        struct str parameters = str_c(rows[i].parameters), one;
        while (str_split(&parameters, ',', &one)) {
            one = str_trim(one);
            one = str_head(one, strcspn(one.p, ", ()"));
            if (str_search(str_of(page, size), one) < 0)
                fail_msg("docs/GUARDRAILS.md does not name %.*s of %s", STR_ARG(one), name);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patterns_match),
        cmocka_unit_test(things_are_counted),
        cmocka_unit_test(words_and_ends_are_found),
        cmocka_unit_test(code_and_urls_are_found),
        cmocka_unit_test(json_is_found_and_checked),
        cmocka_unit_test(requests_are_judged),
        cmocka_unit_test(parameters_and_tools_of_a_request_are_judged),
        cmocka_unit_test(prefixes_change_only_what_they_must),
        cmocka_unit_test(what_must_not_pass_is_replaced),
        cmocka_unit_test(the_text_is_the_last_messages),
        cmocka_unit_test(every_choice_must_pass),
        cmocka_unit_test(an_error_counts_as_failure_when_the_config_says_so),
        cmocka_unit_test(a_long_text_is_shown_in_part),
        cmocka_unit_test(work_is_bounded),
        cmocka_unit_test(the_table_has_one_row_a_name),
        cmocka_unit_test(the_page_names_every_check),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

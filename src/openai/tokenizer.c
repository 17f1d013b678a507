/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The public face of the tokenizer: which encoding a model uses, and the walk over a text.
 *
 * A text is cut into pieces (tokenizer_split), each piece is encoded alone (tokenizer_bpe). The
 * tables are part of the program's image (tokenizer_table); there is no state.
 */
#include "openai/tokenizer.h"

#include "base/must.h"
#include "openai/tokenizer/bpe.h"
#include "openai/tokenizer/split.h"

static const struct {
    const char *text;
    enum tokenizer_table_name table;
    enum tokenizer_rule rule;
    uint32_t id_end;
} encodings[TOKENIZER_COUNT] = {
    [TOKENIZER_R50K] = {"r50k_base", TOKENIZER_TABLE_P50K, TOKENIZER_RULE_R50K, 50256},
    [TOKENIZER_P50K] = {"p50k_base", TOKENIZER_TABLE_P50K, TOKENIZER_RULE_R50K, TOKENIZER_TABLE_NONE},
    [TOKENIZER_P50K_EDIT] = {"p50k_edit", TOKENIZER_TABLE_P50K, TOKENIZER_RULE_R50K, TOKENIZER_TABLE_NONE},
    [TOKENIZER_CL100K] = {"cl100k_base", TOKENIZER_TABLE_CL100K, TOKENIZER_RULE_CL100K, TOKENIZER_TABLE_NONE},
    [TOKENIZER_O200K] = {"o200k_base", TOKENIZER_TABLE_O200K, TOKENIZER_RULE_O200K, TOKENIZER_TABLE_NONE},
    [TOKENIZER_O200K_HARMONY] = {"o200k_harmony", TOKENIZER_TABLE_O200K, TOKENIZER_RULE_O200K, TOKENIZER_TABLE_NONE},
};

const char *tokenizer_encoding_text(enum tokenizer_encoding e)
{
    must(e < TOKENIZER_COUNT);
    return encodings[e].text;
}

static void encode(enum tokenizer_encoding e, struct str text, struct tokenizer_sink *sink)
{
    must(e < TOKENIZER_COUNT);
    struct tokenizer_vocab v = tokenizer_vocab_of(encodings[e].table, encodings[e].id_end);
    const unsigned char *p = (const unsigned char *)text.p;
    for (size_t left = text.n; left > 0;) {
        size_t n = tokenizer_split(encodings[e].rule, p, left);
        must(n >= 1 && n <= left);
        tokenizer_bpe(&v, p, n, left, sink);
        p += n;
        left -= n;
    }
}

uint64_t tokenizer_count(enum tokenizer_encoding e, struct str text)
{
    struct tokenizer_sink sink = {NULL, 0, 0};
    encode(e, text, &sink);
    return sink.count;
}

size_t tokenizer_encode(enum tokenizer_encoding e, struct str text, uint32_t *out, size_t cap)
{
    must(out || cap == 0);
    struct tokenizer_sink sink = {out, cap, 0};
    encode(e, text, &sink);
    return sink.count;
}

static bool is_ascii_letter(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/*
 * In no rule does a piece go over from a letter to a space, nor from a line break to a letter. And
 * what stands before must end the same way when it is the end of the text: a letter does, and a
 * line break does when it is not one of several white spaces.
 */
size_t tokenizer_cut(struct str text)
{
    for (size_t at = text.n - 1; text.n >= 3 && at >= 1; at--) {
        char before = text.p[at - 1], after = text.p[at];
        if (after == ' ' && is_ascii_letter(before) && at + 1 < text.n && is_ascii_letter(text.p[at + 1]))
            return at;
        if (before == '\n' && is_ascii_letter(after) && at >= 2 && text.p[at - 2] > ' ' && text.p[at - 2] < 0x7f)
            return at;
    }
    return 0;
}

/*
 * By name, then by prefix; the first row that fits wins, so longer prefixes stand first. The rows
 * follow the official list of models, and add what it does not know yet.
 */
static const struct {
    const char *name;
    bool prefix;
    enum tokenizer_encoding encoding;
} models[] = {
    {"gpt-oss-", true, TOKENIZER_O200K_HARMONY},
    {"gpt-4o", true, TOKENIZER_O200K},
    {"gpt-4.1", true, TOKENIZER_O200K},
    {"gpt-4.5", true, TOKENIZER_O200K},
    {"gpt-4", false, TOKENIZER_CL100K},
    {"gpt-4-", true, TOKENIZER_CL100K},
    {"gpt-3.5", true, TOKENIZER_CL100K},
    {"gpt-35-turbo", true, TOKENIZER_CL100K}, /* Azure's spelling */
    {"davinci-002", false, TOKENIZER_CL100K},
    {"babbage-002", false, TOKENIZER_CL100K},
    {"text-embedding-", true, TOKENIZER_CL100K},
    {"text-davinci-edit-", true, TOKENIZER_P50K_EDIT},
    {"code-davinci-edit-", true, TOKENIZER_P50K_EDIT},
    {"text-davinci-001", false, TOKENIZER_R50K},
    {"text-davinci-", true, TOKENIZER_P50K},
    {"code-davinci-", true, TOKENIZER_P50K},
    {"code-cushman-", true, TOKENIZER_P50K},
    {"davinci-codex", false, TOKENIZER_P50K},
    {"cushman-codex", false, TOKENIZER_P50K},
    {"text-ada-", true, TOKENIZER_R50K},
    {"text-babbage-", true, TOKENIZER_R50K},
    {"text-curie-", true, TOKENIZER_R50K},
    {"text-similarity-", true, TOKENIZER_R50K},
    {"text-search-", true, TOKENIZER_R50K},
    {"code-search-", true, TOKENIZER_R50K},
    {"ada", false, TOKENIZER_R50K},
    {"babbage", false, TOKENIZER_R50K},
    {"curie", false, TOKENIZER_R50K},
    {"davinci", false, TOKENIZER_R50K},
    {"gpt2", false, TOKENIZER_R50K},
    {"gpt-2", false, TOKENIZER_R50K},
};

enum tokenizer_encoding tokenizer_for_model(struct str model)
{
    /* A fine-tuned model is "ft:<base>:<organization>:…"; it counts as its base does. */
    if (str_starts(model, STR("ft:"))) {
        model = str_from(model, 3);
        ptrdiff_t end = str_find(model, ':');
        model = end < 0 ? model : str_head(model, (size_t)end);
    }
    for (size_t i = 0; i < sizeof models / sizeof models[0]; i++) {
        struct str name = str_c(models[i].name);
        if (models[i].prefix ? str_starts(model, name) : str_eq(model, name))
            return models[i].encoding;
    }
    return TOKENIZER_O200K;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* A test checks with the tokenizer that each word is one token. */
#include "sim/model/phrase.h"

#include "sim/simid.h"

#define DEPTH_MAX 12

static const char *const firsts[] = {" The",  " This", " That", " It",   " We",   " You",  " They",  " There",
                                     " When", " If",   " One",  " Some", " Most", " Each", " Every", " In",
                                     " On",   " At",   " For",  " With", " From", " And",  " But",   " So",
                                     " Now",  " Then", " Here", " What", " How",  " All"};

static const char *const words[] = {
    " the",     " a",      " of",    " and",   " to",    " in",     " is",     " that",  " for",     " it",
    " was",     " on",     " are",   " as",    " with",  " they",   " be",     " at",    " one",     " have",
    " this",    " from",   " or",    " had",   " by",    " but",    " some",   " what",  " there",   " we",
    " can",     " out",    " other", " were",  " all",   " your",   " when",   " up",    " use",     " how",
    " said",    " an",     " each",  " she",   " which", " do",     " their",  " time",  " if",      " will",
    " way",     " about",  " many",  " then",  " them",  " would",  " like",   " so",    " these",   " her",
    " long",    " make",   " thing", " see",   " him",   " two",    " has",    " look",  " more",    " day",
    " could",   " go",     " come",  " did",   " my",    " sound",  " no",     " most",  " number",  " who",
    " over",    " know",   " water", " than",  " call",  " first",  " people", " may",   " down",    " side",
    " been",    " now",    " find",  " any",   " new",   " work",   " part",   " take",  " get",     " place",
    " made",    " live",   " where", " after", " back",  " little", " only",   " round", " man",     " year",
    " came",    " show",   " every", " good",  " me",    " give",   " our",    " under", " name",    " very",
    " through", " just",   " form",  " much",  " great", " think",  " say",    " help",  " low",     " line",
    " before",  " turn",   " cause", " same",  " mean",  " differ", " move",   " right", " boy",     " old",
    " too",     " does",   " tell",  " set",   " three", " want",   " air",    " well",  " also",    " play",
    " small",   " end",    " put",   " home",  " read",  " hand",   " port",   " large", " add",     " even",
    " land",    " here",   " must",  " big",   " high",  " such",   " follow", " act",   " why",     " ask",
    " men",     " change", " went",  " light", " kind",  " off",    " need",   " house", " picture", " try"};

#define FIRSTS (sizeof firsts / sizeof firsts[0])
#define WORDS (sizeof words / sizeof words[0])

void phrase_init(struct phrase *p, uint64_t seed)
{
    *p = (struct phrase){.g = {seed}};
}

struct str phrase_next(struct phrase *p)
{
    if (p->state == PHRASE_STOP) {
        p->state = PHRASE_SENTENCE;
        return STR(".");
    }
    uint64_t r = rng_seeded_u64(&p->g);
    if (p->state == PHRASE_WORDS) {
        if (--p->left == 0)
            p->state = PHRASE_STOP;
        return str_c(words[r % WORDS]);
    }
    struct str first = str_c(firsts[r % FIRSTS]);
    if (p->state == PHRASE_BEGIN)
        first = str_from(first, 1);
    p->state = PHRASE_WORDS;
    p->left = 5 + (unsigned)(r >> 32) % 9;
    return first;
}

bool phrase_prose(struct buf *out, uint64_t seed, uint64_t tokens)
{
    struct phrase p;
    phrase_init(&p, seed);
    for (uint64_t i = 0; i < tokens; i++)
        if (!buf_add_str(out, phrase_next(&p)))
            return false;
    return true;
}

uint64_t phrase_prose_bytes(struct buf *out, uint64_t seed, uint64_t bytes)
{
    struct phrase p;
    phrase_init(&p, seed);
    for (uint64_t n = 0;; n++) {
        struct str piece = phrase_next(&p);
        if (piece.n > bytes || !buf_add_str(out, piece))
            return n;
        bytes -= piece.n;
    }
}

size_t phrase_piece(struct str text, bool prose)
{
    size_t n = 1;
    if (!text.n)
        return 0;
    if (prose) {
        while (text.p[0] != '.' && n < text.n && text.p[n] != ' ' && text.p[n] != '.')
            n++;
        return n;
    }
    /* Whole UTF-8 characters. */
    for (unsigned chars = 1; n < text.n; n++)
        if (((unsigned char)text.p[n] & 0xc0) != 0x80 && ++chars > 4)
            break;
    return n;
}

uint64_t phrase_pieces(struct str text, bool prose)
{
    uint64_t n = 0;
    for (; text.n; n++)
        text = str_from(text, phrase_piece(text, prose));
    return n;
}

/* A value for a schema. Good enough to satisfy a validator for the usual keywords. */

static bool json_value(struct buf *out, struct jval root, struct jval schema, uint64_t seed, unsigned depth);

static bool json_quoted_prose(struct buf *out, uint64_t seed, uint64_t tokens)
{
    return buf_add_byte(out, '"') && phrase_prose(out, seed, tokens) && buf_add_byte(out, '"');
}

static bool json_text(struct buf *out, struct jval schema, uint64_t seed)
{
    static const struct {
        const char *format, *value;
    } formats[] = {{"date-time", "2026-01-02T03:04:05Z"},
                   {"date", "2026-01-02"},
                   {"time", "03:04:05"},
                   {"email", "someone@example.com"},
                   {"uuid", "123e4567-e89b-42d3-a456-426614174000"},
                   {"uri", "https://example.com/"},
                   {"ipv4", "192.0.2.1"},
                   {"ipv6", "2001:db8::1"},
                   {"hostname", "example.com"},
                   {"duration", "PT1M"}};
    struct jval format = jdoc_find(schema, "format");
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++)
        if (jdoc_is(format, formats[i].format))
            return buf_printf(out, "\"%s\"", formats[i].value);
    return json_quoted_prose(out, seed, 1 + seed % 5);
}

static bool json_number(struct buf *out, struct jval schema, uint64_t seed)
{
    struct jval least = jdoc_find(schema, "minimum");
    if (jdoc_has(least))
        return buf_add_str(out, jdoc_raw(least));
    uint64_t most = jdoc_count(jdoc_find(schema, "maximum"), 100);
    return buf_printf(out, "%llu", (unsigned long long)(seed % (most + 1)));
}

static bool json_object(struct buf *out, struct jval root, struct jval schema, uint64_t seed, unsigned depth)
{
    struct jval properties = jdoc_find(schema, "properties");
    bool ok = buf_add_byte(out, '{'), first = true;
    for (struct jval e = jdoc_first(properties); ok && jdoc_has(e); e = jdoc_next(properties, e)) {
        ok = (first || buf_add_byte(out, ',')) && buf_add_str(out, jdoc_raw(e)) && buf_add_byte(out, ':');
        first = false;
        ok = ok && json_value(out, root, jdoc_value(e), simid_hash(seed, jdoc_raw(e)), depth + 1);
    }
    return ok && buf_add_byte(out, '}');
}

static bool json_array(struct buf *out, struct jval root, struct jval schema, uint64_t seed, unsigned depth)
{
    uint64_t n = jdoc_count(jdoc_find(schema, "minItems"), 1);
    bool ok = buf_add_byte(out, '[');
    for (uint64_t i = 0; ok && i < n && i < 64; i++)
        ok = (i == 0 || buf_add_byte(out, ',')) &&
             json_value(out, root, jdoc_find(schema, "items"), simid_mix(seed, i), depth + 1);
    return ok && buf_add_byte(out, ']');
}

/* "#/$defs/name" in the document's root. */
static struct jval referred(struct jval root, struct jval schema)
{
    struct str ref = jdoc_escaped(jdoc_find(schema, "$ref")), part;
    char name[128];
    if (!str_starts(ref, STR("#")))
        return schema;
    struct jval at = root;
    ref = str_from(ref, 2);
    while (ref.n && str_split(&ref, '/', &part))
        at = jdoc_get(at, str_copy(name, sizeof name, part));
    return at;
}

static bool json_value(struct buf *out, struct jval root, struct jval schema, uint64_t seed, unsigned depth)
{
    schema = referred(root, schema);
    struct jval type = jdoc_find(schema, "type"), any = jdoc_find(schema, "anyOf"), fixed = jdoc_find(schema, "const");
    if (depth > DEPTH_MAX)
        return buf_add_str(out, STR("null"));
    if (jdoc_has(fixed))
        return buf_add_str(out, jdoc_raw(fixed));
    if (jdoc_size(jdoc_find(schema, "enum")))
        return buf_add_str(out, jdoc_raw(jdoc_first(jdoc_find(schema, "enum"))));
    if (jdoc_size(any))
        return json_value(out, root, jdoc_first(any), seed, depth + 1);
    if (jdoc_kind(type) == JDOC_ARRAY)
        type = jdoc_first(type);
    if (jdoc_is(type, "string"))
        return json_text(out, schema, seed);
    if (jdoc_is(type, "integer") || jdoc_is(type, "number"))
        return json_number(out, schema, seed);
    if (jdoc_is(type, "boolean"))
        return buf_add_str(out, seed & 1 ? STR("true") : STR("false"));
    if (jdoc_is(type, "null"))
        return buf_add_str(out, STR("null"));
    if (jdoc_is(type, "array"))
        return json_array(out, root, schema, seed, depth);
    return json_object(out, root, schema, seed, depth);
}

bool phrase_json(struct buf *out, struct jval schema, uint64_t seed)
{
    return json_value(out, schema, schema, seed, 0);
}

const char *phrase_word(size_t i)
{
    if (i < FIRSTS)
        return firsts[i];
    return i - FIRSTS < WORDS ? words[i - FIRSTS] : NULL;
}

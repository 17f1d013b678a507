/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A parser by recursive descent, a function for each rule of the grammar in vql.h. Every node lives in
 * the query's arena; lists are gathered as links and become arrays when they end. Depth and literals
 * are counted, so neither the stack nor the arena can be run over by a text of VQL_TEXT_MAX.
 */
#include "report/vql/vql.h"

#include "base/mem.h"
#include "base/must.h"
#include "base/utf8.h"
#include "report/vql/vql_inner.h"
#include "report/vql/vql_lex.h"

#define ARENA_FIRST 4096
#define ARENA_MAX (16u << 20)
#define NEAR_MAX 40

enum type { TEXT, BOOLEAN, SHARE, PROVIDER_NAME, LEDGER_NAME };

static const enum type types[] = {
#define X(name, text, type) type,
    VQL_FIELD_TABLE(X)
#undef X
};

static const struct {
    const char *text;
    enum vql_field field;
} aliases[] = {
#define X(text, name) {text, VQL_##name},
    VQL_ALIAS_TABLE(X)
#undef X
};

struct parser {
    struct arena *arena;
    struct vql_lex lex; /* stands at the word to be looked at next */
    struct vql_error *error;
    unsigned depth, literals;
};

/* A list that is being gathered. */
struct link {
    struct vql_node *node;
    struct str value;
    struct link *next;
};
struct list {
    struct link *first, **end;
    size_t count;
};

static struct vql_node *parse_or(struct parser *p);

/* --- errors ---------------------------------------------------------------------------------- */

/* The current word, short enough for a sentence, without a torn character. */
static struct str near_text(const struct parser *p)
{
    struct str s = str_head(p->lex.text, NEAR_MAX);
    while (s.n && s.n < p->lex.text.n && ((unsigned char)p->lex.text.p[s.n] & 0xc0) == 0x80)
        s.n--;
    return s;
}

static void *expected(struct parser *p, const char *what)
{
    size_t at = p->lex.at;
    struct str near = near_text(p);
    if (p->lex.word == VQL_WORD_DOUBLE_QUOTE)
        vql_error_set(p->error, at, "text stands in single quotes, not double ones, at position %zu near '\"'", at);
    else if (p->lex.word == VQL_WORD_OPEN_STRING)
        vql_error_set(p->error, at, "the text that begins at position %zu has no closing quote", at);
    else if (p->lex.word == VQL_WORD_END)
        vql_error_set(p->error, at, "expected %s at position %zu, where the filter ends", what, at);
    else if (p->lex.word == VQL_WORD_STRING)
        vql_error_set(p->error, at, "expected %s at position %zu near %.*s", what, at, STR_ARG(near));
    else
        vql_error_set(p->error, at, "expected %s at position %zu near '%.*s'", what, at, STR_ARG(near));
    return NULL;
}

static bool take(struct parser *p, enum vql_word word, const char *what)
{
    if (p->lex.word != word) {
        expected(p, what);
        return false;
    }
    vql_lex_next(&p->lex);
    return true;
}

/* --- lists ----------------------------------------------------------------------------------- */

static void list_init(struct list *l)
{
    *l = (struct list){.first = NULL};
    l->end = &l->first;
}

/* The cap of the arena is out of reach: literals and depth are bounded. */
static void *from_arena(struct parser *p, size_t size)
{
    void *m = arena_alloc(p->arena, size);
    must(m);
    return m;
}

static void list_add(struct parser *p, struct list *l, struct vql_node *node, struct str value)
{
    struct link *k = from_arena(p, sizeof *k);
    *k = (struct link){node, value, NULL};
    *l->end = k;
    l->end = &k->next;
    l->count++;
}

static void values_of(struct parser *p, const struct list *l, struct vql_node *n)
{
    struct str *values = from_arena(p, l->count * sizeof *values);
    size_t i = 0;
    for (const struct link *k = l->first; k; k = k->next)
        values[i++] = k->value;
    n->values = values;
    n->value_count = l->count;
}

static struct vql_node *node_new(struct parser *p, enum vql_kind kind, size_t at)
{
    struct vql_node *n = from_arena(p, sizeof *n);
    n->kind = kind;
    n->at = at;
    return n;
}

static struct vql_node *children_of(struct parser *p, enum vql_kind kind, const struct list *l)
{
    struct vql_node *n = node_new(p, kind, l->first->node->at);
    struct vql_node **children = from_arena(p, l->count * sizeof *children);
    size_t i = 0;
    for (const struct link *k = l->first; k; k = k->next)
        children[i++] = k->node;
    n->children = children;
    n->child_count = l->count;
    return n;
}

/* NOT of NOT is neither. */
static struct vql_node *negate(struct parser *p, struct vql_node *child, size_t at)
{
    struct list l;
    if (child->kind == VQL_NOT)
        return child->children[0];
    list_init(&l);
    list_add(p, &l, child, STR(""));
    struct vql_node *n = children_of(p, VQL_NOT, &l);
    n->at = at;
    return n;
}

/* --- literals -------------------------------------------------------------------------------- */

static bool count_literal(struct parser *p)
{
    if (++p->literals <= VQL_LITERALS_MAX)
        return true;
    vql_error_set(p->error, p->lex.at, "more than %d values, at position %zu", VQL_LITERALS_MAX, p->lex.at);
    return false;
}

/* The text of the current string. */
static struct str unquote(struct parser *p)
{
    struct str s = str_of(p->lex.text.p + 1, p->lex.text.n - 2);
    char *to = from_arena(p, s.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        to[n++] = s.p[i];
        i += s.p[i] == '\'';
    }
    return str_of(to, n);
}

static bool take_string(struct parser *p, struct str *ret)
{
    if (p->lex.word != VQL_WORD_STRING) {
        expected(p, "text in single quotes");
        return false;
    }
    if (!count_literal(p))
        return false;
    *ret = unquote(p);
    vql_lex_next(&p->lex);
    return true;
}

/* "0.5" in millionths; false for what is not above 0 and at most 1, or has more than six places. */
static bool share_of(struct str text, uint32_t *ret_ppm)
{
    struct str whole;
    uint64_t value = 0;
    uint32_t ppm = 0, unit = 1000000;
    str_split(&text, '.', &whole);
    if ((whole.n && !str_to_u64(whole, &value)) || value > 1)
        return false;
    for (size_t i = 0; text.p && i < text.n; i++) {
        if (text.p[i] < '0' || text.p[i] > '9' || (unit == 1 && text.p[i] != '0'))
            return false;
        unit = unit > 1 ? unit / 10 : 1;
        ppm += (uint32_t)(text.p[i] - '0') * unit;
    }
    ppm += (uint32_t)value * 1000000;
    *ret_ppm = ppm;
    return ppm > 0 && ppm <= 1000000;
}

/* --- tests ----------------------------------------------------------------------------------- */

static bool field_of(struct str name, enum vql_field *ret)
{
    for (unsigned f = 0; f < VQL_FIELD_COUNT; f++) {
        if (str_eq(name, str_c(vql_field_text((enum vql_field)f)))) {
            *ret = (enum vql_field)f;
            return true;
        }
    }
    for (size_t i = 0; i < sizeof aliases / sizeof aliases[0]; i++) {
        if (str_eq(name, str_c(aliases[i].text))) {
            *ret = aliases[i].field;
            return true;
        }
    }
    return false;
}

static bool take_field(struct parser *p, enum vql_field *ret)
{
    struct str name = near_text(p);
    size_t at = p->lex.at;
    if (p->lex.word != VQL_WORD_NAME) {
        expected(p, "a field such as costs.provider");
        return false;
    }
    if (!field_of(p->lex.text, ret)) {
        if (str_starts(p->lex.text, STR("resources.")))
            vql_error_set(p->error, at, "%.*s at position %zu is for resource reports; here are costs.… and tags.…",
                          STR_ARG(name), at);
        else
            vql_error_set(p->error, at, "unknown field %.*s at position %zu", STR_ARG(name), at);
        return false;
    }
    vql_lex_next(&p->lex);
    return true;
}

static struct vql_node *test_of(struct parser *p, enum vql_field f, enum vql_op op, struct str value, size_t at)
{
    struct vql_node *n = node_new(p, VQL_TEST, at);
    struct list l;
    n->field = f;
    n->op = op;
    list_init(&l);
    if (op != VQL_NULL) {
        list_add(p, &l, NULL, value);
        values_of(p, &l, n);
    }
    return n;
}

static struct vql_node *parse_share(struct parser *p, size_t at)
{
    uint32_t ppm;
    if (!take(p, VQL_WORD_EQ, "'=' (all that costs.allocation knows)"))
        return NULL;
    if (p->lex.word != VQL_WORD_NUMBER)
        return expected(p, "a number");
    if (!count_literal(p))
        return NULL;
    if (!share_of(p->lex.text, &ppm)) {
        vql_error_set(p->error, p->lex.at,
                      "costs.allocation is above 0, at most 1 and has up to six decimals, at position %zu", p->lex.at);
        return NULL;
    }
    vql_lex_next(&p->lex);
    struct vql_node *n = node_new(p, VQL_SHARE, at);
    n->share_ppm = ppm;
    return n;
}

static struct vql_node *parse_boolean(struct parser *p, enum vql_field f, size_t at)
{
    bool negated = p->lex.word == VQL_WORD_NE;
    if (!negated && p->lex.word != VQL_WORD_EQ)
        return expected(p, "'=' or '!='");
    vql_lex_next(&p->lex);
    if (p->lex.word != VQL_WORD_TRUE && p->lex.word != VQL_WORD_FALSE)
        return expected(p, "true or false");
    if (!count_literal(p))
        return NULL;
    struct vql_node *n = test_of(p, f, VQL_EQ, p->lex.word == VQL_WORD_TRUE ? STR("true") : STR("false"), at);
    vql_lex_next(&p->lex);
    return negated ? negate(p, n, at) : n;
}

/* A field of which one of few words is asked, with "=" only. */
static struct vql_node *parse_named(struct parser *p, enum vql_field f, size_t at)
{
    struct str value;
    if (p->lex.word != VQL_WORD_EQ) {
        vql_error_set(p->error, p->lex.at, "%s can be compared with '=' only, at position %zu", vql_field_text(f),
                      p->lex.at);
        return NULL;
    }
    vql_lex_next(&p->lex);
    size_t value_at = p->lex.at;
    if (!take_string(p, &value))
        return NULL;
    if (f == VQL_PROVIDER)
        return test_of(p, f, VQL_EQ, str_eq(value, STR("openai")) ? STR(VQL_OPEN_AI) : value, at);
    for (unsigned i = 0; i < VQL_LEDGER_COUNT; i++)
        if (str_eq(value, str_c(vql_ledger_text((enum vql_ledger)i))))
            return test_of(p, f, VQL_EQ, value, at);
    vql_error_set(p->error, value_at,
                  "costs.ledger is 'billed', 'metered', 'allocated' or 'estimated', at position %zu", value_at);
    return NULL;
}

static struct vql_node *parse_in(struct parser *p, enum vql_field f, size_t at)
{
    struct list l;
    struct str value;
    list_init(&l);
    vql_lex_next(&p->lex);
    if (!take(p, VQL_WORD_OPEN, "'('"))
        return NULL;
    do {
        if (!take_string(p, &value))
            return NULL;
        list_add(p, &l, NULL, value);
    } while (p->lex.word == VQL_WORD_COMMA && (vql_lex_next(&p->lex), true));
    if (!take(p, VQL_WORD_CLOSE, "',' or ')'"))
        return NULL;
    struct vql_node *n = node_new(p, VQL_TEST, at);
    n->field = f;
    n->op = VQL_IN;
    values_of(p, &l, n);
    return n;
}

static struct vql_node *parse_null(struct parser *p, enum vql_field f, size_t at)
{
    if (f == VQL_TAG_VALUE) {
        vql_error_set(p->error, p->lex.at, "tags.value is never NULL; untagged is tags.name = NULL, at position %zu",
                      p->lex.at);
        return NULL;
    }
    if (!count_literal(p))
        return NULL;
    vql_lex_next(&p->lex);
    return test_of(p, f, VQL_NULL, STR(""), at);
}

/* [NOT] IN, [NOT] LIKE, ~*, !~*, =, != and what follows; *ret_negated says whether NOT is to be put over it. */
static struct vql_node *parse_comparison(struct parser *p, enum vql_field f, size_t at, bool *ret_negated)
{
    struct str value;
    enum vql_op op;
    *ret_negated = p->lex.word == VQL_WORD_NOT || p->lex.word == VQL_WORD_NE || p->lex.word == VQL_WORD_NOT_FLEX;
    bool after_not = p->lex.word == VQL_WORD_NOT;
    if (after_not)
        vql_lex_next(&p->lex);
    if (p->lex.word == VQL_WORD_IN)
        return parse_in(p, f, at);
    if (p->lex.word == VQL_WORD_LIKE)
        op = VQL_LIKE;
    else if (after_not)
        return expected(p, "IN or LIKE after NOT");
    else if (p->lex.word == VQL_WORD_EQ || p->lex.word == VQL_WORD_NE)
        op = VQL_EQ;
    else if (p->lex.word == VQL_WORD_FLEX || p->lex.word == VQL_WORD_NOT_FLEX)
        op = VQL_FLEX;
    else
        return expected(p, "=, !=, IN, LIKE, ~* or NOT");
    vql_lex_next(&p->lex);
    if (op == VQL_EQ && p->lex.word == VQL_WORD_NULL)
        return parse_null(p, f, at);
    return take_string(p, &value) ? test_of(p, f, op, value, at) : NULL;
}

static struct vql_node *parse_test(struct parser *p)
{
    enum vql_field f;
    size_t at = p->lex.at;
    bool negated;
    if (!take_field(p, &f))
        return NULL;
    switch (types[f]) {
    case SHARE:
        return parse_share(p, at);
    case BOOLEAN:
        return parse_boolean(p, f, at);
    case PROVIDER_NAME:
    case LEDGER_NAME:
        return parse_named(p, f, at);
    case TEXT:
        break;
    }
    struct vql_node *n = parse_comparison(p, f, at, &negated);
    return n && negated ? negate(p, n, at) : n;
}

/* --- pairs ----------------------------------------------------------------------------------- */

/* "(tags.name," begins pairs; any other "(" a query. */
static bool at_pairs(const struct parser *p)
{
    struct vql_lex ahead = p->lex;
    if (ahead.word != VQL_WORD_OPEN)
        return false;
    vql_lex_next(&ahead);
    if (ahead.word != VQL_WORD_NAME)
        return false;
    vql_lex_next(&ahead);
    return ahead.word == VQL_WORD_COMMA;
}

static bool take_this_field(struct parser *p, enum vql_field f)
{
    if (p->lex.word == VQL_WORD_NAME && str_eq(p->lex.text, str_c(vql_field_text(f)))) {
        vql_lex_next(&p->lex);
        return true;
    }
    expected(p, vql_field_text(f));
    return false;
}

static bool take_pair(struct parser *p, struct list *l)
{
    struct str name, value;
    if (!take(p, VQL_WORD_OPEN, "'('") || !take_string(p, &name) || !take(p, VQL_WORD_COMMA, "','") ||
        !take_string(p, &value) || !take(p, VQL_WORD_CLOSE, "')'"))
        return false;
    list_add(p, l, NULL, name);
    list_add(p, l, NULL, value);
    return true;
}

static struct vql_node *parse_pairs(struct parser *p)
{
    size_t at = p->lex.at;
    struct list l;
    list_init(&l);
    vql_lex_next(&p->lex);
    if (!take_this_field(p, VQL_TAG_NAME) || !take(p, VQL_WORD_COMMA, "','") || !take_this_field(p, VQL_TAG_VALUE) ||
        !take(p, VQL_WORD_CLOSE, "')'"))
        return NULL;
    bool negated = p->lex.word == VQL_WORD_NOT;
    if (negated)
        vql_lex_next(&p->lex);
    if (!take(p, VQL_WORD_IN, negated ? "IN" : "IN or NOT IN") || !take(p, VQL_WORD_OPEN, "'('"))
        return NULL;
    do {
        if (!take_pair(p, &l))
            return NULL;
    } while (p->lex.word == VQL_WORD_COMMA && (vql_lex_next(&p->lex), true));
    if (!take(p, VQL_WORD_CLOSE, "',' or ')'"))
        return NULL;
    struct vql_node *n = node_new(p, VQL_PAIRS, at);
    values_of(p, &l, n);
    return negated ? negate(p, n, at) : n;
}

/* --- AND, OR, NOT ---------------------------------------------------------------------------- */

static bool enter(struct parser *p)
{
    if (++p->depth <= VQL_DEPTH_MAX)
        return true;
    vql_error_set(p->error, p->lex.at, "nested more than %d deep, at position %zu", VQL_DEPTH_MAX, p->lex.at);
    return false;
}

static struct vql_node *parse_unary(struct parser *p)
{
    struct vql_node *n;
    size_t at = p->lex.at;
    if (at_pairs(p))
        return parse_pairs(p);
    if (p->lex.word != VQL_WORD_NOT && p->lex.word != VQL_WORD_OPEN)
        return parse_test(p);
    if (!enter(p))
        return NULL;
    bool negated = p->lex.word == VQL_WORD_NOT;
    vql_lex_next(&p->lex);
    n = negated ? parse_unary(p) : parse_or(p);
    if (n && !negated && !take(p, VQL_WORD_CLOSE, "')'"))
        return NULL;
    p->depth--;
    return n && negated ? negate(p, n, at) : n;
}

/* Adds a child; one that is of the same kind gives its own children instead. */
static void add_flat(struct parser *p, struct list *l, enum vql_kind kind, struct vql_node *child)
{
    if (child->kind != kind) {
        list_add(p, l, child, STR(""));
        return;
    }
    for (size_t i = 0; i < child->child_count; i++)
        list_add(p, l, child->children[i], STR(""));
}

static struct vql_node *parse_list(struct parser *p, enum vql_kind kind)
{
    struct list l;
    enum vql_word between = kind == VQL_AND ? VQL_WORD_AND : VQL_WORD_OR;
    list_init(&l);
    do {
        struct vql_node *child = kind == VQL_AND ? parse_unary(p) : parse_list(p, VQL_AND);
        if (!child)
            return NULL;
        add_flat(p, &l, kind, child);
    } while (p->lex.word == between && (vql_lex_next(&p->lex), true));
    return l.count == 1 ? l.first->node : children_of(p, kind, &l);
}

static struct vql_node *parse_or(struct parser *p)
{
    return parse_list(p, VQL_OR);
}

/* --- the whole ------------------------------------------------------------------------------- */

static bool parse_all(struct vql *q, struct str text, struct vql_error *error)
{
    struct parser p = {.arena = q->arena, .lex = vql_lex_of(text), .error = error};
    if (text.n > VQL_TEXT_MAX) {
        vql_error_set(error, 0, "the filter is longer than %d bytes", VQL_TEXT_MAX);
        return false;
    }
    if (!utf8_valid(text)) {
        vql_error_set(error, 0, "the filter is not valid UTF-8");
        return false;
    }
    vql_lex_next(&p.lex);
    if (p.lex.word == VQL_WORD_END)
        return true;
    q->root = parse_or(&p);
    if (q->root && p.lex.word != VQL_WORD_END)
        q->root = expected(&p, "AND, OR or the end");
    return q->root && vql_check(q, error);
}

enum err vql_parse(struct str text, struct vql **ret, struct vql_error *error)
{
    struct vql *q = mem_zalloc(sizeof *q);
    q->arena = arena_new(ARENA_FIRST, ARENA_MAX);
    if (!parse_all(q, text, error)) {
        vql_free(q);
        return ERR_BAD_PARAMETER;
    }
    *ret = q;
    return ERR_OK;
}

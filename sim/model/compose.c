/* SPDX-License-Identifier: Apache-2.0 */
/* Lengths are small by default: 12 to 59 tokens of prose, so that tests are quick and answers readable. */
#include "sim/model/compose.h"

#include "base/must.h"
#include "sim/model/bill.h"
#include "sim/model/modelbook.h"
#include "sim/model/phrase.h"
#include "sim/model/tally.h"
#include "sim/simid.h"

#define PROSE_MIN 12
#define PROSE_SPREAD 48
#define TEXT_MAX (128u << 20)
#define THINK_STEP 64
/* What an answer is around its text, for --body-bytes: the rest is filled with blanks. */
#define BODY_FRAME 1400

static uint64_t think(struct call *c, const struct compose_ask *ask, uint64_t seed)
{
    static const struct {
        const char *effort;
        uint64_t steps;
    } efforts[] = {{"none", 0}, {"minimal", 0}, {"low", 2}, {"medium", 6}, {"high", 20}, {"xhigh", 40}, {"max", 60}};
    uint64_t steps = 6;
    if (cue_has(c->cue, CUE_REASONING_TOKENS))
        return c->cue->value[CUE_REASONING_TOKENS].count;
    if (!modelbook_reasons(ask->model))
        return 0;
    for (size_t i = 0; i < sizeof efforts / sizeof efforts[0]; i++)
        if (str_eq(str_c(efforts[i].effort), ask->effort))
            steps = efforts[i].steps;
    return steps ? THINK_STEP * (1 + simid_mix(seed, 3) % steps) : 0;
}

enum tokenizer_encoding compose_encoding(struct str model)
{
    return tokenizer_for_model(model);
}

static void keep_text(struct call *c, struct compose *say, struct buf *text)
{
    say->text = arena_dup(c->arena, buf_str(text));
    if (!say->text.p)
        say->text = STR("");
    buf_free(text);
}

static void say_prose(struct call *c, uint64_t seed, uint64_t tokens, struct compose *say)
{
    struct buf text;
    uint64_t body = cue_count(c->cue, CUE_BODY_BYTES, 0);
    buf_init(&text, TEXT_MAX);
    if (body > BODY_FRAME && !cue_has(c->cue, CUE_EVENTS))
        tokens = phrase_prose_bytes(&text, seed, body - BODY_FRAME);
    else if (!phrase_prose(&text, seed, tokens))
        tokens = phrase_pieces(buf_str(&text), true);
    say->prose = true;
    say->text_tok = tokens;
    keep_text(c, say, &text);
}

static void say_other(struct call *c, struct str text, const struct compose_ask *ask, struct compose *say)
{
    say->prose = false;
    say->text = text;
    say->text_tok = tally_text(c->sim->tally, compose_encoding(ask->model), text);
}

static void say_json(struct call *c, struct jval schema, uint64_t seed, const struct compose_ask *ask,
                     struct compose *say)
{
    struct buf text;
    buf_init(&text, TEXT_MAX);
    if (jdoc_has(schema))
        must(phrase_json(&text, schema, seed));
    else
        must(buf_add_str(&text, STR("{\"answer\":\"")) && phrase_prose(&text, seed, 8) &&
             buf_add_str(&text, STR("\"}")));
    keep_text(c, say, &text);
    say_other(c, say->text, ask, say);
}

/* Texts that are not prose are cut in proportion. */
static void limit(struct call *c, const struct compose_ask *ask, uint64_t seed, struct compose *say)
{
    uint64_t max = ask->tokens_max;
    if (!max || say->reasoning_tok + say->text_tok <= max)
        return;
    say->cut = true;
    if (say->reasoning_tok > max)
        say->reasoning_tok = max;
    uint64_t left = max - say->reasoning_tok;
    if (say->prose) {
        struct buf text;
        buf_init(&text, TEXT_MAX);
        if (phrase_prose(&text, seed, left))
            say->text_tok = left;
        keep_text(c, say, &text);
        return;
    }
    size_t n = say->text_tok ? (size_t)(say->text.n * left / say->text_tok) : 0;
    while (n > 0 && n < say->text.n && ((unsigned char)say->text.p[n] & 0xc0) == 0x80)
        n--;
    say->text.n = n;
    say->text_tok = left;
}

void compose_make(struct call *c, const struct compose_ask *ask, unsigned index, struct compose *ret)
{
    uint64_t seed = simid_mix(c->seed, index);
    *ret = (struct compose){.kind = COMPOSE_TEXT, .reasoning_tok = think(c, ask, seed)};
    if (ask->tool.n) {
        ret->kind = ask->tool_is_custom ? COMPOSE_CUSTOM_TOOL : COMPOSE_TOOL;
        ret->tool = arena_dup(c->arena, ask->tool);
        if (ask->tool_is_custom)
            say_prose(c, seed, 6, ret);
        else
            say_json(c, ask->tool_schema, seed, ask, ret);
        ret->text_tok += tally_text(c->sim->tally, compose_encoding(ask->model), ret->tool);
    } else if (cue_has(c->cue, CUE_TEXT)) {
        say_other(c, cue_text(c->cue, CUE_TEXT), ask, ret);
    } else if (ask->json || jdoc_has(ask->schema)) {
        say_json(c, ask->schema, seed, ask, ret);
    } else {
        say_prose(c, seed, cue_count(c->cue, CUE_EVENTS, PROSE_MIN + simid_mix(seed, 5) % PROSE_SPREAD), ret);
    }
    limit(c, ask, seed, ret);
}

/* The tool that "tool_choice" names: {"type":"function","function":{"name":…}} or {"type":…,"name":…}. */
static struct str chosen_name(struct call *c, struct jval choice)
{
    static const char *const inside[] = {"function", "custom"};
    struct jval name = jdoc_find(choice, "name");
    for (int i = 0; i < 2 && !jdoc_has(name); i++)
        name = jdoc_find(jdoc_find(choice, inside[i]), "name");
    return jdoc_text(name, c->arena);
}

static bool take_tool(struct call *c, struct jval tool, bool nested, struct str wanted, struct compose_ask *ask)
{
    bool custom = jdoc_is(jdoc_find(tool, "type"), "custom");
    if (!custom && !jdoc_is(jdoc_find(tool, "type"), "function"))
        return false;
    struct jval inner = nested ? jdoc_find(tool, custom ? "custom" : "function") : tool;
    struct str name = jdoc_text(jdoc_find(inner, "name"), c->arena);
    if (!name.n || (wanted.n && !str_eq(wanted, name)))
        return false;
    ask->tool = name;
    ask->tool_schema = jdoc_find(inner, "parameters");
    ask->tool_is_custom = custom;
    return true;
}

void compose_choose_tool(struct call *c, struct jval tools, struct jval choice, bool nested, bool answered,
                         struct compose_ask *ask)
{
    struct str wanted = jdoc_kind(choice) == JDOC_OBJECT ? chosen_name(c, choice) : STR("");
    bool forced = wanted.n || jdoc_is(choice, "required");
    if (cue_has(c->cue, CUE_TOOL)) {
        if (cue_text_is(c->cue, CUE_TOOL, "never"))
            return;
        wanted = cue_text(c->cue, CUE_TOOL);
    } else if (jdoc_is(choice, "none") || (answered && !forced)) {
        return;
    }
    for (struct jval t = jdoc_first(tools); jdoc_has(t); t = jdoc_next(tools, t))
        if (take_tool(c, t, nested, wanted, ask))
            return;
}

struct str compose_piece(struct call *c, const struct compose *say, uint64_t *at)
{
    struct str rest = str_from(say->text, (size_t)*at);
    struct str piece = str_head(rest, phrase_piece(rest, say->prose && say->kind == COMPOSE_TEXT));
    uint64_t before = say->text.n ? say->text_tok * *at / say->text.n : 0;
    *at += piece.n;
    uint64_t after = say->text.n ? say->text_tok * *at / say->text.n : 0;
    if (say->prose && say->kind == COMPOSE_TEXT)
        c->bill->output += 1;
    else
        c->bill->output += after - before;
    return piece;
}

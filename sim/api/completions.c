/* SPDX-License-Identifier: Apache-2.0 */
/* POST /completions: the old text completions, and /engines/{}/completions and /edits before them. */
#include "base/must.h"
#include "sim/api/api.h"
#include "sim/api/chat.h"
#include "sim/http/apierr.h"
#include "sim/http/reply.h"
#include "sim/model/bill.h"
#include "sim/model/phrase.h"
#include "sim/model/tally.h"

#define TOKENS_DEFAULT 16
#define CHOICES_MAX 2048

struct choice {
    struct compose say;
    struct str echo; /* escaped JSON text of the prompt, "" when it is not echoed */
    uint64_t at;
    bool over, echoed;
};

struct completion {
    struct str id, model, prefix;
    int64_t created;
    unsigned n, turn, tail;
    bool include_usage, logprobs;
    unsigned top_logprobs;
    struct choice *choice;
};

static uint64_t count_prompt(struct call *c, struct str model, struct jval prompt)
{
    if (jdoc_kind(prompt) == JDOC_ARRAY)
        return jdoc_size(prompt);
    return tally_escaped(c->sim->tally, compose_encoding(model), jdoc_escaped(prompt));
}

/* One prompt, or several: an array of strings or of arrays of tokens. */
static bool is_list(struct jval prompt)
{
    enum jdoc_kind first = jdoc_kind(jdoc_first(prompt));
    return jdoc_kind(prompt) == JDOC_ARRAY && (first == JDOC_STRING || first == JDOC_ARRAY);
}

static void decide(struct call *c, struct completion *k, struct jval prompt, unsigned copies, unsigned best_of,
                   unsigned *at)
{
    struct compose_ask ask = {.model = k->model};
    ask.tokens_max = jdoc_count(jdoc_find(c->json, "max_tokens"), TOKENS_DEFAULT);
    c->bill->input += count_prompt(c, k->model, prompt);
    for (unsigned i = 0; i < copies; i++) {
        struct choice *choice = &k->choice[*at];
        compose_make(c, &ask, *at, &choice->say);
        choice->say.reasoning_tok = 0;
        if (jdoc_true(jdoc_find(c->json, "echo")))
            choice->echo = arena_dup(c->arena, jdoc_escaped(prompt));
        ++*at;
    }
    /* best_of makes more than it shows; all of it is paid. */
    for (unsigned i = copies; i < best_of; i++) {
        struct compose hidden;
        compose_make(c, &ask, 10000 + i, &hidden);
        c->bill->output += hidden.text_tok;
    }
}

static bool decide_all(struct call *c, struct completion *k)
{
    struct jval prompt = jdoc_find(c->json, "prompt");
    uint64_t n = jdoc_count(jdoc_find(c->json, "n"), 1), best_of = jdoc_count(jdoc_find(c->json, "best_of"), n);
    uint64_t prompts = is_list(prompt) ? jdoc_size(prompt) : 1;
    unsigned at = 0;
    if (n < 1 || n > 128 || best_of < n || best_of > 128 || n * prompts > CHOICES_MAX) {
        apierr_invalid(c, "n", "'n' must be at least 1 and not above 'best_of', which must not be above 128.");
        return false;
    }
    k->n = (unsigned)(n * prompts);
    k->choice = arena_alloc(c->arena, k->n * sizeof *k->choice);
    must(k->choice != NULL);
    if (is_list(prompt))
        for (struct jval p = jdoc_first(prompt); jdoc_has(p); p = jdoc_next(prompt, p))
            decide(c, k, p, (unsigned)n, (unsigned)best_of, &at);
    else
        decide(c, k, prompt, (unsigned)n, (unsigned)best_of, &at);
    return true;
}

static void write_logprobs(const struct completion *k, struct json_write *w, struct str text)
{
    if (!k->logprobs) {
        json_write_null(w);
        return;
    }
    struct str rest = text;
    uint64_t offset = 0;
    json_write_object(w);
    json_write_key(w, STR("tokens"));
    json_write_array(w);
    for (size_t n; rest.n; rest = str_from(rest, n))
        json_write_string(w, str_head(rest, n = phrase_piece(rest, true)));
    json_write_array_end(w);
    json_write_key(w, STR("token_logprobs"));
    json_write_array(w);
    for (rest = text; rest.n; rest = str_from(rest, phrase_piece(rest, true)))
        json_write_raw(w, STR("-0.25"));
    json_write_array_end(w);
    json_write_member_null(w, "top_logprobs");
    json_write_key(w, STR("text_offset"));
    json_write_array(w);
    for (rest = text; rest.n; rest = str_from(rest, phrase_piece(rest, true))) {
        json_write_uint(w, offset);
        offset += phrase_piece(rest, true);
    }
    json_write_array_end(w);
    json_write_object_end(w);
}

/* {"text":…,"index":…,"logprobs":…,"finish_reason":…} */
static void write_choice(const struct completion *k, struct json_write *w, unsigned i, struct str echo, struct str text,
                         const char *finish)
{
    struct buf whole;
    buf_init(&whole, (size_t)1 << 30);
    must(json_write_quoted(&whole, text));
    json_write_object(w);
    if (echo.n) {
        struct buf joined;
        buf_init(&joined, (size_t)1 << 30);
        must(buf_add_byte(&joined, '"') && buf_add_str(&joined, echo) &&
             buf_add_str(&joined, str_from(buf_str(&whole), 1)));
        json_write_member_raw(w, "text", buf_str(&joined));
        buf_free(&joined);
    } else {
        json_write_member_raw(w, "text", buf_str(&whole));
    }
    json_write_member_uint(w, "index", i);
    json_write_key(w, STR("logprobs"));
    write_logprobs(k, w, text);
    if (finish)
        json_write_member_string(w, "finish_reason", str_c(finish));
    else
        json_write_member_null(w, "finish_reason");
    json_write_object_end(w);
    buf_free(&whole);
}

static const char *finish_of(const struct choice *choice)
{
    return choice->say.cut ? "length" : "stop";
}

static void write_head(const struct completion *k, struct json_write *w)
{
    json_write_member_string(w, "id", k->id);
    json_write_member_string(w, "object", STR("text_completion"));
    json_write_member_int(w, "created", k->created);
    json_write_member_string(w, "model", k->model);
}

static void answer_whole(struct call *c, struct completion *k)
{
    struct reply r;
    struct json_write *w = reply_begin(&r);
    write_head(k, w);
    json_write_key(w, STR("choices"));
    json_write_array(w);
    for (unsigned i = 0; i < k->n; i++) {
        struct choice *choice = &k->choice[i];
        c->bill->output += choice->say.text_tok;
        write_choice(k, w, i, choice->echo, choice->say.text, finish_of(choice));
    }
    json_write_array_end(w);
    bill_cue(c);
    if (bill_wanted(c)) {
        json_write_key(w, STR("usage"));
        bill_write_chat(c, w);
    }
    if (call_on_azure(c))
        chat_write_prompt_filter(c, w);
    reply_send(c, &r, 200);
}

static enum answer_step tail(struct call *c, struct completion *k, struct buf *out)
{
    struct json_write w;
    if (k->tail++ == 0) {
        bill_cue(c);
        if (k->include_usage && bill_wanted(c)) {
            must(buf_add_str(out, STR("data: ")));
            json_write_init(&w, out);
            json_write_object(&w);
            write_head(k, &w);
            json_write_key(&w, STR("choices"));
            json_write_array(&w);
            json_write_array_end(&w);
            json_write_key(&w, STR("usage"));
            bill_write_chat(c, &w);
            json_write_object_end(&w);
            must(json_write_done(&w) && buf_add_str(out, STR("\n\n")));
            return ANSWER_MORE;
        }
    }
    must(buf_add_str(out, STR("data: [DONE]\n\n")));
    return ANSWER_LAST;
}

static unsigned next_choice(struct completion *k)
{
    for (unsigned j = 0; j < k->n; j++) {
        unsigned i = (k->turn + j) % k->n;
        if (!k->choice[i].over) {
            k->turn = i + 1;
            return i;
        }
    }
    return k->n;
}

static enum answer_step next(struct call *c, struct buf *out)
{
    struct completion *k = c->answer.state;
    struct json_write w;
    unsigned i = next_choice(k);
    if (i == k->n)
        return tail(c, k, out);
    struct choice *choice = &k->choice[i];
    struct str echo = choice->echoed ? STR("") : choice->echo, piece = STR("");
    const char *finish = NULL;
    choice->echoed = true;
    if (choice->at < choice->say.text.n) {
        piece = compose_piece(c, &choice->say, &choice->at);
    } else {
        finish = finish_of(choice);
        choice->over = true;
    }
    must(buf_add_str(out, STR("data: ")));
    json_write_init(&w, out);
    json_write_object(&w);
    write_head(k, &w);
    json_write_key(&w, STR("choices"));
    json_write_array(&w);
    write_choice(k, &w, i, echo, piece, finish);
    json_write_array_end(&w);
    if (k->include_usage && bill_wanted(c))
        json_write_member_null(&w, "usage");
    json_write_object_end(&w);
    must(json_write_done(&w) && buf_add_str(out, STR("\n\n")));
    return ANSWER_MORE;
}

static struct completion *begin(struct call *c)
{
    struct str asked;
    if (str_starts(c->path, STR("/engines/")))
        str_copy(c->model_asked, sizeof c->model_asked, c->args[0]);
    if (!api_model(c, &asked))
        return NULL;
    struct completion *k = arena_alloc(c->arena, sizeof *k);
    must(k != NULL);
    k->model = api_answering_model(c, asked);
    k->id = call_id(c, "cmpl-", 29);
    k->created = call_now(c);
    k->include_usage = jdoc_true(jdoc_find(jdoc_find(c->json, "stream_options"), "include_usage"));
    k->logprobs = jdoc_has(jdoc_find(c->json, "logprobs"));
    bill_new(c, CALL_WORK_COMPLETIONS);
    bill_name(c, k->model, STR(""));
    return k;
}

void api_completions_create(struct call *c)
{
    struct completion *k = begin(c);
    if (!k)
        return;
    if (!jdoc_has(jdoc_find(c->json, "prompt")))
        apierr_missing(c, "prompt");
    if (c->answer.begun || !decide_all(c, k)) {
        bill_drop(c);
        return;
    }
    if (jdoc_true(jdoc_find(c->json, "stream")) && !c->captured)
        answer_stream(c, ANSWER_CHAT, next, k);
    else
        answer_whole(c, k);
}

/* {model, input, instruction}: gone from OpenAI, still spoken by old clients. */
void api_edits_create(struct call *c)
{
    struct completion *k = begin(c);
    struct compose say;
    struct reply r;
    if (!k)
        return;
    if (!jdoc_has(jdoc_find(c->json, "instruction"))) {
        apierr_missing(c, "instruction");
        bill_drop(c);
        return;
    }
    struct compose_ask ask = {.model = k->model};
    compose_make(c, &ask, 0, &say);
    c->bill->input = count_prompt(c, k->model, jdoc_find(c->json, "instruction")) +
                     count_prompt(c, k->model, jdoc_find(c->json, "input"));
    c->bill->output = say.text_tok;
    bill_cue(c);
    struct json_write *w = reply_begin(&r);
    json_write_member_string(w, "object", STR("edit"));
    json_write_member_int(w, "created", k->created);
    json_write_key(w, STR("choices"));
    json_write_array(w);
    json_write_object(w);
    json_write_member_string(w, "text", say.text);
    json_write_member_uint(w, "index", 0);
    json_write_object_end(w);
    json_write_array_end(w);
    if (bill_wanted(c)) {
        json_write_key(w, STR("usage"));
        bill_write_chat(c, w);
    }
    reply_send(c, &r, 200);
}

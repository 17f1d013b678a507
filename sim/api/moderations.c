/* SPDX-License-Identifier: Apache-2.0 */
/* POST /moderations: free, and easily satisfied: only the word "attack" is held for violence. */
#include "sim/api/api.h"
#include "sim/http/apierr.h"
#include "sim/http/reply.h"
#include "sim/model/bill.h"
#include "sim/model/tally.h"

static const char *const categories[] = {"harassment",
                                         "harassment/threatening",
                                         "hate",
                                         "hate/threatening",
                                         "illicit",
                                         "illicit/violent",
                                         "self-harm",
                                         "self-harm/instructions",
                                         "self-harm/intent",
                                         "sexual",
                                         "sexual/minors",
                                         "violence",
                                         "violence/graphic"};
#define CATEGORIES (sizeof categories / sizeof categories[0])
#define VIOLENCE 11

static void write_result(struct json_write *w, struct str text)
{
    bool flagged = text.n >= 6 && str_search(text, STR("attack")) >= 0;
    json_write_object(w);
    json_write_member_bool(w, "flagged", flagged);
    json_write_key(w, STR("categories"));
    json_write_object(w);
    for (size_t i = 0; i < CATEGORIES; i++)
        json_write_member_bool(w, categories[i], flagged && i == VIOLENCE);
    json_write_object_end(w);
    json_write_key(w, STR("category_scores"));
    json_write_object(w);
    for (size_t i = 0; i < CATEGORIES; i++)
        json_write_member_raw(w, categories[i], flagged && i == VIOLENCE ? STR("0.93") : STR("0.0001"));
    json_write_object_end(w);
    json_write_key(w, STR("category_applied_input_types"));
    json_write_object(w);
    for (size_t i = 0; i < CATEGORIES; i++)
        json_write_member_raw(w, categories[i], STR("[\"text\"]"));
    json_write_object_end(w);
    json_write_object_end(w);
}

static void moderate(struct call *c, struct json_write *w, struct jval text)
{
    c->bill->input += tally_escaped(c->sim->tally, TOKENIZER_O200K, jdoc_escaped(text));
    write_result(w, jdoc_escaped(text));
}

void api_moderations_create(struct call *c)
{
    struct jval input = jdoc_find(c->json, "input");
    struct reply r;
    if (!jdoc_has(input)) {
        apierr_missing(c, "input");
        return;
    }
    struct str model = c->model_asked[0] ? str_c(c->model_asked) : STR("omni-moderation-latest");
    bill_new(c, CALL_WORK_MODERATIONS);
    bill_name(c, model, STR(""));
    struct json_write *w = reply_begin(&r);
    json_write_member_string(w, "id", call_id(c, "modr-", 32));
    json_write_member_string(w, "model", model);
    json_write_key(w, STR("results"));
    json_write_array(w);
    if (jdoc_kind(input) == JDOC_ARRAY && jdoc_kind(jdoc_first(input)) == JDOC_STRING)
        for (struct jval t = jdoc_first(input); jdoc_has(t); t = jdoc_next(input, t))
            moderate(c, w, t);
    else if (jdoc_kind(input) == JDOC_ARRAY)
        moderate(c, w, jdoc_find(jdoc_first(input), "text")); /* parts make one input */
    else
        moderate(c, w, input);
    json_write_array_end(w);
    reply_send(c, &r, 200);
}

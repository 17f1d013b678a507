/* SPDX-License-Identifier: Apache-2.0 */
/* tollgate reprice: gives stored requests the costs that today's prices say. */
#include <stdio.h>

#include "base/json_write.h"
#include "base/must.h"
#include "cli/api.h"

#define X(name, kind, fallback, env, min, max, metavar, text) \
    {name, OPTION_##kind, fallback, env, min, max, metavar, text},
static const struct option options[] = {
    {"since", OPTION_TEXT, NULL, NULL, 0, 0, "TIME", "From this time on, such as 2026-11-01. Default: the beginning."},
    {"until", OPTION_TEXT, NULL, NULL, 0, 0, "TIME", "Up to this time. Default: now."},
    {"all", OPTION_FLAG, NULL, NULL, 0, 0, NULL,
     "Also requests that have a cost already; otherwise unpriced ones only."},
    {"json", OPTION_FLAG, NULL, NULL, 0, 0, NULL, "Print the server's answer."},
    API_OPTIONS(X)};
#undef X

static int run(const struct command *self, struct option_value *values, int operand_count, char **operands)
{
    struct buf body;
    struct json_write w;
    struct api_answer answer;
    (void)operand_count;
    (void)operands;
    buf_init(&body, API_TEXT_MAX);
    json_write_init(&w, &body);
    json_write_object(&w);
    if (option_get(self, values, "since")->given)
        json_write_member_string(&w, "since", option_get(self, values, "since")->text);
    if (option_get(self, values, "until")->given)
        json_write_member_string(&w, "until", option_get(self, values, "until")->text);
    json_write_member_bool(&w, "all", option_get(self, values, "all")->given);
    json_write_object_end(&w);
    bool ok = json_write_done(&w);
    must(ok);
    int status = api_call(self, values, "POST", STR("/tollgate/v1/prices/reprice"), buf_str(&body), &answer);
    if (status == EXIT_DONE && option_get(self, values, "json")->given) {
        printf("%.*s\n", STR_ARG(buf_str(&answer.body)));
    } else if (status == EXIT_DONE) {
        json_t *root = api_json(&answer);
        printf("%lld requests looked at, %lld changed: %s USD before, %s USD now; %lld still unpriced\n",
               api_int(root, "looked_at"), api_int(root, "changed"), api_text(root, "before_usd"),
               api_text(root, "after_usd"), api_int(root, "still_unpriced"));
        json_decref(root);
    }
    api_answer_free(&answer);
    buf_free(&body);
    return status;
}

const struct command command_reprice = {"reprice",
                                        "",
                                        "Give stored requests the costs that today's prices say.",
                                        options,
                                        sizeof options / sizeof options[0],
                                        run};

/* SPDX-License-Identifier: Apache-2.0 */
/* tollgate notify test: has the server send a message now, and says what went wrong. */
#include <jansson.h>
#include <stdio.h>

#include "base/json_write.h"
#include "base/must.h"
#include "cli/api.h"

#define X(name, kind, fallback, env, min, max, metavar, text) \
    {name, OPTION_##kind, fallback, env, min, max, metavar, text},
static const struct option options[] = {
    {"to", OPTION_TEXT, NULL, NULL, 0, 0, "ADDRESS", "A mail address, or the name of a stored channel."},
    API_OPTIONS(X)};
#undef X

static int show(const struct api_answer *answer, struct str to)
{
    json_t *root = api_json(answer);
    bool sent = json_is_true(json_object_get(root, "sent"));
    if (sent)
        printf("sent to %.*s\n", STR_ARG(to));
    else
        fprintf(stderr, "tollgate notify test: not sent: %s\n", api_text(root, "error"));
    json_decref(root);
    return sent ? EXIT_DONE : EXIT_FAILED;
}

static int run(const struct command *self, struct option_value *values, int operand_count, char **operands)
{
    struct buf body;
    struct json_write w;
    struct api_answer answer;
    struct str to = option_get(self, values, "to")->text;
    (void)operand_count;
    (void)operands;
    if (!to.n) {
        fprintf(stderr, "tollgate notify test: --to says whom: a mail address or the name of a channel\n");
        return EXIT_USAGE;
    }
    buf_init(&body, API_TEXT_MAX);
    json_write_init(&w, &body);
    json_write_object(&w);
    json_write_member_string(&w, "to", to);
    json_write_object_end(&w);
    bool ok = json_write_done(&w);
    must(ok);
    int status = api_call(self, values, "POST", STR("/tollgate/v1/notifications/test"), buf_str(&body), &answer);
    if (status == EXIT_DONE)
        status = show(&answer, to);
    buf_free(&body);
    api_answer_free(&answer);
    return status;
}

const struct command command_notify_test = {"notify test",
                                            "",
                                            "Send a test message, and say what went wrong.",
                                            options,
                                            sizeof options / sizeof options[0],
                                            run};

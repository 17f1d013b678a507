/* SPDX-License-Identifier: Apache-2.0 */
/* tollgate login | logout: a person lets this command line in, in a browser anywhere (RFC 8628). */
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "base/json_write.h"
#include "base/must.h"
#include "cli/person/saved.h"

#define SLOWER_S 5
#define INTERVAL_MAX_S 60

#define URL_OPTION                                                                              \
    {                                                                                           \
        "url", OPTION_TEXT, "http://127.0.0.1:8787", "TOLLGATE_URL", 0, 0, "URL", "The server." \
    }
static const struct option login_options[] = {URL_OPTION};
static const struct option logout_options[] = {URL_OPTION};

/* POST of an object with the members given in pairs of name and value. */
static int post(const struct command *c, const struct option_value *values, const char *path, const char *const *pairs,
                struct api_answer *ret)
{
    struct buf body;
    struct json_write w;
    buf_init(&body, API_TEXT_MAX);
    json_write_init(&w, &body);
    json_write_object(&w);
    for (; pairs[0]; pairs += 2)
        json_write_member_string(&w, pairs[0], str_c(pairs[1]));
    json_write_object_end(&w);
    bool ok = json_write_done(&w);
    must(ok);
    int code = api_call_with(c, values, "POST", str_c(path), buf_str(&body), STR(""), ret);
    buf_free(&body);
    return code;
}

static int refused(const struct command *c, const json_t *answer, int status)
{
    const char *why = json_string_value(json_object_get(answer, "message"));
    if (why)
        fprintf(stderr, "tollgate %s: %s\n", c->name, why);
    else
        fprintf(stderr, "tollgate %s: the server answered with status %d; is --url right?\n", c->name, status);
    return EXIT_REFUSED;
}

static void wait_s(long long seconds)
{
    struct timespec t = {(time_t)seconds, 0};
    while (nanosleep(&t, &t) != 0)
        ;
}

/* Asks until somebody has answered: EXIT_DONE and *ret_tokens. */
static int await_answer(const struct command *c, const struct option_value *values, const char *code,
                        long long interval, int64_t until_us, json_t **ret_tokens)
{
    const char *const pairs[] = {"grant_type",  "urn:ietf:params:oauth:grant-type:device_code",
                                 "client_id",   "tollgate command line",
                                 "device_code", code,
                                 NULL};
    while (clock_wall_us() < until_us) {
        struct api_answer answer;
        wait_s(interval);
        int done = post(c, values, "/v0/oauth/token", pairs, &answer);
        if (done != EXIT_DONE)
            return done;
        json_t *said = api_json(&answer);
        int status = answer.status;
        api_answer_free(&answer);
        if (status == 200) {
            *ret_tokens = said;
            return EXIT_DONE;
        }
        struct str error = str_c(json_string_value(json_object_get(said, "error")));
        bool slower = str_eq(error, STR("slow_down"));
        if (!slower && !str_eq(error, STR("authorization_pending"))) {
            done = refused(c, said, status);
            json_decref(said);
            return done;
        }
        if (slower && interval < INTERVAL_MAX_S)
            interval += SLOWER_S;
        json_decref(said);
    }
    fprintf(stderr, "tollgate %s: nobody confirmed within ten minutes; run it again\n", c->name);
    return EXIT_REFUSED;
}

/* Who it is, for the last line; nothing when that cannot be asked. */
static void print_who(const struct command *c, const struct option_value *values, const json_t *tokens)
{
    struct api_answer answer;
    struct str token = str_c(json_string_value(json_object_get(tokens, "access_token")));
    struct str url = option_get(c, values, "url")->text;
    if (api_call_with(c, values, "GET", STR("/tollgate/v1/session"), STR(""), token, &answer) != EXIT_DONE)
        return;
    json_t *me = api_json(&answer);
    const char *name = json_string_value(json_object_get(json_object_get(me, "member"), "name"));
    if (answer.status == 200 && name)
        printf("Signed in to %.*s as %s.\n", STR_ARG(url), name);
    else
        printf("Signed in to %.*s. You are in no workspace yet; ask an admin to put you into one.\n", STR_ARG(url));
    json_decref(me);
    api_answer_free(&answer);
}

static int confirm(const struct command *self, const struct option_value *values, const json_t *asked)
{
    json_t *tokens = NULL;
    const char *code = json_string_value(json_object_get(asked, "device_code"));
    long long interval = api_int(asked, "interval"), lasts = api_int(asked, "expires_in");
    if (!code || interval < 1 || interval > INTERVAL_MAX_S || lasts < 1) {
        fprintf(stderr, "tollgate login: the server's answer has no code; is --url right?\n");
        return EXIT_REFUSED;
    }
    printf("Open this page, sign in, and confirm the code %s:\n\n    %s\n\nWaiting ...\n", api_text(asked, "user_code"),
           api_text(asked, "verification_uri_complete"));
    fflush(stdout);
    int done = await_answer(self, values, code, interval, clock_wall_us() + lasts * 1000000, &tokens);
    if (done == EXIT_DONE && !saved_put(self, option_get(self, values, "url")->text, tokens))
        done = EXIT_FAILED;
    if (done == EXIT_DONE)
        print_who(self, values, tokens);
    json_decref(tokens);
    return done;
}

static int login(const struct command *self, struct option_value *values, int operand_count, char **operands)
{
    static const char *const pairs[] = {"client_id", "tollgate command line", NULL};
    struct api_answer answer;
    (void)operand_count;
    (void)operands;
    int done = post(self, values, "/v0/oauth/device", pairs, &answer);
    if (done != EXIT_DONE)
        return done;
    json_t *asked = api_json(&answer);
    done = answer.status == 200 ? confirm(self, values, asked) : refused(self, asked, answer.status);
    json_decref(asked);
    api_answer_free(&answer);
    return done;
}

static int logout(const struct command *self, struct option_value *values, int operand_count, char **operands)
{
    struct secret token = {0};
    struct api_answer answer;
    int done = EXIT_DONE;
    (void)operand_count;
    (void)operands;
    saved_token(self, values, &token);
    if (token.n) {
        done =
            api_call_with(self, values, "DELETE", STR("/tollgate/v1/session"), STR(""), secret_reveal(&token), &answer);
        if (done == EXIT_DONE)
            api_answer_free(&answer);
    }
    secret_wipe(&token);
    if (!saved_remove(self, option_get(self, values, "url")->text)) {
        fprintf(stderr, "tollgate logout: there is no login for %.*s\n",
                STR_ARG(option_get(self, values, "url")->text));
        return EXIT_FAILED;
    }
    if (done != EXIT_DONE)
        fprintf(stderr, "tollgate logout: forgotten here only; at the server it ends by itself\n");
    else
        printf("Signed out.\n");
    return done;
}

const struct command command_login = {
    "login", "", "Sign in as a person, in a browser.", login_options, sizeof login_options / sizeof login_options[0],
    login};
const struct command command_logout = {
    "logout", "", "End that login.", logout_options, sizeof logout_options / sizeof logout_options[0], logout};

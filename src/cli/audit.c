/* SPDX-License-Identifier: Apache-2.0 */
/* tollgate audit: checks the audit log's chain without a server, or shows what a server's log says. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/encode.h"
#include "base/must.h"
#include "cli/api.h"
#include "cli/commands.h"
#include "control/control.h"
#include "control/people/audit.h"
#include "net/url.h"

static const struct option verify_options[] = {
    {"data", OPTION_TEXT, "tollgate-data", "TOLLGATE_DATA", 0, 0, "DIR", "Data directory; it may be in use."},
    {"expect", OPTION_TEXT, NULL, NULL, 0, 0, "SEQ:HASH",
     "A head printed by an earlier check; that row must still be there and the same."},
    {"json", OPTION_FLAG, NULL, NULL, 0, 0, NULL, "Print the result as JSON."},
};
#define X(name, kind, fallback, env, min, max, metavar, text) \
    {name, OPTION_##kind, fallback, env, min, max, metavar, text},
static const struct option list_options[] = {
    {"limit", OPTION_INT, "100", NULL, 1, AUDIT_LIST_MAX, "N", "How many rows, newest first."},
    {"action", OPTION_TEXT, NULL, NULL, 0, 0, "A", "Only this action, such as key.revoke; 'key.' for all of keys."},
    {"since", OPTION_TEXT, NULL, NULL, 0, 0, "TIME", "Only rows from this time on."},
    {"json", OPTION_FLAG, NULL, NULL, 0, 0, NULL, "Print the server's answer."},
    API_OPTIONS(X)};
#undef X

static void on_finding(void *ctx, struct str text)
{
    (void)ctx;
    fprintf(stderr, "audit: %.*s\n", STR_ARG(text));
}

/* "42:hex". False when it is not that. */
static bool read_head(struct str text, int64_t *ret_seq, unsigned char hash[AUDIT_HASH_BYTES])
{
    struct str number;
    uint64_t seq = 0;
    if (!str_split(&text, ':', &number) || !str_to_u64(number, &seq) || seq == 0 || seq > INT64_MAX)
        return false;
    *ret_seq = (int64_t)seq;
    return encode_unhex(text, hash, AUDIT_HASH_BYTES);
}

static int verify(const struct command *self, struct option_value *values, int operand_count, char **operands)
{
    char dir[4096], hex[ENCODE_HEX_MAX(AUDIT_HASH_BYTES)];
    unsigned char expected[AUDIT_HASH_BYTES] = {0};
    int64_t seq = 0;
    struct audit_result result;
    struct control_why why = {.param = ""};
    const struct audit_verify to = {.finding = on_finding};
    const struct option_value *expect = option_get(self, values, "expect");
    (void)operand_count;
    (void)operands;
    if (expect->given && !read_head(expect->text, &seq, expected)) {
        fprintf(stderr, "tollgate audit verify: --expect is a head as this command prints it, such as 42:0f3a...\n");
        return EXIT_USAGE;
    }
    str_copy(dir, sizeof dir, option_get(self, values, "data")->text);
    if (audit_verify(dir, &to, seq, expected, &result, &why) != ERR_OK) {
        fprintf(stderr, "tollgate audit verify: %s\n", why.text);
        return EXIT_FAILED;
    }
    encode_hex(result.hash, AUDIT_HASH_BYTES, hex);
    if (option_get(self, values, "json")->given)
        printf("{\"rows\":%llu,\"findings\":%llu,\"head\":\"%lld:%s\"}\n", (unsigned long long)result.rows,
               (unsigned long long)result.findings, (long long)result.seq, hex);
    else
        printf("rows %llu\nhead %lld:%s\n%s\n", (unsigned long long)result.rows, (long long)result.seq, hex,
               result.findings ? "the log is not what was written" : "all is well");
    return result.findings ? EXIT_DAMAGED : EXIT_DONE;
}

static void add(struct buf *path, const char *name, struct str value)
{
    bool ok = !value.n || (buf_printf(path, "&%s=", name) && url_encode(path, value));
    must(ok);
}

static int list(const struct command *self, struct option_value *values, int operand_count, char **operands)
{
    struct api_answer answer;
    struct buf path;
    (void)operand_count;
    (void)operands;
    buf_init(&path, API_TEXT_MAX);
    bool ok = buf_printf(&path, "/tollgate/v1/audit?limit=%llu",
                         (unsigned long long)option_get(self, values, "limit")->number);
    must(ok);
    add(&path, "action", option_get(self, values, "action")->text);
    add(&path, "since", option_get(self, values, "since")->text);
    int status = api_call(self, values, "GET", buf_str(&path), STR(""), &answer);
    if (status == EXIT_DONE && option_get(self, values, "json")->given) {
        printf("%.*s\n", STR_ARG(buf_str(&answer.body)));
    } else if (status == EXIT_DONE) {
        json_t *root = api_json(&answer), *row;
        size_t i;
        printf("%-20s  %-24s  %-24s  %-10s  %s\n", "TIME", "ACTION", "OBJECT", "SOURCE", "BY");
        json_array_foreach(json_object_get(root, "data"), i, row)
        {
            json_t *actor = json_object_get(row, "actor");
            printf("%.19sZ  %-24s  %-24s  %-10s  %s\n", api_text(row, "time"), api_text(row, "action"),
                   api_text(row, "object_id"), api_text(actor, "source"), api_text(actor, "name"));
        }
        json_decref(root);
    }
    api_answer_free(&answer);
    buf_free(&path);
    return status;
}

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

const struct command command_audit_verify = {
    "audit verify",        "",    "Check that the audit log is whole and unaltered.", verify_options,
    COUNT(verify_options), verify};
const struct command command_audit_list = {
    "audit list", "", "Show who changed what, newest first.", list_options, COUNT(list_options), list};

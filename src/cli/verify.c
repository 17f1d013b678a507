/* SPDX-License-Identifier: Apache-2.0 */
/* tollgate verify: reads the whole data directory and says what is wrong with it. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/commands.h"
#include "ledger/verify.h"

static const struct option options[] = {
    {"data", OPTION_TEXT, "tollgate-data", "TOLLGATE_DATA", 0, 0, "DIR", "Data directory."},
    {"json", OPTION_FLAG, NULL, NULL, 0, 0, NULL, "Print the result as JSON."},
};

#define PROGRESS_EVERY_US 250000

struct check {
    bool json, terminal;
    uint64_t shown_us;
};

static void on_finding(void *context, enum verify_part part, struct str text)
{
    (void)context;
    fprintf(stderr, "\r%s: %.*s\n", verify_part_text(part), STR_ARG(text));
}

static bool on_progress(void *context, enum verify_part part, uint64_t done, uint64_t total)
{
    struct check *c = context;
    uint64_t now = clock_mono_us();
    if (!c->terminal || now - c->shown_us < PROGRESS_EVERY_US)
        return true;
    c->shown_us = now;
    if (total)
        fprintf(stderr, "\r%-10s %3u %%", verify_part_text(part), (unsigned)(done * 100 / total));
    else
        fprintf(stderr, "\r%-10s %llu", verify_part_text(part), (unsigned long long)done);
    return true;
}

static void print_result(const struct verify_result *r, bool json)
{
    if (json) {
        printf("{\"segments\":%llu,\"entries\":%llu,\"journal_bytes\":%llu,\"rows\":%llu,\"rollups\":%llu,"
               "\"bodies\":%llu,\"not_stored\":%llu,\"findings\":%llu}\n",
               (unsigned long long)r->segments, (unsigned long long)r->entries, (unsigned long long)r->journal_bytes,
               (unsigned long long)r->rows, (unsigned long long)r->rollups, (unsigned long long)r->bodies,
               (unsigned long long)r->not_stored, (unsigned long long)r->findings);
        return;
    }
    printf("journal   %llu segments, %llu entries, %llu bytes\n", (unsigned long long)r->segments,
           (unsigned long long)r->entries, (unsigned long long)r->journal_bytes);
    printf("ledger    %llu rows, %llu rollups\n", (unsigned long long)r->rows, (unsigned long long)r->rollups);
    printf("bodies    %llu\n", (unsigned long long)r->bodies);
    if (r->not_stored)
        printf("gaps      %llu records are known not to have been written\n", (unsigned long long)r->not_stored);
    printf(r->findings ? "%llu findings\n" : "all is well\n", (unsigned long long)r->findings);
}

static int run(const struct command *self, struct option_value *values, int operand_count, char **operands)
{
    char dir[4096];
    struct check check = {.json = option_get(self, values, "json")->given, .terminal = isatty(STDERR_FILENO)};
    struct verify_options o = {on_finding, on_progress, &check};
    struct verify_result result = {0};
    (void)operand_count;
    (void)operands;
    str_copy(dir, sizeof dir, option_get(self, values, "data")->text);
    enum err e = verify_ledger(dir, &o, &result);
    if (check.terminal)
        fprintf(stderr, "\r%24s\r", "");
    if (e) {
        fprintf(stderr, "tollgate verify: %s cannot be checked (%s); is it a data directory of this version?\n", dir,
                err_info(e)->code);
        return EXIT_FAILED;
    }
    print_result(&result, check.json);
    return result.findings ? EXIT_DAMAGED : EXIT_DONE;
}

const struct command command_verify = {
    "verify", "", "Check journal, ledger and bodies for damage.", options, sizeof options / sizeof options[0], run};

/* SPDX-License-Identifier: Apache-2.0 */
/* tollgate: finds the subcommand, reads its options, runs it. */
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"

#define OPTIONS_MAX 96

static const struct command *const commands[] = {
    &command_serve,
    &command_login,
    &command_logout,
    &command_connect,
    &command_integration_list,
    &command_integration_test,
    &command_integration_remove,
    &command_key_create,
    &command_key_list,
    &command_key_revoke,
    &command_config_create,
    &command_config_list,
    &command_config_show,
    &command_config_update,
    &command_config_delete,
    &command_config_versions,
    &command_model_create,
    &command_model_list,
    &command_model_show,
    &command_model_update,
    &command_model_delete,
    &command_logs,
    &command_cost,
    &command_report,
    &command_reconcile,
    &command_export_focus,
    &command_plan,
    &command_import_status,
    &command_import,
    &command_notify_test,
    &command_reprice,
    &command_rotate_master_key,
    &command_audit_verify,
    &command_audit_list,
    &command_verify,
    &command_version,
};

#define COMMAND_COUNT (sizeof commands / sizeof commands[0])

/* Of the longest name, so that all summaries begin in one column. */
static int name_width(void)
{
    size_t width = 0;
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        width = strlen(commands[i]->name) > width ? strlen(commands[i]->name) : width;
    return (int)width;
}

static int usage(FILE *to, int status)
{
    fprintf(to, "tollgate: a gateway between your applications and OpenAI that accounts for every dollar\n\n"
                "Usage: tollgate COMMAND [OPTION]...\n\nCommands:\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        fprintf(to, "  %-*s  %s\n", name_width(), commands[i]->name, commands[i]->summary);
    fprintf(to, "\n'tollgate COMMAND --help' shows a command's options.\n");
    return status;
}

/* How many words of argv the command's name takes; 0 when it is another command. */
static int words_matched(const struct command *c, int argc, char **argv)
{
    struct str rest = str_c(c->name), word;
    int n = 0;
    while (str_split(&rest, ' ', &word)) {
        if (n >= argc || !str_eq(word, str_c(argv[n])))
            return 0;
        n++;
    }
    return n;
}

static bool wants_help(int argc, char **argv)
{
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    return false;
}

static int run(const struct command *c, int argc, char **argv)
{
    static struct option_value values[OPTIONS_MAX];
    char why[512];
    int operands = 0;
    if (wants_help(argc, argv)) {
        option_print_help(c);
        return EXIT_DONE;
    }
    if (option_parse(c, argc, argv, values, &operands, why, sizeof why) != ERR_OK) {
        fprintf(stderr, "tollgate %s: %s\n", c->name, why);
        return EXIT_USAGE;
    }
    return c->run(c, values, operands, argv);
}

/* "key" alone: the commands that begin with it. False when there are none. */
static bool print_group(FILE *to, const char *word)
{
    struct str first = str_c(word);
    bool any = false;
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        struct str name = str_c(commands[i]->name);
        if (!str_starts(name, first) || name.n == first.n || name.p[first.n] != ' ')
            continue;
        if (!any)
            fprintf(to, "tollgate %s is one of:\n", word);
        fprintf(to, "  %-*s  %s\n", name_width(), commands[i]->name, commands[i]->summary);
        any = true;
    }
    return any;
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return usage(stderr, EXIT_USAGE);
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0)
        return usage(stdout, EXIT_DONE);
    if (strcmp(argv[1], "--version") == 0)
        return run(&command_version, 0, argv);
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        int n = words_matched(commands[i], argc - 1, argv + 1);
        if (n)
            return run(commands[i], argc - 1 - n, argv + 1 + n);
    }
    bool asked = wants_help(argc - 2, argv + 2);
    if (print_group(asked ? stdout : stderr, argv[1]))
        return asked ? EXIT_DONE : EXIT_USAGE;
    fprintf(stderr, "tollgate: there is no command '%s'; 'tollgate help' lists those there are\n", argv[1]);
    return EXIT_USAGE;
}

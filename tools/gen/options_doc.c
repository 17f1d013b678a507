/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prints docs/OPTIONS.md from the commands' option tables. tools/gen/options_doc compiles it with
 * the command line alone: what the commands call is left unresolved, since none of them is run.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"

/* Made from cli/commands.h: LISTED(serve) LISTED(connect) … */
#define LISTED(name) &command_##name,
static const struct command *const commands[] = {
#include "commands_listed.h"
};

/* A cell of a table: a bar would end it. */
static void cell(const char *text)
{
    for (; *text; text++) {
        if (*text == '|')
            putchar('\\');
        putchar(*text);
    }
}

static void quantity(uint64_t n, const char *const *units, uint64_t step_first, uint64_t step)
{
    uint64_t steps[] = {step_first, step, step, 24};
    size_t i = 0;
    while (i < 4 && units[i + 1] && n && n % steps[i] == 0)
        n /= steps[i++];
    printf("%" PRIu64 "%s", n, units[i]);
}

static void bound(const struct option *o, uint64_t n)
{
    static const char *const times[] = {"ms", "s", "m", "h", "d", NULL};
    static const char *const sizes[] = {"", "k", "m", "g", NULL};
    static const char *const plain[] = {"", NULL};
    if (o->kind == OPTION_DURATION)
        quantity(n, times, 1000, 60);
    else if (o->kind == OPTION_BYTES)
        quantity(n, sizes, 1024, 1024);
    else
        quantity(n, plain, 1, 1);
}

static void meaning(const struct option *o)
{
    cell(o->text);
    if (o->max) {
        printf(" From ");
        bound(o, o->min);
        printf(" to ");
        bound(o, o->max);
        printf(".");
    }
}

static void command(const struct command *c)
{
    printf("\n## tollgate %s%s%s\n\n%s\n", c->name, c->operands[0] ? " " : "", c->operands, c->summary);
    if (!c->option_count)
        return;
    printf("\n| option | default | environment | meaning |\n|---|---|---|---|\n");
    for (size_t i = 0; i < c->option_count; i++) {
        const struct option *o = &c->options[i];
        printf("| `--%s", o->name);
        if (o->metavar) {
            putchar(' ');
            cell(o->metavar);
        }
        printf("` | %s%s%s | %s%s%s | ", o->fallback ? "`" : "", o->fallback ? o->fallback : "", o->fallback ? "`" : "",
               o->env ? "`" : "", o->env ? o->env : "", o->env ? "`" : "");
        meaning(o);
        printf(" |\n");
    }
}

int main(void)
{
    printf(
        "# Commands and options\n\n"
        "<!-- Made by tools/gen/options_doc from the option tables of src/cli; change those and run ./dev docs. -->\n\n"
        "`tollgate COMMAND --help` prints the same. An option on the command line outranks its environment variable.\n"
        "Times are written like `500ms`, `10s`, `5m`, `1h`, `30d`; sizes like `64k`, `512m`, `4g` or in bytes.\n\n"
        "Exit status: %d done, %d it failed, %d the command line is wrong, %d the server cannot be reached, "
        "%d the server\nrefused, %d damage was found.\n",
        EXIT_DONE, EXIT_FAILED, EXIT_USAGE, EXIT_UNREACHABLE, EXIT_REFUSED, EXIT_DAMAGED);
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        command(commands[i]);
    return 0;
}

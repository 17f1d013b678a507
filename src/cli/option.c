/* SPDX-License-Identifier: Apache-2.0 */
/* Options from tables: values from default, environment and command line, in rising order. */
#include "cli/option.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"

#define HELP_COLUMNS 100
#define HELP_TEXT_MAX 1024 /* of one option */

static bool parse_scaled(struct str s, const char *const *units, const uint64_t *factors, size_t count, uint64_t *ret)
{
    uint64_t number;
    for (size_t i = 0; i < count; i++) {
        struct str unit = str_c(units[i]);
        if (!str_ends(s, unit) || !str_to_u64(str_head(s, s.n - unit.n), &number))
            continue;
        return !__builtin_mul_overflow(number, factors[i], ret);
    }
    return false;
}

static bool parse_duration(struct str s, uint64_t *ret_us)
{
    static const char *const units[] = {"ms", "s", "m", "h", "d"};
    static const uint64_t factors[] = {1000, 1000000, 60000000, 3600000000, 86400000000};
    return parse_scaled(s, units, factors, 5, ret_us);
}

static bool parse_bytes(struct str s, uint64_t *ret)
{
    static const char *const units[] = {"k", "m", "g", "K", "M", "G", ""};
    static const uint64_t factors[] = {1 << 10, 1 << 20, 1 << 30, 1 << 10, 1 << 20, 1 << 30, 1};
    return parse_scaled(s, units, factors, 7, ret);
}

static const char *expectation(enum option_kind kind)
{
    switch (kind) {
    case OPTION_INT:
        return "a whole number";
    case OPTION_DURATION:
        return "a duration such as 500ms, 10s, 5m, 1h or 30d";
    case OPTION_BYTES:
        return "a size such as 65536, 64k, 512m or 1g";
    case OPTION_ON_OFF:
        return "'on' or 'off'";
    default:
        return "a value";
    }
}

static bool convert(const struct option *o, struct str text, struct option_value *v)
{
    bool ok = true;
    uint64_t unit = o->kind == OPTION_DURATION ? 1000 : 1;
    switch (o->kind) {
    case OPTION_FLAG:
        v->number = 1;
        return true;
    case OPTION_ON_OFF:
        v->number = str_eq(text, STR("on"));
        ok = v->number || str_eq(text, STR("off"));
        break;
    case OPTION_INT:
        ok = str_to_u64(text, &v->number);
        break;
    case OPTION_DURATION:
        ok = parse_duration(text, &v->number);
        break;
    case OPTION_BYTES:
        ok = parse_bytes(text, &v->number);
        break;
    case OPTION_LIST:
        if (v->list_count == OPTION_LIST_MAX)
            return false;
        v->list[v->list_count++] = text;
        break;
    case OPTION_TEXT:
        break;
    }
    v->text = text;
    if (ok && o->max)
        ok = v->number / unit >= o->min && v->number / unit <= o->max;
    return ok;
}

static enum err set_value(const struct option *o, struct str text, struct option_value *v, char *why, size_t why_cap)
{
    if (convert(o, text, v))
        return ERR_OK;
    int n = snprintf(why, why_cap, "--%s: '%.*s' is not %s", o->name, STR_ARG(text), expectation(o->kind));
    if (o->max && n > 0 && (size_t)n < why_cap)
        snprintf(why + n, why_cap - (size_t)n, " between %llu and %llu%s", (unsigned long long)o->min,
                 (unsigned long long)o->max, o->kind == OPTION_DURATION ? " ms" : "");
    return ERR_BAD_OPTION;
}

static enum err set_defaults(const struct command *c, struct option_value *values, char *why, size_t why_cap)
{
    for (size_t i = 0; i < c->option_count; i++) {
        const struct option *o = &c->options[i];
        const char *env = o->env ? getenv(o->env) : NULL;
        values[i] = (struct option_value){.text = STR("")};
        if (!env && !o->fallback)
            continue;
        values[i].given = env != NULL;
        enum err e = set_value(o, str_c(env ? env : o->fallback), &values[i], why, why_cap);
        if (e)
            return e;
    }
    return ERR_OK;
}

static const struct option *find(const struct command *c, struct str name, size_t *ret_index)
{
    for (size_t i = 0; i < c->option_count; i++) {
        if (str_eq(name, str_c(c->options[i].name))) {
            *ret_index = i;
            return &c->options[i];
        }
    }
    return NULL;
}

/* One "--name[=value]" at argv[*i]; moves *i past a separate value. */
static enum err parse_one(const struct command *c, int argc, char **argv, int *i, struct option_value *values,
                          char *why, size_t why_cap)
{
    struct str arg = str_from(str_c(argv[*i]), 2);
    ptrdiff_t equals = str_find(arg, '=');
    struct str name = equals < 0 ? arg : str_head(arg, (size_t)equals);
    size_t index;
    const struct option *o = find(c, name, &index);
    if (!o) {
        snprintf(why, why_cap, "there is no option --%.*s; see 'tollgate %s --help'", STR_ARG(name), c->name);
        return ERR_BAD_OPTION;
    }
    struct option_value *v = &values[index];
    struct str text = equals < 0 ? STR("") : str_from(arg, (size_t)equals + 1);
    if (o->kind == OPTION_FLAG && equals >= 0) {
        snprintf(why, why_cap, "--%s takes no value", o->name);
        return ERR_BAD_OPTION;
    }
    if (o->kind != OPTION_FLAG && equals < 0) {
        if (*i + 1 >= argc) {
            snprintf(why, why_cap, "--%s needs %s", o->name, expectation(o->kind));
            return ERR_BAD_OPTION;
        }
        text = str_c(argv[++*i]);
    }
    v->given = true;
    return set_value(o, text, v, why, why_cap);
}

enum err option_parse(const struct command *c, int argc, char **argv, struct option_value *values,
                      int *ret_operand_count, char *why, size_t why_cap)
{
    enum err e = set_defaults(c, values, why, why_cap);
    int i = 0, operands = 0;
    for (; !e && i < argc; i++) {
        if (argv[i][0] != '-' || argv[i][1] == '\0') {
            argv[operands++] = argv[i]; /* options may follow operands */
            continue;
        }
        if (strcmp(argv[i], "--") == 0) {
            for (i++; i < argc; i++)
                argv[operands++] = argv[i];
            break;
        }
        if (argv[i][1] != '-') {
            snprintf(why, why_cap, "'%s' is not an option; options begin with two dashes", argv[i]);
            return ERR_BAD_OPTION;
        }
        e = parse_one(c, argc, argv, &i, values, why, why_cap);
    }
    if (e)
        return e;
    if (operands && !c->operands[0]) {
        snprintf(why, why_cap, "'%s' is one argument too many; see 'tollgate %s --help'", argv[0], c->name);
        return ERR_BAD_OPTION;
    }
    *ret_operand_count = operands;
    return ERR_OK;
}

const struct option_value *option_get(const struct command *c, const struct option_value *values, const char *name)
{
    size_t index;
    const struct option *o = find(c, str_c(name), &index);
    must(o != NULL);
    return &values[index];
}

/* Words in lines of HELP_COLUMNS, each line indented; what is longer than a line stands by itself. */
static void print_wrapped(struct str text)
{
    struct str word;
    size_t column = 0;
    while (text.n && str_split(&text, ' ', &word)) {
        bool fits = column && column + 1 + word.n <= HELP_COLUMNS;
        printf("%s%.*s", fits ? " " : column ? "\n      " : "      ", STR_ARG(word));
        column = fits ? column + 1 + word.n : 6 + word.n;
    }
    printf("\n");
}

void option_print_help(const struct command *c)
{
    char text[HELP_TEXT_MAX];
    printf("tollgate %s%s%s%s\n\n%s\n", c->name, c->option_count ? " [OPTION]..." : "", c->operands[0] ? " " : "",
           c->operands, c->summary);
    if (c->option_count)
        printf("\nOptions:\n");
    for (size_t i = 0; i < c->option_count; i++) {
        const struct option *o = &c->options[i];
        printf("  --%s%s%s\n", o->name, o->metavar ? " " : "", o->metavar ? o->metavar : "");
        snprintf(text, sizeof text, "%s%s%s%s%s%s%s", o->text, o->fallback ? " Default: " : "",
                 o->fallback ? o->fallback : "", o->fallback ? "." : "", o->env ? " Also: " : "", o->env ? o->env : "",
                 o->env ? "." : "");
        print_wrapped(str_c(text));
    }
}

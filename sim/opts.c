/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the command line by the table of opts.h. */
#include "sim/opts.h"

#include <stdio.h>

#include "base/must.h"

enum kind { TEXT, COUNT, FLAG, LIST };

struct row {
    const char *field, *preset, *holder, *help;
    enum kind kind;
    size_t offset;
};

static const struct row rows[] = {
#define X(field, kind, preset, holder, help) {#field, preset, holder, help, kind, offsetof(struct opts, field)},
    OPTS_TABLE(X)
#undef X
};
#define ROWS (sizeof rows / sizeof rows[0])

static bool set_value(struct opts *o, const struct row *row, struct str value)
{
    void *place = (char *)o + row->offset;
    switch (row->kind) {
    case TEXT:
        *(struct str *)place = value;
        return true;
    case COUNT:
        return str_to_u64(value, place);
    case FLAG:
        *(bool *)place = true;
        return !value.n;
    case LIST: {
        struct opts_list *list = place;
        if (list->n == OPTS_LIST_MAX)
            return false;
        list->items[list->n++] = value;
        return true;
    }
    }
    return false;
}

/* "--chunk-ms" is the row "chunk_ms". */
static const struct row *find(struct str name)
{
    for (size_t i = 0; i < ROWS; i++) {
        struct str field = str_c(rows[i].field);
        bool same = field.n == name.n;
        for (size_t k = 0; same && k < name.n; k++)
            same = name.p[k] == (field.p[k] == '_' ? '-' : field.p[k]);
        if (same)
            return &rows[i];
    }
    return NULL;
}

static void set_defaults(struct opts *o)
{
    *o = (struct opts){.help = false};
    for (size_t i = 0; i < ROWS; i++)
        if (rows[i].kind == TEXT || rows[i].kind == COUNT)
            must(set_value(o, &rows[i], str_c(rows[i].preset)));
}

bool opts_read(struct opts *o, int argc, char **argv, char *why, size_t why_cap)
{
    set_defaults(o);
    for (int i = 1; i < argc; i++) {
        struct str arg = str_c(argv[i]), name = arg, value = STR("");
        if (!str_starts(arg, STR("--"))) {
            snprintf(why, why_cap, "'%s' is not an option; try --help", argv[i]);
            return false;
        }
        name = str_from(arg, 2);
        ptrdiff_t equals = str_find(name, '=');
        if (equals >= 0) {
            value = str_from(name, (size_t)equals + 1);
            name = str_head(name, (size_t)equals);
        }
        const struct row *row = find(name);
        if (!row) {
            snprintf(why, why_cap, "unknown option '%s'; try --help", argv[i]);
            return false;
        }
        if (row->kind != FLAG && equals < 0) {
            if (++i == argc) {
                snprintf(why, why_cap, "'%s' needs a value: %s", argv[i - 1], row->holder);
                return false;
            }
            value = str_c(argv[i]);
        }
        if (!set_value(o, row, value)) {
            snprintf(why, why_cap, "'--%.*s' cannot be '%.*s'", STR_ARG(name), STR_ARG(value));
            return false;
        }
    }
    return true;
}

void opts_print_help(void)
{
    printf("usage: tollgate-sim [--option VALUE]…\n\n"
           "An OpenAI (and Azure OpenAI) API that needs no network and costs nothing: deterministic answers,\n"
           "exact usage, faults on cue, and a record of what it served under /sim/. See docs/SIMULATOR.md.\n\n");
    for (size_t i = 0; i < ROWS; i++) {
        char name[64];
        size_t n = 0;
        for (const char *p = rows[i].field; *p && n + 1 < sizeof name; p++)
            name[n++] = *p == '_' ? '-' : *p;
        name[n] = '\0';
        printf("  --%s %s\n        %s", name, rows[i].holder, rows[i].help);
        if (rows[i].preset[0])
            printf(" (%s)", rows[i].preset);
        printf("\n");
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_OPTION_H
#define CLI_OPTION_H

/*
 * option: command lines from tables. A command declares its options once; parser, range check,
 * help and docs/OPTIONS.md come from that table.
 *
 * `--name value`, `--name=value`; flags take no value; `--` ends the options. An option may have an
 * environment variable, which the command line outranks. A list option may be given several times.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

enum option_kind {
    OPTION_FLAG, /* present or not */
    OPTION_TEXT,
    OPTION_INT,      /* decimal within [min, max] */
    OPTION_DURATION, /* "500ms", "10s", "5m", "1h", "30d"; value in microseconds; bounds in milliseconds */
    OPTION_BYTES,    /* "64k", "512m", "1g" or plain; bounds in bytes */
    OPTION_LIST,     /* text, several times */
    OPTION_ON_OFF,
};

struct option {
    const char *name; /* without dashes */
    enum option_kind kind;
    const char *fallback; /* default value as text; NULL = none */
    const char *env;      /* environment variable, or NULL */
    uint64_t min, max;    /* INT, DURATION, BYTES */
    const char *metavar;  /* "H:P"; NULL for flags */
    const char *text;     /* one or two sentences */
};

#define OPTION_LIST_MAX 64

struct option_value {
    bool given;      /* on the command line or in the environment */
    struct str text; /* good as long as argv and the environment */
    uint64_t number; /* flag and on/off: 0 or 1 */
    struct str list[OPTION_LIST_MAX];
    size_t list_count;
};

struct command {
    const char *name;     /* "key create" */
    const char *operands; /* "KIND", or "" */
    const char *summary;
    const struct option *options;
    size_t option_count;
    int (*run)(const struct command *self, struct option_value *values, int operand_count, char **operands);
};

/*
 * Reads argv (behind the command's name). On failure a sentence is in `why`. Operands, wherever they
 * stood, are moved to the front of argv; *ret_operand_count says how many.
 */
enum err option_parse(const struct command *c, int argc, char **argv, struct option_value *values,
                      int *ret_operand_count, char *why, size_t why_cap) ERR_USE;

/* The value of the option of that name, which must exist in the command's table. */
const struct option_value *option_get(const struct command *c, const struct option_value *values, const char *name);

void option_print_help(const struct command *c);

#endif

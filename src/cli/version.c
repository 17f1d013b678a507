/* SPDX-License-Identifier: Apache-2.0 */
/* tollgate version */
#include <stdio.h>

#include "base/version.h"
#include "cli/commands.h"

static int run(const struct command *self, struct option_value *values, int operand_count, char **operands)
{
    (void)self;
    (void)values;
    (void)operand_count;
    (void)operands;
    printf("tollgate %s\n", TOLLGATE_VERSION);
    return EXIT_DONE;
}

const struct command command_version = {"version", "", "Print the version.", NULL, 0, run};

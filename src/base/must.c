/* SPDX-License-Identifier: Apache-2.0 */
/* The end of the program when one of its own invariants is broken. Uses no heap and no locks. */
#include "base/must.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static must_report_fn *report_hook;

void must_set_report(must_report_fn *report)
{
    report_hook = report;
}

_Noreturn void must_fail(const char *condition, const char *file, int line, const char *function)
{
    static _Thread_local int failing;
    char text[512];
    int n = snprintf(text, sizeof text, "panic: must(%s) failed in %s at %s:%d\n", condition, function, file, line);
    if (n > (int)sizeof text - 1)
        n = (int)sizeof text - 1;
    if (n > 0 && write(STDERR_FILENO, text, (size_t)n) < 0)
        abort();
    if (!failing && report_hook) {
        failing = 1;
        report_hook(STDERR_FILENO);
    }
    abort();
}

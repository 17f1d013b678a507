/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_MUST_H
#define BASE_MUST_H

/*
 * must: an invariant of ours. Always compiled in. A failure is a bug in this program; it prints the
 * place, the condition and what the panic hook has to say (the request at hand), then aborts.
 * Never used for what the outside world can cause.
 */

#define must(condition) \
    (__builtin_expect(!!(condition), 1) ? (void)0 : must_fail(#condition, __FILE__, __LINE__, __func__))

_Noreturn void must_fail(const char *condition, const char *file, int line, const char *function);

/* Called once by must_fail before abort, to print context. It may only write to `fd`. */
typedef void must_report_fn(int fd);
void must_set_report(must_report_fn *report);

#endif

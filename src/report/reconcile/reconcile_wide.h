/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REPORT_RECONCILE_RECONCILE_WIDE_H
#define REPORT_RECONCILE_RECONCILE_WIDE_H

/* reconcile_wide: shares of amounts without overflow on the way. */

#include <stdbool.h>

/* a × b ÷ c, rounded half away from zero; b ≥ 0, c > 0. False: it does not fit. */
bool reconcile_wide(__int128 a, __int128 b, __int128 c, __int128 *ret);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* The error table as data. */
#include "base/err.h"

#include "base/must.h"

static const struct err_info infos[] = {
#define X(name, status, type, code, retry, level, text) \
    {#name, status, type, code, ERR_RETRY_##retry, LOG_##level, text},
    ERR_TABLE(X)
#undef X
};

const struct err_info *err_info(enum err e)
{
    must((unsigned)e < ERR_COUNT);
    return &infos[e];
}

/* SPDX-License-Identifier: Apache-2.0 */
/* One loop: keep the pace, ask, judge, wait. */
#include "report/import/import_ask.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/rng.h"

uint64_t import_ask_wait(uint64_t first_us, unsigned failed)
{
    uint64_t wait_us = first_us ? first_us : IMPORT_WAIT_FIRST_US;
    for (unsigned i = 1; i < failed && wait_us < IMPORT_WAIT_MAX_US; i++)
        wait_us *= 2;
    return wait_us < IMPORT_WAIT_MAX_US ? wait_us : IMPORT_WAIT_MAX_US;
}

static void keep_pace(struct import_ask *k)
{
    uint64_t now_us = clock_mono_us();
    if (k->last_us && now_us < k->last_us + k->period_us)
        import_fetch_sleep(k->fetch, k->last_us + k->period_us - now_us);
    k->last_us = clock_mono_us();
}

/* *ret_again: another try may go better. */
static enum err judge(const struct import_reply *r, bool *ret_again)
{
    *ret_again = false;
    if (r->status / 100 == 2)
        return ERR_OK;
    if (r->status == 401 || r->status == 403)
        return ERR_FORBIDDEN;
    *ret_again = r->status == 0 || r->status == 408 || r->status == 429 || r->status / 100 == 5;
    return *ret_again ? ERR_UPSTREAM_BUSY : ERR_BAD_PARAMETER;
}

enum err import_ask_get(struct import_ask *k, struct str path, struct import_reply *ret)
{
    for (unsigned failed = 0;;) {
        bool again;
        keep_pace(k);
        if (import_fetch_cancelled(k->fetch)) {
            *ret = (struct import_reply){.body = STR(""), .why = "the import was stopped"};
            return ERR_UPSTREAM_BUSY;
        }
        import_fetch_get(k->fetch, path, ret);
        k->requests++;
        k->limited += ret->status == 429;
        enum err e = judge(ret, &again);
        if (!again || ++failed == IMPORT_TRIES || import_fetch_cancelled(k->fetch))
            return e;
        uint64_t wait_us = import_ask_wait(k->wait_first_us, failed);
        wait_us = wait_us - wait_us / 3 + rng_u64() % (wait_us / 3 + 1);
        if (ret->asked_to_wait)
            wait_us = ret->retry_after_us;
        log_warn("import_retry", LOG_INT("status", ret->status), LOG_INT("wait_ms", wait_us / 1000),
                 LOG_TEXT("why", ret->why));
        import_fetch_sleep(k->fetch, wait_us);
    }
}

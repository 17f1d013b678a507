/* SPDX-License-Identifier: Apache-2.0 */
/* Which one is the default stands in the report, so there is never more than one. */
#include "console/vantage/report_forecasts.h"

#include <stdio.h>

#include "base/must.h"
#include "console/vantage/ask.h"
#include "console/vantage/vantage_reply.h"

bool report_forecasts_is_default(struct job *j, const struct doc *forecast)
{
    struct str *reports;
    size_t count = 0;
    return docs_users(ask_docs(j), DOCS_COST_REPORT, forecast->token, j->arena, &reports, &count) == ERR_OK && count;
}

static enum err set_default(struct job *j, const struct doc *forecast, bool yes)
{
    char text[200];
    struct jdoc body, change;
    struct doc report;
    jdoc_init(&body);
    jdoc_init(&change);
    bool ok = jdoc_parse(&body, forecast->body);
    must(ok); /* ours */
    snprintf(text, sizeof text, "{\"default_forecast\":{\"kind\":\"%s\",\"report_forecast_token\":%s%s%s}}",
             yes ? "report_forecast" : "baseline", yes ? "\"" : "", yes ? forecast->token.p : "null", yes ? "\"" : "");
    ok = jdoc_parse(&change, str_c(text));
    must(ok);
    enum err e = docs_find(ask_docs(j), DOCS_COST_REPORT,
                           jdoc_text(jdoc_get(jdoc_root(&body), "cost_report_token"), j->arena), j->arena, &report);
    if (e == ERR_OK)
        e = docs_update(ask_docs(j), &report, jdoc_root(&change), j->arena, &report);
    jdoc_free(&body);
    jdoc_free(&change);
    return e;
}

bool report_forecasts_given(struct job *j, const struct doc *forecast, struct jval given)
{
    struct jval wanted = jdoc_get(given, "set_as_default");
    bool yes = jdoc_true(wanted) || jdoc_is(wanted, "true");
    if (!jdoc_has(wanted) || jdoc_kind(wanted) == JDOC_NULL || yes == report_forecasts_is_default(j, forecast))
        return true;
    enum err e = set_default(j, forecast, yes);
    if (e != ERR_OK)
        vantage_fail_err(j, e, docs_reason(ask_docs(j)));
    return e == ERR_OK;
}

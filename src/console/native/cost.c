/* SPDX-License-Identifier: Apache-2.0 */
/* The cost report: query parameters to a query over the rollups, sums to JSON. */
#include "base/clock.h"
#include "console/console_inner.h"
#include "console/native/filter.h"
#include "console/native/native.h"
#include "console/native/output.h"
#include "ledger/ledger.h"
#include "ledger/query_cost.h"

#define FLUSH_MS 2000
#define SPAN_DEFAULT_US (INT64_C(30) * 86400 * 1000000)

struct report {
    struct job *job;
    const struct query_cost *query;
    const struct names *names;
};

static void write_text_or_null(struct json_write *w, const char *name, struct str text)
{
    json_write_member_text(w, name, text);
}

static void write_dim(struct report *r, enum query_dim d, const struct query_dim_value *v)
{
    struct json_write *w = &r->job->json;
    const char *name = query_dim_text(d);
    switch (d) {
    case QUERY_DIM_HOUR:
    case QUERY_DIM_DAY:
    case QUERY_DIM_MONTH:
        output_time(w, name, v->number);
        break;
    case QUERY_DIM_WORKSPACE:
        write_text_or_null(w, name, names_workspace(r->names, v->number));
        break;
    case QUERY_DIM_KEY:
        write_text_or_null(w, name, names_key_id(r->names, v->number));
        write_text_or_null(w, "key_name", names_key(r->names, v->number));
        break;
    case QUERY_DIM_INTEGRATION:
        write_text_or_null(w, name, names_integration(r->names, v->number));
        break;
    case QUERY_DIM_OUTCOME:
        json_write_member_string(w, name, str_c(record_outcome_text((enum record_outcome)v->number)));
        break;
    case QUERY_DIM_COST_STATE:
        json_write_member_string(w, name, str_c(cost_state_text((enum cost_state)v->number)));
        break;
    case QUERY_DIM_CACHE:
        json_write_member_string(w, name, str_c(record_cache_text((enum record_cache)v->number)));
        break;
    case QUERY_DIM_STREAM:
    case QUERY_DIM_DISCARDED:
        json_write_member_bool(w, name, v->number != 0);
        break;
    default:
        if (query_dim_is_text(d))
            write_text_or_null(w, name, v->text);
        else
            json_write_member_int(w, name, v->number);
    }
}

static void write_sums(struct json_write *w, const struct query_sums *s)
{
    uint64_t quantity[METER_COUNT];
    for (unsigned m = 0; m < METER_COUNT; m++)
        quantity[m] = s->sums.quantity[m] > UINT64_MAX ? UINT64_MAX : (uint64_t)s->sums.quantity[m];
    json_write_member_money(w, "cost_usd", s->sums.cost_pusd);
    json_write_member_money(w, "estimated_usd", s->estimated_pusd);
    json_write_member_uint(w, "requests", s->sums.requests);
    json_write_member_uint(w, "attempts", s->sums.attempts);
    json_write_member_uint(w, "errors", s->errors);
    json_write_member_uint(w, "unpriced", s->unpriced);
    json_write_member_uint(w, "estimated", s->estimated);
    json_write_member_uint(w, "retries", s->sums.retries);
    json_write_member_uint(w, "fallbacks", s->sums.fallbacks);
    json_write_member_uint(w, "discarded", s->discarded);
    json_write_member_money(w, "wasted_usd", s->wasted_pusd);
    json_write_member_uint(w, "cache_hits", s->cache_hits);
    json_write_member_money(w, "saved_usd", s->sums.saved_pusd);
    json_write_member_uint(w, "input_tokens", s->sums.input_tok);
    json_write_member_uint(w, "output_tokens", s->sums.output_tok);
    json_write_member_uint(w, "reasoning_tokens", s->sums.reasoning_tok);
    json_write_member_uint(w, "average_first_byte_us",
                           s->sums.first_byte_count ? s->sums.first_byte_us / s->sums.first_byte_count : 0);
    json_write_member_uint(w, "average_total_us", s->sums.attempts ? s->sums.total_us / s->sums.attempts : 0);
    output_meters(w, "meters", quantity);
    json_write_key(w, STR("meter_cost_usd"));
    json_write_object(w);
    for (unsigned m = 0; m < METER_COUNT; m++)
        if (s->sums.part_pusd[m])
            json_write_member_money(w, meter_info((enum meter)m)->text, s->sums.part_pusd[m]);
    json_write_object_end(w);
}

static bool each_group(void *context, const struct query_dim_value *values, const struct query_sums *sums)
{
    struct report *r = context;
    struct json_write *w = &r->job->json;
    json_write_object(w);
    for (unsigned i = 0; i < r->query->dim_count; i++)
        write_dim(r, r->query->dims[i], &values[i]);
    write_sums(w, sums);
    json_write_object_end(w);
    return true;
}

/* "model,key": dimensions by their texts. False when the job was answered. */
static bool read_dims(struct job *j, struct query_cost *q)
{
    struct str rest = job_query(j, STR("group_by")), part;
    while (rest.n && str_split(&rest, ',', &part)) {
        enum query_dim d;
        if (!query_dim_parse(str_trim(part), &d) || q->dim_count == QUERY_DIMS_MAX) {
            job_fail(j, ERR_BAD_PARAMETER, STR("group_by"),
                     STR("up to nine of hour, day, month, workspace, key, integration, operation, model, model_asked, "
                         "tier, status, outcome, cost_state, stream, provider, config, cache, discarded"));
            return false;
        }
        q->dims[q->dim_count++] = d;
    }
    return true;
}

void cost_report(struct job *j)
{
    struct query_cost q = {.workspace_id = j->key->workspace_id, .cost_state = -1};
    struct query_sums total;
    q.model = job_query(j, STR("model"));
    q.operation = job_query(j, STR("operation"));
    if (!read_dims(j, &q) || !filter_time(j, STR("since"), clock_wall_us() - SPAN_DEFAULT_US, &q.since_us) ||
        !filter_time(j, STR("until"), 0, &q.until_us) || !filter_key(j, &q.key_id) ||
        !filter_integration(j, &q.integration_id))
        return;
    enum err e = ledger_flush(j->console->settings.ledger, FLUSH_MS);
    if (e)
        log_debug("ledger_lags");
    struct report r = {j, &q, names_load(j)};
    struct json_write *w = &j->json;
    job_reply_json(j, 200);
    json_write_object(w);
    json_write_member_string(w, "object", STR("cost_report"));
    output_time(w, "since", q.since_us);
    output_time(w, "until", q.until_us);
    json_write_key(w, STR("data"));
    json_write_array(w);
    e = query_cost(j->console->query, &q, each_group, &r, &total);
    if (e) {
        job_fail(j, e, STR(""), STR(""));
        return;
    }
    json_write_array_end(w);
    json_write_key(w, STR("total"));
    json_write_object(w);
    write_sums(w, &total);
    json_write_object_end(w);
    json_write_object_end(w);
    if (!json_write_done(w))
        job_fail(j, ERR_BAD_PARAMETER, STR("group_by"), STR("the answer would be too large; group by less"));
}

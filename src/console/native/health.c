/* SPDX-License-Identifier: Apache-2.0 */
/* Health, metrics, status: what operators and their tools look at. */
#include "base/clock.h"
#include "base/version.h"
#include "console/console_inner.h"
#include "console/native/native.h"
#include "gateway/gateway.h"
#include "ledger/ledger.h"

void health_live(struct job *j)
{
    job_reply_json(j, 200);
    json_write_object(&j->json);
    json_write_member_string(&j->json, "status", STR("ok"));
    json_write_object_end(&j->json);
}

void health_ready(struct job *j)
{
    struct gateway *g = j->console->gateway;
    bool ready = g && !gateway_draining(g);
    if (!ready) {
        job_fail(j, ERR_DRAINING, STR(""), STR(""));
        return;
    }
    job_reply_json(j, 200);
    json_write_object(&j->json);
    json_write_member_string(&j->json, "status", STR("ok"));
    json_write_member_string(&j->json, "message", STR("Requests can be served."));
    json_write_member_string(&j->json, "version", STR(TOLLGATE_VERSION));
    json_write_object_end(&j->json);
}

static void put_metric(struct job *j, const char *name, const char *kind, const char *help, uint64_t v)
{
    bool ok = buf_printf(&j->reply, "# HELP %s %s\n# TYPE %s %s\n%s %llu\n", name, help, name, kind, name,
                         (unsigned long long)v);
    (void)ok; /* a few kilobytes of sixty-four megabytes */
}

void health_metrics(struct job *j)
{
    struct gateway *g = j->console->gateway;
    struct ledger_status s;
    job_reply_bytes(j, 200, STR("text/plain; version=0.0.4; charset=utf-8"), STR(""));
    if (g) {
#define X(id, name, kind, help) put_metric(j, name, kind, help, gateway_metric(g, METRIC_##id));
        METRICS_TABLE(X)
#undef X
    }
    ledger_status(j->console->settings.ledger, &s);
    put_metric(j, "tollgate_ledger_rows_total", "counter", "Rows stored in the ledger by this process.", s.rows_stored);
    put_metric(j, "tollgate_ledger_lag_bytes", "gauge", "Journal bytes that are not in the ledger yet.", s.lag_bytes);
    put_metric(j, "tollgate_ledger_spool_bytes", "gauge", "Size of the journal files.", s.spool_bytes);
    put_metric(j, "tollgate_ledger_store_failures_total", "counter", "Ledger transactions that had to be repeated.",
               s.store_failures);
    put_metric(j, "tollgate_journal_records_lost_total", "counter", "Records that could not be written to a journal.",
               s.records_lost);
    put_metric(j, "tollgate_journal_damaged_bytes_total", "counter", "Journal bytes that could not be read.",
               s.damaged_bytes);
}

void health_status(struct job *j)
{
    struct gateway *g = j->console->gateway;
    struct ledger_status s;
    struct json_write *w = &j->json;
    ledger_status(j->console->settings.ledger, &s);
    job_reply_json(j, 200);
    json_write_object(w);
    json_write_member_string(w, "version", STR(TOLLGATE_VERSION));
    json_write_member_uint(w, "uptime_seconds", (clock_mono_us() - j->console->started_us) / 1000000);
    json_write_member_bool(w, "draining", g && gateway_draining(g));
    json_write_member_uint(w, "in_flight", g ? gateway_in_flight(g) : 0);
    json_write_key(w, STR("ledger"));
    json_write_object(w);
    json_write_member_uint(w, "records_written", s.records_written);
    json_write_member_uint(w, "records_lost", s.records_lost);
    json_write_member_uint(w, "rows_stored", s.rows_stored);
    json_write_member_uint(w, "rows_interrupted", s.rows_interrupted);
    json_write_member_uint(w, "lag_bytes", s.lag_bytes);
    json_write_member_uint(w, "spool_bytes", s.spool_bytes);
    json_write_member_bool(w, "spool_full", s.spool_full);
    json_write_member_bool(w, "recovering", s.recovering);
    json_write_member_uint(w, "damaged_bytes", s.damaged_bytes);
    json_write_member_bool(w, "store_failing", s.store_failing);
    json_write_member_text(w, "store_reason", str_c(s.store_reason));
    json_write_object_end(w);
    json_write_object_end(w);
}

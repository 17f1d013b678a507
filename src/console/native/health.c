/* SPDX-License-Identifier: Apache-2.0 */
/* Health and status: what operators and their tools look at. */
#include "base/clock.h"
#include "base/version.h"
#include "console/console_inner.h"
#include "console/native/native.h"
#include "gateway/gateway.h"
#include "ledger/ledger.h"
#include "report/otlp/otlp.h"

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

static void write_otlp(struct json_write *w, struct otlp *o)
{
    struct otlp_status s;
    otlp_status(o, &s);
    json_write_key(w, STR("otlp"));
    json_write_object(w);
    json_write_member_uint(w, "exported", s.exported);
    json_write_member_uint(w, "rejected", s.rejected);
    json_write_member_uint(w, "gone", s.gone);
    json_write_member_uint(w, "waiting", s.waiting);
    json_write_member_uint(w, "lag_seconds", s.lag_seconds);
    json_write_member_bool(w, "failing", s.failing);
    json_write_member_text(w, "reason", str_c(s.reason));
    json_write_object_end(w);
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
    if (j->console->settings.otlp)
        write_otlp(w, j->console->settings.otlp);
    json_write_object_end(w);
}

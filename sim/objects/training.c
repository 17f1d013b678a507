/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fine-tuning jobs, their events and checkpoints, graders, and what evals show. A job succeeds when
 * it is next looked at (or after the cue's work-ms): its model then exists, its tokens are counted.
 */
#include "base/must.h"
#include "sim/http/apierr.h"
#include "sim/http/reply.h"
#include "sim/model/bill.h"
#include "sim/model/compose.h"
#include "sim/model/phrase.h"
#include "sim/model/tally.h"
#include "sim/objects/objects.h"
#include "sim/simid.h"

static void model_add(struct call *c, struct str id)
{
    struct buf out;
    struct json_write w;
    buf_init(&out, 4096);
    json_write_init(&w, &out);
    json_write_object(&w);
    json_write_member_string(&w, "id", id);
    json_write_member_string(&w, "object", STR("model"));
    json_write_member_int(&w, "created", call_now(c));
    json_write_member_string(&w, "owned_by", STR(SIM_ORGANIZATION));
    json_write_member_null(&w, "shutdown_date");
    json_write_object_end(&w);
    must(json_write_done(&w));
    shelf_put(c->sim->shelf, STR("models"), id, buf_str(&out));
    buf_free(&out);
}

void objects_job_made(struct call *c, struct shelf_item *job)
{
    struct str file = jdoc_text(jdoc_find(c->json, "training_file"), c->arena), bytes;
    struct str model = jdoc_text(jdoc_find(c->json, "model"), c->arena);
    struct str suffix = jdoc_text(jdoc_find(c->json, "suffix"), c->arena);
    if (!objects_file_bytes(c, file, &bytes)) {
        shelf_remove(c->sim->shelf, job);
        apierr_invalid(c, "training_file", "invalid training_file: %.*s", STR_ARG(str_head(file, 80)));
        return;
    }
    uint64_t epochs = jdoc_count(jdoc_find(jdoc_find(c->json, "hyperparameters"), "n_epochs"), 3);
    uint64_t tokens = tally_text(c->sim->tally, compose_encoding(model), bytes) * epochs;
    struct str tuned =
        call_format(c, "ft:%.*s:sim:%.*s:%.*s", STR_ARG(model), STR_ARG(suffix), STR_ARG(call_id(c, "", 8)));
    model_add(c, tuned);
    bill_new(c, CALL_WORK_TRAINING)->trained = tokens;
    bill_name(c, model, STR(""));
    crud_answer(c, job);
    crud_later_text(c, job,
                    call_format(c,
                                "{\"status\":\"succeeded\",\"finished_at\":%lld,\"fine_tuned_model\":\"%.*s\","
                                "\"trained_tokens\":%llu}",
                                (long long)call_now(c), STR_ARG(tuned), (unsigned long long)tokens));
}

static void list_begin(struct json_write *w)
{
    json_write_member_string(w, "object", STR("list"));
    json_write_key(w, STR("data"));
    json_write_array(w);
}

static void list_end(struct json_write *w, struct str first, struct str last)
{
    json_write_array_end(w);
    json_write_member_text(w, "first_id", first);
    json_write_member_text(w, "last_id", last);
    json_write_member_bool(w, "has_more", false);
}

void objects_job_events(struct call *c)
{
    static const char *const messages[] = {"The job has successfully completed", "New fine-tuned model created",
                                           "Fine-tuning job started", "Validating training file"};
    struct shelf_item *job = crud_find(c, &objects_job);
    struct reply r;
    struct str id = STR(""), first = STR("");
    if (!job)
        return;
    struct json_write *w = reply_begin(&r);
    list_begin(w);
    for (size_t i = 0; i < sizeof messages / sizeof messages[0]; i++) {
        id = call_id(c, "ftevent-", 24);
        first = i ? first : id;
        json_write_object(w);
        json_write_member_string(w, "object", STR("fine_tuning.job.event"));
        json_write_member_string(w, "id", id);
        json_write_member_int(w, "created_at", call_now(c));
        json_write_member_string(w, "level", STR("info"));
        json_write_member_string(w, "message", str_c(messages[i]));
        json_write_member_raw(w, "data", STR("{}"));
        json_write_member_string(w, "type", STR("message"));
        json_write_object_end(w);
    }
    list_end(w, first, id);
    reply_send(c, &r, 200);
}

void objects_job_checkpoints(struct call *c)
{
    struct shelf_item *job = crud_find(c, &objects_job);
    struct reply r;
    if (!job)
        return;
    struct str id = call_id(c, "ftckpt_", 24);
    struct json_write *w = reply_begin(&r);
    list_begin(w);
    json_write_object(w);
    json_write_member_string(w, "object", STR("fine_tuning.job.checkpoint"));
    json_write_member_string(w, "id", id);
    json_write_member_int(w, "created_at", call_now(c));
    json_write_member_string(
        w, "fine_tuned_model_checkpoint",
        call_format(c, "%.*s:ckpt-step-84", STR_ARG(crud_member_text(c, job, "fine_tuned_model"))));
    json_write_member_string(w, "fine_tuning_job_id", str_c(job->id));
    json_write_member_raw(w, "metrics", STR("{\"step\":84,\"train_loss\":0.4,\"valid_loss\":0.5}"));
    json_write_member_uint(w, "step_number", 84);
    json_write_object_end(w);
    list_end(w, id, id);
    reply_send(c, &r, 200);
}

void objects_permission_create(struct call *c)
{
    struct jval projects = jdoc_find(c->json, "project_ids");
    struct reply r;
    struct str first = STR(""), last = STR("");
    if (!crud_check_required(c, "project_ids"))
        return;
    struct json_write *w = reply_begin(&r);
    list_begin(w);
    for (struct jval e = jdoc_first(projects); jdoc_has(e); e = jdoc_next(projects, e)) {
        struct shelf_item *i = crud_make(c, c->route->crud);
        must(i != NULL);
        crud_change_text(c, i, call_format(c, "{\"project_id\":%.*s}", STR_ARG(jdoc_raw(e))));
        json_write_raw(w, i->json);
        last = arena_dup(c->arena, str_c(i->id));
        first = first.n ? first : last;
    }
    list_end(w, first, last);
    reply_send(c, &r, 200);
}

void objects_grader_run(struct call *c)
{
    struct jval grader = jdoc_find(c->json, "grader");
    struct reply r;
    if (!crud_check_required(c, "grader"))
        return;
    struct json_write *w = reply_begin(&r);
    if (str_ends(c->path, STR("/validate"))) {
        json_write_member_raw(w, "grader", jdoc_raw(grader));
    } else {
        json_write_member_raw(w, "reward", STR("1.0"));
        json_write_key(w, STR("metadata"));
        json_write_object(w);
        json_write_member_string(w, "name", jdoc_text(jdoc_find(grader, "name"), c->arena));
        json_write_member_string(w, "type", jdoc_text(jdoc_find(grader, "type"), c->arena));
        json_write_member_raw(
            w, "errors",
            STR("{\"formula_parse_error\":false,\"sample_parse_error\":false,"
                "\"truncated_observation_error\":false,\"unresponsive_reward_error\":false,"
                "\"invalid_variable_error\":false,\"other_error\":false,\"python_grader_server_error\":"
                "false,\"python_grader_server_error_type\":null,\"python_grader_runtime_error\":false,"
                "\"python_grader_runtime_error_details\":null,\"model_grader_server_error\":false,"
                "\"model_grader_refusal_error\":false,\"model_grader_parse_error\":false,"
                "\"model_grader_server_error_details\":null}"));
        json_write_member_raw(w, "execution_time", STR("0.01"));
        json_write_member_raw(w, "scores", STR("{}"));
        json_write_member_null(w, "token_usage");
        json_write_member_null(w, "sampled_model_name");
        json_write_object_end(w);
        json_write_member_raw(w, "sub_rewards", STR("{}"));
        json_write_member_raw(w, "model_grader_token_usage_per_model", STR("{}"));
    }
    reply_send(c, &r, 200);
}

/* The configuration is shown with the schema that follows from what was given. */
void objects_eval_made(struct call *c, struct shelf_item *eval)
{
    struct jval given = jdoc_find(c->json, "data_source_config"), schema = jdoc_find(given, "item_schema");
    crud_change_text(c, eval,
                     call_format(c,
                                 "{\"data_source_config\":{\"type\":%.*s,\"schema\":{\"type\":\"object\","
                                 "\"properties\":{\"item\":%.*s}}}}",
                                 STR_ARG(jdoc_raw(jdoc_find(given, "type"))),
                                 STR_ARG(jdoc_has(schema) ? jdoc_raw(schema) : STR("{}"))));
}

/* One output item a run, always the same one. */
static void write_output_item(struct call *c, struct json_write *w, const struct shelf_item *run, struct str id)
{
    struct buf text;
    buf_init(&text, 65536);
    must(phrase_prose(&text, simid_hash(c->sim->opts.seed, str_c(run->id)), 12));
    json_write_object(w);
    json_write_member_string(w, "object", STR("eval.run.output_item"));
    json_write_member_string(w, "id", id);
    json_write_member_int(w, "created_at", call_now(c));
    json_write_member_string(w, "run_id", str_c(run->id));
    json_write_member_string(w, "eval_id", c->args[0]);
    json_write_member_string(w, "status", STR("pass"));
    json_write_member_uint(w, "datasource_item_id", 0);
    json_write_member_raw(w, "datasource_item", STR("{\"item\":{}}"));
    json_write_member_raw(w, "results", STR("[{\"name\":\"grader\",\"passed\":true,\"score\":1.0}]"));
    json_write_key(w, STR("sample"));
    json_write_object(w);
    json_write_member_raw(w, "input", STR("[]"));
    json_write_key(w, STR("output"));
    json_write_array(w);
    json_write_object(w);
    json_write_member_string(w, "role", STR("assistant"));
    json_write_member_string(w, "content", buf_str(&text));
    json_write_object_end(w);
    json_write_array_end(w);
    json_write_member_string(w, "finish_reason", STR("stop"));
    json_write_member_string(w, "model", STR("gpt-4o-2024-08-06"));
    json_write_member_raw(w, "usage",
                          STR("{\"total_tokens\":20,\"completion_tokens\":12,\"prompt_tokens\":8,"
                              "\"cached_tokens\":0}"));
    json_write_member_raw(w, "error", STR("{\"code\":\"\",\"message\":\"\"}"));
    json_write_member_uint(w, "temperature", 1);
    json_write_member_uint(w, "max_completion_tokens", 2048);
    json_write_member_uint(w, "top_p", 1);
    json_write_member_uint(w, "seed", 42);
    json_write_object_end(w);
    json_write_object_end(w);
    buf_free(&text);
}

void objects_eval_items(struct call *c)
{
    struct shelf_item *run = crud_find(c, &objects_eval_run);
    struct reply r;
    if (!run)
        return;
    struct str id = call_format(c, "outputitem_%s", run->id);
    struct json_write *w = reply_begin(&r);
    list_begin(w);
    write_output_item(c, w, run, id);
    list_end(w, id, id);
    reply_send(c, &r, 200);
}

void objects_eval_item(struct call *c)
{
    struct shelf_item *run = crud_find(c, &objects_eval_run);
    struct buf out;
    struct json_write w;
    if (!run)
        return;
    if (!str_eq(c->args[2], call_format(c, "outputitem_%s", run->id))) {
        apierr_no_such(c, "output item", c->args[2]);
        return;
    }
    buf_init(&out, 1 << 20);
    json_write_init(&w, &out);
    write_output_item(c, &w, run, c->args[2]);
    must(json_write_done(&w));
    answer_json(c, 200, &out);
}

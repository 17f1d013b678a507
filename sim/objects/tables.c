/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The objects of the API and their routes. A row of crud is written as JSON, without quotes around
 * it; see crud.h for what '$' means. In the routes, fixed segments stand before "{}".
 */
#include "sim/api/api.h"
#include "sim/objects/objects.h"
#include "sim/routes.h"

#define J(...) #__VA_ARGS__
#define DELETED(object) J({"id" : "$id", "object" : object, "deleted" : true})

/* clang-format off */

const struct crud objects_file = {
    .collection = "files", .what = "File", .prefix = "file-", .required = "purpose", .flags = CRUD_NEED_FILE,
    .filters = "purpose", .deleted = DELETED("file"), .made = objects_file_made,
    .shape = J({"id": "$id", "object": "file", "bytes": "$file_bytes", "created_at": "$now", "expires_at": null,
                "filename": "$file_name", "purpose": "$body:purpose", "status": "processed", "status_details": null})};

const struct crud objects_upload = {
    .collection = "uploads", .what = "Upload", .prefix = "upload_", .required = "bytes,filename,mime_type,purpose",
    .act = J({"status": "cancelled"}),
    .shape = J({"id": "$id", "object": "upload", "bytes": 0, "created_at": "$now", "filename": "", "purpose": "",
                "status": "pending", "expires_at": "$now+3600", "mime_type": "", "file": null})};

const struct crud objects_upload_part = {
    .collection = "uploads/{}/parts", .what = "UploadPart", .prefix = "part_", .flags = CRUD_NEED_FILE,
    .parent = &objects_upload,
    .shape = J({"id": "$id", "object": "upload.part", "created_at": "$now", "upload_id": "$arg0"})};

const struct crud objects_batch = {
    .collection = "batches", .what = "batch", .prefix = "batch_",
    .required = "input_file_id,endpoint,completion_window",
    .shape = J({"id": "$id", "object": "batch", "endpoint": "", "model": null, "errors": null, "input_file_id": "",
                "completion_window": "24h", "status": "validating", "output_file_id": null, "error_file_id": null,
                "created_at": "$now", "in_progress_at": null, "expires_at": "$now+86400", "finalizing_at": null,
                "completed_at": null, "failed_at": null, "expired_at": null, "cancelling_at": null,
                "cancelled_at": null, "request_counts": {"total": 0, "completed": 0, "failed": 0}, "usage": null,
                "metadata": null})};

const struct crud objects_job = {
    .collection = "fine_tuning/jobs", .what = "FineTuningJob", .prefix = "ftjob-", .required = "model,training_file",
    .made = objects_job_made,
    .shape = J({"id": "$id", "object": "fine_tuning.job", "model": "", "created_at": "$now", "finished_at": null,
                "fine_tuned_model": null, "organization_id": "$org", "result_files": [], "status": "validating_files",
                "validation_file": null, "training_file": "", "hyperparameters": {"n_epochs": 3, "batch_size": 1,
                "learning_rate_multiplier": 1.8}, "trained_tokens": null, "error": null, "integrations": [],
                "seed": 42, "estimated_finish": null, "method": {"type": "supervised"}, "metadata": null,
                "suffix": null})};
static const struct crud job_cancel = {.collection = "fine_tuning/jobs", .what = "FineTuningJob",
    .act = J({"status": "cancelled", "finished_at": "$now"})};
static const struct crud job_pause = {.collection = "fine_tuning/jobs", .what = "FineTuningJob",
    .act = J({"status": "paused"})};
static const struct crud job_resume = {.collection = "fine_tuning/jobs", .what = "FineTuningJob",
    .act = J({"status": "queued"})};
static const struct crud permission = {
    .collection = "fine_tuning/checkpoints/{}/permissions", .what = "checkpoint permission", .prefix = "cp_",
    .deleted = DELETED("checkpoint.permission"),
    .shape = J({"id": "$id", "object": "checkpoint.permission", "created_at": "$now", "project_id": "$project"})};

const struct crud objects_vector_store = {
    .collection = "vector_stores", .what = "vector store", .prefix = "vs_", .deleted = DELETED("vector_store.deleted"),
    .made = objects_store_made,
    .shape = J({"id": "$id", "object": "vector_store", "created_at": "$now", "name": "", "description": null,
                "usage_bytes": "$file_bytes", "file_counts": {"in_progress": 0, "completed": 0, "failed": 0,
                "cancelled": 0, "total": 0}, "status": "completed", "expires_after": null, "expires_at": null,
                "last_active_at": "$now", "metadata": {}})};
const struct crud objects_vector_file = {
    .collection = "vector_stores/{}/files", .what = "vector store file", .prefix = "file-",
    .parent = &objects_vector_store, .filters = "status", .deleted = DELETED("vector_store.file.deleted"),
    .shape = J({"id": "$id", "object": "vector_store.file", "usage_bytes": 0, "created_at": "$now",
                "vector_store_id": "$arg0", "status": "completed", "last_error": null, "chunking_strategy":
                {"type": "static", "static": {"max_chunk_size_tokens": 800, "chunk_overlap_tokens": 400}},
                "attributes": {}})};
const struct crud objects_vector_batch = {
    .collection = "vector_stores/{}/file_batches", .what = "file batch", .prefix = "vsfb_",
    .parent = &objects_vector_store, .act = J({"status": "cancelled"}),
    .shape = J({"id": "$id", "object": "vector_store.files_batch", "created_at": "$now", "vector_store_id": "$arg0",
                "status": "completed", "file_counts": {"in_progress": 0, "completed": 0, "failed": 0, "cancelled": 0,
                "total": 0}})};

static const struct crud container = {
    .collection = "containers", .what = "Container", .prefix = "cntr_", .required = "name",
    .deleted = DELETED("container.deleted"),
    .shape = J({"id": "$id", "object": "container", "created_at": "$now", "status": "running", "last_active_at":
                "$now", "expires_after": {"anchor": "last_active_at", "minutes": 20}, "name": "", "memory_limit":
                "1g", "network_policy": {"type": "disabled"}})};
const struct crud objects_container_file = {
    .collection = "containers/{}/files", .what = "Container file", .prefix = "cfile_", .parent = &container,
    .deleted = DELETED("container.file.deleted"),
    .shape = J({"id": "$id", "object": "container.file", "container_id": "$arg0", "created_at": "$now", "bytes":
                "$file_bytes", "path": "$file_name", "source": "user"})};

static const struct crud eval = {
    .collection = "evals", .what = "Eval", .prefix = "eval_", .required = "data_source_config,testing_criteria",
    .made = objects_eval_made,
    .deleted = J({"object": "eval.deleted", "deleted": true, "eval_id": "$id"}),
    .shape = J({"id": "$id", "object": "eval", "created_at": "$now", "name": "", "data_source_config": {},
                "testing_criteria": [], "metadata": {}})};
const struct crud objects_eval_run = {
    .collection = "evals/{}/runs", .what = "Eval run", .prefix = "evalrun_", .required = "data_source",
    .parent = &eval, .filters = "status", .act = J({"status": "canceled"}),
    .deleted = J({"object": "eval.run.deleted", "deleted": true, "run_id": "$id"}),
    .shape = J({"id": "$id", "object": "eval.run", "created_at": "$now", "eval_id": "$arg0", "name": "", "model":
                "gpt-4o-2024-08-06", "status": "completed", "data_source": {}, "report_url":
                "https://platform.openai.com/evaluations", "result_counts": {"total": 1, "errored": 0, "failed": 0,
                "passed": 1}, "per_model_usage": [], "per_testing_criteria_results": [], "error": {"code": "",
                "message": ""}, "metadata": {}})};

const struct crud objects_assistant = {
    .collection = "assistants", .what = "assistant", .prefix = "asst_", .required = "model",
    .deleted = DELETED("assistant.deleted"),
    .shape = J({"id": "$id", "object": "assistant", "created_at": "$now", "name": null, "description": null, "model":
                "", "instructions": null, "tools": [], "tool_resources": {}, "metadata": {}, "temperature": 1.0,
                "top_p": 1.0, "response_format": "auto", "reasoning_effort": null})};
const struct crud objects_thread = {
    .collection = "threads", .what = "thread", .prefix = "thread_", .deleted = DELETED("thread.deleted"),
    .made = objects_thread_made,
    .shape = J({"id": "$id", "object": "thread", "created_at": "$now", "metadata": {}, "tool_resources": {}})};
const struct crud objects_message = {
    .collection = "threads/{}/messages", .what = "message", .prefix = "msg_", .required = "role,content",
    .parent = &objects_thread, .deleted = DELETED("thread.message.deleted"), .filters = "run_id",
    .made = objects_message_made,
    .shape = J({"id": "$id", "object": "thread.message", "created_at": "$now", "assistant_id": null, "thread_id":
                "$arg0", "run_id": null, "status": "completed", "incomplete_details": null, "completed_at": "$now",
                "incomplete_at": null, "role": "user", "content": [], "attachments": [], "metadata": {}})};
const struct crud objects_run = {
    .collection = "threads/{}/runs", .what = "run", .prefix = "run_", .parent = &objects_thread,
    .act = J({"status": "cancelled", "cancelled_at": "$now", "required_action": null}),
    .shape = J({"id": "$id", "object": "thread.run", "created_at": "$now", "assistant_id": "", "thread_id": "$arg0",
                "status": "queued", "started_at": "$now", "expires_at": null, "cancelled_at": null, "failed_at": null,
                "completed_at": null, "required_action": null, "last_error": null, "model": null, "instructions": "",
                "tools": [], "metadata": {}, "temperature": 1.0, "top_p": 1.0, "max_completion_tokens": null,
                "max_prompt_tokens": null, "truncation_strategy": {"type": "auto", "last_messages": null},
                "incomplete_details": null, "usage": null, "response_format": "auto", "tool_choice": "auto",
                "parallel_tool_calls": true, "reasoning_effort": null})};
const struct crud objects_run_step = {
    .collection = "threads/{}/runs/{}/steps", .what = "run step", .prefix = "step_", .parent = &objects_run,
    .shape = J({"id": "$id", "object": "thread.run.step", "created_at": "$now", "run_id": "$arg1", "assistant_id": "",
                "thread_id": "$arg0", "type": "message_creation", "status": "completed", "cancelled_at": null,
                "completed_at": "$now", "expired_at": null, "failed_at": null, "last_error": null, "step_details": {},
                "usage": null, "metadata": {}})};

const struct crud objects_conversation = {
    .collection = "conversations", .what = "Conversation", .prefix = "conv_",
    .deleted = DELETED("conversation.deleted"),
    .shape = J({"id": "$id", "object": "conversation", "created_at": "$now", "metadata": {}})};
const struct crud objects_conversation_item = {
    .collection = "conversations/{}/items", .what = "Conversation item", .prefix = "msg_",
    .parent = &objects_conversation, .shape = J({"id": "$id"})};

const struct crud objects_completion = {
    .collection = "chat/completions", .what = "chat completion", .filters = "model,metadata",
    .deleted = DELETED("chat.completion.deleted")};

const struct crud objects_video = {
    .collection = "videos", .what = "Video", .prefix = "video_", .deleted = DELETED("video.deleted"),
    .shape = J({"id": "$id", "object": "video", "created_at": "$now", "completed_at": null, "expires_at":
                "$now+86400", "error": null, "model": "sora-2", "progress": 0, "prompt": null,
                "remixed_from_video_id": null, "seconds": "4", "size": "720x1280", "status": "queued"})};
static const struct crud character = {
    .collection = "videos/characters", .what = "Character", .prefix = "char_",
    .shape = J({"id": "$id", "created_at": "$now", "name": null})};

static const struct crud voice = {
    .collection = "audio/voices", .what = "Voice", .prefix = "voice_", .required = "name",
    .deleted = DELETED("audio.voice.deleted"),
    .shape = J({"id": "$id", "object": "audio.voice", "created_at": "$now", "name": "", "type": "audio_sample"})};
static const struct crud consent = {
    .collection = "audio/voice_consents", .what = "Voice consent", .prefix = "cons_", .required = "name,language",
    .deleted = DELETED("audio.voice_consent"),
    .shape = J({"id": "$id", "object": "audio.voice_consent", "created_at": "$now", "name": "", "language": "en"})};

const struct crud objects_skill = {
    .collection = "skills", .what = "Skill", .prefix = "skill_", .deleted = DELETED("skill.deleted"),
    .made = objects_skill_made,
    .shape = J({"id": "$id", "object": "skill", "created_at": "$now", "name": "a-skill", "description": "$prose",
                "default_version": "1", "latest_version": "1"})};
const struct crud objects_skill_version = {
    .collection = "skills/{}/versions", .what = "Skill version", .prefix = "skillver_", .parent = &objects_skill,
    .deleted = J({"id": "$id", "object": "skill.version.deleted", "deleted": true, "version": "$arg1"}),
    .shape = J({"id": "$id", "object": "skill.version", "created_at": "$now", "skill_id": "$arg0", "name": "a-skill",
                "description": "$prose", "version": "1"})};

const struct crud objects_webhook = {
    .collection = "webhook_endpoints", .what = "Webhook endpoint", .prefix = "we_", .required = "name,url,event_types",
    .made = objects_webhook_made, .deleted = DELETED("webhook_endpoint.deleted"),
    .shape = J({"id": "$id", "object": "webhook_endpoint", "created_at": "$now", "updated_at": "$now", "name": "",
                "url": "", "event_types": [], "signing_secret_hint": "whsec_…"})};

static const struct crud agent = {
    .collection = "agents", .what = "Agent", .prefix = "agent_", .deleted = DELETED("agent.deleted"),
    .shape = J({"id": "$id", "object": "agent", "created_at": "$now", "updated_at": "$now", "name": null, "model":
                "gpt-6-sol", "instructions": null, "tools": [], "metadata": {}, "multi_agent": {"enabled": false},
                "reasoning": {"effort": "medium"}, "service_tier": "auto", "text": {"verbosity": "medium"}})};
static const struct crud automation = {
    .collection = "agents/automations", .what = "Automation", .prefix = "auto_",
    .deleted = DELETED("agent.automation.deleted"),
    .shape = J({"id": "$id", "object": "agent.automation", "created_at": "$now", "updated_at": "$now", "name": "",
                "type": "periodic", "expression": "0 0 * * *", "timezone": "UTC", "target": {}, "status": "active",
                "metadata": {}})};
static const struct crud automation_pause = {.collection = "agents/automations", .what = "Automation",
    .act = J({"status": "paused"})};
static const struct crud automation_resume = {.collection = "agents/automations", .what = "Automation",
    .act = J({"status": "active"})};
static const struct crud invocation = {
    .collection = "agents/automations/{}/invocations", .what = "Invocation", .prefix = "inv_",
    .parent = &automation,
    .shape = J({"id": "$id", "object": "agent.automation.invocation", "automation_id": "$arg0", "created_at": "$now",
                "error": null, "scheduled_at": null, "session_id": null, "skip_reason": null, "source":
                {"type": "manual"}, "status": "completed"})};
static const struct crud environment = {
    .collection = "agents/environments", .what = "Environment", .prefix = "env_",
    .shape = J({"id": "$id", "object": "agent.environment", "type": "openai_hosted", "status": "ready", "files": [],
                "plugins": [], "skills": []})};
static const struct crud environment_file = {
    .collection = "agents/environments/{}/files", .what = "Environment file", .prefix = "envfile_",
    .parent = &environment, .flags = CRUD_NEXT,
    .shape = J({"id": "$id", "object": "agent.environment.file", "environment_id": "$arg0", "path": "$body:path",
                "size_bytes": "$file_bytes"})};
static const struct crud environment_template = {
    .collection = "agents/environments/templates", .what = "Environment template", .prefix = "envt_",
    .deleted = DELETED("agent.environment.template.deleted"),
    .shape = J({"id": "$id", "object": "agent.environment.template", "created_at": "$now", "updated_at": "$now",
                "name": null, "capability_directories": [], "files": [], "network": {"type": "disabled"}, "packages":
                {}, "plugins": [], "skills": []})};
static const struct crud session = {
    .collection = "agents/sessions", .what = "Session", .prefix = "asess_",
    .deleted = DELETED("agent.session.deleted"),
    .shape = J({"id": "$id", "object": "agent.session", "created_at": "$now", "last_active_at": "$now", "agent": {},
                "environment": {"type": "none"}, "error": null, "metadata": {}, "required_actions": [], "status":
                "idle", "usage": null, "vault_ids": []})};
#define SESSION_PART(name, text)                                                                      \
    static const struct crud session_##name = {.collection = "agents/sessions/{}/" text, .what = text, \
        .prefix = "asp_", .parent = &session, .shape = J({"id": "$id"}), .deleted = DELETED("agent.session.artifact.deleted")}
SESSION_PART(items, "items");
SESSION_PART(subagents, "subagents");
SESSION_PART(artifacts, "artifacts");
SESSION_PART(traces, "traces");
SESSION_PART(turns, "turns");
#define SESSION_SUB(name, text)                                                                        \
    static const struct crud session_##name = {.collection = "agents/sessions/{}/" text, .what = text, \
        .prefix = "asp_", .parent = &session, .shape = J({"id": "$id"})}
SESSION_SUB(turn_items, "turns/{}/items");
SESSION_SUB(sub_items, "subagents/{}/items");
SESSION_SUB(sub_turns, "subagents/{}/turns");
SESSION_SUB(sub_turn_items, "subagents/{}/turns/{}/items");
static const struct crud vault = {
    .collection = "vaults", .what = "Vault", .prefix = "vault_", .deleted = DELETED("vault.deleted"),
    .shape = J({"id": "$id", "object": "vault", "created_at": "$now", "name": null, "metadata": {}})};
static const struct crud credential = {
    .collection = "vaults/{}/credentials", .what = "Credential", .prefix = "vcred_", .parent = &vault,
    .deleted = DELETED("vault.credential.deleted"),
    .shape = J({"id": "$id", "object": "vault.credential", "created_at": "$now", "updated_at": "$now", "vault_id":
                "$arg0", "name": "", "metadata": {}, "auth": {"type": "api_key"}})};

static const struct crud chatkit_session = {
    .collection = "chatkit/sessions", .what = "ChatKit session", .prefix = "cksess_", .required = "user,workflow",
    .act = J({"status": "cancelled"}),
    .shape = J({"id": "$id", "object": "chatkit.session", "client_secret": "$secret:ek_", "expires_at": "$now+600",
                "max_requests_per_1_minute": 10, "rate_limits": {"max_requests_per_1_minute": 10}, "status": "active",
                "user": "", "workflow": {}, "chatkit_configuration": {"automatic_thread_titling": {"enabled": true},
                "file_upload": {"enabled": false, "max_file_size": null, "max_files": null}, "history":
                {"enabled": true, "recent_threads": null}}})};
static const struct crud chatkit_thread = {
    .collection = "chatkit/threads", .what = "ChatKit thread", .prefix = "cthr_", .filters = "user",
    .deleted = DELETED("chatkit.thread.deleted"), .shape = J({"id": "$id"})};
static const struct crud chatkit_item = {
    .collection = "chatkit/threads/{}/items", .what = "ChatKit item", .prefix = "cthi_", .shape = J({"id": "$id"})};

static const struct crud provenance = {
    .shape = J({"object": "content_provenance_check", "created_at": "$now", "results": [{"type": "c2pa", "status":
                "not_found"}, {"type": "synthid", "status": "not_detected"}]})};
static const struct crud safety_case = {
    .shape = J({"id": "$arg0", "object": "safety.case", "created_at": "$now", "entity_identifier": "user-1", "notice":
                {"type": "none"}, "reason": null})};
static const struct crud safety_alert = {
    .shape = J({"id": "$arg0", "object": "safety.alert", "created_at": "$now", "error_type": "other", "model":
                "gpt-6-sol", "reason": null, "request_id": "req_0", "request_paused": false, "response_id":
                "resp_0"})};
static const struct crud rotated = {
    .collection = "webhook_endpoints", .what = "Webhook endpoint", .prefix = "we_",
    .shape = J({"id": "$arg0", "object": "webhook_endpoint", "created_at": "$now", "name": "", "url": "",
                "event_types": [], "signing_secret": "$secret:whsec_", "signing_secret_hint": "whsec_…"})};

static const struct crud realtime_session = {.prefix = "sess_",
    .shape = J({"id": "$id", "object": "realtime.session", "model": "gpt-realtime", "modalities": ["audio", "text"],
                "instructions": "", "voice": "alloy", "client_secret": {"value": "$secret:ek_", "expires_at":
                "$now+60"}})};
static const struct crud transcription_session = {.prefix = "sess_",
    .shape = J({"id": "$id", "object": "realtime.transcription_session", "modalities": ["audio", "text"],
                "input_audio_format": "pcm16", "turn_detection": null, "client_secret": {"value": "$secret:ek_",
                "expires_at": "$now+60"}})};
static const struct crud live_session = {.prefix = "live_", .flags = CRUD_OWN,
    .shape = J({"session": {"id": "$id", "object": "live.session", "created_at": "$now", "status": "active", "model":
                "gpt-live-1"}, "transport": {"type": "websocket"}})};

#define ROW(method, path, operation, run, crud, flags) \
    {{method, sizeof method - 1}, {path, sizeof path - 1}, operation, run, crud, flags}
#define GET(...) ROW("GET", __VA_ARGS__)
#define POST(...) ROW("POST", __VA_ARGS__)
#define DELETE(...) ROW("DELETE", __VA_ARGS__)
#define CREATE(path, operation, crud) POST(path, operation ".create", crud_create, crud, 0)
#define LIST(path, operation, crud) GET(path, operation ".list", crud_list, crud, 0)
#define ONE(path, operation, crud) GET(path "/{}", operation ".retrieve", crud_retrieve, crud, 0)
#define UPDATE(path, operation, crud) POST(path "/{}", operation ".update", crud_update, crud, 0)
#define REMOVE(path, operation, crud) DELETE(path "/{}", operation ".delete", crud_delete, crud, 0)
#define ALL(path, operation, crud)                                                                          \
    CREATE(path, operation, crud), LIST(path, operation, crud), ONE(path, operation, crud),                 \
            UPDATE(path, operation, crud), REMOVE(path, operation, crud)
#define FIXED(path, operation, crud) CREATE(path, operation, crud), LIST(path, operation, crud), ONE(path, operation, crud)
#define ACT(path, operation, crud) POST(path, operation, crud_act, crud, PATHS_RAW)
#define SHOW(method, path, operation, crud) ROW(method, path, operation, crud_show, crud, 0)
#define END {{NULL, 0}, {NULL, 0}, NULL, NULL, NULL, 0}

const struct route routes_objects[] = {
    FIXED("/files", "files", &objects_file), REMOVE("/files", "files", &objects_file),
    GET("/files/{}/content", "files.content", crud_content, &objects_file, 0),
    CREATE("/uploads", "uploads", &objects_upload),
    CREATE("/uploads/{}/parts", "uploads.parts", &objects_upload_part),
    POST("/uploads/{}/complete", "uploads.complete", objects_upload_complete, &objects_upload, 0),
    ACT("/uploads/{}/cancel", "uploads.cancel", &objects_upload),
    POST("/batches", "batches.create", objects_batch_create, &objects_batch, 0),
    LIST("/batches", "batches", &objects_batch), ONE("/batches", "batches", &objects_batch),
    POST("/batches/{}/cancel", "batches.cancel", objects_batch_cancel, &objects_batch, PATHS_RAW),

    FIXED("/fine_tuning/jobs", "fine_tuning.jobs", &objects_job),
    ACT("/fine_tuning/jobs/{}/cancel", "fine_tuning.jobs.cancel", &job_cancel),
    ACT("/fine_tuning/jobs/{}/pause", "fine_tuning.jobs.pause", &job_pause),
    ACT("/fine_tuning/jobs/{}/resume", "fine_tuning.jobs.resume", &job_resume),
    GET("/fine_tuning/jobs/{}/events", "fine_tuning.jobs.events.list", objects_job_events, &objects_job, 0),
    GET("/fine_tuning/jobs/{}/checkpoints", "fine_tuning.jobs.checkpoints.list", objects_job_checkpoints,
        &objects_job, 0),
    POST("/fine_tuning/checkpoints/{}/permissions", "fine_tuning.permissions.create", objects_permission_create,
         &permission, PATHS_ADMIN),
    GET("/fine_tuning/checkpoints/{}/permissions", "fine_tuning.permissions.list", crud_list, &permission, PATHS_ADMIN),
    DELETE("/fine_tuning/checkpoints/{}/permissions/{}", "fine_tuning.permissions.delete", crud_delete, &permission,
           PATHS_ADMIN),
    POST("/fine_tuning/alpha/graders/run", "fine_tuning.graders.run", objects_grader_run, NULL, 0),
    POST("/fine_tuning/alpha/graders/validate", "fine_tuning.graders.validate", objects_grader_run, NULL, 0),

    ALL("/vector_stores", "vector_stores", &objects_vector_store),
    POST("/vector_stores/{}/search", "vector_stores.search", objects_vector_search, &objects_vector_store, 0),
    POST("/vector_stores/{}/files", "vector_stores.files.create", objects_vector_attach, &objects_vector_file, 0),
    LIST("/vector_stores/{}/files", "vector_stores.files", &objects_vector_file),
    ONE("/vector_stores/{}/files", "vector_stores.files", &objects_vector_file),
    UPDATE("/vector_stores/{}/files", "vector_stores.files", &objects_vector_file),
    REMOVE("/vector_stores/{}/files", "vector_stores.files", &objects_vector_file),
    GET("/vector_stores/{}/files/{}/content", "vector_stores.files.content", objects_vector_content,
        &objects_vector_file, 0),
    POST("/vector_stores/{}/file_batches", "vector_stores.file_batches.create", objects_vector_batch_create,
         &objects_vector_batch, 0),
    ONE("/vector_stores/{}/file_batches", "vector_stores.file_batches", &objects_vector_batch),
    ACT("/vector_stores/{}/file_batches/{}/cancel", "vector_stores.file_batches.cancel", &objects_vector_batch),
    GET("/vector_stores/{}/file_batches/{}/files", "vector_stores.file_batches.files", objects_vector_batch_files,
        &objects_vector_batch, 0),

    FIXED("/containers", "containers", &container), REMOVE("/containers", "containers", &container),
    FIXED("/containers/{}/files", "containers.files", &objects_container_file),
    REMOVE("/containers/{}/files", "containers.files", &objects_container_file),
    GET("/containers/{}/files/{}/content", "containers.files.content", crud_content, &objects_container_file, 0),

    ALL("/evals", "evals", &eval),
    FIXED("/evals/{}/runs", "evals.runs", &objects_eval_run),
    REMOVE("/evals/{}/runs", "evals.runs", &objects_eval_run),
    ACT("/evals/{}/runs/{}", "evals.runs.cancel", &objects_eval_run),
    ACT("/evals/{}/runs/{}/cancel", "evals.runs.cancel", &objects_eval_run),
    GET("/evals/{}/runs/{}/output_items", "evals.output_items.list", objects_eval_items, &objects_eval_run, 0),
    GET("/evals/{}/runs/{}/output_items/{}", "evals.output_items.retrieve", objects_eval_item, &objects_eval_run, 0),

    ALL("/assistants", "assistants", &objects_assistant),
    POST("/threads/runs", "threads.create_and_run", objects_thread_run, &objects_thread, 0),
    CREATE("/threads", "threads", &objects_thread), ONE("/threads", "threads", &objects_thread),
    UPDATE("/threads", "threads", &objects_thread), REMOVE("/threads", "threads", &objects_thread),
    ALL("/threads/{}/messages", "threads.messages", &objects_message),
    POST("/threads/{}/runs", "threads.runs.create", objects_run_create, &objects_run, 0),
    LIST("/threads/{}/runs", "threads.runs", &objects_run), ONE("/threads/{}/runs", "threads.runs", &objects_run),
    UPDATE("/threads/{}/runs", "threads.runs", &objects_run),
    ACT("/threads/{}/runs/{}/cancel", "threads.runs.cancel", &objects_run),
    POST("/threads/{}/runs/{}/submit_tool_outputs", "threads.runs.submit_tool_outputs", objects_run_outputs,
         &objects_run, 0),
    LIST("/threads/{}/runs/{}/steps", "threads.runs.steps", &objects_run_step),
    ONE("/threads/{}/runs/{}/steps", "threads.runs.steps", &objects_run_step),

    POST("/conversations", "conversations.create", objects_conversation_create, &objects_conversation, 0),
    ONE("/conversations", "conversations", &objects_conversation),
    UPDATE("/conversations", "conversations", &objects_conversation),
    REMOVE("/conversations", "conversations", &objects_conversation),
    POST("/conversations/{}/items", "conversations.items.create", objects_conversation_add,
         &objects_conversation_item, 0),
    LIST("/conversations/{}/items", "conversations.items", &objects_conversation_item),
    ONE("/conversations/{}/items", "conversations.items", &objects_conversation_item),
    DELETE("/conversations/{}/items/{}", "conversations.items.delete", objects_conversation_drop,
           &objects_conversation_item, 0),

    LIST("/chat/completions", "chat.completions", &objects_completion),
    ONE("/chat/completions", "chat.completions", &objects_completion),
    UPDATE("/chat/completions", "chat.completions", &objects_completion),
    REMOVE("/chat/completions", "chat.completions", &objects_completion),
    GET("/chat/completions/{}/messages", "chat.completions.messages.list", objects_completion_messages,
        &objects_completion, 0),

    POST("/videos/edits", "videos.edit", objects_video_create, &objects_video, 0),
    POST("/videos/extensions", "videos.extend", objects_video_create, &objects_video, 0),
    CREATE("/videos/characters", "videos.characters", &character),
    ONE("/videos/characters", "videos.characters", &character),
    POST("/videos", "videos.create", objects_video_create, &objects_video, 0),
    LIST("/videos", "videos", &objects_video), ONE("/videos", "videos", &objects_video),
    REMOVE("/videos", "videos", &objects_video),
    GET("/videos/{}/content", "videos.content", objects_video_content, &objects_video, 0),
    POST("/videos/{}/remix", "videos.remix", objects_video_create, &objects_video, 0),

    CREATE("/audio/voices", "audio.voices", &voice), REMOVE("/audio/voices", "audio.voices", &voice),
    ALL("/audio/voice_consents", "audio.voice_consents", &consent),

    ALL("/skills", "skills", &objects_skill),
    GET("/skills/{}/content", "skills.content", crud_content, &objects_skill, 0),
    POST("/skills/{}/versions", "skills.versions.create", objects_skill_version_create, &objects_skill_version, 0),
    LIST("/skills/{}/versions", "skills.versions", &objects_skill_version),
    ONE("/skills/{}/versions", "skills.versions", &objects_skill_version),
    REMOVE("/skills/{}/versions", "skills.versions", &objects_skill_version),
    GET("/skills/{}/versions/{}/content", "skills.versions.content", crud_content, &objects_skill_version, 0),

    ALL("/webhook_endpoints", "webhook_endpoints", &objects_webhook),
    POST("/webhook_endpoints/{}/rotate_secret", "webhook_endpoints.rotate_secret", crud_show, &rotated, 0),
    POST("/webhook_endpoints/{}/test", "webhook_endpoints.test", objects_webhook_test, &objects_webhook, 0),
    GET("/webhook_event_types", "webhook_event_types.list", objects_event_types, NULL, 0),

    ALL("/agents/automations", "agents.automations", &automation),
    ACT("/agents/automations/{}/pause", "agents.automations.pause", &automation_pause),
    ACT("/agents/automations/{}/resume", "agents.automations.resume", &automation_resume),
    FIXED("/agents/automations/{}/invocations", "agents.automations.invocations", &invocation),
    ALL("/agents/environments/templates", "agents.environments.templates", &environment_template),
    FIXED("/agents/environments", "agents.environments", &environment),
    CREATE("/agents/environments/{}/files", "agents.environments.files", &environment_file),
    LIST("/agents/environments/{}/files", "agents.environments.files", &environment_file),
    ALL("/agents/sessions", "agents.sessions", &session),
    LIST("/agents/sessions/{}/items", "agents.sessions.items", &session_items),
    POST("/agents/sessions/{}/events", "agents.sessions.events.create", crud_nothing, NULL, 0),
    GET("/agents/sessions/{}/events", "agents.sessions.events.stream", objects_session_stream, &session, 0),
    LIST("/agents/sessions/{}/subagents", "agents.sessions.subagents", &session_subagents),
    ONE("/agents/sessions/{}/subagents", "agents.sessions.subagents", &session_subagents),
    LIST("/agents/sessions/{}/artifacts", "agents.sessions.artifacts", &session_artifacts),
    ONE("/agents/sessions/{}/artifacts", "agents.sessions.artifacts", &session_artifacts),
    LIST("/agents/sessions/{}/traces", "agents.sessions.traces", &session_traces),
    LIST("/agents/sessions/{}/turns", "agents.sessions.turns", &session_turns),
    ONE("/agents/sessions/{}/turns", "agents.sessions.turns", &session_turns),
    REMOVE("/agents/sessions/{}/artifacts", "agents.sessions.artifacts", &session_artifacts),
    GET("/agents/sessions/{}/artifacts/{}/content", "agents.sessions.artifacts.content", crud_content,
        &session_artifacts, 0),
    LIST("/agents/sessions/{}/turns/{}/items", "agents.sessions.turns.items", &session_turn_items),
    LIST("/agents/sessions/{}/subagents/{}/items", "agents.sessions.subagents.items", &session_sub_items),
    LIST("/agents/sessions/{}/subagents/{}/turns", "agents.sessions.subagents.turns", &session_sub_turns),
    ONE("/agents/sessions/{}/subagents/{}/turns", "agents.sessions.subagents.turns", &session_sub_turns),
    LIST("/agents/sessions/{}/subagents/{}/turns/{}/items", "agents.sessions.subagents.turns.items",
         &session_sub_turn_items),
    ALL("/agents", "agents", &agent),
    ALL("/vaults", "vaults", &vault),
    ALL("/vaults/{}/credentials", "vaults.credentials", &credential),

    CREATE("/chatkit/sessions", "chatkit.sessions", &chatkit_session),
    ACT("/chatkit/sessions/{}/cancel", "chatkit.sessions.cancel", &chatkit_session),
    LIST("/chatkit/threads", "chatkit.threads", &chatkit_thread),
    ONE("/chatkit/threads", "chatkit.threads", &chatkit_thread),
    REMOVE("/chatkit/threads", "chatkit.threads", &chatkit_thread),
    LIST("/chatkit/threads/{}/items", "chatkit.threads.items", &chatkit_item),

    SHOW("POST", "/content_provenance_checks", "content_provenance_checks", &provenance),
    SHOW("GET", "/safety/cases/{}", "safety.cases.retrieve", &safety_case),
    SHOW("GET", "/safety/alerts/{}", "safety.alerts.retrieve", &safety_alert),

    POST("/realtime/client_secrets", "realtime.client_secrets.create", api_realtime_secret, NULL, PATHS_NO_MODEL),
    SHOW("POST", "/realtime/sessions", "realtime.sessions.create", &realtime_session),
    SHOW("POST", "/realtime/transcription_sessions", "realtime.transcription_sessions.create", &transcription_session),
    POST("/realtime/translations/client_secrets", "realtime.translations.client_secrets.create",
         api_realtime_secret, NULL, PATHS_NO_MODEL),
    POST("/realtime/calls/{}/accept", "realtime.calls.accept", crud_nothing, NULL, PATHS_NO_MODEL),
    POST("/realtime/calls/{}/hangup", "realtime.calls.hangup", crud_nothing, NULL, PATHS_RAW),
    POST("/realtime/calls/{}/refer", "realtime.calls.refer", crud_nothing, NULL, 0),
    POST("/realtime/calls/{}/reject", "realtime.calls.reject", crud_nothing, NULL, 0),
    SHOW("POST", "/live/sessions", "live.sessions.create", &live_session),
    POST("/live/sessions/{}/accept", "live.sessions.accept", crud_nothing, NULL, 0),
    SHOW("POST", "/live/sessions/{}/fork", "live.sessions.fork", &live_session),
    POST("/live/sessions/{}/hangup", "live.sessions.hangup", crud_nothing, NULL, PATHS_RAW),
    POST("/live/sessions/{}/refer", "live.sessions.refer", crud_nothing, NULL, 0),
    POST("/live/sessions/{}/reject", "live.sessions.reject", crud_nothing, NULL, 0),
    END,
};

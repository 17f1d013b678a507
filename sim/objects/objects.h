/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIM_OBJECTS_OBJECTS_H
#define SIM_OBJECTS_OBJECTS_H

/*
 * objects: handlers for what is kept between calls and is more than crud can say: files in pieces,
 * batches that run, vector stores that find, threads that are answered.
 */

#include "sim/kept/crud.h"

/* The descriptors that handlers name; the others stand in tables.c. */
extern const struct crud objects_file, objects_upload, objects_upload_part, objects_batch, objects_vector_store,
    objects_vector_file, objects_vector_batch, objects_container_file, objects_job, objects_eval_run, objects_video,
    objects_assistant, objects_thread, objects_message, objects_run, objects_run_step, objects_conversation,
    objects_conversation_item, objects_completion, objects_skill, objects_skill_version, objects_webhook;

/* files.c */
call_fn objects_upload_complete;
void objects_file_made(struct call *c, struct shelf_item *i);
/* A new file object with this content; for results of jobs. */
struct shelf_item *objects_file_add(struct call *c, struct str name, const char *purpose, struct blob *blob);
/* Its content; false when it is not there. */
bool objects_file_bytes(struct call *c, struct str id, struct str *ret_bytes);

/* batches.c */
call_fn objects_batch_create, objects_batch_cancel;
/* Gives up all jobs under way; at shut-down. */
void objects_batches_end(struct sim *sim);

/* vectors.c */
call_fn objects_vector_attach, objects_vector_batch_create, objects_vector_batch_files, objects_vector_search,
    objects_vector_content;
void objects_store_made(struct call *c, struct shelf_item *i);

/* training.c */
call_fn objects_job_events, objects_job_checkpoints, objects_permission_create, objects_grader_run, objects_eval_items,
    objects_eval_item;
void objects_job_made(struct call *c, struct shelf_item *i);
void objects_eval_made(struct call *c, struct shelf_item *i);

/* threads.c and runs.c */
call_fn objects_thread_run, objects_run_create, objects_run_outputs;
void objects_thread_made(struct call *c, struct shelf_item *i);
void objects_message_made(struct call *c, struct shelf_item *i);

/* conversations.c */
call_fn objects_conversation_create, objects_conversation_add, objects_conversation_drop, objects_completion_messages;
/* The collection of a conversation's items. */
struct str objects_items_of(struct call *c, struct str conversation);
/* Adds the items of an array to a collection; writes them, with their ids, into `w` when it is not NULL. */
void objects_items_put(struct call *c, struct str collection, struct jval items, struct json_write *w);

/* videos.c and others.c */
call_fn objects_video_create, objects_video_content, objects_skill_version_create, objects_event_types,
    objects_webhook_test, objects_session_stream;
void objects_skill_made(struct call *c, struct shelf_item *i);
void objects_webhook_made(struct call *c, struct shelf_item *i);

#endif

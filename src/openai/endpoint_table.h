/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OPENAI_ENDPOINT_TABLE_H
#define OPENAI_ENDPOINT_TABLE_H

/*
 * The endpoint table. The busiest rows come first: a search goes from the top. Columns: method,
 * path, operation, request body, usage shape, flags. "{}" stands for one path segment.
 */
#define ENDPOINT_TABLE(X)                                                                                              \
    X(POST, "/chat/completions", "chat.completions", JSON, CHAT, ENDPOINT_ASK_USAGE | ENDPOINT_BILLED)                 \
    X(POST, "/responses", "responses", JSON, RESPONSES, ENDPOINT_BILLED)                                               \
    X(POST, "/embeddings", "embeddings", JSON, EMBEDDINGS, ENDPOINT_BILLED)                                            \
    X(POST, "/completions", "completions", JSON, COMPLETIONS, ENDPOINT_ASK_USAGE | ENDPOINT_BILLED)                    \
    X(GET, "/models", "models.list", NO_BODY, NONE, 0)                                                                 \
    X(GET, "/models/{}", "models.retrieve", NO_BODY, NONE, 0)                                                          \
    X(DELETE, "/models/{}", "models.delete", NO_BODY, NONE, 0)                                                         \
    X(POST, "/moderations", "moderations", JSON, NONE, 0)                                                              \
    /* Chat, responses, conversations. */                                                                              \
    X(GET, "/chat/completions", "chat.completions.list", NO_BODY, NONE, 0)                                             \
    X(GET, "/chat/completions/{}", "chat.completions.retrieve", NO_BODY, NONE, 0)                                      \
    X(POST, "/chat/completions/{}", "chat.completions.update", JSON, NONE, 0)                                          \
    X(DELETE, "/chat/completions/{}", "chat.completions.delete", NO_BODY, NONE, 0)                                     \
    X(GET, "/chat/completions/{}/messages", "chat.completions.messages.list", NO_BODY, NONE, 0)                        \
    X(POST, "/responses/input_tokens", "responses.input_tokens", JSON, INPUT_TOKENS, 0)                                \
    X(POST, "/responses/compact", "responses.compact", JSON, RESPONSES, ENDPOINT_BILLED)                               \
    X(GET, "/responses", "responses.websocket", NO_BODY, REALTIME, ENDPOINT_WEBSOCKET | ENDPOINT_BILLED)               \
    X(GET, "/responses/{}", "responses.retrieve", NO_BODY, NONE, 0)                                                    \
    X(DELETE, "/responses/{}", "responses.delete", NO_BODY, NONE, 0)                                                   \
    X(POST, "/responses/{}/cancel", "responses.cancel", JSON, NONE, 0)                                                 \
    X(GET, "/responses/{}/input_items", "responses.input_items.list", NO_BODY, NONE, 0)                                \
    X(POST, "/conversations", "conversations.create", JSON, NONE, 0)                                                   \
    X(GET, "/conversations/{}", "conversations.retrieve", NO_BODY, NONE, 0)                                            \
    X(POST, "/conversations/{}", "conversations.update", JSON, NONE, 0)                                                \
    X(DELETE, "/conversations/{}", "conversations.delete", NO_BODY, NONE, 0)                                           \
    X(GET, "/conversations/{}/items", "conversations.items.list", NO_BODY, NONE, 0)                                    \
    X(POST, "/conversations/{}/items", "conversations.items.create", JSON, NONE, 0)                                    \
    X(GET, "/conversations/{}/items/{}", "conversations.items.retrieve", NO_BODY, NONE, 0)                             \
    X(DELETE, "/conversations/{}/items/{}", "conversations.items.delete", NO_BODY, NONE, 0)                            \
    X(POST, "/decisions", "decisions", JSON, RESPONSES, ENDPOINT_BILLED)                                               \
    /* Images, audio, video. */                                                                                        \
    X(POST, "/images/generations", "images.generate", JSON, IMAGES, ENDPOINT_BILLED)                                   \
    X(POST, "/images/edits", "images.edit", FORM, IMAGES, ENDPOINT_BILLED)                                             \
    X(POST, "/images/variations", "images.variation", FORM, IMAGES, ENDPOINT_BILLED)                                   \
    X(POST, "/audio/speech", "audio.speech", JSON, SPEECH, ENDPOINT_BILLED | ENDPOINT_CHARACTERS)                      \
    X(POST, "/audio/transcriptions", "audio.transcriptions", FORM, TRANSCRIPTION, ENDPOINT_BILLED)                     \
    X(POST, "/audio/translations", "audio.translations", FORM, TRANSCRIPTION, ENDPOINT_BILLED)                         \
    X(POST, "/audio/voices", "audio.voices.create", FORM, NONE, 0)                                                     \
    X(DELETE, "/audio/voices/{}", "audio.voices.delete", NO_BODY, NONE, 0)                                             \
    X(GET, "/audio/voice_consents", "audio.voice_consents.list", NO_BODY, NONE, 0)                                     \
    X(POST, "/audio/voice_consents", "audio.voice_consents.create", FORM, NONE, 0)                                     \
    X(GET, "/audio/voice_consents/{}", "audio.voice_consents.retrieve", NO_BODY, NONE, 0)                              \
    X(POST, "/audio/voice_consents/{}", "audio.voice_consents.update", JSON, NONE, 0)                                  \
    X(DELETE, "/audio/voice_consents/{}", "audio.voice_consents.delete", NO_BODY, NONE, 0)                             \
    X(POST, "/videos", "videos.create", FORM, VIDEO, ENDPOINT_BILLED)                                                  \
    X(GET, "/videos", "videos.list", NO_BODY, NONE, 0)                                                                 \
    X(GET, "/videos/{}", "videos.retrieve", NO_BODY, NONE, 0)                                                          \
    X(DELETE, "/videos/{}", "videos.delete", NO_BODY, NONE, 0)                                                         \
    X(GET, "/videos/{}/content", "videos.content", NO_BODY, NONE, ENDPOINT_BINARY)                                     \
    X(POST, "/videos/{}/remix", "videos.remix", JSON, VIDEO, ENDPOINT_BILLED)                                          \
    X(POST, "/videos/edits", "videos.edit", FORM, VIDEO, ENDPOINT_BILLED)                                              \
    X(POST, "/videos/extensions", "videos.extend", FORM, VIDEO, ENDPOINT_BILLED)                                       \
    X(POST, "/videos/characters", "videos.characters.create", FORM, NONE, 0)                                           \
    X(GET, "/videos/characters/{}", "videos.characters.retrieve", NO_BODY, NONE, 0)                                    \
    /* Files, uploads, batches, fine-tuning. */                                                                        \
    X(GET, "/files", "files.list", NO_BODY, NONE, 0)                                                                   \
    X(POST, "/files", "files.create", FORM, NONE, 0)                                                                   \
    X(GET, "/files/{}", "files.retrieve", NO_BODY, NONE, 0)                                                            \
    X(DELETE, "/files/{}", "files.delete", NO_BODY, NONE, 0)                                                           \
    X(GET, "/files/{}/content", "files.content", NO_BODY, NONE, ENDPOINT_BINARY)                                       \
    X(POST, "/uploads", "uploads.create", JSON, NONE, 0)                                                               \
    X(POST, "/uploads/{}/parts", "uploads.parts.create", FORM, NONE, 0)                                                \
    X(POST, "/uploads/{}/complete", "uploads.complete", JSON, NONE, 0)                                                 \
    X(POST, "/uploads/{}/cancel", "uploads.cancel", JSON, NONE, 0)                                                     \
    X(GET, "/batches", "batches.list", NO_BODY, NONE, 0)                                                               \
    X(POST, "/batches", "batches.create", JSON, BATCH, ENDPOINT_BILLED | ENDPOINT_LATER)                               \
    X(GET, "/batches/{}", "batches.retrieve", NO_BODY, NONE, 0)                                                        \
    X(POST, "/batches/{}/cancel", "batches.cancel", JSON, NONE, 0)                                                     \
    X(GET, "/fine_tuning/jobs", "fine_tuning.jobs.list", NO_BODY, NONE, 0)                                             \
    X(POST, "/fine_tuning/jobs", "fine_tuning.jobs.create", JSON, FINE_TUNE, ENDPOINT_BILLED | ENDPOINT_LATER)         \
    X(GET, "/fine_tuning/jobs/{}", "fine_tuning.jobs.retrieve", NO_BODY, NONE, 0)                                      \
    X(POST, "/fine_tuning/jobs/{}/cancel", "fine_tuning.jobs.cancel", JSON, NONE, 0)                                   \
    X(POST, "/fine_tuning/jobs/{}/pause", "fine_tuning.jobs.pause", JSON, NONE, 0)                                     \
    X(POST, "/fine_tuning/jobs/{}/resume", "fine_tuning.jobs.resume", JSON, NONE, 0)                                   \
    X(GET, "/fine_tuning/jobs/{}/events", "fine_tuning.jobs.events.list", NO_BODY, NONE, 0)                            \
    X(GET, "/fine_tuning/jobs/{}/checkpoints", "fine_tuning.jobs.checkpoints.list", NO_BODY, NONE, 0)                  \
    X(POST, "/fine_tuning/alpha/graders/run", "fine_tuning.graders.run", JSON, NONE, ENDPOINT_BILLED | ENDPOINT_LATER) \
    X(POST, "/fine_tuning/alpha/graders/validate", "fine_tuning.graders.validate", JSON, NONE, 0)                      \
    /* Vector stores, containers, evals. */                                                                            \
    X(GET, "/vector_stores", "vector_stores.list", NO_BODY, NONE, 0)                                                   \
    X(POST, "/vector_stores", "vector_stores.create", JSON, NONE, 0)                                                   \
    X(GET, "/vector_stores/{}", "vector_stores.retrieve", NO_BODY, NONE, 0)                                            \
    X(POST, "/vector_stores/{}", "vector_stores.update", JSON, NONE, 0)                                                \
    X(DELETE, "/vector_stores/{}", "vector_stores.delete", NO_BODY, NONE, 0)                                           \
    X(POST, "/vector_stores/{}/search", "vector_stores.search", JSON, NONE, 0)                                         \
    X(GET, "/vector_stores/{}/files", "vector_stores.files.list", NO_BODY, NONE, 0)                                    \
    X(POST, "/vector_stores/{}/files", "vector_stores.files.create", JSON, NONE, 0)                                    \
    X(GET, "/vector_stores/{}/files/{}", "vector_stores.files.retrieve", NO_BODY, NONE, 0)                             \
    X(POST, "/vector_stores/{}/files/{}", "vector_stores.files.update", JSON, NONE, 0)                                 \
    X(DELETE, "/vector_stores/{}/files/{}", "vector_stores.files.delete", NO_BODY, NONE, 0)                            \
    X(GET, "/vector_stores/{}/files/{}/content", "vector_stores.files.content", NO_BODY, NONE, 0)                      \
    X(POST, "/vector_stores/{}/file_batches", "vector_stores.file_batches.create", JSON, NONE, 0)                      \
    X(GET, "/vector_stores/{}/file_batches/{}", "vector_stores.file_batches.retrieve", NO_BODY, NONE, 0)               \
    X(POST, "/vector_stores/{}/file_batches/{}/cancel", "vector_stores.file_batches.cancel", JSON, NONE, 0)            \
    X(GET, "/vector_stores/{}/file_batches/{}/files", "vector_stores.file_batches.files", NO_BODY, NONE, 0)            \
    X(GET, "/containers", "containers.list", NO_BODY, NONE, 0)                                                         \
    X(POST, "/containers", "containers.create", JSON, NONE, ENDPOINT_BILLED | ENDPOINT_SESSION)                        \
    X(GET, "/containers/{}", "containers.retrieve", NO_BODY, NONE, 0)                                                  \
    X(DELETE, "/containers/{}", "containers.delete", NO_BODY, NONE, 0)                                                 \
    X(GET, "/containers/{}/files", "containers.files.list", NO_BODY, NONE, 0)                                          \
    X(POST, "/containers/{}/files", "containers.files.create", FORM, NONE, 0)                                          \
    X(GET, "/containers/{}/files/{}", "containers.files.retrieve", NO_BODY, NONE, 0)                                   \
    X(DELETE, "/containers/{}/files/{}", "containers.files.delete", NO_BODY, NONE, 0)                                  \
    X(GET, "/containers/{}/files/{}/content", "containers.files.content", NO_BODY, NONE, ENDPOINT_BINARY)              \
    X(GET, "/evals", "evals.list", NO_BODY, NONE, 0)                                                                   \
    X(POST, "/evals", "evals.create", JSON, NONE, 0)                                                                   \
    X(GET, "/evals/{}", "evals.retrieve", NO_BODY, NONE, 0)                                                            \
    X(POST, "/evals/{}", "evals.update", JSON, NONE, 0)                                                                \
    X(DELETE, "/evals/{}", "evals.delete", NO_BODY, NONE, 0)                                                           \
    X(GET, "/evals/{}/runs", "evals.runs.list", NO_BODY, NONE, 0)                                                      \
    X(POST, "/evals/{}/runs", "evals.runs.create", JSON, NONE, ENDPOINT_BILLED | ENDPOINT_LATER)                       \
    X(GET, "/evals/{}/runs/{}", "evals.runs.retrieve", NO_BODY, NONE, 0)                                               \
    X(POST, "/evals/{}/runs/{}", "evals.runs.cancel", JSON, NONE, 0)                                                   \
    X(POST, "/evals/{}/runs/{}/cancel", "evals.runs.cancel", JSON, NONE, 0)                                            \
    X(DELETE, "/evals/{}/runs/{}", "evals.runs.delete", NO_BODY, NONE, 0)                                              \
    X(GET, "/evals/{}/runs/{}/output_items", "evals.output_items.list", NO_BODY, NONE, 0)                              \
    X(GET, "/evals/{}/runs/{}/output_items/{}", "evals.output_items.retrieve", NO_BODY, NONE, 0)                       \
    /* Assistants (deprecated upstream). */                                                                            \
    X(GET, "/assistants", "assistants.list", NO_BODY, NONE, 0)                                                         \
    X(POST, "/assistants", "assistants.create", JSON, NONE, 0)                                                         \
    X(GET, "/assistants/{}", "assistants.retrieve", NO_BODY, NONE, 0)                                                  \
    X(POST, "/assistants/{}", "assistants.update", JSON, NONE, 0)                                                      \
    X(DELETE, "/assistants/{}", "assistants.delete", NO_BODY, NONE, 0)                                                 \
    X(POST, "/threads", "threads.create", JSON, NONE, 0)                                                               \
    X(POST, "/threads/runs", "threads.create_and_run", JSON, RUNS, ENDPOINT_BILLED | ENDPOINT_LATER)                   \
    X(GET, "/threads/{}", "threads.retrieve", NO_BODY, NONE, 0)                                                        \
    X(POST, "/threads/{}", "threads.update", JSON, NONE, 0)                                                            \
    X(DELETE, "/threads/{}", "threads.delete", NO_BODY, NONE, 0)                                                       \
    X(GET, "/threads/{}/messages", "threads.messages.list", NO_BODY, NONE, 0)                                          \
    X(POST, "/threads/{}/messages", "threads.messages.create", JSON, NONE, 0)                                          \
    X(GET, "/threads/{}/messages/{}", "threads.messages.retrieve", NO_BODY, NONE, 0)                                   \
    X(POST, "/threads/{}/messages/{}", "threads.messages.update", JSON, NONE, 0)                                       \
    X(DELETE, "/threads/{}/messages/{}", "threads.messages.delete", NO_BODY, NONE, 0)                                  \
    X(GET, "/threads/{}/runs", "threads.runs.list", NO_BODY, NONE, 0)                                                  \
    X(POST, "/threads/{}/runs", "threads.runs.create", JSON, RUNS, ENDPOINT_BILLED | ENDPOINT_LATER)                   \
    X(GET, "/threads/{}/runs/{}", "threads.runs.retrieve", NO_BODY, NONE, 0)                                           \
    X(POST, "/threads/{}/runs/{}", "threads.runs.update", JSON, NONE, 0)                                               \
    X(POST, "/threads/{}/runs/{}/cancel", "threads.runs.cancel", JSON, NONE, 0)                                        \
    X(POST, "/threads/{}/runs/{}/submit_tool_outputs", "threads.runs.submit_tool_outputs", JSON, RUNS,                 \
      ENDPOINT_BILLED | ENDPOINT_LATER)                                                                                \
    X(GET, "/threads/{}/runs/{}/steps", "threads.runs.steps.list", NO_BODY, NONE, 0)                                   \
    X(GET, "/threads/{}/runs/{}/steps/{}", "threads.runs.steps.retrieve", NO_BODY, NONE, 0)                            \
    /* Realtime and live. */                                                                                           \
    X(GET, "/realtime", "realtime", NO_BODY, REALTIME, ENDPOINT_WEBSOCKET | ENDPOINT_BILLED)                           \
    X(POST, "/realtime/calls", "realtime.calls.create", RAW, NONE, ENDPOINT_BILLED | ENDPOINT_LATER)                   \
    X(POST, "/realtime/calls/{}/accept", "realtime.calls.accept", JSON, NONE, 0)                                       \
    X(POST, "/realtime/calls/{}/hangup", "realtime.calls.hangup", JSON, NONE, 0)                                       \
    X(POST, "/realtime/calls/{}/refer", "realtime.calls.refer", JSON, NONE, 0)                                         \
    X(POST, "/realtime/calls/{}/reject", "realtime.calls.reject", JSON, NONE, 0)                                       \
    X(POST, "/realtime/client_secrets", "realtime.client_secrets.create", JSON, NONE, 0)                               \
    X(POST, "/realtime/sessions", "realtime.sessions.create", JSON, NONE, 0)                                           \
    X(POST, "/realtime/transcription_sessions", "realtime.transcription_sessions.create", JSON, NONE, 0)               \
    X(POST, "/realtime/translations/client_secrets", "realtime.translations.client_secrets.create", JSON, NONE, 0)     \
    X(POST, "/live/sessions", "live.sessions.create", JSON, NONE, ENDPOINT_BILLED | ENDPOINT_LATER)                    \
    X(GET, "/live/sessions", "live", NO_BODY, LIVE, ENDPOINT_WEBSOCKET | ENDPOINT_BILLED)                              \
    /* The rest of the surface. */                                                                                     \
    X(POST, "/webhook_endpoints", "webhook_endpoints.create", JSON, NONE, 0)                                           \
    X(GET, "/webhook_endpoints", "webhook_endpoints.list", NO_BODY, NONE, 0)                                           \
    X(GET, "/webhook_event_types", "webhook_event_types.list", NO_BODY, NONE, 0)                                       \
    X(POST, "/chatkit/sessions", "chatkit.sessions.create", JSON, NONE, ENDPOINT_BILLED | ENDPOINT_LATER)              \
    X(POST, "/chatkit/sessions/{}/cancel", "chatkit.sessions.cancel", JSON, NONE, 0)                                   \
    X(GET, "/chatkit/threads", "chatkit.threads.list", NO_BODY, NONE, 0)                                               \
    X(GET, "/chatkit/threads/{}", "chatkit.threads.retrieve", NO_BODY, NONE, 0)                                        \
    X(DELETE, "/chatkit/threads/{}", "chatkit.threads.delete", NO_BODY, NONE, 0)                                       \
    X(GET, "/skills", "skills.list", NO_BODY, NONE, 0)                                                                 \
    X(POST, "/skills", "skills.create", FORM, NONE, 0)                                                                 \
    X(GET, "/skills/{}", "skills.retrieve", NO_BODY, NONE, 0)                                                          \
    X(DELETE, "/skills/{}", "skills.delete", NO_BODY, NONE, 0)                                                         \
    X(POST, "/engines/{}/completions", "completions", JSON, COMPLETIONS, ENDPOINT_ASK_USAGE | ENDPOINT_BILLED)         \
    X(POST, "/engines/{}/embeddings", "embeddings", JSON, EMBEDDINGS, ENDPOINT_BILLED)                                 \
    X(POST, "/edits", "edits", JSON, COMPLETIONS, ENDPOINT_BILLED)

#endif

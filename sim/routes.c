/* SPDX-License-Identifier: Apache-2.0 */
/* Rows: METHOD(path, operation, handler, flags). */
#include "sim/routes.h"

#include "sim/api/api.h"
#include "sim/http/cuefile.h"
#include "sim/kept/served.h"
#include "sim/model/modelbook.h"
#include "sim/own.h"

#define ROW(method, path, operation, run, flags)                                          \
    {                                                                                     \
        {method, sizeof method - 1}, {path, sizeof path - 1}, operation, run, NULL, flags \
    }
#define GET(...) ROW("GET", __VA_ARGS__)
#define POST(...) ROW("POST", __VA_ARGS__)
#define PUT(...) ROW("PUT", __VA_ARGS__)
#define DELETE(...) ROW("DELETE", __VA_ARGS__)
#define END                                       \
    {                                             \
        {NULL, 0}, {NULL, 0}, NULL, NULL, NULL, 0 \
    }

const struct route routes_inference[] = {
    POST("/chat/completions", "chat.completions", api_chat_create, 0),
    POST("/responses", "responses", api_responses_create, 0),
    POST("/embeddings", "embeddings", api_embeddings_create, 0),
    POST("/completions", "completions", api_completions_create, 0),
    POST("/engines/{}/completions", "completions", api_completions_create, 0),
    POST("/engines/{}/embeddings", "embeddings", api_embeddings_create, 0),
    POST("/edits", "edits", api_edits_create, 0),
    POST("/moderations", "moderations", api_moderations_create, 0),
    GET("/models", "models.list", modelbook_list, PATHS_EITHER),
    GET("/models/{}", "models.retrieve", modelbook_one, PATHS_EITHER),
    DELETE("/models/{}", "models.delete", modelbook_delete, 0),
    POST("/responses/input_tokens", "responses.input_tokens", api_responses_count, 0),
    POST("/responses/compact", "responses.compact", api_responses_compact, 0),
    GET("/responses", "responses.websocket", api_responses_open, 0),
    GET("/responses/{}", "responses.retrieve", api_responses_retrieve, 0),
    DELETE("/responses/{}", "responses.delete", api_responses_delete, 0),
    POST("/responses/{}/cancel", "responses.cancel", api_responses_cancel, PATHS_RAW),
    GET("/responses/{}/input_items", "responses.input_items.list", api_responses_items, 0),
    POST("/decisions", "decisions", api_decisions_create, 0),
    POST("/images/generations", "images.generate", api_images_generate, 0),
    POST("/images/edits", "images.edit", api_images_edit, 0),
    POST("/images/variations", "images.variation", api_images_vary, 0),
    POST("/audio/speech", "audio.speech", api_speech_create, 0),
    POST("/audio/transcriptions", "audio.transcriptions", api_transcriptions_create, 0),
    POST("/audio/translations", "audio.translations", api_translations_create, 0),
    GET("/realtime", "realtime", api_realtime_open, 0),
    POST("/realtime/calls", "realtime.calls.create", api_realtime_call, PATHS_RAW),
    GET("/live/sessions", "live", api_live_open, 0),
    GET("/live/sessions/{}/content", "live.sessions.content", api_live_recording, 0),
    END,
};

const struct route routes_own[] = {
    GET("/sim/requests", "sim.requests", served_list, PATHS_OPEN | PATHS_OWN),
    GET("/sim/requests/{}", "sim.request", served_one, PATHS_OPEN | PATHS_OWN),
    GET("/sim/totals", "sim.totals", served_totals, PATHS_OPEN | PATHS_OWN),
    GET("/sim/health", "sim.health", own_health, PATHS_OPEN | PATHS_OWN),
    GET("/sim/operations", "sim.operations", own_operations, PATHS_OPEN | PATHS_OWN),
    POST("/sim/reset", "sim.reset", own_reset, PATHS_OPEN | PATHS_OWN | PATHS_RAW),
    PUT("/sim/script", "sim.script", cuefile_put, PATHS_OPEN | PATHS_OWN | PATHS_RAW),
    DELETE("/sim/script", "sim.script", cuefile_delete, PATHS_OPEN | PATHS_OWN | PATHS_RAW),
    END,
};

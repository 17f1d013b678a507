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
    POST("/embeddings", "embeddings", api_embeddings_create, 0),
    GET("/models", "models.list", modelbook_list, PATHS_EITHER),
    GET("/models/{}", "models.retrieve", modelbook_one, PATHS_EITHER),
    DELETE("/models/{}", "models.delete", modelbook_delete, 0),
    END,
};

const struct route routes_objects[] = {
    END,
};

const struct route routes_org[] = {
    END,
};

const struct route routes_own[] = {
    GET("/sim/requests", "sim.requests", served_list, PATHS_OPEN | PATHS_OWN),
    GET("/sim/requests/{}", "sim.request", served_one, PATHS_OPEN | PATHS_OWN),
    GET("/sim/totals", "sim.totals", served_totals, PATHS_OPEN | PATHS_OWN),
    GET("/sim/health", "sim.health", own_health, PATHS_OPEN | PATHS_OWN),
    POST("/sim/reset", "sim.reset", own_reset, PATHS_OPEN | PATHS_OWN | PATHS_RAW),
    PUT("/sim/script", "sim.script", cuefile_put, PATHS_OPEN | PATHS_OWN | PATHS_RAW),
    DELETE("/sim/script", "sim.script", cuefile_delete, PATHS_OPEN | PATHS_OWN | PATHS_RAW),
    END,
};

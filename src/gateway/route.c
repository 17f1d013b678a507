/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a request goes. Most ask for nothing special: the workspace's default integration, whose head
 * is begun here, while the client's head is still at hand. All others are routed (run/run.h).
 */
#include "gateway/finish.h"
#include "gateway/heads.h"
#include "gateway/request.h"
#include "gateway/run/run.h"
#include "gateway/stages.h"
#include "gateway/target/path.h"
#include "net/url.h"

static void read_model_param(struct request *r)
{
    struct str model;
    if (url_query_find(r->query, STR("model"), r->arena, &model))
        r->model_asked = model;
}

static bool is_routed(struct request *r)
{
    const struct snapshot_key *k = r->key;
    struct str batch;
    if (r->model_api || k->default_config || k->workspace->default_config || options_matter(&r->x->head))
        return true;
    if (r->integration && r->integration->kind == KIND_INTEGRATION_AZURE_OPENAI)
        return true;
    if (r->portkey && str_starts_nocase(r->content_type, STR("multipart/"))) /* its model may be "@slug/model" */
        return true;
    if (path_batch_output(r->method, r->operation_path, &batch))
        return true;
    if (!r->x->has_body && !r->websocket && r->query.n)
        read_model_param(r);
    return !r->x->has_body && r->model_asked.n && r->model_asked.p[0] == '@';
}

enum next route_run(struct request *r)
{
    if (r->worker->journal_failing) { /* what cannot be recorded is not bought; this refusal tries the journal again */
        finish_with_error(r, ERR_JOURNAL_FAILED, STR(""), STR(""));
        return DONE;
    }
    r->websocket = r->x->head.upgrade_websocket && (r->endpoint->flags & ENDPOINT_WEBSOCKET);
    if (r->websocket) /* the model of a session stands in its address */
        read_model_param(r);
    r->integration = r->key->workspace->default_integration;
    if (is_routed(r)) {
        r->integration = NULL;
        return run_options(r);
    }
    if (!r->integration && !r->x->has_body) { /* a body may name one in its model */
        finish_with_error(r, ERR_NO_INTEGRATION, STR(""), STR(""));
        return DONE;
    }
    if (r->integration && r->integration->broken) {
        finish_with_error(r, ERR_NO_INTEGRATION, STR(""), STR("its stored key cannot be read; connect it again"));
        return DONE;
    }
    heads_begin_upstream(r, &r->x->head);
    return NEXT;
}

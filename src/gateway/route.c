/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a request goes: the workspace's default integration. The head for upstream is begun here,
 * while the client's head is still at hand.
 */
#include "gateway/finish.h"
#include "gateway/heads.h"
#include "gateway/request.h"
#include "gateway/stages.h"
#include "net/url.h"

static void read_model_param(struct request *r)
{
    struct str model;
    if (url_query_find(r->query, STR("model"), r->arena, &model))
        r->model_asked = model;
}

enum next route_run(struct request *r)
{
    if (r->worker->journal_failing) { /* what cannot be recorded is not bought; this refusal tries the journal again */
        finish_with_error(r, ERR_JOURNAL_FAILED, STR(""), STR(""));
        return DONE;
    }
    r->integration = r->key->workspace->default_integration;
    if (!r->integration) {
        finish_with_error(r, ERR_NO_INTEGRATION, STR(""), STR(""));
        return DONE;
    }
    if (r->integration->broken) {
        finish_with_error(r, ERR_NO_INTEGRATION, STR(""), STR("its stored key cannot be read; connect it again"));
        return DONE;
    }
    r->websocket = r->x->head.upgrade_websocket && (r->endpoint->flags & ENDPOINT_WEBSOCKET);
    if (r->websocket) /* the model of a session stands in its address */
        read_model_param(r);
    heads_begin_upstream(r, &r->x->head);
    return NEXT;
}

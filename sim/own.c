/* SPDX-License-Identifier: Apache-2.0 */
/* Health and reset. */
#include "sim/own.h"

#include "base/version.h"
#include "sim/http/call.h"
#include "sim/http/cuefile.h"
#include "sim/http/reply.h"
#include "sim/kept/orgsum.h"
#include "sim/kept/served.h"
#include "sim/kept/shelf.h"
#include "sim/model/tally.h"
#include "sim/org/org.h"

void own_health(struct call *c)
{
    struct reply r;
    struct json_write *w = reply_begin(&r);
    json_write_member_string(w, "object", STR("sim.health"));
    json_write_member_string(w, "version", STR(TOLLGATE_VERSION));
    json_write_member_uint(w, "seed", c->sim->opts.seed);
    reply_send(c, &r, 200);
}

void own_operations(struct call *c)
{
    const struct route *route;
    struct reply r;
    struct json_write *w = reply_begin(&r);
    json_write_member_string(w, "object", STR("list"));
    json_write_key(w, STR("data"));
    json_write_array(w);
    for (size_t i = 0; (route = paths_row(i)) != NULL; i++) {
        json_write_object(w);
        json_write_member_string(w, "operation", str_c(route->operation));
        json_write_member_string(w, "method", route->method);
        json_write_member_string(w, "path", route->path);
        json_write_member_bool(w, "admin", (route->flags & PATHS_ADMIN) != 0);
        json_write_object_end(w);
    }
    json_write_array_end(w);
    reply_send(c, &r, 200);
}

void own_reset(struct call *c)
{
    served_reset(c->sim->served);
    orgsum_reset(c->sim->orgsum);
    shelf_clear(c->sim->shelf);
    org_begin(c->sim);
    tally_forget(c->sim->tally);
    cuefile_rewind(c->sim->script);
    answer_empty(c, 204);
}

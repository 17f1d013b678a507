/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Configs of any text: what is refused has a reason; what is accepted is a tree whose places are
 * right, whose secrets do not show when masked, and whose plans end. The first eight bytes are the
 * draws of the plan, and what its attempts end with.
 */
#include <string.h>

#include "base/json/jdoc.h"
#include "base/must.h"
#include "gateway/plan/plan.h"

static uint32_t check_node(const struct config *c, const struct config_node *n, uint32_t id)
{
    must(n->id == id);
    must(n->depth < CONFIG_DEPTH_MAX);
    must(str_starts(n->path, STR("config")));
    must(n->weight >= 0 && n->weight <= 1e12);
    must(n->settings.retry.attempts <= CONFIG_RETRY_MAX);
    for (size_t i = 1; i < n->on_status_codes.n; i++)
        must(n->on_status_codes.list[i - 1] < n->on_status_codes.list[i]);
    for (size_t i = 0; i < n->settings.override_params.n; i++)
        must(n->settings.override_params.list[i].json.n > 0);
    for (size_t i = 0; i < n->settings.before.n; i++)
        for (size_t k = 0; k < n->settings.before.list[i].check_count; k++)
            must(n->settings.before.list[i].checks[k].parameters.p[0] == '{');
    id++;
    for (size_t i = 0; i < n->target_count; i++) {
        must(n->targets[i].parent == n);
        must(n->targets[i].index == i);
        id = check_node(c, &n->targets[i], id);
    }
    return id;
}

static void check_masked(const struct config *c)
{
    struct jdoc d;
    struct buf out;
    struct str key = c->root->settings.api_key;
    buf_init(&out, 4u * CONFIG_TEXT_MAX);
    must(config_masked(c, &out));
    jdoc_init(&d);
    must(jdoc_parse(&d, buf_str(&out)));
    jdoc_free(&d);
    /* What stands elsewhere too, as a name or a value that is no secret, is not hidden there. */
    ptrdiff_t at = key.n >= 8 ? str_search(c->text, key) : -1;
    if (at >= 0 && str_search(str_from(c->text, (size_t)at + 1), key) < 0)
        must(str_search(buf_str(&out), key) < 0);
    buf_free(&out);
}

static void check_plan(struct config *c, uint64_t random)
{
    static const int statuses[] = {200, 246, 400, 408, 429, 446, 500, 503};
    struct arena *a = arena_new(1024, 4u << 20);
    struct breakers *b = breakers_new();
    struct sticky_table *sticky = sticky_new();
    struct plan_input in = {.config = c,
                            .path = STR("/v1/chat/completions"),
                            .metadata = STR("{\"user\":\"u\",\"plan\":\"paid\"}"),
                            .body = STR("{\"model\":\"gpt-4o\",\"n\":2,\"user\":\"x\"}"),
                            .breakers = b,
                            .sticky = sticky,
                            .explain = true};
    config_name(c, 1, STR("pc-fuzz"), 1, 1);
    for (int round = 0; round < 4; round++) {
        struct plan p;
        in.random = random * (2 * (uint64_t)round + 1);
        in.now_us += 1000;
        must(plan_make(&in, a, &p));
        must(p.step_count >= 1);
        must(p.step_count <= CONFIG_ATTEMPTS_MAX);
        int tries = 0;
        for (int at = 0; at >= 0; tries++) {
            int status = statuses[in.random >> (3 * tries) % 60 & 7];
            breakers_note(b, c, &p.steps[at], status, in.now_us);
            int next = plan_after(&p, (unsigned)at, status, false);
            must(next < 0 || (next > at && next < p.step_count));
            at = next;
        }
        must((unsigned)tries <= c->attempts_max);
    }
    sticky_free(sticky);
    breakers_free(b);
    arena_free(a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config *c = NULL;
    static struct config_errors why;
    uint64_t random = 0;
    if (size < sizeof random)
        return 0;
    memcpy(&random, data, sizeof random);
    struct str text = str_of((const char *)data + sizeof random, size - sizeof random);
    if (config_compile(text, &c, &why)) {
        must(!c);
        must(why.not_json != (why.n > 0));
        for (size_t i = 0; i < why.n; i++)
            must(strncmp(why.text[i], "path: ", 6) == 0);
        return 0;
    }
    must(c->attempts_max >= 1 && c->attempts_max <= CONFIG_ATTEMPTS_MAX);
    must(check_node(c, c->root, 0) == c->node_count);
    check_masked(c);
    check_plan(c, random);
    config_unref(c);
    return 0;
}

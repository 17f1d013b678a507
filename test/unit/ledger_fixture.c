/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the tests of the ledger. */
#include "ledger_fixture.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/must.h"

void fixture_dir(char out[FIXTURE_PATH_MAX])
{
    const char *base = getenv("TMPDIR");
    snprintf(out, FIXTURE_PATH_MAX, "%s/tollgate-test-XXXXXX", base ? base : "/tmp");
    must(mkdtemp(out) != NULL);
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *place)
{
    (void)st;
    (void)kind;
    (void)place;
    return remove(path);
}

void fixture_remove(const char *dir)
{
    nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void fixture_path(char out[FIXTURE_PATH_MAX], const char *dir, const char *name)
{
    int n = snprintf(out, FIXTURE_PATH_MAX, "%s/%s", dir, name);
    must(n > 0 && n < FIXTURE_PATH_MAX);
}

unsigned fixture_scale(void)
{
    uint64_t scale;
    const char *text = getenv("TOLLGATE_TEST_SCALE");
    return text && str_to_u64(str_c(text), &scale) && scale >= 1 && scale <= 1000 ? (unsigned)scale : 1;
}

char *fixture_read(const char *path, size_t *ret_n)
{
    int fd;
    struct file_facts facts;
    must(file_look(path, &facts) == ERR_OK);
    must(file_open(path, O_RDONLY, 0, &fd) == ERR_OK);
    char *p = mem_alloc(facts.size);
    must(file_read_at(fd, p, facts.size, 0, ret_n) == ERR_OK);
    file_close(fd);
    return p;
}

void fixture_write(const char *path, const char *p, size_t n)
{
    int fd;
    must(file_open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600, &fd) == ERR_OK);
    must(file_write_at(fd, p, n, 0) == ERR_OK);
    file_close(fd);
}

static struct str text(struct fixture_record *f, size_t *used, const char *before, uint64_t v, const char *after)
{
    int n = snprintf(f->text + *used, sizeof f->text - *used, "%s%llu%s", before, (unsigned long long)v, after);
    must(n >= 0 && (size_t)n < sizeof f->text - *used);
    struct str s = str_of(f->text + *used, (size_t)n);
    *used += (size_t)n;
    return s;
}

static struct str hex_id(struct fixture_record *f, size_t *used, const char *prefix, struct rng_seeded *g)
{
    int n = snprintf(f->text + *used, sizeof f->text - *used, "%s%016llx%016llx", prefix,
                     (unsigned long long)rng_seeded_u64(g), (unsigned long long)rng_seeded_u64(g));
    struct str s = str_of(f->text + *used, (size_t)n);
    *used += (size_t)n;
    return s;
}

static void fill_usage(struct record *r, struct rng_seeded *g)
{
    r->usage.source = USAGE_REPORTED;
    r->usage.quantity[METER_INPUT] = 50 + rng_seeded_below(g, 2000);
    r->usage.quantity[METER_CACHED] = rng_seeded_below(g, 2) ? 0 : r->usage.quantity[METER_INPUT] / 2;
    r->usage.quantity[METER_OUTPUT] = 10 + rng_seeded_below(g, 600);
    r->usage.input_total_tok = r->usage.quantity[METER_INPUT] + r->usage.quantity[METER_CACHED];
    r->usage.output_total_tok = r->usage.quantity[METER_OUTPUT];
    r->usage.reasoning_tok = rng_seeded_below(g, 3) ? 0 : r->usage.output_total_tok / 3;
    r->cost.state = rng_seeded_below(g, 20) ? COST_PRICED : COST_UNPRICED;
    r->cost.meter = METER_COUNT;
    r->cost.match = PRICE_MATCH_EXACT;
    if (r->cost.state == COST_UNPRICED) {
        r->cost.reason = COST_REASON_MODEL;
        return;
    }
    static const int64_t unit[] = {[METER_INPUT] = 150000, [METER_CACHED] = 75000, [METER_OUTPUT] = 600000};
    for (unsigned m = 0; m <= METER_OUTPUT; m++) {
        r->cost.part_pusd[m] = (int64_t)r->usage.quantity[m] * unit[m];
        r->cost.total_pusd += r->cost.part_pusd[m];
    }
    r->cost.price_row = 17;
}

static void fill_bodies(struct fixture_record *f, struct rng_seeded *g)
{
    static const char *const words[] = {"the", "model", "answers", "a", "question", "about", "rivers", "and", "stone"};
    size_t cut = 100 + rng_seeded_below(g, 6000), n = 0, total = cut + 100 + rng_seeded_below(g, 6000);
    while (n < total)
        n += (size_t)snprintf(f->bodies + n, sizeof f->bodies - n, "%s %llu ", words[rng_seeded_below(g, 9)],
                              (unsigned long long)rng_seeded_below(g, 1000));
    f->r.bodies_kept = true;
    f->r.request_body = (struct record_body){.bytes = str_of(f->bodies, cut), .size_bytes = cut};
    f->r.response_body = (struct record_body){.bytes = str_of(f->bodies + cut, n - cut), .size_bytes = n - cut + 7};
    f->r.response_body.has_sha256 = true;
    memset(f->r.response_body.sha256, (int)(cut & 0xff), 32);
}

/* Answers out of the cache cost nothing. */
static void fill_cache(struct record *r, struct rng_seeded *g)
{
    r->routing.cache = (enum record_cache)rng_seeded_below(g, RECORD_CACHE_COUNT);
    if (r->routing.cache != RECORD_CACHE_HIT && r->routing.cache != RECORD_CACHE_SEMANTIC_HIT)
        return;
    r->routing.saved_pusd = r->cost.total_pusd;
    r->cost = (struct cost){.state = COST_FREE, .meter = METER_COUNT};
}

static void fill_routing(struct fixture_record *f, struct rng_seeded *g, size_t *used)
{
    static const char *const providers[] = {"", "openai", "azure-openai"};
    static const char *const configs[] = {"inline", "pc-first", "pc-second", "pc-third"};
    struct record_routing *o = &f->r.routing;
    o->provider = str_c(providers[rng_seeded_below(g, 3)]);
    o->config = str_c(configs[rng_seeded_below(g, 4)]);
    o->config_version = (uint32_t)rng_seeded_below(g, 3);
    o->mode = rng_seeded_below(g, 2) ? STR("fallback") : STR("loadbalance");
    o->target = text(f, used, "config.targets[", rng_seeded_below(g, 3), "]");
    o->retry = f->r.attempt ? (uint32_t)rng_seeded_below(g, 3) : 0;
    o->retries = rng_seeded_below(g, 9) ? o->retry : RECORD_RETRIES_USED_UP;
    o->discarded = rng_seeded_below(g, 4) == 0;
    if (rng_seeded_below(g, 3) == 0)
        fill_cache(&f->r, g);
    if (rng_seeded_below(g, 5) == 0) {
        o->hooks = RECORD_HOOKS_FAILED;
        o->hook_results = text(f, used, "{\"before\":[", rng_seeded_below(g, 1000), "]}");
        o->span_name = text(f, used, "step ", rng_seeded_below(g, 100), "");
        f->r.span_id = text(f, used, "span-", rng_seeded_below(g, 300), "");
        f->r.parent_span_id = STR("b7ad6b7169203331");
        o->sdk_version = STR("portkey-1.10.0");
        o->runtime = STR("node");
        o->runtime_version = STR("v20.1.0");
    }
}

void fixture_record(struct fixture_record *f, uint64_t seed, uint64_t i, int64_t id, bool with_bodies)
{
    static const char *const models[] = {"gpt-4o-mini", "gpt-4o", "gpt-4.1", "o4-mini", "gpt-5"};
    struct rng_seeded g = {seed * 1000003 + i};
    size_t used = 0;
    unsigned model = (unsigned)rng_seeded_below(&g, 5);
    bool failed = rng_seeded_below(&g, 30) == 0;
    f->r = (struct record){
        .id = id,
        .request_id = id,
        .started_us = record_id_time_us(id),
        .workspace_id = 1 + (int64_t)rng_seeded_below(&g, 3),
        .key_id = 1 + (int64_t)rng_seeded_below(&g, 50),
        .integration_id = 1 + (int64_t)rng_seeded_below(&g, 2),
        .method = STR("POST"),
        .path = STR("/v1/chat/completions"),
        .operation = rng_seeded_below(&g, 10) ? STR("chat.completions") : STR("embeddings"),
        .model_asked = str_c(models[model]),
        .upstream_host = STR("api.openai.com"),
        .user_agent = STR("OpenAI/Python 2.8.0"),
        .stream = rng_seeded_below(&g, 2) == 1,
        .status = failed ? 429 : 200,
        .upstream_status = failed ? 429 : 200,
        .outcome = failed ? RECORD_UPSTREAM_ERROR : RECORD_COMPLETED,
        .first_byte_us = 150000 + rng_seeded_below(&g, 600000),
        .overhead_us = 90 + rng_seeded_below(&g, 60),
        .events = (uint32_t)rng_seeded_below(&g, 200),
        .cost.meter = METER_COUNT,
        .catalog_version = 3,
    };
    f->r.total_us = f->r.first_byte_us + rng_seeded_below(&g, 9000000);
    f->r.upstream_request_id = hex_id(f, &used, "req_", &g);
    f->r.user = text(f, &used, "user-", rng_seeded_below(&g, 5000), "");
    f->r.metadata = text(f, &used, "{\"env\":\"prod\",\"team\":\"t", rng_seeded_below(&g, 20), "\"}");
    if (rng_seeded_below(&g, 4) == 0)
        f->r.trace_id = hex_id(f, &used, "", &g);
    if (failed) {
        f->r.err = ERR_UPSTREAM_TIMEOUT;
        f->r.err_detail = text(f, &used, "upstream said no, ", i, " times");
    } else {
        f->r.model_answered = text(f, &used, "answered-", model, "");
        f->r.service_tier = STR("default");
        f->r.finish_reason = STR("stop");
        fill_usage(&f->r, &g);
    }
    if (rng_seeded_below(&g, 25) == 0) {
        f->r.request_id = id - 4096;
        f->r.attempt = 1;
    }
    if (with_bodies)
        fill_bodies(f, &g);
    if (rng_seeded_below(&g, 3) == 0)
        fill_routing(f, &g, &used);
    if (with_bodies && rng_seeded_below(&g, 2)) {
        f->r.request_headers = text(f, &used, "{\"x-request\":\"", i, "\"}");
        f->r.response_headers = text(f, &used, "{\"x-response\":\"", i, "\"}");
    }
}

#define SAME(member) (a->member == b->member)
#define SAME_STR(member) str_eq(a->member, b->member)

static bool same_body(const struct record_body *a, const struct record_body *b)
{
    return SAME(size_bytes) && SAME(has_sha256) && (!a->has_sha256 || memcmp(a->sha256, b->sha256, 32) == 0);
}

static bool same_texts(const struct record *a, const struct record *b)
{
    return SAME_STR(method) && SAME_STR(path) && SAME_STR(operation) && SAME_STR(model_asked) &&
           SAME_STR(model_answered) && SAME_STR(service_tier) && SAME_STR(upstream_host) &&
           SAME_STR(upstream_request_id) && SAME_STR(trace_id) && SAME_STR(span_id) && SAME_STR(parent_span_id) &&
           SAME_STR(user) && SAME_STR(metadata) && SAME_STR(user_agent) && SAME_STR(finish_reason) &&
           SAME_STR(err_detail) && SAME_STR(container);
}

static bool same_routing(const struct record *a, const struct record *b)
{
    return SAME_STR(routing.provider) && SAME_STR(routing.config) && SAME(routing.config_version) &&
           SAME_STR(routing.mode) && SAME_STR(routing.target) && SAME(routing.retry) && SAME(routing.retries) &&
           SAME(routing.discarded) && SAME(routing.cache) && SAME(routing.saved_pusd) && SAME(routing.hooks) &&
           SAME_STR(routing.hook_results) && SAME_STR(routing.span_name) && SAME_STR(routing.sdk_version) &&
           SAME_STR(routing.runtime) && SAME_STR(routing.runtime_version);
}

static bool same_money(const struct record *a, const struct record *b)
{
    return SAME(usage.source) && SAME(usage.input_total_tok) && SAME(usage.output_total_tok) &&
           SAME(usage.reasoning_tok) && SAME(usage.prediction_accepted_tok) && SAME(usage.prediction_rejected_tok) &&
           SAME(usage.inconsistent) && strcmp(a->usage.service_tier, b->usage.service_tier) == 0 &&
           strcmp(a->usage.quality, b->usage.quality) == 0 && strcmp(a->usage.size, b->usage.size) == 0 &&
           memcmp(a->usage.quantity, b->usage.quantity, sizeof a->usage.quantity) == 0 &&
           memcmp(a->cost.part_pusd, b->cost.part_pusd, sizeof a->cost.part_pusd) == 0 && SAME(cost.total_pusd) &&
           SAME(cost.state) && SAME(cost.reason) && SAME(cost.meter) && SAME(cost.tier) && SAME(cost.match) &&
           SAME(cost.long_context) && SAME(cost.price_row) && SAME(catalog_version) && SAME(price_flags);
}

bool fixture_equal(const struct record *a, const struct record *b)
{
    return SAME(id) && SAME(request_id) && SAME(attempt) && SAME(started_us) && SAME(workspace_id) && SAME(key_id) &&
           SAME(integration_id) && SAME(stream) && SAME(status) && SAME(upstream_status) && SAME(outcome) &&
           SAME(err) && SAME(first_byte_us) && SAME(total_us) && SAME(overhead_us) && SAME(events) &&
           same_texts(a, b) && same_routing(a, b) && same_money(a, b) &&
           same_body(&a->request_body, &b->request_body) && same_body(&a->response_body, &b->response_body);
}

bool fixture_same_parts(const struct record *a, const struct record *b)
{
    return SAME_STR(request_body.bytes) && SAME_STR(response_body.bytes) && SAME_STR(request_headers) &&
           SAME_STR(response_headers);
}

void fixture_same(const struct record *a, const struct record *b)
{
    must(same_texts(a, b));
    must(same_routing(a, b));
    must(same_money(a, b));
    must(fixture_equal(a, b));
}

char fixture_test_dir[FIXTURE_PATH_MAX];

int fixture_make_dir(void **state)
{
    (void)state;
    fixture_dir(fixture_test_dir);
    return 0;
}

int fixture_remove_dir(void **state)
{
    (void)state;
    file_set_faults(NULL);
    fixture_remove(fixture_test_dir);
    return 0;
}

void fixture_copy_database(const char *from, const char *to)
{
    const char *const suffixes[] = {"", "-wal"};
    for (unsigned i = 0; i < 2; i++) {
        char source[FIXTURE_PATH_MAX + 8], target[FIXTURE_PATH_MAX + 8];
        struct file_facts facts;
        size_t n = 0;
        snprintf(source, sizeof source, "%s%s", from, suffixes[i]);
        snprintf(target, sizeof target, "%s%s", to, suffixes[i]);
        enum err e = file_unlink(target);
        must(e == ERR_OK);
        if (file_look(source, &facts) != ERR_OK)
            continue;
        char *bytes = fixture_read(source, &n);
        fixture_write(target, bytes, n);
        mem_free(bytes);
    }
}

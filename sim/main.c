/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tollgate-sim: start-up and shut-down. SIGTERM and SIGINT let answers under way finish, for a
 * moment, and end the program.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/must.h"
#include "base/version.h"
#include "net/tls.h"
#include "openai/price.h"
#include "sim/http/answer_head.h"
#include "sim/http/call.h"
#include "sim/http/caller.h"
#include "sim/http/cuefile.h"
#include "sim/http/intake.h"
#include "sim/kept/orgsum.h"
#include "sim/kept/served.h"
#include "sim/kept/shelf.h"
#include "sim/model/tally.h"
#include "sim/objects/objects.h"
#include "sim/org/org.h"

#define SECOND_US UINT64_C(1000000)
#define DRAIN_US (2 * SECOND_US)

static struct sim sim;
static struct loop_timer drain_timer;

static int complain(const char *what)
{
    fprintf(stderr, "tollgate-sim: %s\n", what);
    return 1;
}

static void on_drained_long_enough(struct loop_timer *t)
{
    (void)t;
    loop_stop(sim.loop);
}

static void drain(void *ctx)
{
    (void)ctx;
    http_server_drain(sim.server);
    if (drain_timer.slot)
        return;
    drain_timer.on_time = on_drained_long_enough;
    bool busy = !list_empty(&sim.calls);
    loop_timer_set(sim.loop, &drain_timer, loop_now_us(sim.loop) + (busy ? DRAIN_US : 1));
}

static void *wait_for_signal(void *ctx)
{
    sigset_t *set = ctx;
    int number;
    for (;;)
        if (sigwait(set, &number) == 0)
            loop_post(sim.loop, drain, NULL);
    return NULL;
}

static void signals_begin(void)
{
    static sigset_t set;
    pthread_t thread;
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    must(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0);
    must(pthread_create(&thread, NULL, wait_for_signal, &set) == 0);
    pthread_detach(thread);
}

/* As many connections as are allowed need as many descriptors. */
static void raise_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    rlim_t want = (rlim_t)sim.opts.connections_max + 64;
    if (limit.rlim_cur >= want)
        return;
    limit.rlim_cur = limit.rlim_max < want ? limit.rlim_max : want;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        log_warn("descriptors_limited", LOG_INT("limit", limit.rlim_cur));
}

static bool parts_make(char *why, size_t why_cap)
{
    struct price_source source = price_source_builtin();
    struct price_fault fault;
    bool exact = str_eq(sim.opts.count, STR("exact"));
    if (!exact && !str_eq(sim.opts.count, STR("simple"))) {
        snprintf(why, why_cap, "--count is exact or simple");
        return false;
    }
    if (price_catalog_new(&source, &sim.prices, &fault) != ERR_OK) {
        snprintf(why, why_cap, "the built-in price catalogue is not valid");
        return false;
    }
    list_init(&sim.calls);
    list_init(&sim.spare_calls);
    list_init(&sim.jobs);
    buf_init(&sim.frames, (size_t)1 << 31);
    jdoc_init(&sim.spare_doc);
    sim.sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    must(sim.sha256 != NULL);
    sim.tally = tally_new(exact);
    sim.served = served_new(sim.opts.ledger_rows);
    sim.shelf = shelf_new(sim.opts.store_max);
    sim.orgsum = orgsum_new();
    sim.callers = caller_book_new(sim.opts.seed);
    org_begin(&sim);
    sim.script = cuefile_new();
    int64_t now = clock_wall_us() / 1000000;
    for (unsigned i = 0; i < sim.opts.require_key.n; i++)
        caller_require(sim.callers, sim.opts.require_key.items[i], STR(""), STR(""), STR(""), now);
    return !sim.opts.script.n || cuefile_load(sim.script, sim.opts.script.p, sim.callers, now, why, why_cap);
}

static bool listen_begin(char *why, size_t why_cap)
{
    const struct http_limits limits = {.head_timeout_us = 60 * SECOND_US,
                                       .keep_alive_us = 3600 * SECOND_US,
                                       .body_idle_us = 600 * SECOND_US,
                                       .stall_us = 600 * SECOND_US,
                                       .connections_max = (unsigned)sim.opts.connections_max};
    sim.loop = loop_new();
    if (!sim.loop) {
        snprintf(why, why_cap, "the kernel gives no event loop");
        return false;
    }
    if (sim.opts.tls_cert.n || sim.opts.tls_key.n) {
        sim.tls = tls_server_new(sim.opts.tls_cert.p, sim.opts.tls_key.p, why, why_cap);
        if (!sim.tls)
            return false;
    }
    sim.server = http_server_new(sim.loop, &intake_app, &limits, &sim);
    return http_server_listen(sim.server, sim.opts.listen, sim.tls, why, why_cap) == ERR_OK;
}

static void parts_free(void)
{
    http_server_free(sim.server);
    objects_batches_end(&sim);
    while (!list_empty(&sim.spare_calls)) {
        struct call *c = list_entry(sim.spare_calls.next, struct call, node);
        list_remove(&c->node);
        call_scrap(c);
    }
    tls_server_free(sim.tls);
    served_free(sim.served);
    orgsum_free(sim.orgsum);
    shelf_free(sim.shelf);
    tally_free(sim.tally);
    caller_book_free(sim.callers);
    cuefile_free(sim.script);
    price_catalog_free(sim.prices);
    jdoc_free(&sim.spare_doc);
    buf_free(&sim.frames);
    EVP_MD_free(sim.sha256);
}

int main(int argc, char **argv)
{
    char why[512] = "";
    if (!opts_read(&sim.opts, argc, argv, why, sizeof why)) {
        complain(why);
        return 2;
    }
    if (sim.opts.help) {
        opts_print_help();
        return 0;
    }
    if (sim.opts.version) {
        printf("tollgate-sim %s\n", TOLLGATE_VERSION);
        return 0;
    }
    raise_descriptors();
    signals_begin();
    paths_init();
    if (!parts_make(why, sizeof why) || !listen_begin(why, sizeof why))
        return complain(why);
    answer_head_init(&sim);
    ptrdiff_t colon = (const char *)memrchr(sim.opts.listen.p, ':', sim.opts.listen.n) - sim.opts.listen.p;
    printf("tollgate-sim is ready on %s://%.*s:%u/v1\n", sim.tls ? "https" : "http", (int)colon, sim.opts.listen.p,
           http_server_port(sim.server));
    fflush(stdout);
    loop_run(sim.loop);
    parts_free();
    loop_free(sim.loop);
    return 0;
}

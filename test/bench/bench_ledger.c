/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What it costs to record: the worker's journal_add and journal_flush, the drain into SQLite, and
 * the bytes on disk, with and without bodies.
 *
 *     bench_ledger [rows] [directory] [meta|bodies]
 *
 * A row is what a chat completion leaves: ids, model, tokens, cost, latencies, user, metadata; with
 * bodies, 2 KB of request and 2 KB of answer in JSON prose. Every attempt also writes an open record.
 * Ids are given at the start and rows written at the end of requests that last up to 4 s, so rows
 * come in another order than their ids. CPU is user + system time of the thread.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/must.h"
#include "base/rng.h"
#include "ledger/drain/drain.h"
#include "ledger/journal.h"
#include "ledger/schema.h"
#include "ledger/verify.h"

#define TURN 8 /* records a loop turn */
#define BODY 2048

static uint64_t cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

struct sample {
    char upstream_id[40], trace[40], user[24], metadata[96];
    char request[BODY + 256], response[BODY + 512];
    size_t request_n, response_n, user_n, metadata_n;
};

/* A vocabulary of made-up words, the frequent ones short, used about as unevenly as words are. */
static char words[2048][12];

static void make_words(struct rng_seeded *g)
{
    static const char consonants[] = "bcdfghklmnprstvw", vowels[] = "aeiou";
    for (unsigned i = 0; i < 2048; i++) {
        unsigned syllables = i < 60 ? 1 : 1 + (unsigned)rng_seeded_below(g, 3), n = 0;
        for (unsigned k = 0; k < syllables; k++) {
            words[i][n++] = consonants[rng_seeded_below(g, 16)];
            words[i][n++] = vowels[rng_seeded_below(g, 5)];
            if (rng_seeded_below(g, 3) == 0)
                words[i][n++] = consonants[rng_seeded_below(g, 16)];
        }
    }
}

static size_t prose(char *out, size_t n, struct rng_seeded *g)
{
    size_t at = 0;
    while (at + 24 < n) {
        uint64_t u = rng_seeded_below(g, 2048);
        uint64_t w = u * u / 2048 * u / 2048 * u / 2048;
        at += (size_t)snprintf(out + at, n - at, "%s ", words[w]);
        uint64_t mark = rng_seeded_below(g, 24);
        if (mark == 0)
            out[at - 1] = '.';
        else if (mark == 1)
            at += (size_t)snprintf(out + at, n - at, "\\n");
        else if (mark == 2)
            at += (size_t)snprintf(out + at, n - at, "%u ", (unsigned)rng_seeded_below(g, 1000));
    }
    return at;
}

static void make_sample(struct sample *s, struct rng_seeded *g, bool bodies)
{
    snprintf(s->upstream_id, sizeof s->upstream_id, "req_%016llx%016llx", (unsigned long long)rng_seeded_u64(g),
             (unsigned long long)rng_seeded_u64(g));
    snprintf(s->trace, sizeof s->trace, "%016llx%016llx", (unsigned long long)rng_seeded_u64(g),
             (unsigned long long)rng_seeded_u64(g));
    s->user_n = (size_t)snprintf(s->user, sizeof s->user, "user-%u", (unsigned)rng_seeded_below(g, 5000));
    s->metadata_n =
        (size_t)snprintf(s->metadata, sizeof s->metadata, "{\"env\":\"prod\",\"team\":\"t%u\",\"feature\":\"f%u\"}",
                         (unsigned)rng_seeded_below(g, 20), (unsigned)rng_seeded_below(g, 30));
    if (!bodies)
        return;
    size_t n = (size_t)snprintf(s->request, sizeof s->request,
                                "{\"model\":\"gpt-4o-mini\",\"messages\":[{\"role\":\"system\",\"content\":\"You are a "
                                "helpful assistant for the support team.\"},{\"role\":\"user\",\"content\":\"");
    n += prose(s->request + n, BODY - n - 64, g);
    n += (size_t)snprintf(s->request + n, sizeof s->request - n,
                          "\"}],\"temperature\":0.2,\"max_tokens\":512,\"user\":\"%s\"}", s->user);
    s->request_n = n;
    n = (size_t)snprintf(s->response, sizeof s->response,
                         "{\"id\":\"chatcmpl-%.24s\",\"object\":\"chat.completion\",\"created\":1763800000,\"model\":"
                         "\"gpt-4o-mini\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"",
                         s->trace);
    n += prose(s->response + n, BODY - n - 230, g);
    n += (size_t)snprintf(
        s->response + n, sizeof s->response - n,
        "\",\"refusal\":null},\"logprobs\":null,\"finish_reason\":\"stop\"}],\"usage\":{"
        "\"prompt_tokens\":512,\"completion_tokens\":400,\"total_tokens\":912,"
        "\"prompt_tokens_details\":{\"cached_tokens\":128}},\"system_fingerprint\":\"fp_0123456789\"}");
    s->response_n = n;
}

__attribute__((noinline)) static void make_record(struct record *r, const struct sample *s, struct rng_seeded *g,
                                                  int64_t id, bool bodies, bool trace)
{
    static const char *const models[] = {"gpt-4o-mini", "gpt-4o", "gpt-4.1", "gpt-4.1-mini", "o4-mini", "gpt-5"};
    uint64_t q = rng_seeded_u64(g);
    bool failed = (q >> 36) % 50 == 0;
    struct str model = str_c(models[(q >> 28) % 6]);
    *r = (struct record){
        .id = id,
        .request_id = id,
        .started_us = record_id_time_us(id),
        .workspace_id = 1 + (int64_t)((q >> 16) % 20),
        .key_id = 1 + (int64_t)((q >> 16) % 200),
        .integration_id = 1,
        .method = STR("POST"),
        .path = STR("/v1/chat/completions"),
        .operation = STR("chat.completions"),
        .model_asked = model,
        .model_answered = failed ? STR("") : model,
        .service_tier = failed ? STR("") : STR("default"),
        .upstream_host = STR("api.openai.com"),
        .upstream_request_id = str_of(s->upstream_id, 36),
        .user = str_of(s->user, s->user_n),
        .metadata = str_of(s->metadata, s->metadata_n),
        .user_agent = STR("OpenAI/Python 2.8.0"),
        .finish_reason = STR("stop"),
        .stream = (q >> 40) & 1,
        .status = failed ? 429 : 200,
        .upstream_status = failed ? 429 : 200,
        .outcome = failed ? RECORD_UPSTREAM_ERROR : RECORD_COMPLETED,
        .first_byte_us = 150000 + (q >> 22) % 600000,
        .overhead_us = 80 + q % 50,
        .events = (uint32_t)((q >> 3) % 300),
        .cost.meter = METER_COUNT,
        .catalog_version = 12,
    };
    r->total_us = r->first_byte_us + (q >> 11) % 4000000;
    if (trace)
        r->trace_id = str_of(s->trace, 32);
    if (!failed) {
        r->usage.source = USAGE_REPORTED;
        r->usage.quantity[METER_INPUT] = 50 + q % 2000;
        r->usage.quantity[METER_CACHED] = (q >> 21) & 1 ? 0 : 1024;
        r->usage.quantity[METER_OUTPUT] = 10 + (q >> 11) % 600;
        r->usage.input_total_tok = r->usage.quantity[METER_INPUT] + r->usage.quantity[METER_CACHED];
        r->usage.output_total_tok = r->usage.quantity[METER_OUTPUT];
        r->cost.state = COST_PRICED;
        r->cost.match = PRICE_MATCH_EXACT;
        r->cost.price_row = 40 + (uint32_t)((q >> 28) % 6);
        static const int64_t unit[] = {[METER_INPUT] = 150000, [METER_CACHED] = 75000, [METER_OUTPUT] = 600000};
        for (unsigned m = 0; m <= METER_OUTPUT; m++) {
            r->cost.part_pusd[m] = (int64_t)r->usage.quantity[m] * unit[m];
            r->cost.total_pusd += r->cost.part_pusd[m];
        }
    }
    r->request_body.size_bytes = 2050;
    r->response_body.size_bytes = 2010;
    if (bodies) {
        r->bodies_kept = true;
        r->request_body.bytes = str_of(s->request, s->request_n);
        r->response_body.bytes = str_of(s->response, s->response_n);
    }
}

static struct record_open open_of(const struct record *r)
{
    return (struct record_open){.id = r->id,
                                .request_id = r->request_id,
                                .started_us = r->started_us,
                                .workspace_id = r->workspace_id,
                                .key_id = r->key_id,
                                .integration_id = r->integration_id,
                                .method = r->method,
                                .path = r->path,
                                .operation = r->operation,
                                .model_asked = r->model_asked,
                                .user = r->user,
                                .metadata = r->metadata,
                                .stream = r->stream,
                                .request_bytes = 2050,
                                .reserved_pusd = 123456789};
}

#define PENDING 4096

/* Requests that are under way; each turn begins some and ends some at random. */
struct pending {
    struct record r;
    struct sample *s;
};

static void write_journal(struct journal *j, unsigned rows, bool bodies, struct sample *samples, unsigned sample_count,
                          uint64_t *ret_add_ns, uint64_t *ret_flush_ns)
{
    struct rng_seeded g = {99};
    struct record_ids ids;
    static struct pending pending[PENDING];
    unsigned waiting = 0;
    uint64_t add_ns = 0, flush_ns = 0;
    int64_t now_us = clock_wall_us();
    record_ids_init(&ids, 0, 0);
    for (unsigned done = 0, begun = 0; done < rows;) {
        struct record_open opens[TURN];
        struct pending closed[TURN];
        unsigned open_count = 0, close_count = 0;
        for (unsigned i = 0; i < TURN && begun < rows && waiting < PENDING; i++, begun++) {
            struct pending *p = &pending[waiting++];
            now_us += 100;
            p->s = &samples[begun % sample_count];
            make_record(&p->r, p->s, &g, record_ids_next(&ids, now_us), bodies, begun % 8 == 0);
            opens[open_count++] = open_of(&p->r);
        }
        for (unsigned i = 0; i < TURN && waiting && (waiting == PENDING || begun == rows || i < TURN / 2); i++) {
            unsigned k = (unsigned)rng_seeded_below(&g, waiting);
            closed[close_count++] = pending[k];
            pending[k] = pending[--waiting];
        }
        uint64_t t0 = cpu_ns();
        for (unsigned i = 0; i < open_count; i++)
            journal_add_open(j, &opens[i]);
        for (unsigned i = 0; i < close_count; i++)
            journal_add(j, &closed[i].r);
        uint64_t t1 = cpu_ns();
        must(journal_flush(j) == ERR_OK);
        add_ns += t1 - t0;
        flush_ns += cpu_ns() - t1;
        done += close_count;
    }
    *ret_add_ns = add_ns;
    *ret_flush_ns = flush_ns;
}

static uint64_t dir_bytes(const char *dir)
{
    uint64_t total = 0;
    DIR *d = opendir(dir);
    struct dirent *e;
    while (d && (e = readdir(d))) {
        char path[8192];
        struct stat st;
        snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
        if (e->d_name[0] != '.' && stat(path, &st) == 0 && S_ISREG(st.st_mode))
            total += (uint64_t)st.st_size;
    }
    if (d)
        closedir(d);
    return total;
}

static void run(const char *base, unsigned rows, bool bodies)
{
    char dir[SCHEMA_PATH_MAX], db_path[SCHEMA_PATH_MAX], journal_dir[SCHEMA_PATH_MAX], bodies_dir[SCHEMA_PATH_MAX];
    snprintf(dir, sizeof dir, "%.1000s/bench-ledger-%s-%d", base, bodies ? "bodies" : "meta", (int)getpid());
    must(file_mkdir(dir, 0700) == ERR_OK);
    must(schema_path(db_path, dir, SCHEMA_FILE) && schema_path(journal_dir, dir, SCHEMA_JOURNAL_DIR) &&
         schema_path(bodies_dir, dir, SCHEMA_BODIES_DIR));
    must(file_mkdir(journal_dir, 0700) == ERR_OK && file_mkdir(bodies_dir, 0700) == ERR_OK);
    struct rng_seeded g = {7};
    unsigned sample_count = bodies ? 4000 : 20000;
    struct sample *samples = mem_alloc(sample_count * sizeof *samples);
    make_words(&g);
    for (unsigned i = 0; i < sample_count; i++)
        make_sample(&samples[i], &g, bodies);

    struct journal *j;
    const struct journal_options jo = {.dir = journal_dir, .first_sequence = 1};
    must(journal_open(&jo, &j) == ERR_OK);
    uint64_t add_ns, flush_ns;
    write_journal(j, rows, bodies, samples, sample_count, &add_ns, &flush_ns);
    struct journal_counts jc = journal_counts(j);
    must(journal_sync(j) == ERR_OK);

    struct store_db *db;
    const struct store_options so = {.cache_kib = 8192, .checkpoint_pages = 4000};
    must(store_open(db_path, &so, &db) == ERR_OK && schema_migrate(db) == ERR_OK);
    struct drain *d;
    struct drain_options o = {.db = db, .journal_dir = journal_dir, .bodies_dir = bodies_dir};
    o.journals[0] = j;
    o.live_from[0] = 1;
    must(drain_open(&o, &d) == ERR_OK);
    uint64_t wall = now_ns(), cpu = cpu_ns(), worst = 0;
    bool more = true;
    while (more) {
        uint64_t t = now_ns();
        must(drain_batch(d, &more) == ERR_OK);
        worst = now_ns() - t > worst ? now_ns() - t : worst;
    }
    wall = now_ns() - wall;
    cpu = cpu_ns() - cpu;
    must(drain_counts(d).rows == rows);
    struct body_store_counts bc = body_store_counts(drain_bodies(d));
    drain_close(d);
    must(store_checkpoint(db) == ERR_OK);
    store_close(db);
    journal_close(j);
    printf("%-9s %8.0f rows/s  drain %5.2f us/row  worst batch %5.1f ms  row %5.1f B  add %5.2f us/request  "
           "flush %5.2f us/request  journal %6.1f B/request",
           bodies ? "bodies" : "metadata", rows * 1e9 / (double)wall, (double)cpu / rows / 1e3, (double)worst / 1e6,
           (double)dir_bytes(dir) / rows, (double)add_ns / rows / 1e3, (double)flush_ns / rows / 1e3,
           (double)jc.bytes / rows);
    if (bodies)
        printf("  bodies %6.1f B/row = %4.1f %% of %6.1f", (double)dir_bytes(bodies_dir) / rows,
               100.0 * (double)dir_bytes(bodies_dir) / (double)bc.raw_bytes, (double)bc.raw_bytes / rows);
    printf("\n");
    mem_free(samples);
    char command[8192];
    snprintf(command, sizeof command, "rm -rf '%s'", dir);
    if (!getenv("BENCH_KEEP") && system(command) != 0)
        fprintf(stderr, "%s was not removed\n", dir);
}

int main(int argc, char **argv)
{
    uint64_t rows = 100000;
    const char *dir = argc > 2 ? argv[2] : "/tmp";
    if (argc > 1 && !str_to_u64(str_c(argv[1]), &rows)) {
        fprintf(stderr, "usage: bench_ledger [rows] [directory] [meta|bodies]\n");
        return 2;
    }
    bool meta = !(argc > 3) || strcmp(argv[3], "bodies") != 0, bodies = !(argc > 3) || strcmp(argv[3], "meta") != 0;
    if (meta)
        run(dir, (unsigned)rows, false);
    if (bodies)
        run(dir, (unsigned)(rows / 2), true);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Questions that mean the same: what is compared, what must be equal, and the search. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>
#include <time.h>

#include "base/clock.h"
#include "base/encode.h"
#include "base/mem.h"
#include "base/rng.h"
#include "cache_rig.h"
#include "gateway/cache/semantic.h"
#include "gateway/cache/vectors.h"
#include "ledger_fixture.h"

static struct buf room;

/* Single quotes stand for double ones. */
static bool ask(const char *path, const char *body, struct semantic_question *q)
{
    static char text[1 << 17];
    size_t n = strlen(body);
    assert_true(n < sizeof text);
    for (size_t i = 0; i < n; i++)
        text[i] = body[i] == '\'' ? '"' : body[i];
    struct cache_key_parts parts = {.workspace_id = 1, .upstream = STR("h/v1"), .body = str_of(text, n)};
    buf_reset(&room);
    return semantic_question(&parts, endpoint_find(STR("POST"), str_c(path)), &room, q);
}

static bool question_is(const char *path, const char *body, const char *text)
{
    struct semantic_question q;
    return ask(path, body, &q) && str_eq(q.text, str_c(text));
}

static bool same_group(const char *a, const char *b)
{
    struct semantic_question x, y;
    assert_true(ask("/chat/completions", a, &x));
    assert_true(ask("/chat/completions", b, &y));
    return memcmp(x.group, y.group, sizeof x.group) == 0;
}

#define CHAT "/chat/completions"
#define USER(text) "{'role':'user','content':'" text "'}"
#define SYSTEM(text) "{'role':'system','content':'" text "'}"
#define ASK(messages) "{'model':'gpt-4o','messages':[" messages "],'temperature':0}"

static void the_system_message_is_not_compared(void **state)
{
    (void)state;
    assert_true(question_is(CHAT, ASK(SYSTEM("Be kind.") "," USER("What is 2+2?")), "What is 2+2?"));
    assert_true(question_is(CHAT, ASK("{'role':'developer','content':'x'}," USER("a")), "a"));
    assert_true(question_is(CHAT, ASK("{'content':'x','role':'\\u0073ystem'}," USER("a")), "a"));
    assert_true(question_is(CHAT, ASK(USER("a") "," SYSTEM("b")), "a\nb")); /* only the first one */
    assert_false(question_is(CHAT, ASK(SYSTEM("alone")), ""));
}

static void remaining_texts_are_joined(void **state)
{
    (void)state;
    assert_true(question_is(CHAT,
                            ASK(USER("a\\u00e9\\n") ","
                                                    "{'role':'assistant','content':null,'tool_calls':[]}"
                                                    "," USER("b")),
                            "a\xc3\xa9\n\nb"));
    assert_true(
        question_is(CHAT, ASK("{'role':'user','content':[{'type':'text','text':'one'},{'type':'text','text':'two'}]}"),
                    "one\ntwo"));
}

static void what_is_no_text_is_not_compared_by_meaning(void **state)
{
    (void)state;
    struct semantic_question q;
    static const char *const bodies[] = {
        ASK(USER("1") "," USER("2") "," USER("3") "," USER("4") "," USER("5")),
        ASK(""),
        ASK("{'role':'user','content':''}"),
        ASK("{'role':'user','content':[{'type':'image_url','image_url':{'url':'x'}}]}"),
        ASK("{'role':'user','content':[{'type':'text','text':'a'},{'type':'input_audio'}]}"),
        ASK("{'role':'user','content':7}"),
        ASK("{'role':'user','content':'a','content':'b'}"),
        ASK("{'role':'user','role':'system','content':'a'}"),
        ASK("'a'"),
        "{'messages':[" USER("a") "],'messages':[" USER("b") "]}",
        "{'messages':[" USER("a") "],'\\u006dessages':[" USER("b") "]}",
        "{'messages':'a'}",
        "{'prompt':'a'}",
        "[]",
        "",
        "{",
    };
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        assert_false(ask(CHAT, bodies[i], &q));
        assert_int_equal(buf_size(&room), 0);
    }
    assert_false(ask("/responses", ASK(USER("a")), &q));
    assert_false(ask("/embeddings", "{'input':'a'}", &q));
}

static void a_completion_has_one_prompt(void **state)
{
    (void)state;
    struct semantic_question q;
    assert_true(question_is("/completions", "{'model':'m','prompt':'Say it'}", "Say it"));
    assert_true(question_is("/completions", "{'model':'m','prompt':['Say it']}", "Say it"));
    assert_false(ask("/completions", "{'model':'m','prompt':['a','b']}", &q));
    assert_false(ask("/completions", "{'model':'m','prompt':[1,2]}", &q));
    assert_false(ask("/completions", "{'model':'m'}", &q));
}

static void a_long_question_is_not_compared(void **state)
{
    (void)state;
    struct semantic_question q;
    char *body = mem_alloc(100000);
    int n = snprintf(body, 100000, "{'model':'gpt-4o','messages':[{'role':'user','content':'");
    for (int words = 0; words < 8000; words++)
        n += snprintf(body + n, 8, " word");
    size_t end = (size_t)n;
    snprintf(body + end, 16, "'}]}");
    assert_true(ask(CHAT, body, &q)); /* 8,000 tokens in 40,000 bytes */
    for (int words = 0; words < 300; words++)
        end += (size_t)snprintf(body + end, 8, " word");
    snprintf(body + end, 16, "'}]}");
    assert_false(ask(CHAT, body, &q));
    mem_free(body);
}

static void everything_else_must_be_equal(void **state)
{
    (void)state;
    const char *base = ASK(SYSTEM("s") "," USER("a"));
    assert_true(same_group(base, ASK(SYSTEM("s") "," USER("quite another text, with \\u00e9scapes"))));
    assert_true(same_group(
        base, "{ 'temperature':0,'stream':true,'messages':[" SYSTEM("s") "," USER("b") "], 'model':'gpt-4o'}"));
    assert_false(same_group(base, ASK(SYSTEM("t") "," USER("a"))));
    assert_false(same_group(base, ASK(USER("a"))));
    assert_false(same_group(base, ASK("{'role':'assistant','content':'s'}," USER("a"))));
    assert_false(same_group(base, "{'model':'gpt-4o','messages':[" SYSTEM("s") "," USER("a") "],'temperature':1}"));
    assert_false(same_group(base, "{'model':'gpt-4','messages':[" SYSTEM("s") "," USER("a") "],'temperature':0}"));
    assert_false(same_group(ASK(USER("a")), ASK(USER("a") "," USER("b"))));
    assert_false(same_group(ASK(USER("a")), ASK("{'role':'user','name':'x','content':'a'}")));
    assert_false(same_group(ASK("{'role':'user','content':'a'}"),
                            ASK("{'role':'user','content':[{'type':'text','text':'a'}]}")));
}

static void group_of(const struct cache_key_parts *p, unsigned char group[CACHE_KEY_BYTES])
{
    struct semantic_question q;
    buf_reset(&room);
    assert_true(semantic_question(p, endpoint_find(STR("POST"), STR(CHAT)), &room, &q));
    memcpy(group, q.group, CACHE_KEY_BYTES);
}

static void workspace_upstream_and_metadata_are_in_the_group(void **state)
{
    (void)state;
    unsigned char a[CACHE_KEY_BYTES], b[CACHE_KEY_BYTES];
    struct cache_key_parts base = {.workspace_id = 1,
                                   .upstream = STR("h/v1"),
                                   .body = STR("{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}]}"),
                                   .metadata = STR("{\"a\":1,\"b\":2}")};
    group_of(&base, a);
    struct cache_key_parts p = base;
    p.metadata = STR("{\"b\":2,\"a\":1}");
    group_of(&p, b);
    assert_memory_equal(a, b, sizeof a);
    p.workspace_id = 2;
    group_of(&p, b);
    assert_memory_not_equal(a, b, sizeof a);
    p = base;
    p.upstream = STR("other/v1");
    group_of(&p, b);
    assert_memory_not_equal(a, b, sizeof a);
    p = base;
    p.has_namespace = true;
    group_of(&p, b);
    assert_memory_not_equal(a, b, sizeof a);
    cache_key(&base, b);
    assert_memory_not_equal(a, b, sizeof a);
}

/* --- the embedding model --------------------------------------------------------------------- */

static void the_request_for_a_vector(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 200);
    assert_true(semantic_ask(&out, STR("text-embedding-3-small"), STR("say \"hi\"\n"), 256));
    assert_true(str_eq(buf_str(&out), STR("{\"model\":\"text-embedding-3-small\",\"input\":\"say \\\"hi\\\"\\n\","
                                          "\"dimensions\":256}")));
    buf_reset(&out);
    assert_true(semantic_ask(&out, STR("m"), STR(""), 0));
    assert_true(str_eq(buf_str(&out), STR("{\"model\":\"m\",\"input\":\"\"}")));
    buf_free(&out);
    buf_init(&out, 20);
    assert_false(semantic_ask(&out, STR("text-embedding-3-small"), STR("x"), 256));
    assert_int_equal(buf_size(&out), 0);
    buf_free(&out);
}

static void vectors_are_read_from_numbers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        float value;
    } cases[] = {{"0", 0},
                 {"-0.0", 0},
                 {"1", 1},
                 {"-1.5", -1.5f},
                 {"0.0023064255", 0.0023064255f},
                 {"-9.3276e-3", -9.3276e-3f},
                 {"1E2", 100},
                 {"1e+2", 100},
                 {"2.5e-7", 2.5e-7f},
                 {"0.010000000000000000000000000001", 0.01f},
                 {"123456789012345678901234567890", 1.2345679e29f},
                 {"1e-500", 0},
                 {"1e-45", 1e-45f}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char answer[200];
        float out[2] = {99, 99};
        int n = snprintf(answer, sizeof answer, "{\"data\":[{\"embedding\":[%s]}]}", cases[i].text);
        assert_int_equal(semantic_vector_of(str_of(answer, (size_t)n), out, 2), 1);
        assert_true(fabsf(out[0] - cases[i].value) <= fabsf(cases[i].value) * 1e-6f);
        assert_true(out[1] == 99);
    }
}

static void vectors_are_read_from_base64(void **state)
{
    (void)state;
    float in[3] = {0.25f, -1, 3e-5f}, out[3];
    char text[64], answer[200];
    encode_base64(in, sizeof in, text);
    int n =
        snprintf(answer, sizeof answer, "{\"object\":\"list\",\"data\":[{\"embedding\":\"%s\",\"index\":0}]}", text);
    assert_int_equal(semantic_vector_of(str_of(answer, (size_t)n), out, 3), 3);
    assert_memory_equal(in, out, sizeof in);
    assert_int_equal(semantic_vector_of(str_of(answer, (size_t)n), out, 2), 0);
}

static void an_answer_without_a_vector_has_none(void **state)
{
    (void)state;
    static const char *const answers[] = {"",
                                          "{}",
                                          "[]",
                                          "{\"data\":[]}",
                                          "{\"data\":[{\"embedding\":[]}]}",
                                          "{\"data\":[{\"embedding\":\"\"}]}",
                                          "{\"data\":[{\"embedding\":\"AAA\"}]}",
                                          "{\"data\":[{\"embedding\":\"AAAA\"}]}",
                                          "{\"data\":[{\"embedding\":[\"a\"]}]}",
                                          "{\"data\":[{\"embedding\":[1,2,3,4,5]}]}",
                                          "{\"error\":{\"message\":\"x\"}}",
                                          "{\"data\":[{\"embedding\":null}]}",
                                          "{\"data\":{\"embedding\":[1]}}"};
    float out[4];
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++)
        assert_int_equal(semantic_vector_of(str_c(answers[i]), out, 4), 0);
}

/* --- the search ------------------------------------------------------------------------------ */

static float random_float(struct rng_seeded *g)
{
    return (float)(int64_t)(rng_seeded_u64(g) >> 40) / (float)(1 << 23) - 1;
}

static void random_vector(struct rng_seeded *g, float *out, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        out[i] = random_float(g);
}

static double cosine(const float *a, const float *b, unsigned n)
{
    double ab = 0, aa = 0, bb = 0;
    for (unsigned i = 0; i < n; i++) {
        ab += (double)a[i] * (double)b[i];
        aa += (double)a[i] * (double)a[i];
        bb += (double)b[i] * (double)b[i];
    }
    return ab / sqrt(aa * bb);
}

#define MANY 600

/* Against the plain way, in double precision. */
static void check_search(unsigned dimensions, float noise)
{
    static float kept[MANY][VECTORS_DIMENSIONS_MAX];
    unsigned char keys[MANY][CACHE_KEY_BYTES], lost[CACHE_KEY_BYTES], group[2][CACHE_KEY_BYTES] = {{1}, {2}};
    const unsigned char *at;
    struct rng_seeded g = {dimensions};
    struct vectors *v = vectors_new(MANY, 1 << 30);
    bool has_lost;
    for (unsigned i = 0; i < MANY; i++) {
        random_vector(&g, kept[i], dimensions);
        cache_rig_key(i, keys[i]);
        struct vectors_item item = {1, group[i % 2], keys[i], kept[i], dimensions, 1000};
        assert_true(vectors_add(v, &item, lost, &has_lost));
        assert_false(has_lost);
    }
    unsigned hits = 0;
    for (unsigned q = 0; q < 200; q++) {
        float question[VECTORS_DIMENSIONS_MAX];
        random_vector(&g, question, dimensions);
        for (unsigned i = 0; i < dimensions; i++)
            question[i] = kept[q][i] + noise * question[i];
        double best = -2;
        unsigned best_at = 0;
        for (unsigned i = q % 2; i < MANY; i += 2) {
            double c = cosine(question, kept[i], dimensions);
            if (c > best) {
                best = c;
                best_at = i;
            }
        }
        struct vectors_item item = {1, group[q % 2], NULL, question, dimensions, 0};
        bool found = vectors_nearest(v, &item, 0.95f, 0, &at);
        if (best > 0.9501)
            assert_true(found);
        if (best < 0.9499)
            assert_false(found);
        if (found && dimensions > 4)
            assert_memory_equal(at, keys[best_at], CACHE_KEY_BYTES);
        hits += found;
    }
    if (dimensions > 8 && noise < 0.1f)
        assert_int_equal(hits, 200);
    if (dimensions > 8 && noise > 1)
        assert_int_equal(hits, 0);
    vectors_free(v);
}

static void the_nearest_is_found_exactly(void **state)
{
    (void)state;
    static const unsigned dimensions[] = {1, 2, 3, 15, 16, 17, 63, 64, 65, 80, 256, 1536};
    for (size_t i = 0; i < sizeof dimensions / sizeof dimensions[0]; i++) {
        check_search(dimensions[i], 0.05f);
        check_search(dimensions[i], 0.33f);
        check_search(dimensions[i], 2);
    }
}

static void add(struct vectors *v, int64_t workspace, uint64_t number, const float *vector, unsigned dimensions)
{
    unsigned char key[CACHE_KEY_BYTES], group[CACHE_KEY_BYTES] = {7}, lost[CACHE_KEY_BYTES];
    bool has_lost;
    cache_rig_key(number, key);
    struct vectors_item item = {workspace, group, key, vector, dimensions, 1000};
    assert_true(vectors_add(v, &item, lost, &has_lost));
}

static bool nearest_is(struct vectors *v, int64_t workspace, const float *vector, unsigned dimensions, int64_t now,
                       uint64_t number)
{
    unsigned char key[CACHE_KEY_BYTES], group[CACHE_KEY_BYTES] = {7};
    const unsigned char *at;
    cache_rig_key(number, key);
    struct vectors_item item = {workspace, group, NULL, vector, dimensions, 0};
    return vectors_nearest(v, &item, 0.99f, now, &at) && memcmp(at, key, sizeof key) == 0;
}

static void workspaces_and_sizes_do_not_mix(void **state)
{
    (void)state;
    struct vectors *v = vectors_new(10, 1 << 30);
    const float a[4] = {1, 0, 0, 0};
    add(v, 1, 1, a, 4);
    assert_true(nearest_is(v, 1, a, 4, 0, 1));
    assert_false(nearest_is(v, 2, a, 4, 0, 1));
    assert_false(nearest_is(v, 1, a, 3, 0, 1));
    add(v, 2, 2, a, 4);
    assert_true(nearest_is(v, 1, a, 4, 0, 1));
    assert_true(nearest_is(v, 2, a, 4, 0, 2));
    assert_false(nearest_is(v, 1, a, 4, 1000, 1)); /* expired */
    vectors_forget(v, 2, (const unsigned char *)"no such key, and 32 bytes long!!");
    assert_int_equal(vectors_count(v), 2);
    vectors_free(v);
}

static void the_oldest_of_a_workspace_goes_first(void **state)
{
    (void)state;
    struct vectors *v = vectors_new(100, 1 << 30);
    float a[150];
    for (unsigned i = 0; i < 150; i++) {
        memset(a, 0, sizeof a);
        a[i] = 2;
        add(v, 1, i, a, 150);
        assert_int_equal(vectors_count(v), i < 100 ? i + 1 : 100);
    }
    for (unsigned i = 0; i < 150; i++) {
        memset(a, 0, sizeof a);
        a[i] = 5;
        assert_int_equal(nearest_is(v, 1, a, 150, 0, i), i >= 50);
    }
    vectors_clear(v);
    assert_int_equal(vectors_count(v), 0);
    assert_int_equal(vectors_bytes(v), 0);
    vectors_free(v);
}

static void the_largest_ring_makes_room_for_a_new_one(void **state)
{
    (void)state;
    const float a[2] = {1, 2};
    struct vectors *v = vectors_new(1000, 64 * 1024); /* 92 bytes a place: 712 in all */
    for (unsigned i = 0; i < 600; i++)
        add(v, 1, i, a, 2);
    assert_int_equal(vectors_count(v), 512);
    add(v, 2, 1, a, 2);
    add(v, 3, 1, a, 2);
    assert_int_equal(vectors_count(v), 514);
    add(v, 4, 1, a, 2);
    assert_int_equal(vectors_count(v), 515);
    add(v, 5, 1, a, 2); /* one too many: the first workspace's go */
    assert_int_equal(vectors_count(v), 4);
    for (int64_t w = 2; w <= 5; w++)
        assert_true(nearest_is(v, w, a, 2, 0, 1));
    add(v, 1, 7, a, 2);
    assert_true(nearest_is(v, 1, a, 2, 0, 7));
    assert_true(vectors_bytes(v) <= 64 * 1024);
    vectors_free(v);
}

static void what_has_no_direction_is_not_kept(void **state)
{
    (void)state;
    struct vectors *v = vectors_new(10, 1 << 30);
    unsigned char key[CACHE_KEY_BYTES] = {1}, lost[CACHE_KEY_BYTES];
    const float zero[2] = {0, 0}, nan_[2] = {NAN, 1}, inf_[2] = {INFINITY, 1};
    const float *const bad[] = {zero, nan_, inf_};
    bool has_lost;
    for (int i = 0; i < 3; i++) {
        const unsigned char *at;
        struct vectors_item item = {1, key, key, bad[i], 2, 1000};
        assert_false(vectors_add(v, &item, lost, &has_lost));
        assert_false(vectors_nearest(v, &item, 0, 0, &at));
    }
    vectors_free(v);
}

static void a_hundred_thousand_are_searched_in_milliseconds(void **state)
{
    (void)state;
    enum { COUNT = 100000, DIMENSIONS = 256 };
    struct vectors *v = vectors_new(COUNT, 1 << 30);
    struct rng_seeded g = {1};
    float vector[DIMENSIONS];
    for (unsigned i = 0; i < COUNT; i++) {
        random_vector(&g, vector, DIMENSIONS);
        add(v, 1, i, vector, DIMENSIONS);
    }
    assert_true(nearest_is(v, 1, vector, DIMENSIONS, 0, COUNT - 1));
    uint64_t best = UINT64_MAX;
    for (int i = 0; i < 5; i++) {
        uint64_t from = clock_mono_us();
        assert_true(nearest_is(v, 1, vector, DIMENSIONS, 0, COUNT - 1));
        uint64_t took = clock_mono_us() - from;
        best = took < best ? took : best;
    }
    print_message("%llu us, %llu bytes\n", (unsigned long long)best, (unsigned long long)vectors_bytes(v));
    assert_true(best < 2000000); /* sanitizers and busy machines; the figure is in docs/CACHE.md */
    vectors_free(v);
}

/* --- through the cache ----------------------------------------------------------------------- */

static const struct cache_entry *find(struct cache *c, int64_t workspace, const struct semantic_question *q,
                                      const float *vector, unsigned n, float threshold)
{
    struct cache_rig_wait w = {0};
    assert_non_null(semantic_find(c, workspace, q, vector, n, threshold, cache_rig_loop, cache_rig_done, &w));
    return cache_rig_wait_for(&w);
}

static void put(struct cache *c, int64_t workspace, const struct semantic_question *q, const float *vector, unsigned n,
                uint64_t number)
{
    unsigned char key[CACHE_KEY_BYTES];
    cache_rig_key(number, key);
    semantic_put(c, workspace, q, vector, n, key, cache_rig_answer(number, 500));
}

static bool gives(struct cache *c, const struct semantic_question *q, const float *vector, uint64_t number)
{
    const struct cache_entry *e = find(c, 1, q, vector, 3, 0.95f);
    bool right = e && cache_rig_right(e, number, 500);
    cache_release(e);
    return right;
}

static void near_questions_get_the_answer_also_after_a_restart(void **state)
{
    (void)state;
    struct semantic_question q, other;
    const float a[3] = {1, 0, 0}, near[3] = {9, 1, 0}, far[3] = {1, 1, 0}, b[3] = {0, 0, 0.5f};
    assert_true(ask(CHAT, ASK(USER("a")), &q));
    assert_true(ask(CHAT, ASK(SYSTEM("s") "," USER("a")), &other));
    struct cache *c = cache_rig_open(1 << 20, 1 << 24);
    assert_null(find(c, 1, &q, a, 3, 0.95f));
    put(c, 1, &q, a, 3, 10);
    put(c, 1, &q, b, 3, 20);
    for (int restart = 0; restart < 2; restart++) {
        cache_rig_settle(c);
        assert_true(gives(c, &q, a, 10));
        assert_true(gives(c, &q, near, 10));
        assert_true(gives(c, &q, b, 20));
        assert_null(find(c, 1, &q, far, 3, 0.95f));
        assert_null(find(c, 1, &other, a, 3, 0.95f));
        assert_null(find(c, 2, &q, a, 3, 0.95f));
        const struct cache_entry *e = find(c, 1, &q, a, 3, 1.0f);
        assert_non_null(e);
        cache_release(e);
        cache_close(c);
        c = cache_rig_open(1 << 20, 1 << 24);
    }
    struct cache_stats s;
    cache_rig_settle(c);
    cache_stats_of(c, &s);
    assert_int_equal(s.vectors, 2);
    cache_close(c);
}

static void without_a_disk_it_works_too(void **state)
{
    (void)state;
    struct semantic_question q;
    const float a[3] = {1, 0, 0};
    assert_true(ask(CHAT, ASK(USER("a")), &q));
    struct cache *c = cache_rig_open_memory(1 << 20);
    put(c, 1, &q, a, 3, 10);
    cache_rig_settle(c);
    assert_true(gives(c, &q, a, 10));
    put(c, 1, &q, a, 3, 10); /* again: one vector, not two */
    cache_rig_settle(c);
    struct cache_stats s;
    cache_stats_of(c, &s);
    assert_int_equal(s.vectors, 1);
    for (uint64_t i = 0; i < 3000; i++) /* its answer goes; so does the vector, when it is found out */
        cache_rig_put(c, 100 + i, 1000);
    assert_null(find(c, 1, &q, a, 3, 0.95f));
    cache_rig_settle(c);
    cache_stats_of(c, &s);
    assert_int_equal(s.vectors, 0);
    cache_close(c);
}

static void vectors_of_another_model_are_dropped(void **state)
{
    (void)state;
    struct semantic_question q;
    const float a[3] = {1, 0, 0};
    char why[200];
    assert_true(ask(CHAT, ASK(USER("a")), &q));
    struct cache *c = cache_rig_open(1 << 20, 1 << 24);
    put(c, 1, &q, a, 3, 10);
    cache_close(c);
    c = cache_rig_open(1 << 20, 1 << 24);
    assert_true(gives(c, &q, a, 10));
    cache_close(c);
    struct cache_settings s = {.dir = fixture_test_dir,
                               .memory_max_bytes = 1 << 20,
                               .disk_max_bytes = 1 << 24,
                               .semantic_max = 1000,
                               .semantic_model = "text-embedding-3-large"};
    assert_int_equal(cache_open(&s, &c, why, sizeof why), ERR_OK);
    assert_null(find(c, 1, &q, a, 3, 0.95f));
    const struct cache_entry *e = cache_rig_find(c, 10); /* the answer itself stays */
    assert_non_null(e);
    cache_release(e);
    cache_close(c);
    c = cache_rig_open(1 << 20, 1 << 24);
    assert_null(find(c, 1, &q, a, 3, 0.95f));
    cache_close(c);
}

static int begin(void **state)
{
    buf_init(&room, 1 << 20);
    return cache_rig_begin(state);
}

static int end(void **state)
{
    buf_free(&room);
    return cache_rig_end(state);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)
    static const struct CMUnitTest tests[] = {
        CASE(the_system_message_is_not_compared),
        CASE(remaining_texts_are_joined),
        CASE(what_is_no_text_is_not_compared_by_meaning),
        CASE(a_completion_has_one_prompt),
        CASE(a_long_question_is_not_compared),
        CASE(everything_else_must_be_equal),
        CASE(workspace_upstream_and_metadata_are_in_the_group),
        CASE(the_request_for_a_vector),
        CASE(vectors_are_read_from_numbers),
        CASE(vectors_are_read_from_base64),
        CASE(an_answer_without_a_vector_has_none),
        CASE(the_nearest_is_found_exactly),
        CASE(workspaces_and_sizes_do_not_mix),
        CASE(the_oldest_of_a_workspace_goes_first),
        CASE(the_largest_ring_makes_room_for_a_new_one),
        CASE(what_has_no_direction_is_not_kept),
        CASE(a_hundred_thousand_are_searched_in_milliseconds),
        CASE(near_questions_get_the_answer_also_after_a_restart),
        CASE(without_a_disk_it_works_too),
        CASE(vectors_of_another_model_are_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

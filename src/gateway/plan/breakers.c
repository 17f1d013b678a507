/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Circuit breakers: one for each target of a stored config that has had failures.
 *
 * Counting begins with the first failure and is forgotten when that is longer ago than the cooldown.
 * Enough failures, by number or by share, open the breaker; it stays open for the cooldown from then
 * on, after which everything is forgotten. Only targets with failures take memory. A new version of
 * a config begins anew: the same place may hold another target.
 */
#include <pthread.h>
#include <string.h>

#include "base/mem.h"
#include "base/must.h"
#include "gateway/plan/plan.h"
#include "gateway/plan/recent.h"

#define ENTRIES_MAX 4096

struct breakers {
    pthread_mutex_t lock;
    struct recent table;
};

struct breaker {
    struct recent_entry entry;
    uint64_t first_failure_us, opened_us; /* of opened_us: 0 = closed */
    uint32_t failures, successes;
};

struct breakers *breakers_new(void)
{
    struct breakers *b = mem_zalloc(sizeof *b);
    must(pthread_mutex_init(&b->lock, NULL) == 0);
    recent_init(&b->table, ENTRIES_MAX, sizeof(struct breaker));
    return b;
}

void breakers_free(struct breakers *b)
{
    if (!b)
        return;
    recent_done(&b->table);
    pthread_mutex_destroy(&b->lock);
    mem_free(b);
}

static void key_of(const struct config *c, const struct config_node *node, unsigned char key[RECENT_KEY_BYTES])
{
    memset(key, 0, RECENT_KEY_BYTES);
    memcpy(key, &c->id, sizeof c->id);
    memcpy(key + 8, &c->version, sizeof c->version);
    memcpy(key + 12, &node->id, sizeof node->id);
}

static bool is_over(const struct breaker *s, const struct config_breaker *rule, uint64_t now_us)
{
    uint64_t since = s->opened_us ? s->opened_us : s->first_failure_us;
    return now_us > since && now_us - since > rule->cooldown_ms * 1000;
}

/* The state in force, or NULL. */
static struct breaker *find(struct breakers *b, const unsigned char *key, const struct config_breaker *rule,
                            uint64_t now_us)
{
    struct breaker *s = recent_find(&b->table, key);
    if (!s || !is_over(s, rule, now_us))
        return s;
    recent_drop(&b->table, s);
    return NULL;
}

static bool is_failure(const struct config_breaker *rule, int status)
{
    return rule->failure_codes.n ? config_codes_have(&rule->failure_codes, status) : status >= 500;
}

static bool is_enough(const struct breaker *s, const struct config_breaker *rule)
{
    uint64_t all = (uint64_t)s->failures + s->successes;
    if (rule->failure_threshold && s->failures >= rule->failure_threshold)
        return true;
    return rule->failure_percentage && all >= rule->minimum_requests &&
           (uint64_t)s->failures * 100 >= all * rule->failure_percentage;
}

static void count(struct breakers *b, const unsigned char *key, const struct config_breaker *rule, bool failure,
                  uint64_t now_us)
{
    struct breaker *s = find(b, key, rule, now_us);
    if (!s) {
        if (!failure)
            return;
        s = recent_make(&b->table, key);
        s->first_failure_us = now_us;
    }
    uint32_t *counter = failure ? &s->failures : &s->successes;
    *counter += *counter < UINT32_MAX;
    if (!s->opened_us && is_enough(s, rule))
        s->opened_us = now_us ? now_us : 1;
}

void breakers_note(struct breakers *b, const struct config *c, const struct plan_step *step, int status,
                   uint64_t now_us)
{
    unsigned char key[RECENT_KEY_BYTES];
    if (!b || !step->breaker || c->id == 0)
        return;
    const struct config_breaker *rule = &step->breaker->breaker;
    key_of(c, step->breaker, key);
    pthread_mutex_lock(&b->lock);
    count(b, key, rule, is_failure(rule, status), now_us);
    pthread_mutex_unlock(&b->lock);
}

bool breakers_open(struct breakers *b, const struct config *c, const struct config_node *node, uint64_t now_us)
{
    unsigned char key[RECENT_KEY_BYTES];
    if (!b || !node->breaker.on || c->id == 0)
        return false;
    key_of(c, node, key);
    pthread_mutex_lock(&b->lock);
    const struct breaker *s = find(b, key, &node->breaker, now_us);
    bool open = s && s->opened_us;
    pthread_mutex_unlock(&b->lock);
    return open;
}

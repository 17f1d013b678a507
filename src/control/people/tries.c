/* SPDX-License-Identifier: Apache-2.0 */
/* Each text may stand in one of four neighbouring slots. */
#include "control/people/tries.h"

#include <string.h>

#define WAYS 4

static struct tries_slot *find(struct tries *t, struct str text)
{
    uint64_t tag = str_hash(text) | 1; /* 0: empty */
    struct tries_slot *set = &t->slots[(tag >> 8) % (TRIES_SLOTS / WAYS) * WAYS];
    for (int i = 0; i < WAYS; i++)
        if (set[i].tag == tag)
            return &set[i];
    return NULL;
}

static bool is_over(const struct tries_slot *s, int64_t window_us, int64_t now_us)
{
    return now_us - s->began_us >= window_us || now_us < s->began_us;
}

bool tries_allowed(struct tries *t, struct str text, uint32_t max, int64_t window_us, int64_t now_us)
{
    const struct tries_slot *s = find(t, text);
    return !s || s->count < max || is_over(s, window_us, now_us);
}

void tries_failed(struct tries *t, struct str text, int64_t window_us, int64_t now_us)
{
    struct tries_slot *s = find(t, text);
    uint64_t tag = str_hash(text) | 1;
    struct tries_slot *set = &t->slots[(tag >> 8) % (TRIES_SLOTS / WAYS) * WAYS];
    for (int i = 0; !s && i < WAYS; i++)
        if (!set[i].tag || is_over(&set[i], window_us, now_us))
            s = &set[i];
    if (!s) {
        s = set;
        for (int i = 1; i < WAYS; i++)
            if (set[i].count < s->count)
                s = &set[i];
    }
    if (s->tag != tag || is_over(s, window_us, now_us))
        *s = (struct tries_slot){tag, now_us, 0};
    s->count++;
}

void tries_forget(struct tries *t, struct str text)
{
    struct tries_slot *s = find(t, text);
    if (s)
        memset(s, 0, sizeof *s);
}

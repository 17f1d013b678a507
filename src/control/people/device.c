/* SPDX-License-Identifier: Apache-2.0 */
/* A plain array: two thousand comparisons are nothing beside the request that asks for them. */
#include "control/people/device.h"

#include <ctype.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "base/encode.h"
#include "base/mem.h"
#include "base/must.h"
#include "base/rng.h"

#define HASH_BYTES 32
#define USER_LETTERS 8
/* A program that comes a little early is not told off. */
#define TOO_FAST_US (INT64_C(1) * 1000000)

/* Consonants that are hard to mistake for another; no vowels, so no words (RFC 8628 §6.1). */
static const char letters[] = "BCDFGHJKLMNPQRSTVWXZ";

struct entry {
    bool open;
    unsigned char device[HASH_BYTES], user[HASH_BYTES];
    struct device_ask ask;
    enum device_state state;
    int64_t member_id, polled_us;
};

struct device_table {
    struct entry entries[DEVICE_MAX];
};

struct device_table *device_table_new(void)
{
    return mem_zalloc(sizeof(struct device_table));
}

void device_table_free(struct device_table *t)
{
    mem_free(t);
}

static void hash_of(struct str text, unsigned char out[HASH_BYTES])
{
    size_t n = 0;
    int done = EVP_Q_digest(NULL, "SHA256", NULL, text.p, text.n, out, &n);
    must(done == 1);
    must(n == HASH_BYTES);
}

static bool is_open(const struct entry *e, int64_t now_us)
{
    return e->open && now_us < e->ask.expires_us;
}

/* Eight letters drawn evenly, with a hyphen in the middle. */
static void draw_user_code(char out[DEVICE_USER_CODE_LEN + 1])
{
    const unsigned char fair = 240; /* 12 times the 20 letters */
    for (int i = 0; i < DEVICE_USER_CODE_LEN; i++) {
        unsigned char byte;
        do
            rng_bytes(&byte, 1);
        while (byte >= fair);
        out[i] = i == USER_LETTERS / 2 ? '-' : letters[byte % 20];
    }
    out[DEVICE_USER_CODE_LEN] = '\0';
}

/* As it is drawn, from what somebody typed; false when it is no code. */
static bool normal(struct str typed, char out[DEVICE_USER_CODE_LEN + 1])
{
    int n = 0;
    for (size_t i = 0; i < typed.n; i++) {
        char c = (char)toupper((unsigned char)typed.p[i]);
        if (c == '-' || c == ' ')
            continue;
        if (n == USER_LETTERS || !c || !strchr(letters, c))
            return false;
        out[n + (n >= USER_LETTERS / 2)] = c;
        n++;
    }
    out[USER_LETTERS / 2] = '-';
    out[DEVICE_USER_CODE_LEN] = '\0';
    return n == USER_LETTERS;
}

/* Constant time over the codes; NULL: none waits. */
static struct entry *find_user(const struct device_table *t, struct str user_code, int64_t now_us)
{
    char code[DEVICE_USER_CODE_LEN + 1];
    unsigned char hash[HASH_BYTES];
    const struct entry *found = NULL;
    if (!normal(user_code, code))
        return NULL;
    hash_of(str_c(code), hash);
    for (size_t i = 0; i < DEVICE_MAX; i++)
        if (is_open(&t->entries[i], now_us) && t->entries[i].state == DEVICE_PENDING &&
            CRYPTO_memcmp(t->entries[i].user, hash, sizeof hash) == 0)
            found = &t->entries[i];
    return (struct entry *)(uintptr_t)found;
}

enum err device_ask(struct device_table *t, struct str client, struct str peer, int64_t now_us,
                    struct device_codes *ret)
{
    struct entry *free_one = NULL;
    unsigned of_peer = 0;
    peer = str_head(peer, DEVICE_PEER_TEXT_MAX);
    for (size_t i = 0; i < DEVICE_MAX; i++) {
        struct entry *e = &t->entries[i];
        if (!is_open(e, now_us))
            free_one = e;
        else if (str_eq(str_c(e->ask.peer), peer))
            of_peer++;
    }
    if (of_peer >= DEVICE_PEER_MAX)
        return ERR_RATE_LIMITED;
    if (!free_one)
        return ERR_OVERLOADED;
    encode_base62_random(ret->device, DEVICE_CODE_LEN);
    ret->device[DEVICE_CODE_LEN] = '\0';
    do
        draw_user_code(ret->user);
    while (find_user(t, str_c(ret->user), now_us));
    *free_one = (struct entry){.open = true, .state = DEVICE_PENDING};
    free_one->ask.asked_us = now_us;
    free_one->ask.expires_us = now_us + DEVICE_LASTS_US;
    str_copy(free_one->ask.client, sizeof free_one->ask.client, client);
    str_copy(free_one->ask.peer, sizeof free_one->ask.peer, peer);
    str_copy(free_one->ask.user, sizeof free_one->ask.user, str_c(ret->user));
    hash_of(str_c(ret->device), free_one->device);
    hash_of(str_c(ret->user), free_one->user);
    return ERR_OK;
}

bool device_find(const struct device_table *t, struct str user_code, int64_t now_us, struct device_ask *ret)
{
    const struct entry *e = find_user(t, user_code, now_us);
    if (e)
        *ret = e->ask;
    return e != NULL;
}

bool device_answer(struct device_table *t, struct str user_code, int64_t member_id, bool allow, int64_t now_us,
                   struct device_ask *ret)
{
    struct entry *e = find_user(t, user_code, now_us);
    if (!e)
        return false;
    e->state = allow ? DEVICE_ALLOWED : DEVICE_REFUSED;
    e->member_id = member_id;
    *ret = e->ask;
    return true;
}

enum device_state device_poll(struct device_table *t, struct str device_code, int64_t now_us, int64_t *ret_member_id,
                              struct device_ask *ret)
{
    unsigned char hash[HASH_BYTES];
    struct entry *e = NULL;
    if (device_code.n != DEVICE_CODE_LEN)
        return DEVICE_GONE;
    hash_of(device_code, hash);
    for (size_t i = 0; i < DEVICE_MAX; i++)
        if (is_open(&t->entries[i], now_us) && CRYPTO_memcmp(t->entries[i].device, hash, sizeof hash) == 0)
            e = &t->entries[i];
    if (!e)
        return DEVICE_GONE;
    enum device_state state = e->state;
    if (state == DEVICE_PENDING) {
        bool early = e->polled_us && now_us - e->polled_us < TOO_FAST_US;
        e->polled_us = now_us;
        return early ? DEVICE_TOO_FAST : DEVICE_PENDING;
    }
    *ret_member_id = e->member_id;
    *ret = e->ask;
    memset(e, 0, sizeof *e);
    return state;
}

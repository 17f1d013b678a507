/* SPDX-License-Identifier: Apache-2.0 */
/* A table with one place for each hash: whoever comes takes the place of who was there. */
#include "gateway/run/configs.h"

#include "base/mem.h"

#define PLACES 64
#define KEPT_TEXT_MAX 8192 /* larger ones are compiled each time, so that nobody fills the memory with them */

struct configs {
    const struct config *place[PLACES];
};

struct configs *configs_new(void)
{
    return mem_zalloc(sizeof(struct configs));
}

void configs_free(struct configs *c)
{
    if (!c)
        return;
    for (unsigned i = 0; i < PLACES; i++)
        config_unref(c->place[i]);
    mem_free(c);
}

const struct config *configs_get(struct configs *c, struct str text, struct config_errors *why)
{
    const struct config **place = &c->place[str_hash(text) % PLACES];
    struct config *made;
    if (*place && str_eq((*place)->text, text))
        return config_ref(*place);
    if (config_compile(text, &made, why) != ERR_OK)
        return NULL;
    if (text.n > KEPT_TEXT_MAX)
        return made;
    config_unref(*place);
    *place = made;
    return config_ref(made);
}

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_CONFIG_CONFIG_INNER_H
#define CONTROL_CONFIG_CONFIG_INNER_H

/*
 * config_inner: what the files of the config compiler share.
 *
 * One `compile` lives while a text is compiled: the parsed document, the arena of the config to
 * be, the place in the text that is being read, and what was found wrong. Nothing stops at the first
 * error; a config with errors is thrown away at the end.
 */

#include "base/arena.h"
#include "base/json/jdoc.h"
#include "control/config/config.h"
#include "control/config/field_table.h"

#define CONFIG_PARAMS_MAX 256          /* members of one override_params, merged */
#define CONFIG_LIST_MAX 256            /* elements of one list of texts, codes, hooks, checks */
#define CONFIG_TIMEOUT_MAX_MS 86400000 /* more is lowered to this */
#define CONFIG_WEIGHT_MAX 1e12         /* so that no sum overflows */
#define CONFIG_MEMORY_MAX (4u * 1024 * 1024)

/* Where the known members of one object are. */
struct fields_index {
    uint32_t object; /* place of the object in the document, from 1; 0 = none */
    uint32_t value[FIELD_COUNT];
};
#define FIELDS_INDEXES 4 /* a node, one of its objects, and an element of that are read by turns */

struct compile {
    struct arena *arena;
    struct config_errors *why;
    struct jdoc doc;
    bool failed; /* something is in `why`, or should be */
    bool full;   /* so is the arena; said once */
    uint32_t nodes;
    unsigned needs;
    struct compile_step {
        const char *name; /* NULL: `index` */
        unsigned index;
    } path[CONFIG_DEPTH_MAX * 2 + 12];
    unsigned path_n;
    struct fields_index index[FIELDS_INDEXES]; /* of the objects read last, in a circle */
    unsigned index_last;
    char bad_guardrails[160]; /* "pg-a, pg-b": stored ones, which do not exist */
};

/* Memory in the config's arena; NULL and an error when it is full. */
void *compile_alloc(struct compile *c, size_t size) __attribute__((warn_unused_result));
/* "path: a,b, message: …". `at` NULL: the present place, else a member of it. */
void compile_error(struct compile *c, const char *at, const char *format, ...) __attribute__((format(printf, 3, 4)));
void compile_enter(struct compile *c, const char *name);
void compile_enter_index(struct compile *c, unsigned index);
void compile_leave(struct compile *c);

/* The tree below `object`, into `node`, whose parent, index and depth are set; its attempts at worst. (tree.c) */
unsigned tree_compile(struct compile *c, struct jval object, struct config_node *node);
/* What holds for a node by its own text and what it inherits from `parent` (NULL: nothing). (settings.c) */
void settings_compile(struct compile *c, struct jval object, const struct config_settings *parent,
                      struct config_settings *ret);
/* Whether the object says enough to be a config: portkey's list. */
bool settings_suffice(struct compile *c, struct jval object, const struct config_settings *settings);
/* The member `f`, a list of guardrails or hooks, put behind what is in *list. (guard.c) */
void guard_compile(struct compile *c, struct jval object, enum field f, const char *type, struct config_hooks *list);
/* Mode and all else of `strategy`, and the circuit breaker, which is inherited. (strategy.c) */
void strategy_compile(struct compile *c, struct jval object, struct config_node *node);

#endif

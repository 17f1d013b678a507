/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_HOOKS_SUBJECT_H
#define GATEWAY_HOOKS_SUBJECT_H

/*
 * subject: which text of a request or an answer the checks look at.
 *
 * Before: of chat the last message's (its text parts with a line break between), of completions the
 * prompt, of embeddings the input. After: each choice's text by itself.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/json/jdoc.h"
#include "base/str.h"
#include "gateway/hooks/hooks.h"

#define SUBJECT_TEXTS_MAX 128 /* choices */

enum subject_kind { SUBJECT_NONE, SUBJECT_CHAT, SUBJECT_COMPLETE, SUBJECT_EMBED, SUBJECT_MESSAGES };

/* SUBJECT_NONE: hooks do not look at this operation. */
enum subject_kind subject_kind_of(const struct endpoint *endpoint);
/* "chatComplete", "complete", "embed", "messages". */
struct str subject_type(enum subject_kind kind);

struct subject_text {
    struct str text;
    bool null; /* there was none: text is "" */
};
struct subject {
    struct subject_text texts[SUBJECT_TEXTS_MAX]; /* at least one */
    size_t n;
};
/* False when the arena is full, or there are too many choices: then nothing can be said of them. */
bool subject_read(enum subject_kind kind, enum hooks_when when, struct jval body, struct arena *a, struct subject *ret)
    __attribute__((warn_unused_result));
/*
 * The strings of which those texts are made, as they stand in the body, in its order. False when there
 * are more than SUBJECT_STRINGS_MAX.
 */
#define SUBJECT_STRINGS_MAX 1024
bool subject_strings(enum subject_kind kind, enum hooks_when when, struct jval body,
                     struct jval list[SUBJECT_STRINGS_MAX], size_t *ret_n) __attribute__((warn_unused_result));
/* All texts, with a line break between. */
bool subject_joined(const struct subject *s, struct arena *a, struct str *ret) __attribute__((warn_unused_result));

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_HOOKS_CHECK_H
#define GATEWAY_HOOKS_CHECK_H

/*
 * check: the built-in checks of guardrails, one table of name, function and what it looks at.
 *
 * A check reads its parameters (JSON, as the config gives them) and the request or answer, and says
 * yes or no; facts for the reader go into `data`. What makes the question itself wrong, such as a
 * missing parameter, is an error: a sentence in `error`, and no verdict. Checks keep nothing and
 * wait for nothing; `default.webhook` and `default.log` ask another host and are in webhook.h.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/json/jdoc.h"
#include "base/json_write.h"
#include "base/str.h"
#include "gateway/hooks/hooks.h"
#include "gateway/hooks/pattern.h"
#include "gateway/hooks/subject.h"

#define CHECK_ERROR_MAX 200
#define CHECK_EXCERPT_MAX 100 /* characters of the text that are shown in `data` */

/* What all checks of one run may take together: the worker stands still meanwhile. */
#define CHECK_BYTES_MAX (64u << 20)
struct check_budget {
    uint64_t bytes; /* of text looked at, left */
    struct pattern_budget pattern;
};

/* What a check may look at. */
struct check_input {
    enum hooks_when when;
    enum subject_kind kind;
    struct str request_type; /* "chatComplete", "complete", "embed" or "messages" */
    struct str text;         /* of the last message, or of one choice; UTF-8 as far as the sender's was */
    bool text_null;          /* there is no text at all */
    struct jval request;     /* the whole bodies; absent when there is none or it is no JSON */
    struct jval response;
    struct jval metadata, headers;
    struct str model;
    struct arena *arena; /* for what is needed until the check is over */
    struct check_budget *budget;
};

struct check_outcome {
    bool verdict;
    char error[CHECK_ERROR_MAX]; /* "" = none */
    struct json_write *data;     /* inside an object: the check adds members */
    struct str body;             /* mutators: the new request or response body, in the arena; p == NULL: as it was */
};

typedef void check_fn(const struct check_input *in, struct jval parameters, struct check_outcome *out);

enum check_kind {
    CHECK_TEXT,    /* of every text by itself: of an answer with several choices, each must pass */
    CHECK_REQUEST, /* of the request as a whole */
    CHECK_MUTATOR, /* changes the body */
    CHECK_REMOTE,  /* another host is asked */
};

struct check {
    struct str id; /* "default.contains" */
    enum check_kind kind;
    check_fn *run;          /* NULL: remote */
    const char *parameters; /* for documents: their names */
};

/* NULL when there is no such check. */
const struct check *check_find(struct str id);
const struct check *check_rows(size_t *ret_count);

/* --- for those who write checks --- */

/* Says what is wrong with the question. */
void check_error(struct check_outcome *out, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Takes from the budget. False, with an error, when it is used up. */
bool check_charge(const struct check_input *in, uint64_t bytes, struct check_outcome *out);
/* A string's meaning. False, with an error, when it is no string or there is no room. */
bool check_value(const struct check_input *in, struct jval v, struct str *ret, struct check_outcome *out);
/* The verdict of a check that has the parameter `not`; writes both into data. */
void check_decide(struct jval parameters, bool found, struct check_outcome *out);
/* data.explanation and data.textExcerpt. */
void check_explain(struct check_outcome *out, const char *format, ...) __attribute__((format(printf, 2, 3)));
void check_excerpt(const struct check_input *in, struct check_outcome *out);
/* A string parameter; False, with an error, when it is missing or empty. */
bool check_string(const struct check_input *in, struct jval parameters, const char *name, struct str *ret,
                  struct check_outcome *out);
/*
 * min and max of a count; a missing one is no limit. False, with an error, when both are missing or one
 * is no whole number.
 */
struct check_range {
    uint64_t min, max;
};
bool check_range_of(struct jval parameters, const char *min, const char *max, struct check_range *ret,
                    struct check_outcome *out);
void check_in_range(struct jval parameters, const char *what, uint64_t count, const struct check_range *range,
                    const struct check_input *in, struct check_outcome *out);

enum check_operator { CHECK_ANY, CHECK_ALL, CHECK_NONE };
/* False, with an error, when the parameter is missing or another word. */
bool check_operator_of(struct jval parameters, enum check_operator *ret, struct check_outcome *out);
/* Whether that many of so many satisfy it. */
bool check_operator_holds(enum check_operator op, size_t found, size_t of);

/*
 * The words of a parameter: a list of strings, or one string with commas. False, with an error, when
 * it is something else or longer than CHECK_WORDS_MAX.
 */
#define CHECK_WORDS_MAX 1000
struct check_words {
    struct str *list;
    size_t n;
};
bool check_words_of(const struct check_input *in, struct jval list, const char *name, struct check_words *ret,
                    struct check_outcome *out);
bool check_words_have(const struct check_words *words, struct str word);
/* data.NAME: those words for which `hit` is `which`. */
void check_words_write(struct check_outcome *out, const char *name, const struct check_words *words, const bool *hit,
                       bool which);

#endif

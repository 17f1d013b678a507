/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REPORT_NOTIFY_TEXTS_H
#define REPORT_NOTIFY_TEXTS_H

/*
 * texts: what messages say, all in one table: subject and text with {names} in braces, which are replaced by values.
 * Plain sentences: what happened, the numbers, what to do.
 *
 * A line of the text whose only content is a {name} without a value is left out.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/str.h"

/* Columns: name, kind (notify.h), subject, text. */
#define TEXTS_TABLE(X)                                                                                          \
    X(TEST, "test", "A test from Tollgate", "This is a test that {who} asked for. Nothing needs to be done.\n") \
    X(INVITATION, "invitation", "{who} invites you to {place}",                                                 \
      "{who} invites you to {place} on Tollgate, as {role}.\n"                                                  \
      "\n"                                                                                                      \
      "Open the link below to accept. It works once, until {until}.\n"                                          \
      "If you did not expect this, do nothing.\n")                                                              \
    X(BUDGET_ALERT, "budget_alert", "{percent} of the budget of {object} is used",                              \
      "The budget of {object} in {place} has reached its alert threshold.\n"                                    \
      "\n"                                                                                                      \
      "Used:      {used}\n"                                                                                     \
      "Alert at:  {threshold}\n"                                                                                \
      "Budget:    {budget}\n"                                                                                   \
      "Group:     {group}\n"                                                                                    \
      "Since:     {since}\n"                                                                                    \
      "Until:     {until}\n"                                                                                    \
      "\n"                                                                                                      \
      "{what_next}\n")                                                                                          \
    X(IMPORT_FINISHED, "import_finished", "The import of OpenAI's bill for {object} is complete",               \
      "The first import of OpenAI's bill for the integration {object} is complete.\n"                           \
      "\n"                                                                                                      \
      "Organization:  {organization}\n"                                                                         \
      "Costs since:   {since}\n"                                                                                \
      "Rows:          {rows}\n"                                                                                 \
      "\n"                                                                                                      \
      "From now on it is kept up to date by itself.\n")                                                         \
    X(IMPORT_FAILED, "import_failed", "The import of OpenAI's bill for {object} fails",                         \
      "The import of OpenAI's bill for the integration {object} fails.\n"                                       \
      "\n"                                                                                                      \
      "Reason:     {why}\n"                                                                                     \
      "Last good:  {since}\n"                                                                                   \
      "\n"                                                                                                      \
      "Costs that were imported before stay. It is tried again by itself; when the admin key was refused, an "  \
      "admin gives the integration a new one.\n")

enum texts_name {
#define X(name, kind, subject, text) TEXTS_##name,
    TEXTS_TABLE(X)
#undef X
        TEXTS_COUNT
};
const char *texts_kind(enum texts_name name);

struct texts_value {
    const char *name;
    struct str value; /* UTF-8; line ends in it become spaces */
};
/* The subject (cut to NOTIFY_SUBJECT_MAX) and the text; both appended. False: they do not fit. */
bool texts_fill(enum texts_name name, const struct texts_value *values, size_t count, struct buf *subject,
                struct buf *text) __attribute__((warn_unused_result));

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONSOLE_PEOPLE_SIGN_IN_PAGE_H
#define CONSOLE_PEOPLE_SIGN_IN_PAGE_H

/* sign_in_page: what a browser shows when a sign-in went wrong on the way: what it was, and what to do. */

#include "console/job.h"

/* `again` is the address of "Try again"; "" = only the way back to the console. Texts may be anything. */
void sign_in_page(struct job *j, int status, struct str title, struct str text, struct str again);
/* For an error of ours: its status and sentence. */
void sign_in_page_fail(struct job *j, enum err e, struct str title, struct str text);

#endif

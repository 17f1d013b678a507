/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_HOOKS_CHECK_TEXT_H
#define GATEWAY_HOOKS_CHECK_TEXT_H

/* check_text: checks that look at nothing but the text. Their parameters are in check.c's table. */

#include "gateway/hooks/check.h"

check_fn check_text_regex_match;
check_fn check_text_sentence_count;
check_fn check_text_word_count;
check_fn check_text_character_count;
check_fn check_text_contains;
check_fn check_text_ends_with;
check_fn check_text_all_uppercase;
check_fn check_text_all_lowercase;
check_fn check_text_not_null;
check_fn check_text_contains_code; /* a fenced block of that language */
check_fn check_text_valid_urls;    /* by their form only: no host is asked */

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_LOG_PRINT_H
#define CLI_LOG_PRINT_H

/* log_print: rows and traces of the API as lines for people. The trees are those of api_json. */

#include <jansson.h>

/* The heading of the columns. */
void log_print_head(void);
/* One attempt: a line, and more below it for how it was routed and why it failed. */
void log_print_row(const json_t *row);
/* Heading and rows, newest first; attempts of one request together, below the one that was the answer. */
void log_print_requests(const json_t *rows);
void log_print_trace(const json_t *trace);

#endif

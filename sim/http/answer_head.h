/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIM_HTTP_ANSWER_HEAD_H
#define SIM_HTTP_ANSWER_HEAD_H

/*
 * answer_head: the head of an answer: what OpenAI, or Azure, sends beside the body, and what the
 * cue adds or breaks.
 */

struct call;
struct sim;

/* Texts that are the same for every answer. Once, at start-up. */
void answer_head_init(struct sim *sim);
/* Gives the head to the server; decides on framing, and on gzip when the client does not take it. */
void answer_head_send(struct call *c);

#endif

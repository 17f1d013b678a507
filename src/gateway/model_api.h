/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_MODEL_API_H
#define GATEWAY_MODEL_API_H

/*
 * model_api: requests to a model's own address (blaxel.md §7). They are routed requests whose config
 * is the model API's: it leads to the integration and names upstream's model.
 */

#include "gateway/request.h"

struct request_facts;

/* Reads the address; nothing happens for other paths. */
void model_api_read(struct request *r, const struct http1_head *head);
/* The key a caller presents there: x-blaxel-authorization wins over Authorization. */
struct str model_api_credential(const struct http1_head *head);
/* Workspace, model and operation, once the key is known. False: answered. */
bool model_api_admit(struct request *r);
/*
 * The whole body is there: turns the base call's {"inputs": …} into a chat, and refuses a model that
 * is not the one of this address. `facts` are of the body, and read again when it was changed. False:
 * answered.
 */
bool model_api_body(struct request *r, struct request_facts *facts);

#endif

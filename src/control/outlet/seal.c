/* SPDX-License-Identifier: Apache-2.0 */
/* Workspace 0 is the organization; the first start made its data key. */
#include "control/outlet/seal.h"

#include "control/control_inner.h"

#define ORGANIZATION 0

void seal_put(struct control *c, struct crypt_place place, struct str plain, struct buf *out)
{
    pthread_mutex_lock(&c->lock);
    crypt_seal(c->crypt, ORGANIZATION, place, plain, out);
    pthread_mutex_unlock(&c->lock);
}

enum err seal_open(struct control *c, struct crypt_place place, struct str sealed, struct secret *ret_plain)
{
    pthread_mutex_lock(&c->lock);
    enum err e = crypt_open(c->crypt, ORGANIZATION, place, sealed, ret_plain);
    pthread_mutex_unlock(&c->lock);
    return e;
}

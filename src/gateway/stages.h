/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_STAGES_H
#define GATEWAY_STAGES_H

/* stages: the named steps of a request, in order. */

struct request;

enum next {
    NEXT, /* go on */
    WAIT, /* parked; stages_resume goes on behind this stage */
    DONE, /* answered or handed over; no further stage */
};

struct stage {
    const char *name; /* shown in logs and the panic report */
    enum next (*run)(struct request *r);
};

void stages_run(struct request *r);
/* Goes on behind the stage that returned WAIT. */
void stages_resume(struct request *r);

/* The stages; each in the file of its name. */
enum next auth_run(struct request *r);
enum next route_run(struct request *r);
enum next intake_run(struct request *r);
enum next attempt_run(struct request *r);

#endif

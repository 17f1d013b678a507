/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIM_API_REALTIME_H
#define SIM_API_REALTIME_H

/*
 * realtime: a session of the Realtime API, shared by realtime.c (the session and its events) and
 * realtime_say.c (responses and transcriptions).
 */

#include "sim/http/channel.h"
#include "sim/kept/shelf.h"
#include "sim/model/bill.h"

#define REALTIME_ID_MAX 64

struct realtime {
    struct channel *ch;
    struct call *c;
    struct str id, model;
    struct shelf_item *session; /* its JSON, changed by session.update */
    bool transcription;         /* the session only transcribes */
    bool beta;                  /* the event names of the first version */
    /* The conversation so far, in tokens. */
    uint64_t text_in, audio_in, image_in;
    uint64_t said_before; /* of them in the last response's input: cached the next time */
    uint64_t buffered;    /* bytes of audio appended and not committed */
    bool tool_answered;
    char last_item[REALTIME_ID_MAX];
    uint64_t turn;
    struct bill total; /* of all responses */
    struct bill heard; /* of all transcriptions, by another model */
    char heard_by[CALL_MODEL_MAX];
};

/* An event being written: the object is open, with type and event_id. */
struct json_write *realtime_event(struct realtime *r, struct buf *out, struct json_write *w, const char *type);
void realtime_event_end(struct realtime *r, struct buf *out, struct json_write *w);
/* A member of the session, as JSON; "" when it has none. */
struct str realtime_setting(struct realtime *r, const char *name);
/* Shows that an item is part of the conversation now. */
void realtime_item_added(struct realtime *r, struct str id, struct str item);

/* response.create, with its settings. */
void realtime_respond(struct realtime *r, struct jval settings);
/* The words of an item that came as audio, when the session asks for them. */
void realtime_transcribe(struct realtime *r, struct str item_id, uint64_t audio_bytes);

#endif

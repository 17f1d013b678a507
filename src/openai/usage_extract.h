/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OPENAI_USAGE_EXTRACT_H
#define OPENAI_USAGE_EXTRACT_H

/*
 * usage_extract: where the figures stand in each kind of answer, and how the figures of one answer
 * become disjoint meters. The parts of usage_meter that know OpenAI's field names.
 *
 * A path list gives each watched value an id: below USAGE_FIGURE_COUNT a figure of the usage
 * object, above it one of the other things usage_meter looks at.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/json_watch.h"
#include "base/str.h"
#include "openai/usage_meter.h"

/* The ids of paths; 0 is none. TOTAL figures contain their parts. */
enum usage_figure {
    USAGE_FIGURE_NONE,
    USAGE_FIGURE_INPUT,
    USAGE_FIGURE_OUTPUT,
    USAGE_FIGURE_TOTAL,
    USAGE_FIGURE_CACHED,
    USAGE_FIGURE_CACHED_TEXT,
    USAGE_FIGURE_CACHED_AUDIO,
    USAGE_FIGURE_CACHED_IMAGE,
    USAGE_FIGURE_WRITE,
    USAGE_FIGURE_WRITE_30M,
    USAGE_FIGURE_WRITE_12H,
    USAGE_FIGURE_IN_TEXT,
    USAGE_FIGURE_IN_AUDIO,
    USAGE_FIGURE_IN_IMAGE,
    USAGE_FIGURE_REASONING,
    USAGE_FIGURE_OUT_TEXT,
    USAGE_FIGURE_OUT_AUDIO,
    USAGE_FIGURE_OUT_IMAGE,
    USAGE_FIGURE_ACCEPTED,
    USAGE_FIGURE_REJECTED,
    USAGE_FIGURE_DURATION_MS, /* usage.seconds */
    /* Beside the usage object. */
    USAGE_FIGURE_LENGTH_MS, /* duration of a verbose transcription; seconds of a video */
    USAGE_FIGURE_TRAINED,
    USAGE_FIGURE_SEARCHES,
    USAGE_FIGURE_TOOL_INPUT, /* the image generation tool of responses */
    USAGE_FIGURE_TOOL_IN_IMAGE,
    USAGE_FIGURE_TOOL_OUTPUT,
    USAGE_FIGURE_TOOL_OUT_TEXT,
    USAGE_FIGURE_TOOL_CACHED,
    USAGE_FIGURE_TOOL_CACHED_IMAGE,
    USAGE_FIGURE_SVG_INPUT,
    USAGE_FIGURE_SVG_OUTPUT,
    USAGE_FIGURE_SVG_TOTAL,
    USAGE_FIGURE_COUNT,
};

enum usage_path {
    USAGE_PATH_USAGE = USAGE_FIGURE_COUNT, /* the usage object itself */
    USAGE_PATH_TOOL_USAGE,
    USAGE_PATH_SVG_USAGE,
    USAGE_PATH_TYPE, /* of an event */
    USAGE_PATH_OBJECT,
    USAGE_PATH_ID,
    USAGE_PATH_MODEL,
    USAGE_PATH_SIDE_MODEL,
    USAGE_PATH_TIER,
    USAGE_PATH_FINGERPRINT,
    USAGE_PATH_FINISH,
    USAGE_PATH_STATUS,
    USAGE_PATH_REASON, /* of being incomplete */
    USAGE_PATH_QUALITY,
    USAGE_PATH_SIZE,
    USAGE_PATH_ERROR,
    USAGE_PATH_ERROR_TYPE,
    USAGE_PATH_ERROR_CODE,
    USAGE_PATH_ERROR_MESSAGE,
    USAGE_PATH_EVENT_CODE, /* code and message of an error event that has no error object */
    USAGE_PATH_EVENT_MESSAGE,
    USAGE_PATH_DATA, /* the array of images or embeddings, and one of its elements */
    USAGE_PATH_DATA_ITEM,
    USAGE_PATH_OUTPUT, /* the items of a response, for counting tool calls */
    USAGE_PATH_ITEM,
    USAGE_PATH_ITEM_TYPE,
    USAGE_PATH_ITEM_ACTION,
    USAGE_PATH_ITEM_CONTAINER,
    USAGE_PATH_DELTA, /* text whose kind is the event's */
    USAGE_PATH_WHOLE, /* text that a stream repeats behind its deltas */
    USAGE_PATH_TEXT,  /* + enum usage_text_kind */
    USAGE_PATH_COUNT = USAGE_PATH_TEXT + USAGE_TEXT_KIND_COUNT,
};

_Static_assert(USAGE_FIGURE_COUNT <= USAGE_COUNT_MAX, "more figures than places");

/* The watch list for answers of this shape; NULL when there is nothing to see. Any thread. */
const struct json_watch *usage_extract_watch(enum usage_shape shape);

/* What an event means, by its type or the name in its `event:` line. */
enum usage_event {
    USAGE_EVENT_OTHER,
    USAGE_EVENT_DELTA,
    USAGE_EVENT_END,
    USAGE_EVENT_RESPONSE_DONE, /* realtime: one response of many */
    USAGE_EVENT_TRANSCRIPTION, /* realtime: input audio was transcribed */
    USAGE_EVENT_SESSION_USAGE, /* live */
    USAGE_EVENT_STEP,          /* a run's step: its usage is part of the run's */
    USAGE_EVENT_IMAGE,         /* one image is complete */
    USAGE_EVENT_ERROR,
};

struct usage_event_info {
    struct str name;
    uint8_t event;     /* enum usage_event */
    uint8_t text_kind; /* of DELTA: enum usage_text_kind */
    uint8_t ends;      /* USAGE_END_… */
};

/* NULL when the name is not known. */
const struct usage_event_info *usage_extract_event(struct str name);

/* Figures of one document. */
struct usage_figures {
    const uint64_t *count; /* by enum usage_figure */
    uint64_t have;         /* bit per figure */
    enum usage_shape shape;
    bool cache_12h; /* writes without a split are 12 h ones */
};

/*
 * Figures to meters. *ret_inconsistent is set, never cleared, when they contradict each other;
 * parts are then cut so that they add up to their total.
 */
void usage_extract_sum(const struct usage_figures *f, struct usage_sum *ret_sum, bool *ret_inconsistent);
/* What a tool or helper of another model consumed. False when there is nothing. */
bool usage_extract_side(const struct usage_figures *f, struct usage_side *ret_side, bool *ret_inconsistent);

#endif

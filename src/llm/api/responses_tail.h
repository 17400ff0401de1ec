/* SPDX-License-Identifier: Apache-2.0 */
/* responses_tail.h - what is kept of a passed-through stream of Responses so that it can be ended
 * early: between responses_tail.c, which gathers it, and responses_cut.c, which writes its end.
 */
#ifndef KM_LLM_API_RESPONSES_TAIL_H
#define KM_LLM_API_RESPONSES_TAIL_H

#include "llm/api/responses.h"

/* Most bytes that are kept of one stream's output, and most of its response object. */
#define KM_RESPONSES_KEPT_BYTES ((size_t)256 * 1024)

/* A text that comes in pieces: `stem`.delta ... `stem`.done. */
struct km_responses_text {
    struct km_str stem; /* "response.output_text" */
    const char *done; /* the member of its .done that has all of it, as the part or item has */
    const char *index; /* the member that tells the parts of an item; NULL: it has none */
    const char *part; /* the type of its part; NULL: the text is the item's own */
};

/* The row of an event's type, or of a part's; NULL: none. */
const struct km_responses_text *km_responses_text(struct km_str event_type);
const struct km_responses_text *km_responses_part_text(struct km_str part_type);

struct km_responses_item {
    struct km_responses_item *next;
    struct km_str json; /* as it was added; when it is done: as it is */
    int64_t index; /* output_index */
    bool done;
    struct km_str parts; /* those of it that are over, with commas between them */
    const struct km_responses_text *text; /* what is open in it; NULL: nothing */
    int64_t at; /* its place among the parts */
    bool said; /* its .done came, and its part is open still */
    struct km_str part; /* as it was added; empty: it never was */
    char *p; /* the text as JSON has it, without quotes */
    size_t n, cap;
    size_t kept; /* bytes for it, which are given back when it is done */
};

struct km_responses_tail {
    int64_t sequence; /* of the event before; -1: there was none */
    struct km_str object; /* the response as it began, as the client has it */
    struct km_responses_item *items, **end;
    struct km_responses_item *open; /* the one that is not done, where it is but one */
    unsigned nopen;
    size_t kept;
    bool over; /* it grew too large: nothing of the output is kept any more */
};

/* Made with the first event; NULL: there is no memory. */
struct km_responses_tail *km_responses_tail(struct km_llm_stream *s);
/* Of an event: its type (without quotes), its own sequence_number (JSON, may be empty), its delta
 * (JSON, may be empty). */
void km_responses_keep(struct km_llm_stream *s, struct km_str type, struct km_str sequence,
                       struct km_str delta, struct km_str data);
/* The response in one, as the client gets it. */
void km_responses_keep_object(struct km_llm_stream *s, struct km_str object);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* script.h - what the mock upstream answers, and the text of it.
 *
 * The client writes the script of the answer into its prompt, where every gateway
 * passes it on unread:
 *
 *     [[mock events=100 interval_ms=20 tag=7]]
 *
 *     events       SSE events of a stream; -1: endless (default 16)
 *     interval_ms  pause between two events; 0: as fast as the socket takes them
 *     delay_ms     pause before the first byte of the answer
 *     ack          1: send an event only when the client has acknowledged the one before
 *                  (a datagram of tags to the mock's UDP port), so that exactly one event
 *                  a stream is under way and none can be merged with its neighbour
 *     tag          number under which the client's departure is recorded, below 65536
 *     status       answer with this status and an OpenAI error instead
 *
 * Whether to stream, and whether to report usage, is read from the body's own members.
 */
#ifndef BENCH_SCRIPT_H
#define BENCH_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SCRIPT_TEXT_MAX = 1024, SCRIPT_TAG_MAX = 65536 };
enum { SCRIPT_PROMPT_TOKENS = 200, SCRIPT_COMPLETION_TOKENS = 24, SCRIPT_BODY_BYTES = 400 };

struct script {
    bool stream;
    bool include_usage;
    bool ack;
    int status;
    long events;
    uint32_t interval_ms;
    uint32_t delay_ms;
    uint32_t tag; /* 0: none */
};

/* The texts sent most often, made once: sending one is a copy and a few digits. */
struct script_texts {
    char json[SCRIPT_TEXT_MAX];
    char event[SCRIPT_TEXT_MAX];
    size_t json_len, json_id;                 /* length, and where the id's digits are */
    size_t event_len, event_id, event_number; /* and where the number's are */
};

void script_texts_init(struct script_texts *t);

void script_read(struct script *s, const char *body, size_t len);

/* Each writes at most SCRIPT_TEXT_MAX bytes and returns their number.  `id` makes the
 * answer's id; the stream's parts carry their chunk framing.  `number` makes the event's
 * text: a gateway may take a model that repeats itself for a broken one, and cut it off. */
size_t script_json(const struct script_texts *t, char *out, uint64_t id);
size_t script_error(char *out, int status);
size_t script_stream_head(char *out);
size_t script_event(const struct script_texts *t, char *out, uint64_t id, long number);
/* Twice as much room. */
size_t script_stream_end(char *out, uint64_t id, const struct script *s);

#endif

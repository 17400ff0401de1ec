/* SPDX-License-Identifier: Apache-2.0 */
/* event.h - a bounded ring of what happened last (reloads, restarts, breakers, alerts).
 *
 * The newest `capacity` events stay; a reader asks for those after a sequence number.
 * Any thread (one mutex: events are rare).
 */
#ifndef KM_BASE_EVENT_H
#define KM_BASE_EVENT_H

#include "base/log.h"

struct km_event {
    uint64_t seq; /* from 1, without gaps */
    int64_t wall_us;
    enum km_log_level level;
    char name[32];  /* "config.reloaded" */
    char text[200]; /* ends in "..." when cut; never a secret */
};

struct km_events;

struct km_events *km_events_new(size_t capacity);
struct km_events *km_events_free(struct km_events *events);
void km_event_add(struct km_events *events, enum km_log_level level, const char *name,
                  const char *fmt, ...) KM_PRINTF(4, 5);
/* Copies up to max events with seq > after, oldest first; returns how many. */
size_t km_events_since(struct km_events *events, uint64_t after, struct km_event *out, size_t max);

#endif

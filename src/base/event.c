/* SPDX-License-Identifier: Apache-2.0 */
/* event.c - see event.h for the contract.
 *
 * A ring of fixed records.  The event with sequence number n lies in place
 * (n - 1) % capacity, so finding "those after n" is arithmetic:
 *
 *     next = 12, capacity = 5:   seq  11   7   8   9  10
 *                                place 0   1   2   3   4
 *
 * Events are rare and readers few: one mutex, and copies out, so that a reader holds
 * nothing while it writes JSON to a slow client.
 */
#include "base/event.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/time.h"

struct km_events {
    pthread_mutex_t lock;
    uint64_t next; /* sequence number of the next event */
    size_t capacity;
    struct km_event ring[];
};

struct km_events *km_events_new(size_t capacity)
{
    struct km_events *events;

    if (capacity == 0)
        capacity = 1;
    if (capacity > (SIZE_MAX - sizeof *events) / sizeof events->ring[0])
        return NULL;
    events = calloc(1, sizeof *events + capacity * sizeof events->ring[0]);
    if (!events)
        return NULL;
    pthread_mutex_init(&events->lock, NULL);
    /* Touched now: a ring that takes its pages one by one looks like a leak until it is full. */
    for (size_t i = 0; i < capacity; i++)
        events->ring[i].level = KM_LOG_INFO;
    events->capacity = capacity;
    events->next = 1;
    return events;
}

struct km_events *km_events_free(struct km_events *events)
{
    if (!events)
        return NULL;
    pthread_mutex_destroy(&events->lock);
    free(events);
    return NULL;
}

void km_event_add(struct km_events *events, enum km_log_level level, const char *name,
                  const char *fmt, ...)
{
    struct km_event e = { .wall_us = km_wall_us(), .level = level };
    va_list ap;
    int n;

    if (!events)
        return;
    snprintf(e.name, sizeof e.name, "%s", name);
    va_start(ap, fmt);
    n = vsnprintf(e.text, sizeof e.text, fmt, ap);
    va_end(ap);
    if (n >= (int)sizeof e.text) {
        size_t at = sizeof e.text - 4;

        while (at > 0 && ((unsigned char)e.text[at] & 0xc0) == 0x80)
            at--; /* not in the middle of a character */
        memcpy(e.text + at, "...", 4);
    }
    pthread_mutex_lock(&events->lock);
    e.seq = events->next++;
    events->ring[(e.seq - 1) % events->capacity] = e;
    pthread_mutex_unlock(&events->lock);
}

size_t km_events_since(struct km_events *events, uint64_t after, struct km_event *out, size_t max)
{
    size_t n = 0;
    uint64_t oldest;

    pthread_mutex_lock(&events->lock);
    oldest = events->next > events->capacity ? events->next - events->capacity : 1;
    for (uint64_t seq = after < oldest ? oldest : after + 1; seq < events->next && n < max; seq++)
        out[n++] = events->ring[(seq - 1) % events->capacity];
    pthread_mutex_unlock(&events->lock);
    return n;
}

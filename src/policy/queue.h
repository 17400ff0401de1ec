/* SPDX-License-Identifier: Apache-2.0 */
/* queue.h - calls that wait for one resource, in classes: who goes next, who goes when it is full.
 *
 *     critical  8  ──┐
 *     high      4  ──┤  the least finishing time goes next:
 *     medium    2  ──┤  what its class was served, and this one more, by weight
 *     low       1  ──┘  the longer its first has waited, the more its class weighs
 *
 * Data in, verdict out: no lock (gate.h has it), no clock but the caller's, nothing is allocated.
 * Whoever waits brings the item.  How many may wait is the caller's to ask (km_queue_victim).
 */
#ifndef KM_POLICY_QUEUE_H
#define KM_POLICY_QUEUE_H

#include <stdint.h>

#include "base/list.h"
#include "base/str.h"

enum km_priority {
    KM_PRIORITY_UNSAID,
    KM_PRIORITY_LOW,
    KM_PRIORITY_MEDIUM,
    KM_PRIORITY_HIGH,
    KM_PRIORITY_CRITICAL,
    KM_PRIORITIES, /* so many, UNSAID included */
};

/* "low"; "default" for UNSAID.  Static. */
struct km_str km_priority_name(enum km_priority p);
/* A name, or LiteLLM's number: 0 is critical, 1 high, 2 medium, any above low.  false: neither. */
bool km_priority_read(struct km_str text, enum km_priority *ret);

#define KM_QUEUE_AGE_MS 5000 /* after so long a class weighs twice, then three times ... */
#define KM_QUEUE_AGE_MOST 15 /* ... and sixteen times in the end */

struct km_queue_item {
    struct km_list link; /* of its class */
    enum km_priority priority; /* not UNSAID */
    unsigned share; /* whose reserved share it uses: the asker's affair */
    uint64_t since_ms;
    bool waits;
};

struct km_queue {
    struct km_list waiting[KM_PRIORITIES];
    size_t n[KM_PRIORITIES], total;
    uint64_t finish[KM_PRIORITIES]; /* virtual: up to where each class was served */
    uint64_t time; /* virtual: the latest of these */
};

void km_queue_init(struct km_queue *q);
/* Behind those of its class.  The item is the queue's until it was taken or removed. */
void km_queue_put(struct km_queue *q, struct km_queue_item *item, uint64_t now_ms);
/* May it be served now, as far as its class does not decide? */
typedef bool km_queue_may_fn(const void *ctx, const struct km_queue_item *item);
/* The next of those that may be served; NULL: none.  may NULL: all may. */
struct km_queue_item *km_queue_best(const struct km_queue *q, km_queue_may_fn *may, const void *ctx,
                                    uint64_t now_ms);
/* It is served: its class pays for it. */
void km_queue_take(struct km_queue *q, struct km_queue_item *item, uint64_t now_ms);
/* It waits no more, and was not served.  Again is harmless. */
void km_queue_remove(struct km_queue *q, struct km_queue_item *item);
/* Who goes for a call of that class to have a place in the line: the last of the lowest class
 * below it.  NULL: none is below. */
struct km_queue_item *km_queue_victim(const struct km_queue *q, enum km_priority priority);
/* How many a call of that class, if it came now, would find before it: of its own class and of
 * those above. */
size_t km_queue_ahead(const struct km_queue *q, enum km_priority priority);

#endif

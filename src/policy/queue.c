/* SPDX-License-Identifier: Apache-2.0 */
/* queue.c - see queue.h for the contract.
 *
 * Weighted fair queuing with virtual finishing times.  A class has a time up to which it was
 * served; its first call would end at that time plus a cost, which is the smaller the more its
 * class weighs and the longer that call has waited.  The earliest end goes next, and among equals
 * the higher class.  A class that was empty begins at the present: it saves nothing up.
 *
 *     cost = UNIT / (weight * (1 + waited / KM_QUEUE_AGE_MS))
 *
 * Nothing starves: while a call is the first of its class, its end stays where it is or comes
 * nearer, and each call of another class that goes before it moves that class on by its cost,
 * which is never less than UNIT / (8 * 16).  test_queue.c holds the bound.
 *
 * Ends differ by few units of each other, so 64 bits last for ever.
 */
#include "policy/queue.h"

#define UNIT ((uint64_t)1 << 20)

static const struct {
    struct km_str name;
    uint64_t weight;
} classes[KM_PRIORITIES] = {
    [KM_PRIORITY_UNSAID] = { { "default", 7 }, 1 },
    [KM_PRIORITY_LOW] = { { "low", 3 }, 1 },
    [KM_PRIORITY_MEDIUM] = { { "medium", 6 }, 2 },
    [KM_PRIORITY_HIGH] = { { "high", 4 }, 4 },
    [KM_PRIORITY_CRITICAL] = { { "critical", 8 }, 8 },
};

struct km_str km_priority_name(enum km_priority p)
{
    return classes[p].name;
}

bool km_priority_read(struct km_str text, enum km_priority *ret)
{
    int64_t n;

    for (enum km_priority p = KM_PRIORITY_LOW; p < KM_PRIORITIES; p++) {
        if (!km_str_ieq(text, classes[p].name))
            continue;
        *ret = p;
        return true;
    }
    if (km_str_i64(text, &n) < 0 || n < 0)
        return false;
    *ret = n == 0   ? KM_PRIORITY_CRITICAL
           : n == 1 ? KM_PRIORITY_HIGH
           : n == 2 ? KM_PRIORITY_MEDIUM
                    : KM_PRIORITY_LOW;
    return true;
}

void km_queue_init(struct km_queue *q)
{
    *q = (struct km_queue){ .total = 0 };
    for (unsigned p = 0; p < KM_PRIORITIES; p++)
        km_list_init(&q->waiting[p]);
}

void km_queue_put(struct km_queue *q, struct km_queue_item *item, uint64_t now_ms)
{
    const enum km_priority p = item->priority;

    if (q->n[p] == 0 && q->finish[p] < q->time)
        q->finish[p] = q->time;
    item->since_ms = now_ms;
    item->waits = true;
    km_list_push(&q->waiting[p], &item->link);
    q->n[p]++;
    q->total++;
}

static uint64_t end_of(const struct km_queue *q, const struct km_queue_item *item, uint64_t now_ms)
{
    const uint64_t most = (uint64_t)KM_QUEUE_AGE_MS * KM_QUEUE_AGE_MOST;
    uint64_t waited = now_ms > item->since_ms ? now_ms - item->since_ms : 0;

    waited = waited < most ? waited : most;
    return q->finish[item->priority] +
           UNIT * KM_QUEUE_AGE_MS / (classes[item->priority].weight * (KM_QUEUE_AGE_MS + waited));
}

/* The first of a class that may go: all but those of full shares may. */
static struct km_queue_item *first_of(const struct km_queue *q, enum km_priority p,
                                      km_queue_may_fn *may, const void *ctx)
{
    const struct km_list *head = &q->waiting[p];

    for (struct km_list *it = head->next; it != head; it = it->next) {
        struct km_queue_item *item = KM_CONTAINER(it, struct km_queue_item, link);

        if (!may || may(ctx, item))
            return item;
    }
    return NULL;
}

struct km_queue_item *km_queue_best(const struct km_queue *q, km_queue_may_fn *may, const void *ctx,
                                    uint64_t now_ms)
{
    struct km_queue_item *best = NULL, *item;
    uint64_t best_end = 0, end;

    for (unsigned p = KM_PRIORITIES; p-- > KM_PRIORITY_LOW;) {
        item = q->n[p] ? first_of(q, (enum km_priority)p, may, ctx) : NULL;
        if (!item)
            continue;
        end = end_of(q, item, now_ms);
        if (best && end >= best_end)
            continue;
        best = item;
        best_end = end;
    }
    return best;
}

void km_queue_take(struct km_queue *q, struct km_queue_item *item, uint64_t now_ms)
{
    const uint64_t end = end_of(q, item, now_ms);

    q->finish[item->priority] = end;
    q->time = end > q->time ? end : q->time;
    km_queue_remove(q, item);
}

void km_queue_remove(struct km_queue *q, struct km_queue_item *item)
{
    if (!item->waits)
        return;
    item->waits = false;
    km_list_remove(&item->link);
    q->n[item->priority]--;
    q->total--;
}

struct km_queue_item *km_queue_victim(const struct km_queue *q, enum km_priority priority)
{
    for (unsigned p = KM_PRIORITY_LOW; p < (unsigned)priority; p++)
        if (q->n[p])
            return KM_CONTAINER(q->waiting[p].prev, struct km_queue_item, link);
    return NULL;
}

size_t km_queue_ahead(const struct km_queue *q, enum km_priority priority)
{
    size_t n = 0;

    for (unsigned p = (unsigned)priority; p < KM_PRIORITIES; p++)
        n += q->n[p];
    return n;
}

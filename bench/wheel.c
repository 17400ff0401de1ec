/* SPDX-License-Identifier: Apache-2.0 */
/* wheel.c - see wheel.h for the contract.
 *
 * Firing may arm and disarm other items, so the due ones of a slot are first moved to a
 * list of their own and taken from its front one at a time: a disarm in between simply
 * unlinks the item from whichever list it is in.
 */
#include "wheel.h"

static void list_init(struct wheel_item *head)
{
    head->prev = head->next = head;
}

static void list_append(struct wheel_item *head, struct wheel_item *item)
{
    item->prev = head->prev;
    item->next = head;
    head->prev->next = item;
    head->prev = item;
}

static void unlink_item(struct wheel_item *item)
{
    item->prev->next = item->next;
    item->next->prev = item->prev;
    item->prev = item->next = NULL;
}

void wheel_init(struct wheel *w, uint64_t now_ms)
{
    for (size_t i = 0; i < WHEEL_SLOTS; i++)
        list_init(&w->slots[i]);
    w->now_ms = now_ms;
    w->armed = 0;
}

void wheel_arm(struct wheel *w, struct wheel_item *item, uint64_t due_ms)
{
    wheel_disarm(w, item);
    if (due_ms <= w->now_ms)
        due_ms = w->now_ms + 1;
    item->due_ms = due_ms;
    list_append(&w->slots[due_ms % WHEEL_SLOTS], item);
    w->armed++;
}

void wheel_disarm(struct wheel *w, struct wheel_item *item)
{
    if (!item->prev)
        return;
    unlink_item(item);
    w->armed--;
}

static void fire_slot(struct wheel *w, struct wheel_item *slot, wheel_fn *fire)
{
    struct wheel_item due;

    list_init(&due);
    for (struct wheel_item *item = slot->next, *next; item != slot; item = next) {
        next = item->next;
        if (item->due_ms <= w->now_ms) {
            unlink_item(item);
            list_append(&due, item);
        }
    }
    while (due.next != &due) {
        struct wheel_item *item = due.next;

        wheel_disarm(w, item);
        fire(item);
    }
}

void wheel_advance(struct wheel *w, uint64_t now_ms, wheel_fn *fire)
{
    uint64_t from = w->now_ms + 1;

    if (now_ms < from)
        return;
    if (now_ms - from >= WHEEL_SLOTS) /* a long pause: one turn sees every slot */
        from = now_ms - WHEEL_SLOTS + 1;
    w->now_ms = now_ms;
    for (uint64_t ms = from; ms <= now_ms && w->armed; ms++)
        fire_slot(w, &w->slots[ms % WHEEL_SLOTS], fire);
}

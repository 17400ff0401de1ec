/* SPDX-License-Identifier: Apache-2.0 */
/* wheel.c - see wheel.h for the contract.
 *
 * Four wheels of 128 slots, each slot as long as the whole wheel below it (Varghese and
 * Lauck, scheme 7):
 *
 *     level 0   slots of 8 ms       reaches 1 s
 *     level 1   slots of 1 s        reaches 2 min
 *     level 2   slots of 2 min      reaches 4.7 h
 *     level 3   slots of 4.7 h      reaches 25 days; later ones wait here and are put again
 *
 * A timer is put by how far away it is, and when the clock reaches the slot of a higher
 * level, its timers are put again, nearer.  So ten thousand idle connections with their
 * 75 seconds each cost one wake-up a second between them, not one each 8 ms, and nothing
 * at all while a single long timer runs: only the next slot that holds something is
 * waited for.
 *
 * Which slots hold something is one bit each.  A timer that is stopped does not know its
 * slot, so its bit may stay; the search for the next event clears such bits on its way.
 * That leaves `next` too early at worst, and costs one wake-up that finds nothing.
 *
 * `cur` may lag far behind the clock when nothing was due.  Before a timer is put, it is
 * brought up to the present if there is no event on the way: else a timer due in 50 ms
 * would seem far away and land on a coarse level.
 */
#include "sys/wheel.h"

void km_wheel_init(struct km_wheel *w, uint64_t now_ms)
{
    *w = (struct km_wheel){ .cur = now_ms / KM_WHEEL_TICK_MS, .next = KM_WHEEL_NEVER };
    for (unsigned level = 0; level < KM_WHEEL_LEVELS; level++)
        for (unsigned i = 0; i < KM_WHEEL_SLOTS; i++)
            km_list_init(&w->slots[level][i]);
}

static unsigned shift_of(unsigned level)
{
    return level * KM_WHEEL_BITS;
}

/* Puts t by its due time, not before tick `earliest`. */
static void put(struct km_wheel *w, struct km_timer *t, uint64_t earliest)
{
    const uint64_t reach = (UINT64_C(1) << shift_of(KM_WHEEL_LEVELS)) - 1;
    uint64_t tick = t->due_ms / KM_WHEEL_TICK_MS + (t->due_ms % KM_WHEEL_TICK_MS != 0);
    unsigned level = 0, slot;
    uint64_t event;

    if (tick < earliest)
        tick = earliest;
    if (tick - w->cur > reach)
        tick = w->cur + reach;
    while ((tick - w->cur) >> shift_of(level + 1))
        level++;
    slot = (unsigned)(tick >> shift_of(level)) & (KM_WHEEL_SLOTS - 1);
    event = tick >> shift_of(level) << shift_of(level);
    km_list_push(&w->slots[level][slot], &t->link);
    w->used[level][slot / 64] |= UINT64_C(1) << slot % 64;
    if (event < w->next)
        w->next = event;
}

void km_wheel_add(struct km_wheel *w, struct km_timer *t, uint64_t now_ms)
{
    const uint64_t now = now_ms / KM_WHEEL_TICK_MS;

    if (w->next > now && w->cur < now)
        w->cur = now;
    put(w, t, w->cur + 1);
}

/* The first slot after `from` (cyclic, `from` itself last) that holds something, as a
 * distance 1..SLOTS; 0 when all are empty. */
static unsigned next_used(struct km_wheel *w, unsigned level, unsigned from)
{
    for (unsigned d = 1; d <= KM_WHEEL_SLOTS;) {
        const unsigned slot = (from + d) & (KM_WHEEL_SLOTS - 1);
        const uint64_t bits = w->used[level][slot / 64] >> slot % 64;

        if (!bits) {
            d += 64 - slot % 64; /* the rest of this word is empty */
            continue;
        }
        if (!(bits & 1)) {
            d += (unsigned)__builtin_ctzll(bits);
            continue;
        }
        if (!km_list_empty(&w->slots[level][slot]))
            return d;
        w->used[level][slot / 64] &= ~(UINT64_C(1) << slot % 64);
        d++;
    }
    return 0;
}

static void find_next(struct km_wheel *w)
{
    w->next = KM_WHEEL_NEVER;
    for (unsigned level = 0; level < KM_WHEEL_LEVELS; level++) {
        const uint64_t at = w->cur >> shift_of(level);
        const unsigned d = next_used(w, level, (unsigned)at & (KM_WHEEL_SLOTS - 1));

        if (d && (at + d) << shift_of(level) < w->next)
            w->next = (at + d) << shift_of(level);
    }
}

static void take_slot(struct km_wheel *w, unsigned level, struct km_list *into)
{
    const unsigned slot = (unsigned)(w->cur >> shift_of(level)) & (KM_WHEEL_SLOTS - 1);
    struct km_list *from = &w->slots[level][slot];

    km_list_init(into);
    w->used[level][slot / 64] &= ~(UINT64_C(1) << slot % 64);
    if (km_list_empty(from))
        return;
    *into = *from;
    into->next->prev = into->prev->next = into;
    km_list_init(from);
}

/* cur has reached the start of a slot of this level: its timers come nearer. */
static void cascade(struct km_wheel *w, unsigned level)
{
    struct km_list list, *node;

    if (w->cur & ((UINT64_C(1) << shift_of(level)) - 1))
        return;
    take_slot(w, level, &list);
    while ((node = km_list_pop(&list)))
        put(w, KM_CONTAINER(node, struct km_timer, link), w->cur);
}

static void fire(struct km_wheel *w)
{
    struct km_list list, *node;

    take_slot(w, 0, &list);
    /* A callback may stop any timer, those still on this list too. */
    while ((node = km_list_pop(&list))) {
        const struct km_timer *t = KM_CONTAINER(node, struct km_timer, link);

        t->fn(t->ctx);
    }
}

void km_wheel_advance(struct km_wheel *w, uint64_t now_ms)
{
    const uint64_t now = now_ms / KM_WHEEL_TICK_MS;

    for (find_next(w); w->next <= now; find_next(w)) {
        w->cur = w->next;
        for (unsigned level = KM_WHEEL_LEVELS - 1; level > 0; level--)
            cascade(w, level);
        fire(w);
    }
    if (w->cur < now)
        w->cur = now;
}

uint64_t km_wheel_next_ms(const struct km_wheel *w)
{
    return w->next == KM_WHEEL_NEVER ? KM_WHEEL_NEVER : w->next * KM_WHEEL_TICK_MS;
}

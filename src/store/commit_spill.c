/* SPDX-License-Identifier: Apache-2.0 */
/* commit_spill.c - the spill file as the writer uses it: see commit.h.
 *
 *     opened --> frames of what cannot be committed --> committed --> emptied
 *        \-- deleted, cut, replaced: made again, with what it held    \-- damaged: kept, made anew
 *
 * The room that calls have in a file is theirs until there is another (km_room_use).
 */
#include <stdio.h>

#include "base/time.h"
#include "store/commit.h"
#include "store/inside.h"
#include "store/spill_ledger.h"

#define LOOK_MS 400 /* between two looks after the spill file */

void km_commit_spill(struct km_commit *c, struct km_chunk *chunks, bool *ret_safe)
{
    struct km_store *store = c->store;
    struct km_err err = { 0 };
    int r = c->spill ? km_spill_chunks(c->spill, chunks, &err)
                     : km_fail(&err, KM_E_SYSTEM, "there is no spill file");

    *ret_safe = r == 0;
    if (c->spill)
        atomic_store(&store->spilled_bytes, km_spill_bytes(c->spill));
    if (atomic_exchange(&store->outage.unspilled, r < 0) == (r < 0))
        return;
    km_log_msg(store->log, r < 0 ? KM_LOG_ERROR : KM_LOG_INFO, "store.spill", "%s",
               r < 0 ? err.text : "what is acknowledged is safe in the spill file again");
}

static void harm(struct km_store *store, const char *text)
{
    km_log_msg(store->log, KM_LOG_ERROR, "store.spill", "%s", text);
    if (store->events)
        km_event_add(store->events, KM_LOG_ERROR, "store.spill", "%s", text);
    km_room_harm(store, text);
}

/* Frames of a file that is made are numbered above all that the store has seen. */
static int64_t noted(struct km_commit *c)
{
    int64_t seq = 0;

    return km_spill_noted(c->db, &seq, NULL) < 0 ? 0 : seq;
}

/* What became of calls that were answered: of the file itself, and of one that was moved away. */
static void tell_harm(struct km_commit *c)
{
    int64_t missing = km_spill_missing(c->spill);
    char text[400], aside[KM_PLACE_PATH];

    if (missing) {
        (void)snprintf(
            text, sizeof text,
            "The spill file '%.180s' is damaged: %lld of its %lld frames cannot be read, "
            "and the calls in them are not booked. The others are.",
            c->store->spill_path, (long long)missing,
            (long long)(km_spill_last(c->spill) - km_spill_first(c->spill) + 1));
        harm(c->store, text);
    } else if (km_spill_find_aside(c->spill, noted(c), aside)) {
        (void)snprintf(text, sizeof text,
                       "Calls of this store wait in '%.120s', which was moved aside: stop the "
                       "gateway, put it in the place of '%.120s' once that was read, start.",
                       aside, c->store->spill_path);
        harm(c->store, text);
    }
}

static void open_above(struct km_commit *c, int64_t above)
{
    struct km_store *store = c->store;
    char aside[KM_PLACE_PATH];
    struct km_err why = { 0 };

    if (km_spill_open(store->spill_path, &store->identity.id, store->spill_max, above, &c->spill,
                      aside, &why) < 0) {
        c->spill = NULL;
        if (strcmp(c->spill_why, why.text) != 0)
            km_log_msg(store->log, KM_LOG_WARN, "store.spill", "%s", why.text);
        (void)snprintf(c->spill_why, sizeof c->spill_why, "%.255s", why.text);
        km_room_use(store, NULL, c->spill_why);
        return;
    }
    if (c->spill_why[0])
        km_log_msg(store->log, KM_LOG_INFO, "store.spill", "the spill file can be used");
    c->spill_why[0] = 0;
    if (aside[0])
        km_log_msg(store->log, KM_LOG_WARN, "store.spill",
                   "the spill file was of another store: it is kept as '%s'", aside);
    c->behind_to = km_spill_last(c->spill);
    tell_harm(c);
    km_room_use(store, c->spill, "");
}

void km_commit_open_spill(struct km_commit *c)
{
    open_above(c, noted(c));
}

void km_commit_clear_spill(struct km_commit *c, int64_t done)
{
    struct km_spill *old = c->spill;
    struct km_err err = { 0 };
    char name[KM_PLACE_PATH];
    int64_t last = km_spill_last(old);

    if (km_spill_missing(old) && km_spill_set_aside(old, "damaged", name, &err) == 0) {
        km_log_msg(c->store->log, KM_LOG_WARN, "store.spill",
                   "the damaged spill file is kept as '%s'", name);
        open_above(c, last > done ? last : done);
        km_spill_close(old);
        return;
    }
    if (err.code == 0)
        (void)!km_spill_reset(old, last > done ? last : done, &err);
    if (err.code < 0)
        km_log_msg(c->store->log, KM_LOG_WARN, "store.spill", "%s", err.text);
}

/* In the store's file, and not only in its log, before it goes here. */
void km_commit_empty_spill(struct km_commit *c)
{
    if (!c->spill || atomic_load(&c->store->spilled_bytes) == 0)
        return;
    km_commit_checkpoint(c, 0);
    if (km_outage_final(&c->store->outage))
        return;
    km_commit_clear_spill(c, 0);
    atomic_store(&c->store->spilled_bytes, c->spill ? km_spill_bytes(c->spill) : 0);
    km_room_share(c->store);
}

/* What is not committed yet is in memory too; what was let go, for the store is lost, is not. */
static void tell_made_again(struct km_commit *c, enum km_spill_state state, int64_t lost)
{
    char text[400];

    (void)snprintf(
        text, sizeof text, "The spill file '%.200s' was %s while it was used: it was made again.",
        c->store->spill_path, state == KM_SPILL_CUT ? "cut short" : "deleted or replaced");
    if (lost == 0) {
        km_log_msg(c->store->log, KM_LOG_WARN, "store.spill", "%s", text);
        return;
    }
    (void)snprintf(text + strlen(text), sizeof text - strlen(text),
                   " %lld of its frames could not be read, and calls in them may be lost.",
                   (long long)lost);
    harm(c->store, text);
}

/* Another takes its place, with what this one held. */
static void make_again(struct km_commit *c, enum km_spill_state state)
{
    int64_t behind_to = c->behind_to, lost = 0;
    struct km_spill *old = c->spill;
    char name[KM_PLACE_PATH];
    struct km_err err = { 0 };

    if (state == KM_SPILL_CUT && km_spill_set_aside(old, "damaged", name, &err) < 0) {
        km_log_msg(c->store->log, KM_LOG_WARN, "store.spill", "%s", err.text);
        return;
    }
    open_above(c, km_spill_first(old) - 1);
    if (!c->spill) {
        c->spill = old; /* what it holds can still be copied */
        return;
    }
    if (km_spill_copy(old, c->spill, &lost, &err) < 0)
        km_log_msg(c->store->log, KM_LOG_ERROR, "store.spill", "%s", err.text);
    tell_made_again(c, state, lost);
    if (c->behind)
        c->behind_to = behind_to;
    km_spill_close(old);
    atomic_store(&c->store->spilled_bytes, km_spill_bytes(c->spill));
    km_room_share(c->store);
}

void km_commit_tend(struct km_commit *c)
{
    uint64_t now = km_mono_ms();

    if (!c->db)
        return;
    if (now - c->looked_ms >= LOOK_MS) {
        enum km_spill_state state = c->spill ? km_spill_look(c->spill) : KM_SPILL_THERE;

        c->looked_ms = now;
        if (!c->spill) {
            km_commit_open_spill(c);
            c->behind = c->behind || (c->spill && km_spill_bytes(c->spill));
        } else if (state != KM_SPILL_THERE) {
            make_again(c, state);
        }
    }
    km_room_tend(c->store);
}

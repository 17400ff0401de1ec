/* SPDX-License-Identifier: Apache-2.0 */
/* store.c - see store.h for the contract.  Opening and closing; the parts do the work.
 *
 *     place    where the file lies, is it ours, who may write it
 *     writer   the one writing connection and its thread        ops, ledgers -> commits
 *     readers  two threads with read-only connections           queries -> JSON
 *     imports  a ledger without a worker, for another process's records
 *     lookout  are the files those that were opened?      guard   asks that, and reads what is in
 *              them; what follows is outage's to say
 *     spill    what was acknowledged and cannot be committed
 *
 * Order matters when closing: readers first (they answer to loops that still run), then the
 * writer, which takes what workers left, then the lock.
 */
#include <stdio.h>
#include <stdlib.h>

#include "store/ahead.h"
#include "store/guard.h"
#include "store/inside.h"
#include "store/reader.h"
#include "store/writer.h"

/* The file, where it lies in one. */
static int open_file(struct km_store *store, struct km_err *err)
{
    int r = km_place_lock(&store->place, err);

    if (r == 0)
        r = km_identity_check(&store->identity, store->driver, &store->place, err);
    if (r == 0)
        r = km_place_prepare(&store->place, err);
    if (r == 0)
        r = km_place_hold(&store->place, err);
    return r == 0 ? store->driver->file->lookout_new(store, &store->lookout, err) : r;
}

static int open_parts(struct km_store *store, bool handed_over, struct km_err *err)
{
    int r = store->driver->file ? open_file(store, err) : 0;

    if (r == 0)
        r = km_writer_new(store, handed_over, &store->writer, err);
    if (r == 0)
        r = km_readers_new(store, &store->readers, err);
    if (r == 0)
        r = km_guard_new(store, &store->guard, err);
    return r;
}

/* In the state folder, or beside a store that has none. */
static int name_spill(struct km_store *store, const struct km_store_settings *settings,
                      const char *state_dir, struct km_err *err)
{
    int n;

    store->spill_max = (uint64_t)settings->spill_bytes;
    if (settings->spill.n)
        n = snprintf(store->spill_path, KM_PLACE_PATH, "%.*s", KM_STR_ARG(settings->spill));
    else if (state_dir && state_dir[0])
        n = snprintf(store->spill_path, KM_PLACE_PATH, "%s/store.spill", state_dir);
    else
        n = snprintf(store->spill_path, KM_PLACE_PATH, "%.*s.spill", KM_PLACE_PATH - 16,
                     store->place.path);
    if (n <= 0 || n + 64 > KM_PLACE_PATH)
        return km_fail(err, KM_E_INVALID, "store: the path of the spill file is too long");
    return 0;
}

int km_store_open(const struct km_store_args *args, struct km_store **ret_store, struct km_err *err)
{
    const struct km_store_settings *settings = args->settings;
    struct km_store *store = calloc(1, sizeof *store);
    int r;

    if (!store)
        return km_fail(err, KM_E_NOMEM, "store: out of memory");
    store->strict = settings->accounting == KM_ACCOUNTING_STRICT;
    store->commit_ms = (uint64_t)settings->commit_ms;
    store->queue_bytes = (size_t)settings->queue_bytes;
    store->log = args->log;
    store->events = args->events;
    store->check_ms = (uint64_t)settings->check_ms;
    store->hold_us = settings->crash_hold_ms * 1000;
    km_room_init(&store->room,
                 !store->strict && settings->unavailable != KM_STORE_UNAVAILABLE_SERVE);
    km_outage_init(&store->outage, store->strict, (enum km_store_unavailable)settings->unavailable);
    pthread_mutex_init(&store->lock, NULL);
    store->place.lock_fd = store->place.hold_fd = -1;
    (void)snprintf(store->state_dir, sizeof store->state_dir, "%s",
                   args->state_dir ? args->state_dir : "");
    store->imports = km_ledger_new_import(store);
    if (!store->imports)
        r = km_fail(err, KM_E_NOMEM, "store: out of memory");
    else
        r = km_place_init(&store->place, settings->store, args->state_dir, err);
    store->driver = store->place.driver;
    if (r == 0)
        r = name_spill(store, settings, args->state_dir, err);
    if (r == 0)
        r = km_identity_read(&store->identity, store->driver->passing ? NULL : args->state_dir,
                             err);
    if (r == 0)
        r = open_parts(store, args->handed_over, err);
    if (r < 0) {
        km_store_close(store);
        return r;
    }
    *ret_store = store;
    return 0;
}

void km_store_use_books(struct km_store *store, const struct km_store_books *books)
{
    store->books = books;
}

void km_store_loaded(struct km_store *store)
{
    km_ahead_close(store);
}

struct km_store *km_store_close(struct km_store *store)
{
    if (!store)
        return NULL;
    km_guard_free(store->guard);
    km_readers_free(store->readers);
    km_writer_free(store->writer);
    km_ledger_free(store->imports);
    if (store->lookout)
        store->driver->file->lookout_free(store->lookout);
    km_store_loaded(store);
    km_place_done(&store->place); /* no connection is open any more */
    km_outage_done(&store->outage);
    km_room_done(&store->room);
    pthread_mutex_destroy(&store->lock);
    free(store);
    return NULL;
}

int km_store_release_writer(struct km_store *store, struct km_err *err)
{
    return km_writer_release(store->writer, err);
}

int km_store_take_back(struct km_store *store, struct km_err *err)
{
    return km_writer_take_back(store->writer, err);
}

void km_store_forward(struct km_store *store, km_ledger_forward_fn *fn, void *ctx)
{
    km_writer_forward(store->writer, fn, ctx);
}

int km_store_import_record(struct km_store *store, struct km_str record, struct km_err *err)
{
    return km_ledger_import(store->imports, record, err);
}

int km_store_record_read(struct km_str record, struct km_buf *scratch,
                         struct km_ledger_entry *ret_entry, bool *ret_settled, struct km_err *err)
{
    const struct km_record *rec;

    if (!km_record_valid(record))
        return km_fail(err, KM_E_INVALID, "hand-over: not a ledger record of this version");
    km_buf_reset(scratch);
    km_buf_str(scratch, record);
    if (km_buf_failed(scratch))
        return km_fail(err, KM_E_NOMEM, "hand-over: out of memory");
    rec = (const struct km_record *)(const void *)scratch->p;
    km_record_entry(rec, ret_entry);
    *ret_settled = rec->kind == KM_RECORD_SETTLED;
    return 0;
}

bool km_store_is_strict(const struct km_store *store)
{
    return store->strict;
}

bool km_store_healthy(const struct km_store *store)
{
    struct km_store_health h;

    km_store_health((struct km_store *)(uintptr_t)store, &h); /* its locks are not part of it */
    return h.healthy;
}

/* The store works, but calls have no room where they would go when it does not. */
static void tell_no_room(struct km_store *store, struct km_store_health *ret)
{
    char why[256];
    int64_t since = km_room_none_since(store, why);

    if (!since)
        return;
    ret->refusing = ret->refusing_budgeted = true;
    if (!ret->healthy)
        return;
    ret->healthy = false;
    ret->name = "unspillable";
    ret->since_us = since;
    (void)snprintf(ret->reason, sizeof ret->reason,
                   "no room for what calls cost can be reserved in the spill file");
    (void)snprintf(ret->text, sizeof ret->text, "No room can be reserved in the spill file: %s.",
                   why);
}

/* All works, and calls that were answered are missing, or wait elsewhere. */
static void tell_harm(struct km_store *store, struct km_store_health *ret)
{
    char text[400];
    int64_t since = km_room_harmed_since(store, text);

    if (!since || !ret->healthy)
        return;
    ret->name = "spill_damaged";
    ret->since_us = since;
    (void)snprintf(ret->reason, sizeof ret->reason, "the spill file was damaged");
    (void)snprintf(ret->text, sizeof ret->text, "%s", text);
}

void km_store_health(struct km_store *store, struct km_store_health *ret)
{
    km_outage_tell(&store->outage, ret);
    tell_no_room(store, ret);
    tell_harm(store, ret);
    ret->spilled_bytes = atomic_load(&store->spilled_bytes);
}

int km_store_open_reader(struct km_store *store, struct km_db **ret_db, struct km_err *err)
{
    if (km_outage_final(&store->outage))
        return km_outage_fail(&store->outage, err);
    return store->driver->open(store->place.path, KM_DB_READ, ret_db, err);
}

int km_store_ask(struct km_store *store, const struct km_statement *s, const void *in,
                 struct km_db **ret_db, struct km_ready **ret_ready, struct km_err *err)
{
    int r = km_store_open_reader(store, ret_db, err);

    return r == 0 ? km_db_ask(*ret_db, s, in, ret_ready, err) : r;
}

void km_store_lose(struct km_store *store, enum km_outage_kind kind, const char *reason,
                   const char *text)
{
    if (!km_outage_begin(&store->outage, kind, reason, text))
        return;
    km_log_msg(store->log, KM_LOG_ERROR, "store.lost", "%s", text);
    if (store->events)
        km_event_add(store->events, KM_LOG_ERROR, "store.lost", "%s", text);
    if (store->writer)
        km_writer_wake(store->writer, true);
}

void km_store_look(struct km_store *store)
{
    struct km_lookout_found found;

    if (store->driver->file && store->driver->file->look(store->lookout, &found))
        km_store_lose(store, KM_OUTAGE_LOST, found.reason, found.text);
}

uint64_t km_store_size_bytes(struct km_store *store)
{
    return km_place_bytes(&store->place);
}

size_t km_store_queued(const struct km_store *store)
{
    struct km_store *s = (struct km_store *)(uintptr_t)store; /* the lock is not part of it */
    size_t n = 0;

    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < atomic_load(&s->nledgers); i++)
        n += km_ledger_waiting(s->ledgers[i]);
    pthread_mutex_unlock(&s->lock);
    return n + km_ledger_waiting(store->imports);
}

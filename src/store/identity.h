/* SPDX-License-Identifier: Apache-2.0 */
/* identity.h - which store belongs to a state folder.
 *
 * A store has an id, sixteen random bytes, in a table of its own and in <state_dir>/store.id.  Who
 * finds the file without the store, or with another one, does not begin: an empty store in the
 * place of a lost one would forgive all spend and forget all keys.
 */
#ifndef KM_STORE_IDENTITY_H
#define KM_STORE_IDENTITY_H

#include "base/id.h"
#include "store/place.h"

struct km_log;
struct km_db;
struct km_driver;

struct km_identity {
    char file[KM_PLACE_PATH]; /* <state_dir>/store.id; empty: there is no state folder */
    struct km_uuid folder; /* what the file says */
    bool known; /* it says something */
    struct km_uuid id; /* after km_identity_keep(): of the store */
};

/* Reads the file.  KM_E_STORE when it says nothing that can be read. */
int km_identity_read(struct km_identity *i, const char *state_dir, struct km_err *err) KM_MUST_USE;

/* Before anything is made, migrated or charged: is it the store of this folder, or is there
 * neither?  KM_E_STORE says what is wrong and what to do; nothing was changed. */
int km_identity_check(const struct km_identity *i, const struct km_driver *driver,
                      const struct km_place *place, struct km_err *err) KM_MUST_USE;

/* Of a store that passed and has its tables: gives it an id where it has none, and writes the file
 * where there is none. */
int km_identity_keep(struct km_identity *i, struct km_db *db, const struct km_place *place,
                     struct km_log *log, struct km_err *err) KM_MUST_USE;

/* `--new-store`: what the file says does not count any more; it is kept under another name.
 * Without one this does nothing. */
int km_identity_forget(const char *state_dir, struct km_err *err) KM_MUST_USE;

#endif

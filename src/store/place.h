/* SPDX-License-Identifier: Apache-2.0 */
/* place.h - where a store lies, whether what lies there is one, and who may write it. */
#ifndef KM_STORE_PLACE_H
#define KM_STORE_PLACE_H

#include <limits.h>

#include "base/str.h"

#define KM_PLACE_PATH 4096
#define KM_PLACE_APPLICATION_ID 0x4b4e4d4e /* "KNMN" */

struct km_driver;

struct km_place {
    const struct km_driver *driver;
    char path[KM_PLACE_PATH];
    int lock_fd; /* -1: not held */
    int hold_fd; /* of the store itself; -1: none */
};

/* "<scheme>:<where>" of a driver (driver.h): "sqlite:<path>"; or empty for kanmon.db in state_dir,
 * which is made 0700 when missing. */
int km_place_init(struct km_place *p, struct km_str setting, const char *state_dir,
                  struct km_err *err) KM_MUST_USE;

/* One process writes: KM_E_EXISTS names the one that does. */
int km_place_lock(struct km_place *p, struct km_err *err) KM_MUST_USE;
/* The same on the store's own file, once it is there: for it no name can be deleted. */
int km_place_hold(struct km_place *p, struct km_err *err) KM_MUST_USE;
void km_place_unlock(struct km_place *p); /* both */
/* With it closes the file: only when this process has no connection to it any more. */
void km_place_done(struct km_place *p);

bool km_place_is_locked(const struct km_place *p); /* by the file that has the lock's name */
int km_place_lock_again(struct km_place *p, struct km_err *err) KM_MUST_USE;

/* Makes the file when nothing is there, complete or not at all, 0600; else looks whether it is
 * a store.  A damaged, empty or foreign file is KM_E_STORE and stays as it is. */
int km_place_prepare(const struct km_place *p, struct km_err *err) KM_MUST_USE;

/* The same without making or changing anything: KM_E_NOT_FOUND when nothing is there.  0 of one
 * that lies in no file. */
int km_place_look(const struct km_place *p, struct km_err *err) KM_MUST_USE;

/* Is what it holds gone when it is closed? */
bool km_place_is_passing(const struct km_place *p);

/* The file and its write-ahead log. */
uint64_t km_place_bytes(const struct km_place *p);

#endif

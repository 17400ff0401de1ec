/* SPDX-License-Identifier: Apache-2.0 */
/* state.h - the state folder: made, locked, and whose it is when root starts the gateway. */
#ifndef KM_APP_STATE_H
#define KM_APP_STATE_H

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

struct km_config;

/* Makes the folder, and those it lies in, when they are missing (0700); as root, for
 * kanmon_settings.user. */
int km_state_make(const struct km_config *config, const char *dir, struct km_err *err) KM_MUST_USE;

/* Files of the folder. */
#define KM_STATE_LOCK "lock" /* the gateway's that writes the books */
#define KM_STATE_SUPERVISOR "supervisor.pid" /* its supervisor's */
#define KM_STATE_SOCKET "kanmon.sock" /* of commands */

/* Who holds a lock, as it wrote when it took it. */
struct km_state_holder {
    long pid; /* 0: not known, or the file is another user's than the process */
    char config[PATH_MAX]; /* absolute; empty: not known */
};

/* Takes dir/name by flock and writes into it who has it now: KM_E_EXISTS when somebody else has,
 * which the text names together with `config`.  The descriptor is the caller's; closing it lets
 * go. */
int km_state_lock(const char *dir, const char *name, const char *config, int *ret_fd,
                  struct km_err *err) KM_MUST_USE;
/* The same writing, by a process that inherited the lock; config NULL: the process alone. */
int km_state_sign(int fd, const char *config, struct km_err *err) KM_MUST_USE;
/* Removes the file of a lock that is held, and what stands beside it. */
void km_state_remove(const char *dir, const char *name);
/* What the last holder wrote; it may be gone. */
void km_state_holder(const char *dir, const char *name, struct km_state_holder *ret);
/* Does the process belong to the user who owns this file of the folder? */
bool km_state_is_owner(const char *dir, const char *name, long pid);
/* Is the lock held?  Then by whom. */
bool km_state_held(const char *dir, const char *name, struct km_state_holder *ret);

/* Started as root with kanmon_settings.user: becomes that user, for good.  Otherwise nothing. */
int km_state_drop_root(const struct km_config *config, struct km_err *err) KM_MUST_USE;

/* Who the gateway runs as: kanmon_settings.user when it is started as root, else we. */
int km_state_user(const struct km_config *config, uid_t *ret_uid, gid_t *ret_gid,
                  struct km_err *err) KM_MUST_USE;

/* Opens a log to append to, with no more rights than that user has: as root nothing is made or
 * opened that they could have put in the way. */
int km_state_open_log(const char *path, uid_t uid, gid_t gid, int *ret_fd,
                      struct km_err *err) KM_MUST_USE;

/* As root: gives a file to kanmon_settings.user, if one is set. */
int km_state_give(const struct km_config *config, const char *path, struct km_err *err) KM_MUST_USE;

#endif

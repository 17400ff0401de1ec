/* SPDX-License-Identifier: Apache-2.0 */
/* state.h - the state folder: made, locked, and whose it is when root starts the gateway. */
#ifndef KM_APP_STATE_H
#define KM_APP_STATE_H

#include <sys/types.h>

#include "base/err.h"

struct km_config;

/* Makes the folder (0700) when it is missing; as root, for kanmon_settings.user. */
int km_state_make(const struct km_config *config, const char *dir, struct km_err *err) KM_MUST_USE;

/* Takes dir/name by flock: KM_E_EXISTS when somebody has it.  The descriptor is the caller's;
 * closing it lets go. */
int km_state_lock(const char *dir, const char *name, int *ret_fd, struct km_err *err) KM_MUST_USE;

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

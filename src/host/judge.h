/* SPDX-License-Identifier: Apache-2.0 */
/* judge.h - may a gateway run with this configuration?  One answer for the check, the start, a
 * restart and a reload.
 */
#ifndef KM_HOST_JUDGE_H
#define KM_HOST_JUDGE_H

#include "host/listening.h"
#include "host/snapshot.h"

#define KM_STATE_DIR_BYTES 440 /* of its path, with the end: files in it have names, too */

struct km_judge_args {
    struct km_snapshot_args snapshot; /* what is made of it */
    struct km_listen_flags listen;
    const union km_addr *running; /* where it listens already, and will until it is restarted */
    size_t nrunning;
};

/* Everything that is wrong goes to diags; KM_E_CONFIG when the configuration cannot be used.
 * ret_snapshot (may be NULL) gets what was made. */
int km_gateway_judge(const struct km_judge_args *args, struct km_diags *diags,
                     struct km_snapshot **ret_snapshot, struct km_err *err) KM_MUST_USE;

/* state_dir of a configuration, absolute: as set, beside the file, or `.kanmon` beside it. */
int km_gateway_state_dir(const struct km_config *config, char out[KM_STATE_DIR_BYTES],
                         struct km_err *err) KM_MUST_USE;

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* find.h - the gateway that runs, for commands that talk to it or end it. */
#ifndef KM_APP_FIND_H
#define KM_APP_FIND_H

#include <limits.h>

#include "app/cli.h"
#include "host/judge.h"

struct km_running {
    char dir[KM_STATE_DIR_BYTES]; /* its state folder; where it would be, when none runs */
    char config[PATH_MAX]; /* the file it was started with; empty: not known */
    long pid; /* of the gateway; 0: not known */
    long supervisor; /* that keeps it running; 0: none */
};

/* Finds it, whatever has become of its file.  KM_E_NOT_RUNNING: there is none (then only ret->dir
 * is set); KM_E_FORBIDDEN: the folder is another user's; KM_E_EXISTS: what runs there was started
 * with another file than the one that is named, both of which the text names. */
int km_find_running(const struct km_cli *cli, struct km_running *ret,
                    struct km_err *err) KM_MUST_USE;

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* doctor.h - `kanmon doctor`: what a check has to look at, and how it says what it found.
 *
 *     cmd_doctor.c       gathers all that is below, walks the rows, prints
 *     doctor_checks.c    the table of checks, and those of this machine and the configuration
 *     doctor_gateway.c   those that read what a running gateway said
 *     doctor_reach.c     the one that opens connections
 *
 * A new check is a row of km_doctor_checks and a function that calls km_doctor_say() as often as
 * it has something to say; a check that says nothing had nothing to look at.
 */
#ifndef KM_APP_DOCTOR_H
#define KM_APP_DOCTOR_H

#include "app/client.h"
#include "host/judge.h"

enum km_doctor_level {
    KM_DOCTOR_OK,
    KM_DOCTOR_NOTE, /* worth knowing */
    KM_DOCTOR_SKIPPED, /* could not be looked at, and why */
    KM_DOCTOR_WARN, /* works, and should not stay so */
    KM_DOCTOR_BAD, /* does not work, or is not safe */
    KM_DOCTOR_LEVELS
};

/* What a check cannot do without. */
enum km_doctor_needs {
    KM_DOCTOR_NOTHING,
    KM_DOCTOR_CONFIG, /* a configuration that loads: config and snap */
    KM_DOCTOR_GATEWAY, /* a gateway that answers: status, servers, pins */
};

struct km_doctor {
    struct km_cli *cli;
    const char *file;
    struct km_diags *diags; /* of the configuration */
    struct km_config *config; /* NULL: it does not load */
    struct km_snapshot *snap; /* the same; nothing of it runs */
    char state_dir[KM_STATE_DIR_BYTES]; /* empty: not known */
    struct km_err config_err, gateway_err; /* why there is none */
    bool running; /* a gateway answers */
    const struct km_json *status, *servers, *pins; /* its answers; NULL: none */
    size_t said[KM_DOCTOR_LEVELS];
    const struct km_doctor_check *check; /* the row that runs */
    struct km_json_out *json; /* NULL: text */
};

struct km_doctor_check {
    const char *name;
    enum km_doctor_needs needs;
    void (*run)(struct km_doctor *d);
};
extern const struct km_doctor_check km_doctor_checks[]; /* name NULL ends */

/* One finding of the check that runs.  todo: what to do about it, or NULL. */
void km_doctor_say(struct km_doctor *d, enum km_doctor_level level, const char *todo,
                   const char *fmt, ...) KM_PRINTF(4, 5);

/* doctor_gateway.c */
void km_doctor_gateway(struct km_doctor *d);
void km_doctor_servers(struct km_doctor *d);
void km_doctor_unannotated(struct km_doctor *d);
void km_doctor_left_out(struct km_doctor *d);
void km_doctor_refused(struct km_doctor *d);
void km_doctor_pins(struct km_doctor *d);
void km_doctor_flagged(struct km_doctor *d);

/* doctor_reach.c */
void km_doctor_reach(struct km_doctor *d);

#endif
